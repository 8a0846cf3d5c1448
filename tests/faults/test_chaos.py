"""`make chaos` in small: every fault is planned, and no order is lost, doubled, stuck or left behind."""

from collections import Counter
from itertools import pairwise

import pytest

from tests.faults.chaos.faults import all_faults
from tests.faults.chaos.reconciliation import Outcome
from tests.faults.chaos.run import ChaosOrder, run
from tests.faults.chaos.schedule import schedule

pytestmark = pytest.mark.xdist_group("chaos")
KINDS = ("kill worker", "stop web", "kill broker", "clamav away")
# One of each sort; more of them than of the others kill.
SHORT = (
    "kill worker",
    "kill transport",
    "kill beat",
    "kill access-point",
    "kill web",
    "stop worker",
    "stop transport",
    "kill postgresql",
    "kill broker",
    "clamav away",
    "dns away",
    "disk full after 1500 bytes",
)


def test_a_schedule_is_a_function_of_its_seed():
    planned = schedule(117, KINDS, count=40, seconds=60)
    assert planned == schedule(117, KINDS, count=40, seconds=60)
    assert planned != schedule(118, KINDS, count=40, seconds=60)


def test_a_schedule_has_so_many_faults_in_order_within_its_time():
    planned = schedule(117, KINDS, count=41, seconds=60)
    assert len(planned) == 41
    assert list(planned) == sorted(planned, key=lambda fault: fault.at)
    assert all(fault.at >= 0 and fault.at + fault.lasts <= 60 for fault in planned)


def test_every_kind_comes_before_any_comes_again():
    counted = Counter(fault.fault for fault in schedule(117, KINDS, count=42, seconds=60))
    assert set(counted) == set(KINDS)
    assert max(counted.values()) - min(counted.values()) <= 1


def test_a_node_has_one_fault_at_a_time():
    planned = schedule(117, KINDS, count=200, seconds=600)
    for node in (0, 1):
        own = [fault for fault in planned if fault.node == node]
        assert len(own) == 100
        for earlier, later in pairwise(own):
            assert earlier.at + earlier.lasts <= later.at


def test_faults_have_names_of_their_own_that_schedules_use():
    faults = all_faults()
    assert {name: fault.name for name, fault in faults.items()} == {name: name for name in faults}
    assert set(SHORT) <= set(faults)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_no_order_is_lost_doubled_stuck_or_left_behind_while_things_break(tmp_path):
    order = ChaosOrder(seed=117, minutes=0.25, faults=len(SHORT), kinds=SHORT, settle_seconds=180)
    report = run(order, logs=tmp_path / "logs")
    told = "\n".join(report.lines())
    assert report.findings == [], told
    assert sum(report.injected.values()) + sum(report.not_injected.values()) == len(SHORT), told
    assert report.outcomes.get(Outcome.ACCEPTED.value, 0) > 0, told
    assert sum(report.outcomes.values()) == report.orders, told
