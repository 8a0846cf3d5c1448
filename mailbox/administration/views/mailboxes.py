"""Function mailboxes and their members."""

from django.contrib import messages
from django.db.models import Count
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from addressbook.models import FunctionAddress
from mailbox import access
from mailbox.administration import mailboxes, membership_rules, redirections
from mailbox.models import AccessLogEntry, FunctionMailbox, Membership, MembershipRule
from mailbox.requests import PersonRequest

from .access_log_pages import WHAT_WAS_ADMINISTERED, in_words
from .pages import (
    actor,
    administrator_required,
    anybody_with_a_task,
    day_of,
    manager_required,
    organisations_of,
    page,
    refused_signs,
    tell_of_second,
)

_MINIMUM_SUBJECT = 4
_MOST_HOURS = 8760


@anybody_with_a_task
@require_http_methods(["GET", "HEAD", "POST"])
def overview(request: PersonRequest) -> HttpResponse:
    """Mailboxes; POST makes one."""
    errors: dict[str, str] = {}
    if request.method == "POST":
        errors = _make_mailbox(request)
        if not errors:
            return redirect("administration")
    context = {
        "organisations": organisations_of(access.administered_by(request.user)),
        "mailboxes": access.managed_by(request.user)
        .annotate(member_count=Count("memberships"))
        .order_by("name", "pk"),
        "suspended": MembershipRule.objects.filter(
            is_suspended=True, mailbox__in=mailboxes.mailboxes_administered_by(request.user)
        )
        .select_related("mailbox")
        .order_by("mailbox__name", "pk"),
        "redirections": redirections.proposed_to(request.user),
        "errors": errors,
        "given": request.POST,
    }
    return page(request, "administration/overview.html", context, status=422 if errors else 200)


@manager_required
@require_http_methods(["GET", "HEAD", "POST"])
def mailbox(request: PersonRequest, mailbox_id: int) -> HttpResponse:
    """A mailbox and its members; POST adds one."""
    box = get_object_or_404(access.managed_by(request.user), pk=mailbox_id)
    errors: dict[str, str] = {}
    if request.method == "POST":
        errors = _add_member(request, box)
        if not errors:
            return redirect("administration-mailbox", box.pk)
    return _mailbox_page(request, box, errors)


def _mailbox_page(request: PersonRequest, box: FunctionMailbox, errors: dict[str, str]) -> HttpResponse:
    context = {
        "mailbox": box,
        "members": box.memberships.select_related("person", "rule").order_by("person__name"),
        "rules": _rules(request, box),
        "errors": errors,
        "given": request.POST,
        "is_administrator": box.participant_id in access.administered_by(request.user),
    }
    return page(request, "administration/mailbox.html", context, status=422 if errors else 200)


@administrator_required
@require_POST
def set_open(request: PersonRequest, mailbox_id: int) -> HttpResponse:
    """Open or close a mailbox."""
    box = get_object_or_404(mailboxes.mailboxes_administered_by(request.user), pk=mailbox_id)
    is_open = request.POST.get("open") == "1"
    if not mailboxes.set_open(actor(request), box, is_open=is_open):
        tell_of_second(request)
    else:
        messages.success(request, _("Brevlådan är öppen.") if is_open else _("Brevlådan är stängd."))
    return redirect("administration-mailbox", box.pk)


@manager_required
@require_POST
def set_limit(request: PersonRequest, mailbox_id: int) -> HttpResponse:
    """Say how long a message may wait before the mailbox counts as unattended."""
    box = get_object_or_404(access.managed_by(request.user), pk=mailbox_id)
    hours = request.POST.get("hours", "")
    if hours.isascii() and hours.isdigit() and 1 <= int(hours[:6]) <= _MOST_HOURS:
        mailboxes.set_limit(actor(request), box, int(hours[:6]))
        messages.success(request, _("Gränsen är sparad."))
    else:
        return _mailbox_page(request, box, {"hours": _("Skriv ett antal timmar, mellan 1 och 8760.")})
    return redirect("administration-mailbox", box.pk)


@manager_required
@require_POST
def remove_member(request: PersonRequest, membership_id: int) -> HttpResponse:
    """End a membership."""
    rows = Membership.objects.filter(mailbox__in=access.managed_by(request.user))
    membership = get_object_or_404(rows, pk=membership_id)
    mailboxes.remove_member(actor(request), membership)
    messages.success(request, _("Medlemskapet är avslutat."))
    if not access.managed_by(request.user).filter(pk=membership.mailbox_id).exists():
        return redirect("start")
    return redirect("administration-mailbox", membership.mailbox_id)


