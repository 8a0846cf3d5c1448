"""This message client, as the message service meets it."""

from uuid import UUID

from mailbox.administration import routing
from mailbox.models import FunctionMailbox
from transport.message_service.api import Delivered

from . import status
from .inbound import deliver


class BuiltInClient:
    """Function mailboxes in the same database: a delivery is part of the service's transaction."""

    def serves(self, participant: str, function_address: str) -> bool:
        return FunctionMailbox.objects.filter(
            participant_id=participant, address=function_address, is_open=True
        ).exists()

    def stand_ins(self, participant: str, function_address: str) -> list[str]:
        return routing.stand_ins(participant, function_address)

    def deliver(self, delivered: Delivered) -> None:
        deliver(delivered)

    def arrival_changed(self, participant: str, message_id: UUID) -> None:
        """A message is shown from when it is delivered: what becomes of our receipt changes nothing."""

    def delivery_changed(self, participant: str, message_id: UUID) -> None:
        status.follow(participant, message_id)
