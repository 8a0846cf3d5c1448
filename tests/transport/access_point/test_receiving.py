"""Taking messages when something goes wrong halfway: what is stored is whole, or it is not there."""

import hashlib
import os
import socket
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from django.db import OperationalError, connection
from django.db.backends.base.base import BaseDatabaseWrapper

from testbed.authorities import load_certificate
from testbed.services import free_port
from tests.transport.protocol.as4.build import key_identifier
from tests.world import work_is_clean
from transport.access_point import inbound
from transport.access_point.models import InboundTransfer, TransferEvent
from transport.message_service.adapter import OwnMessageService
from transport.message_service.models import IncomingMessage
from transport.protocol.as4 import names
from transport.protocol.as4.messages import ErrorSignal, Receipt
from transport.protocol.certificates import RevocationUnknown, fingerprint
from transport.protocol.identifiers import ParticipantId
from transport.storage import blobs

pytestmark = pytest.mark.xdist_group("federation")


def nothing_is_left(settings) -> bool:
    files = [path for path in settings.MEDIA_ROOT.rglob("*") if path.is_file()]
    return not InboundTransfer.objects.exists() and not files and work_is_clean(settings.SDK_WORK_DIR)


def test_a_resend_that_was_signed_anew_gets_a_receipt_for_what_it_signed(peer):
    message, first = peer.pack()
    _, second = peer.pack(message_id=message.message_id)
    with first, second:
        assert isinstance(peer.answer(first, message), Receipt)
        assert isinstance(peer.answer(second, message), Receipt)
    assert InboundTransfer.objects.count() == IncomingMessage.objects.count() == 1


def test_another_message_by_an_id_that_was_taken_is_refused_and_changes_nothing(peer):
    message, first = peer.pack(b"<envelope>one</envelope>")
    _, second = peer.pack(b"<envelope>two</envelope>", message_id=message.message_id)
    with first, second:
        peer.answer(first, message)
        signal = peer.answer(second, message)
    assert isinstance(signal, ErrorSignal)
    assert signal.errors[0].code == "EBMS:0003"
    digest = hashlib.sha256(b"<envelope>one</envelope>").hexdigest()
    assert InboundTransfer.objects.get().envelope_digest == digest
    assert list(TransferEvent.objects.order_by("pk").values_list("kind", flat=True)) == [
        "RECEIVED",
        "REFUSED",
    ]


