"""Validation of an inbound envelope: origin, decryption, content (B1.3.3 section 5, C3.2.2 section 3).

The result is a verdict. Nothing is changed here, but that a session key is recorded at once before it is
used. The federation's services are asked for what they know; where one does not answer, `Retry` is raised.
"""

import io
from collections.abc import Collection
from pathlib import Path
from typing import BinaryIO, Final
from uuid import UUID

from django.conf import settings
from lxml import etree

from transport.access_point_port import ArrivedEnvelope
from transport.causes import Cause
from transport.federation import lookup, trust
from transport.federation.errors import FederationError, ParticipantUnknown
from transport.message_service.malware.scan import Found
from transport.message_service.organisations.organisation_keys import opening_keys
from transport.observation import steps
from transport.observation.steps import Step
from transport.protocol.certificates import CertificateUntrusted, Purpose, RevocationUnknown, common_name
from transport.protocol.errors import ProtocolError
from transport.protocol.findings import Detail, Finding, Reason
from transport.protocol.identifiers import (
    MESSAGE_RECEIPT,
    NS_SDK_MESSAGE,
    PROCESS_ID,
    PROCESS_SCHEME,
    ParticipantId,
)
from transport.protocol.message_receipt import read_receipt
from transport.protocol.message_receipt_rules import check_receipt
from transport.protocol.sdk_message.document import MessageDocument, message_of
from transport.protocol.sdk_message.message import File, Message
from transport.protocol.sdk_message.rules import read_and_check
from transport.protocol.xhe.encryption import NotDecryptable
from transport.protocol.xhe.envelope import Envelope, read_envelope
from transport.protocol.xhe.opening import VerifiedEnvelope, verify_envelope
from transport.protocol.xhe.signature import SignatureInvalid, SignatureMissing
from transport.protocol.xml import safe_xml
from transport.protocol.xml.canonical import AlgorithmNotAllowed
from transport.storage import malware

from . import local_delivery, session_keys
from .malware import scan
from .message_types import registry
from .message_types.verdicts import Accept, AcceptReceipt, Discard, Reject, Retry, Verdict
from .models import IncomingMessage, Organisation, OutgoingMessage
from .session_keys import KeyOwnership
from .states import OutgoingState

# What reading a stranger's values may raise. Trying again would end the same way, so it decides the verdict:
# the protocol's own errors, and those of Python and lxml for values that nobody thought of.
UNREADABLE: Final = (ProtocolError, ValueError, ArithmeticError, LookupError, RecursionError, etree.LxmlError)


def validate(arrived: ArrivedEnvelope, row: IncomingMessage, source: BinaryIO, directory: Path) -> Verdict:
    """Validate an envelope; a message's attachments are written below `directory`. Raises `Retry`,
    `LeaseLost`.

    For one that was delivered locally the federation is not asked, and it need not be encrypted. No receipt
    is sent where the sender is not proven: by the access point that sent it, which metadata names for the
    sender, and by the signature unless that is what is wrong.
    """
    try:
        verified = verify_envelope(source)
    except (SignatureMissing, SignatureInvalid, AlgorithmNotAllowed):
        return _unsigned(arrived, row, source)
    except UNREADABLE:
        return Discard("envelope-malformed")
    envelope = verified.envelope
    identity = uuid_of(envelope.message_id)
    if identity is None:
        return Discard("envelope-malformed")
    unproven = None if row.is_local else _unproven(arrived, envelope.sender)
    if unproven is not None:
        return Discard(unproven, identity)
    signer_findings = _signer_findings(arrived, verified, is_local=row.is_local)
    findings = _header_findings(arrived, envelope) + signer_findings
    if signer_findings and envelope.sender != arrived.sender:
        return Discard(", ".join(sorted({finding.rule for finding in findings})), identity)
    message_type = registry.of_document_type(arrived.document_type)
    if message_type is None:
        return Discard("document-type", identity)
    if not signer_findings and session_keys.record(row, verified, source) is KeyOwnership.CAPTURED:
        return Discard("key-of-another-message", identity)
    return message_type.validate(verified, findings, row, directory)


def _unproven(arrived: ArrivedEnvelope, sender: ParticipantId) -> str | None:
    """Why the sender is not proven by the access point that sent the envelope; None where it is.

    Metadata has to name that access point for the sender in the envelope, and for the one in the AS4 header
    to whom an answer would go: they are the same where all is right. Cached metadata may be from before a
    move, so it is fetched anew before this fails.
    Raises `Retry`.
    """
    for participant in dict.fromkeys((sender, arrived.sender)):
        try:
            if not _uses(participant, arrived.sending_access_point):
                lookup.drop_cached(participant, MESSAGE_RECEIPT)
                if not _uses(participant, arrived.sending_access_point):
                    return "access-point"
        except ParticipantUnknown:
            return "sender-unknown"
        except FederationError as error:
            if error.may_pass:
                raise Retry(error.code) from None
            return "access-point"
    return None


