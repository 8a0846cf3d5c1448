"""The files of a draft."""

from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models import Sum

from mailbox.attachments import uploads
from mailbox.models import Draft, DraftAttachment, Person
from transport.message_service.api import quarantine
from transport.storage import blobs

from .draft_lock import DraftGone, DraftOnItsWay, DraftTakenOver, files_changed, locked_at_any_version


def attach(draft: Draft, upload: "UploadedFile[Any]", person: Person | None = None) -> DraftAttachment:
    """Store an uploaded file in the draft; only its owner may, where a person is given.

    Raises `uploads.FileRefused`, `DraftTakenOver`, `DraftGone`, `DraftOnItsWay`.
    """
    room = uploads.room_for_files()
    try:
        stored = uploads.store_upload(
            upload, "drafts", draft.mailbox.participant_id, room=room - _size_of_files(draft)
        )
    except uploads.FileRefused as refused:
        if refused.signature:
            quarantine.record_refused_upload(
                draft.mailbox.participant_id, draft.mailbox.address, refused.signature, upload.size or 0
            )
        raise
    return keep_file(draft, stored, person, room=room)


def keep_file(
    draft: Draft,
    stored: uploads.StoredFile,
    person: Person | None = None,
    *,
    room: int | None = None,
    is_written: bool = True,
) -> DraftAttachment:
    """Add a stored file to the draft, whose files may take `room` bytes together.

    `is_written` is false for files of a new draft, which stays untouched. Raises `DraftTakenOver`,
    `DraftOnItsWay`, `uploads.FileRefused`, and `DraftGone` also where the draft has moved to another mailbox
    since it was read; the file is then deleted.
    """
    try:
        with transaction.atomic():
            row = locked_at_any_version(draft.pk, person)
            if row.mailbox_id != draft.mailbox_id:
                raise DraftGone
            if row.is_untouched and is_written:
                Draft.objects.filter(pk=row.pk).update(is_untouched=False)
            # Other files may have been added while this one was being stored.
            if room is not None and _size_of_files(draft) + stored.size > room:
                raise uploads.FileRefused("size")
            files_changed(row, person)
            return DraftAttachment.objects.create(
                draft=draft,
                name=stored.name,
                content_type=stored.content_type,
                size=stored.size,
                sha256=stored.sha256,
                file_name=stored.file_name,
                file_key=stored.file_key,
            )
    except (DraftGone, DraftOnItsWay, DraftTakenOver, uploads.FileRefused):
        blobs.remove(stored.file_name)
        raise


def _size_of_files(draft: Draft) -> int:
    return draft.attachments.aggregate(total=Sum("size"))["total"] or 0


def detach(attachment: DraftAttachment, person: Person | None = None) -> None:
    """Remove a file from a draft; only its owner may, where a person is given.

    Raises `DraftTakenOver`, `DraftGone`, `DraftOnItsWay`.
    """
    with transaction.atomic():
        row = locked_at_any_version(attachment.draft_id, person)
        if row.mailbox_id != attachment.draft.mailbox_id:
            raise DraftGone
        files_changed(row, person)
        name = attachment.file_name
        attachment.delete()
        blobs.remove_on_commit(name)
