"""The message clients of this node: the built-in one and external ones, by each function's routing."""

from collections.abc import Iterable
from uuid import UUID

from mailbox.delivery.client import BuiltInClient
from transport.message_api.clients import routing
from transport.message_api.clients.external_clients import ExternalClients
from transport.message_service.client_port import Delivered


class RoutedClients:
    """Forwards each call of the message service to the clients that a function is routed to."""

    def __init__(self) -> None:
        self.built_in = BuiltInClient()
        self.external = ExternalClients()

    def serves(self, participant: str, function_address: str) -> bool:
        return self._is_built_in(participant, function_address) or self.external.serves(
            participant, function_address
        )

    def stand_ins(self, participant: str, function_address: str) -> Iterable[str]:
        """Stand-ins of a function, as the built-in client has them; they may be routed to any client."""
        return self.built_in.stand_ins(participant, function_address)

    def deliver(self, delivered: Delivered) -> None:
        attention = delivered.message.header.recipient.attention
        meant_for = attention.sub_organization.identifier.extension.strip() if attention else ""
        function = delivered.stands_in or meant_for
        route = routing.route_of(delivered.participant, function)
        is_built_in = routing.is_built_in(route) and self.built_in.serves(delivered.participant, function)
        if is_built_in:
            self.built_in.deliver(delivered)
        if routing.is_external(route):
            self.external.deliver(delivered, function, is_shared=is_built_in)

    def arrival_changed(self, participant: str, message_id: UUID) -> None:
        self.built_in.arrival_changed(participant, message_id)
        self.external.arrival_changed(participant, message_id)

    def delivery_changed(self, participant: str, message_id: UUID) -> None:
        self.built_in.delivery_changed(participant, message_id)
        self.external.delivery_changed(participant, message_id)

    def _is_built_in(self, participant: str, function_address: str) -> bool:
        return routing.is_built_in(routing.route_of(participant, function_address)) and self.built_in.serves(
            participant, function_address
        )
