"""Where the fault lies, by what went wrong lately."""

from datetime import UTC, datetime, timedelta

import pytest

from sdkportal.service_status.judgement import Side, judge
from transport.causes import Cause
from transport.message_service.tracking.exchanges import Exchange

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
BEFORE, AFTER = NOON - timedelta(minutes=5), NOON + timedelta(minutes=5)


def well(name: str) -> Exchange:
    return Exchange(name, receipts=3, last_receipt_at=NOON)


def troubled(name: str, cause: str, at: datetime = NOON, receipt: datetime | None = None) -> Exchange:
    return Exchange(name, int(receipt is not None), receipt, {cause: 1}, cause, at)


def sides(*exchanges: Exchange, own: tuple[object, ...] = ()) -> tuple[Side, ...]:
    return judge(exchanges, own).sides


def test_where_all_comes_through_nobody_is_at_fault():
    assert sides() == ()
    assert sides(well("a"), well("b")) == ()


@pytest.mark.parametrize("cause", [Cause.UNREACHABLE, Cause.REFUSED, Cause.PARTICIPANT_UNKNOWN, "EBMS:0004"])
def test_one_that_does_not_answer_while_others_do_is_at_fault_itself(cause):
    assert sides(well("a"), troubled("b", cause)) == (Side.COUNTERPART,)


def test_what_has_come_through_since_is_no_fault_any_more():
    assert sides(troubled("a", Cause.UNREACHABLE, receipt=AFTER)) == ()
    assert sides(troubled("a", Cause.UNREACHABLE, receipt=BEFORE)) == (Side.COUNTERPART,)


def test_who_reaches_nobody_is_cut_off_itself():
    away = [troubled(name, Cause.UNREACHABLE) for name in "abc"]
    judgement = judge(away, ())
    assert judgement.is_cut_off
    assert judgement.sides == (Side.OURS,)
    assert not judge(away[:2], ()).is_cut_off, "two may be away by chance"
    assert not judge([*away, well("d")], ()).is_cut_off


def test_a_lookup_that_fails_for_several_is_the_federation_s_fault_and_for_one_its_own():
    one, other = troubled("a", Cause.LOOKUP_UNAVAILABLE), troubled("b", Cause.REVOCATION_UNKNOWN)
    assert sides(one, other, well("c")) == (Side.FEDERATION,)
    assert sides(one, well("c")) == (Side.COUNTERPART,)
    assert sides(one) == (Side.FEDERATION,), "there is nobody else to compare with"


@pytest.mark.parametrize("cause", [Cause.CANCELLED, Cause.MESSAGE_INVALID, Cause.MALWARE_FOUND])
def test_what_is_wrong_with_a_message_is_nobody_s_fault(cause):
    assert sides(troubled("a", cause)) == ()


def test_faults_here_come_first():
    found = sides(troubled("a", Cause.UNREACHABLE), well("b"), own=("stalled",))
    assert found == (Side.OURS, Side.COUNTERPART)
    assert sides(troubled("a", Cause.NO_SIGNING_KEY)) == (Side.OURS,)
