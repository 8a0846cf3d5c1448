"""The wrapping keys that the settings name: a token's, or the environment's."""

from functools import lru_cache

from django.conf import settings

from .errors import WrappingKeyMissing
from .token import TokenKey
from .wrapping import EnvironmentKey, WrappingKey


def wrapping_key() -> WrappingKey:
    """The current wrapping key: the token's where a token is configured, else the environment's."""
    if settings.SDK_PKCS11_MODULE:
        return _token_key(settings.SDK_PKCS11_KEY)
    if not settings.SDK_WRAPPING_KEY:
        raise WrappingKeyMissing("set SDK_WRAPPING_KEY or SDK_PKCS11_MODULE; see docs/keys.md")
    return _environment_key(settings.SDK_WRAPPING_KEY)


def wrapping_key_named(name: str) -> WrappingKey:
    """The key that wrapped something earlier."""
    kind, _, which = name.partition(":")
    if kind == "pkcs11" and settings.SDK_PKCS11_MODULE:
        return _token_key(which.rpartition("/")[2])
    for text in (settings.SDK_WRAPPING_KEY, *settings.SDK_OLD_WRAPPING_KEYS):
        if text and _environment_key(text).name == name:
            return _environment_key(text)
    raise WrappingKeyMissing(f"the wrapping key {name} is not configured; see SDK_OLD_WRAPPING_KEYS")


@lru_cache(maxsize=16)
def _environment_key(text: str) -> EnvironmentKey:
    return EnvironmentKey.read(text)


def _token_key(label: str) -> WrappingKey:
    return TokenKey(settings.SDK_PKCS11_MODULE, settings.SDK_PKCS11_TOKEN, settings.SDK_PKCS11_PIN, label)
