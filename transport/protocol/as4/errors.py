"""ebMS errors of AS4 messages, as error signals have them (ebMS 3.0 6.7, AS4 1.0 3.4)."""

from dataclasses import dataclass
from typing import Final, Self

from ..errors import ProtocolError


@dataclass(frozen=True, slots=True)
class Kind:
    """An error code with its short description and category."""

    code: str
    short_description: str
    category: str


VALUE_NOT_RECOGNIZED: Final = Kind("EBMS:0001", "ValueNotRecognized", "Content")
VALUE_INCONSISTENT: Final = Kind("EBMS:0003", "ValueInconsistent", "Content")
OTHER: Final = Kind("EBMS:0004", "Other", "Content")
MIME_INCONSISTENCY: Final = Kind("EBMS:0007", "MimeInconsistency", "Unpackaging")
INVALID_HEADER: Final = Kind("EBMS:0009", "InvalidHeader", "Unpackaging")
EXTERNAL_PAYLOAD: Final = Kind("EBMS:0011", "ExternalPayloadError", "Content")
FAILED_AUTHENTICATION: Final = Kind("EBMS:0101", "FailedAuthentication", "Processing")
FAILED_DECRYPTION: Final = Kind("EBMS:0102", "FailedDecryption", "Processing")
POLICY_NONCOMPLIANCE: Final = Kind("EBMS:0103", "PolicyNoncompliance", "Processing")
INVALID_RECEIPT: Final = Kind("EBMS:0302", "InvalidReceipt", "Communication")
DECOMPRESSION_FAILURE: Final = Kind("EBMS:0303", "DecompressionFailure", "Communication")

# The detail that C3.2.1 2.5 c gives for a recipient or message type that is not served here.
NOT_SERVICED: Final = "NOT_SERVICED"
# What phase4 answers to a message that it has taken before: a code that is not the standard's, or
# EBMS:0004 with these words in its detail (3.0.0).
DUPLICATE_CODE: Final = "EBMS:4001"
DUPLICATE_WORDS: Final = "was already handled (this is a duplicate)"


class As4Error(ProtocolError):
    """The message is refused. `detail` names the place and the rule, never content.

    `ref_to_message_id` is the message's id, once it could be read.
    """

    def __init__(self, kind: Kind, detail: str, ref_to_message_id: str | None = None) -> None:
        self.kind = kind
        self.detail = detail
        self.ref_to_message_id = ref_to_message_id
        super().__init__(f"{kind.code} {kind.short_description}: {detail}")

    def about(self, message_id: str) -> Self:
        """The same error with the id of the message that it is about."""
        if self.ref_to_message_id is None:
            self.ref_to_message_id = message_id
        return self
