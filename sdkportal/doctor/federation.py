"""Checks of what the federation says of this node: SML, SMP, CertPub, CRL and OCSP, address book."""

from collections.abc import Iterator
from urllib.parse import urljoin

from cryptography import x509
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from addressbook.synchronisation import latest_copy_age_seconds
from transport.access_point.keys import own_keys
from transport.access_point.ping import Step, ping
from transport.federation import lookup, trust
from transport.federation.errors import FederationError, LookupUnavailable, ParticipantUnknown
from transport.message_service.models import Organisation, OrganisationKey
from transport.message_service.organisations.organisation_keys import NoValidKey, signing_key
from transport.outgoing_http import AddressRefused, NoAnswer
from transport.protocol.certificates import CertificateUntrusted, Purpose, RevocationUnknown, fingerprint
from transport.protocol.identifiers import MESSAGE_RECEIPT, SDK_MESSAGE
from transport.remote_message_service.bindings import (
    organisations_served_elsewhere,
    organisations_served_here,
)

from .findings import Finding, duration, failure, ok, warning
from .keys import has_own_access_point
from .services import fetched

_DOCUMENT_TYPES = {"message": SDK_MESSAGE, "receipt": MESSAGE_RECEIPT}
_LATE_RUNS = 3
_VERY_OLD_SECONDS = 2 * 86400


def sml() -> Iterator[Finding]:
    """The SML's zone answers, and has each organisation."""
    for organisation in _organisations():
        try:
            url = lookup.smp_address_of(organisation.participant)
        except ParticipantUnknown:
            yield failure("sml-unknown", organisation.participant_id, organisation.participant_id)
        except FederationError as error:
            detail = f"{settings.SDK_SML_ZONE}: {error}"
            yield failure("sml-unavailable", detail, organisation.participant_id)
        else:
            yield ok(f"{organisation.participant_id}: {url}", organisation.participant_id)


def smp() -> Iterator[Finding]:
    """What SMP publishes of each organisation leads to this access point, by its present certificate.

    Of one that another message service serves it leads there: what came here could not be opened.
    """
    own = _own_fingerprint()
    elsewhere = organisations_served_elsewhere()
    for organisation in _organisations():
        whose = organisation.participant_id
        for name, document_type in _DOCUMENT_TYPES.items():
            lookup.drop_cached(organisation.participant, document_type)
            try:
                endpoint = lookup.endpoint_of(organisation.participant, document_type)
            except FederationError as error:
                code = "smp-unavailable" if isinstance(error, LookupUnavailable) else "smp-wrong"
                yield failure(code, f"{whose}, {name}: {error}", whose)
                continue
            published = fingerprint(endpoint.certificate)
            if whose in elsewhere:
                if published == own:
                    yield failure("smp-not-moved", f"{whose}, {name}: {endpoint.url}", whose)
                else:
                    yield ok(f"{whose}, {name}: {endpoint.url}", whose)
            elif own is not None and published != own:
                detail = f"{whose}, {name}: SMP has {published[:16]}, this access point {own[:16]}"
                yield failure("smp-other-certificate", detail, whose)
            else:
                yield ok(f"{whose}, {name}: {endpoint.url}", whose)


def certpub() -> Iterator[Finding]:
    """CertPub publishes what each organisation signs with here, and nothing that cannot be opened here."""
    for organisation in organisations_served_here():
        whose = organisation.participant_id
        try:
            signs = signing_key(organisation).fingerprint
            published = lookup.signing_certificates_of(organisation.participant)
            encrypting = lookup.encryption_certificates_of(organisation.participant)
        except NoValidKey:
            yield failure("organisation-key-missing", f"{whose}: signing", whose)
            continue
        except FederationError as error:
            code = "smp-unavailable" if isinstance(error, LookupUnavailable) else "certpub-wrong"
            yield failure(code, f"{whose}: {error}", whose)
            continue
        if signs not in {fingerprint(certificate) for certificate in published}:
            yield failure("certpub-wrong", f"{whose}: signs with {signs[:16]}, which is not published", whose)
        closed = _closed(organisation, encrypting)
        if closed:
            yield failure("certpub-not-opened", f"{whose}: no key here for {', '.join(closed)}", whose)
        if signs in {fingerprint(certificate) for certificate in published} and not closed:
            yield ok(whose, whose)


