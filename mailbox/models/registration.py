"""Registrations of messages: by a case number, or as of minor importance; earlier ones are kept."""

import uuid
from typing import Any, ClassVar, Final, Self

from django.conf import settings
from django.contrib.postgres.functions import RandomUUID
from django.db import models

from transport.storage.encryption.fields import EncryptedTextField

from .conversation import Conversation, Message
from .retention import RetentionRule

_OF_REGISTRATION: Final[Any] = {"organisation": "conversation.mailbox.participant_id", "bound_to": ("key",)}


class Registration(models.Model):
    """Messages of a conversation were registered with a case number, or found to be of minor importance.

    It holds until `ended_at`, when it was corrected (another one `replaces` it) or withdrawn. No row is
    changed otherwise, so that all of them are the history.
    """

    class Kind(models.TextChoices):
        CASE = "case"
        MINOR = "minor"

    class Outcome(models.TextChoices):
        CORRECTED = "corrected"
        WITHDRAWN = "withdrawn"

    conversation = models.ForeignKey(Conversation, models.CASCADE, related_name="registrations")
    key = models.UUIDField(default=uuid.uuid4, db_default=RandomUUID(), editable=False)
    kind = models.CharField(max_length=5, choices=Kind)
    case_number = EncryptedTextField(max_length=60, blank=True, **_OF_REGISTRATION)
    reason = EncryptedTextField(blank=True, help_text="why it is of minor importance", **_OF_REGISTRATION)
    retention_state = models.CharField(
        max_length=12, choices=RetentionRule.State, blank=True, help_text="of the rule that it refers to"
    )
    retention_days = models.PositiveIntegerField(
        null=True, blank=True, help_text="what that rule said at the time"
    )
    retention_basis = EncryptedTextField(
        blank=True, help_text="a decision outside the node that it refers to", **_OF_REGISTRATION
    )
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    outcome = models.CharField(max_length=9, choices=Outcome, blank=True)
    end_reason = EncryptedTextField(blank=True, **_OF_REGISTRATION)
    replaces = models.ForeignKey("self", models.SET_NULL, null=True, blank=True, related_name="replaced_by")

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        ordering = ["at", "id"]
        indexes = [models.Index(fields=["conversation", "at", "id"], name="registration_in_order")]


class RegisteredMessage(models.Model):
    """A registration covers a message; the database allows one that holds for each message."""

    message = models.ForeignKey(Message, models.CASCADE, related_name="registrations")
    registration = models.ForeignKey(Registration, models.CASCADE, related_name="covered")
    is_current = models.BooleanField(default=True)

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["message"], name="registered_once", condition=models.Q(is_current=True)
            )
        ]
