"""Where the fault lies, judged by what went wrong lately: facts in, conclusions out."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from transport.causes import Cause
from transport.message_service.tracking.exchanges import Exchange


class Side(StrEnum):
    """Who has to act."""

    OURS = "ours"
    COUNTERPART = "counterpart"
    FEDERATION = "federation"


# Whose fault a cause tells of. What says something of a single message (cancelled, invalid, malicious code)
# is nobody's.
_SIDES: Final = {
    Cause.NO_SIGNING_KEY: Side.OURS,
    Cause.SCANNER_UNAVAILABLE: Side.OURS,
    Cause.UNEXPECTED: Side.OURS,
    Cause.LOOKUP_UNAVAILABLE: Side.FEDERATION,
    Cause.METADATA_UNTRUSTED: Side.FEDERATION,
    Cause.REVOCATION_UNKNOWN: Side.FEDERATION,
    Cause.PARTICIPANT_UNKNOWN: Side.COUNTERPART,
    Cause.DOCUMENT_TYPE_NOT_SERVED: Side.COUNTERPART,
    Cause.CERTIFICATE_NOT_PUBLISHED: Side.COUNTERPART,
    Cause.RECIPIENT_CERTIFICATE_UNTRUSTED: Side.COUNTERPART,
    Cause.ACCESS_POINT_UNTRUSTED: Side.COUNTERPART,
    Cause.UNREACHABLE: Side.COUNTERPART,
    Cause.RECEIPT_INVALID: Side.COUNTERPART,
    Cause.RECEIPT_UNTRUSTED: Side.COUNTERPART,
    Cause.NOT_SERVICED: Side.COUNTERPART,
    Cause.REFUSED: Side.COUNTERPART,
}
# So many counterparts are not away by chance at the same time: it is the way there that is broken.
_NOT_BY_CHANCE: Final = 3
# Services of the federation that more than one counterpart needs.
_SHARED: Final = 2


@dataclass(frozen=True, slots=True)
class Troubled:
    """A counterpart to which nothing has come through since something went wrong, and whose fault that is."""

    exchange: Exchange
    side: Side


@dataclass(frozen=True, slots=True)
class Judgement:
    """The sides at which there is a fault, the likeliest cause of others first; none where all is well."""

    sides: tuple[Side, ...]
    troubled: tuple[Troubled, ...]
    is_cut_off: bool


def judge(exchanges: Iterable[Exchange], own_faults: Collection[object]) -> Judgement:
    """Judge where the fault lies, by the exchanges with counterparts and the faults found in this node.

    Where nobody is reached while several are tried, the fault is on our way out, not theirs. A lookup that
    fails for a single counterpart is that counterpart's matter.
    """
    known = [exchange for exchange in exchanges if exchange.receipts or exchange.causes]
    open_ones = [(exchange, _SIDES.get(_cause_of(exchange))) for exchange in known if exchange.is_troubled]
    unreached = [exchange for exchange, _ in open_ones if _cause_of(exchange) == Cause.UNREACHABLE]
    is_cut_off = len(unreached) >= _NOT_BY_CHANCE and len(unreached) == len(known)
    shared = [exchange for exchange, side in open_ones if side is Side.FEDERATION]
    troubled = []
    for exchange, side in open_ones:
        if side is None:
            continue
        if is_cut_off:
            side = Side.OURS
        elif side is Side.FEDERATION and len(shared) < _SHARED and len(known) > 1:
            side = Side.COUNTERPART
        troubled.append(Troubled(exchange, side))
    sides = {item.side for item in troubled} | ({Side.OURS} if own_faults else set())
    order = (Side.OURS, Side.FEDERATION, Side.COUNTERPART)
    return Judgement(tuple(side for side in order if side in sides), tuple(troubled), is_cut_off)


def _cause_of(exchange: Exchange) -> Cause:
    """The cause as a code; what is none stands for the rules that a counterpart's answer broke."""
    try:
        return Cause(exchange.last_cause)
    except ValueError:
        return Cause.RECEIPT_INVALID
