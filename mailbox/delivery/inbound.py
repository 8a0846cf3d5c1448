"""Storing a message that the message service delivers in its function mailbox."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any
from unicodedata import decimal
from uuid import UUID

from addressbook.lookup import names_of
from mailbox import events
from mailbox.arrival_rules import application as arrival_rules
from mailbox.arrival_rules.decision import ArrivalFacts
from mailbox.attachments import uploads
from mailbox.automatic_answers import decision as automatic_answer_decision
from mailbox.automatic_answers import ordering as automatic_answers
from mailbox.conversations import assignment, state_changes
from mailbox.models import (
    Attachment,
    Conversation,
    ConversationEvent,
    Document,
    FunctionMailbox,
    Message,
    TimeLimit,
)
from mailbox.search import index
from mailbox.staffed_hours import time_limits
from transport import unit_of_work
from transport.message_service.api import Attention, Delivered, File, Header, MessageDocument, Party
from transport.message_service.api import Message as IncomingContent
from transport.names import as_one_line, contained, is_name

_LONGEST = 256


def deliver(delivered: Sequence[Delivered]) -> None:
    """Store messages in the mailboxes of their functions or of the stand-ins; repeated messages are ignored.

    A fixed number of statements, however many there are: but for their files, and what is said of stand-ins.
    """
    arrivals = _arrivals(delivered)
    arrival_rules.decide_all(arrivals)
    _find_conversations(arrivals)
    arrivals = _new_ones(arrivals)
    Message.objects.bulk_create([arrival.make_message() for arrival in arrivals])
    for arrival in arrivals:
        state_changes.reopen_for_arrival(arrival.conversation)
        if arrival.message.for_address:
            to = arrival.message.for_address
            assignment.record_event(arrival.conversation, ConversationEvent.What.STOOD_IN, None, to=to)
    with_files = store_documents([(arrival.message, arrival.content.documents) for arrival in arrivals])
    with unit_of_work.saving(
        {arrival.conversation.pk: arrival.conversation for arrival in arrivals}.values()
    ):
        for arrival in arrivals:
            _count_in(arrival.conversation, arrival.message, has_files=arrival.message.pk in with_files)
        arrival_rules.apply(arrivals)
        time_limits.start([(arrival.conversation, arrival.message.at) for arrival in arrivals])
    automatic_answers.order_all(arrivals)
    index.add_all([arrival.message for arrival in arrivals])
    for arrival in arrivals:
        events.announce(arrival.mailbox.pk)


@dataclass(slots=True)
class _Arrival:
    """A message that is to be stored in a mailbox, in a conversation there."""

    delivered: Delivered
    mailbox: FunctionMailbox
    counterpart: dict[str, str]
    handling: arrival_rules.Handling | None = None
    conversation: Conversation = field(init=False)
    message: Message = field(init=False)

    @property
    def content(self) -> IncomingContent:
        return self.delivered.message

    @property
    def header(self) -> Header:
        return self.content.header

    @property
    def conversation_key(self) -> tuple[int, UUID]:
        return self.mailbox.pk, UUID(self.content.header.conversation_id)

    def facts(self) -> ArrivalFacts:
        """What rules may look at: as it is stored and shown."""
        header = self.content.header
        return ArrivalFacts(
            organisation=self.delivered.sender,
            function=header.sender.function_address,
            subject=shown_name(header.label)[:_LONGEST],
            is_confidential=header.is_confidential,
            our_references=[item["value"] for item in references_of(header.recipient.attention)],
            their_references=[item["value"] for item in references_of(header.sender.attention)],
            persons=[
                text
                for item in persons_of(header.recipient.attention)
                for text in (item["label"], item["value"])
            ],
            files=[
                (file.name, file.content_type)
                for document in self.content.documents
                for file in document.files
            ],
        )

    def make_conversation(self) -> Conversation:
        """The conversation, where this is its first message."""
        names = (self.counterpart["counterpart_organisation"], self.counterpart["counterpart_function"])
        return Conversation(
            mailbox=self.mailbox,
            conversation_id=self.conversation_key[1],
            subject=shown_name(self.content.header.label)[:_LONGEST],
            counterpart=", ".join(names)[:520],
            last_activity_at=self.delivered.arrived_at,
        )

    def make_message(self) -> Message:
        """The row, not stored yet."""
        header = self.content.header
        self.message = Message(
            conversation=self.conversation,
            direction=Message.Direction.IN,
            message_id=UUID(header.message_id),
            ref_to_message_id=UUID(header.ref_to_message_id) if header.ref_to_message_id else None,
            subject=shown_name(header.label)[:_LONGEST],
            is_confidential=header.is_confidential,
            is_automatic=automatic_answer_decision.is_marked(header),
            at=self.delivered.arrived_at,
            for_address=header.recipient.function_address if self.delivered.stands_in else "",
            **self.counterpart,
            sender_references=references_of(header.sender.attention),
            recipient_references=references_of(header.recipient.attention),
            sender_persons=persons_of(header.sender.attention),
            recipient_persons=persons_of(header.recipient.attention),
        )
        return self.message


def _arrivals(delivered: Sequence[Delivered]) -> list[_Arrival]:
    """Raises `FunctionMailbox.DoesNotExist` where a function has none."""
    functions = [item.stands_in or item.message.header.recipient.function_address for item in delivered]
    mailboxes = {
        (row.participant_id, row.address): row
        for row in FunctionMailbox.objects.filter(
            participant_id__in={item.participant for item in delivered}, address__in=set(functions)
        )
    }
    names: dict[tuple[str, str], tuple[str, str]] = {}
    arrivals = []
    for item, function in zip(delivered, functions, strict=True):
        mailbox = mailboxes.get((item.participant, function))
        if mailbox is None:
            raise FunctionMailbox.DoesNotExist
        sender = item.message.header.sender
        counterpart = (item.sender, sender.function_address)
        if counterpart not in names:
            names[counterpart] = names_of(*counterpart)
        arrivals.append(_Arrival(item, mailbox, _counterpart_fields(sender, item.sender, names[counterpart])))
    return arrivals


def _find_conversations(arrivals: Sequence[_Arrival]) -> None:
    """Set the conversations, locked; what is missing is created."""
    first = {arrival.conversation_key: arrival for arrival in reversed(arrivals)}
    found = _locked_conversations(first)
    missing = [first[key] for key in sorted(first) if key not in found]
    if missing:
        Conversation.objects.bulk_create(
            [arrival.make_conversation() for arrival in missing], ignore_conflicts=True
        )
        found |= _locked_conversations([arrival.conversation_key for arrival in missing])
    for arrival in arrivals:
        arrival.conversation = found[arrival.conversation_key]
        arrival.conversation.mailbox = arrival.mailbox


def _locked_conversations(keys: Collection[tuple[int, UUID]]) -> dict[tuple[int, UUID], Conversation]:
    rows = Conversation.objects.filter(
        mailbox__in={mailbox for mailbox, _ in keys}, conversation_id__in={identity for _, identity in keys}
    )
    rows = rows.order_by("pk").select_for_update()
    found = {(row.mailbox_id, row.conversation_id): row for row in rows}
    return {key: found[key] for key in keys if key in found}


def _new_ones(arrivals: Sequence[_Arrival]) -> list[_Arrival]:
    """Those whose message the conversation has not yet."""
    stored = Message.objects.filter(
        direction=Message.Direction.IN,
        conversation__in={arrival.conversation.pk for arrival in arrivals},
        message_id__in=[UUID(arrival.content.header.message_id) for arrival in arrivals],
    )
    known = set(stored.values_list("conversation__pk", "message_id"))
    new = []
    for arrival in arrivals:
        key = (arrival.conversation.pk, UUID(arrival.content.header.message_id))
        if key not in known:
            known.add(key)
            new.append(arrival)
    return new


def add_to_conversation(conversation: Conversation, message: Message, *, has_files: bool) -> None:
    """Update what lists show of a conversation for a message that was added to it, and index the message.

    The caller has locked the conversation.
    """
    with unit_of_work.saving([conversation]):
        _count_in(conversation, message, has_files=has_files)
    if message.direction == Message.Direction.OUT:
        time_limits.end(conversation, TimeLimit.Kind.OPENED, TimeLimit.Kind.ANSWERED)
    index.add(message)


def _count_in(conversation: Conversation, message: Message, *, has_files: bool) -> None:
    is_inbound = message.direction == Message.Direction.IN
    conversation.message_count += 1
    conversation.last_activity_at = message.at
    conversation.is_confidential |= message.is_confidential
    conversation.has_attachments |= has_files
    conversation.is_waiting = not is_inbound
    conversation.expect_registration()
    if is_inbound:
        conversation.last_arrived_at = message.at
    else:
        conversation.has_sent = True
        # Nothing is known of its delivery yet.
        conversation.is_not_delivered = False


def store_documents(contents: Sequence[tuple[Message, Sequence[MessageDocument]]]) -> set[int]:
    """Store the documents of messages in the order of their index; the keys of the messages that have
    files."""
    rows = []
    for message, documents in contents:
        for position, document in enumerate(sorted(documents, key=_index), 1):
            row = Document(
                message=message,
                position=position,
                name=shown_name(document.name)[:500],
                texts=[text.replace("\0", "") for text in document.texts],
            )
            rows.append((row, document))
    Document.objects.bulk_create([row for row, _ in rows])
    attachments = [_stored_file(row, file) for row, document in rows for file in document.files]
    Attachment.objects.bulk_create(attachments)
    return {attachment.document.message_id for attachment in attachments}


def _stored_file(document: Document, file: File) -> Attachment:
    with file.content.open() as source:
        stored = uploads.store(
            source,
            uploads.safe_name(file.name),
            file.content_type[:200],
            "attachments",
            document.message.conversation.mailbox.participant_id,
        )
    return Attachment(
        document=document,
        name=stored.name,
        content_type=stored.content_type,
        size=stored.size,
        sha256=stored.sha256,
        file_name=stored.file_name,
        file_key=stored.file_key,
    )


def _counterpart_fields(party: Party, participant: str, names: tuple[str, str]) -> dict[str, str]:
    """The counterpart's columns: names from the address book, else from the message itself."""
    address = party.function_address
    organisation, function = names
    label = party.attention.sub_organization.label if party.attention else None
    return {
        "counterpart_participant": participant,
        "counterpart_organisation": (
            (shown_name(party.label) if organisation == participant else organisation or "") or participant
        )[:_LONGEST],
        "counterpart_address": address,
        "counterpart_function": (
            (shown_name(label) if function == address else function) or contained(function)
        )[:_LONGEST],
    }


