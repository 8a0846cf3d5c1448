"""People are told that something has arrived, as they chose, once, and never what."""

import threading
from collections.abc import Generator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.core import mail
from django.urls import reverse
from django.utils import timezone

from mailbox.models import FunctionMailbox, Membership, NoticeChoice, Person, PushSubscription
from mailbox.notifications import notices

from .build import HERE, a_member, a_message_in, log_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def mailbox(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "payloads"
    settings.SDK_PUBLIC_URL = "https://sdk.habo.se"
    return FunctionMailbox.objects.create(participant_id=HERE, address="funktion-b", name="Mottagning")


@pytest.fixture
def person(mailbox) -> Person:
    person = a_member(mailbox)
    person.mail_address = "karin@habo.se"
    person.save()
    return person


class PushService:
    """A push service on loopback that takes what is pushed, or answers as it is told to."""

    def __init__(self) -> None:
        self.taken: list[tuple[dict[str, str], bytes]] = []
        self.answer = 201
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                service.taken.append((dict(self.headers), self.rfile.read(length)))
                self.send_response(service.answer)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: object) -> None:
                """Silent."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def push_service(settings, tmp_path) -> Generator[PushService, None, None]:
    key = ec.generate_private_key(ec.SECP256R1())
    path = tmp_path / "push.pem"
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    settings.SDK_PUSH_KEY = str(path)
    settings.SDK_PUSH_HOSTS = ["127.0.0.1"]
    service = PushService()
    thread = threading.Thread(target=service.server.serve_forever)
    thread.start()
    yield service
    service.server.shutdown()
    thread.join()
    service.server.server_close()


def test_a_mail_names_the_mailbox_and_nothing_in_it(mailbox, person):
    notices.choose(person, mailbox, by_mail=True, by_push=False)
    message = a_message_in(mailbox)
    assert notices.send_notices() == 1
    (sent,) = mail.outbox
    assert sent.to == ["karin@habo.se"]
    assert sent.subject == "Nytt meddelande i Mottagning"
    assert sent.body == f"Logga in för att läsa: https://sdk.habo.se{reverse('mailbox', args=[mailbox.pk])}\n"
    assert message.subject not in sent.subject + sent.body


def test_what_was_told_is_not_told_again_and_several_are_told_of_at_once(mailbox, person):
    notices.choose(person, mailbox, by_mail=True, by_push=False)
    a_message_in(mailbox)
    a_message_in(mailbox)
    assert notices.send_notices() == 1
    assert notices.send_notices() == 0
    a_message_in(mailbox)
    assert notices.send_notices() == 1
    assert len(mail.outbox) == 2


def test_what_had_arrived_before_one_chose_is_not_told_of(mailbox, person):
    a_message_in(mailbox)
    notices.choose(person, mailbox, by_mail=True, by_push=False)
    assert notices.send_notices() == 0


@pytest.mark.parametrize("lost", ["locked", "removed", "ended", "unchosen"])
def test_who_may_not_see_the_mailbox_or_chose_otherwise_is_told_nothing(mailbox, person, lost):
    notices.choose(person, mailbox, by_mail=True, by_push=False)
    a_message_in(mailbox)
    if lost == "locked":
        Person.objects.update(is_active=False)
    elif lost == "removed":
        Membership.objects.all().delete()
    elif lost == "ended":
        Membership.objects.update(ends_at=timezone.now() - timedelta(seconds=1))
    else:
        notices.choose(person, mailbox, by_mail=False, by_push=False)
    assert notices.send_notices() == 0
    assert mail.outbox == []


def test_a_push_is_empty_and_says_who_we_are(mailbox, person, push_service):
    PushSubscription.objects.create(person=person, endpoint=f"{push_service.url}/x")
    notices.choose(person, mailbox, by_mail=False, by_push=True)
    a_message_in(mailbox)
    assert notices.send_notices() == 1
    ((headers, body),) = push_service.taken
    assert body == b""
    headers = {name.lower(): value for name, value in headers.items()}
    assert headers["ttl"] == "86400"
    scheme, _, rest = headers["authorization"].partition(" ")
    given = dict(part.split("=", 1) for part in rest.replace(" ", "").split(","))
    assert scheme == "vapid"
    assert given["k"] == notices.public_push_key()
    claims = jwt.decode(
        given["t"], notices._push_key().public_key(), algorithms=["ES256"], audience=push_service.url
    )
    assert claims["sub"] == "https://sdk.habo.se"


def test_a_browser_that_is_gone_is_forgotten_and_one_that_fails_is_kept(mailbox, person, push_service):
    PushSubscription.objects.create(person=person, endpoint=f"{push_service.url}/x")
    notices.choose(person, mailbox, by_mail=False, by_push=True)
    for answer, kept in ((500, 1), (410, 0)):
        push_service.answer = answer
        a_message_in(mailbox)
        notices.send_notices()
        assert PushSubscription.objects.count() == kept


def test_nothing_is_pushed_to_a_host_that_is_not_named(mailbox, person, push_service, settings):
    PushSubscription.objects.create(person=person, endpoint=f"{push_service.url}/x")
    settings.SDK_PUSH_HOSTS = ["push.apple.com"]
    notices.choose(person, mailbox, by_mail=False, by_push=True)
    a_message_in(mailbox)
    notices.send_notices()
    assert push_service.taken == []


@pytest.mark.parametrize(
    ("endpoint", "status"),
    [
        ("https://web.push.apple.com/x", 204),
        ("https://fcm.googleapis.com/fcm/send/x", 204),
        ("http://fcm.googleapis.com/x", 422),
        ("https://fcm.googleapis.com.evil.example/x", 422),
        ("https://evil.example/fcm.googleapis.com", 422),
        ("https://user@127.0.0.1/", 422),
        ("https://127.0.0.1:8443\\@fcm.googleapis.com/x", 422),
        ("https://fcm.googleapis.com\\@127.0.0.1/x", 422),
        ("https://evil.example/#@fcm.googleapis.com/", 422),
        ("https://evil.example?.push.apple.com", 422),
        ("HTTPS://fcm.googleapis.com/x", 422),
        ("", 422),
    ],
)
def test_a_browser_is_taken_only_at_a_push_service_that_is_known(person, client, endpoint, status):
    log_in(client, person)
    assert client.post(reverse("notices-subscribe"), {"endpoint": endpoint}).status_code == status
    assert PushSubscription.objects.count() == (status == 204)


def test_a_browser_tells_only_who_uses_it_now(mailbox, person, client):
    other = a_member(mailbox)
    for one in (person, other):
        notices.subscribe(one, "https://fcm.googleapis.com/x")
    assert PushSubscription.objects.get().person == other
    log_in(client, other)
    client.post(reverse("notices-unsubscribe"))
    assert not PushSubscription.objects.exists()


def test_a_browser_that_was_woken_is_told_the_mailbox_if_somebody_is_logged_in(mailbox, person, client):
    notices.choose(person, mailbox, by_mail=False, by_push=True)
    assert client.get(reverse("notices-now")).status_code == 302
    log_in(client, person)
    assert client.get(reverse("notices-now")).json() == {"text": "Nytt meddelande i Mottagning"}
    log_in(client, a_member(mailbox))
    assert client.get(reverse("notices-now")).json() == {"text": ""}


def test_choices_are_made_in_the_page_for_one_s_own_mailboxes_only(mailbox, person, client):
    beside = FunctionMailbox.objects.create(participant_id=HERE, address="b", name="Ekonomi")
    log_in(client, person)
    form = {"address": "ny@habo.se", "by_mail": [mailbox.pk, beside.pk]}
    assert client.post(reverse("notices"), form).status_code == 302
    choice = NoticeChoice.objects.get()
    assert (choice.mailbox, choice.by_mail, choice.by_push) == (mailbox, True, False)
    person.refresh_from_db()
    assert person.mail_address == "ny@habo.se"
    html = client.get(reverse("notices")).content.decode()
    assert "Ekonomi" not in html
    client.post(reverse("notices"), {"address": "ny@habo.se"})
    assert not NoticeChoice.objects.exists()


@pytest.mark.parametrize("address", ["", "x", "a@b", "a@habo.se\nBcc: x@y.se"])
def test_an_address_that_is_none_is_told_at_the_field_and_nothing_is_saved(mailbox, person, client, address):
    log_in(client, person)
    page = client.post(reverse("notices"), {"address": address, "by_mail": [mailbox.pk]})
    assert page.status_code == 422
    assert set(page.context["errors"]) == {"address"}
    person.refresh_from_db()
    assert person.mail_address == "karin@habo.se"


def test_the_worker_s_script_holds_no_data_and_is_plain_text(client):
    response = client.get(reverse("notices-worker"))
    assert response.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert "showNotification" in response.content.decode()
