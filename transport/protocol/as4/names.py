"""Namespaces, types and algorithms of AS4 messages, each once (eDelivery AS4 1.15, C3.2.1)."""

from typing import Final

from ..identifiers import C14N_EXCLUSIVE, NS_DS, NS_XENC

NS_ENV: Final = "http://www.w3.org/2003/05/soap-envelope"
NS_EB: Final = "http://docs.oasis-open.org/ebxml-msg/ebms/v3.0/ns/core/200704/"
NS_EBBP: Final = "http://docs.oasis-open.org/ebxml-bp/ebbp-signals-2.0"
_WSS: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-"
NS_WSSE: Final = _WSS + "wssecurity-secext-1.0.xsd"
NS_WSU: Final = _WSS + "wssecurity-utility-1.0.xsd"
NS_WSSE11: Final = "http://docs.oasis-open.org/wss/oasis-wss-wssecurity-secext-1.1.xsd"
NS_XENC11: Final = "http://www.w3.org/2009/xmlenc11#"

ENV: Final = f"{{{NS_ENV}}}"
EB: Final = f"{{{NS_EB}}}"
EBBP: Final = f"{{{NS_EBBP}}}"
WSSE: Final = f"{{{NS_WSSE}}}"
WSU: Final = f"{{{NS_WSU}}}"
DS: Final = f"{{{NS_DS}}}"
XENC: Final = f"{{{NS_XENC}}}"
XENC11: Final = f"{{{NS_XENC11}}}"
EC: Final = f"{{{C14N_EXCLUSIVE}}}"

BASE64_BINARY: Final = _WSS + "soap-message-security-1.0#Base64Binary"
X509_V3: Final = _WSS + "x509-token-profile-1.0#X509v3"
X509_PKI_PATH: Final = _WSS + "x509-token-profile-1.0#X509PKIPathv1"
SUBJECT_KEY_IDENTIFIER: Final = _WSS + "x509-token-profile-1.0#X509SubjectKeyIdentifier"
THUMBPRINT: Final = "http://docs.oasis-open.org/wss/oasis-wss-soap-message-security-1.1#ThumbprintSHA1"
ENCRYPTED_KEY_TOKEN: Final = "http://docs.oasis-open.org/wss/oasis-wss-soap-message-security-1.1#EncryptedKey"  # noqa: S105
_SWA: Final = "http://docs.oasis-open.org/wss/oasis-wss-SwAProfile-1.1#"
ATTACHMENT_SIGNATURE: Final = _SWA + "Attachment-Content-Signature-Transform"
ATTACHMENT_CIPHERTEXT: Final = _SWA + "Attachment-Ciphertext-Transform"
ATTACHMENT_CONTENT_ONLY: Final = _SWA + "Attachment-Content-Only"

RSA_OAEP: Final = NS_XENC11 + "rsa-oaep"
MGF1_SHA256: Final = NS_XENC11 + "mgf1sha256"
AES128_GCM: Final = NS_XENC11 + "aes128-gcm"

# The test service: answered, and not delivered (1.15 1.4.2.4 and 1.4.4.3).
TEST_SERVICE: Final = NS_EB + "service"
TEST_ACTION: Final = NS_EB + "test"
DEFAULT_MPC: Final = NS_EB + "defaultMPC"
INITIATOR: Final = NS_EB + "initiator"
RESPONDER: Final = NS_EB + "responder"

GZIP: Final = "application/gzip"
SOAP: Final = "application/soap+xml"
OCTETS: Final = "application/octet-stream"
