"""Who is told of what arrives outside staffed hours, and of what they have been told."""

from typing import ClassVar, Self

from django.conf import settings
from django.db import models

from mailbox.models.conversation import Conversation, FunctionMailbox


class DutyList(models.Model):
    """The members of a mailbox who are told, one after the other, until somebody has seen what arrived."""

    mailbox = models.OneToOneField(FunctionMailbox, models.CASCADE, related_name="duty_list")
    escalate_after_minutes = models.PositiveSmallIntegerField(default=30)
    since = models.DateTimeField(help_text="what arrived before is told to nobody")

    objects: ClassVar[models.Manager[Self]] = models.Manager()


class DutyPerson(models.Model):
    """A person on a duty list; the lowest position is told first."""

    duty_list = models.ForeignKey(DutyList, models.CASCADE, related_name="people")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    position = models.PositiveSmallIntegerField()

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["duty_list", "person"], name="on_duty_list_once")]


class DutyAlert(models.Model):
    """A message that arrived outside staffed hours, and that nobody has seen before `ended_at`."""

    conversation = models.ForeignKey(Conversation, models.CASCADE, related_name="duty_alerts")
    arrived_at = models.DateTimeField()
    next_at = models.DateTimeField(help_text="when the next person is told")
    told_count = models.PositiveSmallIntegerField(default=0)
    ended_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["conversation", "arrived_at"], name="duty_alert_once")]
        indexes = [
            models.Index(
                fields=["conversation"],
                name="duty_alert_running",
                condition=models.Q(ended_at__isnull=True),
            )
        ]


class DutyNotice(models.Model):
    """A person was told of a mailbox at a time."""

    mailbox = models.ForeignKey(FunctionMailbox, models.CASCADE, related_name="+")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    at = models.DateTimeField()

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        indexes = [models.Index(fields=["person", "at"], name="duty_notice_of_person")]
