"""The values of AS4 messages, without their XML."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from cryptography import x509

from ..identifiers import PARTY_TYPE, PROCESS_ID, PROCESS_SCHEME, ParticipantId
from .names import GZIP, TEST_ACTION, TEST_SERVICE

XML: Final = "application/xml"


@dataclass(frozen=True, slots=True)
class PartInfo:
    """A payload part as the header announces it; `content_id` without `cid:` and brackets."""

    content_id: str
    mime_type: str = XML
    is_compressed: bool = True
    character_set: str | None = "UTF-8"

    @property
    def transferred_type(self) -> str:
        """The type of the octets that are signed."""
        return GZIP if self.is_compressed else self.mime_type

    @property
    def is_signed_canonically(self) -> bool:
        """Whether not its octets but their canonical form is signed: XML that is not compressed (SwA
        profile 1.1, 5.4.2)."""
        media_type = self.transferred_type.partition(";")[0].strip().lower()
        return media_type in {XML, "text/xml"} or media_type.endswith("+xml")


@dataclass(frozen=True, slots=True)
class UserMessage:
    """An AS4 user message (C3.2.1 2.3.1). `timestamp` is aware; parties are CNs of access points.

    `original_sender` and `final_recipient` are the participants; `action` is `<scheme>::<document id>`.
    """

    message_id: str
    timestamp: datetime
    conversation_id: str
    sender_party: str
    recipient_party: str
    action: str
    original_sender: ParticipantId
    final_recipient: ParticipantId
    parts: tuple[PartInfo, ...]
    service: str = PROCESS_ID
    service_type: str | None = PROCESS_SCHEME
    sender_party_type: str | None = PARTY_TYPE
    recipient_party_type: str | None = PARTY_TYPE

    @property
    def is_test(self) -> bool:
        """Whether it is for the test service, which answers and delivers nothing."""
        return (self.service, self.action) == (TEST_SERVICE, TEST_ACTION)


@dataclass(frozen=True, slots=True)
class SignedReference:
    """A `ds:Reference` of a signature: what a receipt repeats. `xml` is its canonical form."""

    uri: str
    digest: bytes
    xml: bytes


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt signal whose signature holds and which covers everything that was sent."""

    message_id: str
    ref_to_message_id: str
    timestamp: datetime
    signer: x509.Certificate = field(compare=False)
    signature: bytes = field(compare=False)


@dataclass(frozen=True, slots=True)
class ReportedError:
    """One eb:Error of an error signal; texts are a stranger's, shortened to 500 characters."""

    code: str
    short_description: str
    severity: str
    detail: str


@dataclass(frozen=True, slots=True)
class ErrorSignal:
    """An error signal. It may be unsigned: `signer` is None then, and anybody may have written it.

    `ref_to_message_id` is the message that it is about, as the signal or its first error says.
    """

    message_id: str | None
    ref_to_message_id: str | None
    errors: tuple[ReportedError, ...]
    signer: x509.Certificate | None = field(default=None, compare=False)
    signature: bytes = field(default=b"", compare=False)
