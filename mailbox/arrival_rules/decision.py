"""What rules decide about a message that has arrived: values in, values out, without the database.

Rules are looked at in their order. Each that matches adds its effects; of assigning, due date and moving the
first rule that says so decides. A message is moved once: the rules after a move are not looked at, and the
rules of the mailbox that it is moved to do not run, so that no rules can send it round in a circle.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any, Final, Self

from transport.message_api.api import function_patterns

from .phrases import folded, needle_of, words_of

# So many references, persons and files of a message are compared; a message may have thousands.
MOST_COMPARED: Final = 100


class Unreadable(Exception):
    """What is stored of a rule is not what this version writes."""


@dataclass(frozen=True, slots=True)
class ArrivalFacts:
    """What rules may look at of a message. References and persons are values and labels as they are shown;
    `files` are pairs of name and content type."""

    organisation: str
    function: str
    subject: str
    is_confidential: bool
    our_references: Sequence[str] = ()
    their_references: Sequence[str] = ()
    persons: Sequence[str] = ()
    files: Sequence[tuple[str, str]] = ()


class _Stored:
    """A dataclass that is stored as JSON, without what is empty."""

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """Raises `Unreadable`."""
        kinds = {each.name: each.default for each in fields(cls)}  # type: ignore[arg-type]
        if not isinstance(value, Mapping) or not set(value) <= set(kinds):
            raise Unreadable
        given: dict[str, Any] = {}
        for name, stored in value.items():
            is_list = isinstance(kinds[name], tuple)
            if isinstance(stored, list) is not is_list:
                raise Unreadable
            wanted: tuple[type, ...] = (str,) if name in _TEXTS else (int, bool)
            if any(not isinstance(item, wanted) for item in (stored if is_list else [stored])):
                raise Unreadable
            given[name] = tuple(stored) if is_list else stored
        return cls(**given)

    def as_json(self) -> dict[str, Any]:
        """The value as it is stored."""
        stored = asdict(self)  # type: ignore[call-overload]
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in stored.items()
            if (value or value == 0) and (value is not False or name in _FALSE_IS_SAID)
        }


_FALSE_IS_SAID: Final = frozenset({"is_confidential", "has_files"})


@dataclass(frozen=True, slots=True)
class Conditions(_Stored):
    """All of them have to hold; of the lines of one, any. What is empty is not asked for.

    Organisations, functions and references are patterns (`function_patterns`); words and persons are phrases
    (`phrases`); file types are endings of names, or patterns of content types where they have a slash.
    """

    organisations: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()
    our_references: tuple[str, ...] = ()
    their_references: tuple[str, ...] = ()
    persons: tuple[str, ...] = ()
    is_confidential: bool | None = None
    has_files: bool | None = None
    file_types: tuple[str, ...] = ()
    words: tuple[str, ...] = ()

    def is_empty(self) -> bool:
        """Whether every message meets them."""
        return self == Conditions()

    def hold(self, arrival: ArrivalFacts) -> bool:
        """Whether the message meets all of them."""
        return (
            self.is_confidential in (None, arrival.is_confidential)
            and self.has_files in (None, bool(arrival.files))
            and _matches(self.organisations, [arrival.organisation])
            and _matches(self.functions, [arrival.function])
            and _matches(_folded(self.our_references), _folded(arrival.our_references))
            and _matches(_folded(self.their_references), _folded(arrival.their_references))
            and _has_phrase(self.words, [arrival.subject])
            and _has_phrase(self.persons, arrival.persons)
            and _has_type(self.file_types, arrival.files)
        )


@dataclass(frozen=True, slots=True)
class Actions(_Stored):
    """What a rule does. People, the label and the mailbox are keys of rows, which may be gone by now.

    `assigns_in_turn` assigns to one of `among` who is present, or of all members where `among` is empty.
    """

    label: int | None = None
    is_priority: bool = False
    due_days: int | None = None
    assign_to: int | None = None
    assigns_in_turn: bool = False
    among: tuple[int, ...] = ()
    move_to: int | None = None
    notify: tuple[int, ...] = ()


_TEXTS: Final = frozenset(
    {"organisations", "functions", "our_references", "their_references", "persons", "file_types", "words"}
)


class Kind(StrEnum):
    """The kinds of effects, in the order in which one rule's are written in the history."""

    MOVE = "move"
    LABEL = "label"
    PRIORITY = "priority"
    DUE = "due"
    ASSIGN = "assign"
    ASSIGN_IN_TURN = "assign-in-turn"
    NOTIFY = "notify"


