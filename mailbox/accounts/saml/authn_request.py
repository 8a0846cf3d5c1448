"""Requests to providers (SAML Core 3.4.1), signed and sent by the browser's address (HTTP-Redirect)."""

import secrets
from dataclasses import dataclass
from datetime import UTC
from typing import Final

from django.conf import settings
from django.utils import timezone

from .configuration import POST_BINDING, answer_url, display_name, entity_id, signing_key
from .library import saml2
from .provider_metadata import Provider

_RSA_SHA256: Final = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"


@dataclass(frozen=True, slots=True)
class AuthnRequest:
    """A request: its ID, and the address with it that the browser goes to."""

    id: str
    url: str


def make(provider: Provider) -> AuthnRequest:
    """Ask a provider to identify somebody anew, at one of the levels that are enough."""
    samlp, saml = saml2("samlp"), saml2("saml")
    request = samlp.AuthnRequest(
        id=f"_{secrets.token_hex(20)}",
        version="2.0",
        issue_instant=timezone.now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        destination=provider.login_url,
        assertion_consumer_service_url=answer_url(),
        protocol_binding=POST_BINDING,
        force_authn="true",
        is_passive="false",
        provider_name=display_name(settings.LANGUAGE_CODE),
        issuer=saml.Issuer(text=entity_id()),
        requested_authn_context=samlp.RequestedAuthnContext(
            comparison="exact",
            authn_context_class_ref=[
                saml.AuthnContextClassRef(text=level) for level in settings.SDK_SAML_ACCEPTED_LEVELS
            ],
        ),
    )
    sent = saml2("pack").http_redirect_message(
        request,
        provider.login_url,
        sigalg=_RSA_SHA256,
        sign=True,
        backend=saml2("sigver").RSACrypto(signing_key()),
    )
    return AuthnRequest(request.id, dict(sent["headers"])["Location"])
