"""Writing."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from addressbook.models import FunctionAddress
from mailbox import access, access_log
from mailbox.attachments.uploads import FileRefused
from mailbox.conversations import presence
from mailbox.drafts import canned_texts, composer, distribution_lists, forwarding, message_builder, send_order
from mailbox.drafts.composer import Content, DraftChanged, DraftGone, DraftIncomplete, DraftOnItsWay
from mailbox.models import Draft, Person
from mailbox.requests import PersonRequest
from mailbox.texts.message_text import rendered_beginning
from transport.rate_limits import limited

from .draft_form import form, number
from .review import on_its_way, redirect_missing_draft

_MAX_VERSION_DIGITS = 10


def _too_many_files(request: PersonRequest) -> HttpResponse:
    """What the page's script shows beside the file."""
    text = _("Många filer har skickats på kort tid. Vänta någon minut och försök igen.")
    return HttpResponse(text, status=429, content_type="text/plain; charset=utf-8")


@login_required
@require_POST
def write(request: PersonRequest, mailbox_id: int) -> HttpResponse:
    """Begin a draft."""
    mailbox = get_object_or_404(access.mailboxes_of(request.user), pk=mailbox_id)
    return redirect("draft", composer.begin(mailbox, request.user).pk)


@login_required
@require_POST
def answer(request: PersonRequest, message_id: int) -> HttpResponse:
    """Begin an answer to a message, or go on with the one that was begun."""
    rows = access.messages_of(request.user).select_related("conversation__mailbox")
    message = get_object_or_404(rows, pk=message_id)
    seen = number(request.POST.get("seen", "")) or None
    return redirect("draft", composer.begin_answer(message, request.user, seen=seen).pk)


@login_required
@require_POST
def forward(request: PersonRequest, message_id: int) -> HttpResponse:
    """Begin a draft that forwards a message."""
    rows = access.messages_of(request.user).select_related("conversation__mailbox")
    message = get_object_or_404(rows, pk=message_id)
    return redirect("draft", forwarding.begin(message, request.user).pk)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def draft(request: PersonRequest, draft_id: int) -> HttpResponse:
    """A draft: shown, saved, sent on to be looked through. Every button works without JavaScript."""
    row = access.drafts_of(request.user).select_related("mailbox", "answers").filter(pk=draft_id).first()
    if row is None:
        return redirect_missing_draft(request, draft_id)
    if row.send_at is not None:
        return on_its_way(request, row)
    place = presence.of_draft(row)
    if request.method != "POST":
        presence.note_page(request.user, place)
        return form(request, row, errors=_errors_of_trouble(row))
    action, _separator, argument = request.POST.get("action", "save").partition(":")
    if action in {"discard", "discard-now"}:
        presence.stop_writing(request.user, place)
    told = request.POST.get("version", "")
    # A version that is none is nobody's: what was written is shown beside the draft, not saved over it.
    version = int(told) if told.isdecimal() and len(told) < _MAX_VERSION_DIGITS else -1
    content = Content.from_form(request.POST.dict())
    try:
        return _act(request, row, action, argument, version, content)
    except DraftChanged:
        row.refresh_from_db()
        return form(request, row, theirs=content, status=409)
    except DraftOnItsWay:
        row.refresh_from_db()
        return on_its_way(request, row)
    except DraftGone:
        return redirect_missing_draft(request, draft_id)


def _act(
    request: PersonRequest, row: Draft, action: str, argument: str, version: int, content: Content
) -> HttpResponse:
    person = request.user
    if action == "autosave":
        saved = composer.save(row.pk, version, content, person)
        return JsonResponse({"version": saved.version})
    if action == "discard":
        return _asked_to_discard(request, row, version, content)
    if action == "discard-now":
        return _discarded(request, row, version)
    saved = composer.save(row.pk, version, content, person)
    try:
        saved = _with_recipients(request, saved, action, argument, person)
    except composer.TooManyRecipients:
        row.refresh_from_db()
        told = _("Ett meddelande kan ha högst %(n)s mottagare.") % {"n": composer.MOST_RECIPIENTS}
        return form(request, row, errors={"recipient": told}, status=422)
    refused = _attach_all(request, row)
    if action == "detach" and argument.isdigit():
        composer.detach(get_object_or_404(row.attachments, pk=int(argument)))
    if action == "seen":
        send_order.note_seen(row.pk, number(argument), person)
    if action == "canned":
        _insert(request, saved, person)
    row.refresh_from_db()
    if refused:
        return form(request, row, errors={"files": refused}, status=422)
    if action == "search":
        return form(request, row, question=request.POST.get("q", ""))
    if action in {"check", "send"}:
        try:
            message_builder.check(row)
        except DraftIncomplete as incomplete:
            return form(request, row, errors=incomplete.errors, status=422)
        return redirect("check", row.pk)
    if action == "save":
        messages.success(request, _("Utkastet är sparat."))
    return redirect("draft", row.pk)


