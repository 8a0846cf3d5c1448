"""Reading a peer's answer to a message: a receipt, an error, or neither, and the result for the transfer."""

from dataclasses import dataclass
from datetime import timedelta

from cryptography import x509

from transport.causes import Cause
from transport.federation import trust
from transport.protocol.as4 import signals
from transport.protocol.as4.errors import (
    DUPLICATE_CODE,
    DUPLICATE_WORDS,
    INVALID_RECEIPT,
    NOT_SERVICED,
    OTHER,
    As4Error,
)
from transport.protocol.as4.messages import ErrorSignal, Receipt, SignedReference
from transport.protocol.certificates import CertificateUntrusted, Purpose, RevocationUnknown, common_name
from transport.protocol.service_metadata import Endpoint

from .http_client import Answer
from .models import OutboundTransfer

# Errors of a peer that may pass: Other, ConnectionFailure, DeliveryFailure. NOT_SERVICED, an Other too,
# does not; nor do those that say what is wrong with the message itself.
_PASSING_CODES = frozenset({"EBMS:0004", "EBMS:0005", "EBMS:0202"})


@dataclass(frozen=True, slots=True)
class Result:
    """How an attempt ended. `may_pass` is only read where it did not deliver; `detail` is for the log.

    `code`, `began` (nanoseconds since 1970) and `size` are `access_point_port.Attempt`'s.
    """

    is_delivered: bool = False
    cause: Cause | None = None
    detail: str = ""
    may_pass: bool = False
    receipt: bytes | None = None
    signal: Receipt | ErrorSignal | None = None
    endpoint: Endpoint | None = None
    retry_after: timedelta | None = None
    code: str = ""
    began: int = 0
    size: int = 0


def read_answer(
    transfer: OutboundTransfer, answer: Answer, endpoint: Endpoint, *, was_posted: bool
) -> Result:
    """Read the answer. A receipt may be for any of the attempts: peers repeat their first one."""
    if not answer.is_signal:
        return Result(
            cause=Cause.UNREACHABLE,
            detail=f"HTTP {answer.status}",
            may_pass=True,
            retry_after=answer.retry_after,
            code=f"HTTP {answer.status}",
        )
    try:
        signal = _read_signal(transfer, answer, endpoint)
    except As4Error as error:
        return Result(cause=Cause.RECEIPT_INVALID, detail=error.detail, may_pass=True)
    except (CertificateUntrusted, RevocationUnknown, _AnotherSigner) as error:
        return Result(cause=Cause.RECEIPT_UNTRUSTED, detail=str(error), may_pass=True)
    if isinstance(signal, ErrorSignal):
        is_proven = _is_proven(signal, transfer, endpoint)
        return _read_error(signal, answer, was_posted=was_posted, is_proven=is_proven)
    return Result(is_delivered=True, receipt=answer.body, signal=signal)


def _read_signal(transfer: OutboundTransfer, answer: Answer, endpoint: Endpoint) -> Receipt | ErrorSignal:
    """The answer as a verified signal. Raises `As4Error`, and what checking its signer raises."""
    refusal = As4Error(INVALID_RECEIPT, "nothing was sent")
    for references in reversed(transfer.sent_references):
        try:
            return signals.read_signal(
                answer.content_type,
                answer.body,
                sent_references=[_from_json(item) for item in references],
                sent_message_id=transfer.as4_message_id,
                check_signer=lambda signer: _check_signer(signer, endpoint),
                known_signers=(endpoint.certificate,),
            )
        except As4Error as error:
            refusal = error
    raise refusal


def _is_proven(signal: ErrorSignal, transfer: OutboundTransfer, endpoint: Endpoint) -> bool:
    """Whether the access point that was sent to has signed the error, and for this transfer."""
    if signal.signer is None or signal.ref_to_message_id != transfer.as4_message_id:
        return False
    try:
        _check_signer(signal.signer, endpoint)
    except (CertificateUntrusted, RevocationUnknown, _AnotherSigner):
        return False
    return True


def _read_error(signal: ErrorSignal, answer: Answer, *, was_posted: bool, is_proven: bool) -> Result:
    """Decide what a peer's error means for the transfer.

    Errors may come unsigned, from whatever answers at the address (as4-wire-notes). One that is not proven
    settles nothing: the transfer is sent again for as long as it would be after no answer at all.
    """
    first = signal.errors[0] if signal.errors else None
    code = first.code if first is not None else ""
    detail = f"{code} {first.detail or first.short_description}" if first is not None else "no error given"
    if was_posted and _reports_duplicate(signal):
        if not is_proven:
            return Result(cause=Cause.RECEIPT_UNTRUSTED, detail=detail, may_pass=True, code=code)
        # It has accepted this message before: the receipt of that attempt was lost on its way.
        return Result(is_delivered=True, detail=detail, receipt=answer.body, signal=signal, code=code)
    if any(NOT_SERVICED in error.detail for error in signal.errors):
        return Result(cause=Cause.NOT_SERVICED, detail=detail, may_pass=not is_proven, code=code)
    may_pass = code in _PASSING_CODES or not is_proven
    return Result(cause=Cause.REFUSED, detail=detail, may_pass=may_pass, code=code)


def _reports_duplicate(signal: ErrorSignal) -> bool:
    """Whether a peer's error says that it has accepted the message before."""
    return any(
        error.code == DUPLICATE_CODE or (error.code == OTHER.code and DUPLICATE_WORDS in error.detail)
        for error in signal.errors[:1]
    )


class _AnotherSigner(Exception):
    """The answer is signed by another access point than the one that was sent to."""


def _check_signer(signer: x509.Certificate, endpoint: Endpoint) -> None:
    """Check who signed an answer: the access point that metadata names, by certificate or, renewed, by CN."""
    trust.check_access_point(signer, Purpose.SIGNING)
    if signer != endpoint.certificate and common_name(signer) != common_name(endpoint.certificate):
        raise _AnotherSigner("the receipt is signed by another access point")


def party_of(endpoint: Endpoint) -> str:
    """The party id of the access point that is sent to (C3.4.6 3.1.5 b)."""
    return common_name(endpoint.certificate) or ""


def as_json(reference: SignedReference) -> list[str]:
    """A reference as a transfer's row keeps it."""
    return [reference.uri, reference.digest.hex(), reference.xml.decode()]


def _from_json(stored: list[str]) -> SignedReference:
    uri, digest, xml = stored
    return SignedReference(uri, bytes.fromhex(digest), xml.encode())
