"""Who is asked whether a certificate is revoked, whose answer counts, and for how long."""

from datetime import datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

from transport.protocol.certificates import (
    Cause,
    CertificateChecker,
    CertificateUntrusted,
    Purpose,
    RevocationUnknown,
)
from transport.protocol.revocation import FetchFailed, RevocationChecker

from .keys import BEGINNING, key

NOW = BEGINNING + timedelta(days=100)
HOUR = timedelta(hours=1)
CRL = "http://ca.test/ca.crl"
OCSP = "http://ca.test/ocsp"
BOTH = {"crl": CRL, "ocsp": OCSP}
EC_KEY = ec.generate_private_key(ec.SECP256R1())


def a_name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def a_certificate(
    name: str, *extensions: x509.ExtensionType, issuer: str = "ca", ca: bool = False, public=None
):
    builder = (
        x509.CertificateBuilder()
        .subject_name(a_name(name))
        .issuer_name(a_name(issuer))
        .public_key(public or key(name).public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(BEGINNING)
        .not_valid_after(BEGINNING + timedelta(days=730))
        .add_extension(x509.BasicConstraints(ca, None), critical=True)
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(EC_KEY if issuer == "ec ca" else key(issuer), hashes.SHA256())


def usage(**uses: bool) -> x509.KeyUsage:
    names = (
        "digital_signature content_commitment key_encipherment data_encipherment key_agreement "
        "key_cert_sign crl_sign encipher_only decipher_only"
    )
    return x509.KeyUsage(**{name: uses.get(name, False) for name in names.split()})


def points(*urls: str, reasons=None, issuer=None) -> x509.CRLDistributionPoints:
    return x509.CRLDistributionPoints(
        [x509.DistributionPoint([x509.UniformResourceIdentifier(url)], None, reasons, issuer) for url in urls]
    )


def responder(url: str = OCSP) -> x509.AuthorityInformationAccess:
    location = x509.UniformResourceIdentifier(url)
    return x509.AuthorityInformationAccess(
        [x509.AccessDescription(AuthorityInformationAccessOID.OCSP, location)]
    )


CA = a_certificate("ca", ca=True)
LEAF = a_certificate("leaf", points(CRL), responder())


def a_list(
    *revoked: x509.Certificate,
    issuer: str = "ca",
    signed_with=None,
    last: datetime = NOW - HOUR,
    until: datetime = NOW + HOUR,
    extensions=(),
    pem: bool = False,
) -> bytes:
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(a_name(issuer))
        .last_update(last)
        .next_update(until)
    )
    for certificate in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(certificate.serial_number)
        builder = builder.add_revoked_certificate(entry.revocation_date(BEGINNING).build())
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    encoding = serialization.Encoding.PEM if pem else serialization.Encoding.DER
    return builder.sign(signed_with or key(issuer), hashes.SHA256()).public_bytes(encoding)


def an_answer(
    status: ocsp.OCSPCertStatus = ocsp.OCSPCertStatus.GOOD,
    *,
    about: x509.Certificate = LEAF,
    issuer: x509.Certificate = CA,
    signer: str = "ca",
    certificates=(),
    this: datetime = NOW - HOUR,
    until: datetime | None = NOW + HOUR,
) -> bytes:
    is_revoked = status is ocsp.OCSPCertStatus.REVOKED
    builder = (
        ocsp.OCSPResponseBuilder()
        .add_response(about, issuer, hashes.SHA1(), status, this, until, this if is_revoked else None, None)
        .responder_id(
            ocsp.OCSPResponderEncoding.NAME, certificates[0] if certificates else a_certificate(signer)
        )
    )
    if certificates:
        builder = builder.certificates(list(certificates))
    return builder.sign(key(signer), hashes.SHA256()).public_bytes(serialization.Encoding.DER)


class World:
    """The services as a test sets them, a clock, and a cache that keeps time by it."""

    def __init__(self, *, grace: timedelta = timedelta(0), **answers: bytes | None) -> None:
        self.now = NOW
        self.answers = {BOTH.get(name, name): answer for name, answer in answers.items()}
        self.asked: list[str] = []
        self._kept: dict[str, tuple[bytes, datetime]] = {}
        self.checker = RevocationChecker(self._fetch, self, grace=grace)

    def _fetch(self, url: str, request: bytes | None) -> bytes:
        self.asked.append(url)
        answer = self.answers.get(url)
        if answer is None:
            raise FetchFailed(url)
        assert (request is None) == url.endswith(".crl")
        return answer

    def get(self, key: str) -> bytes | None:
        answer, until = self._kept.get(key, (None, None))
        return answer if until is not None and until > self.now else None

    def put(self, key: str, answer: bytes, until: datetime) -> None:
        self._kept[key] = (answer, until)

    def is_revoked(self, certificate=LEAF, issuer=CA) -> bool:
        return self.checker.is_revoked(certificate, issuer, self.now)

    def is_unknown(self, certificate=LEAF, issuer=CA) -> bool:
        try:
            self.is_revoked(certificate, issuer)
        except RevocationUnknown:
            return True
        return False


REVOKED = ocsp.OCSPCertStatus.REVOKED


@pytest.mark.parametrize(
    ("world", "is_revoked"),
    [
        (World(crl=a_list()), False),
        (World(crl=a_list(LEAF)), True),
        (World(crl=a_list(CA)), False),
        (World(crl=a_list(LEAF, pem=True)), True),
        (World(ocsp=an_answer()), False),
        (World(ocsp=an_answer(REVOKED)), True),
    ],
)
def test_the_list_and_the_responder_are_both_believed(world, is_revoked):
    assert world.is_revoked() is is_revoked


def test_a_revoked_certificate_is_not_trusted():
    world = World(crl=a_list(LEAF))
    with pytest.raises(CertificateUntrusted) as untrusted:
        CertificateChecker([CA], world.checker, lambda: NOW).check(LEAF, Purpose.SIGNING)
    assert untrusted.value.cause is Cause.REVOKED


def test_a_revoked_intermediate_is_not_trusted():
    middle = a_certificate("middle", points(CRL), ca=True)
    leaf = a_certificate("leaf", points("http://ca.test/middle.crl"), issuer="middle")
    world = World(**{CRL: a_list(middle), "http://ca.test/middle.crl": a_list(issuer="middle")})
    with pytest.raises(CertificateUntrusted) as untrusted:
        CertificateChecker([CA], world.checker, lambda: NOW).check(
            leaf, Purpose.SIGNING, intermediates=[middle]
        )
    assert untrusted.value.cause is Cause.REVOKED


def test_a_certificate_that_names_nobody_to_ask_is_not_trusted():
    with pytest.raises(CertificateUntrusted) as untrusted:
        World().is_revoked(a_certificate("leaf"))
    assert untrusted.value.cause is Cause.NO_REVOCATION_SERVICE


# --- whose answer counts

DELEGATE = a_certificate("delegate", x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]))


