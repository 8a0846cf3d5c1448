"""Views across mailboxes that a person has saved: the address of a list, by a name.

A saved view gives no right: what it shows is what the person sees when it is shown.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from django.db import IntegrityError, transaction
from django.db.models import Func
from django.http import QueryDict

from mailbox.access import saved_views_of
from mailbox.models import Person, SavedView

from . import inbox, list_query

MOST: Final = 20
LONGEST: Final = 40


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


def counters(person: Person, views: Sequence[SavedView]) -> Mapping[int, Func]:
    """Expressions for the number of conversations in each view, by the view's key.

    Only of views that narrow open conversations by no more than a status: others could cost too much for the
    sidebar of every page.
    """
    found = {}
    for view in views:
        asked = asked_by(view.address)
        counter = inbox.counted_across(person, asked.view, asked.filters, mailbox_ids=asked.mailbox_ids)
        if counter is not None:
            found[view.pk] = counter
    return found


def _saved(view: SavedView) -> SavedView:
    try:
        with transaction.atomic():
            view.save()
    except IntegrityError:
        raise NameTaken from None
    return view
