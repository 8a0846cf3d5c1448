"""Why a message or transfer waits or has failed."""

from enum import StrEnum


class Cause(StrEnum):
    """Why something waits or has failed: codes that last, for histories, logs and people's own language.

    The first five are `transport.federation.errors`' codes.
    """

    PARTICIPANT_UNKNOWN = "participant-unknown"
    DOCUMENT_TYPE_NOT_SERVED = "document-type-not-served"
    CERTIFICATE_NOT_PUBLISHED = "certificate-not-published"
    METADATA_UNTRUSTED = "metadata-untrusted"
    LOOKUP_UNAVAILABLE = "lookup-unavailable"
    REVOCATION_UNKNOWN = "revocation-unknown"
    # The message service's own: the envelope was never sealed.
    RECIPIENT_CERTIFICATE_UNTRUSTED = "recipient-certificate-untrusted"
    NO_SIGNING_KEY = "no-signing-key"
    SCANNER_UNAVAILABLE = "scanner-unavailable"
    TOO_LARGE_TO_SCAN = "too-large-to-scan"
    MALWARE_FOUND = "malware-found"
    CANCELLED = "cancelled"
    MESSAGE_INVALID = "message-invalid"
    # Of messages that go through another message service: it cannot be used now; it does not accept them.
    MESSAGE_SERVICE_UNAVAILABLE = "message-service-unavailable"
    MESSAGE_SERVICE_REFUSED = "message-service-refused"
    # The access point's: sending did not succeed.
    ACCESS_POINT_UNTRUSTED = "access-point-untrusted"
    UNREACHABLE = "unreachable"
    RECEIPT_INVALID = "receipt-invalid"
    RECEIPT_UNTRUSTED = "receipt-untrusted"
    NOT_SERVICED = "not-serviced"
    REFUSED = "refused"
    UNEXPECTED = "unexpected"
