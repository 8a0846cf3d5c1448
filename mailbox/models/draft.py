"""Drafts, which all members of a mailbox see and one person at a time writes."""

import uuid
from datetime import timedelta
from typing import Any, ClassVar, Final, Self

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.functions import RandomUUID
from django.db import models

from transport.storage.blobs import BlobBinding
from transport.storage.encryption.fields import EncryptedJSONField, EncryptedTextField

from .conversation import FunctionMailbox, Message

_OF_DRAFT: Final[Any] = {"organisation": "mailbox.participant_id", "bound_to": ("key",)}


# How long sending can be undone at most; what waits longer is to be sent at a chosen time.
LONGEST_UNDO: Final = timedelta(minutes=10)


class Draft(models.Model):
    """A draft. Its owner writes in it; colleagues read it until one of them takes it over.

    `version` grows with every change, so that nobody overwrites a change that they have not seen.
    """

    mailbox = models.ForeignKey(FunctionMailbox, models.PROTECT, related_name="drafts")
    key = models.UUIDField(default=uuid.uuid4, db_default=RandomUUID(), editable=False)
    answers = models.ForeignKey(Message, models.PROTECT, null=True, blank=True, related_name="+")
    forwards = models.ForeignKey(
        Message, models.SET_NULL, null=True, blank=True, related_name="+", help_text="what it forwards"
    )
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", help_text="who writes in it"
    )
    taken_over_at = models.DateTimeField(null=True, blank=True, help_text="when its owner took it over")
    is_untouched = models.BooleanField(
        default=False,
        db_default=False,
        help_text="only looked at, nothing written yet: nobody else sees it, and it is removed by itself",
    )
    recipient_participant = models.CharField(max_length=260, blank=True)
    recipient_organisation = models.CharField(max_length=256, blank=True)
    recipient_address = models.TextField(
        blank=True, help_text="the function address: as long as that of the message which it answers"
    )
    recipient_function = models.CharField(max_length=256, blank=True)
    subject = EncryptedTextField(max_length=256, blank=True, **_OF_DRAFT)
    text = EncryptedTextField(blank=True, **_OF_DRAFT)
    is_confidential = models.BooleanField(default=False)
    reference_kind = models.CharField(max_length=100, blank=True)
    reference = EncryptedTextField(max_length=256, blank=True, **_OF_DRAFT)
    person_name = EncryptedTextField(
        max_length=256, blank=True, help_text="whom it concerns at the recipient", **_OF_DRAFT
    )
    further_references = EncryptedJSONField(
        default=list, db_default=[], help_text="[{root, value}]", **_OF_DRAFT
    )
    further_persons = EncryptedJSONField(default=list, db_default=[], help_text="[name]", **_OF_DRAFT)
    is_inside = models.BooleanField(
        default=False,
        db_default=False,
        help_text="to another mailbox of the organisation, whether the address book has it or not",
    )
    mailing = models.ForeignKey(
        "mailbox.Mailing",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        help_text="what it is a part of, when it has been sent to some of its recipients",
    )
    seen_message = models.BigIntegerField(
        null=True, blank=True, help_text="the conversation's newest message that whoever writes has seen"
    )
    send_at = models.DateTimeField(null=True, blank=True, help_text="sent then, unless somebody undoes it")
    send_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    trouble = models.CharField(max_length=10, blank=True, help_text="why it came back instead of being sent")
    version = models.PositiveIntegerField(default=1)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    changed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    changed_at = models.DateTimeField(auto_now=True)
    writer_ids = ArrayField(
        models.BigIntegerField(),
        default=list,
        db_default=[],
        help_text="keys of all who have changed it: none of them approves it",
    )

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        ordering = ["-changed_at"]
        indexes = [
            models.Index(fields=["mailbox", "-changed_at", "-id"], name="draft_latest"),
            models.Index(fields=["send_at"], name="draft_to_send", condition=models.Q(send_at__isnull=False)),
        ]

    @property
    def is_sent_later(self) -> bool:
        """Whether it waits for a time that its sender has chosen, rather than for the seconds of undo."""
        return self.send_at is not None and self.send_at - self.changed_at > LONGEST_UNDO

    @property
    def references(self) -> list[tuple[str, str]]:
        """All references: the kind and the value of each."""
        further = [(item["root"], item["value"]) for item in self.further_references]
        return [(self.reference_kind, self.reference), *further] if self.reference else further

    @property
    def persons(self) -> list[str]:
        return [name for name in (self.person_name, *self.further_persons) if name]


class DraftVersion(models.Model):
    """The content of a draft before it was taken over, restored, or shortened by much."""

    draft = models.ForeignKey(Draft, models.CASCADE, related_name="versions")
    key = models.UUIDField(default=uuid.uuid4, db_default=RandomUUID(), editable=False)
    content = EncryptedJSONField(
        default=dict,
        db_default={},
        help_text="{field: value} of what a person writes",
        organisation="draft.mailbox.participant_id",
        bound_to=("key",),
    )
    written_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    written_at = models.DateTimeField(help_text="when it was last changed")

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        ordering = ["-pk"]


class DraftRecipient(models.Model):
    """A recipient of a draft besides the first; each recipient gets a message of its own."""

    draft = models.ForeignKey(Draft, models.CASCADE, related_name="further_recipients")
    participant = models.CharField(max_length=260)
    organisation = models.CharField(max_length=256)
    address = models.CharField(max_length=500)
    function = models.CharField(max_length=256)

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["draft", "participant", "address"], name="draft_recipient_once")
        ]


class DraftAttachment(models.Model):
    """A file of a draft."""

    draft = models.ForeignKey(Draft, models.CASCADE, related_name="attachments")
    name = EncryptedTextField(
        max_length=255, organisation="draft.mailbox.participant_id", bound_to=("draft_id", "file_key")
    )
    content_type = models.CharField(max_length=200)
    size = models.BigIntegerField(help_text="bytes")
    sha256 = models.CharField(max_length=64)
    file_name = models.CharField(max_length=300)
    file_key = models.UUIDField(null=True, db_index=True, help_text="what the file's name begins with")

    objects: ClassVar[models.Manager[Self]] = models.Manager()
    stored_files: ClassVar = {"file_name": "binding"}

    class Meta:
        ordering = ["id"]

    @property
    def binding(self) -> BlobBinding:
        return BlobBinding(self.draft.mailbox.participant_id, "file", self.file_key)
