"""Queues: one wake for all that is due, and batches that are finished together, none at another's cost."""

import time
import uuid
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from kombu.exceptions import OperationalError

from testbed.services import free_port
from transport import queues
from transport.access_point.models import OutboundTransfer
from transport.jobs import renewing

from .test_jobs import a_row, wait_until_renewed

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def task():
    """A queue's name that no other test has."""
    return f"nobody.knows.{uuid.uuid4()}"


@pytest.fixture
def published(monkeypatch):
    sent: list[str] = []
    monkeypatch.setattr(queues.current_app, "send_task", sent.append)
    return sent


def test_many_rows_that_become_due_wake_one_worker_on_commit(task, published):
    with transaction.atomic():
        for _ in range(3):
            queues.wake_queue(task)
        assert published == []
    queues.wake_queue(task)
    assert published == [task]


def test_what_becomes_due_after_a_worker_has_begun_wakes_another(task, published):
    queues.wake_queue(task)
    queues.work_through(OutboundTransfer, lambda rows: None, task)
    queues.wake_queue(task)
    assert published == [task, task]


def test_what_becomes_due_while_a_worker_works_is_found_by_that_worker(task, published):
    a_row()
    processed = []

    def work(rows: list[OutboundTransfer]) -> None:
        if not processed:
            a_row()
            queues.wake_queue(task)
        processed.extend(rows)

    queues.work_through(OutboundTransfer, work, task)
    assert published == []
    assert len(processed) == 2


def test_what_becomes_due_while_a_worker_is_slow_wakes_another(task, published, monkeypatch, settings):
    monkeypatch.setattr(queues, "_BUSY_MILLISECONDS", 1)
    a_row()

    def work(rows: list[OutboundTransfer]) -> None:
        end = time.monotonic() + 20
        while queues.broker().exists(queues._wake_key(task)):
            assert time.monotonic() < end, "the worker still counts as busy"
        queues.wake_queue(task)

    queues.work_through(OutboundTransfer, work, task)
    assert published == [task]


def test_what_is_committed_just_before_a_worker_ends_is_found(task, published, monkeypatch):
    """Its wake came to nothing, since the worker was still there: the last look finds it."""
    processed = []
    mark_free = queues._mark_free

    def ending(name: str) -> None:
        if not processed:
            a_row()
        mark_free(name)

    monkeypatch.setattr(queues, "_mark_free", ending)
    queues.work_through(OutboundTransfer, processed.extend, task)
    assert len(processed) == 1


def test_a_wake_that_is_rolled_back_wakes_nobody(task, published):
    with transaction.atomic():
        queues.wake_queue(task)
        transaction.set_rollback(True)
    assert published == []


def test_a_broker_that_is_away_is_logged_and_fails_nothing(task, settings, caplog):
    settings.CELERY_BROKER_URL = f"redis://127.0.0.1:{free_port()}/0"
    queues.wake_queue(task)
    processed = []
    row = a_row()
    queues.work_through(OutboundTransfer, processed.extend, task)
    assert "broker_unavailable" in caplog.text
    assert [held.pk for held in processed] == [row.pk]


def test_a_broker_that_takes_no_task_is_logged_and_fails_nothing(task, monkeypatch, caplog):
    def away(name: str) -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(queues.current_app, "send_task", away)
    queues.wake_queue(task)
    assert "broker_unavailable" in caplog.text


def test_a_broker_of_another_kind_is_published_to_each_time(task, published, settings):
    settings.CELERY_BROKER_URL = "amqp://localhost//"
    queues.wake_queue(task)
    queues.wake_queue(task)
    assert published == [task, task]


def test_a_batch_is_claimed_in_one_statement_the_longest_waiting_first():
    now = timezone.now()
    waiting = [a_row(due_at=now - timedelta(minutes=age)) for age in (1, 3, 2)]
    a_row(due_at=None)
    a_row(lease=uuid.uuid4(), lease_until=now + timedelta(minutes=1))
    with CaptureQueriesContext(connection) as queries:
        claimed = OutboundTransfer.claim_due(2)
    assert len(queries) == 1
    assert [row.pk for row in claimed] == [waiting[1].pk, waiting[2].pk]
    assert len({row.lease for row in claimed}) == 1
    assert [row.pk for row in OutboundTransfer.claim_due(2)] == [waiting[0].pk]
    assert OutboundTransfer.claim_due(2) == []


