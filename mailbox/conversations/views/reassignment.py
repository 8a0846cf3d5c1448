"""Handing a conversation over, and answering to what is handed over to oneself."""

from datetime import date

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from mailbox import access
from mailbox.conversations import assignment, reassignment
from mailbox.models import Conversation, FunctionMailbox, Person
from mailbox.requests import PersonRequest

_LONGEST = 4000


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def reassign(request: PersonRequest, conversation_id: int) -> HttpResponse:
    """The form; POST makes the offer."""
    talk = get_object_or_404(
        access.conversations_of(request.user).select_related("mailbox"), pk=conversation_id
    )
    person = request.user
    errors: dict[str, str] = {}
    if request.method == "POST":
        errors = _offer(request, talk, person)
        if not errors:
            return redirect("conversation", talk.pk)
    context = {
        "conversation": talk,
        "mailbox": talk.mailbox,
        "colleagues": access.members_of(talk.mailbox).exclude(pk=person.pk),
        "functions": access.reassignable_mailboxes(talk.mailbox),
        "given": request.POST,
        "today": timezone.localdate(),
        "longest": _LONGEST,
        "errors": errors,
    }
    return render(request, "conversations/reassign.html", context, status=422 if errors else 200)


@login_required
@require_POST
def answer(request: PersonRequest, reassignment_id: int) -> HttpResponse:
    """Accept what is offered, or let it go back."""
    made = get_object_or_404(access.offers_to(request.user), pk=reassignment_id)
    person = request.user
    try:
        if request.POST.get("svar") == "ja":
            talk = reassignment.accept(made.pk, person)
            messages.success(request, _("Du har tagit över konversationen."))
            return redirect("conversation", talk.pk)
        if request.POST.get("svar") == "nej":
            event = reassignment.decline(made.pk, person)
            messages.success(
                request, _("Du har tackat nej. Konversationen är kvar hos den som ville lämna över.")
            )
            # Whoever declines for a function does not see the conversation: it is undone from the start page.
            return redirect(f"{reverse('start')}?angra={event.pk}")
    except (reassignment.NoLongerOffered, assignment.NotAMember):
        messages.error(request, _("Den erbjuds inte längre. Ingenting har ändrats."))
    except assignment.AlreadyThere:
        messages.error(request, _("Brevlådan har redan den konversationen. Ingenting har ändrats."))
    except assignment.BeingSent:
        messages.error(request, _("Ett svar är på väg att skickas. Försök igen om en stund."))
    return redirect("start")


def _offer(request: PersonRequest, talk: Conversation, person: Person) -> dict[str, str]:
    """Make the offer; for each field what is wrong."""
    given = request.POST
    done, remains = (given.get(name, "").strip() for name in ("gjort", "kvar"))
    to = _receiver(talk, given.get("till", ""))
    due_on = _day(given.get("senast", ""))
    errors = {}
    if to is None or to == person:
        errors["till"] = _("Välj vem som ska ta över.")
    for name, text, missing in (
        ("gjort", done, _("Skriv vad som är gjort.")),
        ("kvar", remains, _("Skriv vad som återstår.")),
    ):
        if not text:
            errors[name] = missing
        elif len(text) > _LONGEST:
            errors[name] = _("Texten är för lång: högst %(n)d tecken.") % {"n": _LONGEST}
    if given.get("senast") and (due_on is None or due_on < timezone.localdate()):
        errors["senast"] = _("Välj en dag som kommer, eller lämna tomt.")
    if errors or to is None:
        return errors
    try:
        reassignment.offer(talk.pk, person, to=to, done=done, remains=remains, due_on=due_on)
    except assignment.NotAssigned:
        return {"till": _("Någon annan har tagit konversationen. Ta över den först.")}
    except reassignment.AlreadyOffered:
        return {"till": _("Konversationen erbjuds redan till någon. Ta tillbaka erbjudandet först.")}
    except reassignment.NotOpen:
        return {"till": _("Konversationen är avslutad. Öppna den på nytt först.")}
    except reassignment.NotToThem:
        return {"till": _("Den du valde kan inte ta över längre. Välj någon annan.")}
    except assignment.AlreadyThere:
        return {
            "till": _("Funktionen har redan meddelanden i samma konversation, så den kan inte lämnas över.")
        }
    messages.success(request, _("Erbjudandet är gjort. Du har konversationen tills det besvaras."))
    return {}


def _receiver(talk: Conversation, chosen: str) -> Person | FunctionMailbox | None:
    kind, _separator, number = chosen.partition("-")
    if not number.isdecimal() or len(number) > 18:
        return None
    if kind == "person":
        return access.members_of(talk.mailbox).filter(pk=int(number)).first()
    if kind == "funktion":
        return access.reassignable_mailboxes(talk.mailbox).filter(pk=int(number)).first()
    return None


def _day(text: str) -> date | None:
    try:
        return parse_date(text)
    except ValueError:
        return None
