"""Keeping the register of the organisation's function addresses; every change is logged."""

from dataclasses import asdict
from datetime import date, datetime, time
from typing import Final

from django.db import IntegrityError, transaction
from django.utils import timezone

from addressbook import register
from addressbook.models import FunctionAddress, OwnFunction
from addressbook.register import Entry
from mailbox import access_log
from mailbox.models import FunctionMailbox, Person, Redirection
from transport.message_service.api import Organisation

from . import four_eyes, mailboxes, routing

_OF_CLOSING: Final = frozenset({"is_closed", "closed_on", "successor"})


class IdentifierTaken(Exception):
    """The organisation has a function with this identifier already."""


class SuccessorUnfit(Exception):
    """A successor is another function of the same organisation that is itself open."""


def register_mailboxes(participant_id: str) -> None:
    """Fill an empty register with the functions of the organisation's mailboxes.

    Their values are those of the federation's address book, else the mailbox's name. A register that is not
    empty is left unchanged.
    """
    with transaction.atomic():
        Organisation.objects.select_for_update(no_key=True).filter(participant_id=participant_id).first()
        if OwnFunction.objects.filter(participant_id=participant_id).exists():
            return
        boxes = FunctionMailbox.objects.filter(participant_id=participant_id, is_open=True)
        published = {
            row.identifier: row
            for row in FunctionAddress.objects.filter(
                organisation__participant_id=participant_id, gone_at=None
            )
        }
        OwnFunction.objects.bulk_create(
            register.of_published(participant_id, box.address, box.name, published.get(box.address))
            for box in boxes.order_by("pk")
        )


def difference(participant_id: str) -> register.Difference:
    """The difference between the register, which is filled if empty, and the federation's address book."""
    register_mailboxes(participant_id)
    return register.difference(participant_id)


def create(actor: Person, participant_id: str, entry: Entry) -> OwnFunction:
    """Add a function. Raises `IdentifierTaken`."""
    try:
        with transaction.atomic():
            function = OwnFunction.objects.create(participant_id=participant_id, **_fields(entry))
            access_log.record(actor, "function-created", participant_id, function=function.identifier)
    except IntegrityError:
        raise IdentifierTaken from None
    return function


def change(actor: Person, function: OwnFunction, entry: Entry) -> bool:
    """Change a function to the entry's values, except its identifier; returns whether anything changed."""
    fields = {name: value for name, value in _fields(entry).items() if name != "identifier"}
    changed = [name for name, value in fields.items() if getattr(function, name) != value]
    if not changed:
        return False
    with transaction.atomic():
        for name in changed:
            setattr(function, name, fields[name])
        function.save()
        access_log.record(
            actor, "function-changed", function.participant_id, function=function.identifier, changed=changed
        )
    return True


def close(
    actor: Person,
    function: OwnFunction,
    successor: OwnFunction | None,
    *,
    second: Person | None = None,
    on: date | None = None,
) -> bool:
    """Close a function: its mailbox takes no new messages. Raises `SuccessorUnfit`.

    `on` is the day in Swedish time on which it was closed, if not today. Returns False if the change waits
    for a second administrator (`four_eyes`).
    """
    with transaction.atomic():
        keys = [row.pk for row in (function, successor) if row is not None]
        rows = OwnFunction.objects.select_for_update().filter(participant_id=function.participant_id)
        here = {row.pk: row for row in rows.filter(pk__in=keys).order_by("pk")}
        if here[function.pk].closed_at is not None:
            return True
        if successor is not None and (
            successor.pk == function.pk
            or successor.pk not in here
            or here[successor.pk].closed_at is not None
        ):
            raise SuccessorUnfit
        if not _may_close(actor, function, successor, second):
            return False
        midnight = timezone.make_aware(datetime.combine(on, time.min)) if on else None
        function.closed_at = midnight or timezone.now()
        function.successor = successor
        function.save()
        access_log.record(
            actor,
            "function-closed",
            function.participant_id,
            function=function.identifier,
            successor=successor.identifier if successor else None,
        )
        mailbox = FunctionMailbox.objects.filter(
            participant_id=function.participant_id, address=function.identifier, is_open=True
        ).first()
        if mailbox is not None:
            # Where its messages go now has been decided with the function.
            mailboxes.set_open(actor, mailbox, is_open=False, second=second or actor)
    return True


def _may_close(
    actor: Person, function: OwnFunction, successor: OwnFunction | None, second: Person | None
) -> bool:
    participant_id, address = function.participant_id, function.identifier
    before = routing.receiving_mailbox_of(participant_id, address)
    after = routing.stand_in_of(
        participant_id, address, succeeded_by=successor.identifier if successor else ""
    )
    return before == after or four_eyes.apply_or_propose(
        actor,
        Redirection.Kind.CLOSE_FUNCTION,
        participant_id,
        mailbox=before,
        target=after,
        value={"function": function.pk, "successor": successor.pk if successor else None},
        second=second,
    )


def import_entries(actor: Person, participant_id: str, entries: list[Entry]) -> tuple[int, int]:
    """Add, change and close functions, all or none; returns how many were added and changed.

    Functions without an entry are left, and closed ones are not opened again. Closing one that needs a second
    administrator is proposed. Raises `SuccessorUnfit`.
    """
    with transaction.atomic():
        known = {row.identifier: row for row in OwnFunction.objects.filter(participant_id=participant_id)}
        were_closed = {identifier for identifier, row in known.items() if row.closed_at is not None}
        were_here, added, changes = set(known), 0, set()
        for entry in entries:
            function = known.get(entry.identifier)
            if function is None:
                known[entry.identifier] = create(actor, participant_id, entry)
                added += 1
            elif change(actor, function, entry):
                changes.add(entry.identifier)
        for entry in _closed_in_order(entries):
            if entry.identifier in were_closed:
                continue
            if entry.successor and entry.successor not in known:
                raise SuccessorUnfit
            successor = known.get(entry.successor)
            if close(actor, known[entry.identifier], successor, on=entry.closed_on):
                changes.add(entry.identifier)
        changed = len(changes & were_here)
        access_log.record(actor, "functions-imported", participant_id, added=added, changed=changed)
    return added, changed


def _closed_in_order(entries: list[Entry]) -> list[Entry]:
    """The closed entries of a file, each before its successor: a successor has to be open when it is set."""
    closed = {entry.identifier: entry for entry in entries if entry.is_closed}

    def succeeded_by(entry: Entry) -> int:
        count, last = 0, entry
        while last.successor in closed and count < len(closed):
            count, last = count + 1, closed[last.successor]
        return count

    return sorted(closed.values(), key=succeeded_by, reverse=True)


def _fields(entry: Entry) -> dict[str, object]:
    fields = {name: value for name, value in asdict(entry).items() if name not in _OF_CLOSING}
    return {**fields, "categories": list(entry.categories), "search_words": list(entry.search_words)}
