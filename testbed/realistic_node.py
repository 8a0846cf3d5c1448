"""A node of a realistic size: mailboxes with years of conversations, and a whole address book.

Everything that pages show is there, encrypted as the node itself encrypts it; what pages do not read (files
of attachments, envelopes, transfers) is left out. Sizes are as uneven as in real use: few mailboxes have most
of the messages, one is unattended and has thousands of unassigned conversations, and some conversations are
very long. Rows are written by COPY, a million messages in five minutes.
"""

import json
import random
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connection
from django.utils import timezone

from addressbook.categories import refresh_categories
from addressbook.models import FunctionAddress, OwnFunction
from addressbook.models import Organisation as BookOrganisation
from addressbook.search import refresh_search_columns
from mailbox import access_log
from mailbox.approval.content import content_of
from mailbox.models import (
    FAILED,
    AccessLogEntry,
    AccessLogHead,
    ArrivalRule,
    ArrivalTurn,
    Attachment,
    Conversation,
    ConversationEvent,
    Document,
    Draft,
    FunctionMailbox,
    Label,
    Labelling,
    Membership,
    Message,
    Note,
    NoteEntry,
    OrganisationRole,
    Person,
    ReadMark,
    RegisteredMessage,
    Registration,
    SearchEntry,
)
from mailbox.search import vocabulary
from mailbox.search.hashes import NUMBER, STEM, WORD, token, tokens
from mailbox.search.stems import stems_of
from mailbox.search.words import words_and_numbers
from transport.message_service.models import Event, Organisation, OutgoingMessage
from transport.storage.encryption.keys import current_key, search_key
from transport.storage.encryption.texts import seal_with

from . import made_up
from .bulk_copy import advance_sequences, copy, create_indexes, drop_indexes

HERE: Final = "0203:habo.se"
_LETTER_WORDS: Final = 60
_YEARS: Final = timedelta(days=3 * 365)
_LONG: Final = (2_000, 500, 500, 120, 120, 120)
_MEMBERS: Final = 3
_DRAFTS: Final = 40
_LABELS: Final = ("Brådskande", "Registrerad", "Väntar på läkare", "Överklagan", "Ny handläggare")
_BATCH: Final = 2_000
Report = Callable[[str], None]


@dataclass(frozen=True)
class Size:
    """How many rows of each kind to make."""

    messages: int = 1_000_000
    mailboxes: int = 200
    functions: int = 100_000
    words: int = 60_000


@dataclass(frozen=True, slots=True)
class _Plan:
    """What a conversation is going to be: all tables are written from the same plans."""

    key: int
    mailbox: int
    length: int
    first_message: int
    ends: datetime
    counterpart: int


