"""Messages that another message service sends for us: handed over once, followed until the receipt, deleted
there."""

import base64
from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from transport.causes import Cause
from transport.message_service import local_delivery, outbound
from transport.message_service.models import OutgoingMessage, QuarantinedFile
from transport.message_service.states import OutgoingState
from transport.message_service.tracking import erasure, resend
from transport.message_service.tracking.deliveries import delivery_of
from transport.protocol.sdk_message.message import BytesContent, File
from transport.remote_message_service import orders, registration
from transport.remote_message_service.models import RemoteOrder
from transport.remote_service_port import OwnFunction, remote_services

from .service import as_json
from .test_arrivals import EICAR

pytestmark = pytest.mark.django_db(transaction=True)
State = RemoteOrder.State


def report(other, status: str, *issues: dict) -> None:
    [item] = other.messages.values()
    item["status"] = status
    item["issues"] = list(issues)


def names(row: OutgoingMessage) -> list[str]:
    return [event.name for event in row.events.all()]


def test_a_message_is_handed_over_followed_and_deleted_there(small, other, settings):
    sent = small.send(files=(File("karta.pdf", "application/pdf", BytesContent(b"%PDF-1.7 fika")),))
    assert not OutgoingMessage.due().exists(), "nothing seals it here"
    small.work()
    sent.refresh_from_db()
    assert sent.state == OutgoingState.SUBMITTED
    [item] = other.messages.values()
    attributes = item["attributes"]
    assert attributes["messageId"] == str(sent.message_id)
    assert attributes["sender"] == small.organisation.participant_id
    files = [file for part in attributes["digitalDocument"] for file in part.get("contentFiles", ())]
    assert [base64.b64decode(file["content"]) for file in files] == [b"%PDF-1.7 fika"]
    for status in ("SUBMITTED", "SCHEDULED_FOR_RESEND", "WAITING_FOR_RECEIPT", "WAITING_FOR_RECEIPT"):
        report(other, status)
        small.poll()
    sent.refresh_from_db()
    assert sent.state == OutgoingState.WAITING_FOR_RECEIPT
    assert sent.transport_receipt_at
    report(other, "ACCEPTED")
    small.poll()
    small.work()
    sent.refresh_from_db()
    assert (sent.state, sent.payload_name) == (OutgoingState.ACCEPTED, "")
    assert sent.message_receipt_at
    assert names(sent) == [
        "SCHEDULED",
        "SUBMITTED",
        "SCHEDULED_FOR_RESEND",
        "TRANSPORT_RECEIPT",
        "ACKNOWLEDGE",
        "WAITING_FOR_RECEIPT",
        "ACCEPTED",
    ]
    assert other.messages == {}
    assert RemoteOrder.objects.get().state == State.ENDED
    assert list(settings.SDK_WORK_DIR.iterdir()) == []


def test_a_rejection_is_told_with_the_receipt_s_reasons(small, other):
    sent = small.send()
    small.work()
    report(
        other,
        "MESSAGE_EXCHANGE_ERROR",
        {"typeCode": "MESSAGE_EXCHANGE_ERROR", "title": "Message REJECTED by receiver"},
        {"typeCode": "BV", "title": "not-found", "detail": "Okänd funktion", "in": "/a"},
        {"typeCode": "WAITING_FOR_RECEIPT"},
    )
    small.poll()
    delivery = delivery_of(small.organisation.participant_id, sent.message_id)
    assert delivery.state == OutgoingState.REJECTED
    assert [(cause.reason, cause.detail, cause.text) for cause in delivery.causes] == [
        ("BV", "not-found", "Okänd funktion")
    ]
    assert not delivery.may_be_sent_again


def test_a_message_that_could_not_be_delivered_fails_and_is_not_sent_again(small, other):
    sent = small.send()
    small.work()
    report(
        other,
        "MESSAGE_EXCHANGE_ERROR",
        {"typeCode": "MESSAGE_EXCHANGE_ERROR", "detail": "participant-unknown"},
        {"typeCode": "SCHEDULED"},
    )
    small.poll()
    small.work()
    delivery = delivery_of(small.organisation.participant_id, sent.message_id)
    assert (delivery.state, delivery.cause) == (OutgoingState.MESSAGE_EXCHANGE_ERROR, "participant-unknown")
    assert not delivery.may_be_sent_again
    assert other.messages == {}


