"""What the doctor says of processes and servers, each check as it is well and as it is not."""

import json
import socketserver
import threading
import time
import uuid
from datetime import timedelta
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.utils import timezone
from redis import Redis

from sdkportal.doctor import services
from sdkportal.monitoring import beat
from sdkportal.monitoring.due_jobs import due_jobs
from testbed.services import free_port
from transport.message_service.models import IncomingMessage, Organisation

from .build import found


@pytest.fixture
def valkey(settings):
    with Redis.from_url(settings.CELERY_BROKER_URL) as client:
        client.delete("sdkportal:beat")
        before = client.config_get("maxmemory*")
        yield client
        client.delete("sdkportal:beat")
        for name in ("maxmemory", "maxmemory-policy"):
            client.config_set(name, before[name])


class Server:
    """A server that answers each path as a test says, with its own idea of the time."""

    def __init__(self) -> None:
        self.status, self.body, self.ahead = 200, b"{}", 0.0
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response_only(server.status)
                self.send_header("Date", formatdate(time.time() + server.ahead, usegmt=True))
                self.send_header("Content-Length", str(len(server.body)))
                self.end_headers()
                self.wfile.write(server.body)

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.http.server_port}"


@pytest.fixture
def server():
    one = Server()
    yield one
    one.http.shutdown()
    one.http.server_close()


@pytest.fixture
def nowhere() -> str:
    return f"http://127.0.0.1:{free_port()}"


@pytest.fixture
def no_broker(settings):
    settings.CELERY_BROKER_URL = f"redis://127.0.0.1:{free_port()}/0"


def test_the_broker_is_told(valkey):
    assert found(services.broker) == [("OK", "")]


def test_a_broker_that_makes_room_by_dropping_is_told(valkey):
    valkey.config_set("maxmemory", 512 * 1024 * 1024)
    assert found(services.broker) == [("OK", "")]
    valkey.config_set("maxmemory-policy", "allkeys-lru")
    assert found(services.broker) == [("WARNING", "broker-evicts")]


def test_a_broker_that_is_away_fails_and_so_do_the_checks_that_ask_it(no_broker):
    assert found(services.broker) == [("FAILURE", "broker-unavailable")]
    assert found(services.beat) == [("FAILURE", "broker-unavailable")]


def test_queues_without_a_worker_are_named(monkeypatch, valkey):
    (finding,) = services.workers()
    assert (finding.code, finding.detail) == (
        "queue-without-worker",
        "0 answer; nobody serves celery, transport, notices",
    )

    class Inspection:
        def active_queues(self):
            return {"a@host": [{"name": "celery"}, {"name": "notices"}], "b@host": None}

    monkeypatch.setattr(services.app.control, "inspect", lambda timeout: Inspection())
    (finding,) = services.workers()
    assert (finding.level.name, finding.detail) == ("FAILURE", "2 answer; nobody serves transport")


def test_workers_behind_a_broker_that_is_away_are_not_said_to_be_missing(monkeypatch):
    def refused(timeout):
        raise ConnectionError

    monkeypatch.setattr(services.app.control, "inspect", refused)
    assert found(services.workers) == [("FAILURE", "broker-unavailable")]


def test_beat_is_alive_as_long_as_it_starts_tasks(valkey):
    assert found(services.beat) == [("FAILURE", "beat-silent")]
    beat.mark_alive()
    assert found(services.beat) == [("OK", "")]
    valkey.hset("sdkportal:beat", "another 1", f"{time.time():.0f}")
    assert found(services.beat) == [("OK", "")], "another may have taken over"
    for name in valkey.hkeys("sdkportal:beat"):
        valkey.hset("sdkportal:beat", name, f"{time.time() - 3600:.0f}")
    assert found(services.beat) == [("FAILURE", "beat-silent")]
    # One that ended yesterday is forgotten.
    valkey.hset("sdkportal:beat", "another 1", f"{time.time() - 90_000:.0f}")
    assert len(beat.seconds_since_marks()) == 1
    assert len(valkey.hkeys("sdkportal:beat")) == 1


def test_beat_goes_on_without_a_broker(no_broker):
    beat.mark_alive(sender="a task")


def an_arrival(**values: object) -> IncomingMessage:
    organisation, _ = Organisation.objects.get_or_create(participant_id="0203:habo.se", name="Håbo")
    return IncomingMessage.objects.create(
        transfer_id=uuid.uuid4(), organisation=organisation, arrived_at=timezone.now(), **values
    )


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(1, ("OK", "")), (300, ("WARNING", "jobs-late")), (3600, ("FAILURE", "jobs-late"))],
)
def test_work_that_has_been_due_for_long_is_told_by_its_kind(seconds, expected):
    assert {level for level, _ in found(services.queues)} == {"OK"}
    an_arrival(state="ARRIVED", due_at=timezone.now() - timedelta(seconds=seconds))
    by_kind = {finding.detail.partition(":")[0]: finding for finding in services.queues()}
    late = by_kind.pop("IncomingMessage")
    assert (late.level.name, late.code) == expected
    assert {finding.detail.rpartition(": ")[2] for finding in by_kind.values()} == {"0 due"}
    assert set(by_kind) >= {"OutgoingMessage", "OutboundTransfer", "WebhookNotice"}


