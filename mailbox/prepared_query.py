"""Queries whose SQL is written once in a process, and then sent with the values of each call.

To build a query of a dozen subqueries takes Django longer than it takes PostgreSQL to answer it, and so does
planning it PostgreSQL, which does it once for a connection. What can be prepared asks nothing while it is
built, and holds no moment but midnights: those of the day for which it was built, after which it is built
anew. "Now" is the database's (`Now()`).
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, time
from typing import Any, Final, NoReturn, Protocol, TypeVar, cast

from django.db import DEFAULT_DB_ALIAS, connection
from django.db.backends.utils import CursorWrapper
from django.db.models import Model, QuerySet
from django.db.models.query import RawQuerySet
from django.db.models.sql.query import RawQuery
from django.utils import timezone

from .models import Person

ModelT = TypeVar("ModelT", bound=Model)
# Stand for the values of a call while the query is built; no row has such a key.
_FIRST_MARK: Final = 9_000_000_000_000_000_001


class NotPreparable(Exception):
    """The query depends on more than the person, the keys that are given with them, and the day."""


class PreparedQuery:
    """A query about a person, and rows whose keys are given with them.

    `build` gets a person and as many keys as each call, and returns the query. It may not look at them: they
    are marks in whose place the SQL has the values of a call. Of somebody who is locked out everywhere
    nothing is found, without a query.
    """

    def __init__(self, build: Callable[..., QuerySet[Any, Any]]) -> None:
        self._build = build
        # The day, the SQL and its parameters, marks among them: one value, which threads replace as a whole.
        self._prepared: tuple[date, int, str, tuple[Any, ...]] | None = None

    def row(self, person: Person, *keys: int) -> tuple[Any, ...] | None:
        """The first row's columns, as the database has them."""
        if not person.is_active:
            return None
        with _cursor() as cursor:
            cursor.execute(*self._statement(person, keys))
            found: tuple[Any, ...] | None = cursor.fetchone()
        return found

    def rows(self, person: Person, *keys: int) -> list[tuple[Any, ...]]:
        """All rows' columns, as the database has them."""
        if not person.is_active:
            return []
        with _cursor() as cursor:
            cursor.execute(*self._statement(person, keys))
            return list(cursor.fetchall())

    def instances(self, model: type[ModelT], person: Person, *keys: int) -> list[ModelT]:
        """The rows as instances of `model`, with the query's annotations as attributes."""
        if not person.is_active:
            return []
        sql, parameters = self._statement(person, keys)
        query = _PlannedQuery(sql, using=DEFAULT_DB_ALIAS, params=tuple(parameters))
        found: Iterable[ModelT] = RawQuerySet(sql, model=model, query=query)  # type: ignore[arg-type]
        return list(found)

    def _statement(self, person: Person, keys: tuple[int, ...]) -> tuple[str, list[Any]]:
        today = timezone.localdate()
        prepared = self._prepared
        if prepared is None or prepared[:2] != (today, len(keys)):
            prepared = self._prepared = (today, len(keys), *self._written(len(keys)))
        values = {_FIRST_MARK + number: key for number, key in enumerate((person.pk, *keys))}
        return prepared[2], [
            values.get(parameter, parameter) if isinstance(parameter, int) else parameter
            for parameter in prepared[3]
        ]

    def _written(self, key_count: int) -> tuple[str, tuple[Any, ...]]:
        marks = range(_FIRST_MARK, _FIRST_MARK + 1 + key_count)
        with _asking_nothing():
            sql, parameters = self._build(Person(pk=marks[0]), *marks[1:]).query.sql_with_params()
        if missing := set(marks) - {each for each in parameters if isinstance(each, int)}:
            raise NotPreparable(f"{len(missing)} of {len(marks)} values are not in the query")
        for each in parameters:
            if isinstance(each, datetime) and timezone.localtime(each).time() != time():
                raise NotPreparable(f"the query holds a moment, {each}: use the database's Now()")
            if isinstance(each, list | tuple) and set(each) & set(marks):
                raise NotPreparable("a value is in a list")
        return sql, parameters


class _PlansOnce(Protocol):
    """What `sdkportal.postgresql.base` adds to a connection."""

    def planned_cursor(self) -> CursorWrapper: ...


class _PlannedQuery(RawQuery):
    """SQL whose rows become instances."""

    def _execute_query(self) -> None:
        self.cursor = _cursor()
        self.cursor.execute(self.sql, self.params)


def _cursor() -> CursorWrapper:
    return cast(_PlansOnce, connection).planned_cursor()


@contextmanager
def _asking_nothing() -> Iterator[None]:
    def refuse(*_: object) -> NoReturn:
        raise NotPreparable("the query asks the database while it is built")

    with connection.execute_wrapper(refuse):
        yield
