"""Who gets a token, what a token opens, and that nobody sees what is another's."""

import base64
import json
import time
import uuid
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from transport.federation import http
from transport.message_api.clients import registration, token_endpoint, tokens
from transport.message_api.clients.routing import set_route
from transport.message_api.models import ApiClient, FunctionRoute, UsedAssertion

from .client import ALL_SCOPES, OtherMakersClient, a_letter
from .test_exchange import arrive, identity_of, letter

pytestmark = pytest.mark.xdist_group("federation-clients")


def claims_of(token: str) -> dict:
    """A token's claims, as anybody can read them."""
    body = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))


def assert_unknown(answer) -> None:
    """RFC 6749 5.2."""
    assert answer.status_code in {400, 401}
    assert answer.json()["error"] == "invalid_client"


def row_of(client: OtherMakersClient) -> ApiClient:
    return ApiClient.objects.get(client_id=client.client_id)


def test_a_token_lasts_thirty_minutes_at_most_and_has_no_refresh_token(api, register, settings):
    settings.SDK_API_TOKEN_SECONDS = 99999
    client = register(api.sender)
    answer = client.ask_for_token()
    assert "no-store" in answer.headers["Cache-Control"]
    told = answer.json()
    assert set(told) == {"token_type", "access_token", "expires_in", "scope"}
    assert told["expires_in"] == 1800
    assert set(told["scope"].split()) == set(ALL_SCOPES.split())
    claims = claims_of(told["access_token"])
    assert claims["exp"] - claims["iat"] == 1800
    assert claims["azp"] == client.client_id
    assert claims["auth_id"] == [api.sender.mailbox.address]


def test_a_client_authenticates_with_an_rsa_key_too(api, register):
    client = register(api.sender)
    client.key = RSAKey.generate_key(2048, auto_kid=True)
    assert_unknown(client.ask_for_token())
    registration.give_keys(row_of(client), [client.key.as_dict(private=False)])
    assert client.ask_for_token().status_code == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "https://annan.se/token"},
        {"aud": None},
        {"iss": "nagon-annan.se"},
        {"sub": "nagon-annan.se"},
        {"sub": None},
        {"exp": -600},
        {"exp": None},
        {"exp": "snart"},
        {"exp": 7 * 24 * 3600},
        {"nbf": 600},
        {"jti": None},
        {"jti": ["a"]},
    ],
    ids=str,
)
def test_an_assertion_that_does_not_hold_gives_no_token(api, register, changes):
    client = register(api.sender)
    now = int(time.time())
    told = {name: now + value if isinstance(value, int) else value for name, value in changes.items()}
    assert_unknown(client.ask_for_token(client.assertion(**told)))
    assert not UsedAssertion.objects.exists()


def test_an_assertion_is_taken_once(api, register, monkeypatch):
    client = register(api.sender)
    assertion = client.assertion()
    assert client.ask_for_token(assertion).status_code == 200
    assert_unknown(client.ask_for_token(assertion))
    assert token_endpoint.remove_expired() == 0, "it is remembered for as long as it would be taken"
    later = timezone.now() + timedelta(minutes=10)
    monkeypatch.setattr("transport.message_api.clients.token_endpoint.timezone.now", lambda: later)
    assert token_endpoint.remove_expired() == 1


def test_an_assertion_by_another_key_or_algorithm_or_none_gives_no_token(api, register):
    client = register(api.sender)
    now = int(time.time())
    claims = {
        "iss": client.client_id,
        "sub": client.client_id,
        "aud": client.token_url,
        "exp": now + 60,
        "jti": uuid.uuid4().hex,
    }
    other = ECKey.generate_key("P-256")
    public = json.dumps(client.key.as_dict(private=False)).encode()
    for token in (
        jwt.encode({"alg": "ES256", "kid": client.key.kid}, claims, other),
        jwt.encode({"alg": "ES256", "kid": "okand"}, claims, client.key),
        jwt.encode({"alg": "HS256", "kid": client.key.kid}, claims, OctKey.import_key(public)),
        jwt.encode({"alg": "none"}, claims, OctKey.import_key("x" * 32), algorithms=["none"]),
        "inget",
        "a.b.c",
    ):
        assert_unknown(client.ask_for_token(token))


