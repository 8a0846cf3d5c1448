"""What an operator does about external clients, by commands."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.core.management import CommandError, call_command
from joserfc.jwk import ECKey, OctKey

from transport.message_api.clients import routing
from transport.message_api.models import ApiClient, FunctionRoute
from transport.message_service.models import Organisation

pytestmark = pytest.mark.django_db
HABO = "0203:habo.se"


@pytest.fixture(autouse=True)
def _organisations():
    Organisation.objects.create(participant_id=HABO, name="Håbo kommun")
    Organisation.objects.create(participant_id="0203:af.se", name="AF")


def pem(key) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def test_a_client_is_added_changed_listed_and_disabled(tmp_path, capsys):
    key = tmp_path / "journal.pem"
    key.write_bytes(pem(ec.generate_private_key(ec.SECP256R1())))
    call_command("add_api_client", HABO, "journal.habo.se", "--function", "sdk:vard-*", "--key", str(key))
    client = ApiClient.objects.get()
    assert (client.auth_ids, len(client.scopes), len(client.keys)) == (["sdk:vard-*"], 4, 1)
    assert "d" not in client.keys[0]
    call_command("add_api_client", HABO, "journal.habo.se", "--scope", "getMessage", "--name", "Journalen")
    client.refresh_from_db()
    assert client.scopes == ["urn:sdk.api:getMessage"]
    assert client.auth_ids == ["sdk:vard-*"], "what is not given stays"
    call_command("disable_api_client", "journal.habo.se")
    call_command("list_api_clients")
    told = capsys.readouterr().out
    assert "journal.habo.se disabled functions=sdk:vard-* scopes=getMessage" in told
    call_command("disable_api_client", "journal.habo.se", "--enable")
    client.refresh_from_db()
    assert client.is_active


def test_keys_are_renewed_one_beside_the_other(tmp_path):
    call_command("add_api_client", HABO, "journal.habo.se")
    old, new = tmp_path / "old.pem", tmp_path / "new.json"
    old.write_bytes(pem(rsa.generate_private_key(65537, 2048)))
    jwk = ECKey.generate_key("P-256", {"kid": "ny", "use": "sig"})
    new.write_text(json.dumps({"keys": [jwk.as_dict(private=True)]}))
    call_command("set_api_client_key", "journal.habo.se", "--key", str(old))
    call_command("set_api_client_key", "journal.habo.se", "--key", str(new))
    call_command("set_api_client_key", "journal.habo.se", "--key", str(new))
    first, second = ApiClient.objects.get().keys
    assert second["kid"] == "ny"
    assert "d" not in second, "a private key that came along is not kept"
    call_command("set_api_client_key", "journal.habo.se", "--remove", first["kid"])
    assert [key["kid"] for key in ApiClient.objects.get().keys] == ["ny"]
    call_command("set_api_client_key", "journal.habo.se", "--only", str(old))
    assert [key["kty"] for key in ApiClient.objects.get().keys] == ["RSA"]
    with pytest.raises(CommandError):
        call_command("set_api_client_key", "journal.habo.se", "--remove", "ny")


def test_keys_that_are_weak_shared_or_none_are_refused(tmp_path):
    call_command("add_api_client", HABO, "journal.habo.se")
    shared = json.dumps(OctKey.generate_key(256).as_dict(private=True)).encode()
    for content in (
        pem(rsa.generate_private_key(65537, 1024)),
        pem(ed25519.Ed25519PrivateKey.generate()),
        shared,
        b"ingen nyckel",
        b"{}",
    ):
        file = tmp_path / "key"
        file.write_bytes(content)
        with pytest.raises(CommandError):
            call_command("set_api_client_key", "journal.habo.se", "--key", str(file))
    with pytest.raises(CommandError):
        call_command("set_api_client_key", "journal.habo.se", "--key", str(tmp_path / "saknas"))
    assert ApiClient.objects.get().keys == []


def test_a_client_is_one_organisation_s(capsys):
    with pytest.raises(CommandError):
        call_command("add_api_client", "0203:okand.se", "journal.habo.se")
    call_command("add_api_client", HABO, "journal.habo.se")
    with pytest.raises(CommandError):
        call_command("add_api_client", "0203:af.se", "journal.habo.se")
    with pytest.raises(CommandError):
        call_command("disable_api_client", "okand.se")


def test_a_web_hook_gets_a_secret_that_is_shown_once_and_sealed(settings, capsys):
    settings.SDK_WEBHOOK_HOSTS = ["journal.habo.se"]
    with pytest.raises(CommandError):
        call_command("add_api_client", HABO, "journal.habo.se", "--webhook", "https://annan.se/hook")
    call_command("add_api_client", HABO, "journal.habo.se", "--webhook", "https://journal.habo.se/hook")
    client = ApiClient.objects.select_related("organisation").get()
    assert len(client.webhook_secret) > 30
    assert client.webhook_secret in capsys.readouterr().out
    stored = str(ApiClient.objects.values_list("webhook_secret", flat=True).get().text)
    assert client.webhook_secret not in stored
    call_command("list_api_clients")
    assert client.webhook_secret not in capsys.readouterr().out
    call_command("add_api_client", HABO, "journal.habo.se", "--webhook", "")
    assert ApiClient.objects.get().webhook_url == ""


def test_functions_are_routed_and_the_operator_is_told_where_nobody_fetches(capsys):
    assert routing.route_of(HABO, "sdk:vard") is FunctionRoute.To.BUILT_IN
    call_command("route_function", HABO, "sdk:vard", "external")
    assert "no API client may see it yet" in capsys.readouterr().out
    assert routing.route_of(HABO, "sdk:vard") is FunctionRoute.To.EXTERNAL
    assert routing.route_of("0203:af.se", "sdk:vard") is FunctionRoute.To.BUILT_IN
    call_command("add_api_client", HABO, "journal.habo.se", "--function", "sdk:*")
    call_command("route_function", HABO, "sdk:vard", "both")
    call_command("list_api_clients")
    told = capsys.readouterr().out
    assert "no API client" not in told
    assert f"{HABO} sdk:vard -> both" in told
    with pytest.raises(CommandError):
        call_command("route_function", "0203:okand.se", "sdk:vard", "both")
