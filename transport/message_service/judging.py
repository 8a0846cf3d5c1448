"""Judging an envelope that arrived: origin, decryption, content (B1.3.3 section 5, C3.2.2 section 3).

Nothing is changed here. What others have to be asked for is asked; what cannot be told now raises
`NotNow`.
"""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

from django.conf import settings

from .. import malware
from ..federation import lookup, trust
from ..federation.errors import FederationError, ParticipantUnknown
from ..hand_over import ArrivedEnvelope, Cause
from ..protocol import safe_xml
from ..protocol.canonical import AlgorithmNotAllowed
from ..protocol.certificates import CertificateUntrusted, Purpose, RevocationUnknown, common_name
from ..protocol.encryption import NotDecryptable
from ..protocol.envelope import Envelope, EnvelopeMalformed, read_envelope
from ..protocol.errors import ProtocolError
from ..protocol.findings import Detail, Finding, Reason
from ..protocol.identifiers import MESSAGE_RECEIPT, PROCESS_ID, PROCESS_SCHEME, SDK_MESSAGE
from ..protocol.message import Message
from ..protocol.message_document import message_of
from ..protocol.message_receipt import MessageReceipt, read_receipt
from ..protocol.message_receipt_rules import check_receipt
from ..protocol.message_rules import read_and_check
from ..protocol.opening import VerifiedEnvelope, verify_envelope
from ..protocol.safe_xml import XmlRefused
from ..protocol.signature import SignatureInvalid, SignatureMissing
from . import inside, scanning
from .models import IncomingMessage, Organisation, OutgoingMessage
from .organisation_keys import opening_keys
from .scanning import Found
from .states import OutgoingState


class NotNow(Exception):
    """Somebody who has to be asked does not answer. The message waits; it is not let through."""

    def __init__(self, cause: str) -> None:
        self.cause = cause
        super().__init__(cause)


@dataclass(frozen=True, slots=True)
class Dropped:
    """Not taken, and no receipt is sent (C3.2.4 2.1.2, B1.3.3 5.3 number 13)."""

    cause: str
    message_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """A message that is answered with REJECTED. `message_id` is the envelope's, as far as it was read.

    `malware` is what malicious code was found in, while the work directory lasts.
    """

    message_id: str
    handling_service_id: str
    findings: tuple[Finding, ...]
    malware: tuple[Found, ...] = ()


@dataclass(frozen=True, slots=True)
class Taken:
    """A message that holds; what only the database can tell is judged where it is delivered."""

    envelope: Envelope
    message: Message
    wrapped_key_digest: str


@dataclass(frozen=True, slots=True)
class ReceiptTaken:
    """A message receipt that holds."""

    envelope: Envelope
    receipt: MessageReceipt


Judgement = Dropped | Refused | Taken | ReceiptTaken


def judge(
    arrived: ArrivedEnvelope,
    organisation: Organisation,
    source: BinaryIO,
    directory: Path,
    *,
    is_inside: bool = False,
) -> Judgement:
    """Judge an envelope; attachments of a message are written below `directory`. Raises `NotNow`.

    Of one that never left this node the federation is asked nothing, and it need not be encrypted.
    """
    try:
        verified = verify_envelope(source)
    except (SignatureMissing, SignatureInvalid, AlgorithmNotAllowed):
        return _unsigned(arrived, source, is_inside=is_inside)
    except (XmlRefused, EnvelopeMalformed):
        return Dropped("envelope-malformed")
    findings = _origin(arrived, verified, is_inside=is_inside)
    if findings is None:
        return Dropped("sender-unknown", uuid_of(verified.envelope.message_id))
    if arrived.document_type == MESSAGE_RECEIPT:
        return _receipt(verified, findings)
    if arrived.document_type != SDK_MESSAGE:
        return Dropped("document-type")
    findings += [finding for finding in verified.findings if not finding.is_note]
    if not verified.is_encrypted and not is_inside:
        findings.append(_security(Reason.SIG, "not-encrypted", "the payload is not encrypted"))
    if findings:
        return _refused(verified, findings)
    return _message(verified, organisation, directory)


def _origin(arrived: ArrivedEnvelope, verified: VerifiedEnvelope, *, is_inside: bool) -> list[Finding] | None:
    """Does the envelope come from whom it says; None where the sender is not in the federation."""
    envelope = verified.envelope
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
    if is_inside:
        if not inside.is_signer(arrived.sender.value, verified.signing_certificate):
            findings.append(_signature("the signing certificate is not the sender's"))
        return findings
    try:
        about_sender = _sender(arrived, verified)
        if about_sender:
            # What is kept of its metadata may be from before a renewal or a move: it is asked anew.
            lookup.forget(envelope.sender, MESSAGE_RECEIPT)
            about_sender = _sender(arrived, verified)
    except ParticipantUnknown:
        return None
    return findings + about_sender


