"""Organisations, their keys, their messages, and what happened to each."""

import uuid
from collections.abc import Collection
from datetime import timedelta
from typing import ClassVar, Final, Self

from django.db import models
from django.utils import timezone

from transport.jobs import LeasedJob
from transport.storage.blobs import BlobBinding
from transport.storage.encryption.fields import EncryptedJSONField, EncryptedTextField

from ..protocol.identifiers import ParticipantId
from .states import IncomingState, OutgoingState

# `blobs.remove_orphaned` asks for the files of the last days.
_ASKED_FOR: Final = timedelta(days=4)


class Organisation(models.Model):
    """A participant that this node serves."""

    participant_id = models.CharField(max_length=260, unique=True)
    name = models.CharField(max_length=256)
    created_at = models.DateTimeField(auto_now_add=True)
    goes_out_and_back = models.BooleanField(
        default=False,
        db_default=False,
        help_text="messages to and from organisations of this node go the whole way out and back",
    )

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    def __str__(self) -> str:
        return self.participant_id

    @property
    def participant(self) -> ParticipantId:
        return ParticipantId(self.participant_id)


class OrganisationKey(models.Model):
    """A key of one organisation for one purpose. Several may be valid at once: sign with the newest,
    open with any."""

    class Purpose(models.TextChoices):
        SIGNING = "signing"
        ENCRYPTION = "encryption"

    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="keys")
    purpose = models.CharField(max_length=10, choices=Purpose)
    private_key = EncryptedTextField(
        help_text="PKCS#8 in PEM",
        organisation="organisation.participant_id",
        bound_to=("purpose", "fingerprint"),
    )
    certificate = models.TextField(help_text="PEM")
    fingerprint = models.CharField(max_length=64)
    valid_from = models.DateTimeField()
    valid_until = models.DateTimeField()
    created_at = models.DateTimeField(auto_now_add=True)
    published_at = models.DateTimeField(null=True, blank=True, help_text="when CertPub was seen to have it")

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organisation", "purpose", "fingerprint"], name="key_once")
        ]


