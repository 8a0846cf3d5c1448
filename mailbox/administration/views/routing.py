"""Which way messages take: what nobody serves, and what stays inside the installation."""

from dataclasses import dataclass

from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from mailbox import access
from mailbox.administration import mailboxes, redirections
from mailbox.administration import routing as administration_routing
from mailbox.administration.forms import AnswerForm, RoutingForm
from mailbox.models import FunctionMailbox
from mailbox.requests import PersonRequest
from transport.message_service.api import Organisation

from .guards import administrator_required
from .layout import organisations_of, page, warn_of_second_administrator


@dataclass(frozen=True, slots=True)
class OrganisationRoutes:
    """An organisation's choices: the mailboxes that may be its catch-all, and the one that is."""

    organisation: Organisation
    mailboxes: list[FunctionMailbox]
    catch_all: FunctionMailbox | None
    errors: dict[str, str]


@administrator_required
@require_POST
def answer(request: PersonRequest, redirection_id: int) -> HttpResponse:
    """Confirm a change of where messages go that another has proposed, or let it be."""
    row = get_object_or_404(redirections.proposed_to(request.user), pk=redirection_id)
    try:
        if AnswerForm(request.POST).given("answer") == "confirm":
            redirections.confirm(request.user, row.pk)
            messages.success(request, _("Det är bekräftat och gäller nu."))
        else:
            redirections.withdraw(request.user, row.pk)
            messages.success(request, _("Förslaget är borttaget."))
    except redirections.OwnProposal:
        messages.error(request, _("Någon annan än den som föreslog måste bekräfta."))
    except redirections.Settled:
        messages.error(
            request, _("Förslaget har ändrats eller besvarats sedan sidan visades. Se efter igen.")
        )
    return redirect("administration")


@administrator_required
@require_http_methods(["GET", "HEAD", "POST"])
def routing(request: PersonRequest) -> HttpResponse:
    """The choices of each organisation; POST sets those of one."""
    organisations = organisations_of(access.administered_by(request.user))
    boxes = mailboxes.mailboxes_administered_by(request.user).order_by("name", "pk")
    asked, errors = "", dict[str, str]()
    if request.method == "POST":
        form = RoutingForm(request.POST)
        form.full_clean()
        asked = form.cleaned_data.get("organisation", "")
        chosen = next((row for row in organisations if row.participant_id == asked), None)
        if chosen is None:
            raise Http404
        if _set(request, chosen, form, boxes):
            messages.success(request, _("Vägvalet är sparat."))
            return redirect("administration-routing")
        errors = {"catch_all": _("Välj en öppen brevlåda i organisationen, eller ingen.")}
    rows = [
        OrganisationRoutes(
            organisation,
            [box for box in own if box.is_open],
            next((box for box in own if box.is_catch_all), None),
            errors if asked == organisation.participant_id else {},
        )
        for organisation in organisations
        for own in [[box for box in boxes if box.participant_id == organisation.participant_id]]
    ]
    context = {"rows": rows, "errors": errors}
    return page(request, "administration/routing.html", context, status=422 if errors else 200)


def _set(
    request: PersonRequest, organisation: Organisation, form: RoutingForm, boxes: QuerySet[FunctionMailbox]
) -> bool:
    """Set what the form says; False where it names no mailbox that can catch."""
    if not form.is_valid():
        return False
    key = form.cleaned_data["catch_all"]
    mailbox = boxes.filter(pk=key).first() if key is not None else None
    if key is not None and mailbox is None:
        return False
    try:
        if not administration_routing.set_catch_all(request.user, organisation.participant_id, mailbox):
            warn_of_second_administrator(request)
    except administration_routing.CatchAllUnfit:
        return False
    administration_routing.set_out_and_back(
        request.user, organisation, goes_out_and_back=form.cleaned_data["way"] == "out-and-back"
    )
    return True
