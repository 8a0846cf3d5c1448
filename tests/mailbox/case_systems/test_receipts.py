"""What counts as a receipt, and what happens to what does not."""

import json
import os
import uuid

import pytest

from mailbox.case_systems import deliveries, polling, receipts
from mailbox.models import CaseDelivery, CaseSystem, ConversationEvent, FunctionMailbox
from tests.mailbox.build import a_member

from .build import a_case_system, answers, handed_over, ordered, polled, refuses

pytestmark = pytest.mark.django_db
ID = "6f1c3c0e-5f0b-4d55-9a57-0d1f0a3c1d10"
ACCEPTED = {"delivery_id": ID, "status": "accepted", "case_number": "KS 2026/1"}
REFUSED = {"delivery_id": ID, "status": "refused", "reason": "Fel diarium"}


def rejected(folder) -> list[str]:
    return sorted(path.name for path in (folder / "rejected").iterdir())


def aged(path) -> None:
    old = path.stat().st_mtime - 3600
    os.utime(path, (old, old))


def test_acceptance_and_refusal_are_read():
    read = receipts.read(json.dumps(ACCEPTED | {"reference": "akt 7"}).encode())
    assert (read.is_accepted, read.case_number, read.reference) == (True, "KS 2026/1", "akt 7")
    read = receipts.read(json.dumps(REFUSED).encode())
    assert (read.is_accepted, read.reason) == (False, "Fel diarium")


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (b"", "not-json"),
        (b"{", "not-json"),
        (b"\xff\xfe", "not-json"),
        (b"[" * 100_000, "too-large"),
        (b"[" * 50_000, "not-json"),
        (b"[]", "not-an-object"),
        (b'"text"', "not-an-object"),
        (b"{}", "status"),
        (json.dumps(ACCEPTED | {"status": "done"}).encode(), "status"),
        (json.dumps(ACCEPTED | {"status": ["accepted"]}).encode(), "status"),
        (json.dumps(ACCEPTED | {"status": None}).encode(), "status"),
        (json.dumps(ACCEPTED | {"more": 1}).encode(), "unknown-field"),
        (json.dumps(ACCEPTED | {"reason": "x"}).encode(), "unknown-field"),
        (json.dumps(REFUSED | {"case_number": "x"}).encode(), "unknown-field"),
        (b'{"status": "refused", "status": "accepted"}', "field-twice"),
        (json.dumps(ACCEPTED | {"delivery_id": "x"}).encode(), "delivery-id"),
        (json.dumps(ACCEPTED | {"delivery_id": 7}).encode(), "delivery-id"),
        (json.dumps(ACCEPTED | {"delivery_id": f"{{{ID}}}"}).encode(), "delivery-id"),
        (json.dumps({"delivery_id": ID, "status": "accepted"}).encode(), "case-number"),
        (json.dumps(ACCEPTED | {"case_number": " "}).encode(), "case-number"),
        (json.dumps(ACCEPTED | {"case_number": "1" * 61}).encode(), "case-number"),
        (json.dumps(ACCEPTED | {"case_number": "1\x002"}).encode(), "case-number"),
        (json.dumps(ACCEPTED | {"case_number": "1\n2"}).encode(), "case-number"),
        (json.dumps(ACCEPTED | {"case_number": "\ud800"}).encode(), "case-number"),
        (json.dumps(ACCEPTED | {"case_number": 2026}).encode(), "case-number"),
        (json.dumps(ACCEPTED | {"reference": "x" * 201}).encode(), "reference"),
        (json.dumps(REFUSED | {"reason": ""}).encode(), "reason"),
        (json.dumps({"delivery_id": ID, "status": "refused"}).encode(), "reason"),
    ],
)
def test_everything_else_is_refused_with_a_code(document, reason):
    with pytest.raises(receipts.ReceiptInvalid) as refused:
        receipts.read(document)
    assert refused.value.reason == reason


def test_a_half_written_receipt_is_left_until_it_is_whole(mailbox, karin, system, folder):
    delivery = handed_over(mailbox, karin, system)
    path = folder / "receipts" / "kvittens.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'{{"delivery_id": "{delivery.pk}", "stat')
    polled()
    assert path.exists()
    answers(folder, delivery.pk, name="kvittens.json")
    polled()
    delivery.refresh_from_db()
    assert delivery.state == "acknowledged"
    assert not path.exists()


def test_one_that_stays_half_is_set_aside_and_shown(mailbox, karin, system, folder):
    path = folder / "receipts" / "kvittens.json"
    path.parent.mkdir(parents=True)
    path.write_text('{"delivery_id": "')
    aged(path)
    polled()
    system.refresh_from_db()
    assert rejected(folder) == ["kvittens.json"]
    assert (system.rejected_count, system.latest_rejection) == (1, "not-json")
    (folder / "rejected" / "kvittens.json").unlink()
    polled()
    system.refresh_from_db()
    assert (system.rejected_count, system.latest_rejection) == (0, "")


