"""This node's own metadata (SAML Metadata 2.0), as Sweden Connect's deployment profile 2.1 asks for it."""

import base64
from typing import Any, Final

from cryptography.hazmat.primitives.serialization import Encoding
from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext
from lxml import etree
from lxml.builder import ElementMaker

from . import structure
from .configuration import POST_BINDING, answer_url, certificates, display_name, entity_id

_MDUI: Final = "urn:oasis:names:tc:SAML:metadata:ui"
_MDATTR: Final = "urn:oasis:names:tc:SAML:metadata:attribute"
_URI_FORMAT: Final = "urn:oasis:names:tc:SAML:2.0:attrname-format:uri"
_NAME_ID: Final = "urn:oasis:names:tc:SAML:2.0:nameid-format:"
_XENC: Final = "http://www.w3.org/2001/04/xmlenc#"
_LANGUAGE: Final = "{http://www.w3.org/XML/1998/namespace}lang"
# What a provider may encrypt with: the same that answers are accepted with, the strongest first.
_ENCRYPTION: Final = (
    "http://www.w3.org/2009/xmlenc11#aes256-gcm",
    "http://www.w3.org/2009/xmlenc11#aes128-gcm",
    f"{_XENC}rsa-oaep-mgf1p",
)
_NAMES: Final = ("urn:oid:2.16.840.1.113730.3.1.241", "urn:oid:2.5.4.42", "urn:oid:2.5.4.4")
_NAMESPACES: Final = {
    "md": structure.METADATA,
    "mdui": _MDUI,
    "mdattr": _MDATTR,
    "saml": structure.ASSERTION,
    "ds": structure.DS,
}
_md: Any = ElementMaker(namespace=structure.METADATA, nsmap=_NAMESPACES)
_mdui: Any = ElementMaker(namespace=_MDUI)
_mdattr: Any = ElementMaker(namespace=_MDATTR)
_saml: Any = ElementMaker(namespace=structure.ASSERTION)
_ds: Any = ElementMaker(namespace=structure.DS)


def document() -> bytes:
    """The metadata. It has no end and no signature: federations sign what they have registered."""
    entity = _md.EntityDescriptor(entityID=entity_id())
    if settings.SDK_SAML_ENTITY_CATEGORIES:
        entity.append(_md.Extensions(_categories()))
    entity.append(_service_provider())
    if settings.SDK_SAML_ORGANISATION:
        entity.append(_organisation())
    entity.extend(
        _md.ContactPerson(_md.EmailAddress(f"mailto:{address}"), contactType=kind)
        for address in settings.SDK_OPERATOR_MAIL[:1]
        for kind in ("technical", "support")
    )
    return etree.tostring(entity, xml_declaration=True, encoding="UTF-8", pretty_print=True)


def _categories() -> Any:
    values = [_saml.AttributeValue(each) for each in settings.SDK_SAML_ENTITY_CATEGORIES]
    attribute = _saml.Attribute(*values, Name="http://macedir.org/entity-category", NameFormat=_URI_FORMAT)
    return _mdattr.EntityAttributes(attribute)


def _service_provider() -> Any:
    return _md.SPSSODescriptor(
        _md.Extensions(_shown_to_people()),
        *_keys(),
        _md.NameIDFormat(f"{_NAME_ID}persistent"),
        _md.NameIDFormat(f"{_NAME_ID}transient"),
        _md.AssertionConsumerService(
            Binding=POST_BINDING, Location=answer_url(), index="0", isDefault="true"
        ),
        _md.AttributeConsumingService(
            _in("sv", _md.ServiceName(display_name("sv"))),
            *_requested(),
            index="0",
            isDefault="true",
        ),
        AuthnRequestsSigned="true",
        WantAssertionsSigned="true",
        protocolSupportEnumeration=structure.PROTOCOL,
    )


def _shown_to_people() -> Any:
    names, descriptions, pages = [], [], []
    for language, _ in settings.LANGUAGES:
        names.append(_in(language, _mdui.DisplayName(display_name(language))))
        with translation.override(language):
            text = gettext("Säkra meddelanden mellan myndigheter, kommuner och regioner.")
        descriptions.append(_in(language, _mdui.Description(text)))
        pages.append(_in(language, _mdui.InformationURL(settings.SDK_PUBLIC_URL)))
    return _mdui.UIInfo(*names, *descriptions, *pages)


def _keys() -> list[Any]:
    keys = []
    for certificate in certificates():
        encoded = base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()
        for use in ("signing", "encryption"):
            key_info = _ds.KeyInfo(_ds.X509Data(_ds.X509Certificate(encoded)))
            methods = [_md.EncryptionMethod(Algorithm=each) for each in _ENCRYPTION]
            keys.append(_md.KeyDescriptor(key_info, *(methods if use == "encryption" else ()), use=use))
    return keys


def _requested() -> list[Any]:
    required = [settings.SDK_SAML_PERSON_ATTRIBUTE]
    wanted = [settings.SDK_SAML_ASSIGNMENT_ATTRIBUTE, *_NAMES, *settings.SDK_SAML_REQUESTED_ATTRIBUTES]
    names = dict.fromkeys([*required, *(name for name in wanted if name)])
    return [
        _md.RequestedAttribute(
            Name=name, NameFormat=_URI_FORMAT, isRequired="true" if name in required else "false"
        )
        for name in names
    ]


def _organisation() -> Any:
    name, address = settings.SDK_SAML_ORGANISATION, settings.SDK_PUBLIC_URL
    return _md.Organization(
        _in("sv", _md.OrganizationName(name)),
        _in("sv", _md.OrganizationDisplayName(name)),
        _in("sv", _md.OrganizationURL(address)),
    )


def _in(language: str, element: Any) -> Any:
    element.set(_LANGUAGE, language)
    return element
