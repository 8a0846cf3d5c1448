"""Drafts: begun, written, and sent on to be reviewed."""

from typing import Final

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from addressbook.lookup import function_address
from addressbook.models import FunctionAddress
from mailbox import access, access_log
from mailbox.attachments.uploads import FileRefused
from mailbox.conversations import presence
from mailbox.drafts import (
    canned_texts,
    composer,
    draft_files,
    draft_lock,
    forwarding,
    message_check,
    send_order,
)
from mailbox.drafts import distribution_lists as lists
from mailbox.drafts import recipients as draft_recipients
from mailbox.drafts.composer import Content, DraftChanged, DraftGone, DraftIncomplete, DraftOnItsWay
from mailbox.drafts.forms import AnswerForm, DraftForm, key_in
from mailbox.models import Draft, FunctionMailbox, Message, Person
from mailbox.requests import PersonRequest
from mailbox.texts.message_text import rendered_beginning
from transport.rate_limits import limited

from .draft_form import form, mailboxes_to_write_from, recipients_context
from .review import on_its_way, redirect_missing_draft, review_page, send_errors

_CHANGES_RECIPIENTS: Final = {"add", "clear", "add-list", "inside"}


def _too_many_files(request: PersonRequest) -> HttpResponse:
    """What the page's script shows beside the file."""
    text = _("Många filer har skickats på kort tid. Vänta någon minut och försök igen.")
    return HttpResponse(text, status=429, content_type="text/plain; charset=utf-8")


@login_required
@require_POST
def write(request: PersonRequest, mailbox_id: int) -> HttpResponse:
    """Begin a draft."""
    mailbox = get_object_or_404(access.mailboxes_to_work_in(request.user), pk=mailbox_id)
    return redirect("draft", composer.begin(mailbox, request.user).pk)


@login_required
@require_POST
def write_to(request: PersonRequest, function_id: int) -> HttpResponse:
    """Begin a draft to a function of the address book.

    It is written from the mailbox that is chosen, or from the one that the person wrote from last.
    """
    functions = FunctionAddress.objects.select_related("organisation").filter(gone_at=None)
    function = get_object_or_404(functions, pk=function_id)
    mailbox = _mailbox_to_write_from(request)
    draft = composer.begin(mailbox, request.user)
    try:
        draft_recipients.choose_recipient(draft.pk, draft.version, function, request.user)
    except DraftChanged:
        # The same empty draft is being written in, in another tab: it is shown as it is.
        messages.error(request, _("Ett annat utkast hann börja skrivas. Välj mottagaren igen."))
    return redirect("draft", draft.pk)


def _mailbox_to_write_from(request: PersonRequest) -> FunctionMailbox:
    mailboxes = access.mailboxes_to_work_in(request.user)
    chosen = key_in(request.POST.get("mailbox", ""))
    if chosen:
        return get_object_or_404(mailboxes, pk=chosen)
    latest = Message.objects.filter(written_by=request.user, conversation__mailbox__in=mailboxes)
    used = latest.order_by("-pk").values_list("conversation__mailbox", flat=True).first()
    row = mailboxes.filter(pk=used or 0).first() or mailboxes.order_by("name", "pk").first()
    if row is None:
        raise Http404
    return row


@login_required
@require_POST
def answer(request: PersonRequest, message_id: int) -> HttpResponse:
    """Begin an answer to a message, or go on with the one that was begun; a colleague's is shown first."""
    rows = access.messages_to_work_on(request.user).select_related("conversation__mailbox")
    message = get_object_or_404(rows, pk=message_id)
    asked = AnswerForm(request.POST).understood()
    begun = composer.begin_answer(message, request.user, seen=asked["seen"], is_own=bool(asked["own"]))
    if not request.htmx:
        return redirect("draft", begun.pk)
    row = _drafts_of(request.user).get(pk=begun.pk)
    if row.send_at is not None:
        return on_its_way(request, row)
    presence.mark_page_fetched(request.user, presence.activity_of_draft(row))
    return form(request, row, errors=send_errors(row))


@login_required
@require_POST
def forward(request: PersonRequest, message_id: int) -> HttpResponse:
    """Begin a draft that forwards a message."""
    rows = access.messages_to_work_on(request.user).select_related("conversation__mailbox")
    message = get_object_or_404(rows, pk=message_id)
    return redirect("draft", forwarding.begin(message, request.user).pk)


