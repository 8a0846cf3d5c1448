"""Buttons on a conversation, or on several: assign, unassign, done and so on; and undo."""

from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any, Final

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from mailbox import access
from mailbox.conversations import assignment, reassignment, reminders, state_changes
from mailbox.conversations import undo as changes
from mailbox.conversations.addresses import conversation_url, list_url, with_query
from mailbox.conversations.forms import ActionForm, UndoForm
from mailbox.models import Conversation, ConversationEvent, Person
from mailbox.requests import PersonRequest

SIMPLE: Final[dict[str, Callable[[int, Person], ConversationEvent | None]]] = {
    "give-back": assignment.unassign,
    "finish": state_changes.finish,
    "reopen": state_changes.reopen,
    "throw-away": state_changes.move_to_trash,
    "withdraw": reassignment.withdraw,
    "prioritise": state_changes.prioritise,
    "remove-priority": state_changes.remove_priority,
}
# After these the conversation has left the list: the next one comes by itself.
_LEAVES_THE_LIST: Final = {"finish", "throw-away"}
# In the morning, when people come to work.
_MORNING: Final = time(7)


@login_required
@require_POST
def act(request: PersonRequest, conversation_id: int) -> HttpResponse:
    """Do what the button says."""
    conversation = get_object_or_404(access.conversations_to_work_on(request.user), pk=conversation_id)
    form = ActionForm(request.POST)
    form.full_clean()
    action = form.given("action") or ""
    try:
        if day := reminders.preset_day(action):
            at = at_work_begins(day)
            event = reminders.set_reminder(conversation.pk, request.user, at, is_moved_to_working_day=True)
            tell_moved_day(request, day, date.fromisoformat(event.to))
        elif action in {"remind", "due"}:
            _set_day(request, conversation, form, action)
        elif action == "take":
            assignment.assign(conversation.pk, request.user, instead_of=form.given("assignee"))
        elif action in SIMPLE:
            SIMPLE[action](conversation.pk, request.user)
        else:
            raise Http404
    except assignment.AlreadyAssigned:
        messages.error(request, _("Någon annan har hunnit tilldelas konversationen. Ingenting har ändrats."))
    except assignment.NotAssigned:
        messages.error(request, _("Konversationen är inte tilldelad dig längre. Ingenting har ändrats."))
    except reassignment.NoLongerOffered:
        messages.error(request, _("Erbjudandet är redan besvarat. Ingenting har ändrats."))
    except state_changes.NotRegistered:
        return _ask_for_registration(request, conversation, form)
    except assignment.NotAMember:
        raise Http404 from None
    return _after(request, conversation, form, has_left=action in _LEAVES_THE_LIST)


@login_required
@require_POST
def undo(request: PersonRequest, conversation_id: int) -> HttpResponse:
    """Take back what one has just done: on this conversation, or on all that one press changed."""
    conversation = get_object_or_404(access.undoable_by(request.user), pk=conversation_id)
    form = UndoForm(request.POST)
    form.full_clean()
    events = form.cleaned_data.get("event") or set()
    undone = 0
    for event_id in sorted(events):
        try:
            changes.undo(event_id, request.user)
        except changes.TooLateToUndo:
            continue
        undone += 1
    if undone:
        messages.success(request, _("Ändringen är ångrad."))
    else:
        messages.error(request, _("Det går inte att ångra längre. Ingenting har ändrats."))
    list_address = form.cleaned_data.get("list") or ""
    # What is undone may be that it came here from another mailbox, or that it was not to come.
    if not access.conversations_of(request.user).filter(pk=conversation.pk).exists():
        return redirect("start")
    if len(events) > 1:
        return redirect(list_url(conversation.mailbox_id, list_address))
    return redirect(conversation_url(conversation.pk, list_address))


def at_work_begins(day: date) -> datetime:
    """The moment of a day at which reminders come."""
    return timezone.make_aware(datetime.combine(day, _MORNING))


def url_of_next(person: Person, conversation: Conversation, place: Mapping[str, Any]) -> str:
    """The conversation that follows in the list that `place` (`PlaceInListForm`) tells, where the person sees
    it; else that list."""
    list_address = place.get("list") or ""
    following = place.get("next")
    if following and access.conversations_of(person).filter(pk=following).exists():
        return conversation_url(following, place.get("next_list") or list_address)
    return list_url(conversation.mailbox_id, list_address)


def _ask_for_registration(
    request: PersonRequest, conversation: Conversation, form: ActionForm
) -> HttpResponse:
    """Lead to the form that registers the conversation, and then marks it as done."""
    place = {name: form.given(name) for name in ("list", "next", "next_list")}
    asked = {name: value for name, value in place.items() if value} | {"finish": "on"}
    url = with_query(reverse("register", args=[conversation.pk]), urlencode(asked))
    if request.htmx:
        # The form is a page of its own, and not for the pane in which the button was.
        answer = HttpResponse(status=204)
        answer.headers["HX-Redirect"] = url
        return answer
    return redirect(url)


def tell_moved_day(request: PersonRequest, asked: date | None, day: date | None) -> None:
    """Say that another day than the one asked for was set, since nobody is there then."""
    if asked is not None and day is not None and day != asked:
        messages.info(
            request,
            _("Den %(asked)s är ingen arbetsdag i brevlådan: det blev den %(day)s.")
            % {"asked": date_format(asked, "j F"), "day": date_format(day, "j F")},
        )


def _set_day(request: PersonRequest, conversation: Conversation, form: ActionForm, action: str) -> None:
    day = form.given("day")
    is_due = action == "due"
    earliest = timezone.localdate() if is_due else timezone.localdate() + timedelta(days=1)
    if form.data.get("day") and (day is None or day < earliest):
        messages.error(
            request,
            _("Fel: välj dagens datum eller en dag som kommer.")
            if is_due
            else _("Fel: välj en dag som kommer, för påminnelsen."),
        )
    elif is_due:
        event = state_changes.set_due_on(conversation.pk, request.user, day)
        tell_moved_day(request, day, date.fromisoformat(event.to) if event.to else None)
    else:
        reminders.set_reminder(conversation.pk, request.user, at_work_begins(day) if day else None)


def _after(
    request: PersonRequest, conversation: Conversation, form: ActionForm, *, has_left: bool
) -> HttpResponse:
    """Where the person goes on: at the conversation, or where it has left the list at the next one.

    Without scripts the list is shown, as it was: page, view and filters.
    """
    form.full_clean()
    list_address = form.given("list") or ""
    if not has_left:
        return redirect(conversation_url(conversation.pk, list_address))
    if request.htmx:
        return redirect(url_of_next(request.user, conversation, form.cleaned_data))
    return redirect(list_url(conversation.mailbox_id, list_address))