def _closed(organisation: Organisation, published: tuple[x509.Certificate, ...]) -> list[str]:
    """The published encryption certificates without a key here: what is sealed for them stays closed."""
    purpose = OrganisationKey.Purpose.ENCRYPTION
    held = set(organisation.keys.filter(purpose=purpose).values_list("fingerprint", flat=True))
    return [name[:16] for name in map(fingerprint, published) if name not in held]


def revocation() -> Iterator[Finding]:
    """CRL and OCSP answer, and this node's own certificates would be accepted by others."""
    if has_own_access_point():
        try:
            certificate = own_keys().certificate
        except (ImproperlyConfigured, OSError, ValueError) as error:
            yield failure("access-point-key", type(error).__name__)
        else:
            yield _trusted("access point", "", certificate, Purpose.SIGNING)
    for organisation in _organisations():
        now = timezone.now()
        for key in organisation.keys.filter(valid_from__lte=now, valid_until__gte=now):
            purpose = (
                Purpose.SIGNING if key.purpose == OrganisationKey.Purpose.SIGNING else Purpose.ENCRYPTION
            )
            certificate = x509.load_pem_x509_certificate(key.certificate.encode())
            yield _trusted(
                f"{organisation.participant_id}, {key.purpose}",
                organisation.participant_id,
                certificate,
                purpose,
            )


def _trusted(name: str, participant: str, certificate: x509.Certificate, purpose: Purpose) -> Finding:
    check = trust.check_organisation if participant else trust.check_access_point
    try:
        check(certificate, purpose)
    except RevocationUnknown as error:
        return failure("revocation-unavailable", f"{name}: {error}", participant)
    except CertificateUntrusted as error:
        return failure("certificate-untrusted", f"{name}: {error}", participant)
    return ok(name, participant)


def round_trip() -> Iterator[Finding]:
    """A test message goes out by TLS as others' messages come in, and is answered: DNS, SMP, TLS, AS4."""
    organisation = organisations_served_here().first()
    if organisation is None:
        yield warning("organisation-missing", "no organisation")
        return
    if not has_own_access_point():
        yield ok("another operator's access point")
        return
    tried = list(ping(organisation.participant, organisation.participant))
    last = tried[-1]
    if last.works and last.step is Step.AS4:
        yield ok(", ".join(each.step for each in tried))
    else:
        yield failure("round-trip", f"{last.step}: {last.detail}")


def address_book() -> Iterator[Finding]:
    """The address book answers, and this node's copy is not old."""
    url = settings.SDK_ADDRESS_BOOK_URL
    if not url:
        yield warning("address-book-not-set", "SDK_ADDRESS_BOOK_URL is not set")
        return
    try:
        answer = fetched(urljoin(url, "organizations?page[size]=1"))
        told = "" if answer.is_ok else f"HTTP {answer.status}"
    except (AddressRefused, NoAnswer) as error:
        told = str(error)
    yield failure("address-book-unavailable", f"{url}: {told}") if told else ok(url)
    age = latest_copy_age_seconds()
    if age is None:
        yield failure("address-book-old", "never copied")
        return
    detail = f"copied {duration(age)} ago"
    if age > _VERY_OLD_SECONDS:
        yield failure("address-book-old", detail)
    elif age > _LATE_RUNS * settings.SDK_ADDRESS_BOOK_SYNC_SECONDS:
        yield warning("address-book-old", detail)
    else:
        yield ok(detail)


def _organisations() -> list[Organisation]:
    return list(Organisation.objects.order_by("participant_id"))


def _own_fingerprint() -> str | None:
    """The fingerprint of this access point's certificate; None where there is none that can be read."""
    if not has_own_access_point():
        return None
    try:
        return fingerprint(own_keys().certificate)
    except (ImproperlyConfigured, OSError, ValueError):
        return None
