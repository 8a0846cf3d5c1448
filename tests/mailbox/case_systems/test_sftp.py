"""Case systems by SFTP, against a server of asyncssh's: what is put there, read there, and goes wrong."""

import hashlib
import json
import os
import socket
import threading
import time

import asyncssh
import pytest
from django.core import mail
from django.urls import reverse
from django.utils import timezone

from mailbox.case_systems import deliveries, polling, sftp, sftp_session, systems
from mailbox.case_systems.connector import CannotHandOver
from mailbox.models import AccessLogEntry, CaseDelivery, CaseSystem, CaseSystemMailbox, OrganisationRole
from tests.mailbox.build import a_member, log_in

from .build import answers, handed_over, ordered, refuses
from .sftp_server import SftpServer

pytestmark = pytest.mark.django_db
HERE = "0203:habo.se"
Cause = CaseDelivery.Cause


@pytest.fixture
def server(tmp_path):
    server = SftpServer(tmp_path / "server")
    (server.root / "sdk").mkdir()
    yield server
    server.stop()


@pytest.fixture
def eva(mailbox):
    person = a_member("Eva")
    person.mail_address = "eva@habo.se"
    person.save()
    OrganisationRole.objects.create(person=person, participant_id=HERE)
    return person


@pytest.fixture
def by_sftp(mailbox, server, eva, settings):
    """Set up as two administrators do."""
    settings.SDK_PRIVATE_NETWORKS = ["127.0.0.0/8"]
    settings.SDK_OPERATOR_MAIL = []
    made = systems.create(
        eva,
        HERE,
        name="Diariet",
        kind="sftp",
        folder="",
        webhook_url="",
        sftp_address=f"sftp://sdk@127.0.0.1:{server.port}/sdk",
    )
    server.allowed = sftp_session.fingerprint_of(made.sftp_public_key)
    CaseSystemMailbox.objects.create(case_system=made, mailbox=mailbox)
    systems.set_host_key(eva, made, sftp_session.fetch_host_key(made))
    CaseSystem.objects.update(is_confirmed=True)
    return CaseSystem.objects.get()


@pytest.fixture
def folder(server):
    return server.root / "sdk"


def names(folder, name: str) -> list[str]:
    return sorted(path.name for path in (folder / name).iterdir()) if (folder / name).exists() else []


def fetched(system: CaseSystem) -> CaseSystem:
    polling.fetch_from_server(str(system.pk))
    system.refresh_from_db()
    return system


def failed(delivery: CaseDelivery) -> str:
    deliveries.work_on(delivery.pk)
    delivery.refresh_from_db()
    assert delivery.state == "failed"
    assert delivery.due_at is not None
    return delivery.cause


def test_a_package_is_put_there_whole_and_its_receipt_is_applied(mailbox, karin, by_sftp, folder):
    delivery = handed_over(mailbox, karin, by_sftp)
    assert names(folder, "packages") == [f"{delivery.pk}.json", f"{delivery.pk}.zip"]
    told = json.loads((folder / "packages" / f"{delivery.pk}.json").read_bytes())
    package = (folder / "packages" / told["package"]).read_bytes()
    assert (len(package), hashlib.sha256(package).hexdigest()) == (told["size"], told["sha256"])
    answers(folder, delivery.pk)
    fetched(by_sftp)
    delivery.refresh_from_db()
    assert (delivery.state, delivery.case_number) == ("acknowledged", "KS 2026/3117")
    assert names(folder, "receipts") == []
    # What is left of it there is removed.
    deliveries.work_on(delivery.pk)
    assert names(folder, "packages") == []


def test_handing_over_again_replaces_what_is_there_also_without_posix_rename(
    mailbox, karin, by_sftp, folder, server
):
    server.faults.add("no posix rename")
    delivery = handed_over(mailbox, karin, by_sftp)
    deliveries.retry(delivery.pk, karin)
    deliveries.work_on(delivery.pk)
    delivery.refresh_from_db()
    assert delivery.state == "delivered"
    assert names(folder, "packages") == [f"{delivery.pk}.json", f"{delivery.pk}.zip"]


def test_a_refusal_is_applied_and_what_is_no_receipt_is_set_aside(mailbox, karin, by_sftp, folder):
    delivery = handed_over(mailbox, karin, by_sftp)
    refuses(folder, delivery.pk)
    receipts = folder / "receipts"
    old = time.time() - 3600
    for name, content in {
        "half.json": b'{"delivery_id": ',
        "large.json": b" " * 70_000,
        "unknown.json": json.dumps(
            {"delivery_id": "00000000-0000-4000-8000-000000000000", "status": "accepted", "case_number": "1"}
        ).encode(),
    }.items():
        (receipts / name).write_bytes(content)
        os.utime(receipts / name, (old, old))
    (receipts / "link.json").symlink_to("/etc/passwd")
    (receipts / "folder.json").mkdir()
    for name in (".hidden.json", "half.json.part", "åäö.json", "a b.json", "-x.json", "x" * 200 + ".json"):
        (receipts / name).write_bytes(b"{")
    row = fetched(by_sftp)
    delivery.refresh_from_db()
    assert (delivery.state, delivery.cause) == ("failed", "refused")
    assert names(folder, "rejected") == [
        "folder.json",
        "half.json",
        "large.json",
        "link.json",
        "unknown.json",
    ]
    assert row.rejected_count == 5
    # Names of no expected form are left alone.
    assert len(names(folder, "receipts")) == 6


