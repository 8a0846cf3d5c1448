"""Who does the same too often is asked to wait, others are not; and a counter that is away stops nobody."""

import re
import secrets

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from mailbox.drafts import composer
from mailbox.models import FunctionMailbox
from testbed.node import PROJECT
from tests.mailbox.administration.build import HERE, a_member, log_in

pytestmark = pytest.mark.django_db
MOST = 3


@pytest.fixture(autouse=True)
def limits(settings):
    settings.RATELIMIT_ENABLE = True
    settings.SDK_RATE_LIMITS = dict.fromkeys(settings.SDK_RATE_LIMITS, f"{MOST}/h")


def an_address() -> str:
    """Nobody else's, in tests that share the counter."""
    return "2001:db8:" + ":".join(secrets.token_hex(2) for _ in range(2)) + "::1"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", "/logga-in/borja"),
        ("get", "/oidc/callback/?code=x&state=x"),
        ("get", "/oidc/authenticate/"),
        ("get", "/saml/borja"),
        ("post", "/saml/svar"),
        ("get", "/saml/klar"),
        ("get", "/saml/uppdrag"),
        ("post", "/oidc/utloggad"),
        ("post", "/v1/token"),
        ("get", "/scim/v2/Users"),
    ],
)
def test_an_address_that_calls_too_often_waits_and_another_does_not(client, method, path):
    here, elsewhere = an_address(), an_address()
    call = getattr(client, method)
    told = [call(path, REMOTE_ADDR=here).status_code for _ in range(MOST)]
    assert 429 not in told
    refused = call(path, REMOTE_ADDR=here)
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["Retry-After"]) <= 3600
    assert call(path, REMOTE_ADDR=elsewhere).status_code != 429


def test_the_page_says_what_to_do(client):
    here = an_address()
    for _ in range(MOST):
        client.get("/logga-in/borja", REMOTE_ADDR=here)
    assert "Vänta någon minut" in client.get("/logga-in/borja", REMOTE_ADDR=here).content.decode()


def test_a_person_searches_and_uploads_only_so_often(client):
    mailbox = FunctionMailbox.objects.create(participant_id=HERE, address="funktion-b", name="Brevlåda")
    person = a_member(mailbox)
    log_in(client, person)
    for _ in range(MOST):
        assert client.post(reverse("search"), {"question": "ord"}).status_code == 200
    refused = client.post(reverse("search"), {"question": "ord"})
    assert (refused.status_code, "Retry-After" in refused.headers) == (429, True)
    assert client.get(reverse("search")).status_code == 200
    url = reverse("upload", args=[composer.begin(mailbox, person).pk])
    for number in range(MOST):
        file = SimpleUploadedFile(f"{number}.pdf", b"%PDF-1.7\n", "application/pdf")
        assert client.post(url, {"files": file}).status_code == 200
    file = SimpleUploadedFile("a.pdf", b"%PDF-1.7\n", "application/pdf")
    refused = client.post(url, {"files": file})
    assert (refused.status_code, refused.headers["Content-Type"]) == (429, "text/plain; charset=utf-8")


def test_behind_a_proxy_the_address_that_it_tells_is_counted(client, settings):
    settings.SDK_CLIENT_ADDRESS_HEADER = "X-Real-IP"
    here, elsewhere = an_address(), an_address()
    for _ in range(MOST):
        client.get("/logga-in/borja", headers={"X-Real-IP": here})
    assert client.get("/logga-in/borja", headers={"X-Real-IP": here}).status_code == 429
    assert client.get("/logga-in/borja", headers={"X-Real-IP": elsewhere}).status_code == 302


def test_behind_a_proxy_that_tells_no_address_nobody_is_everybody(client):
    for _ in range(MOST + 2):
        assert client.get("/logga-in/borja", REMOTE_ADDR="127.0.0.1").status_code == 302


def test_while_the_counter_is_away_everybody_is_let_in(client, settings):
    settings.CACHES = {
        **settings.CACHES,
        "rates": {**settings.CACHES["rates"], "LOCATION": "redis://127.0.0.1:1/0"},
    }
    here = an_address()
    for _ in range(MOST + 2):
        assert client.get("/logga-in/borja", REMOTE_ADDR=here).status_code == 302


def locations() -> dict[str, str]:
    """What the shipped proxy does with the pages, by their addresses."""
    text = (PROJECT / "deploy" / "nginx" / "sdkportal.conf").read_text()
    found = re.findall(r"^    location ([^{]+) \{\n(.*?)^    \}", text, re.MULTILINE | re.DOTALL)
    return {address: block for address, block in found if "sdkportal_web" in block}


def test_the_shipped_proxy_tells_who_calls_whatever_the_caller_says():
    assert len(locations()) > 5
    for address, block in locations().items():
        assert "proxy_set_header X-Real-IP $remote_addr;" in block, address


@pytest.mark.parametrize("path", ["/logga-in", "/oidc/callback/", "/v1/token", "/sok", "/utkast/7/bilagor"])
def test_the_shipped_proxy_counts_too(path):
    limited = [
        address.removeprefix("~ ") for address, block in locations().items() if "limit_req zone=" in block
    ]
    assert any(re.match(address, path) for address in limited)
