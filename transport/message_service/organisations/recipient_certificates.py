"""Which certificate a message is encrypted for."""

from cryptography import x509

from transport.federation import lookup, trust
from transport.federation.errors import CertificateNotPublished
from transport.protocol.certificates import CertificateUntrusted, Purpose
from transport.protocol.identifiers import SDK_MESSAGE, ParticipantId

from .. import local_delivery
from ..message_types import registry
from ..models import Organisation, OutgoingMessage


def encryption_certificate(
    row: OutgoingMessage, local_recipient: Organisation | None
) -> x509.Certificate | None:
    """The newest published certificate that is trusted; None for what is signed only, as receipts are.

    CertPub is not asked for the certificate of a recipient on this node.
    """
    if not registry.of_kind(row.kind).is_encrypted:
        return None
    if local_recipient is not None:
        return local_delivery.encryption_certificate(local_recipient)
    recipient = ParticipantId(row.recipient)
    try:
        return _first_trusted(lookup.encryption_certificates_of(recipient))
    except CertificateUntrusted:
        # The cached answer may be from before a renewal.
        lookup.drop_cached(recipient, SDK_MESSAGE)
        return _first_trusted(lookup.encryption_certificates_of(recipient))


def _first_trusted(certificates: tuple[x509.Certificate, ...]) -> x509.Certificate:
    problem: Exception = CertificateNotPublished("no certificate in CertPub")
    for certificate in certificates:
        try:
            trust.check_organisation(certificate, Purpose.ENCRYPTION)
        except CertificateUntrusted as error:
            problem = error
            continue
        return certificate
    raise problem
