"""What an address asks of a mailbox's list: view, filters, order, page."""

from dataclasses import dataclass
from datetime import date
from typing import Final

from django.http import QueryDict
from django.utils.dateparse import parse_date
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as lazy

from mailbox.models import FunctionMailbox

from .inbox import Filters, Status, View, orders_of, reference_hash
from .list_order import Order

NAMES: Final[dict[View, str | Promise]] = {
    View.INBOX: lazy("Inkorg"),
    View.MINE: lazy("Mina"),
    View.UNASSIGNED: lazy("Ingens"),
    View.WAITING: lazy("Väntar"),
    View.DONE: lazy("Klara"),
    View.SENT: lazy("Skickat"),
    View.DRAFTS: lazy("Utkast"),
    View.TRASH: lazy("Papperskorg"),
}
# What a view that is empty says: what comes there, and what to do.
NOTHING: Final[dict[View, str | Promise]] = {
    View.INBOX: lazy(
        "Inkorgen är tom. Skriv ett meddelande, eller vänta på att någon skriver hit: "
        "sidan uppdateras av sig själv."
    ),
    View.MINE: lazy("Du har inte tagit någon konversation. Det som ingen har tagit finns under Ingens."),
    View.UNASSIGNED: lazy("Allt är taget: ingen konversation väntar på att någon tar hand om den."),
    View.WAITING: lazy("Inget väntar på kvittens eller svar. Det ni skickar ligger här tills det besvaras."),
    View.DONE: lazy("Ingen konversation är klar än. Det som markeras som klart hamnar här."),
    View.SENT: lazy("Inget har skickats härifrån än."),
    View.DRAFTS: lazy("Det finns inga utkast. Det ni börjar skriva sparas här tills det skickas."),
    View.TRASH: lazy("Papperskorgen är tom."),
}
STATUSES: Final[dict[Status, str | Promise]] = {
    Status.NEW: lazy("Nya för dig"),
    Status.OPEN: lazy("Öppna"),
    Status.TAKEN: lazy("Tagna"),
    Status.UNASSIGNED: lazy("Som ingen har tagit"),
    Status.DUE: lazy("Som skulle vara klara i dag eller tidigare"),
    Status.FAILED: lazy("Som inte kom fram"),
    Status.DONE: lazy("Klara"),
}
ORDERS: Final[dict[Order, str | Promise]] = {
    Order.LATEST: lazy("Senaste först"),
    Order.OLDEST: lazy("Äldsta först"),
    Order.DUE: lazy("Det som ska vara klart först"),
    Order.REMINDER: lazy("Närmaste påminnelse först"),
}
# In the order in which they stand in an address; a reference is not repeated there.
_KEPT: Final = (
    "vy",
    "ordning",
    "lage",
    "etikett",
    "organisation",
    "funktion",
    "sekretess",
    "bilagor",
    "fran",
    "till",
)
_LONGEST: Final = 100
_BITS: Final = 63


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked for; `address` repeats it without the page."""

    view: View
    filters: Filters
    order: Order
    after: str
    page: int
    address: str


def read(query: QueryDict) -> Asked:
    """What an address asks; what cannot be understood is left out."""
    named = query.get("vy", "")
    view = View(named) if named in set(View) else View.INBOX
    kept = query.copy()
    for name in ("efter", "sida"):
        kept.pop(name, None)
    number, status = query.get("sida", ""), query.get("lage", "")
    order = query.get("ordning", "")
    return Asked(
        view,
        Filters(
            status=Status(status) if status in set(Status) else None,
            label_id=_identity(query.get("etikett", "")),
            organisation=query.get("organisation", "").strip()[:_LONGEST],
            function=query.get("funktion", "").strip()[:_LONGEST],
            reference=_hash(query.get("beteckning", "")),
            is_confidential=query.get("sekretess") == "on",
            has_attachments=query.get("bilagor") == "on",
            since=_day(query.get("fran", "")),
            until=_day(query.get("till", "")),
        ),
        Order(order) if order in orders_of(view) else Order.LATEST,
        query.get("efter", ""),
        int(number) if number.isdecimal() and len(number) < 7 else 1,
        kept.urlencode(),
    )


def as_asked(mailbox: FunctionMailbox, form: QueryDict) -> QueryDict:
    """The address that a filter leads to. A reference becomes a keyed hash; clearing leaves the view."""
    query = QueryDict(mutable=True)
    names = ("vy",) if form.get("rensa") else _KEPT
    for name in names:
        value = form.get(name, "").strip()
        if value:
            query[name] = value[:_LONGEST]
    reference = form.get("beteckning", "").strip()
    if reference and not form.get("rensa"):
        query["beteckning"] = f"{reference_hash(mailbox, reference) & (2**64 - 1):016x}"
    return query


def _hash(text: str) -> int | None:
    try:
        number = int(text, 16) if len(text) == 16 else None
    except ValueError:
        return None
    return number - 2**64 if number is not None and number >> _BITS else number


def _identity(text: str) -> int | None:
    return int(text) if text.isdecimal() and len(text) < 19 else None


def _day(text: str) -> date | None:
    try:
        return parse_date(text)
    except ValueError:
        return None
