"""Reading the address of a mailbox's list: view, filters, order, page."""

from dataclasses import dataclass
from typing import Final

from django.http import QueryDict
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as lazy

from mailbox.conversations.addresses import list_url
from mailbox.models import FunctionMailbox

from .forms import ListAddressForm, ListFilterForm, with_english_names
from .inbox import Filters, Status, View, orders_of, reference_hash
from .list_order import Order

NAMES: Final[dict[View, str | Promise]] = {
    View.INBOX: lazy("Inkorg"),
    View.MINE: lazy("Mina"),
    View.UNASSIGNED: lazy("Ej tilldelade"),
    View.WAITING: lazy("Inväntar svar"),
    View.DONE: lazy("Klara"),
    View.SENT: lazy("Skickat"),
    View.DRAFTS: lazy("Utkast"),
    View.TRASH: lazy("Papperskorg"),
}
# The texts of empty views: what is shown there, and what to do.
NOTHING: Final[dict[View, str | Promise]] = {
    View.INBOX: lazy(
        "Inkorgen är tom. Skriv ett meddelande, eller vänta på att någon skriver hit: "
        "sidan uppdateras av sig själv."
    ),
    View.MINE: lazy("Ingen konversation är tilldelad dig. De som ingen har finns under Ej tilldelade."),
    View.UNASSIGNED: lazy("Allt är tilldelat: ingen konversation väntar på en handläggare."),
    View.WAITING: lazy("Inget väntar på kvittens eller svar. Det ni skickar ligger här tills det besvaras."),
    View.DONE: lazy("Ingen konversation är klar än. Det som markeras som klart hamnar här."),
    View.SENT: lazy("Inget har skickats härifrån än."),
    View.DRAFTS: lazy("Det finns inga utkast. Det ni börjar skriva sparas här tills det skickas."),
    View.TRASH: lazy("Papperskorgen är tom."),
}
STATUSES: Final[dict[Status, str | Promise]] = {
    Status.NEW: lazy("Nya för dig"),
    Status.OPEN: lazy("Öppna"),
    Status.ASSIGNED: lazy("Tilldelade"),
    Status.UNASSIGNED: lazy("Ej tilldelade"),
    Status.DUE: lazy("Som skulle vara klara i dag eller tidigare"),
    Status.FAILED: lazy("Som inte kom fram"),
    Status.PRIORITY: lazy("Prioriterade"),
    Status.DONE: lazy("Klara"),
}
ORDERS: Final[dict[Order, str | Promise]] = {
    Order.LATEST: lazy("Senaste först"),
    Order.OLDEST: lazy("Äldsta först"),
    Order.DUE: lazy("Det som ska vara klart först"),
    Order.REMINDER: lazy("Närmaste påminnelse först"),
}
_CHECKED: Final = "on"


@dataclass(frozen=True, slots=True)
class ListQuery:
    """What an address asks for; `query` repeats it without the page, `address` with it, as query strings."""

    view: View
    filters: Filters
    order: Order
    after: str
    page: int
    query: str
    address: str

    def url(self, mailbox_id: int) -> str:
        """The page of the list."""
        return list_url(mailbox_id, self.address)


def read(given: QueryDict) -> ListQuery:
    """What an address asks for; invalid parameters are ignored."""
    parameters = with_english_names(given)
    asked = ListAddressForm(parameters).understood()
    view = View(asked["view"]) if asked["view"] in set(View) else View.INBOX
    status, order = asked["status"], asked["order"]
    kept = QueryDict(mutable=True)
    for name in ListAddressForm.base_fields:
        if name in parameters and parameters[name] and asked[name]:
            kept[name] = str(parameters[name])
    without_page = kept.copy()
    for name in ("after", "page"):
        without_page.pop(name, None)
    return ListQuery(
        view,
        Filters(
            status=Status(status) if status in set(Status) else None,
            label_id=asked["label"],
            organisation=(asked["organisation"] or "").strip(),
            function=(asked["function"] or "").strip(),
            reference=asked["reference"],
            is_confidential=asked["confidential"] == _CHECKED,
            has_attachments=asked["attachments"] == _CHECKED,
            since=asked["since"],
            until=asked["until"],
        ),
        Order(order) if order in orders_of(view) else Order.LATEST,
        asked["after"] or "",
        asked["page"],
        without_page.urlencode(),
        kept.urlencode(),
    )


def address_of_filter(mailbox: FunctionMailbox, posted: QueryDict) -> QueryDict:
    """The address that the filter leads to. A reference becomes a keyed hash; clearing leaves the view."""
    form = ListFilterForm(with_english_names(posted))
    form.full_clean()
    given = form.cleaned_data
    query = QueryDict(mutable=True)
    names = ("view",) if given.get("clear") else tuple(ListFilterForm.base_fields)[:-2]
    for name in names:
        if value := (given.get(name) or "").strip():
            query[name] = value
    reference = (given.get("reference") or "").strip()
    if reference and not given.get("clear"):
        query["reference"] = f"{reference_hash(mailbox, reference) & (2**64 - 1):016x}"
    return query
