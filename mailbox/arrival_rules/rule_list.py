"""A mailbox's list of rules: adding, changing, ordering and removing them.

Every change locks the list and raises its version. Whoever changes it from a page that was made before is
told so (`StaleList`), and changes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db import transaction
from django.utils import timezone

from mailbox import access_log
from mailbox.administration import four_eyes
from mailbox.models import (
    ArrivalRule,
    ArrivalRuleList,
    ArrivalTurn,
    FunctionMailbox,
    Person,
    Redirection,
)

from .decision import Actions, Conditions

MOST: Final = 30


class StaleList(Exception):
    """Somebody has changed the list since the page was made."""


class TooMany(Exception):
    """The mailbox has `MOST` rules already."""


@dataclass(frozen=True, slots=True)
class Content:
    """What a rule says."""

    name: str
    is_enabled: bool
    stops: bool
    conditions: Conditions
    actions: Actions


def rules_of(mailbox: FunctionMailbox) -> list[ArrivalRule]:
    """The mailbox's rules, in their order."""
    return list(mailbox.arrival_rules.select_related("mailbox").order_by("position", "pk"))


def version_of(mailbox: FunctionMailbox) -> int:
    """The version of the mailbox's list; 0 before its first change."""
    found = ArrivalRuleList.objects.filter(mailbox=mailbox).values_list("version", flat=True).first()
    return found or 0


def add(person: Person, mailbox: FunctionMailbox, version: int, content: Content) -> ArrivalRule:
    """Add a rule after the others. Raises `StaleList`, `TooMany`."""
    with transaction.atomic():
        rows = _locked(mailbox, version)
        if len(rows) >= MOST:
            raise TooMany
        row = ArrivalRule(mailbox=mailbox, position=rows[-1].position + 1 if rows else 1)
        _write(row, content)
        row.save()
        ArrivalTurn.objects.create(rule=row)
        if content.actions.move_to is not None:
            _ask_to_move(person, row, content.actions.move_to)
        _record(person, "arrival-rule-made", row)
        return row


def change(
    person: Person, mailbox: FunctionMailbox, version: int, rule_id: int, content: Content
) -> ArrivalRule:
    """Change a rule; its failures are forgotten. Raises `StaleList`.

    Where its conditions change, or the mailbox that it moves to, the move has to be confirmed anew.
    """
    with transaction.atomic():
        row = _one_of(_locked(mailbox, version), rule_id)
        # The log's head is locked before the rule, as deliveries do.
        _record(person, "arrival-rule-changed", row)
        earlier = _what_moves(row)
        _write(row, content)
        row.failure_count, row.last_failure, row.last_failed_at = 0, "", None
        is_new_move = _what_moves(row) != earlier
        if is_new_move:
            row.revision += 1
            row.is_move_confirmed = False
        row.save()
        if is_new_move:
            _end_proposals(row)
            if content.actions.move_to is not None:
                _ask_to_move(person, row, content.actions.move_to)
        return row


def set_enabled(
    person: Person, mailbox: FunctionMailbox, version: int, rule_id: int, *, is_enabled: bool
) -> ArrivalRule:
    """Let a rule run, or not. Raises `StaleList`."""
    with transaction.atomic():
        row = _one_of(_locked(mailbox, version), rule_id)
        _record(person, "arrival-rule-changed", row)
        row.is_enabled = is_enabled
        row.save(update_fields=["is_enabled"])
        return row


def shift(
    person: Person, mailbox: FunctionMailbox, version: int, rule_id: int, *, places: int
) -> ArrivalRule:
    """Move a rule so many places down the list, or up where it is negative. Raises `StaleList`."""
    with transaction.atomic():
        rows = _locked(mailbox, version)
        row = _one_of(rows, rule_id)
        _record(person, "arrival-rule-changed", row)
        before = rows.index(row)
        rows.remove(row)
        rows.insert(max(0, min(len(rows), before + places)), row)
        for position, each in enumerate(rows, 1):
            if each.position != position:
                ArrivalRule.objects.filter(pk=each.pk).update(position=position)
        return row


def remove(person: Person, mailbox: FunctionMailbox, version: int, rule_id: int) -> str:
    """Delete a rule; returns its name. What it has done stays. Raises `StaleList`."""
    with transaction.atomic():
        row = _one_of(_locked(mailbox, version), rule_id)
        _record(person, "arrival-rule-removed", row)
        _end_proposals(row)
        row.delete()
        return row.name


def _locked(mailbox: FunctionMailbox, version: int) -> list[ArrivalRule]:
    """The rules in their order, where the list still has this version; it has the next one now."""
    ArrivalRuleList.objects.get_or_create(mailbox=mailbox)
    listed = ArrivalRuleList.objects.select_for_update().get(mailbox=mailbox)
    if listed.version != version:
        raise StaleList
    listed.version += 1
    listed.save(update_fields=["version"])
    return rules_of(mailbox)


def _one_of(rows: Sequence[ArrivalRule], rule_id: int) -> ArrivalRule:
    found = next((row for row in rows if row.pk == rule_id), None)
    if found is None:
        raise StaleList
    return found


def _write(row: ArrivalRule, content: Content) -> None:
    row.name, row.is_enabled, row.stops = content.name, content.is_enabled, content.stops
    row.conditions, row.actions = content.conditions.as_json(), content.actions.as_json()


def _what_moves(row: ArrivalRule) -> Any:
    """Which messages it moves, and where to; None where it moves none."""
    target = row.actions.get("move_to")
    return None if target is None else (target, row.conditions)


def _ask_to_move(person: Person, row: ArrivalRule, target_id: int) -> None:
    """Let the rule move messages, or propose it to an administrator (`four_eyes`): where the person reads the
    other mailbox, or has named its members."""
    row.is_move_confirmed = four_eyes.apply_or_propose(
        person,
        Redirection.Kind.ARRIVAL_RULE,
        row.mailbox.participant_id,
        mailbox=row.mailbox,
        target=FunctionMailbox.objects.get(pk=target_id),
        value={"rule": row.pk, "revision": row.revision},
        second=None,
    )
    row.save(update_fields=["is_move_confirmed"])


def _end_proposals(row: ArrivalRule) -> None:
    proposals = Redirection.objects.filter(kind=Redirection.Kind.ARRIVAL_RULE, mailbox=row.mailbox)
    proposals.filter(value__rule=row.pk, settled_at=None).update(settled_at=timezone.now())


def _record(person: Person, what: str, row: ArrivalRule) -> None:
    """Who has changed which rule; what it says is not repeated, since it may name people and cases."""
    access_log.record(person, what, row.mailbox.participant_id, mailbox=row.mailbox, rule=row.pk)
