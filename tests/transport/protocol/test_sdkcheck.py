"""`manage.py sdkcheck` says of every file what the federation's own files say."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import xmlsec
from cryptography.hazmat.primitives import serialization
from lxml import etree

from tests.transport.protocol.as4.build import wire

from . import official
from .keys import key
from .test_sealing import a_payload, sealed

PROJECT = Path(__file__).resolve().parent.parent.parent.parent
_KINDS = {
    "messagePayload": ("SDK message", official.MESSAGE),
    "XHE": ("XHE", official.ENVELOPE),
    "ApplicationResponse": ("message receipt", official.RECEIPT),
}


def sdkcheck(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command as somebody would who has configured nothing."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SDK_")}
    return subprocess.run(
        [sys.executable, "manage.py", "sdkcheck", *map(str, arguments)],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def _signature_holds(root) -> bool:
    """What libxmlsec1 says of it, with the certificate that the document carries."""
    node = root.find("{http://www.w3.org/2000/09/xmldsig#}Signature")
    text = node.findtext(".//{http://www.w3.org/2000/09/xmldsig#}X509Certificate")
    context = xmlsec.SignatureContext()
    pem = "-----BEGIN CERTIFICATE-----\n" + text.strip() + "\n-----END CERTIFICATE-----\n"
    context.key = xmlsec.Key.from_memory(pem.encode(), xmlsec.constants.KeyDataFormatCertPem)
    try:
        context.verify(node)
    except xmlsec.Error:
        return False
    return True


def test_every_example_gets_the_official_verdict(shared):
    files = sorted(path for path in (shared / "examples").rglob("*.xml"))
    done = sdkcheck("--json", *files)
    assert done.returncode == 2, "one of the examples is not XML"
    results = {Path(item["file"]): item for item in json.loads(done.stdout)}
    judged = 0
    for path in files:
        try:
            root = etree.parse(str(path)).getroot()
        except etree.XMLSyntaxError:
            assert results[path]["kind"] is None
            continue
        name = etree.QName(root).localname
        if name not in _KINDS:
            assert results[path]["kind"] == "AS4 user message"
            continue
        kind, yardstick = _KINDS[name]
        is_valid, broken = yardstick.verdict(shared, path.read_bytes())
        if root.find("{http://www.w3.org/2000/09/xmldsig#}Signature") is not None:
            is_valid = is_valid and _signature_holds(root)
        assert results[path]["kind"] == kind
        assert results[path]["valid"] == (is_valid and not broken), path.name
        judged += 1
    assert judged >= 11


def test_vectors_of_other_implementations(shared):
    message = shared / "vectors/as4/as4-encrypted-signed-keyidentifier.as4"
    done = sdkcheck(message)
    assert done.returncode == 0
    assert f"{message}: AS4 user message: valid" in done.stdout
    assert "note: an algorithm of another profile" in done.stdout
    receipt = shared / "vectors/as4/Receipt_InvalidNRI_Namespace.as4"
    done = sdkcheck(receipt)
    assert done.returncode == 1
    assert "the receipt does not repeat what was signed" in done.stdout


@pytest.fixture
def envelope(tmp_path) -> Path:
    path = tmp_path / "envelope.xml"
    path.write_bytes(sealed(a_payload(100)))
    return path


def test_a_key_opens_and_checks_the_content(envelope, tmp_path):
    pem = tmp_path / "key.pem"
    pem.write_bytes(
        key("recipient").private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    done = sdkcheck("--key", pem, envelope)
    assert done.returncode == 0
    assert "not looked into" not in done.stdout
    other = tmp_path / "other.xml"
    other.write_bytes(
        sealed(a_payload().replace(b"<tns:confidentiality>true", b"<tns:confidentiality>maybe"))
    )
    done = sdkcheck("--key", pem, other)
    assert done.returncode == 1
    assert (
        f"{other}: structure: /tns:messagePayload/tns:message/tns:messageHeader/tns:confidentiality: "
        in done.stdout
    )
    assert "maybe" not in done.stdout


def test_trust_is_judged_where_it_is_asked_for(envelope, tmp_path, shared):
    done = sdkcheck(envelope)
    assert "trust in its signer was not judged" in done.stdout
    done = sdkcheck("--trust", shared / "certs" / "production", "--no-revocation", envelope)
    assert done.returncode == 1
    assert "not issued by a CA of this environment" in done.stdout
    done = sdkcheck("--trust", shared / "certs" / "production", "--at", "2031-01-01", envelope)
    assert "expired" in done.stdout


def test_a_broken_signature_is_a_finding(envelope):
    envelope.write_bytes(envelope.read_bytes().replace(b"0203:habo.se", b"0203:hebo.se"))
    done = sdkcheck(envelope)
    assert done.returncode == 1
    assert f"{envelope}: signature: /x:XHE/ds:Signature: " in done.stdout


def test_an_as4_message_is_read_with_and_without_its_http_headers(tmp_path):
    content_type, body = wire(tmp_path, b"<a/>")
    plain, framed = tmp_path / "plain.as4", tmp_path / "framed.as4"
    plain.write_bytes(body)
    headers = f"POST /as4 HTTP/1.1\r\nHost: x\r\nContent-Type: {content_type}\r\n\r\n"
    framed.write_bytes(headers.encode() + body)
    done = sdkcheck(plain, framed)
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("AS4 user message: valid") == 2
    framed.write_bytes(framed.read_bytes().replace(b"0203:habo.se", b"0203:hebo.se"))
    assert sdkcheck(framed).returncode == 1


def test_what_cannot_be_read_ends_with_two(tmp_path):
    done = sdkcheck(tmp_path / "missing.xml")
    assert done.returncode == 2
    assert "No such file" in done.stderr
    other = tmp_path / "other.xml"
    other.write_text("<html/>")
    done = sdkcheck(other)
    assert done.returncode == 2
    assert "neither SDK message, XHE, message receipt nor AS4 message" in done.stderr
