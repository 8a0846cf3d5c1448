"""Taking a draft over, restoring what it said before, writing one of one's own beside it, and its state."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from mailbox import access
from mailbox.conversations import presence
from mailbox.drafts import composer, draft_lock, ownership
from mailbox.drafts.composer import DraftChanged, DraftGone, DraftOnItsWay
from mailbox.drafts.forms import DraftForm
from mailbox.models import Draft
from mailbox.requests import PersonRequest

from .draft_form import form, read_only, unseen_messages
from .review import redirect_missing_draft


@login_required
@require_POST
def take_over(request: PersonRequest, draft_id: int) -> HttpResponse:
    """Make oneself the draft's owner, as one has read it."""
    row = get_object_or_404(_drafts_to_work_on(request), pk=draft_id)
    try:
        ownership.take_over(row.pk, DraftForm(request.POST).seen_version, request.user)
    except DraftChanged:
        row.refresh_from_db()
        return read_only(request, row, has_changed=True, status=409)
    except DraftOnItsWay:
        return redirect("draft", row.pk)
    except DraftGone:
        return redirect_missing_draft(request, draft_id)
    if not request.htmx:
        messages.success(request, _("Du har tagit över utkastet."))
        return redirect("draft", row.pk)
    row.refresh_from_db()
    presence.mark_page_fetched(request.user, presence.activity_of_draft(row))
    return form(request, row)


@login_required
@require_POST
def restore(request: PersonRequest, draft_id: int, version_id: int) -> HttpResponse:
    """Let the draft say again what it said in an earlier version."""
    row = get_object_or_404(_drafts_to_work_on(request), pk=draft_id)
    try:
        ownership.restore(row.pk, DraftForm(request.POST).seen_version, version_id, request.user)
    except ownership.NoSuchVersion:
        messages.error(request, _("Den versionen finns inte längre."))
    except DraftChanged:
        row.refresh_from_db()
        messages.error(request, _("Utkastet har ändrats sedan du läste det. Ingenting är återställt."))
    except DraftOnItsWay:
        return redirect("draft", row.pk)
    except DraftGone:
        return redirect_missing_draft(request, draft_id)
    else:
        messages.success(request, _("Den tidigare versionen är återställd."))
    return redirect("draft", row.pk)


@login_required
@require_POST
def write_own(request: PersonRequest, draft_id: int) -> HttpResponse:
    """Begin a draft of one's own beside a colleague's, with what one had typed."""
    row = get_object_or_404(_drafts_to_work_on(request), pk=draft_id)
    typed = DraftForm(request.POST)
    own = composer.begin_own(row, typed.content(), request.user)
    if request.htmx:
        own = get_object_or_404(_drafts_to_work_on(request), pk=own.pk)
        presence.mark_page_fetched(request.user, presence.activity_of_draft(own))
        return form(request, own)
    return redirect("draft", own.pk)


@login_required
@require_safe
def state(request: PersonRequest, draft_id: int) -> HttpResponse:
    """What the page of a draft is told while it is open: taken over, sent, removed, or new messages."""
    row = _drafts(request).filter(pk=draft_id).first()
    if row is None and Draft.objects.filter(pk=draft_id).exists():
        return HttpResponse(status=404)
    is_in_thread = request.GET.get("thread") == "1"
    may_write = row is not None and draft_lock.may_write(row, request.user)
    context = {
        "draft": row,
        "is_gone": row is None,
        "is_on_its_way": row is not None and row.send_at is not None,
        "is_taken_over": row is not None and not may_write,
        "unseen": unseen_messages(request, row) if row is not None and may_write and not is_in_thread else [],
    }
    return render(request, "drafts/_state.html", context)


@login_required
@require_safe
def in_conversation(request: PersonRequest, conversation_id: int) -> HttpResponse:
    """The drafts in a conversation, for the foot of its thread."""
    conversation = get_object_or_404(access.conversations_of(request.user), pk=conversation_id)
    return render(request, "drafts/_foot.html", {"conversation": conversation})


@login_required
@require_POST
def leave(request: PersonRequest, draft_id: int) -> HttpResponse:
    """Close a draft that was only looked at: nothing of it stays. One that is written in stays as it is."""
    row = get_object_or_404(_drafts_to_work_on(request), pk=draft_id)
    presence.stop_writing(request.user, presence.activity_of_draft(row))
    conversation = row.answers.conversation_id if row.answers is not None else None
    composer.leave_untouched(row.pk, request.user)
    if request.htmx:
        return HttpResponse(status=204)
    return redirect("conversation", conversation) if conversation else redirect("mailbox", row.mailbox_id)


def _drafts_to_work_on(request: PersonRequest) -> QuerySet[Draft]:
    return _drafts(request).filter(mailbox__in=access.mailboxes_to_work_in(request.user))


def _drafts(request: PersonRequest) -> QuerySet[Draft]:
    return access.drafts_of(request.user).select_related(
        "mailbox", "owner", "answers__conversation__assignee", "answers__conversation__mailbox"
    )
