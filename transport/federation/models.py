"""Cached answers of the federation's services."""

from django.db import models


class CachedAnswer(models.Model):
    """An answer's bytes (SMP metadata, CRL, OCSP response), unverified: they are verified at every use."""

    key = models.CharField(max_length=64, primary_key=True, help_text="SHA-256 of what was asked")
    answer = models.BinaryField()
    expires_at = models.DateTimeField(db_index=True)
