"""The pages on which administrators set case systems up, and managers what is handed over by itself."""

from collections.abc import Mapping

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from mailbox import access
from mailbox.administration.forms import SwitchForm
from mailbox.administration.views.guards import administrator_required, manager_required
from mailbox.administration.views.layout import chosen_organisation, organisations_of, page
from mailbox.case_systems import directory, sftp, sftp_session, shown, systems
from mailbox.case_systems.connector import CannotHandOver
from mailbox.case_systems.forms import (
    CaseSystemForm,
    ConfirmForm,
    HostKeyForm,
    MailboxForm,
    NewCaseSystemForm,
)
from mailbox.forms import first_errors
from mailbox.models import CaseSystem, CaseSystemMailbox, FunctionMailbox
from mailbox.requests import PersonRequest


@administrator_required
@require_http_methods(["GET", "HEAD", "POST"])
def overview(request: PersonRequest) -> HttpResponse:
    """The case systems with what waits and failed, in counts; POST adds one."""
    organisations = organisations_of(access.administered_by(request.user))
    form = NewCaseSystemForm(request.POST if request.method == "POST" else None)
    if form.is_bound:
        form.full_clean()
        organisation = chosen_organisation(form, organisations)
        if organisation is not None and form.is_valid():
            given = form.cleaned_data
            try:
                made = systems.create(
                    request.user,
                    organisation.participant_id,
                    name=given["name"],
                    kind=given["kind"],
                    folder=given["folder"],
                    webhook_url=given["address"],
                    sftp_address=given["sftp_address"],
                )
            except systems.NameTaken:
                form.add_error("name", _("Ett ärendesystem med samma namn eller katalog finns redan."))
            else:
                messages.success(
                    request, _("Ärendesystemet är upplagt. Välj vilka brevlådor som får använda det.")
                )
                return redirect("administration-case-system", made.pk)
    context = {
        "rows": shown.systems_of(access.case_systems_of(request.user)),
        "organisations": organisations,
        "has_directory": directory.is_usable(),
        "given": form.data or {"kind": "directory" if directory.is_usable() else "webhook"},
        "errors": first_errors(form),
    }
    return page(request, "case_systems/systems.html", context, status=422 if form.is_bound else 200)


@administrator_required
@require_http_methods(["GET", "HEAD", "POST"])
def case_system(request: PersonRequest, case_system_id: int) -> HttpResponse:
    """A case system; POST changes its name, address and mailboxes."""
    system = _system(request, case_system_id)
    if request.method != "POST":
        return _page(request, system, {})
    form = CaseSystemForm(request.POST)
    if form.is_valid():
        given = form.cleaned_data
        try:
            needs_second = systems.change(
                request.user,
                system,
                name=given["name"],
                webhook_url=given["address"] if system.kind == CaseSystem.Kind.WEBHOOK else "",
                mailbox_ids=given["mailboxes"],
            )
        except systems.NameTaken:
            form.add_error("name", _("Ett ärendesystem med samma namn eller katalog finns redan."))
        else:
            if needs_second:
                messages.success(request, _("Sparat. Det gäller när en annan administratör har bekräftat."))
            else:
                messages.success(request, _("Sparat."))
            return redirect("administration-case-system", system.pk)
    return _page(request, system, first_errors(form))


@administrator_required
@require_POST
def renew_secrets(request: PersonRequest, case_system_id: int) -> HttpResponse:
    """Give the case system a new secret and token, which the page that answers shows, and none later."""
    system = _system(request, case_system_id, kind=CaseSystem.Kind.WEBHOOK)
    made = systems.renew_secrets(request.user, system)
    response = _page(request, _system(request, case_system_id), {}, made=made)
    response["Cache-Control"] = "no-store"
    return response


@administrator_required
@require_POST
def set_host_key(request: PersonRequest, sftp_system_id: int) -> HttpResponse:
    """Fetch the key that the server shows, for the administrator to compare; or use the one compared."""
    system = _system(request, sftp_system_id, kind=CaseSystem.Kind.SFTP)
    form = HostKeyForm(request.POST)
    host_key = form.cleaned_data["host_key"] if form.is_valid() else ""
    try:
        if host_key:
            systems.set_host_key(request.user, system, host_key)
        else:
            return _page(request, system, {}, shown_key=sftp_session.fetch_host_key(system))
    except sftp_session.AddressInvalid:
        messages.error(request, _("Det är ingen värdnyckel. Hämta den igen."))
    except CannotHandOver as error:
        messages.error(request, str(shown.CAUSES[error.cause]))
    else:
        messages.success(
            request, _("Värdnyckeln är sparad. Den gäller när en annan administratör har bekräftat.")
        )
    return redirect("administration-case-system", system.pk)


