"""Setting up case systems: what one administrator sets another confirms, and nothing is handed over before.

Every change is in the access log. Secrets are shown once, and kept so that nobody can read them.
"""

import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from mailbox import access_log
from mailbox.models import CaseSystem, CaseSystemMailbox, FunctionMailbox, Person
from transport.message_api.api import webhooks

from . import deliveries
from .sftp_session import fingerprint_of, new_key_pair

_TOKEN_BYTES = 32
DeliversAt = CaseSystemMailbox.DeliversAt


class NameTaken(Exception):
    """The organisation has a case system with that name, or with that folder."""


class OwnChange(Exception):
    """Somebody else than who made the change has to confirm it."""


class Changed(Exception):
    """The case system has been changed since the page was shown."""


@dataclass(frozen=True, slots=True)
class Secrets:
    """What the case system's operator is given once: what signs web hooks, and the token of the API."""

    webhook_secret: str
    token: str


def create(
    actor: Person,
    participant_id: str,
    *,
    name: str,
    kind: str,
    folder: str,
    webhook_url: str,
    sftp_address: str = "",
) -> CaseSystem:
    """Add a case system, which no mailbox may use yet; one with an SFTP server gets a key of ours.

    Raises `NameTaken`.
    """
    private_key, public_key = new_key_pair() if kind == CaseSystem.Kind.SFTP else ("", "")
    try:
        with transaction.atomic():
            made = CaseSystem.objects.create(
                participant_id=participant_id,
                name=name,
                kind=kind,
                folder=folder,
                webhook_url=webhook_url,
                sftp_address=sftp_address,
                sftp_private_key=private_key,
                sftp_public_key=public_key,
                changed_by=actor,
                changed_at=timezone.now(),
            )
            address = sftp_address or webhook_url
            _record(actor, "case-system-created", made, kind=kind, folder=folder, address=address)
    except IntegrityError:
        raise NameTaken from None
    return made


def change(
    actor: Person, system: CaseSystem, *, name: str, webhook_url: str, mailbox_ids: Collection[int]
) -> bool:
    """Change the name, the web hook's address and which mailboxes may use it; of other organisations' none.

    Returns whether that waits for another administrator: another address does, and a mailbox more. Raises
    `NameTaken`.
    """
    try:
        with transaction.atomic():
            row = _locked(system)
            boxes = FunctionMailbox.objects.filter(participant_id=row.participant_id, pk__in=mailbox_ids)
            wanted = set(boxes.values_list("pk", flat=True))
            present = set(row.mailboxes.values_list("mailbox_id", flat=True))
            needs_second = bool(wanted - present) or webhook_url != row.webhook_url
            row.name, row.webhook_url = name, webhook_url
            if needs_second:
                _set_unconfirmed(row, actor)
            row.save()
            row.mailboxes.filter(mailbox__in=present - wanted).delete()
            CaseSystemMailbox.objects.bulk_create(
                CaseSystemMailbox(case_system=row, mailbox_id=key) for key in sorted(wanted - present)
            )
            _record(actor, "case-system-changed", row, address=webhook_url, mailboxes=sorted(wanted))
    except IntegrityError:
        raise NameTaken from None
    return needs_second


def renew_secrets(actor: Person, system: CaseSystem) -> Secrets:
    """Give the case system a new secret and a new token; those of before do not hold any more."""
    made = Secrets(webhooks.new_secret(), secrets.token_urlsafe(_TOKEN_BYTES))
    with transaction.atomic():
        row = _locked(system)
        row.webhook_secret, row.token_digest = made.webhook_secret, digest_of(made.token)
        _set_unconfirmed(row, actor)
        row.save()
        _record(actor, "case-system-secrets-renewed", row)
    return made


def set_host_key(actor: Person, system: CaseSystem, host_key: str) -> None:
    """Set the key of the case system's SFTP server, which the actor has compared; another administrator
    confirms it. Raises `AddressInvalid` where it is no key."""
    fingerprint = fingerprint_of(host_key)
    with transaction.atomic():
        row = _locked(system)
        row.sftp_host_key, row.host_key_changed_at = host_key, None
        _set_unconfirmed(row, actor)
        row.save()
        _record(actor, "case-system-host-key-set", row, fingerprint=fingerprint)


def confirm(actor: Person, system: CaseSystem, changed_at: datetime | None) -> None:
    """Confirm what another administrator has set, as the page showed it. Raises `OwnChange`, `Changed`."""
    with transaction.atomic():
        row = _locked(system)
        if row.is_confirmed or row.changed_at != changed_at:
            raise Changed
        if row.changed_by_id == actor.pk:
            raise OwnChange
        row.is_confirmed = True
        row.save(update_fields=["is_confirmed"])
        deliveries.resume(row)
        _record(actor, "case-system-confirmed", row)


def set_enabled(actor: Person, system: CaseSystem, *, is_enabled: bool) -> None:
    """Switch the case system off at once, or on again with what has been confirmed."""
    with transaction.atomic():
        row = _locked(system)
        if row.is_enabled == is_enabled:
            return
        row.is_enabled = is_enabled
        row.save(update_fields=["is_enabled"])
        if is_enabled:
            deliveries.resume(row)
        _record(actor, "case-system-enabled" if is_enabled else "case-system-disabled", row)


def set_delivers_at(actor: Person, mailbox: FunctionMailbox, chosen: dict[int, str]) -> None:
    """Set by what the mailbox's conversations are handed over, for each case system that it may use."""
    with transaction.atomic():
        rows = CaseSystemMailbox.objects.select_for_update().filter(mailbox=mailbox).order_by("pk")
        for row in rows:
            delivers_at = DeliversAt(chosen.get(row.case_system_id, row.delivers_at))
            if row.delivers_at != delivers_at:
                row.delivers_at = delivers_at
                row.save(update_fields=["delivers_at"])
                access_log.record(
                    actor,
                    "case-system-mailbox-set",
                    mailbox.participant_id,
                    mailbox=mailbox,
                    case_system=str(row.case_system.key),
                    delivers_at=delivers_at.value or "order",
                )


def with_token(token: str) -> CaseSystem | None:
    """The case system that the token belongs to, if conversations are handed over to it now."""
    found = CaseSystem.objects.filter(
        token_digest=digest_of(token), kind=CaseSystem.Kind.WEBHOOK, is_enabled=True, is_confirmed=True
    )
    return found.first() if token else None


def digest_of(token: str) -> str:
    """What is kept of a token; it is as long as the digest, so it cannot be guessed from it."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


def _locked(system: CaseSystem) -> CaseSystem:
    return CaseSystem.objects.select_for_update().get(pk=system.pk)


def _set_unconfirmed(row: CaseSystem, actor: Person) -> None:
    row.is_confirmed, row.changed_by, row.changed_at = False, actor, timezone.now()


def _record(actor: Person, what: str, system: CaseSystem, **details: Any) -> None:
    access_log.record(
        actor, what, system.participant_id, case_system=str(system.key), name=system.name, **details
    )
