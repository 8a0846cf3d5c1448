"""The name and logo that an organisation shows on its pages."""

from typing import ClassVar, Self

from django.db import models


class OrganisationIdentity(models.Model):
    """The name and logo that an organisation's administrators have chosen for the head of every page.

    They are public: the login page shows them. `logo_digest` is the SHA-256 of the logo, empty without one.
    """

    participant_id = models.CharField(max_length=260, unique=True)
    name = models.CharField(max_length=100)
    logo = models.BinaryField(null=True, blank=True)
    logo_type = models.CharField(max_length=20, blank=True)
    logo_digest = models.CharField(max_length=64, blank=True)
    changed_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        ordering = ["name", "id"]

    def __str__(self) -> str:
        return self.name