def test_a_delegate_of_the_ca_may_answer():
    world = World(ocsp=an_answer(REVOKED, signer="delegate", certificates=[DELEGATE]))
    assert world.is_revoked()


@pytest.mark.parametrize(
    ("what", "answer"),
    [
        ("another's signature", lambda: an_answer(signer="stranger")),
        ("a certificate not for answering", lambda: an_answer(signer="leaf", certificates=[LEAF])),
        (
            "a delegate of another CA",
            lambda: an_answer(
                signer="delegate",
                certificates=[
                    a_certificate(
                        "delegate",
                        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]),
                        issuer="stranger",
                    )
                ],
            ),
        ),
        (
            "a delegate whose key is for something else",
            lambda: an_answer(
                signer="delegate",
                certificates=[
                    a_certificate(
                        "delegate",
                        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]),
                        usage(key_encipherment=True),
                    )
                ],
            ),
        ),
        ("about another certificate", lambda: an_answer(about=a_certificate("leaf"))),
        ("about another issuer's", lambda: an_answer(issuer=a_certificate("other", ca=True))),
        ("unknown", lambda: an_answer(ocsp.OCSPCertStatus.UNKNOWN)),
        ("out of date", lambda: an_answer(this=NOW - 3 * HOUR, until=NOW - HOUR)),
        ("of tomorrow", lambda: an_answer(this=NOW + 24 * HOUR, until=NOW + 48 * HOUR)),
        ("old, without an end", lambda: an_answer(this=NOW - HOUR, until=None)),
        (
            "try later",
            lambda: ocsp.OCSPResponseBuilder.build_unsuccessful(
                ocsp.OCSPResponseStatus.TRY_LATER
            ).public_bytes(serialization.Encoding.DER),
        ),
        ("a page", lambda: b"<html>Captive portal</html>"),
        ("nothing", lambda: b""),
    ],
)
def test_an_ocsp_answer_that_proves_nothing_is_no_answer(what, answer):
    assert World(ocsp=answer()).is_unknown()


