"""Two organisations behind another operator's access point: the test is the operator between them."""

import hashlib
import json
import uuid
from pathlib import Path

import pytest
from django.core.files.storage import default_storage
from django.utils import timezone

from mailbox.models import Message as MailboxMessage
from tests.world import World, federation, world
from transport.directory_drop import files, inbound, outbound
from transport.directory_drop.apps import directory_is_set
from transport.directory_drop.models import DroppedTransfer, FoundTransfer
from transport.message_service import orders
from transport.message_service.models import IncomingMessage, OutgoingMessage
from transport.message_service.states import OutgoingState
from transport.message_service.tracking import resend
from transport.message_service.tracking.deliveries import delivery_of
from transport.message_service.tracking.evidence import Kind, evidence_of

__all__ = ["federation", "world"]
pytestmark = pytest.mark.xdist_group("federation")


@pytest.fixture
def drop(world, settings, tmp_path) -> Path:
    settings.SDK_ACCESS_POINT_ADAPTER = "transport.directory_drop.adapter.DirectoryDrop"
    settings.SDK_DROP_DIR = str(tmp_path / "drop")
    for name in (files.OUT, files.STATUS, files.IN, files.REJECTED):
        files.folder(name)
    return Path(settings.SDK_DROP_DIR)


def work_through(world: World) -> None:
    """What workers do, the directory's included, until nothing is due."""
    while True:
        world.pump()
        waiting = list(DroppedTransfer.due().values_list("pk", flat=True))
        for reference in waiting:
            outbound.write(reference)
        if not inbound.poll_directory() and not waiting:
            return


def write(path: Path, **notice) -> Path:
    path.write_text(json.dumps(notice))
    return path


def carry(world: World, drop: Path) -> int:
    """What a gateway does, with a network in between that never fails; how many it carried."""
    receipt = b"<receipt/>"
    notices = sorted((drop / "out").glob("*.json"))
    for notice in notices:
        values = json.loads(notice.read_text())
        transfer_id = uuid.uuid4()
        envelope = (drop / "out" / values["envelope"]).read_bytes()
        assert (len(envelope), hashlib.sha256(envelope).hexdigest()) == (values["size"], values["sha256"])
        (drop / "in" / f"{transfer_id}.xml").write_bytes(envelope)
        (drop / "status" / f"{values['reference']}.receipt").write_bytes(receipt)
        write(drop / "in" / f"{transfer_id}.json", **arrival(values, transfer_id, world.access_point))
        write(
            drop / "status" / f"{transfer_id}.json",
            reference=values["reference"],
            outcome="delivered",
            receipt=f"{values['reference']}.receipt",
        )
        (drop / "out" / values["envelope"]).unlink()
        notice.unlink()
    return len(notices)


def arrival(values: dict, transfer_id: uuid.UUID, sending_access_point: str) -> dict:
    return {
        "transfer_id": str(transfer_id),
        "envelope": f"{transfer_id}.xml",
        "sending_access_point": sending_access_point,
        "arrived_at": timezone.now().isoformat(),
        **{
            name: values[name]
            for name in ("size", "sha256", "sender", "recipient", "document_type", "conversation_id")
        },
    }


def files_in(drop: Path) -> list[str]:
    return sorted(path.name for path in drop.rglob("*") if path.is_file())


def test_a_message_and_its_receipt_go_through_the_directory(world, drop):
    message_id = orders.order(world.message(), actor="Karin")
    work_through(world)
    handed_over = delivery_of(world.sender.participant.value, message_id)
    assert handed_over.state is OutgoingState.SUBMITTED
    assert not handed_over.may_be_cancelled, "the gateway may have found it"
    with pytest.raises(resend.HasLeft):
        resend.cancel(world.sender.participant.value, message_id, actor="Karin")
    assert carry(world, drop) == 1
    work_through(world)
    assert MailboxMessage.objects.filter(message_id=message_id, direction="in").count() == 1
    assert carry(world, drop) == 1, "the message receipt"
    work_through(world)
    delivery = delivery_of(world.sender.participant.value, message_id)
    assert delivery.state is OutgoingState.ACCEPTED
    assert [event.name for event in delivery.events][-4:] == [
        "TRANSPORT_RECEIPT",
        "ACKNOWLEDGE",
        "WAITING_FOR_RECEIPT",
        "ACCEPTED",
    ]
    assert carry(world, drop) == 0
    assert files_in(drop) == []
    evidence = evidence_of(world.sender.participant.value, message_id, was_sent=True)
    with evidence[Kind.TRANSPORT_RECEIPT].open() as receipt:
        assert receipt.read() == b"<receipt/>"


