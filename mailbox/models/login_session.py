"""Which of our sessions belongs to which login at the e-ID provider."""

from typing import ClassVar, Self

from django.conf import settings
from django.db import models


class LoginSession(models.Model):
    """A session that a login began. The provider names it when it logs somebody out."""

    session_key = models.CharField(max_length=40, unique=True)
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="login_sessions")
    provider_session = models.CharField(max_length=255, blank=True, db_index=True, help_text="`sid`")
    provider_subject = models.CharField(
        max_length=64, blank=True, db_index=True, help_text="keyed hash of `sub`"
    )
    begun_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[models.Manager[Self]] = models.Manager()
