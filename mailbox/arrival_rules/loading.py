"""Rules as they are decided by: read from their rows, and checked against what there is now."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from mailbox.access import current_memberships, working_memberships
from mailbox.models import ArrivalRule, FunctionMailbox, Label, Membership

from .decision import Actions, Conditions, Effect, Kind, Rule

Failure = ArrivalRule.Failure


@dataclass(frozen=True, slots=True)
class _Existing:
    """What the actions of some rules name, as far as it is there: labels by mailbox, members by mailbox, and
    open mailboxes by organisation."""

    labels: Collection[tuple[int, int]] = ()
    members: dict[int, set[int]] = field(default_factory=dict)
    open_mailboxes: Collection[tuple[str, int]] = ()


def rows_for(mailbox_ids: Collection[int]) -> list[ArrivalRule]:
    """The enabled rules of the mailboxes in their order, in one query."""
    rows = ArrivalRule.objects.filter(mailbox__in=mailbox_ids, is_enabled=True).select_related("mailbox")
    return list(rows.order_by("mailbox", "position", "pk"))


def rules_of(rows: Sequence[ArrivalRule]) -> dict[int, list[Rule]]:
    """The rules of these rows by mailbox, each in its order; in at most three queries.

    A rule that cannot be read, or that names what is gone, says so in its `failures`.
    """
    actions_of = {row.pk: actions_of_row(row) for row in rows}
    readable = [(row, actions) for row in rows if (actions := actions_of[row.pk]) is not None]
    existing = _existing(readable)
    found: dict[int, list[Rule]] = {}
    for row in rows:
        found.setdefault(row.mailbox_id, []).append(_rule(row, actions_of[row.pk], existing))
    return found


def conditions_of_row(row: ArrivalRule) -> Conditions | None:
    """The conditions of a row; None where they cannot be read."""
    try:
        return Conditions.from_json(row.conditions)
    # Whatever a row holds, or whatever keeps it from being opened: a delivery goes on without the rule.
    except Exception:  # noqa: BLE001
        return None


def actions_of_row(row: ArrivalRule) -> Actions | None:
    """The actions of a row; None where they cannot be read."""
    try:
        return Actions.from_json(row.actions)
    except Exception:  # noqa: BLE001
        return None


def _rule(row: ArrivalRule, actions: Actions | None, existing: _Existing) -> Rule:
    conditions = conditions_of_row(row)
    if conditions is None or actions is None:
        return Rule(row.pk, None, failures=(Failure.UNREADABLE,))
    effects, failures = _effects(row, actions, existing)
    return Rule(row.pk, conditions, tuple(effects), tuple(failures), row.stops)


def _effects(row: ArrivalRule, actions: Actions, existing: _Existing) -> tuple[list[Effect], list[str]]:
    effects: list[Effect] = []
    failures: list[str] = []

    def add(kind: Kind, value: int = 0, people: Collection[int] = ()) -> None:
        effects.append(Effect(kind, row.pk, row.name, value, tuple(people)))

    members = existing.members.get(row.mailbox_id, set())
    if actions.move_to is not None:
        if (row.mailbox.participant_id, actions.move_to) not in existing.open_mailboxes:
            failures.append(Failure.TARGET_CLOSED)
        elif row.is_move_confirmed and actions.move_to != row.mailbox_id:
            add(Kind.MOVE, actions.move_to)
    if actions.label is not None:
        if (row.mailbox_id, actions.label) in existing.labels:
            add(Kind.LABEL, actions.label)
        else:
            failures.append(Failure.LABEL_GONE)
    if actions.is_priority:
        add(Kind.PRIORITY)
    if actions.due_days is not None:
        add(Kind.DUE, actions.due_days)
    if actions.assign_to is not None:
        if actions.assign_to in members:
            add(Kind.ASSIGN, actions.assign_to)
        else:
            failures.append(Failure.NOT_A_MEMBER)
    if actions.assigns_in_turn:
        candidates = members & set(actions.among) if actions.among else members
        if candidates:
            add(Kind.ASSIGN_IN_TURN, people=sorted(candidates))
        if not candidates or set(actions.among) - members:
            failures.append(Failure.NOT_A_MEMBER)
    if actions.notify:
        if notified := sorted(members & set(actions.notify)):
            add(Kind.NOTIFY, people=notified)
        if set(actions.notify) - members:
            failures.append(Failure.NOT_A_MEMBER)
    return effects, list(dict.fromkeys(failures))


def _existing(rules: Sequence[tuple[ArrivalRule, Actions]]) -> _Existing:
    labels = {actions.label for _, actions in rules if actions.label is not None}
    targets = {actions.move_to for _, actions in rules if actions.move_to is not None}
    with_people = {
        row.mailbox_id
        for row, actions in rules
        if actions.assign_to is not None or actions.assigns_in_turn or actions.notify
    }
    known_labels: set[tuple[int, int]] = set()
    if labels:
        known_labels = set(Label.objects.filter(pk__in=labels).values_list("mailbox_id", "pk"))
    open_mailboxes: set[tuple[str, int]] = set()
    if targets:
        boxes = FunctionMailbox.objects.filter(pk__in=targets, is_open=True)
        open_mailboxes = set(boxes.values_list("participant_id", "pk"))
    members: dict[int, set[int]] = {}
    if with_people:
        current = Membership.objects.filter(
            current_memberships(), working_memberships(), mailbox__in=with_people, person__is_active=True
        )
        for mailbox_id, person_id in current.values_list("mailbox_id", "person_id"):
            members.setdefault(mailbox_id, set()).add(person_id)
    return _Existing(known_labels, members, open_mailboxes)
