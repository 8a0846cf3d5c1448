"""Sending an envelope: find the endpoint, judge it, pack, post, verify the receipt, keep it as evidence."""

import logging
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import BinaryIO, cast

import requests
from cryptography import x509
from django.conf import settings
from django.core.files.storage import default_storage
from django.utils import timezone

from .. import hand_over
from ..federation import lookup, trust
from ..federation.errors import FederationError
from ..hand_over import Outcome
from ..protocol.as4 import signals
from ..protocol.as4.errors import DUPLICATE_CODE, NOT_SERVICED, As4Error
from ..protocol.as4.messages import ErrorSignal, PartInfo, UserMessage
from ..protocol.as4.packing import PackedMessage, RecipientKeyUnusable, write_user_message
from ..protocol.certificates import CertificateUntrusted, Purpose, RevocationUnknown, common_name
from ..protocol.service_metadata import Endpoint
from ..work import LeaseLost
from ..workspace import workspace
from . import log
from .keys import AccessPointKeys, own_keys
from .models import OutboundTransfer

logger = logging.getLogger(__name__)
_MAX_ANSWER_BYTES = 2 * 1024 * 1024
# Errors of a peer that may pass: Other (but not NOT_SERVICED), ConnectionFailure, DeliveryFailure.
_PASSING_CODES = frozenset({"EBMS:0004", "EBMS:0005", "EBMS:0202"})


@dataclass(frozen=True, slots=True)
class _Result:
    """How an attempt ended. `may_pass` is only read where it did not deliver."""

    is_delivered: bool
    cause: str = ""
    may_pass: bool = False
    receipt: bytes | None = None
    peer: str = ""


def send(transfer_id: object) -> None:
    """Make one attempt to send a transfer that is due. Whatever happens, the row says what comes next."""
    transfer = OutboundTransfer.take(transfer_id)
    if transfer is None:
        return
    keys = own_keys()
    with transfer.kept():
        result = _attempt(transfer, keys)
    try:
        with transfer.step() as row:
            _settle(row, result, keys)
    except LeaseLost:
        logger.warning("lease lost", extra={"fields": {"as4_message_id": transfer.as4_message_id}})


def _attempt(transfer: OutboundTransfer, keys: AccessPointKeys) -> _Result:
    peer = ""
    try:
        endpoint = lookup.endpoint_of(transfer.recipient_id, transfer.document_type)
        peer = common_name(endpoint.certificate) or ""
        trust.check_access_point(endpoint.certificate, Purpose.ENCRYPTION)
        log.outbound(log.Kind.SENT, transfer, keys.party_id, peer)
        with workspace("sending") as directory, default_storage.open(transfer.envelope_name) as envelope:
            message = _user_message(transfer, keys, peer)
            with write_user_message(
                message,
                [cast(BinaryIO, envelope)],
                work_directory=directory,
                signing_key=keys.signing_key,
                signing_certificate=keys.certificate,
                encryption_certificate=endpoint.certificate,
            ) as packed:
                return _exchange(packed, transfer, endpoint, peer)
    except FederationError as error:
        return _Result(False, error.code, error.may_pass, peer=peer)
    except (CertificateUntrusted, RecipientKeyUnusable):
        return _Result(False, "access-point-untrusted", peer=peer)
    except RevocationUnknown:
        return _Result(False, "revocation-unknown", may_pass=True, peer=peer)


def _exchange(packed: PackedMessage, transfer: OutboundTransfer, endpoint: Endpoint, peer: str) -> _Result:
    try:
        answer, content_type, status = _post(packed, endpoint.url)
    except requests.RequestException as error:
        logger.info("no answer", extra={"fields": {"peer": peer, "error": type(error).__name__}})
        return _Result(False, "unreachable", may_pass=True, peer=peer)
    if not answer or status in {413, 429, 502, 503, 504}:
        return _Result(False, f"http-{status}", may_pass=True, peer=peer)
    try:
        signal = signals.read_signal(
            content_type,
            answer,
            sent_references=packed.references,
            sent_message_id=transfer.as4_message_id,
            check_signer=lambda signer: _check_receipt_signer(signer, endpoint),
        )
    except As4Error as error:
        logger.warning("answer refused", extra={"fields": {"peer": peer, "why": error}})
        return _Result(False, "receipt-invalid", may_pass=True, peer=peer)
    except (CertificateUntrusted, RevocationUnknown):
        return _Result(False, "receipt-untrusted", may_pass=True, peer=peer)
    if isinstance(signal, ErrorSignal):
        return _judged(signal, answer, transfer, peer)
    return _Result(True, receipt=answer, peer=peer)


