"""The start page, the lists of mailboxes and the pages of conversations."""

from typing import Any, Final

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Q, QuerySet
from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from mailbox import access, access_log
from mailbox.administration import alarms, counterparts, quarantine
from mailbox.conversations import assignment, bulk, notes, presence
from mailbox.conversations.addresses import ACROSS, ACROSS_ON, list_url
from mailbox.drafts import send_order
from mailbox.forms import first_errors
from mailbox.models import Conversation, FunctionMailbox, Person, Reassignment
from mailbox.prepared_query import PreparedQuery
from mailbox.protection.shown import locked_rows
from mailbox.requests import PersonRequest
from transport.row_keys import row_key

from . import inbox, list_query, position, reading, saved_views, worklist
from .forms import SavedViewActionForm, SavedViewForm, SeenForm
from .list_order import PAGE
from .rows import rows_of
from .sidebar import sidebar_of

# Set by the pages' script. A browser that runs it tells when a message has been in view (`seen`).
_SCRIPTS_COOKIE: Final = "sdkportal-scripts"
# The parts of the page that htmx asks for by themselves.
_READING_PANE: Final = "reading"
_MOST_NAMES: Final = 200
_STATES_OF_LOCKED_ROWS: Final = {
    inbox.View.INBOX: Conversation.State.OPEN,
    inbox.View.DONE: Conversation.State.DONE,
    inbox.View.TRASH: Conversation.State.TRASH,
}
_NAME_TAKEN: Final = lazy("Du har redan en vy med det namnet.")


@login_required
@require_safe
def start(request: PersonRequest) -> HttpResponse:
    """What waits for the person, wherever."""
    person = request.user
    waiting = worklist.waiting_for(person)
    context = _notices(request) | {
        "waiting": waiting,
        "today": timezone.localdate(),
        "sidebar": sidebar_of(person),
        "alarms": alarms.alarms_of(person),
        "quarantined": quarantine.count_unremoved(person),
        "waiting_for_scanner": quarantine.waiting_for_scanner(person)[0],
        "set_aside": counterparts.arrivals_set_aside(person).count(),
    }
    return render(request, "workplace/_start.html" if _is_live(request) else "workplace/start.html", context)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def mailbox(request: PersonRequest, mailbox_id: int) -> HttpResponse:
    """A view of a mailbox. Filters are posted: a reference stands in an address only as a keyed hash."""
    box = get_object_or_404(access.mailboxes_of(request.user), pk=mailbox_id)
    if request.method == "POST":
        return redirect(list_url(box.pk, list_query.address_of_filter(box, request.POST).urlencode()))
    asked = list_query.read(request.GET, is_across=False)
    if request.htmx and request.htmx.target == _READING_PANE:
        context = {"mailbox": box, "list_address": asked.address} | _notices(request)
        return render(request, "workplace/_nothing_open.html", context)
    context = _list_context(request, box, asked) | _notices(request)
    if _is_live(request):
        return render(request, "workplace/_list.html", context)
    return render(request, "workplace/mailbox.html", context)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def all_mailboxes(request: PersonRequest) -> HttpResponse:
    """A view across the person's mailboxes. Filters are posted, as those of a mailbox are."""
    if request.method == "POST":
        return redirect(list_url(0, list_query.address_of_filter(None, request.POST).urlencode()))
    asked = list_query.read(request.GET, is_across=True)
    if request.htmx and request.htmx.target == _READING_PANE:
        context = {"list_address": asked.address} | _notices(request)
        return render(request, "workplace/_nothing_open.html", context)
    context = _list_context(request, None, asked) | _notices(request)
    template = "workplace/_list.html" if _is_live(request) else "workplace/all_mailboxes.html"
    return render(request, template, context)


@login_required
@require_POST
def save_view(request: PersonRequest) -> HttpResponse:
    """Save the list that is shown as a view of the person's; the page is shown again where it cannot be."""
    form = SavedViewForm(request.POST)
    form.full_clean()
    asked = saved_views.asked_by(form.cleaned_data.get("list") or "")
    if form.is_valid():
        try:
            saved_views.save(request.user, form.cleaned_data["name"], asked.address)
        except saved_views.NameTaken:
            form.add_error("name", _NAME_TAKEN)
        except saved_views.TooMany:
            most = {"n": saved_views.MOST}
            form.add_error("name", _("Du har redan %(n)d vyer. Ta bort någon först.") % most)
        else:
            messages.success(request, _("Vyn är sparad."))
            return redirect(asked.url(0))
    context = _list_context(request, None, asked) | _notices(request)
    context |= {"errors": first_errors(form), "view_name_given": form.data.get("name", "")}
    return render(request, "workplace/all_mailboxes.html", context, status=422)


