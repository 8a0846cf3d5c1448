"""Other message services, the functions that use them, and what is fetched from and handed over to each."""

import uuid
from typing import Any, ClassVar, Self

from django.db import models

from transport.bulkhead import Bulkheaded
from transport.jobs import LeasedJob
from transport.message_service.models import Organisation, OutgoingMessage
from transport.storage.encryption.fields import EncryptedTextField


class RemoteService(LeasedJob):
    """A message service that an organisation of ours uses by its API. The job is to ask it for news."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="remote_services")
    name = models.CharField(max_length=200)
    address = models.CharField(max_length=500, help_text="of the API; /sdk/messages is added to it")
    token_address = models.CharField(max_length=500)
    client_id = models.CharField(max_length=200, help_text="what we are called there")
    authorities = models.TextField(
        blank=True, help_text="certificates (PEM) that its server is trusted by besides the usual ones"
    )
    key_id = models.CharField(max_length=64)
    public_key: Any = models.JSONField(help_text="JWK: what its administrators register for us")
    private_key = EncryptedTextField(
        help_text="PKCS#8 in PEM", organisation="organisation.participant_id", bound_to=("id", "key_id")
    )
    access_token = EncryptedTextField(
        blank=True, default="", organisation="organisation.participant_id", bound_to=("id",)
    )
    token_until = models.DateTimeField(null=True, blank=True)
    has_all_functions = models.BooleanField(
        default=False,
        help_text="all functions of the organisation use it, not only those that are bound to it",
    )
    is_active = models.BooleanField(default=False)
    in_use_since = models.DateTimeField(
        null=True, blank=True, help_text="when it was first turned on: functions use it from then on"
    )
    changed_by = models.CharField(
        max_length=40,
        blank=True,
        help_text="who last changed where messages go; another one has to turn it on",
    )
    # Where the polling of several pages goes on: which question, and the address of the next page.
    cursor: Any = models.JSONField(default=dict)
    failures = models.PositiveIntegerField(default=0, help_text="polls that have failed since one succeeded")
    paused_until = models.DateTimeField(
        null=True, blank=True, help_text="it has asked not to be asked before"
    )
    answered_at = models.DateTimeField(null=True, blank=True, help_text="when a poll last succeeded")
    problem = models.CharField(max_length=40, blank=True, help_text="why the latest poll did not succeed")
    problem_since = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["organisation"],
                condition=models.Q(has_all_functions=True),
                name="remote_service_has_all_once",
            )
        ]

    def __str__(self) -> str:
        return self.name


class RemoteFunction(models.Model):
    """A function that uses another message service instead of ours."""

    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="+")
    function_address = models.CharField(max_length=500)
    service = models.ForeignKey(RemoteService, models.CASCADE, related_name="functions")

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        ordering = ["function_address"]
        constraints = [
            models.UniqueConstraint(fields=["organisation", "function_address"], name="remote_function_once")
        ]


class RemoteArrival(Bulkheaded):
    """A message that another message service has for us: to be fetched, delivered, and then deleted there."""

    class State(models.TextChoices):
        FOUND = "found"
        DELIVERED = "delivered"
        DELETED = "deleted"
        SET_ASIDE = "set-aside"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    service = models.ForeignKey(RemoteService, models.PROTECT, related_name="arrivals")
    resource_id = models.UUIDField(help_text="the other service's id of it")
    message_id = models.UUIDField()
    state = models.CharField(max_length=10, choices=State, default=State.FOUND)
    problem = models.CharField(max_length=40, blank=True, help_text="why it waits, or was set aside")
    failures = models.PositiveIntegerField(
        default=0, help_text="how often what was fetched could not be read"
    )
    found_at = models.DateTimeField(auto_now_add=True)
    delivered_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["service", "resource_id"], name="remote_arrival_once")]
        indexes = [
            models.Index(
                fields=["due_at"], name="remote_arrival_due", condition=models.Q(due_at__isnull=False)
            ),
            models.Index(
                fields=["service", "found_at"],
                name="remote_arrival_set_aside",
                condition=models.Q(state="set-aside"),
            ),
            models.Index(
                fields=["counterpart"], name="remote_arrival_slot", condition=models.Q(lease__isnull=False)
            ),
            models.Index(fields=["found_at"], name="remote_arrival_found"),
        ]


class RemoteOrder(Bulkheaded):
    """An order to hand a message over to another message service; then to follow it, and delete it there."""

    class State(models.TextChoices):
        WAITING = "waiting"
        FOLLOWED = "followed"
        SETTLED = "settled"
        ENDED = "ended"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    service = models.ForeignKey(RemoteService, models.PROTECT, related_name="orders")
    outgoing = models.ForeignKey(OutgoingMessage, models.PROTECT, related_name="remote_orders")
    resource_id = models.UUIDField(null=True, blank=True, help_text="the other service's id of it")
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    reported = models.CharField(max_length=40, blank=True, help_text="the latest status that was reported")
    problem = models.CharField(max_length=40, blank=True, help_text="why it waits, or was not accepted")
    ordered_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        indexes = [
            models.Index(
                fields=["due_at"], name="remote_order_due", condition=models.Q(due_at__isnull=False)
            ),
            models.Index(
                fields=["service"],
                name="remote_order_followed",
                condition=models.Q(state="followed"),
            ),
            models.Index(
                fields=["counterpart"], name="remote_order_slot", condition=models.Q(lease__isnull=False)
            ),
        ]
