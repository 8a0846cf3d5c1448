"""Service metadata: only what its signature covers is read, and only what was asked for is taken."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
import signxml
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from transport.protocol.errors import ProtocolError
from transport.protocol.identifiers import (
    CERTPUB_ENCRYPTION,
    CERTPUB_EXTENSION,
    CERTPUB_SIGNING,
    MESSAGE_RECEIPT,
    NS_SMB,
    NS_SMC,
    NS_SMP,
    PARTICIPANT_SCHEME,
    PROCESS_ID,
    PROCESS_SCHEME,
    SDK_MESSAGE,
    TRANSPORT_PROFILE,
    ParticipantId,
)
from transport.protocol.service_metadata import (
    MetadataForAnother,
    MetadataMalformed,
    endpoint_for,
    read_service_metadata,
)
from transport.protocol.xhe.signature import SignatureInvalid, SignatureMissing

from .keys import certificate, key

HABO = ParticipantId.parse("0203:habo.se")
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def base64_of(name: str) -> str:
    return base64.b64encode(certificate(name).public_bytes(Encoding.DER)).decode()


def pem_of(name: str) -> str:
    return certificate(name).public_bytes(Encoding.PEM).decode()


def an_endpoint(
    url: str = "https://ap.example/as4", profile: str = TRANSPORT_PROFILE, begins: str = "", ends: str = ""
) -> str:
    dates = f"<ServiceActivationDate>{begins}</ServiceActivationDate>" if begins else ""
    dates += f"<ServiceExpirationDate>{ends}</ServiceExpirationDate>" if ends else ""
    return (
        f'<Endpoint transportProfile="{profile}"><EndpointURI>{url}</EndpointURI>{dates}'
        f"<Certificate>{base64_of('access point')}</Certificate></Endpoint>"
    )


def published(type_code: str, certificate_text: str, extension: str = CERTPUB_EXTENSION) -> str:
    return (
        f"<Extension><ExtensionID>{extension}</ExtensionID>"
        f'<c:Certificate xmlns:c="{NS_SMC}" xmlns:b="{NS_SMB}"><b:TypeCode>{type_code}</b:TypeCode>'
        f"<b:ContentBinaryObject>{certificate_text}</b:ContentBinaryObject></c:Certificate></Extension>"
    )


def information(*endpoints: str, extensions: str = "", process: str = PROCESS_ID) -> str:
    return (
        f'<ServiceInformation><ParticipantIdentifier scheme="{PARTICIPANT_SCHEME}">0203:HABO.se'
        f'</ParticipantIdentifier><DocumentIdentifier scheme="{SDK_MESSAGE.scheme}">'
        f"{SDK_MESSAGE.identifier}</DocumentIdentifier><ProcessList><Process>"
        f'<ProcessIdentifier scheme="{PROCESS_SCHEME}">{process}</ProcessIdentifier>'
        f"<ServiceEndpointList>{''.join(endpoints or [an_endpoint()])}</ServiceEndpointList>"
        f"</Process></ProcessList>{extensions}</ServiceInformation>"
    )


def unsigned(body: str) -> etree._Element:
    return etree.fromstring(
        f'<SignedServiceMetadata xmlns="{NS_SMP}"><ServiceMetadata>{body}</ServiceMetadata>'
        f"</SignedServiceMetadata>"
    )


def signed(body: str) -> bytes:
    """As an SMP signs it: by another implementation than the one that reads it."""
    signer = signxml.XMLSigner(
        method=signxml.SignatureConstructionMethod.enveloped,
        c14n_algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
    )
    return etree.tostring(signer.sign(unsigned(body), key=key("smp"), cert=[certificate("smp")]))


def metadata(body: str):
    found = read_service_metadata(signed(body), HABO, SDK_MESSAGE).metadata
    assert found is not None
    return found


def test_the_signer_and_the_endpoint_are_given():
    read = read_service_metadata(signed(information()), HABO, SDK_MESSAGE)
    assert read.signing_certificate == certificate("smp")
    (endpoint,) = read.metadata.endpoints
    assert endpoint.url == "https://ap.example/as4"
    assert endpoint.certificate == certificate("access point")


def one_line_of(name: str) -> str:
    return pem_of(name).replace("\n", "")


def spaced_line_of(name: str) -> str:
    return pem_of(name).replace("\n", " ")


def escaped_lines_of(name: str) -> str:
    return pem_of(name).replace("\n", "\\n")


def windows_lines_of(name: str) -> str:
    return "\r\n\r\n" + pem_of(name).replace("\n", "\r\n  ")


def encoded_pem_of(name: str) -> str:
    return base64.b64encode(one_line_of(name).encode()).decode()


_WRITTEN = [
    base64_of,
    pem_of,
    one_line_of,
    spaced_line_of,
    escaped_lines_of,
    windows_lines_of,
    encoded_pem_of,
]


@pytest.mark.parametrize("written", _WRITTEN)
def test_an_endpoint_s_certificate_is_read_however_its_lines_are_joined(written):
    own = an_endpoint().replace(base64_of("access point"), written("access point"))
    assert written("access point") in own
    (endpoint,) = metadata(information(own)).endpoints
    assert endpoint.certificate == certificate("access point")


@pytest.mark.parametrize(
    "spoilt",
    [
        lambda pem: pem.replace("-----END CERTIFICATE-----", ""),
        lambda pem: pem.replace("-----BEGIN CERTIFICATE-----", ""),
        lambda pem: "-----END CERTIFICATE-----" + pem,
        lambda pem: "-----BEGIN CERTIFICATE-----" * 50_000 + pem,
        lambda pem: pem.replace("M", "*", 1),
        lambda _: "-----BEGIN CERTIFICATE----------END CERTIFICATE-----",
    ],
)
def test_a_certificate_in_broken_armour_is_refused(spoilt):
    extensions = published(CERTPUB_ENCRYPTION, spoilt(pem_of("encryption")))
    with pytest.raises(MetadataMalformed):
        metadata(information(extensions=extensions))


@pytest.mark.parametrize(
    "url",
    [
        "https://user@ap.example/as4",
        "https://ap.example\\@127.0.0.1/as4",
        "https://ap.example:0/as4",
        "https://ap.example/#@127.0.0.1",
        "ldap://ap.example/",
    ],
)
def test_an_address_that_can_be_read_in_two_ways_is_refused(url):
    with pytest.raises(MetadataMalformed):
        metadata(information(an_endpoint(url=url)))


@pytest.mark.parametrize(
    "other",
    [
        an_endpoint("mailto:edi@ap.example", "another-profile"),
        an_endpoint("amqps://user@ap.example/queue", "another-profile"),
        an_endpoint(profile="another-profile", ends="some day"),
        an_endpoint(profile="another-profile").replace(base64_of("access point"), "no certificate"),
    ],
    ids=["mailto", "amqps", "end", "certificate"],
)
def test_an_endpoint_of_another_profile_that_cannot_be_read_is_passed_over(other):
    for endpoints in ((other, an_endpoint()), (an_endpoint(), other)):
        (read,) = metadata(information(*endpoints)).endpoints
        assert read.url == "https://ap.example/as4"
    with pytest.raises(MetadataMalformed):
        metadata(information(other))


@pytest.mark.parametrize("written", _WRITTEN)
def test_published_certificates_are_read_with_and_without_armour(written):
    extensions = published(CERTPUB_ENCRYPTION, written("encryption"))
    extensions += published(CERTPUB_SIGNING, written("signing"))
    extensions += published(CERTPUB_SIGNING, "no certificate", extension="urn:another")
    found = metadata(information(extensions=extensions))
    assert found.encryption_certificates == (certificate("encryption"),)
    assert found.signing_certificates == (certificate("signing"),)


def test_metadata_that_is_changed_after_signing_is_refused():
    changed = signed(information()).replace(b"https://ap.example", b"https://ap.elsewhere")
    with pytest.raises(SignatureInvalid):
        read_service_metadata(changed, HABO, SDK_MESSAGE)


def test_metadata_without_a_signature_is_refused():
    with pytest.raises(SignatureMissing):
        read_service_metadata(etree.tostring(unsigned(information())), HABO, SDK_MESSAGE)


@pytest.mark.parametrize(
    ("participant", "document_type"),
    [(ParticipantId.parse("0203:other.se"), SDK_MESSAGE), (HABO, MESSAGE_RECEIPT)],
)
def test_metadata_for_another_question_is_refused(participant, document_type):
    with pytest.raises(MetadataForAnother):
        read_service_metadata(signed(information()), participant, document_type)


def test_a_redirect_is_given_with_its_signer():
    read = read_service_metadata(signed('<Redirect href="https://smp2.example/x"/>'), HABO, SDK_MESSAGE)
    assert (read.redirect, read.metadata) == ("https://smp2.example/x", None)
    assert read.signing_certificate == certificate("smp")


@pytest.mark.parametrize(
    ("body", "element"),
    [
        (information() + information(), "ServiceInformation"),
        (information(an_endpoint(url="https://[")), "EndpointURI"),
        (information(an_endpoint(url="file:///etc/passwd")), "EndpointURI"),
        (information(an_endpoint(begins="yesterday")), "ServiceActivationDate"),
        (information(an_endpoint(ends="0001-01-01T00:00:00+14:00")), "ServiceExpirationDate"),
        (information(extensions=published(CERTPUB_SIGNING, "bm90IG9uZQ==")), "ContentBinaryObject"),
        ('<Redirect href="https://["/>', "Redirect"),
        ("<Redirect/>", "Redirect"),
    ],
    ids=[
        "two answers",
        "no address",
        "address of a file",
        "begins on no date",
        "ends before time",
        "no certificate",
        "leads nowhere",
        "leads without an address",
    ],
)
def test_what_cannot_be_read_is_named_as_the_family_of_errors_does(body, element):
    with pytest.raises(MetadataMalformed) as malformed:
        read_service_metadata(signed(body), HABO, SDK_MESSAGE)
    assert malformed.value.element == element
    assert isinstance(malformed.value, ProtocolError)


def test_only_an_active_endpoint_of_the_profile_and_process_is_chosen():
    found = metadata(
        information(
            an_endpoint(url="https://other.example", profile="another-profile"),
            an_endpoint(url="https://past.example", ends="2026-11-24T11:00:00Z"),
            an_endpoint(url="https://coming.example", begins="2026-11-24T14:00:00+01:00"),
            an_endpoint(url="https://now.example", begins="2026-11-01T00:00:00", ends="2026-12-01T00:00:00Z"),
        )
    )
    chosen = endpoint_for(found, PROCESS_ID, PROCESS_SCHEME, NOW)
    assert chosen is not None
    assert chosen.url == "https://now.example"
    later = endpoint_for(found, PROCESS_ID, PROCESS_SCHEME, NOW + timedelta(hours=1))
    assert later is not None
    assert later.url == "https://coming.example"
    assert endpoint_for(found, "another:process", PROCESS_SCHEME, NOW) is None


def test_the_first_of_our_transport_profiles_that_has_an_endpoint_is_chosen():
    found = metadata(
        information(
            an_endpoint(url="https://old.example", profile="profile-1"),
            an_endpoint(url="https://new.example", profile="profile-2"),
        )
    )

    def chosen(*profiles: str) -> str:
        endpoint = endpoint_for(found, PROCESS_ID, PROCESS_SCHEME, NOW, profiles)
        return endpoint.url if endpoint else ""

    assert chosen("profile-2", "profile-1") == "https://new.example"
    assert chosen("profile-1", "profile-2") == "https://old.example"
    assert chosen("profile-3", "profile-1") == "https://old.example"
    assert chosen("profile-3") == ""
