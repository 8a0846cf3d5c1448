"""A backup is whole, nobody without the key reads it, and what is restored is what was there."""

import json
import os
import uuid
from datetime import datetime, timedelta
from threading import Thread

import pytest
from django.contrib.sessions.models import Session
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.db import connections, transaction
from django.utils import timezone

from mailbox.models import Attachment, Message
from sdkportal.backup import making, manifests
from sdkportal.backup.targets import target_at
from tests.mailbox import build
from tests.mailbox.build import a_member
from transport.access_point.models import OutboundTransfer, TransferEvent
from transport.protocol.sdk_message.message import BytesContent, File
from transport.storage import blobs

pytestmark = pytest.mark.django_db(transaction=True)
CONTENT = b"%PDF-1.7 " + b"Journalanteckning om Kastanjemannen. " * 3000


def arrives(mailbox, **changes) -> Message:
    with transaction.atomic():
        return build.arrives(mailbox, **changes)


def a_letter(mailbox) -> Attachment:
    message = arrives(mailbox, files=(File("beslut.pdf", "application/pdf", BytesContent(CONTENT)),))
    return Attachment.objects.get(document__message=message)


def run(capsys, command: str, *arguments, **options) -> str:
    capsys.readouterr()
    call_command(command, *arguments, **options)
    return capsys.readouterr().out


def refused(command: str, *arguments, **options) -> str:
    with pytest.raises(CommandError) as error:
        call_command(command, *arguments, **options)
    return str(error.value)


def kept(place) -> list[str]:
    return sorted(path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file())


def test_what_is_restored_is_what_was_there_and_opens(
    mailbox, place, identity, scratch, settings, tmp_path, capsys
):
    settings.SDK_BACKUP_FILE = str(tmp_path / "last-backup")
    attachment = a_letter(mailbox)
    arrives(mailbox)
    a_member("Karin", mailbox)
    Session.objects.create(session_key="k", session_data="x", expire_date=timezone.now() + timedelta(days=1))
    TransferEvent.objects.create(kind="RECEIVED", as4_message_id="a@b")
    OutboundTransfer.objects.create(
        reference=uuid.uuid4(),
        as4_message_id="c@d",
        envelope_id="e",
        lease=uuid.uuid4(),
        lease_until=timezone.now() + timedelta(hours=1),
        due_at=timezone.now(),
    )
    told = run(capsys, "backup", str(place))
    assert "1 files (1 new)" in told
    told = run(capsys, "verify_backup", str(place), identity=identity, scratch_database=scratch.url)
    assert "set 20" in told
    assert "sound: 1 files" in told
    assert scratch.ask("SELECT count(*) FROM mailbox_message") == [(2,)]
    assert scratch.ask("SELECT file_name FROM mailbox_attachment") == [(attachment.file_name,)]
    assert scratch.ask("SELECT count(*) FROM django_session") == [(0,)]
    assert scratch.ask("SELECT lease, due_at IS NOT NULL FROM access_point_outboundtransfer") == [
        (None, True)
    ]
    assert (tmp_path / "last-backup").exists()


def test_nobody_reads_a_backup_without_the_key(mailbox, place, identity, capsys):
    a_letter(mailbox)
    run(capsys, "backup", str(place))
    for name in kept(place):
        data = (place / name).read_bytes()
        assert b"PGDMP" not in data
        assert b"SDKREST1" not in data
        assert b"Mottagning" not in data, name
        assert (place / name).stat().st_mode & 0o077 == 0


