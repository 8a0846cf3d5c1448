"""The name and logo that an organisation shows in the head of its pages and where people log in."""

import hashlib
from typing import Final

from django.core.cache import cache
from django.db import Error, transaction
from django.db.models import Q

from mailbox import access_log
from mailbox.access import Viewer, administered_by, audited_by, mailboxes_of
from mailbox.models import OrganisationIdentity, Person

LARGEST_LOGO_BYTES: Final = 200 * 1024
_VISITORS_KEY: Final = "identity-for-visitors"
_VISITORS_SECONDS: Final = 60
_SIGNATURES: Final = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}


class LogoRefused(Exception):
    """The file is neither PNG nor JPEG, or larger than `LARGEST_LOGO_BYTES`."""


def shown_to(person: Viewer) -> OrganisationIdentity | None:
    """The identity of the person's organisation; before a login that of the node's only organisation.

    None where there is none, or where several could be meant. What visitors see is remembered for a minute,
    and None while the database is away: nobody without a session makes the database work.
    """
    if not isinstance(person, Person):
        return _shown_to_visitors()
    # Two rows are enough to know that there are several.
    rows = list(OrganisationIdentity.objects.defer("logo")[:2])
    if len(rows) < 2:
        return rows[0] if rows else None
    own = Q(participant_id__in=mailboxes_of(person).values("participant_id")) | Q(
        participant_id__in=[*administered_by(person), *audited_by(person)]
    )
    return OrganisationIdentity.objects.defer("logo").filter(own).first()


def _shown_to_visitors() -> OrganisationIdentity | None:
    known: list[OrganisationIdentity] | None = cache.get(_VISITORS_KEY)
    if known is None:
        try:
            known = list(OrganisationIdentity.objects.defer("logo")[:2])
        except Error:
            return None
        cache.set(_VISITORS_KEY, known, _VISITORS_SECONDS)
    return known[0] if len(known) == 1 else None


def type_of_logo(content: bytes) -> str:
    """The content type of a logo by its first bytes. Raises `LogoRefused`."""
    if len(content) > LARGEST_LOGO_BYTES:
        raise LogoRefused
    for signature, content_type in _SIGNATURES.items():
        if content.startswith(signature):
            return content_type
    raise LogoRefused


def set_identity(
    actor: Person, participant_id: str, name: str, *, logo: bytes | None, removes_logo: bool = False
) -> None:
    """Set the name, and the logo where one is given; recorded in the access log. Raises `LogoRefused`."""
    fields: dict[str, object] = {"name": name}
    if logo is not None:
        digest = hashlib.sha256(logo).hexdigest()
        fields |= {"logo": logo, "logo_type": type_of_logo(logo), "logo_digest": digest}
    elif removes_logo:
        fields |= {"logo": None, "logo_type": "", "logo_digest": ""}
    with transaction.atomic():
        OrganisationIdentity.objects.update_or_create(participant_id=participant_id, defaults=fields)
        access_log.record(actor, "identity-changed", participant_id)
    cache.delete(_VISITORS_KEY)
