"""Warnings of certificates that expire."""

from typing import ClassVar, Self

from django.db import models


class ExpiryWarning(models.Model):
    """A warning that has been sent: so many days before a certificate ends."""

    fingerprint = models.CharField(max_length=64)
    days = models.PositiveIntegerField()
    sent_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["fingerprint", "days"], name="expiry_warning_once")]
