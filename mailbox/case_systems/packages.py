"""The package of a delivery: the record bundle of its conversation, made once and kept until the end."""

import hashlib
import os
from typing import Final

from django.db.models import Max

from mailbox.archive import write_bundle
from mailbox.models import CaseDelivery, Registration
from transport.storage import blobs
from transport.storage.work_files import workspace

from .connector import Package

FOLDER: Final = "case-packages"


def make(delivery: CaseDelivery) -> dict[str, object]:
    """Make and store the package; the columns of the delivery that tell of it.

    Raises `rendering.RenderingFailed`.
    """
    conversation = delivery.conversation
    # Asked first: what arrives meanwhile counts as not handed over.
    newest = conversation.messages.aggregate(newest=Max("pk"))["newest"] or 0
    made_by = delivery.ordered_by.name if delivery.ordered_by else conversation.mailbox.name
    with workspace("case-package") as directory, (directory / "bundle.zip").open("w+b") as target:
        write_bundle(conversation, target, made_by=made_by, made_at=delivery.ordered_at)
        size = target.seek(0, os.SEEK_END)
        target.seek(0)
        digest = hashlib.file_digest(target, "sha256").hexdigest()
        target.seek(0)
        # The lease in the name: a worker that lost it does not write over what another has stored.
        name = blobs.dated(FOLDER, f"{delivery.pk}-{delivery.lease}")
        stored = blobs.store(name, target, delivery.package_binding)
    return {
        "package_name": stored,
        "package_size": size,
        "package_sha256": digest,
        "newest_message": newest,
    }


def package_of(delivery: CaseDelivery) -> Package:
    """The package that has been made, and what the case system is told of it."""
    conversation = delivery.conversation
    held = conversation.registrations.filter(kind=Registration.Kind.CASE, ended_at=None).order_by("at", "pk")
    return Package(
        delivery_id=delivery.pk,
        participant=delivery.case_system.participant_id,
        function_address=conversation.mailbox.address,
        conversation_id=conversation.conversation_id,
        case_numbers=tuple(dict.fromkeys(str(row.case_number) for row in held)),
        is_confidential=conversation.is_confidential,
        ordered_at=delivery.ordered_at,
        size=delivery.package_size,
        sha256=delivery.package_sha256,
        open=lambda: blobs.open_stored(delivery.package_name, delivery.package_binding),
    )


def remove_forgotten() -> int:
    """Remove packages that no delivery names; how many."""
    return blobs.remove_orphaned(FOLDER, CaseDelivery.files_of)
