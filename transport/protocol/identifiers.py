"""Identifiers, namespaces and algorithm URIs of the federation, each once.

The comment beside a group names the specification that gives the values.
"""

import re
from dataclasses import dataclass
from typing import Final, Self

from .errors import ProtocolError

# Participants: C3.2.7 section 1.4
PARTICIPANT_SCHEME: Final = "iso6523-actorid-upis"
FUNCTION_ADDRESS_ROOT: Final = "urn:riv:infrastructure:messaging:functionalAddress"

# Federations and processes: C3.2.7 sections 1.1 and 1.2
FEDERATION_SDK: Final = "urn:fdc:digg.se:edelivery:federation:sdk"
PROCESS_ID: Final = "bdx:noprocess"
PROCESS_SCHEME: Final = "urn:fdc:digg.se:edelivery:process"

# Message types: C3.2.7 section 1.3
DOCUMENT_SCHEME: Final = "busdox-docid-qns"
SDK_MESSAGE_DOCUMENT_ID: Final = (
    "urn:riv:infrastructure:messaging:MessageWithAttachments:3::messagePayload##3.0::tm-base-ext-sigenc"
)
RECEIPT_DOCUMENT_ID: Final = (
    "urn:oasis:names:specification:ubl:schema:xsd:ApplicationResponse-2::ApplicationResponse"
    "##fdc:digg.se:edelivery:messagetype:response:1::2.1::tm-base-ext-sigenc"
)

# SDK message: B1.3.3
NS_SDK_MESSAGE: Final = "urn:riv:infrastructure:messaging:MessageWithAttachments:3"

# Envelope: C3.2.2 sections 2.2 and 2.3
NS_XHE: Final = "http://docs.oasis-open.org/bdxr/ns/XHE/1/ExchangeHeaderEnvelope"
NS_XHA: Final = "http://docs.oasis-open.org/bdxr/ns/XHE/1/AggregateComponents"
NS_XHB: Final = "http://docs.oasis-open.org/bdxr/ns/XHE/1/BasicComponents"
XHE_CUSTOMIZATION_ID: Final = "urn:fdc:digg.se:edelivery:xhe:1"
XHE_VERSION_ID: Final = "1.0"
SDK_MESSAGE_TYPE_CODE: Final = "Q{" + NS_SDK_MESSAGE + "}messagePayload"

# Message receipt: C3.2.4 section 3
NS_RECEIPT: Final = "urn:oasis:names:specification:ubl:schema:xsd:ApplicationResponse-2"
NS_CAC: Final = "urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2"
NS_CBC: Final = "urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2"
RECEIPT_CUSTOMIZATION_ID: Final = "urn:fdc:digg.se:edelivery:messagetype:response:1"
RECEIPT_TYPE_CODE: Final = "Q{" + NS_RECEIPT + "}ApplicationResponse"

# XML signature and encryption: C3.2.2 sections 3.4 and 3.5
NS_DS: Final = "http://www.w3.org/2000/09/xmldsig#"
NS_XENC: Final = "http://www.w3.org/2001/04/xmlenc#"
C14N_10: Final = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
C14N_10_COMMENTS: Final = C14N_10 + "#WithComments"
C14N_11: Final = "http://www.w3.org/2006/12/xml-c14n11"
C14N_EXCLUSIVE: Final = "http://www.w3.org/2001/10/xml-exc-c14n#"
ENVELOPED_SIGNATURE: Final = NS_DS + "enveloped-signature"
RSA_SHA256: Final = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
SHA1: Final = NS_DS + "sha1"
SHA256: Final = NS_XENC + "sha256"
RSA_OAEP_MGF1P: Final = NS_XENC + "rsa-oaep-mgf1p"
AES256_CBC: Final = NS_XENC + "aes256-cbc"
XENC_ELEMENT: Final = NS_XENC + "Element"
XENC_CONTENT: Final = NS_XENC + "Content"

# Access points: C3.2.1 section 2.3.1
PARTY_TYPE: Final = "urn:fdc:digg.se:edelivery:transportprofile:as4:partytype:ap"
TRANSPORT_PROFILE: Final = "digg-transport-as4-v1_0"

# Service metadata and certificate publication: federation-facts, C3.4.5
NS_SMP: Final = "http://docs.oasis-open.org/bdxr/ns/SMP/2016/05"
NS_SMC: Final = "http://docs.oasis-open.org/bdxr/ns/SMP/2/AggregateComponents"
NS_SMB: Final = "http://docs.oasis-open.org/bdxr/ns/SMP/2/BasicComponents"
CERTPUB_EXTENSION: Final = "urn:fdc:digg.se:edelivery:xml-extension:smp-certpub:1.0"
CERTPUB_SIGNING: Final = "urn:fdc:digg.se:edelivery:certpub:signing-cert"
CERTPUB_ENCRYPTION: Final = "urn:fdc:digg.se:edelivery:certpub:encryption-cert"

_PARTICIPANT_PATTERNS: Final = {
    "0007": re.compile(r"[0-9]{10}"),
    "0088": re.compile(r"[0-9]{13}"),
    # A domain name: at least one sub-domain below the top-level domain.
    "0203": re.compile(
        r"(?=.{4,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]",
        re.IGNORECASE,
    ),
}


class ParticipantIdInvalid(ProtocolError):
    """Not `<ICD>:<value>` with an ICD and a value that C3.2.7 section 1.4 allows."""


@dataclass(frozen=True, slots=True)
class ParticipantId:
    """A participant under the scheme `iso6523-actorid-upis`, such as `0203:habo.se`.

    Identifiers are compared without regard to case (SMP 1.0 section 2.1), so `value` is kept in
    lower case; what a document said is not needed again.
    """

    value: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `<ICD>:<value>`; raises `ParticipantIdInvalid`."""
        icd, separator, identifier = text.strip().partition(":")
        pattern = _PARTICIPANT_PATTERNS.get(icd)
        if not separator or pattern is None or not pattern.fullmatch(identifier):
            raise ParticipantIdInvalid("not a participant identifier of the federation")
        return cls(f"{icd}:{identifier.lower()}")

    @property
    def icd(self) -> str:
        """The four digits that say which register the value belongs to."""
        return self.value.partition(":")[0]

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True)
class DocumentType:
    """What a transfer carries, as SMP, XHE and AS4 name it (C3.2.7 section 1.3)."""

    identifier: str
    scheme: str = DOCUMENT_SCHEME

    @property
    def action(self) -> str:
        """The AS4 Action: `<scheme>::<identifier>` (C3.2.1 section 2.3.1 c)."""
        return f"{self.scheme}::{self.identifier}"


SDK_MESSAGE: Final = DocumentType(SDK_MESSAGE_DOCUMENT_ID)
MESSAGE_RECEIPT: Final = DocumentType(RECEIPT_DOCUMENT_ID)
