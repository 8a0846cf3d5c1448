"""Verdicts of validation: values only, so that the modules that decide and that act do not import each
other."""

from dataclasses import dataclass
from uuid import UUID

from transport.message_service.malware.scan import Found
from transport.protocol.findings import Finding
from transport.protocol.message_receipt import MessageReceipt
from transport.protocol.sdk_message.message import Message
from transport.protocol.xhe.envelope import Envelope


class Retry(Exception):
    """Somebody who has to be asked does not answer. The message waits; it is not accepted meanwhile."""

    def __init__(self, cause: str) -> None:
        self.cause = cause
        super().__init__(cause)


@dataclass(frozen=True, slots=True)
class Discard:
    """The envelope is deleted, and no receipt is sent (C3.2.4 2.1.2, B1.3.3 5.3 number 13)."""

    cause: str
    message_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Reject:
    """A message that is answered with REJECTED. `message_id` is the envelope's, as far as it was read.

    `malware` is what malicious code was found in, while the work directory lasts. `owns_session_key`: what
    was decrypted names the envelope's signer.
    """

    message_id: str
    handling_service_id: str
    findings: tuple[Finding, ...]
    malware: tuple[Found, ...] = ()
    owns_session_key: bool = False


@dataclass(frozen=True, slots=True)
class Accept:
    """A message that breaks no rule; what only the database can tell is checked where it is delivered."""

    envelope: Envelope
    message: Message
    wrapped_key_digest: str


@dataclass(frozen=True, slots=True)
class AcceptReceipt:
    """A message receipt that breaks no rule."""

    envelope: Envelope
    receipt: MessageReceipt


@dataclass(frozen=True, slots=True)
class ReceiptUse:
    """Whether a receipt settled a message of ours, and what the history says of it."""

    is_used: bool
    cause: str


Verdict = Discard | Reject | Accept | AcceptReceipt