def test_a_message_that_says_it_is_too_large_is_413(world):
    headers = {"Content-Type": "multipart/related; boundary=b", "Content-Length": str(10**12)}
    address = urlsplit(world.url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as line:
        fields = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        line.sendall(f"POST /as4 HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n".encode())
        assert b" 413 " in line.recv(1000)
    assert not TransferEvent.objects.exists()


def test_half_a_message_leaves_nothing(peer, world, settings):
    _, packed = peer.pack(os.urandom(500_000))
    with packed:
        body = b"".join(packed.chunks())
    address = urlsplit(world.url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as line:
        line.sendall(
            f"POST /as4 HTTP/1.1\r\nHost: localhost\r\nContent-Type: {packed.content_type}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body[: len(body) // 2]
        )
        line.shutdown(socket.SHUT_WR)
        assert b"EBMS:0007" in b"".join(iter(lambda: line.recv(65536), b""))
    assert nothing_is_left(settings)


def test_what_cannot_be_committed_gets_no_receipt_and_leaves_nothing(peer, settings, monkeypatch):
    def fail(*_: object) -> None:
        raise RuntimeError("the message service fails")

    message, packed = peer.pack()
    monkeypatch.setattr(OwnMessageService, "envelope_arrived", fail)
    with packed:
        assert peer.post(packed).status_code == 500
        assert nothing_is_left(settings)
        monkeypatch.undo()
        assert isinstance(peer.answer(packed, message), Receipt)
    assert InboundTransfer.objects.count() == 1


def test_a_commit_whose_answer_is_lost_may_have_been_one_and_the_envelope_stays(peer, settings, monkeypatch):
    commit, reported = BaseDatabaseWrapper._commit, []

    def commit_and_lose(database: BaseDatabaseWrapper) -> None:
        commit(database)
        if reported and reported.pop():
            raise OperationalError("the connection is closed")

    arrived = OwnMessageService.envelope_arrived

    def note(service: OwnMessageService, *envelope: object) -> None:
        reported.append(True)
        arrived(service, *envelope)

    message, packed = peer.pack(b"<envelope/>")
    monkeypatch.setattr(BaseDatabaseWrapper, "_commit", commit_and_lose)
    monkeypatch.setattr(OwnMessageService, "envelope_arrived", note)
    with packed:
        answer = peer.post(packed)
        assert answer.status_code == 503
        assert "Retry-After" in answer.headers
        assert isinstance(peer.answer(packed, message), Receipt)
    transfer = InboundTransfer.objects.get()
    with blobs.open_stored(transfer.envelope_name, transfer.envelope_binding) as envelope:
        assert envelope.read() == b"<envelope/>"


def test_when_the_envelope_arrived_is_known_it_is_on_disk_with_the_receipt_that_is_to_answer_it(
    peer, monkeypatch
):
    """The message service is called in the transaction that stores the transfer."""
    seen = []
    arrived = OwnMessageService.envelope_arrived

    def look(service: OwnMessageService, transfer_id, *arguments: object) -> None:
        transfer = InboundTransfer.objects.get(pk=transfer_id)
        with blobs.open_stored(transfer.envelope_name, transfer.envelope_binding) as envelope:
            stored = envelope.read()
        seen.append((connection.in_atomic_block, stored, bytes(transfer.receipt)))
        arrived(service, transfer_id, *arguments)

    _, packed = peer.pack(b"<envelope/>")
    monkeypatch.setattr(OwnMessageService, "envelope_arrived", look)
    with packed:
        response = peer.post(packed)
    assert seen == [(True, b"<envelope/>", response.content)]
    assert bytes(InboundTransfer.objects.get().receipt) == response.content


def test_when_nobody_can_say_whether_the_sender_is_revoked_it_is_asked_to_come_again(
    peer, settings, monkeypatch
):
    def unknown(certificate, purpose):
        raise RevocationUnknown(certificate)

    monkeypatch.setattr(inbound.trust, "check_access_point", unknown)
    _, packed = peer.pack()
    with packed:
        response = peer.post(packed)
    assert (response.status_code, response.headers["Retry-After"]) == (503, "60")
    assert nothing_is_left(settings)


def named(certificate) -> str:
    """By its subject key identifier, as some senders name what they do not include."""
    extension = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    return key_identifier(names.SUBJECT_KEY_IDENTIFIER, extension.value.digest)


@pytest.fixture
def sender_s_metadata(peer, world):
    """SMP names the peer for the sender."""
    participant = world.sender.participant.value
    world.federation.change_participant(participant, access_point=peer.name)
    return lambda **changes: world.federation.change_participant(participant, **changes)


def test_a_signer_that_is_not_included_is_found_in_the_sender_s_metadata(peer, sender_s_metadata):
    _, packed = peer.pack()
    with packed:
        answer = peer.post_named(packed, named(load_certificate(peer.files.certificate)))
    assert b"NonRepudiationInformation" in answer.content
    transfer = InboundTransfer.objects.get()
    assert transfer.sending_access_point == peer.name


def test_a_signer_that_is_neither_included_nor_published_is_0101(peer, sender_s_metadata, settings):
    sender_s_metadata(published=False)
    _, packed = peer.pack()
    with packed:
        answer = peer.post_named(packed, named(load_certificate(peer.files.certificate)))
    assert b"EBMS:0101" in answer.content
    assert b"neither included nor known" in answer.content
    assert not TransferEvent.objects.exists()
    assert nothing_is_left(settings)


def test_while_metadata_cannot_be_asked_for_the_sender_is_asked_to_come_again(
    peer, sender_s_metadata, settings
):
    settings.SDK_DNS_SERVERS = [f"127.0.0.1:{free_port()}"]
    settings.SDK_HTTP_TIMEOUT_SECONDS = 1
    _, packed = peer.pack()
    with packed:
        answer = peer.post_named(packed, named(load_certificate(peer.files.certificate)))
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "60")
    assert nothing_is_left(settings)


def test_nobody_is_asked_about_the_sender_of_a_message_that_is_not_for_us(peer, monkeypatch):
    monkeypatch.setattr(inbound.lookup, "endpoint_of", lambda *_: pytest.fail("asked"))
    _, packed = peer.pack(final_recipient=ParticipantId("0203:nagon-annan.se"))
    with packed:
        answer = peer.post_named(packed, named(load_certificate(peer.files.certificate)))
    assert b"NOT_SERVICED" in answer.content


def test_refused_access_is_logged_with_who_it_was(peer, world):
    world.federation.revoke("access-points", peer.files.certificate)
    message, packed = peer.pack()
    with packed:
        peer.answer(packed, message)
    event = TransferEvent.objects.get(kind="REFUSED")
    assert event.as4_message_id == message.message_id
    assert event.conversation_id == message.conversation_id
    assert (event.sender, event.recipient) == (
        world.sender.participant.value,
        world.recipient.participant.value,
    )
    assert (event.sending_access_point, event.receiving_access_point) == (peer.name, world.access_point)
    assert event.certificate == fingerprint(load_certificate(peer.files.certificate))
    assert "EBMS:0101" in event.cause


def test_what_was_encrypted_to_the_certificate_before_renewal_is_opened(peer, world, settings):
    message, packed = peer.pack()
    old = (settings.SDK_ACCESS_POINT_KEY, settings.SDK_ACCESS_POINT_CERTIFICATE)
    both = settings.MEDIA_ROOT.parent / "old.pem"
    both.write_bytes(b"".join(Path(path).read_bytes() for path in old))
    renewed = world.federation.add_access_point(f"{world.access_point}-2", world.url)
    settings.SDK_ACCESS_POINT_KEY = str(renewed.key)
    settings.SDK_ACCESS_POINT_CERTIFICATE = str(renewed.certificate)
    settings.SDK_ACCESS_POINT_OLD_KEYS = [str(both)]
    _, again = peer.pack(recipient_party=f"{world.access_point}-2", message_id=message.message_id)
    packed.close()
    with again:
        assert isinstance(peer.answer(again, message), Receipt)
