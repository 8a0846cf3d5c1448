"""The rows of logins by SAML 2.0."""

from typing import ClassVar, Self

from django.conf import settings
from django.db import models


class SamlMetadata(models.Model):
    """The federation's metadata as it was last fetched, with its signature, which is verified again by each
    process that reads it."""

    address = models.CharField(max_length=500, unique=True)
    document = models.TextField()
    fetched_at = models.DateTimeField()

    objects: ClassVar[models.Manager[Self]] = models.Manager()


class UsedAssertion(models.Model):
    """An assertion that has been used, by a hash of its issuer and ID; it is kept until it has expired."""

    assertion_hash = models.CharField(max_length=64, unique=True)
    forgotten_at = models.DateTimeField(db_index=True)

    objects: ClassVar[models.Manager[Self]] = models.Manager()


class PendingSamlLogin(models.Model):
    """What a verified assertion says, until the browser that asked for it has fetched it; sealed."""

    ticket_hash = models.CharField(max_length=64, unique=True, help_text="SHA-256: the ticket is random")
    sealed = models.TextField()
    expires_at = models.DateTimeField(db_index=True)

    objects: ClassVar[models.Manager[Self]] = models.Manager()


class RememberedAssignment(models.Model):
    """The assignment that a person chose last, which is suggested at the next login."""

    person = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    assignment_hash = models.CharField(max_length=64, help_text="keyed hash of the assignment")
    chosen_at = models.DateTimeField()

    objects: ClassVar[models.Manager[Self]] = models.Manager()
