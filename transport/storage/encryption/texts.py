"""Sealed texts: `at-rest:1:` and base64 of key id, nonce and ciphertext, so that a text column holds them."""

import base64
import binascii
import os
from typing import Final
from uuid import UUID

from cryptography.exceptions import InvalidTag

from .errors import Altered
from .keys import OpenKey, current_key, key_of

MARK: Final = "at-rest:1:"
_ID: Final = 16
_NONCE: Final = 12


def is_sealed(stored: str) -> bool:
    return stored.startswith(MARK)


def seal_text(text: str, participant: str, context: str) -> str:
    """Seal a text for the organisation; it opens only with the same `context`."""
    return seal_with(current_key(participant), text, context)


def seal_with(key: OpenKey, text: str, context: str) -> str:
    """Seal with a key that is at hand: asks nothing of the database."""
    nonce = os.urandom(_NONCE)
    sealed = key.cipher.encrypt(nonce, text.encode(), context.encode())
    return MARK + base64.b64encode(key.id.bytes + nonce + sealed).decode()


def open_text(stored: str, context: str) -> str:
    """Open a sealed text. Raises `Altered`, `DataKeyUnknown`."""
    data = _decoded(stored)
    key = key_of(UUID(bytes=data[:_ID]))
    try:
        return key.cipher.decrypt(data[_ID : _ID + _NONCE], data[_ID + _NONCE :], context.encode()).decode()
    except InvalidTag:
        raise Altered("a sealed text is not what was sealed in this place") from None


def key_id_of(stored: str) -> UUID:
    """Which data key sealed a text."""
    return UUID(bytes=_decoded(stored)[:_ID])


def _decoded(stored: str) -> bytes:
    try:
        data = base64.b64decode(stored.removeprefix(MARK), validate=True)
    except (binascii.Error, ValueError):
        data = b""
    if len(data) < _ID + _NONCE:
        raise Altered("a sealed text cannot be read")
    return data