@login_required
@require_POST
def change_view(request: PersonRequest, view_id: int) -> HttpResponse:
    """Delete a saved view of the person's, or rename it."""
    row = get_object_or_404(access.saved_views_of(request.user), pk=view_id)
    form, named = SavedViewActionForm(request.POST), SavedViewForm(request.POST)
    form.full_clean()
    if form.cleaned_data.get("action") == "remove":
        saved_views.remove(row)
        messages.success(request, _("Vyn är borttagen."))
    elif not named.is_valid():
        messages.error(request, _("Fel: %(what)s") % {"what": first_errors(named)["name"]})
    else:
        try:
            saved_views.rename(row, named.cleaned_data["name"])
            messages.success(request, _("Vyn har fått ett nytt namn."))
        except saved_views.NameTaken:
            messages.error(request, _("Fel: %(what)s") % {"what": _NAME_TAKEN})
    return redirect(saved_views.asked_by(form.cleaned_data.get("list") or "").url(0))


@login_required
@require_safe
def conversation(request: PersonRequest, conversation_id: int) -> HttpResponse:
    """A conversation: every message in order, with what is known of its delivery, and who does what.

    htmx gets the reading pane alone; a page has the list beside it from which the conversation was opened.
    """
    rows = access.conversations_of(request.user).select_related("mailbox", "assignee", "retention_hold__by")
    may_work = Q(mailbox__in=access.mailboxes_to_work_in(request.user))
    may_send = Q(mailbox__in=access.mailboxes_to_send_from(request.user))
    row = get_object_or_404(rows.annotate(may_work=may_work, may_send=may_send), pk=conversation_id)
    is_background = "X-Background" in request.headers
    is_part = bool(request.htmx)
    if not is_background:
        if vars(row)["may_work"]:
            assignment.note_opened(row, request.user)
        presence.mark_page_fetched(request.user, presence.Activity(row.pk, is_writing=False))
    context = _notices(request)
    if is_part:
        context |= reading.reading_context(request, row)
    else:
        asked = reading.list_asked(reading.asked_of(request)["list"])
        context |= _list_context(request, None if asked.is_across else row.mailbox, asked, open_id=row.pk)
        context |= reading.reading_context(
            request, row, page_of_list=context["list_page"], count=context["counts"].get(asked.view)
        )
    if not is_background and _SCRIPTS_COOKIE not in request.COOKIES:
        inbox.mark_seen(row, request.user)
        notes.mark_seen(row, request.user)
    access_log.record_opened(request.user, row, is_by_itself=is_background)
    template = "workplace/_reading.html" if is_part else "workplace/conversation.html"
    return render(request, template, context)


@login_required
@require_POST
def seen(request: PersonRequest, conversation_id: int) -> HttpResponse:
    """The page's script tells that the newest message or note has been in view while the page had focus."""
    row = get_object_or_404(access.conversations_of(request.user), pk=conversation_id)
    shown = SeenForm(request.POST).understood()
    newest = row.messages.order_by("-pk").values_list("pk", flat=True).first()
    # What has come since that page was made has not been seen.
    if newest is not None and shown["message"] == newest:
        inbox.mark_seen(row, request.user)
    if shown["note"] is not None:
        notes.mark_seen(row, request.user, newest=shown["note"])
    return HttpResponse(status=204)


@login_required
@require_POST
def printed(request: PersonRequest, conversation_id: int) -> HttpResponse:
    """The page's script tells that it is being printed."""
    rows = access.conversations_of(request.user).select_related("mailbox")
    access_log.record_printed(request.user, get_object_or_404(rows, pk=conversation_id))
    return HttpResponse(status=204)


def keys_of_view(mailbox: FunctionMailbox | None, person: Person, list_address: str) -> list[int]:
    """Keys of all conversations in the view that a list's address asks for, not only those of its page.

    None stands for the list across mailboxes.
    """
    asked = list_query.read(QueryDict(list_address), is_across=mailbox is None)
    if mailbox is None:
        return inbox.keys_across(
            person, asked.view, asked.filters, mailbox_ids=asked.mailbox_ids, most=bulk.MOST
        )
    return inbox.keys_in(mailbox, person, asked.view, asked.filters, most=bulk.MOST)


def _list_context(
    request: PersonRequest,
    box: FunctionMailbox | None,
    asked: list_query.ListQuery,
    *,
    open_id: int | None = None,
) -> dict[str, Any]:
    """The sidebar and the list of a mailbox, or of the list across mailboxes (None). `open_id` is the
    conversation that is shown beside it."""
    shown = _across_context(request, asked) if box is None else _mailbox_context(request, box, asked)
    return shown | {
        "asked": asked,
        "list_address": asked.address,
        "list_url": asked.url(box.pk if box else 0),
        "open_id": open_id or _open_key(request),
        "first_number": (asked.page - 1) * PAGE + 1,
        "view_name": list_query.NAMES[asked.view],
        "nothing": list_query.NOTHING[asked.view],
        "statuses": list_query.STATUSES.items(),
        "orders": [
            (order, list_query.ORDERS[order])
            for order in inbox.orders_of(asked.view, is_across=asked.is_across)
        ],
        "chips": _chips(asked),
        "today": timezone.localdate(),
        "is_drafts": asked.view is inbox.View.DRAFTS,
    }


