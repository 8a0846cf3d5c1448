"""Transfers that are exchanged through the directory."""

import uuid
from typing import ClassVar, Self

from django.db import models

from transport.jobs import LeasedJob
from transport.storage.blobs import BlobBinding


class DroppedTransfer(LeasedJob):
    """An outbound envelope. Due until it is in the directory."""

    class State(models.TextChoices):
        PENDING = "PENDING"
        PLACED = "PLACED"
        DELIVERED = "DELIVERED"
        FAILED = "FAILED"

    reference = models.UUIDField(primary_key=True, help_text="the message service's own")
    envelope_name = models.CharField(max_length=300, help_text="file in the default storage")
    envelope_id = models.CharField(max_length=255)
    conversation_id = models.CharField(max_length=255)
    sender = models.CharField(max_length=260, help_text="participant identifier")
    recipient = models.CharField(max_length=260, help_text="participant identifier")
    document_id = models.CharField(max_length=500)
    document_scheme = models.CharField(max_length=100)
    state = models.CharField(max_length=10, choices=State, default=State.PENDING)
    cause = models.CharField(max_length=100, blank=True)
    receipt = models.BinaryField(null=True, help_text="the transport receipt, where the gateway gave it")
    created_at = models.DateTimeField(auto_now_add=True)
    settled_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        indexes = [
            models.Index(fields=["due_at"], name="dropped_due", condition=models.Q(due_at__isnull=False))
        ]

    @property
    def envelope_binding(self) -> BlobBinding:
        return BlobBinding(self.sender, "envelope", self.reference)


class FoundTransfer(models.Model):
    """An envelope that arrived, stored and committed before it was removed from the directory."""

    id = models.UUIDField(primary_key=True, help_text="the gateway's own")
    envelope_name = models.CharField(max_length=300, blank=True, help_text="file in the default storage")
    conversation_id = models.CharField(max_length=255)
    sender = models.CharField(max_length=260, help_text="participant identifier")
    recipient = models.CharField(max_length=260, help_text="participant identifier")
    document_id = models.CharField(max_length=500)
    document_scheme = models.CharField(max_length=100)
    sending_access_point = models.CharField(max_length=200)
    receipt = models.BinaryField(null=True, help_text="the transport receipt, where the gateway gave it")
    arrived_at = models.DateTimeField(help_text="by the gateway's clock")
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[models.Manager[Self]] = models.Manager()
    stored_files: ClassVar = {"envelope_name": "envelope_binding"}

    @property
    def envelope_binding(self) -> BlobBinding:
        return BlobBinding(self.recipient, "envelope", self.pk)

    @classmethod
    def files_of(cls, keys: set[uuid.UUID]) -> list[str]:
        """The files that these transfers name."""
        return list(cls.objects.filter(pk__in=keys).values_list("envelope_name", flat=True))
