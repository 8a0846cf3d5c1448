"""The departments of an organisation as a tree of mailboxes, and who sees their figures."""

from typing import ClassVar, Self

from django.conf import settings
from django.db import models

from mailbox.models.conversation import FunctionMailbox


class Department(models.Model):
    """A part of an organisation; `parent` is the department that it belongs to, nothing for the topmost.

    A removed one stays, with all below it and under one `removed_at`, until it is restored.
    """

    participant_id = models.CharField(max_length=260)
    name = models.CharField(max_length=120)
    parent = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="children")
    removed_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["participant_id", "parent", "name"],
                condition=models.Q(removed_at__isnull=True),
                nulls_distinct=False,
                name="department_name_once",
            )
        ]

    def __str__(self) -> str:
        return self.name


class DepartmentMailbox(models.Model):
    """A mailbox belongs to a department, and to no other."""

    mailbox = models.OneToOneField(FunctionMailbox, models.CASCADE, related_name="department_place")
    department = models.ForeignKey(Department, models.CASCADE, related_name="places")

    objects: ClassVar[models.Manager[Self]] = models.Manager()


class DepartmentLeader(models.Model):
    """A person sees the figures of a department and of those below it, and nothing else by that."""

    department = models.ForeignKey(Department, models.CASCADE, related_name="leaders")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="led_departments")

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["department", "person"], name="leader_once")]


class MonthlyFigures(models.Model):
    """A person gets a department's figures by mail once a month; without a department those of the whole
    organisation."""

    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    participant_id = models.CharField(max_length=260)
    department = models.ForeignKey(
        Department, models.CASCADE, null=True, blank=True, related_name="monthly_figures"
    )
    sent_month = models.DateField(help_text="the latest month that was sent, or is not to be: its first day")

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["person", "participant_id", "department"],
                nulls_distinct=False,
                name="monthly_figures_once",
            )
        ]
