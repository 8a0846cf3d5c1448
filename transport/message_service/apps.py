from typing import Any

from django.apps import AppConfig


class MessageServiceConfig(AppConfig):
    name = "transport.message_service"

    def ready(self) -> None:
        """Meet the access point: say whom we serve, and listen to what it tells."""
        from transport import access_point_port

        from ..certificate_watch import watch
        from . import inbound
        from .message_types import registered
        from .organisations import publication

        registered.register_all()
        watch.register_source(publication.held)
        access_point_port.register_served(inbound.is_served)
        access_point_port.envelope_arrived.connect(_envelope_arrived, dispatch_uid="message_service")
        access_point_port.transfer_changed.connect(_transfer_changed, dispatch_uid="message_service")


def _envelope_arrived(transfer_id: Any, transfer_sender: Any, recipient: Any, **_: object) -> None:
    from . import inbound

    inbound.envelope_arrived(transfer_id, transfer_sender, recipient)


def _transfer_changed(reference: Any, outcome: Any, cause: str, **_: object) -> None:
    from . import receipts

    receipts.transfer_changed(reference, outcome, cause)
