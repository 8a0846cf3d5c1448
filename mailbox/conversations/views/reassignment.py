"""Handing a conversation over, and answering to what is handed over to oneself."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from mailbox import access
from mailbox.conversations import assignment, reassignment
from mailbox.conversations.addresses import conversation_url, list_url
from mailbox.conversations.forms import LONGEST_TEXT, OfferAnswerForm, PlaceInListForm, ReassignForm
from mailbox.forms import KeyField, first_errors
from mailbox.models import Conversation, FunctionMailbox, Person
from mailbox.requests import PersonRequest

from .assignment import tell_moved_day, url_of_next


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def reassign(request: PersonRequest, conversation_id: int) -> HttpResponse:
    """The form; POST makes the offer, and the next conversation of the list follows."""
    conversation = get_object_or_404(
        access.conversations_to_work_on(request.user).select_related("mailbox"), pk=conversation_id
    )
    form = ReassignForm(request.POST if request.method == "POST" else None)
    came_from = PlaceInListForm(request.POST if form.is_bound else request.GET)
    came_from.full_clean()
    place = came_from.cleaned_data
    if form.is_bound:
        form.full_clean()
        to = _receiver(conversation, form.cleaned_data.get("to") or "")
        if to is None or to == request.user:
            form.add_error("to", _("Välj vem som ska ta över."))
        elif form.is_valid() and _offer(request, conversation, form, to):
            if "list" in request.POST:
                return redirect(url_of_next(request.user, conversation, place))
            return redirect("conversation", conversation.pk)
    list_address = place.get("list") or ""
    context = {
        "conversation": conversation,
        "mailbox": conversation.mailbox,
        "colleagues": access.possible_assignees(conversation).exclude(pk=request.user.pk),
        "functions": access.mailboxes_to_offer_to(conversation),
        "given": form.data,
        "place": place,
        "list_url": list_url(conversation.mailbox_id, list_address),
        "own_url": conversation_url(conversation.pk, list_address),
        "today": timezone.localdate(),
        "longest": LONGEST_TEXT,
        "errors": first_errors(form),
    }
    return render(request, "conversations/reassign.html", context, status=422 if form.is_bound else 200)


@login_required
@require_POST
def answer(request: PersonRequest, reassignment_id: int) -> HttpResponse:
    """Accept what is offered, or let it go back."""
    made = get_object_or_404(access.offers_to(request.user), pk=reassignment_id)
    person = request.user
    form = OfferAnswerForm(request.POST)
    form.full_clean()
    said = form.cleaned_data.get("answer")
    try:
        if said == "yes":
            conversation = reassignment.accept(made.pk, person)
            messages.success(request, _("Du har tagit över konversationen."))
            return redirect("conversation", conversation.pk)
        if said == "no":
            reassignment.decline(made.pk, person)
            messages.success(
                request, _("Du har tackat nej. Konversationen är kvar hos den som ville lämna över.")
            )
            # Whoever declines for a function does not see the conversation: it is undone from the start page.
            return redirect("start")
    except (reassignment.NoLongerOffered, assignment.NotAMember):
        messages.error(request, _("Den erbjuds inte längre. Ingenting har ändrats."))
    except assignment.AlreadyThere:
        messages.error(request, _("Brevlådan har redan den konversationen. Ingenting har ändrats."))
    except assignment.BeingSent:
        messages.error(
            request,
            _("Ett svar är på väg att skickas, eller ska skickas senare. Ångra det, eller vänta."),
        )
    return redirect("start")


def _offer(
    request: PersonRequest, conversation: Conversation, form: ReassignForm, to: Person | FunctionMailbox
) -> bool:
    """Make the offer; whether it is made. What is wrong is added to the form."""
    given = form.cleaned_data
    try:
        made = reassignment.offer(
            conversation.pk,
            request.user,
            to=to,
            done=given["done"],
            remains=given["remains"],
            due_on=given["due_on"],
        )
    except assignment.NotAssigned:
        form.add_error("to", _("Konversationen är tilldelad någon annan. Ta över den först."))
    except reassignment.AlreadyOffered:
        form.add_error("to", _("Konversationen erbjuds redan till någon. Ta tillbaka erbjudandet först."))
    except reassignment.NotOpen:
        form.add_error("to", _("Konversationen är avslutad. Öppna den på nytt först."))
    except reassignment.InvalidReceiver:
        form.add_error("to", _("Den du valde kan inte ta över längre. Välj någon annan."))
    except assignment.AlreadyThere:
        form.add_error(
            "to",
            _("Funktionen har redan meddelanden i samma konversation, så den kan inte lämnas över."),
        )
    else:
        messages.success(request, _("Erbjudandet är gjort. Du har konversationen tills det besvaras."))
        tell_moved_day(request, given["due_on"], made.due_on)
        return True
    return False


def _receiver(conversation: Conversation, chosen: str) -> Person | FunctionMailbox | None:
    kind, _separator, number = chosen.partition("-")
    try:
        key = KeyField().clean(number)
    except ValidationError:
        return None
    if kind == "person":
        return access.possible_assignees(conversation).filter(pk=key).first()
    if kind == "funktion":
        return access.mailboxes_to_offer_to(conversation).filter(pk=key).first()
    return None
