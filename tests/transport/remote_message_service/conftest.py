import base64
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from django.utils import timezone

from mailbox.models import FunctionMailbox
from tests.transport.protocol.build import a_message
from transport.message_service import orders as message_orders
from transport.message_service.models import Organisation, OutgoingMessage
from transport.protocol.identifiers import ParticipantId
from transport.protocol.sdk_message.message import timestamp
from transport.remote_message_service import arrivals, orders, polling, registration
from transport.remote_message_service.models import RemoteArrival, RemoteOrder, RemoteService

from .service import OtherService

ROOT = "urn:riv:infrastructure:messaging:functionalAddress"
FUNCTION = "sdk:vard:0203:liten.se"


@dataclass
class Small:
    """An organisation without a message service of its own, and the service that its function uses."""

    organisation: Organisation
    mailbox: FunctionMailbox
    other: OtherService
    key: uuid.UUID

    @property
    def service(self) -> RemoteService:
        return RemoteService.objects.get(pk=self.key)

    def letter(self, **changes) -> dict:
        """The attributes of a message to the function, as the service has them."""
        identity = str(uuid.uuid4())
        return {
            "creationDateTime": timestamp(timezone.now()),
            "messageId": identity,
            "conversationId": identity,
            "confidentiality": False,
            "label": "Kallelse till möte",
            "sender": "0203:stor.se",
            "recipient": self.organisation.participant_id,
            "senderAttention": {
                "subOrganization": {"root": ROOT, "extension": "sdk:skola:0203:stor.se", "label": "Skolan"},
                "attentionPerson": [{"root": "", "extension": "", "label": "Anna Andersson"}],
            },
            "recipientAttention": {
                "subOrganization": {"root": ROOT, "extension": self.mailbox.address, "label": ""}
            },
            "digitalDocument": [
                {
                    "documentName": "Kallelse",
                    "documentId": "d-1",
                    "index": "1",
                    "contentTextBody": ["Välkommen på **fredag**"],
                    "contentFiles": [
                        {
                            "fileName": "karta.pdf",
                            "contentType": "application/pdf",
                            "content": base64.b64encode(b"%PDF-1.7 fika").decode(),
                        }
                    ],
                }
            ],
            **changes,
        }

    def send(self, **changes) -> OutgoingMessage:
        """Order a message of the function's; its row."""
        message = a_message(
            sender=ParticipantId(self.organisation.participant_id),
            recipient=ParticipantId("0203:stor.se"),
            sender_function=self.mailbox.address,
            recipient_function="sdk:skola:0203:stor.se",
            **changes,
        )
        key = message_orders.order(message, actor="Eva")
        return OutgoingMessage.objects.get(message_id=key)

    def poll(self) -> None:
        """Poll the service once, as if the time for it had come."""
        RemoteService.objects.filter(pk=self.key).update(due_at=timezone.now(), paused_until=None)
        polling.work_on(RemoteService.claim_due(1))

    def work(self) -> None:
        """Do what workers would with what is due now."""
        for _ in range(20):
            fetched, handed = RemoteArrival.claim_due(1), RemoteOrder.claim_due(1)
            if not fetched and not handed:
                return
            arrivals.work_on(fetched)
            orders.work_on(handed)
        raise AssertionError("work does not come to an end")

    def later(self) -> None:
        """Make everything that waits due."""
        for model in (RemoteArrival, RemoteOrder):
            model.objects.filter(due_at__isnull=False).update(due_at=timezone.now())
        RemoteService.objects.filter(pk=self.key).update(paused_until=None)


@pytest.fixture
def other() -> Iterator[OtherService]:
    service = OtherService()
    yield service
    service.stop()


@pytest.fixture
def small(transactional_db, settings, tmp_path, other) -> Small:
    # A machine that is busy answers late.
    settings.SDK_HTTP_TIMEOUT_SECONDS = 60
    settings.SDK_WORK_DIR = tmp_path / "work"
    settings.MEDIA_ROOT = tmp_path / "payloads"
    organisation = Organisation.objects.create(
        participant_id=f"0203:liten-{uuid.uuid4().hex[:8]}.se", name="Liten"
    )
    mailbox = FunctionMailbox.objects.create(
        participant_id=organisation.participant_id, address=FUNCTION, name="Vården"
    )
    service = registration.register(
        organisation,
        "Leverantören",
        address=f"{other.url}/v1",
        token_address=f"{other.url}/v1/token",
        client_id="brevlada.liten.se",
    )
    other.public_key = service.public_key
    registration.bind(service, [FUNCTION])
    registration.turn_on(service)
    return Small(organisation, mailbox, other, service.pk)
