"""What we seal, and what others make of it."""

import io
import tracemalloc

import pytest
import signxml
from lxml import etree

from transport.protocol.message_receipt import write_receipt
from transport.protocol.xhe import opening, sealing

from . import libxmlsec
from .build import a_receipt, an_envelope
from .keys import certificate, key
from .sealed import a_payload, opened, sealed, verified


@pytest.mark.parametrize("size", [0, 1, 47, 48 * 1024 - 16, 48 * 1024, 200_000])
def test_what_is_sealed_can_be_opened(size):
    payload = a_payload(size)
    document = sealed(payload)
    envelope = verified(document)
    assert envelope.findings == ()
    assert envelope.is_encrypted
    assert envelope.encrypted_for == certificate("recipient")
    assert envelope.signing_certificate == certificate("sender")
    assert opened(document) == payload


def test_a_sealed_envelope_is_canonical():
    document = sealed(a_payload(100_000))
    assert etree.tostring(etree.fromstring(document), method="c14n") == document


@pytest.mark.parametrize("size", [0, 10_000, 200_000])
def test_libxmlsec_verifies_and_decrypts_what_we_seal(size):
    payload = a_payload(size)
    document = sealed(payload)
    libxmlsec.verify(document)
    assert etree.tostring(libxmlsec.decrypt(document), method="c14n", exclusive=True) == payload


def test_signxml_verifies_what_we_seal():
    document = sealed(a_payload())
    result = signxml.XMLVerifier().verify(etree.fromstring(document), x509_cert=certificate("sender"))
    assert result.signed_xml.findtext(".//{*}HandlingServiceID") == "funktion-b"


def test_a_receipt_is_signed_and_stands_in_the_clear():
    receipt = write_receipt(a_receipt())
    document = sealed(receipt, encrypted=False)
    libxmlsec.verify(document)
    envelope = verified(document)
    assert not envelope.is_encrypted
    assert envelope.encrypted_for is None
    out = io.BytesIO()
    envelope.write_payload(out)
    assert etree.tostring(etree.fromstring(out.getvalue()), method="c14n", exclusive=True) == etree.tostring(
        etree.fromstring(receipt), method="c14n", exclusive=True
    )


def test_an_envelope_that_says_the_payload_is_encrypted_is_not_sealed_in_the_clear():
    with pytest.raises(ValueError, match="disagree"):
        sealing.seal(
            an_envelope(is_encrypted=True),
            io.BytesIO(b"<a></a>"),
            io.BytesIO(),
            signing_key=key("sender"),
            signing_certificate=certificate("sender"),
            encryption_certificate=None,
        )


class Drop:
    """A source that gives less than it is asked for, as a socket may."""

    def __init__(self, data: bytes) -> None:
        self._source = io.BytesIO(data)

    def read(self, size: int) -> bytes:
        return self._source.read(min(size, 1000))


def test_a_source_that_gives_little_at_a_time_is_sealed_whole():
    payload = a_payload(20_000)
    out = io.BytesIO()
    sealing.seal(
        an_envelope(),
        Drop(payload),
        out,
        signing_key=key("sender"),
        signing_certificate=certificate("sender"),
        encryption_certificate=certificate("recipient"),
    )
    libxmlsec.verify(out.getvalue())
    assert opened(out.getvalue()) == payload


def test_memory_does_not_grow_with_the_payload(tmp_path):
    path, out = tmp_path / "payload", tmp_path / "sealed"
    path.write_bytes(a_payload(12_000_000))
    certificate("sender"), certificate("recipient")
    tracemalloc.start()
    with path.open("rb") as payload, out.open("wb") as target:
        sealing.seal(
            an_envelope(),
            payload,
            target,
            signing_key=key("sender"),
            signing_certificate=certificate("sender"),
            encryption_certificate=certificate("recipient"),
        )
    sealing_peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.reset_peak()
    with out.open("rb") as source, (tmp_path / "opened").open("wb") as target:
        opening.verify_envelope(source).write_payload(target, [key("recipient")])
    opening_peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (tmp_path / "opened").read_bytes() == path.read_bytes()
    assert sealing_peak < 5_000_000
    assert opening_peak < 5_000_000
