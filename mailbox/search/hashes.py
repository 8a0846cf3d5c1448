"""Words as the index stores them: 64 bits of HMAC-SHA256 under the organisation's search key."""

import hashlib
import hmac
from collections.abc import Iterable
from typing import Final

# The kind is hashed with the text, so that a word is never mistaken for a stem. The index holds these values.
WORD: Final = "word"
STEM: Final = "root"
NUMBER: Final = "number"
BEGINNING: Final = "beginning"
ENDING: Final = "ending"
TRIGRAM: Final = "trigram"


def token(key: bytes, kind: str, text: str) -> int:
    """The keyed hash of a text of one kind: a signed 64-bit number."""
    digest = hmac.digest(key, f"{kind}\0{text}".encode(), hashlib.sha256)
    return int.from_bytes(digest[:8], "big", signed=True)


def tokens(key: bytes, kind: str, texts: Iterable[str]) -> list[int]:
    """The keyed hashes of texts of one kind, in their order."""
    return [token(key, kind, text) for text in texts]