def test_what_was_claimed_before_is_worked_on_alone(task, published):
    fresh = {a_row().pk for _ in range(3)}
    died = [
        a_row(attempts=1, lease=uuid.uuid4(), lease_until=timezone.now() - timedelta(seconds=1))
        for _ in range(2)
    ]
    batches: list[list[OutboundTransfer]] = []
    queues.work_through(OutboundTransfer, batches.append, task, batch=3)
    assert {row.pk for row in batches[0]} == fresh
    assert [[row.pk for row in batch] for batch in batches[1:]] == [[row.pk] for row in died]
    assert all(batch[0].expired_lease is not None for batch in batches[1:])


def test_more_than_a_batch_wakes_another_worker(task, published):
    for _ in range(3):
        a_row()
    queues.work_through(OutboundTransfer, lambda rows: None, task, batch=2)
    assert published == [task]


def test_a_worker_lets_another_go_on_when_its_turn_is_over(task, published, monkeypatch):
    monkeypatch.setattr(queues, "_TURN_SECONDS", -1)
    for _ in range(2):
        a_row()
    batches: list[list[OutboundTransfer]] = []
    queues.work_through(OutboundTransfer, batches.append, task)
    assert len(batches) == 1
    assert published == [task]


def finish(worked_on) -> None:
    """Write what the work has come to, and fail where it says so."""
    with OutboundTransfer.steps([row for row, _ in worked_on]) as rows:
        causes = {row.pk: cause for row, cause in worked_on}
        for row in rows:
            row.cause, row.due_at = causes[row.pk], None
            if row.cause == "fails":
                raise ZeroDivisionError


def causes() -> list[str]:
    return sorted(OutboundTransfer.objects.values_list("cause", flat=True))


def test_a_batch_is_finished_in_one_transaction():
    for _ in range(3):
        a_row()
    rows = OutboundTransfer.claim_due(3)
    seen: list[list[str]] = []

    def work(row: OutboundTransfer) -> str:
        seen.append(causes())
        return "done"

    queues.finish_together(rows, work, finish)
    assert seen == [["", "", ""]] * 3
    assert causes() == ["done"] * 3
    assert not OutboundTransfer.objects.filter(lease__isnull=False).exists()


def test_one_that_fails_takes_none_of_the_others_with_it(caplog):
    for _ in range(3):
        a_row()
    rows = OutboundTransfer.claim_due(3)

    with pytest.raises(ZeroDivisionError):
        queues.finish_together(rows, lambda row: "fails" if row is rows[1] else "done", finish)
    assert causes() == ["", "done", "done"]


def test_one_whose_lease_was_lost_writes_nothing_and_the_others_are_finished():
    for _ in range(3):
        a_row()
    rows = OutboundTransfer.claim_due(3)
    OutboundTransfer.objects.filter(pk=rows[1].pk).update(lease=uuid.uuid4())
    queues.finish_together(rows, lambda row: "done", finish)
    assert causes() == ["", "done", "done"]


def test_a_step_writes_what_it_changes_and_leaves_the_rest_as_it_is():
    (held,) = [OutboundTransfer.claim(a_row().pk)]
    OutboundTransfer.objects.update(envelope_id="changed meanwhile")
    with held.step() as current:
        current.cause = "x"
    row = OutboundTransfer.objects.get()
    assert (row.envelope_id, row.cause, row.lease) == ("changed meanwhile", "x", None)


def test_several_leases_are_renewed_by_one_thread(settings):
    settings.SDK_LEASE_SECONDS = 0.3
    for _ in range(3):
        a_row()
    rows = OutboundTransfer.claim_due(3)
    until = max(row.lease_until for row in rows)
    with renewing(rows):
        for row in rows:
            wait_until_renewed(row, until + timedelta(seconds=0.6))
