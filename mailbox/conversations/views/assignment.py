"""Buttons on a conversation: take, give back, done and so on; and undo."""

from collections.abc import Callable
from datetime import datetime, time
from typing import Final

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from mailbox import access
from mailbox.conversations import assignment, reassignment
from mailbox.models import Conversation, ConversationEvent, Person
from mailbox.requests import PersonRequest

_SIMPLE: Final[dict[str, Callable[[int, Person], ConversationEvent]]] = {
    "give-back": assignment.unassign,
    "finish": assignment.finish,
    "reopen": assignment.reopen,
    "throw-away": assignment.move_to_trash,
    "withdraw": reassignment.withdraw,
}
# In the morning, when people come to work.
_MORNING: Final = time(7)


@login_required
@require_POST
def act(request: PersonRequest, conversation_id: int) -> HttpResponse:
    """Do what the button says."""
    talk = get_object_or_404(access.conversations_of(request.user), pk=conversation_id)
    person = request.user
    action = request.POST.get("action", "take")
    try:
        if action == "take":
            seen = request.POST.get("assignee", "")
            instead_of = int(seen) if seen.isdecimal() and len(seen) < 19 else None
            assignment.assign(talk.pk, person, instead_of=instead_of)
        elif action == "remind":
            return _remind(request, talk, person)
        elif action in _SIMPLE:
            _SIMPLE[action](talk.pk, person)
        else:
            raise Http404
    except assignment.AlreadyAssigned:
        messages.error(request, _("Någon annan hann ta konversationen. Ingenting har ändrats."))
    except assignment.NotAssigned:
        messages.error(request, _("Du har inte konversationen längre. Ingenting har ändrats."))
    except reassignment.NoLongerOffered:
        messages.error(request, _("Erbjudandet är redan besvarat. Ingenting har ändrats."))
    except assignment.NotAMember:
        raise Http404 from None
    if action in {"finish", "throw-away"}:
        return redirect("mailbox", talk.mailbox_id)
    return redirect("conversation", talk.pk)


@login_required
@require_POST
def undo(request: PersonRequest, conversation_id: int) -> HttpResponse:
    """Take back what one has just done."""
    talk = get_object_or_404(access.undoable_by(request.user), pk=conversation_id)
    told = request.POST.get("event", "")
    try:
        if not talk.events.filter(pk=int(told) if told.isdecimal() and len(told) < 19 else 0).exists():
            raise assignment.TooLateToUndo
        assignment.undo(int(told), request.user)
    except assignment.TooLateToUndo:
        messages.error(request, _("Det går inte att ångra längre. Ingenting har ändrats."))
    else:
        messages.success(request, _("Ändringen är ångrad."))
    # What is undone may be that it came here from another mailbox, or that it was not to come.
    is_seen = access.conversations_of(request.user).filter(pk=talk.pk).exists()
    return redirect("conversation", talk.pk) if is_seen else redirect("start")


def _remind(request: PersonRequest, talk: Conversation, person: Person) -> HttpResponse:
    try:
        day = parse_date(request.POST.get("day", ""))
    except ValueError:
        day = None
    if request.POST.get("day") and (day is None or day <= timezone.localdate()):
        messages.error(request, _("Fel: välj en dag som kommer, för påminnelsen."))
        return redirect("conversation", talk.pk)
    assignment.remind(talk.pk, person, timezone.make_aware(datetime.combine(day, _MORNING)) if day else None)
    return redirect("conversation", talk.pk)
