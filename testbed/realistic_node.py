"""A node of a realistic size: mailboxes with years of conversations, and a whole address book.

Everything that pages show is there, sealed as the node itself would seal it; what pages do not read (files of
attachments, envelopes, transfers) is not. Sizes are uneven as they are in life: few mailboxes have most
of the messages, one has gone unwatched with thousands of untaken conversations, and some conversations
are very long. Made by COPY, in five minutes for a million messages.
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
from mailbox.models import (
    AccessLogEntry,
    AccessLogHead,
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
from .copying import copy, drop_indexes, let_sequences_follow, make_indexes

HERE: Final = "0203:habo.se"
_LETTER_WORDS: Final = 60
_YEARS: Final = timedelta(days=3 * 365)
_LONG: Final = (2_000, 500, 500, 120, 120, 120)
_MEMBERS: Final = 3
_DRAFTS: Final = 40
_LABELS: Final = ("Brådskande", "Registrerad", "Väntar på läkare", "Överklagan", "Ny handläggare")
_BATCH: Final = 2_000
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Size:
    """How much there is to be."""

    messages: int = 1_000_000
    mailboxes: int = 200
    functions: int = 100_000
    words: int = 60_000


@dataclass(frozen=True, slots=True)
class _Talk:
    """A conversation before it is written."""

    key: int
    mailbox: int
    length: int
    first_message: int
    ends: datetime
    counterpart: int


def make(size: Size, *, tell: Tell = print) -> None:
    """Fill an empty node. The database's user has to be a superuser: foreign keys are not checked by row."""
    if Message.objects.exists():
        raise ValueError("the node is not empty")
    tell(f"address book: {size.functions:,} functions")
    others = _address_book(size)
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("SET maintenance_work_mem = '512MB'")
    try:
        _Node(size, others, tell).write()
    finally:
        with connection.cursor() as cursor:
            cursor.execute("RESET session_replication_role")
    tell("statistics of the database")
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def _address_book(size: Size) -> list[tuple[str, str, str, str]]:
    """Copy the address book; whom to write to: (participant, organisation, address, function)."""
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
    let_sequences_follow(BookOrganisation, FunctionAddress)
    for start in range(0, size.functions, _BATCH):
        refresh_search_columns(FunctionAddress.objects.filter(pk__gt=start, pk__lte=start + _BATCH))
    refresh_categories()
    return [
        (participant, name, f"sdk:{at * each + 1 + at % each}:{participant}", named[at % each])
        for at, (participant, name) in enumerate(organisations)
    ]