def _drafts_of(person: Person) -> QuerySet[Draft]:
    return access.drafts_of(person).select_related(
        "mailbox",
        "owner",
        "changed_by",
        "forwards__conversation",
        "answers__conversation__assignee",
        "answers__conversation__mailbox",
    )


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def draft(request: PersonRequest, draft_id: int) -> HttpResponse:
    """A draft: shown, saved, sent on to be reviewed. Every button works without JavaScript."""
    row = _drafts_of(request.user).filter(pk=draft_id).first()
    if row is None:
        return redirect_missing_draft(request, draft_id)
    if request.method == "POST":
        get_object_or_404(access.drafts_to_work_on(request.user), pk=draft_id)
    if row.send_at is not None:
        return on_its_way(request, row)
    activity = presence.activity_of_draft(row)
    if request.method != "POST":
        if draft_lock.may_write(row, request.user):
            if request.htmx and "X-Background" in request.headers:
                # The page in which the person read it: it is theirs to write in now.
                return HttpResponse(status=204, headers={"HX-Refresh": "true"})
            presence.mark_page_fetched(request.user, activity)
        return form(request, row, errors=send_errors(row))
    action, _separator, argument = request.POST.get("action", "save").partition(":")
    if action in {"discard", "discard-now"}:
        presence.stop_writing(request.user, activity)
    typed = DraftForm(request.POST)
    try:
        return _act(request, row, action, argument, typed)
    except DraftChanged:
        row.refresh_from_db()
        if action == "autosave":
            return _not_saved(row, request.user)
        return form(request, row, unsaved=typed.content(), status=409)
    except DraftOnItsWay:
        row.refresh_from_db()
        return on_its_way(request, row)
    except DraftGone:
        return redirect_missing_draft(request, draft_id)


def _not_saved(row: Draft, person: Person) -> HttpResponse:
    """What the page's script shows in place of "Sparat"."""
    if draft_lock.may_write(row, person):
        text = _("Inte sparat: utkastet har ändrats i ett annat fönster. Spara för att se båda.")
    else:
        owner = row.owner.name if row.owner else _("Någon annan")
        text = _("Inte sparat: %(who)s har tagit över utkastet.") % {"who": owner}
    return HttpResponse(text, status=409, content_type="text/plain; charset=utf-8")


def _act(request: PersonRequest, row: Draft, action: str, argument: str, typed: DraftForm) -> HttpResponse:
    person = request.user
    version, content, key = typed.seen_version, typed.content(), key_in(argument)
    if action == "autosave":
        saved = composer.save(row.pk, version, content, person)
        return JsonResponse({"version": saved.version})
    if action == "discard":
        return _asked_to_discard(request, row, version, content)
    if action == "discard-now":
        return _discarded(request, row, version)
    if action == "sender":
        return _written_from(request, row, key or 0, version)
    saved = composer.save(row.pk, version, content, person)
    try:
        saved = _with_recipients(request, saved, action, key, typed)
    except draft_recipients.TooManyRecipients:
        row.refresh_from_db()
        error = _("Ett meddelande kan ha högst %(n)s mottagare.") % {"n": draft_recipients.MOST_RECIPIENTS}
        return form(request, row, errors={"recipient": error}, status=422)
    refused = _attach_all(request, row)
    if action == "detach" and key:
        draft_files.detach(get_object_or_404(row.attachments, pk=key), person)
    if action == "seen" and key:
        send_order.record_seen(row.pk, key, person)
    if action == "canned":
        _insert(saved, typed, person)
    row.refresh_from_db()
    if refused:
        return form(request, row, errors={"files": refused}, status=422)
    if request.htmx and action in _CHANGES_RECIPIENTS:
        return render(request, "drafts/_recipients.html", recipients_context(row, person))
    # Enter in a field presses the form's first button: in the search for recipients it searches.
    question = typed.cleaned_data["q"]
    if action == "search" or (action == "enter" and question):
        return form(request, row, question=question)
    if action in {"check", "send"}:
        return _checked(request, row)
    if action in {"save", "enter"}:
        composer.keep(row)
        messages.success(request, _("Utkastet är sparat."))
    return redirect("draft", row.pk)


def _written_from(request: PersonRequest, row: Draft, mailbox_id: int, version: int) -> HttpResponse:
    """A draft to the same recipient from another mailbox, in place of one in which nothing is written yet."""
    mailbox = get_object_or_404(access.mailboxes_to_work_in(request.user), pk=mailbox_id)
    function = function_address(row.recipient_participant, row.recipient_address)
    if function is None or mailbox not in mailboxes_to_write_from(row, request.user):
        return redirect("draft", row.pk)
    other = composer.begin(mailbox, request.user)
    draft_recipients.choose_recipient(other.pk, other.version, function, request.user)
    composer.discard(row, version, request.user)
    return redirect("draft", other.pk)


def _checked(request: PersonRequest, row: Draft) -> HttpResponse:
    try:
        message_check.check(row)
    except DraftIncomplete as incomplete:
        return form(request, row, errors=incomplete.errors, status=422)
    if request.htmx and row.answers_id is not None:
        return review_page(request, row)
    return redirect("check", row.pk)


def _asked_to_discard(request: PersonRequest, row: Draft, version: int, content: Content) -> HttpResponse:
    """Ask before work is thrown away that cannot be got back; a draft without any goes at once."""
    person = request.user
    # The review has no fields: what is written has been saved before it. A colleague's draft is not changed.
    is_own = draft_lock.may_write(row, person)
    if not is_own and row.version != version:
        raise DraftChanged
    saved = composer.save(row.pk, version, content, person) if is_own and content.values else row
    is_own = is_own and saved.changed_by_id in {None, person.pk}
    is_work = saved.text.strip() not in {"", canned_texts.signed(saved, person).strip()}
    if is_own and (saved.is_untouched or (not is_work and not saved.attachments.exists())):
        return _discarded(request, saved, saved.version)
    return _ask_to_discard(request, saved)


