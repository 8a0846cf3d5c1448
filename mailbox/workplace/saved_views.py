"""Views across mailboxes that a person has saved: the address of a list, by a name.

A saved view gives no right: what it shows is what the person sees when it is shown.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.http import QueryDict

from mailbox.access import saved_views_of
from mailbox.models import Person, SavedView
from mailbox.prepared_query import PreparedQuery

from . import inbox, list_query

MOST: Final = 20
LONGEST: Final = 40
# So many sets of views have their counts' SQL ready in a process.
_REMEMBERED: Final = 500


class NameTaken(Exception):
    """The person has a view by this name already."""


class TooMany(Exception):
    """The person has `MOST` views already."""


def views_of(person: Person) -> list[SavedView]:
    """The person's views by name."""
    return list(saved_views_of(person).order_by("name", "pk"))


def asked_by(address: str) -> list_query.ListQuery:
    """The list across mailboxes that an address asks for."""
    return list_query.read(QueryDict(address), is_across=True)


def save(person: Person, name: str, address: str) -> SavedView:
    """Save the list with this address, without its page. Raises `NameTaken`, `TooMany`."""
    with transaction.atomic():
        # The lock keeps another page of theirs from adding one in between.
        Person.objects.select_for_update(no_key=True).get(pk=person.pk)
        if saved_views_of(person).count() >= MOST:
            raise TooMany
        return _saved(SavedView(person=person, name=name, address=asked_by(address).query))


def rename(view: SavedView, name: str) -> None:
    """Give a view another name. Raises `NameTaken`."""
    view.name = name
    _saved(view)


def remove(view: SavedView) -> None:
    """Delete a view; its conversations stay."""
    view.delete()


def counts(person: Person, views: Sequence[SavedView]) -> Mapping[int, int]:
    """The number of conversations in each view, by the view's key, in one query.

    Only of views that narrow open conversations by no more than a status: others could cost too much for the
    sidebar of every page.
    """
    asked = {view.pk: asked_by(view.address) for view in views}
    cheap = {key: query for key, query in asked.items() if inbox.is_cheap_to_count(query.view, query.filters)}
    if not cheap:
        return {}
    kinds = tuple((query.view, query.filters.status, query.mailbox_ids) for query in cheap.values())
    return dict(zip(cheap, _counting(kinds).row(person) or (0,) * len(cheap), strict=True))


@lru_cache(maxsize=_REMEMBERED)
def _counting(kinds: tuple[tuple[inbox.View, inbox.Status | None, tuple[int, ...]], ...]) -> PreparedQuery:
    """The numbers of conversations in views of these kinds: view, status, and mailboxes' keys."""

    def counts_of(person: Person) -> QuerySet[Person, Any]:
        columns = {
            f"view_{number}": inbox.counted_across(person, view, status, mailbox_ids)
            for number, (view, status, mailbox_ids) in enumerate(kinds)
        }
        return Person.objects.filter(pk=person.pk).annotate(**columns).values_list(*columns)

    return PreparedQuery(counts_of)


def _saved(view: SavedView) -> SavedView:
    try:
        with transaction.atomic():
            view.save()
    except IntegrityError:
        raise NameTaken from None
    return view
