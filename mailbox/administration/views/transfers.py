"""The access point's log, for administrators and auditors: what went where and when, no content."""

from dataclasses import dataclass
from typing import Any

from django.http.response import HttpResponseBase
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_http_methods

from mailbox import access, access_log
from mailbox.administration.forms import TransferLogForm
from mailbox.forms import first_errors
from mailbox.requests import PersonRequest
from mailbox.streaming import streamed
from transport.access_point.api import TransferEvent, as_csv, as_json_lines
from transport.access_point.api import TransferQuestion as Question
from transport.access_point.api import transfer_events as events

from .guards import log_reader_required
from .layout import page

_PAGE = 50
_FORMATS = {
    "csv": (as_csv, "text/csv", "csv"),
    "jsonl": (as_json_lines, "application/jsonl", "jsonl"),
}


@dataclass(frozen=True, slots=True)
class TransferRow:
    """An event of the access point's log, with its kind in words."""

    event: TransferEvent
    kind: Promise


@log_reader_required
@require_http_methods(["GET", "HEAD", "POST"])
def log(request: PersonRequest) -> HttpResponseBase:
    """A page of events. What is looked for is posted: ids stay out of addresses and access logs."""
    own = access.logs_readable_by(request.user)
    form = TransferLogForm(request.POST)
    asked = form.understood()
    rows = events(Question(asked["id"] or "", asked["kind"] or "", *form.moments(), tuple(own)))
    errors = first_errors(form)
    if not errors and (chosen := _FORMATS.get(asked["export"] or "")):
        write, content_type, extension = chosen
        for participant in own:
            access_log.record(request.user, "transfer-log-exported", participant)
        return streamed(request, write(rows), content_type, f"overforingslogg.{extension}")
    if asked["before"] is not None:
        rows = rows.filter(pk__lt=asked["before"])
    found = [] if errors else list(rows[: _PAGE + 1])
    context: dict[str, Any] = {
        "events": [TransferRow(event, _KIND_NAMES[_KIND(event.kind)]) for event in found[:_PAGE]],
        "next": found[_PAGE - 1].pk if len(found) > _PAGE else None,
        "kinds": [(kind, _KIND_NAMES[kind]) for kind in TransferEvent.Kind],
        "given": form.data,
        "errors": errors,
    }
    return page(request, "administration/transfers.html", context, status=422 if errors else 200)


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