def test_a_receipt_that_is_still_being_written_is_left_for_a_while(mailbox, karin, by_sftp, folder):
    delivery = handed_over(mailbox, karin, by_sftp)
    (folder / "receipts").mkdir()
    (folder / "receipts" / "a.json").write_bytes(b'{"delivery_id": ')
    fetched(by_sftp)
    assert names(folder, "receipts") == ["a.json"]
    answers(folder, delivery.pk, name="a.json")
    fetched(by_sftp)
    delivery.refresh_from_db()
    assert delivery.state == "acknowledged"


@pytest.mark.parametrize("fault", ["full disk", "half"])
def test_a_full_disk_and_half_a_package_leave_nothing_under_its_name(
    mailbox, karin, by_sftp, folder, server, fault
):
    delivery = ordered(mailbox, karin, by_sftp)
    server.faults.add(fault)
    assert failed(delivery) == Cause.DIRECTORY
    assert all(name.startswith(".") for name in names(folder, "packages"))
    server.faults.clear()
    CaseDelivery.objects.update(due_at=timezone.now())
    deliveries.work_on(delivery.pk)
    assert names(folder, "packages") == [f"{delivery.pk}.json", f"{delivery.pk}.zip"]


def test_a_changed_host_key_is_told_once_and_nothing_is_sent(mailbox, karin, by_sftp, folder, server, caplog):
    delivery = ordered(mailbox, karin, by_sftp)
    known, logins = server.host_key, server.logins
    server.restart_with(asyncssh.generate_private_key("ssh-ed25519"))
    assert failed(delivery) == Cause.HOST_KEY
    CaseDelivery.objects.update(due_at=timezone.now())
    assert failed(delivery) == Cause.HOST_KEY
    by_sftp.refresh_from_db()
    assert by_sftp.host_key_changed_at is not None
    # Our key was not even offered.
    assert server.logins == logins
    assert names(folder, "packages") == []
    assert [message.to for message in mail.outbox] == [["eva@habo.se"]]
    assert "värdnyckel" in mail.outbox[0].subject
    assert caplog.messages.count("case_system_host_key_changed") == 1
    assert AccessLogEntry.objects.filter(what="case-system-host-key-changed").count() == 1
    server.restart_with(known)
    CaseDelivery.objects.update(due_at=timezone.now())
    deliveries.work_on(delivery.pk)
    delivery.refresh_from_db()
    by_sftp.refresh_from_db()
    assert (delivery.state, by_sftp.host_key_changed_at) == ("delivered", None)


def test_a_server_that_nobody_has_compared_is_not_spoken_to(mailbox, karin, by_sftp, server):
    CaseSystem.objects.update(sftp_host_key="")
    logins = server.logins
    assert failed(ordered(mailbox, karin, CaseSystem.objects.get())) == Cause.HOST_KEY
    assert (server.logins, len(mail.outbox)) == (logins, 0)


@pytest.mark.parametrize("fault", ["another key", "no login"])
def test_a_server_that_lets_us_not_in_or_asks_for_nothing_gets_nothing(
    mailbox, karin, by_sftp, folder, server, fault
):
    delivery = ordered(mailbox, karin, by_sftp)
    if fault == "another key":
        server.allowed = "x"
    else:
        server.faults.add(fault)
    assert failed(delivery) == Cause.LOGIN
    assert names(folder, "packages") == []


def test_an_address_inside_the_network_is_refused(mailbox, karin, by_sftp, settings, server):
    settings.SDK_PRIVATE_NETWORKS = []
    logins = server.logins
    assert failed(ordered(mailbox, karin, by_sftp)) == Cause.ADDRESS
    assert server.logins == logins
    with pytest.raises(CannotHandOver) as found:
        sftp_session.fetch_host_key(by_sftp)
    assert found.value.cause == Cause.ADDRESS


def test_a_slow_server_is_left_at_the_deadline(by_sftp, server, monkeypatch):
    server.faults.add("slow")
    monkeypatch.setattr(sftp, "_SECONDS", 2.0)
    with pytest.raises(CannotHandOver) as found:
        sftp.try_out(by_sftp)
    assert found.value.cause == Cause.NO_ANSWER


