"""Web hooks: a client is told to fetch again, by a signed notice without content, until it has answered."""

import hashlib
import hmac
import http.server
import json
import socket
import threading
from datetime import timedelta

import pytest
from django.utils import timezone
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from transport.message_api import tasks
from transport.message_api.clients import registration, webhooks
from transport.message_api.models import ApiClient, WebhookNotice

from .test_exchange import arrive, identity_of, letter

pytestmark = pytest.mark.xdist_group("federation-clients")


class Listener:
    """A client's web server: what it was told, and what it answers."""

    def __init__(self) -> None:
        listener = self
        self.told: list[tuple[dict, bytes]] = []
        self.answers: list[tuple[int, dict]] = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers["Content-Length"]))
                listener.told.append((dict(self.headers), content))
                status, headers = listener.answers.pop(0) if listener.answers else (204, {})
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        self.server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/sdk"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def stop(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def listener(settings):
    settings.SDK_WEBHOOK_HOSTS = ["127.0.0.1"]
    one = Listener()
    yield one
    one.stop()


def subscribe(client, listener) -> str:
    """Register the web hook; the secret that the operator is shown."""
    row = ApiClient.objects.select_related("organisation").get(client_id=client.client_id)
    return registration.register(row.organisation, row.client_id, webhook_url=listener.url).webhook_secret


def tell() -> None:
    """What workers do."""
    for key in list(WebhookNotice.due().values_list("pk", flat=True)):
        webhooks.send(key)


def ids_of(listener) -> list[str]:
    return [identity for _, content in listener.told for identity in json.loads(content)["messages"]]


def test_a_client_is_told_of_a_new_message_by_a_signed_notice_without_content(api, recipient, listener):
    secret = subscribe(recipient, listener)
    identity = arrive(api, text="Kastanjemannen")
    tell()
    assert ids_of(listener) == [identity]
    headers, content = listener.told[0]
    notice = json.loads(content)
    assert set(notice) == {"id", "at", "messages"}
    assert Webhook(secret).verify(content, headers) == notice
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(content.replace(b"messages", b"Messages"), headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(webhooks.new_secret()).verify(content, headers)
    assert headers["webhook-id"] == notice["id"]
    assert "SDK-Signature" not in headers
    assert recipient.status(identity) == "NEW", "it can be fetched when the notice comes"
    assert not WebhookNotice.due().exists()


def test_a_client_with_an_older_secret_is_told_by_both_signatures(api, recipient, listener):
    subscribe(recipient, listener)
    row = ApiClient.objects.select_related("organisation").get(client_id=recipient.client_id)
    row.webhook_secret = old = "g-Zb1_older"
    row.save()
    arrive(api)
    tell()
    headers, content = listener.told[0]
    at, told = (part.partition("=")[2] for part in headers["SDK-Signature"].split(","))
    expected = hmac.new(old.encode(), f"{at}.".encode() + content, hashlib.sha256).hexdigest()
    assert hmac.compare_digest(told, expected)
    assert Webhook(old.encode()).verify(content, headers)


def test_a_notice_that_is_tried_again_keeps_its_id(api, recipient, listener):
    subscribe(recipient, listener)
    listener.answers = [(500, {})]
    arrive(api)
    tell()
    WebhookNotice.objects.update(due_at=timezone.now())
    tell()
    first, second = (headers["webhook-id"] for headers, _ in listener.told)
    assert first == second


def test_a_web_hook_s_host_may_not_lead_to_what_is_not_public(
    api, recipient, listener, settings, monkeypatch
):
    """Whoever runs the host's name server may change its mind between judging and connecting."""
    subscribe(recipient, listener)
    settings.SDK_WEBHOOK_HOSTS = ["hook.example"]
    ApiClient.objects.update(webhook_url=listener.url.replace("127.0.0.1", "hook.example"))
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, *rest, **more: real("127.0.0.1" if host == "hook.example" else host, *rest, **more),
    )
    arrive(api)
    settings.SDK_PRIVATE_NETWORKS = []
    tell()
    assert listener.told == []
    assert WebhookNotice.objects.get().problem == "address not allowed"
    settings.SDK_PRIVATE_NETWORKS = ["127.0.0.0/8"]
    WebhookNotice.objects.update(due_at=timezone.now())
    tell()
    assert len(listener.told) == 1


def test_a_server_s_share_of_the_workers_is_not_passed_and_ends_with_its_leases(
    api, recipient, listener, settings
):
    settings.SDK_COUNTERPART_SHARE = 1
    subscribe(recipient, listener)
    arrive(api)
    first = WebhookNotice.objects.get()
    second = WebhookNotice.objects.create(
        client=first.client, resource_id=first.resource_id, due_at=timezone.now()
    )
    held = WebhookNotice.claim(first.pk)
    held.occupy_slot("127.0.0.1")
    assert webhooks.send(second.pk) == []
    second.refresh_from_db()
    assert (second.lease, second.attempts, listener.told) == (None, 0, [])
    assert not WebhookNotice.due().exists(), "a sweeper wakes nobody for it now"
    # The worker that held the place is gone.
    WebhookNotice.objects.filter(pk=first.pk).update(lease_until=timezone.now())
    assert set(WebhookNotice.due()) == {first, second}
    assert webhooks.send(second.pk) == [first.pk], "the next one is woken"
    assert len(listener.told) == 1


