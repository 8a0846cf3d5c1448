from typing import Any

from django.apps import AppConfig


class MessageServiceConfig(AppConfig):
    name = "transport.message_service"

    def ready(self) -> None:
        """Meet the access point: say whom we serve, and listen to what it tells."""
        from .. import hand_over
        from ..certificate_watch import watch
        from . import publication, receiving, registered_types

        registered_types.register_all()
        watch.register_source(publication.held)
        hand_over.register_served(receiving.is_served)
        hand_over.envelope_arrived.connect(_envelope_arrived, dispatch_uid="message_service")
        hand_over.transfer_changed.connect(_transfer_changed, dispatch_uid="message_service")


def _envelope_arrived(transfer_id: Any, transfer_sender: Any, recipient: Any, **_: object) -> None:
    from . import receiving

    receiving.envelope_arrived(transfer_id, transfer_sender, recipient)


def _transfer_changed(reference: Any, outcome: Any, cause: str, **_: object) -> None:
    from . import settling

    settling.transfer_changed(reference, outcome, cause)
