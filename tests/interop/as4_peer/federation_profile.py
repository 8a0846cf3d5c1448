"""The federation's AS4 profile for the library as4: its eDelivery profile without Peppol's SBDH and names."""

import gzip
from datetime import UTC, datetime
from typing import Any

from as4.core.common import AS4ExternalParty, AS4InternalParty
from as4.core.context import AS4ParseContext
from as4.core.message import AS4Message
from as4.core.references import AS4References
from as4.errors import ParticipantNotServicedError
from as4.models.ebms.message_info import MessageId, MessageInfo, Timestamp
from as4.models.ebms.user_message import (
    Action,
    CollaborationInfo,
    ConversationId,
    MessageProperties,
    PartInfo,
    PartProperties,
    PartyInfo,
    PayloadInfo,
    Property,
    Service,
    UserMessage,
)
from as4.profiles.peppol.exceptions import PeppolNotServicedException
from as4.profiles.peppol.message import PeppolAS4Message
from as4.profiles.peppol.profile import PeppolAS4Profile
from as4.utils.cipher_handler import CipherHandler
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from pydantic import BaseModel


class Order(BaseModel):
    """What the header of a message says; `properties` are (name, type, value)."""

    service: str
    service_type: str
    action: str
    properties: list[tuple[str, str, str]]
    # What the library's functions for signatures read.
    namespace_map: dict[str, str] = {}


class FederationMessage(PeppolAS4Message):
    """A user message whose payload is the envelope itself."""

    @classmethod
    def process(
        cls, fields: dict[str, Any], parse_context: AS4ParseContext, soap: Any, attachments: dict[str, bytes]
    ) -> dict[str, Any]:
        """Verify, decrypt and decompress; ask whether the final recipient is served."""
        fields = AS4Message.process.__func__(cls, fields, parse_context, soap, attachments)
        properties = fields["soap_envelope"].header.messaging.user_message.message_properties
        try:
            parse_context.accept_participant(properties.final_recipient.value)
        except ParticipantNotServicedError as refusal:
            raise PeppolNotServicedException from refusal
        return fields

    @classmethod
    def get_user_message(
        cls,
        local_party: AS4InternalParty,
        remote_party: AS4ExternalParty,
        builder_args: Order,
        references: AS4References,
    ) -> UserMessage:
        part_properties = PartProperties(
            properties=[
                Property(name="MimeType", value="application/xml"),
                Property(name="CompressionType", value="application/gzip"),
            ]
        )
        return UserMessage(
            message_info=MessageInfo(
                timestamp=Timestamp(value=datetime.now(UTC)),
                message_id=MessageId(value=references.message_id),
            ),
            party_info=PartyInfo(
                party_from=local_party.identity.to_party_from(), party_to=remote_party.identity.to_party_to()
            ),
            collaboration_info=CollaborationInfo(
                service=Service(value=builder_args.service, type_value=builder_args.service_type),
                action=Action(value=builder_args.action),
                conversation_id=ConversationId(value=references.conversation_id),
            ),
            message_properties=MessageProperties(
                properties=[
                    Property(name=name, property_type=kind, value=value)
                    for name, kind, value in builder_args.properties
                ]
            ),
            payload_info=PayloadInfo(
                part_info=[
                    PartInfo(part_properties=part_properties, href=f"cid:{part}")
                    for part in references.attachment_id_encrypted_data_id_map
                ]
            ),
        )

    @classmethod
    def build_message(
        cls,
        payload: bytes,
        *,
        local_party: AS4InternalParty,
        remote_party: AS4ExternalParty,
        builder_args: Order,
        references: AS4References,
    ) -> "FederationMessage":
        compressed = gzip.compress(payload)
        session_key, encrypted = CipherHandler.encrypt_payload(compressed)
        part, _ = references.encrypted_data_attachment_mapping()
        wrapped_key = remote_party.credentials.rsa_public_key.encrypt(
            session_key,
            padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), label=b""),
        )
        soap = cls.get_soap_envelope(
            local_party, remote_party, builder_args, references, wrapped_key, {part: compressed}
        )
        return cls(
            soap_envelope=soap,
            message_id=references.message_id,
            messaging_id=references.messaging_id,
            mime_attachments={part: encrypted},
            decrypted_data={part: payload},
        )


class FederationProfile(PeppolAS4Profile):
    """What the library asks of a profile, with messages of the federation."""

    @classmethod
    def get_profile_name(cls) -> str:
        return "federation"

    @classmethod
    def message_class(cls) -> type[FederationMessage]:
        return FederationMessage

    @classmethod
    def build_message(cls, payload: bytes, **arguments: Any) -> FederationMessage:
        return FederationMessage.build_message(payload, **arguments)
