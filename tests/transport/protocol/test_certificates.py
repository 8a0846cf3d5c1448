"""Paths to configured CAs: the federation's real ones, and chains that were made to deceive."""

import base64
from datetime import UTC, datetime, timedelta, timezone

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from transport.protocol.certificates import (
    Cause,
    CertificateChecker,
    CertificateUnreadable,
    CertificateUntrusted,
    Purpose,
    common_name,
    load_certificate,
    load_certificates,
)
from transport.protocol.xhe.signature import SignatureInvalid, read_certificate

from .keys import BEGINNING, certificate, key

NOW = BEGINNING + timedelta(days=100)


def issue(
    name: str,
    issuer: str | None = None,
    *,
    ca: bool = False,
    usage=None,
    days=(0, 730),
    key_size=2048,
    **options,
):
    """A certificate for the key of that name, signed by the issuer's key whether or not it may."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, options.get("subject", name))])
    issuing = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer or name)])
    own = options.get("own") or (key(name) if key_size == 2048 else rsa.generate_private_key(65537, key_size))
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuing)
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(BEGINNING + timedelta(days=days[0]))
        .not_valid_after(BEGINNING + timedelta(days=days[1]))
        .add_extension(x509.BasicConstraints(ca, options.get("path_length")), critical=True)
    )
    if "critical" in options:
        builder = builder.add_extension(options["critical"], critical=True)
    if usage:
        names = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
                 "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")  # fmt: skip
        builder = builder.add_extension(x509.KeyUsage(**{n: n in usage for n in names}), critical=True)
    signer = options.get("signed_with", issuer or name)
    signing_key = options.get("own") or (key(signer) if isinstance(signer, str) else signer)
    return builder.sign(signing_key, hashes.SHA256())


def checker(*authorities, now: datetime = NOW) -> CertificateChecker:
    return CertificateChecker(authorities, None, lambda: now)


def cause_of(check: CertificateChecker, one, purpose=Purpose.SIGNING, **options) -> Cause:
    with pytest.raises(CertificateUntrusted) as untrusted:
        check.check(one, purpose, **options)
    return untrusted.value.cause


ROOT = issue("root", ca=True, usage={"key_cert_sign", "crl_sign"})


@pytest.mark.parametrize("environment", ["open-test", "qa", "production"])
def test_the_federation_s_own_chains_hold(shared, environment):
    """An intermediate CA of each environment, judged as a certificate of its root's while it was valid."""
    folder = shared / "certs" / environment / "SMP"
    found = [c for path in folder.iterdir() for c in load_certificates(path.read_bytes())]
    roots = [c for c in found if c.subject == c.issuer]
    (smp,) = [c for c in found if c.subject != c.issuer]
    at = smp.not_valid_before_utc + timedelta(days=1)
    path = checker(*roots).check(smp, Purpose.SIGNING, at=at)
    assert [common_name(c) for c in path] == [common_name(smp), common_name(roots[0])]
    assert cause_of(checker(*roots, now=datetime(2026, 11, 24, tzinfo=UTC)), smp) is Cause.EXPIRED


def test_a_chain_of_another_environment_is_refused(shared):
    (smp,) = load_certificates((shared / "certs/production/SMP/SMP0001-SDK-PROD.cer").read_bytes())
    others = [c for p in (shared / "certs/qa").rglob("*.cer") for c in load_certificates(p.read_bytes())]
    assert cause_of(checker(*others), smp, at=smp.not_valid_before_utc) is Cause.UNKNOWN_ISSUER


def test_an_intermediate_that_comes_along_may_carry_the_path():
    middle = issue("middle", "root", ca=True, usage={"key_cert_sign"})
    leaf = issue("leaf", "middle")
    assert len(checker(ROOT).check(leaf, Purpose.SIGNING, intermediates=[middle])) == 3
    assert cause_of(checker(ROOT), leaf) is Cause.UNKNOWN_ISSUER


@pytest.mark.parametrize(
    ("what", "middle"),
    [
        ("no CA", lambda: issue("middle", "root")),
        ("may not sign certificates", lambda: issue("middle", "root", ca=True, usage={"digital_signature"})),
        ("expired", lambda: issue("middle", "root", ca=True, days=(0, 50))),
        ("not signed by the root", lambda: issue("middle", "root", ca=True, signed_with="other")),
    ],
)
def test_an_issuer_that_may_not_issue_is_refused(what, middle):
    leaf = issue("leaf", "middle")
    assert cause_of(checker(ROOT), leaf, intermediates=[middle()]) is Cause.UNKNOWN_ISSUER


def test_a_name_alone_makes_no_issuer():
    fake = issue("fake", subject="root", ca=True)
    leaf = issue("leaf", "root", signed_with="fake")
    assert cause_of(checker(ROOT), leaf, intermediates=[fake]) is Cause.UNKNOWN_ISSUER


