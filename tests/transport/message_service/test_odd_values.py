"""Values that no column and no type of Python's was made for: judged once, and answered."""

import io

import pytest
from django.test import Client, override_settings
from django.urls import reverse

from mailbox.models import Attachment, Message
from tests.mailbox.build import a_member, log_in
from tests.world import changed
from transport.message_service import validation
from transport.message_service.models import IncomingMessage, OutgoingMessage
from transport.protocol.message_receipt import ResponseCode
from transport.protocol.sdk_message.message import BytesContent, File, write_message

pytestmark = pytest.mark.xdist_group("federation-messages")
T = "{urn:riv:infrastructure:messaging:MessageWithAttachments:3}"


def written(message) -> bytes:
    out = io.BytesIO()
    write_message(message, out)
    return out.getvalue()


def validated(world, envelope: bytes) -> IncomingMessage:
    world.transfer(envelope)
    row = IncomingMessage.objects.filter(organisation=world.recipient.organisation).latest("arrived_at")
    assert row.due_at is None
    assert row.state != "ERROR"
    return row


@pytest.mark.parametrize("index", ["7" * 5000, "0" * 6000, "\N{ARABIC-INDIC DIGIT THREE}"])
def test_an_index_of_any_number_of_digits_is_taken(world, index):
    message = world.message()
    data = changed(written(message), f".//{T}index", index)
    message_id, envelope = world.sealed(data, message_id=message.header.message_id)
    validated(world, envelope)
    assert world.answer_to(message_id).code is ResponseCode.ACCEPTED
    assert Message.objects.filter(message_id=message_id, direction="in").exists()


def test_a_sender_s_function_address_of_any_length_is_taken(world):
    address = "sdk:" + "f" * 3000
    message_id, envelope = world.sealed(world.message(sender_function=address))
    validated(world, envelope)
    assert world.answer_to(message_id).code is ResponseCode.ACCEPTED
    assert Message.objects.get(message_id=message_id, direction="in").counterpart_address == address


def test_an_unknown_function_address_of_any_length_is_answered_not_found(world):
    address = "sdk:" + "f" * 3000
    message_id, envelope = world.sealed(world.message(recipient_function=address), handling=address)
    validated(world, envelope)
    causes = {(cause.reason, cause.detail_code) for cause in world.answer_to(message_id).causes}
    assert causes == {("BV", "not-found")}
    assert OutgoingMessage.objects.get(answers__message_id=message_id).handling_service_id == address


@pytest.mark.parametrize(
    ("time", "code"),
    [
        ("2026-11-24T24:00:00.0Z", ResponseCode.ACCEPTED),
        ("2026-11-24T23:59:60.0Z", ResponseCode.REJECTED),
        ("9999-12-31T24:00:00.0Z", ResponseCode.ACCEPTED),
        # Times in messages are in UTC.
        ("0001-01-01T00:00:00+01:00", ResponseCode.REJECTED),
        ("9999-12-31T23:59:59-14:00", ResponseCode.REJECTED),
    ],
)
def test_a_time_that_python_does_not_know_is_validated(world, time, code):
    message = world.message()
    data = changed(written(message), f".//{T}creationDateTime", time)
    message_id, envelope = world.sealed(data, message_id=message.header.message_id)
    validated(world, envelope)
    assert world.answer_to(message_id).code is code


@pytest.mark.parametrize("error", [OverflowError, ValueError, KeyError, RecursionError])
def test_a_value_that_cannot_be_read_though_its_form_is_right_is_refused_once(world, monkeypatch, error):
    """A type of Python's that is narrower than the format's: the message is answered, not tried for ever."""

    def failing(*_: object) -> None:
        raise error

    monkeypatch.setattr(validation, "message_of", failing)
    message_id, envelope = world.sealed(world.message())
    validated(world, envelope)
    answer = world.answer_to(message_id)
    assert answer.code is ResponseCode.REJECTED
    assert {(cause.reason, cause.detail_code) for cause in answer.causes} == {("SV", "structure")}


def test_a_content_type_of_several_lines_is_refused_and_what_was_stored_is_downloaded(world, settings):
    bad = File("a.pdf", "application/pdf;\nname=a", BytesContent(b"%PDF-1.7"))
    message_id, envelope = world.sealed(world.message(files=(bad,)))
    validated(world, envelope)
    causes = {(cause.reason, cause.detail_code) for cause in world.answer_to(message_id).causes}
    assert causes == {("BV", "not-supported")}

    good = File("a.pdf", "application/pdf", BytesContent(b"%PDF-1.7"))
    validated(world, world.sealed(world.message(files=(good,)))[1])
    Attachment.objects.update(content_type="application/pdf;\r\nX-Injected: 1")
    row = Attachment.objects.get()
    answer = downloaded(world, row)
    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/octet-stream"
    assert b"".join(answer.streaming_content) == b"%PDF-1.7"


def downloaded(world, row: Attachment):
    browser = Client()
    log_in(browser, a_member("Karin", world.recipient.mailbox))
    with override_settings(ROOT_URLCONF="sdkportal.urls"):
        return browser.get(reverse("attachment", args=[row.pk]))
