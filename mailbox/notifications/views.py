"""How one wants to be told of what arrives: by mail, in the browser, for each mailbox."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from mailbox import access
from mailbox.models import NoticeChoice
from mailbox.requests import PersonRequest

from . import notices


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def choices(request: PersonRequest) -> HttpResponse:
    """The person's address and choices; POST saves them."""
    person = request.user
    boxes = access.mailboxes_of(person).order_by("name", "pk")
    errors: dict[str, str] = {}
    if request.method == "POST":
        address = request.POST.get("address", "").strip()
        by_mail, by_push = set(request.POST.getlist("mejl")), set(request.POST.getlist("webb"))
        errors = _wrong(address, by_mail)
        if not errors:
            person.mail_address = address
            person.save(update_fields=["mail_address"])
            for box in boxes:
                key = str(box.pk)
                notices.choose(person, box, by_mail=key in by_mail, by_push=key in by_push)
            messages.success(request, _("Aviseringarna är sparade."))
            return redirect("notices")
    chosen = {row.mailbox_id: row for row in NoticeChoice.objects.filter(person=person)}
    context = {
        "rows": [{"mailbox": box, "choice": chosen.get(box.pk)} for box in boxes],
        "address": request.POST.get("address", person.mail_address),
        "errors": errors,
        "push_key": notices.public_push_key(),
        "browser_count": person.push_subscriptions.count(),
    }
    return render(request, "notifications/choices.html", context, status=422 if errors else 200)


@login_required
@require_POST
def subscribe(request: PersonRequest) -> HttpResponse:
    """The page's script gives the address at which this browser takes pushes."""
    try:
        notices.subscribe(request.user, request.POST.get("endpoint", ""))
    except notices.EndpointRefused:
        return HttpResponse(status=422)
    return HttpResponse(status=204)


@login_required
@require_POST
def unsubscribe(request: PersonRequest) -> HttpResponse:
    """No browser takes pushes for this person any more."""
    notices.unsubscribe(request.user)
    messages.success(request, _("Inga webbläsare aviseras längre."))
    return redirect("notices")


@login_required
@require_safe
def just_now(request: PersonRequest) -> JsonResponse:
    """What a browser that was woken shows."""
    names = notices.just_told_of(request.user)
    return JsonResponse(
        {"text": _("Nytt meddelande i %(names)s") % {"names": ", ".join(names)} if names else ""}
    )


@require_safe
def worker(request: PersonRequest) -> HttpResponse:
    """The script that takes pushes; it holds no data, and stands at the root to be let work for all pages."""
    response = render(request, "notifications/worker.js", content_type="text/javascript; charset=utf-8")
    response["Cache-Control"] = "no-cache"
    return response


def _wrong(address: str, by_mail: set[str]) -> dict[str, str]:
    if not address:
        return {"address": _("Skriv en e-postadress, eller välj bort mejl.")} if by_mail else {}
    try:
        validate_email(address)
    except ValidationError:
        return {"address": _("Skriv en e-postadress, till exempel namn@kommun.se.")}
    return {}
