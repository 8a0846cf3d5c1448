"""Tokens by which directory services are known, and what went wrong in their requests."""

from typing import ClassVar, Self

from django.conf import settings
from django.db import models


class Directory(models.Model):
    """The directory of an organisation. Every change that a directory service makes locks this row, so that
    two of them do not cross."""

    participant_id = models.CharField(max_length=260, primary_key=True)

    objects: ClassVar[models.Manager[Self]] = models.Manager()


class DirectoryToken(models.Model):
    """A bearer token of an organisation's directory service: of no use until a second administrator has
    confirmed it, nor after `ends_at` or once it is revoked."""

    participant_id = models.CharField(max_length=260, db_index=True)
    name = models.CharField(max_length=60)
    token_hash = models.CharField(max_length=64, unique=True, help_text="SHA-256: the token is random")
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    made_at = models.DateTimeField(auto_now_add=True)
    confirmed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    confirmed_at = models.DateTimeField(null=True)
    ends_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True, help_text="to the minute")

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        ordering = ["-made_at", "-id"]

    def __str__(self) -> str:
        return self.name


class DirectoryFailure(models.Model):
    """Requests of an organisation's directory service that were refused in the same way in one hour."""

    participant_id = models.CharField(max_length=260)
    hour = models.DateTimeField()
    request = models.CharField(max_length=40, help_text="method and kind of resource, without any id")
    reason = models.CharField(max_length=40, help_text="`scimType`, or the HTTP status")
    count = models.PositiveIntegerField(default=1)
    last_at = models.DateTimeField()

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        ordering = ["-last_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["participant_id", "hour", "request", "reason"], name="directory_failure_once"
            )
        ]