# Of these the first rule that says so decides.
_ONCE: Final[Mapping[Kind, str]] = {
    Kind.PRIORITY: "priority",
    Kind.DUE: "due",
    Kind.ASSIGN: "assignee",
    Kind.ASSIGN_IN_TURN: "assignee",
}
# What is for members of the mailbox that the message leaves.
_FOR_MEMBERS: Final = frozenset({Kind.ASSIGN, Kind.ASSIGN_IN_TURN, Kind.NOTIFY})


@dataclass(frozen=True, slots=True)
class Effect:
    """Something that a rule does with a message. `value` is the key of the label, person or mailbox, or the
    number of days; `people` are keys, of those to choose from or to notify."""

    kind: Kind
    rule_id: int
    rule_name: str
    value: int = 0
    people: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule that can be decided by: its actions as far as they can be done (`effects`), and codes of those
    that cannot (`failures`, `ArrivalRule.Failure`). One without conditions that can be read never matches,
    and fails with every message."""

    key: int
    conditions: Conditions | None
    effects: tuple[Effect, ...] = ()
    failures: tuple[str, ...] = ()
    stops: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be done with a message; which rules matched, and how rules failed, by their keys."""

    effects: tuple[Effect, ...] = ()
    matched: frozenset[int] = frozenset()
    failures: tuple[tuple[int, str], ...] = ()

    @property
    def move(self) -> Effect | None:
        """The effect that moves the message to another mailbox, if any does."""
        return next((effect for effect in self.effects if effect.kind is Kind.MOVE), None)


@dataclass(slots=True)
class _Deciding:
    """A decision that is being made."""

    effects: list[Effect] = field(default_factory=list)
    decided: set[str] = field(default_factory=set)

    def add(self, rule: Rule, *, may_move: bool) -> bool:
        """Add the effects of a rule that matches; whether it moves the message."""
        moves = may_move and any(effect.kind is Kind.MOVE for effect in rule.effects)
        if moves:
            self.effects = [effect for effect in self.effects if effect.kind not in _FOR_MEMBERS]
        for effect in rule.effects:
            once = _ONCE.get(effect.kind)
            is_left_out = effect.kind in _FOR_MEMBERS if moves else effect.kind is Kind.MOVE
            if is_left_out or once in self.decided:
                continue
            self.effects.append(effect)
            if once is not None:
                self.decided.add(once)
        return moves


def decide(rules: Iterable[Rule], arrival: ArrivalFacts, *, may_move: bool = True) -> Decision:
    """What the rules do with a message. `may_move` says whether it may be moved to another mailbox."""
    deciding, matched, failures = _Deciding(), set(), []
    for rule in rules:
        is_matched = rule.conditions is not None and rule.conditions.hold(arrival)
        if is_matched or rule.conditions is None:
            failures += [(rule.key, failure) for failure in rule.failures]
        if not is_matched:
            continue
        matched.add(rule.key)
        if deciding.add(rule, may_move=may_move) or rule.stops:
            break
    return Decision(tuple(deciding.effects), frozenset(matched), tuple(failures))


def _folded(texts: Iterable[str]) -> list[str]:
    return [folded(text) for text in texts]


def _matches(patterns: Sequence[str], texts: Sequence[str]) -> bool:
    return not patterns or any(
        function_patterns.matches(patterns, text) for text in list(texts)[:MOST_COMPARED]
    )


def _has_phrase(phrases: Sequence[str], texts: Sequence[str]) -> bool:
    if not phrases:
        return True
    needles = [needle_of(phrase) for phrase in phrases]
    compared = [words_of(text) for text in list(texts)[:MOST_COMPARED]]
    return any(needle in text for needle in needles for text in compared)


def _has_type(types: Sequence[str], files: Sequence[tuple[str, str]]) -> bool:
    if not types:
        return True
    endings = {kind.removeprefix(".") for kind in _folded(types) if "/" not in kind}
    patterns = [kind for kind in _folded(types) if "/" in kind]
    for name, content_type in list(files)[:MOST_COMPARED]:
        if folded(name).rpartition(".")[2] in endings and "." in name:
            return True
        if patterns and function_patterns.matches(patterns, folded(content_type.partition(";")[0])):
            return True
    return False
