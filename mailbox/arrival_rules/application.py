"""Rules at a delivery: they run once, in its own transaction, and never stop it.

`decide_all` runs before messages are stored, since a rule may choose the mailbox in which they are; `apply`
when they have been. Both take a fixed number of statements, however many messages there are. A rule that
cannot be done is passed over, and the failure is noted on it, without content. Should something unforeseen
fail, it is rolled back to a savepoint, and the messages are stored without the rules' effects.
"""

import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol
from uuid import UUID

from django.db import connection
from django.utils import timezone

from mailbox import access_log, events, fault_isolation
from mailbox.access import people_named_in
from mailbox.conversations import assignment
from mailbox.models import (
    AccessLogEntry,
    ArrivalNotice,
    ArrivalRule,
    ArrivalTurn,
    Conversation,
    ConversationEvent,
    FunctionMailbox,
    Label,
    Labelling,
    Message,
    Person,
)
from mailbox.staffed_hours import calendars
from mailbox.staffed_hours.calendar import Calendar
from transport import unit_of_work

from . import availability, loading
from .decision import ArrivalFacts, Decision, Effect, Kind, decide

logger = logging.getLogger(__name__)
What = ConversationEvent.What
Failure = ArrivalRule.Failure
_NAMES_IN_HISTORY: Final = 256


@dataclass(frozen=True, slots=True)
class Handling:
    """What rules do with an arrival, and the mailbox from which they move it."""

    decision: Decision
    moved_from: FunctionMailbox | None = None


class Arriving(Protocol):
    """A message that is being delivered. `conversation` and `message` are there when it has been stored,
    `handling` where its mailbox has rules."""

    mailbox: FunctionMailbox
    handling: Handling | None
    conversation: Conversation
    message: Message

    @property
    def conversation_key(self) -> tuple[int, UUID]:
        """The mailbox, and the conversation's id in messages."""

    def facts(self) -> ArrivalFacts:
        """What rules may look at."""


def decide_all(arrivals: Sequence[Arriving]) -> None:
    """Set each arrival's `handling`, and its `mailbox` to that to which rules move it.

    One query where no mailbox has rules.
    """
    rows = loading.rows_for({arrival.mailbox.pk for arrival in arrivals})
    if not rows or _guarded(lambda: _decide_all(arrivals, rows)):
        return
    for arrival in arrivals:
        of_mailbox = [row.pk for row in rows if row.mailbox_id == arrival.mailbox.pk]
        arrival.handling = Handling(Decision(failures=tuple((key, Failure.UNEXPECTED) for key in of_mailbox)))


def apply(arrivals: Sequence[Arriving], at: datetime | None = None) -> None:
    """Do what was decided with messages that have just been stored, once each. The caller has locked their
    conversations, and stores what this changes of them."""
    handled = [arrival for arrival in arrivals if _decision(arrival) != Decision()]
    if not handled:
        return
    now = at or timezone.now()
    # First, so that the log's head is locked before whose turn it is.
    _log_moves(handled)
    changes = _Changes(now)
    if not _guarded(lambda: changes.make(handled)):
        for arrival in handled:
            alone = _Changes(now)
            if _guarded(lambda changes=alone, arrival=arrival: changes.make([arrival])):  # type: ignore[misc]
                alone.keep()
            else:
                _note_all(arrival, [(effect.rule_id, Failure.UNEXPECTED) for effect in _effects(arrival)])
    else:
        changes.keep()
    for arrival in handled:
        _note_all(arrival, _decision(arrival).failures)


def _decide_all(arrivals: Sequence[Arriving], rows: Sequence[ArrivalRule]) -> None:
    rules = loading.rules_of(rows)
    targets = {
        effect.value for each in rules.values() for rule in each for effect in rule.effects if _moves(effect)
    }
    open_mailboxes = FunctionMailbox.objects.in_bulk(targets) if targets else {}
    there = _conversations_there(arrivals) if targets else set()
    found: list[tuple[Arriving, Handling, FunctionMailbox]] = []
    for arrival in arrivals:
        key, of_mailbox = arrival.conversation_key, rules.get(arrival.mailbox.pk, [])
        if not of_mailbox:
            there.add(key)
            continue
        decision = decide(of_mailbox, arrival.facts(), may_move=key not in there)
        move = decision.move
        if move is None:
            # What comes later in the same conversation stays with it.
            there.add(key)
            found.append((arrival, Handling(decision), arrival.mailbox))
        else:
            found.append((arrival, Handling(decision, arrival.mailbox), open_mailboxes[move.value]))
    # Only when all is decided: an error leaves every arrival where it was addressed to.
    for arrival, handling, mailbox in found:
        arrival.handling, arrival.mailbox = handling, mailbox


