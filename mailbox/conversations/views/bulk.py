"""The buttons above a list, which change all conversations that were chosen."""

from collections.abc import Callable
from typing import Final

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from mailbox import access
from mailbox.conversations import assignment, bulk, labels, reminders, state_changes
from mailbox.conversations.addresses import list_url, with_query
from mailbox.conversations.forms import ManyForm
from mailbox.models import Conversation, FunctionMailbox, Person
from mailbox.requests import PersonRequest

from .assignment import at_work_begins

# Returns the keys of all conversations of the list with this address.
KeysOfView = Callable[[FunctionMailbox | None, Person, str], list[int]]
# How many of the conversations that are left a notice names.
_MOST_NAMED: Final = 5
_SIMPLE: Final[dict[str, bulk.Change]] = {
    "take": assignment.assign,
    "finish": state_changes.finish,
    "reopen": state_changes.reopen,
    "throw-away": state_changes.move_to_trash,
    "prioritise": state_changes.prioritise,
}


@login_required
@require_POST
def act_on_many(
    request: PersonRequest, mailbox_id: int | None = None, *, keys_of_view: KeysOfView
) -> HttpResponse:
    """Change the chosen conversations of a mailbox, or of all mailboxes (None), and redirect to the list."""
    mailbox = None
    if mailbox_id is not None:
        mailbox = get_object_or_404(access.mailboxes_to_work_in(request.user), pk=mailbox_id)
    form = ManyForm(request.POST)
    form.full_clean()
    list_address = form.given("list") or ""
    if form.given("is_all"):
        chosen = set(keys_of_view(mailbox, request.user, list_address))
    else:
        chosen = form.given("chosen") or set()
    known = access.conversations_to_work_on(request.user).filter(pk__in=chosen)
    if mailbox is not None:
        known = known.filter(mailbox=mailbox)
    change = _change_of(form)
    if change is None:
        messages.error(request, _("Fel: välj en dag som kommer, eller en etikett."))
    elif not chosen:
        messages.error(request, _("Fel: kryssa för minst en konversation."))
    else:
        changed = bulk.change_all(known.values_list("pk", flat=True), request.user, change)
        if changed.not_registered:
            messages.warning(request, _not_registered(changed))
        elif not changed.count:
            messages.error(request, _("Ingenting har ändrats."))
    if mailbox is None:
        return redirect(with_query(reverse("all-mailboxes"), QueryDict(list_address).urlencode()))
    return redirect(list_url(mailbox.pk, list_address))


def _not_registered(changed: bulk.Changed) -> str:
    """How many are done, and which are not, and why."""
    rows = Conversation.objects.filter(pk__in=changed.not_registered[:_MOST_NAMED]).order_by("pk")
    names = [f"”{row.subject or _('Utan ämne')}”" for row in rows]
    if more := len(changed.not_registered) - len(names):
        names.append(_("%(n)d till") % {"n": more})
    text = ngettext(
        "Klara: %(done)d. Kvar, eftersom den inte är registrerad: %(names)s. Öppna den och välj Registrera.",
        "Klara: %(done)d. Kvar, eftersom de inte är registrerade: %(names)s. Öppna dem och välj Registrera.",
        len(changed.not_registered),
    )
    return text % {"done": changed.count, "names": ", ".join(names)}


def _change_of(form: ManyForm) -> bulk.Change | None:
    """The change that a form asks for; None where its day or label is missing."""
    action, label_id = form.given("action") or "", form.given("label")
    preset = reminders.preset_day(action)
    day = preset or form.given("day")
    if action == "label":
        return (lambda key, person: labels.add(key, person, label_id)) if label_id else None
    if action == "remind" or preset:
        if day is None or day <= timezone.localdate():
            return None
        return lambda key, person: reminders.set_reminder(
            key, person, at_work_begins(day), is_moved_to_working_day=preset is not None
        )
    if action not in _SIMPLE:
        raise Http404
    return _SIMPLE[action]
