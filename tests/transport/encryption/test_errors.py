"""Errors with a key in hand: neither the page, nor a log, nor Django's report of the error has the key."""

import io
import logging
import sys
import uuid

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client, RequestFactory
from django.urls import reverse
from django.views.debug import get_exception_reporter_class

from mailbox.models import OrganisationRole, Person
from sdkportal.monitoring.logs import FieldFormatter
from testbed.authorities import load_certificate, load_key
from transport.access_point import inbound as access_point_receiving
from transport.message_service import orders, outbound
from transport.message_service.models import OutgoingMessage
from transport.message_service.organisations import certificate_requests
from transport.message_service.tasks import seal_due

pytestmark = pytest.mark.xdist_group("federation")
PASSPHRASE = "fyra-korrekta-hästar"


class Told(logging.Handler):
    """Every line that the process logs, as it is written."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(FieldFormatter())
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture
def told(settings):
    """What is logged while debugging is off, as in production."""
    settings.DEBUG = settings.DEBUG_PROPAGATE_EXCEPTIONS = False
    handler, root = Told(), logging.getLogger()
    before, loud = root.level, [logging.getLogger(name) for name in ("django", "celery", "transport")]
    levels = [each.level for each in loud]
    root.addHandler(handler)
    for each in (root, *loud):
        each.setLevel(logging.DEBUG)
    yield handler.lines
    root.removeHandler(handler)
    root.setLevel(before)
    for each, level in zip(loud, levels, strict=True):
        each.setLevel(level)


def pem_of(key: rsa.RSAPrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def secrets_of(key: rsa.RSAPrivateKey) -> list[str]:
    """What may not be seen of a key: the lines of its PEM, and its numbers."""
    lines = [line for line in pem_of(key).splitlines() if "-----" not in line and len(line) > 20]
    return [*lines, str(key.private_numbers().d), str(key.private_numbers().p), PASSPHRASE]


def seen_in(text: str, key: rsa.RSAPrivateKey) -> list[str]:
    return [secret for secret in secrets_of(key) if secret in text]


def fails_with(key: rsa.RSAPrivateKey):
    """A step that goes wrong and says all that it knows."""

    def fail(*arguments: object, **keywords: object) -> None:
        private_key = pem_of(key)
        raise RuntimeError(f"{PASSPHRASE} {private_key} {key.private_numbers()} {key.private_numbers().d}")

    return fail


def test_a_page_that_fails_with_a_key_in_hand_shows_and_logs_none_of_it(world, told, settings, monkeypatch):
    settings.ROOT_URLCONF = "sdkportal.urls"
    files = world.federation.issue_organisation_key(uuid.uuid4().hex, "Ny")
    key = load_key(files.key)
    bundle = pkcs12.serialize_key_and_certificates(
        b"x",
        key,
        load_certificate(files.certificate),
        None,
        serialization.BestAvailableEncryption(PASSPHRASE.encode()),
    )
    person = Person.add(uuid.uuid4().hex, "Eva")[0]
    OrganisationRole.objects.create(person=person, participant_id=world.sender.participant.value)
    monkeypatch.setattr(certificate_requests, "add_key", fails_with(key))
    browser = Client(raise_request_exception=False)
    browser.force_login(person, backend="mailbox.accounts.login.EidBackend")
    page = browser.post(
        reverse("administration-certificate-import"),
        {
            "organisation": world.sender.participant.value,
            "purpose": "signing",
            "passphrase": PASSPHRASE,
            "certificate": SimpleUploadedFile("a.p12", bundle),
        },
    )
    assert page.status_code == 500
    lines = "\n".join(told)
    assert "error=RuntimeError" in lines
    assert "where=" in lines
    assert seen_in(page.content.decode() + lines, key) == []


def test_a_worker_that_fails_with_a_key_in_hand_logs_none_of_it(world, told, monkeypatch):
    key = load_key(world.sender.files.signing.key)
    orders.order(world.message(), actor="Karin")
    monkeypatch.setattr(outbound, "seal", fails_with(key))
    outbound.seal_and_submit(OutgoingMessage.objects.get().pk)
    assert "error=RuntimeError" in "\n".join(told)
    assert seen_in("\n".join(told), key) == []


def test_a_task_that_nobody_caught_logs_none_of_it(told, monkeypatch, db):
    """Celery's own words of a failed task repeat what the error says."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    monkeypatch.setattr(OutgoingMessage, "claim_due", fails_with(key))
    seal_due.apply()
    lines = "\n".join(told)
    assert "task=transport.message_service.tasks.seal_due" in lines
    assert "error=RuntimeError" in lines
    assert seen_in(lines, key) == []


@pytest.mark.parametrize(
    ("step", "status"),
    # What a message brings about is answered with an error of AS4; our own failure has its sender try again.
    [("read_user_message", 200), ("workspace", 500)],
)
def test_the_access_point_that_fails_with_a_key_in_hand_answers_and_logs_none_of_it(
    world, told, monkeypatch, step, status
):
    key = load_key(world.sender.files.encryption.key)
    monkeypatch.setattr(access_point_receiving, step, fails_with(key))
    answer = Client(raise_request_exception=False).post(
        "/as4", b"x", content_type="multipart/related; boundary=x"
    )
    assert answer.status_code == status
    assert "error=RuntimeError" in "\n".join(told)
    assert seen_in(answer.content.decode() + "\n".join(told), key) == []


@pytest.mark.parametrize("form", ["get_traceback_text", "get_traceback_html"])
def test_django_s_report_of_an_error_has_no_variable_and_no_word_of_the_error(told, settings, form):
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    request = RequestFactory().post("/x", {"passphrase": PASSPHRASE})
    try:
        fails_with(key)(key)
    except RuntimeError:
        reporter = get_exception_reporter_class(request)(request, *sys.exc_info())
        report = getattr(reporter, form)()
    assert "RuntimeError" in report
    assert "test_errors.py" in report
    assert seen_in(report, key) == []
    assert settings.SDK_WRAPPING_KEY not in report
    assert settings.SECRET_KEY not in report


def test_an_error_in_the_log_is_one_line_with_where_it_came_from():
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(FieldFormatter())
    try:
        try:
            raise KeyError("Karin Svensson")
        except KeyError as error:
            raise ValueError("Karin Svensson") from error
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, "", 0, "failed", (), sys.exc_info())
    handler.emit(record)
    (line,) = out.getvalue().splitlines()
    assert "ERROR x failed error=ValueError because=KeyError where=test_errors.py:" in line
    assert "Karin" not in line
