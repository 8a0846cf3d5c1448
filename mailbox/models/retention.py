"""Retention rules, retention holds, and the protocol of erasures."""

from typing import ClassVar, Self

from django.conf import settings
from django.db import models


class RetentionRule(models.Model):
    """How many days a mailbox's conversations in a state are kept after their last activity."""

    class State(models.TextChoices):
        UNHANDLED = "unhandled"
        HANDLED = "handled"
        DONE = "done"
        TRASH = "trash"
        HANDED_OVER = "handed-over"

    mailbox = models.ForeignKey("mailbox.FunctionMailbox", models.CASCADE, related_name="retention_rules")
    state = models.CharField(max_length=12, choices=State)
    days = models.PositiveIntegerField()
    changed_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        ordering = ["mailbox", "state"]
        constraints = [models.UniqueConstraint(fields=["mailbox", "state"], name="retention_rule_once")]


class RetentionHold(models.Model):
    """A conversation that no rule deletes."""

    conversation = models.OneToOneField("mailbox.Conversation", models.CASCADE, related_name="retention_hold")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[models.Manager[Self]] = models.Manager()


class RetentionProtocol(models.Model):
    """An erased conversation: which, when and by which rule; no content."""

    participant_id = models.CharField(max_length=260)
    mailbox = models.ForeignKey("mailbox.FunctionMailbox", models.PROTECT, related_name="+")
    conversation_id = models.UUIDField()
    message_ids = models.JSONField(default=list)
    attachment_count = models.PositiveIntegerField()
    last_activity_at = models.DateTimeField()
    state = models.CharField(max_length=12, choices=RetentionRule.State)
    days = models.PositiveIntegerField(help_text="what the rule said")
    deleted_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        ordering = ["-deleted_at", "-id"]
        indexes = [models.Index(fields=["participant_id", "-deleted_at"], name="retention_protocol_latest")]
