"""Who writes in a draft, and what it said before.

A draft is seen by its whole mailbox and written by its owner. A colleague takes it over in so many words; the
owner's page is told at once, and what the owner types after that is saved nowhere but shown beside the draft.
What a draft said before it was taken over, restored, or shortened by much is kept as a version of it.
"""

from typing import Final

from django.db import transaction
from django.utils import timezone

from mailbox import events
from mailbox.models import Draft, DraftVersion, Person

from .draft_lock import EDITABLE, locked, locked_for_reader, save_changed

MOST_VERSIONS: Final = 10
# A text that loses more than this share of itself at once may have been lost by mistake.
_MUCH: Final = 0.5
_LEAST_CHARACTERS: Final = 40


class NoSuchVersion(Exception):
    """The version is not one of the draft's."""


def take_over(draft_id: int, version: int, person: Person) -> Draft:
    """Make the person the draft's owner; what it says is kept as a version first.

    Raises `DraftChanged` where it is not as the person has seen it, `DraftGone`, `DraftOnItsWay`.
    """
    with transaction.atomic():
        draft = locked_for_reader(draft_id, version, person)
        if draft.owner_id == person.pk:
            return draft
        keep_version(draft)
        draft.owner, draft.taken_over_at = person, timezone.now()
        draft.version += 1
        # `changed_at` and `changed_by` go on telling who wrote what stands in it.
        draft.save(update_fields=["owner", "taken_over_at", "version"])
        events.announce(draft.mailbox_id)
        return draft


def restore(draft_id: int, version: int, earlier: int, person: Person) -> Draft:
    """Let the draft say what an earlier version of it says; what it said until now is kept as a version.

    Raises `NoSuchVersion`, `DraftTakenOver`, `DraftChanged`, `DraftGone`, `DraftOnItsWay`.
    """
    with transaction.atomic():
        draft = locked(draft_id, version, person)
        row = draft.versions.filter(pk=earlier).first()
        if row is None:
            raise NoSuchVersion
        values = dict(row.content)
        keep_version(draft)
        for name in EDITABLE:
            setattr(draft, name, values.get(name, getattr(draft, name)))
        save_changed(draft, person)
        return draft


def keep_version(draft: Draft) -> None:
    """Keep what a locked draft says as a version, unless the newest version says the same."""
    content = {name: getattr(draft, name) for name in EDITABLE}
    newest = draft.versions.first()
    if not any(content.values()) or (newest is not None and newest.content == content):
        return
    DraftVersion.objects.create(
        draft=draft,
        content=content,
        written_by=draft.changed_by,
        written_at=draft.changed_at or timezone.now(),
    )
    old = draft.versions.values_list("pk", flat=True)[MOST_VERSIONS:]
    draft.versions.filter(pk__in=list(old)).delete()


def loses_much(before: str, after: str) -> bool:
    """Whether a text is shortened by so much that it may have been lost by mistake."""
    length = len(before.strip())
    return length >= _LEAST_CHARACTERS and len(after.strip()) < length * _MUCH
