"""The public interface of the message service, and of the layers below it: all that `mailbox` imports.

Messages are ordered with `orders`, followed with `deliveries_of`, and answered for with `evidence_of`.
"""

from transport.causes import Cause
from transport.certificate_watch.watch import WARNING_DAYS, HeldCertificate, held_certificates
from transport.message_service import orders
from transport.message_service.client_port import Delivered, MessageKey
from transport.message_service.malware import quarantine
from transport.message_service.models import (
    CertificateRequest,
    IncomingMessage,
    Organisation,
    OrganisationKey,
    QuarantinedFile,
    ScannerAlarm,
)
from transport.message_service.organisations import certificate_requests
from transport.message_service.organisations.certificate_requests import CertificateRefused
from transport.message_service.states import OutgoingState
from transport.message_service.tracking import dead_letters, erasure, resend
from transport.message_service.tracking.dead_letters import NotDeadLetter
from transport.message_service.tracking.deliveries import (
    Delivery,
    DeliveryEvent,
    RejectionCause,
    deliveries_of,
    states_of,
)
from transport.message_service.tracking.evidence import Evidence, evidence_of
from transport.message_service.tracking.evidence import Kind as EvidenceKind
from transport.message_service.transitions import (
    BY_API,
    BY_HAND,
    LOCAL,
    RECEIPT_MISSING,
    SYSTEM,
    TRANSPORT_RECEIPT,
    TRANSPORT_RECEIPT_MISSING,
)
from transport.protocol.errors import ProtocolError
from transport.protocol.identifiers import (
    FUNCTION_ADDRESS_ROOT,
    PARTICIPANT_SCHEME,
    ParticipantId,
    ParticipantIdInvalid,
)
from transport.protocol.message_receipt import read_receipt
from transport.protocol.sdk_message.message import (
    Attention,
    CharacterNotAllowed,
    File,
    Header,
    Identifier,
    Message,
    Party,
    Person,
    SubOrganization,
    can_be_written,
)
from transport.protocol.sdk_message.message import Document as MessageDocument
from transport.protocol.sdk_message.message import Reference as MessageReference
from transport.protocol.xhe.opening import verify_envelope
from transport.protocol.xml.safe_xml import Limits as XmlLimits
from transport.protocol.xml.safe_xml import parse as parse_xml

__all__ = [
    "BY_API",
    "BY_HAND",
    "FUNCTION_ADDRESS_ROOT",
    "LOCAL",
    "PARTICIPANT_SCHEME",
    "RECEIPT_MISSING",
    "SYSTEM",
    "TRANSPORT_RECEIPT",
    "TRANSPORT_RECEIPT_MISSING",
    "WARNING_DAYS",
    "Attention",
    "Cause",
    "CertificateRefused",
    "CertificateRequest",
    "CharacterNotAllowed",
    "Delivered",
    "Delivery",
    "DeliveryEvent",
    "Evidence",
    "EvidenceKind",
    "File",
    "Header",
    "HeldCertificate",
    "Identifier",
    "IncomingMessage",
    "Message",
    "MessageDocument",
    "MessageKey",
    "MessageReference",
    "NotDeadLetter",
    "Organisation",
    "OrganisationKey",
    "OutgoingState",
    "ParticipantId",
    "ParticipantIdInvalid",
    "Party",
    "Person",
    "ProtocolError",
    "QuarantinedFile",
    "RejectionCause",
    "ScannerAlarm",
    "SubOrganization",
    "XmlLimits",
    "can_be_written",
    "certificate_requests",
    "dead_letters",
    "deliveries_of",
    "erasure",
    "evidence_of",
    "held_certificates",
    "orders",
    "parse_xml",
    "quarantine",
    "read_receipt",
    "resend",
    "states_of",
    "verify_envelope",
]
