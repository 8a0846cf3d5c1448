"""Figures of mailboxes over a period, as tables, a chart and CSV."""

from datetime import datetime, timedelta

from django.http import HttpResponse, StreamingHttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from mailbox import access, access_log
from mailbox.administration.forms import StatisticsForm, midnight
from mailbox.administration.views.guards import manager_required
from mailbox.administration.views.layout import page
from mailbox.daily_figures.steps import STEPS
from mailbox.forms import first_errors, renamed
from mailbox.requests import PersonRequest
from mailbox.streaming import csv_response

from .charts import chart_of
from .figures import LIMITS, Figures, Statistics, statistics

_DEFAULT_DAYS = 28
_MOST_DAYS = 3660
# Names of the parameters in earlier addresses.
_OLD_NAMES = {"brevlada": "mailbox", "fran": "since", "till": "until"}


@manager_required
@require_safe
def overview(request: PersonRequest) -> HttpResponse:
    """The figures of the mailboxes that the person manages or administers."""
    asked = renamed(request.GET, _OLD_NAMES)
    form = StatisticsForm(asked)
    since, until, found = _asked_for(request, form)
    # Why the figures are for another period than the requested one.
    errors = first_errors(form)
    context = {
        "errors": errors,
        "statistics": found,
        "chart": chart_of(found.periods),
        "mailboxes": access.managed_by(request.user).order_by("name", "pk"),
        "asked": asked,
        "since": since,
        "last": until - timedelta(days=1),
        "query": asked.urlencode(),
        "has_limits": any(kept.met or kept.missed for row in found.figures for kept in row.limits),
    }
    return page(request, "administration/statistics.html", context, status=422 if errors else 200)


@manager_required
@require_safe
def file(request: PersonRequest) -> StreamingHttpResponse:
    """The figures as CSV; times in seconds."""
    since, until, found = _asked_for(request, StatisticsForm(renamed(request.GET, _OLD_NAMES)))
    for participant in sorted({figures.mailbox.participant_id for figures in found.figures}):
        access_log.record(request.user, "statistics-exported", participant)
    header = ["mailbox", "from", "until", "arrived", "sent", "receipts_missing"]
    for step in STEPS:
        header += [step, f"{step}_median_seconds", f"{step}_p90_seconds"]
    header += ["registered", "minor_importance", "not_registered"]
    for kind in LIMITS:
        header += [f"{kind}_in_time", f"{kind}_late"]
    period = (since.isoformat(), until.isoformat())
    return csv_response(request, "statistik", header, (_row(figures, *period) for figures in found.figures))


def _row(figures: Figures, since: str, until: str) -> list[object]:
    row: list[object] = [
        figures.mailbox,
        since,
        until,
        figures.arrived,
        figures.sent,
        figures.receipts_missing,
    ]
    for wait in figures.waits:
        times = (wait.median, wait.p90)
        row += [wait.count, *("" if time is None else round(time.total_seconds()) for time in times)]
    row += [figures.registered, figures.minor, figures.not_registered]
    for kept in figures.limits:
        row += [kept.met, kept.missed]
    return row


def _asked_for(request: PersonRequest, form: StatisticsForm) -> tuple[datetime, datetime, Statistics]:
    """The requested period and its figures; the last four weeks where none was given, or an invalid one."""
    since, until = form.moments()
    until = until or midnight(timezone.localdate() + timedelta(days=1))
    since = since or until - timedelta(days=_DEFAULT_DAYS)
    if not timedelta(0) < until - since <= timedelta(days=_MOST_DAYS):
        since = until - timedelta(days=_DEFAULT_DAYS)
    boxes = access.managed_by(request.user)
    chosen = form.understood()["mailbox"]
    if chosen is not None:
        boxes = boxes.filter(pk=chosen)
    return since, until, statistics(boxes, since, until)
