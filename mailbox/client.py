"""This message client, as the message service meets it."""

from uuid import UUID

from transport.hand_over import Cause
from transport.message_service import deliveries, quarantine
from transport.message_service.clients import Delivered

from . import events
from .deliver import deliver
from .ladder import FAILED
from .models import Attachment, Conversation, FunctionMailbox, Message


class BuiltInClient:
    """Function mailboxes in the same database: a delivery is part of the service's transaction."""

    def serves(self, participant: str, function_address: str) -> bool:
        return FunctionMailbox.objects.filter(
            participant_id=participant, address=function_address, is_open=True
        ).exists()

    def deliver(self, delivered: Delivered) -> None:
        deliver(delivered)

    def delivery_changed(self, participant: str, message_id: UUID) -> None:
        delivery = deliveries.delivery_of(participant, message_id)
        if delivery is None:
            return
        sent = Message.objects.filter(
            direction=Message.Direction.OUT,
            message_id=message_id,
            conversation__mailbox__participant_id=participant,
        )
        sent.update(
            delivery_state=delivery.state,
            is_receipt_missing=delivery.receipt_missing_at is not None
            and delivery.message_receipt_at is None,
        )
        if delivery.cause == Cause.MALWARE_FOUND:
            found = quarantine.digests_of(participant, message_id)
            Attachment.objects.filter(document__message__in=sent, sha256__in=found).update(is_blocked=True)
        if delivery.state in FAILED:
            # What did not come out is somebody's to do something about, not to wait for.
            Conversation.objects.filter(messages__in=sent).update(is_waiting=False)
        for mailbox_id in sent.values_list("conversation__mailbox_id", flat=True):
            events.announce(mailbox_id)
