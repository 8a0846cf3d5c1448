"""Requesting and importing an organisation's certificates; every step is recorded in the access log."""

from django.db import transaction
from django.db.models import QuerySet

from mailbox import access_log
from mailbox.access import Viewer, administered_by, current_roles
from mailbox.models import OrganisationRole, Person
from transport.message_service.api import (
    CertificateRequest,
    HeldCertificate,
    Organisation,
    OrganisationKey,
    certificate_requests,
    held_certificates,
)


def certificates_seen_by(person: Viewer) -> list[HeldCertificate]:
    """The certificates of the person's organisations, and those of the node, which all of them depend on."""
    own = {"", *administered_by(person)}
    return [certificate for certificate in held_certificates() if certificate.participant in own]


def requests_of(person: Viewer) -> QuerySet[CertificateRequest]:
    """Open certificate requests of the person's organisations, the oldest first."""
    rows = CertificateRequest.objects.filter(organisation__participant_id__in=administered_by(person))
    return rows.select_related("organisation").order_by("created_at")


def request_certificate(
    actor: Person, organisation: Organisation, purpose: OrganisationKey.Purpose, number: str
) -> CertificateRequest:
    """Make a key and a request for its certificate."""
    with transaction.atomic():
        made = certificate_requests.request_certificate(organisation, purpose, number=number)
        access_log.record(actor, "certificate-requested", organisation.participant_id, purpose=purpose.value)
    return made


def import_certificate(
    actor: Person,
    organisation: Organisation,
    data: bytes,
    purpose: OrganisationKey.Purpose | None,
    passphrase: str,
) -> OrganisationKey:
    """Import a certificate, or PKCS#12 where a purpose is given. Raises `CertificateRefused`."""
    with transaction.atomic():
        if purpose is None:
            row = certificate_requests.import_certificate(organisation, data)
        else:
            row = certificate_requests.import_pkcs12(organisation, purpose, data, passphrase)
        access_log.record(
            actor, "certificate-imported", organisation.participant_id, fingerprint=row.fingerprint
        )
    return row


def administrator_addresses(participant_id: str) -> list[str]:
    """The mail addresses of an organisation's administrators."""
    roles = OrganisationRole.objects.filter(
        current_roles(), participant_id=participant_id, role=OrganisationRole.Role.ADMINISTRATOR
    )
    people = Person.objects.filter(pk__in=roles.values("person_id"), is_active=True)
    return list(people.exclude(mail_address="").values_list("mail_address", flat=True))