def _judged(signal: ErrorSignal, answer: bytes, transfer: OutboundTransfer, peer: str) -> _Result:
    """What a peer's error means for us."""
    first = signal.errors[0] if signal.errors else None
    code = first.code if first is not None else "unknown"
    if code == DUPLICATE_CODE and transfer.attempts > 0:
        # It has taken this message before: the receipt of that attempt was lost on its way.
        return _Result(True, cause="duplicate", receipt=answer, peer=peer)
    is_served = not any(NOT_SERVICED in error.detail for error in signal.errors)
    if not is_served:
        return _Result(False, "not-serviced", peer=peer)
    return _Result(False, f"refused {code}"[:100], may_pass=code in _PASSING_CODES, peer=peer)


def _check_receipt_signer(signer: x509.Certificate, endpoint: Endpoint) -> None:
    """The receiving access point signs: the one that metadata names, by certificate or, renewed, by CN."""
    trust.check_access_point(signer, Purpose.SIGNING)
    if signer != endpoint.certificate and common_name(signer) != common_name(endpoint.certificate):
        raise RevocationUnknown(signer)


def _post(packed: PackedMessage, url: str) -> tuple[bytes, str, int]:
    certificate = (settings.SDK_TLS_CLIENT_CERTIFICATE, settings.SDK_TLS_CLIENT_KEY)
    with closing(
        requests.post(
            url,
            data=_Body(packed),
            headers={"Content-Type": packed.content_type, "Accept": "application/soap+xml"},
            cert=certificate if all(certificate) else None,
            verify=settings.SDK_TLS_CA_FILE or True,
            timeout=settings.SDK_AS4_TIMEOUT_SECONDS,
            allow_redirects=False,
            stream=True,
        )
    ) as response:
        answer = response.raw.read(_MAX_ANSWER_BYTES + 1, decode_content=True)
        if len(answer) > _MAX_ANSWER_BYTES:
            raise requests.exceptions.ContentDecodingError("the answer is too long")
        return answer, response.headers.get("Content-Type", ""), response.status_code


class _Body:
    """A packed message as what `requests` sends with a Content-Length."""

    def __init__(self, packed: PackedMessage) -> None:
        self._length = packed.content_length
        self._chunks = packed.chunks()
        self._rest = b""

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[bytes]:
        return self._chunks

    def read(self, size: int = -1) -> bytes:
        if not self._rest:
            self._rest = next(self._chunks, b"")
        if size < 0:
            data, self._rest = self._rest + b"".join(self._chunks), b""
            return data
        data, self._rest = self._rest[:size], self._rest[size:]
        return data


def _user_message(transfer: OutboundTransfer, keys: AccessPointKeys, peer: str) -> UserMessage:
    return UserMessage(
        message_id=transfer.as4_message_id,
        timestamp=timezone.now(),
        conversation_id=transfer.conversation_id,
        sender_party=keys.party_id,
        recipient_party=peer,
        action=transfer.document_type.action,
        original_sender=transfer.sender_id,
        final_recipient=transfer.recipient_id,
        parts=(PartInfo(f"{uuid.uuid4()}@{keys.party_id}"),),
    )


def _settle(row: OutboundTransfer, result: _Result, keys: AccessPointKeys) -> None:
    now = timezone.now()
    row.attempts += 1
    row.first_attempt_at = row.first_attempt_at or now
    row.cause = result.cause
    if result.is_delivered:
        row.state = row.State.DELIVERED
        row.receipt = result.receipt
        outcome, kind = Outcome.DELIVERED, log.Kind.DELIVERED
    elif result.may_pass and (again := _next_attempt(row)) is not None:
        row.due_at = again
        outcome, kind = Outcome.RESENDING, log.Kind.RESENDING
    else:
        row.state = row.State.FAILED
        outcome, kind = Outcome.FAILED, log.Kind.FAILED
    if outcome is not Outcome.RESENDING:
        row.due_at = None
        row.settled_at = now
    log.outbound(kind, row, keys.party_id, result.peer, result.cause)
    hand_over.transfer_changed.send(
        sender=OutboundTransfer, reference=row.reference, outcome=outcome, cause=result.cause
    )


def _next_attempt(row: OutboundTransfer) -> datetime | None:
    """At most SDK_RESEND_LIMIT resends, evenly within SDK_RESEND_WINDOW_SECONDS of the first attempt."""
    if row.attempts > settings.SDK_RESEND_LIMIT or row.first_attempt_at is None:
        return None
    pause = timedelta(seconds=settings.SDK_RESEND_WINDOW_SECONDS / max(settings.SDK_RESEND_LIMIT, 1))
    return row.first_attempt_at + pause * row.attempts
