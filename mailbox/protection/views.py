"""The page on which a conversation is protected, and the one on which a manager opens a protected one."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from mailbox import access
from mailbox.conversations import history
from mailbox.conversations.addresses import conversation_url, list_url
from mailbox.forms import first_errors
from mailbox.models import Conversation, ProtectedOpening
from mailbox.requests import PersonRequest

from . import acts
from .forms import LONGEST_EXPLANATION, OpeningForm, ProtectionForm

_GETS_AND_POSTS = ["GET", "HEAD", "POST"]


@login_required
@require_http_methods(_GETS_AND_POSTS)
def protection(request: PersonRequest, conversation_id: int) -> HttpResponse:
    """Who sees the conversation; POST protects it for those who are chosen, or ends the protection."""
    rows = access.conversations_to_work_on(request.user).select_related("mailbox")
    conversation = get_object_or_404(rows, pk=conversation_id)
    form = ProtectionForm(request.POST if request.method == "POST" else request.GET)
    form.full_clean()
    list_address = form.cleaned_data.get("list") or ""
    own_url = conversation_url(conversation.pk, list_address)
    if request.method == "POST" and _is_done(request, conversation, form):
        return redirect(own_url)
    named = set(access.people_named_in([conversation.pk])[conversation.pk])
    given = form.cleaned_data.get("named", set()) if request.method == "POST" else named
    context = {
        "conversation": conversation,
        "mailbox": conversation.mailbox,
        "colleagues": access.members_of(conversation.mailbox).exclude(pk=request.user.pk),
        "chosen": given,
        "openings": _openings(conversation),
        "list_address": list_address,
        "list_url": list_url(conversation.mailbox_id, list_address),
        "own_url": own_url,
        "errors": first_errors(form),
    }
    return render(request, "protection/protection.html", context, status=422 if form.errors else 200)


@login_required
@require_http_methods(_GETS_AND_POSTS)
def open_protected(request: PersonRequest, protected_id: int) -> HttpResponse:
    """The reason why a manager opens a protected conversation in which they are not named; nothing of it is
    shown before."""
    rows = access.protected_to_open(request.user).select_related("mailbox").only("mailbox", "last_arrived_at")
    row = get_object_or_404(rows, pk=protected_id)
    form = OpeningForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        reason = ProtectedOpening.Reason(form.cleaned_data["reason"])
        acts.open_as_manager(row.pk, request.user, reason, form.cleaned_data["explanation"])
        messages.success(
            request, _("Du ser nu konversationen. De som ser den får veta att du har öppnat den.")
        )
        return redirect("conversation", row.pk)
    context = {
        "mailbox": row.mailbox,
        "arrived_at": row.last_arrived_at,
        "reasons": history.OPENING_REASONS.items(),
        "given": form.data,
        "longest": LONGEST_EXPLANATION,
        "errors": first_errors(form),
    }
    return render(request, "protection/open.html", context, status=422 if form.is_bound else 200)


def _is_done(request: PersonRequest, conversation: Conversation, form: ProtectionForm) -> bool:
    """Do what the form says; whether that was possible. What is wrong is added to the form."""
    if form.errors:
        return False
    if form.cleaned_data["action"] == "end":
        try:
            acts.end_protection(conversation.pk, request.user)
        except acts.NotProtected:
            messages.info(request, _("Konversationen var inte skyddad längre."))
        else:
            messages.success(request, _("Skyddet är borta: alla medlemmar i brevlådan ser konversationen."))
        return True
    try:
        is_changed = acts.set_named_members(conversation.pk, request.user, form.cleaned_data["named"])
    except acts.NotMembers:
        form.add_error("named", _("Någon av dem är inte medlem i brevlådan längre. Välj på nytt."))
        return False
    except acts.BeingSent:
        form.add_error(
            "named",
            _(
                "Någon som du inte har valt ska skicka ett svar. Välj den personen, eller vänta tills det är "
                "gjort."
            ),
        )
        return False
    if is_changed:
        messages.success(request, _("Konversationen är skyddad: bara de du valde och du ser den."))
    return True


def _openings(conversation: Conversation) -> list[tuple[ProtectedOpening, str]]:
    """When managers have opened it, with the reason in words."""
    rows = conversation.protected_openings.select_related("person", "conversation__mailbox")
    return [(row, str(history.OPENING_REASONS[row.reason])) for row in rows]