def _uses(participant: ParticipantId, access_point: str) -> bool:
    """Whether metadata names the access point for the participant. Raises `FederationError`."""
    return common_name(lookup.endpoint_of(participant, MESSAGE_RECEIPT).certificate) == access_point


def _header_findings(arrived: ArrivedEnvelope, envelope: Envelope) -> list[Finding]:
    """Findings where the envelope does not say what its AS4 header says (C3.4.6 3.1.6)."""
    findings = []
    if envelope.sender != arrived.sender:
        findings.append(_security(Reason.BV, "original-sender", "FromParty is not the AS4 originalSender"))
    if envelope.recipient != arrived.recipient:
        findings.append(_security(Reason.BV, "final-recipient", "ToParty is not the AS4 finalRecipient"))
    if envelope.document_type != arrived.document_type:
        findings.append(_security(Reason.BV, "action", "DOCUMENTID is not the AS4 Action"))
    if (envelope.process_id, envelope.process_scheme.lower()) != (PROCESS_ID, PROCESS_SCHEME):
        findings.append(_security(Reason.BV, "service", "PROCESSID is not the AS4 Service"))
    if envelope.federation_id != settings.SDK_FEDERATION_ID:
        findings.append(_security(Reason.BV, "federation", "FEDERATIONID is another federation's"))
    return findings


def _signer_findings(
    arrived: ArrivedEnvelope, verified: VerifiedEnvelope, *, is_local: bool
) -> list[Finding]:
    """Findings unless it is signed by a certificate that the sender has published. Raises `Retry`."""
    if is_local:
        if local_delivery.is_signer(arrived.sender.value, verified.signing_certificate):
            return []
        return [_signature("the signing certificate is not the sender's")]
    findings = _published_signer_findings(verified)
    if findings:
        # Cached metadata may be from before a renewal: it is fetched anew.
        lookup.drop_cached(verified.envelope.sender, MESSAGE_RECEIPT)
        findings = _published_signer_findings(verified)
    return findings


def _published_signer_findings(verified: VerifiedEnvelope) -> list[Finding]:
    sender, signer = verified.envelope.sender, verified.signing_certificate
    try:
        if signer not in lookup.signing_certificates_of(sender):
            return [_signature("the signing certificate is not published for the sender")]
        trust.check_organisation(signer, Purpose.SIGNING)
    except FederationError as error:
        if error.may_pass:
            raise Retry(error.code) from None
        return [_signature("the sender has published no signing certificate")]
    except RevocationUnknown:
        raise Retry(Cause.REVOCATION_UNKNOWN) from None
    except CertificateUntrusted:
        return [_signature("the signing certificate is not trusted")]
    return []


def validate_message(
    verified: VerifiedEnvelope, findings: list[Finding], row: IncomingMessage, directory: Path
) -> Verdict:
    """Validate an SDK message, of which the envelope and its signer have been validated. Raises `Retry`."""
    findings = [*findings, *(finding for finding in verified.findings if not finding.is_note)]
    if not verified.is_encrypted and not row.is_local:
        findings.append(_security(Reason.SIG, "not-encrypted", "the payload is not encrypted"))
    if row.rejection_ordered_by and not findings:
        findings.append(_rejected_by_hand())
    if findings:
        return _rejected(verified, findings)
    verdict = _open(verified, row.organisation, directory)
    if isinstance(verdict, Accept) or session_keys.ownership(row, verified) is KeyOwnership.OWN:
        return verdict
    # Another signer has tried this key: only who made the message can send one that holds.
    return Discard("key-of-another-message", uuid_of(verified.envelope.message_id))


def _open(verified: VerifiedEnvelope, organisation: Organisation, directory: Path) -> Verdict:
    payload = directory / "payload"
    files = directory / "files"
    files.mkdir()
    identity = uuid_of(verified.envelope.message_id)
    try:
        with steps.timed(Step.OPEN):
            with payload.open("xb") as out:
                verified.write_payload(out, opening_keys(organisation))
            with payload.open("rb") as source:
                document, findings = read_and_check(source, files, max_bytes=settings.SDK_MAX_MESSAGE_BYTES)
    except NotDecryptable:
        return Discard("not-decryptable", identity)
    finally:
        payload.unlink(missing_ok=True)
    if document is None:
        # What cannot be read may be what was not decrypted, or another's message: the sender is told neither,
        # also where there is only more text than is read.
        return Discard("not-decryptable", identity)
    if not _names(document, verified.envelope.sender):
        # Who signed it did not make it, and is told nothing of what is in it.
        return Discard("another-sender", identity)
    if findings:
        return _rejected(verified, findings, owns_session_key=True)
    try:
        message = message_of(document)
    except UNREADABLE:
        text = "a value of the message is not of its type"
        structure = Finding("structure", "/tns:messagePayload", text, Reason.SV, Detail.STRUCTURE)
        return _rejected(verified, [structure], owns_session_key=True)
    found = _scan(message)
    findings = [*(part.finding for part in found), *_content_findings(verified.envelope, message)]
    if findings:
        return _rejected(verified, findings, found, owns_session_key=True)
    return Accept(verified.envelope, message, verified.wrapped_key_digest)


