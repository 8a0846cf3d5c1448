"""Who writes in a draft, and its earlier versions.

All members of its mailbox see a draft; its owner writes in it. A colleague can take it over: the owner's page
is notified at once, and what the owner types after that is not saved, but shown beside the draft. The content
that a draft had before it was taken over, restored or shortened by much is kept as a version.
"""

from typing import Final

from django.db import transaction
from django.utils import timezone

from mailbox import events
from mailbox.approval import ending
from mailbox.models import Draft, DraftVersion, Person

from .draft_lock import EDITABLE, locked, locked_for_reader, save_changed

MOST_VERSIONS: Final = 10
# A text that loses more than this share of itself at once may have been lost by mistake.
_MUCH: Final = 0.5
_LEAST_CHARACTERS: Final = 40


class NoSuchVersion(Exception):
    """The version is not one of the draft's."""


def take_over(draft_id: int, version: int, person: Person) -> Draft:
    """Make the person the draft's owner; its content is kept as a version.

    Raises `DraftChanged` if it has changed since the person saw it, `DraftGone`, `DraftOnItsWay`.
    """
    with transaction.atomic():
        draft = locked_for_reader(draft_id, version, person)
        if draft.owner_id == person.pk:
            return draft
        keep_version(draft)
        draft.owner, draft.taken_over_at = person, timezone.now()
        draft.version += 1
        # `changed_at` and `changed_by` are left: they tell who wrote its content.
        draft.save(update_fields=["owner", "taken_over_at", "version"])
        ending.end_of_draft(draft, person)
        events.announce(draft.mailbox_id)
        return draft


def restore(draft_id: int, version: int, earlier: int, person: Person) -> Draft:
    """Restore the content of an earlier version; the current content is kept as a version.

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
    """Keep the content of a locked draft as a version, unless the newest version has the same."""
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
    """Whether a text has been shortened so much that it may be by mistake."""
    length = len(before.strip())
    return length >= _LEAST_CHARACTERS and len(after.strip()) < length * _MUCH
