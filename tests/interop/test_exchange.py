"""Messages with phase4, both ways: what arrives is what was sent, and its receipt is believed."""

import base64
import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from testbed.authorities import load_certificate
from tests.interop.build import Neighbours
from tests.interop.phase4 import Payload
from tests.world import work_is_clean
from transport.access_point import outbound
from transport.access_point.models import InboundTransfer, TransferEvent
from transport.protocol.as4.messages import PartInfo
from transport.protocol.as4.security import PROFILE
from transport.protocol.as4.signals import verify_signal
from transport.protocol.identifiers import PARTY_TYPE, PROCESS_ID, PROCESS_SCHEME, SDK_MESSAGE
from transport.protocol.xml.safe_xml import parse
from transport.storage import blobs

pytestmark = pytest.mark.xdist_group("interop")
MEGABYTE = 1024 * 1024


@dataclass(frozen=True)
class Content:
    """An envelope in a file. It is XML that is not in its canonical form, most of it base64, as they are."""

    path: Path
    size: int
    digest: str


@pytest.fixture(scope="session")
def content(tmp_path_factory) -> Callable[[int], Content]:
    directory = tmp_path_factory.mktemp("contents")

    def made(size: int) -> Content:
        path = directory / str(size)
        if not path.exists():
            start, end = b"<?xml version='1.0'?><a  b='1'><c/>", b"</a>\n"
            text = base64.b64encode(os.urandom(size * 3 // 4 + 3))
            path.write_bytes(start + text[: size - len(start) - len(end)] + end)
        with path.open("rb") as file:
            return Content(path, path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest())

    return made


sizes = pytest.mark.parametrize(
    "size", [2048, 30 * MEGABYTE, 100 * MEGABYTE], ids=["2 KB", "30 MB", "100 MB"]
)
compressed_or_not = pytest.mark.parametrize("is_compressed", [True, False], ids=["compressed", "as it is"])


@sizes
@compressed_or_not
def test_what_phase4_sends_arrives_byte_for_byte_and_phase4_believes_the_receipt(
    neighbours: Neighbours, content, size, is_compressed
):
    envelope = content(size)
    sent = neighbours.from_phase4(Payload(envelope.path, is_compressed=is_compressed))
    assert sent.is_delivered, sent
    transfer = InboundTransfer.objects.get()
    with blobs.open_stored(transfer.envelope_name, transfer.envelope_binding) as stored:
        assert hashlib.file_digest(stored, "sha256").hexdigest() == envelope.digest
    assert (transfer.size, transfer.envelope_digest) == (size, envelope.digest)
    assert work_is_clean(neighbours.served.work)


@sizes
@compressed_or_not
def test_what_we_send_arrives_byte_for_byte_and_phase4_s_receipt_is_our_evidence(
    neighbours: Neighbours, content, size, is_compressed, monkeypatch
):
    """We always compress; that phase4 takes what is not shows that we sign it as others do."""
    monkeypatch.setattr(outbound, "PartInfo", partial(PartInfo, is_compressed=is_compressed))
    envelope = content(size)
    transfer = neighbours.send(neighbours.transfer(envelope.path))
    assert (transfer.state, transfer.cause) == ("DELIVERED", ""), TransferEvent.objects.latest("pk").cause
    (message,), refusals = neighbours.phase4.received()
    assert refusals == []
    (payload,) = message["payloads"]
    with Path(payload["file"]).open("rb") as stored:
        assert hashlib.file_digest(stored, "sha256").hexdigest() == envelope.digest
    assert (payload["size"], payload["compressed"]) == (size, is_compressed)
    receipt = verify_signal(parse(bytes(transfer.receipt)), PROFILE)
    assert receipt.certificate == load_certificate(neighbours.phase4.files.certificate)
    assert work_is_clean(neighbours.served.work)
    Path(payload["file"]).unlink()


def test_phase4_reads_in_our_header_what_the_federation_asks_for(neighbours: Neighbours):
    transfer = neighbours.send(neighbours.transfer(b"<envelope/>"))
    (message,), _ = neighbours.phase4.received()
    assert message["message_id"] == transfer.as4_message_id
    assert message["conversation_id"] == transfer.conversation_id
    assert (message["service"], message["service_type"]) == (PROCESS_ID, PROCESS_SCHEME)
    assert message["action"] == SDK_MESSAGE.action
    assert (message["from"], message["to"]) == (neighbours.served.name, neighbours.phase4.name)
    assert message["from_type"] == message["to_type"] == PARTY_TYPE
    assert message["properties"] == {
        "originalSender": neighbours.world.sender.participant.value,
        "finalRecipient": neighbours.there.participant.value,
    }
    assert f"CN={neighbours.served.name}" in message["signer"]


def test_we_read_in_phase4_s_header_what_the_federation_asks_for(neighbours: Neighbours):
    sent = neighbours.from_phase4(conversation_id="samtal@phase4")
    transfer, _ = neighbours.arrived()
    assert (transfer.as4_message_id, transfer.conversation_id) == (sent.message_id, "samtal@phase4")
    assert transfer.sender_id == neighbours.there.participant
    assert transfer.recipient_id == neighbours.here.participant
    assert transfer.document_type == SDK_MESSAGE
    assert transfer.sending_access_point == neighbours.phase4.name
    event = TransferEvent.objects.get(kind="RECEIVED")
    assert (event.sending_access_point, event.receiving_access_point) == (
        neighbours.phase4.name,
        neighbours.served.name,
    )


def test_phase4_sends_again_and_gets_a_receipt_that_it_believes(neighbours: Neighbours):
    payload = neighbours.payload(b"<envelope/>")
    first = neighbours.from_phase4(payload, message_id="samma@phase4")
    again = neighbours.from_phase4(payload, message_id="samma@phase4")
    assert first.is_delivered
    assert again.is_delivered
    assert InboundTransfer.objects.count() == 1
    kinds = list(TransferEvent.objects.order_by("pk").values_list("kind", flat=True))
    assert kinds == ["RECEIVED", "DUPLICATE"]


def test_we_send_again_what_phase4_took_and_it_counts_as_delivered(neighbours: Neighbours, monkeypatch):
    """The receipt of the first attempt is lost; phase4 answers the second with an error."""

    def lose(packed, url):
        post(packed, url)
        raise outbound.NoAnswer("lost")

    post = outbound.post
    monkeypatch.setattr(outbound, "post", lose)
    transfer = neighbours.send(neighbours.transfer(b"<envelope/>"))
    assert (transfer.state, transfer.cause) == ("PENDING", "unreachable")
    monkeypatch.undo()
    transfer = neighbours.send(transfer)
    assert (transfer.state, transfer.cause) == ("DELIVERED", "")
    assert "this is a duplicate" in TransferEvent.objects.get(kind="DELIVERED").cause
    messages, _ = neighbours.phase4.received()
    assert len(messages) == 1


@pytest.mark.parametrize("reference", ["bst", "ski-key-id", "issuer-serial", "x509-key-id"])
def test_phase4_s_receipt_is_believed_however_it_names_its_signer(neighbours: Neighbours, reference):
    neighbours.phase4.ask("serve", served=[], receipt_reference=reference)
    transfer = neighbours.send(neighbours.transfer(b"<envelope/>"))
    assert (transfer.state, transfer.cause) == ("DELIVERED", ""), TransferEvent.objects.latest("pk").cause
    assert (b"BinarySecurityToken" in bytes(transfer.receipt)) == (reference == "bst")
