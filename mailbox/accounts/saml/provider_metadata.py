"""The metadata of providers: from a file, or from an address whose last answer is kept until the next.

Each process reads it anew when it has changed, and verifies its signature.
"""

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from django.conf import settings
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import get_language
from lxml import etree

from mailbox.models import SamlMetadata
from transport.outgoing_http import AddressRefused, NoAnswer, Origin, request

from .configuration import REDIRECT_BINDING, is_configured, xmlsec
from .library import saml2
from .structure import DS, METADATA, StructureRejected, check_signature, has_signature, metadata_text, parse

logger = logging.getLogger(__name__)
_MAX_BYTES: Final = 16 * 1024 * 1024
_MOST_ELEMENTS: Final = 2_000_000
_SECONDS: Final = 30.0
_FETCHED_EVERY_SECONDS: Final = 60.0
_MDUI: Final = "urn:oasis:names:tc:SAML:metadata:ui"
_XML: Final = "http://www.w3.org/XML/1998/namespace"


class MetadataRejected(Exception):
    """Metadata that cannot be used; `reason` is a code."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Provider:
    """An identity provider: where requests go, and the certificates of its keys (base64 of DER).

    `names` are what it calls itself, by language.
    """

    entity_id: str
    login_url: str
    certificates: tuple[str, ...]
    names: Mapping[str, str]
    valid_until: datetime | None

    @property
    def is_valid(self) -> bool:
        return self.valid_until is None or self.valid_until > timezone.now()

    def name(self, language: str) -> str:
        """What people know it by; its host where it does not say."""
        fallback = next(iter(self.names.values()), urlsplit(self.entity_id).hostname or self.entity_id)
        return self.names.get(language) or self.names.get("sv") or fallback


class _Read:
    """The providers as this process last read them, or why it could not."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stamp: tuple[Any, ...] = ()
        self._providers: dict[str, Provider] = {}
        self._problem = ""
        self._fetched_at = -_FETCHED_EVERY_SECONDS

    def get(self) -> dict[str, Provider]:
        with self._lock:
            stamp = (settings.SDK_SAML_METADATA, settings.SDK_SAML_METADATA_CERTIFICATE, _changed_at())
            if stamp != self._stamp:
                self._read()
                self._stamp = stamp
            if self._problem:
                raise MetadataRejected(self._problem)
            return self._providers

    def may_fetch(self) -> bool:
        """Whether this process has not fetched lately."""
        with self._lock:
            now = time.monotonic()
            is_due = now - self._fetched_at >= _FETCHED_EVERY_SECONDS
            self._fetched_at = now if is_due else self._fetched_at
            return is_due

    def _read(self) -> None:
        self._providers, self._problem = {}, ""
        try:
            self._providers = {each.entity_id: each for each in read(_document())}
        except MetadataRejected as rejected:
            self._problem = rejected.reason


_read = _Read()


def is_fetched() -> bool:
    """Whether the metadata comes from an address."""
    return "://" in settings.SDK_SAML_METADATA


def providers() -> list[Provider]:
    """The configured providers that the metadata has and that is valid now. Raises `MetadataRejected`."""
    known = _read.get()
    found = (known.get(entity_id) for entity_id in settings.SDK_SAML_PROVIDERS)
    return [provider for provider in found if provider is not None and provider.is_valid]


def provider(entity_id: str) -> Provider | None:
    """The configured provider with that name. Raises `MetadataRejected`."""
    return next((each for each in providers() if each.entity_id == entity_id), None)


def login_choices() -> list[tuple[str, str]]:
    """The configured providers, for the login page: each one's entity id, and its name where it is known."""
    if not is_configured():
        return []
    try:
        known = {each.entity_id: each.name(get_language() or settings.LANGUAGE_CODE) for each in providers()}
    except MetadataRejected as rejected:
        logger.warning("saml_metadata_rejected", extra={"fields": {"reason": rejected.reason}})
        known = {}
    return [
        (entity_id, known.get(entity_id) or urlsplit(entity_id).hostname or entity_id)
        for entity_id in settings.SDK_SAML_PROVIDERS
    ]


def fetch_first() -> None:
    """Fetch the metadata in a request, where no worker has yet; seldom, since strangers can cause it."""
    if _read.may_fetch():
        refresh()


