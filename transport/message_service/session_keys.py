"""Session keys as they came: each belongs to one message, whatever became of that message.

Whoever captured another's envelope can sign its ciphertext, or a changed one, as their own, and would learn
from our answers what decryption gave. So the digest of every envelope's wrapped key is committed before
anything is decrypted, and an envelope whose key came in another message before is discarded unopened, with no
receipt (C3.2.2 3.4.1). docs/decisions.md says why another signer gets one try all the same.
"""

import hashlib
from enum import Enum, auto
from typing import BinaryIO

from django.db.models import Case, Q, When

from transport.protocol.xhe.opening import VerifiedEnvelope

from .models import IncomingMessage


class KeyOwnership(Enum):
    """The owner of an envelope's session key, as far as is known."""

    OWN = auto()
    """No other message has come with it."""
    CONTESTED = auto()
    """Another signer has used it before, in an envelope that did not show that it was theirs."""
    CAPTURED = auto()
    """It is another message's."""


def record(row: IncomingMessage, verified: VerifiedEnvelope, source: BinaryIO) -> KeyOwnership:
    """Commit the digest of the envelope's wrapped key at once, and return whose the key is. Raises
    `LeaseLost`.

    The signer has to be proven: whoever could record keys in another's name could keep their messages out.
    """
    if verified.is_encrypted:
        source.seek(0)
        digest = hashlib.file_digest(source, "sha256").hexdigest()  # type: ignore[arg-type]
        row.change(wrapped_key_digest=verified.wrapped_key_digest, envelope_digest=digest)
    return ownership(row, verified)


def ownership(row: IncomingMessage, verified: VerifiedEnvelope) -> KeyOwnership:
    """The owner of an envelope's session key; the wrapped key has been recorded.

    Only messages to the same organisation count: another has another key to open with.
    """
    if not row.wrapped_key_digest:
        return KeyOwnership.OWN
    others = IncomingMessage.objects.filter(
        organisation=row.organisation, wrapped_key_digest=row.wrapped_key_digest
    ).exclude(pk=row.pk)
    sender = verified.envelope.sender.value
    by_sender = Q(sender=sender)
    is_the_message = by_sender & Q(message_id=verified.envelope.message_id, is_accepted=True)
    others = others.exclude(is_the_message | (by_sender & Q(envelope_digest=row.envelope_digest)))
    is_captured = Q(owns_session_key=True) | Q(is_accepted=True) | by_sender
    # Whether any is there, and whether one of them has captured it: one statement for both.
    found = others.annotate(has_captured=Case(When(is_captured, then=True), default=False))
    has_captured = found.order_by("-has_captured").values_list("has_captured", flat=True).first()
    if has_captured is None:
        return KeyOwnership.OWN
    return KeyOwnership.CAPTURED if has_captured else KeyOwnership.CONTESTED
