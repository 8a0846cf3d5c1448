"""The buttons on a message that was sent: who has them, and what they do."""

import uuid
from dataclasses import replace

import pytest
from django.urls import reverse
from django.utils import timezone

from mailbox.conversations import state_changes
from mailbox.delivery.inbound import add_to_conversation, deliver
from mailbox.drafts import composer, recipients
from mailbox.drafts.forms import DraftForm
from mailbox.models import Message
from tests.mailbox.build import a_member, arrives, log_in, send_now
from tests.transport.protocol.build import HABO, a_message
from transport.message_service.client_port import Delivered
from transport.message_service.models import OutgoingMessage

pytestmark = pytest.mark.django_db


@pytest.fixture
def sent(mailbox, function) -> Message:
    person = a_member("Karin", mailbox)
    draft = composer.begin(mailbox, person)
    draft = recipients.choose_recipient(draft.pk, draft.version, function, person)
    content = DraftForm.content_of({"subject": "Ämne", "text": "Hej"})
    send_now(draft.pk, draft.version, content, person)
    return Message.objects.get()


def history(client, message: Message) -> str:
    """The conversation's own, without what is told of each message's delivery."""
    return page(client, message).partition('aria-label="Konversationens historik"')[2].partition("</ol>")[0]


def page(client, message: Message) -> str:
    return client.get(reverse("conversation", args=[message.conversation_id])).content.decode()


def test_what_has_not_left_is_cancelled_with_a_button_by_whoever_is_a_member(mailbox, sent, client):
    log_in(client, a_member("Nils", mailbox))
    button = reverse("cancel", args=[sent.pk])
    assert button in page(client, sent)
    shown = client.post(button, follow=True).content.decode()
    assert "Meddelandet är stoppat och skickas inte." in shown
    assert "Sändningen avbröts. Meddelandet lämnade aldrig er organisation." in shown
    assert "Avbrutet (Nils)" in shown
    assert history(client, sent).count("Sändningen av ett meddelande avbröts av Nils") == 1
    assert sent.conversation.events.get(what="cancelled").at <= timezone.now()
    assert button not in shown
    assert reverse("send-again", args=[sent.pk]) not in shown
    assert OutgoingMessage.objects.get().cause == "cancelled"
    sent.refresh_from_db()
    assert sent.delivery_state == "CANCELLED"
    listed = client.get(reverse("mailbox", args=[mailbox.pk])).content.decode()
    assert "Avbrutet" in listed
    assert "redan lämnat er organisation" in client.post(button, follow=True).content.decode()


def test_what_failed_is_sent_again_with_a_button(mailbox, sent, client):
    log_in(client, a_member("Nils", mailbox))
    button = reverse("send-again", args=[sent.pk])
    assert button not in page(client, sent)
    OutgoingMessage.objects.update(state="MESSAGE_EXCHANGE_ERROR", cause="unreachable", due_at=None)
    assert button in page(client, sent)
    shown = client.post(button, follow=True).content.decode()
    assert "Meddelandet skickas igen." in shown
    assert "Lagt för sändning igen (Nils)" in shown
    assert OutgoingMessage.objects.get().due_at is not None
    again = client.post(button, follow=True).content.decode()
    assert "kan inte skickas igen: läget har ändrats" in again
    told = history(client, sent)
    assert told.count("Ett meddelande skickades igen av Nils") == 1
    event = sent.conversation.events.get(what="sent-again")
    assert f'datetime="{timezone.localtime(event.at).isoformat()}"' in told


def test_a_conversation_whose_latest_sent_message_is_new_is_not_one_that_was_not_delivered(mailbox, sent):
    Message.objects.filter(pk=sent.pk).update(delivery_state="ERROR")
    state_changes.update_not_delivered([sent.conversation_id])
    sent.conversation.refresh_from_db()
    assert sent.conversation.is_not_delivered
    later = Message.objects.create(
        conversation=sent.conversation,
        direction=Message.Direction.OUT,
        message_id=uuid.uuid4(),
        at=timezone.now(),
        is_confidential=False,
        delivery_state="SCHEDULED",
    )
    add_to_conversation(sent.conversation, later, has_files=False)
    sent.conversation.refresh_from_db()
    assert not sent.conversation.is_not_delivered


