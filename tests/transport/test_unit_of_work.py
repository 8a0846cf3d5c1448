"""Units of work: what many steps write is written in a few statements, or not at all."""

import pytest
from django.db import DataError, connection, transaction
from django.test.utils import CaptureQueriesContext

from transport import unit_of_work
from transport.access_point.models import OutboundTransfer, TransferEvent

from .test_jobs import a_row

pytestmark = pytest.mark.django_db(transaction=True)


def event(cause: str) -> TransferEvent:
    return TransferEvent(kind=TransferEvent.Kind.SENT, cause=cause)


def causes() -> list[str]:
    return sorted(TransferEvent.objects.values_list("cause", flat=True))


def test_without_a_unit_a_row_is_inserted_and_somebody_is_notified_at_once():
    told: list[list[str]] = []
    unit_of_work.insert(event("a"))
    unit_of_work.notify(lambda keys: told.append(list(keys)), "a")
    assert causes() == ["a"]
    assert told == [["a"]]


def test_rows_of_a_unit_are_inserted_together_at_its_end():
    with CaptureQueriesContext(connection) as queries, unit_of_work.unit_of_work():
        for cause in ("a", "b", "c"):
            unit_of_work.insert(event(cause))
        assert causes() == []
    assert causes() == ["a", "b", "c"]
    assert sum(query["sql"].startswith("INSERT") for query in queries) == 1


def test_each_is_notified_once_after_everything_is_written():
    told = []

    def tell(keys):
        told.append((list(keys), causes()))

    with unit_of_work.unit_of_work():
        for key in (1, 2, 1):
            unit_of_work.notify(tell, key)
        unit_of_work.insert(event("a"))
    assert told == [([1, 2], ["a"])]


def test_who_is_notified_may_write_in_turn():
    with unit_of_work.unit_of_work():
        unit_of_work.notify(lambda keys: [unit_of_work.insert(event(key)) for key in keys], "a")
    assert causes() == ["a"]


def test_a_unit_within_another_is_a_part_of_it():
    with unit_of_work.unit_of_work():
        with unit_of_work.unit_of_work():
            unit_of_work.insert(event("a"))
        assert causes() == []
    assert causes() == ["a"]


def test_what_fails_writes_nothing_and_leaves_nothing_for_the_next():
    def fail() -> None:
        with unit_of_work.unit_of_work():
            unit_of_work.insert(event("lost"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with unit_of_work.unit_of_work():
        unit_of_work.insert(event("kept"))
    assert causes() == ["kept"]


def test_saving_writes_what_was_changed_of_rows_that_are_alike_in_one_statement():
    for _ in range(3):
        a_row()
    rows = list(OutboundTransfer.objects.all())
    OutboundTransfer.objects.update(envelope_id="changed meanwhile")
    with CaptureQueriesContext(connection) as queries, unit_of_work.saving(rows):
        for number, row in enumerate(rows):
            row.cause = str(number)
        rows[0].sent_references = [["a", "b"]]
    assert len(queries) == 2
    stored = OutboundTransfer.objects.in_bulk([row.pk for row in rows])
    assert [stored[row.pk].cause for row in rows] == ["0", "1", "2"]
    assert [stored[row.pk].sent_references for row in rows] == [[["a", "b"]], [], []]
    assert {row.envelope_id for row in stored.values()} == {"changed meanwhile"}


def test_nothing_is_written_of_rows_that_were_not_changed():
    row = OutboundTransfer.objects.get(pk=a_row().pk)
    with CaptureQueriesContext(connection) as queries, unit_of_work.saving([row]):
        pass
    assert len(queries) == 0


def test_a_value_that_is_too_long_fails_and_is_not_cut():
    row = OutboundTransfer.objects.get(pk=a_row().pk)
    row.cause = "x" * 101
    with pytest.raises(DataError), transaction.atomic():
        unit_of_work.update([row], ["cause"])
