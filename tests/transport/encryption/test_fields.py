"""Sealed columns: readable in their own row, and nowhere else."""

import uuid
from datetime import UTC, datetime

import pytest
from django.core.exceptions import FieldError
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from mailbox.models import (
    Conversation,
    Document,
    Draft,
    FunctionMailbox,
    Membership,
    Message,
    Person,
    Reassignment,
)
from mailbox.workplace import inbox
from transport.message_service.models import Organisation, OutgoingMessage
from transport.storage.encryption import keys
from transport.storage.encryption.errors import Altered, NotSealed
from transport.storage.encryption.models import DataKey
from transport.storage.encryption.texts import is_sealed

pytestmark = pytest.mark.django_db
SUBJECT = "Orosanmälan om Kalle"


@pytest.fixture
def mailbox():
    return FunctionMailbox.objects.create(participant_id="0203:a.se", address="a", name="Barn")


def a_conversation(mailbox, subject=SUBJECT) -> Conversation:
    return Conversation.objects.create(
        mailbox=mailbox,
        conversation_id=uuid.uuid4(),
        subject=subject,
        counterpart="B",
        last_activity_at=timezone.now(),
    )


def a_message(conversation) -> Message:
    return Message.objects.create(
        conversation=conversation,
        direction=Message.Direction.IN,
        message_id=uuid.uuid4(),
        subject=SUBJECT,
        is_confidential=False,
        counterpart_participant="0203:b.se",
        counterpart_organisation="B",
        sender_references=[{"root": "dnr", "value": "SN 2026-17", "label": "Diarienummer"}],
        recipient_persons=[{"root": "", "value": "19121212-1212", "label": "Kalle"}],
        at=timezone.now(),
    )


def stored(table: str, column: str, key: int) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {column}::text FROM {table} WHERE id = %s", [key])
        return cursor.fetchone()[0]


def test_texts_are_read_as_they_were_written_and_stored_sealed(mailbox):
    message = a_message(a_conversation(mailbox))
    Document.objects.create(message=message, position=1, name="Ett namn", texts=["Åäö", ""])
    again = Message.objects.get()
    assert (again.subject, again.conversation.subject) == (SUBJECT, SUBJECT)
    assert again.sender_references[0]["value"] == "SN 2026-17"
    assert again.recipient_persons == message.recipient_persons
    assert again.sender_persons == []
    document = again.documents.get()
    assert (document.name, document.texts) == ("Ett namn", ["Åäö", ""])
    for column in ("subject", "sender_references", "recipient_persons"):
        assert "at-rest:1:" in stored("mailbox_message", column, message.pk)
    assert "at-rest:1:" in stored("mailbox_document", "texts", document.pk)
    assert stored("mailbox_message", "sender_persons", message.pk) == "[]"


def test_a_value_that_is_not_looked_at_is_not_opened_and_is_kept_by_a_save(mailbox):
    conversation = a_conversation(mailbox)
    before = stored("mailbox_conversation", "subject", conversation.pk)
    again = Conversation.objects.get()
    again.message_count = 7
    again.save()
    assert stored("mailbox_conversation", "subject", conversation.pk) == before
    assert Conversation.objects.get().subject == SUBJECT


def test_a_deferred_value_is_fetched_and_opened(mailbox):
    a_conversation(mailbox)
    assert Conversation.objects.defer("subject").get().subject == SUBJECT


def test_what_a_query_gives_as_values_shows_nothing(mailbox):
    a_conversation(mailbox)
    (value,) = Conversation.objects.values_list("subject", flat=True)
    assert str(value) == repr(value) == "<sealed>"


def test_a_value_swapped_from_another_row_is_refused(mailbox):
    one, other = a_conversation(mailbox, "ett"), a_conversation(mailbox, "annat")
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE mailbox_conversation SET subject = %s WHERE id = %s",
            [stored("mailbox_conversation", "subject", one.pk), other.pk],
        )
    assert Conversation.objects.get(pk=one.pk).subject == "ett"
    with pytest.raises(Altered):
        _ = Conversation.objects.get(pk=other.pk).subject


def test_a_value_swapped_from_another_column_is_refused(mailbox):
    message = a_message(a_conversation(mailbox))
    with connection.cursor() as cursor:
        cursor.execute("UPDATE mailbox_message SET sender_persons = recipient_persons")
    with pytest.raises(Altered):
        _ = Message.objects.get(pk=message.pk).sender_persons


