"""Figures of mailboxes over a period, as tables, a chart and CSV."""

from datetime import datetime, timedelta

from django.http import HttpResponse, StreamingHttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from mailbox import access, access_log
from mailbox.administration.csv_export import sheet
from mailbox.administration.views.pages import actor, day_of, manager_required, page, period_errors
from mailbox.requests import PersonRequest

from .charts import chart_of
from .figures import Figures, Statistics, statistics

_DEFAULT_DAYS = 28
_MOST_DAYS = 3660


@manager_required
@require_safe
def overview(request: PersonRequest) -> HttpResponse:
    """The figures of the mailboxes that one manages or administers."""
    since, until, found = _asked_for(request)
    # Why other figures are shown than were asked for.
    errors = period_errors(request.GET, "fran", "till")
    context = {
        "errors": errors,
        "statistics": found,
        "chart": chart_of(found.steps),
        "mailboxes": access.managed_by(request.user).order_by("name", "pk"),
        "asked": request.GET,
        "since": since,
        "last": until - timedelta(days=1),
        "query": request.GET.urlencode(),
    }
    return page(request, "administration/statistics.html", context, status=422 if errors else 200)


@manager_required
@require_safe
def file(request: PersonRequest) -> StreamingHttpResponse:
    """The same as CSV; times in seconds."""
    since, until, found = _asked_for(request)
    for participant in sorted({one.mailbox.participant_id for one in found.figures}):
        access_log.note(actor(request), "statistics-exported", participant)
    header = ["mailbox", "from", "until", "arrived", "sent", "receipts_missing"]
    for step in ("taken", "answered", "done"):
        header += [step, f"half_{step}_within_seconds", f"nine_of_ten_{step}_within_seconds"]
    period = (since.isoformat(), until.isoformat())
    return sheet(request, "statistik", header, (_row(one, *period) for one in found.figures))


def _row(one: Figures, since: str, until: str) -> list[object]:
    row: list[object] = [one.mailbox, since, until, one.arrived, one.sent, one.receipts_missing]
    for waited in (one.taken, one.answered, one.done):
        times = (waited.half_within, waited.most_within)
        row += [waited.count, *("" if time is None else round(time.total_seconds()) for time in times)]
    return row


def _asked_for(request: PersonRequest) -> tuple[datetime, datetime, Statistics]:
    """The period and its figures; the last four weeks where none, or none that can be, was asked for."""
    today = day_of(timezone.localdate().isoformat()) or timezone.now()
    until = (day_of(request.GET.get("till", "")) or today) + timedelta(days=1)
    since = day_of(request.GET.get("fran", "")) or until - timedelta(days=_DEFAULT_DAYS)
    if not timedelta(0) < until - since <= timedelta(days=_MOST_DAYS):
        since = until - timedelta(days=_DEFAULT_DAYS)
    boxes = access.managed_by(request.user)
    chosen = request.GET.get("brevlada", "")
    if chosen.isascii() and chosen.isdigit() and len(chosen) < 19:
        boxes = boxes.filter(pk=int(chosen))
    return since, until, statistics(boxes, since, until)
