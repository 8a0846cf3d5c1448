"""Looking up participants: DNS, then SMP, then the check of who signed the answer (C3.4.1, C3.4.2, C3.4.5).

Verified answers are kept for SDK_METADATA_CACHE_SECONDS, never longer.
"""

import logging
from datetime import timedelta
from functools import lru_cache

import dns.exception
import dns.resolver
from cryptography import x509
from django.conf import settings
from django.utils import timezone

from ..outgoing_http import AddressRefused, check_url
from ..protocol.certificates import CertificateUntrusted, RevocationUnknown
from ..protocol.discovery import Naptr, NoServiceRecord, bdxl_name, metadata_url, smp_base_url
from ..protocol.errors import ProtocolError
from ..protocol.identifiers import (
    MESSAGE_RECEIPT,
    PROCESS_ID,
    PROCESS_SCHEME,
    SDK_MESSAGE,
    DocumentType,
    ParticipantId,
)
from ..protocol.service_metadata import (
    Endpoint,
    ServiceMetadata,
    SignedServiceMetadata,
    endpoint_for,
    read_service_metadata,
)
from ..short_memory import ShortMemory
from . import http, trust
from .cache import AnswerCache
from .errors import (
    CertificateNotPublished,
    DocumentTypeNotServed,
    LookupUnavailable,
    MetadataUntrusted,
    ParticipantUnknown,
)
from .server_share import ServerBusy, slot_at

logger = logging.getLogger(__name__)
# A signature is verified once in a process for the same bytes; its signer is checked every time.
_verified = lru_cache(maxsize=64)(read_service_metadata)
# That nobody answers is remembered for a moment: a batch of messages does not wait for it once for each.
_outcomes: ShortMemory[ServiceMetadata | LookupUnavailable] = ShortMemory()
_MAX_REDIRECTS = 1
_NOT_FOUND = 404


def service_metadata(participant: ParticipantId, document_type: DocumentType) -> ServiceMetadata:
    """The SMP's service metadata for a participant and a document type.

    Raises `ParticipantUnknown`, `DocumentTypeNotServed`, `MetadataUntrusted`, `LookupUnavailable`.
    """
    key = _cache_key(participant, document_type)
    cached = AnswerCache().get(key)
    if cached is not None:
        return _checked(_read(cached, participant, document_type))
    outcome = _outcomes.get(key, lambda: _outcome(participant, document_type))
    if isinstance(outcome, LookupUnavailable):
        raise LookupUnavailable(str(outcome))
    _outcomes.drop(key)
    return outcome


def _outcome(participant: ParticipantId, document_type: DocumentType) -> ServiceMetadata | LookupUnavailable:
    try:
        return _looked_up(participant, document_type)
    except LookupUnavailable as error:
        return error


def _looked_up(participant: ParticipantId, document_type: DocumentType) -> ServiceMetadata:
    url = metadata_url(_smp_of(participant), participant, document_type)
    for _ in range(_MAX_REDIRECTS + 1):
        answer = _fetched(url)
        signed = _read(answer, participant, document_type)
        if signed.redirect is None:
            metadata = _checked(signed)
            until = timezone.now() + timedelta(seconds=settings.SDK_METADATA_CACHE_SECONDS)
            AnswerCache().put(_cache_key(participant, document_type), answer, until)
            return metadata
        _check_signer(signed)
        url = signed.redirect
    raise MetadataUntrusted("the SMP redirects more than once")


def endpoint_of(
    participant: ParticipantId,
    document_type: DocumentType,
    process_id: str = PROCESS_ID,
    process_scheme: str = PROCESS_SCHEME,
) -> Endpoint:
    """The access point that receives the document type for the participant now.

    Its certificate has not been checked yet. Raises as `service_metadata`, `DocumentTypeNotServed` too
    where nothing of a transport profile in SDK_TRANSPORT_PROFILES is active, and `MetadataUntrusted` where
    the access point has an address that is never connected to.
    """
    metadata = service_metadata(participant, document_type)
    profiles = settings.SDK_TRANSPORT_PROFILES
    endpoint = endpoint_for(metadata, process_id, process_scheme, timezone.now(), profiles)
    if endpoint is None:
        raise DocumentTypeNotServed("no active endpoint of a transport profile that is spoken here")
    try:
        check_url(endpoint.url)
    except AddressRefused as error:
        raise MetadataUntrusted(f"the access point's address: {error}") from None
    return endpoint