def refresh() -> None:
    """Fetch the metadata again, where it comes from an address; what was there before stays if that fails."""
    if not is_fetched():
        return
    address = settings.SDK_SAML_METADATA
    try:
        answer = request("GET", address, origin=Origin.SETTINGS, seconds=_SECONDS, max_bytes=_MAX_BYTES)
        if not answer.is_ok:
            raise MetadataRejected("no-answer")
        read(answer.body)
    except (AddressRefused, NoAnswer) as error:
        logger.warning("saml_metadata_not_fetched", extra={"fields": {"error": type(error).__name__}})
        return
    except MetadataRejected as error:
        logger.warning("saml_metadata_not_fetched", extra={"fields": {"error": error.reason}})
        return
    SamlMetadata.objects.update_or_create(
        address=address, defaults={"document": answer.body.decode(), "fetched_at": timezone.now()}
    )
    SamlMetadata.objects.exclude(address=address).delete()


def read(document: bytes) -> list[Provider]:
    """The identity providers of a metadata document whose signature is verified. Raises `MetadataRejected`.

    A file may be unsigned if no certificate is configured: then who puts it there vouches for it.
    """
    try:
        text = metadata_text(document)
        root = parse(text, most_elements=_MOST_ELEMENTS)
        if root.tag not in {f"{{{METADATA}}}EntityDescriptor", f"{{{METADATA}}}EntitiesDescriptor"}:
            raise MetadataRejected("no-metadata")
        _verify(root, text)
    except StructureRejected as error:
        raise MetadataRejected(error.reason) from None
    if is_fetched() and root.get("validUntil") is None:
        raise MetadataRejected("without-end")
    if (until := _end(root)) is not None and until <= timezone.now():
        raise MetadataRejected("expired")
    return [_provider(role) for role in root.iter(f"{{{METADATA}}}IDPSSODescriptor")]


def _changed_at() -> object:
    if not is_fetched():
        try:
            return Path(settings.SDK_SAML_METADATA).stat().st_mtime_ns
        except OSError:
            raise MetadataRejected("no-file") from None
    rows = SamlMetadata.objects.filter(address=settings.SDK_SAML_METADATA)
    return rows.values_list("fetched_at", flat=True).first()


def _document() -> bytes:
    if not is_fetched():
        return Path(settings.SDK_SAML_METADATA).read_bytes()
    row = SamlMetadata.objects.filter(address=settings.SDK_SAML_METADATA).first()
    if row is None:
        raise MetadataRejected("not-fetched-yet")
    return row.document.encode()


def _verify(root: etree._Element, text: str) -> None:
    signers = settings.SDK_SAML_METADATA_CERTIFICATE
    if not signers:
        if is_fetched():
            raise MetadataRejected("no-certificate")
        return
    if not has_signature(root):
        raise MetadataRejected("unsigned")
    check_signature(root)
    # Where the signer's key is about to change, the file holds both certificates.
    sigver = saml2("sigver")
    try:
        certificates = x509.load_pem_x509_certificates(Path(signers).read_bytes())
    except (OSError, ValueError):
        raise MetadataRejected("no-certificate") from None
    for certificate in certificates:
        pem = sigver.make_temp(certificate.public_bytes(Encoding.PEM), suffix=".pem", decode=False)
        name = str(root.tag).strip("{").replace("}", ":")
        try:
            if xmlsec().validate_signature(text, pem.name, "pem", name, root.get("ID")):
                return
        except sigver.SigverError:
            continue
        except OSError:
            raise MetadataRejected("no-xmlsec1") from None
    raise MetadataRejected("signature")


def _provider(role: etree._Element) -> Provider:
    entity = next(role.iterancestors())
    services = role.iterfind(f"{{{METADATA}}}SingleSignOnService")
    by_redirect = (each for each in services if each.get("Binding") == REDIRECT_BINDING)
    login_url = next((each.get("Location", "") for each in by_redirect), "")
    keys = role.iterfind(f"{{{METADATA}}}KeyDescriptor")
    signing = [key for key in keys if key.get("use") in {None, "signing"}]
    certificates = {
        "".join(str(each.text).split()): None
        for key in signing
        for each in key.iter(f"{{{DS}}}X509Certificate")
    }
    names = {
        str(each.get(f"{{{_XML}}}lang", "sv")): str(each.text)
        for each in role.iter(f"{{{_MDUI}}}DisplayName")
        if each.text
    }
    ends = [end for each in (role, *role.iterancestors()) if (end := _end(each)) is not None]
    return Provider(
        str(entity.get("entityID", "")), str(login_url), tuple(certificates), names, min(ends, default=None)
    )


def _end(element: etree._Element) -> datetime | None:
    """When an element's content stops being valid; an end that cannot be read has been."""
    text = element.get("validUntil")
    if text is None:
        return None
    try:
        moment = parse_datetime(text)
    except ValueError:
        moment = None
    return datetime.min.replace(tzinfo=UTC) if moment is None or moment.tzinfo is None else moment
