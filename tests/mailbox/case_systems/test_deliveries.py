"""Orders, attempts, receipts and ends of deliveries."""

import hashlib
import io
import json
import os
import uuid
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection, transaction
from django.utils import timezone

from mailbox.archive import check_bundle
from mailbox.case_systems import deliveries, directory, packages
from mailbox.case_systems.connector import CannotHandOver
from mailbox.case_systems.deliveries import MOST_ATTEMPTS
from mailbox.conversations import assignment, case_deliveries, state_changes, undo
from mailbox.models import (
    AccessLogEntry,
    CaseDelivery,
    CaseSystem,
    CaseSystemMailbox,
    Conversation,
    FunctionMailbox,
    Membership,
    Registration,
)
from mailbox.registration.entries import register, withdraw
from mailbox.rendering import RenderingFailed
from tests.mailbox.build import a_member
from tests.mailbox.registration.build import CASE, MINOR

from .build import (
    a_case_system,
    a_registered,
    another_message,
    answers,
    handed_over,
    later,
    ordered,
    polled,
    refuses,
    work_on_due,
)

pytestmark = pytest.mark.django_db
Cause = CaseDelivery.Cause


def names(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.iterdir()) if path.is_dir() else []


def history(conversation) -> list[str]:
    return [what for what in conversation.events.values_list("what", flat=True) if what.startswith("case-")]


def logged() -> list[str]:
    rows = AccessLogEntry.objects.filter(what__startswith="case-").order_by("number")
    return list(rows.values_list("what", flat=True))


def fail(monkeypatch, error=None):
    def hand_over(self, system, package):
        raise error or CannotHandOver(Cause.DIRECTORY)

    monkeypatch.setattr(directory.DirectoryConnector, "hand_over", hand_over)


