"""The API of case systems, and the web hook that tells of deliveries."""

import hashlib
import json
import threading
import uuid
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from django.urls import reverse
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from mailbox.case_systems import deliveries, systems
from mailbox.models import AccessLogEntry, CaseDelivery, CaseSystem, FunctionMailbox
from tests.mailbox.build import a_member

from .build import a_case_system, another_message, handed_over, later, ordered, work_on_due

pytestmark = pytest.mark.django_db


def with_token(karin, system) -> str:
    made = systems.renew_secrets(karin, system)
    CaseSystem.objects.filter(pk=system.pk).update(is_confirmed=True)
    return made.token


@pytest.fixture
def token(karin, by_api):
    return with_token(karin, by_api)


class Asker:
    """A case system with its token."""

    def __init__(self, client, token):
        self.client, self.headers = client, {"authorization": f"Bearer {token}"}

    def get(self, name, *args):
        return self.client.get(reverse(name, args=args), headers=self.headers)

    def answer(self, key, **values):
        document = {"delivery_id": str(key), "status": "accepted", "case_number": "ARK 7"} | values
        return self.client.post(
            reverse("case-delivery-api-receipt", args=[key]),
            json.dumps(document),
            content_type="application/json",
            headers=self.headers,
        )


@pytest.fixture
def asker(client, token):
    client.logout()
    return Asker(client, token)


def test_a_case_system_fetches_and_acknowledges(mailbox, karin, by_api, asker):
    delivery = handed_over(mailbox, karin, by_api)
    assert asker.get("case-delivery-api").json() == {"deliveries": [str(delivery.pk)]}
    told = asker.get("case-delivery-api-description", delivery.pk).json()
    response = asker.get("case-delivery-api-package", delivery.pk)
    content = b"".join(response.streaming_content)
    assert (len(content), hashlib.sha256(content).hexdigest()) == (told["size"], told["sha256"])
    assert response["Cache-Control"] == "no-store"
    assert AccessLogEntry.objects.filter(what="case-delivery-fetched", mailbox=mailbox).count() == 1
    assert asker.answer(delivery.pk).json() == {"status": "noted"}
    assert asker.answer(delivery.pk).status_code == 200
    delivery.refresh_from_db()
    assert (delivery.state, delivery.case_number) == ("acknowledged", "ARK 7")
    work_on_due()
    assert asker.get("case-delivery-api").json() == {"deliveries": []}
    assert asker.get("case-delivery-api-package", delivery.pk).status_code == 404


def test_a_receipt_that_says_otherwise_or_is_too_late_is_told(mailbox, karin, by_api, asker):
    delivery = handed_over(mailbox, karin, by_api)
    asker.answer(delivery.pk)
    assert asker.answer(delivery.pk, case_number="ARK 8").status_code == 409
    withdrawn = handed_over(mailbox, karin, by_api)
    deliveries.withdraw(withdrawn.pk, karin)
    assert asker.answer(withdrawn.pk).status_code == 410
    assert asker.answer(uuid.uuid4()).status_code == 404


@pytest.mark.parametrize(
    ("body", "code"),
    [("", "not-json"), ("{}", "status"), ("[]", "not-an-object"), ("x" * 70_000, "too-large")],
)
def test_what_is_no_receipt_is_refused(mailbox, karin, by_api, asker, settings, body, code):
    delivery = handed_over(mailbox, karin, by_api)
    address = reverse("case-delivery-api-receipt", args=[delivery.pk])
    response = asker.client.post(address, body, content_type="application/json", headers=asker.headers)
    assert response.status_code in {400, 413}
    if response.status_code == 400:
        assert response.json() == {"error": code}


def test_the_receipt_has_to_be_of_the_delivery_in_the_address(mailbox, karin, by_api, asker):
    delivery = handed_over(mailbox, karin, by_api)
    response = asker.answer(delivery.pk, delivery_id=str(uuid.uuid4()))
    assert (response.status_code, response.json()) == (400, {"error": "delivery-id"})


@pytest.mark.parametrize("shown", ["", "Bearer", "Bearer ", "Bearer x\ud800", "Basic x", "Bearer fel"])
def test_without_the_token_there_is_nothing(mailbox, karin, by_api, client, shown):
    delivery = handed_over(mailbox, karin, by_api)
    for name, args in (("case-delivery-api", []), ("case-delivery-api-package", [delivery.pk])):
        response = client.get(reverse(name, args=args), headers={"authorization": shown})
        assert response.status_code == 401


