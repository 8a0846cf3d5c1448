"""What the database is asked, whatever way its values take."""

import pytest
from django.db import connection
from django.db.models import BigIntegerField, Value
from django.db.models.functions import Cast

from mailbox.models import FunctionMailbox, SearchEntry
from sdkportal import environment

pytestmark = pytest.mark.django_db
NUMBERS = (0, -1, 2**31 - 1, -(2**31), 2**31, -(2**31) - 1, 2**40, 2**63 - 1, -(2**63))


@pytest.mark.parametrize("number", NUMBERS)
def test_a_number_that_is_no_field_s_goes_to_the_server_whole(number):
    FunctionMailbox.objects.create(participant_id="0203:habo.se", address="f", name="F")
    asked = FunctionMailbox.objects.annotate(it=Cast(Value(number), BigIntegerField()))
    assert asked.values_list("it", flat=True).get() == number


@pytest.mark.parametrize("number", NUMBERS)
def test_an_array_is_searched_for_the_number_that_was_asked_for(number):
    asked = SearchEntry.objects.filter(words__contains=[number]).query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute("SELECT ARRAY[%s]::bigint[]", asked[1])
        assert cursor.fetchone() == ([number],)


def test_more_values_than_a_statement_takes_are_asked_for_all_the_same():
    """Percent signs and quotes stay what they are."""
    box = FunctionMailbox.objects.create(participant_id="0203:habo.se", address="50 %s's", name="F")
    names = [f"%s '{number}" for number in range(70_000)]
    found = FunctionMailbox.objects.filter(address__in=[*names, "50 %s's"])
    assert list(found) == [box]
    made = FunctionMailbox.objects.bulk_create(
        FunctionMailbox(participant_id="0203:habo.se", address=name, name="%") for name in names
    )
    assert FunctionMailbox.objects.count() == len(made) + 1
    assert set(FunctionMailbox.objects.exclude(pk=box.pk).values_list("address", flat=True)) == set(names)


def test_statements_are_prepared_unless_the_operator_says_otherwise(monkeypatch):
    monkeypatch.setenv("SDK_DATABASE_URL", "postgresql:///x?sslmode=require")

    def options() -> object:
        return environment.database("SDK_DATABASE_URL", "")["OPTIONS"]

    monkeypatch.delenv("SDK_DATABASE_PREPARES", raising=False)
    assert options() == {"server_side_binding": True, "prepare_threshold": 5, "sslmode": "require"}
    monkeypatch.setenv("SDK_DATABASE_PREPARES", "0")
    assert options() == {"sslmode": "require"}


def test_what_is_asked_often_is_prepared():
    for number in range(10):
        list(FunctionMailbox.objects.filter(pk=number))
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement FROM pg_prepared_statements")
        assert any("mailbox_functionmailbox" in statement for (statement,) in cursor.fetchall())