@pytest.mark.usefixtures("drawn_pages")
def test_a_registered_conversation_is_handed_over_whole(mailbox, karin, system, folder):
    delivery = handed_over(mailbox, karin, system)
    assert names(folder / "packages") == [f"{delivery.pk}.json", f"{delivery.pk}.zip"]
    content = (folder / "packages" / f"{delivery.pk}.zip").read_bytes()
    told = json.loads((folder / "packages" / f"{delivery.pk}.json").read_text())
    assert told["delivery_id"] == str(delivery.pk)
    assert told["package"] == f"{delivery.pk}.zip"
    assert (told["size"], told["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
    assert told["case_numbers"] == ["KS 2026/3117"]
    assert told["organisation"] == "0203:habo.se"
    with zipfile.ZipFile(io.BytesIO(content)) as bundle:
        assert "conversation.pdf" in bundle.namelist()
    assert list(check_bundle(folder / "packages" / f"{delivery.pk}.zip")) == []
    assert history(delivery.conversation) == ["case-ordered", "case-handed"]
    assert logged() == ["case-delivery-ordered", "case-delivery-made"]


def test_the_receipt_has_the_case_number_and_ends_it(mailbox, karin, system, folder):
    delivery = handed_over(mailbox, karin, system)
    stored = delivery.package_name
    answers(folder, delivery.pk, status="accepted", case_number="KS 2026/3117", reference="akt 12")
    polled()
    delivery.refresh_from_db()
    assert (delivery.state, delivery.case_number, delivery.reference) == (
        "acknowledged",
        "KS 2026/3117",
        "akt 12",
    )
    # Nothing is left behind: neither in the directory nor here.
    assert names(folder / "packages") == names(folder / "receipts") == names(folder / "rejected") == []
    assert (delivery.package_name, delivery.due_at) == ("", None)
    with pytest.raises(FileNotFoundError):
        packages.blobs.open_stored(stored, delivery.package_binding)
    assert history(delivery.conversation)[-1] == "case-ack"
    assert logged()[-1] == "case-delivery-acknowledged"


def test_case_number_and_reference_are_sealed_in_the_database(mailbox, karin, system, folder):
    delivery = handed_over(mailbox, karin, system)
    answers(folder, delivery.pk)
    polled()
    with connection.cursor() as cursor:
        cursor.execute("SELECT case_number FROM mailbox_casedelivery")
        assert "3117" not in cursor.fetchone()[0]


def test_what_is_not_registered_is_not_handed_over(mailbox, karin, system):
    conversation = a_registered(mailbox, karin)
    another_message(conversation)
    Conversation.objects.filter(pk=conversation.pk).update(registration_state="pending")
    with pytest.raises(case_deliveries.NotRegistered):
        case_deliveries.order(conversation.pk, karin, system.pk)


def test_what_is_of_minor_importance_is_not_handed_over(mailbox, karin, system):
    conversation = a_registered(mailbox, karin)
    made = Registration.objects.get(conversation=conversation)
    withdraw(made, karin, "Fel")
    register(conversation.pk, karin, MINOR)
    with pytest.raises(case_deliveries.NotRegistered):
        case_deliveries.order(conversation.pk, karin, system.pk)


def test_a_mailbox_hands_over_only_where_it_may(mailbox, karin, system):
    conversation = a_registered(mailbox, karin)
    other_mailbox = FunctionMailbox.objects.create(
        participant_id="0203:annan.se", address="funktion-x", name="Annans"
    )
    elsewhere = a_case_system(other_mailbox, name="Annans")
    off = a_case_system(mailbox, name="Avstängt", folder="av", is_enabled=False)
    unconfirmed = a_case_system(mailbox, name="Obekräftat", folder="ob", is_confirmed=False)
    # A row that should not be: another organisation's system for this mailbox.
    CaseSystemMailbox.objects.create(case_system=elsewhere, mailbox=mailbox)
    for other in (elsewhere, off, unconfirmed):
        with pytest.raises(case_deliveries.NotAllowed):
            case_deliveries.order(conversation.pk, karin, other.pk)


def test_only_a_member_orders_and_a_former_one_does_not(mailbox, karin, system):
    conversation = a_registered(mailbox, karin)
    Membership.objects.filter(person=karin).update(ends_at=timezone.now())
    with pytest.raises(assignment.NotAMember):
        case_deliveries.order(conversation.pk, karin, system.pk)


def test_an_order_that_is_repeated_is_the_same_order(mailbox, karin, system):
    conversation = a_registered(mailbox, karin)
    first = case_deliveries.order(conversation.pk, karin, system.pk)
    assert case_deliveries.order(conversation.pk, karin, system.pk) == first
    deliveries.work_on(first.pk)
    assert case_deliveries.order(conversation.pk, karin, system.pk) == first


def test_what_came_since_the_package_was_made_is_ordered_anew(mailbox, karin, system):
    delivery = handed_over(mailbox, karin, system)
    another_message(delivery.conversation)
    register(delivery.conversation_id, karin, CASE)
    assert case_deliveries.order(delivery.conversation_id, karin, system.pk) != delivery


def test_registration_hands_over_by_itself_where_the_mailbox_wants_it(mailbox, karin, system):
    CaseSystemMailbox.objects.update(delivers_at="registered")
    conversation = a_registered(mailbox, karin)
    delivery = CaseDelivery.objects.get(conversation=conversation)
    assert (delivery.trigger, delivery.ordered_by) == ("registered", None)
    work_on_due()
    delivery.refresh_from_db()
    assert delivery.state == "delivered"


def test_done_hands_over_by_itself_once_it_cannot_be_undone(mailbox, karin, system):
    CaseSystemMailbox.objects.update(delivers_at="done")
    conversation = a_registered(mailbox, karin)
    assert not CaseDelivery.objects.exists()
    done = state_changes.finish(conversation.pk, karin)
    delivery = CaseDelivery.objects.get()
    assert delivery.due_at > timezone.now() + timedelta(seconds=undo.UNDO_SECONDS)
    undo.undo(done.pk, karin)
    later(delivery)
    work_on_due()
    delivery.refresh_from_db()
    assert (delivery.state, delivery.cause, delivery.newest_message) == ("withdrawn", "reopened", None)
    state_changes.finish(conversation.pk, karin)
    assert CaseDelivery.objects.filter(state="waiting").count() == 1


def test_done_without_registration_hands_nothing_over(mailbox, karin, system):
    CaseSystemMailbox.objects.update(delivers_at="done")
    conversation = a_registered(mailbox, karin)
    withdraw(Registration.objects.get(), karin, "Fel")
    state_changes.finish(conversation.pk, karin)
    assert not CaseDelivery.objects.exists()


def test_what_the_receiver_has_is_not_handed_over_by_itself_again(mailbox, karin, system, folder):
    CaseSystemMailbox.objects.update(delivers_at="done")
    conversation = a_registered(mailbox, karin)
    state_changes.finish(conversation.pk, karin)
    delivery = CaseDelivery.objects.get()
    later(delivery)
    work_on_due()
    answers(folder, delivery.pk)
    polled()
    state_changes.reopen(conversation.pk, karin)
    state_changes.finish(conversation.pk, karin)
    assert CaseDelivery.objects.count() == 1


def test_a_registration_that_was_withdrawn_meanwhile_stops_it(mailbox, karin, system, folder):
    delivery = ordered(mailbox, karin, system)
    withdraw(Registration.objects.get(), karin, "Fel ärende")
    work_on_due()
    delivery.refresh_from_db()
    assert (delivery.state, delivery.cause) == ("withdrawn", "not-registered")
    assert names(folder / "packages") == []


def test_a_mailbox_that_may_no_longer_hand_over_is_seen_as_failed(mailbox, karin, system, folder):
    delivery = ordered(mailbox, karin, system)
    CaseSystemMailbox.objects.all().delete()
    work_on_due()
    delivery.refresh_from_db()
    assert (delivery.state, delivery.cause, delivery.due_at) == ("failed", "not-allowed", None)
    assert names(folder / "packages") == []


@pytest.mark.parametrize("change", [{"is_enabled": False}, {"is_confirmed": False}])
def test_a_case_system_that_is_off_or_not_confirmed_gets_nothing(mailbox, karin, system, folder, change):
    delivery = ordered(mailbox, karin, system)
    CaseSystem.objects.update(**change)
    for _ in range(MOST_ATTEMPTS + 2):
        later(delivery)
        work_on_due()
    delivery.refresh_from_db()
    assert (delivery.state, delivery.cause, delivery.attempts) == ("waiting", "paused", 0)
    assert names(folder / "packages") == []
    CaseSystem.objects.update(is_enabled=True, is_confirmed=True)
    later(delivery)
    work_on_due()
    delivery.refresh_from_db()
    assert delivery.state == "delivered"


def test_failures_are_tried_again_after_pauses_that_grow_and_then_stop(mailbox, karin, system, monkeypatch):
    fail(monkeypatch)
    delivery = ordered(mailbox, karin, system)
    pauses = []
    while True:
        work_on_due()
        delivery.refresh_from_db()
        assert (delivery.state, delivery.cause) == ("failed", "directory")
        if delivery.due_at is None:
            break
        pauses.append(round((delivery.due_at - timezone.now()).total_seconds() / 60))
        later(delivery)
    assert len(pauses) == MOST_ATTEMPTS - 1
    assert pauses[:4] == [1, 2, 4, 8]
    assert pauses[-1] == 360
    assert history(delivery.conversation) == ["case-ordered", "case-failed"]


def test_every_attempt_hands_over_the_same_package_under_the_same_id(mailbox, karin, system, monkeypatch):
    given = []

    def hand_over(self, system, package):
        with package.open() as source:
            given.append((package.delivery_id, package.sha256, source.read()))
        raise CannotHandOver(Cause.DIRECTORY)

    monkeypatch.setattr(directory.DirectoryConnector, "hand_over", hand_over)
    delivery = ordered(mailbox, karin, system)
    work_on_due()
    another_message(delivery.conversation)
    later(delivery)
    work_on_due()
    assert given[0] == given[1]


def test_an_unforeseen_error_is_tried_again(mailbox, karin, system, monkeypatch, caplog):
    fail(monkeypatch, RuntimeError("KS 2026/3117"))
    delivery = ordered(mailbox, karin, system)
    work_on_due()
    delivery.refresh_from_db()
    assert (delivery.state, delivery.cause) == ("failed", "unexpected")
    assert "3117" not in caplog.text


def test_a_page_that_cannot_be_made_is_tried_again(mailbox, karin, system, monkeypatch):
    def write_bundle(*args, **kwargs):
        raise RenderingFailed("no")

    monkeypatch.setattr(packages, "write_bundle", write_bundle)
    delivery = ordered(mailbox, karin, system)
    work_on_due()
    delivery.refresh_from_db()
    assert (delivery.state, delivery.cause) == ("failed", "package")


def test_what_stopped_is_retried_by_a_button(mailbox, karin, system, monkeypatch):
    with monkeypatch.context() as patch:
        fail(patch)
        delivery = ordered(mailbox, karin, system)
        for _ in range(MOST_ATTEMPTS):
            later(delivery)
            work_on_due()
    deliveries.retry(delivery.pk, karin)
    work_on_due()
    delivery.refresh_from_db()
    assert (delivery.state, delivery.cause) == ("delivered", "")


def test_what_kills_its_worker_every_time_stops_too(mailbox, karin, system):
    delivery = ordered(mailbox, karin, system)
    for _ in range(MOST_ATTEMPTS):
        assert CaseDelivery.claim(delivery.pk)
        CaseDelivery.objects.update(lease_until=timezone.now())
    deliveries.work_on(delivery.pk)
    delivery.refresh_from_db()
    assert (delivery.state, delivery.cause, delivery.due_at) == ("failed", "unexpected", None)


class Killed(BaseException):
    """The worker is killed."""


def killed_at(monkeypatch, target, name, delivery):
    """A worker that is killed when it is about to call a function."""

    def die(*args, **kwargs):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(target, name, die)
        with pytest.raises(Killed):
            deliveries.work_on(delivery.pk)


def expired(delivery):
    CaseDelivery.objects.filter(pk=delivery.pk).update(lease_until=timezone.now())


def test_a_kill_between_rename_and_commit_hands_over_twice_under_one_id(
    mailbox, karin, system, folder, monkeypatch
):
    delivery = ordered(mailbox, karin, system)
    killed_at(monkeypatch, deliveries, "_succeed", delivery)
    first = (folder / "packages" / f"{delivery.pk}.zip").read_bytes()
    # Nobody else works on it while the lease runs.
    deliveries.work_on(delivery.pk)
    delivery.refresh_from_db()
    assert delivery.state == "waiting"
    expired(delivery)
    work_on_due()
    delivery.refresh_from_db()
    assert delivery.state == "delivered"
    assert names(folder / "packages") == [f"{delivery.pk}.json", f"{delivery.pk}.zip"]
    assert (folder / "packages" / f"{delivery.pk}.zip").read_bytes() == first


def test_a_receipt_that_comes_before_the_commit_counts(mailbox, karin, system, folder, monkeypatch):
    delivery = ordered(mailbox, karin, system)
    killed_at(monkeypatch, deliveries, "_succeed", delivery)
    answers(folder, delivery.pk)
    polled()
    delivery.refresh_from_db()
    assert delivery.state == "acknowledged"
    assert names(folder / "packages") == []


def test_a_kill_while_the_package_is_stored_leaves_no_file_for_ever(mailbox, karin, system, monkeypatch):
    delivery = ordered(mailbox, karin, system)
    killed_at(monkeypatch, CaseDelivery, "change", delivery)
    expired(delivery)
    work_on_due()
    delivery.refresh_from_db()
    assert delivery.state == "delivered"


@pytest.mark.parametrize("name", ["_succeed", "_fail"])
def test_an_end_that_comes_meanwhile_wins_and_leaves_no_files(
    mailbox, karin, system, folder, monkeypatch, name
):
    """Withdrawn while the package is being written: the result is not used, its files are removed."""
    delivery = ordered(mailbox, karin, system)
    original = directory.DirectoryConnector.hand_over

    def hand_over(self, system, package):
        deliveries.withdraw(delivery.pk, karin)
        deliveries.work_on(delivery.pk)
        original(self, system, package)
        if name == "_fail":
            raise CannotHandOver(Cause.DIRECTORY)

    monkeypatch.setattr(directory.DirectoryConnector, "hand_over", hand_over)
    deliveries.work_on(delivery.pk)
    delivery.refresh_from_db()
    assert delivery.state == "withdrawn"
    work_on_due()
    assert names(folder / "packages") == []


def test_withdrawing_removes_what_has_not_been_taken(mailbox, karin, system, folder):
    delivery = handed_over(mailbox, karin, system)
    deliveries.withdraw(delivery.pk, karin)
    deliveries.withdraw(delivery.pk, karin)
    work_on_due()
    delivery.refresh_from_db()
    assert (delivery.state, delivery.package_name) == ("withdrawn", "")
    assert names(folder / "packages") == []
    assert history(delivery.conversation).count("case-undone") == 1


def test_what_was_acknowledged_is_not_withdrawn(mailbox, karin, system, folder):
    delivery = handed_over(mailbox, karin, system)
    answers(folder, delivery.pk)
    polled()
    with pytest.raises(deliveries.CannotWithdraw):
        deliveries.withdraw(delivery.pk, karin)
    with pytest.raises(deliveries.CannotRetry):
        deliveries.retry(delivery.pk, karin)


def test_a_former_member_neither_retries_nor_withdraws(mailbox, karin, system):
    delivery = handed_over(mailbox, karin, system)
    outsider = a_member("Utomstående")
    for act in (deliveries.retry, deliveries.withdraw):
        with pytest.raises(assignment.NotAMember):
            act(delivery.pk, outsider)


def test_a_refusal_is_shown_with_its_reason_and_retried_as_a_new_delivery(mailbox, karin, system, folder):
    delivery = handed_over(mailbox, karin, system)
    refuses(folder, delivery.pk)
    polled()
    delivery.refresh_from_db()
    assert (delivery.state, delivery.cause, delivery.refusal) == ("failed", "refused", "Fel diarium")
    deliveries.retry(delivery.pk, karin)
    delivery.refresh_from_db()
    assert delivery.state == "withdrawn"
    again = CaseDelivery.objects.exclude(pk=delivery.pk).get()
    work_on_due()
    again.refresh_from_db()
    assert again.state == "delivered"


def test_a_retry_of_what_was_refused_is_all_or_nothing(mailbox, karin, system, folder):
    delivery = handed_over(mailbox, karin, system)
    refuses(folder, delivery.pk)
    polled()
    CaseSystemMailbox.objects.all().delete()
    with pytest.raises(case_deliveries.NotAllowed), transaction.atomic():
        deliveries.retry(delivery.pk, karin)
    delivery.refresh_from_db()
    assert delivery.state == "failed"


def test_what_is_never_answered_is_handed_over_again_under_its_id(mailbox, karin, system, folder):
    delivery = handed_over(mailbox, karin, system)
    for path in (folder / "packages").iterdir():
        path.unlink()
    deliveries.retry(delivery.pk, karin)
    work_on_due()
    assert names(folder / "packages") == [f"{delivery.pk}.json", f"{delivery.pk}.zip"]


def test_packages_that_no_delivery_names_are_removed(mailbox, karin, system, settings, tmp_path):
    delivery = ordered(mailbox, karin, system)
    claimed = CaseDelivery.claim(delivery.pk)
    made = packages.make(claimed)
    path = Path(settings.MEDIA_ROOT) / made["package_name"]
    assert path.is_file()
    assert packages.remove_forgotten() == 0
    old = timezone.now().timestamp() - 7200
    os.utime(path, (old, old))
    assert packages.remove_forgotten() == 1
    assert not path.exists()


def test_an_unknown_delivery_is_not_worked_on(db):
    deliveries.work_on(uuid.uuid4())
