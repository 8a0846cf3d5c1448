"""Requests with values that nobody thought of: refused by a status of the contract, never HTTP 500."""

import base64
import json

import pytest
import requests

from transport.message_api.models import UsedAssertion

pytestmark = pytest.mark.xdist_group("federation-clients")
DEEP = "[" * 3000 + "]" * 3000


def part(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode("utf-8", "surrogatepass")).decode().rstrip("=")


def jws(claims: str, header: str = '{"alg":"ES256"}') -> str:
    return f"{part(header)}.{part(claims)}.AAAA"


@pytest.mark.parametrize(
    "assertion",
    [
        jws('{"sub":"a\\u0000b"}'),
        jws('{"sub":"\\ud800"}'),
        jws(f'{{"sub":{DEEP}}}'),
        jws('{"sub":"a"}', f'{{"alg":{DEEP}}}'),
        jws('{"sub":"a","exp":1e999}'),
        jws(json.dumps({"sub": "a" * 5000})),
        "\0",
        "\0.\0.\0",
        "....",
    ],
)
def test_an_assertion_that_nobody_thought_of_authenticates_nobody(api, assertion):
    url = api.url.removesuffix("/as4") + "/v1/token"
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": assertion,
    }
    assert requests.post(url, data=form, timeout=30).status_code in {400, 401}
    for name in form:
        assert requests.post(url, data={**form, name: "a\0b"}, timeout=30).status_code in {400, 401}


@pytest.mark.parametrize("exp", [10**15, 10**30, 1e300, -(10**30)])
def test_an_assertion_that_ends_at_an_impossible_time_authenticates_nobody(api, register, exp):
    client = register(api.sender)
    assert client.ask_for_token(client.assertion(exp=exp)).status_code in {400, 401}
    assert not UsedAssertion.objects.exists()


@pytest.mark.parametrize(
    "token", ["a.b.c", "\x80", jws("{}", f'{{"alg":{DEEP}}}'), jws(DEEP, '{"alg":"HS256"}')]
)
def test_a_token_that_nobody_thought_of_is_401(api, token):
    url = api.url.removesuffix("/as4") + "/v1/sdk/messages"
    answer = requests.get(url, headers={"Authorization": f"Bearer {token}".encode("latin-1")}, timeout=30)
    assert answer.status_code == 401


@pytest.mark.parametrize(
    "value",
    [
        '"\\u0000"',
        '"\\ud800"',
        '"' + "\\ud800" * 4000 + '"',
        "9" * 5000,
        "1e999",
        "-1e999",
        "NaN",
        DEEP,
        "{}",
        "null",
        "true",
    ],
)
def test_a_message_with_a_value_that_nobody_thought_of_is_400_wherever_it_stands(sender, api, value):
    whole = sender_s_message(api)
    for name in ("label", "messageId", "creationDateTime", "recipient", "confidentiality", "senderAttention"):
        if (name, value) == ("confidentiality", "true"):
            continue
        text = json.dumps({**whole, name: "HERE"}).replace('"HERE"', value)
        body = f'{{"data":{{"attributes":{text}}}}}'
        answer = sender.http.post(
            f"{sender.base}/sdk/messages",
            data=body.encode(),
            headers={"Content-Type": "application/json"},
            timeout=30,
        )
        assert answer.status_code == 400, (name, value[:20], answer.text)


def sender_s_message(api) -> dict:
    return {
        "sender": api.sender.participant.value,
        "recipient": api.recipient.participant.value,
        "label": "Hej",
        "confidentiality": True,
        "senderAttention": {"subOrganization": {"extension": api.sender.mailbox.address}},
        "recipientAttention": {"subOrganization": {"extension": api.recipient.mailbox.address}},
        "digitalDocument": [{"documentId": "1", "contentTextBody": ["Hej"]}],
    }


@pytest.mark.parametrize(
    "query",
    [
        "filter[creationDateTimeStart]=0001-01-01T00:00:00%2B00:00",
        "filter[creationDateTimeStop]=9999-12-31T23:59:59Z",
        "filter[creationDateTimeStart]=10000-01-01T00:00:00Z",
        "filter[messageStatus]=%00",
        "filter[%00]=a",
        "page[size]=99999999999999999999",
        "page[after]=0001-01-01T00:00:00%2B23:59|00000000-0000-0000-0000-000000000000",
        "page[after]=9999-12-31T23:59:59-23:59|00000000-0000-0000-0000-000000000000",
        "page[after]=%00|%00",
        "filter[senderAttention.subOrganization.extension]=%ED%A0%80",
    ],
)
def test_a_filter_that_nobody_thought_of_is_answered(sender, query):
    answer = sender.http.get(f"{sender.base}/sdk/messages?{query}", timeout=30)
    assert answer.status_code in {200, 400}
    assert sender.http.get(f"{sender.base}/sdk/messages/a%00b", timeout=30).status_code == 404