def test_a_receipt_that_is_missing_there_is_missing_here_until_it_comes(small, other):
    sent = small.send()
    small.work()
    report(
        other,
        "MESSAGE_EXCHANGE_ERROR",
        {"typeCode": "MESSAGE_EXCHANGE_ERROR", "title": "No message receipt received from..."},
        {"typeCode": "WAITING_FOR_RECEIPT"},
    )
    small.poll()
    small.poll()
    delivery = delivery_of(small.organisation.participant_id, sent.message_id)
    assert delivery.lacks_message_receipt
    assert delivery.state == OutgoingState.WAITING_FOR_RECEIPT
    assert not delivery.may_be_sent_again
    report(other, "ACCEPTED")
    small.poll()
    assert delivery_of(small.organisation.participant_id, sent.message_id).state == OutgoingState.ACCEPTED


def test_messages_wait_while_the_service_is_away_and_their_sender_is_told(small, other):
    other.intercept = lambda method, path: (503, {"Retry-After": "90"}, b"")
    sent = small.send()
    small.work()
    small.later()
    small.work()
    delivery = delivery_of(small.organisation.participant_id, sent.message_id)
    assert (delivery.state, delivery.cause) == (
        OutgoingState.SCHEDULED,
        Cause.MESSAGE_SERVICE_UNAVAILABLE,
    )
    assert [event.cause for event in delivery.events] == ["", Cause.MESSAGE_SERVICE_UNAVAILABLE]
    with pytest.raises(erasure.StillInProgress):
        erasure.erase(small.organisation.participant_id, sent.message_id, was_sent=True)
    other.intercept = lambda method, path: None
    small.later()
    small.work()
    assert len(other.messages) == 1


def test_after_a_day_a_message_that_never_left_is_given_up_and_may_be_sent_again(small, other):
    registration.turn_off(small.service)
    sent = small.send()
    OutgoingMessage.objects.update(created_at=timezone.now() - timedelta(hours=25))
    small.work()
    delivery = delivery_of(small.organisation.participant_id, sent.message_id)
    assert (delivery.state, delivery.cause) == (
        OutgoingState.MESSAGE_EXCHANGE_ERROR,
        Cause.MESSAGE_SERVICE_UNAVAILABLE,
    )
    assert delivery.may_be_sent_again
    registration.turn_on(small.service)
    resend.send_again(small.organisation.participant_id, sent.message_id, actor="Eva")
    small.work()
    assert len(other.messages) == 1
    assert list(RemoteOrder.objects.order_by("ordered_at").values_list("state", flat=True)) == [
        State.ENDED,
        State.FOLLOWED,
    ]


def test_a_message_is_sent_again_by_our_own_service_when_the_function_has_come_back(small, other):
    registration.turn_off(small.service)
    sent = small.send()
    OutgoingMessage.objects.update(created_at=timezone.now() - timedelta(hours=25))
    small.work()
    registration.bind(small.service, [])
    resend.send_again(small.organisation.participant_id, sent.message_id, actor="Eva")
    sent.refresh_from_db()
    assert not sent.is_by_api
    assert OutgoingMessage.due().count() == 1


def test_an_answer_that_is_lost_does_not_send_a_message_twice(small, other):
    sent = small.send()
    lost = []

    def lose_the_answer(method, path):
        if method == "POST" and path.endswith("/messages") and not lost:
            lost.append(path)
            body = {"messageId": str(sent.message_id), "senderAttention": {}, "recipientAttention": {}}
            other.messages["5d0d3f0a-6a1f-44a3-a960-9acaf4efcdcd"] = {
                "status": "SCHEDULED",
                "attributes": body,
                "issues": [],
            }
            return 504, {}, b""
        return None

    other.intercept = lose_the_answer
    small.work()
    assert RemoteOrder.objects.get().state == State.WAITING
    with pytest.raises(resend.HasLeft):
        resend.cancel(small.organisation.participant_id, sent.message_id, actor="Eva")
    small.later()
    small.work()
    row = RemoteOrder.objects.get()
    assert (row.state, str(row.resource_id)) == (State.FOLLOWED, "5d0d3f0a-6a1f-44a3-a960-9acaf4efcdcd")
    assert len(other.messages) == 1
    assert other.asked("POST", "/v1/sdk/messages") == 1, "it was looked for before it would be sent again"


