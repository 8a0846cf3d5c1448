"""Configuration read from environment variables: typed, with errors that say what to set.

The value of `NAME` may stand in a file instead: in the one that `NAME_FILE` names, or in systemd's credential
`secrets_NAME`. A secret in a file is not seen by whoever can read a process's environment.
"""

import math
import os
from ipaddress import ip_network
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

# What `LoadCredential=secrets:DIRECTORY` puts before the name of each file in the directory.
_CREDENTIAL: Final = "secrets_"
# A database server whose machine has vanished says nothing: without these limits, connections to it would be
# waited on for a quarter of an hour, and new ones be tried for two minutes. Over a network only.
_DATABASE_LIMITS: Final = {
    "connect_timeout": "3",
    "keepalives_idle": "5",
    "keepalives_interval": "3",
    "keepalives_count": "2",
    "tcp_user_timeout": "10000",
}


def _value(name: str) -> str:
    """The value of the variable or of its file; empty without either."""
    value = os.environ.get(name, "").strip()
    source = _file_of(name)
    if source is None:
        return value
    if value:
        raise ImproperlyConfigured(f"Set {name} or its file, not both.")
    try:
        return source.read_text().strip()
    except (OSError, UnicodeDecodeError):
        raise ImproperlyConfigured(f"The file with the value of {name} cannot be read.") from None


def _file_of(name: str) -> Path | None:
    named = os.environ.get(f"{name}_FILE", "").strip()
    if named:
        return Path(named)
    directory = os.environ.get("CREDENTIALS_DIRECTORY", "")
    credential = Path(directory, _CREDENTIAL + name)
    return credential if directory and credential.is_file() else None


def add_file(path: Path) -> None:
    """Add the variables of an environment file, as systemd's EnvironmentFile has them, to this process's.

    Those that are set already stay as they are. Raises `OSError`, and `ValueError` for what is no file of
    lines `NAME=value`, which names the line and does not repeat it.
    """
    for name, value in read_file(path).items():
        if name not in os.environ and f"{name}_FILE" not in os.environ:
            os.environ[name] = value


def read_file(path: Path) -> dict[str, str]:
    """The variables of an environment file. Raises as `add_file`."""
    variables = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip() or line.lstrip().startswith(("#", ";")):
            continue
        name, is_set, value = line.partition("=")
        if not is_set or not name.strip().isidentifier():
            raise ValueError(f"line {number} is not NAME=value")
        value = value.strip()
        if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        variables[name.strip()] = value
    return variables


def text(name: str, default: str | None = None) -> str:
    """The variable's value, or the default; without a default, an error that names it."""
    value = _value(name)
    if value:
        return value
    if default is None:
        raise ImproperlyConfigured(f"Set the environment variable {name}; see docs/production.md.")
    return default


def choice(name: str, default: str, *others: str) -> str:
    """One of these values, which are written exactly so."""
    value = text(name, default)
    if value not in {default, *others}:
        raise ImproperlyConfigured(f"{name} must be one of {', '.join((default, *others))}.")
    return value


def flag(name: str, default: bool = False) -> bool:
    value = _value(name).lower()
    if not value:
        return default
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"0", "false", "no", "off"}:
        return False
    raise ImproperlyConfigured(f"{name} must be 1 or 0, not what it is set to.")


def number(name: str, default: int) -> int:
    value = _value(name)
    if not value:
        return default
    try:
        return int(value)
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a whole number.") from None


def share(name: str, default: float) -> float:
    """A number from 0 to 1, such as `0.05`."""
    value = _value(name)
    if not value:
        return default
    try:
        found = float(value)
    except ValueError:
        found = math.nan
    if not 0 <= found <= 1:
        raise ImproperlyConfigured(f"{name} must be a number from 0 to 1.")
    return found


def words(name: str, default: str = "") -> list[str]:
    """A list from a comma-separated value; one that is set to nothing is empty."""
    value = _value(name)
    if not value and name not in os.environ:
        value = default
    return [word.strip() for word in value.split(",") if word.strip()]


def networks(name: str, default: str = "") -> list[str]:
    """A list of IP networks (`10.0.0.0/8`)."""
    found = words(name, default)
    try:
        return [str(ip_network(network)) for network in found]
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be networks such as 10.0.0.0/8, comma-separated.") from None


def path(name: str, default: Path) -> Path:
    return Path(_value(name) or default)


def with_password(url: str, password: str) -> str:
    """The URL with a password in it, unless it has one or none is given."""
    parts = urlsplit(url)
    if not password or parts.password:
        return url
    return parts._replace(
        netloc=f"{parts.username or ''}:{quote(password, safe='')}@{parts.netloc.rpartition('@')[2]}"
    ).geturl()


def database(name: str, default: str) -> dict[str, object]:
    """Django's database settings from `postgresql://user:password@host:port/name?host=/socket/dir`.

    Several servers, `host:port,host:port`, are tried in turn for the one that takes writes.
    """
    url = urlsplit(text(name, default))
    if url.scheme not in {"postgres", "postgresql"}:
        raise ImproperlyConfigured(f"{name} must begin with postgresql://")
    query = {
        key: unquote(value) for key, _, value in (pair.partition("=") for pair in url.query.split("&")) if key
    }
    try:
        servers = [urlsplit(f"//{server}") for server in url.netloc.rpartition("@")[2].split(",")]
        hosts = query.pop("host", "") or ",".join(unquote(server.hostname or "") for server in servers)
        ports = [str(server.port or "") for server in servers]
    except ValueError:
        raise ImproperlyConfigured(f"{name} must name servers as host:port.") from None
    port = ",".join(ports) if any(ports) else query.pop("port", "")
    if hosts and not hosts.startswith("/"):
        query = {**_DATABASE_LIMITS, **query}
    if "," in hosts:
        query.setdefault("target_session_attrs", "read-write")
    return {
        "ENGINE": "sdkportal.postgresql",
        "NAME": unquote(url.path.lstrip("/")),
        "USER": unquote(url.username or ""),
        "PASSWORD": unquote(url.password or ""),
        "HOST": hosts,
        "PORT": port,
        "CONN_MAX_AGE": number("SDK_DATABASE_CONNECTION_AGE", 60),
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": query,
    }


def origins(url: str) -> list[str]:
    """The origin of an address, as a Content Security Policy names it; none of one without a host."""
    scheme, host = urlsplit(url)[:2]
    return [f"{scheme}://{host}"] if host else []
