"""A test e-ID by SAML 2.0: an identity provider where you choose a person and need no password.

It signs assertion and response, and encrypts the assertion in between, by pysaml2 and xmlsec1; tests change
what it says by `Changes`.
"""

import base64
import secrets
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.sax.saxutils import quoteattr

import requests
from cryptography.hazmat.primitives.serialization import Encoding
from flask import Blueprint, Response, abort, render_template, request
from lxml import etree
from saml2 import class_name, saml, samlp
from saml2.sigver import (
    CryptoBackendXmlSec1,
    RSACrypto,
    SecurityContext,
    make_temp,
    pre_encryption_part,
    pre_signature_part,
    verify_redirect_signature,
)
from saml2.xmldsig import DIGEST_SHA256, SIG_RSA_SHA256

from .authorities import KeyFiles, load_certificate
from .register import Register

XMLSEC1 = "/usr/bin/xmlsec1"
PERSONAL_NUMBER = "urn:oid:1.2.752.29.4.13"
DISPLAY_NAME = "urn:oid:2.16.840.1.113730.3.1.241"
ASSIGNMENTS = "urn:allCommissions"
AES256_GCM = "http://www.w3.org/2009/xmlenc11#aes256-gcm"
RSA_OAEP = "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p"
_MD = "urn:oasis:names:tc:SAML:2.0:metadata"
_DS = "http://www.w3.org/2000/09/xmldsig#"
_ENCRYPTED_XPATH = "".join(
    f"/*[local-name()='{name}']" for name in ("Response", "EncryptedAssertion", "Assertion")
)
_URI_FORMAT = "urn:oasis:names:tc:SAML:2.0:attrname-format:uri"
_SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"
_RESPONDER = "urn:oasis:names:tc:SAML:2.0:status:Responder"
CANCELLED = "http://id.elegnamnden.se/status/1.0/cancel"


@dataclass(frozen=True)
class Asked:
    """What a request asks for, and who asks."""

    request_id: str
    entity_id: str
    answer_url: str
    certificate: str = field(default="", repr=False)


@dataclass(frozen=True)
class Changes:
    """What an answer says that it should not, or leaves out; None leaves an attribute out."""

    issuer: str | None = None
    assertion_issuer: str | None = None
    destination: str | None = ""
    recipient: str | None = ""
    audience: str | None = ""
    in_response_to: str | None = ""
    confirmed_request: str | None = ""
    issued_at: timedelta = timedelta()
    begins: timedelta = timedelta(seconds=-5)
    ends: timedelta = timedelta(minutes=5)
    authenticated_at: timedelta = timedelta()
    session_ends: timedelta | None = None
    method: str = saml.SCM_BEARER
    sign_assertion: bool = True
    sign_response: bool = True
    encrypt: bool = True
    signature_algorithm: str = SIG_RSA_SHA256
    digest: str = DIGEST_SHA256
    cipher: str = AES256_GCM
    session_key: str = "aes-256"
    key_transport: str = RSA_OAEP
    # Are given a text before it is signed: the response's, and the assertion's.
    before_signing: Callable[[str], str] | None = None
    before_assertion: Callable[[str], str] | None = None


