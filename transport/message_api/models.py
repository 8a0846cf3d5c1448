"""External message clients, which functions are theirs, and what is held for them."""

import uuid
from typing import Any, ClassVar, Self

from django.db import models

from transport.storage.blobs import BlobBinding
from transport.storage.encryption.fields import EncryptedJSONField, EncryptedTextField

from ..bulkhead import Bulkheaded
from ..message_service.models import IncomingMessage, Organisation, OutgoingMessage


class ApiClient(models.Model):
    """A message client of one organisation. `auth_ids` bound which functions it may see and act for."""

    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="api_clients")
    client_id = models.CharField(max_length=200, unique=True)
    name = models.CharField(max_length=200, blank=True)
    keys: Any = models.JSONField(default=list, help_text="public keys as JWK; several while one is renewed")
    scopes: Any = models.JSONField(default=list)
    auth_ids: Any = models.JSONField(default=list, help_text="function addresses, * for any characters")
    webhook_url = models.CharField(max_length=500, blank=True)
    webhook_secret = EncryptedTextField(
        blank=True, default="", organisation="organisation.participant_id", bound_to=("client_id",)
    )
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True, help_text="to the minute")
    proposals: Any = models.JSONField(
        default=dict,
        db_default={},
        help_text="what one person would have it given, and another has not confirmed yet",
    )

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        ordering = ["organisation", "client_id"]

    def __str__(self) -> str:
        return self.client_id


class UsedAssertion(models.Model):
    """A client's assertion that has been shown: it is not taken twice (RFC 7523 3, `jti`)."""

    client = models.ForeignKey(ApiClient, models.CASCADE)
    jti = models.CharField(max_length=64, help_text="SHA-256 of it")
    until = models.DateTimeField(db_index=True, help_text="after this the assertion is not taken anyway")

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["client", "jti"], name="assertion_once")]


class FunctionRoute(models.Model):
    """Which message clients a function address belongs to. Without a row it is the built-in one's."""

    class To(models.TextChoices):
        BUILT_IN = "built-in"
        EXTERNAL = "external"
        BOTH = "both"

    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="function_routes")
    function_address = models.CharField(max_length=500)
    to = models.CharField(max_length=10, choices=To)

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        ordering = ["function_address"]
        constraints = [
            models.UniqueConstraint(fields=["organisation", "function_address"], name="route_once")
        ]


class HeldMessage(models.Model):
    """A message that external clients see until one of them deletes it: sent by one, or arrived for one.

    What stands in the message is sealed: its header in `head`, its documents in a stored file. `resource_id`
    is the contract's `id`: the message's own, unless the organisation both sent and received it.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organisation = models.ForeignKey(Organisation, models.PROTECT)
    resource_id = models.UUIDField()
    message_id = models.UUIDField()
    outgoing = models.OneToOneField(OutgoingMessage, models.PROTECT, null=True, related_name="+")
    incoming = models.OneToOneField(IncomingMessage, models.PROTECT, null=True, related_name="+")
    own_function = models.TextField(help_text="the organisation's own, sender's or recipient's")
    sender_function = models.TextField(blank=True)
    recipient_function = models.TextField(blank=True)
    message_created_at = models.DateTimeField(help_text="creationDateTime")
    held_at = models.DateTimeField(auto_now_add=True)
    is_shared = models.BooleanField(help_text="the built-in client has it too, and rules of its own")
    head = EncryptedJSONField(
        default=dict, organisation="organisation.participant_id", bound_to=("resource_id",)
    )
    payload_name = models.CharField(max_length=300)
    pieces: Any = models.JSONField(default=list, help_text="what the payload consists of: kind and length")

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organisation", "resource_id"], name="held_resource_once"),
            models.CheckConstraint(
                condition=models.Q(outgoing__isnull=False) ^ models.Q(incoming__isnull=False),
                name="held_sent_or_arrived",
            ),
        ]
        indexes = [
            models.Index(fields=["organisation", "held_at", "id"], name="held_in_order"),
            models.Index(fields=["organisation", "message_id"], name="held_message_id"),
        ]

    stored_files: ClassVar = {"payload_name": "payload_binding"}

    @property
    def payload_binding(self) -> BlobBinding:
        return BlobBinding(self.organisation.participant_id, "held", self.pk)

    @classmethod
    def files_of(cls, keys: set[uuid.UUID]) -> list[str]:
        """The files that these messages hold."""
        return list(cls.objects.filter(pk__in=keys).values_list("payload_name", flat=True))


class WebhookNotice(Bulkheaded):
    """An order to tell a client to fetch again. It carries ids and never what a message says."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    client = models.ForeignKey(ApiClient, models.CASCADE)
    resource_id = models.UUIDField()
    created_at = models.DateTimeField(auto_now_add=True)
    told_at = models.DateTimeField(null=True)
    given_up_at = models.DateTimeField(null=True)
    problem = models.CharField(
        max_length=60, default="", db_default="", help_text="why the latest attempt was not answered"
    )

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        indexes = [
            models.Index(fields=["due_at"], name="notice_due", condition=models.Q(due_at__isnull=False)),
            models.Index(
                fields=["counterpart"], name="notice_place", condition=models.Q(lease__isnull=False)
            ),
        ]
