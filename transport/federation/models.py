"""Copies of what the federation answered, kept for as long as they may be used."""

from django.db import models


class CachedAnswer(models.Model):
    """Bytes as they came (SMP metadata, CRL, OCSP answer): whoever uses them verifies them."""

    key = models.CharField(max_length=64, primary_key=True, help_text="SHA-256 of what was asked")
    answer = models.BinaryField()
    expires_at = models.DateTimeField(db_index=True)