class CertificateRequest(models.Model):
    """A key that waits for its certificate. It is gone when the certificate has come."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="certificate_requests")
    purpose = models.CharField(max_length=10, choices=OrganisationKey.Purpose)
    request = models.TextField(help_text="PKCS#10 in PEM")
    private_key = EncryptedTextField(
        help_text="PKCS#8 in PEM", organisation="organisation.participant_id", bound_to=("id",)
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        ordering = ["created_at"]


class OutgoingMessage(LeasedJob):
    """An outbound message or message receipt."""

    class Kind(models.TextChoices):
        MESSAGE = "message"
        RECEIPT = "receipt"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organisation = models.ForeignKey(Organisation, models.PROTECT)
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.MESSAGE)
    message_id = models.UUIDField()
    conversation_id = models.UUIDField()
    recipient = models.CharField(max_length=260)
    handling_service_id = models.TextField(blank=True, help_text="as long as the recipient's address is")
    payload_name = models.CharField(max_length=300, blank=True, help_text="until the message is settled")
    envelope_name = models.CharField(max_length=300, blank=True)
    state = models.CharField(max_length=24, choices=OutgoingState, default=OutgoingState.SCHEDULED)
    cause = models.CharField(max_length=100, blank=True)
    causes = EncryptedJSONField(
        default=list,
        help_text="what a REJECTED receipt said, in the recipient's words",
        organisation="organisation.participant_id",
        bound_to=("id",),
    )
    created_at = models.DateTimeField(auto_now_add=True)
    transport_receipt_at = models.DateTimeField(null=True, blank=True)
    message_receipt_at = models.DateTimeField(null=True, blank=True)
    transport_due_at = models.DateTimeField(null=True, blank=True)
    transport_missing_at = models.DateTimeField(null=True, blank=True)
    receipt_due_at = models.DateTimeField(null=True, blank=True)
    receipt_missing_at = models.DateTimeField(null=True, blank=True)
    ordered_at = models.DateTimeField(null=True, blank=True, help_text="when it was sent again by hand")
    transfer_reference = models.UUIDField(
        null=True, blank=True, unique=True, help_text="the transfer's, where it is not the first"
    )
    message_receipt_name = models.CharField(max_length=300, blank=True, help_text="the signed receipt")
    sender_function = models.TextField(
        blank=True, default="", db_default="", help_text="where another message service sends it for us"
    )
    handed_over_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="when it was first about to be handed to another message service: it may be there",
    )
    answers = models.ForeignKey(
        "IncomingMessage", models.PROTECT, null=True, blank=True, related_name="receipts"
    )

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organisation", "message_id"], name="outgoing_message_once"),
            models.UniqueConstraint(fields=["answers"], name="one_receipt_for_a_message"),
        ]
        indexes = [
            models.Index(fields=["due_at"], name="outgoing_due", condition=models.Q(due_at__isnull=False)),
            models.Index(
                fields=["receipt_due_at"],
                name="outgoing_receipt_due",
                condition=models.Q(receipt_due_at__isnull=False),
            ),
            models.Index(
                fields=["transport_due_at"],
                name="outgoing_transport_due",
                condition=models.Q(transport_due_at__isnull=False),
            ),
        ]

    # The fields that name stored files, and the properties that tell what each is bound to.
    stored_files: ClassVar = {
        "payload_name": "payload_binding",
        "envelope_name": "envelope_binding",
        "message_receipt_name": "message_receipt_binding",
    }

    @property
    def is_receipt(self) -> bool:
        return self.kind == self.Kind.RECEIPT

    @property
    def is_by_api(self) -> bool:
        """Whether another message service sends it, so that nothing here seals or transfers it."""
        return bool(self.sender_function)

    @property
    def transfer(self) -> uuid.UUID:
        """The access point's reference to its transfer: another each time it is sent again by hand."""
        return self.transfer_reference or self.pk

    @classmethod
    def of_transfers(cls, references: Collection[uuid.UUID]) -> models.QuerySet[Self]:
        """The messages that these transfers carry, without those whose transfer was replaced by another."""
        first = models.Q(pk__in=references, transfer_reference=None)
        return cls.objects.filter(first | models.Q(transfer_reference__in=references))

    @property
    def payload_binding(self) -> BlobBinding:
        return BlobBinding(self.organisation.participant_id, "payload", self.pk)

    @property
    def envelope_binding(self) -> BlobBinding:
        """As `access_point_port.OutgoingTransfer` has it: the access point opens the same file."""
        return BlobBinding(self.organisation.participant_id, "envelope", self.transfer)

    @property
    def message_receipt_binding(self) -> BlobBinding:
        return BlobBinding(self.organisation.participant_id, "receipt", self.pk)

    @classmethod
    def files_of(cls, keys: set[uuid.UUID]) -> list[str]:
        """The files that these messages name, and the recipients' copies of those that were delivered
        locally."""
        rows = cls.objects.filter(pk__in=keys)
        own = [
            name
            for names in rows.values_list("payload_name", "envelope_name", "message_receipt_name")
            for name in names
            if name
        ]
        # Of one whose sender has left, or that was imported without its sender, the file names a row that is
        # not here. Older files than these are not asked for.
        recent = timezone.now() - _ASKED_FOR
        local = models.Q(sent_as__in=keys) | models.Q(sent_as=None, arrived_at__gte=recent)
        copies = IncomingMessage.objects.filter(local).exclude(envelope_name="")
        return own + list(copies.values_list("envelope_name", flat=True))


