"""Keeping the register of the organisation's function addresses; every change is logged."""

from dataclasses import asdict

from django.db import IntegrityError, transaction
from django.utils import timezone

from addressbook.models import OwnFunction
from addressbook.register import Entry

from . import access_log, administration
from .models import FunctionMailbox, Person


class IdentifierTaken(Exception):
    """The organisation has a function with this identifier already."""


class SuccessorUnfit(Exception):
    """A successor is another function of the same organisation that is itself open."""


def create(actor: Person, participant_id: str, entry: Entry) -> OwnFunction:
    """Add a function. Raises `IdentifierTaken`."""
    try:
        with transaction.atomic():
            function = OwnFunction.objects.create(participant_id=participant_id, **_fields(entry))
            access_log.note(actor, "function-created", participant_id, function=function.identifier)
    except IntegrityError:
        raise IdentifierTaken from None
    return function


def change(actor: Person, function: OwnFunction, entry: Entry) -> bool:
    """Let a function say what the entry says, but for its identifier; whether that was a change."""
    fields = {name: value for name, value in _fields(entry).items() if name != "identifier"}
    changed = [name for name, value in fields.items() if getattr(function, name) != value]
    if not changed:
        return False
    with transaction.atomic():
        for name in changed:
            setattr(function, name, fields[name])
        function.save()
        access_log.note(
            actor, "function-changed", function.participant_id, function=function.identifier, changed=changed
        )
    return True


def close(actor: Person, function: OwnFunction, successor: OwnFunction | None) -> None:
    """Close a function: its mailbox takes no new messages. Raises `SuccessorUnfit`."""
    if successor is not None and (
        successor.pk == function.pk
        or successor.closed_at is not None
        or successor.participant_id != function.participant_id
    ):
        raise SuccessorUnfit
    with transaction.atomic():
        function.closed_at = timezone.now()
        function.successor = successor
        function.save()
        access_log.note(
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
            administration.set_open(actor, mailbox, is_open=False)


def take_in(actor: Person, participant_id: str, entries: list[Entry]) -> tuple[int, int]:
    """Add and change functions, all or none; how many of each. What no entry names stays as it is."""
    with transaction.atomic():
        known = {row.identifier: row for row in OwnFunction.objects.filter(participant_id=participant_id)}
        added = changed = 0
        for entry in entries:
            function = known.get(entry.identifier)
            if function is None:
                create(actor, participant_id, entry)
                added += 1
            else:
                changed += change(actor, function, entry)
        access_log.note(actor, "functions-imported", participant_id, added=added, changed=changed)
    return added, changed


def _fields(entry: Entry) -> dict[str, object]:
    fields = asdict(entry)
    return {**fields, "categories": list(entry.categories), "search_words": list(entry.search_words)}
