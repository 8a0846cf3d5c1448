"""Leases: one worker at a time, missed within seconds when it dies, heard only while the row is its own."""

import re
import threading
import time
import uuid
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from celery import Celery, current_app
from celery.fixups.django import DjangoWorkerFixup
from celery.signals import before_task_publish
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from kombu import Queue
from kombu.exceptions import OperationalError
from psycopg import sql

from sdkportal.celery import app, close_unusable_connections
from testbed.services import free_port
from transport import jobs, queues
from transport.access_point.models import OutboundTransfer
from transport.jobs import LeaseLost

pytestmark = pytest.mark.django_db(transaction=True)
PROJECT = Path(__file__).resolve().parents[2]


def a_row(**changes) -> OutboundTransfer:
    """Some leased row; which model it is does not matter here."""
    return OutboundTransfer.objects.create(
        reference=uuid.uuid4(),
        as4_message_id=f"{uuid.uuid4()}@ap",
        conversation_id="c",
        sender="0203:a.se",
        recipient="0203:b.se",
        document_id="d",
        document_scheme="s",
        envelope_id="e",
        **{"due_at": timezone.now(), **changes},
    )


def in_a_thread(body):
    """Run in a connection of its own; what it gives."""
    given = []

    def run() -> None:
        try:
            given.append(body())
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return given[0]


def synchronous_commit() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SHOW synchronous_commit")
        return str(cursor.fetchone()[0])


def test_the_disk_is_waited_for_by_all_but_the_taking_of_a_row():
    """What the caller's transaction holds is never the one that is not waited for."""
    assert OutboundTransfer.claim(a_row().pk) is not None
    assert synchronous_commit() == "on"
    with transaction.atomic():
        assert OutboundTransfer.claim(a_row().pk) is not None
        assert synchronous_commit() == "on"


def test_many_workers_that_reach_for_a_row_at_once_are_one_that_gets_it():
    row = a_row()
    start, taken = threading.Barrier(6), []

    def reach() -> None:
        try:
            start.wait(10)
            taken.append(OutboundTransfer.claim(row.pk))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=reach) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (holder,) = [one for one in taken if one is not None]
    row.refresh_from_db()
    assert (row.lease, row.attempts) == (holder.lease, 1)


def test_a_row_is_locked_and_taken_in_the_statement_that_checks_that_it_is_free():
    row = a_row()
    with CaptureQueriesContext(connection) as captured:
        OutboundTransfer.claim(row.pk)
    (statement,) = [query["sql"] for query in captured]
    assert "FOR UPDATE SKIP LOCKED" in statement
    assert "due_at <= " in statement
    assert "lease_until <= " in statement
    assert "UPDATE " in statement.partition("FOR UPDATE SKIP LOCKED")[2]


def test_a_row_whose_step_is_going_on_elsewhere_is_passed_over_not_waited_for():
    row = a_row(lease=uuid.uuid4(), lease_until=timezone.now() - timedelta(seconds=1))
    with transaction.atomic():
        OutboundTransfer.objects.select_for_update().get(pk=row.pk)
        began = time.monotonic()
        assert in_a_thread(lambda: OutboundTransfer.claim(row.pk)) is None
        assert time.monotonic() - began < 5
    assert OutboundTransfer.claim(row.pk) is not None


@pytest.mark.parametrize(
    ("changes", "is_due"),
    [
        ({}, True),
        ({"due_at": None}, False),
        ({"due_at": timezone.now() + timedelta(hours=1)}, False),
        ({"lease": uuid.uuid4(), "lease_until": timezone.now() + timedelta(hours=1)}, False),
        ({"lease": uuid.uuid4(), "lease_until": timezone.now() - timedelta(seconds=1)}, True),
    ],
)
def test_a_row_is_due_when_its_time_has_come_and_nobody_holds_it(changes, is_due):
    row = a_row(**changes)
    assert (OutboundTransfer.claim(row.pk) is not None) is is_due


