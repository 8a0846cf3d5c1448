"""The pages on which administrators keep the tree of departments, and name its leaders."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST

from mailbox import access
from mailbox.administration.views.guards import administrator_required
from mailbox.administration.views.layout import chosen_organisation, organisations_of, page
from mailbox.forms import first_errors
from mailbox.models import Department, DepartmentLeader, DepartmentMailbox, FunctionMailbox, Person
from mailbox.requests import PersonRequest
from mailbox.statistics.departments import leaders, monthly_mail, tree
from mailbox.statistics.departments.forms import (
    DepartmentForm,
    LeaderChangeForm,
    LeaderForm,
    MailboxesForm,
    NewDepartmentForm,
)
from mailbox.statistics.departments.units import Unit
from transport.message_service.api import Organisation


@dataclass(frozen=True, slots=True)
class TreeRow:
    """A department of the tree, with how many mailboxes and leaders it has itself."""

    department: Department
    depth: int
    mailbox_count: int
    leader_count: int

    @property
    def indent(self) -> range:
        """As many as the department is deep, for a list in which it stands."""
        return range(self.depth)


@dataclass(frozen=True, slots=True)
class OrganisationTree:
    """An organisation's departments, and its mailboxes that belong to none."""

    organisation: Organisation
    rows: list[TreeRow]
    without: list[FunctionMailbox]


@dataclass(frozen=True, slots=True)
class MailboxChoice:
    """A mailbox that may belong to a department, and to which other one it belongs now."""

    mailbox: FunctionMailbox
    is_here: bool
    elsewhere: str


@administrator_required
@require_http_methods(["GET", "HEAD", "POST"])
def overview(request: PersonRequest) -> HttpResponse:
    """The trees of the organisations that the person administers; POST adds a department."""
    organisations = organisations_of(access.administered_by(request.user))
    present = access.departments_of(request.user).filter(
        participant_id__in=[row.participant_id for row in organisations]
    )
    form = NewDepartmentForm(request.POST if request.method == "POST" else None, list(present))
    if form.is_bound and _added(request, form, organisations):
        return redirect("departments")
    context = {
        "trees": _trees(organisations),
        "removed": tree.removed_from(access.administered_by(request.user)),
        "organisations": organisations,
        "given": form.data,
        "errors": first_errors(form),
    }
    return page(request, "statistics/departments.html", context, status=422 if form.is_bound else 200)


@administrator_required
@require_http_methods(["GET", "HEAD", "POST"])
def department(request: PersonRequest, department_id: int) -> HttpResponse:
    """A department: its name and place, mailboxes and leaders; POST renames and moves it."""
    row = _department(request, department_id)
    found = tree.tree_of(row.participant_id)
    below = set(found.below(row.pk))
    parents = [(each, depth) for each, depth in found.walk() if each.pk not in below]
    form = DepartmentForm(
        request.POST if request.method == "POST" else None, [each for each, _depth in parents]
    )
    if form.is_valid() and _changed(request, form, row):
        return redirect("department", row.pk)
    return _department_page(request, row, form, LeaderForm(None))


@administrator_required
@require_POST
def remove(request: PersonRequest, department_id: int) -> HttpResponse:
    """Remove a department with all below it; the tree's page has the way back."""
    row = _department(request, department_id)
    tree.remove(request.user, row)
    text = _("Avdelningen %(name)s är borttagen. Den kan återställas längst ned på sidan.")
    messages.success(request, text % {"name": row.name})
    return redirect("departments")


@administrator_required
@require_POST
def restore(request: PersonRequest, removed_department_id: int) -> HttpResponse:
    """Bring a removed department back."""
    rows = access.departments_administered_by(request.user).filter(removed_at__isnull=False)
    row = get_object_or_404(rows, pk=removed_department_id)
    errors: list[str] = []
    if _attempt(lambda: tree.restore(request.user, row), errors.append):
        messages.success(request, _("Avdelningen %(name)s är tillbaka.") % {"name": row.name})
    for error in errors:
        messages.error(request, error)
    return redirect("departments")