def _asked_to_discard(request: PersonRequest, row: Draft, version: int, content: Content) -> HttpResponse:
    """Ask before work is thrown away that cannot be got back; a draft without any goes at once."""
    person = request.user
    # The check step has no fields: what is written has been saved before it.
    saved = composer.save(row.pk, version, content, person) if "text" in request.POST else row
    is_own = saved.changed_by_id in {None, person.pk}
    is_work = saved.text.strip() not in {"", canned_texts.signed(saved, person).strip()}
    if is_own and not is_work and not saved.attachments.exists():
        return _discarded(request, saved, saved.version)
    return _ask_to_discard(request, saved)


def _ask_to_discard(request: PersonRequest, row: Draft, *, has_changed: bool = False) -> HttpResponse:
    access_log.note_draft_opened(request.user, row)
    context = {
        "draft": row,
        "mailbox": row.mailbox,
        "recipients": message_builder.recipients_of(row),
        "files": row.attachments.all(),
        "has_changed": has_changed,
    }
    return render(request, "drafts/discard.html", context, status=409 if has_changed else 200)


def _discarded(request: PersonRequest, row: Draft, version: int) -> HttpResponse:
    try:
        composer.discard(row, version)
    except DraftChanged:
        row.refresh_from_db()
        return _ask_to_discard(request, row, has_changed=True)
    messages.success(request, _("Utkastet är borttaget."))
    return redirect("mailbox", row.mailbox_id)


def _with_recipients(
    request: PersonRequest, saved: Draft, action: str, argument: str, person: Person
) -> Draft:
    """The draft with the recipients that the form adds and takes away."""
    chosen = number(request.POST.get("recipient", ""))
    if chosen:
        rows = FunctionAddress.objects.select_related("organisation")
        function = rows.filter(pk=chosen, gone_at=None).first()
        if function is not None:
            saved = composer.choose_recipient(saved.pk, saved.version, function, person)
    if action == "clear":
        saved = composer.remove_recipient(saved.pk, saved.version, person, number(argument))
    if action == "add-list":
        lists = saved.mailbox.distribution_lists
        listed = get_object_or_404(lists, pk=number(request.POST.get("distribution_list", "")))
        found, gone = distribution_lists.recipients_on(listed)
        saved = composer.add_recipients(saved.pk, saved.version, found, person)
        if gone:
            names = "; ".join(f"{one.function}, {one.organisation}" for one in gone)
            told = _("Finns inte längre i adressboken och lades inte till: %(names)s.")
            messages.warning(request, told % {"names": names})
    if action == "inside":
        beside = access.handed_to(saved.mailbox)
        box = get_object_or_404(beside, pk=number(request.POST.get("inside", "")))
        saved = composer.choose_inside(saved.pk, saved.version, box, person)
    return saved


def _insert(request: PersonRequest, saved: Draft, person: Person) -> None:
    canned = get_object_or_404(saved.mailbox.canned_texts, pk=number(request.POST.get("canned", "")))
    text = canned_texts.with_addition(saved, canned.text, person)
    composer.save(saved.pk, saved.version, Content({"text": text}), person)


@login_required
@require_POST
@limited("upload", refusal=_too_many_files)
def upload(request: PersonRequest, draft_id: int) -> HttpResponse:
    """Files that the page's script sends, one by one: the new list of attachments."""
    row = get_object_or_404(access.drafts_of(request.user), pk=draft_id)
    try:
        refused = _attach_all(request, row)
    except (DraftOnItsWay, DraftGone):
        refused = _("Utkastet skickas, eller är redan skickat. Ladda om sidan.")
    if refused:
        return HttpResponse(refused, status=422, content_type="text/plain; charset=utf-8")
    return render(request, "attachments/_attachments.html", {"draft": row})


@login_required
@require_POST
def preview(request: PersonRequest, draft_id: int) -> HttpResponse:
    """The text as the recipient will see it."""
    get_object_or_404(access.drafts_of(request.user), pk=draft_id)
    rendered, is_text_cut = rendered_beginning(request.POST.get("text", ""))
    return render(request, "drafts/_preview.html", {"rendered": rendered, "is_text_cut": is_text_cut})


def _attach_all(request: PersonRequest, row: Draft) -> str:
    """Attach what came with the form; a text on what could not be, empty when all could."""
    refused = []
    for uploaded in request.FILES.getlist("files"):
        try:
            composer.attach(row, uploaded)
        except FileRefused as error:
            refused.append(f"{uploaded.name}: {_why(error.reason)}")
    return " ".join(refused)


def _why(reason: str) -> str:
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


def _errors_of_trouble(row: Draft) -> dict[str, str]:
    """Why a draft that came back cannot be sent, where that is still so."""
    if row.trouble not in {message_builder.RECIPIENT_GONE, message_builder.INVALID}:
        return {}
    try:
        message_builder.check(row)
    except DraftIncomplete as incomplete:
        return incomplete.errors
    return {}
