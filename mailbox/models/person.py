"""People who log in with e-ID."""

from django.contrib.auth.models import AbstractBaseUser, PermissionsMixin
from django.db import models


class Person(AbstractBaseUser, PermissionsMixin):
    """A person, known by the claim that SDK_OIDC_PERSON_CLAIM names."""

    subject = models.CharField(max_length=200, unique=True)
    name = models.CharField(max_length=256)
    is_active = models.BooleanField(default=True)

    USERNAME_FIELD = "subject"