def _sender(arrived: ArrivedEnvelope, verified: VerifiedEnvelope) -> list[Finding]:
    """Is it signed by a certificate that the sender has published, and sent by the sender's access point.

    Raises `ParticipantUnknown`, `NotNow`.
    """
    sender, signer = verified.envelope.sender, verified.signing_certificate
    try:
        endpoint = lookup.endpoint_of(sender, MESSAGE_RECEIPT)
        if signer not in lookup.signing_certificates_of(sender):
            return [_signature("the signing certificate is not published for the sender")]
        trust.check_organisation(signer, Purpose.SIGNING)
    except ParticipantUnknown:
        raise
    except FederationError as error:
        if error.may_pass:
            raise NotNow(error.code) from None
        return [_signature("the sender has published no signing certificate")]
    except RevocationUnknown:
        raise NotNow(Cause.REVOCATION_UNKNOWN) from None
    except CertificateUntrusted:
        return [_signature("the signing certificate is not trusted")]
    if common_name(endpoint.certificate) != arrived.sending_access_point:
        text = "the sender does not use the access point that sent this"
        return [_security(Reason.BV, "access-point", text)]
    return []


def _message(verified: VerifiedEnvelope, organisation: Organisation, directory: Path) -> Judgement:
    payload = directory / "payload"
    files = directory / "files"
    files.mkdir()
    identity = uuid_of(verified.envelope.message_id)
    if _is_captured(verified, organisation):
        return Dropped("key-of-another-message", identity)
    try:
        with payload.open("xb") as out:
            verified.write_payload(out, opening_keys(organisation))
        with payload.open("rb") as source:
            document, findings = read_and_check(source, files, max_bytes=settings.SDK_MAX_MESSAGE_BYTES)
    except NotDecryptable:
        return Dropped("not-decryptable", identity)
    finally:
        payload.unlink(missing_ok=True)
    if document is None and not any(finding.detail is Detail.TOO_LONG for finding in findings):
        # What cannot be parsed may be what was not decrypted: the sender is told neither.
        return Dropped("not-decryptable", identity)
    if document is None or findings:
        return _refused(verified, findings)
    message = message_of(document)
    found = _malware(message)
    findings = [*(one.finding for one in found), *_content(verified.envelope, message)]
    if findings:
        return _refused(verified, findings, found)
    return Taken(verified.envelope, message, verified.wrapped_key_digest)


def _is_captured(verified: VerifiedEnvelope, organisation: Organisation) -> bool:
    """Whether the session key came in another message: whoever signed this does not know what is in it, and
    learns nothing of it from us, as of what cannot be decrypted (C3.2.2 3.4.1)."""
    if not verified.is_encrypted:
        return False
    taken = IncomingMessage.objects.filter(
        organisation=organisation, is_accepted=True, wrapped_key_digest=verified.wrapped_key_digest
    )
    identity = uuid_of(verified.envelope.message_id)
    return taken.exclude(sender=verified.envelope.sender.value, message_id=identity).exists()


def _malware(message: Message) -> tuple[Found, ...]:
    """B1.3.3 5.3 number 3. Raises `NotNow`: what has not been looked at is not let through."""
    try:
        return scanning.found_in(message)
    except malware.NotScanned as error:
        raise NotNow(error.cause) from None


def _content(envelope: Envelope, message: Message) -> list[Finding]:
    """What speaks against a message that is well-formed and valid. Whatever judges content is asked here,
    while the attachments are files in the work directory and nobody has been given anything."""
    return [*_agreement(envelope, message), *_file_types(message)]


def _agreement(envelope: Envelope, message: Message) -> list[Finding]:
    """What stands in the message is what stands on the envelope (B1.3.3 3.2, 4.3.2)."""
    header = message.header
    root = "/tns:messagePayload/tns:message/tns:messageHeader"
    findings = []
    if header.message_id.lower() != envelope.message_id.lower():
        text = "messageId is not the envelope's ID"
        findings.append(Finding("messageId", f"{root}/tns:messageId", text, Reason.BV, Detail.INVARIANT))
    for rule, party, participant, path in (
        ("recipientId", header.recipient, envelope.recipient, "tns:recipient/tns:recipientID"),
        ("senderId", header.sender, envelope.sender, "tns:sender/tns:senderID"),
    ):
        if party.identifier.extension.strip().lower() != participant.value:
            text = f"{rule} is not identical to the value in the XHE envelope"
            findings.append(Finding(rule, f"{root}/{path}", text, Reason.BV, Detail.SECURITY))
    attention = header.recipient.attention
    function = attention.sub_organization.identifier.extension if attention else ""
    if envelope.handling_service_id is not None and function.strip() != envelope.handling_service_id:
        path = f"{root}/tns:recipient/tns:attention/tns:subOrganization/tns:organizationId"
        text = "organizationId must equal xhb:HandlingServiceID"
        findings.append(Finding("handlingServiceID", path, text, Reason.BV, Detail.SECURITY))
    return findings


