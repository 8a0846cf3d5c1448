"""Automatic answers that were ordered, and the row by which an organisation's are counted and stopped."""

from typing import ClassVar, Self

from django.conf import settings
from django.db import models

from mailbox.models.conversation import Conversation, FunctionMailbox, Message
from transport.jobs import LeasedJob


class AutomaticAnswer(LeasedJob):
    """The one automatic answer of a conversation: due until it was sent, or found to be left out."""

    class Outcome(models.TextChoices):
        WAITING = ""
        SENT = "sent"
        # Why it was left out.
        SWITCHED_OFF = "off"
        STAFFED = "staffed"
        HANDLED = "handled"
        MOVED = "moved"
        TOO_OLD = "too-old"
        COUNTERPART_LIMIT = "limit"
        STOPPED = "stopped"
        FAILED = "failed"

    conversation = models.OneToOneField(Conversation, models.CASCADE, related_name="automatic_answer")
    mailbox = models.ForeignKey(FunctionMailbox, models.CASCADE, related_name="+")
    answers = models.ForeignKey(Message, models.CASCADE, related_name="+")
    participant_id = models.CharField(max_length=260, help_text="the mailbox's organisation")
    counterpart_participant = models.CharField(max_length=260)
    counterpart_address = models.TextField(help_text="as long as the other side's is")
    ordered_at = models.DateTimeField()
    outcome = models.CharField(max_length=8, choices=Outcome, blank=True, default=Outcome.WAITING)
    settled_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        indexes = [
            models.Index(
                fields=["due_at"], name="automatic_answer_due", condition=models.Q(due_at__isnull=False)
            ),
            models.Index(fields=["participant_id", "settled_at"], name="automatic_answer_settled"),
        ]


class AutomaticAnswerGuard(models.Model):
    """An organisation whose automatic answers are counted, one worker at a time: whoever counts locks it.

    `stopped_at` says since when it sends none, because they were too many, until an administrator resumes.
    """

    participant_id = models.CharField(max_length=260, primary_key=True)
    stopped_at = models.DateTimeField(null=True, blank=True)
    told_at = models.DateTimeField(null=True, blank=True, help_text="when administrators got a mail of it")
    resumed_at = models.DateTimeField(null=True, blank=True)
    resumed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")

    objects: ClassVar[models.Manager[Self]] = models.Manager()
