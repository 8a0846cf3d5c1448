"""Encrypted files are written and read as streams, and what is not whole is not taken for whole."""

import io
import os
import tracemalloc

import pyrage
import pytest

from sdkportal.leaving.errors import LeavingError
from sdkportal.leaving.sealed_files import line_of, lines_of, opened, pieces_of, recipients_in, seal

MEGABYTE = 1024 * 1024


@pytest.fixture
def key():
    return pyrage.x25519.Identity.generate()


def sealed(key, pieces) -> bytes:
    out = io.BytesIO()
    seal(pieces, out, [key.to_public()])
    return out.getvalue()


def read(data: bytes, key) -> bytes:
    with opened(io.BytesIO(data), [key], "x.age") as content:
        return b"".join(pieces_of(content))


@pytest.mark.parametrize("size", [0, 1, 64 * 1024, 3 * MEGABYTE + 7])
def test_what_is_read_is_what_was_written(key, size):
    data = os.urandom(size)
    assert read(sealed(key, [data[:5], b"", data[5:]]), key) == data


def test_lines_come_back_as_they_were(key):
    values = [{"text": "åäö\n\u2028", "number": 2**60, "nothing": None}, [], "x"]
    data = sealed(key, map(line_of, values))
    with opened(io.BytesIO(data), [key], "x.age") as content:
        assert list(lines_of(content, "x.age")) == values


def test_memory_does_not_grow_with_what_is_written_and_read(key, tmp_path):
    path = tmp_path / "large.age"
    tracemalloc.start()
    with path.open("wb") as out:
        seal((b"x" * 65_536 for _ in range(48 * 16)), out, [key.to_public()])
    with path.open("rb") as source, opened(source, [key], "large.age") as content:
        size = sum(map(len, pieces_of(content)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size == 48 * MEGABYTE
    assert peak < 4 * MEGABYTE


@pytest.mark.parametrize("kept", [0, 20, 300, 100_000, 200_000])
def test_a_file_that_was_cut_is_not_whole(key, kept):
    data = sealed(key, [b"x" * 200_000])[:kept]
    with pytest.raises(LeavingError, match=r"x\.age"):
        read(data, key)


def test_a_file_that_was_altered_is_not_whole(key):
    data = bytearray(sealed(key, [b"x" * 200_000]))
    data[150_000] ^= 1
    with pytest.raises(LeavingError, match=r"x\.age cannot be opened"):
        read(bytes(data), key)


def test_another_key_opens_nothing(key):
    with pytest.raises(LeavingError, match="was not encrypted to this key"):
        read(sealed(key, [b"x" * 200_000]), pyrage.x25519.Identity.generate())


def test_whoever_reads_may_stop(key):
    data = sealed(key, [b"x" * 2 * MEGABYTE])

    def stops() -> None:
        with opened(io.BytesIO(data), [key], "x.age") as content:
            assert content.read(10) == b"x" * 10
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        stops()


def test_what_making_the_content_raises_is_raised(key):
    def pieces():
        yield b"x"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        sealed(key, pieces())


def test_a_line_that_is_none_is_named():
    with pytest.raises(LeavingError, match="rows, line 2: not JSON"):
        list(lines_of(io.BytesIO(b"1\n{\n"), "rows"))


@pytest.mark.parametrize(
    ("text", "said"), [("", "no public key"), ("# x\nage1x\n", "line 2"), ("ö", "cannot be read")]
)
def test_a_file_of_public_keys_that_holds_none_is_refused(tmp_path, text, said):
    path = tmp_path / "keys.pub"
    path.write_bytes(text.encode())
    with pytest.raises(LeavingError, match=said):
        recipients_in(path)
