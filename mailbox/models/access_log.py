"""The access log: who opened, exported, searched and changed what. Entries are only added."""

from typing import ClassVar, Final, Self

from django.conf import settings
from django.db import models

EVERYDAY: Final = ("attachment-opened", "conversation-opened", "searched")


class AccessLogHead(models.Model):
    """The last entry of an organisation's chain. Its row is locked while an entry is added."""

    participant_id = models.CharField(max_length=260, primary_key=True)
    number = models.BigIntegerField(default=0)
    digest = models.CharField(max_length=64, blank=True)

    objects: ClassVar[models.Manager[Self]] = models.Manager()


class AccessLogEntry(models.Model):
    """An entry. The database refuses to change or delete one (migration `access_log`).

    It has no content. Conversations and messages are named by their federation ids, which stay meaningful
    after they have been deleted.
    """

    participant_id = models.CharField(max_length=260)
    number = models.BigIntegerField(help_text="1, 2, 3 ... in the organisation")
    at = models.DateTimeField()
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    what = models.CharField(max_length=40)
    mailbox = models.ForeignKey("mailbox.FunctionMailbox", models.PROTECT, null=True, related_name="+")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    conversation_id = models.UUIDField(null=True)
    message_id = models.UUIDField(null=True)
    details = models.JSONField(default=dict)
    previous = models.CharField(max_length=64, blank=True, help_text="the digest of the entry before")
    digest = models.CharField(max_length=64)

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        ordering = ["participant_id", "number"]
        constraints = [models.UniqueConstraint(fields=["participant_id", "number"], name="access_log_once")]
        indexes = [
            models.Index(fields=["participant_id", "actor", "number"], name="access_log_by_actor"),
            models.Index(fields=["participant_id", "conversation_id"], name="access_log_conversation"),
            models.Index(fields=["participant_id", "mailbox", "number"], name="access_log_by_mailbox"),
            models.Index(fields=["participant_id", "-at", "-id"], name="access_log_latest"),
            # Most entries have one of these codes; this index finds the others.
            models.Index(
                fields=["participant_id", "-at", "-id"],
                name="access_log_latest_rare",
                condition=~models.Q(what__in=EVERYDAY),
            ),
        ]
