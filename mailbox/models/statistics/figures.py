"""The sums of each day: what `mailbox.daily_figures` has counted, by Swedish days.

Rows with `is_erased` hold what was counted of conversations when they were erased; the others hold all, those
of erased conversations too, and are what pages read.
"""

from typing import ClassVar, Self

from django.db import models

from mailbox.models.conversation import FunctionMailbox


class DailyFigures(models.Model):
    """A mailbox's messages of a day, and the time limits that began on it."""

    mailbox = models.ForeignKey(FunctionMailbox, models.CASCADE, related_name="+")
    is_erased = models.BooleanField(default=False)
    day = models.DateField()
    arrived = models.PositiveIntegerField(default=0)
    sent = models.PositiveIntegerField(default=0)
    receipts_missing = models.PositiveIntegerField(default=0)
    registered = models.PositiveIntegerField(default=0)
    minor = models.PositiveIntegerField(default=0)
    opened_met = models.PositiveIntegerField(default=0)
    opened_missed = models.PositiveIntegerField(default=0)
    answered_met = models.PositiveIntegerField(default=0)
    answered_missed = models.PositiveIntegerField(default=0)
    done_met = models.PositiveIntegerField(default=0)
    done_missed = models.PositiveIntegerField(default=0)

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["mailbox", "is_erased", "day"], name="daily_figures_once")
        ]


class DailyWait(models.Model):
    """How many of the messages that arrived on a day reached a step within so many staffed hours, and not
    within the next smaller number; 0 where it took longer than the largest."""

    mailbox = models.ForeignKey(FunctionMailbox, models.CASCADE, related_name="+")
    is_erased = models.BooleanField(default=False)
    day = models.DateField()
    step = models.CharField(max_length=8)
    within_hours = models.PositiveSmallIntegerField()
    count = models.PositiveIntegerField(default=0)

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["mailbox", "is_erased", "day", "step", "within_hours"], name="daily_wait_once"
            )
        ]


class DailyCounterpart(models.Model):
    """A mailbox's messages of a day with one organisation; empty for those of protected conversations."""

    mailbox = models.ForeignKey(FunctionMailbox, models.CASCADE, related_name="+")
    is_erased = models.BooleanField(default=False)
    day = models.DateField()
    counterpart = models.CharField(max_length=260, blank=True)
    arrived = models.PositiveIntegerField(default=0)
    sent = models.PositiveIntegerField(default=0)
    registered = models.PositiveIntegerField(default=0)
    minor = models.PositiveIntegerField(default=0)
    answered = models.PositiveIntegerField(default=0)
    answered_minutes = models.PositiveBigIntegerField(default=0, help_text="staffed time of those together")
    limits_missed = models.PositiveIntegerField(default=0)

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["mailbox", "is_erased", "day", "counterpart"], name="daily_counterpart_once"
            )
        ]


class CounterpartName(models.Model):
    """What an organisation was called in the latest message that was counted."""

    participant_id = models.CharField(max_length=260, primary_key=True)
    name = models.CharField(max_length=256)

    objects: ClassVar[models.Manager[Self]] = models.Manager()


class FiguresCount(models.Model):
    """When a mailbox's figures were counted last."""

    mailbox = models.OneToOneField(FunctionMailbox, models.CASCADE, related_name="figures_count")
    counted_at = models.DateTimeField()

    objects: ClassVar[models.Manager[Self]] = models.Manager()
