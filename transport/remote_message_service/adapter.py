"""Other message services, as our own calls them (`remote_service_port.RemoteServices`)."""

from collections.abc import Collection
from uuid import UUID

from transport.remote_service_port import OwnFunction

from . import bindings, orders


class OtherMessageServices:
    """By the functions that are bound to them in the database."""

    def carried(self, functions: Collection[OwnFunction]) -> set[OwnFunction]:
        return set(bindings.services_of(functions))

    def order(self, outgoing: UUID, function: OwnFunction) -> None:
        orders.order(outgoing, function)
