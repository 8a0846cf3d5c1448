"""Messages that another implementation made (AS4.NET)."""

import io

import pytest
from cryptography.hazmat.primitives.serialization import pkcs12

from transport.protocol.as4.errors import As4Error
from transport.protocol.as4.inspection import inspect_mime
from transport.protocol.as4.signals import read_signal
from transport.protocol.as4.unpacking import DecryptionKey, read_user_message

_PASSWORD = b"Pz4cZK4SULUwmraZb"


def _message(shared) -> tuple[str, bytes]:
    body = (shared / "vectors/as4/as4-encrypted-signed-keyidentifier.as4").read_bytes()
    boundary = body[2 : body.index(b"\n")].strip().decode()
    return f'multipart/related; boundary="{boundary}"', body


def _keys(shared) -> list[DecryptionKey]:
    data = (shared / "vectors/as4/AccessPointB.pfx").read_bytes()
    key, certificate, _ = pkcs12.load_key_and_certificates(data, _PASSWORD)
    return [DecryptionKey(key, certificate)]


def test_its_algorithms_are_refused_by_name(shared, tmp_path):
    content_type, body = _message(shared)
    with pytest.raises(As4Error, match="rsa-sha384") as refused:
        read_user_message(
            content_type,
            io.BytesIO(body),
            directory=tmp_path,
            decryption_keys=_keys(shared),
            check_signer=lambda *_: None,
        )
    assert refused.value.kind.code == "EBMS:0103"


def test_a_receipt_with_the_wrong_namespace_is_refused(shared):
    body = (shared / "vectors/as4/Receipt_InvalidNRI_Namespace.as4").read_bytes()
    soap = body[body.index(b"<?xml") : body.rindex(b"Envelope>") + len(b"Envelope>")]
    with pytest.raises(As4Error):
        read_signal(
            "application/soap+xml",
            soap,
            sent_references=(),
            sent_message_id="x",
            check_signer=lambda *_: None,
        )


def test_it_can_be_looked_into_all_the_same(shared, tmp_path):
    """Parsing, canonicalisation, digests and decryption, by another sender's bytes."""
    content_type, body = _message(shared)
    inspection = inspect_mime(content_type, io.BytesIO(body), tmp_path, _keys(shared))
    assert [finding for finding in inspection.findings if not finding.is_note] == []
    assert any("rsa-sha384" in finding.text for finding in inspection.findings)
    assert [(part.info.mime_type, part.path.read_bytes()[:2]) for part in inspection.parts] == [
        ("image/jpeg", b"\xff\xd8"),
        ("application/xml", b"<?"),
    ]
