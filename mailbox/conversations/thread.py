"""A conversation's messages, each after the one that it answers (refToMessageId), a page at a time.

Four small columns are read of all messages, whole messages of one page only: a conversation of thousands
costs little more than one of ten.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from mailbox.models import Conversation

PAGE: Final = 20


class Link(NamedTuple):
    """What the order needs of a message. `answers` is the key of what it answers; None if that is missing."""

    key: int
    message_id: UUID
    ref_to_message_id: UUID | None
    at: datetime
    answers: int | None = None

    @property
    def is_orphan(self) -> bool:
        """Whether it answers a message that is not here."""
        return self.ref_to_message_id is not None and self.answers is None


@dataclass(frozen=True, slots=True)
class ThreadPage:
    """The messages of a page, in order. Pages are numbered from 1."""

    links: tuple[Link, ...]
    number: int
    count: int
    message_count: int

    @property
    def earlier(self) -> int | None:
        """The number of the page before, if there is one."""
        return self.number - 1 if self.number > 1 else None

    @property
    def later(self) -> int | None:
        """The number of the next page, if there is one."""
        return self.number + 1 if self.number < self.count else None


def page_of(
    conversation: Conversation, *, number: int | None = None, holding: int | None = None
) -> ThreadPage:
    """The page with this number, else that with the message `holding`, else that with the latest message."""
    columns = ("pk", "message_id", "ref_to_message_id", "at")
    links = in_order(Link(*row) for row in conversation.messages.values_list(*columns))
    count = max(1, -(-len(links) // PAGE))
    if number is None:
        wanted = holding if any(link.key == holding for link in links) else _latest(links)
        index = next((index for index, link in enumerate(links) if link.key == wanted), 0)
        number = index // PAGE + 1
    number = min(max(number, 1), count)
    return ThreadPage(tuple(links[(number - 1) * PAGE : number * PAGE]), number, count, len(links))


def in_order(links: Iterable[Link]) -> list[Link]:
    """Sort messages so that answers follow what they answer, and answers to the same message go by time.

    Messages that answer nothing, or a message that is not here, go by time; so does the earliest of messages
    that answer each other in a circle.
    """
    by_time = sorted(links, key=lambda link: (link.at, link.key))
    first = {link.message_id: link.key for link in reversed(by_time)}
    all_linked: list[Link] = []
    below: dict[int | None, list[Link]] = {}
    for link in by_time:
        parent = first.get(link.ref_to_message_id) if link.ref_to_message_id else None
        answered = None if parent == link.key else parent
        linked = link if answered is None else link._replace(answers=answered)
        below.setdefault(answered, []).append(linked)
        all_linked.append(linked)
    reached: set[int] = set()
    found = list(_walk(below.get(None, ()), below, reached))
    for link in all_linked:
        # Only circles have not been reached: each begins at its earliest message.
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