def _mailbox_context(
    request: PersonRequest, box: FunctionMailbox, asked: list_query.ListQuery
) -> dict[str, Any]:
    person = request.user
    is_mine = asked.view is inbox.View.MINE
    found = position.list_page(box, person, asked)
    drafts = None
    if asked.view is inbox.View.DRAFTS:
        drafts = inbox.drafts_of(box, person, asked.after, order=asked.order)
    counts = inbox.counts(box, person)
    sidebar = sidebar_of(person, mailbox=box, view=asked.view, counts=counts)
    # Beside the first page of these views there are rows of what is hidden from the person.
    state = _STATES_OF_LOCKED_ROWS.get(asked.view) if asked.page == 1 and not asked.filters else None
    return {
        "mailbox": box,
        "list_mailbox": box,
        "list_title": box.name,
        "list_path": list_url(box.pk),
        "bulk_url": reverse("act-on-many", args=[box.pk]),
        "sidebar": sidebar,
        "counts": counts,
        "list_page": found,
        "page": drafts or rows_of(found, person, asked.address),
        "all_labels": box.labels.all(),
        "mentions": notes.mentions_of(person).filter(note__conversation__mailbox=box) if is_mine else [],
        "offers": len(_OFFERS.rows(person, box.pk)),
        "may_work": any(each.is_current and each.is_worked_in for each in sidebar.mailboxes),
        "outbox": send_order.outbox(box, person),
        "locked_rows": locked_rows(box, person, state) if state else None,
    }


def _offers_to(person: Person, mailbox_id: int) -> QuerySet[Reassignment, int]:
    return access.offers_to(person).filter(to_mailbox=mailbox_id).values_list("pk", flat=True)


_OFFERS: Final = PreparedQuery(_offers_to)


def _across_context(request: PersonRequest, asked: list_query.ListQuery) -> dict[str, Any]:
    person = request.user
    found = position.page_across(person, asked)
    names = access.labels_of(person).order_by("name").values_list("name", flat=True).distinct()
    return {
        "may_work": True,
        "list_title": _("Alla brevlådor"),
        "list_path": reverse("all-mailboxes"),
        "bulk_url": reverse("act-on-many-across"),
        "sidebar": sidebar_of(person, shown_across=asked.query),
        "counts": {},
        "list_page": found,
        "page": rows_of(found, person, asked.address, is_across=True),
        "views_across": [(view, list_query.NAMES[view]) for view in list_query.VIEWS_ACROSS],
        "label_names": names[:_MOST_NAMES],
        "saved_views": saved_views.views_of(person),
        "longest_name": saved_views.LONGEST,
    }


def _chips(asked: list_query.ListQuery) -> list[tuple[str, str, bool]]:
    """The filters that are one click away: name, address, whether it is chosen."""
    if asked.view not in {inbox.View.INBOX, inbox.View.MINE, inbox.View.WAITING}:
        return []
    chips: list[tuple[str, str, str]] = [(_("Alla"), "", ""), (_("Nya"), "status", inbox.Status.NEW)]
    if asked.view is inbox.View.INBOX:
        chips.append((_("Ej tilldelade"), "status", inbox.Status.UNASSIGNED))
    else:
        chips.append((_("I dag"), "status", inbox.Status.DUE))
    shown = []
    for name, field, value in chips:
        query = QueryDict(mutable=True)
        if asked.is_across:
            query[ACROSS] = ACROSS_ON
        if asked.mailbox_ids:
            query["mailboxes"] = ".".join(str(key) for key in asked.mailbox_ids)
        query["view"] = asked.view
        if asked.order:
            query["order"] = asked.order
        if field:
            query[field] = value
        is_chosen = (asked.filters.status or "") == value and not (not value and asked.filters)
        shown.append((name, query.urlencode(), is_chosen))
    return shown


def _notices(request: PersonRequest) -> dict[str, Any]:
    """What is said of what has just been done. A part that a page fetches by itself says nothing of it: that
    would be lost to the page that the person sees."""
    is_asked_for = "X-Background" not in request.headers
    return {
        "has_notices": bool(request.htmx) and is_asked_for,
        "undo_offer": reading.undo_offer(request.user) if is_asked_for else None,
    }


def _is_live(request: PersonRequest) -> bool:
    """Whether the page asks for its changing part again."""
    return bool(request.htmx)


def _open_key(request: PersonRequest) -> int | None:
    """The conversation that stands open beside a list that is fetched again."""
    return row_key(request.headers.get("X-Open", ""))
