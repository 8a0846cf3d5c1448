"""The test federation as its users meet it: a process, an address book, an e-ID."""

import signal
import subprocess
import sys
import uuid

import pytest
import requests

from testbed.federation import Federation
from testbed.register import Function

pytestmark = pytest.mark.xdist_group("federation")
_SECONDS = 30


def run(directory) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "testbed.federation", str(directory)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_a_second_federation_in_the_directory_says_which_port_is_taken(tmp_path):
    federation = Federation(tmp_path)
    federation.prepare()
    first = run(tmp_path)
    try:
        federation.wait_until_ready(first, tmp_path)
        second = run(tmp_path)
        _, said = second.communicate(timeout=_SECONDS)
        assert second.returncode == 1
        assert f"port {federation.url.rpartition(':')[2]}," in said.decode()
    finally:
        first.send_signal(signal.SIGTERM)
        first.communicate(timeout=_SECONDS)
    assert first.returncode == 0


def test_a_federation_keeps_its_ports_and_authorities(tmp_path):
    before, after = Federation(tmp_path), Federation(tmp_path)
    before.prepare()
    environment, authority = before.environment(), before.tls_ca.read_bytes()
    after.prepare()
    assert after.environment() == environment
    assert after.tls_ca.read_bytes() == authority


def test_every_address_is_reached_by_following_the_pages(federation):
    federation.add_access_point("AP0009-SDK-TEST", "https://localhost:1/as4")
    wanted = {f"sdk:{uuid.uuid4().hex}" for _ in range(30)}
    functions = [Function(identifier, "En funktion", "Till för sidorna") for identifier in wanted]
    federation.add_participant(f"0203:{uuid.uuid4().hex}.se", "Många", "AP0009-SDK-TEST", functions)
    url, found = federation.environment()["SDK_ADDRESS_BOOK_URL"] + "addresses?page[size]=100", []
    while url:
        page = requests.get(url, timeout=_SECONDS).json()
        assert len(page["data"]) <= 25
        found += [item["attributes"]["identifier"] for item in page["data"]]
        url = page["links"].get("next")
    assert wanted <= set(found)
    assert len(found) == len(set(found))


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "another"},
        {"redirect_uri": "https://elsewhere.example/"},
        {"response_type": "token"},
    ],
)
def test_an_authorization_that_is_not_a_client_s_is_refused(federation, changes):
    right = {
        "client_id": federation.environment()["SDK_OIDC_CLIENT_ID"],
        "redirect_uri": "http://localhost:8000/tillbaka",
        "response_type": "code",
        "scope": "openid",
        "nonce": "n",
        "code_challenge": "c" * 43,
        "code_challenge_method": "S256",
    }
    url = f"{federation.url}/oidc/authorize"
    assert requests.get(url, params=right, timeout=_SECONDS).status_code == 200
    assert requests.get(url, params={**right, **changes}, timeout=_SECONDS).status_code == 400
