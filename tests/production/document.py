"""The commands of a chapter of the documentation, as an administrator would type them."""

import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

DOCS: Final = Path(__file__).resolve().parent.parent.parent / "docs"
# A code block stands further in than its text by four: below a step by that step's own indentation besides.
_STEP: Final = re.compile(r"^(\d+)\. ")


@dataclass(frozen=True)
class Step:
    """A numbered step of a chapter, with the lines of its code blocks; 0 is what stands before the first."""

    number: int
    lines: tuple[str, ...]

    @property
    def commands(self) -> tuple[str, ...]:
        """The commands of the step, each on one line: what ends with a backslash goes on in the next."""
        return tuple(re.sub(r"\s*\\\n\s*", " ", "\n".join(self.lines)).splitlines())


def steps_of(page: str, heading: str) -> list[Step]:
    """The steps below a heading, up to the next heading of any level."""
    text = (DOCS / page).read_text()
    _, is_there, chapter = text.partition(f"\n{heading}\n")
    if not is_there:
        raise ValueError(f"docs/{page} has no {heading}")
    number, indentation, found = 0, 0, {0: []}
    for line in re.split(r"^#+ ", chapter, maxsplit=1, flags=re.MULTILINE)[0].splitlines():
        if begins := _STEP.match(line):
            number, indentation = int(begins[1]), len(begins[0])
            found[number] = []
        elif line.startswith(" " * (indentation + 4)):
            found[number].append(line)
    return [Step(each, tuple(textwrap.dedent("\n".join(found[each])).splitlines())) for each in found]


def block_of(page: str, heading: str) -> str:
    """The code block below a heading that has no steps."""
    (step,) = steps_of(page, heading)
    return "\n".join(step.lines) + "\n"


class FillIn:
    """Replaces what is the administrator's to fill in; `unused` is what the texts so far did not have."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self.unused = set(values)

    def __call__(self, text: str) -> str:
        for name, value in self._values.items():
            if name in text:
                self.unused.discard(name)
                text = text.replace(name, value)
        return text


def words_in_capitals(commands: Sequence[str]) -> set[str]:
    """What is to be filled in: the version, and passwords such as OWNER-PASSWORD."""
    return {word for command in commands for word in re.findall(r"[A-Z]+-PASSWORD|\bVERSION\b", command)}