def test_other_ways_to_authenticate_are_not_taken(api, register):
    client = register(api.sender)
    form = {"grant_type": "client_credentials", "client_id": client.client_id, "client_secret": "hemligt"}
    assert_unknown(client.http.post(client.token_url, data=form, timeout=30))
    basic = client.http.post(
        client.token_url,
        data={"grant_type": "client_credentials"},
        auth=(client.client_id, "hemligt"),
        timeout=30,
    )
    assert_unknown(basic)
    assert client.http.get(client.token_url, timeout=30).status_code == 405
    form = {"grant_type": "password", "username": "a", "password": "b"}
    assert client.http.post(client.token_url, data=form, timeout=30).status_code == 400


def test_a_token_is_not_given_without_tls(api, settings):
    settings.ALLOWED_HOSTS = ["sdk.habo.se"]
    form = {"grant_type": "client_credentials"}
    answer = Client().post("/v1/token", form, headers={"Host": "sdk.habo.se"})
    assert (answer.status_code, answer.json()["error"]) == (400, "insecure_transport")


def test_a_scope_that_the_client_does_not_have_is_not_given(api, register):
    get_only = ["urn:sdk.api:getMessage"]
    client = register(api.sender, scopes=get_only)
    assert client.ask_for_token().json()["scope"] == get_only[0]
    refused = client.ask_for_token(scope="urn:sdk.api:deleteMessage")
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_scope")


def test_each_operation_asks_for_its_own_scope(api, register):
    identity = arrive(api)
    client = register(api.recipient)
    operations = {
        "urn:sdk.api:sendMessages": lambda: client.send(),
        "urn:sdk.api:getMessage": lambda: client.get(identity),
        "urn:sdk.api:getMessageByFilter": lambda: client.find(),
        "urn:sdk.api:deleteMessage": lambda: client.delete(identity),
    }
    for held in operations:
        client.log_in(scope=held)
        allowed = {scope for scope, operation in operations.items() if operation().status_code != 401}
        assert allowed == {held}
    missing = client.find()
    assert missing.headers["WWW-Authenticate"] == 'Bearer error="insufficient_scope"'
    assert missing.json()["type"] == "urn:problem-type:sdk:unauthorized"


def test_without_a_token_that_holds_there_is_nothing(api, sender):
    token = sender.http.headers["Authorization"].removeprefix("Bearer ")
    head, body, signature = token.split(".")
    forged = jwt.encode({"alg": "HS256"}, claims_of(token), OctKey.import_key("x" * 32))
    nothing = jwt.encode({"alg": "none"}, claims_of(token), OctKey.import_key("x" * 32), algorithms=["none"])
    for authorization in (
        None,
        "Bearer",
        "Basic YTpi",
        f"Bearer {head}.{body}",
        f"Bearer {head}.{body}.{signature[:-4]}AAAA",
        f"Bearer {forged}",
        f"Bearer {nothing}",
        "Bearer \xff",
    ):
        sender.http.headers["Authorization"] = authorization
        answer = sender.find()
        assert answer.status_code == 401, authorization
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    sender.http.headers["Authorization"] = f"Bearer {token}"
    assert sender.find().status_code == 200


def test_a_token_ends(api, sender, settings):
    assert sender.find().status_code == 200
    settings.SDK_API_TOKEN_SECONDS = -1
    sender.log_in()
    assert sender.find().status_code == 401


def test_a_disabled_client_is_out_at_once(api, sender):
    ApiClient.objects.filter(client_id=sender.client_id).update(is_active=False)
    assert sender.find().status_code == 401
    assert_unknown(sender.ask_for_token())


def test_when_a_client_was_here_is_remembered_and_written_once_a_minute(api, register):
    client = register(api.sender)
    rows = ApiClient.objects.filter(client_id=client.client_id)
    client.ask_for_token(client.assertion(aud="http://annan/"))
    assert rows.get().last_used_at is None, "who is not let in has not been here"
    client.log_in()
    first = rows.get().last_used_at
    assert first is not None
    client.find()
    assert rows.get().last_used_at == first
    rows.update(last_used_at=first - timedelta(minutes=2))
    client.find()
    assert rows.get().last_used_at >= first