def test_files_with_other_names_are_left_alone(system, folder):
    (folder / "receipts").mkdir(parents=True)
    for name in (".half.json", "kvittens.json.part", "anteckning.txt"):
        (folder / "receipts" / name).write_text("{}")
    polled()
    assert len(list((folder / "receipts").iterdir())) == 3


def test_links_pipes_and_directories_are_set_aside_and_not_read(system, folder, tmp_path):
    secret = tmp_path / "annans.json"
    secret.write_text(json.dumps(ACCEPTED))
    (folder / "receipts").mkdir(parents=True)
    (folder / "receipts" / "lank.json").symlink_to(secret)
    os.mkfifo(folder / "receipts" / "ror.json")
    (folder / "receipts" / "katalog.json").mkdir()
    polled()
    assert rejected(folder) == ["katalog.json", "lank.json", "ror.json"]
    assert secret.exists()


def test_a_receipt_that_comes_twice_changes_nothing(mailbox, karin, system, folder):
    delivery = handed_over(mailbox, karin, system)
    answers(folder, delivery.pk, name="1.json")
    answers(folder, delivery.pk, name="2.json")
    polled()
    answers(folder, delivery.pk)
    polled()
    assert ConversationEvent.objects.filter(what="case-ack").count() == 1
    assert rejected(folder) == []


@pytest.mark.parametrize("first", ["accepted", "refused"])
def test_a_receipt_that_says_otherwise_is_set_aside(mailbox, karin, system, folder, first):
    delivery = handed_over(mailbox, karin, system)
    given = [lambda: answers(folder, delivery.pk), lambda: refuses(folder, delivery.pk)]
    for answer in given if first == "accepted" else reversed(given):
        answer()
        polled()
    delivery.refresh_from_db()
    system.refresh_from_db()
    assert delivery.state == ("acknowledged" if first == "accepted" else "failed")
    assert (system.rejected_count, system.latest_rejection) == (1, "answered-otherwise")


def test_a_receipt_of_a_withdrawn_delivery_is_ignored(mailbox, karin, system, folder):
    delivery = handed_over(mailbox, karin, system)
    deliveries.withdraw(delivery.pk, karin)
    answers(folder, delivery.pk)
    polled()
    delivery.refresh_from_db()
    assert (delivery.state, delivery.case_number) == ("withdrawn", "")
    assert list((folder / "receipts").iterdir()) == []


def test_a_receipt_of_what_was_never_handed_over_is_set_aside(mailbox, karin, system, folder):
    delivery = ordered(mailbox, karin, system)
    path = answers(folder, delivery.pk)
    polling.poll()
    delivery.refresh_from_db()
    assert delivery.state == "waiting"
    assert not path.exists()


def test_a_receipt_of_another_organisations_delivery_has_no_effect(
    mailbox, karin, system, folder, directory, caplog
):
    delivery = handed_over(mailbox, karin, system)
    other = FunctionMailbox.objects.create(
        participant_id="0203:annan.se", address="funktion-b", name="Annans"
    )
    theirs = a_case_system(other, name="Annans", folder="diariet")
    a_member("Annan", other)
    place = directory / "0203%3Aannan.se" / "diariet"
    answers(place, delivery.pk)
    polled()
    delivery.refresh_from_db()
    theirs.refresh_from_db()
    assert delivery.state == "delivered"
    assert theirs.latest_rejection == "unknown-delivery"
    assert "3117" not in caplog.text
    assert str(delivery.pk) not in caplog.text
    # Nor does one of the same organisation's other case system.
    second = a_case_system(mailbox, name="E-arkivet", folder="arkivet")
    answers(folder.with_name("arkivet"), delivery.pk)
    polled()
    second.refresh_from_db()
    assert CaseDelivery.objects.get(pk=delivery.pk).state == "delivered"
    assert second.latest_rejection == "unknown-delivery"


def test_one_directory_that_fails_does_not_keep_others_from_being_read(mailbox, karin, system, folder):
    a_case_system(mailbox, name="A trasig", folder="trasig")
    broken = folder.with_name("trasig")
    folder.parent.mkdir(exist_ok=True)
    broken.write_text("ingen katalog")
    delivery = handed_over(mailbox, karin, system)
    answers(folder, delivery.pk)
    polled()
    delivery.refresh_from_db()
    assert delivery.state == "acknowledged"


def test_nothing_is_read_of_a_case_system_that_is_not_confirmed(mailbox, karin, system, folder):
    delivery = handed_over(mailbox, karin, system)
    CaseSystem.objects.update(is_confirmed=False)
    answers(folder, delivery.pk)
    polled()
    delivery.refresh_from_db()
    assert delivery.state == "delivered"


def test_many_receipts_are_read_in_the_order_of_their_names(mailbox, karin, system, folder):
    found = [handed_over(mailbox, karin, system) for _ in range(2)]
    for delivery in found:
        answers(folder, delivery.pk)
    polled()
    assert set(CaseDelivery.objects.values_list("state", flat=True)) == {"acknowledged"}


def test_an_unknown_id_is_set_aside(system, folder):
    answers(folder, uuid.uuid4())
    polled()
    assert len(rejected(folder)) == 1
