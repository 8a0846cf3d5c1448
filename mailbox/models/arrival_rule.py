"""Rules on arrival: what a mailbox's managers want to be done with messages that arrive in it."""

import uuid
from typing import ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from transport.storage.encryption.fields import EncryptedJSONField

from .conversation import FunctionMailbox


class ArrivalRuleList(models.Model):
    """A mailbox's list of rules. Every change of the list locks this row and raises its version, by which a
    page that was made before the change is known."""

    mailbox = models.OneToOneField(
        FunctionMailbox, models.CASCADE, primary_key=True, related_name="arrival_rule_list"
    )
    version = models.PositiveIntegerField(default=0)

    objects: ClassVar[models.Manager[Self]] = models.Manager()


class ArrivalRule(models.Model):
    """A rule of a mailbox. `conditions` and `actions` are `arrival_rules.decision.Conditions` and `Actions`.

    Conditions name people and cases, so they are sealed; actions hold numbers and keys of rows.
    """

    class Failure(models.TextChoices):
        LABEL_GONE = "label-gone"
        NOT_A_MEMBER = "not-a-member"
        TARGET_CLOSED = "target-closed"
        UNREADABLE = "unreadable"
        UNEXPECTED = "unexpected"

    mailbox = models.ForeignKey(FunctionMailbox, models.CASCADE, related_name="arrival_rules")
    key = models.UUIDField(default=uuid.uuid4, editable=False)
    position = models.PositiveIntegerField()
    name = models.CharField(max_length=60)
    is_enabled = models.BooleanField(default=True)
    stops = models.BooleanField(default=False, help_text="no later rule looks at a message that it matches")
    conditions = EncryptedJSONField(
        default=dict, organisation="mailbox.participant_id", bound_to=("mailbox_id", "key")
    )
    actions = models.JSONField(default=dict, help_text="no content: keys of rows, numbers")
    revision = models.PositiveIntegerField(default=1, help_text="which a second administrator confirms")
    is_move_confirmed = models.BooleanField(
        default=False, help_text="whether it may move messages to the mailbox that its actions name"
    )
    failure_count = models.PositiveIntegerField(default=0, help_text="messages, since it was last changed")
    last_failure = models.CharField(max_length=16, choices=Failure, blank=True)
    last_failed_at = models.DateTimeField(null=True)

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        ordering = ["position", "id"]
        indexes = [models.Index(fields=["mailbox", "position", "id"], name="arrival_rule_in_order")]

    def __str__(self) -> str:
        return self.name


class ArrivalTurn(models.Model):
    """Whose turn it was last, where a rule assigns messages in turn. Deliveries lock this row, not the rule,
    which people change meanwhile."""

    rule = models.OneToOneField(ArrivalRule, models.CASCADE, primary_key=True, related_name="turn")
    person_id = models.BigIntegerField(default=0, help_text="the key of the person; 0 before the first turn")

    objects: ClassVar[models.Manager[Self]] = models.Manager()


class ArrivalNotice(models.Model):
    """A rule wants a person to be notified that something has arrived in a mailbox."""

    mailbox = models.ForeignKey(FunctionMailbox, models.CASCADE, related_name="+")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    made_at = models.DateTimeField(db_default=Now())
    told_at = models.DateTimeField(null=True, help_text="when the notice was sent")

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["mailbox", "person"], name="arrival_notice_once", condition=models.Q(told_at=None)
            )
        ]
        indexes = [models.Index(fields=["told_at"], name="arrival_notice_told")]