def _names(document: MessageDocument, sender: ParticipantId) -> bool:
    """Whether no sender stands in the message but the envelope's (B1.3.3 3.2, 5.3 number 13)."""
    path = "/".join(
        f"{{{NS_SDK_MESSAGE}}}{name}"
        for name in ("message", "messageHeader", "sender", "senderID", "extension")
    )
    named = {"".join(str(text) for text in element.itertext()) for element in document.root.findall(path)}
    return {text.strip().lower() for text in named} <= {sender.value}


def _scan(message: Message) -> tuple[Found, ...]:
    """B1.3.3 5.3 number 3. Raises `Retry`: a message that was not scanned is not accepted."""
    try:
        with steps.timed(Step.SCAN):
            return scan.found_in(message)
    except malware.NotScanned as error:
        raise Retry(error.cause) from None


def _content_findings(envelope: Envelope, message: Message) -> list[Finding]:
    """Findings about a message that is well-formed and valid. Every check of content belongs here, while the
    attachments are files in the work directory and nothing has been delivered."""
    return [*_agreement_findings(envelope, message), *_file_type_findings(message)]


def _agreement_findings(envelope: Envelope, message: Message) -> list[Finding]:
    """Findings where the message does not say what the envelope says (B1.3.3 3.2, 4.3.2)."""
    header = message.header
    root = "/tns:messagePayload/tns:message/tns:messageHeader"
    findings = []
    if header.message_id.lower() != envelope.message_id.lower():
        text = "messageId is not the envelope's ID"
        findings.append(Finding("messageId", f"{root}/tns:messageId", text, Reason.BV, Detail.INVARIANT))
    if header.recipient.identifier.extension.strip().lower() != envelope.recipient.value:
        text = "recipientId is not identical to the value in the XHE envelope"
        xpath = f"{root}/tns:recipient/tns:recipientID"
        findings.append(Finding("recipientId", xpath, text, Reason.BV, Detail.SECURITY))
    attention = header.recipient.attention
    function = attention.sub_organization.identifier.extension if attention else ""
    if envelope.handling_service_id is not None and function.strip() != envelope.handling_service_id:
        path = f"{root}/tns:recipient/tns:attention/tns:subOrganization/tns:organizationId"
        text = "organizationId must equal xhb:HandlingServiceID"
        findings.append(Finding("handlingServiceID", path, text, Reason.BV, Detail.SECURITY))
    return findings


def _file_type_findings(message: Message) -> list[Finding]:
    """B1.3.3 5.3 number 8."""
    accepted = {item.lower() for item in settings.SDK_ACCEPTED_CONTENT_TYPES}
    findings = []
    for number, document in enumerate(message.documents, 1):
        for position, file in enumerate(document.files, 1):
            if _is_media_type(file.content_type) and _type_of(file) in accepted:
                continue
            xpath = (
                f"/tns:messagePayload/tns:message/tns:messageBody/tns:documents[{number}]"
                f"/tns:ContentFiles[{position}]/tns:contentType"
            )
            text = "files of this content type are not accepted"
            findings.append(Finding("contentType", xpath, text, Reason.BV, Detail.NOT_SUPPORTED))
    return findings


def _is_media_type(text: str) -> bool:
    """Whether it is one line, as a media type is (RFC 9110 8.3.1), whatever stands around it."""
    return text.strip(" \t\r\n").isprintable()


def _type_of(file: File) -> str:
    return file.content_type.partition(";")[0].strip().lower()


def validate_receipt(
    verified: VerifiedEnvelope, findings: list[Finding], row: IncomingMessage, directory: Path
) -> Verdict:
    """A receipt is never answered: an invalid one is discarded, and the log says why (C3.2.4)."""
    identity = uuid_of(verified.envelope.message_id)
    if findings or verified.is_encrypted:
        return Discard(f"receipt {findings[0].rule if findings else 'encrypted'}", identity)
    try:
        root = safe_xml.parse(_payload_bytes(verified))
        if check_receipt(root):
            return Discard("receipt-invalid", identity)
        receipt = read_receipt(root)
    except UNREADABLE:
        return Discard("receipt-invalid", identity)
    envelope = verified.envelope
    if (receipt.sender, receipt.recipient) != (envelope.sender, envelope.recipient):
        return Discard("receipt-parties", identity)
    return AcceptReceipt(verified.envelope, receipt)