def _conversations_there(arrivals: Sequence[Arriving]) -> set[tuple[int, UUID]]:
    """The conversations that their mailboxes have already: nothing is moved out of those."""
    keys = {arrival.conversation_key for arrival in arrivals}
    rows = Conversation.objects.filter(
        mailbox__in={mailbox for mailbox, _ in keys}, conversation_id__in={key for _, key in keys}
    )
    return set(rows.values_list("mailbox_id", "conversation_id")) & keys


def _guarded(do: Callable[[], None]) -> bool:
    """Do something that may fail in a savepoint; whether it has succeeded. Without a database this raises."""
    return fault_isolation.succeeds(do, event="arrival_rules_failed", logger=logger)


def _moves(effect: Effect) -> bool:
    return effect.kind is Kind.MOVE


def _decision(arrival: Arriving) -> Decision:
    return arrival.handling.decision if arrival.handling else Decision()


def _effects(arrival: Arriving) -> Sequence[Effect]:
    return _decision(arrival).effects


def _moved_from(arrival: Arriving) -> FunctionMailbox | None:
    return arrival.handling.moved_from if arrival.handling else None


def _log_moves(arrivals: Sequence[Arriving]) -> None:
    entries: dict[str, list[AccessLogEntry]] = {}
    for arrival in arrivals:
        left, move = _moved_from(arrival), _decision(arrival).move
        if left is None or move is None:
            continue
        entry = AccessLogEntry(
            what="moved-by-rule",
            mailbox=arrival.mailbox,
            conversation_id=arrival.conversation.conversation_id,
            message_id=arrival.message.message_id,
            details={"left": left.pk, "rule": move.rule_id},
        )
        entries.setdefault(arrival.mailbox.participant_id, []).append(entry)
    for participant in sorted(entries):
        access_log.record_all(None, participant, entries[participant])


@dataclass(slots=True)
class _State:
    """What rules change of a conversation, before it is kept."""

    assignee_id: int | None
    due_on: object
    is_priority: bool