@pytest.mark.parametrize(("days", "cause"), [((0, 50), Cause.EXPIRED), ((200, 300), Cause.NOT_YET_VALID)])
def test_validity_is_told_apart(days, cause):
    leaf = issue("leaf", "root", days=days)
    assert cause_of(checker(ROOT), leaf) is cause
    assert checker(ROOT).check(leaf, Purpose.SIGNING, at=BEGINNING + timedelta(days=days[0] + 1))


def test_key_usage_decides_what_a_key_is_for():
    signing = issue("leaf", "root", usage={"digital_signature"})
    assert checker(ROOT).check(signing, Purpose.SIGNING)
    assert cause_of(checker(ROOT), signing, Purpose.ENCRYPTION) is Cause.KEY_USAGE
    wrapping = issue("leaf", "root", usage={"key_encipherment"})
    assert checker(ROOT).check(wrapping, Purpose.ENCRYPTION)
    assert cause_of(checker(ROOT), wrapping) is Cause.KEY_USAGE


def test_a_weak_key_and_a_ca_s_own_certificate_are_refused():
    assert cause_of(checker(ROOT), issue("leaf", "root", key_size=1024)) is Cause.WEAK_KEY
    assert cause_of(checker(ROOT), ROOT) is Cause.KEY_USAGE


def test_a_ca_that_is_not_configured_signs_no_messages_either():
    middle = issue("middle", "root", ca=True, usage={"key_cert_sign", "digital_signature"})
    assert cause_of(checker(ROOT), middle) is Cause.KEY_USAGE


def test_a_path_is_no_longer_than_its_issuers_allow():
    middle = issue("middle", "root", ca=True, path_length=0)
    below = issue("below", "middle", ca=True)
    leaf = issue("leaf", "below")
    assert cause_of(checker(ROOT), leaf, intermediates=[middle, below]) is Cause.UNKNOWN_ISSUER
    assert checker(ROOT).check(issue("leaf", "middle"), Purpose.SIGNING, intermediates=[middle])


@pytest.mark.parametrize("who", ["root", "leaf"])
def test_what_is_critical_and_not_understood_is_refused(who):
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.752.1"), b"\x05\x00")
    extra = {who: {"critical": unknown}}
    root = issue("root", ca=True, **extra.get("root", {}))
    leaf = issue("leaf", "root", **extra.get("leaf", {}))
    assert cause_of(checker(root), leaf) is Cause.UNKNOWN_ISSUER


def test_an_anchor_has_to_be_valid_and_strong_itself():
    leaf = issue("leaf", "root")
    assert cause_of(checker(issue("root", ca=True, days=(0, 50))), leaf) is Cause.UNKNOWN_ISSUER
    weak = rsa.generate_private_key(65537, 1024)
    builder = issue("leaf", "weak", signed_with=weak)
    assert cause_of(checker(issue("weak", ca=True, own=weak)), builder) is Cause.UNKNOWN_ISSUER


def test_a_time_in_another_zone_is_the_same_time():
    leaf = issue("leaf", "root", days=(0, 1))
    last = (BEGINNING + timedelta(days=1) - timedelta(minutes=1)).astimezone(timezone(timedelta(hours=2)))
    assert checker(ROOT).check(leaf, Purpose.SIGNING, at=last)
    assert cause_of(checker(ROOT), leaf, at=last + timedelta(minutes=2)) is Cause.EXPIRED


@pytest.mark.parametrize("environment", ["open-test", "production"])
def test_the_issuers_of_organisations_certificates_have_their_roots(shared, environment):
    """SITHS: a function CA below a root, signed with SHA-512. Its path holds; a CA's use is another."""
    folder = shared / "certs" / environment / "O2O"
    found = [c for path in folder.iterdir() for c in load_certificates(path.read_bytes())]
    (function,) = [c for c in found if "SITHS" in (common_name(c) or "") and c.subject != c.issuer]
    at = function.not_valid_before_utc + timedelta(days=1)
    roots = [c for c in found if c.subject == c.issuer]
    assert cause_of(checker(*roots), function, at=at) is Cause.KEY_USAGE
    others = [c for c in roots if c.subject != function.issuer]
    assert cause_of(checker(*others), function, at=at) is Cause.UNKNOWN_ISSUER


@pytest.mark.parametrize(
    ("what", "found", "instead"),
    [
        ("version 6", b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x05"),
        ("a subject that is no text", b"\x0c\x06sender", b"\x0c\x06\xff\xff\xff\xff\xff\xff"),
        (
            "a key of an unknown kind",
            b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01",
            b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x7f",
        ),
    ],
)
def test_a_certificate_that_cannot_be_read_to_its_end_is_found_at_once(what, found, instead):
    der = certificate("sender").public_bytes(Encoding.DER)
    assert found in der
    with pytest.raises(CertificateUnreadable):
        load_certificate(der.replace(found, instead))
    with pytest.raises(SignatureInvalid):
        read_certificate(base64.b64encode(der.replace(found, instead)).decode())


def test_what_is_no_authority_is_no_anchor():
    assert cause_of(checker(certificate("self")), certificate("self")) is Cause.UNKNOWN_ISSUER
    with pytest.raises(CertificateUnreadable):
        load_certificates(b"not a certificate")
