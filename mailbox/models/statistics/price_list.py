"""What an organisation's departments are charged for their mailboxes and messages."""

from typing import ClassVar, Self

from django.db import models


class PriceList(models.Model):
    """Prices in kronor from one day to another, both included; without an end until further notice.

    Lists of an organisation do not overlap. Days that no list has cost nothing, and pages say how many.
    """

    participant_id = models.CharField(max_length=260)
    begins_on = models.DateField()
    ends_on = models.DateField(null=True, blank=True)
    organisation_year = models.DecimalField(max_digits=12, decimal_places=2, default=0)
    mailbox_year = models.DecimalField(max_digits=12, decimal_places=2, default=0)
    message_in = models.DecimalField(max_digits=12, decimal_places=4, default=0)
    message_out = models.DecimalField(max_digits=12, decimal_places=4, default=0)

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        ordering = ["begins_on", "id"]
        constraints = [
            models.UniqueConstraint(fields=["participant_id", "begins_on"], name="price_list_begins_once"),
            models.CheckConstraint(
                condition=models.Q(ends_on__isnull=True) | models.Q(ends_on__gte=models.F("begins_on")),
                name="price_list_ends_after_it_begins",
            ),
            models.CheckConstraint(
                condition=models.Q(
                    organisation_year__gte=0, mailbox_year__gte=0, message_in__gte=0, message_out__gte=0
                ),
                name="price_list_costs_nothing_less",
            ),
        ]