@administrator_required
@require_POST
def set_mailboxes(request: PersonRequest, department_id: int) -> HttpResponse:
    """Let the chosen mailboxes belong to a department."""
    row = _department(request, department_id)
    form = MailboxesForm(request.POST)
    form.full_clean()
    errors: list[str] = []
    if _attempt(lambda: tree.set_mailboxes(request.user, row, form.cleaned_data["mailboxes"]), errors.append):
        count = DepartmentMailbox.objects.filter(department=row).count()
        text = ngettext("Avdelningen har %(n)d brevlåda.", "Avdelningen har %(n)d brevlådor.", count)
        messages.success(request, text % {"n": count})
    for error in errors:
        messages.error(request, error)
    return redirect("department", row.pk)


@administrator_required
@require_POST
def add_leader(request: PersonRequest, department_id: int) -> HttpResponse:
    """Let somebody see the department's figures."""
    row = _department(request, department_id)
    form = LeaderForm(request.POST)
    if form.is_valid():
        person = _person(request, form, row)
        if person is not None:
            messages.success(request, _("%(name)s ser nu avdelningens siffror.") % {"name": person.name})
            if form.cleaned_data["monthly"] == "1":
                monthly_mail.choose(request.user, person, _unit(row), is_wanted=True)
            return redirect("department", row.pk)
    return _department_page(request, row, DepartmentForm(None, []), form)


@administrator_required
@require_POST
def change_leader(request: PersonRequest, leader_id: int) -> HttpResponse:
    """Remove a leader, or begin or end their monthly figures."""
    rows = DepartmentLeader.objects.filter(department__in=access.departments_administered_by(request.user))
    leader = get_object_or_404(rows.select_related("department", "person"), pk=leader_id)
    form = LeaderChangeForm(request.POST)
    action = form.cleaned_data["action"] if form.is_valid() else ""
    if action == "remove":
        leaders.remove(request.user, leader)
        messages.success(
            request, _("%(name)s ser inte längre avdelningens siffror.") % {"name": leader.person.name}
        )
    elif action:
        is_wanted = action == "send"
        monthly_mail.choose(request.user, leader.person, _unit(leader.department), is_wanted=is_wanted)
        messages.success(
            request,
            _("Månadssiffrorna skickas till %(name)s.") % {"name": leader.person.name}
            if is_wanted
            else _("Månadssiffrorna skickas inte längre till %(name)s.") % {"name": leader.person.name},
        )
    if leader.department.removed_at is not None:
        return redirect("departments")
    return redirect("department", leader.department_id)


def _department(request: PersonRequest, key: int) -> Department:
    rows = access.departments_administered_by(request.user).filter(removed_at=None)
    return get_object_or_404(rows, pk=key)


def _department_page(
    request: PersonRequest, row: Department, form: DepartmentForm, leader_form: LeaderForm
) -> HttpResponse:
    """The page of a department, with what is wrong with either of its forms."""
    found = tree.tree_of(row.participant_id)
    below = set(found.below(row.pk))
    boxes = FunctionMailbox.objects.filter(participant_id=row.participant_id).order_by("name", "pk")
    names = {key: each.name for key, each in found.departments.items()}
    rows = row.leaders.select_related("person").order_by("person__name", "pk")
    getting = monthly_mail.chosen_in(row)
    leader_errors = first_errors(leader_form)
    errors = {**first_errors(form), **{f"leader_{name}": text for name, text in leader_errors.items()}}
    context = {
        "department": row,
        "above": found.path(row.pk)[:-1],
        "below_count": len(below) - 1,
        "parents": [(each, range(depth)) for each, depth in found.walk() if each.pk not in below],
        "mailboxes": [
            MailboxChoice(
                box,
                found.places.get(box.pk) == row.pk,
                names.get(found.places.get(box.pk, 0), "") if found.places.get(box.pk) != row.pk else "",
            )
            for box in boxes
        ],
        "leaders": [(leader, leader.person_id in getting) for leader in rows],
        "known": leaders.known_people(request.user, row),
        "given": form.data or {"name": row.name, "parent": str(row.parent_id or "")},
        "leader_given": leader_form.data,
        "errors": errors,
    }
    is_wrong = form.is_bound or leader_form.is_bound
    return page(request, "statistics/department.html", context, status=422 if is_wrong else 200)


