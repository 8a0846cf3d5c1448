"""Function mailboxes, their members and membership rules, and the overview of what needs doing."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.contrib import messages
from django.db.models import Count
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from addressbook.models import FunctionAddress
from mailbox import access
from mailbox.administration import (
    alarms,
    counterparts,
    mailboxes,
    membership_rules,
    quarantine,
    redirections,
)
from mailbox.administration import routing as administration_routing
from mailbox.administration.forms import LimitForm, MailboxForm, MembershipRuleForm, SwitchForm
from mailbox.administration.members import file as member_file
from mailbox.administration.members.forms import MemberForm
from mailbox.forms import first_errors
from mailbox.models import AccessLogEntry, FunctionMailbox, Membership, MembershipRule, Person
from mailbox.requests import PersonRequest

from .access_log_pages import ADMINISTRATIVE_CODES, in_words
from .guards import administrator_required, any_duty_required, manager_required
from .layout import organisations_of, page, warn_of_second_administrator

_LOG_ENTRIES = 200


@dataclass(frozen=True, slots=True)
class ToDo:
    """Something that waits for an administrator or a manager, and where it is dealt with."""

    text: str
    url: str


@dataclass(frozen=True, slots=True)
class RuleRow:
    """A membership rule, and whether whoever asks may confirm it."""

    rule: MembershipRule
    may_confirm: bool


@any_duty_required
@require_http_methods(["GET", "HEAD", "POST"])
def overview(request: PersonRequest) -> HttpResponse:
    """What needs doing, and the mailboxes; POST makes one."""
    errors: Mapping[str, str] = {}
    if request.method == "POST":
        errors = _make_mailbox(request)
        if not errors:
            return redirect("administration")
    suspended = MembershipRule.objects.filter(
        is_suspended=True, mailbox__in=mailboxes.mailboxes_administered_by(request.user)
    )
    context = {
        "organisations": organisations_of(access.administered_by(request.user)),
        "mailboxes": access.managed_by(request.user)
        .annotate(member_count=Count("memberships"))
        .order_by("name", "pk"),
        "todo": _todo(request.user),
        "suspended": suspended.select_related("mailbox").order_by("mailbox__name", "pk"),
        "redirections": redirections.proposed_to(request.user),
        "errors": errors,
        "given": request.POST,
    }
    return page(request, "administration/overview.html", context, status=422 if errors else 200)


def _todo(person: Person) -> list[ToDo]:
    """What waits, the most urgent first: unattended mailboxes, set-aside messages, malicious files."""
    found = [
        ToDo(
            _("Brevlådan %(name)s är obevakad") % {"name": alarm.mailbox.name},
            reverse("administration-mailbox", args=[alarm.mailbox_id]),
        )
        for alarm in alarms.alarms_of(person).filter(mailbox__in=access.managed_by(person))
    ]
    if access.administered_by(person):
        arrivals = counterparts.arrivals_set_aside(person).count()
        if arrivals:
            text = ngettext(
                "%(n)d meddelande är lagt åt sidan", "%(n)d meddelanden är lagda åt sidan", arrivals
            )
            found.append(ToDo(text % {"n": arrivals}, reverse("administration-counterparts")))
        files = quarantine.count_unremoved(person)
        if files:
            text = ngettext("%(n)d fil i karantän", "%(n)d filer i karantän", files)
            found.append(ToDo(text % {"n": files}, reverse("administration-quarantine")))
    return found


@manager_required
@require_http_methods(["GET", "HEAD", "POST"])
def mailbox(request: PersonRequest, mailbox_id: int) -> HttpResponse:
    """A mailbox and its members; POST adds one."""
    box = get_object_or_404(access.managed_by(request.user), pk=mailbox_id)
    errors: Mapping[str, str] = {}
    if request.method == "POST":
        errors = _add_member(request, box)
        if not errors:
            return redirect("administration-mailbox", box.pk)
    return _mailbox_page(request, box, errors)


def _mailbox_page(request: PersonRequest, box: FunctionMailbox, errors: Mapping[str, str]) -> HttpResponse:
    rules = box.membership_rules.select_related("made_by")
    context = {
        "mailbox": box,
        "members": box.memberships.select_related("person", "rule").order_by("person__name"),
        "known": mailboxes.known_people(request.user, box),
        "rules": [RuleRow(rule, membership_rules.may_confirm(request.user, rule)) for rule in rules],
        "errors": errors,
        "given": request.POST,
        "is_administrator": box.participant_id in access.administered_by(request.user),
        "has_case_systems": (
            access.mailboxes_managed_as_member(request.user).filter(pk=box.pk, case_systems__isnull=False)
        ).exists(),
    }
    return page(request, "administration/mailbox.html", context, status=422 if errors else 200)


@administrator_required
@require_http_methods(["GET", "HEAD", "POST"])
def set_open(request: PersonRequest, mailbox_id: int) -> HttpResponse:
    """What opening or closing a mailbox leads to; POST does it."""
    box = get_object_or_404(mailboxes.mailboxes_administered_by(request.user), pk=mailbox_id)
    if request.method != "POST":
        stand_in = administration_routing.stand_in_of(box.participant_id, box.address)
        context = {"mailbox": box, "stand_in": stand_in, "member_count": box.memberships.count()}
        return page(request, "administration/open_or_close.html", context)
    is_open = SwitchForm(request.POST).is_on("open")
    if not mailboxes.set_open(request.user, box, is_open=is_open):
        warn_of_second_administrator(request)
    else:
        messages.success(request, _("Brevlådan är öppen.") if is_open else _("Brevlådan är stängd."))
    return redirect("administration-mailbox", box.pk)


@manager_required
@require_POST
def set_limit(request: PersonRequest, mailbox_id: int) -> HttpResponse:
    """Set how long a message may wait before the mailbox counts as unattended."""
    box = get_object_or_404(access.managed_by(request.user), pk=mailbox_id)
    form = LimitForm(request.POST)
    if not form.is_valid():
        return _mailbox_page(request, box, first_errors(form))
    mailboxes.set_limit(request.user, box, form.cleaned_data["hours"])
    messages.success(request, _("Gränsen är sparad."))
    return redirect("administration-mailbox", box.pk)


@manager_required
@require_http_methods(["GET", "HEAD", "POST"])
def members_from_file(request: PersonRequest, mailbox_id: int) -> HttpResponse:
    """Members from a file: its rows are shown with what is wrong with them, and added when confirmed."""
    box = get_object_or_404(access.managed_by(request.user), pk=mailbox_id)
    errors: Mapping[str, str] = {}
    rows: list[member_file.MemberRow] = []
    text = ""
    if request.method == "POST":
        form = member_file.MemberFileForm(request.POST, request.FILES)
        try:
            text = form.content()
            rows = member_file.read_rows(text, request.user, box)
            if form.cleaned_data.get("confirmed"):
                member_file.add_rows(request.user, box, rows)
                said = ngettext("%(n)d person är nu medlem.", "%(n)d personer är nu medlemmar.", len(rows))
                messages.success(request, said % {"n": len(rows)})
                return redirect("administration-mailbox", box.pk)
        except member_file.FileRefused as refused:
            errors = {"file": str(member_file.FILE_ERRORS[refused.reason])}
        except member_file.RowsRefused:
            errors = {}
    wrong_count = sum(bool(row.errors) for row in rows)
    context = {"mailbox": box, "rows": rows, "text": text, "errors": errors, "wrong_count": wrong_count}
    is_wrong = bool(errors or wrong_count)
    return page(request, "administration/members_from_file.html", context, status=422 if is_wrong else 200)


@manager_required
@require_POST
def remove_member(request: PersonRequest, membership_id: int) -> HttpResponse:
    """End a membership; from the page of the mailbox, or of the person."""
    rows = Membership.objects.filter(mailbox__in=access.managed_by(request.user))
    membership = get_object_or_404(rows, pk=membership_id)
    mailboxes.remove_member(request.user, membership)
    messages.success(request, _("Medlemskapet är avslutat."))
    if SwitchForm(request.POST).is_on("person"):
        known = mailboxes.people_administered_by(request.user).filter(pk=membership.person_id)
        if known.exists():
            return redirect("administration-person", membership.person_id)
        return redirect("administration-people")
    if not access.managed_by(request.user).filter(pk=membership.mailbox_id).exists():
        return redirect("start")
    return redirect("administration-mailbox", membership.mailbox_id)


@administrator_required
@require_POST
def make_rule(request: PersonRequest, mailbox_id: int) -> HttpResponse:
    """Let whoever has a value of a claim be a member."""
    box = get_object_or_404(mailboxes.mailboxes_administered_by(request.user), pk=mailbox_id)
    form = MembershipRuleForm(request.POST)
    if not form.is_valid():
        return _mailbox_page(request, box, first_errors(form))
    membership_rules.make_rule(request.user, box, form.cleaned_data["claim"], form.cleaned_data["value"])
    messages.success(request, _("Regeln gäller från nästa gång någon loggar in."))
    return redirect("administration-mailbox", box.pk)


@administrator_required
@require_POST
def confirm_rule(request: PersonRequest, rule_id: int) -> HttpResponse:
    """Confirm a rule that another administrator has made."""
    rule = _rule(request, rule_id)
    membership_rules.confirm_rule(request.user, rule)
    messages.success(request, _("Regeln är bekräftad och gäller från nästa gång någon loggar in."))
    return redirect("administration-mailbox", rule.mailbox_id)


@administrator_required
@require_POST
def remove_rule(request: PersonRequest, rule_id: int) -> HttpResponse:
    """Remove a rule, with the memberships that it gave."""
    rule = _rule(request, rule_id)
    membership_rules.remove_rule(request.user, rule)
    messages.success(request, _("Regeln är borttagen, och de medlemskap som den gav är avslutade."))
    return redirect("administration-mailbox", rule.mailbox_id)


@administrator_required
@require_safe
def log(request: PersonRequest) -> HttpResponse:
    """Who changed what, the latest first."""
    entries = (
        AccessLogEntry.objects.filter(
            participant_id__in=access.administered_by(request.user), what__in=ADMINISTRATIVE_CODES
        )
        .select_related("actor", "person", "mailbox")
        .order_by("-at", "-pk")[:_LOG_ENTRIES]
    )
    return page(request, "administration/log.html", {"entries": in_words(entries)})


def _rule(request: PersonRequest, rule_id: int) -> MembershipRule:
    boxes = mailboxes.mailboxes_administered_by(request.user)
    return get_object_or_404(MembershipRule.objects.filter(mailbox__in=boxes), pk=rule_id)


def _make_mailbox(request: PersonRequest) -> Mapping[str, str]:
    """Make the mailbox that the form describes, or say what is wrong with it."""
    form = MailboxForm(request.POST)
    form.full_clean()
    participant = form.cleaned_data.get("organisation", "")
    if participant not in access.administered_by(request.user):
        raise Http404
    if not form.is_valid():
        return first_errors(form)
    address = form.cleaned_data["address"]
    try:
        mailboxes.open_mailbox(request.user, participant, address, form.cleaned_data["name"])
    except mailboxes.AddressTaken:
        return {"address": _("Det finns redan en brevlåda för den funktionsadressen.")}
    messages.success(request, _("Brevlådan är skapad."))
    if not FunctionAddress.objects.filter(
        organisation__participant_id=participant, identifier=address, gone_at=None
    ).exists():
        messages.warning(
            request,
            _(
                "Funktionsadressen %(address)s står inte i federationens adressbok. Är den rätt avskriven? "
                "Andra kan inte skriva dit förrän den är registrerad där."
            )
            % {"address": address},
        )
    return {}


def _add_member(request: PersonRequest, box: FunctionMailbox) -> Mapping[str, str]:
    """Add the member that the form describes, or say what is wrong with it."""
    form = MemberForm(request.POST)
    if not form.is_valid():
        return first_errors(form)
    given, person = form.cleaned_data, None
    if given["person"] is not None:
        person = mailboxes.known_people(request.user, box).filter(pk=given["person"]).first()
        if person is None:
            return {"person": _("Välj en person i listan.")}
    role, ends_at = given["role"] or Membership.Role.MEMBER, form.ends_at()
    try:
        if person is not None:
            mailboxes.add_known_member(request.user, box, person, role=role, ends_at=ends_at)
        else:
            subject, name = given["subject"], given["name"]
            mailboxes.add_member(request.user, box, subject, name, role=role, ends_at=ends_at)
    except mailboxes.RoleNotGrantable:
        field = "subject" if person is None else "person"
        return {field: _("Du kan inte göra dig själv till medlem. Be en annan ansvarig.")}
    messages.success(request, _("Personen är nu medlem."))
    return {}
