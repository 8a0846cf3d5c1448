"""The delivery of a sent message in words. They never claim more than what is known."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from transport.message_service.api import (
    BY_API,
    BY_HAND,
    LOCAL,
    RECEIPT_MISSING,
    SYSTEM,
    TRANSPORT_RECEIPT,
    TRANSPORT_RECEIPT_MISSING,
    Cause,
    Delivery,
    DeliveryEvent,
    RejectionCause,
)
from transport.message_service.api import OutgoingState as State


@dataclass(frozen=True, slots=True)
class Rung:
    """A step of the ladder. `status` is done, current, waiting or failed."""

    name: str
    status: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Ladder:
    """What is shown of a delivery: its steps, what went wrong and what to do about it, its history."""

    rungs: tuple[Rung, ...]
    problem: str
    advice: str
    history: tuple[tuple[datetime, str, str], ...]
    may_be_sent_again: bool
    may_be_cancelled: bool


# A state of ours for lists: B1.4.2 has none for a message that was cancelled.
CANCELLED: Final = "CANCELLED"

_SHORT: dict[str, str | Promise] = {
    State.SCHEDULED: lazy("Skickas"),
    State.SUBMITTED: lazy("Skickas"),
    State.SCHEDULED_FOR_RESEND: lazy("Försöker igen"),
    State.ACKNOWLEDGE: lazy("Framme hos organisationen"),
    State.WAITING_FOR_RECEIPT: lazy("Framme hos organisationen"),
    State.ACCEPTED: lazy("Mottaget av verksamheten"),
    State.REJECTED: lazy("Avvisat"),
    State.MESSAGE_EXCHANGE_ERROR: lazy("Kunde inte levereras"),
    State.ERROR: lazy("Kunde inte levereras"),
    CANCELLED: lazy("Avbrutet"),
}

# By the message service's cause codes: why a message could not be delivered, and what to do about it.
_FAILURES: dict[str, tuple[str | Promise, str | Promise]] = {
    "participant-unknown": (
        lazy("Mottagarens organisation är inte ansluten till SDK."),
        lazy("Kontrollera mottagaren i adressboken, eller kontakta den på annat sätt."),
    ),
    "document-type-not-served": (
        lazy("Mottagarens organisation tar inte emot SDK-meddelanden just nu."),
        lazy("Kontakta mottagaren på annat sätt."),
    ),
    "certificate-not-published": (
        lazy("Mottagarens organisation har inte publicerat något krypteringscertifikat."),
        lazy("Meddelandet lämnade aldrig er organisation. Kontakta mottagaren på annat sätt."),
    ),
    "recipient-certificate-untrusted": (
        lazy("Mottagarens krypteringscertifikat är ogiltigt eller spärrat."),
        lazy("Meddelandet lämnade aldrig er organisation. Kontakta mottagaren på annat sätt."),
    ),
    "access-point-untrusted": (
        lazy("Mottagarens accesspunkt har ett ogiltigt eller spärrat certifikat."),
        lazy("Meddelandet lämnade aldrig er organisation. Kontakta mottagaren på annat sätt."),
    ),
    "metadata-untrusted": (
        lazy("Uppgifterna om mottagaren i federationen kunde inte styrkas."),
        lazy("Tala om det för er administratör."),
    ),
    "not-serviced": (
        lazy("Mottagarens accesspunkt tar inte längre emot för organisationen."),
        lazy("Kontakta mottagaren på annat sätt."),
    ),
    "no-signing-key": (
        lazy("Er organisation saknar ett giltigt signeringscertifikat."),
        lazy("Tala om det för er administratör."),
    ),
    "malware-found": (
        lazy("Skadlig kod hittades i en bilaga eller i texten. Meddelandet lämnade aldrig er organisation."),
        lazy("Skicka inte bilagan igen. Tala om det för er administratör."),
    ),
    "scanner-unavailable": (
        lazy(
            "Bilagorna kunde inte kontrolleras mot skadlig kod. Meddelandet lämnade aldrig er organisation."
        ),
        lazy("Tala om det för er administratör, och skicka igen när kontrollen fungerar."),
    ),
    "too-large-to-scan": (
        lazy("En bilaga är större än vad som kan kontrolleras. Meddelandet lämnade aldrig er organisation."),
        lazy("Tala om det för er administratör."),
    ),
    "message-invalid": (
        lazy("Meddelandet följer inte federationens regler. Det lämnade aldrig er organisation."),
        lazy("Skriv det på nytt. Går det inte då heller, tala om det för er administratör."),
    ),
    "message-service-unavailable": (
        lazy("Meddelandetjänsten som brevlådan använder har inte kunnat nås."),
        lazy("Meddelandet lämnade aldrig er organisation. Tala om det för er administratör."),
    ),
    "message-service-refused": (
        lazy("Meddelandetjänsten som brevlådan använder tog inte emot meddelandet."),
        lazy("Meddelandet lämnade aldrig er organisation. Tala om det för er administratör."),
    ),
    "unreachable": (
        lazy("Mottagarens system svarade inte, trots flera försök."),
        lazy("Skicka igen senare, eller kontakta mottagaren på annat sätt."),
    ),
}
_OTHER_FAILURE = (
    lazy("Mottagarens system tog inte emot meddelandet."),
    lazy("Skicka igen senare. Går det inte då heller, tala om det för er administratör."),
)

# By the detail codes of REJECTED receipts (B1.3.3 5.3): what was wrong, and what to do about it.
_REJECTIONS: dict[str, tuple[str | Promise, str | Promise]] = {
    "not-found": (
        lazy("Funktionen finns inte hos mottagaren."),
        lazy("Sök upp mottagaren igen i adressboken: funktionen kan ha fått en ny adress."),
    ),
    "not-supported": (
        lazy("Mottagaren tar inte emot en av filtyperna, eller det meddelande som ni svarar på är avvisat."),
        lazy("Skicka bilagan som PDF, eller börja en ny konversation."),
    ),
    "too-long": (
        lazy("Meddelandet är för stort för mottagaren."),
        lazy("Dela upp bilagorna på flera meddelanden."),
    ),
    "forbidden": (
        lazy("Mottagaren fann skadlig kod i en bilaga."),
        lazy("Skicka inte bilagan igen. Tala om det för er administratör."),
    ),
    "duplicate": (
        lazy("Mottagaren har redan fått ett meddelande med samma identitet."),
        lazy("Kontrollera att det första kom fram; annars skriv meddelandet på nytt."),
    ),
    "structure": (
        lazy("Mottagarens system kunde inte läsa meddelandet."),
        lazy("Tala om det för er administratör: det är ett tekniskt fel."),
    ),
    "invariant": (
        lazy("Meddelandet följer inte federationens regler, enligt mottagarens system."),
        lazy("Tala om det för er administratör: det är ett tekniskt fel."),
    ),
    "security": (
        lazy("Mottagarens system kunde inte styrka att meddelandet kommer från er."),
        lazy("Tala om det för er administratör: certifikatet kan ha bytts eller spärrats."),
    ),
}
_OTHER_REJECTION = (
    lazy("Mottagarens system avvisade meddelandet."),
    lazy("Kontakta mottagaren på annat sätt."),
)
# By cause codes: why a message waits to be sent, unless it waits for one of the federation's services.
_WAITING: dict[str, str | Promise] = {
    "scanner-unavailable": lazy(
        "Meddelandet väntar: kontrollen mot skadlig kod svarar inte just nu. Det skickas när den svarar."
    ),
    "too-large-to-scan": lazy(
        "Meddelandet väntar: en bilaga är större än vad kontrollen mot skadlig kod tar emot. "
        "Tala om det för er administratör."
    ),
    "message-service-unavailable": lazy(
        "Meddelandet väntar: meddelandetjänsten som brevlådan använder kan inte nås just nu. "
        "Det skickas när den kan nås."
    ),
}
_EVENTS: dict[str, str | Promise] = {
    State.SCHEDULED: lazy("Lagt för sändning"),
    State.SUBMITTED: lazy("Krypterat, signerat och lämnat till accesspunkten"),
    State.SCHEDULED_FOR_RESEND: lazy("Kom inte fram; nytt försök görs"),
    TRANSPORT_RECEIPT: lazy("Transportkvittens: framme hos mottagarens organisation"),
    State.ACKNOWLEDGE: lazy("Levererat till mottagarens accesspunkt"),
    State.WAITING_FOR_RECEIPT: lazy("Väntar på meddelandekvittens"),
    State.ACCEPTED: lazy("Meddelandekvittens: mottaget av verksamheten"),
    State.REJECTED: lazy("Meddelandekvittens: avvisat"),
    State.ERROR: lazy("Fel"),
    State.MESSAGE_EXCHANGE_ERROR: lazy("Kunde inte levereras"),
    RECEIPT_MISSING: lazy("Kvittens saknas"),
    TRANSPORT_RECEIPT_MISSING: lazy("Transportkvittens saknas"),
}
# The events of a message that is delivered within this node.
_LOCAL_EVENTS: dict[str, str | Promise] = {
    State.SUBMITTED: lazy("Signerat och lämnat direkt, inom den här installationen"),
    TRANSPORT_RECEIPT: lazy("Framme hos mottagarens organisation"),
    State.ACKNOWLEDGE: lazy("Levererat inom installationen"),
}
# The events of a message that another message service sends for us.
_API_EVENTS: dict[str, str | Promise] = {
    State.SUBMITTED: lazy("Lämnat till den andra meddelandetjänsten"),
}


def short_state(state: str, *, is_receipt_missing: bool) -> str:
    """The state of a delivery for lists, in one to five words."""
    if is_receipt_missing:
        return _("Kvittens saknas") if state == State.WAITING_FOR_RECEIPT else _("Har inte kommit fram än")
    return str(_SHORT.get(state, ""))


def ladder_of(delivery: Delivery) -> Ladder:
    """The ladder of a message, from what the message service knows of its delivery."""
    state = delivery.state
    arrived_at = delivery.transport_receipt_at
    is_settled = state in (State.ACCEPTED, State.REJECTED)
    has_failed = state in (State.MESSAGE_EXCHANGE_ERROR, State.ERROR)
    problem, advice = _problem(delivery)
    is_rejected = state is State.REJECTED
    last_status = "done" if state is State.ACCEPTED else "failed" if is_rejected else "waiting"
    if last_status == "waiting" and arrived_at and not has_failed:
        last_status = "current"
    has_arrived = bool(arrived_at) or is_settled
    rungs = (
        Rung(
            _("Skickat") if has_arrived else _("Kunde inte skickas") if has_failed else _("Skickas"),
            "done" if has_arrived else "failed" if has_failed else "current",
            delivery.created_at,
        ),
        Rung(_("Framme hos mottagarens organisation"), "done" if has_arrived else "waiting", arrived_at),
        Rung(
            _("Avvisat av mottagaren") if is_rejected else _("Mottaget av verksamheten"),
            last_status,
            delivery.message_receipt_at,
        ),
    )
    causes = {event.cause for event in delivery.events}
    words = {
        **_EVENTS,
        **(_LOCAL_EVENTS if LOCAL in causes else {}),
        **(_API_EVENTS if BY_API in causes else {}),
    }
    return Ladder(
        rungs,
        problem,
        advice,
        tuple(
            (event.at, _in_words(event, words), "" if event.actor == SYSTEM else event.actor)
            for event in delivery.events
        ),
        delivery.may_be_sent_again,
        delivery.may_be_cancelled,
    )


def _in_words(event: DeliveryEvent, words: dict[str, str | Promise]) -> str:
    if event.name == State.SCHEDULED and event.cause == BY_HAND:
        return _("Lagt för sändning igen")
    if event.name == State.MESSAGE_EXCHANGE_ERROR and event.cause == Cause.CANCELLED:
        return _("Avbrutet")
    if event.name == State.SCHEDULED and event.cause:
        return _("Väntar på att kunna skickas")
    return str(words.get(event.name, event.name))


def _problem(delivery: Delivery) -> tuple[str, str]:
    """What is wrong with a delivery, and what to do about it; empty texts where nothing is."""
    if delivery.state is State.REJECTED:
        if delivery.was_sent_again and any(_is_duplicate(cause) for cause in delivery.causes):
            return (
                _("Mottagaren hade redan fått meddelandet när det skickades igen."),
                _("Den första sändningen kom fram. Är du osäker, kontakta mottagaren på annat sätt."),
            )
        problem, advice = _rejection(delivery.causes)
        return str(problem), str(advice)
    if delivery.state in (State.MESSAGE_EXCHANGE_ERROR, State.ERROR):
        if delivery.cause == Cause.CANCELLED:
            return _cancelled(delivery)
        problem, advice = _FAILURES.get(delivery.cause, _OTHER_FAILURE)
        return str(problem), str(advice)
    if delivery.lacks_message_receipt:
        return (
            _("Kvittens saknas: mottagarens system har inte bekräftat att verksamheten fått meddelandet."),
            _("Det kan ändå ha kommit fram. Är det bråttom, kontakta mottagaren på annat sätt."),
        )
    waiting = _waiting(delivery)
    if delivery.lacks_transport_receipt:
        return (
            " ".join((_("Meddelandet har inte kommit fram i tid."), waiting)).strip(),
            _("Det skickas så snart det går. Är det bråttom, kontakta mottagaren på annat sätt."),
        )
    return waiting, ""


def _waiting(delivery: Delivery) -> str:
    """Why a message has not arrived yet; empty where that is not known."""
    if delivery.state is State.SCHEDULED_FOR_RESEND:
        return _("Mottagarens system svarade inte. Nya försök görs av sig själva.")
    if delivery.state is State.SCHEDULED and delivery.cause in _WAITING:
        return str(_WAITING[delivery.cause])
    if delivery.state is State.SCHEDULED and delivery.cause:
        return _("Meddelandet väntar: en tjänst i federationen svarar inte just nu.")
    return ""


def _cancelled(delivery: Delivery) -> tuple[str, str]:
    if delivery.was_sent_again:
        return (
            _("Omsändningen avbröts. Den första sändningen kan ha kommit fram."),
            _("Är det bråttom, kontakta mottagaren på annat sätt."),
        )
    return _("Sändningen avbröts. Meddelandet lämnade aldrig er organisation."), ""


def _is_duplicate(cause: RejectionCause) -> bool:
    return (cause.detail or "").strip().lower() == "duplicate"


def _rejection(causes: tuple[RejectionCause, ...]) -> tuple[str | Promise, str | Promise]:
    for cause in causes:
        known = _REJECTIONS.get((cause.detail or "").strip().lower())
        if known is not None:
            return known
    return _OTHER_REJECTION
