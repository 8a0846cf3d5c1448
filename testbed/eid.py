"""A test e-ID: an OpenID Connect provider where you choose a person and need no password.

It supports the authorization code flow with PKCE; the client authenticates by a secret. A person who logs out
at one client is logged out at the others too (OpenID Connect Back-Channel Logout 1.0).
"""

import hashlib
import json
import secrets
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import ClientMixin, OAuth2Error, scope_to_list
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core import OpenIDCode, UserInfo
from flask import Blueprint, Flask, Response, abort, jsonify, redirect, render_template, request
from joserfc import jwk, jwt

from .register import Register

CLIENT_ID = "sdkportal"
CLIENT_SECRET = "not-a-secret-in-a-testbed"
_CLAIM = "https://id.oidc.se/claim/"
_CODE_SECONDS = 120
_TOKEN_SECONDS = 300
_COOKIE = "eid_login"
_LOGOUT_PATH = "/oidc/utloggad"
_LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"


@dataclass(frozen=True)
class Login:
    """A person's login at one client, which is notified at its `origin` when the login ends."""

    subject: str
    sid: str
    origin: str


class _Client(ClientMixin):
    """The one client: every node of the testbed."""

    def __init__(self) -> None:
        # What the addresses begin with that people are sent back to after a login.
        self.addresses: tuple[str, ...] = ("http://localhost:", "http://127.0.0.1:")

    def get_client_id(self) -> str:
        return CLIENT_ID

    def get_default_redirect_uri(self) -> None:
        return None

    def get_allowed_scope(self, scope: str) -> str:
        return " ".join(item for item in scope_to_list(scope) or [] if item)

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri.startswith(self.addresses)

    def check_client_secret(self, client_secret: str) -> bool:
        return secrets.compare_digest(client_secret, CLIENT_SECRET)

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method in {"client_secret_post", "client_secret_basic"}

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "authorization_code"


class _Code:
    """An authorization code, and the login and the parameters that it was issued for."""

    def __init__(self, code: str, oauth_request: Any, login: Login) -> None:
        self.code = code
        self.login = login
        self.redirect_uri: str = oauth_request.payload.redirect_uri
        self.scope: str = oauth_request.payload.scope
        self.nonce: str | None = oauth_request.payload.data.get("nonce")
        self.code_challenge = oauth_request.payload.data.get("code_challenge")
        self.code_challenge_method = oauth_request.payload.data.get("code_challenge_method")
        self.auth_time = int(time.time())

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope

    def get_nonce(self) -> str | None:
        return self.nonce

    def get_auth_time(self) -> int:
        return self.auth_time

    def get_acr(self) -> None:
        return None

    def get_amr(self) -> None:
        return None


