"""Names as senders write them, compared as RFC 5280 7.1 and RFC 4514 say; openssl is the second opinion."""

import shutil
import subprocess
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID, ObjectIdentifier
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.transport.protocol.as4.build import named_by, received, token, wire, with_soap
from transport.protocol.as4.errors import As4Error
from transport.protocol.certificates import Cause, CertificateChecker, CertificateUntrusted, Purpose
from transport.protocol.distinguished_names import (
    NameUnreadable,
    is_name_as_text,
    is_same_name,
    is_serial_number,
    parse_name,
)

from .keys import BEGINNING, certificate, key

ORGANIZATION_IDENTIFIER = ObjectIdentifier("2.5.4.97")
NOW = BEGINNING + timedelta(days=10)


def name(*attributes) -> x509.Name:
    return x509.Name([x509.NameAttribute(*attribute) for attribute in attributes])


CA = name(
    (NameOID.COUNTRY_NAME, "SE"),
    (NameOID.ORGANIZATION_NAME, 'Myndigheten "A", B+C; <D> #1'),
    (ORGANIZATION_IDENTIFIER, "202100-6883"),
    (NameOID.COMMON_NAME, "Åkers CA v1"),
)
_ORGANIZATION = r"Myndigheten \"A\"\, B\+C\; \<D\> #1"
_AS_BMP = "#1e160032003000320031003000300" + "02d0036003800380033"
_AS_HEX = "2.5.4.97=#0c0b3230323130302d36383833"


@pytest.mark.parametrize(
    "text",
    [
        rf"CN=Åkers CA v1,{_AS_HEX},O={_ORGANIZATION},C=SE",
        rf"cn=åkers  ca V1 , OID.2.5.4.97=202100-6883, o={_ORGANIZATION} , c=se",
        rf"CN=\C3\85kers CA v1,organizationIdentifier=202100-6883,O={_ORGANIZATION},C=SE",
        r'CN=Åkers CA v1, 2.5.4.97=202100-6883, O="Myndigheten \"A\", B+C; <D> #1", C=SE',
        rf"CN=Åkers CA v1;2.5.4.97={_AS_BMP};O={_ORGANIZATION};C=#13025345",
        rf"C=SE, O={_ORGANIZATION}, 2.5.4.97=202100-6883, CN=Åkers CA v1",
        rf"CN=A\CC\8Akers CA v1,{_AS_HEX},O={_ORGANIZATION},C=SE",
    ],
)
def test_one_name_is_written_in_many_ways(text):
    assert is_name_as_text(text, CA)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "CN=Åkers CA v1",
        rf"CN=Åkers CA v1,{_AS_HEX},O={_ORGANIZATION},C=SE,C=SE",
        rf"CN=Inte Åkers CA v1,{_AS_HEX},O={_ORGANIZATION},C=SE",
        rf"CN=Åkers CA v1 x,{_AS_HEX},O={_ORGANIZATION},C=SE",
        rf"O=Åkers CA v1,{_AS_HEX},CN={_ORGANIZATION},C=SE",
        rf"CN=Åkers CA v1+{_AS_HEX},O={_ORGANIZATION},C=SE",
        rf"CN=Åkers CA v1,{_AS_HEX},O=Myndigheten \"A\", B\+C\; \<D\> #1,C=SE",
        rf"CN=Åkers CA v1,2.5.4.97=#0c0b32,O={_ORGANIZATION},C=SE",
        rf"CN=ÅkersCAv1,{_AS_HEX},O={_ORGANIZATION},C=SE",
        rf"CN=Åkers CA v1,{_AS_HEX},O={_ORGANIZATION},C=SE,",
    ],
)
def test_another_name_is_not_ours_however_much_of_it_it_holds(text):
    assert not is_name_as_text(text, CA)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20),
        min_size=1,
        max_size=4,
    )
)
@example([" "])
@example(["a "])
def test_what_the_library_writes_is_read_back(values):
    made = name(*((NameOID.ORGANIZATIONAL_UNIT_NAME, value) for value in values))
    assert is_name_as_text(made.rfc4514_string(), made)


@settings(max_examples=500, deadline=None)
@given(st.one_of(st.text(), st.text(alphabet='CN=O, +;#"\\\\aF0.\ud800')))
def test_a_text_of_any_kind_is_a_name_or_none(text):
    try:
        parts = parse_name(text)
    except NameUnreadable:
        assert not is_name_as_text(text, CA)
    else:
        assert all(parts)


def test_attributes_of_one_part_are_a_set():
    def two(*values):
        attributes = [x509.NameAttribute(oid, value) for oid, value in values]
        return x509.Name([x509.RelativeDistinguishedName(attributes)])

    made = two((NameOID.COMMON_NAME, "a"), (NameOID.USER_ID, "b"))
    for text in ("CN=a+UID=b", "UID=b + cn=A"):
        assert is_name_as_text(text, made)
    for text in ("CN=a,UID=b", "CN=a", "CN=a+UID=b+UID=b"):
        assert not is_name_as_text(text, made)


@pytest.mark.parametrize("text", ["7", " 007\n", "+7", "0" * 5000 + "7"])
def test_a_serial_is_a_number(text):
    assert is_serial_number(text, 7)


@pytest.mark.parametrize("text", ["", "-7", "0x7", "7.0", "٧", "7" * 5000, "7 7"])
def test_what_is_no_serial_is_nobody_s(text):
    assert not is_serial_number(text, 7)