@dataclass(slots=True)
class _Changes:
    """The effects on some messages: `make` writes rows, and `keep` changes the conversations and writes their
    histories, once nothing can be rolled back any more."""

    at: datetime
    states: dict[int, _State] = field(default_factory=dict)
    conversations: dict[int, Conversation] = field(default_factory=dict)
    history: list[ConversationEvent] = field(default_factory=list)
    # Those whom rules may assign or notify, as pairs of person and mailbox.
    members: frozenset[tuple[int, int]] = frozenset()
    present: frozenset[int] = frozenset()
    turns: dict[int, ArrivalTurn] = field(default_factory=dict)
    assigned: dict[int, int] = field(default_factory=dict)
    people: dict[int, Person] = field(default_factory=dict)
    # Those named in the protected conversations, by the conversation's key: rules concern nobody else there.
    named: dict[int, frozenset[int]] = field(default_factory=dict)
    labels: dict[int, Label] = field(default_factory=dict)
    labelled: set[tuple[int, int]] = field(default_factory=set)
    new_labelled: list[tuple[int, int]] = field(default_factory=list)
    notices: set[tuple[int, int]] = field(default_factory=set)
    calendars: dict[int, Calendar] = field(default_factory=dict)

    def make(self, arrivals: Sequence[Arriving]) -> None:
        """Decide what depends on the conversations, labels and members of now, and write it."""
        for arrival in arrivals:
            row = arrival.conversation
            self.conversations[row.pk] = row
            self.states[row.pk] = _State(row.assignee_id, row.due_on, row.is_priority)
        kinds = {effect.kind for arrival in arrivals for effect in _effects(arrival)}
        if kinds & {Kind.DUE, Kind.ASSIGN_IN_TURN}:
            boxes = {arrival.mailbox.pk: arrival.mailbox for arrival in arrivals}
            self.calendars = calendars.calendars_of(boxes.values())
        self.named = people_named_in(row.pk for row in self.conversations.values() if row.is_protected)
        self._find_people(arrivals)
        self._find_labels(arrivals)
        for arrival in arrivals:
            for effect in _effects(arrival):
                self._do(arrival, effect)
        assignment.assign_all(self.assigned, self.at)
        unit_of_work.update(self.turns.values(), ["person_id"])
        Labelling.objects.bulk_create(
            [
                Labelling(conversation_id=conversation_id, label_id=label_id)
                for conversation_id, label_id in self.new_labelled
            ],
            ignore_conflicts=True,
        )
        ArrivalNotice.objects.bulk_create(
            [ArrivalNotice(person_id=person, mailbox_id=mailbox) for person, mailbox in sorted(self.notices)],
            ignore_conflicts=True,
        )

    def keep(self) -> None:
        """Change the conversations, and write what was done into their histories."""
        for key, state in self.states.items():
            row = self.conversations[key]
            if row.assignee_id != state.assignee_id and state.assignee_id is not None:
                row.assignee = self.people[state.assignee_id]
            row.due_on, row.is_priority = state.due_on, state.is_priority  # type: ignore[assignment]
        unit_of_work.insert(*self.history)
        for row in self.conversations.values():
            events.announce(row.mailbox_id)

    def _find_people(self, arrivals: Sequence[Arriving]) -> None:
        """Lock whose turn it is, and the memberships of all whom the effects may concern."""
        concerned: set[tuple[int, int]] = set()
        in_turn: dict[int, set[int]] = {}
        for arrival in arrivals:
            is_assigned = arrival.conversation.assignee_id is not None
            for effect in _effects(arrival):
                people: Collection[int] = ()
                if effect.kind is Kind.NOTIFY:
                    people = effect.people
                elif effect.kind is Kind.ASSIGN and not is_assigned:
                    people = [effect.value]
                elif effect.kind is Kind.ASSIGN_IN_TURN and not is_assigned:
                    in_turn.setdefault(effect.rule_id, set()).update(effect.people)
                    people = effect.people
                concerned |= {(person, arrival.mailbox.pk) for person in people}
        if in_turn:
            turns = ArrivalTurn.objects.select_for_update(no_key=True).filter(rule__in=in_turn)
            self.turns = {turn.rule_id: turn for turn in turns.order_by("pk")}
            self.present = availability.present_among(set().union(*in_turn.values()), self.at)
        if concerned:
            self.members = assignment.share_memberships(sorted(concerned))
            self.people = Person.objects.in_bulk({person for person, _ in self.members})

    def _find_labels(self, arrivals: Sequence[Arriving]) -> None:
        """Keep labels from being deleted before this transaction has ended, and find who has them already."""
        wanted = {
            effect.value for arrival in arrivals for effect in _effects(arrival) if effect.kind is Kind.LABEL
        }
        if not wanted:
            return
        targets = {arrival.mailbox.pk for arrival in arrivals if _moved_from(arrival) is not None}
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT id FROM mailbox_label WHERE id = ANY(%s) OR mailbox_id = ANY(%s) "
                "ORDER BY id FOR KEY SHARE SKIP LOCKED",
                [sorted(wanted), sorted(targets)],
            )
            keys = [key for (key,) in cursor.fetchall()]
        self.labels = Label.objects.in_bulk(keys)
        rows = Labelling.objects.filter(label__in=keys, conversation__in=list(self.conversations))
        self.labelled = set(rows.values_list("conversation_id", "label_id"))

    def _do(self, arrival: Arriving, effect: Effect) -> None:
        key, state = arrival.conversation.pk, self.states[arrival.conversation.pk]
        if effect.kind is Kind.MOVE:
            left = _moved_from(arrival)
            self._record(arrival, effect, What.MOVED_BY_RULE, left.name if left else "")
        elif effect.kind is Kind.LABEL:
            self._label(arrival, effect)
        elif effect.kind is Kind.PRIORITY:
            if not state.is_priority:
                state.is_priority = True
                self._record(arrival, effect, What.PRIORITISED)
        elif effect.kind is Kind.DUE:
            if state.due_on is None:
                calendar = self.calendars.get(arrival.mailbox.pk)
                day = availability.due_day(arrival.message.at, effect.value, calendar)
                state.due_on = day
                self._record(arrival, effect, What.DUE, day.isoformat())
        elif effect.kind is Kind.NOTIFY:
            pairs = [(person, arrival.mailbox.pk) for person in effect.people]
            notified = [pair for pair in pairs if pair in self.members and self._sees(pair[0], arrival)]
            self.notices |= set(notified)
            if notified:
                names = ", ".join(self.people[person].name for person, _ in notified)
                self._record(arrival, effect, What.NOTIFIED_BY_RULE, names)
        elif state.assignee_id is None:
            person = self._assignee(arrival, effect)
            if person is not None:
                state.assignee_id = self.assigned[key] = person
                self._record(arrival, effect, What.TAKEN, self.people[person].name)

    def _assignee(self, arrival: Arriving, effect: Effect) -> int | None:
        """Whom the effect assigns the conversation to; None where that is nobody just now."""
        mailbox_id = arrival.mailbox.pk
        if effect.kind is Kind.ASSIGN:
            is_member = (effect.value, mailbox_id) in self.members
            return effect.value if is_member and self._sees(effect.value, arrival) else None
        calendar = self.calendars.get(mailbox_id)
        if calendar is not None and not calendar.is_staffed(self.at):
            return None
        turn = self.turns.get(effect.rule_id)
        candidates = [
            person
            for person in effect.people
            if person in self.present and (person, mailbox_id) in self.members and self._sees(person, arrival)
        ]
        if turn is None or not candidates:
            return None
        turn.person_id = next((person for person in candidates if person > turn.person_id), candidates[0])
        return turn.person_id

    def _sees(self, person_id: int, arrival: Arriving) -> bool:
        """Whether a member sees the conversation: a protected one, if they are named there."""
        row = arrival.conversation
        return not row.is_protected or person_id in self.named[row.pk]

    def _label(self, arrival: Arriving, effect: Effect) -> None:
        label = self.labels.get(effect.value)
        if label is not None and label.mailbox_id != arrival.mailbox.pk:
            # The message has been moved: it gets the label by the same name there, if there is one.
            name = label.name.lower()
            there = (each for each in self.labels.values() if each.mailbox_id == arrival.mailbox.pk)
            label = next((each for each in there if each.name.lower() == name), None)
        if label is None:
            return
        pair = (arrival.conversation.pk, label.pk)
        if pair not in self.labelled:
            self.labelled.add(pair)
            self.new_labelled.append(pair)
            self._record(arrival, effect, What.LABELLED, label.name)

    def _record(self, arrival: Arriving, effect: Effect, what: ConversationEvent.What, to: str = "") -> None:
        self.history.append(
            ConversationEvent(
                conversation=arrival.conversation,
                at=self.at,
                what=what,
                to=to[:_NAMES_IN_HISTORY],
                rule_name=effect.rule_name,
            )
        )


def _note_all(arrival: Arriving, failures: Iterable[tuple[int, str]]) -> None:
    for rule_id, failure in dict.fromkeys(failures):
        unit_of_work.notify(_note_failures, (rule_id, str(failure), arrival.message.pk))


def _note_failures(keys: Sequence[tuple[int, str, int]]) -> None:
    """Note on each rule how many messages it has failed for, and how it failed last."""

    def note() -> None:
        rows = ArrivalRule.objects.select_for_update(no_key=True).filter(pk__in={rule for rule, _, _ in keys})
        found = list(rows.defer("conditions").order_by("pk"))
        for row in found:
            failures = [(failure, message) for rule, failure, message in keys if rule == row.pk]
            row.failure_count += len({message for _, message in failures})
            row.last_failure, row.last_failed_at = failures[-1][0], timezone.now()
        unit_of_work.update(found, ["failure_count", "last_failure", "last_failed_at"])

    _guarded(note)
