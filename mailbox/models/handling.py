"""Assignments, events and presence of conversations, and announcements of changes to open pages."""

from typing import Any, ClassVar, Final, Self

from django.conf import settings
from django.db import models

from transport.storage.encryption.fields import EncryptedTextField

from .conversation import Conversation, FunctionMailbox


class Assignment(models.Model):
    """A conversation is assigned to a person until `ended_at`; the database allows one without an end."""

    conversation = models.ForeignKey(Conversation, models.CASCADE, related_name="assignments")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="assignments")
    began_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["conversation"], name="assigned_once", condition=models.Q(ended_at=None)
            )
        ]


class ConversationEvent(models.Model):
    """An event of a conversation. A change stores the values `before` it, so that it can be undone."""

    class What(models.TextChoices):
        OPENED = "opened"
        TAKEN = "taken"
        GIVEN_BACK = "given-back"
        DUE = "due"
        LEFT = "left"
        OFFERED = "offered"
        ACCEPTED = "accepted"
        DECLINED = "declined"
        WITHDRAWN = "withdrawn"
        ANSWERED = "answered"
        DONE = "done"
        REOPENED = "reopened"
        TRASHED = "trashed"
        ARRIVED = "arrived"
        REMIND = "remind"
        BROUGHT_UP = "brought-up"
        NOTED = "noted"
        NOTE_REMOVED = "note-removed"
        LABELLED = "labelled"
        UNLABELLED = "unlabelled"
        PRIORITISED = "priority"
        PRIORITY_REMOVED = "no-priority"
        UNDONE = "undone"
        UNDELIVERED = "undelivered"
        OVERDUE = "overdue"
        CANCELLED = "cancelled"
        SENT_AGAIN = "sent-again"
        STOOD_IN = "stood-in"
        RETENTION_HOLD = "held"
        RELEASED = "released"
        REGISTERED = "registered"
        OF_MINOR_IMPORTANCE = "minor"
        REGISTRATION_CORRECTED = "corrected"
        REGISTRATION_WITHDRAWN = "deregistered"
        MOVED_BY_RULE = "rule-moved"
        NOTIFIED_BY_RULE = "rule-notice"
        CASE_ORDERED = "case-ordered"
        CASE_DELIVERED = "case-handed"
        CASE_ACKNOWLEDGED = "case-ack"
        CASE_REFUSED = "case-refused"
        CASE_FAILED = "case-failed"
        CASE_WITHDRAWN = "case-undone"
        PROTECTED = "protected"
        NAMED_MEMBERS_CHANGED = "named"
        PROTECTION_REMOVED = "unprotected"
        OPENED_BY_MANAGER = "mgr-opened"
        APPROVAL_ASKED = "appr-asked"
        APPROVED = "approved"
        APPROVAL_RETURNED = "appr-back"
        APPROVAL_WITHDRAWN = "appr-undone"
        APPROVAL_ENDED = "appr-ended"
        ANSWERED_AUTOMATICALLY = "auto-answer"

    conversation = models.ForeignKey(Conversation, models.CASCADE, related_name="events")
    at = models.DateTimeField()
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    what = models.CharField(max_length=12, choices=What)
    to = models.CharField(
        max_length=256, blank=True, help_text="to whom, until when, which label: never content"
    )
    before = models.JSONField(null=True, blank=True)
    undone_at = models.DateTimeField(null=True, blank=True)
    rule_name = models.CharField(
        max_length=60,
        blank=True,
        default="",
        db_default="",
        help_text="the rule on arrival that did it, as it was called then",
    )

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        ordering = ["at", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["conversation", "actor"], name="opened_once", condition=models.Q(what="opened")
            )
        ]
        indexes = [
            models.Index(fields=["conversation", "at", "id"], name="conversation_history"),
            models.Index(
                fields=["actor", "at"], name="brought_up_for", condition=models.Q(what="brought-up")
            ),
        ]


_OF_REASSIGNMENT: Final[Any] = {
    "organisation": "conversation.mailbox.participant_id",
    "bound_to": ("conversation_id", "made_at"),
}


class Reassignment(models.Model):
    """An offer of a conversation to a person or a function, which is accepted, declined or withdrawn."""

    class Outcome(models.TextChoices):
        ACCEPTED = "accepted"
        DECLINED = "declined"
        WITHDRAWN = "withdrawn"

    conversation = models.ForeignKey(Conversation, models.CASCADE, related_name="reassignments")
    made_at = models.DateTimeField()
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    to_person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True, related_name="+")
    to_mailbox = models.ForeignKey(FunctionMailbox, models.CASCADE, null=True, related_name="offers")
    done = EncryptedTextField(
        blank=True, db_column="is_done", help_text="what has been done", **_OF_REASSIGNMENT
    )
    remains = EncryptedTextField(blank=True, help_text="what remains to be done", **_OF_REASSIGNMENT)
    due_on = models.DateField(null=True, blank=True)
    settled_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=9, choices=Outcome, blank=True)
    told_at = models.DateTimeField(null=True, blank=True, help_text="when a notice of it was sent")

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        db_table = "mailbox_handover"
        constraints = [
            models.UniqueConstraint(
                fields=["conversation"], name="offered_once", condition=models.Q(settled_at=None)
            ),
            models.CheckConstraint(
                condition=models.Q(to_person__isnull=True) ^ models.Q(to_mailbox__isnull=True),
                name="offered_to_one",
            ),
        ]
        indexes = [
            models.Index(
                fields=["to_person"], name="offered_to_person", condition=models.Q(settled_at__isnull=True)
            ),
            models.Index(
                fields=["to_mailbox"], name="offered_to_mailbox", condition=models.Q(settled_at__isnull=True)
            ),
        ]

    @property
    def receiver_name(self) -> str:
        """The name of the person or the function that it is offered to."""
        receiver = self.to_person or self.to_mailbox
        return receiver.name if receiver else ""


class Presence(models.Model):
    """A person had a conversation open at `seen_at`, and wrote in it at `wrote_at`."""

    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    conversation = models.ForeignKey(Conversation, models.CASCADE, related_name="presences")
    seen_at = models.DateTimeField()
    wrote_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["person", "conversation"], name="present_once")]
        indexes = [models.Index(fields=["seen_at"], name="presence_age")]


class Announcement(models.Model):
    """That something has changed, for listeners that did not hear the notification of `mailbox.events`."""

    payload = models.CharField(max_length=40)
    transaction_number = models.BigIntegerField(help_text="of the transaction that announced it")
    announced_at = models.DateTimeField(db_index=True)

    objects: ClassVar[models.Manager[Self]] = models.Manager()
