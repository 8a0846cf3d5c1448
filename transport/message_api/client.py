"""External message clients, as the message service meets them."""

from uuid import UUID

from ..message_service.clients import Delivered
from . import holding, presenting, routing, webhooks
from .models import HeldMessage


class ExternalClients:
    """What arrives for their functions is held, in the service's transaction, until they delete it."""

    def serves(self, participant: str, function_address: str) -> bool:
        return routing.is_external(routing.route_of(participant, function_address))

    def deliver(self, delivered: Delivered, function_address: str, *, is_shared: bool) -> None:
        """`is_shared`: the built-in client takes it too."""
        holding.arrived(delivered, function_address, is_shared=is_shared)

    def arrival_changed(self, participant: str, message_id: UUID) -> None:
        self._tell(participant, message_id, was_sent=False)

    def delivery_changed(self, participant: str, message_id: UUID) -> None:
        self._tell(participant, message_id, was_sent=True)

    def _tell(self, participant: str, message_id: UUID, *, was_sent: bool) -> None:
        held = routing.held_by(participant, message_id, was_sent=was_sent)
        if held is None:
            return
        now = presenting.with_status(HeldMessage.objects.filter(pk=held.pk)).get()
        if now.status in presenting.MANDATORY:  # type: ignore[attr-defined]
            webhooks.order(held)
