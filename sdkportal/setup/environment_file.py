"""The environment file: settings and generated secrets, readable by its owner alone."""

import base64
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from sdkportal.environment import read_file

_MODE: Final = 0o600


def a_secret() -> str:
    """64 random characters."""
    return secrets.token_urlsafe(48)


# Made once. A new one would log everybody out, make everybody unknown, or close everything that is stored.
_SECRETS: Final[dict[str, Callable[[], str]]] = {
    "SDK_SECRET_KEY": a_secret,
    "SDK_PERSON_KEY": a_secret,
    "SDK_WRAPPING_KEY": lambda: base64.b64encode(secrets.token_bytes(32)).decode(),
    "SDK_METRICS_TOKEN": lambda: secrets.token_urlsafe(32),
}


class FileExists(Exception):
    """The environment file is there already, and nobody has said that it may be replaced."""


def defaults(directory: Path) -> dict[str, str]:
    """What a node as deploy/ has it is set to, with its keys and trusted CAs in a directory."""
    return {
        "SDK_DATA_DIR": "/var/lib/sdkportal",
        "SDK_CLIENT_ADDRESS_HEADER": "X-Real-IP",
        "SDK_TLS_CLIENT_HEADER": "X-Client-Certificate",
        "SDK_TRUST_DIR": str(directory / "trust"),
        "SDK_ACCESS_POINT_KEY": str(directory / "access-point.key"),
        "SDK_ACCESS_POINT_CERTIFICATE": str(directory / "access-point.pem"),
        "SDK_TLS_CLIENT_KEY": str(directory / "tls-client.key"),
        "SDK_TLS_CLIENT_CERTIFICATE": str(directory / "tls-client.pem"),
    }


def write(path: Path, settings: Mapping[str, str], *, replace: bool) -> None:
    """Write the settings, with secrets that are made if they are not given. Raises `FileExists`, `OSError`.

    With `replace` the secrets of the file that was there are kept, and the file itself beside it.
    """
    kept: dict[str, str] = {}
    if path.exists():
        if not replace:
            raise FileExists(str(path))
        kept = {name: value for name, value in read_file(path).items() if name in _SECRETS}
        # Of another day's file something may be wanted that was not asked for.
        path.with_name(f"{path.name}.before").unlink(missing_ok=True)
        os.link(path, path.with_name(f"{path.name}.before"))
    made = {name: make() for name, make in _SECRETS.items() if _is_made(name, settings)}
    lines = {**defaults(path.parent), **made, **kept, **settings}
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write("# Written by `sdkportal setup`; docs/production.md tells what each means.\n")
            file.writelines(f"{name}={_quoted(value)}\n" for name, value in lines.items())
            file.flush()
            os.fsync(file.fileno())
        if replace:
            temporary.replace(path)
        else:
            # Somebody else's file is not overwritten, even if it came a moment ago.
            os.link(temporary, path)
    except FileExistsError:
        raise FileExists(str(path)) from None
    finally:
        temporary.unlink(missing_ok=True)


def _is_made(name: str, settings: Mapping[str, str]) -> bool:
    if name == "SDK_WRAPPING_KEY" and settings.get("SDK_PKCS11_MODULE"):
        return False
    return name not in settings


def _quoted(value: str) -> str:
    """As systemd's EnvironmentFile and `sdkportal.environment.read_file` read it back."""
    return value if value and all(sign.isalnum() or sign in "_./:@,+=-" for sign in value) else f"'{value}'"