@pytest.mark.parametrize("greeting", [b"", b"HTTP/1.1 200 OK\r\n\r\n", b"\x00" * 100_000])
def test_what_is_no_ssh_server_is_left_alone(by_sftp, monkeypatch, greeting):
    monkeypatch.setattr(sftp_session, "_CONNECT_SECONDS", 2.0)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        accepted = []

        def greet() -> None:
            connection, _ = listening.accept()
            accepted.append(connection)
            connection.sendall(greeting)

        thread = threading.Thread(target=greet, daemon=True)
        thread.start()
        by_sftp.sftp_address = f"sftp://sdk@127.0.0.1:{listening.getsockname()[1]}"
        with pytest.raises(CannotHandOver) as found:
            sftp.try_out(by_sftp)
        assert found.value.cause == Cause.NO_ANSWER
        thread.join(10)
        for connection in accepted:
            connection.close()


def test_a_server_is_asked_once_a_minute_while_a_receipt_is_awaited(mailbox, karin, by_sftp):
    assert polling._servers_to_ask() == []
    handed_over(mailbox, karin, by_sftp)
    assert polling._servers_to_ask() == [by_sftp.pk]
    assert polling._servers_to_ask() == []
    CaseSystem.objects.update(polled_at=None, is_enabled=False)
    assert polling._servers_to_ask() == []


def test_our_private_key_is_sealed_and_shown_nowhere(client, by_sftp, eva):
    log_in(client, eva)
    page = client.get(reverse("administration-case-system", args=[by_sftp.pk])).content.decode()
    assert "PRIVATE KEY" in by_sftp.sftp_private_key
    assert "PRIVATE KEY" not in page
    assert by_sftp.sftp_public_key in page
    assert by_sftp.sftp_public_key.startswith("ssh-ed25519 ")
    assert not AccessLogEntry.objects.filter(details__icontains="PRIVATE").exists()


def test_one_administrator_compares_the_host_key_and_another_confirms_it(client, by_sftp, eva, server):
    CaseSystem.objects.update(sftp_host_key="", is_confirmed=True)
    log_in(client, eva)
    address = reverse("administration-case-system-host-key", args=[by_sftp.pk])
    shown = client.post(address).content.decode()
    assert server.fingerprint in shown
    assert CaseSystem.objects.get().sftp_host_key == ""
    key = server.host_key.export_public_key().decode().strip()
    client.post(address, {"host_key": key})
    row = CaseSystem.objects.get()
    assert (row.sftp_host_key, row.is_confirmed, row.changed_by) == (key, False, eva)
    assert AccessLogEntry.objects.filter(what="case-system-host-key-set").exists()
    page = client.get(reverse("administration-case-system", args=[row.pk])).content.decode()
    assert server.fingerprint in page
    response = client.post(reverse("administration-case-system-try", args=[row.pk]), follow=True)
    assert "Det gick att logga in, skriva och ta bort en fil." in response.content.decode()
    for odd in ("x", "ssh-ed25519 AAAA", "a\0b", "x" * 5000):
        client.post(address, {"host_key": odd})
        assert CaseSystem.objects.get().sftp_host_key == key


@pytest.mark.parametrize(
    "text",
    [
        "",
        "https://sdk@server/",
        "sftp://server/sdk",
        "sftp://sdk:hemligt@server/sdk",
        "sftp://sdk@server:0/sdk",
        "sftp://sdk@server:70000/",
        "sftp://sdk@server/../x",
        "sftp://sdk@server/a//b",
        "sftp://sdk@server/a b",
        "sftp://sdk@ser ver/",
        "sftp://sdk@" + "x" * 600,
    ],
)
def test_what_is_no_address_is_told(client, mailbox, eva, text):
    log_in(client, eva)
    given = {"organisation": HERE, "name": "Diariet", "kind": "sftp", "sftp_address": text}
    assert client.post(reverse("administration-case-systems"), given).status_code == 422
    assert not CaseSystem.objects.exists()


def test_an_administrator_adds_one_and_gets_our_key_to_hand_on(client, mailbox, eva):
    log_in(client, eva)
    given = {
        "organisation": HERE,
        "name": "Diariet",
        "kind": "sftp",
        "sftp_address": "sftp://sdk@diariet.habo.se/sdk/",
    }
    client.post(reverse("administration-case-systems"), given)
    row = CaseSystem.objects.get()
    assert (row.sftp_address, row.is_confirmed) == ("sftp://sdk@diariet.habo.se/sdk", False)
    assert sftp_session.parse_address(row.sftp_address) == sftp_session.SftpAddress(
        "sdk", "diariet.habo.se", 22, "/sdk"
    )
    assert sftp_session.fingerprint_of(row.sftp_public_key).startswith("SHA256:")