class IncomingMessage(LeasedJob):
    """An envelope that arrived for an organisation of ours."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    transfer_id = models.UUIDField(unique=True, help_text="the access point's, or this service's own")
    sent_as = models.ForeignKey(
        OutgoingMessage,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="arrivals",
        db_column="came_from_id",
        help_text="the sender's row, where the message was delivered locally",
    )
    envelope_name = models.CharField(
        max_length=300,
        blank=True,
        default="",
        db_default="",
        help_text="of a message that was delivered locally",
    )
    organisation = models.ForeignKey(Organisation, models.PROTECT)
    sender = models.CharField(max_length=260)
    message_id = models.UUIDField(null=True, blank=True)
    is_accepted = models.BooleanField(null=True, help_text="None: not validated yet, or a receipt")
    wrapped_key_digest = models.CharField(
        max_length=64, blank=True, default="", db_default="", help_text="of the session key as it came"
    )
    envelope_digest = models.CharField(
        max_length=64, blank=True, default="", db_default="", help_text="of an envelope that was decrypted"
    )
    owns_session_key = models.BooleanField(
        default=False,
        db_default=False,
        db_column="holds_key",
        help_text="what was decrypted names the envelope's signer: the session key is this message's",
    )
    failures = models.PositiveIntegerField(
        default=0, db_default=0, help_text="how often validation ended in an unforeseen error"
    )
    is_by_api = models.BooleanField(
        default=False,
        db_default=False,
        help_text="another message service has received, opened and answered it; there is no envelope here",
    )
    rejection_ordered_by = models.CharField(
        max_length=200,
        blank=True,
        default="",
        db_default="",
        db_column="refused_by",
        help_text="who has ordered that it be rejected",
    )
    state = models.CharField(max_length=24, choices=IncomingState, default=IncomingState.ARRIVED)
    cause = models.CharField(max_length=100, blank=True)
    arrived_at = models.DateTimeField(help_text="ready for technical processing: when it counts as received")

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        constraints = [
            # B1.3.3 5.3 number 6: an accepted message's id is not accepted again.
            models.UniqueConstraint(
                fields=["organisation", "message_id"],
                condition=models.Q(is_accepted=True),
                name="incoming_message_once",
            )
        ]
        indexes = [
            models.Index(fields=["due_at"], name="incoming_due", condition=models.Q(due_at__isnull=False)),
            models.Index(fields=["organisation", "message_id"], name="incoming_message_id"),
            models.Index(
                fields=["organisation", "wrapped_key_digest"],
                name="incoming_any_wrapped_key",
                condition=~models.Q(wrapped_key_digest=""),
            ),
            models.Index(
                fields=["organisation", "arrived_at"],
                name="incoming_set_aside",
                condition=models.Q(state="ERROR"),
            ),
        ]

    stored_files: ClassVar = {"envelope_name": "envelope_binding"}

    @property
    def is_local(self) -> bool:
        """Whether it came from an organisation of this node by local delivery; one that has left has no row
        here that it was sent as."""
        return self.sent_as_id is not None or bool(self.envelope_name)

    @property
    def envelope_binding(self) -> BlobBinding:
        return BlobBinding(self.organisation.participant_id, "envelope", self.transfer_id)


class Event(models.Model):
    """An event of a message: what happened, when, why, and by whom. Never changed, never content."""

    outgoing = models.ForeignKey(OutgoingMessage, models.CASCADE, null=True, related_name="events")
    incoming = models.ForeignKey(IncomingMessage, models.CASCADE, null=True, related_name="events")
    at = models.DateTimeField(auto_now_add=True)
    name = models.CharField(max_length=40, help_text="the state that was entered, or what happened")
    cause = models.CharField(max_length=200, blank=True)
    actor = models.CharField(max_length=200, blank=True)

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        ordering = ["at", "id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(outgoing__isnull=False) ^ models.Q(incoming__isnull=False),
                name="event_of_one_message",
            )
        ]


class QuarantinedFile(models.Model):
    """A file or text in which malicious code was found. The content is encrypted, in a folder of its own."""

    class Direction(models.TextChoices):
        IN = "in"
        OUT = "out"
        DRAFT = "draft"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organisation = models.ForeignKey(Organisation, models.PROTECT)
    direction = models.CharField(max_length=5, choices=Direction)
    message_id = models.UUIDField(null=True, blank=True)
    counterpart = models.CharField(max_length=260, blank=True, help_text="the other side's participant id")
    function_address = models.TextField(blank=True)
    signature = models.CharField(max_length=200, help_text="what the scanner calls it")
    size = models.BigIntegerField(help_text="bytes")
    sha256 = models.CharField(max_length=64, blank=True)
    file_name = models.CharField(max_length=300, blank=True)
    found_at = models.DateTimeField(auto_now_add=True)
    told_at = models.DateTimeField(null=True, blank=True, help_text="when the administrators were told")
    removed_at = models.DateTimeField(null=True, blank=True)
    removed_by = models.CharField(max_length=200, blank=True)

    objects: ClassVar[models.Manager[Self]] = models.Manager()
    stored_files: ClassVar = {"file_name": "binding"}

    class Meta:
        indexes = [
            models.Index(fields=["organisation", "-found_at"], name="quarantined_latest"),
            models.Index(
                fields=["found_at"], name="quarantined_kept", condition=models.Q(removed_at__isnull=True)
            ),
            models.Index(fields=["message_id"], name="quarantined_of_message"),
        ]

    @property
    def binding(self) -> BlobBinding:
        return BlobBinding(self.organisation.participant_id, "quarantine", self.pk)

    @classmethod
    def files_of(cls, keys: set[uuid.UUID]) -> list[str]:
        """The files that these rows name."""
        return list(cls.objects.filter(pk__in=keys).values_list("file_name", flat=True))


class ScannerAlarm(models.Model):
    """Messages wait for the scanner, since when that was noticed; gone when none does any more."""

    since = models.DateTimeField()
    told_at = models.DateTimeField(null=True, blank=True, help_text="when the administrators were last told")

    objects: ClassVar[models.Manager[Self]] = models.Manager()
