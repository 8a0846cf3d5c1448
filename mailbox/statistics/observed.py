"""The counts of mailboxes that an observer sees: sums, and nothing of messages, counterparts or people."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.contrib.auth.decorators import login_required
from django.db.models import Count, Q
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from mailbox import access
from mailbox.administration.forms import PeriodForm, midnight
from mailbox.forms import first_errors
from mailbox.models import Conversation, Person
from mailbox.requests import PersonRequest
from mailbox.workplace import inbox

from .figures import Figures, Statistics, statistics

_DEFAULT_DAYS: Final = 28
_MOST_DAYS: Final = 3660
# In the order of the fields of `CountsNow`.
_COLUMNS: Final = ("inbox", "unassigned", "waiting", "urgent", "not_delivered")


@dataclass(frozen=True, slots=True)
class CountsNow:
    """How many open conversations a mailbox has now. Protected ones are among them: these are sums."""

    inbox: int = 0
    unassigned: int = 0
    waiting: int = 0
    urgent: int = 0
    not_delivered: int = 0


@dataclass(frozen=True, slots=True)
class ObservedMailbox:
    """A mailbox as its observers see it: what is there now, and the figures of a period."""

    name: str
    now: CountsNow
    figures: Figures


@login_required
@require_safe
def page(request: PersonRequest) -> HttpResponse:
    """The counts of the mailboxes that the person observes."""
    if not access.observed_by(request.user).exists():
        raise Http404
    form = PeriodForm(request.GET)
    since, until = _period(form)
    errors = first_errors(form)
    context = {
        "mailboxes": observed_mailboxes(request.user, since, until),
        "since": since,
        "last": until - timedelta(days=1),
        "asked": request.GET,
        "errors": errors,
    }
    return render(request, "statistics/observed.html", context, status=422 if errors else 200)


def observed_mailboxes(person: Person, since: datetime, until: datetime) -> list[ObservedMailbox]:
    """The mailboxes that the person observes, by name, with the figures from `since` up to `until`."""
    boxes = access.observed_by(person)
    found: Statistics = statistics(boxes, since, until)
    open_rows = Conversation.objects.filter(mailbox__in=boxes, state=Conversation.State.OPEN).order_by()
    counted = open_rows.values("mailbox").annotate(
        inbox=Count("pk", filter=Q(is_waiting=False)),
        unassigned=Count("pk", filter=Q(is_waiting=False, assignee=None)),
        waiting=Count("pk", filter=Q(is_waiting=True)),
        urgent=Count("pk", filter=inbox.is_urgent()),
        not_delivered=Count("pk", filter=Q(is_not_delivered=True)),
    )
    columns = counted.values_list("mailbox", *_COLUMNS)
    now = {mailbox_id: CountsNow(*numbers) for mailbox_id, *numbers in columns}
    return [
        ObservedMailbox(figures.mailbox.name, now.get(figures.mailbox.pk, CountsNow()), figures)
        for figures in found.figures
    ]


def _period(form: PeriodForm) -> tuple[datetime, datetime]:
    """The requested period; the last four weeks where none was given, or an invalid one."""
    since, until = form.moments()
    until = until or midnight(timezone.localdate() + timedelta(days=1))
    since = since or until - timedelta(days=_DEFAULT_DAYS)
    if not timedelta(0) < until - since <= timedelta(days=_MOST_DAYS):
        since = until - timedelta(days=_DEFAULT_DAYS)
    return since, until
