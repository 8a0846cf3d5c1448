"""The API's representation of a held message: status (KV Meddelandestatus), events and content (B1.4.2)."""

import json
from collections.abc import Iterator, Set
from contextlib import ExitStack
from typing import Any, Final

from django.db.models import Case, CharField, F, Q, QuerySet, Value, When

from transport.message_service.models import Event, OutgoingMessage
from transport.message_service.states import IncomingState, OutgoingState
from transport.protocol.sdk_message.message import timestamp

from . import held_messages
from .models import HeldMessage
from .serializers import VERSION

_ERROR: Final = OutgoingState.MESSAGE_EXCHANGE_ERROR
# "Endast meddelanden med slutlig status kan raderas".
FINAL: Final = frozenset({IncomingState.NEW, OutgoingState.ACCEPTED, _ERROR})
# "Obligatorisk status": clients are notified of these.
MANDATORY: Final = FINAL | {OutgoingState.WAITING_FOR_RECEIPT}
_TYPE: Final = "urn:event-type:sdk:message"
_NOTHING: Final = "NA"
_CHUNK: Final = 64 * 1024
_TITLES: Final = {
    "SCHEDULED": "Message scheduled for sending to local Access Point",
    "SUBMITTED": "Message sealed, signed and handed to the Access Point",
    "SCHEDULED_FOR_RESEND": "Message not delivered yet, scheduled for resend",
    "ACKNOWLEDGE": "Transport receipt received from the recipient's Access Point",
    "WAITING_FOR_RECEIPT": "Waiting for receipt from remote party",
    "ACCEPTED": "Message receipt received: accepted",
    "REJECTED": "Message receipt received: rejected",
    "MESSAGE_EXCHANGE_ERROR": "Message could not be delivered, received or acknowledged",
    "ERROR": "Unexpected error during message exchange",
    "RETRIEVED": "Message received and validated",
    "RECEIPT_SENT": "Message receipt delivered to the sender",
    "NEW": "Message can be fetched",
}

_RECEIPT_IS_MISSING: Final = Q(
    outgoing__receipt_missing_at__isnull=False, outgoing__message_receipt_at__isnull=True
)


def with_status(rows: QuerySet[HeldMessage]) -> QuerySet[HeldMessage]:
    """The rows with `status`.

    A rejected message ends as MESSAGE_EXCHANGE_ERROR, and so does one whose receipt is missing, until it
    comes (KV Meddelandestatus 6 and 8).
    """
    return rows.select_related("organisation", "outgoing", "incoming").annotate(
        status=Case(
            When(incoming__isnull=False, then=F("incoming__state")),
            When(Q(outgoing__state=OutgoingState.REJECTED) | _RECEIPT_IS_MISSING, then=Value(_ERROR.value)),
            default=F("outgoing__state"),
            output_field=CharField(),
        )
    )


def status_of(row: HeldMessage) -> str:
    """The current status of a held message."""
    current: Any = with_status(HeldMessage.objects.filter(pk=row.pk)).get()
    return str(current.status)


def having_status(status: str) -> Q:
    """The condition for a status. REJECTED also finds rejected messages that have ended as another status."""
    if status == OutgoingState.REJECTED:
        return Q(outgoing__state=OutgoingState.REJECTED)
    return Q(status=status)


def head_of(row: Any) -> dict[str, Any]:
    """A message without its documents, as a JSON:API resource."""
    attributes = {"messageStatus": row.status, **row.head, "events": _events(row)}
    return {"type": "messages", "id": str(row.resource_id), "attributes": attributes}


def list_in_pieces(rows: Iterator[Any], links: dict[str, str]) -> Iterator[bytes]:
    """The response of `getMessageByFilter` in pieces, one message at a time."""
    yield _start(links) + b"["
    for number, row in enumerate(rows):
        yield (b"," if number else b"") + json.dumps(head_of(row), ensure_ascii=False).encode()
    yield b"]}"


def message_in_pieces(row: Any, link: str, without: Set[str]) -> Iterator[bytes]:
    """The response of `getMessageById` in pieces: the documents are copied from their file, except kinds in
    `without`.

    The file is opened at once, so that an error does not leave half a response.
    """
    opened = ExitStack()
    source = opened.enter_context(held_messages.opened(row))
    # The documents are the last attribute, after all others.
    head = json.dumps(head_of(row), ensure_ascii=False).encode()[:-2]

    def pieces() -> Iterator[bytes]:
        with opened:
            yield _start({"self": link}) + head + b',"digitalDocument":'
            for kind, length in row.pieces:
                if kind in without:
                    source.seek(length, 1)
                    continue
                remaining = length
                while remaining > 0 and (chunk := source.read(min(_CHUNK, remaining))):
                    remaining -= len(chunk)
                    yield chunk
            yield b"}}}"

    return pieces()


def _start(links: dict[str, str]) -> bytes:
    document = {"meta": {"version": VERSION}, "links": links}
    return json.dumps(document, ensure_ascii=False).encode()[:-1] + b',"data":'


def _events(row: Any) -> dict[str, Any]:
    """The events, the latest first ("ORDER BY dateTime DESC")."""
    document = row.outgoing if row.outgoing is not None else row.incoming
    issues: list[dict[str, str]] = []
    for event in document.events.all():
        if event.name == "TRANSPORT_RECEIPT":
            # Clients see it as ACKNOWLEDGE.
            continue
        if event.name == "RECEIPT_MISSING":
            issues.append(_issue(_ERROR, event, title="No message receipt received in time"))
        elif event.name == OutgoingState.REJECTED:
            issues.append(_issue(event.name, event))
            issues += reversed(_reasons(row.outgoing, event))
            issues.append(_issue(_ERROR, event, title="Message REJECTED by receiver"))
        else:
            issues.append(_issue(event.name, event))
    return {
        "type": _TYPE,
        "title": row.status,
        "detail": row.status,
        "instance": f"urn:uuid:{row.message_id}",
        "eventIssues": issues[::-1],
    }


def _reasons(message: OutgoingMessage, event: Event) -> list[dict[str, str]]:
    """The reasons of a REJECTED receipt as issues ("Mappning Kvittens och Event")."""
    return [
        {
            "typeCode": cause["reason"],
            "title": cause["detail"] or _NOTHING,
            "detail": cause["text"] or _NOTHING,
            "in": cause.get("place") or _NOTHING,
            "dateTime": timestamp(event.at),
        }
        for cause in message.causes
    ]


def _issue(name: str, event: Event, *, title: str = "") -> dict[str, str]:
    return {
        "typeCode": name,
        "title": title or _TITLES.get(name, name),
        "detail": event.cause or _NOTHING,
        "in": _NOTHING,
        "dateTime": timestamp(event.at),
    }
