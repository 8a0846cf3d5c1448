"""Reading values from DER (X.690)."""

from collections.abc import Sequence
from typing import Final

SEQUENCE: Final = 0x30
_LONGEST_LENGTH: Final = 8


def der_content(data: bytes, at: int) -> tuple[int, int]:
    """Where the content of the value at a place begins and ends; raises `ValueError`, `IndexError`."""
    length, begin = data[at + 1], at + 2
    if length & 0x80:
        count = length & 0x7F
        if count > _LONGEST_LENGTH:
            raise ValueError("a length of that size")
        length, begin = int.from_bytes(data[begin : begin + count], "big"), begin + count
    if begin + length > len(data):
        raise ValueError("length beyond the data")
    return begin, begin + length


def der_values(data: bytes) -> list[bytes]:
    """The values in a sequence, each with its head; raises `ValueError`, `IndexError`."""
    at, end = der_content(data, 0)
    values = []
    while at < end:
        _, after = der_content(data, at)
        values.append(data[at:after])
        at = after
    return values


def der_sequence(values: Sequence[bytes]) -> bytes:
    """A sequence of the values."""
    content = b"".join(values)
    if len(content) < 0x80:
        return bytes([SEQUENCE, len(content)]) + content
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes([SEQUENCE, 0x80 | len(length)]) + length + content