def test_wildcards_bound_which_functions_a_client_sees_and_acts_for(api, register):
    for function in ("sdk:vard-barn:habo", "sdk:vard-vuxen:habo", "sdk:skola:habo"):
        set_route(api.recipient.organisation, function, FunctionRoute.To.EXTERNAL)
        _, envelope = api.sealed(api.message(recipient_function=function), handling=function)
        api.transfer(envelope)
    to = "recipientAttention__subOrganization__extension"
    for patterns, seen, of_school in (
        (["sdk:vard-*"], 2, 0),
        (["sdk:*:habo"], 3, 1),
        (["*skola*"], 1, 1),
        (["sdk:vard-barn:habo", "sdk:skola:habo"], 2, 1),
        (["sdk.vard-*", "SDK:*", "sdk:vard-", "[s]dk:*", "sdk:%"], 0, 0),
        (["*"], 3, 1),
    ):
        client = register(api.recipient, *patterns)
        client.log_in()
        assert len(client.found()) == seen, patterns
        assert len(client.found(**{to: "sdk:skola:habo"})) == of_school, patterns


def test_a_client_sends_for_no_function_and_no_organisation_but_its_own(api, sender):
    other_function = a_letter(
        api.sender.participant.value, "sdk:annan", api.recipient.participant.value, "sdk:x"
    )
    other_organisation = a_letter(
        api.recipient.participant.value, api.sender.mailbox.address, api.sender.participant.value, "sdk:x"
    )
    for attributes, place in ((other_function, "senderAttention"), (other_organisation, "sender")):
        answer = sender.send(**attributes)
        assert answer.status_code == 400
        assert any(place in issue["in"] for issue in answer.json()["eventIssues"])
    without = letter(api)
    del without["senderAttention"]
    assert sender.send(**without).status_code == 400
    assert sender.found() == []


def test_one_organisation_sees_nothing_of_another_s(api, sender, register):
    identity = identity_of(sender.send(**letter(api)))
    api.pump()
    stranger = register(api.recipient, "*")
    stranger.log_in()
    seen = stranger.found()
    assert seen == [identity], "what arrived for it, and not what the sender holds by the same id"
    assert stranger.status(identity) == "NEW"
    assert stranger.delete(identity).status_code == 202
    for answer in (stranger.get(identity), stranger.delete(identity)):
        assert answer.status_code == 404
    assert stranger.found() == []
    assert sender.status(identity) == "ACCEPTED"


def test_a_client_sees_neither_get_nor_delete_what_another_function_s_is(api, sender, register):
    identity = identity_of(sender.send(**letter(api)))
    api.pump()
    colleague = register(api.sender, "sdk:annan-funktion")
    colleague.log_in()
    assert colleague.found() == []
    assert colleague.get(identity).status_code == 404
    assert colleague.delete(identity).status_code == 404
    assert sender.status(identity) == "ACCEPTED"


class OutsideServer:
    """An authorisation server that somebody else runs, as far as this service asks it: its keys."""

    def __init__(self) -> None:
        self.key = RSAKey.generate_key(2048, auto_kid=True)
        self.asked = 0
        self.is_away = False

    def fetch(self, url: str, **_: object) -> bytes:
        self.asked += 1
        if self.is_away:
            raise http.NoAnswer("ConnectionError")
        assert url == "https://as.habo.se/jwks"
        return json.dumps({"keys": [self.key.as_dict(private=False)]}).encode()

    def token(self, client_id: str, auth_ids, **changes) -> str:
        now = int(time.time())
        claims = {
            "iss": "https://as.habo.se",
            "aud": "urn:sdk.api",
            "azp": client_id,
            "iat": now,
            "exp": now + 600,
            "scope": f"{ALL_SCOPES} offline_access",
            "urn:sdk.inera.se:auth_id": auth_ids,
            **changes,
        }
        return jwt.encode(
            {"alg": "RS256", "kid": self.key.kid},
            {k: v for k, v in claims.items() if v is not None},
            self.key,
        )


@pytest.fixture
def outside(settings, monkeypatch):
    cache.clear()
    server = OutsideServer()
    settings.SDK_API_ISSUER = "https://as.habo.se"
    settings.SDK_API_JWKS_URL = "https://as.habo.se/jwks"
    settings.SDK_API_AUTH_ID_CLAIM = "urn:sdk.inera.se:auth_id"
    asked = SimpleNamespace(fetch=server.fetch, NoAnswer=http.NoAnswer, Refused=http.Refused)
    monkeypatch.setattr("transport.message_api.clients.tokens.http", asked)
    yield server
    cache.clear()


