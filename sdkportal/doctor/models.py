"""Examinations that administrators have ordered on the page, and what they found."""

from datetime import timedelta
from typing import ClassVar, Final, Self

from django.db import models
from django.utils import timezone

# Longer than one takes: its process has ended before it did.
_LONGEST: Final = timedelta(minutes=3)


class Examination(models.Model):
    """One run of all checks, by a process of the pages."""

    started_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    host = models.CharField(max_length=255, help_text="the machine that the checks ran on")
    results = models.JSONField(default=list, help_text="as the command's --json")

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        ordering = ["-pk"]

    @property
    def is_running(self) -> bool:
        return self.finished_at is None and not self.is_lost

    @property
    def is_lost(self) -> bool:
        """Whether its process ended before it did."""
        return self.finished_at is None and timezone.now() - self.started_at > _LONGEST
