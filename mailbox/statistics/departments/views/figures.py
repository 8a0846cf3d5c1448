"""Figures of departments and of the counterparts of their mailboxes: tables, a chart, CSV."""

from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from mailbox import access_log
from mailbox.administration.views.guards import figures_reader_required
from mailbox.administration.views.layout import page
from mailbox.daily_figures.steps import BEYOND, BOUNDS, STEPS
from mailbox.forms import first_errors
from mailbox.models import FunctionMailbox
from mailbox.requests import PersonRequest
from mailbox.statistics.charts import chart_of
from mailbox.statistics.departments import monthly_mail
from mailbox.statistics.departments.counterparts import (
    Counterpart,
    Counterparts,
    counterparts_of,
    first,
    ordered,
)
from mailbox.statistics.departments.forms import CounterpartsForm, FiguresForm, MonthlyForm
from mailbox.statistics.departments.periods import DAYS
from mailbox.statistics.departments.report import NEVER, Report, Row, report_of
from mailbox.statistics.departments.units import tree_and_mailboxes, unit_of, units_of
from mailbox.statistics.figures import LIMITS
from mailbox.streaming import csv_response

from .asked import Asked, asked_for

_ON_THE_PAGE: Final = 10
_ON_THEIR_PAGE: Final = 50
_COUNTS: Final = ("arrived", "sent", "receipts_missing", "registered", "minor", "not_registered")


@figures_reader_required
@require_safe
def overview(request: PersonRequest) -> HttpResponse:
    """The figures of an organisation or a department over a period."""
    form = FiguresForm(request.GET)
    asked = asked_for(request, form)
    report = report_of(asked.unit, asked.period)
    counterparts = counterparts_of(_mailboxes(asked), asked.period)
    tree, _own = tree_and_mailboxes(asked.unit)
    above = tree.path(asked.unit.department.pk)[:-1] if asked.unit.department is not None else []
    seen = {unit.key for unit in asked.units}
    context = _shared(request, asked, form) | {
        "report": report,
        "chart": chart_of(report.bars),
        "rows": [(row, asked.query(row.unit_key) if row.unit_key else "") for row in report.parts],
        "counterparts": first(counterparts, _ON_THE_PAGE),
        "above": [(row, asked.query(str(row.pk))) for row in above if str(row.pk) in seen],
        "is_counted": report.counted_at != NEVER,
        "gets_mail": monthly_mail.is_chosen(request.user, asked.unit),
        "has_address": bool(request.user.mail_address),
    }
    return page(request, "statistics/figures.html", context, status=422 if context["errors"] else 200)


@figures_reader_required
@require_safe
def file(request: PersonRequest) -> StreamingHttpResponse:
    """A unit's figures and those of its parts as CSV; staffed hours within which steps were reached."""
    asked = asked_for(request, FiguresForm(request.GET))
    report = report_of(asked.unit, asked.period)
    access_log.record(request.user, "statistics-exported", asked.unit.participant_id)
    header = ["part", "name", "from", "until", *_COUNTS, "arrived_before", "sent_before"]
    for step in STEPS:
        header += [step, f"{step}_half_within_hours", f"{step}_nine_of_ten_within_hours"]
    for kind in LIMITS:
        header += [f"{kind}_in_time", f"{kind}_late"]
    return csv_response(request, "avdelningar", header, _file_rows(report, asked))


@figures_reader_required
@require_safe
def counterparts(request: PersonRequest) -> HttpResponse:
    """The organisations that a unit's mailboxes wrote to or heard from."""
    form = CounterpartsForm(request.GET)
    asked = asked_for(request, form)
    given = form.understood()
    found = counterparts_of(_mailboxes(asked), asked.period)
    question = given["question"].casefold()
    matching = [each for each in found.named if question in each.name.casefold()]
    others = None if question else found.others
    context = _shared(request, asked, form) | {
        "counterparts": first(Counterparts(ordered(matching, given["order"]), others), _ON_THEIR_PAGE),
        "hidden_count": max(len(matching) - _ON_THEIR_PAGE, 0),
        "question": given["question"],
        "order": given["order"],
        "orders": _orders(),
    }
    return page(request, "statistics/counterparts.html", context, status=422 if context["errors"] else 200)


