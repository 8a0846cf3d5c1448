"""The key that wraps data keys. It is not in the database, so a copy of that opens nothing."""

import base64
import binascii
import hashlib
import os
from dataclasses import dataclass, field
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.core.exceptions import ImproperlyConfigured

from .errors import Altered

_KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12


class WrappingKey(Protocol):
    """Wraps and unwraps data keys; `name` says which key it is and tells nothing of it."""

    @property
    def name(self) -> str: ...

    def wrap(self, key: bytes, binding: bytes) -> bytes: ...

    def unwrap(self, wrapped: bytes, binding: bytes) -> bytes: ...


@dataclass(frozen=True, slots=True)
class EnvironmentKey:
    """SDK_WRAPPING_KEY: 32 bytes that the process was started with."""

    name: str
    _key: bytes = field(repr=False)

    @classmethod
    def read(cls, text: str) -> "EnvironmentKey":
        """From base64. Raises `ImproperlyConfigured`, which does not repeat the text."""
        try:
            key = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if len(key) != _KEY_BYTES:
            raise ImproperlyConfigured(
                "SDK_WRAPPING_KEY and SDK_OLD_WRAPPING_KEYS are 32 bytes in base64: openssl rand -base64 32"
            )
        return cls("environment:" + hashlib.sha256(b"sdkportal wrapping key" + key).hexdigest()[:16], key)

    def wrap(self, key: bytes, binding: bytes) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        return nonce + AESGCM(self._key).encrypt(nonce, key, binding)

    def unwrap(self, wrapped: bytes, binding: bytes) -> bytes:
        try:
            return AESGCM(self._key).decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], binding)
        except InvalidTag:
            raise Altered("a wrapped data key is not what was wrapped") from None
