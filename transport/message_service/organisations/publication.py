"""Rolling over: a new certificate is used to sign when CertPub has published it (C3.4.4), not before."""

import logging

from django.utils import timezone

from transport.certificate_watch.watch import HeldCertificate, Holder, Use
from transport.federation import lookup
from transport.federation.errors import FederationError
from transport.message_service.models import Organisation, OrganisationKey
from transport.protocol.certificates import fingerprint
from transport.protocol.identifiers import MESSAGE_RECEIPT, SDK_MESSAGE

from .organisation_keys import NoValidKey, signing_key

logger = logging.getLogger(__name__)
_QUESTIONS = {
    OrganisationKey.Purpose.SIGNING: (lookup.signing_certificates_of, MESSAGE_RECEIPT),
    OrganisationKey.Purpose.ENCRYPTION: (lookup.encryption_certificates_of, SDK_MESSAGE),
}


def poll_certpub() -> int:
    """Ask CertPub for the certificates that are awaited there; how many it has."""
    found = 0
    awaited = OrganisationKey.objects.filter(published_at=None, valid_until__gt=timezone.now())
    for organisation_id, purpose in awaited.values_list("organisation", "purpose").distinct():
        organisation = Organisation.objects.get(pk=organisation_id)
        rows = awaited.filter(organisation=organisation, purpose=purpose)
        published = _published(organisation, OrganisationKey.Purpose(purpose))
        for row in rows.filter(fingerprint__in=published):
            row.published_at = timezone.now()
            row.save(update_fields=["published_at"])
            found += 1
            fields = {"participant": organisation.participant_id, "fingerprint": row.fingerprint}
            logger.info("certificate_published", extra={"fields": fields})
    return found


def held_certificates() -> list[HeldCertificate]:
    """The organisations' certificates, for whoever watches them."""
    return [
        _held(row, use)
        for organisation in Organisation.objects.prefetch_related("keys")
        for row, use in _uses(organisation)
    ]


def _published(organisation: Organisation, purpose: OrganisationKey.Purpose) -> list[str]:
    question, document_type = _QUESTIONS[purpose]
    lookup.drop_cached(organisation.participant, document_type)
    try:
        return [fingerprint(certificate) for certificate in question(organisation.participant)]
    except FederationError as error:
        fields = {"participant": organisation.participant_id, "cause": error.code}
        logger.warning("certpub_lookup_failed", extra={"fields": fields})
        return []


def _uses(organisation: Organisation) -> list[tuple[OrganisationKey, Use]]:
    """The organisation's keys, each with its present use."""
    now = timezone.now()
    keys = list(organisation.keys.all())
    signs = _signing(organisation, keys)
    newest = max(
        (key for key in keys if key.purpose == OrganisationKey.Purpose.ENCRYPTION and key.published_at),
        key=lambda key: (key.valid_from, key.pk),
        default=None,
    )
    found = []
    for key in keys:
        if key.published_at is None and key.valid_until > now and key.pk != signs:
            use = Use.AWAITS_PUBLICATION
        elif key.purpose == OrganisationKey.Purpose.SIGNING:
            use = Use.SIGNS if key.pk == signs else Use.NOT_USED
        else:
            use = Use.OPENS if newest is None or key.pk == newest.pk else Use.STILL_OPENS
        found.append((key, use))
    return found


def _signing(organisation: Organisation, keys: list[OrganisationKey]) -> int | None:
    """The key that signs; where all have expired, the one that signed last and should have had a
    successor."""
    try:
        return signing_key(organisation).pk
    except NoValidKey:
        signing = [key for key in keys if key.purpose == OrganisationKey.Purpose.SIGNING]
        return max(signing, key=lambda key: key.valid_until).pk if signing else None


def _held(row: OrganisationKey, use: Use) -> HeldCertificate:
    is_signing = row.purpose == OrganisationKey.Purpose.SIGNING
    return HeldCertificate(
        Holder.ORGANISATION_SIGNING if is_signing else Holder.ORGANISATION_ENCRYPTION,
        row.organisation.participant_id,
        row.organisation.name,
        row.fingerprint,
        use,
        row.valid_from,
        row.valid_until,
        row.published_at,
    )
