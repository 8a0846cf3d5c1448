"""What the reading pane shows: messages and notes, who does what, and what comes next in the list."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from django.http import QueryDict
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as lazy

from mailbox import access
from mailbox.case_systems.shown import deliveries_in
from mailbox.conversations import thread, undo
from mailbox.conversations.addresses import conversation_url, list_url, with_query
from mailbox.conversations.views import notes_and_labels
from mailbox.models import Conversation, ConversationEvent, Message, Person, ReadMark
from mailbox.protection.shown import names_in
from mailbox.registration.shown import registrations_in
from mailbox.requests import PersonRequest
from mailbox.staffed_hours import time_limits

from . import list_query, position
from .forms import ConversationAddressForm, with_english_names
from .inbox import View
from .list_order import Page
from .rows import initials_of
from .shown_messages import ShownMessage, messages_of, with_notes

_HISTORY_LINES: Final = 50
_EARLIER: Final = 5
What = ConversationEvent.What
_DONE: Final[dict[str, str | Promise]] = {
    What.TAKEN: lazy("Tilldelad dig"),
    What.GIVEN_BACK: lazy("Inte längre tilldelad dig"),
    What.OFFERED: lazy("Erbjuden"),
    What.ACCEPTED: lazy("Övertagen"),
    What.DECLINED: lazy("Tackat nej"),
    What.WITHDRAWN: lazy("Erbjudandet tillbakataget"),
    What.DONE: lazy("Klar"),
    What.REOPENED: lazy("Öppnad på nytt"),
    What.TRASHED: lazy("I papperskorgen"),
    What.REMIND: lazy("Påminnelse ändrad"),
    What.DUE: lazy("Klart senast ändrat"),
    What.LABELLED: lazy("Etikett satt"),
    What.UNLABELLED: lazy("Etikett borttagen"),
    What.PRIORITISED: lazy("Prioriterad"),
    What.PRIORITY_REMOVED: lazy("Prioriteten borttagen"),
}
_WHOLE: Final = frozenset({"all", "hela"})


def asked_of(request: PersonRequest) -> dict[str, Any]:
    """What the address of a conversation asks for."""
    return ConversationAddressForm(with_english_names(request.GET)).understood()


def list_asked(list_address: str | None) -> list_query.ListQuery:
    """The list from which the conversation was opened; drafts are no list of conversations."""
    asked = list_query.read(QueryDict(list_address or ""))
    return asked if asked.view is not View.DRAFTS else list_query.read(QueryDict())


def reading_context(
    request: PersonRequest,
    conversation: Conversation,
    *,
    page_of_list: Page[Conversation] | None = None,
    count: int | None = None,
) -> dict[str, Any]:
    """The context of the reading pane. `page_of_list` and `count` are those of the list beside it; the
    conversation is annotated with `may_work` and `may_send`: whether the person does more than read it."""
    person, asked = request.user, asked_of(request)
    from_list = list_asked(asked["list"])
    seen_at = _seen_at(conversation, person)
    page = thread.page_of(
        conversation,
        number=asked["page"],
        holding=asked["message"] or _first_unread(conversation, seen_at),
    )
    registrations = registrations_in(conversation)
    shown = messages_of(
        conversation,
        page,
        seen_at=seen_at,
        asked=asked["message"],
        registrations=registrations.by_message,
    )
    is_whole = asked["history"] in _WHOLE
    sidebar = notes_and_labels.sidebar_context(
        conversation, person, lines=None if is_whole else _HISTORY_LINES
    )
    its_notes = list(sidebar["notes"])
    place = position.position_of(conversation, person, from_list, page=page_of_list, count=count)
    answerable = [message for message in shown if message.message.counterpart_address]
    return {
        **sidebar,
        "conversation": conversation,
        "mailbox": conversation.mailbox,
        "messages_shown": shown,
        "thread": with_notes(shown, its_notes),
        "newest_message": max((message.pk for message in shown), default=""),
        "newest_note": max((note.pk for note in its_notes), default=""),
        "first_unread": next((message.pk for message in shown if message.is_unread), ""),
        "answered": answerable[-1].pk if answerable else (shown[-1].pk if shown else 0),
        "thread_page": page,
        "address": request.get_full_path(),
        "position": place,
        "reassign_url": _url_with_place("reassign", conversation, from_list.address, place),
        "list_address": from_list.address,
        "list_url": list_url(conversation.mailbox_id, from_list.address),
        "own_url": conversation_url(conversation.pk, from_list.address),
        "list_name": from_list.name,
        "assignee_initials": initials_of(conversation.assignee.name) if conversation.assignee else "",
        "is_colleagues": conversation.assignee is not None and conversation.assignee != person,
        "references": _references(shown),
        "may_work": vars(conversation)["may_work"],
        "may_send": vars(conversation)["may_send"],
        "protected_for": names_in(conversation),
        "protection_url": with_query(
            reverse("protection", args=[conversation.pk]), urlencode({"list": from_list.address})
        ),
        "registrations": registrations,
        "case_deliveries": deliveries_in(conversation),
        "register_url": _url_with_place("register", conversation, from_list.address, place),
        # The page that registers one message, up to its key.
        "register_message_url": with_query(
            reverse("register", args=[conversation.pk]),
            urlencode({"list": from_list.address, "message": ""}),
        ),
        "earlier": _earlier(conversation, person),
        "running_limits": time_limits.running_of(conversation),
        "limit": time_limits.shown_of([conversation]).get(conversation.pk),
    }


def undo_offer(person: Person) -> dict[str, Any] | None:
    """What the notice about the latest change says: what was done, with which conversation."""
    offer = undo.offer_of(person)
    if offer is None:
        return None
    # What a function was offered and declined is no conversation of theirs: it is not named.
    is_seen = len(offer.events) > 1 or (
        access.conversations_of(person).filter(pk=offer.conversation_id).exists()
    )
    return {
        "events": [event.pk for event in offer.events],
        "what": _DONE.get(offer.what, ""),
        "count": len(offer.events),
        "subject": offer.subject if is_seen else "",
        "is_named": is_seen and len(offer.events) == 1,
        "url": reverse("undo", args=[offer.conversation_id]),
        "seconds": undo.UNDO_SECONDS,
    }


def _seen_at(conversation: Conversation, person: Person) -> datetime | None:
    marks = ReadMark.objects.filter(conversation=conversation, person=person)
    return marks.values_list("seen_at", flat=True).first()


def _first_unread(conversation: Conversation, seen_at: datetime | None) -> int | None:
    """The first message that somebody who has seen the conversation before has not seen."""
    if seen_at is None or conversation.last_arrived_at is None or conversation.last_arrived_at <= seen_at:
        return None
    unread = conversation.messages.filter(direction=Message.Direction.IN, at__gt=seen_at)
    return unread.order_by("at", "pk").values_list("pk", flat=True).first()


def _earlier(conversation: Conversation, person: Person) -> list[Conversation]:
    """Other conversations of the mailbox with the same function there, the latest first."""
    rows = access.conversations_of(person).filter(
        mailbox=conversation.mailbox_id, counterpart=conversation.counterpart
    )
    rows = rows.exclude(pk=conversation.pk).exclude(state=Conversation.State.TRASH)
    return list(rows.order_by("-last_activity_at", "-pk")[:_EARLIER])


def _url_with_place(
    name: str, conversation: Conversation, list_address: str, place: position.Position
) -> str:
    """The page that does something with the conversation, and may then lead on to the next of the list."""
    parameters: dict[str, str | int] = {"list": list_address}
    if place.next_key:
        parameters |= {"next": place.next_key, "next_list": place.next_list}
    return with_query(reverse(name, args=[conversation.pk]), urlencode(parameters))


def _references(shown: Sequence[ShownMessage]) -> dict[str, list[str]]:
    """The case numbers that the messages name: ours and the other side's."""
    ours: dict[str, None] = {}
    theirs: dict[str, None] = {}
    for message in shown:
        row = message.message
        sender, recipient = (ours, theirs) if message.is_sent else (theirs, ours)
        sender.update(dict.fromkeys(str(reference.get("value", "")) for reference in row.sender_references))
        recipient.update(
            dict.fromkeys(str(reference.get("value", "")) for reference in row.recipient_references)
        )
    return {"ours": [text for text in ours if text], "theirs": [text for text in theirs if text]}
