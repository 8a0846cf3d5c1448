"""The second, independent library: libxmlsec1 verifies and decrypts, and seals as another sender would."""

import xmlsec
from cryptography.hazmat.primitives import serialization
from lxml import etree

from transport.protocol.xhe.envelope import write_envelope

from .build import an_envelope
from .keys import certificate, key

DS = "{http://www.w3.org/2000/09/xmldsig#}"
XENC = "{http://www.w3.org/2001/04/xmlenc#}"
CANONICALISATIONS = [
    None,
    xmlsec.constants.TransformInclC14N,
    xmlsec.constants.TransformInclC14NWithComments,
    xmlsec.constants.TransformInclC14N11,
    xmlsec.constants.TransformExclC14N,
]
_PARSER = etree.XMLParser(huge_tree=True)


def verify(document: bytes) -> None:
    """Raises `xmlsec.Error` where the sender's signature does not hold."""
    context = xmlsec.SignatureContext()
    context.key = _certificate("sender")
    context.verify(etree.fromstring(document, _PARSER).find(DS + "Signature"))


def decrypt(document: bytes) -> etree._Element:
    """The payload element, with the recipient's key."""
    manager = xmlsec.KeysManager()
    manager.add_key(xmlsec.Key.from_memory(_private("recipient"), xmlsec.constants.KeyDataFormatPem))
    data = etree.fromstring(document, _PARSER).find(f".//{XENC}EncryptedData")
    return xmlsec.EncryptionContext(manager).decrypt(data)


def seal(payload: bytes, *, transform: object = None, root: etree._Element | None = None) -> bytes:
    """An envelope that libxmlsec1 has encrypted and signed, its base64 in lines.

    `root` is an envelope with the payload in it, where its form matters.
    """
    if root is None:
        root = etree.fromstring(write_envelope(an_envelope(), payload), _PARSER)
    _encrypt(root)
    return sign(root, transform=transform)


def sign(
    root: etree._Element, *, transform: object = None, method: object = xmlsec.constants.TransformInclC14N
) -> bytes:
    """The document with an enveloped signature of the sender's; `method` canonicalises SignedInfo."""
    node = xmlsec.template.create(root, method, xmlsec.constants.TransformRsaSha256)
    root.append(node)
    reference = xmlsec.template.add_reference(node, xmlsec.constants.TransformSha256, uri="")
    xmlsec.template.add_transform(reference, xmlsec.constants.TransformEnveloped)
    if transform is not None:
        xmlsec.template.add_transform(reference, transform)
    xmlsec.template.x509_data_add_certificate(
        xmlsec.template.add_x509_data(xmlsec.template.ensure_key_info(node))
    )
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_memory(_private("sender"), xmlsec.constants.KeyDataFormatPem)
    context.key.load_cert_from_memory(
        certificate("sender").public_bytes(serialization.Encoding.PEM), xmlsec.constants.KeyDataFormatPem
    )
    context.sign(node)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", standalone=True)


def _encrypt(root: etree._Element) -> None:
    (payload,) = root.find(".//{*}PayloadContent")
    data = xmlsec.template.encrypted_data_create(
        root, xmlsec.constants.TransformAes256Cbc, type=xmlsec.constants.TypeEncElement, ns="xenc"
    )
    xmlsec.template.encrypted_data_ensure_cipher_value(data)
    info = xmlsec.template.encrypted_data_ensure_key_info(data, ns="ds")
    wrapped = xmlsec.template.add_encrypted_key(info, xmlsec.constants.TransformRsaOaep)
    xmlsec.template.encrypted_data_ensure_cipher_value(wrapped)
    xmlsec.template.x509_data_add_certificate(
        xmlsec.template.add_x509_data(xmlsec.template.encrypted_data_ensure_key_info(wrapped, ns="ds"))
    )
    manager = xmlsec.KeysManager()
    manager.add_key(_certificate("recipient"))
    context = xmlsec.EncryptionContext(manager)
    context.key = xmlsec.Key.generate(xmlsec.constants.KeyDataAes, 256, xmlsec.constants.KeyDataTypeSession)
    context.encrypt_xml(data, payload)


def _certificate(name: str) -> xmlsec.Key:
    pem = certificate(name).public_bytes(serialization.Encoding.PEM)
    return xmlsec.Key.from_memory(pem, xmlsec.constants.KeyDataFormatCertPem)


def _private(name: str) -> bytes:
    return key(name).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
