"""External message clients, as the message service meets them."""

from collections.abc import Sequence

from transport.message_api import held_messages, representation
from transport.message_service.client_port import Delivered, MessageKey

from . import routing, webhooks


class ExternalClients:
    """External clients: messages for their functions are held until they delete them."""

    def deliver(self, delivered: Delivered, function_address: str, *, is_shared: bool) -> None:
        """`is_shared`: the built-in client takes it too."""
        held_messages.hold_inbound(delivered, function_address, is_shared=is_shared)

    def arrivals_changed(self, messages: Sequence[MessageKey]) -> None:
        self._notify(messages, was_sent=False)

    def deliveries_changed(self, messages: Sequence[MessageKey]) -> None:
        self._notify(messages, was_sent=True)

    def _notify(self, messages: Sequence[MessageKey], *, was_sent: bool) -> None:
        for held_message in routing.held_among(messages, was_sent=was_sent):
            if representation.status_of(held_message) in representation.MANDATORY:
                webhooks.order(held_message)