def shown_name(text: str | None) -> str:
    """A sender's subject, name or label in a form that stays in its place on a page, in one line."""
    return contained(text or "") if is_name(text or "") else as_one_line(text or "")


def references_of(attention: Attention | None) -> list[dict[str, Any]]:
    """The references of an attention, as `Message` stores them (B1.3.3 4.3.2.3)."""
    references = attention.references if attention else ()
    return [
        {
            "root": item.identifier.root,
            "value": contained(item.identifier.extension),
            "label": shown_name(item.label),
        }
        for item in references
    ]


def persons_of(attention: Attention | None) -> list[dict[str, Any]]:
    """The persons of an attention, as `Message` stores them (B1.3.3 4.3.2.3)."""
    persons = attention.persons if attention else ()
    return [
        {
            "root": item.identifier.root if item.identifier else "",
            "value": contained(item.identifier.extension) if item.identifier else "",
            "label": shown_name(item.label),
        }
        for item in persons
    ]


def _index(document: MessageDocument) -> tuple[int, int, str]:
    """A sort key: documents with a number by that number, then the others in their order (B1.3.3 4.3.3.1).

    Numbers of any length are compared as text: first by their length, then by their digits.
    """
    text = (document.index or "").strip()
    if not text.isdecimal():
        return 1, 0, ""
    digits = "".join(str(decimal(digit)) for digit in text).lstrip("0")
    return 0, len(digits), digits
