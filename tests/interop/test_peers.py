"""Each other access point and ours, both ways: messages and their receipts, two-way TLS, several at once."""

import os
import uuid
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from django.db import connection

from tests.interop.as4 import As4
from tests.interop.build import Pair
from tests.interop.envelopes import message_from, opened_message, opened_receipt, receipt_from
from tests.interop.front import Front, Request
from tests.interop.oxalis import Oxalis
from tests.interop.phase4 import Phase4
from tests.transport.message_service.clients import SteeredClient
from tests.world import work_is_clean
from transport.access_point.models import InboundTransfer, OutboundTransfer, TransferEvent
from transport.message_service import orders
from transport.message_service.models import IncomingMessage, OutgoingMessage
from transport.protocol.as4.security import PROFILE
from transport.protocol.as4.signals import verify_signal
from transport.protocol.certificates import common_name
from transport.protocol.identifiers import (
    MESSAGE_RECEIPT,
    PROCESS_ID,
    PROCESS_SCHEME,
    SDK_MESSAGE,
    ParticipantId,
)
from transport.protocol.message_receipt import ResponseCode
from transport.protocol.xml.safe_xml import parse
from transport.storage import blobs

pytestmark = pytest.mark.xdist_group("interop")
PEERS = [As4, Oxalis, Phase4]
every_peer = pytest.mark.parametrize("pair", PEERS, indirect=True, ids=[peer.kind for peer in PEERS])
AT_ONCE = 6


@pytest.fixture
def client(settings) -> type[SteeredClient]:
    settings.SDK_MESSAGE_CLIENT = f"{SteeredClient.__module__}.{SteeredClient.__name__}"
    SteeredClient.reset()
    return SteeredClient