def test_another_key_opens_nothing_and_changes_nothing(mailbox, place, identity, scratch, tmp_path, capsys):
    a_letter(mailbox)
    run(capsys, "backup", str(place))
    another = tmp_path / "another.key"
    run(capsys, "make_backup_key", another)
    refused("verify_backup", str(place), identity=another, scratch_database=scratch.url)
    assert scratch.ask("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]


def test_files_of_earlier_sets_are_not_written_again_and_go_with_the_last_set_that_has_them(
    mailbox, place, identity, scratch, capsys, monkeypatch
):
    first = a_letter(mailbox)
    run(capsys, "backup", str(place))
    second = a_letter(mailbox)
    monkeypatch.setattr(timezone, "now", later(hours=1))
    assert "2 files (1 new)" in run(capsys, "backup", str(place))
    first.document.message.delete()
    default_storage.delete(first.file_name)
    monkeypatch.setattr(timezone, "now", later(hours=1))
    assert "1 files (0 new)" in run(capsys, "backup", str(place))
    sets = manifests.names_of_sets(target_at(str(place)))
    assert len(sets) == 3
    told = run(
        capsys, "verify_backup", str(place), identity=identity, scratch_database=scratch.url, name=sets[0]
    )
    assert "sound: 1 files" in told
    monkeypatch.setattr(timezone, "now", later(hours=1))
    told = run(capsys, "backup", str(place), keep=1)
    assert f"removed sets {', '.join(sets)}, and 1 files" in told
    (name,) = manifests.names_of_sets(target_at(str(place)))
    (file,) = manifests.read(target_at(str(place)), name).files.values()
    assert file.name == second.file_name
    assert kept(place) == sorted([file.kept_name, f"sets/{name}/database.age", f"sets/{name}/manifest.jsonl"])


def later(**span):
    now = timezone.now
    return lambda: now() + timedelta(**span)


def test_a_file_that_was_encrypted_anew_is_kept_in_both_versions(
    mailbox, place, identity, scratch, capsys, monkeypatch
):
    attachment = a_letter(mailbox)
    run(capsys, "backup", str(place))
    blobs.seal_again(attachment.file_name, attachment.binding)
    monkeypatch.setattr(timezone, "now", later(hours=1))
    assert "1 files (1 new)" in run(capsys, "backup", str(place))
    first, _ = manifests.names_of_sets(target_at(str(place)))
    told = run(
        capsys, "verify_backup", str(place), identity=identity, scratch_database=scratch.url, name=first
    )
    assert "sound: 1 files" in told


def test_a_file_that_goes_while_the_backup_is_made_takes_its_row_with_it(
    mailbox, place, identity, capsys, monkeypatch
):
    gone, stays = a_letter(mailbox), a_letter(mailbox)
    original, calls = making.named_by_rows, []

    def removing():
        calls.append(1)
        found = list(original())
        if len(calls) == 2:
            # After the snapshot: its rows still name the file.
            remove_elsewhere(gone)
        return iter(found)

    monkeypatch.setattr(making, "named_by_rows", removing)
    monkeypatch.setattr(making._Copying, "_copy", unless(making._Copying._copy, calls))
    run(capsys, "backup", str(place))
    (name,) = manifests.names_of_sets(target_at(str(place)))
    manifest = manifests.read(target_at(str(place)), name)
    assert (list(manifest.files), manifest.missing) == ([stays.file_name], ())


def unless(copy, calls):
    """Nothing is copied in the first pass: as if the files came after it."""
    return lambda self, name: copy(self, name) if len(calls) > 1 else None


def remove_elsewhere(attachment: Attachment) -> None:
    """By another connection, as by a worker."""

    def remove() -> None:
        Message.objects.filter(pk=attachment.document.message_id).delete()
        default_storage.delete(attachment.file_name)
        connections.close_all()

    thread = Thread(target=remove)
    thread.start()
    thread.join(30)
    assert not thread.is_alive()


def test_a_file_that_storage_has_lost_is_named_and_the_rest_is_backed_up(mailbox, place, identity, capsys):
    lost, stays = a_letter(mailbox), a_letter(mailbox)
    default_storage.delete(lost.file_name)
    assert refused("backup", str(place)) == "1 files that rows name are not in storage."
    assert f"missing in storage: {lost.file_name}" in capsys.readouterr().err
    (name,) = manifests.names_of_sets(target_at(str(place)))
    manifest = manifests.read(target_at(str(place)), name)
    assert (list(manifest.files), manifest.missing) == ([stays.file_name], (lost.file_name,))


def test_what_was_changed_in_a_backup_is_found_before_it_is_used(mailbox, place, identity, scratch, capfd):
    a_letter(mailbox)
    call_command("backup", str(place))
    (name,) = [name for name in kept(place) if name.startswith("files/")]
    data = bytearray((place / name).read_bytes())
    data[-1] ^= 1
    (place / name).write_bytes(data)
    refused("verify_backup", str(place), identity=identity, scratch_database=scratch.url)
    assert f"{name} is not what was written" in capfd.readouterr().err


def test_another_manifest_than_the_one_whose_digest_was_kept_is_not_restored(
    mailbox, place, identity, scratch, capfd
):
    arrives(mailbox)
    call_command("backup", str(place))
    digest = capfd.readouterr().out.split("digest ")[1].strip()
    (name,) = manifests.names_of_sets(target_at(str(place)))
    path = place / "sets" / name / "manifest.jsonl"
    head, *rest = path.read_text().splitlines()
    path.write_text("\n".join([json.dumps({**json.loads(head), "missing": ["x"]}), *rest, ""]))
    options = {"identity": identity, "scratch_database": scratch.url}
    refused("verify_backup", str(place), digest=digest, **options)
    assert "its digest differs" in capfd.readouterr().err


def test_a_backup_goes_to_an_object_store_and_comes_back_from_it(
    bucket, mailbox, identity, scratch, settings, capsys
):
    a_letter(mailbox)
    settings.SDK_S3_ENDPOINT = os.environ["SDK_S3_ENDPOINT"]
    place = f"s3://{settings.STORAGES['default']['OPTIONS']['bucket_name']}/backups/habo"
    assert "1 files (1 new)" in run(capsys, "backup", place)
    a_letter(mailbox)
    assert "2 files (1 new)" in run(capsys, "backup", place, keep=1)
    told = run(capsys, "verify_backup", place, identity=identity, scratch_database=scratch.url)
    assert "sound: 2 files" in told


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "\n".join(text.splitlines()[:-1]),
        lambda text: text.replace('"format":1', '"format":99'),
        lambda text: text.replace('{"files":1}', '{"files":2}'),
        lambda text: "",
        lambda text: "[]\n",
    ],
)
def test_a_manifest_that_is_not_whole_is_refused_by_its_name(mailbox, place, identity, damage):
    a_letter(mailbox)
    call_command("backup", str(place))
    (name,) = manifests.names_of_sets(target_at(str(place)))
    path = place / "sets" / name / "manifest.jsonl"
    path.write_text(damage(path.read_text()))
    assert f"sets/{name}/manifest.jsonl" in refused("restore", str(place), identity=identity)


