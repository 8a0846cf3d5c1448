"""What the message service asks of a message client (SDK_MESSAGE_CLIENT)."""

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
    """A message for a client. Its files are in a directory that is gone when `deliver` has returned."""

    participant: str
    message: Message
    sender: str
    arrived_at: datetime
    # The function that takes it where nobody serves the one that it is for; empty where somebody does.
    stands_in: str = ""


class MessageClient(Protocol):
    """A message client. Every call is made inside the message service's transaction."""

    def serves(self, participant: str, function_address: str) -> bool:
        """Whether the function address is one of the participant's, and open."""

    def stand_ins(self, participant: str, function_address: str) -> Iterable[str]:
        """The participant's functions that are to take what nobody serves, the first choice first."""

    def deliver(self, delivered: Delivered) -> None:
        """Take a message; the same again changes nothing."""

    def arrival_changed(self, participant: str, message_id: UUID) -> None:
        """The state of a message that was delivered has changed: its receipt got there, or did not."""

    def delivery_changed(self, participant: str, message_id: UUID) -> None:
        """The delivery of a message that the participant sent has changed: look with `deliveries`."""


@cache
def _client(path: str) -> MessageClient:
    client: MessageClient = import_string(path)()
    return client


def message_client() -> MessageClient:
    """The configured message client."""
    return _client(settings.SDK_MESSAGE_CLIENT)
