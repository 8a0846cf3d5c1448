"""Transfers and their log."""

import uuid
from typing import ClassVar, Self

from django.db import models

from transport.storage.blobs import BlobBinding

from ..bulkhead import Bulkheaded
from ..protocol.identifiers import DocumentType, ParticipantId


class Transfer(models.Model):
    """The common fields of both directions."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    as4_message_id = models.CharField(max_length=255)
    conversation_id = models.CharField(max_length=255)
    sender = models.CharField(max_length=260, help_text="participant identifier")
    recipient = models.CharField(max_length=260, help_text="participant identifier")
    document_id = models.CharField(max_length=500)
    document_scheme = models.CharField(max_length=100)
    envelope_name = models.CharField(max_length=300, blank=True, help_text="file in the default storage")
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        abstract = True

    @property
    def document_type(self) -> DocumentType:
        return DocumentType(self.document_id, self.document_scheme)

    @property
    def sender_id(self) -> ParticipantId:
        return ParticipantId(self.sender)

    @property
    def recipient_id(self) -> ParticipantId:
        return ParticipantId(self.recipient)

    @property
    def envelope_binding(self) -> BlobBinding:
        """Bound to the organisation that it belongs to here: the sender outbound, the recipient inbound."""
        raise NotImplementedError


class OutboundTransfer(Transfer, Bulkheaded):
    """An envelope to be sent. Its AS4 MessageId is kept across resends (as4-wire-notes)."""

    class State(models.TextChoices):
        PENDING = "PENDING"
        DELIVERED = "DELIVERED"
        FAILED = "FAILED"

    reference = models.UUIDField(unique=True, help_text="the message service's own")
    envelope_id = models.CharField(max_length=255)
    state = models.CharField(max_length=10, choices=State, default=State.PENDING)
    cause = models.CharField(max_length=100, blank=True)
    sent_references = models.JSONField(
        default=list, help_text="what was signed, one list for each time it was posted"
    )
    first_attempt_at = models.DateTimeField(null=True, blank=True)
    settled_at = models.DateTimeField(null=True, blank=True)
    receipt = models.BinaryField(null=True, help_text="the transport receipt as it came: evidence")

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["as4_message_id"], name="outbound_as4_message_id")]
        indexes = [
            models.Index(fields=["due_at"], name="outbound_due", condition=models.Q(due_at__isnull=False)),
            models.Index(
                fields=["counterpart"], name="outbound_place", condition=models.Q(lease__isnull=False)
            ),
        ]

    @property
    def envelope_binding(self) -> BlobBinding:
        return BlobBinding(self.sender, "envelope", self.reference)


class InboundTransfer(Transfer):
    """An envelope that has been received: on disk and committed before its receipt is signed."""

    sending_access_point = models.CharField(max_length=200, help_text="party id, the certificate's CN")
    signing_certificate = models.TextField(blank=True, help_text="PEM")
    signed_references = models.JSONField(help_text="what was signed, as a receipt repeats it")
    envelope_digest = models.CharField(max_length=64, blank=True, help_text="SHA-256 in hexadecimal")
    size = models.BigIntegerField(help_text="bytes")
    receipt = models.BinaryField(null=True, help_text="the transport receipt as it was first answered")

    objects: ClassVar[models.Manager[Self]] = models.Manager()
    stored_files: ClassVar = {"envelope_name": "envelope_binding"}

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["sending_access_point", "as4_message_id"], name="inbound_once")
        ]

    @property
    def envelope_binding(self) -> BlobBinding:
        return BlobBinding(self.recipient, "envelope", self.pk)

    @classmethod
    def files_of(cls, keys: set[uuid.UUID]) -> list[str]:
        """The files that these transfers hold."""
        return list(cls.objects.filter(pk__in=keys).values_list("envelope_name", flat=True))


class LoggedCertificate(models.Model):
    """A certificate that the log names by its fingerprint: kept once, for as long as the log."""

    fingerprint = models.CharField(max_length=64, primary_key=True)
    certificate = models.TextField(help_text="PEM")


class TransferEvent(models.Model):
    """The log of C3.4.6 3.4.1: an event a row, never content, kept when the transfer is gone."""

    class Kind(models.TextChoices):
        SENT = "SENT"
        DELIVERED = "DELIVERED"
        RESENDING = "RESENDING"
        FAILED = "FAILED"
        RECEIVED = "RECEIVED"
        DUPLICATE = "DUPLICATE"
        REFUSED = "REFUSED"
        DISCARDED = "DISCARDED"
        TESTED = "TESTED"

    at = models.DateTimeField(auto_now_add=True, db_index=True)
    kind = models.CharField(max_length=10, choices=Kind)
    as4_message_id = models.CharField(max_length=255, blank=True, db_index=True)
    conversation_id = models.CharField(max_length=255, blank=True, db_index=True)
    envelope_id = models.CharField(max_length=255, blank=True, db_index=True)
    sender = models.CharField(max_length=260, blank=True)
    recipient = models.CharField(max_length=260, blank=True)
    document_id = models.CharField(max_length=500, blank=True)
    sending_access_point = models.CharField(max_length=200, blank=True)
    receiving_access_point = models.CharField(max_length=200, blank=True)
    certificate = models.CharField(
        max_length=64, blank=True, help_text="SHA-256 fingerprint of the other access point's certificate"
    )
    signature = models.TextField(
        blank=True, help_text="base64: of the message that came, or of the receipt for one that was sent"
    )
    cause = models.CharField(max_length=600, blank=True)