class SamlProvider:
    """The provider below `/saml` of an application. `assignments` are those of a person, by subject."""

    def __init__(self, register: Register, url: str, files: KeyFiles) -> None:
        self._register = register
        self.entity_id = f"{url}/metadata"
        self._login_url = f"{url}/login"
        self.files = files
        self.assignments: dict[str, Sequence[str]] = {}
        self.changes = Changes()

    @property
    def certificate(self) -> str:
        """The certificate that verifies what it signs: base64 of DER."""
        return _encoded(self.files)

    def metadata(self, *, valid: timedelta = timedelta(days=7), is_signed: bool = True) -> str:
        """Its metadata, signed by its own key."""
        identifier = f"_{secrets.token_hex(16)}"
        until = _time(datetime.now(UTC) + valid)
        signature = str(_signature(identifier, SIG_RSA_SHA256, DIGEST_SHA256)) if is_signed else ""
        text = (
            f'<md:EntityDescriptor xmlns:md="{_MD}" xmlns:ds="{_DS}" ID="{identifier}" validUntil="{until}" '
            f"entityID={quoteattr(self.entity_id)}>{_without_declaration(signature)}<md:IDPSSODescriptor "
            f'WantAuthnRequestsSigned="true" protocolSupportEnumeration="{samlp.NAMESPACE}"><md:Extensions>'
            '<mdui:UIInfo xmlns:mdui="urn:oasis:names:tc:SAML:metadata:ui"><mdui:DisplayName xml:lang="sv">'
            'Test-SAML</mdui:DisplayName></mdui:UIInfo></md:Extensions><md:KeyDescriptor use="signing">'
            f"<ds:KeyInfo><ds:X509Data><ds:X509Certificate>{self.certificate}</ds:X509Certificate>"
            "</ds:X509Data></ds:KeyInfo></md:KeyDescriptor><md:SingleSignOnService "
            'Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" '
            f"Location={quoteattr(self._login_url)}/></md:IDPSSODescriptor></md:EntityDescriptor>"
        )
        return self._signed(text, f"{_MD}:EntityDescriptor", identifier) if is_signed else text

    def login(self, asked: Asked, subject: str, changes: Changes | None = None) -> str:
        """The response that logs a person in at a service provider, as XML."""
        person = self._register.entries("people")[subject]
        attributes = {PERSONAL_NUMBER: [subject], DISPLAY_NAME: [person["name"]]}
        if self.assignments.get(subject):
            attributes[ASSIGNMENTS] = list(self.assignments[subject])
        return self.response(asked, attributes, person["acr"], changes or self.changes)

    def response(
        self, asked: Asked, attributes: Mapping[str, Sequence[str]], level: str, changes: Changes
    ) -> str:
        """A response with these attributes, signed and encrypted as `changes` say."""
        response = self._head(asked, changes, samlp.Status(samlp.StatusCode(value=_SUCCESS)))
        assertion = self._assertion(asked, attributes, level, changes)
        if changes.sign_assertion:
            assertion.signature = _signature(assertion.id, changes.signature_algorithm, changes.digest)
        inner = _without_declaration(str(assertion))
        if changes.before_assertion:
            inner = changes.before_assertion(inner)
        if changes.sign_assertion:
            inner = self._signed(inner, class_name(assertion), assertion.id)
        if changes.encrypt:
            inner = f'<e:EncryptedAssertion xmlns:e="{saml.NAMESPACE}">{inner}</e:EncryptedAssertion>'
        # Put together as text: what is encrypted has to declare the namespaces that it uses itself.
        beginning, end, name = _without_declaration(str(response)).rpartition("</")
        text = f"{beginning}{inner}{end}{name}"
        if changes.encrypt:
            text = self._encrypted(text, asked, changes)
        return self._finished(text, response, changes)

    def refusal(self, asked: Asked, *codes: str, changes: Changes | None = None) -> str:
        """The response that says that nobody was logged in, and why."""
        changes = changes or Changes()
        inner: Any = None
        for code in reversed(codes):
            inner = samlp.StatusCode(value=code, status_code=inner)
        status = samlp.Status(samlp.StatusCode(value=_RESPONDER, status_code=inner))
        response = self._head(asked, changes, status)
        return self._finished(_without_declaration(str(response)), response, changes)

    def asked(self, query: Mapping[str, str]) -> Asked:
        """The request in an address, its signature verified by the key in the requester's own metadata."""
        xml = zlib.decompress(base64.b64decode(query["SAMLRequest"]), -15)
        message = samlp.authn_request_from_string(xml)
        entity_id = str(message.issuer.text)
        metadata = etree.fromstring(requests.get(entity_id, timeout=10).content)
        certificate = metadata.findtext(
            f".//{{{_MD}}}KeyDescriptor[@use='encryption']//{{{_DS}}}X509Certificate"
        )
        places = [each.get("Location") for each in metadata.iter(f"{{{_MD}}}AssertionConsumerService")]
        is_signed = verify_redirect_signature(dict(query), RSACrypto(None), certificate)
        if not is_signed or message.assertion_consumer_service_url not in places:
            raise ValueError("not signed by its metadata's key, or for another address")
        return Asked(str(message.id), entity_id, str(places[0]), str(certificate))

    def pages(self) -> Blueprint:
        """The provider's pages: metadata, and the choice of a person, whose answer is posted by a button."""
        pages = Blueprint("saml", __name__, url_prefix="/saml")

        @pages.get("/metadata")
        def metadata() -> Response:
            return Response(self.metadata(), content_type="application/samlmetadata+xml")

        @pages.route("/login", methods=["GET", "POST"])
        def login() -> Any:
            try:
                asked = self.asked(request.args.to_dict())
            except (ValueError, KeyError):
                abort(400)
            if request.method == "GET":
                people = list(self._register.entries("people").values())
                return render_template("choose.html", people=people, cancel=f"{request.full_path}&cancel=1")
            subject = request.form.get("subject", "")
            if subject not in self._register.entries("people"):
                abort(400)
            return self._posting(asked, self.login(asked, subject))

        @pages.before_request
        def cancel() -> Any:
            if request.path.endswith("/login") and request.args.get("cancel"):
                query = {name: value for name, value in request.args.items() if name != "cancel"}
                asked = self.asked(query)
                return self._posting(asked, self.refusal(asked, CANCELLED))
            return None

        return pages

    def _posting(self, asked: Asked, response: str) -> str:
        encoded = base64.b64encode(response.encode()).decode()
        return render_template("saml_answer.html", url=asked.answer_url, response=encoded)

    def _head(self, asked: Asked, changes: Changes, status: Any) -> Any:
        return samlp.Response(
            id=f"_{secrets.token_hex(16)}",
            version="2.0",
            issue_instant=_time(datetime.now(UTC) + changes.issued_at),
            in_response_to=_or(changes.in_response_to, asked.request_id),
            destination=_or(changes.destination, asked.answer_url),
            issuer=saml.Issuer(text=changes.issuer or self.entity_id),
            status=status,
        )

    def _assertion(
        self, asked: Asked, attributes: Mapping[str, Sequence[str]], level: str, changes: Changes
    ) -> Any:
        now = datetime.now(UTC)
        confirmed = saml.SubjectConfirmationData(
            in_response_to=_or(changes.confirmed_request, asked.request_id),
            recipient=_or(changes.recipient, asked.answer_url),
            not_on_or_after=_time(now + changes.ends),
        )
        audience = _or(changes.audience, asked.entity_id)
        restriction = saml.AudienceRestriction(audience=[saml.Audience(text=audience)]) if audience else None
        session_ends = _time(now + changes.session_ends) if changes.session_ends else None
        return saml.Assertion(
            id=f"_{secrets.token_hex(16)}",
            version="2.0",
            issue_instant=_time(now + changes.issued_at),
            issuer=saml.Issuer(text=changes.assertion_issuer or changes.issuer or self.entity_id),
            subject=saml.Subject(
                name_id=saml.NameID(format=saml.NAMEID_FORMAT_TRANSIENT, text=secrets.token_hex(16)),
                subject_confirmation=[
                    saml.SubjectConfirmation(method=changes.method, subject_confirmation_data=confirmed)
                ],
            ),
            conditions=saml.Conditions(
                not_before=_time(now + changes.begins),
                not_on_or_after=_time(now + changes.ends),
                audience_restriction=[restriction] if restriction else [],
            ),
            authn_statement=[
                saml.AuthnStatement(
                    authn_instant=_time(now + changes.authenticated_at),
                    session_not_on_or_after=session_ends,
                    authn_context=saml.AuthnContext(
                        authn_context_class_ref=saml.AuthnContextClassRef(text=level)
                    ),
                )
            ],
            attribute_statement=[
                saml.AttributeStatement(
                    attribute=[
                        saml.Attribute(
                            name=name,
                            name_format=_URI_FORMAT,
                            attribute_value=[saml.AttributeValue(text=value) for value in values],
                        )
                        for name, values in attributes.items()
                    ]
                )
            ],
        )

    def _encrypted(self, text: str, asked: Asked, changes: Changes) -> str:
        template = pre_encryption_part(msg_enc=changes.cipher, key_enc=changes.key_transport)
        pem = f"-----BEGIN CERTIFICATE-----\n{asked.certificate}\n-----END CERTIFICATE-----\n"
        file = make_temp(pem.encode(), suffix=".pem", decode=False)
        encrypted: str = self._security().encrypt_assertion(
            text, file.name, template, changes.session_key, _ENCRYPTED_XPATH
        )
        return _without_declaration(encrypted)

    def _finished(self, text: str, response: Any, changes: Changes) -> str:
        if changes.before_signing:
            text = changes.before_signing(text)
        if not changes.sign_response:
            return text
        signature = str(_signature(response.id, changes.signature_algorithm, changes.digest))
        root = etree.fromstring(text.encode())
        issuer = root.find(f"{{{saml.NAMESPACE}}}Issuer")
        assert issuer is not None
        issuer.addnext(etree.fromstring(_without_declaration(signature)))
        return self._signed(etree.tostring(root).decode(), class_name(response), response.id)

    def _signed(self, text: str, name: str, identifier: str) -> str:
        signed: str = self._security().sign_statement(text, name, node_id=identifier)
        return _without_declaration(signed)

    def _security(self) -> Any:
        return SecurityContext(CryptoBackendXmlSec1(XMLSEC1), str(self.files.key))


def _signature(identifier: str, algorithm: str, digest: str) -> Any:
    return pre_signature_part(identifier, sign_alg=algorithm, digest_alg=digest)


def _encoded(files: KeyFiles) -> str:
    return base64.b64encode(load_certificate(files.certificate).public_bytes(Encoding.DER)).decode()


def _or(change: str | None, value: str) -> str | None:
    return value if change == "" else change


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _without_declaration(text: str) -> str:
    return text.partition("?>")[2].strip() if text.startswith("<?xml") else text.strip()
