"""Settings that are safe on one machine only, and with which no node on a network starts."""

from collections.abc import Sequence
from ipaddress import ip_address
from typing import Final

DEMO_SECRET: Final = "for-demo-and-tests-only"  # noqa: S105 - known to everybody
DEMO_WRAPPING_KEY: Final = "Zm9yLWRlbW8tYW5kLXRlc3RzLW9ubHktMzItYnl0ZXM="
# As long as Django's own check wants them, and docs/production.md says.
_SHORTEST_SECRET: Final = 50
_SHORTEST_PERSON_KEY: Final = 32
_FEWEST_SIGNS: Final = 5
_WELL_KNOWN: Final = ("django-insecure-", DEMO_SECRET)


def problems(
    *,
    hosts: Sequence[str],
    is_demo: bool,
    is_debug: bool,
    secret_key: str,
    person_key: str,
    wrapping_keys: Sequence[str],
) -> list[str]:
    """A sentence for each unsafe setting; none where only requests to this machine are answered."""
    if all(is_loopback(host) for host in hosts):
        return []
    found = []
    if is_demo:
        found.append("SDK_DEMO is set: its keys are known to everybody.")
    if is_debug:
        found.append("SDK_DEBUG is set: errors would show settings and code.")
    if "*" in hosts:
        found.append("SDK_ALLOWED_HOSTS has *: name the hosts.")
    if _is_weak(secret_key, _SHORTEST_SECRET):
        found.append(f"SDK_SECRET_KEY is known or short: {_SHORTEST_SECRET} random characters.")
    if _is_weak(person_key, _SHORTEST_PERSON_KEY):
        found.append(f"SDK_PERSON_KEY is known or short: {_SHORTEST_PERSON_KEY} random characters at least.")
    if DEMO_WRAPPING_KEY in wrapping_keys:
        found.append("SDK_WRAPPING_KEY is the demo's: openssl rand -base64 32 makes another.")
    return found


def is_loopback(host: str) -> bool:
    """Whether a host, as SDK_ALLOWED_HOSTS has it, is this machine and no other."""
    name = host.strip().lower().rstrip(".").lstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def _is_weak(secret: str, shortest: int) -> bool:
    return len(secret) < shortest or len(set(secret)) < _FEWEST_SIGNS or secret.startswith(_WELL_KNOWN)
