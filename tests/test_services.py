"""The ground that tests stand on."""

import psycopg
import pytest
from django.db import connection
from redis import Redis


@pytest.mark.django_db
def test_the_database_is_postgresql_with_what_search_needs():
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM pg_available_extensions WHERE name IN ('pg_trgm', 'unaccent')")
        assert {name for (name,) in cursor.fetchall()} == {"pg_trgm", "unaccent"}
    assert isinstance(connection.connection, psycopg.Connection)


def test_the_broker_answers(settings):
    with Redis.from_url(settings.CELERY_BROKER_URL) as client:
        assert client.ping()