def test_nothing_is_restored_into_a_database_that_is_not_empty(mailbox, place, identity):
    arrives(mailbox)
    call_command("backup", str(place))
    assert "is not empty" in refused("restore", str(place), identity=identity)
    assert Message.objects.count() == 1


def test_where_there_is_no_backup_that_is_said(place, identity):
    assert refused("restore", str(place), identity=identity) == "There is no complete backup set."


@pytest.mark.parametrize(
    ("recipients", "said"),
    [([], "set SDK_BACKUP_RECIPIENTS"), (["age1nonsense"], "Public key 1 of SDK_BACKUP_RECIPIENTS")],
)
def test_without_a_public_key_no_backup_is_made(settings, place, recipients, said):
    settings.SDK_BACKUP_RECIPIENTS = recipients
    assert said in refused("backup", str(place))
    assert not place.exists()


@pytest.mark.parametrize("address", ["", "ftp://there/x", "s3://"])
def test_a_place_that_is_none_is_refused(settings, identity, address):
    settings.SDK_BACKUP_TARGET = ""
    assert refused("backup", address)


@pytest.mark.parametrize(("keys", "said"), [("# nothing\n", "no private key"), ("\nrubbish\n", "line 2")])
def test_a_file_that_holds_no_private_key_is_refused(place, tmp_path, keys, said):
    file = tmp_path / "odd.key"
    file.write_text(keys)
    assert said in refused("restore", str(place), identity=file)