@figures_reader_required
@require_safe
def counterparts_file(request: PersonRequest) -> StreamingHttpResponse:
    """All organisations that are told by name as CSV, and the others as one sum."""
    asked = asked_for(request, CounterpartsForm(request.GET))
    found = counterparts_of(_mailboxes(asked), asked.period)
    access_log.record(request.user, "statistics-exported", asked.unit.participant_id)
    header = ["organisation", "from", "until", "arrived", "sent", "registered", "minor", "not_registered"]
    if asked.unit.is_open:
        header += ["answered", "answered_mean_minutes", "limits_missed"]
    rows = [*found.named, *([found.others] if found.others else [])]
    return csv_response(request, "motparter", header, (_counterpart_row(each, asked) for each in rows))


@figures_reader_required
@require_POST
def monthly(request: PersonRequest) -> HttpResponse:
    """Let the person themselves get a unit's figures by mail every month, or no longer."""
    form = MonthlyForm(request.POST)
    unit = unit_of(units_of(request.user), form.cleaned_data["unit"]) if form.is_valid() else None
    if unit is None:
        raise Http404
    is_wanted = form.cleaned_data["wanted"] == "1"
    monthly_mail.choose(request.user, request.user, unit, is_wanted=is_wanted)
    if is_wanted:
        messages.success(request, _("Du får siffrorna med mejl i början av varje månad."))
    else:
        messages.success(request, _("Du får inga fler mejl med siffrorna."))
    return redirect(f"{reverse('department-figures')}?{urlencode({'unit': unit.key})}")


def _shared(request: PersonRequest, asked: Asked, form: FiguresForm) -> dict[str, Any]:
    """What all pages with a unit and a period show: the form, and links to the periods beside this one."""
    errors = first_errors(form)
    is_of_days = asked.period.kind == DAYS
    return {
        "asked": asked,
        "shown": _shown(request, asked, has_errors=bool(errors)),
        "errors": errors,
        "query": asked.query(),
        "before": "" if is_of_days else asked.query(period=asked.period.before),
        "after": (
            ""
            if is_of_days or asked.period.ends > timezone.localdate()
            else asked.query(period=asked.period.after)
        ),
    }


def _shown(request: PersonRequest, asked: Asked, *, has_errors: bool) -> Mapping[str, str]:
    """What the form shows: what was typed, if something is wrong with it."""
    if has_errors:
        return {name: request.GET.get(name, "") for name in ("period", "month", "since", "until")}
    is_of_days = asked.period.kind == DAYS
    return {
        "period": asked.period.kind,
        "month": "" if is_of_days else f"{asked.period.begins:%Y-%m}",
        "since": asked.period.begins.isoformat() if is_of_days else "",
        "until": asked.period.last.isoformat() if is_of_days else "",
    }


def _mailboxes(asked: Asked) -> list[int]:
    _tree, own = tree_and_mailboxes(asked.unit)
    if own is not None:
        return own
    boxes = FunctionMailbox.objects.filter(participant_id=asked.unit.participant_id)
    return list(boxes.values_list("pk", flat=True))


def _orders() -> list[tuple[str, str]]:
    return [
        ("messages", _("Flest meddelanden")),
        ("name", _("Namn")),
        ("arrived", _("Flest inkomna")),
        ("sent", _("Flest skickade")),
        ("not_registered", _("Flest ej registrerade")),
    ]


def _file_rows(report: Report, asked: Asked) -> Iterator[list[object]]:
    yield _file_row("total", report.total, asked)
    for row in report.departments:
        yield _file_row("department", row, asked)
    for row in [*report.mailboxes, *report.without]:
        yield _file_row("mailbox", row, asked)


def _file_row(part: str, row: Row, asked: Asked) -> list[object]:
    days = (asked.period.begins.isoformat(), asked.period.last.isoformat())
    found: list[object] = [part, row.name, *days, *(getattr(row.sums, each) for each in _COUNTS)]
    found += [row.before.arrived, row.before.sent]
    for reached in row.reached:
        found += [reached.count]
        found += [_bound(each) if row.tells_times else "" for each in (reached.half, reached.most)]
    for kept in row.sums.limits:
        found += [kept.met, kept.missed] if row.tells_times else ["", ""]
    return found


def _bound(hours: int | None) -> object:
    if hours is None:
        return ""
    return f">{BOUNDS[-1]}" if hours == BEYOND else hours


def _counterpart_row(each: Counterpart, asked: Asked) -> list[object]:
    days = (asked.period.begins.isoformat(), asked.period.last.isoformat())
    row: list[object] = [each.name or _("Övriga"), *days, each.arrived, each.sent]
    row += [each.registered, each.minor, each.not_registered]
    if asked.unit.is_open:
        mean = each.mean
        row += [each.answered, "" if mean is None else round(mean.total_seconds() / 60), each.limits_missed]
    return row
