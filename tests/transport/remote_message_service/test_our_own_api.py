"""Our client against the API that a node of this project serves: the same contract, from both sides."""

import uuid
from dataclasses import replace

import pytest
from django.utils import timezone

from tests.transport.protocol.build import a_message
from transport.message_api.clients import registration as clients
from transport.message_api.clients.external_clients import ExternalClients
from transport.message_api.models import HeldMessage
from transport.message_service.client_port import Delivered
from transport.message_service.models import IncomingMessage, Organisation, OutgoingMessage
from transport.message_service.states import IncomingState
from transport.protocol.identifiers import ParticipantId
from transport.protocol.sdk_message.message import BytesContent, File, Person
from transport.remote_message_service import registration, resources
from transport.remote_message_service.client import RemoteClient
from transport.remote_message_service.problems import MessageRefused, NotThere

pytestmark = pytest.mark.django_db(transaction=True)
FUNCTION = "sdk:vard:0203:liten.se"
# Longer than what is kept in memory, with bytes that base64 does not divide evenly.
CONTENT = bytes(range(256)) * 400 + b"x"


@pytest.fixture
def service(transactional_db, live_server, settings, tmp_path):
    # A machine that is busy answers late.
    settings.SDK_HTTP_TIMEOUT_SECONDS = 60
    settings.SDK_WORK_DIR = tmp_path / "work"
    settings.MEDIA_ROOT = tmp_path / "payloads"
    organisation = Organisation.objects.create(participant_id="0203:liten.se", name="Liten")
    made = registration.register(
        organisation,
        "Noden",
        address=f"{live_server.url}/v1",
        token_address=f"{live_server.url}/v1/token",
        client_id="brevlada.liten.se",
    )
    client = clients.register(organisation, "brevlada.liten.se", auth_ids=[FUNCTION]).client
    clients.give_keys(client, [made.public_key])
    return made


def letter(**changes):
    message = a_message(
        sender=ParticipantId("0203:liten.se"),
        recipient=ParticipantId("0203:stor.se"),
        sender_function=FUNCTION,
        files=(File("karta.pdf", "application/pdf", BytesContent(CONTENT)),),
        **changes,
    )
    header = message.header
    # As our own pages write it: a person without an identifier.
    attention = replace(header.sender.attention, persons=(Person(None, "Anna Andersson"),))
    return replace(message, header=replace(header, sender=replace(header.sender, attention=attention)))


def test_a_message_is_accepted_found_and_not_accepted_twice(service, tmp_path):
    message = letter()
    body = tmp_path / "body"
    with body.open("wb") as out:
        resources.write_new(message, out)
    identity = uuid.UUID(message.header.message_id)
    with RemoteClient(service) as client:
        with pytest.raises(NotThere):
            client.look(identity)
        assert uuid.UUID(client.send(body)) == identity
        found = resources.listed_alone(client.look(identity))
        assert (found.message_id, found.status) == (identity, "SCHEDULED")
        with pytest.raises(MessageRefused):
            client.send(body)
        page = client.page(client.first_page({"senderAttention.subOrganization.extension": FUNCTION}))
    assert resources.listed_in(page) == ([found], False)
    assert OutgoingMessage.objects.filter(message_id=identity).count() == 1


def test_a_message_is_listed_fetched_whole_and_deleted(service, tmp_path):
    message = a_message(
        sender=ParticipantId("0203:stor.se"),
        recipient=ParticipantId("0203:liten.se"),
        recipient_function=FUNCTION,
        files=(File("karta.pdf", "application/pdf", BytesContent(CONTENT)),),
    )
    identity = uuid.UUID(message.header.message_id)
    IncomingMessage.objects.create(
        transfer_id=uuid.uuid4(),
        organisation=service.organisation,
        sender="0203:stor.se",
        message_id=identity,
        is_accepted=True,
        state=IncomingState.NEW,
        is_by_api=True,
        arrived_at=timezone.now(),
    )
    ExternalClients().deliver(
        Delivered("0203:liten.se", message, "0203:stor.se", timezone.now()), FUNCTION, is_shared=False
    )
    filters = {"messageStatus": "NEW", "recipientAttention.subOrganization.extension": FUNCTION}
    with RemoteClient(service) as client:
        page = client.page(client.first_page(filters))
        [listed], has_unreadable = resources.listed_in(page)
        assert not has_unreadable
        assert client.next_page(page, client.first_page(filters)) is None
        fetched = resources.message_in(
            client.fetch(listed.resource_id, tmp_path),
            resource_id=listed.resource_id,
            message_id=identity,
            recipient=ParticipantId("0203:liten.se"),
            directory=tmp_path,
        )
        client.delete(listed.resource_id)
        client.delete(listed.resource_id)
    [file] = fetched.files
    with file.content.open() as source:
        assert source.read() == CONTENT
    header = message.header
    assert fetched.header.conversation_id == header.conversation_id
    assert fetched.header.label == header.label
    assert fetched.header.sender.attention == header.sender.attention
    assert fetched.header.recipient.attention == header.recipient.attention
    assert not HeldMessage.objects.exists()


def test_a_trial_succeeds_and_says_so_when_the_client_is_shut_out(service):
    assert [tried.problem for tried in registration.try_out(service)] == ["", ""]
    client = clients.client_of("brevlada.liten.se")
    clients.set_active(client, is_active=False)
    assert [tried.problem for tried in registration.try_out(service)] == ["token-refused"]
