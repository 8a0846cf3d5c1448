"""The test of a counterpart, step by step: DNS, SMP, its certificate, TLS, AS4.

What is sent is a message of the test service (eDelivery AS4 1.15 1.4.2.4): the other access point checks and
answers it as any other message, and delivers it to nobody.
"""

import io
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from cryptography import x509
from django.utils import timezone

from transport.federation import lookup, trust
from transport.federation.errors import FederationError
from transport.outgoing_http import NoAnswer
from transport.protocol.as4 import signals
from transport.protocol.as4.errors import As4Error
from transport.protocol.as4.messages import PartInfo, Receipt, UserMessage
from transport.protocol.as4.names import TEST_ACTION, TEST_SERVICE
from transport.protocol.as4.packing import PackedMessage, RecipientKeyUnusable, write_user_message
from transport.protocol.certificates import CertificateUntrusted, Purpose, RevocationUnknown, common_name
from transport.protocol.identifiers import SDK_MESSAGE, DocumentType, ParticipantId
from transport.protocol.service_metadata import Endpoint
from transport.storage.work_files import workspace

from .http_client import Answer, post
from .keys import AccessPointKeys, own_keys

_CONTENT = b'<?xml version="1.0" encoding="UTF-8"?><test/>'


class Step(StrEnum):
    """The steps, in the order in which they are tried."""

    DNS = "DNS"
    SMP = "SMP"
    CERTIFICATE = "certificate"
    TLS = "TLS"
    AS4 = "AS4"


@dataclass(frozen=True, slots=True)
class Tried:
    """The result of a step: `detail` is what was found, or what is wrong."""

    step: Step
    works: bool
    detail: str


def ping(
    sender: ParticipantId, recipient: ParticipantId, document_type: DocumentType = SDK_MESSAGE
) -> Iterator[Tried]:
    """Try the steps one after the other, up to the first that does not work. Metadata is fetched anew.

    A generator: each step is tried when its result is asked for.
    """
    lookup.drop_cached(recipient, document_type)
    try:
        yield Tried(Step.DNS, True, lookup.smp_address_of(recipient))
    except FederationError as error:
        yield Tried(Step.DNS, False, f"{error.code}: {error}")
        return
    try:
        endpoint = lookup.endpoint_of(recipient, document_type)
    except FederationError as error:
        yield Tried(Step.SMP, False, f"{error.code}: {error}")
        return
    yield Tried(Step.SMP, True, f"{common_name(endpoint.certificate)} {endpoint.url}")
    try:
        trust.check_access_point(endpoint.certificate, Purpose.ENCRYPTION)
    except (CertificateUntrusted, RevocationUnknown) as error:
        yield Tried(Step.CERTIFICATE, False, str(error))
        return
    until = endpoint.certificate.not_valid_after_utc
    yield Tried(Step.CERTIFICATE, True, f"{until:%Y-%m-%d}")
    yield from _post_test(sender, recipient, endpoint)


def _post_test(sender: ParticipantId, recipient: ParticipantId, endpoint: Endpoint) -> Iterator[Tried]:
    keys = own_keys()
    message = _message(sender, recipient, keys, common_name(endpoint.certificate) or "")
    with workspace("pinging") as directory:
        try:
            packed = write_user_message(
                message,
                [io.BytesIO(_CONTENT)],
                work_directory=directory,
                signing_key=keys.signing_key,
                signing_certificate=keys.certificate,
                encryption_certificate=endpoint.certificate,
            )
        except RecipientKeyUnusable as error:
            yield Tried(Step.CERTIFICATE, False, str(error))
            return
        with packed:
            try:
                answer = post(packed, endpoint.url)
            except NoAnswer as error:
                yield Tried(Step.TLS, False, str(error))
                return
            yield Tried(Step.TLS, True, f"HTTP {answer.status}")
            yield _answered(message, packed, answer, endpoint)


def _message(
    sender: ParticipantId, recipient: ParticipantId, keys: AccessPointKeys, peer: str
) -> UserMessage:
    return UserMessage(
        message_id=f"{uuid.uuid4()}@{keys.party_id}",
        timestamp=timezone.now(),
        conversation_id=str(uuid.uuid4()),
        sender_party=keys.party_id,
        recipient_party=peer,
        action=TEST_ACTION,
        original_sender=sender,
        final_recipient=recipient,
        parts=(PartInfo(f"{uuid.uuid4()}@{keys.party_id}"),),
        service=TEST_SERVICE,
        service_type=None,
    )


def _answered(message: UserMessage, packed: PackedMessage, answer: Answer, endpoint: Endpoint) -> Tried:
    if not answer.is_signal:
        return Tried(Step.AS4, False, f"HTTP {answer.status}: no AS4 signal")
    signers: list[x509.Certificate] = []

    def check(signer: x509.Certificate) -> None:
        trust.check_access_point(signer, Purpose.SIGNING)
        signers.append(signer)

    try:
        signal = signals.read_signal(
            answer.content_type,
            answer.body,
            sent_references=packed.references,
            sent_message_id=message.message_id,
            check_signer=check,
            known_signers=(endpoint.certificate,),
        )
    except (As4Error, CertificateUntrusted, RevocationUnknown) as error:
        return Tried(Step.AS4, False, str(error))
    if not isinstance(signal, Receipt):
        errors = [f"{error.code} {error.detail or error.short_description}" for error in signal.errors]
        return Tried(Step.AS4, False, "; ".join(errors) or "an error without a code")
    if any(common_name(signer) != message.recipient_party for signer in signers):
        return Tried(Step.AS4, False, "the receipt is signed by another access point")
    return Tried(Step.AS4, True, signal.message_id)
