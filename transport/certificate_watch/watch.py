"""The node's own certificates, what each is used for and until when; warnings before one ends."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from django.utils.translation import override

from .. import mail
from ..names import as_one_line
from .models import ExpiryWarning

WARNING_DAYS: Final = (60, 30, 7)


class Holder(StrEnum):
    """The owner of a certificate, and its purpose."""

    ORGANISATION_SIGNING = "organisation-signing"
    ORGANISATION_ENCRYPTION = "organisation-encryption"
    ACCESS_POINT = "access-point"
    TLS_CLIENT = "tls-client"


class Use(StrEnum):
    """The present use of a certificate."""

    SIGNS = "signs"
    OPENS = "opens"
    SIGNS_AND_OPENS = "signs-and-opens"
    SHOWN = "shown"
    AWAITS_PUBLICATION = "awaits-publication"
    STILL_OPENS = "still-opens"
    NOT_USED = "not-used"


@dataclass(frozen=True, slots=True)
class HeldCertificate:
    """A certificate of this node. `participant` is empty for what is the installation's own."""

    holder: Holder
    participant: str
    name: str
    fingerprint: str
    use: Use
    valid_from: datetime
    valid_until: datetime
    published_at: datetime | None = None

    @property
    def is_needed(self) -> bool:
        """Whether something stops when it ends: one that only opens what is old has its successor."""
        return self.use not in {Use.STILL_OPENS, Use.NOT_USED}

    def days_left(self, now: datetime) -> int:
        """Whole days until it expires, negative afterwards."""
        return (self.valid_until - now) // timedelta(days=1)


Source = Callable[[], Iterable[HeldCertificate]]
Recipients = Callable[[str], Iterable[str]]


def held_certificates() -> list[HeldCertificate]:
    """Every certificate of this node, those that expire first at the beginning.

    `SDK_CERTIFICATE_SOURCES` names the functions that list them.
    """
    sources: list[Source] = [import_string(name) for name in settings.SDK_CERTIFICATE_SOURCES]
    found = [certificate for source in sources for certificate in source()]
    return sorted(
        found, key=lambda certificate: (certificate.valid_until, certificate.holder, certificate.fingerprint)
    )


def warn() -> int:
    """Send the expiry warnings that are due, each once; returns how many."""
    now = timezone.now()
    return sum(_warn_of(certificate, now) for certificate in held_certificates() if certificate.is_needed)


def _warn_of(certificate: HeldCertificate, now: datetime) -> bool:
    passed = [days for days in WARNING_DAYS if certificate.days_left(now) < days]
    addresses = _addresses(certificate.participant)
    if not passed or not addresses:
        return False
    nearest = min(passed)
    try:
        with transaction.atomic():
            # The row comes first, so that one of two processes sends. It is rolled back if no mail is sent.
            ExpiryWarning.objects.create(fingerprint=certificate.fingerprint, days=nearest)
            _send(certificate, max(0, certificate.days_left(now)), addresses)
    except (IntegrityError, mail.NothingSent):
        return False
    return True


def _addresses(participant: str) -> list[str]:
    """The operator's mail addresses, and for an organisation's certificate those of its administrators.

    `SDK_CERTIFICATE_RECIPIENTS` names the functions that list the addresses of an organisation.
    """
    found = set(settings.SDK_OPERATOR_MAIL)
    if participant:
        recipients: list[Recipients] = [import_string(name) for name in settings.SDK_CERTIFICATE_RECIPIENTS]
        found.update(address for addresses_of in recipients for address in addresses_of(participant))
    return sorted(found)


def _send(certificate: HeldCertificate, days: int, addresses: list[str]) -> None:
    with override(settings.LANGUAGE_CODE):
        values = {
            "name": certificate.name,
            "days": days,
            "until": f"{timezone.localtime(certificate.valid_until):%Y-%m-%d}",
        }
        subject = as_one_line(_("Certifikat går ut om %(days)d dagar: %(name)s") % values)
        text = _(
            "Certifikatet för %(name)s gäller till %(until)s. När det har gått ut kan meddelanden varken "
            "skickas eller tas emot. Begär ett nytt på sidan Certifikat under Administration."
        )
        details = f"{certificate.holder}\nSHA-256 {certificate.fingerprint}\n{settings.SDK_PUBLIC_URL}"
        body = f"{text % values}\n\n{details}\n"
    if not mail.send_each(addresses, subject, body):
        # Nobody has received it: the next run sends the warning again.
        raise mail.NothingSent
