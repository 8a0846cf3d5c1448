"""The pages of automatic answers: a mailbox's for its managers, an organisation's for its administrators."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from mailbox import access
from mailbox.administration.views.guards import administrator_required, manager_required
from mailbox.administration.views.layout import organisations_of, page
from mailbox.forms import first_errors
from mailbox.requests import PersonRequest
from mailbox.staffed_hours import calendars
from mailbox.texts import markdown

from . import limits, mailbox_settings
from .forms import LONGEST_TEXT, ActionForm, AutomaticAnswerForm, ResumeForm
from .message import whole_text


@manager_required
@require_http_methods(["GET", "HEAD", "POST"])
def mailbox_answer(request: PersonRequest, mailbox_id: int) -> HttpResponse:
    """A mailbox's automatic answer; POST shows how it will look, or saves it."""
    box = get_object_or_404(access.managed_by(request.user), pk=mailbox_id)
    has_calendar = calendars.calendar_of(box) is not None
    given: Any = AutomaticAnswerForm.values_of(mailbox_settings.setting_of(box))
    errors: Any = {}
    is_preview = False
    if request.method == "POST":
        form, action = AutomaticAnswerForm(request.POST, has_calendar=has_calendar), _action(request)
        if action not in {"save", "preview"}:
            raise Http404
        given, is_preview = request.POST, action == "preview"
        if form.is_valid() and not is_preview:
            mailbox_settings.save(request.user, box, form.period(), form.cleaned_data["text"])
            messages.success(request, _("Det automatiska svaret är sparat."))
            return redirect("administration-automatic-answer", box.pk)
        errors = first_errors(form)
    text = str(given.get("text") or "")
    context = {
        "mailbox": box,
        "has_calendar": has_calendar,
        "given": given,
        "errors": errors,
        "is_unsaved": is_preview and not errors,
        "preview": markdown.render(whole_text(box, text[:LONGEST_TEXT])) if text.strip() else "",
        "longest_text": LONGEST_TEXT,
        "most_to_a_function": limits.MOST_TO_A_FUNCTION,
        "is_stopped": mailbox_settings.is_stopped(box.participant_id),
    }
    return page(request, "automatic_answers/mailbox_answer.html", context, status=422 if errors else 200)


@administrator_required
@require_http_methods(["GET", "HEAD", "POST"])
def overview(request: PersonRequest) -> HttpResponse:
    """The mailboxes that answer automatically, and whether all were stopped; POST starts them again."""
    own = access.administered_by(request.user)
    if request.method == "POST":
        form = ResumeForm(request.POST)
        participant = form.cleaned_data["organisation"] if form.is_valid() else ""
        if participant in own and limits.resume(request.user, participant):
            messages.success(request, _("De automatiska svaren är startade igen."))
        return redirect("administration-automatic-answers")
    rows = mailbox_settings.organisation_rows(organisations_of(own))
    context = {"rows": rows, "most_to_a_function": limits.MOST_TO_A_FUNCTION}
    return page(request, "automatic_answers/overview.html", context)


def _action(request: PersonRequest) -> str:
    form = ActionForm(request.POST)
    form.full_clean()
    return form.cleaned_data.get("action") or "save"
