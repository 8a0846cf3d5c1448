"""Session keys as they came: each belongs to one message, whatever became of that message.

Whoever captured another's envelope can sign its ciphertext, or a changed one, as their own, and would learn
from our answers what decryption gave. So the wrapped key of every judged envelope is kept before anything is
decrypted, and one that comes again in another message is not opened (C3.2.2 3.4.1).
"""

import hashlib
from enum import Enum, auto
from typing import BinaryIO

from django.db.models import Q

from transport.protocol.xhe.opening import VerifiedEnvelope

from .models import IncomingMessage


class Standing(Enum):
    """What is known of the session key of an envelope."""

    OWN = auto()
    """No other message has come with it."""
    CONTESTED = auto()
    """Another signer has tried it before, with nothing that showed that it was theirs."""
    CAPTURED = auto()
    """It is another message's."""


def note(row: IncomingMessage, verified: VerifiedEnvelope, source: BinaryIO) -> Standing:
    """Keep the envelope's wrapped key with the row, at once, and tell how the two stand. Raises `LeaseLost`.

    The signer has to be proven: whoever could note keys in another's name could keep their messages out.
    """
    if verified.is_encrypted:
        source.seek(0)
        digest = hashlib.file_digest(source, "sha256").hexdigest()  # type: ignore[arg-type]
        row.change(wrapped_key_digest=verified.wrapped_key_digest, envelope_digest=digest)
    return standing(row, verified)


def standing(row: IncomingMessage, verified: VerifiedEnvelope) -> Standing:
    """How an envelope stands whose key has been noted."""
    if not row.wrapped_key_digest:
        return Standing.OWN
    others = IncomingMessage.objects.filter(
        organisation=row.organisation, wrapped_key_digest=row.wrapped_key_digest
    ).exclude(pk=row.pk)
    by_sender = Q(sender=verified.envelope.sender.value)
    is_the_message = by_sender & Q(message_id=verified.envelope.message_id, is_accepted=True)
    others = others.exclude(is_the_message | (by_sender & Q(envelope_digest=row.envelope_digest)))
    if others.filter(Q(holds_key=True) | Q(is_accepted=True) | by_sender).exists():
        return Standing.CAPTURED
    return Standing.CONTESTED if others.exists() else Standing.OWN
