"""Which way messages take: what nobody serves, and what stays inside the installation."""

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from mailbox import access
from mailbox.administration import mailboxes, redirections
from mailbox.administration import routing as ways
from mailbox.requests import PersonRequest
from transport.message_service.api import Organisation

from .pages import actor, administrator_required, organisations_of, page, tell_of_second


@administrator_required
@require_POST
def answer(request: PersonRequest, redirection_id: int) -> HttpResponse:
    """Confirm a change of where messages go that another has proposed, or let it be."""
    row = get_object_or_404(redirections.proposed_to(request.user), pk=redirection_id)
    try:
        if request.POST.get("answer") == "confirm":
            redirections.confirm(actor(request), row.pk)
            messages.success(request, _("Det är bekräftat och gäller nu."))
        else:
            redirections.withdraw(actor(request), row.pk)
            messages.success(request, _("Förslaget är borttaget."))
    except redirections.NotYours:
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
    if request.method == "POST":
        asked = request.POST.get("organisation", "")
        chosen = next((one for one in organisations if one.participant_id == asked), None)
        if chosen is None:
            raise Http404
        if _set(request, chosen):
            messages.success(request, _("Vägvalet är sparat."))
            return redirect("administration-routing")
        errors = {"catch_all": _("Välj en öppen brevlåda i organisationen, eller ingen.")}
    else:
        errors = {}
    boxes = mailboxes.mailboxes_administered_by(request.user).order_by("name", "pk")
    rows = [
        {
            "organisation": one,
            "mailboxes": [box for box in boxes if box.participant_id == one.participant_id and box.is_open],
            "catch_all": next(
                (box for box in boxes if box.participant_id == one.participant_id and box.is_catch_all), None
            ),
            "errors": errors if request.POST.get("organisation") == one.participant_id else {},
        }
        for one in organisations
    ]
    context = {"rows": rows, "errors": errors}
    return page(request, "administration/routing.html", context, status=422 if errors else 200)


def _set(request: PersonRequest, organisation: Organisation) -> bool:
    """Set what the form says; False where it names no mailbox that can catch."""
    participant_id = organisation.participant_id
    chosen, mailbox = request.POST.get("catch_all", ""), None
    if chosen:
        is_number = chosen.isascii() and chosen.isdigit() and len(chosen) < 19
        boxes = mailboxes.mailboxes_administered_by(request.user)
        mailbox = boxes.filter(pk=int(chosen)).first() if is_number else None
        if mailbox is None:
            return False
    try:
        if not ways.set_catch_all(actor(request), participant_id, mailbox):
            tell_of_second(request)
    except ways.CatchAllUnfit:
        return False
    goes_out = request.POST.get("way") == "out-and-back"
    ways.set_out_and_back(actor(request), organisation, goes_out_and_back=goes_out)
    return True
