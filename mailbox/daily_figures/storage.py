"""Keeping the sums of each day: counted anew every night, and kept of what is erased.

Whoever counts a mailbox, or erases a conversation of it, locks the mailbox's row first: what is erased is
counted either among the rows or among what was kept, never in both and never in neither.
"""

import logging
from datetime import datetime, time, timedelta
from typing import Any, Final

from django.db import models, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from mailbox import fault_isolation
from mailbox.models import (
    Conversation,
    CounterpartName,
    DailyCounterpart,
    DailyFigures,
    DailyWait,
    FiguresCount,
    FunctionMailbox,
)

from .counting import Counted, Rows, count, no_rows

logger = logging.getLogger(__name__)
# After midnight, and before the hour that clocks skip or repeat.
_COUNTED_FROM: Final = time(1)
_BATCH: Final = 1_000
_TABLES: Final[tuple[tuple[str, type[models.Model], tuple[str, ...]], ...]] = (
    ("figures", DailyFigures, ("day",)),
    ("waits", DailyWait, ("day", "step", "within_hours")),
    ("counterparts", DailyCounterpart, ("day", "counterpart")),
)


def recount_due() -> int:
    """Count the mailboxes that have not been counted since the last night; returns how many."""
    keys = due(timezone.now()).order_by(F("figures_count__counted_at").asc(nulls_first=True), "pk")
    return fault_isolation.count_each(recount_if_due, list(keys.values_list("pk", flat=True)))


def due(now: datetime) -> QuerySet[FunctionMailbox]:
    """Mailboxes whose figures have not been counted since the last night began."""
    uncounted = Q(figures_count=None) | Q(figures_count__counted_at__lt=last_night(now))
    return FunctionMailbox.objects.filter(uncounted)


def last_night(now: datetime) -> datetime:
    """The last moment at which the clock in Sweden showed one in the night."""
    local = timezone.localtime(now)
    day = local.date() if local.time() >= _COUNTED_FROM else local.date() - timedelta(days=1)
    return timezone.make_aware(datetime.combine(day, _COUNTED_FROM))


def recount_if_due(key: int) -> int:
    """Count a mailbox unless another worker has done so."""
    with transaction.atomic():
        mailbox = _locked(key)
        if not due(timezone.now()).filter(pk=key).exists():
            return 0
        _recount(mailbox)
    return 1


def recount_all() -> int:
    """Count every mailbox anew, whenever it was counted last; returns how many were."""
    keys = FunctionMailbox.objects.order_by("pk").values_list("pk", flat=True)
    return fault_isolation.count_each(recount, list(keys))


def recount(key: int) -> int:
    """Count a mailbox anew. What was kept of erased conversations is added, and stays as it was."""
    with transaction.atomic():
        _recount(_locked(key))
    return 1


def keep_erased(conversation: Conversation) -> None:
    """Keep what a conversation counts for, in the transaction that erases it."""
    mailbox = _locked(conversation.mailbox_id)
    counted = count(mailbox, conversation)
    for name, model, key_fields in _TABLES:
        rows: Rows = getattr(counted, name)
        days = {key[0] for key in rows}
        kept = _stored(model, key_fields, mailbox, Q(is_erased=True, day__in=days))
        for key, (_, values) in kept.items():
            if key in rows:
                rows[key].update(values)
        _save(model, key_fields, mailbox, rows, is_erased=True)
    _save_names(counted)


def _locked(key: int) -> FunctionMailbox:
    return FunctionMailbox.objects.select_for_update(no_key=True).get(pk=key)


def _recount(mailbox: FunctionMailbox) -> None:
    counted = count(mailbox)
    for name, model, key_fields in _TABLES:
        rows: Rows = getattr(counted, name)
        for key, (_, values) in _stored(model, key_fields, mailbox, Q(is_erased=True)).items():
            rows[key].update(values)
        before = _stored(model, key_fields, mailbox, Q(is_erased=False))
        changed = no_rows()
        for key, values in rows.items():
            if values.total() and (key not in before or before[key][1] != values):
                changed[key] = values
        gone = [pk for key, (pk, _) in before.items() if not rows[key].total()]
        model._default_manager.filter(pk__in=gone).delete()
        _save(model, key_fields, mailbox, changed, is_erased=False)
    _save_names(counted)
    FiguresCount.objects.update_or_create(mailbox=mailbox, defaults={"counted_at": timezone.now()})


def _stored(
    model: type[models.Model], key_fields: tuple[str, ...], mailbox: FunctionMailbox, which: Q
) -> dict[tuple[Any, ...], tuple[int, Any]]:
    """The stored sums of a mailbox by their keys, with the keys of their rows; zeros are left out."""
    rows = no_rows()
    found: dict[tuple[Any, ...], tuple[int, Any]] = {}
    columns = _columns(model, key_fields)
    stored = model._default_manager.filter(which, mailbox=mailbox)
    for pk, *values in stored.values_list("pk", *key_fields, *columns):
        key, sums = tuple(values[: len(key_fields)]), values[len(key_fields) :]
        rows[key].update({name: value for name, value in zip(columns, sums, strict=True) if value})
        found[key] = (pk, rows[key])
    return found


def _save(
    model: type[models.Model],
    key_fields: tuple[str, ...],
    mailbox: FunctionMailbox,
    rows: Rows,
    *,
    is_erased: bool,
) -> None:
    columns = _columns(model, key_fields)
    model._default_manager.bulk_create(
        [
            model(
                mailbox=mailbox,
                is_erased=is_erased,
                **dict(zip(key_fields, key, strict=True)),
                **{name: values[name] for name in columns},
            )
            for key, values in rows.items()
        ],
        batch_size=_BATCH,
        update_conflicts=True,
        unique_fields=["mailbox", "is_erased", *key_fields],
        update_fields=columns,
    )


def _save_names(counted: Counted) -> None:
    CounterpartName.objects.bulk_create(
        # In one order, so that two workers do not wait for each other.
        [CounterpartName(participant_id=key, name=name) for key, name in sorted(counted.names.items())],
        batch_size=_BATCH,
        update_conflicts=True,
        unique_fields=["participant_id"],
        update_fields=["name"],
    )


def _columns(model: type[models.Model], key_fields: tuple[str, ...]) -> list[str]:
    others = {"id", "mailbox", "is_erased", *key_fields}
    return [each.name for each in model._meta.concrete_fields if each.name not in others]
