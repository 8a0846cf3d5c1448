"""The token endpoint: OAuth 2.0 client credentials, by `private_key_jwt` (RFC 7523) and nothing else."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from authlib.integrations.django_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import (
    ClientMixin,
    InvalidClientError,
    InvalidRequestError,
    InvalidScopeError,
    OAuth2Error,
)
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant
from authlib.oauth2.rfc7523 import JWTBearerClientAssertion
from django.conf import settings
from django.db import DataError, IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from transport.message_api.models import ApiClient, UsedAssertion

from . import tokens

_METHOD: Final = "private_key_jwt"
# What invalid values of a caller may raise.
UNREADABLE: Final = (
    JoseError,
    ValueError,
    TypeError,
    AttributeError,
    ArithmeticError,
    LookupError,
    RecursionError,
    OSError,
    DataError,
)
_LONGEST_ASSERTION: Final = timedelta(minutes=10)


def token_response(request: HttpRequest) -> HttpResponse:
    """The response to a request for a token (RFC 6749 4.4)."""
    server = _Server(audiences=audiences(request))
    try:
        response: HttpResponse = server.create_token_response(request)
    except OAuth2Error as error:
        # What is wrong before the request is looked at: it came without TLS.
        response = server.handle_error_response(request, error)
    except UNREADABLE:
        response = server.handle_error_response(request, InvalidRequestError())
    return response


def audiences(request: HttpRequest) -> list[str]:
    """The audiences that an assertion may have: the addresses of this endpoint."""
    path = reverse("message-api-token")
    return [
        f"{settings.SDK_PUBLIC_URL}{path}" if settings.SDK_PUBLIC_URL else request.build_absolute_uri(path)
    ]


def remove_expired() -> int:
    """Delete the ids of assertions that have expired; returns how many."""
    return UsedAssertion.objects.filter(until__lt=timezone.now()).delete()[0]


class _Client(ClientMixin):
    """A registered client, as Authlib asks about it."""

    def __init__(self, row: ApiClient) -> None:
        self.row = row

    def check_grant_type(self, grant_type: str) -> bool:
        return bool(grant_type == ClientCredentialsGrant.GRANT_TYPE)

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method == _METHOD

    def get_allowed_scope(self, scope: str | None) -> str:
        """The requested scopes that the client has; all of its scopes, where it requests none."""
        granted = self.row.scopes
        wanted = (scope or "").split()
        return " ".join(item for item in granted if item in wanted) if wanted else " ".join(granted)


class _Assertion(JWTBearerClientAssertion):
    CLIENT_AUTH_METHOD = _METHOD

    def __init__(self, audiences: list[str]) -> None:
        super().__init__()
        self._audiences = audiences

    def get_audiences(self) -> list[str]:
        return self._audiences

    def resolve_client_public_key(self, client: _Client) -> KeySet:
        return KeySet.import_key_set({"keys": client.row.keys})

    def __call__(self, query_client: Any, request: Any) -> Any:
        try:
            return super().__call__(query_client, request)
        except UNREADABLE:
            # A key that is not there, a claim of another type: whatever it is, it does not authenticate.
            raise InvalidClientError(description="The assertion does not hold.") from None

    def process_assertion_claims(self, assertion: str, resolve_key: Any) -> Any:
        """Authlib's check, limited to algorithms with public keys."""
        claims = jwt.decode(assertion, resolve_key, algorithms=tokens.PUBLIC_KEY_ALGORITHMS).claims
        self.verify_claims(claims)
        return claims

    def validate_jti(self, claims: dict[str, Any], jti: Any) -> bool:
        """Whether an assertion is used for the first time. One that is valid for too long is refused."""
        if not isinstance(jti, str) or not jti:
            return False
        until = datetime.fromtimestamp(claims["exp"], UTC) + timedelta(seconds=self.leeway)
        if until - timezone.now() > _LONGEST_ASSERTION + timedelta(seconds=2 * self.leeway):
            raise InvalidClientError(description="The assertion lasts longer than ten minutes.")
        try:
            with transaction.atomic():
                UsedAssertion.objects.create(
                    client=ApiClient.objects.get(client_id=claims["sub"]),
                    jti=hashlib.sha256(jti.encode(errors="replace")).hexdigest(),
                    until=until,
                )
        except IntegrityError:
            return False
        return True


class _Grant(ClientCredentialsGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = [_METHOD]


class _Server(AuthorizationServer):
    def __init__(self, audiences: list[str]) -> None:
        super().__init__(None, None)
        self.register_grant(_Grant)
        self.register_client_auth_method(_METHOD, _Assertion(audiences))

    def query_client(self, client_id: str) -> _Client | None:
        row = ApiClient.objects.filter(client_id=client_id, is_active=True).first()
        return _Client(row) if row is not None else None

    def generate_token(self, grant_type: str, client: _Client, scope: str | None = None, **_: Any) -> Any:
        granted = client.get_allowed_scope(scope)
        if not granted:
            raise InvalidScopeError
        tokens.record_use(client.row)
        return tokens.issue(client.row, granted)

    def save_token(self, token: Any, request: Any) -> None:
        """Stores nothing: tokens are self-contained."""