def _ask_to_discard(request: PersonRequest, row: Draft, *, has_changed: bool = False) -> HttpResponse:
    access_log.record_draft_opened(request.user, row)
    context = {
        "draft": row,
        "mailbox": row.mailbox,
        "recipients": draft_recipients.recipients_of(row),
        "files": row.attachments.all(),
        "has_changed": has_changed,
    }
    return render(request, "drafts/discard.html", context, status=409 if has_changed else 200)


def _discarded(request: PersonRequest, row: Draft, version: int) -> HttpResponse:
    try:
        composer.discard(row, version, request.user)
    except DraftChanged:
        row.refresh_from_db()
        return _ask_to_discard(request, row, has_changed=True)
    messages.success(request, _("Utkastet är borttaget."))
    return redirect("mailbox", row.mailbox_id)


def _with_recipients(
    request: PersonRequest, saved: Draft, action: str, key: int | None, typed: DraftForm
) -> Draft:
    """The draft with the recipients that the form adds and removes."""
    person, chosen = request.user, typed.cleaned_data["recipient"]
    if chosen:
        rows = FunctionAddress.objects.select_related("organisation")
        function = rows.filter(pk=chosen, gone_at=None).first()
        if function is not None:
            saved = draft_recipients.choose_recipient(saved.pk, saved.version, function, person)
    if action == "clear":
        saved = draft_recipients.remove_recipient(saved.pk, saved.version, person, key or 0)
    if action == "add-list":
        own_lists = saved.mailbox.distribution_lists
        listed = get_object_or_404(own_lists, pk=typed.cleaned_data["distribution_list"] or 0)
        found, gone = lists.recipients_on(listed)
        saved = draft_recipients.add_recipients(saved.pk, saved.version, found, person)
        if gone:
            names = "; ".join(f"{recipient.function}, {recipient.organisation}" for recipient in gone)
            text = _("Finns inte längre i adressboken och lades inte till: %(names)s.")
            messages.warning(request, text % {"names": names})
    if action == "inside":
        beside = access.reassignable_mailboxes(saved.mailbox)
        mailbox = get_object_or_404(beside, pk=typed.cleaned_data["inside"] or 0)
        saved = draft_recipients.choose_own_mailbox(saved.pk, saved.version, mailbox, person)
    return saved


def _insert(saved: Draft, typed: DraftForm, person: Person) -> None:
    canned = get_object_or_404(saved.mailbox.canned_texts, pk=typed.cleaned_data["canned"] or 0)
    text = canned_texts.with_addition(saved, canned.text, person)
    composer.save(saved.pk, saved.version, Content({"text": text}), person)


@login_required
@require_POST
@limited("upload", refusal=_too_many_files)
def upload(request: PersonRequest, draft_id: int) -> HttpResponse:
    """Files that the page's script sends, one by one: the new list of attachments."""
    row = get_object_or_404(access.drafts_to_work_on(request.user), pk=draft_id)
    try:
        refused = _attach_all(request, row)
    except DraftChanged:
        row.refresh_from_db()
        refused = _not_saved(row, request.user).content.decode()
    except (DraftOnItsWay, DraftGone):
        refused = _("Utkastet skickas, eller är redan skickat. Ladda om sidan.")
    if refused:
        return HttpResponse(refused, status=422, content_type="text/plain; charset=utf-8")
    return render(request, "attachments/_attachments.html", {"draft": row})


@login_required
@require_POST
def preview(request: PersonRequest, draft_id: int) -> HttpResponse:
    """The text as the recipient will see it."""
    get_object_or_404(access.drafts_to_work_on(request.user), pk=draft_id)
    rendered, is_text_cut = rendered_beginning(request.POST.get("text", ""))
    return render(request, "drafts/_preview.html", {"rendered": rendered, "is_text_cut": is_text_cut})


def _attach_all(request: PersonRequest, row: Draft) -> str:
    """Attach what came with the form; a text on what could not be, empty when all could."""
    refused = []
    for uploaded in request.FILES.getlist("files"):
        try:
            draft_files.attach(row, uploaded, request.user)
        except FileRefused as error:
            refused.append(f"{uploaded.name}: {_refusal_in_words(error.reason)}")
    return " ".join(refused)


def _refusal_in_words(reason: str) -> str:
    return {
        "type": _("filtypen kan inte bifogas. Spara den som PDF och försök igen."),
        "content": _("innehållet är inte av den typ som filnamnet säger."),
        "empty": _("filen är tom."),
        "malware": _(
            "skadlig kod hittades i filen, och den får inte skickas. Öppna den inte, och tala om det för er "
            "administratör."
        ),
        "unscannable": _("filen är större än vad som kan kontrolleras. Tala om det för er administratör."),
        "size": _("bilagorna blir större än meddelandet rymmer (30 MB)."),
    }[reason]