@administrator_required
@require_POST
def try_out(request: PersonRequest, sftp_system_id: int) -> HttpResponse:
    """Log in to the server, and write and remove a file there."""
    system = _system(request, sftp_system_id, kind=CaseSystem.Kind.SFTP)
    try:
        sftp.try_out(system)
    except CannotHandOver as error:
        messages.error(request, str(shown.CAUSES[error.cause]))
    else:
        messages.success(request, _("Det gick att logga in, skriva och ta bort en fil."))
    return redirect("administration-case-system", system.pk)


@administrator_required
@require_POST
def confirm(request: PersonRequest, case_system_id: int) -> HttpResponse:
    """Confirm what another administrator has set, as it was shown."""
    system = _system(request, case_system_id)
    try:
        systems.confirm(request.user, system, ConfirmForm(request.POST).moment())
    except systems.OwnChange:
        messages.error(request, _("Någon annan än den som ändrade måste bekräfta."))
    except systems.Changed:
        messages.error(request, _("Det har ändrats sedan sidan visades. Se efter igen."))
    else:
        messages.success(request, _("Det är bekräftat och gäller nu."))
    return redirect("administration-case-system", system.pk)


@administrator_required
@require_POST
def set_enabled(request: PersonRequest, case_system_id: int) -> HttpResponse:
    """Switch the case system off at once, or on again."""
    system, is_enabled = _system(request, case_system_id), SwitchForm(request.POST).is_on("enabled")
    systems.set_enabled(request.user, system, is_enabled=is_enabled)
    if is_enabled:
        messages.success(request, _("Ärendesystemet är på igen."))
    else:
        messages.success(request, _("Ärendesystemet är avstängt. Det som väntar ligger kvar."))
    return redirect("administration-case-system", system.pk)


@manager_required
@require_http_methods(["GET", "HEAD", "POST"])
def mailbox_case_systems(request: PersonRequest, mailbox_id: int) -> HttpResponse:
    """By what a mailbox's conversations are handed over; POST sets it. Only those who read it do."""
    box = get_object_or_404(access.mailboxes_managed_as_member(request.user), pk=mailbox_id)
    rows = list(box.case_systems.select_related("case_system").order_by("case_system__name"))
    form = MailboxForm(request.POST if request.method == "POST" else None, rows)
    if form.is_valid():
        systems.set_delivers_at(request.user, box, form.chosen())
        messages.success(request, _("Inställningarna för överlämning är sparade."))
        return redirect("case-systems-mailbox", box.pk)
    choices = [
        ("order", _("När någon beställer det")),
        (CaseSystemMailbox.DeliversAt.REGISTRATION.value, _("När hela konversationen är registrerad")),
        (CaseSystemMailbox.DeliversAt.DONE.value, _("När konversationen markeras som klar")),
    ]
    context = {"mailbox": box, "rows": rows, "choices": choices, "errors": first_errors(form)}
    return page(request, "case_systems/mailbox.html", context, status=422 if form.is_bound else 200)


def _page(
    request: PersonRequest,
    system: CaseSystem,
    errors: Mapping[str, str],
    *,
    made: systems.Secrets | None = None,
    shown_key: str = "",
) -> HttpResponse:
    boxes = FunctionMailbox.objects.filter(participant_id=system.participant_id)
    allowed = set(system.mailboxes.values_list("mailbox_id", flat=True))
    context = {
        "view": shown.systems_of(CaseSystem.objects.filter(pk=system.pk))[0],
        "system": system,
        "boxes": [(box, box.pk in allowed) for box in boxes.order_by("name", "pk")],
        "is_own_change": system.changed_by_id == request.user.pk,
        "made": made,
        "shown_key": shown_key,
        "shown_fingerprint": sftp_session.fingerprint_of(shown_key) if shown_key else "",
        "fingerprint": sftp_session.fingerprint_of(system.sftp_host_key) if system.sftp_host_key else "",
        "given": request.POST if errors else {"name": system.name, "address": system.webhook_url},
        "errors": errors,
    }
    return page(request, "case_systems/system.html", context, status=422 if errors else 200)


def _system(request: PersonRequest, case_system_id: int, **wanted: str) -> CaseSystem:
    rows = access.case_systems_of(request.user).select_related("changed_by")
    return get_object_or_404(rows, pk=case_system_id, **wanted)