@pytest.mark.django_db
def test_work_that_a_worker_holds_or_that_is_due_later_does_not_wait():
    soon = timezone.now() + timedelta(seconds=60)
    an_arrival(state="ARRIVED", due_at=soon)
    an_arrival(state="ARRIVED", due_at=timezone.now(), lease=uuid.uuid4(), lease_until=soon)
    assert {due.count for due in due_jobs()} == {0}


@pytest.mark.django_db
def test_the_metrics_tell_what_is_due(client):
    an_arrival(state="ARRIVED", due_at=timezone.now() - timedelta(seconds=300))
    told = client.get("/halsa/matt").content.decode()
    assert 'sdk_due_jobs{kind="IncomingMessage"} 1.0' in told
    assert 'sdk_oldest_due_job_seconds{kind="IncomingMessage"} 30' in told


@pytest.mark.django_db
def test_arrivals_that_were_set_aside_are_told():
    assert found(services.dead_letters) == [("OK", "")]
    an_arrival(state="ERROR", cause="unexpected")
    assert found(services.dead_letters) == [("WARNING", "dead-letters")]


class SmtpHandler(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(b"220 mail\r\n")
        while line := self.rfile.readline():
            verb = line.split()[0].upper()
            if verb == b"QUIT":
                self.wfile.write(b"221 bye\r\n")
                return
            self.wfile.write(b"535 no\r\n" if verb == b"AUTH" else b"250-mail\r\n250 AUTH PLAIN\r\n")


@pytest.fixture
def mail_server(settings):
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), SmtpHandler) as smtp:
        threading.Thread(target=smtp.serve_forever, daemon=True).start()
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = smtp.server_address
        settings.EMAIL_USE_TLS = False
        yield
        smtp.shutdown()


def test_a_mail_server_that_answers_is_well_and_a_login_that_it_refuses_fails(mail_server, settings):
    assert found(services.mail) == [("OK", "")]
    settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "user", "secret"
    (finding,) = services.mail()
    assert finding.code == "mail-unavailable"
    assert "secret" not in finding.detail


def test_a_mail_server_that_is_away_or_not_named_is_told(settings):
    assert found(services.mail) == [("WARNING", "mail-not-set")]
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", free_port()
    assert found(services.mail) == [("FAILURE", "mail-unavailable")]


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, json.dumps({"keys": [{"kty": "RSA"}]}).encode(), ("OK", "")),
        (200, b'{"keys": []}', ("FAILURE", "eid-unavailable")),
        (200, b"<html>", ("FAILURE", "eid-unavailable")),
        (200, b"[]", ("FAILURE", "eid-unavailable")),
        (404, b"{}", ("FAILURE", "eid-unavailable")),
    ],
)
def test_an_eid_provider_without_keys_fails(settings, server, status, body, expected):
    settings.OIDC_OP_JWKS_ENDPOINT = server.url
    server.status, server.body = status, body
    assert found(services.eid) == [expected]


def test_servers_that_are_away_are_told(settings, nowhere):
    settings.OIDC_OP_JWKS_ENDPOINT = settings.SDK_PUBLIC_URL = settings.SDK_ADDRESS_BOOK_URL = nowhere
    assert found(services.eid) == [("FAILURE", "eid-unavailable")]
    assert found(services.pages) == [("WARNING", "pages-unavailable")]
    assert found(services.clock) == [("WARNING", "clock-not-compared")]


def test_the_pages_are_asked_where_people_open_them(settings, server):
    assert found(services.pages) == [("WARNING", "pages-unavailable")]
    settings.SDK_PUBLIC_URL = server.url
    assert found(services.pages) == [("OK", "")]
    server.status = 502
    assert found(services.pages) == [("WARNING", "pages-unavailable")]


@pytest.mark.parametrize(
    ("ahead", "expected"),
    [
        (0, ("OK", "")),
        (6, ("WARNING", "clock-wrong")),
        (-6, ("WARNING", "clock-wrong")),
        (600, ("FAILURE", "clock-wrong")),
    ],
)
def test_a_clock_that_differs_from_a_counterpart_s_is_told(settings, server, ahead, expected):
    settings.SDK_ADDRESS_BOOK_URL = server.url
    server.ahead = ahead
    assert found(services.clock) == [expected]
