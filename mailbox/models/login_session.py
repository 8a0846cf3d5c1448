"""The sessions of logins at the e-ID provider."""

from typing import ClassVar, Self

from django.conf import settings
from django.db import models


class LoginSession(models.Model):
    """The session of a login, which the provider names when it logs a person out."""

    session_key = models.CharField(
        max_length=40, unique=True, help_text="what the table of sessions holds of the key: a hash"
    )
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="login_sessions")
    provider_session = models.CharField(max_length=255, blank=True, db_index=True, help_text="`sid`")
    provider_subject = models.CharField(
        max_length=64, blank=True, db_index=True, help_text="keyed hash of `sub`"
    )
    issued_at = models.DateTimeField(null=True, help_text="`iat`, by the provider's clock")
    begun_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[models.Manager[Self]] = models.Manager()


class UsedLogoutToken(models.Model):
    """A logout token that has been used, by its `jti`; it is kept until it has expired."""

    jti_hash = models.CharField(max_length=64, unique=True)
    forgotten_at = models.DateTimeField(db_index=True)

    objects: ClassVar[models.Manager[Self]] = models.Manager()