class _Node:
    """What is written, table by table; every table is drawn from the same plan."""

    def __init__(self, size: Size, others: list[tuple[str, str, str, str]], tell: Tell) -> None:
        self.size, self.others, self.tell = size, others, tell
        self.now = timezone.now()
        self.known = made_up.words(size.words)
        self.letters = made_up.letters(max(50, size.messages // 50), self.known, length=_LETTER_WORDS)
        # Asked for beforehand: nothing else can be asked of a connection that is copying.
        self.key = current_key(HERE)
        self.organisation = Organisation.objects.create(participant_id=HERE, name="Håbo kommun")

    def write(self) -> None:
        self.boxes = self._mailboxes()
        self.people = self._people()
        self.talks = self._plan()
        steps: tuple[tuple[str, type[Any], Callable[[], Iterator[dict[str, Any]]]], ...] = (
            ("conversations", Conversation, self._conversations),
            ("messages", Message, self._messages),
            ("documents", Document, self._documents),
            ("attachments", Attachment, self._attachments),
            ("deliveries", OutgoingMessage, self._deliveries),
            ("events of deliveries", Event, self._delivery_events),
            ("history", ConversationEvent, self._history),
            ("what people have read", ReadMark, self._read_marks),
            ("labels", Labelling, self._labels),
            ("notes", Note, self._notes),
            ("access log", AccessLogEntry, self._access_log),
        )
        # What is made once all is there is made faster, and is the same.
        later = drop_indexes(SearchEntry, NoteEntry, *(model for _, model, _ in steps))
        for name, model, rows in steps:
            self.tell(name)
            copy(model, rows())
        let_sequences_follow(Conversation, Message, Document, Attachment, Event, ConversationEvent, ReadMark)
        let_sequences_follow(Labelling, Note, AccessLogEntry)
        AccessLogHead.objects.create(participant_id=HERE, number=self.logged, digest=self.last_digest)
        self._drafts()
        self.tell("search index")
        self._index()
        self.tell("indexes")
        make_indexes(later)

    def _mailboxes(self) -> list[int]:
        names = made_up.functions(self.size.mailboxes)
        made = FunctionMailbox.objects.bulk_create(
            FunctionMailbox(participant_id=HERE, address=f"sdk:egen-{number}:{HERE}", name=name)
            for number, name in enumerate(names, 1)
        )
        OwnFunction.objects.bulk_create(
            OwnFunction(participant_id=HERE, identifier=box.address, name=box.name) for box in made
        )
        labels = Label.objects.bulk_create(Label(mailbox=box, name=name) for box in made for name in _LABELS)
        self.labels = [label.pk for label in labels]
        return [box.pk for box in made]

    def _people(self) -> list[int]:
        """Three members a mailbox; `everywhere` is in all, `few` in the largest five; two with other
        roles."""
        draw = random.Random(4)
        made = [
            Person(subject_key=f"made-up-{number}", password="!", name=f"{first} {last}")
            for number, (first, last) in enumerate(
                (draw.choice(made_up.FIRST_NAMES), draw.choice(made_up.LAST_NAMES))
                for _ in range(len(self.boxes) * _MEMBERS)
            )
        ]
        people = [person.pk for person in Person.objects.bulk_create(made)]
        members = [
            (people[at * _MEMBERS + one], box) for at, box in enumerate(self.boxes) for one in range(_MEMBERS)
        ]
        everywhere, few = Person.add("everywhere", "Elsa Överallt")[0], Person.add("few", "Frida Få")[0]
        members += [(everywhere.pk, box) for box in self.boxes] + [(few.pk, box) for box in self.boxes[:5]]
        Membership.objects.bulk_create(Membership(person_id=who, mailbox_id=box) for who, box in members)
        for subject, role in (("administers", "administrator"), ("audits", "auditor")):
            person, _ = Person.add(subject, subject.capitalize())
            OrganisationRole.objects.create(person=person, participant_id=HERE, role=role)
        self.everywhere, self.few = everywhere.pk, few.pk
        return people

    def _plan(self) -> list[_Talk]:
        """Conversations with their mailbox and length: a mailbox's share falls with its rank."""
        draw = random.Random(5)
        weights = [1 / (rank + 4) for rank in range(len(self.boxes))]
        talks: list[_Talk] = []
        messages, key = 0, 0
        long = [length for length in _LONG if length * 20 < self.size.messages]
        while messages < self.size.messages:
            key += 1
            length = long.pop() if long else min(1 + int(draw.expovariate(0.42)), 40)
            length = min(length, self.size.messages - messages)
            at = 0 if length > 100 else draw.choices(range(len(self.boxes)), weights)[0]
            # More lately than long ago.
            ends = self.now - _YEARS * draw.random() ** 1.5 - timedelta(minutes=5)
            talks.append(_Talk(key, at, length, messages + 1, ends, draw.randrange(len(self.others))))
            messages += length
        return talks

    def _state(self, talk: _Talk) -> tuple[str, bool, int | None]:
        """State, whether it waits, who holds it. The second mailbox has gone unwatched."""
        if talk.mailbox == 1:
            return "open", False, None
        draw = talk.key * 2654435761 % 1000
        age = self.now - talk.ends
        if draw < 40:
            return "trash", False, None
        if draw < 960 and (age > timedelta(days=20) or draw < 500):
            return "done", False, None
        return "open", draw % 3 == 0, self._member(talk) if draw % 2 else None

    def _member(self, talk: _Talk) -> int:
        return self.people[talk.mailbox * _MEMBERS + talk.key % _MEMBERS]

    def _letter(self, message: int) -> made_up.Letter:
        return self.letters[message * 7919 % len(self.letters)]

    def _of(self, talk: _Talk) -> Iterator[tuple[int, int, bool, datetime]]:
        """A conversation's messages: (key, position, whether it was sent, at)."""
        for position in range(talk.length):
            back = talk.length - 1 - position
            at = talk.ends - timedelta(hours=5 * back)
            yield talk.first_message + position, position, (position + talk.key) % 3 == 1, at

    def _every(self) -> Iterator[tuple[_Talk, int, int, bool, datetime]]:
        for talk in self.talks:
            for key, position, is_sent, at in self._of(talk):
                yield talk, key, position, is_sent, at

    def _conversations(self) -> Iterator[dict[str, Any]]:
        for talk in self.talks:
            state, waits, holder = self._state(talk)
            identity = uuid.UUID(int=(1 << 120) + talk.key)
            _, organisation, _, function = self.others[talk.counterpart]
            directions = [is_sent for _, _, is_sent, _ in self._of(talk)]
            arrived = max((at for _, _, is_sent, at in self._of(talk) if not is_sent), default=None)
            place = f"mailbox.conversation|subject|{identity}"
            yield {
                "id": talk.key,
                "mailbox_id": self.boxes[talk.mailbox],
                "conversation_id": identity,
                "subject": self._seal(self._letter(talk.first_message).subject, place),
                "counterpart": f"{organisation}, {function}",
                "is_confidential": talk.key % 3 == 0,
                "has_attachments": any(_has_file(key) for key, _, _, _ in self._of(talk)),
                "message_count": talk.length,
                "last_activity_at": talk.ends,
                "last_arrived_at": arrived,
                "state": state,
                "is_waiting": waits,
                "holder_id": holder,
                "has_sent": any(directions),
                "due_on": (talk.ends + timedelta(days=talk.key % 60)).date() if talk.key % 5 == 0 else None,
                "remind_at": self.now + timedelta(days=talk.key % 90)
                if waits and talk.key % 4 == 0
                else None,
            }

    def _messages(self) -> Iterator[dict[str, Any]]:
        for talk, key, position, is_sent, at in self._every():
            participant, organisation, address, function = self.others[talk.counterpart]
            identity = message_id(key)
            direction = "out" if is_sent else "in"
            place = f"{direction}|{identity}"
            reference = [{"root": "dnr", "value": _reference(talk), "label": ""}]
            # Most answer what came just before; some what came earlier.
            back = 1 if key % 7 else 3
            yield {
                "id": key,
                "conversation_id": talk.key,
                "direction": direction,
                "message_id": identity,
                "ref_to_message_id": message_id(key - back) if position >= back else None,
                "subject": self._seal(self._letter(key).subject, f"mailbox.message|subject|{place}"),
                "is_confidential": talk.key % 3 == 0,
                "counterpart_participant": participant,
                "counterpart_organisation": organisation,
                "counterpart_address": address,
                "counterpart_function": function,
                "sender_references": self._sealed(reference, f"mailbox.message|sender_references|{place}"),
                "at": at,
                "written_by_id": self._member(talk) if is_sent else None,
                "delivery_state": _delivery_state(key) if is_sent else "",
            }

    def _documents(self) -> Iterator[dict[str, Any]]:
        for _, key, _, _, _ in self._every():
            place = f"mailbox.document|texts|{key}|1"
            texts = [self._letter(key).text]
            yield {"id": key, "message_id": key, "position": 1, "texts": self._sealed(texts, place)}

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

    def _sent(self) -> Iterator[tuple[_Talk, int, datetime]]:
        for talk, key, _, is_sent, at in self._every():
            if is_sent:
                yield talk, key, at

    def _deliveries(self) -> Iterator[dict[str, Any]]:
        for talk, key, at in self._sent():
            yield {
                "id": _delivery_id(key),
                "organisation_id": self.organisation.pk,
                "kind": "message",
                "message_id": message_id(key),
                "conversation_id": uuid.UUID(int=(1 << 120) + talk.key),
                "recipient": self.others[talk.counterpart][0],
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
        for talk in self.talks:
            state, _, holder = self._state(talk)
            told = [("opened", self._member(talk))] if talk.mailbox != 1 else []
            told += [("answered", self._member(talk)) for _, _, is_sent, _ in self._of(talk) if is_sent]
            told += [("taken", holder)] if holder else []
            told += [("done", self._member(talk))] if state == "done" else []
            for what, who in told:
                number += 1
                yield {
                    "id": number,
                    "conversation_id": talk.key,
                    "at": talk.ends,
                    "actor_id": who,
                    "what": what,
                }

    def _read_marks(self) -> Iterator[dict[str, Any]]:
        """Everybody has read what is older than a week; the unwatched mailbox nobody has."""
        number = 0
        for talk in self.talks:
            if talk.mailbox == 1 or self.now - talk.ends < timedelta(days=7):
                continue
            readers = [self.people[talk.mailbox * _MEMBERS + one] for one in range(_MEMBERS)]
            readers += [self.everywhere] + ([self.few] if talk.mailbox < 5 else [])
            for who in readers:
                number += 1
                yield {"id": number, "person_id": who, "conversation_id": talk.key, "seen_at": self.now}

    def _labels(self) -> Iterator[dict[str, Any]]:
        """Every sixth conversation has one of its mailbox's labels."""
        for number, talk in enumerate(self.talks[::6], 1):
            label = self.labels[talk.mailbox * len(_LABELS) + number % len(_LABELS)]
            yield {"id": number, "label_id": label, "conversation_id": talk.key}

    def _notes(self) -> Iterator[dict[str, Any]]:
        """Every fifth conversation has a note, as long as a letter."""
        for number, talk in enumerate(self.talks[::5], 1):
            key = uuid.UUID(int=(3 << 120) + number)
            yield {
                "id": number,
                "conversation_id": talk.key,
                "key": key,
                "text": self._seal(self._letter(number).text, f"mailbox.note|text|{key}"),
                "written_by_id": self.people[talk.mailbox * _MEMBERS],
                "at": talk.ends,
            }

    def _drafts(self) -> None:
        """As a person would have written them: few enough to be saved one by one."""
        for at, box in enumerate(self.boxes):
            person = self.people[at * _MEMBERS]
            for number in range(min(_DRAFTS, len(self.talks) // len(self.boxes))):
                letter = self._letter(at + number)
                Draft.objects.create(
                    mailbox_id=box,
                    created_by_id=person,
                    changed_by_id=person,
                    recipient_organisation="Habo kommun",
                    subject=letter.subject,
                    text=letter.text,
                )

    def _access_log(self) -> Iterator[dict[str, Any]]:
        """A chain: a line for every other message, most of them that a conversation was opened."""
        self.logged, self.last_digest = 0, ""
        for talk, key, _, _, _ in self._every():
            if key % 2:
                continue
            self.logged += 1
            entry = AccessLogEntry(
                id=self.logged,
                participant_id=HERE,
                number=self.logged,
                at=self.now - timedelta(minutes=(self.size.messages - key) * 1.5),
                actor_id=self._member(talk),
                what=_done(self.logged),
                mailbox_id=self.boxes[talk.mailbox],
                conversation_id=uuid.UUID(int=(1 << 120) + talk.key),
                previous=self.last_digest,
            )
            self.last_digest = entry.digest = access_log.digest_of(entry)
            yield {
                **{field.attname: getattr(entry, field.attname) for field in _LOG_FIELDS},
                "details": "{}",
            }

    def _seal(self, text: str, place: str) -> str:
        return seal_with(self.key, text, place)

    def _sealed(self, value: Any, place: str) -> str:
        return json.dumps(self._seal(json.dumps(value, ensure_ascii=False), place))

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
                    held = {one for word in letter.words for one in hashes[word]}
                    target.write_row((number, sorted(held)))
            cursor.execute(
                "CREATE TEMPORARY TABLE reference (conversation bigint PRIMARY KEY, words bigint[])"
            )
            with cursor.copy("COPY reference FROM STDIN") as target:
                for talk in self.talks:
                    said = words_and_numbers([_reference(talk)], [_reference(talk)])
                    target.write_row(
                        (talk.key, tokens(key, WORD, said.words) + tokens(key, NUMBER, said.numbers))
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


def _done(number: int) -> str:
    """What a line of the access log tells: one in a thousand is of what is done seldom."""
    if number % 1000 == 0:
        return ("member-added", "retention-changed", "role-given", "record-bundle-made")[number // 1000 % 4]
    return ("conversation-opened", "conversation-opened", "searched", "attachment-opened")[number % 4]


def _delivery_state(key: int) -> str:
    """One in three hundred did not come through."""
    return "MESSAGE_EXCHANGE_ERROR" if key % 300 == 0 else "ACCEPTED"


def message_id(key: int) -> uuid.UUID:
    return uuid.UUID(int=(3 << 120) + key)


def _delivery_id(key: int) -> uuid.UUID:
    return uuid.UUID(int=(4 << 120) + key)


def _has_file(key: int) -> bool:
    return key % 4 == 0


def _reference(talk: _Talk) -> str:
    return f"SN 2026/{talk.key:06d}"
