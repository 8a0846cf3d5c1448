"""Deliveries of conversations to case systems."""

import uuid
from typing import Any, ClassVar, Final, Self

from django.conf import settings
from django.db import models

from mailbox.models.conversation import Conversation
from transport.jobs import LeasedJob
from transport.storage.blobs import BlobBinding
from transport.storage.encryption.fields import EncryptedTextField

from .case_system import CaseSystem

_OF_DELIVERY: Final[dict[str, Any]] = {"organisation": "case_system.participant_id", "bound_to": ("id",)}


class CaseDelivery(LeasedJob):
    """A conversation is handed over to a case system, once however often it is tried: its `id` is what the
    case system recognises it by.

    It is due while it has to be handed over, and once more after its end, when its files are removed.
    """

    class State(models.TextChoices):
        WAITING = "waiting"
        DELIVERED = "delivered"
        ACKNOWLEDGED = "acknowledged"
        FAILED = "failed"
        WITHDRAWN = "withdrawn"

    class Trigger(models.TextChoices):
        ORDER = "order"
        REGISTRATION = "registered"
        DONE = "done"

    class Cause(models.TextChoices):
        PAUSED = "paused"
        NOT_ALLOWED = "not-allowed"
        NOT_REGISTERED = "not-registered"
        REOPENED = "reopened"
        PROTECTED = "protected"
        PACKAGE = "package"
        DIRECTORY = "directory"
        ADDRESS = "address"
        NO_ANSWER = "no-answer"
        HOST_KEY = "host-key"
        LOGIN = "login"
        REFUSED_NOTICE = "refused-notice"
        REFUSED = "refused"
        UNEXPECTED = "unexpected"

    # In these states somebody may still have to do something.
    OPEN_STATES: ClassVar = (State.WAITING, State.DELIVERED, State.FAILED)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    conversation = models.ForeignKey(Conversation, models.CASCADE, related_name="case_deliveries")
    case_system = models.ForeignKey(CaseSystem, models.PROTECT, related_name="deliveries")
    ordered_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    ordered_at = models.DateTimeField()
    trigger = models.CharField(max_length=10, choices=Trigger)
    state = models.CharField(max_length=12, choices=State, default=State.WAITING)
    cause = models.CharField(max_length=16, choices=Cause, blank=True)
    newest_message = models.BigIntegerField(
        null=True, help_text="the key of the newest message in the package; empty until it is made"
    )
    package_name = models.CharField(max_length=300, blank=True, help_text="file in the default storage")
    package_size = models.PositiveBigIntegerField(default=0, help_text="in bytes")
    package_sha256 = models.CharField(max_length=64, blank=True)
    delivered_at = models.DateTimeField(null=True)
    answered_at = models.DateTimeField(null=True, help_text="when the case system acknowledged or refused it")
    case_number = EncryptedTextField(max_length=60, blank=True, help_text="the receiver's", **_OF_DELIVERY)
    reference = EncryptedTextField(max_length=200, blank=True, help_text="the receiver's", **_OF_DELIVERY)
    refusal = EncryptedTextField(
        max_length=300, blank=True, help_text="the receiver's reason", **_OF_DELIVERY
    )

    objects: ClassVar[models.Manager[Self]] = models.Manager()
    stored_files: ClassVar = {"package_name": "package_binding"}

    class Meta:
        ordering = ["-ordered_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["conversation", "case_system"],
                condition=models.Q(state__in=("waiting", "failed"), newest_message=None),
                name="case_delivery_ordered_once",
            )
        ]
        indexes = [
            models.Index(
                fields=["due_at"], name="case_delivery_due", condition=models.Q(due_at__isnull=False)
            ),
            models.Index(fields=["case_system", "state", "-ordered_at"], name="case_delivery_by_state"),
        ]

    @property
    def package_binding(self) -> BlobBinding:
        return BlobBinding(self.case_system.participant_id, "case-package", self.pk)

    @property
    def is_refused(self) -> bool:
        """Whether the receiver has refused it: it is not handed over again under this id."""
        return self.cause == self.Cause.REFUSED

    @classmethod
    def files_of(cls, keys: set[uuid.UUID]) -> list[str]:
        """The files that these deliveries hold."""
        return list(cls.objects.filter(pk__in=keys).values_list("package_name", flat=True))
