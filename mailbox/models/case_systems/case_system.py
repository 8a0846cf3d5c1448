"""Case systems of organisations, and the mailboxes that may hand conversations over to them."""

import uuid
from typing import ClassVar, Self

from django.conf import settings
from django.db import models

from mailbox.models.conversation import FunctionMailbox
from transport.storage.encryption.fields import EncryptedTextField


class CaseSystem(models.Model):
    """A case system or e-archive of an organisation, and how it is reached.

    What one administrator sets is in force when another has confirmed it (`is_confirmed`).
    """

    class Kind(models.TextChoices):
        DIRECTORY = "directory"
        WEBHOOK = "webhook"
        SFTP = "sftp"

    participant_id = models.CharField(max_length=260)
    key = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=60)
    kind = models.CharField(max_length=9, choices=Kind)
    folder = models.CharField(
        max_length=40, blank=True, help_text="below the organisation's directory; of a directory only"
    )
    webhook_url = models.CharField(max_length=500, blank=True, help_text="empty: the system asks by itself")
    webhook_secret = EncryptedTextField(
        blank=True, default="", organisation="participant_id", bound_to=("key",)
    )
    token_digest = models.CharField(
        max_length=64, blank=True, help_text="SHA-256 of the token with which it fetches packages"
    )
    sftp_address = models.CharField(
        max_length=500, blank=True, default="", db_default="", help_text="sftp://user@host:port/directory"
    )
    sftp_host_key = models.TextField(
        blank=True,
        default="",
        db_default="",
        help_text="the server's public key, which an administrator has compared: no other is spoken to",
    )
    sftp_public_key = models.TextField(
        blank=True, default="", db_default="", help_text="ours, which the server lets in"
    )
    sftp_private_key = EncryptedTextField(
        blank=True, default="", db_default="", organisation="participant_id", bound_to=("key",)
    )
    host_key_changed_at = models.DateTimeField(
        null=True, blank=True, help_text="since when the server shows another key than the known one"
    )
    polled_at = models.DateTimeField(null=True, blank=True, help_text="when receipts were fetched last")
    is_enabled = models.BooleanField(default=True)
    is_confirmed = models.BooleanField(default=False)
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        related_name="+",
        help_text="the administrator who does not confirm it",
    )
    changed_at = models.DateTimeField()
    rejected_count = models.PositiveIntegerField(
        default=0, help_text="receipts that were set aside and are still there"
    )
    latest_rejection = models.CharField(max_length=40, blank=True, help_text="why: a code")

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint(fields=["participant_id", "name"], name="case_system_name_once"),
            models.UniqueConstraint(
                fields=["participant_id", "folder"],
                condition=~models.Q(folder=""),
                name="case_system_folder_once",
            ),
            models.UniqueConstraint(
                fields=["token_digest"],
                condition=~models.Q(token_digest=""),
                name="case_system_token_once",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_active(self) -> bool:
        """Whether conversations are handed over to it now."""
        return self.is_enabled and self.is_confirmed


class CaseSystemMailbox(models.Model):
    """A mailbox that may hand conversations over to a case system, and when that is done by itself."""

    class DeliversAt(models.TextChoices):
        ORDER = ""
        REGISTRATION = "registered"
        DONE = "done"

    case_system = models.ForeignKey(CaseSystem, models.CASCADE, related_name="mailboxes")
    mailbox = models.ForeignKey(FunctionMailbox, models.CASCADE, related_name="case_systems")
    delivers_at = models.CharField(
        max_length=10,
        choices=DeliversAt,
        blank=True,
        default=DeliversAt.ORDER,
        help_text="what a conversation is handed over by; empty: by somebody's order alone",
    )

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["case_system", "mailbox"], name="case_system_mailbox_once")
        ]
