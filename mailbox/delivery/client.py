"""The built-in message client, as the message service calls it."""

from uuid import UUID

from mailbox.administration import routing
from mailbox.models import FunctionMailbox
from transport.message_service.api import Delivered

from . import status
from .inbound import deliver


class BuiltInClient:
    """Delivers to function mailboxes in the same database, within the message service's transaction."""

    def serves(self, participant: str, function_address: str) -> bool:
        """Whether the function has an open mailbox."""
        return FunctionMailbox.objects.filter(
            participant_id=participant, address=function_address, is_open=True
        ).exists()

    def stand_ins(self, participant: str, function_address: str) -> list[str]:
        """Addresses of functions that receive messages in this one's place, the first choice first."""
        return routing.stand_ins(participant, function_address)

    def deliver(self, delivered: Delivered) -> None:
        """Store a message in its mailbox."""
        deliver(delivered)

    def arrival_changed(self, participant: str, message_id: UUID) -> None:
        """Nothing to do: pages do not show whether our receipt for an arrived message has been sent."""

    def delivery_changed(self, participant: str, message_id: UUID) -> None:
        """Update what lists show of a sent message."""
        status.update(participant, message_id)
