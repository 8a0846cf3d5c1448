"""Canned texts, signatures, distribution lists and mailings of mailboxes."""

import uuid
from typing import Any, ClassVar, Final, Self

from django.conf import settings
from django.contrib.postgres.functions import RandomUUID
from django.db import models

from transport.storage.encryption.fields import EncryptedTextField

from .conversation import FunctionMailbox

_BY_KEY: Final[Any] = {"organisation": "mailbox.participant_id", "bound_to": ("key",)}


class WritingChoices(models.Model):
    """A mailbox's signature, how long a sending can be undone, and whether answering assigns."""

    mailbox = models.OneToOneField(FunctionMailbox, models.CASCADE, related_name="writing_choices")
    key = models.UUIDField(default=uuid.uuid4, db_default=RandomUUID(), editable=False)
    signature = EncryptedTextField(blank=True, **_BY_KEY)
    undo_seconds = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="0 sends at once; empty means the node's own"
    )

    assigns_on_answer = models.BooleanField(
        default=True,
        db_default=True,
        help_text="whoever answers a conversation that nobody is responsible for becomes its assignee",
    )

    objects: ClassVar[models.Manager[Self]] = models.Manager()


class CannedText(models.Model):
    """A text for drafts; `mailbox.drafts.canned_texts` fills in its placeholders."""

    mailbox = models.ForeignKey(FunctionMailbox, models.CASCADE, related_name="canned_texts")
    key = models.UUIDField(default=uuid.uuid4, db_default=RandomUUID(), editable=False)
    name = models.CharField(max_length=100)
    text = EncryptedTextField(**_BY_KEY)
    changed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    changed_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        ordering = ["name", "id"]
        constraints = [models.UniqueConstraint(fields=["mailbox", "name"], name="canned_text_once")]

    def __str__(self) -> str:
        return self.name


class DistributionList(models.Model):
    """Recipients that a mailbox often writes to together."""

    mailbox = models.ForeignKey(FunctionMailbox, models.CASCADE, related_name="distribution_lists")
    name = models.CharField(max_length=100)
    changed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    changed_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        ordering = ["name", "id"]
        constraints = [models.UniqueConstraint(fields=["mailbox", "name"], name="distribution_list_once")]

    def __str__(self) -> str:
        return self.name


class ListedRecipient(models.Model):
    """A function on a distribution list, by its address, since rows of the address book may be replaced."""

    distribution_list = models.ForeignKey(DistributionList, models.CASCADE, related_name="recipients")
    participant = models.CharField(max_length=260)
    organisation = models.CharField(max_length=256)
    address = models.CharField(max_length=500)
    function = models.CharField(max_length=256)

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        ordering = ["organisation", "function", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["distribution_list", "participant", "address"], name="listed_recipient_once"
            )
        ]


class Mailing(models.Model):
    """Messages that were sent to several recipients at once."""

    mailbox = models.ForeignKey(FunctionMailbox, models.CASCADE, related_name="mailings")
    at = models.DateTimeField()
    written_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        indexes = [models.Index(fields=["mailbox", "-id"], name="mailing_latest")]
