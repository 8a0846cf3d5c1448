"""Service levels of mailboxes, and the time limits of conversations that follow from them."""

from typing import ClassVar, Self

from django.db import models

from mailbox.models.conversation import Conversation, FunctionMailbox


class ServiceLevels(models.Model):
    """In how many staffed hours a mailbox's messages are to be opened, answered and done; empty: no limit."""

    mailbox = models.OneToOneField(FunctionMailbox, models.CASCADE, related_name="service_levels")
    opened_within_hours = models.PositiveSmallIntegerField(null=True, blank=True)
    answered_within_hours = models.PositiveSmallIntegerField(null=True, blank=True)
    done_within_hours = models.PositiveSmallIntegerField(null=True, blank=True)
    recompute_since = models.DateTimeField(
        null=True,
        blank=True,
        db_index=True,
        help_text="when the levels or hours were changed; running time limits are still those of before",
    )

    objects: ClassVar[models.Manager[Self]] = models.Manager()


class TimeLimit(models.Model):
    """By when a conversation has to be opened, answered or done. It runs until `ended_at`, and is met if that
    is not later than `limit_at`."""

    class Kind(models.TextChoices):
        OPENED = "opened"
        ANSWERED = "answered"
        DONE = "done"

    conversation = models.ForeignKey(Conversation, models.CASCADE, related_name="time_limits")
    kind = models.CharField(max_length=8, choices=Kind)
    began_at = models.DateTimeField()
    limit_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["conversation", "kind"],
                condition=models.Q(ended_at__isnull=True),
                name="time_limit_runs_once",
            )
        ]
        indexes = [models.Index(fields=["began_at"], name="time_limit_began")]
