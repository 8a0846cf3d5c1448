"""The departments of an organisation as a tree that administrators keep.

Every change is an entry in the access log. That entry is written first: it locks the organisation's log until
the transaction ends, so that two changes at once cannot close a circle.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import Final

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from mailbox import access_log
from mailbox.models import Department, DepartmentMailbox, FunctionMailbox, Person

MOST_DEPARTMENTS: Final = 1_000
MOST_LEVELS: Final = 8


class NameTaken(Exception):
    """There is a department of this name in the same place."""


class CircleRefused(Exception):
    """A department cannot belong to itself, or to one below it."""


class Gone(Exception):
    """The department, or the one above it, has been removed, or is another organisation's."""


class TooLarge(Exception):
    """The tree would have more than `MOST_DEPARTMENTS` departments, or more than `MOST_LEVELS` levels."""


@dataclass(frozen=True, slots=True)
class Tree:
    """The departments of an organisation that are not removed, and where its mailboxes belong."""

    departments: dict[int, Department]
    children: dict[int | None, list[Department]]
    places: dict[int, int] = field(default_factory=dict)

    def below(self, key: int) -> list[int]:
        """The keys of a department and of all below it."""
        found = [key]
        for each in found:
            found += [child.pk for child in self.children.get(each, [])]
        return found

    def walk(self, parent: int | None = None, depth: int = 0) -> Iterator[tuple[Department, int]]:
        """The departments below one, or all, each before those below it, and how deep it is."""
        for child in self.children.get(parent, []):
            yield child, depth
            yield from self.walk(child.pk, depth + 1)

    def path(self, key: int) -> list[Department]:
        """The departments above one, the topmost first, and itself."""
        found: list[Department] = []
        current: int | None = key
        while current is not None and current in self.departments:
            found.insert(0, self.departments[current])
            current = self.departments[current].parent_id
        return found

    def mailboxes_below(self, key: int) -> list[int]:
        """The keys of the mailboxes of a department and of all below it."""
        below = set(self.below(key))
        return [mailbox for mailbox, department in self.places.items() if department in below]


def tree_of(participant_id: str) -> Tree:
    """An organisation's tree, in two queries."""
    rows = list(Department.objects.filter(participant_id=participant_id, removed_at=None))
    children: dict[int | None, list[Department]] = {}
    for row in rows:
        children.setdefault(row.parent_id, []).append(row)
    places = DepartmentMailbox.objects.filter(
        department__participant_id=participant_id, department__removed_at=None
    )
    return Tree({row.pk: row for row in rows}, children, dict(places.values_list("mailbox", "department")))


def removed_from(participant_ids: Collection[str]) -> QuerySet[Department]:
    """Removed departments that can be restored: those of which the one above is there."""
    rows = Department.objects.filter(participant_id__in=participant_ids, removed_at__isnull=False)
    return rows.filter(Q(parent=None) | Q(parent__removed_at=None)).order_by("-removed_at", "pk")


def add(actor: Person, participant_id: str, name: str, parent: Department | None) -> Department:
    """Add a department. Raises `Gone`, `NameTaken`, `TooLarge`."""
    made: list[Department] = []

    def change() -> None:
        if parent is not None:
            _check_present(parent, participant_id)
        made.append(Department.objects.create(participant_id=participant_id, name=name, parent=parent))

    _change(actor, participant_id, "department-added", name, change)
    return made[0]


def rename(actor: Person, department: Department, name: str) -> None:
    """Give a department another name. Raises `NameTaken`."""

    def change() -> None:
        Department.objects.filter(pk=department.pk).update(name=name)

    _change(actor, department.participant_id, "department-renamed", name, change)


def move(actor: Person, department: Department, parent: Department | None) -> None:
    """Let a department belong to another one, or to none. Raises `CircleRefused`, `Gone`,
    `NameTaken`, `TooLarge`."""

    def change() -> None:
        if parent is not None:
            _check_present(parent, department.participant_id)
            if parent.pk in tree_of(department.participant_id).below(department.pk):
                raise CircleRefused
        Department.objects.filter(pk=department.pk).update(parent=parent)

    _change(actor, department.participant_id, "department-moved", department.name, change)


def remove(actor: Person, department: Department) -> None:
    """Remove a department with all below it; their mailboxes belong to none until it is restored."""

    def change() -> None:
        below = tree_of(department.participant_id).below(department.pk)
        Department.objects.filter(pk__in=below, removed_at=None).update(removed_at=timezone.now())

    _change(actor, department.participant_id, "department-removed", department.name, change)


def restore(actor: Person, department: Department) -> None:
    """Bring a department back, with what was removed with it. A mailbox that has been given to another
    department since stays there. Raises `Gone`, `NameTaken`, `TooLarge`."""

    def change() -> None:
        row = Department.objects.filter(pk=department.pk).select_related("parent").get()
        if row.parent is not None and row.parent.removed_at is not None:
            raise Gone
        together = Department.objects.filter(
            participant_id=row.participant_id, removed_at=row.removed_at
        ).values_list("pk", "parent")
        found = [row.pk]
        for key in found:
            found += [pk for pk, parent in together if parent == key]
        Department.objects.filter(pk__in=found).update(removed_at=None)

    _change(actor, department.participant_id, "department-restored", department.name, change)


def set_mailboxes(actor: Person, department: Department, keys: Collection[int]) -> None:
    """Let exactly these mailboxes of the organisation belong to a department; those that belonged to another
    belong to this one. Raises `Gone`."""

    def change() -> None:
        _check_present(department, department.participant_id)
        boxes = FunctionMailbox.objects.filter(participant_id=department.participant_id, pk__in=keys)
        DepartmentMailbox.objects.filter(department=department).exclude(mailbox__in=boxes).delete()
        DepartmentMailbox.objects.bulk_create(
            [DepartmentMailbox(mailbox=box, department=department) for box in boxes],
            update_conflicts=True,
            unique_fields=["mailbox"],
            update_fields=["department"],
        )

    _change(actor, department.participant_id, "department-mailboxes-set", department.name, change)


def _change(actor: Person, participant_id: str, what: str, name: str, change: Callable[[], None]) -> None:
    try:
        with transaction.atomic():
            access_log.record(actor, what, participant_id, department=name)
            change()
            _check_size(participant_id)
    except IntegrityError:
        raise NameTaken from None


def _check_present(department: Department, participant_id: str) -> None:
    there = Department.objects.filter(pk=department.pk, participant_id=participant_id, removed_at=None)
    if not there.exists():
        raise Gone


def _check_size(participant_id: str) -> None:
    depths = [depth for _, depth in tree_of(participant_id).walk()]
    if len(depths) > MOST_DEPARTMENTS or max(depths, default=0) >= MOST_LEVELS:
        raise TooLarge
