"""People who log in with e-ID, and the sessions of their logins."""

import hashlib
import hmac
from typing import Any, ClassVar, Self

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models


def subject_key(subject: str) -> str:
    """The keyed hash of the e-ID's claim, by which a person is known.

    The claim is usually a personal number. It is not stored, since no page shows it: only somebody who has
    SDK_PERSON_KEY too can tell from a copy of the database who has logged in.
    """
    normal = "".join(subject.split()).replace("-", "").lower()
    return hmac.new(settings.SDK_PERSON_KEY.encode(), normal.encode(), hashlib.sha256).hexdigest()


class PersonManager(BaseUserManager["Person"]):
    def by_subject(self, subject: str) -> "Person | None":
        """The person with this value of the e-ID's claim."""
        return self.filter(subject_key=subject_key(subject)).first()

    def get_by_natural_key(self, username: str | None) -> "Person":
        return self.get(subject_key=username)


class Person(AbstractBaseUser):
    """A person. There is no password: people log in at the e-ID provider."""

    subject_key = models.CharField(max_length=64, unique=True)
    name = models.CharField(max_length=256)
    is_active = models.BooleanField(default=True, help_text="a locked person is cut off at once")
    mail_address = models.EmailField(blank=True, help_text="for notices; the person's own choice")
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[PersonManager] = PersonManager()

    USERNAME_FIELD = "subject_key"

    def __str__(self) -> str:
        return self.name

    @classmethod
    def add(cls, subject: str, name: str) -> tuple[Self, bool]:
        """The person with this claim, created if there is none; and whether they were created."""
        person, created = cls.objects.get_or_create(
            subject_key=subject_key(subject), defaults={"name": name, "password": "!"}
        )
        return person, created  # type: ignore[return-value]

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self.password:
            self.set_unusable_password()
        super().save(*args, **kwargs)


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
