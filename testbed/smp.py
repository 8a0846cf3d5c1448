"""The SMP 1.0 of the test federation, with CertPub: SignedServiceMetadata, built and signed on request."""

import base64
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import signxml
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

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
)

from .authorities import KeyFiles, load_certificate

SERVED = {
    SDK_MESSAGE.action: (SDK_MESSAGE, CERTPUB_ENCRYPTION, "encryption"),
    MESSAGE_RECEIPT.action: (MESSAGE_RECEIPT, CERTPUB_SIGNING, "signing"),
}


def signed_service_metadata(
    participant: str, entry: dict[str, Any], access_point: dict[str, Any], action: str, signer: KeyFiles
) -> bytes | None:
    """The metadata of a participant's document type; None where it is not served."""
    if action not in SERVED or action in entry.get("not_served", ()):
        return None
    document_type, type_code, purpose = SERVED[action]
    extensions = "".join(
        f"<Extension><ExtensionID>{CERTPUB_EXTENSION}</ExtensionID>"
        f'<smc:Certificate xmlns:smc="{NS_SMC}" xmlns:smb="{NS_SMB}"><smb:TypeCode>{type_code}</smb:TypeCode>'
        f'<smb:ContentBinaryObject mimeCode="application/base64">{_der(path)}</smb:ContentBinaryObject>'
        f"</smc:Certificate></Extension>"
        for path in entry[purpose]
    )
    xml = (
        f'<SignedServiceMetadata xmlns="{NS_SMP}"><ServiceMetadata><ServiceInformation>'
        f"<ParticipantIdentifier scheme={quoteattr(PARTICIPANT_SCHEME)}>{escape(participant)}"
        f"</ParticipantIdentifier><DocumentIdentifier scheme={quoteattr(document_type.scheme)}>"
        f"{escape(document_type.identifier)}</DocumentIdentifier><ProcessList><Process>"
        f"<ProcessIdentifier scheme={quoteattr(PROCESS_SCHEME)}>{PROCESS_ID}</ProcessIdentifier>"
        f"<ServiceEndpointList><Endpoint transportProfile={quoteattr(TRANSPORT_PROFILE)}>"
        f"<EndpointURI>{escape(access_point['url'])}</EndpointURI>"
        f"<RequireBusinessLevelSignature>true</RequireBusinessLevelSignature>"
        f"<Certificate>{_der(access_point['certificate'])}</Certificate>"
        f"<ServiceDescription>Testfederationen</ServiceDescription>"
        f"<TechnicalContactUrl>https://testbed.example/</TechnicalContactUrl>"
        f"</Endpoint></ServiceEndpointList></Process></ProcessList>{extensions}"
        f"</ServiceInformation></ServiceMetadata></SignedServiceMetadata>"
    )
    certificate = signer.certificate.read_bytes()
    signed = signxml.XMLSigner(
        method=signxml.SignatureConstructionMethod.enveloped,
        signature_algorithm="rsa-sha256",
        digest_algorithm="sha256",
        c14n_algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
    ).sign(
        etree.fromstring(xml),
        key=signer.key.read_bytes(),
        cert=certificate.decode(),
        always_add_key_value=False,
    )
    return etree.tostring(signed, xml_declaration=True, encoding="UTF-8")


def _der(path: str) -> str:
    return base64.b64encode(load_certificate(Path(path)).public_bytes(Encoding.DER)).decode()
