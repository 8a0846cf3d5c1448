"""The floor of a message: the cryptography alone that a message and its message receipt need in both roles.

In memory, with keys of 2,048 bits that are loaded already, and nothing else: no XML, no certificate, no
database.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from benchmarks.sealing import Implementation, Keys, floor

_PAYLOAD_BYTES = 2_000
# An envelope on its way: base64 and XML around the payload or the receipt.
_ENVELOPE_BYTES = 6_000
_OAEP_AS4 = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
_ROUNDS, _EACH = 9, 10


def floor_ms_per_message(directory: Path) -> float:
    """CPU milliseconds, the median of several rounds.

    A message is sealed and opened once, its message receipt signed and verified; each goes out and in by AS4
    once: signed, encrypted, decrypted, verified, and answered by a transport receipt that is signed and
    verified. Together 6 RSA signatures and their 6 verifications, 3 RSA encryptions and 3 decryptions.
    """
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "floor.pem"
    Keys.create(path)
    keys = Keys(path)
    envelope = os.urandom(_ENVELOPE_BYTES)
    message = floor(keys, os.urandom(_PAYLOAD_BYTES), directory)
    transport = _as4(keys, envelope)

    def once() -> None:
        _both(message)
        _sign_and_verify(keys, envelope)
        for _ in ("the message", "its receipt"):
            _both(transport)
            _sign_and_verify(keys, envelope)

    once()
    return 1000 * median(_cpu_seconds(once) for _ in range(_ROUNDS))


def _both(way: Implementation) -> None:
    way.seal()
    way.open()


def _sign_and_verify(keys: Keys, document: bytes) -> None:
    """A document that is signed and not encrypted: a message receipt, or a transport receipt."""
    signature = keys.private.sign(document, padding.PKCS1v15(), hashes.SHA256())
    keys.public.verify(signature, document, padding.PKCS1v15(), hashes.SHA256())


def _as4(keys: Keys, envelope: bytes) -> Implementation:
    """AS4's part: the envelope is hashed and signed for, and encrypted with AES-128-GCM."""
    state: dict[str, bytes] = {}

    def sealing() -> None:
        state["signature"] = keys.private.sign(envelope, padding.PKCS1v15(), hashes.SHA256())
        session, state["nonce"] = os.urandom(16), os.urandom(12)
        state["wrapped"] = keys.public.encrypt(session, _OAEP_AS4)
        state["sealed"] = AESGCM(session).encrypt(state["nonce"], envelope, None)

    def opening() -> None:
        session = keys.private.decrypt(state["wrapped"], _OAEP_AS4)
        opened = AESGCM(session).decrypt(state["nonce"], state["sealed"], None)
        keys.public.verify(state["signature"], opened, padding.PKCS1v15(), hashes.SHA256())

    return Implementation(sealing, opening)


def _cpu_seconds(action: Callable[[], None]) -> float:
    begun = time.process_time()
    for _ in range(_EACH):
        action()
    return (time.process_time() - begun) / _EACH
