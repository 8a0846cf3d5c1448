"""What is not at its end yet: what an export of a running organisation would tear in two."""

from typing import Final

from django.db.models import Q

from .belongings import model_of, rows_of

_IS_DUE: Final = Q(due_at__isnull=False)
_CONDITIONS: Final[dict[str, tuple[str, Q]]] = {
    "messages to be sent or delivered": (
        "message_service.OutgoingMessage",
        _IS_DUE | Q(state__in=("SCHEDULED", "SUBMITTED", "SCHEDULED_FOR_RESEND"), transport_missing_at=None),
    ),
    "messages that wait for a receipt": (
        "message_service.OutgoingMessage",
        Q(state="WAITING_FOR_RECEIPT", receipt_missing_at=None, due_at=None),
    ),
    "arrivals to be validated or answered": (
        "message_service.IncomingMessage",
        _IS_DUE | Q(state__in=("ARRIVED", "ERROR")),
    ),
    "transfers": ("access_point.OutboundTransfer", _IS_DUE | Q(state="PENDING")),
    "transfers through the directory": (
        "directory_drop.DroppedTransfer",
        _IS_DUE | Q(state__in=("PENDING", "PLACED")),
    ),
    "messages at another message service": ("remote_message_service.RemoteOrder", _IS_DUE),
    "arrivals at another message service": ("remote_message_service.RemoteArrival", _IS_DUE),
    "notices to message clients": ("message_api.WebhookNotice", _IS_DUE),
    "deliveries to case systems": ("mailbox.CaseDelivery", _IS_DUE | Q(state__in=("waiting", "delivered"))),
    "automatic answers": ("mailbox.AutomaticAnswer", _IS_DUE),
    "drafts to be sent": ("mailbox.Draft", Q(send_at__isnull=False)),
}


def counts(participant_id: str) -> dict[str, int]:
    """How many of each kind are under way; kinds of which none is are left out."""
    found = {}
    for kind, (label, condition) in _CONDITIONS.items():
        count = sum(rows.filter(condition).count() for rows in rows_of(label, participant_id))
        # Messages of others that were delivered here locally, and are not validated yet.
        if label == "message_service.IncomingMessage":
            local = model_of(label)._default_manager.filter(
                condition, sent_as__organisation__participant_id=participant_id
            )
            count += local.exclude(organisation__participant_id=participant_id).count()
        if count:
            found[kind] = count
    return found


def as_text(found: dict[str, int]) -> str:
    """The counts in words."""
    return ", ".join(f"{count} {kind}" for kind, count in found.items())