def test_an_outside_server_s_token_is_taken_within_what_is_registered_here(api, register, outside):
    identity = arrive(api)
    here = api.recipient.mailbox.address
    client = register(api.recipient, here)

    def seen(token: str) -> list[str] | int:
        client.http.headers["Authorization"] = f"Bearer {token}"
        answer = client.find()
        return [item["id"] for item in answer.json()["data"]] if answer.ok else answer.status_code

    now = int(time.time())
    assert seen(outside.token(client.client_id, [here])) == [identity]
    assert seen(outside.token(client.client_id, ["*"])) == [identity]
    assert seen(outside.token(client.client_id, here)) == [identity]
    assert seen(outside.token(client.client_id, ["sdk:annan"])) == []
    assert seen(outside.token(client.client_id, None)) == []
    assert seen(outside.token("okand", ["*"])) == 401
    assert seen(outside.token(client.client_id, ["*"], iss="https://annan.se")) == 401
    assert seen(outside.token(client.client_id, ["*"], aud="annat")) == 401
    assert seen(outside.token(client.client_id, ["*"], exp=now - 120)) == 401
    assert seen(outside.token(client.client_id, ["*"], exp=now + 3600)) == 401, "it lasts too long"
    assert seen(outside.token(client.client_id, ["*"], iat=None)) == 401
    assert seen(outside.token(client.client_id, ["*"], scope="openid")) == 401
    assert seen(tokens.issue(row_of(client), ALL_SCOPES)["access_token"]) == 401, "none of our own"
    assert client.ask_for_token().status_code == 404
    assert outside.asked <= 2


def test_an_outside_server_may_renew_its_keys_and_be_away(api, register, outside):
    client = register(api.recipient, "*")
    client.http.headers["Authorization"] = f"Bearer {outside.token(client.client_id, ['*'])}"
    assert client.find().status_code == 200
    outside.key = RSAKey.generate_key(2048, auto_kid=True)
    client.http.headers["Authorization"] = f"Bearer {outside.token(client.client_id, ['*'])}"
    assert client.find().status_code == 200
    cache.clear()
    outside.is_away = True
    assert client.find().status_code == 503


def test_what_is_wrong_is_told_by_place_and_never_quoted(api, sender, caplog):
    secret = "Kastanjemannen"
    attributes = letter(api, label=secret * 40, creationDateTime=secret, messageId=secret)
    attributes["digitalDocument"][0]["contentFiles"][0] |= {"contentType": f"application/{secret}"}
    answers = [
        sender.send(**attributes),
        sender.send(**letter(api) | {"creationDateTime": secret, "messageId": secret, "recipient": secret}),
        sender.send(**letter(api) | {"confidentiality": secret, "sender": 5}),
        sender.post(b'{"data": "' + secret.encode() + b"\xff"),
        sender.post([secret]),
        sender.find(messageStatus=secret),
    ]
    for answer in answers:
        assert answer.status_code == 400
        assert answer.headers["Content-Type"] == "application/json"
        assert secret not in answer.text
        problem = answer.json()
        assert problem["type"] == "urn:problem-type:sdk:badRequest"
        assert problem["detail"] == "MESSAGE_EXCHANGE_ERROR"
        assert problem["eventIssues"]
    assert secret not in caplog.text
    places = {issue["in"] for issue in answers[1].json()["eventIssues"]}
    assert {"/data/attributes/creationDateTime", "/data/attributes/messageId"} <= places


def test_what_the_federation_s_rules_refuse_is_refused_at_once(api, sender):
    without_recipient = letter(api)
    del without_recipient["recipientAttention"]
    answer = sender.send(**without_recipient)
    assert answer.status_code == 400
    assert sender.send(**letter(api, digitalDocument=[])).status_code == 400
    program = letter(api)
    program["digitalDocument"][0]["contentFiles"][0]["contentType"] = "application/x-msdownload"
    assert sender.send(**program).status_code == 400
    broken = letter(api)
    broken["digitalDocument"][0]["contentFiles"][0]["content"] = "inte base64!"
    assert sender.send(**broken).status_code == 400
    assert sender.found() == []


def test_a_body_that_is_too_large_is_refused_as_the_contract_says(api, sender, settings):
    settings.SDK_MAX_MESSAGE_BYTES = 1000
    answer = sender.post(b'{"data": "' + b"x" * 2_000_000 + b'"}')
    assert answer.status_code == 400
    assert answer.json()["title"] == "Payload Too Large"