def scope(**options) -> tuple[x509.IssuingDistributionPoint, bool]:
    given = {
        "full_name": None,
        "relative_name": None,
        "only_contains_user_certs": False,
        "only_contains_ca_certs": False,
        "only_some_reasons": None,
        "indirect_crl": False,
        "only_contains_attribute_certs": False,
    } | options
    return x509.IssuingDistributionPoint(**given), True


THIS_PART = [x509.UniformResourceIdentifier(CRL)]
ANOTHER_PART = [x509.UniformResourceIdentifier("http://ca.test/other.crl")]
UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.752.1"), b"\x05\x00")


@pytest.mark.parametrize(
    ("what", "answer"),
    [
        ("another's signature", lambda: a_list(signed_with=key("stranger"))),
        ("another issuer's", lambda: a_list(issuer="stranger")),
        ("out of date", lambda: a_list(last=NOW - 3 * HOUR, until=NOW - HOUR)),
        ("of tomorrow", lambda: a_list(last=NOW + 24 * HOUR, until=NOW + 48 * HOUR)),
        ("a delta", lambda: a_list(extensions=[(x509.DeltaCRLIndicator(1), True)])),
        ("indirect", lambda: a_list(extensions=[scope(indirect_crl=True)])),
        (
            "of some reasons",
            lambda: a_list(
                extensions=[scope(only_some_reasons=frozenset([x509.ReasonFlags.key_compromise]))]
            ),
        ),
        ("of CAs only", lambda: a_list(extensions=[scope(only_contains_ca_certs=True)])),
        ("another part", lambda: a_list(extensions=[scope(full_name=ANOTHER_PART)])),
        ("with something unknown and critical", lambda: a_list(extensions=[(UNKNOWN, True)])),
        ("a page", lambda: b"<html>Captive portal</html>"),
        ("nothing", lambda: b""),
    ],
)
def test_a_list_that_proves_nothing_is_no_answer(what, answer):
    assert World(crl=answer()).is_unknown()


@pytest.mark.parametrize(
    "extension",
    [scope(only_contains_user_certs=True), scope(full_name=THIS_PART), (UNKNOWN, False)],
)
def test_a_list_that_covers_the_certificate_is_believed(extension):
    assert World(crl=a_list(LEAF, extensions=[extension])).is_revoked()


def test_a_list_of_users_says_nothing_of_a_ca():
    middle = a_certificate("middle", points(CRL), ca=True)
    assert World(crl=a_list(extensions=[scope(only_contains_user_certs=True)])).is_unknown(middle)


def test_an_issuer_that_may_not_sign_lists_signs_none():
    issuer = a_certificate("ca", usage(key_cert_sign=True), ca=True)
    assert World(crl=a_list()).is_unknown(issuer=issuer)
    issuer = a_certificate("ca", usage(key_cert_sign=True, crl_sign=True), ca=True)
    assert not World(crl=a_list()).is_unknown(issuer=issuer)


