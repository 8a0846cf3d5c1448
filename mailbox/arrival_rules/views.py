"""The pages of a mailbox's rules on arrival, for its managers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from mailbox import access
from mailbox.forms import first_errors
from mailbox.models import ArrivalRule, FunctionMailbox, Label, Person
from mailbox.requests import PersonRequest

from . import descriptions, dry_run, loading, rule_list
from .decision import Actions, Conditions
from .forms import IN_TURN, LONGEST_NAME, MOST_DAYS, ArrivalRuleForm, ListForm, values_of


@dataclass(frozen=True, slots=True)
class RuleRow:
    """A rule in the list: what it looks for and does, and why it failed last; empty where it has not."""

    rule: ArrivalRule
    conditions: Sequence[str]
    actions: Sequence[str]
    failure: str
    waits_for_administrator: bool
    is_first: bool
    is_last: bool


@dataclass(frozen=True, slots=True)
class MemberChoice:
    """A member in the form of a rule: whether they are chosen as assignee, among those in turn, or to be
    notified."""

    person: Person
    is_assignee: bool
    is_among: bool
    is_notified: bool


@dataclass(frozen=True, slots=True)
class RowChoice:
    """A label or a mailbox in the form of a rule."""

    row: Label | FunctionMailbox
    is_chosen: bool


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def rules(request: PersonRequest, mailbox_id: int) -> HttpResponse:
    """The rules of a mailbox; POST orders, switches or removes one."""
    box = get_object_or_404(access.mailboxes_with_rules_of(request.user), pk=mailbox_id)
    if request.method == "POST":
        form = ListForm(request.POST)
        if form.is_valid():
            try:
                _act(request, box, form)
            except rule_list.StaleList:
                return _list_page(request, box, is_stale=True)
            return redirect("arrival-rules", box.pk)
        return _list_page(request, box, is_stale=True)
    return _list_page(request, box)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def new_rule(request: PersonRequest, mailbox_id: int) -> HttpResponse:
    """A new rule: tried, or saved."""
    box = get_object_or_404(access.mailboxes_with_rules_of(request.user), pk=mailbox_id)
    return _rule_page(request, box, None)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def rule(request: PersonRequest, arrival_rule_id: int) -> HttpResponse:
    """A rule: tried, or changed."""
    rows = access.arrival_rules_of(request.user).select_related("mailbox")
    row = get_object_or_404(rows, pk=arrival_rule_id)
    return _rule_page(request, row.mailbox, row)


def _act(request: PersonRequest, box: FunctionMailbox, form: ListForm) -> None:
    action, rule_id, version = form.cleaned_data["action"], form.cleaned_data["rule"], form.version_shown
    person = request.user
    if action in ("up", "down"):
        row = rule_list.shift(person, box, version, rule_id, places=-1 if action == "up" else 1)
        messages.success(request, _("Regeln ”%(name)s” är flyttad.") % {"name": row.name})
    elif action == "remove":
        name = rule_list.remove(person, box, version, rule_id)
        messages.success(request, _("Regeln ”%(name)s” är borttagen.") % {"name": name})
    else:
        is_on = action == "enable"
        row = rule_list.set_enabled(person, box, version, rule_id, is_enabled=is_on)
        said = _("Regeln ”%(name)s” är påslagen.") if is_on else _("Regeln ”%(name)s” är avstängd.")
        messages.success(request, said % {"name": row.name})


def _list_page(request: PersonRequest, box: FunctionMailbox, *, is_stale: bool = False) -> HttpResponse:
    # The version first: what is changed after it was read is not taken for what the page shows.
    version = rule_list.version_of(box)
    rows = rule_list.rules_of(box)
    choices = descriptions.choices_of(box)
    context = {
        "mailbox": box,
        "version": version,
        "rules": [_row(row, choices, is_first=row == rows[0], is_last=row == rows[-1]) for row in rows],
        "most": rule_list.MOST,
        "may_add": len(rows) < rule_list.MOST,
        "is_stale": is_stale,
    }
    return render(request, "arrival_rules/rules.html", context, status=409 if is_stale else 200)


def _row(row: ArrivalRule, choices: descriptions.Choices, *, is_first: bool, is_last: bool) -> RuleRow:
    conditions, actions = loading.conditions_of_row(row), loading.actions_of_row(row)
    unreadable = [str(descriptions.FAILURES[ArrivalRule.Failure.UNREADABLE])]
    return RuleRow(
        row,
        descriptions.conditions_in_words(conditions) if conditions else unreadable,
        descriptions.actions_in_words(actions, choices) if actions else [],
        str(descriptions.FAILURES.get(row.last_failure, "")) if row.failure_count else "",
        bool(actions and actions.move_to is not None and not row.is_move_confirmed),
        is_first,
        is_last,
    )


def _rule_page(request: PersonRequest, box: FunctionMailbox, row: ArrivalRule | None) -> HttpResponse:
    choices = descriptions.choices_of(box)
    version = rule_list.version_of(box)
    is_posted = request.method == "POST"
    form = ArrivalRuleForm(request.POST if is_posted else None, choices, _values(row))
    tried, is_stale, status = None, False, 200
    if is_posted and form.is_valid():
        try:
            answer = _save(request, box, row, form) if request.POST.get("action") == "save" else None
        except rule_list.StaleList:
            is_stale, status = True, 409
        except rule_list.TooMany:
            form.add_error("name", _("Brevlådan har redan %(n)d regler.") % {"n": rule_list.MOST})
        else:
            if answer is not None:
                return answer
            tried = dry_run.run(box, request.user, row, form.content(), choices)
            version = form.version_shown
    elif is_posted and "version" not in form.errors:
        version = form.version_shown
    errors = {name: text for name, text in first_errors(form).items() if name != "version"}
    if is_posted and "version" in form.errors and not errors:
        is_stale, status = True, 409
    context = {
        "mailbox": box,
        "rule": row,
        "form": form,
        "version": version,
        "is_stale": is_stale,
        "tried": tried,
        "tried_messages": dry_run.MESSAGES,
        "errors": errors,
        "longest_name": LONGEST_NAME,
        "most_days": MOST_DAYS,
        **_choices(form, choices),
    }
    return render(request, "arrival_rules/rule.html", context, status=422 if errors else status)


def _save(
    request: PersonRequest, box: FunctionMailbox, row: ArrivalRule | None, form: ArrivalRuleForm
) -> HttpResponse:
    content, version = form.content(), form.version_shown
    if row is None:
        saved = rule_list.add(request.user, box, version, content)
    else:
        saved = rule_list.change(request.user, box, version, row.pk, content)
    messages.success(request, _("Regeln ”%(name)s” är sparad.") % {"name": saved.name})
    if content.actions.move_to is not None and not saved.is_move_confirmed:
        text = _("Regeln flyttar inget förrän en administratör har bekräftat det. Resten gäller redan.")
        messages.warning(request, text)
    return redirect("arrival-rules", box.pk)


def _values(row: ArrivalRule | None) -> dict[str, Any]:
    if row is None:
        return {"is_enabled": True}
    conditions = loading.conditions_of_row(row) or Conditions()
    return values_of(row, conditions, loading.actions_of_row(row) or Actions())


def _choices(form: ArrivalRuleForm, choices: descriptions.Choices) -> dict[str, Any]:
    """What can be chosen, with what is: as it was posted, else as the rule has it."""

    def chosen(name: str) -> set[str]:
        given = form[name].value()
        return {str(item) for item in (given if isinstance(given, list | set) else [given])}

    assignee, among, notified = chosen("assign"), chosen("among"), chosen("notify")
    label, target = chosen("label"), chosen("move_to")
    return {
        "members": [
            MemberChoice(person, str(key) in assignee, str(key) in among, str(key) in notified)
            for key, person in choices.members.items()
        ],
        "labels": [RowChoice(each, str(key) in label) for key, each in choices.labels.items()],
        "mailboxes": [RowChoice(each, str(key) in target) for key, each in choices.mailboxes.items()],
        "is_in_turn": IN_TURN in assignee,
        "in_turn": IN_TURN,
    }