@pytest.mark.parametrize("change", [{"is_enabled": False}, {"is_confirmed": False}])
def test_the_token_of_one_that_is_off_or_not_confirmed_does_not_hold(mailbox, by_api, asker, change):
    CaseSystem.objects.filter(pk=by_api.pk).update(**change)
    assert asker.get("case-delivery-api").status_code == 401


def test_a_new_token_ends_the_old_one_and_has_to_be_confirmed(mailbox, karin, by_api, client, token):
    new = systems.renew_secrets(karin, by_api).token
    for shown in (token, new):
        assert Asker(client, shown).get("case-delivery-api").status_code == 401
    CaseSystem.objects.update(is_confirmed=True)
    assert Asker(client, token).get("case-delivery-api").status_code == 401
    assert Asker(client, new).get("case-delivery-api").status_code == 200


def test_a_token_reaches_no_other_case_systems_deliveries(mailbox, karin, by_api, asker, system):
    own = handed_over(mailbox, karin, system)
    elsewhere = FunctionMailbox.objects.create(participant_id="0203:annan.se", address="x", name="Annans")
    a_member("Annan", elsewhere)
    theirs = a_case_system(elsewhere, name="Annans", kind=CaseSystem.Kind.WEBHOOK, folder="")
    other = Asker(asker.client, with_token(karin, theirs))
    for one in (asker, other):
        for name in ("case-delivery-api-description", "case-delivery-api-package"):
            assert one.get(name, own.pk).status_code == 404
        assert one.answer(own.pk).status_code == 404
    own.refresh_from_db()
    assert own.state == "delivered"


def test_neither_token_nor_secret_is_readable_afterwards(karin, by_api, client, token):
    by_api.refresh_from_db()
    assert token not in str(vars(by_api))
    raw = CaseSystem.objects.values_list("webhook_secret", flat=True).get(pk=by_api.pk)
    assert "whsec_" not in getattr(raw, "text", raw)
    assert not any(token in str(row.details) for row in AccessLogEntry.objects.all())


class _Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((dict(self.headers), body))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *args):
        """Nothing is written."""


@pytest.fixture
def hook(settings, karin, by_api):
    settings.DEMO = True
    settings.SDK_WEBHOOK_HOSTS = ["127.0.0.1"]
    server = HTTPServer(("127.0.0.1", 0), _Receiver)
    server.got, server.status = [], 204
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    by_api.webhook_url = f"http://127.0.0.1:{server.server_port}/hook"
    by_api.save()
    server.secret = systems.renew_secrets(karin, by_api).webhook_secret
    CaseSystem.objects.update(is_confirmed=True)
    yield server
    server.shutdown()
    thread.join(10)
    server.server_close()


def test_the_web_hook_is_signed_and_carries_an_id_alone(mailbox, karin, by_api, hook):
    delivery = handed_over(mailbox, karin, by_api)
    [(headers, body)] = hook.got
    notice = Webhook(hook.secret).verify(body, {name.lower(): value for name, value in headers.items()})
    assert notice["type"] == "case_delivery.ready"
    assert notice["data"] == {"delivery_id": str(delivery.pk)}
    assert {name.lower(): value for name, value in headers.items()}["webhook-id"] == str(delivery.pk)
    assert b"3117" not in body
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_AAAA").verify(body, {name.lower(): value for name, value in headers.items()})


def test_a_web_hook_that_refuses_is_tried_again_and_the_package_can_be_fetched(
    mailbox, karin, by_api, hook, client
):
    hook.status = 500
    delivery = ordered(mailbox, karin, by_api)
    work_on_due()
    delivery.refresh_from_db()
    assert (delivery.state, delivery.cause) == ("failed", "refused-notice")
    # One that asks by itself does not wait for the web hook.
    token = with_token(karin, by_api)
    assert Asker(client, token).get("case-delivery-api-package", delivery.pk).status_code == 200
    hook.status = 204
    another_message(delivery.conversation)
    later(delivery)
    work_on_due()
    delivery.refresh_from_db()
    assert delivery.state == "delivered"
    assert len({headers["webhook-id"] for headers, _body in hook.got}) == 1


def test_a_web_hook_that_does_not_answer_or_is_not_allowed_fails_with_its_cause(
    mailbox, karin, by_api, hook, settings
):
    hook.shutdown()
    hook.server_close()
    delivery = ordered(mailbox, karin, by_api)
    work_on_due()
    delivery.refresh_from_db()
    assert delivery.cause == "no-answer"
    settings.SDK_WEBHOOK_HOSTS = []
    later(delivery)
    work_on_due()
    delivery.refresh_from_db()
    assert (delivery.cause, CaseDelivery.objects.count()) == ("address", 1)
