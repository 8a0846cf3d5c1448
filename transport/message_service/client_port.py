"""The interface of a message client, as the message service calls it (`SDK_MESSAGE_CLIENT` names the
class)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import NamedTuple, Protocol
from uuid import UUID

from django.conf import settings
from django.utils.module_loading import import_string

from transport.protocol.sdk_message.message import Message


@dataclass(frozen=True, slots=True)
class Delivered:
    """A message that is delivered to a client. Its files are removed when `deliver` has returned."""

    participant: str
    message: Message
    sender: str
    arrived_at: datetime
    # The function that gets it because the one that it is addressed to is not served; empty otherwise.
    stands_in: str = ""


class MessageKey(NamedTuple):
    """A message of one of our organisations."""

    participant: str
    message_id: UUID


class MessageClient(Protocol):
    """A message client. Every call is made inside the message service's transaction."""

    def serves(self, participant: str, function_address: str) -> bool:
        """Whether the function address is one of the participant's, and open."""

    def stand_ins(self, participant: str, function_address: str) -> Iterable[str]:
        """The participant's functions that get messages for a function that is not served, first choice
        first."""

    def deliver(self, delivered: Sequence[Delivered]) -> None:
        """Store messages in the client; a message that it has already changes nothing."""

    def arrivals_changed(self, messages: Sequence[MessageKey]) -> None:
        """The state of delivered messages has changed: their receipts have reached the sender, or failed."""

    def deliveries_changed(self, messages: Sequence[MessageKey]) -> None:
        """The delivery of sent messages has changed: `deliveries_of` tells how."""


@cache
def _client(path: str) -> MessageClient:
    client: MessageClient = import_string(path)()
    return client


def message_client() -> MessageClient:
    """The configured message client."""
    return _client(settings.SDK_MESSAGE_CLIENT)
