"""Approval before sending: what a mailbox demands, requests for it, and what people are told of them."""

import uuid
from typing import Any, ClassVar, Final, Self

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from mailbox.models.conversation import FunctionMailbox
from mailbox.models.draft import Draft
from transport.storage.encryption.fields import EncryptedJSONField, EncryptedTextField

_OF_REQUEST: Final[Any] = {"organisation": "draft.mailbox.participant_id", "bound_to": ("key",)}


class ApprovalRule(models.Model):
    """Which messages a mailbox sends only when somebody else has approved them; without a row, none.

    Demanding less than before waits as `proposed` until somebody else has confirmed it.
    """

    class Demand(models.TextChoices):
        NONE = "none"
        CONFIDENTIAL = "confidential"
        ALL = "all"

    mailbox = models.OneToOneField(FunctionMailbox, models.CASCADE, related_name="approval_rule")
    demand = models.CharField(max_length=12, choices=Demand, default=Demand.NONE)
    proposed = models.CharField(max_length=12, choices=Demand, blank=True, default="")
    proposed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")

    objects: ClassVar[models.Manager[Self]] = models.Manager()


class ApprovalRequest(models.Model):
    """Somebody has asked that a draft be approved, exactly as it was then. It goes when the draft goes."""

    class State(models.TextChoices):
        OPEN = "open"
        APPROVED = "approved"
        RETURNED = "returned"
        WITHDRAWN = "withdrawn"
        # The draft was changed or taken over, what was approved did not leave, or the asker left.
        ENDED = "ended"

    draft = models.ForeignKey(Draft, models.CASCADE, related_name="approval_requests")
    key = models.UUIDField(default=uuid.uuid4, editable=False)
    content = EncryptedJSONField(
        default=dict, help_text="all that is to be sent, as asked for", **_OF_REQUEST
    )
    writer_ids = ArrayField(
        models.BigIntegerField(), default=list, help_text="keys of all who have written in the draft"
    )
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    asked_at = models.DateTimeField()
    send_at = models.DateTimeField(
        null=True, blank=True, help_text="the later time at which it is to be sent"
    )
    state = models.CharField(max_length=9, choices=State, default=State.OPEN)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True, blank=True)
    reason = EncryptedTextField(blank=True, help_text="why it was given back", **_OF_REQUEST)

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["draft"], name="one_approval_at_a_time", condition=Q(state__in=["open", "approved"])
            )
        ]


class ApprovalNotice(models.Model):
    """What somebody is to be told by mail or push: that they are asked for approval, or what became of what
    they asked for. No word of the message."""

    class Kind(models.TextChoices):
        ASKED = "asked"
        APPROVED = "approved"
        RETURNED = "returned"
        ENDED = "ended"

    kind = models.CharField(max_length=8, choices=Kind)
    mailbox = models.ForeignKey(FunctionMailbox, models.CASCADE, related_name="+")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    made_at = models.DateTimeField()
    told_at = models.DateTimeField(null=True, blank=True, help_text="when a mail or push was sent")

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        indexes = [
            models.Index(fields=["id"], name="approval_notice_to_send", condition=Q(told_at__isnull=True))
        ]
