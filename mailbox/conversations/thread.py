"""A conversation's messages in the order of their answers (refToMessageId), a page at a time.

What is read of all of them is four small columns; whole messages are read for one page only, so a
conversation of thousands costs little more than one of ten.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from mailbox.models import Conversation

PAGE: Final = 20


class Link(NamedTuple):
    """A message as the order sees it. `answers` is the key of what it answers, if that is here."""

    key: int
    message_id: UUID
    ref_to_message_id: UUID | None
    at: datetime
    answers: int | None = None

    @property
    def is_orphan(self) -> bool:
        """It answers something that is not here."""
        return self.ref_to_message_id is not None and self.answers is None


@dataclass(frozen=True, slots=True)
class ThreadPage:
    """The messages of a page, in order; pages are numbered from 1, the last has what is latest."""

    links: tuple[Link, ...]
    number: int
    count: int
    message_count: int

    @property
    def earlier(self) -> int | None:
        return self.number - 1 if self.number > 1 else None

    @property
    def later(self) -> int | None:
        return self.number + 1 if self.number < self.count else None


def page_of(
    conversation: Conversation, *, number: int | None = None, holding: int | None = None
) -> ThreadPage:
    """A page by its number, else the one that holds a message, else the one with the latest arrival."""
    columns = ("pk", "message_id", "ref_to_message_id", "at")
    links = in_order(Link(*row) for row in conversation.messages.values_list(*columns))
    count = max(1, -(-len(links) // PAGE))
    if number is None:
        wanted = holding if any(link.key == holding for link in links) else _latest(links)
        place = next((place for place, link in enumerate(links) if link.key == wanted), 0)
        number = place // PAGE + 1
    number = min(max(number, 1), count)
    return ThreadPage(tuple(links[(number - 1) * PAGE : number * PAGE]), number, count, len(links))


def in_order(links: Iterable[Link]) -> list[Link]:
    """Every answer below what it answers, those beside each other by time. Nothing is lost to a missing
    parent or to answers in a circle: what is not below anything stands by its time."""
    by_time = sorted(links, key=lambda link: (link.at, link.key))
    first = {link.message_id: link.key for link in reversed(by_time)}
    placed: list[Link] = []
    below: dict[int | None, list[Link]] = {}
    for link in by_time:
        parent = first.get(link.ref_to_message_id) if link.ref_to_message_id else None
        known = None if parent == link.key else parent
        told = link if known is None else link._replace(answers=known)
        below.setdefault(known, []).append(told)
        placed.append(told)
    reached: set[int] = set()
    found = list(_walk(below.get(None, ()), below, reached))
    for link in placed:
        # Only circles are left: each is opened at its earliest.
        if link.key not in reached:
            found += _walk((link,), below, reached)
    return found


def _walk(roots: Iterable[Link], below: dict[int | None, list[Link]], reached: set[int]) -> Iterator[Link]:
    waiting = list(reversed(list(roots)))
    while waiting:
        link = waiting.pop()
        if link.key in reached:
            continue
        reached.add(link.key)
        yield link
        waiting.extend(reversed(below.get(link.key, ())))


def _latest(links: list[Link]) -> int | None:
    return max(links, key=lambda link: (link.at, link.key)).key if links else None