class EidProvider:
    """The provider below `/oidc` of an application."""

    def __init__(self, register: Register, issuer: str, key_path: Path) -> None:
        self._register = register
        self._issuer = issuer
        self._codes: dict[str, _Code] = {}
        self._tokens: dict[str, tuple[Login, float]] = {}
        self._logins: dict[str, Login] = {}
        self._key = _signing_key(key_path)
        self._client = _Client()
        # Set by tests: how far the clock is ahead, published keys other than its own, changed claims.
        self.seconds_ahead = 0
        self.published: list[dict[str, Any]] | None = None
        self.userinfo_overrides: dict[str, Any] = {}

    @property
    def public_key(self) -> dict[str, Any]:
        """The key that verifies ID tokens, as a JWK."""
        return dict(self._key.as_dict(private=False))

    def add_client(self, origin: str) -> None:
        """Let people be sent back to a node that is not on loopback."""
        self._client.addresses += (f"{origin}/",)

    def attach(self, app: Flask) -> None:
        """Add the provider's pages to an application."""
        provider = self

        class Grant(AuthorizationCodeGrant):
            TOKEN_ENDPOINT_AUTH_METHODS = ["client_secret_post", "client_secret_basic"]

            def save_authorization_code(self, code: str, request: Any) -> _Code:
                saved = _Code(code, request, request.user)
                provider._codes[code] = saved
                return saved

            def query_authorization_code(self, code: str, client: Any) -> _Code | None:
                saved = provider._codes.get(code)
                return saved if saved and time.time() - saved.auth_time < _CODE_SECONDS else None

            def delete_authorization_code(self, authorization_code: _Code) -> None:
                provider._codes.pop(authorization_code.code, None)

            def authenticate_user(self, authorization_code: _Code) -> Login:
                return authorization_code.login

        class IdToken(OpenIDCode):
            def exists_nonce(self, nonce: str, request: Any) -> bool:
                return any(code.nonce == nonce for code in provider._codes.values())

            def resolve_client_private_key(self, client: Any) -> Any:
                return provider._key

            def get_encode_header(self, client: Any) -> dict[str, Any]:
                return {"alg": "RS256", "kid": provider._key.kid}

            def get_client_algorithm(self, client: Any) -> str:
                return "RS256"

            def get_client_claims(self, client: Any) -> dict[str, Any]:
                return {"iss": provider._issuer, "iat": int(time.time()) + provider.seconds_ahead}

            def generate_user_info(self, user: Login, scope: str) -> UserInfo:
                return UserInfo(provider.claims_of(user.subject), sid=user.sid)

        server = AuthorizationServer(
            app,
            query_client=lambda client_id: self._client if client_id == CLIENT_ID else None,
            save_token=self._save_token,
        )
        server.register_grant(Grant, [IdToken(require_nonce=True), CodeChallenge(required=True)])
        app.register_blueprint(self._pages(server))

    def claims_of(self, subject: str) -> dict[str, Any]:
        """The claims about a person, in ID token and userinfo."""
        person = self._register.entries("people")[subject]
        given, _, family = person["name"].partition(" ")
        return {
            "sub": hashlib.sha256(subject.encode()).hexdigest()[:32],
            "name": person["name"],
            "given_name": given,
            "family_name": family,
            "acr": person["acr"],
            "auth_time": int(time.time()),
            _CLAIM + "personalIdentityNumber": subject,
        }

    def log_out(self, sid: str) -> None:
        """End every login of the person who has this one, and notify each client."""
        ended = self._logins.get(sid)
        if ended is None:
            return
        for login in [each for each in self._logins.values() if each.subject == ended.subject]:
            del self._logins[login.sid]
            token = {"logout_token": self.logout_token(login)}
            try:
                requests.post(f"{login.origin}{_LOGOUT_PATH}", data=token, timeout=5)
            except requests.RequestException:
                continue  # A client that does not answer keeps its session until that expires.

    def logout_token(self, login: Login, **changes: Any) -> str:
        """The token that notifies a client of a logout; tests make it invalid by `changes`."""
        now = int(time.time())
        claims = {
            "iss": self._issuer,
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + 120,
            "jti": str(uuid.uuid4()),
            "sub": self.claims_of(login.subject)["sub"],
            "sid": login.sid,
            "events": {_LOGOUT_EVENT: {}},
            **changes,
        }
        header = {"alg": "RS256", "kid": self._key.kid, "typ": "logout+jwt"}
        return jwt.encode(
            header, {name: value for name, value in claims.items() if value is not None}, self._key
        )

    def _save_token(self, token: dict[str, Any], request: Any) -> None:
        self._tokens[token["access_token"]] = (request.user, time.time() + _TOKEN_SECONDS)

    def _pages(self, server: AuthorizationServer) -> Blueprint:
        pages = Blueprint("eid", __name__, url_prefix="/oidc")

        @pages.get("/.well-known/openid-configuration")
        def configuration() -> Response:
            return jsonify(
                issuer=self._issuer,
                authorization_endpoint=f"{self._issuer}/authorize",
                token_endpoint=f"{self._issuer}/token",
                userinfo_endpoint=f"{self._issuer}/userinfo",
                jwks_uri=f"{self._issuer}/jwks",
                end_session_endpoint=f"{self._issuer}/end_session",
                backchannel_logout_supported=True,
                backchannel_logout_session_supported=True,
                response_types_supported=["code"],
                subject_types_supported=["public"],
                id_token_signing_alg_values_supported=["RS256"],
                code_challenge_methods_supported=["S256"],
                token_endpoint_auth_methods_supported=["client_secret_post", "client_secret_basic"],
            )

        @pages.route("/authorize", methods=["GET", "POST"])
        def authorize() -> Any:
            try:
                grant = server.get_consent_grant(end_user=None)
            except OAuth2Error:
                abort(400)
            if request.method == "POST":
                subject = request.form.get("subject", "")
                if subject not in self._register.entries("people"):
                    abort(400)
                client_url = urlsplit(request.args["redirect_uri"])
                login = Login(subject, str(uuid.uuid4()), f"{client_url.scheme}://{client_url.netloc}")
                self._logins[login.sid] = login
                response = server.create_authorization_response(grant_user=login, grant=grant)
                response.set_cookie(_COOKIE, login.sid, httponly=True, samesite="Lax")
                return response
            redirect_uri = request.args["redirect_uri"]
            cancel = f"{redirect_uri}?error=access_denied&state={request.args.get('state', '')}"
            people = list(self._register.entries("people").values())
            return render_template("choose.html", people=people, cancel=cancel)

        @pages.post("/token")
        def token() -> Any:
            return server.create_token_response()

        @pages.get("/userinfo")
        def userinfo() -> Response:
            bearer = request.headers.get("Authorization", "").removeprefix("Bearer ")
            login, until = self._tokens.get(bearer, (None, 0.0))
            if login is None or until < time.time():
                abort(401)
            return jsonify({**self.claims_of(login.subject), **self.userinfo_overrides})

        @pages.get("/jwks")
        def jwks() -> Response:
            return jsonify(keys=[self.public_key] if self.published is None else self.published)

        @pages.get("/end_session")
        def end_session() -> Any:
            """Log out the person of this browser, and redirect to the client if it is ours."""
            return_url = request.args.get("post_logout_redirect_uri", "")
            if request.args.get("client_id") != CLIENT_ID or not self._client.check_redirect_uri(return_url):
                abort(400)
            self.log_out(request.cookies.get(_COOKIE, ""))
            return redirect(return_url)

        return pages


def _signing_key(path: Path) -> jwk.RSAKey:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(0o600)
        key = jwk.RSAKey.generate_key(2048, parameters={"kid": secrets.token_hex(8), "use": "sig"})
        path.write_text(json.dumps(key.as_dict(private=True)))
    return jwk.RSAKey.import_key(json.loads(path.read_text()))
