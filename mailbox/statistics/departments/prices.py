"""The price lists of an organisation, which its administrators keep."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any, Final

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet

from mailbox import access_log
from mailbox.models import Person, PriceList

AMOUNTS: Final = ("organisation_year", "mailbox_year", "message_in", "message_out")


class Overlap(Exception):
    """Another price list of the organisation has one of the days."""


class EndsTooEarly(Exception):
    """A price list ends on the day on which it begins, or later."""


def add(
    actor: Person, participant_id: str, begins_on: date, ends_on: date | None, amounts: Mapping[str, Decimal]
) -> PriceList:
    """Add a price list, with amounts for each of `AMOUNTS`. Raises `EndsTooEarly`, `Overlap`."""
    row = PriceList(participant_id=participant_id, begins_on=begins_on, ends_on=ends_on, **amounts)
    _save(actor, row, "price-list-added")
    return row


def set_end(actor: Person, row: PriceList, ends_on: date | None) -> None:
    """Let a price list end on a day, or hold until further notice. Raises `EndsTooEarly`, `Overlap`."""
    row.ends_on = ends_on
    _save(actor, row, "price-list-changed")


def remove(actor: Person, row: PriceList) -> None:
    """Remove a price list: what its days cost is not known any more."""
    with transaction.atomic():
        access_log.record(actor, "price-list-removed", row.participant_id, **_told(row))
        row.delete()


def lists_between(participant_id: str, first: date, last: date) -> QuerySet[PriceList]:
    """The organisation's price lists that have one of these days, in order."""
    not_ended = Q(ends_on=None) | Q(ends_on__gte=first)
    return PriceList.objects.filter(not_ended, participant_id=participant_id, begins_on__lte=last)


def _save(actor: Person, row: PriceList, what: str) -> None:
    if row.ends_on is not None and row.ends_on < row.begins_on:
        raise EndsTooEarly
    try:
        with transaction.atomic():
            # The entry locks the organisation's log: two changes at once do not pass each other.
            access_log.record(actor, what, row.participant_id, **_told(row))
            last = row.ends_on or date.max
            if lists_between(row.participant_id, row.begins_on, last).exclude(pk=row.pk).exists():
                raise Overlap
            row.save()
    except IntegrityError:
        raise Overlap from None


def _told(row: PriceList) -> dict[str, Any]:
    return {
        "begins": row.begins_on.isoformat(),
        "ends": row.ends_on.isoformat() if row.ends_on else None,
        **{each: str(getattr(row, each)) for each in AMOUNTS},
    }