def test_a_notice_counts_only_when_all_that_it_names_is_there(world, drop, monkeypatch):
    """The envelope has its name before the notice has; a death between the two leaves it to be done again."""
    orders.order(world.message(), actor="Karin")
    world.pump()
    row = DroppedTransfer.objects.get()

    class Dies(BaseException):
        pass

    def dies(*_):
        raise Dies

    monkeypatch.setattr(files, "put_notice", dies)
    with pytest.raises(Dies):
        outbound.write(row.pk)
    assert files_in(drop) == [f"{row.pk}.xml"]
    monkeypatch.undo()
    row.refresh_from_db()
    assert row.due_at is not None
    DroppedTransfer.objects.update(lease_until=timezone.now())
    outbound.write(row.pk)
    assert files_in(drop) == [f"{row.pk}.json", f"{row.pk}.xml"]
    outbound.write(row.pk)
    row.refresh_from_db()
    assert (row.state, row.due_at) == (row.State.PLACED, None)


def test_a_directory_that_cannot_be_written_to_keeps_the_message_waiting(world, drop):
    orders.order(world.message(), actor="Karin")
    world.pump()
    row = DroppedTransfer.objects.get()
    (drop / "out").rmdir()
    (drop / "out").write_text("a file where the directory should be")
    outbound.write(row.pk)
    row.refresh_from_db()
    assert row.state == row.State.PENDING
    assert row.due_at > timezone.now()
    (drop / "out").unlink()
    DroppedTransfer.objects.update(due_at=timezone.now())
    work_through(world)
    assert carry(world, drop) == 1


@pytest.mark.parametrize("times", [1, 2])
def test_a_notice_that_comes_twice_is_processed_once(world, drop, monkeypatch, times):
    """The worker dies after its commit, before the files are gone; with a notice written twice besides."""
    message_id = orders.order(world.message(), actor="Karin")
    work_through(world)
    (notice,) = (drop / "out").glob("*.json")
    values = json.loads(notice.read_text())
    carry(world, drop)
    if times == 2:
        (first,) = (drop / "in").glob("*.json")
        (drop / "in" / "again.json").write_bytes(first.read_bytes())
    kept = {path: path.read_bytes() for path in drop.rglob("*") if path.is_file()}
    inbound.poll_directory()
    for path, content in kept.items():
        path.write_bytes(content)
    inbound.poll_directory()
    work_through(world)
    assert files_in(drop) == sorted(f"{row.pk}{suffix}" for row in receipts() for suffix in (".json", ".xml"))
    assert MailboxMessage.objects.filter(message_id=message_id, direction="in").count() == 1
    assert FoundTransfer.objects.count() == 1
    events = OutgoingMessage.objects.get(pk=values["reference"]).events.filter(name="TRANSPORT_RECEIPT")
    assert events.count() == 1


def receipts():
    return DroppedTransfer.objects.filter(
        pk__in=OutgoingMessage.objects.filter(kind=OutgoingMessage.Kind.RECEIPT)
    )


def test_an_envelope_is_removed_only_when_it_is_stored_and_committed(world, drop, monkeypatch):
    orders.order(world.message(), actor="Karin")
    work_through(world)
    carry(world, drop)
    before = files_in(drop)

    def fails(*_):
        raise RuntimeError("the message service cannot take it now")

    monkeypatch.setattr("transport.message_service.adapter.OwnMessageService.envelope_arrived", fails)
    with pytest.raises(RuntimeError):
        inbound.poll_directory()
    assert [name for name in files_in(drop) if name in before and name.endswith(".xml")]
    assert not FoundTransfer.objects.exists()
    assert default_storage.listdir("found")[1] == [] or not any(
        Path(default_storage.path("found")).rglob("*-*")
    )
    monkeypatch.undo()
    work_through(world)
    assert IncomingMessage.objects.count() == 1


def test_a_gateway_that_still_writes_to_the_former_directory_is_read(world, drop):
    message_id = orders.order(world.message(), actor="Karin")
    work_through(world)
    row = DroppedTransfer.objects.get()
    assert not (drop / "told").exists(), "it is not made where nobody uses it"
    (drop / "told").mkdir()
    (drop / "told" / "1.receipt").write_bytes(b"<receipt/>")
    write(drop / "told" / "1.json", reference=str(row.pk), outcome="delivered", receipt="1.receipt")
    assert inbound.poll_directory() == 1
    assert delivery_of(world.sender.participant.value, message_id).state is OutgoingState.WAITING_FOR_RECEIPT
    assert not list((drop / "told").iterdir())


