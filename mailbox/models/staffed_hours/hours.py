"""When somebody is there: staffed hours of mailboxes, and of an organisation by default."""

from typing import ClassVar, Self

from django.db import models

from mailbox.models.conversation import FunctionMailbox


class StaffedHours(models.Model):
    """The staffed hours of a mailbox; without a mailbox, those of its organisation's mailboxes that have none
    of their own."""

    participant_id = models.CharField(max_length=260)
    mailbox = models.OneToOneField(
        FunctionMailbox, models.CASCADE, null=True, blank=True, related_name="staffed_hours"
    )
    week = models.JSONField(
        default=list, help_text="seven lists, Monday first, of hours in minutes after midnight"
    )
    is_closed_on_holidays = models.BooleanField(default=True, db_default=True)
    day_before_ends = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        help_text="when a day before a public holiday ends, in minutes after midnight; empty as other days",
    )

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["participant_id"],
                condition=models.Q(mailbox__isnull=True),
                name="default_staffed_hours_once",
            )
        ]


class StaffedHoursException(models.Model):
    """Other hours on one day, or none: the mailbox is closed."""

    staffed_hours = models.ForeignKey(StaffedHours, models.CASCADE, related_name="exceptions")
    day = models.DateField()
    hours = models.JSONField(default=list, help_text="hours in minutes after midnight; empty is closed")
    note = models.CharField(max_length=100, blank=True)

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        ordering = ["day"]
        constraints = [
            models.UniqueConstraint(fields=["staffed_hours", "day"], name="staffed_hours_exception_once")
        ]
