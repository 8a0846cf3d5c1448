"""Sealed files: streams that open anywhere, and nothing but whole and in their own place."""

import io
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transport.storage.encryption import files
from transport.storage.encryption.errors import Altered
from transport.storage.encryption.files import CHUNK, HEADER
from transport.storage.encryption.keys import current_key

pytestmark = pytest.mark.django_db
OURS, PLACE = "0203:a.se", "file 1"
SEALED_CHUNK = CHUNK + 16
SIZES = (0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 17)


def sealed(content: bytes, participant: str = OURS, context: str = PLACE) -> bytes:
    return files.sealed(io.BytesIO(content), participant, context).read()


def opened(data: bytes, participant: str = OURS, context: str = PLACE) -> bytes:
    return files.opened(io.BytesIO(data), participant, context).read()


class Dribble(io.BytesIO):
    """A stream that gives less than it is asked for."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(min(size or -1, 1000) if size and size > 0 else size)


@pytest.mark.parametrize("size", SIZES)
def test_what_is_sealed_opens(size):
    content = os.urandom(size)
    data = sealed(content)
    assert opened(data) == content
    assert size < 16 or content[:16] not in data
    assert len(data) == HEADER + size + 16 * max(1, -(-size // CHUNK))


def test_a_source_that_gives_little_at_a_time_is_sealed_whole():
    content = os.urandom(CHUNK + 5000)
    data = files.sealed(Dribble(content), OURS, PLACE).read()
    assert opened(data) == content


def test_any_part_can_be_read_in_any_order():
    content = os.urandom(2 * CHUNK + 333)
    data = sealed(content)

    @given(st.lists(st.tuples(st.integers(0, 3 * CHUNK), st.integers(0, CHUNK + 10)), max_size=8))
    def check(parts):
        with files.opened(io.BytesIO(data), OURS, PLACE) as file:
            for start, count in parts:
                file.seek(start)
                assert file.read(count) == content[start : start + count]
            assert file.seek(0, io.SEEK_END) == len(content)

    check()


@pytest.mark.parametrize(
    "cut", [0, 1, 7, HEADER - 1, HEADER, HEADER + 15, HEADER + SEALED_CHUNK, HEADER + 2 * SEALED_CHUNK, -1]
)
def test_a_file_that_was_cut_short_is_refused_before_anything_is_read(cut):
    data = sealed(os.urandom(2 * CHUNK + 100))
    with pytest.raises(Altered):
        files.opened(io.BytesIO(data[:cut]), OURS, PLACE)


def test_chunks_in_another_order_are_refused():
    data = sealed(os.urandom(3 * CHUNK))
    first, second = (
        data[HEADER : HEADER + SEALED_CHUNK],
        data[HEADER + SEALED_CHUNK : HEADER + 2 * SEALED_CHUNK],
    )
    with pytest.raises(Altered):
        opened(data[:HEADER] + second + first + data[HEADER + 2 * SEALED_CHUNK :])


def test_a_chunk_of_another_file_is_refused():
    one, other = sealed(b"a" * 2 * CHUNK), sealed(b"b" * 2 * CHUNK)
    end = HEADER + SEALED_CHUNK
    with pytest.raises(Altered):
        opened(one[:HEADER] + other[HEADER:end] + one[end:])


@pytest.mark.parametrize("position", [0, 9, 30, HEADER, HEADER + 100, -1])
def test_a_changed_byte_is_refused(position):
    data = bytearray(sealed(os.urandom(CHUNK + 100)))
    data[position] ^= 1
    # A changed key id names a key that there is not.
    with pytest.raises(Exception) as caught:
        opened(bytes(data))
    assert type(caught.value).__module__ == "transport.storage.encryption.errors"


def test_a_file_opens_in_its_own_place_and_for_its_own_organisation_only():
    data = sealed(b"content")
    with pytest.raises(Altered):
        opened(data, context="file 2")
    with pytest.raises(Altered):
        opened(data, participant="0203:b.se")


def test_the_same_content_is_never_sealed_alike():
    assert sealed(b"content") != sealed(b"content")


def test_what_is_being_sealed_can_be_rewound_only_to_where_it_is():
    source = files.sealed(io.BytesIO(b"content"), OURS, PLACE)
    assert source.seek(0) == 0
    source.read(10)
    with pytest.raises(io.UnsupportedOperation):
        source.seek(0)


def test_a_key_shows_in_no_representation():
    key = current_key(OURS)
    assert repr(key.secret) not in repr(key)
    assert key.secret.hex() not in repr(key)
