"""What figures do not tell, so that nobody is known by them.

How fast work goes is a figure about a person where few people work. Times and missed limits are told to a
leader of at least `FEWEST_PEOPLE` together; of the parts of a sum either all tell them or none, since the
last part is the sum without the others.

An organisation that is seldom written with, or only in protected conversations, may give one conversation
away. Those are told as one sum, to everybody.
"""

from collections.abc import Collection, Iterable, Mapping, Set
from typing import Final

from mailbox import access
from mailbox.models import Membership

FEWEST_PEOPLE: Final = 3
FEWEST_MESSAGES: Final = 5


def workers_of(mailbox_ids: Collection[int]) -> dict[int, set[int]]:
    """The keys of the people who work in each mailbox now, in one query."""
    rows = Membership.objects.filter(
        access.current_memberships(),
        access.working_memberships(),
        mailbox__in=mailbox_ids,
        person__is_active=True,
    )
    found: dict[int, set[int]] = {}
    for mailbox, person in rows.values_list("mailbox", "person"):
        found.setdefault(mailbox, set()).add(person)
    return found


def are_enough(groups: Iterable[Set[int]]) -> bool:
    """Whether the people of several mailboxes are so many together that times tell of none of them."""
    return len(set().union(*groups)) >= FEWEST_PEOPLE


def named(messages: Mapping[str, int]) -> set[str]:
    """Of counterparts with their numbers of messages: those that are told by name. The empty one stands for
    protected conversations, and is never the only one that is not told."""
    told = {key for key, count in messages.items() if key and count >= FEWEST_MESSAGES}
    if messages.get("") and len(told) == len(messages) - 1 and told:
        told.remove(min(told, key=lambda key: (messages[key], key)))
    return told
