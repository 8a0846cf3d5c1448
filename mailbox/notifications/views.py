"""The page on which a person chooses notifications for each mailbox, and the pages for browser push."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from mailbox import access
from mailbox.forms import first_errors
from mailbox.models import FunctionMailbox, NoticeChoice
from mailbox.requests import PersonRequest

from . import notices
from .forms import NoticesForm, SubscriptionForm


@dataclass(frozen=True, slots=True)
class ChoiceRow:
    """A mailbox, and what the person has chosen for it."""

    mailbox: FunctionMailbox
    choice: NoticeChoice | None


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def choices(request: PersonRequest) -> HttpResponse:
    """The person's address and choices; POST saves them."""
    person = request.user
    boxes = access.mailboxes_of(person).order_by("name", "pk")
    errors: Mapping[str, str] = {}
    if request.method == "POST":
        form = NoticesForm.of_request(request.POST)
        if form.is_valid():
            given = form.cleaned_data
            person.mail_address = given["address"]
            person.save(update_fields=["mail_address"])
            for box in boxes:
                by_mail, by_push = box.pk in given["by_mail"], box.pk in given["by_push"]
                notices.choose(person, box, by_mail=by_mail, by_push=by_push)
            messages.success(request, _("Aviseringarna är sparade."))
            return redirect("notices")
        errors = first_errors(form)
    chosen = {row.mailbox_id: row for row in NoticeChoice.objects.filter(person=person)}
    context = {
        "rows": [ChoiceRow(box, chosen.get(box.pk)) for box in boxes],
        "address": request.POST.get("address", person.mail_address),
        "errors": errors,
        "push_key": notices.public_push_key(),
        "browser_count": person.push_subscriptions.count(),
    }
    return render(request, "notifications/choices.html", context, status=422 if errors else 200)


@login_required
@require_POST
def subscribe(request: PersonRequest) -> HttpResponse:
    """Subscribe this browser at the address that the page's script sends."""
    form = SubscriptionForm(request.POST)
    try:
        if not form.is_valid():
            raise notices.EndpointRefused
        notices.subscribe(request.user, form.cleaned_data["endpoint"])
    except notices.EndpointRefused:
        return HttpResponse(status=422)
    return HttpResponse(status=204)


@login_required
@require_POST
def unsubscribe(request: PersonRequest) -> HttpResponse:
    """End the subscriptions of the person's browsers."""
    notices.unsubscribe(request.user)
    messages.success(request, _("Inga webbläsare aviseras längre."))
    return redirect("notices")


@login_required
@require_safe
def recent(request: PersonRequest) -> JsonResponse:
    """The text that a browser shows after a push."""
    names = notices.recently_notified_mailboxes(request.user)
    return JsonResponse(
        {"text": _("Nytt meddelande i %(names)s") % {"names": ", ".join(names)} if names else ""}
    )


@require_safe
def worker(request: PersonRequest) -> HttpResponse:
    """The service worker that receives pushes. It is served from the root so that it covers all pages."""
    response = render(request, "notifications/worker.js", content_type="text/javascript; charset=utf-8")
    response["Cache-Control"] = "no-cache"
    return response
