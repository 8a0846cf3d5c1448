"""A PKCS#11 token as the home of the wrapping key: the key never leaves it.

A data key is asked for once in a process's life, so every call opens a session of its own; nothing is kept
that a fork could break.
"""

import os
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import pkcs11
from pkcs11.exceptions import PKCS11Error

from .errors import Altered, TokenUnavailable, WrappingKeyMissing
from .wrapping import NONCE_BYTES

_TAG_BITS: Final = 128
_one_at_a_time = threading.Lock()
_owner = os.getpid()


@dataclass(frozen=True, slots=True)
class TokenKey:
    """An AES-256 key by its label, in the token by its label."""

    module: str
    token: str
    _pin: str = field(repr=False)
    label: str

    @property
    def name(self) -> str:
        return f"pkcs11:{self.token}/{self.label}"

    def wrap(self, key: bytes, binding: bytes) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        with self._key() as wrapping:
            sealed: bytes = wrapping.encrypt(
                key, mechanism=pkcs11.Mechanism.AES_GCM, mechanism_param=_parameters(nonce, binding)
            )
        return nonce + sealed

    def unwrap(self, wrapped: bytes, binding: bytes) -> bytes:
        nonce, sealed = wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:]
        with self._key() as wrapping:
            try:
                key: bytes = wrapping.decrypt(
                    sealed, mechanism=pkcs11.Mechanism.AES_GCM, mechanism_param=_parameters(nonce, binding)
                )
            except (pkcs11.exceptions.EncryptedDataInvalid, pkcs11.exceptions.GeneralError):
                # SoftHSM answers a wrong tag with CKR_GENERAL_ERROR.
                raise Altered("a wrapped data key is not what was wrapped") from None
        return key

    def create(self) -> None:
        """Make the key in the token: not extractable, for encryption and decryption only."""
        with _session(self.module, self.token, self._pin, writes=True) as session:
            session.generate_key(
                pkcs11.KeyType.AES,
                256,
                label=self.label,
                store=True,
                capabilities=pkcs11.MechanismFlag.ENCRYPT | pkcs11.MechanismFlag.DECRYPT,
                template={
                    pkcs11.Attribute.SENSITIVE: True,
                    pkcs11.Attribute.EXTRACTABLE: False,
                    pkcs11.Attribute.PRIVATE: True,
                },
            )

    def exists(self) -> bool:
        """Whether the token has the key."""
        try:
            with self._key():
                return True
        except WrappingKeyMissing:
            return False

    @contextmanager
    def _key(self) -> Generator[Any, None, None]:
        with _session(self.module, self.token, self._pin) as session:
            try:
                key = session.get_key(object_class=pkcs11.ObjectClass.SECRET_KEY, label=self.label)
            except pkcs11.exceptions.NoSuchKey:
                raise WrappingKeyMissing(f"the token has no key {self.label}; see docs/keys.md") from None
            yield key


def _parameters(nonce: bytes, binding: bytes) -> pkcs11.GCMParams:
    return pkcs11.GCMParams(nonce, binding, _TAG_BITS)


@contextmanager
def _session(
    module: str, token: str, pin: str, *, writes: bool = False
) -> Generator[pkcs11.Session, None, None]:
    global _owner
    with _one_at_a_time:
        try:
            library = pkcs11.lib(module)
            if _owner != os.getpid():
                # A fork's child has its parent's library, which it may not use (PKCS#11 2.40 base 6.6.1).
                library.reinitialize()
                _owner = os.getpid()
            with library.get_token(token_label=token).open(user_pin=pin, rw=writes) as session:
                yield session
        except PKCS11Error as error:
            raise TokenUnavailable(f"the PKCS#11 token answers {type(error).__name__}") from None