def _payload_bytes(verified: VerifiedEnvelope) -> bytes:
    out = io.BytesIO()
    verified.write_payload(out)
    return out.getvalue()


def _unsigned(arrived: ArrivedEnvelope, row: IncomingMessage, source: BinaryIO) -> Verdict:
    """A missing or broken signature is answered (B1.3.3 5.3 number 12) where message and sender can be read:
    the sender is then proven by the access point alone."""
    source.seek(0)
    try:
        envelope = read_envelope(safe_xml.parse(source, safe_xml.WHOLE_ENVELOPE))
    except UNREADABLE:
        return Discard("envelope-malformed")
    identity = uuid_of(envelope.message_id)
    message_type = registry.of_document_type(arrived.document_type)
    if (
        envelope.sender != arrived.sender
        or identity is None
        or message_type is None
        or not message_type.is_answered
    ):
        return Discard("signature-invalid", identity)
    unproven = None if row.is_local else _unproven(arrived, envelope.sender)
    if unproven is not None:
        return Discard(unproven, identity)
    finding = _signature("the sender's signature does not hold")
    return Reject(envelope.message_id, envelope.handling_service_id or "", (finding,))


def _rejected(
    verified: VerifiedEnvelope,
    findings: list[Finding],
    found: tuple[Found, ...] = (),
    *,
    owns_session_key: bool = False,
) -> Reject:
    envelope = verified.envelope
    handling = envelope.handling_service_id or ""
    return Reject(envelope.message_id, handling, tuple(findings), found, owns_session_key)


def _rejected_by_hand() -> Finding:
    text = "the message could not be processed by the recipient's system"
    return Finding("by-hand", "/x:XHE", text, Reason.BV, Detail.NOT_SUPPORTED)


def _security(reason: Reason, rule: str, text: str) -> Finding:
    return Finding(rule, "/x:XHE", text, reason, Detail.SECURITY)


def _signature(text: str) -> Finding:
    return Finding("signature", "/x:XHE/ds:Signature", text, Reason.SIG, Detail.SECURITY)


def uuid_of(text: str) -> UUID | None:
    """The text as a UUID; None where it is none."""
    try:
        return UUID(text)
    except ValueError:
        return None


def accepted_before(messages: Collection[tuple[int, UUID]]) -> set[tuple[int, UUID | None]]:
    """Those of the messages, by organisation's key and message id, that have been accepted."""
    rows = IncomingMessage.objects.filter(
        organisation__in={organisation for organisation, _ in messages},
        message_id__in=[identity for _, identity in messages],
        is_accepted=True,
    )
    return set(rows.values_list("organisation_id", "message_id"))


def reference_findings(envelope: Envelope, message: Message, organisation: Organisation) -> list[Finding]:
    """Findings about a message that this one refers to, and that has failed (5.3 number 11)."""
    findings = []
    reference = uuid_of(message.header.ref_to_message_id or "")
    if reference is not None and _has_failed(reference, envelope, organisation):
        xpath = "/tns:messagePayload/tns:message/tns:messageHeader/tns:refToMessageId"
        text = "the message that this one refers to was rejected, or was never delivered"
        findings.append(Finding("refToMessageId", xpath, text, Reason.BV, Detail.NOT_SUPPORTED))
    return findings


def duplicate() -> Finding:
    """A message by the same id has been accepted (5.3 number 6)."""
    text = "a message by this id has been accepted before"
    return Finding("messageId", "/x:XHE/xha:Header/xhb:ID", text, Reason.BV, Detail.DUPLICATE)


def function_unknown() -> Finding:
    """The function address is none of the organisation's, or closed (5.3 number 9)."""
    xpath = (
        "/tns:messagePayload/tns:message/tns:messageHeader/tns:recipient"
        "/tns:attention/tns:subOrganization/tns:organizationId"
    )
    text = "Wrong or unknown tns:subOrganization/tns:organizationId"
    return Finding("functionAddress", xpath, text, Reason.BV, Detail.NOT_FOUND)


def _has_failed(reference: UUID, envelope: Envelope, organisation: Organisation) -> bool:
    """Whether the sender's earlier message was rejected here, or ours to the sender failed there."""
    of_sender = IncomingMessage.objects.filter(
        organisation=organisation, sender=envelope.sender.value, message_id=reference
    )
    if of_sender.filter(is_accepted=True).exists():
        return False
    of_ours = OutgoingMessage.objects.filter(
        organisation=organisation,
        kind=OutgoingMessage.Kind.MESSAGE,
        recipient=envelope.sender.value,
        message_id=reference,
        state__in=(OutgoingState.REJECTED, OutgoingState.MESSAGE_EXCHANGE_ERROR),
    )
    return of_sender.filter(is_accepted=False).exists() or of_ours.exists()