@administrator_required
@require_POST
def make_rule(request: PersonRequest, mailbox_id: int) -> HttpResponse:
    """Let whoever has a value of a claim be a member."""
    box = get_object_or_404(mailboxes.mailboxes_administered_by(request.user), pk=mailbox_id)
    claim = request.POST.get("claim", "").strip()[:200]
    value = request.POST.get("value", "").strip()[:500]
    errors = {}
    if not claim:
        errors["claim"] = _("Skriv vad uppgiften heter hos e-legitimationstjänsten.")
    if not value:
        errors["value"] = _("Skriv det värde som ger medlemskap.")
    errors |= refused_signs(claim=claim, value=value)
    if errors:
        return _mailbox_page(request, box, errors)
    membership_rules.make_rule(actor(request), box, claim, value)
    messages.success(request, _("Regeln gäller från nästa gång någon loggar in."))
    return redirect("administration-mailbox", box.pk)


@administrator_required
@require_POST
def confirm_rule(request: PersonRequest, rule_id: int) -> HttpResponse:
    """Say the same as whoever made the rule."""
    rule = _rule(request, rule_id)
    membership_rules.confirm_rule(actor(request), rule)
    messages.success(request, _("Regeln är bekräftad och gäller från nästa gång någon loggar in."))
    return redirect("administration-mailbox", rule.mailbox_id)


@administrator_required
@require_POST
def remove_rule(request: PersonRequest, rule_id: int) -> HttpResponse:
    """Remove a rule, with the memberships that it gave."""
    rule = _rule(request, rule_id)
    membership_rules.remove_rule(actor(request), rule)
    messages.success(request, _("Regeln är borttagen, och de medlemskap som den gav är avslutade."))
    return redirect("administration-mailbox", rule.mailbox_id)


@administrator_required
@require_safe
def log(request: PersonRequest) -> HttpResponse:
    """Who changed what, the latest first."""
    events = (
        AccessLogEntry.objects.filter(
            participant_id__in=access.administered_by(request.user), what__in=WHAT_WAS_ADMINISTERED
        )
        .select_related("actor", "person", "mailbox")
        .order_by("-at", "-pk")[:200]
    )
    for event in events:
        event.what_in_words = in_words(event.what)  # type: ignore[attr-defined]
    return page(request, "administration/log.html", {"events": events})


def _rule(request: PersonRequest, rule_id: int) -> MembershipRule:
    boxes = mailboxes.mailboxes_administered_by(request.user)
    return get_object_or_404(MembershipRule.objects.filter(mailbox__in=boxes), pk=rule_id)


def _rules(request: PersonRequest, box: FunctionMailbox) -> list[tuple[MembershipRule, bool]]:
    """The mailbox's rules, each with whether whoever asks may confirm it."""
    rules = box.membership_rules.select_related("made_by")
    return [(rule, membership_rules.may_confirm(actor(request), rule)) for rule in rules]


def _make_mailbox(request: PersonRequest) -> dict[str, str]:
    participant = request.POST.get("organisation", "")
    address = request.POST.get("address", "").strip()
    name = request.POST.get("name", "").strip()
    if participant not in access.administered_by(request.user):
        raise Http404
    errors = {}
    if not address or len(address) > 500:
        errors["address"] = _("Skriv funktionsadressen så som den står i federationens adressbok.")
    elif any(sign.isspace() for sign in address):
        errors["address"] = _(
            "En funktionsadress har inga mellanslag. Kontrollera att den är rätt avskriven."
        )
    if not name or len(name) > 256:
        errors["name"] = _("Skriv ett namn på högst 256 tecken.")
    errors |= refused_signs(name=name, address=address)
    if errors:
        return errors
    try:
        mailboxes.open_mailbox(actor(request), participant, address, name)
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


def _add_member(request: PersonRequest, box: FunctionMailbox) -> dict[str, str]:
    subject, name = request.POST.get("subject", "").strip(), request.POST.get("name", "").strip()
    until, ends_at = request.POST.get("until", "").strip(), None
    role = Membership.Role.MANAGER if request.POST.get("role") == "manager" else Membership.Role.MEMBER
    errors = {}
    if len(subject) < _MINIMUM_SUBJECT:
        errors["subject"] = _("Skriv personens identitet i e-legitimationen, till exempel personnummer.")
    if not name:
        errors["name"] = _("Skriv personens namn.")
    errors |= refused_signs(name=name, subject=subject)
    if until:
        ends_at = day_of(until)
        if ends_at is None or ends_at <= timezone.now():
            errors["until"] = _("Ange en dag som inte har varit, eller lämna tomt.")
    if errors:
        return errors
    try:
        mailboxes.add_member(actor(request), box, subject, name[:256], role=role, ends_at=ends_at)
    except mailboxes.NotForYouToGive:
        return {"subject": _("Du kan inte göra dig själv till medlem. Be en annan ansvarig.")}
    messages.success(request, _("Personen är nu medlem."))
    return {}