def test_a_private_key_is_never_written_over(identity):
    before = identity.read_text()
    assert "exists" in refused("make_backup_key", identity)
    assert identity.read_text() == before
    assert identity.stat().st_mode & 0o077 == 0


def test_programs_of_postgresql_that_are_not_there_are_named(mailbox, place, identity, settings):
    settings.SDK_POSTGRESQL_PROGRAMS = "/nowhere"
    assert "/nowhere/pg_dump cannot be started" in refused("backup", str(place))
    assert manifests.names_of_sets(target_at(str(place))) == []


def test_what_cannot_be_opened_is_told_by_its_row(mailbox, capsys):
    attachment, missing = a_letter(mailbox), a_letter(mailbox)
    path = default_storage.path(attachment.file_name)
    with open(path, "r+b") as file:
        file.seek(-1, 2)
        (last,) = file.read()
        file.seek(-1, 2)
        file.write(bytes([last ^ 1]))
    default_storage.delete(missing.file_name)
    Message.objects.filter(pk=missing.document.message_id).update(subject="")
    assert refused("check_stored") == "2 could not be opened or verified."
    told = capsys.readouterr().out
    assert f"mailbox.Attachment {attachment.pk}: {attachment.file_name}: cannot be opened" in told
    assert f"mailbox.Attachment {missing.pk}: {missing.file_name}: is missing" in told


def test_transfers_that_only_the_log_knows_are_named(tmp_path, capsys):
    TransferEvent.objects.create(kind="RECEIVED", as4_message_id="known@ap")
    fields = "conversation_id=c sender=0203:a.se#x recipient=0203:b.se#y"
    lines = [
        f"2026-11-30T09:00:00.000Z INFO transport.x transfer_received as4_message_id=old@ap {fields}",
        f"host web[1]: 2026-11-30T10:00:00.000Z INFO t transfer_received as4_message_id=known@ap {fields}",
        f"host web[1]: 2026-11-30T10:00:01.000Z INFO t transfer_received as4_message_id=new@ap {fields}",
        f"2026-11-30T10:00:02.000Z INFO t transfer_sent as4_message_id=out@ap {fields}",
        f"2026-11-30T10:00:03.000Z INFO t transfer_delivered as4_message_id=out@ap {fields}",
        "2026-11-30T10:00:04.000Z INFO t transfer_refused as4_message_id=no@ap cause=x",
        "rubbish",
    ]
    file = tmp_path / "access-point.log"
    file.write_text("\n".join(lines))
    options = {"since": datetime.fromisoformat("2026-11-30T09:30:00+00:00")}
    assert refused("find_missing_transfers", str(file), **options) == "2 transfers are not in the database."
    told = capsys.readouterr().out.splitlines()
    assert len(told) == 2
    assert "new@ap from 0203:a.se#x to 0203:b.se#y" in told[0]
    assert "ask the sender to send it again" in told[0]
    assert "out@ap" in told[1]
    assert "was delivered to the recipient" in told[1]


@pytest.mark.parametrize("count", [1, 999, 1000, 1001, 2500])
def test_a_transfer_whose_lines_are_far_apart_is_named_once(tmp_path, capsys, count):
    TransferEvent.objects.create(kind="SENT", as4_message_id="known@ap")
    keys = [f"{number}@ap" for number in range(count)]
    lines = [
        f"2026-11-30T10:00:00.000Z INFO t transfer_{kind} as4_message_id={key} sender=s recipient=r"
        for kind in ("delivered", "sent")
        for key in ("known@ap", *keys)
    ]
    file = tmp_path / "transport.log"
    file.write_text("\n".join(lines))
    assert refused("find_missing_transfers", str(file)) == f"{count} transfers are not in the database."
    told = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in told] == keys
    assert all("was delivered to the recipient" in line for line in told)
