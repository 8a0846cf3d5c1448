"""The message types of the federation that this service accepts today (C3.2.7 1.3)."""

from transport.message_service import receipts, validation
from transport.message_service.models import OutgoingMessage
from transport.protocol.identifiers import (
    MESSAGE_RECEIPT,
    RECEIPT_TYPE_CODE,
    SDK_MESSAGE,
    SDK_MESSAGE_TYPE_CODE,
)

from .registry import MessageType

MESSAGE = MessageType(
    kind=OutgoingMessage.Kind.MESSAGE,
    document_type=SDK_MESSAGE,
    payload_code=SDK_MESSAGE_TYPE_CODE,
    validate=validation.validate_message,
    is_answered=True,
    is_encrypted=True,
)
RECEIPT = MessageType(
    kind=OutgoingMessage.Kind.RECEIPT,
    document_type=MESSAGE_RECEIPT,
    payload_code=RECEIPT_TYPE_CODE,
    validate=validation.validate_receipt,
    is_answered=False,
    is_encrypted=False,
    apply_receipts=receipts.apply_all,
)
