"""The access point's log, for those who answer for an organisation: what went where and when, no content."""

from datetime import datetime, timedelta
from typing import Any

from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_http_methods

from mailbox import access, access_log
from mailbox.requests import PersonRequest
from mailbox.streaming import streamed
from transport.access_point.api import TransferEvent, as_csv, as_json_lines
from transport.access_point.api import TransferQuestion as Question
from transport.access_point.api import transfer_events as events

from .pages import actor, day_of, log_reader_required, page, period_errors

_PAGE = 50
_FORMATS = {"csv": (as_csv, "text/csv"), "jsonl": (as_json_lines, "application/jsonl")}


@log_reader_required
@require_http_methods(["GET", "HEAD", "POST"])
def log(request: PersonRequest) -> HttpResponseBase:
    """A page of events. What is looked for is posted: ids stay out of addresses and access logs."""
    own = access.logs_read_by(request.user)
    given = {name: request.POST.get(name, "").strip() for name in ("id", "kind", "since", "until", "before")}
    errors: dict[str, str] = {}
    question = Question(
        given["id"][:255],
        given["kind"] if given["kind"] in TransferEvent.Kind.values else "",
        _day(given, "since", errors),
        _day(given, "until", errors, after=1),
        tuple(own),
    )
    errors |= period_errors(given, "since", "until")
    rows = events(question)
    if not errors and (chosen := _FORMATS.get(request.POST.get("export", ""))):
        write, content_type = chosen
        for participant in own:
            access_log.note(actor(request), "transfer-log-exported", participant)
        return streamed(request, write(rows), content_type, f"overforingslogg.{request.POST['export']}")
    if given["before"].isdecimal():
        rows = rows.filter(pk__lt=int(given["before"]))
    shown = [] if errors else list(rows[: _PAGE + 1])
    context: dict[str, Any] = {
        "events": shown[:_PAGE],
        "next": shown[_PAGE - 1].pk if len(shown) > _PAGE else None,
        "kinds": [(kind, _KIND_NAMES[kind]) for kind in TransferEvent.Kind],
        "given": given,
        "errors": errors,
    }
    for event in context["events"]:
        event.kind_in_words = _KIND_NAMES[TransferEvent.Kind(event.kind)]
    return page(request, "administration/transfers.html", context, status=422 if errors else 200)


def _day(given: dict[str, str], name: str, errors: dict[str, str], *, after: int = 0) -> datetime | None:
    """Midnight of the day that was given, in Swedish time."""
    if not given[name]:
        return None
    midnight = day_of(given[name])
    if midnight is None:
        errors[name] = _("Skriv datumet som åååå-mm-dd.")
        return None
    return midnight + timedelta(days=after)


_KIND = TransferEvent.Kind
_KIND_NAMES = {
    _KIND.SENT: lazy("Sänt"),
    _KIND.DELIVERED: lazy("Levererat"),
    _KIND.RESENDING: lazy("Sänds igen"),
    _KIND.FAILED: lazy("Misslyckat"),
    _KIND.RECEIVED: lazy("Mottaget"),
    _KIND.DUPLICATE: lazy("Mottaget igen"),
    _KIND.REFUSED: lazy("Avvisat"),
    _KIND.DISCARDED: lazy("Kasserat"),
    _KIND.TESTED: lazy("Prov besvarat"),
}
