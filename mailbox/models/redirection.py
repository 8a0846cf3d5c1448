"""Changes of where messages go that were made, or that wait for a second administrator."""

from typing import ClassVar, Self

from django.conf import settings
from django.db import models


class Redirection(models.Model):
    """A proposed or made change of where messages go; it is open while `settled_at` is empty."""

    class Kind(models.TextChoices):
        CLOSE_FUNCTION = "close-function"
        CATCH_ALL = "catch-all"
        OPEN_MAILBOX = "open-mailbox"
        CLOSE_MAILBOX = "close-mailbox"
        ROUTE = "route"
        ARRIVAL_RULE = "arrival-rule"

    participant_id = models.CharField(max_length=260)
    kind = models.CharField(max_length=20, choices=Kind)
    mailbox = models.ForeignKey(
        "mailbox.FunctionMailbox",
        models.CASCADE,
        null=True,
        related_name="+",
        help_text="whose messages are to go elsewhere, where there is one",
    )
    target = models.ForeignKey(
        "mailbox.FunctionMailbox", models.CASCADE, null=True, related_name="+", help_text="what takes them"
    )
    value = models.JSONField(default=dict, help_text="what the change is made with: keys and addresses")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    at = models.DateTimeField(auto_now_add=True)
    confirmed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    settled_at = models.DateTimeField(null=True, help_text="made, or let be")
    is_made = models.BooleanField(default=False)
    told_at = models.DateTimeField(null=True, help_text="when managers and members were told")

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        indexes = [
            models.Index(
                fields=["participant_id"], name="redirection_open", condition=models.Q(settled_at=None)
            ),
            models.Index(
                fields=["id"], name="redirection_untold", condition=models.Q(is_made=True, told_at=None)
            ),
        ]