def test_what_could_not_be_sent_again_or_cancelled_leaves_no_line(mailbox, sent, client):
    log_in(client, a_member("Nils", mailbox))
    client.post(reverse("send-again", args=[sent.pk]))
    OutgoingMessage.objects.update(state="WAITING_FOR_RECEIPT")
    client.post(reverse("cancel", args=[sent.pk]))
    assert not sent.conversation.events.filter(what__in=["sent-again", "cancelled"]).exists()


def test_a_line_from_before_it_was_noted_who_cancelled_names_nobody(mailbox, sent, client):
    log_in(client, a_member("Nils", mailbox))
    sent.conversation.events.create(what="cancelled", at=timezone.now(), actor=None)
    assert "Sändningen av ett meddelande avbröts<" in history(client, sent)


def test_only_members_of_the_mailbox_it_was_sent_from_have_the_buttons(mailbox, sent, client):
    OutgoingMessage.objects.update(state="MESSAGE_EXCHANGE_ERROR", cause="unreachable", due_at=None)
    log_in(client, a_member("Utomstående"))
    for name in ("send-again", "cancel"):
        assert client.post(reverse(name, args=[sent.pk])).status_code == 404
        assert client.get(reverse(name, args=[sent.pk])).status_code == 405
    assert OutgoingMessage.objects.get().state == "MESSAGE_EXCHANGE_ERROR"


def test_what_arrived_is_neither_sent_again_nor_cancelled(mailbox, sent, client):
    """Even where the organisation has sent it to itself, and the ids are the same."""
    arrived = arrives(mailbox, message_id=str(sent.message_id))
    log_in(client, a_member("Nils", mailbox))
    for name in ("send-again", "cancel"):
        client.post(reverse(name, args=[arrived.pk]))
    row = OutgoingMessage.objects.get()
    assert (row.state, row.events.count()) == ("SCHEDULED", 1)


PAINTED = "Z" + "\u0335\u0321" * 60 + "algo"
TURNED = "faktura\u202efdp.exe"


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (PAINTED, "Z" + "\u0335\u0321" * 2 + "algo"),
        (TURNED, "fakturafdp.exe"),
        ("Kallelse\ntill\u2028möte", "Kallelse till möte"),
        ("  Två  blanksteg", "  Två  blanksteg"),
    ],
)
def test_a_sender_s_subject_and_names_stay_in_their_place(mailbox, written, shown):
    """In lists, on the page and in the facts beside it."""
    message = a_message(recipient_function=mailbox.address)
    sender = message.header.sender
    attention = sender.attention
    references = tuple(
        replace(one, label=written, identifier=replace(one.identifier, extension=written))
        for one in attention.references
    )
    persons = tuple(replace(one, label=written) for one in attention.persons)
    function = replace(attention.sub_organization, label=written)
    attention = replace(attention, references=references, persons=persons, sub_organization=function)
    header = replace(
        message.header, label=written, sender=replace(sender, label=written, attention=attention)
    )
    documents = tuple(replace(document, name=written) for document in message.documents)
    message = replace(message, header=header, documents=documents)
    deliver([Delivered(mailbox.participant_id, message, HABO.value, timezone.now())])
    row = Message.objects.get()
    assert (row.subject, row.conversation.subject) == (shown, shown)
    assert (row.counterpart_organisation, row.counterpart_function) == (shown, shown)
    assert [document.name for document in row.documents.all()] == [shown]
    assert {person["label"] for person in row.sender_persons} == {shown}
    assert {reference["label"] for reference in row.sender_references} == {shown}
    if "\n" not in written:
        assert {reference["value"] for reference in row.sender_references} == {shown}
