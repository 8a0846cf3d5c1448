"""What phase4 may do otherwise than we do is read; what the profile forbids is refused by its name."""

import base64
import io
import re

import pytest

from testbed.authorities import load_certificate, load_key
from tests.interop.build import Neighbours
from transport.protocol.as4.mime import boundary_of
from transport.protocol.as4.unpacking import DecryptionKey, read_user_message

pytestmark = pytest.mark.xdist_group("interop")
REFERENCES = [
    "bst",
    "ski-key-id",
    "issuer-serial",
    "issuer-serial-quote-format",
    "x509-key-id",
    "thumbprint-id",
]
XMLENC, XMLENC11 = "http://www.w3.org/2001/04/xmlenc#", "http://www.w3.org/2009/xmlenc11#"
MORE = "http://www.w3.org/2001/04/xmldsig-more#"


@pytest.mark.parametrize(
    "habits",
    [
        *({"signature_reference": reference} for reference in REFERENCES),
        *({"encryption_reference": reference} for reference in REFERENCES),
        {"certificate_path": True},
        {"prefixes": True},
        {"prefixes": False},
        *({"c14n": name} for name in ("c14n-incl", "c14n-incl-comments", "c14n-excl-comments")),
    ],
    ids=lambda habits: "-".join(f"{name} {value}" for name, value in habits.items()),
)
def test_a_habit_of_phase4_s_is_read(neighbours: Neighbours, habits):
    sent = neighbours.from_phase4(neighbours.payload(b"<envelope/>"), habits=habits)
    assert sent.is_delivered, sent
    assert neighbours.arrived()[1] == b"<envelope/>"


@pytest.mark.parametrize(
    ("habits", "name"),
    [
        ({"sign": "rsa-sha-384"}, MORE + "rsa-sha384"),
        ({"sign": "rsa-sha-512"}, MORE + "rsa-sha512"),
        ({"sign": "rsa-sha-256-mgf1"}, "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1"),
        ({"digest": "sha-384"}, MORE + "sha384"),
        ({"digest": "sha-512"}, XMLENC + "sha512"),
        ({"crypt": "aes128-cbc"}, XMLENC + "aes128-cbc"),
        ({"crypt": "aes256-gcm"}, XMLENC11 + "aes256-gcm"),
        ({"key_transport": "RSA15"}, XMLENC + "rsa-1_5"),
        ({"key_transport": "RSA_OAEP"}, XMLENC + "rsa-oaep-mgf1p"),
        ({"mgf": XMLENC11 + "mgf1sha1"}, XMLENC11 + "mgf1sha1"),
        ({"oaep_digest": "http://www.w3.org/2000/09/xmldsig#sha1"}, "http://www.w3.org/2000/09/xmldsig#sha1"),
    ],
    ids=lambda value: value.rpartition("#")[2] if isinstance(value, str) else "",
)
def test_an_algorithm_that_the_profile_does_not_have_is_0103_by_name(neighbours: Neighbours, habits, name):
    sent = neighbours.from_phase4(habits=habits)
    assert sent.errors == (("EBMS:0103", f"algorithm not allowed: {name}"),)
    assert neighbours.nothing_arrived()


def test_a_key_without_a_certificate_is_0101(neighbours: Neighbours):
    sent = neighbours.from_phase4(habits={"signature_reference": "key-value"})
    assert [code for code, _ in sent.errors] == ["EBMS:0101"]
    assert neighbours.refusal() is None
    assert neighbours.nothing_arrived()


def pieces_of(content_type: str, body: bytes) -> tuple[bytes, list[bytes]]:
    """The delimiter, and what stands between: root, then payloads, each with its headers."""
    delimiter = b"--" + boundary_of(content_type).encode()
    return delimiter, [piece.removesuffix(b"\r\n") for piece in body.split(delimiter)[1:-1]]


def as_base64(piece: bytes) -> bytes:
    head, _, content = piece.partition(b"\r\n\r\n")
    assert b"Content-Transfer-Encoding: binary" in head
    head = head.replace(b"Content-Transfer-Encoding: binary", b"Content-Transfer-Encoding: base64")
    return head + b"\r\n\r\n" + base64.encodebytes(content).replace(b"\n", b"\r\n").removesuffix(b"\r\n")


def with_line_feeds_alone(piece: bytes) -> bytes:
    head, _, content = piece.partition(b"\r\n\r\n")
    return head.replace(b"\r\n", b"\n") + b"\n\n" + content


def test_phase4_s_root_part_has_no_content_id_and_may_have_one(neighbours: Neighbours):
    _, content_type, body = neighbours.composed(neighbours.payload(b"<envelope/>"))
    delimiter, (root, part) = pieces_of(content_type, body)
    assert b"Content-ID" not in root.partition(b"\r\n\r\n")[0]
    named = re.sub(rb"\A\r\n", b"\r\nContent-ID: <root@phase4>\r\n", root)
    assert named != root
    changed = delimiter.join([b"", named + b"\r\n", part + b"\r\n", b"--\r\n"])
    neighbours.post_whole(content_type, changed)
    assert neighbours.arrived()[1] == b"<envelope/>"


@pytest.mark.parametrize("repackage", [as_base64, with_line_feeds_alone])
def test_a_part_may_be_encoded_otherwise(neighbours: Neighbours, repackage):
    content = bytes(range(256)) * 100
    _, content_type, body = neighbours.composed(neighbours.payload(content))
    delimiter, pieces = pieces_of(content_type, body)
    changed = delimiter.join([b"", *(repackage(piece) + b"\r\n" for piece in pieces), b"--\r\n"])
    neighbours.post_whole(content_type, changed)
    assert neighbours.arrived()[1] == content


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [1, 2, 0]])
def test_several_parts_in_any_order_are_read_by_what_the_header_says(neighbours: Neighbours, tmp_path, order):
    """By the protocol; the access point takes one payload only."""
    contents = [b"<one/>" * 1000, bytes(range(256)), b"three"]
    payloads = [
        neighbours.payload(contents[0]),
        neighbours.payload(contents[1], mime_type="application/octet-stream", is_compressed=False),
        neighbours.payload(contents[2], mime_type="text/plain"),
    ]
    message_id, content_type, body = neighbours.composed(*payloads)
    delimiter, (root, *parts) = pieces_of(content_type, body)
    ordered = [root, *(parts[number] for number in order)]
    own = neighbours.served.files
    received = read_user_message(
        content_type,
        io.BytesIO(delimiter.join([b"", *(piece + b"\r\n" for piece in ordered), b"--\r\n"])),
        directory=tmp_path,
        decryption_keys=[DecryptionKey(load_key(own.key), load_certificate(own.certificate))],
        check_signer=lambda signer, message: None,
    )
    assert received.user_message.message_id == message_id
    assert received.signing_certificate == load_certificate(neighbours.phase4.files.certificate)
    assert [part.path.read_bytes() for part in received.parts] == contents
    assert [part.info.is_compressed for part in received.parts] == [True, False, True]