def test_whoever_takes_over_knows_the_dead_lease_and_the_late_one_is_not_heard():
    late = OutboundTransfer.claim(a_row().pk)
    OutboundTransfer.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    next_one = OutboundTransfer.claim(late.pk)
    assert next_one.expired_lease == late.lease
    assert late.expired_lease is None
    with pytest.raises(LeaseLost), late.step() as row:
        row.cause = "never"
    for change in (late.change, late.finish):
        with pytest.raises(LeaseLost):
            change(cause="never")
    with next_one.step() as row:
        row.cause = "heard"
    late.refresh_from_db()
    assert (late.cause, late.lease, late.lease_until) == ("heard", None, None)


def test_a_worker_keeps_its_connection_from_task_to_task_as_long_as_it_works():
    connection.ensure_connection()
    kept = connection.connection
    DjangoWorkerFixup(app).close_database()
    close_unusable_connections()
    assert connection.connection is kept
    in_a_thread(lambda: terminate(kept.info.backend_pid))
    close_unusable_connections()
    assert a_row().pk is not None
    assert connection.connection is not kept


def terminate(backend: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 10000)", [backend])


def test_a_change_keeps_the_lease_and_a_step_that_fails_changes_nothing():
    held = OutboundTransfer.claim(a_row().pk)
    held.change(cause="halfway")
    assert held.cause == "halfway"
    with pytest.raises(ZeroDivisionError), held.step() as row:
        row.cause = str(1 / 0)
    fresh = OutboundTransfer.objects.get(pk=held.pk)
    assert (fresh.cause, fresh.lease) == ("halfway", held.lease)


def wait_until_renewed(held: OutboundTransfer, after: datetime) -> datetime:
    deadline = time.monotonic() + 20
    while (until := OutboundTransfer.objects.get(pk=held.pk).lease_until) <= after:
        assert time.monotonic() < deadline, "the lease was not renewed"
        time.sleep(0.02)
    return until


def test_a_lease_outlives_its_length_while_the_work_goes_on(settings):
    settings.SDK_LEASE_SECONDS = 0.3
    held = OutboundTransfer.claim(a_row().pk)
    with held.renewing():
        wait_until_renewed(held, held.lease_until + timedelta(seconds=0.6))
        assert OutboundTransfer.claim(held.pk) is None
    with held.step():
        pass


@contextmanager
def database_away():
    """Nobody can connect, and who was connected is not any more; the test's own connection stays."""
    name = connection.settings_dict["NAME"]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (own,) = cursor.fetchone()
    where = {key: connection.settings_dict[key.upper()] for key in ("host", "port", "user")}
    with psycopg.connect(
        dbname="postgres", autocommit=True, **{k: v for k, v in where.items() if v}
    ) as other:
        allow = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
        other.execute(allow.format(sql.Identifier(name), sql.Literal(False)))
        try:
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> %s",
                [name, own],
            )
            yield
        finally:
            other.execute(allow.format(sql.Identifier(name), sql.Literal(True)))


def test_a_lease_is_renewed_again_after_the_database_was_away(settings, caplog):
    settings.SDK_LEASE_SECONDS = 0.3
    held = OutboundTransfer.claim(a_row().pk)
    with held.renewing():
        renewed = wait_until_renewed(held, held.lease_until)
        with database_away():
            deadline = time.monotonic() + 20
            while "lease_not_renewed" not in caplog.text:
                assert time.monotonic() < deadline
                time.sleep(0.02)
        wait_until_renewed(held, renewed + timedelta(seconds=0.3))
    with held.step():
        pass


def test_a_sweeper_wakes_workers_for_what_is_due_the_longest_waiting_first():
    now = timezone.now()
    waiting = [a_row(due_at=now - timedelta(minutes=age)) for age in (1, 3, 2)]
    a_row(due_at=None)
    woken = []
    assert jobs.run_due(OutboundTransfer, woken.append) == 3
    assert woken == [str(waiting[index].pk) for index in (1, 2, 0)]
    assert jobs.run_due(OutboundTransfer, woken.append, limit=2) == 2


def test_a_worker_is_woken_on_commit_and_not_without():
    woken = []
    with transaction.atomic():
        jobs.wake(woken.append, 1)
        assert woken == []
    assert woken == ["1"]
    with transaction.atomic():
        jobs.wake(woken.append, 2)
        transaction.set_rollback(True)
    assert woken == ["1"]


