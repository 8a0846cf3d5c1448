"""The pages on which messages are registered, and on which managers say what their mailbox demands."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from mailbox import access
from mailbox.administration.views.guards import manager_required
from mailbox.administration.views.layout import page
from mailbox.conversations import state_changes
from mailbox.conversations.addresses import conversation_url, list_url
from mailbox.conversations.views.assignment import url_of_next
from mailbox.forms import first_errors
from mailbox.models import Conversation, FunctionMailbox, Message, Registration
from mailbox.requests import PersonRequest

from . import case_numbers, entries, mailbox_settings, shown, suggestions
from .forms import (
    LONGEST_REASON,
    OTHER_BASIS,
    CorrectionForm,
    EntryForm,
    MailboxRegistrationForm,
    RegistrationPlaceForm,
    WithdrawalForm,
    example_of,
    examples_in_words,
    mismatch_in_words,
)

Kind = Registration.Kind
_GETS_AND_POSTS = ["GET", "HEAD", "POST"]


@login_required
@require_http_methods(_GETS_AND_POSTS)
def register(request: PersonRequest, conversation_id: int) -> HttpResponse:
    """The form that registers one message, or all that are not registered; POST does it.

    Where it was asked for by "done", the conversation is done afterwards.
    """
    rows = access.conversations_to_work_on(request.user).select_related("mailbox")
    conversation = get_object_or_404(rows, pk=conversation_id)
    place_form = RegistrationPlaceForm(request.POST if request.method == "POST" else request.GET)
    place_form.full_clean()
    place = place_form.cleaned_data
    message: Message | None = None
    if place.get("message") is not None:
        message = get_object_or_404(conversation.messages, pk=place["message"])
    form = EntryForm(request.POST if request.method == "POST" else None, mailbox=conversation.mailbox)
    if form.is_valid() and _register(request, conversation, form, message):
        return _after(request, conversation, place)
    free = suggestions.unregistered(conversation, message)
    numbers = suggestions.numbers_for(conversation)
    context = _form_context(request, conversation, form, list_address=place.get("list") or "") | {
        "message": message,
        "free": free,
        "newest": (form.is_bound and form.cleaned_data.get("seen")) or max(free, default=""),
        "held": shown.registrations_in(conversation),
        "place": place,
        "is_finishing": bool(place.get("finish")),
        "suggested": numbers,
        "given": form.data or {"kind": Kind.CASE, "case_number": numbers[0] if numbers else ""},
    }
    status = 422 if form.is_bound else 200
    return render(request, "registration/register.html", context, status=status)


@login_required
@require_http_methods(_GETS_AND_POSTS)
def correct(request: PersonRequest, registration_id: int) -> HttpResponse:
    """The form that corrects a registration; POST does it."""
    row = _registration(request, registration_id)
    conversation = row.conversation
    form = CorrectionForm(request.POST if request.method == "POST" else None, mailbox=conversation.mailbox)
    if form.is_valid():
        try:
            entries.correct(row, request.user, form.entry(), form.cleaned_data["why"])
        except entries.AlreadyEnded as ended:
            messages.error(request, _ended_in_words(ended.registration))
            return redirect("conversation", conversation.pk)
        except (entries.RuleChanged, case_numbers.Mismatch) as refused:
            _add_refusal(form, refused)
        else:
            messages.success(request, _("Registreringen är rättad."))
            return redirect("conversation", conversation.pk)
    rule = row.retention_state if row.retention_state in dict(form.rules) else ""
    now = {
        "kind": row.kind,
        "case_number": row.case_number,
        "reason": row.reason,
        "rule": rule or (OTHER_BASIS if row.retention_basis else ""),
        "basis": row.retention_basis,
    }
    context = _form_context(request, conversation, form) | {
        "registration": shown.view_of(row, row.covered.count()),
        "suggested": suggestions.numbers_for(conversation),
        "given": form.data or now,
    }
    return render(request, "registration/correct.html", context, status=422 if form.is_bound else 200)


@login_required
@require_http_methods(_GETS_AND_POSTS)
def withdraw(request: PersonRequest, registration_id: int) -> HttpResponse:
    """What withdrawing a registration leads to; POST does it."""
    row = _registration(request, registration_id)
    conversation = row.conversation
    form = WithdrawalForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            entries.withdraw(row, request.user, form.cleaned_data["why"])
        except entries.AlreadyEnded as ended:
            messages.error(request, _ended_in_words(ended.registration))
        else:
            messages.success(request, _("Registreringen är återtagen."))
        return redirect("conversation", conversation.pk)
    context = {
        "conversation": conversation,
        "mailbox": conversation.mailbox,
        "registration": shown.view_of(row, row.covered.count()),
        "longest": LONGEST_REASON,
        "given": form.data,
        "errors": first_errors(form),
    }
    return render(request, "registration/withdraw.html", context, status=422 if form.is_bound else 200)


@manager_required
@require_http_methods(_GETS_AND_POSTS)
def mailbox_registration(request: PersonRequest, mailbox_id: int) -> HttpResponse:
    """What a mailbox demands of registration, and the form of its case numbers; POST sets both."""
    box = get_object_or_404(access.managed_by(request.user), pk=mailbox_id)
    form = MailboxRegistrationForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        mailbox_settings.set_registration(request.user, box, form.mode_value(), form.cleaned_data["pattern"])
        messages.success(request, _("Inställningarna för registrering är sparade."))
        return redirect("registration-mailbox", box.pk)
    now = {"mode": box.registration_mode or "optional", "pattern": box.case_number_pattern}
    context = {
        "mailbox": box,
        "example": example_of(box),
        "examples": _examples(),
        "longest": case_numbers.LONGEST_PATTERN,
        "given": form.data or now,
        "errors": first_errors(form),
    }
    return page(request, "registration/mailbox.html", context, status=422 if form.is_bound else 200)


def _registration(request: PersonRequest, registration_id: int) -> Registration:
    rows = access.registrations_to_work_on(request.user).select_related(
        "conversation__mailbox", "by", "ended_by"
    )
    return get_object_or_404(rows, pk=registration_id)


def _form_context(
    request: PersonRequest, conversation: Conversation, form: EntryForm, *, list_address: str = ""
) -> dict[str, Any]:
    """What the forms of registering and of correcting have in common."""
    return {
        "conversation": conversation,
        "mailbox": conversation.mailbox,
        "list_url": list_url(conversation.mailbox_id, list_address),
        "own_url": conversation_url(conversation.pk, list_address),
        "rules": form.rules,
        "other_basis": OTHER_BASIS,
        "example": example_of(conversation.mailbox),
        "longest_number": case_numbers.LONGEST_NUMBER,
        "longest": LONGEST_REASON,
        "errors": first_errors(form),
    }


def _register(
    request: PersonRequest, conversation: Conversation, form: EntryForm, message: Message | None
) -> bool:
    """Register what the form says; whether it is. What is wrong is added to the form."""
    try:
        made = entries.register(
            conversation.pk,
            request.user,
            form.entry(),
            message_id=message.pk if message else None,
            newest_seen=form.cleaned_data["seen"],
        )
    except entries.AlreadyRegistered as earlier:
        form.add_error("kind", _registered_in_words(earlier.registration))
    except entries.NothingToRegister:
        form.add_error("kind", _("Det finns inget meddelande att registrera. Läs in sidan igen."))
    except (entries.RuleChanged, case_numbers.Mismatch) as refused:
        _add_refusal(form, refused)
    else:
        if made.kind == Kind.CASE:
            messages.success(request, _("Registrerat med %(number)s.") % {"number": made.case_number})
        else:
            messages.success(request, _("Bedömt som av ringa betydelse."))
        return True
    return False


def _add_refusal(form: EntryForm, refused: Exception) -> None:
    """Say why what was valid a moment ago is not: the conversation was moved, or a rule was changed."""
    if isinstance(refused, case_numbers.Mismatch):
        mailbox = FunctionMailbox.objects.get(pk=form.mailbox.pk)
        form.add_error("case_number", mismatch_in_words(refused, mailbox))
    else:
        form.add_error("rule", _("Gallringsregeln har ändrats. Välj den regel som du hänvisar till."))


def _after(request: PersonRequest, conversation: Conversation, place: dict[str, Any]) -> HttpResponse:
    """Finish the conversation where that was asked for, and go on to the next; else back to it."""
    own_url = conversation_url(conversation.pk, place.get("list") or "")
    if not place.get("finish"):
        return redirect(own_url)
    try:
        state_changes.finish(conversation.pk, request.user)
    except state_changes.NotRegistered:
        messages.warning(
            request,
            _("Konversationen är inte klar: den har ett meddelande till, som inte är registrerat."),
        )
        return redirect(own_url)
    return redirect(url_of_next(request.user, conversation, place))


def _registered_in_words(registration: Registration) -> str:
    """What somebody else did first."""
    text = _(
        "Inget är sparat: %(who)s registrerade detta %(at)s som %(what)s. Är det fel kan du rätta det i "
        "konversationen."
    )
    return text % {
        "who": registration.by.name,
        "at": _moment(registration.at),
        "what": shown.in_words(registration),
    }


def _ended_in_words(registration: Registration) -> str:
    if registration.outcome == Registration.Outcome.CORRECTED:
        text = _("Inget är sparat: %(who)s rättade registreringen %(at)s.")
    else:
        text = _("Inget är sparat: %(who)s återtog registreringen %(at)s.")
    who = registration.ended_by.name if registration.ended_by else ""
    return text % {"who": who, "at": _moment(registration.ended_at)}


def _moment(at: Any) -> str:
    return date_format(timezone.localtime(at), "j F H:i") if at else ""


def _examples() -> list[tuple[str, str]]:
    """Patterns, and a number by each."""
    day = timezone.localdate()
    patterns = (_("KS {år}/{nr}"), _("SN-{år}-{nr:5}"), _("{år}/{nr}[-{nr}]"), _("Dnr {nr}/{åå}"))
    return [(text, examples_in_words(text, day)) for text in patterns]
