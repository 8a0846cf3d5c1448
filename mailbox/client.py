"""This message client, as the message service meets it."""

from uuid import UUID

from transport.message_service.clients import Delivered

from . import following, routing
from .deliver import deliver
from .models import FunctionMailbox


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
        following.follow(participant, message_id)