def test_points_for_some_reasons_or_of_other_issuers_are_passed_over():
    some = points(CRL, reasons=frozenset([x509.ReasonFlags.key_compromise]))
    others = points(CRL, issuer=[x509.DirectoryName(a_name("other"))])
    for extension in (some, others):
        world = World(crl=a_list(), ocsp=an_answer())
        world.is_unknown(a_certificate("leaf", extension, responder()))
        assert world.asked == [OCSP]


def test_a_ca_with_a_key_on_a_curve_signs_lists_too():
    issuer = a_certificate("ec ca", issuer="ec ca", ca=True, public=EC_KEY.public_key())
    leaf = a_certificate("leaf", points(CRL), issuer="ec ca")
    assert World(crl=a_list(leaf, issuer="ec ca", signed_with=EC_KEY)).is_revoked(leaf, issuer)
    assert World(crl=a_list(issuer="ec ca", signed_with=key("stranger"))).is_unknown(leaf, issuer)


def test_only_the_web_is_asked():
    strange = a_certificate("leaf", points("ldap://ca.test/cn=ca", "file:///etc/passwd"))
    world = World()
    with pytest.raises(CertificateUntrusted):
        world.is_revoked(strange)
    assert world.asked == []


# --- when, and for how long


def test_the_responder_stands_in_for_the_list_and_the_list_for_the_responder():
    world = World(ocsp=an_answer(REVOKED))
    assert world.is_revoked()
    assert world.asked == [CRL, OCSP]
    assert World(crl=a_list(LEAF), ocsp=b"broken").is_revoked()


def test_an_answer_is_asked_for_once_while_it_is_valid():
    world = World(crl=a_list())
    assert not world.is_revoked()
    world.answers[CRL] = a_list(LEAF, until=NOW + 3 * HOUR)
    world.now = NOW + HOUR - timedelta(seconds=1)
    assert not world.is_revoked()
    assert world.asked == [CRL]
    world.now = NOW + HOUR + timedelta(seconds=1)
    assert world.is_revoked()
    assert world.asked == [CRL, CRL]


def test_one_list_serves_all_certificates_of_its_issuer():
    world = World(crl=a_list(LEAF))
    assert world.is_revoked()
    assert not world.is_revoked(a_certificate("another", points(CRL)))
    assert world.asked == [CRL]


def test_when_all_are_away_the_last_answer_holds_for_the_grace_and_no_longer():
    world = World(grace=2 * HOUR, crl=a_list())
    assert not world.is_revoked()
    world.answers = {}
    world.now = NOW + 3 * HOUR - timedelta(seconds=1)
    assert not world.is_revoked()
    assert world.asked == [CRL, CRL, OCSP]
    world.now = NOW + 3 * HOUR + timedelta(seconds=1)
    assert world.is_unknown()


def test_without_grace_an_answer_ends_when_it_says():
    world = World(crl=a_list())
    assert not world.is_revoked()
    world.answers = {}
    world.now = NOW + HOUR + timedelta(seconds=1)
    assert world.is_unknown()


def test_a_list_that_its_ca_forgot_to_renew_counts_within_the_grace():
    world = World(grace=2 * HOUR, crl=a_list(LEAF, last=NOW - 3 * HOUR, until=NOW - HOUR))
    assert world.is_revoked()


def test_what_lies_in_the_cache_is_verified_again():
    world = World(crl=a_list(LEAF))
    assert world.is_revoked()
    (kept,) = world._kept
    world.put(kept, a_list(signed_with=key("stranger")), NOW + HOUR)
    assert world.is_revoked()
    assert world.asked == [CRL, CRL]


def test_when_nobody_answers_the_certificate_is_not_let_through():
    with pytest.raises(RevocationUnknown):
        CertificateChecker([CA], World().checker, lambda: NOW).check(LEAF, Purpose.SIGNING)
