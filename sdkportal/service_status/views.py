"""The page: the conclusion first, then what it is drawn from."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.http import HttpResponse
from django.utils import timezone
from django.utils.functional import Promise
from django.views.decorators.http import require_safe

from addressbook.lookup import organisation_names
from mailbox import access
from mailbox.administration.views.guards import administrator_required
from mailbox.administration.views.layout import page
from mailbox.requests import PersonRequest
from sdkportal.doctor.texts import NAMES
from transport.causes import Cause
from transport.federation import status_feed
from transport.message_service.tracking.exchanges import Exchange, exchanges

from .judgement import Side, judge
from .own_faults import Found, own_faults
from .texts import CAUSES, CONCLUSIONS, OWN_FAULTS

_WITHIN: Final = timedelta(hours=24)
# As many as a page has room for; those with trouble come first.
_MOST: Final = 50
# Beat reads the feed every few minutes; older than this it is not what the federation says now.
_OLD: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class CounterpartRow:
    """A counterpart that something was sent to lately: how it went, and why not."""

    name: str
    participant: str
    is_troubled: bool
    problem: str | Promise
    receipts: int
    last_receipt_at: datetime | None
    last_trouble_at: datetime | None


@administrator_required
@require_safe
def overview(request: PersonRequest) -> HttpResponse:
    """Where the fault lies, what is wrong here, how counterparts have answered, what the federation says."""
    now = timezone.now()
    own = own_faults(request.user)
    found = exchanges(access.administered_by(request.user), now - _WITHIN)
    judgement = judge(found, own)
    troubled = {item.exchange.participant: item.side for item in judgement.troubled}
    shown = sorted(found, key=lambda exchange: exchange.participant not in troubled)[:_MOST]
    names = organisation_names([exchange.participant for exchange in shown])
    feed = status_feed.latest()
    context = {
        "conclusions": [CONCLUSIONS[side] for side in judgement.sides],
        "is_ours": Side.OURS in judgement.sides,
        "is_cut_off": judgement.is_cut_off,
        "own_faults": [_sentence(fault) for fault in own],
        "counterparts": [_row(exchange, names, exchange.participant in troubled) for exchange in shown],
        "more": len(found) - len(shown),
        "has_feed": bool(settings.SDK_STATUS_FEED_URL),
        "feed": feed,
        "is_feed_old": feed.read_at is None or now - feed.read_at > _OLD,
        "now": now,
    }
    return page(request, "administration/service_status.html", context)


def _sentence(found: Found) -> str:
    checks = ", ".join(str(NAMES.get(name, name)) for name in found.checks)
    return str(OWN_FAULTS[found.fault]) % {"number": found.number, "checks": checks}


def _row(exchange: Exchange, names: dict[str, str], is_troubled: bool) -> CounterpartRow:
    try:
        problem: str | Promise = CAUSES.get(Cause(exchange.last_cause), "")
    except ValueError:
        problem = ""
    return CounterpartRow(
        names.get(exchange.participant, exchange.participant),
        exchange.participant,
        is_troubled,
        problem if is_troubled else "",
        exchange.receipts,
        exchange.last_receipt_at,
        exchange.last_trouble_at if is_troubled else None,
    )
