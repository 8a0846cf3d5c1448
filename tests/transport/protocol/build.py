"""Builders with defaults that are valid: a test names only what it is about."""

import uuid
from datetime import UTC, datetime

from transport.protocol.identifiers import (
    FUNCTION_ADDRESS_ROOT,
    PARTICIPANT_SCHEME,
    SDK_MESSAGE,
    SDK_MESSAGE_TYPE_CODE,
    ParticipantId,
)
from transport.protocol.message_receipt import Cause, MessageReceipt, ResponseCode
from transport.protocol.sdk_message.message import (
    Attention,
    Document,
    File,
    Header,
    Identifier,
    Message,
    Party,
    Person,
    Reference,
    SubOrganization,
)
from transport.protocol.xhe.envelope import Envelope

HABO = ParticipantId("0203:habo.se")
ARBETSFORMEDLINGEN = ParticipantId("0203:arbetsformedlingen.se")
NOON = datetime(2026, 11, 24, 12, 0, 0, 123000, tzinfo=UTC)


def a_party(participant: ParticipantId, function: str, label: str = "Funktion") -> Party:
    return Party(
        Identifier(PARTICIPANT_SCHEME, participant.value),
        "Organisation",
        Attention(
            SubOrganization(Identifier(FUNCTION_ADDRESS_ROOT, function), label),
            (Person(Identifier("1.2.752.129.2.1.2.1", "p-1"), "Karin Svensson"),),
            (Reference(Identifier("dnr", "2026/117"), "Diarienummer"),),
        ),
    )


def a_message(
    *,
    text: str = "Hej",
    files: tuple[File, ...] = (),
    message_id: str | None = None,
    ref_to: str | None = None,
    sender: ParticipantId = HABO,
    recipient: ParticipantId = ARBETSFORMEDLINGEN,
    sender_function: str = "funktion-a",
    recipient_function: str = "funktion-b",
    created_at: datetime = NOON,
) -> Message:
    identity = message_id or str(uuid.uuid4())
    return Message(
        Header(
            created_at,
            identity,
            identity,
            a_party(recipient, recipient_function),
            a_party(sender, sender_function),
            is_confidential=True,
            label="Kallelse",
            ref_to_message_id=ref_to,
        ),
        (Document("SDK meddelande", "Kallelse", "1", (text,), files),),
    )


def an_envelope(*, is_encrypted: bool = True, message_id: str | None = None) -> Envelope:
    return Envelope(
        message_id or str(uuid.uuid4()),
        NOON,
        HABO,
        ARBETSFORMEDLINGEN,
        SDK_MESSAGE,
        SDK_MESSAGE_TYPE_CODE,
        is_encrypted,
        "funktion-b",
    )


def a_receipt(
    *, code: ResponseCode = ResponseCode.ACCEPTED, causes: tuple[Cause, ...] = ()
) -> MessageReceipt:
    return MessageReceipt(
        str(uuid.uuid4()),
        NOON.replace(microsecond=0),
        ARBETSFORMEDLINGEN,
        HABO,
        str(uuid.uuid4()),
        code,
        causes,
    )
