"""External message clients, as the message service meets them."""

from uuid import UUID

from transport.message_api import held_messages, representation
from transport.message_service.client_port import Delivered

from . import routing, webhooks


class ExternalClients:
    """External clients: messages for their functions are held until they delete them."""

    def serves(self, participant: str, function_address: str) -> bool:
        return routing.is_external(routing.route_of(participant, function_address))

    def deliver(self, delivered: Delivered, function_address: str, *, is_shared: bool) -> None:
        """`is_shared`: the built-in client takes it too."""
        held_messages.hold_inbound(delivered, function_address, is_shared=is_shared)

    def arrival_changed(self, participant: str, message_id: UUID) -> None:
        self._notify(participant, message_id, was_sent=False)

    def delivery_changed(self, participant: str, message_id: UUID) -> None:
        self._notify(participant, message_id, was_sent=True)

    def _notify(self, participant: str, message_id: UUID, *, was_sent: bool) -> None:
        held_message = routing.held_by(participant, message_id, was_sent=was_sent)
        if held_message is None:
            return
        if representation.status_of(held_message) in representation.MANDATORY:
            webhooks.order(held_message)