def test_a_broker_that_is_away_does_not_fail_what_was_committed(caplog):
    def away(key: str) -> None:
        raise OperationalError("connection refused")

    with transaction.atomic():
        row = a_row()
        jobs.wake(away, row.pk)
    assert OutboundTransfer.objects.filter(pk=row.pk).exists()
    assert "broker_unavailable" in caplog.text


def test_nobody_waits_for_a_broker_that_is_away(monkeypatch, caplog):
    """kombu would pause and try again, while whoever committed waits: for its receipt, or for its page."""
    pauses: list[float] = []
    monkeypatch.setattr("kombu.utils.functional.sleep", pauses.append)
    celery = Celery("away", set_as_current=False)
    celery.config_from_object("django.conf:settings", namespace="CELERY")
    celery.conf.broker_url = f"redis://127.0.0.1:{free_port()}/0"

    @celery.task(name="nothing")
    def task(key: str) -> None:
        pass

    monkeypatch.setattr(jobs, "current_app", celery)
    with transaction.atomic():
        jobs.wake(task.delay, a_row().pk)
        jobs.wake(jobs.task_named("nothing"), a_row().pk)
    assert caplog.text.count("broker_unavailable") == 2
    assert pauses == []


@pytest.mark.parametrize(
    ("attempts", "seconds"), [(0, 30), (1, 30), (2, 60), (4, 240), (6, 600), (10**6, 600)]
)
def test_pauses_grow_up_to_a_bound(attempts, seconds):
    assert jobs.pause_after(attempts) == timedelta(seconds=seconds)


def test_an_unforeseen_error_is_logged_by_type_and_place_and_never_by_its_text(caplog):
    try:
        int("Karin Svensson")
    except ValueError as error:
        jobs.log_unexpected(error, message_id="m")
    (record,) = caplog.records
    assert record.fields["error"] == "ValueError"
    assert record.fields["where"].startswith("test_jobs.py:")
    assert "Karin" not in str(record.fields) + record.getMessage()
    assert record.exc_info is None


def test_every_task_that_is_published_by_name_exists():
    """A name that no worker knows would be an order that nobody carries out."""
    current_app.loader.import_default_modules()
    name = re.compile(r'"((?:mailbox|transport|addressbook)[\w.]*\.tasks\.\w+)"')
    modules = [
        path for room in ("mailbox", "transport", "addressbook") for path in (PROJECT / room).rglob("*.py")
    ]
    named = {found for module in modules for found in name.findall(module.read_text())}
    assert "transport.message_service.tasks.seal_due" in named
    assert named <= set(current_app.tasks)


def test_every_task_that_settings_route_or_schedule_exists(settings):
    current_app.loader.import_default_modules()
    scheduled = {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    assert set(settings.CELERY_TASK_ROUTES) | scheduled <= set(current_app.tasks)


@pytest.mark.parametrize(
    ("name", "queue"),
    [
        ("transport.access_point.tasks.send_due", "transport"),
        ("transport.message_api.tasks.send_webhook", "notices"),
        ("transport.message_service.tasks.seal_due", "celery"),
        ("transport.message_service.tasks.validate_due", "celery"),
        ("mailbox.tasks.send_draft", "celery"),
    ],
)
def test_a_task_that_is_published_by_name_comes_to_its_queue(name, queue):
    """What waits for others' servers has queues of its own, whoever publishes it."""
    published = []

    def note(sender: str, routing_key: str, declare: list[Queue], **_: object) -> None:
        published.append((sender, routing_key, [declared.name for declared in declare]))

    # Whatever another test has published of it counts no more.
    queues._mark_free(name)
    before_task_publish.connect(note)
    try:
        if name.endswith("_due"):
            queues.wake_queue(name)
            app.tasks[name].delay()
        else:
            jobs.task_named(name)("no-such-row")
            app.tasks[name].delay("no-such-row")
    finally:
        before_task_publish.disconnect(note)
    assert published == [(name, queue, [queue])] * 2
