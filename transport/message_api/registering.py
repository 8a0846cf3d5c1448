"""Registering external message clients: who they are, their public keys, and what they may see and do."""

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, RSAKey

from ..message_service.models import Organisation
from . import webhooks
from .models import ApiClient
from .scopes import Scope

_SMALLEST_RSA = 2048


class NotRegistered(Exception):
    """What was asked for cannot be done; the text says why."""


@dataclass(frozen=True, slots=True)
class Registered:
    """A client; `webhook_secret` where one was made, to be shown once."""

    client: ApiClient
    is_new: bool
    webhook_secret: str


def organisation_of(participant: str) -> Organisation:
    """Raises `NotRegistered`."""
    organisation = Organisation.objects.filter(participant_id=participant.strip().lower()).first()
    if organisation is None:
        raise NotRegistered(f"{participant} is not added; run add_organisation first")
    return organisation


def client_of(client_id: str) -> ApiClient:
    """Raises `NotRegistered`."""
    client = ApiClient.objects.select_related("organisation").filter(client_id=client_id).first()
    if client is None:
        raise NotRegistered(f"there is no client {client_id}; list_api_clients shows those that there are")
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
    """Add a client, or change what is given of it. Raises `NotRegistered`."""
    client = ApiClient.objects.filter(client_id=client_id).first()
    is_new = client is None
    if client is None:
        client = ApiClient(organisation=organisation, client_id=client_id, scopes=[str(one) for one in Scope])
    elif client.organisation != organisation:
        raise NotRegistered(f"{client_id} is another organisation's")
    if name is not None:
        client.name = name
    if auth_ids is not None:
        client.auth_ids = list(auth_ids)
    if scopes is not None:
        client.scopes = list(scopes)
    secret = ""
    if webhook_url is not None:
        if webhook_url:
            _check(webhook_url)
            secret = client.webhook_secret = secrets.token_urlsafe(32)
        client.webhook_url = webhook_url
    client.save()
    return Registered(client, is_new, secret)


def read_keys(file: str) -> list[dict[str, Any]]:
    """The public keys of a file, as JWK with a `kid`. Raises `NotRegistered`."""
    try:
        data = Path(file).read_bytes()
    except OSError as error:
        raise NotRegistered(f"{file} cannot be read: {type(error).__name__}") from None
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
                raise NotRegistered(f"{file} holds neither RSA nor elliptic curve")
    except (ValueError, TypeError, JoseError) as error:
        raise NotRegistered(f"{file} holds no public key: {type(error).__name__}") from None
    return [_public(key, file) for key in keys]


def give_keys(client: ApiClient, keys: list[dict[str, Any]], *, replace: bool = False) -> None:
    """Let the client authenticate with these keys too, or with no others."""
    given = {key["kid"] for key in keys}
    kept = [] if replace else [key for key in client.keys if key["kid"] not in given]
    client.keys = kept + keys
    client.save(update_fields=["keys"])


def take_key(client: ApiClient, kid: str) -> None:
    """Take a key no more. Raises `NotRegistered`."""
    left = [key for key in client.keys if key["kid"] != kid]
    if len(left) == len(client.keys):
        raise NotRegistered(f"{client} has no key {kid}")
    client.keys = left
    client.save(update_fields=["keys"])


def _public(key: Any, file: str) -> dict[str, Any]:
    """Nothing but the public part; a shared secret is no public key."""
    if not isinstance(key, RSAKey | ECKey):
        raise NotRegistered(f"{file} holds neither RSA nor elliptic curve")
    if isinstance(key, RSAKey) and key.public_key.key_size < _SMALLEST_RSA:
        raise NotRegistered(f"{file}: an RSA key needs {_SMALLEST_RSA} bits")
    key.ensure_kid()
    told = dict(key.as_dict(private=False))
    # What the owner said it is for could keep it from being used here.
    return {name: value for name, value in told.items() if name not in {"use", "key_ops", "alg"}}


def _check(url: str) -> None:
    try:
        webhooks.check_address(url)
    except webhooks.AddressNotAllowed as error:
        raise NotRegistered(f"the web hook is not taken: {error.why}") from None
