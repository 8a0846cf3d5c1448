"""The built-in message client, as the message service calls it."""

from collections.abc import Sequence

from mailbox.administration import routing
from mailbox.models import FunctionMailbox
from transport.message_service.api import Delivered, MessageKey

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

    def deliver(self, delivered: Sequence[Delivered]) -> None:
        """Store messages in their mailboxes."""
        deliver(delivered)

    def arrivals_changed(self, messages: Sequence[MessageKey]) -> None:
        """Nothing to do: pages do not show whether our receipt for an arrived message has been sent."""

    def deliveries_changed(self, messages: Sequence[MessageKey]) -> None:
        """Update what lists show of sent messages."""
        status.update(messages)