def test_a_worker_that_dies_while_it_hands_over_leaves_the_message_to_another(small, other):
    sent = small.send()
    [claimed] = RemoteOrder.claim_due(1)
    assert outbound.hand_over(sent.pk) is False
    RemoteOrder.objects.update(lease_until=timezone.now())
    small.work()
    assert len(other.messages) == 1
    orders.work_on([claimed])
    assert len(other.messages) == 1
    assert RemoteOrder.objects.get().state == State.FOLLOWED


def test_a_message_that_the_service_does_not_accept_fails_at_once(small, other):
    other.intercept = lambda method, path: (
        as_json(400, {"title": "Bad Request"}) if method == "POST" and path.endswith("/messages") else None
    )
    sent = small.send()
    small.work()
    delivery = delivery_of(small.organisation.participant_id, sent.message_id)
    assert (delivery.state, delivery.cause) == (
        OutgoingState.MESSAGE_EXCHANGE_ERROR,
        Cause.MESSAGE_SERVICE_REFUSED,
    )


def test_a_message_that_is_cancelled_in_time_does_not_leave(small, other):
    sent = small.send()
    participant = small.organisation.participant_id
    assert delivery_of(participant, sent.message_id).may_be_cancelled
    resend.cancel(participant, sent.message_id, actor="Eva")
    small.work()
    assert other.messages == {}
    assert RemoteOrder.objects.get().state == State.ENDED


def test_malicious_code_does_not_leave(small, other):
    sent = small.send(files=(File("a.pdf", "application/pdf", BytesContent(EICAR)),))
    small.work()
    sent.refresh_from_db()
    assert (sent.state, sent.cause) == (OutgoingState.MESSAGE_EXCHANGE_ERROR, Cause.MALWARE_FOUND)
    assert other.messages == {}
    assert QuarantinedFile.objects.count() == 1


def test_an_unknown_status_and_another_message_s_change_nothing(small, other):
    sent = small.send()
    small.work()
    report(other, "WAITING_FOR_ACKNOWLEDGE")
    small.poll()
    [item] = other.messages.values()
    item["attributes"]["messageId"] = "19c7e876-ef6f-4fb0-bccb-e93e3ab6e69f"
    report(other, "ACCEPTED")
    small.poll()
    sent.refresh_from_db()
    assert sent.state == OutgoingState.SUBMITTED


def test_what_the_service_refuses_to_delete_is_tried_again(small, other):
    small.send()
    small.work()
    report(other, "ACCEPTED")
    small.poll()
    other.intercept = lambda method, path: (500, {}, b"") if method == "DELETE" else None
    small.work()
    assert RemoteOrder.objects.get().state == State.SETTLED
    other.intercept = lambda method, path: None
    small.later()
    small.work()
    assert other.messages == {}


def test_a_message_to_a_function_that_uses_another_service_is_not_delivered_locally(small):
    row = OutgoingMessage(
        organisation=small.organisation,
        recipient=small.organisation.participant_id,
        handling_service_id=small.mailbox.address,
    )
    row.answers = None
    assert local_delivery.local_recipients([row]) == {}
    row.handling_service_id = "sdk:en-annan-funktion"
    assert list(local_delivery.local_recipients([row])) == [row.pk]


def test_a_function_uses_a_service_from_when_it_is_turned_on_by_another_than_who_set_it(small, other):
    values = {"address": other.url, "token_address": other.url, "client_id": "b"}
    second = registration.register(small.organisation, "Den andra", by="17", **values)
    registration.bind(second, ["sdk:en-annan-funktion"], by="17")
    function = OwnFunction(small.organisation.pk, "sdk:en-annan-funktion")
    assert remote_services().carried([function]) == set()
    with pytest.raises(registration.OwnChange):
        registration.turn_on(second, by="17")
    registration.turn_on(second, by="18")
    assert remote_services().carried([function]) == {function}
    with transaction.atomic():
        registration.turn_off(second)
    assert remote_services().carried([function]) == {function}, "its messages wait"