def test_only_emptiness_can_be_asked_for(mailbox):
    draft = Draft.objects.create(mailbox=mailbox)
    assert list(Draft.objects.filter(subject="", text="")) == [draft]
    for question in ({"subject": "x"}, {"subject__contains": "x"}, {"text__gt": "x"}):
        with pytest.raises(FieldError):
            Draft.objects.filter(**question).exists()
    with pytest.raises(FieldError):
        Draft.objects.update(subject="x")


def test_what_is_in_the_clear_is_refused_unless_that_is_allowed(mailbox, settings):
    conversation = a_conversation(mailbox)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE mailbox_conversation SET subject = 'i klartext'")
    with pytest.raises(NotSealed):
        _ = Conversation.objects.get().subject
    settings.SDK_ACCEPT_PLAIN = True
    assert Conversation.objects.get(pk=conversation.pk).subject == "i klartext"


def test_a_new_data_key_seals_and_the_old_one_still_opens(mailbox):
    old = a_conversation(mailbox)
    keys.rotate("0203:a.se")
    new = a_conversation(mailbox, "nytt")
    ids = {stored("mailbox_conversation", "subject", row.pk)[:32] for row in (old, new)}
    assert len(ids) == 2
    assert {row.subject for row in Conversation.objects.all()} == {SUBJECT, "nytt"}
    assert DataKey.objects.filter(retired_at=None).count() == 1


def test_each_organisation_has_keys_of_its_own(mailbox):
    other = FunctionMailbox.objects.create(participant_id="0203:b.se", address="b", name="B")
    a_conversation(mailbox)
    a_conversation(other)
    secrets = {keys.key_of(row.pk).secret for row in DataKey.objects.all()}
    assert {row.participant_id for row in DataKey.objects.all()} == {"0203:a.se", "0203:b.se"}
    assert len(secrets) == 2
    assert keys.search_key("0203:a.se") != keys.search_key("0203:b.se")


def test_the_search_key_outlives_the_data_keys(mailbox):
    before = keys.search_key("0203:a.se")
    keys.rotate("0203:a.se")
    assert keys.search_key("0203:a.se") == before
    assert before not in {keys.key_of(row.pk).secret for row in DataKey.objects.filter(purpose="content")}


@pytest.mark.django_db(transaction=True)
def test_a_key_whose_transaction_was_rolled_back_seals_nothing_more():
    from django.db import transaction

    with transaction.atomic():
        lost = keys.current_key("0203:a.se").id
        transaction.set_rollback(True)
    kept = keys.current_key("0203:a.se").id
    assert kept != lost
    assert DataKey.objects.filter(pk=kept).exists()


@pytest.mark.django_db(transaction=True)
def test_a_page_of_a_list_costs_no_query_for_its_encryption(mailbox):
    person = Person.add("19121212-1212", "Anna")[0]
    Membership.objects.create(person=person, mailbox=mailbox)
    for number in range(25):
        a_conversation(mailbox, f"Ärende {number}")
    with CaptureQueriesContext(connection) as sealed_queries:
        page = inbox.page_of(mailbox, person)
    with CaptureQueriesContext(connection) as opening:
        assert len({row.subject for row in page.rows}) == 25
    assert len(opening) == 0
    assert len(sealed_queries) == 1


def test_sealed_texts_are_told_from_others():
    assert not is_sealed("at-rest")


def test_what_a_receipt_says_in_the_recipient_s_words_is_stored_sealed():
    organisation = Organisation.objects.create(participant_id="0203:a.se", name="A")
    said = [{"reason": "BV", "detail": None, "text": "Kalle finns inte här"}]
    row = OutgoingMessage.objects.create(
        organisation=organisation,
        message_id=uuid.uuid4(),
        conversation_id=uuid.uuid4(),
        recipient="0203:b.se",
        causes=said,
    )
    assert OutgoingMessage.objects.get(pk=row.pk).causes == said
    assert "at-rest:1:" in stored("message_service_outgoingmessage", "causes", row.pk)


def test_a_value_is_bound_to_table_and_column_whatever_model_and_field_are_called_now():
    """Else a better name would close what was sealed under the old one."""
    field = Reassignment._meta.get_field("done")
    row = Reassignment(conversation_id=7, made_at=datetime(2026, 11, 29, tzinfo=UTC))
    assert field.place_of(row) == "mailbox.handover|is_done|7|2026-11-29 00:00:00+00:00"