def issue(subject, issuer, by: str, *, of: str, is_authority: bool, path_length=None) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key(of).public_key())
        .serial_number(1234567)
        .not_valid_before(BEGINNING)
        .not_valid_after(BEGINNING + timedelta(days=730))
        .add_extension(x509.BasicConstraints(is_authority, path_length), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key(of).public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(key(by).public_key()), critical=False
        )
    )
    return builder.sign(key(by), hashes.SHA256())


def _leaf(issuer: x509.Name) -> x509.Certificate:
    return issue(name((NameOID.COMMON_NAME, "AP-1")), issuer, "ca", of="ap1", is_authority=False)


@pytest.mark.parametrize("text", [f"{_AS_HEX},O=X\\, Y,C=SE", "C=SE,O=x\\,  y,OID.2.5.4.97=202100-6883"])
def test_a_signer_is_found_by_its_issuer_s_name_and_serial(tmp_path, text):
    issuer = name(
        (NameOID.COUNTRY_NAME, "SE"),
        (NameOID.ORGANIZATION_NAME, "X, Y"),
        (ORGANIZATION_IDENTIFIER, "202100-6883"),
    )
    signer = _leaf(issuer)
    content_type, body = wire(tmp_path, b"x")

    def reference(written: str, serial: str) -> str:
        return token(
            f"<ds:X509Data><ds:X509IssuerSerial><ds:X509IssuerName>{written}</ds:X509IssuerName>"
            f"<ds:X509SerialNumber>{serial}</ds:X509SerialNumber></ds:X509IssuerSerial></ds:X509Data>"
        )

    named = with_soap(content_type, body, named_by(reference(text, " 0001234567")))
    result = received(tmp_path, content_type, named, known_signers=lambda _: [certificate("other"), signer])
    assert result.signing_certificate == signer
    longer = with_soap(content_type, body, named_by(reference("CN=more," + text, "1234567")))
    with pytest.raises(As4Error, match="neither included nor known"):
        received(tmp_path, content_type, longer, known_signers=lambda _: [signer])


def typed(kind: _ASN1Type, value: str = "Åkers CA") -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "SE"),
            x509.NameAttribute(NameOID.COMMON_NAME, value, kind),
        ]
    )


_OTHERS = [
    typed(_ASN1Type.BMPString),
    typed(_ASN1Type.UTF8String),
    typed(_ASN1Type.UTF8String, " Åkers   cA "),
    typed(_ASN1Type.UniversalString, "Åkers CA"),
]


def _openssl_accepts(tmp_path, anchor, leaf) -> bool:
    for file, item in (("ca.pem", anchor), ("leaf.pem", leaf)):
        (tmp_path / file).write_bytes(item.public_bytes(Encoding.PEM))
    at = str(int(NOW.timestamp()))
    command = ["openssl", "verify", "-attime", at, "-CAfile", tmp_path / "ca.pem", tmp_path / "leaf.pem"]
    return subprocess.run(command, capture_output=True, check=False, timeout=60).returncode == 0


@pytest.mark.parametrize("issuer", _OTHERS)
def test_a_chain_holds_whatever_type_and_case_its_names_are_written_in(tmp_path, issuer):
    subject = typed(_ASN1Type.UTF8String)
    anchor = issue(subject, subject, "ca", of="ca", is_authority=True)
    leaf = _leaf(issuer)
    assert is_same_name(issuer, subject)
    path = CertificateChecker([anchor], None, lambda: NOW).check(leaf, Purpose.SIGNING)
    assert path == [leaf, anchor]
    if shutil.which("openssl"):
        assert _openssl_accepts(tmp_path, anchor, leaf)


def test_a_name_that_is_the_same_without_the_key_is_no_issuer(tmp_path):
    subject = typed(_ASN1Type.UTF8String)
    false = issue(subject, subject, "other", of="other", is_authority=True)
    with pytest.raises(CertificateUntrusted) as refused:
        CertificateChecker([false], None, lambda: NOW).check(_leaf(_OTHERS[0]), Purpose.SIGNING)
    assert refused.value.cause is Cause.UNKNOWN_ISSUER
    if shutil.which("openssl"):
        assert not _openssl_accepts(tmp_path, false, _leaf(_OTHERS[0]))


@pytest.mark.parametrize("value", ["Åkers CA 2", "Akers CA", "ÅkersCA", "Å kers CA"])
def test_another_name_is_no_issuer_even_with_the_key(value):
    subject = typed(_ASN1Type.UTF8String)
    anchor = issue(subject, subject, "ca", of="ca", is_authority=True)
    with pytest.raises(CertificateUntrusted) as refused:
        CertificateChecker([anchor], None, lambda: NOW).check(
            _leaf(typed(_ASN1Type.UTF8String, value)), Purpose.SIGNING
        )
    assert refused.value.cause is Cause.UNKNOWN_ISSUER


def test_what_an_issuer_may_do_is_asked_under_either_spelling():
    """A certificate that is no authority's issues nothing, and one that may not go deeper does not."""
    subject = typed(_ASN1Type.UTF8String)
    below = issue(typed(_ASN1Type.UTF8String, "Below"), _OTHERS[0], "ca", of="below", is_authority=True)
    leaf = issue(name((NameOID.COMMON_NAME, "x")), below.subject, "below", of="ap1", is_authority=False)
    for path_length, holds in ((0, False), (1, True)):
        anchor = issue(subject, subject, "ca", of="ca", is_authority=True, path_length=path_length)
        checker = CertificateChecker([anchor], None, lambda: NOW)
        if holds:
            assert checker.check(leaf, Purpose.SIGNING, intermediates=[below]) == [leaf, below, anchor]
            continue
        with pytest.raises(CertificateUntrusted):
            checker.check(leaf, Purpose.SIGNING, intermediates=[below])
