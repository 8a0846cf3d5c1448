"""Locking a draft for a change, if the person may make it and has seen the current version."""

from typing import Final

from mailbox import access
from mailbox.approval import ending
from mailbox.models import Draft, Person

# The fields of a draft that a person writes.
EDITABLE: Final = (
    "subject",
    "text",
    "is_confidential",
    "reference_kind",
    "reference",
    "person_name",
    "further_references",
    "further_persons",
)


class DraftChanged(Exception):
    """The draft has been changed since it was read: nothing has been saved."""


class DraftTakenOver(DraftChanged):
    """Somebody else is the draft's owner: nothing has been saved."""


class DraftGone(Exception):
    """The draft has been sent or discarded, or the person does not see its mailbox any more."""


class DraftOnItsWay(Exception):
    """The draft waits to be sent: the order has to be undone before it can be changed."""


def locked(draft_id: int, version: int, person: Person) -> Draft:
    """The draft, locked until this transaction ends, for a change by its owner.

    A draft that has moved with its conversation to a mailbox that the person does not see is gone for them.

    Raises `DraftTakenOver`, `DraftChanged`, `DraftGone`, `DraftOnItsWay`.
    """
    draft = _unsent(draft_id)
    check_seen(draft, person)
    check_owner(draft, person)
    if draft.version != version:
        raise DraftChanged
    return draft


def locked_for_reader(draft_id: int, version: int, person: Person | None = None) -> Draft:
    """The draft, locked until this transaction ends, for a change by anybody: taking it over, discarding it.

    Raises `DraftChanged`, `DraftGone`, `DraftOnItsWay`.
    """
    draft = _unsent(draft_id)
    if person is not None:
        check_seen(draft, person)
    if draft.version != version:
        raise DraftChanged
    return draft


def locked_at_any_version(draft_id: int, person: Person | None = None) -> Draft:
    """`locked` without a check of the version. Raises `DraftTakenOver`, `DraftGone`, `DraftOnItsWay`."""
    draft = _unsent(draft_id)
    if person is not None:
        check_seen(draft, person)
        check_owner(draft, person)
    return draft


def check_seen(draft: Draft, person: Person) -> None:
    """Raises `DraftGone` where the person does not see a locked draft, or only reads."""
    if not access.drafts_to_work_on(person).filter(pk=draft.pk).exists():
        raise DraftGone


def check_owner(draft: Draft, person: Person) -> None:
    """Raises `DraftTakenOver` where somebody else owns a locked draft."""
    if not may_write(draft, person):
        raise DraftTakenOver


def may_write(draft: Draft, person: Person) -> bool:
    """Whether the person may write in the draft: its owner, or anybody where it has none."""
    return draft.owner_id in {None, person.pk}


def save_changed(draft: Draft, person: Person) -> None:
    """Save a locked draft that the person has changed, as its next version; it has to be approved anew."""
    draft.version += 1
    draft.writer_ids = sorted({*draft.writer_ids, person.pk})
    draft.changed_by = person
    draft.owner = draft.owner or person
    draft.is_untouched = False
    draft.trouble = ""
    draft.save()
    ending.end_of_draft(draft, person)


def files_changed(draft: Draft, person: Person | None) -> None:
    """Note that the files of a locked draft have been changed: it has to be approved anew."""
    if person is not None and person.pk not in draft.writer_ids:
        draft.writer_ids = sorted({*draft.writer_ids, person.pk})
        draft.save(update_fields=["writer_ids"])
    ending.end_of_draft(draft, person)


def _unsent(draft_id: int) -> Draft:
    draft = Draft.objects.select_for_update().filter(pk=draft_id).first()
    if draft is None:
        raise DraftGone
    if draft.send_at is not None:
        raise DraftOnItsWay
    return draft