def noise(size: int) -> bytes:
    """XML that gzip does not make small."""
    return b"<envelope>" + b64encode(os.urandom(size * 3 // 4)) + b"</envelope>"


def sent_by_a_worker(pair: Pair, transfer: OutboundTransfer) -> None:
    try:
        pair.send(transfer)
    finally:
        connection.close()


@every_peer
def test_an_sdk_message_of_a_peer_is_delivered_and_its_message_receipt_reaches_the_peer(
    pair: Pair, client, front: Front
):
    message, envelope = message_from(pair)
    sent = pair.peer.send(**pair.order(pair.payload(envelope)))
    assert sent.is_delivered, sent
    pair.world.pump()
    (delivered,) = client.delivered
    assert delivered.message.header.message_id == message.header.message_id
    assert delivered.message.documents[0].texts == message.documents[0].texts
    (received,), refusals = pair.peer.received()
    assert refusals == []
    assert received["action"] == MESSAGE_RECEIPT.action
    receipt = opened_receipt(received)
    assert (receipt.ref_message_id, receipt.code) == (message.header.message_id, ResponseCode.ACCEPTED)
    assert IncomingMessage.objects.get().state == "NEW"


@every_peer
def test_an_sdk_message_of_ours_is_opened_by_the_peer_s_participant_whose_message_receipt_accepts_it(
    pair: Pair, client
):
    message = pair.world.message(
        recipient=pair.there.participant, recipient_function=pair.there.mailbox.address
    )
    message_id = orders.order(message, actor="Karin")
    pair.world.pump()
    (received,), refusals = pair.peer.received()
    assert refusals == []
    assert received["action"] == SDK_MESSAGE.action
    assert opened_message(pair, received).documents[0].texts == message.documents[0].texts
    row = OutgoingMessage.objects.get(message_id=message_id)
    assert row.state == "WAITING_FOR_RECEIPT"
    envelope = receipt_from(pair, message_id)
    order = pair.order(pair.payload(envelope), recipient=pair.world.sender.participant)
    sent = pair.peer.send(**{**order, "action": MESSAGE_RECEIPT.action})
    assert sent.is_delivered, sent
    pair.world.pump()
    row.refresh_from_db()
    assert row.state == "ACCEPTED"


@every_peer
def test_a_peer_s_message_comes_in_chunks_under_a_certificate_of_its_own(pair: Pair, front: Front):
    content = noise(1_000_000)
    # The others always do; phase4 when it is told to.
    sent = pair.peer.send(**pair.order(pair.payload(content), habits={"chunked": True}))
    assert sent.is_delivered, sent
    _, arrived = pair.arrived()
    assert arrived == content
    assert front.requests() == [Request("SUCCESS", "chunked")]
    assert work_is_clean(pair.served.work)


@every_peer
def test_without_a_tls_certificate_of_ours_a_peer_takes_nothing(pair: Pair, settings):
    settings.SDK_TLS_CLIENT_CERTIFICATE = settings.SDK_TLS_CLIENT_KEY = ""
    transfer = pair.send(pair.transfer(b"<envelope/>"))
    assert (transfer.state, transfer.cause) == ("PENDING", "unreachable")
    assert pair.peer.received() == ([], [])


@every_peer
def test_a_peer_s_receipt_for_a_large_message_is_our_evidence(pair: Pair):
    content = noise(1_000_000)
    transfer = pair.send(pair.transfer(content))
    assert (transfer.state, transfer.cause) == ("DELIVERED", ""), TransferEvent.objects.latest("pk").cause
    (received,), _ = pair.peer.received()
    (payload,) = received["payloads"]
    with open(payload["file"], "rb") as file:
        assert file.read() == content
    signer = verify_signal(parse(bytes(transfer.receipt)), PROFILE).certificate
    assert common_name(signer) == pair.peer.name
    assert work_is_clean(pair.served.work)


@every_peer
def test_each_reads_in_the_other_s_header_what_the_federation_asks_for(pair: Pair):
    transfer = pair.send(pair.transfer(b"<envelope/>"))
    (received,), _ = pair.peer.received()
    assert received["message_id"] == transfer.as4_message_id
    assert received["conversation_id"] == transfer.conversation_id
    assert received["action"] == SDK_MESSAGE.action
    assert (received["service"], received.get("service_type", PROCESS_SCHEME)) == (PROCESS_ID, PROCESS_SCHEME)
    assert (received["from"], received["to"]) == (pair.served.name, pair.peer.name)
    assert f"CN={pair.served.name}" in received["signer"]
    assert received["properties"] == {
        "originalSender": pair.world.sender.participant.value,
        "finalRecipient": pair.there.participant.value,
    }
    sent = pair.peer.send(**pair.order(conversation_id="samtal@granne"))
    assert sent.is_delivered, sent
    arrived, _ = pair.arrived()
    assert (arrived.as4_message_id, arrived.conversation_id) == (sent.message_id, "samtal@granne")
    assert (arrived.sender_id, arrived.recipient_id) == (pair.there.participant, pair.here.participant)
    assert (arrived.document_type, arrived.sending_access_point) == (SDK_MESSAGE, pair.peer.name)


@every_peer
def test_several_messages_of_a_peer_s_at_once_all_arrive(pair: Pair):
    content = noise(50_000)
    sent = pair.peer.send_at_once(AT_ONCE, **pair.order(pair.payload(content)))
    assert all(one.is_delivered for one in sent), sent
    rows = InboundTransfer.objects.all()
    assert {row.as4_message_id for row in rows} == {one.message_id for one in sent}
    assert len(rows) == AT_ONCE
    for row in rows:
        with blobs.open_stored(row.envelope_name, row.envelope_binding) as envelope:
            assert envelope.read() == content


@every_peer
def test_several_messages_of_ours_at_once_all_reach_a_peer(pair: Pair):
    """At most SDK_COUNTERPART_SHARE go to one counterpart at a time; the others stay due, and go later."""
    transfers = [pair.transfer(noise(50_000)) for _ in range(AT_ONCE)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for _ in range(AT_ONCE):
            list(pool.map(partial(sent_by_a_worker, pair), OutboundTransfer.due()))
    states = list(OutboundTransfer.objects.values_list("state", "cause"))
    assert states == [("DELIVERED", "")] * AT_ONCE
    messages, refusals = pair.peer.received()
    assert refusals == []
    assert {message["message_id"] for message in messages} == {one.as4_message_id for one in transfers}


@every_peer
def test_what_we_refuse_a_peer_is_told_by_its_ebms_code(pair: Pair):
    sent = pair.peer.send(**pair.order(recipient=ParticipantId(f"0203:okand-{uuid.uuid4().hex[:8]}.se")))
    assert [code for code, _ in sent.errors] == ["EBMS:0004"], sent
    assert "NOT_SERVICED" in sent.errors[0][1]
    assert pair.nothing_arrived()


@every_peer
def test_what_a_peer_does_not_serve_ends_at_once_as_not_serviced(pair: Pair):
    pair.peer.ask("serve", served=["0203:nagon-annan.se"])
    transfer = pair.send(pair.transfer(b"<envelope/>"))
    assert (transfer.state, transfer.cause) == ("FAILED", "not-serviced")
    assert pair.peer.received()[0] == []
