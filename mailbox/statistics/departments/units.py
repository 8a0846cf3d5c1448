"""What figures are of: an organisation as a whole, or a department with all below it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mailbox import access
from mailbox.access import Viewer
from mailbox.models import Department
from transport.message_service.api import Organisation

from .tree import Tree, tree_of


@dataclass(frozen=True, slots=True)
class Unit:
    """An organisation, or one of its departments, whose figures somebody sees.

    `is_open` says that its viewer administers the organisation: caution does not hide times from them.
    """

    participant_id: str
    name: str
    department: Department | None
    depth: int
    is_open: bool

    @property
    def indent(self) -> range:
        """As many as the unit is deep, for a list in which it stands."""
        return range(self.depth)

    @property
    def key(self) -> str:
        """How an address names it."""
        return str(self.department.pk) if self.department is not None else self.participant_id


def units_of(person: Viewer) -> list[Unit]:
    """The units whose figures the person sees, each before those below it."""
    administered = access.administered_by(person)
    seen = {row.pk: row for row in access.departments_of(person)}
    participants = {*administered, *(row.participant_id for row in seen.values())}
    found = []
    for organisation in Organisation.objects.filter(participant_id__in=participants).order_by("name"):
        participant_id = organisation.participant_id
        is_open = participant_id in administered
        if is_open:
            found.append(Unit(participant_id, organisation.name, None, 0, is_open))
        found += _units(_tree(seen.values(), participant_id), participant_id, is_open=is_open)
    return found


def unit_of(units: Sequence[Unit], key: str) -> Unit | None:
    """The unit that an address names; the first where it names none, None where it is none of these."""
    if not key:
        return units[0] if units else None
    return next((unit for unit in units if unit.key == key), None)


def tree_and_mailboxes(unit: Unit) -> tuple[Tree, list[int] | None]:
    """The organisation's tree, and the keys of a department's mailboxes; None for all of the organisation."""
    tree = tree_of(unit.participant_id)
    if unit.department is None:
        return tree, None
    return tree, tree.mailboxes_below(unit.department.pk)


def _units(tree: Tree, participant_id: str, *, is_open: bool) -> list[Unit]:
    deeper = 1 if is_open else 0
    return [Unit(participant_id, row.name, row, depth + deeper, is_open) for row, depth in tree.walk()]


def _tree(rows: Iterable[Department], participant_id: str) -> Tree:
    """The tree of what is seen: a department whose upper one is not seen stands at the top."""
    own = {row.pk: row for row in rows if row.participant_id == participant_id}
    children: dict[int | None, list[Department]] = {}
    for row in sorted(own.values(), key=lambda each: (each.name, each.pk)):
        children.setdefault(row.parent_id if row.parent_id in own else None, []).append(row)
    return Tree(own, children)
