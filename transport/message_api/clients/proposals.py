"""Proposals: changes of a client that one person has proposed and another person has to confirm.

A client's keys and functions give access to messages that administrators do not see themselves. So nobody
grants them alone: a proposal waits for somebody else, who confirms it as it was shown.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from django.utils import timezone

from transport.message_api.models import ApiClient

from .registration import beside, locked


class OwnProposal(Exception):
    """The person has made the proposal, and so cannot confirm it."""


class Changed(Exception):
    """The proposal has changed since it was shown, or has been answered."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A proposal of `kind` `keys`, or `access` (functions and scopes). `seal` is a hash of its content."""

    kind: str
    by: str
    by_name: str
    at: datetime
    value: dict[str, Any]
    seal: str

    @classmethod
    def of(cls, kind: str, stored: dict[str, Any]) -> Self:
        canonical = json.dumps([kind, stored], sort_keys=True)
        seal = hashlib.sha256(canonical.encode()).hexdigest()
        at = datetime.fromisoformat(stored["at"])
        return cls(kind, stored["by"], stored["by_name"], at, stored["value"], seal)


def proposals_of(client: ApiClient) -> list[Proposal]:
    """The client's proposals that wait to be confirmed."""
    return [Proposal.of(kind, stored) for kind, stored in sorted(client.proposals.items())]


def propose_keys(
    client: ApiClient, keys: list[dict[str, Any]], *, replace: bool, by: str, by_name: str
) -> None:
    """Propose keys beside those that the client has, or in their place."""
    _propose(client, "keys", {"keys": keys, "replace": replace}, by, by_name)


def propose_access(
    client: ApiClient, *, auth_ids: Sequence[str], scopes: Sequence[str], by: str, by_name: str
) -> None:
    """Propose which functions the client may act for, and what it may do."""
    _propose(client, "access", {"auth_ids": list(auth_ids), "scopes": list(scopes)}, by, by_name)


def confirm(client: ApiClient, seal: str, *, by: str) -> Proposal:
    """Apply a proposal. Raises `OwnProposal`, `Changed`."""
    with locked(client) as row:
        proposal = _sealed(row, seal)
        if proposal.by == by:
            raise OwnProposal
        value = proposal.value
        if proposal.kind == "keys":
            row.keys = value["keys"] if value["replace"] else beside(row.keys, value["keys"])
        else:
            row.auth_ids, row.scopes = value["auth_ids"], value["scopes"]
        del row.proposals[proposal.kind]
    return proposal


def withdraw(client: ApiClient, seal: str) -> Proposal:
    """Withdraw a proposal. Raises `Changed`."""
    with locked(client) as row:
        proposal = _sealed(row, seal)
        del row.proposals[proposal.kind]
    return proposal


def _propose(client: ApiClient, kind: str, value: dict[str, Any], by: str, by_name: str) -> None:
    stored = {"by": by, "by_name": by_name, "at": timezone.now().isoformat(), "value": value}
    with locked(client) as row:
        row.proposals[kind] = stored
    client.proposals = row.proposals


def _sealed(row: ApiClient, seal: str) -> Proposal:
    found = next((proposal for proposal in proposals_of(row) if proposal.seal == seal), None)
    if found is None:
        raise Changed
    return found
