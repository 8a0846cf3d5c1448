"""This project's own message service, as an access point calls it (`access_point_port.MessageService`)."""

from collections.abc import Sequence
from uuid import UUID

from transport.access_point_port import TransferChange
from transport.protocol.identifiers import DocumentType, ParticipantId

from . import inbound, outbound


class OwnMessageService:
    """Rows in the same database; workers of the same installation."""

    def serves(self, participant: ParticipantId, document_type: DocumentType) -> bool:
        return inbound.is_served(participant, document_type)

    def envelope_arrived(
        self, transfer_id: UUID, sender: ParticipantId, recipient: ParticipantId, document_type: DocumentType
    ) -> None:
        inbound.envelope_arrived(transfer_id, sender, recipient)

    def transfers_changed(self, changes: Sequence[TransferChange]) -> None:
        outbound.transfers_changed(changes)
