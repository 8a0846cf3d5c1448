"""A certificate is requested, imported, awaited in CertPub, then used; the old one still opens."""

import io
import uuid
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from mailbox.models import Message
from testbed.authorities import Validity, load_certificate, load_key
from transport.message_service.models import CertificateRequest, OrganisationKey
from transport.message_service.organisations import publication
from transport.message_service.organisations.certificate_requests import (
    CertificateRefused,
    import_certificate,
    import_pkcs12,
    request_certificate,
)
from transport.message_service.organisations.organisation_keys import opening_keys, signing_pair
from transport.protocol.certificates import fingerprint

from .build import a_bundle, issued

SIGNING, ENCRYPTION = OrganisationKey.Purpose.SIGNING, OrganisationKey.Purpose.ENCRYPTION


def answered(world, request: str, **changes) -> bytes:
    """What the organisations' CA issues for a request."""
    return issued(world.federation, request, like=world.sender.files.signing.certificate, **changes)


def publish(world, party, tmp_path: Path, purpose: str, *certificates: bytes) -> None:
    """Let CertPub tell of these, besides what it has."""
    paths = [str(getattr(party.files, purpose).certificate)]
    for certificate in certificates:
        path = tmp_path / f"{uuid.uuid4().hex}.pem"
        path.write_bytes(certificate)
        paths.append(str(path))
    world.federation.change_participant(party.participant.value, **{purpose: paths})


def sent_and_taken(world) -> bool:
    from transport.message_service import orders

    message = world.message()
    orders.order(message, actor="test")
    world.pump()
    return Message.objects.filter(message_id=message.header.message_id, direction="in").exists()


def test_a_new_certificate_signs_when_it_is_published_and_not_before(world, tmp_path):
    organisation = world.sender.organisation
    old = signing_pair(organisation)[1]
    certificate = answered(world, request_certificate(organisation, SIGNING).request)
    import_certificate(organisation, certificate)
    assert publication.poll_certpub() > 0, "the old ones are there, and are found"
    assert signing_pair(organisation)[1] == old
    assert sent_and_taken(world)
    publish(world, world.sender, tmp_path, "signing", certificate)
    assert publication.poll_certpub() == 1
    assert signing_pair(organisation)[1] == load_pem(certificate)
    assert publication.poll_certpub() == 0
    assert sent_and_taken(world)


def test_after_a_new_encryption_certificate_the_old_one_still_opens(world, tmp_path):
    organisation = world.recipient.organisation
    certificate = answered(world, request_certificate(organisation, ENCRYPTION).request)
    import_certificate(organisation, certificate)
    assert sent_and_taken(world), "sealed for the old one, which is what CertPub has"
    publish(world, world.recipient, tmp_path, "encryption", certificate)
    publication.poll_certpub()
    assert sent_and_taken(world), "sealed for the new one"
    uses = {
        one.fingerprint: one.use
        for one in publication.held_certificates()
        if one.participant == organisation.participant_id
    }
    assert uses[fingerprint(load_pem(certificate))] == "opens"
    assert uses[fingerprint(load_certificate(world.recipient.files.encryption.certificate))] == "still-opens"
    assert len(opening_keys(organisation)) == 2


def test_a_certpub_that_is_away_leaves_everything_as_it_was(world, settings):
    organisation = world.sender.organisation
    before = signing_pair(organisation)
    settings.SDK_DNS_SERVERS = ["127.0.0.1:1"]
    settings.SDK_HTTP_TIMEOUT_SECONDS = 1
    assert publication.poll_certpub() == 0
    assert signing_pair(organisation) == before


def load_pem(data: bytes) -> x509.Certificate:
    return x509.load_pem_x509_certificate(data)


def test_a_request_says_whose_key_it_is_and_what_for(world):
    organisation = world.sender.organisation
    organisation.name = "Håbo kommun"
    row = request_certificate(organisation, SIGNING, number="212000-0241")
    asked = x509.load_pem_x509_csr(row.request.encode())
    names = {name.oid: name.value for name in asked.subject}
    assert names == {
        NameOID.COUNTRY_NAME: "SE",
        NameOID.ORGANIZATION_NAME: "Håbo kommun",
        NameOID.SERIAL_NUMBER: "212000-0241",
        NameOID.COMMON_NAME: "Håbo kommun signering",
    }
    assert asked.public_key().key_size == 3072
    usage = asked.extensions.get_extension_for_class(x509.KeyUsage).value
    assert (usage.digital_signature, usage.key_encipherment) == (True, False)
    other = x509.load_pem_x509_csr(request_certificate(organisation, ENCRYPTION).request.encode())
    usage = other.extensions.get_extension_for_class(x509.KeyUsage).value
    assert (usage.digital_signature, usage.key_encipherment) == (False, True)


def test_the_key_of_a_request_is_stored_sealed_and_gone_when_it_is_answered(world):
    organisation = world.sender.organisation
    row = request_certificate(organisation, SIGNING)
    with connection.cursor() as cursor:
        cursor.execute("SELECT private_key FROM message_service_certificaterequest")
        assert cursor.fetchone()[0].startswith("at-rest:1:")
    import_certificate(organisation, answered(world, row.request))
    assert not CertificateRequest.objects.exists()


