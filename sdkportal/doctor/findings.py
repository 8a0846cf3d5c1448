"""What a check is, and what it finds."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final


class Level(IntEnum):
    """How serious a finding is; also the exit status of the command."""

    OK = 0
    WARNING = 1
    FAILURE = 2


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found. `code` names what to do (`texts.ADVICE`), and is empty where all is well.

    `detail` is what was measured, without secrets. `participant` is the organisation that it is about; empty
    for what is the whole node's.
    """

    level: Level
    code: str = ""
    detail: str = ""
    participant: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """A check by its name (`texts.NAMES`). What it has not found in `seconds` is not waited for."""

    name: str
    examine: Callable[[], Iterable[Finding]]
    seconds: float = 10.0


# Codes that any check may end with.
UNAVAILABLE_DATABASE: Final = "database-unavailable"
NO_ANSWER_IN_TIME: Final = "no-answer-in-time"
UNEXPECTED: Final = "unexpected"


def ok(detail: str = "", participant: str = "") -> Finding:
    return Finding(Level.OK, "", detail, participant)


def warning(code: str, detail: str = "", participant: str = "") -> Finding:
    return Finding(Level.WARNING, code, detail, participant)


def failure(code: str, detail: str = "", participant: str = "") -> Finding:
    return Finding(Level.FAILURE, code, detail, participant)


def duration(seconds: float) -> str:
    """A time as people read it: `12 s`, `5 min`, `3 h`, `9 d`."""
    for size, unit in ((86400 * 2, "d"), (3600 * 2, "h"), (120, "min")):
        if seconds >= size:
            return f"{seconds / {'d': 86400, 'h': 3600, 'min': 60}[unit]:.0f} {unit}"
    return f"{seconds:.0f} s"
