"""The interface of a message client, as the message service calls it (`SDK_MESSAGE_CLIENT` names the
class)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Protocol
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


class MessageClient(Protocol):
    """A message client. Every call is made inside the message service's transaction."""

    def serves(self, participant: str, function_address: str) -> bool:
        """Whether the function address is one of the participant's, and open."""

    def stand_ins(self, participant: str, function_address: str) -> Iterable[str]:
        """The participant's functions that get messages for a function that is not served, first choice
        first."""

    def deliver(self, delivered: Delivered) -> None:
        """Store a message in the client; the same message again changes nothing."""

    def arrival_changed(self, participant: str, message_id: UUID) -> None:
        """The state of a delivered message has changed: its receipt has reached the sender, or failed."""

    def delivery_changed(self, participant: str, message_id: UUID) -> None:
        """The delivery of a message that the participant sent has changed: `deliveries_of` tells how."""


@cache
def _client(path: str) -> MessageClient:
    client: MessageClient = import_string(path)()
    return client


def message_client() -> MessageClient:
    """The configured message client."""
    return _client(settings.SDK_MESSAGE_CLIENT)
