"""Bearer tokens of directory services: made by one administrator, confirmed by another, revoked by any."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from mailbox import access_log
from mailbox.models import DirectoryFailure, DirectoryToken, Person

from .problems import Refused

# By which a lost token is recognised, and told from those of message clients.
PREFIX: Final = "sdkscim_"
LONGEST: Final = timedelta(days=400)
_USE_NOTED_EVERY: Final = timedelta(minutes=1)
_FAILURES_KEPT: Final = timedelta(days=1)


class OwnToken(Exception):
    """Whoever made a token cannot confirm it."""


@dataclass(frozen=True, slots=True)
class Caller:
    """A directory service that is allowed in: its organisation, and the token's name for the log."""

    token_id: int
    participant_id: str
    name: str


class TokenRefused(Exception):
    """The token is unknown, not confirmed, ended or revoked; `participant_id` is empty for an unknown one."""

    def __init__(self, participant_id: str = "") -> None:
        super().__init__()
        self.participant_id = participant_id


def make(actor: Person, participant_id: str, name: str, ends_at: datetime) -> tuple[DirectoryToken, str]:
    """A new token, and its secret, which nothing stores. It lets nobody in until it is confirmed."""
    secret = PREFIX + secrets.token_urlsafe(32)
    with transaction.atomic():
        token = DirectoryToken.objects.create(
            participant_id=participant_id,
            name=name,
            token_hash=_hash_of(secret),
            made_by=actor,
            ends_at=ends_at,
        )
        access_log.record(actor, "directory-token-made", participant_id, token=name)
    return token, secret


def confirm(actor: Person, token: DirectoryToken) -> bool:
    """Confirm another administrator's token; False if it is confirmed or revoked already.

    Raises `OwnToken`."""
    if token.made_by_id == actor.pk:
        raise OwnToken
    with transaction.atomic():
        now = timezone.now()
        rows = DirectoryToken.objects.filter(pk=token.pk, confirmed_at=None, revoked_at=None, ends_at__gt=now)
        if not rows.update(confirmed_at=now, confirmed_by=actor):
            return False
        access_log.record(actor, "directory-token-confirmed", token.participant_id, token=token.name)
    return True


def revoke(actor: Person, token: DirectoryToken) -> None:
    """Revoke a token, at once."""
    with transaction.atomic():
        if DirectoryToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now()):
            access_log.record(actor, "directory-token-revoked", token.participant_id, token=token.name)


def caller_of(secret: str) -> Caller:
    """The directory service whose token it is. Raises `TokenRefused`."""
    if not secret.startswith(PREFIX):
        raise TokenRefused
    token = DirectoryToken.objects.filter(token_hash=_hash_of(secret)).first()
    if token is None:
        raise TokenRefused
    if not is_in_force(token):
        raise TokenRefused(token.participant_id)
    return Caller(token.pk, token.participant_id, token.name)


def is_valid(secret: str) -> bool:
    """Whether a directory service with this token is let in."""
    try:
        caller_of(secret)
    except TokenRefused:
        return False
    return True


def is_in_force(token: DirectoryToken) -> bool:
    """Whether the token is confirmed, not revoked, and has not ended."""
    return token.confirmed_at is not None and token.revoked_at is None and token.ends_at > timezone.now()


def is_waiting(token: DirectoryToken) -> bool:
    """Whether the token can still be confirmed."""
    return token.confirmed_at is None and token.revoked_at is None and token.ends_at > timezone.now()


def note_use(caller: Caller) -> None:
    """Note that the directory service was here, once a minute at most."""
    now = timezone.now()
    rows = DirectoryToken.objects.filter(
        Q(last_used_at=None) | Q(last_used_at__lt=now - _USE_NOTED_EVERY), pk=caller.token_id
    )
    rows.update(last_used_at=now)


def note_failure(participant_id: str, request: str, refused: Refused) -> None:
    """Count a refused request for the page of the organisation's administrators; a day's are kept."""
    now = timezone.now()
    if refused.status == HTTPStatus.NOT_FOUND and request.startswith("GET "):
        # Directory services ask for what they do not know whether it is there.
        return
    DirectoryFailure.objects.filter(participant_id=participant_id, last_at__lt=now - _FAILURES_KEPT).delete()
    failure, is_new = DirectoryFailure.objects.get_or_create(
        participant_id=participant_id,
        hour=now.replace(minute=0, second=0, microsecond=0),
        request=request,
        reason=refused.reason,
        defaults={"last_at": now},
    )
    if not is_new:
        DirectoryFailure.objects.filter(pk=failure.pk).update(count=F("count") + 1, last_at=now)


def failures_since() -> datetime:
    """Refused requests are shown from this moment on."""
    return timezone.now() - _FAILURES_KEPT


def _hash_of(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()
