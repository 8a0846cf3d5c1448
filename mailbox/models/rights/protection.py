"""Protected conversations: the members who see them, and what those members and managers are told."""

import uuid
from typing import ClassVar, Self

from django.conf import settings
from django.db import models

from mailbox.models.conversation import Conversation
from mailbox.models.membership import Membership
from transport.storage.encryption.fields import EncryptedTextField


class NamedMember(models.Model):
    """A member of the mailbox who sees a protected conversation. It ends with the membership."""

    conversation = models.ForeignKey(Conversation, models.CASCADE, related_name="named_members")
    membership = models.ForeignKey(Membership, models.CASCADE, related_name="named_members")
    named_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    named_at = models.DateTimeField()

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["conversation", "membership"], name="named_member_once")
        ]


class ProtectedOpening(models.Model):
    """A manager opened a protected conversation in which they were not named, and why."""

    class Reason(models.TextChoices):
        ABSENCE = "absence"
        URGENT = "urgent"
        DISCLOSURE = "disclosure"
        SUPERVISION = "supervision"
        OTHER = "other"

    conversation = models.ForeignKey(Conversation, models.CASCADE, related_name="protected_openings")
    key = models.UUIDField(default=uuid.uuid4, editable=False)
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    at = models.DateTimeField()
    reason = models.CharField(max_length=12, choices=Reason)
    explanation = EncryptedTextField(
        organisation="conversation.mailbox.participant_id", bound_to=("key",), help_text="in their own words"
    )

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        ordering = ["at", "id"]


class ProtectionNotice(models.Model):
    """A person is to be told of a protected conversation, without a word of its content."""

    class Kind(models.TextChoices):
        OPENED = "opened"
        ABANDONED = "abandoned"

    kind = models.CharField(max_length=9, choices=Kind)
    conversation = models.ForeignKey(Conversation, models.CASCADE, related_name="+")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    made_at = models.DateTimeField()
    told_at = models.DateTimeField(null=True, blank=True, help_text="when a mail or push was sent")

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        indexes = [
            models.Index(
                fields=["id"], name="protection_notice_due", condition=models.Q(told_at__isnull=True)
            )
        ]
