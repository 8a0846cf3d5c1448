"""Data keys, as the database holds them."""

import uuid
from typing import ClassVar, Self

from django.db import models


class DataKey(models.Model):
    """A key of one organisation, wrapped. A retired one still opens what it sealed."""

    class Purpose(models.TextChoices):
        CONTENT = "content"
        SEARCH = "search"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    participant_id = models.CharField(max_length=260)
    purpose = models.CharField(max_length=10, choices=Purpose)
    wrapped = models.BinaryField()
    wrapped_by = models.CharField(max_length=120, help_text="which wrapping key: its name, never the key")
    created_at = models.DateTimeField(auto_now_add=True)
    retired_at = models.DateTimeField(null=True, blank=True, help_text="seals no more since then")

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["participant_id", "purpose"],
                condition=models.Q(retired_at=None),
                name="one_current_data_key",
            )
        ]

    @property
    def binding(self) -> bytes:
        """The context that the wrapped key is bound to: it opens as no other organisation's."""
        return f"{self.participant_id}|{self.purpose}|{self.id}".encode()
