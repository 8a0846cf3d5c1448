"""Words as the index holds them: 64 bits of HMAC-SHA256 under the organisation's search key."""

import hashlib
import hmac
from collections.abc import Iterable
from typing import Final

# What a hash stands for is hashed with it: a word is never mistaken for a root or a part.
WORD: Final = "word"
ROOT: Final = "root"
NUMBER: Final = "number"
BEGINNING: Final = "beginning"
ENDING: Final = "ending"
TRIGRAM: Final = "trigram"


def token(key: bytes, kind: str, text: str) -> int:
    """What the index holds for a text of a kind: a signed 64-bit number."""
    digest = hmac.digest(key, f"{kind}\0{text}".encode(), hashlib.sha256)
    return int.from_bytes(digest[:8], "big", signed=True)


def tokens(key: bytes, kind: str, texts: Iterable[str]) -> list[int]:
    return [token(key, kind, text) for text in texts]