def _added(request: PersonRequest, form: NewDepartmentForm, organisations: Sequence[Organisation]) -> bool:
    """Add the department that the form describes, or let the form say what is wrong with it."""
    form.full_clean()
    parent = form.cleaned_data.get("parent")
    if parent is None and len(organisations) > 1:
        organisation = chosen_organisation(form, organisations)
        participant_id = organisation.participant_id if organisation is not None else ""
    else:
        participant_id = parent.participant_id if parent is not None else organisations[0].participant_id
    if not form.is_valid():
        return False
    name = form.cleaned_data["name"]
    if not _attempt(
        lambda: tree.add(request.user, participant_id, name, parent),
        lambda text: form.add_error("name", text),
    ):
        return False
    messages.success(request, _("Avdelningen %(name)s är tillagd.") % {"name": name})
    return True


def _changed(request: PersonRequest, form: DepartmentForm, row: Department) -> bool:
    name, parent = form.cleaned_data["name"], form.cleaned_data["parent"]

    def change() -> None:
        if name != row.name:
            tree.rename(request.user, row, name)
        if (parent.pk if parent is not None else None) != row.parent_id:
            tree.move(request.user, row, parent)

    if not _attempt(change, lambda text: form.add_error("name", text)):
        return False
    messages.success(request, _("Avdelningen är sparad."))
    return True


def _attempt(change: Callable[[], object], tell: Callable[[str], None]) -> bool:
    """Make a change to the tree, or tell why it cannot be made."""
    try:
        with transaction.atomic():
            change()
    except tree.NameTaken:
        tell(_("Det finns redan en avdelning med det namnet där."))
    except tree.CircleRefused:
        tell(_("En avdelning kan inte ligga under sig själv."))
    except tree.Gone:
        tell(_("Avdelningen, eller den som den ligger under, är borttagen. Se efter igen."))
    except tree.TooLarge:
        most = {"n": tree.MOST_DEPARTMENTS, "levels": tree.MOST_LEVELS}
        tell(_("Det får finnas högst %(n)d avdelningar i %(levels)d nivåer.") % most)
    else:
        return True
    return False


def _person(request: PersonRequest, form: LeaderForm, row: Department) -> Person | None:
    """The person that the form makes a leader, or None and what is wrong in the form."""
    given = form.cleaned_data
    known = None
    if given["person"] is not None:
        known = leaders.known_people(request.user, row).filter(pk=given["person"]).first()
        if known is None:
            form.add_error("person", _("Välj en person i listan."))
            return None
    try:
        if known is None:
            return leaders.add_new(request.user, row, given["subject"], given["name"])
        leaders.add(request.user, row, known)
    except leaders.OwnLeadership:
        form.add_error("subject", _("Du kan inte göra dig själv till ledare. Be en annan administratör."))
    except tree.Gone:
        form.add_error("person", _("Avdelningen är borttagen."))
    else:
        return known
    return None


def _unit(row: Department) -> Unit:
    return Unit(row.participant_id, row.name, row, 0, is_open=True)


def _trees(organisations: Sequence[Organisation]) -> list[OrganisationTree]:
    found = []
    for organisation in organisations:
        participant_id = organisation.participant_id
        each = tree.tree_of(participant_id)
        counts = Counter(each.places.values())
        of_leaders = Counter(
            DepartmentLeader.objects.filter(department__in=each.departments).values_list(
                "department", flat=True
            )
        )
        rows = [TreeRow(row, depth, counts[row.pk], of_leaders[row.pk]) for row, depth in each.walk()]
        boxes = FunctionMailbox.objects.filter(participant_id=participant_id).exclude(pk__in=each.places)
        found.append(OrganisationTree(organisation, rows, list(boxes.order_by("name", "pk"))))
    return found
