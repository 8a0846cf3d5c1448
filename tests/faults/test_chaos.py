"""`make chaos` in small: every fault is planned, and no order is lost, doubled, stuck or left behind."""

from collections import Counter
from itertools import pairwise
from uuid import uuid4

import pytest
from django.utils import timezone

from tests.faults.chaos import inventory
from tests.faults.chaos.faults import all_faults
from tests.faults.chaos.reconciliation import Outcome, Rows, outcome_of, surplus
from tests.faults.chaos.run import ChaosOrder, run
from tests.faults.chaos.schedule import schedule
from tests.faults.chaos.senders import Order
from transport.message_service.models import Organisation, OutgoingMessage

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


def rows_of(state: str, told: str, *, arrived: int, is_receipt_missing: bool = False, **others) -> Rows:
    """Draft 1 was sent as message `m`."""
    count = {"m": arrived} if arrived else {}
    return Rows(
        sent={1: [("m", told, is_receipt_missing)]},
        states={"m": state},
        arrived=count,
        accepted=dict(count),
        **others,
    )


SENT = Order("habo", 1, is_sent=True, is_confirmed=True)
BROKEN_OFF = Order("habo", 1, is_sent=True)


@pytest.mark.parametrize(
    ("order", "rows", "expected"),
    [
        (SENT, rows_of("ACCEPTED", "ACCEPTED", arrived=1), Outcome.ACCEPTED),
        (SENT, rows_of("MESSAGE_EXCHANGE_ERROR", "MESSAGE_EXCHANGE_ERROR", arrived=0), Outcome.FAILED),
        (
            SENT,
            rows_of(
                "WAITING_FOR_RECEIPT",
                "WAITING_FOR_RECEIPT",
                arrived=1,
                is_receipt_missing=True,
                failed_receipts={"m": "UNREACHABLE"},
            ),
            Outcome.RECEIPT_MISSING,
        ),
        (SENT, Rows(drafts={1: (False, "failed")}), Outcome.CAME_BACK),
        (BROKEN_OFF, Rows(drafts={1: (False, "")}), Outcome.NOT_SENT),
    ],
)
def test_an_order_whose_sender_knows_what_became_of_it_ended_well(order, rows, expected):
    assert outcome_of(order, rows) is expected


@pytest.mark.parametrize(
    ("order", "rows"),
    [
        (SENT, Rows()),
        (SENT, Rows(drafts={1: (False, "")})),
        (SENT, Rows(drafts={1: (True, "")})),
        (SENT, Rows(sent={1: [("m", "SCHEDULED", False)]})),
        (SENT, Rows(sent={1: [("m", "ACCEPTED", False), ("n", "ACCEPTED", False)]})),
        (SENT, rows_of("ACCEPTED", "ACCEPTED", arrived=1, drafts={1: (False, "")})),
        (SENT, rows_of("ACCEPTED", "ACCEPTED", arrived=0)),
        (SENT, rows_of("ACCEPTED", "ACCEPTED", arrived=2)),
        (SENT, rows_of("ACCEPTED", "SUBMITTED", arrived=1)),
        (SENT, rows_of("SUBMITTED", "SUBMITTED", arrived=0)),
        (SENT, rows_of("MESSAGE_EXCHANGE_ERROR", "MESSAGE_EXCHANGE_ERROR", arrived=1)),
        (SENT, rows_of("MESSAGE_EXCHANGE_ERROR", "SUBMITTED", arrived=0)),
        (SENT, rows_of("WAITING_FOR_RECEIPT", "WAITING_FOR_RECEIPT", arrived=1, is_receipt_missing=True)),
    ],
    ids=[
        "neither a draft nor a message",
        "confirmed, and a draft",
        "a draft that is to be sent",
        "a message that is not ordered",
        "two messages",
        "a message and a draft",
        "accepted and not there",
        "delivered twice",
        "accepted and its sender not told",
        "stuck",
        "there, and its sender told that it failed",
        "failed and its sender not told",
        "no receipt, and nobody knows why",
    ],
)
def test_an_order_that_is_lost_doubled_or_stuck_is_found(order, rows):
    assert not isinstance(outcome_of(order, rows), Outcome)


def test_what_is_delivered_twice_or_was_never_sent_is_found():
    rows = rows_of("ACCEPTED", "ACCEPTED", arrived=2)
    rows.arrived["strange"] = 1
    assert [which for _, which in surplus(rows)] == ["m", "strange"]
    assert list(surplus(rows_of("ACCEPTED", "ACCEPTED", arrived=1))) == []


@pytest.fixture
def own_files(settings, tmp_path):
    """Files of this test alone: the payloads' directory."""
    settings.MEDIA_ROOT = tmp_path / "payloads"
    settings.SDK_WORK_DIR = tmp_path / "work"
    for directory in (settings.MEDIA_ROOT, settings.SDK_WORK_DIR):
        directory.mkdir()
    return settings.MEDIA_ROOT


@pytest.mark.django_db
def test_what_a_node_has_left_behind_is_found(own_files):
    assert list(inventory.findings()) == []
    organisation = Organisation.objects.create(participant_id="0203:habo.se", name="Håbo")
    row = OutgoingMessage.objects.create(
        organisation=organisation,
        message_id=uuid4(),
        conversation_id=uuid4(),
        recipient="0203:arbetsformedlingen.se",
        payload_name="outgoing/gone.xml",
        due_at=timezone.now(),
        lease=uuid4(),
    )
    (own_files / "stray").write_bytes(b"")
    swept = own_files / f"outgoing/{timezone.now():%Y/%m/%d}/{uuid4()}.xml"
    swept.parent.mkdir(parents=True)
    swept.write_bytes(b"")
    assert [(found["what"], found["which"]) for found in inventory.findings()] == [
        ("a lease on message_service.OutgoingMessage", str(row.pk)),
        ("message_service.OutgoingMessage is due", str(row.pk)),
        ("an outgoing message stays SCHEDULED", str(row.message_id)),
        ("an orphaned file", "stray"),
        ("a file that a row names is gone", "outgoing/gone.xml"),
    ]


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