@pytest.mark.parametrize("outcome", ["resending", "failed"])
def test_a_failed_transfer_is_shown_to_the_sender(world, drop, outcome):
    message_id = orders.order(world.message(), actor="Karin")
    work_through(world)
    row = DroppedTransfer.objects.get()
    write(drop / "status" / "1.json", reference=str(row.pk), outcome=outcome, cause="unreachable")
    inbound.poll_directory()
    delivery = delivery_of(world.sender.participant.value, message_id)
    state = {
        "resending": OutgoingState.SCHEDULED_FOR_RESEND,
        "failed": OutgoingState.MESSAGE_EXCHANGE_ERROR,
    }[outcome]
    assert (delivery.state, delivery.events[-1].cause) == (state, "unreachable")
    write(drop / "status" / "2.json", reference=str(row.pk), outcome="delivered")
    inbound.poll_directory()
    later = delivery_of(world.sender.participant.value, message_id).state
    assert later is (OutgoingState.WAITING_FOR_RECEIPT if outcome == "resending" else state)


GOOD = {
    "transfer_id": "8d0ff2a6-6f0c-4f0c-9f39-1c0a6f1f2a11",
    "envelope": "a.xml",
    "size": 4,
    "sha256": hashlib.sha256(b"<a/>").hexdigest(),
    "sender": "0203:a.se",
    "recipient": "0203:b.se",
    "document_type": {"identifier": "x", "scheme": "y"},
    "conversation_id": "c",
    "sending_access_point": "AP",
    "arrived_at": "2026-11-24T12:00:00Z",
}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"transfer_id": "no"}, "transfer_id is no UUID"),
        ({"size": "4"}, "size is no number of bytes"),
        ({"size": True}, "size is no number of bytes"),
        ({"sender": "somebody"}, "sender is no participant identifier"),
        ({"document_type": "x"}, "document_type is no object"),
        ({"arrived_at": "today"}, "arrived_at is no time"),
        ({"arrived_at": "2026-11-24T12:00:00"}, "arrived_at has no time zone"),
        ({"envelope": "../a.xml"}, "envelope is no name of a file beside the notice"),
        ({"envelope": None}, "envelope is missing"),
        ({"conversation_id": 7}, "conversation_id is no text"),
        ({}, "recipient or document type is not served here"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_a_notice_that_cannot_be_processed_is_rejected_with_the_reason(world, drop, changes, reason):
    (drop / "in" / "a.xml").write_bytes(b"<a/>")
    write(drop / "in" / "a.json", **{**GOOD, **changes})
    inbound.poll_directory()
    assert files_in(drop) == ["a.json", "a.json.why", "a.xml"]
    assert (drop / "rejected" / "a.json.why").read_text() == f"{reason}\n"
    assert not FoundTransfer.objects.exists()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda file: file.write_bytes(file.read_bytes() + b" "),
        lambda file: file.write_bytes(file.read_bytes()[:-1]),
        lambda file: file.write_bytes(file.read_bytes().replace(b"0203", b"0204")),
        lambda file: file.unlink(),
        lambda file: (file.rename(file.with_suffix(".other")), file.symlink_to(file.with_suffix(".other"))),
    ],
    ids=["longer", "shorter", "changed", "gone", "a link"],
)
def test_an_envelope_that_is_not_what_the_notice_says_is_not_taken(world, drop, spoil):
    orders.order(world.message(), actor="Karin")
    work_through(world)
    carry(world, drop)
    (file,) = (drop / "in").glob("*.xml")
    spoil(file)
    inbound.poll_directory()
    assert len(list((drop / "rejected").glob("*.why"))) == 1
    assert not FoundTransfer.objects.exists()


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '"a"', "{" * 100_000], ids=["empty", "list", "half", "text", "deep"]
)
def test_what_is_no_notice_is_rejected(world, drop, text):
    (drop / "status" / "a.json").write_text(text)
    inbound.poll_directory()
    assert files_in(drop) == ["a.json", "a.json.why"]


def test_files_that_are_being_written_are_left_alone(world, drop):
    (drop / "in" / ".a.json.part").write_text("{")
    (drop / "in" / ".b.json").write_text("{")
    (drop / "in" / "b.xml").write_text("<")
    assert inbound.poll_directory() == 0
    assert files_in(drop) == [".a.json.part", ".b.json", "b.xml"]


def test_the_check_says_what_to_set(drop, settings, tmp_path):
    assert directory_is_set() == []
    for directory, code in (("", "directory_drop.E001"), (str(tmp_path / "away"), "directory_drop.E002")):
        settings.SDK_DROP_DIR = directory
        assert [error.id for error in directory_is_set()] == [code]
    settings.SDK_ACCESS_POINT_ADAPTER = "transport.access_point.adapter.OwnAccessPoint"
    assert directory_is_set() == []