@pytest.mark.parametrize("reason", ["unreadable", "no-request", "expired", "unknown-issuer", "key-usage"])
def test_a_certificate_that_does_not_fit_is_refused_with_its_reason(world, reason):
    organisation = world.sender.organisation
    request = request_certificate(organisation, SIGNING).request
    now = timezone.now()
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    data = {
        "unreadable": lambda: b"no certificate",
        "no-request": lambda: world.sender.files.signing.certificate.read_bytes(),
        "expired": lambda: answered(
            world, request, begins=now - timedelta(days=9), ends=now - timedelta(days=1)
        ),
        "unknown-issuer": lambda: answered(world, request, signer=stranger),
        "key-usage": lambda: answered(world, with_other_usage(organisation)),
    }[reason]()
    with pytest.raises(CertificateRefused) as caught:
        import_certificate(organisation, data)
    assert caught.value.reason == reason
    assert organisation.keys.count() == 2
    assert CertificateRequest.objects.exists()


def with_other_usage(organisation) -> str:
    """A request for encryption whose row says signing."""
    row = request_certificate(organisation, ENCRYPTION)
    row.purpose = SIGNING
    row.save()
    return row.request


def test_a_key_from_elsewhere_comes_as_pkcs12(world):
    files = world.federation.issue_organisation_key(uuid.uuid4().hex, "Ny")
    key, certificate = load_key(files.key), load_certificate(files.certificate)
    row = import_pkcs12(world.sender.organisation, SIGNING, a_bundle(key, certificate), "hemligt")
    assert row.fingerprint == fingerprint(certificate)


@pytest.mark.parametrize("reason", ["unreadable", "passphrase", "no-key", "another's", "not-rsa"])
def test_a_bundle_that_does_not_fit_is_refused_with_its_reason(world, reason):
    files = world.federation.issue_organisation_key(uuid.uuid4().hex, "Ny")
    key, certificate = load_key(files.key), load_certificate(files.certificate)
    signing = world.sender.files.signing
    data = {
        "unreadable": lambda: b"no bundle",
        "passphrase": lambda: a_bundle(key, certificate, b"annat"),
        "no-key": lambda: a_bundle(key, None),
        "another's": lambda: a_bundle(key, None, beside=[load_certificate(signing.certificate)]),
        "not-rsa": lambda: a_bundle(*an_elliptic_pair()),
    }[reason]()
    with pytest.raises(CertificateRefused) as caught:
        import_pkcs12(world.sender.organisation, SIGNING, data, "hemligt")
    assert caught.value.reason == ("no-key" if reason == "another's" else reason)


def an_elliptic_pair() -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
    now = timezone.now()
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1))
    return key, builder.sign(key, hashes.SHA256())


def test_one_that_begins_later_is_kept_for_then(world):
    organisation = world.sender.organisation
    files = world.federation.issue_organisation_key(uuid.uuid4().hex, "Sen", validity=Validity(5, 400))
    bundle = a_bundle(load_key(files.key), load_certificate(files.certificate))
    row = import_pkcs12(organisation, SIGNING, bundle, "hemligt")
    OrganisationKey.objects.filter(pk=row.pk).update(published_at=timezone.now())
    assert signing_pair(organisation)[1] == load_certificate(world.sender.files.signing.certificate)


def test_the_commands_do_it_all(world, tmp_path):
    participant = world.sender.participant.value
    out = io.StringIO()
    call_command("request_certificate", organisation=participant, purpose="signing", stdout=out)
    certificate = answered(world, out.getvalue())
    path = tmp_path / "answer.pem"
    path.write_bytes(certificate)
    call_command("import_certificate", str(path), organisation=participant, stdout=out)
    publish(world, world.sender, tmp_path, "signing", certificate)
    told = io.StringIO()
    call_command("list_certificates", "--look", stdout=told)
    line = next(
        line for line in told.getvalue().splitlines() if fingerprint(load_pem(certificate))[:16] in line
    )
    assert "organisation-signing" in line
    assert " signs " in line
    assert "PRIVATE KEY" not in out.getvalue() + told.getvalue()


def test_the_command_takes_a_key_from_elsewhere_with_its_passphrase_in_a_file(world, tmp_path):
    files = world.federation.issue_organisation_key(uuid.uuid4().hex, "Ny")
    certificate = load_certificate(files.certificate)
    bundle, passphrase, out = tmp_path / "a.p12", tmp_path / "passphrase", io.StringIO()
    bundle.write_bytes(a_bundle(load_key(files.key), certificate))
    passphrase.write_text("hemligt\n")
    call_command(
        "import_certificate",
        str(bundle),
        organisation=world.sender.participant.value,
        purpose="signing",
        passphrase_file=passphrase,
        stdout=out,
    )
    assert world.sender.organisation.keys.filter(fingerprint=fingerprint(certificate)).exists()
    assert "hemligt" not in out.getvalue()


def test_commands_tell_what_is_wrong(world, tmp_path):
    participant = world.sender.participant.value
    path = tmp_path / "x"
    path.write_text("x")
    for arguments, said in (
        (["import_certificate", str(path), "--organisation", participant], "neither a certificate"),
        (["import_certificate", str(path), "--organisation", "0203:x.se"], "not added"),
        (["import_certificate", str(tmp_path / "y"), "--organisation", participant], "cannot be read"),
        (["request_certificate", "--organisation", participant], "--purpose"),
        (["request_certificate", "--access-point", "AP"], "--key"),
        (["request_certificate", "--access-point", "AP", "--key", str(path)], "never overwritten"),
    ):
        with pytest.raises(CommandError, match=said):
            call_command(*arguments)


def test_the_access_point_s_request_has_its_name_and_its_key_is_for_its_owner_only(tmp_path):
    path, out = tmp_path / "ap.key", io.StringIO()
    call_command("request_certificate", access_point="AP-1", operator="Driften", key=path, stdout=out)
    asked = x509.load_pem_x509_csr(out.getvalue().encode())
    assert asked.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "AP-1"
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_key(path).public_key() == asked.public_key()
    assert "PRIVATE" not in out.getvalue()