def make(size: Size, *, report: Report = print) -> None:
    """Fill an empty node; raises `ValueError` if it is not empty.

    The database's user has to be a superuser, since foreign keys are not checked row by row.
    """
    if Message.objects.exists():
        raise ValueError("the node is not empty")
    report(f"address book: {size.functions:,} functions")
    counterparts = _address_book(size)
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("SET maintenance_work_mem = '512MB'")
    try:
        _Node(size, counterparts, report).write()
    finally:
        with connection.cursor() as cursor:
            cursor.execute("RESET session_replication_role")
    report("statistics of the database")
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def _address_book(size: Size) -> list[tuple[str, str, str, str]]:
    """Copy the address book; returns counterparts: (participant, organisation, address, function)."""
    each = 50
    organisations = made_up.organisations(max(1, size.functions // each))
    copy(
        BookOrganisation,
        (
            {
                "id": key,
                "book_id": f"o{key}",
                "participant_id": participant,
                "name": name,
                "kind": "O",
                "source": "{}",
            }
            for key, (participant, name) in enumerate(organisations, 1)
        ),
    )
    named = made_up.functions(each)

    def functions() -> Iterator[dict[str, Any]]:
        for key in range(1, size.functions + 1):
            at, number = divmod(key - 1, each)
            at %= len(organisations)
            yield {
                "id": key,
                "book_id": f"f{key}",
                "organisation_id": at + 1,
                "identifier": f"sdk:{key}:{organisations[at][0]}",
                "name": named[number],
                "description": f"Tar emot ärenden som rör {named[number].lower()}.",
                "categories": json.dumps([made_up.CATEGORIES[key % len(made_up.CATEGORIES)]]),
                "search_words": json.dumps([made_up.COMMON[key % len(made_up.COMMON)]]),
                "source": "{}",
            }

    copy(FunctionAddress, functions())
    advance_sequences(BookOrganisation, FunctionAddress)
    for start in range(0, size.functions, _BATCH):
        refresh_search_columns(FunctionAddress.objects.filter(pk__gt=start, pk__lte=start + _BATCH))
    refresh_categories()
    return [
        (participant, name, f"sdk:{at * each + 1 + at % each}:{participant}", named[at % each])
        for at, (participant, name) in enumerate(organisations)
    ]


class _Node:
    """Writes the tables one after the other, each from the same plans of conversations."""

    def __init__(self, size: Size, counterparts: list[tuple[str, str, str, str]], report: Report) -> None:
        self.size, self.counterparts, self.report = size, counterparts, report
        self.now = timezone.now()
        self.known = made_up.words(size.words)
        self.letters = made_up.letters(max(50, size.messages // 50), self.known, length=_LETTER_WORDS)
        # Fetched beforehand: a connection that runs COPY can answer no other query.
        self.key = current_key(HERE)
        self.organisation = Organisation.objects.create(participant_id=HERE, name="Håbo kommun")

    def write(self) -> None:
        self.boxes = self._mailboxes()
        self.people = self._people()
        self.plans = self._plan_conversations()
        steps: tuple[tuple[str, type[Any], Callable[[], Iterator[dict[str, Any]]]], ...] = (
            ("conversations", Conversation, self._conversations),
            ("messages", Message, self._messages),
            ("documents", Document, self._documents),
            ("attachments", Attachment, self._attachments),
            ("deliveries", OutgoingMessage, self._deliveries),
            ("events of deliveries", Event, self._delivery_events),
            ("history", ConversationEvent, self._history),
            ("read marks", ReadMark, self._read_marks),
            ("labels", Labelling, self._labels),
            ("notes", Note, self._notes),
            ("registrations", Registration, self._registrations),
            ("registered messages", RegisteredMessage, self._registered_messages),
            ("access log", AccessLogEntry, self._access_log),
        )
        # Indexes are created faster once all rows are there.
        dropped = drop_indexes(SearchEntry, NoteEntry, *(model for _, model, _ in steps))
        for name, model, rows in steps:
            self.report(name)
            copy(model, rows())
        advance_sequences(Conversation, Message, Document, Attachment, Event, ConversationEvent, ReadMark)
        advance_sequences(Labelling, Note, AccessLogEntry, Registration, RegisteredMessage)
        AccessLogHead.objects.create(participant_id=HERE, number=self.logged, digest=self.last_digest)
        self._drafts()
        self.report("search index")
        self._index()
        self.report("indexes")
        create_indexes(dropped)

    def _mailboxes(self) -> list[int]:
        names = made_up.functions(self.size.mailboxes)
        made = FunctionMailbox.objects.bulk_create(
            FunctionMailbox(
                participant_id=HERE,
                address=f"sdk:egen-{number}:{HERE}",
                name=name,
                registration_mode="" if number % 2 else "tracked",
            )
            for number, name in enumerate(names, 1)
        )
        OwnFunction.objects.bulk_create(
            OwnFunction(participant_id=HERE, identifier=box.address, name=box.name) for box in made
        )
        labels = Label.objects.bulk_create(Label(mailbox=box, name=name) for box in made for name in _LABELS)
        self.labels = [label.pk for label in labels]
        return [box.pk for box in made]

    def _people(self) -> list[int]:
        """Three members for each mailbox; returns their keys.

        `everywhere` is a member of all mailboxes, `few` of the five largest; `administers` and `audits` have
        the other roles.
        """
        rng = random.Random(4)
        made = [
            Person(subject_key=f"made-up-{number}", password="!", name=f"{first} {last}")
            for number, (first, last) in enumerate(
                (rng.choice(made_up.FIRST_NAMES), rng.choice(made_up.LAST_NAMES))
                for _ in range(len(self.boxes) * _MEMBERS)
            )
        ]
        people = [person.pk for person in Person.objects.bulk_create(made)]
        members = [
            (people[at * _MEMBERS + member], box)
            for at, box in enumerate(self.boxes)
            for member in range(_MEMBERS)
        ]
        everywhere, few = Person.add("everywhere", "Elsa Överallt")[0], Person.add("few", "Frida Få")[0]
        members += [(everywhere.pk, box) for box in self.boxes] + [(few.pk, box) for box in self.boxes[:5]]
        Membership.objects.bulk_create(
            Membership(person_id=person_id, mailbox_id=box) for person_id, box in members
        )
        # `few` manages the largest, which has rules on arrival.
        Membership.objects.filter(person=few, mailbox=self.boxes[0]).update(role=Membership.Role.MANAGER)
        ArrivalTurn.objects.bulk_create(
            ArrivalTurn(
                rule=ArrivalRule.objects.create(
                    mailbox_id=self.boxes[0],
                    position=number,
                    name=f"Regel {number}",
                    conditions={"words": [f"orosanmäl* {number}"]},
                    actions={"label": self.labels[0], "assigns_in_turn": True},
                )
            )
            for number in range(1, 11)
        )
        for subject, role in (("administers", "administrator"), ("audits", "auditor")):
            person, _ = Person.add(subject, subject.capitalize())
            OrganisationRole.objects.create(person=person, participant_id=HERE, role=role)
        self.everywhere, self.few = everywhere.pk, few.pk
        return people

    def _plan_conversations(self) -> list[_Plan]:
        """Plan conversations until there are messages enough; later mailboxes get fewer of them."""
        rng = random.Random(5)
        weights = [1 / (rank + 4) for rank in range(len(self.boxes))]
        plans: list[_Plan] = []
        messages, key = 0, 0
        long = [length for length in _LONG if length * 20 < self.size.messages]
        while messages < self.size.messages:
            key += 1
            length = long.pop() if long else min(1 + int(rng.expovariate(0.42)), 40)
            length = min(length, self.size.messages - messages)
            at = 0 if length > 100 else rng.choices(range(len(self.boxes)), weights)[0]
            # More conversations end lately than long ago.
            ends = self.now - _YEARS * rng.random() ** 1.5 - timedelta(minutes=5)
            plans.append(_Plan(key, at, length, messages + 1, ends, rng.randrange(len(self.counterparts))))
            messages += length
        return plans

    def _state(self, plan: _Plan) -> tuple[str, bool, int | None]:
        """State, whether it waits for an answer, its assignee. Nobody works in the second mailbox."""
        if plan.mailbox == 1:
            return "open", False, None
        roll = plan.key * 2654435761 % 1000
        age = self.now - plan.ends
        if roll < 40:
            return "trash", False, None
        if roll < 960 and (age > timedelta(days=20) or roll < 500):
            return "done", False, None
        return "open", roll % 3 == 0, self._member(plan) if roll % 2 else None

    def _registration_state(self, plan: _Plan) -> str:
        """Every second mailbox counts what is not registered; what is done there is."""
        if plan.mailbox % 2 == 0:
            return ""
        return "registered" if self._state(plan)[0] == "done" or plan.key % 3 else "pending"

    def _member(self, plan: _Plan) -> int:
        return self.people[plan.mailbox * _MEMBERS + plan.key % _MEMBERS]

    def _letter(self, message: int) -> made_up.Letter:
        return self.letters[message * 7919 % len(self.letters)]

    def _of(self, plan: _Plan) -> Iterator[tuple[int, int, bool, datetime]]:
        """A conversation's messages: (key, position, whether it was sent, at)."""
        for position in range(plan.length):
            back = plan.length - 1 - position
            at = plan.ends - timedelta(hours=5 * back)
            yield plan.first_message + position, position, (position + plan.key) % 3 == 1, at

    def _every(self) -> Iterator[tuple[_Plan, int, int, bool, datetime]]:
        for plan in self.plans:
            for key, position, is_sent, at in self._of(plan):
                yield plan, key, position, is_sent, at

    def _conversations(self) -> Iterator[dict[str, Any]]:
        for plan in self.plans:
            state, is_waiting, assignee_id = self._state(plan)
            identity = uuid.UUID(int=(1 << 120) + plan.key)
            _, organisation, _, function = self.counterparts[plan.counterpart]
            sent = [key for key, _, is_sent, _ in self._of(plan) if is_sent]
            arrived = max((at for _, _, is_sent, at in self._of(plan) if not is_sent), default=None)
            binding = f"mailbox.conversation|subject|{identity}"
            yield {
                "id": plan.key,
                "mailbox_id": self.boxes[plan.mailbox],
                "conversation_id": identity,
                "subject": self._seal(self._letter(plan.first_message).subject, binding),
                "counterpart": f"{organisation}, {function}",
                "is_confidential": plan.key % 3 == 0,
                "has_attachments": any(_has_file(key) for key, _, _, _ in self._of(plan)),
                "message_count": plan.length,
                "last_activity_at": plan.ends,
                "last_arrived_at": arrived,
                "state": state,
                "is_waiting": is_waiting,
                "holder_id": assignee_id,
                "has_sent": bool(sent),
                "is_not_delivered": bool(sent) and _delivery_state(sent[-1]) in FAILED,
                "registration_state": self._registration_state(plan),
                "due_on": (plan.ends + timedelta(days=plan.key % 60)).date() if plan.key % 5 == 0 else None,
                "remind_at": self.now + timedelta(days=plan.key % 90)
                if is_waiting and plan.key % 4 == 0
                else None,
                "limit_at": self.now + timedelta(hours=plan.key % 60 - 20)
                if state == Conversation.State.OPEN and plan.key % 6 == 0
                else None,
                "limit_kind": "answered" if state == Conversation.State.OPEN and plan.key % 6 == 0 else "",
            }

    def _messages(self) -> Iterator[dict[str, Any]]:
        for plan, key, position, is_sent, at in self._every():
            participant, organisation, address, function = self.counterparts[plan.counterpart]
            identity = message_id(key)
            direction = "out" if is_sent else "in"
            binding = f"{direction}|{identity}"
            reference = [{"root": "dnr", "value": _reference(plan), "label": ""}]
            # Most answer what came just before; some what came earlier.
            back = 1 if key % 7 else 3
            yield {
                "id": key,
                "conversation_id": plan.key,
                "direction": direction,
                "message_id": identity,
                "ref_to_message_id": message_id(key - back) if position >= back else None,
                "subject": self._seal(self._letter(key).subject, f"mailbox.message|subject|{binding}"),
                "is_confidential": plan.key % 3 == 0,
                "counterpart_participant": participant,
                "counterpart_organisation": organisation,
                "counterpart_address": address,
                "counterpart_function": function,
                "sender_references": self._sealed(reference, f"mailbox.message|sender_references|{binding}"),
                "at": at,
                "written_by_id": self._member(plan) if is_sent else None,
                "delivery_state": _delivery_state(key) if is_sent else "",
            }

    def _documents(self) -> Iterator[dict[str, Any]]:
        for _, key, _, _, _ in self._every():
            binding = f"mailbox.document|texts|{key}|1"
            texts = [self._letter(key).text]
            yield {"id": key, "message_id": key, "position": 1, "texts": self._sealed(texts, binding)}

    def _attachments(self) -> Iterator[dict[str, Any]]:
        number = 0
        for _, key, _, _, _ in self._every():
            if _has_file(key):
                number += 1
                file_key = uuid.UUID(int=(2 << 120) + number)
                name = f"underlag {number}.pdf"
                yield {
                    "id": number,
                    "document_id": key,
                    "name": self._seal(name, f"mailbox.attachment|name|{key}|{file_key}"),
                    "content_type": "application/pdf",
                    "size": 20_000 + number % 900_000,
                    "sha256": f"{number:064x}",
                    "file_name": f"attachments/{file_key}",
                    "file_key": file_key,
                }

    def _sent(self) -> Iterator[tuple[_Plan, int, datetime]]:
        for plan, key, _, is_sent, at in self._every():
            if is_sent:
                yield plan, key, at

    def _deliveries(self) -> Iterator[dict[str, Any]]:
        for plan, key, at in self._sent():
            yield {
                "id": _delivery_id(key),
                "organisation_id": self.organisation.pk,
                "kind": "message",
                "message_id": message_id(key),
                "conversation_id": uuid.UUID(int=(1 << 120) + plan.key),
                "recipient": self.counterparts[plan.counterpart][0],
                "state": _delivery_state(key),
                "created_at": at,
                "transport_receipt_at": at + timedelta(seconds=2),
                "message_receipt_at": at + timedelta(seconds=9),
            }

    def _delivery_events(self) -> Iterator[dict[str, Any]]:
        number = 0
        for _, key, at in self._sent():
            for after, name in enumerate(("SCHEDULED", "SUBMITTED", "transport-receipt", "ACCEPTED")):
                number += 1
                yield {
                    "id": number,
                    "outgoing_id": _delivery_id(key),
                    "at": at + timedelta(seconds=after),
                    "name": name,
                    "actor": "system",
                }

    def _history(self) -> Iterator[dict[str, Any]]:
        number = 0
        for plan in self.plans:
            state, _, assignee_id = self._state(plan)
            history = [("opened", self._member(plan))] if plan.mailbox != 1 else []
            history += [("answered", self._member(plan)) for _, _, is_sent, _ in self._of(plan) if is_sent]
            history += [("taken", assignee_id)] if assignee_id else []
            history += [("done", self._member(plan))] if state == "done" else []
            for what, person_id in history:
                number += 1
                yield {
                    "id": number,
                    "conversation_id": plan.key,
                    "at": plan.ends,
                    "actor_id": person_id,
                    "what": what,
                }

    def _read_marks(self) -> Iterator[dict[str, Any]]:
        """Everybody has read what is older than a week; nobody has read the unattended mailbox."""
        number = 0
        for plan in self.plans:
            if plan.mailbox == 1 or self.now - plan.ends < timedelta(days=7):
                continue
            readers = [self.people[plan.mailbox * _MEMBERS + member] for member in range(_MEMBERS)]
            readers += [self.everywhere] + ([self.few] if plan.mailbox < 5 else [])
            for person_id in readers:
                number += 1
                yield {"id": number, "person_id": person_id, "conversation_id": plan.key, "seen_at": self.now}

    def _registrations(self) -> Iterator[dict[str, Any]]:
        """One for each conversation that is registered."""
        empty = dict.fromkeys(("reason", "retention_state", "retention_basis", "outcome", "end_reason"), "")
        for plan in self.plans:
            if self._registration_state(plan) == "registered":
                identity = uuid.UUID(int=(2 << 120) + plan.key)
                binding = f"mailbox.registration|case_number|{identity}"
                yield {
                    "id": plan.key,
                    "conversation_id": plan.key,
                    "key": identity,
                    "kind": "case",
                    "case_number": self._seal(_reference(plan), binding),
                    "by_id": self._member(plan),
                    "at": plan.ends,
                } | empty

    def _registered_messages(self) -> Iterator[dict[str, Any]]:
        for plan, key, _, _, _ in self._every():
            if self._registration_state(plan) == "registered":
                yield {"id": key, "message_id": key, "registration_id": plan.key, "is_current": True}

    def _labels(self) -> Iterator[dict[str, Any]]:
        """Every sixth conversation has one of its mailbox's labels."""
        for number, plan in enumerate(self.plans[::6], 1):
            label = self.labels[plan.mailbox * len(_LABELS) + number % len(_LABELS)]
            yield {"id": number, "label_id": label, "conversation_id": plan.key}

    def _notes(self) -> Iterator[dict[str, Any]]:
        """Every fifth conversation has a note, as long as a message."""
        for number, plan in enumerate(self.plans[::5], 1):
            key = uuid.UUID(int=(3 << 120) + number)
            yield {
                "id": number,
                "conversation_id": plan.key,
                "key": key,
                "text": self._seal(self._letter(number).text, f"mailbox.note|text|{key}"),
                "written_by_id": self.people[plan.mailbox * _MEMBERS],
                "at": plan.ends,
            }

    def _drafts(self) -> None:
        """Drafts of each mailbox, saved one by one, since they are few; of the first, approval is asked."""
        for at, box in enumerate(self.boxes):
            person = self.people[at * _MEMBERS]
            for number in range(min(_DRAFTS, len(self.plans) // len(self.boxes))):
                letter = self._letter(at + number)
                draft = Draft.objects.create(
                    mailbox_id=box,
                    created_by_id=person,
                    changed_by_id=person,
                    recipient_organisation="Habo kommun",
                    subject=letter.subject,
                    text=letter.text,
                )
                if number == 0:
                    draft.approval_requests.create(
                        content=content_of(draft, Person.objects.get(pk=person)),
                        writer_ids=[person],
                        asked_by_id=person,
                        asked_at=self.now,
                    )

    def _access_log(self) -> Iterator[dict[str, Any]]:
        """A chain of entries, one for every other message; most say that a conversation was opened."""
        self.logged, self.last_digest = 0, ""
        for plan, key, _, _, _ in self._every():
            if key % 2:
                continue
            self.logged += 1
            entry = AccessLogEntry(
                id=self.logged,
                participant_id=HERE,
                number=self.logged,
                at=self.now - timedelta(minutes=(self.size.messages - key) * 1.5),
                actor_id=self._member(plan),
                what=_logged_code(self.logged),
                mailbox_id=self.boxes[plan.mailbox],
                conversation_id=uuid.UUID(int=(1 << 120) + plan.key),
                previous=self.last_digest,
            )
            self.last_digest = entry.digest = access_log.digest_of(entry)
            yield {
                **{field.attname: getattr(entry, field.attname) for field in _LOG_FIELDS},
                "details": "{}",
            }

    def _seal(self, text: str, binding: str) -> str:
        return seal_with(self.key, text, binding)

    def _sealed(self, value: Any, binding: str) -> str:
        return json.dumps(self._seal(json.dumps(value, ensure_ascii=False), binding))

    def _index(self) -> None:
        key = search_key(HERE)
        roots = stems_of(self.known)
        vocabulary.add(HERE, key, roots)
        hashes = {
            word: (token(key, WORD, word), token(key, STEM, roots.get(word, word))) for word in self.known
        }
        with connection.cursor() as cursor:
            cursor.execute("CREATE TEMPORARY TABLE letter (number int PRIMARY KEY, words bigint[])")
            with cursor.copy("COPY letter FROM STDIN") as target:
                for number, letter in enumerate(self.letters):
                    held = {value for word in letter.words for value in hashes[word]}
                    target.write_row((number, sorted(held)))
            cursor.execute(
                "CREATE TEMPORARY TABLE reference (conversation bigint PRIMARY KEY, words bigint[])"
            )
            with cursor.copy("COPY reference FROM STDIN") as target:
                for plan in self.plans:
                    found = words_and_numbers([_reference(plan)], [_reference(plan)])
                    target.write_row(
                        (plan.key, tokens(key, WORD, found.words) + tokens(key, NUMBER, found.numbers))
                    )
            cursor.execute(_FILL_INDEX, [len(self.letters)])
            cursor.execute(_FILL_INDEX_OF_NOTES, [len(self.letters)])
            cursor.execute("DROP TABLE letter, reference")


_FILL_INDEX: Final = """
INSERT INTO mailbox_searchentry (message_id, mailbox_id, at, is_outgoing, is_confidential, has_attachments,
  words, is_learned)
SELECT m.id, c.mailbox_id, m.at, m.direction = 'out', m.is_confidential, m.id %% 4 = 0,
  letter.words || reference.words, true
FROM mailbox_message AS m
JOIN mailbox_conversation AS c ON c.id = m.conversation_id
JOIN letter ON letter.number = m.id * 7919 %% %s
JOIN reference ON reference.conversation = c.id
"""


_FILL_INDEX_OF_NOTES: Final = """
INSERT INTO mailbox_noteentry (note_id, mailbox_id, at, words, is_learned)
SELECT n.id, c.mailbox_id, n.at, letter.words, true
FROM mailbox_note AS n
JOIN mailbox_conversation AS c ON c.id = n.conversation_id
JOIN letter ON letter.number = n.id * 7919 %% %s
"""

_LOG_FIELDS: Final = AccessLogEntry._meta.concrete_fields


def _logged_code(number: int) -> str:
    """The code of an entry of the access log; one in a thousand is a rare one."""
    if number % 1000 == 0:
        return ("member-added", "retention-changed", "role-given", "record-bundle-made")[number // 1000 % 4]
    return ("conversation-opened", "conversation-opened", "searched", "attachment-opened")[number % 4]


def _delivery_state(key: int) -> str:
    """The state of a delivery: one in three hundred has failed."""
    return "MESSAGE_EXCHANGE_ERROR" if key % 300 == 0 else "ACCEPTED"


def message_id(key: int) -> uuid.UUID:
    """The message id of the message with this key."""
    return uuid.UUID(int=(3 << 120) + key)


def _delivery_id(key: int) -> uuid.UUID:
    return uuid.UUID(int=(4 << 120) + key)


def _has_file(key: int) -> bool:
    return key % 4 == 0


def _reference(plan: _Plan) -> str:
    return f"SN 2026/{plan.key:06d}"
