"""Reading the address of a mailbox's list: view, filters, order, page."""

from dataclasses import dataclass
from typing import Final

from django.http import QueryDict
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from mailbox.conversations.addresses import ACROSS, ACROSS_ON, list_url
from mailbox.models import FunctionMailbox

from .forms import ListAddressForm, ListFilterForm, with_english_names
from .inbox import Filters, Status, View, orders_of, reference_hash
from .list_order import Order

NAMES: Final[dict[View, str | Promise]] = {
    View.INBOX: lazy("Inkorg"),
    View.MINE: lazy("Mina"),
    View.UNASSIGNED: lazy("Ej tilldelade"),
    View.UNREGISTERED: lazy("Ej registrerat"),
    View.URGENT: lazy("Bråttom"),
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
    View.UNREGISTERED: lazy(
        "Allt är registrerat, eller bedömt som av ringa betydelse. Det som kommer eller skickas härefter "
        "står här tills någon registrerar det."
    ),
    View.URGENT: lazy("Ingen tidsgräns går ut i dag, och ingen är missad."),
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
    Status.LATE: lazy("Med missad tidsgräns"),
    Status.PRIORITY: lazy("Prioriterade"),
    Status.UNREGISTERED: lazy("Ej registrerade"),
    Status.FAILED: lazy("Som inte kom fram"),
    Status.DONE: lazy("Klara"),
}
ORDERS: Final[dict[Order, str | Promise]] = {
    Order.LATEST: lazy("Senaste först"),
    Order.OLDEST: lazy("Äldsta först"),
    Order.DUE: lazy("Det som ska vara klart först"),
    Order.REMINDER: lazy("Närmaste påminnelse först"),
    Order.TIME_LIMIT: lazy("Närmaste tidsgräns först"),
}
_CHECKED: Final = "on"
# Drafts are no conversations, and what is urgent anywhere is on the start page. A reference's hash and a
# label's key are of one organisation or mailbox.
VIEWS_ACROSS: Final = tuple(view for view in View if view not in {View.DRAFTS, View.URGENT})
_ONLY_IN_A_MAILBOX: Final = ("reference", "label")
_ONLY_ACROSS: Final = ("across", "mailboxes", "label_name")
_NAMES_OF_FILTER: Final = tuple(
    name for name in ListFilterForm.base_fields if name not in {"mailbox", "reference", "clear"}
)


@dataclass(frozen=True, slots=True)
class ListQuery:
    """What an address asks for; `query` repeats it without the page, `address` with it, as query strings.

    A list across mailboxes (`is_across`) is of those with `mailbox_ids`, or of all.
    """

    view: View
    filters: Filters
    order: Order
    after: str
    page: int
    query: str
    address: str
    is_across: bool = False
    mailbox_ids: tuple[int, ...] = ()

    @property
    def name(self) -> str | Promise:
        """The name of the view, and that it is one across mailboxes."""
        view = NAMES[self.view]
        return _("Alla brevlådor: %(view)s") % {"view": view} if self.is_across else view

    @property
    def is_narrowed(self) -> bool:
        """Whether filters, mailboxes or an order other than the view's usual one were chosen."""
        usual = orders_of(self.view, is_across=self.is_across)[0]
        return bool(self.filters or self.mailbox_ids) or self.order is not usual

    def url(self, mailbox_id: int) -> str:
        """The page of the list."""
        return list_url(mailbox_id, self.address)


def read(given: QueryDict, *, is_across: bool | None = None) -> ListQuery:
    """What an address asks for; invalid parameters are ignored.

    `is_across` is whether it is the address of a list across mailboxes; None where the address itself says.
    """
    parameters = with_english_names(given)
    asked = ListAddressForm(parameters).understood()
    if is_across is None:
        is_across = asked[ACROSS] == ACROSS_ON
    for name in _ONLY_IN_A_MAILBOX if is_across else _ONLY_ACROSS:
        asked[name] = ListAddressForm.base_fields[name].initial
    views = VIEWS_ACROSS if is_across else tuple(View)
    view = View(asked["view"]) if asked["view"] in views else View.INBOX
    orders = orders_of(view, is_across=is_across)
    status, order = asked["status"], asked["order"]
    kept = QueryDict(mutable=True)
    if is_across:
        kept[ACROSS] = ACROSS_ON
    for name in ListAddressForm.base_fields:
        if name != ACROSS and name in parameters and parameters[name] and asked[name]:
            kept[name] = str(parameters[name])
    if asked["mailboxes"]:
        kept["mailboxes"] = ".".join(str(key) for key in asked["mailboxes"])
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
            label_name=(asked["label_name"] or "").strip(),
        ),
        Order(order) if order in orders else orders[0],
        asked["after"] or "",
        asked["page"],
        without_page.urlencode(),
        kept.urlencode(),
        is_across,
        asked["mailboxes"],
    )


def address_of_filter(mailbox: FunctionMailbox | None, posted: QueryDict) -> QueryDict:
    """The address that the filter of a mailbox's list leads to, or of the list across mailboxes (None).

    A reference becomes a keyed hash; clearing leaves the view.
    """
    form = ListFilterForm(with_english_names(posted))
    form.full_clean()
    given = form.cleaned_data
    query = QueryDict(mutable=True)
    if mailbox is None:
        query[ACROSS] = ACROSS_ON
    is_cleared = bool(given.get("clear"))
    if mailbox is None and not is_cleared and (chosen := given.get("mailbox")):
        query["mailboxes"] = ".".join(str(key) for key in sorted(chosen))
    unused = _ONLY_IN_A_MAILBOX if mailbox is None else _ONLY_ACROSS
    for name in ("view",) if is_cleared else (name for name in _NAMES_OF_FILTER if name not in unused):
        if value := (given.get(name) or "").strip():
            query[name] = value
    reference = (given.get("reference") or "").strip()
    if mailbox is not None and reference and not is_cleared:
        query["reference"] = f"{reference_hash(mailbox, reference) & (2**64 - 1):016x}"
    return query
