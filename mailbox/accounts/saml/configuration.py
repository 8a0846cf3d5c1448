"""What the settings say of SAML, and the addresses of this node."""

from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from django.conf import settings
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext

from .library import saml2

POST_BINDING: Final = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
REDIRECT_BINDING: Final = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
CLOCK_SKEW_SECONDS: Final = 60


class OwnKeyUnusable(Exception):
    """This node's key or a certificate of it is not there, or no PEM file."""


def is_configured() -> bool:
    """Whether people can log in by SAML here."""
    return bool(settings.SDK_SAML_METADATA and settings.SDK_SAML_PROVIDERS)


def entity_id() -> str:
    """The name by which providers know this node."""
    return settings.SDK_SAML_ENTITY_ID or f"{settings.SDK_PUBLIC_URL}{reverse('saml-metadata')}"


def answer_url() -> str:
    """Where providers send their answers (AssertionConsumerService)."""
    return f"{settings.SDK_PUBLIC_URL}{reverse('saml-answer')}"


def display_name(language: str) -> str:
    """What providers call this node to people."""
    with translation.override(language):
        return settings.SDK_SAML_DISPLAY_NAME or gettext("Säker digital kommunikation")


def certificates() -> list[x509.Certificate]:
    """The certificates of this node's keys, the one that signs first. Raises `OwnKeyUnusable`."""
    paths = [settings.SDK_SAML_CERTIFICATE, *settings.SDK_SAML_OTHER_KEYS]
    try:
        return [x509.load_pem_x509_certificate(Path(path).read_bytes()) for path in paths]
    except (OSError, ValueError):
        raise OwnKeyUnusable from None


def signing_key() -> Any:
    """The key that signs requests. Raises `OwnKeyUnusable`."""
    try:
        return load_pem_private_key(Path(settings.SDK_SAML_KEY).read_bytes(), password=None)
    except (OSError, ValueError, TypeError):
        raise OwnKeyUnusable from None


def xmlsec() -> Any:
    """pysaml2's use of the program xmlsec1."""
    return saml2("sigver").CryptoBackendXmlSec1(settings.SDK_SAML_XMLSEC1)


def security_context(provider_certificates: list[str]) -> Any:
    """Verifies with these certificates alone (base64 of DER), and decrypts with this node's keys."""
    return saml2("sigver").SecurityContext(
        xmlsec(),
        metadata=_Certificates(provider_certificates),
        only_use_keys_in_metadata=True,
        enc_key_files=[settings.SDK_SAML_KEY, *settings.SDK_SAML_OTHER_KEYS],
    )


class _Certificates:
    """What pysaml2 asks of metadata: the certificates of who signs. Its own metadata accepts the keys of any
    provider for an issuer that it has not been told."""

    def __init__(self, certificates: list[str]) -> None:
        self._certificates = certificates

    def certs(self, entity: str, descriptor: str, use: str = "signing") -> list[tuple[None, str]]:
        return [(None, certificate) for certificate in self._certificates]
