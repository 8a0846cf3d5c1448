"""What the database is asked, whatever way its values take."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.conf import settings
from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import BigIntegerField, Value
from django.db.models.functions import Cast
from psycopg_pool import ConnectionPool

from mailbox.models import FunctionMailbox, SearchEntry
from sdkportal.postgresql import pool_connections, prepare_statements
from transport import database

pytestmark = pytest.mark.django_db
NUMBERS = (0, -1, 2**31 - 1, -(2**31), 2**31, -(2**31) - 1, 2**40, 2**63 - 1, -(2**63))


@pytest.mark.parametrize("number", NUMBERS)
def test_a_number_that_is_no_field_s_goes_to_the_server_whole(number):
    FunctionMailbox.objects.create(participant_id="0203:habo.se", address="f", name="F")
    asked = FunctionMailbox.objects.annotate(it=Cast(Value(number), BigIntegerField()))
    assert asked.values_list("it", flat=True).get() == number


@pytest.fixture
def worker_s(monkeypatch):
    """A connection as the access point and the workers make them, to the same database."""
    monkeypatch.setitem(
        settings.DATABASES["default"], "OPTIONS", {**settings.DATABASES["default"]["OPTIONS"]}
    )
    prepare_statements()
    made = connections.create_connection("default")
    yield made
    made.close()


@contextmanager
def used(database: BaseDatabaseWrapper) -> Iterator[None]:
    before = connections["default"]
    connections["default"] = database
    try:
        yield
    finally:
        connections["default"] = before


def prepared(database: BaseDatabaseWrapper) -> list[str]:
    with database.cursor() as cursor:
        cursor.execute("SELECT statement FROM pg_prepared_statements")
        return [statement for (statement,) in cursor.fetchall()]


def test_rows_by_their_key_are_planned_once_and_what_hangs_on_values_each_time(worker_s):
    with used(worker_s):
        for number in range(10):
            list(FunctionMailbox.objects.filter(pk=number).order_by())
            list(FunctionMailbox.objects.filter(address=f"{number}").order_by("name")[:1])
            list(FunctionMailbox.objects.filter(pk__in=[number, 2]).order_by())
    (one,) = (statement for statement in prepared(worker_s) if "mailbox_functionmailbox" in statement)
    assert '"id" = $1' in one


@pytest.mark.parametrize("number", NUMBERS)
def test_a_worker_s_number_goes_to_the_server_whole_too(worker_s, number):
    with used(worker_s):
        asked = SearchEntry.objects.filter(words__contains=[number]).query.sql_with_params()
        with worker_s.cursor() as cursor:
            cursor.execute("SELECT ARRAY[%s]::bigint[]", asked[1])
            assert cursor.fetchone() == ([number],)


def test_more_values_than_a_statement_takes_are_asked_for_all_the_same(worker_s):
    """Percent signs and quotes stay what they are."""
    names = [f"%s '{number}" for number in range(70_000)]
    with used(worker_s), transaction.atomic():
        box = FunctionMailbox.objects.create(participant_id="0203:habo.se", address="50 %s's", name="F")
        assert list(FunctionMailbox.objects.filter(address__in=[*names, "50 %s's"])) == [box]
        transaction.set_rollback(True)


def test_the_operator_may_say_that_nothing_is_prepared(monkeypatch, settings):
    monkeypatch.setitem(settings.DATABASES["default"], "OPTIONS", {})
    settings.SDK_DATABASE_PREPARES = False
    prepare_statements()
    assert settings.DATABASES["default"]["OPTIONS"] == {}


@pytest.fixture
def pooled(monkeypatch):
    """A connection as a process that serves pages makes it: from a pool."""
    database = settings.DATABASES["default"]
    monkeypatch.setitem(database, "OPTIONS", {**database["OPTIONS"]})
    monkeypatch.setitem(database, "CONN_MAX_AGE", 0)
    monkeypatch.setattr(settings, "SDK_DATABASE_POOL", 1)
    pool_connections()
    made = connections.create_connection("default")
    yield made
    made.close()
    made.close_pool()


def server_process(database: BaseDatabaseWrapper) -> int:
    with database.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return cursor.fetchone()[0]


def end(process: int) -> None:
    """The server closes a connection, and has done so when this returns."""
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 10000)", [process])


def test_a_connection_that_the_server_has_closed_is_not_given_out_by_the_pool(pooled):
    first = server_process(pooled)
    pooled.close()
    assert server_process(pooled) == first
    pooled.close()
    end(first)
    assert server_process(pooled) != first


def test_a_pool_s_connection_is_given_out_without_asking_the_server(pooled, monkeypatch):
    server_process(pooled)
    pooled.close()
    asked = []
    monkeypatch.setattr(ConnectionPool, "check_connection", asked.append)
    server_process(pooled)
    assert asked == []


def test_a_thread_may_keep_a_connection_beside_the_pool(pooled, monkeypatch):
    shared = server_process(pooled)
    monkeypatch.setattr(database, "connection", pooled)
    assert pooled.pool is not None
    pooled.close()
    database.keep_own_connection()
    assert pooled.pool is None
    own = server_process(pooled)
    assert own != shared
    # The end of a piece of work.
    pooled.close_if_unusable_or_obsolete()
    assert server_process(pooled) == own
    pooled.close_if_unusable_or_obsolete()
    end(own)
    assert server_process(pooled) != own


def test_a_thread_of_a_process_without_a_pool_closes_its_connection_as_before(monkeypatch):
    made = connections.create_connection("default")
    monkeypatch.setattr(database, "connection", made)
    before = made.settings_dict
    database.keep_own_connection()
    assert made.settings_dict is before


def test_a_connection_that_the_server_has_closed_is_made_anew_by_a_worker(worker_s):
    first = server_process(worker_s)
    worker_s.close_if_unusable_or_obsolete()
    assert server_process(worker_s) == first
    end(first)
    worker_s.close_if_unusable_or_obsolete()
    assert server_process(worker_s) != first


def test_what_is_planned_once_is_planned_by_its_first_use_and_answers_for_each_value(worker_s, settings):
    statement = (
        "SELECT count(*) FROM mailbox_functionmailbox WHERE id IN (SELECT id FROM mailbox_person) OR id = %s"
    )
    for number in (1, 2, 2**40):
        with worker_s.planned_cursor() as cursor:
            cursor.execute(statement, [number])
            assert cursor.fetchone() == (0,)
    assert [each for each in prepared(worker_s) if "mailbox_person" in each]
    settings.SDK_DATABASE_PREPARES = False
    with worker_s.planned_cursor() as cursor:
        cursor.execute(f"{statement} AND true", [1])
    assert not [each for each in prepared(worker_s) if "AND true" in each]
