"""The interface between our message service and those of others that functions of ours use by API (B1.4.2).

What a function sends through another message service is ordered here like every message, and then neither
sealed nor submitted to the access point: `RemoteServices` (`SDK_REMOTE_MESSAGE_SERVICES` names the class) has
it handed over, and reports back what becomes of it.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from django.conf import settings
from django.utils.module_loading import import_string


class OwnFunction(NamedTuple):
    """A function of one of our organisations, by the organisation's key and the function address."""

    organisation: int
    address: str


@dataclass(frozen=True, slots=True)
class Report:
    """What another message service says of a message that was handed over to it.

    `state` is one of B1.4.2's; `causes` are those of a REJECTED receipt, as `OutgoingMessage.causes` has
    them.
    """

    outgoing: UUID
    state: str
    cause: str = ""
    causes: list[dict[str, Any]] = field(default_factory=list)
    lacks_receipt: bool = False


class RemoteServices(Protocol):
    """Other message services, as our message service calls them."""

    def carried(self, functions: Collection[OwnFunction]) -> set[OwnFunction]:
        """Those of the functions whose messages go through another message service."""

    def order(self, outgoing: UUID, function: OwnFunction) -> None:
        """Order that a message be handed over, in the caller's transaction, which stores the message."""


@cache
def _adapter(path: str) -> RemoteServices:
    adapter: RemoteServices = import_string(path)()
    return adapter


def remote_services() -> RemoteServices:
    """The configured adapter."""
    return _adapter(settings.SDK_REMOTE_MESSAGE_SERVICES)
