"""Cached answers of the federation's services."""

from django.db import models


class CachedAnswer(models.Model):
    """An answer's bytes (SMP metadata, CRL, OCSP response), unverified: they are verified at every use."""

    key = models.CharField(max_length=64, primary_key=True, help_text="SHA-256 of what was asked")
    answer = models.BinaryField()
    expires_at = models.DateTimeField(db_index=True)


class StatusFeed(models.Model):
    """The federation's status feed as it was read last: one row. What could not be read leaves the latest
    announcements that could."""

    announcements = models.JSONField(default=list, help_text="title, text, link and time of each")
    read_at = models.DateTimeField(null=True, help_text="when the announcements were read")
    tried_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=200, blank=True, help_text="why the latest try failed, if it did")
