"""The message clients of this node: the built-in one and external ones, by each function's routing."""

from collections.abc import Iterable, Sequence

from mailbox.delivery.client import BuiltInClient
from transport.message_api.clients import routing
from transport.message_api.clients.external_clients import ExternalClients
from transport.message_service.client_port import Delivered, MessageKey


class RoutedClients:
    """Forwards each call of the message service to the clients that a function is routed to."""

    def __init__(self) -> None:
        self.built_in = BuiltInClient()
        self.external = ExternalClients()

    def serves(self, participant: str, function_address: str) -> bool:
        return any(self._clients_of(participant, function_address))

    def stand_ins(self, participant: str, function_address: str) -> Iterable[str]:
        """Stand-ins of a function, as the built-in client has them; they may be routed to any client."""
        return self.built_in.stand_ins(participant, function_address)

    def deliver(self, delivered: Sequence[Delivered]) -> None:
        clients: dict[tuple[str, str], tuple[bool, bool]] = {}
        built_in = []
        for item in delivered:
            key = (item.participant, item.stands_in or item.message.header.recipient.function_address)
            if key not in clients:
                clients[key] = self._clients_of(*key)
            is_built_in, is_external = clients[key]
            if is_built_in:
                built_in.append(item)
            if is_external:
                self.external.deliver(item, key[1], is_shared=is_built_in)
        if built_in:
            self.built_in.deliver(built_in)

    def arrivals_changed(self, messages: Sequence[MessageKey]) -> None:
        self.built_in.arrivals_changed(messages)
        self.external.arrivals_changed(messages)

    def deliveries_changed(self, messages: Sequence[MessageKey]) -> None:
        self.built_in.deliveries_changed(messages)
        self.external.deliveries_changed(messages)

    def _clients_of(self, participant: str, function: str) -> tuple[bool, bool]:
        """Whether the built-in client takes what is for the function, and whether external ones do."""
        route = routing.route_of(participant, function)
        is_built_in = routing.is_built_in(route) and self.built_in.serves(participant, function)
        return is_built_in, routing.is_external(route)
