"""Registering external message clients: who they are, their public keys, and what they may see and do."""

import json
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from django.db import transaction
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, RSAKey

from transport.message_api.models import ApiClient
from transport.message_service.models import Organisation

from . import function_patterns, webhooks
from .scopes import Scope

_SMALLEST_RSA = 2048


class NotRegistered(Exception):
    """The registration is refused; `reason` is a code, the text is for operators."""

    def __init__(self, reason: str, text: str) -> None:
        self.reason = reason
        super().__init__(text)


@dataclass(frozen=True, slots=True)
class Registered:
    """A registered client; `webhook_secret` is set if one was created, and is shown once."""

    client: ApiClient
    is_new: bool
    webhook_secret: str


def organisation_of(participant: str) -> Organisation:
    """Raises `NotRegistered`."""
    organisation = Organisation.objects.filter(participant_id=participant.strip().lower()).first()
    if organisation is None:
        raise NotRegistered("unknown-organisation", f"{participant} is not added; run add_organisation first")
    return organisation


def client_of(client_id: str) -> ApiClient:
    """Raises `NotRegistered`."""
    client = ApiClient.objects.select_related("organisation").filter(client_id=client_id).first()
    if client is None:
        text = f"there is no client {client_id}; list_api_clients shows those that there are"
        raise NotRegistered("unknown-client", text)
    return client


def register(
    organisation: Organisation,
    client_id: str,
    *,
    name: str | None = None,
    auth_ids: Sequence[str] | None = None,
    scopes: Sequence[str] | None = None,
    webhook_url: str | None = None,
) -> Registered:
    """Add a client, or change the values that are given. Raises `NotRegistered`."""
    with transaction.atomic():
        return _registered(organisation, client_id, name, auth_ids, scopes, webhook_url)


def _registered(
    organisation: Organisation,
    client_id: str,
    name: str | None,
    auth_ids: Sequence[str] | None,
    scopes: Sequence[str] | None,
    webhook_url: str | None,
) -> Registered:
    rows = ApiClient.objects.select_for_update(of=("self",)).select_related("organisation")
    client = rows.filter(client_id=client_id).first()
    is_new = client is None
    if client is None:
        client = ApiClient(
            organisation=organisation, client_id=client_id, scopes=[str(scope) for scope in Scope]
        )
    elif client.organisation != organisation:
        raise NotRegistered("taken", f"{client_id} is another organisation's")
    if name is not None:
        client.name = name
    if auth_ids is not None:
        for pattern in auth_ids:
            if not function_patterns.is_pattern(pattern):
                raise NotRegistered("stars", f"a pattern has at most {function_patterns.MOST_STARS} stars")
        client.auth_ids = list(auth_ids)
    if scopes is not None:
        client.scopes = list(scopes)
    secret = ""
    if webhook_url is not None:
        if webhook_url:
            _check(webhook_url)
            secret = client.webhook_secret = webhooks.new_secret()
        client.webhook_url = webhook_url
    client.save()
    return Registered(client, is_new, secret)


def read_keys(file: str) -> list[dict[str, Any]]:
    """The public keys of a file, as `keys_in`. Raises `NotRegistered`."""
    try:
        data = Path(file).read_bytes()
    except OSError as error:
        raise NotRegistered("unreadable", f"{file} cannot be read: {type(error).__name__}") from None
    return keys_in(data, file)


def keys_in(data: bytes, file: str = "it") -> list[dict[str, Any]]:
    """The public keys of PEM, a JWK or a JWK set, as JWK with a `kid`. Raises `NotRegistered`."""
    try:
        if data.lstrip().startswith(b"{"):
            value = json.loads(data)
            keys = list(KeySet.import_key_set(value if "keys" in value else {"keys": [value]}).keys)
        else:
            loaded = load_pem_public_key(data)
            if isinstance(loaded, RSAPublicKey):
                keys = [RSAKey.import_key(data)]
            elif isinstance(loaded, EllipticCurvePublicKey):
                keys = [ECKey.import_key(data)]
            else:
                raise _unfit(file)
    except (ValueError, TypeError, JoseError) as error:
        raise NotRegistered("no-key", f"{file} holds no public key: {type(error).__name__}") from None
    if not keys:
        raise NotRegistered("no-key", f"{file} holds no public key")
    return [_public(key, file) for key in keys]


def holds_private_key(data: bytes) -> bool:
    """Whether the data, which should be a public key, contain a private key or a shared secret."""
    if b"PRIVATE KEY" in data:
        return True
    try:
        value = json.loads(data)
    except ValueError:
        return False
    found = value.get("keys", [value]) if isinstance(value, dict) else []
    return any(isinstance(key, dict) and {"d", "k"} & key.keys() for key in found)


def give_keys(client: ApiClient, keys: list[dict[str, Any]], *, replace: bool = False) -> None:
    """Add keys to those that the client authenticates with, or replace them."""
    with locked(client) as row:
        row.keys = client.keys = keys if replace else beside(row.keys, keys)


def beside(held: list[dict[str, Any]], keys: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Keys with new ones added; a new key replaces one with the same id."""
    given = {key["kid"] for key in keys}
    return [key for key in held if key["kid"] not in given] + keys


def revoke_key(client: ApiClient, kid: str) -> None:
    """Revoke a key of the client. Raises `NotRegistered`."""
    with locked(client) as row:
        remaining = [key for key in row.keys if key["kid"] != kid]
        if len(remaining) == len(row.keys):
            raise NotRegistered("unknown-key", f"{client} has no key {kid}")
        row.keys = client.keys = remaining


def set_active(client: ApiClient, *, is_active: bool) -> None:
    """Disable a client and its tokens at once, or enable it again."""
    with locked(client) as row:
        row.is_active = client.is_active = is_active


@contextmanager
def locked(client: ApiClient) -> Generator[ApiClient, None, None]:
    """The client, locked while the body runs; changes of it are saved."""
    with transaction.atomic():
        row = (
            ApiClient.objects.select_for_update(of=("self",)).select_related("organisation").get(pk=client.pk)
        )
        yield row
        row.save(update_fields=["name", "keys", "auth_ids", "scopes", "is_active", "proposals"])


def _unfit(file: str) -> NotRegistered:
    return NotRegistered("unfit-key", f"{file} holds neither RSA nor elliptic curve")


def _public(key: Any, file: str) -> dict[str, Any]:
    """Nothing but the public part; a shared secret is no public key."""
    if not isinstance(key, RSAKey | ECKey):
        raise _unfit(file)
    if isinstance(key, RSAKey) and key.public_key.key_size < _SMALLEST_RSA:
        raise NotRegistered("weak-key", f"{file}: an RSA key needs {_SMALLEST_RSA} bits")
    key.ensure_kid()
    values = dict(key.as_dict(private=False))
    # A declared use could keep the key from being used here.
    return {name: value for name, value in values.items() if name not in {"use", "key_ops", "alg"}}


def _check(url: str) -> None:
    try:
        webhooks.check_address(url)
    except webhooks.AddressNotAllowed as error:
        raise NotRegistered(f"webhook-{error.reason}", f"the web hook is not taken: {error.why}") from None