def _file_types(message: Message) -> list[Finding]:
    """B1.3.3 5.3 number 8."""
    accepted = {item.lower() for item in settings.SDK_ACCEPTED_CONTENT_TYPES}
    findings = []
    for number, document in enumerate(message.documents, 1):
        for position, file in enumerate(document.files, 1):
            if file.content_type.partition(";")[0].strip().lower() in accepted:
                continue
            place = (
                f"/tns:messagePayload/tns:message/tns:messageBody/tns:documents[{number}]"
                f"/tns:ContentFiles[{position}]/tns:contentType"
            )
            text = "files of this content type are not taken"
            findings.append(Finding("contentType", place, text, Reason.BV, Detail.NOT_SUPPORTED))
    return findings


def _receipt(verified: VerifiedEnvelope, findings: list[Finding]) -> Judgement:
    """A receipt is never answered: one that does not hold is dropped, and the log says why."""
    identity = uuid_of(verified.envelope.message_id)
    if findings or verified.is_encrypted:
        return Dropped(f"receipt {findings[0].rule if findings else 'encrypted'}", identity)
    try:
        root = safe_xml.parse(_payload_bytes(verified))
        if check_receipt(root):
            return Dropped("receipt-invalid", identity)
        receipt = read_receipt(root)
    except ProtocolError:
        return Dropped("receipt-invalid", identity)
    envelope = verified.envelope
    if (receipt.sender, receipt.recipient) != (envelope.sender, envelope.recipient):
        return Dropped("receipt-parties", identity)
    return ReceiptTaken(verified.envelope, receipt)


def _payload_bytes(verified: VerifiedEnvelope) -> bytes:
    out = io.BytesIO()
    verified.write_payload(out)
    return out.getvalue()


def _unsigned(arrived: ArrivedEnvelope, source: BinaryIO, *, is_inside: bool) -> Judgement:
    """A missing or broken signature is answered (B1.3.3 5.3 number 12), if it can be told to what."""
    source.seek(0)
    try:
        envelope = read_envelope(safe_xml.parse(source, safe_xml.ENVELOPE_DOCUMENT))
        if not is_inside:
            lookup.endpoint_of(arrived.sender, MESSAGE_RECEIPT)
    except (XmlRefused, EnvelopeMalformed):
        return Dropped("envelope-malformed")
    except FederationError as error:
        if error.may_pass:
            raise NotNow(error.code) from None
        return Dropped("sender-unknown")
    if arrived.document_type != SDK_MESSAGE or uuid_of(envelope.message_id) is None:
        return Dropped("signature-invalid")
    finding = _signature("the sender's signature does not hold")
    return Refused(envelope.message_id, envelope.handling_service_id or "", (finding,))


def _refused(verified: VerifiedEnvelope, findings: list[Finding], found: tuple[Found, ...] = ()) -> Judgement:
    envelope = verified.envelope
    if uuid_of(envelope.message_id) is None:
        return Dropped("envelope-malformed")
    return Refused(envelope.message_id, envelope.handling_service_id or "", tuple(findings), found)


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


def known_only_here(envelope: Envelope, message: Message, organisation: Organisation) -> list[Finding]:
    """What the database tells: duplicates, and references to what has failed (5.3 numbers 6 and 11)."""
    findings = []
    accepted = IncomingMessage.objects.filter(organisation=organisation, is_accepted=True)
    if accepted.filter(message_id=UUID(envelope.message_id)).exists():
        findings.append(duplicate())
    reference = uuid_of(message.header.ref_to_message_id or "")
    if reference is not None and _has_failed(reference, envelope, organisation):
        place = "/tns:messagePayload/tns:message/tns:messageHeader/tns:refToMessageId"
        text = "the message that this one refers to was rejected, or was never delivered"
        findings.append(Finding("refToMessageId", place, text, Reason.BV, Detail.NOT_SUPPORTED))
    return findings


def duplicate() -> Finding:
    """A message by the same id has been accepted (5.3 number 6)."""
    text = "a message by this id has been accepted before"
    return Finding("messageId", "/x:XHE/xha:Header/xhb:ID", text, Reason.BV, Detail.DUPLICATE)


def function_unknown() -> Finding:
    """The function address is none of the organisation's, or closed (5.3 number 9)."""
    place = (
        "/tns:messagePayload/tns:message/tns:messageHeader/tns:recipient"
        "/tns:attention/tns:subOrganization/tns:organizationId"
    )
    text = "Wrong or unknown tns:subOrganization/tns:organizationId"
    return Finding("functionAddress", place, text, Reason.BV, Detail.NOT_FOUND)


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