def test_the_sender_s_client_is_told_what_became_of_its_message(api, sender, listener):
    subscribe(sender, listener)
    identity = identity_of(sender.send(**letter(api)))
    tell()
    assert listener.told == [], "that it is scheduled is what the answer said"
    api.pump()
    tell()
    assert set(ids_of(listener)) == {identity}
    assert sender.status(identity) == "ACCEPTED"


def test_only_clients_that_may_see_the_message_are_told(api, recipient, register, listener):
    other = register(api.recipient, "sdk:annan")
    elsewhere = register(api.sender, "*")
    disabled = register(api.recipient, "*")
    for client in (recipient, other, elsewhere, disabled):
        subscribe(client, listener)
    ApiClient.objects.filter(client_id=disabled.client_id).update(is_active=False)
    arrive(api)
    clients = set(WebhookNotice.objects.values_list("client__client_id", flat=True))
    assert clients == {recipient.client_id}


def test_a_notice_is_tried_again_with_longer_pauses_and_given_up_after_a_day(api, recipient, listener):
    subscribe(recipient, listener)
    listener.answers = [(500, {}), (307, {"Location": listener.url}), (404, {})]
    arrive(api)
    pauses, problems = [], []
    for _ in range(3):
        tell()
        notice = WebhookNotice.objects.get()
        pauses.append(round((notice.due_at - timezone.now()).total_seconds()))
        problems.append(notice.problem)
        WebhookNotice.objects.update(due_at=timezone.now())
    assert len(listener.told) == 3, "a redirect is not followed"
    assert problems == ["HTTP 500", "HTTP 307", "HTTP 404"], "administrators see them"
    assert pauses == sorted(pauses)
    assert pauses[0] < pauses[2]
    listener.answers = [(500, {})]
    WebhookNotice.objects.update(created_at=timezone.now() - timedelta(hours=25))
    tell()
    notice = WebhookNotice.objects.get()
    assert notice.due_at is None
    assert notice.given_up_at is not None
    assert webhooks.remove_old() == 0
    WebhookNotice.objects.update(created_at=timezone.now() - timedelta(days=8))
    assert webhooks.remove_old() == 1


def test_a_notice_that_was_answered_is_not_sent_again(api, recipient, listener):
    subscribe(recipient, listener)
    arrive(api)
    tell()
    tell()
    assert len(listener.told) == 1
    notice = WebhookNotice.objects.get()
    assert (notice.told_at is not None, notice.problem) == (True, "")


def test_a_listener_that_is_away_costs_nothing_but_the_notice(api, recipient, settings):
    settings.SDK_WEBHOOK_HOSTS = ["127.0.0.1"]
    gone = Listener()
    gone.stop()
    subscribe(recipient, gone)
    identity = arrive(api)
    tell()
    assert WebhookNotice.objects.get().due_at is not None
    assert recipient.status(identity) == "NEW"


def test_the_sweeper_wakes_workers_for_what_is_due(api, recipient, listener, monkeypatch):
    subscribe(recipient, listener)
    arrive(api)
    woken = []
    monkeypatch.setattr(tasks.send_webhook, "delay", woken.append)
    tasks.sweep()
    assert woken == [str(WebhookNotice.objects.get().pk)]


@pytest.mark.parametrize(
    "url",
    [
        "http://annan.se/hook",
        "https://annan.se/hook",
        "https://127.0.0.1.annan.se/",
        "https://annan.se@169.254.169.254/",
        "https://user:secret@127.0.0.1/",
        "ftp://127.0.0.1/",
        "https://[::1]/",
        "https://127.0.0.1:port/",
        "//127.0.0.1/",
        "",
    ],
)
def test_a_web_hook_goes_to_hosts_that_the_operator_named_and_nowhere_else(settings, url):
    settings.SDK_WEBHOOK_HOSTS = ["127.0.0.1"]
    with pytest.raises(webhooks.AddressNotAllowed):
        webhooks.check_address(url)


def test_a_web_hook_needs_https_outside_the_demo(settings):
    settings.SDK_WEBHOOK_HOSTS = ["journal.habo.se"]
    webhooks.check_address("https://JOURNAL.habo.se:8443/hook")
    webhooks.check_address("http://journal.habo.se/hook")
    settings.DEMO = False
    with pytest.raises(webhooks.AddressNotAllowed):
        webhooks.check_address("http://journal.habo.se/hook")


def test_a_host_that_is_named_no_more_is_not_sent_to(api, recipient, listener, settings):
    subscribe(recipient, listener)
    settings.SDK_WEBHOOK_HOSTS = []
    arrive(api)
    tell()
    assert listener.told == []
    assert WebhookNotice.objects.get().due_at is not None
