"""A conversation's history in words: what was done, by whom and when."""

from collections.abc import Callable
from datetime import date, datetime
from typing import Final

from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from .models import Conversation, ConversationEvent

What = ConversationEvent.What
_WORDS: Final[dict[str, str | Promise]] = {
    What.OPENED: lazy("Öppnad första gången av %(who)s"),
    What.TAKEN: lazy("Tagen av %(who)s"),
    What.GIVEN_BACK: lazy("Lämnad tillbaka av %(who)s"),
    What.LEFT: lazy("Lämnad tillbaka: %(who)s är inte längre medlem eller är spärrad"),
    What.OFFERED: lazy("%(who)s erbjuder den till %(to)s"),
    What.ACCEPTED: lazy("Övertagen av %(who)s"),
    What.DECLINED: lazy("%(who)s tackade nej till att ta över"),
    What.WITHDRAWN: lazy("%(who)s tog tillbaka sitt erbjudande"),
    What.ANSWERED: lazy("Meddelande skrivet av %(who)s"),
    What.DONE: lazy("Markerad som klar av %(who)s"),
    What.REOPENED: lazy("Öppnad på nytt av %(who)s"),
    What.TRASHED: lazy("Lagd i papperskorgen av %(who)s"),
    What.ARRIVED: lazy("Öppnad på nytt: ett meddelande kom"),
    What.REMIND: lazy("%(who)s ställde in en påminnelse %(to)s"),
    What.BROUGHT_UP: lazy("Påminnelse: togs upp igen"),
    What.UNDONE: lazy("Ångrat av %(who)s: %(to)s"),
    What.UNDELIVERED: lazy("Tillbaka i inkorgen: ett meddelande kom inte fram eller avvisades"),
    What.OVERDUE: lazy("Tillbaka i inkorgen: kvittens saknas för ett meddelande"),
    What.CANCELLED: lazy("Sändningen av ett meddelande avbröts"),
    What.STOOD_IN: lazy("Kom hit i stället för till %(to)s, som är stängd eller inte finns"),
}
_UNDONE: Final[dict[str, str | Promise]] = {
    What.TAKEN: lazy("att ta den"),
    What.GIVEN_BACK: lazy("att lämna tillbaka den"),
    What.DONE: lazy("att markera den som klar"),
    What.REOPENED: lazy("att öppna den på nytt"),
    What.TRASHED: lazy("att lägga den i papperskorgen"),
    What.REMIND: lazy("påminnelsen"),
}


def lines_of(conversation: Conversation) -> list[tuple[datetime, str]]:
    """The history, the oldest first."""
    rows = conversation.events.select_related("actor").order_by("at", "pk")
    return [(row.at, in_words(row)) for row in rows]


def in_words(event: ConversationEvent) -> str:
    """One line."""
    who = event.actor.name if event.actor else _("någon som inte finns kvar")
    told = str(_WORDS[event.what])
    if event.what == What.REMIND and not event.to:
        told = _("%(who)s tog bort påminnelsen")
    as_told = _TO.get(event.what, str)
    return told % {"who": who, "to": as_told(event.to)}


def _day(text: str) -> str:
    return date_format(date.fromisoformat(text), "j F Y") if text else ""


_TO: Final[dict[str, Callable[[str], str]]] = {
    What.REMIND: _day,
    What.UNDONE: lambda text: str(_UNDONE.get(text, text)),
}