def encryption_certificates_of(participant: ParticipantId) -> tuple[x509.Certificate, ...]:
    """The certificates to encrypt messages to the participant with, the newest first (C3.4.5 section 3)."""
    return _newest_first(service_metadata(participant, SDK_MESSAGE).encryption_certificates)


def signing_certificates_of(participant: ParticipantId) -> tuple[x509.Certificate, ...]:
    """The participant's signing certificates, the newest first: published for the receipt's type (C3.4.5
    3)."""
    return _newest_first(service_metadata(participant, MESSAGE_RECEIPT).signing_certificates)


def smp_address_of(participant: ParticipantId) -> str:
    """The URL of the participant's SMP, by DNS. Raises `ParticipantUnknown`, `LookupUnavailable`."""
    return _smp_of(participant)


def drop_cached(participant: ParticipantId, document_type: DocumentType) -> None:
    """Drop the cached answer, so that the next lookup asks the SMP again, for example after a renewal."""
    key = _cache_key(participant, document_type)
    AnswerCache().drop(key)
    _outcomes.drop(key)


def _cache_key(participant: ParticipantId, document_type: DocumentType) -> str:
    return f"metadata {settings.SDK_SML_ZONE} {participant} {document_type.action}"


def _newest_first(certificates: tuple[x509.Certificate, ...]) -> tuple[x509.Certificate, ...]:
    if not certificates:
        raise CertificateNotPublished("no certificate of the kind in CertPub")
    return tuple(sorted(certificates, key=lambda item: item.not_valid_before_utc, reverse=True))


def _smp_of(participant: ParticipantId) -> str:
    name = bdxl_name(participant, settings.SDK_SML_ZONE)
    seconds = settings.SDK_HTTP_TIMEOUT_SECONDS
    try:
        # The zone has one operator: its name servers count as one.
        with slot_at(f"dns {settings.SDK_DNS_SERVERS}", seconds):
            answer = _resolver().resolve(name, "NAPTR", lifetime=seconds)
        records = [
            Naptr(
                record.order,
                record.preference,
                record.flags.decode("ascii", "replace"),
                record.service.decode("ascii", "replace"),
                record.regexp.decode("utf-8", "replace"),
            )
            for record in answer
        ]
        return smp_base_url(records)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer, NoServiceRecord):
        raise ParticipantUnknown("not registered in the SML") from None
    except dns.exception.DNSException as error:
        raise LookupUnavailable(f"DNS: {type(error).__name__}") from None
    except ServerBusy as error:
        raise LookupUnavailable(f"DNS: not asked: {error}") from None


def _resolver() -> dns.resolver.Resolver:
    if not settings.SDK_DNS_SERVERS:
        return dns.resolver.Resolver()
    resolver = dns.resolver.Resolver(configure=False)
    servers = [server.rpartition(":") for server in settings.SDK_DNS_SERVERS]
    resolver.nameservers = [host for host, _, _ in servers]
    resolver.nameserver_ports = {host: int(port) for host, _, port in servers}
    return resolver


def _fetched(url: str) -> bytes:
    try:
        return http.fetch(url)
    except http.Refused as refused:
        if refused.status == _NOT_FOUND:
            raise DocumentTypeNotServed("the SMP knows no such document type") from None
        raise LookupUnavailable(f"SMP: HTTP {refused.status}") from None
    except http.NoAnswer as error:
        raise LookupUnavailable(f"SMP: {error}") from None


def _read(data: bytes, participant: ParticipantId, document_type: DocumentType) -> SignedServiceMetadata:
    try:
        return _verified(data, participant, document_type)
    except ProtocolError as error:
        logger.warning("metadata_untrusted", extra={"fields": {"participant": participant, "reason": error}})
        raise MetadataUntrusted(str(error)) from None


def _check_signer(signed: SignedServiceMetadata) -> None:
    try:
        trust.check_smp(signed.signing_certificate)
    except CertificateUntrusted as error:
        raise MetadataUntrusted(str(error)) from None
    except RevocationUnknown as error:
        raise LookupUnavailable(str(error)) from None


def _checked(signed: SignedServiceMetadata) -> ServiceMetadata:
    _check_signer(signed)
    if signed.metadata is None:
        raise MetadataUntrusted("a redirect where metadata was expected")
    return signed.metadata
