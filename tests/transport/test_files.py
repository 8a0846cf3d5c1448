"""Files on their way and files that stay: gone after every outcome, the process's death included."""

import os
import signal
import subprocess
import sys
import time
import uuid
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest
from django.core.files.storage import default_storage
from django.db import transaction
from django.utils import timezone

from testbed.node import PROJECT
from transport import queues
from transport.access_point import tasks as access_point_tasks
from transport.access_point.models import InboundTransfer
from transport.message_service import tasks as message_service_tasks
from transport.message_service.models import Organisation, OutgoingMessage
from transport.storage import blobs, work_files

from .test_jobs import a_row


@pytest.fixture(autouse=True)
def directories(settings, tmp_path):
    settings.SDK_WORK_DIR = tmp_path / "work"
    settings.MEDIA_ROOT = tmp_path / "payloads"


PLACE = blobs.BlobBinding("0203:a.se", "envelope", uuid.UUID(int=1))


def a_file(name: str, content: bytes) -> str:
    return blobs.store(name, BytesIO(content), PLACE)


def aged(name: str, hours: float) -> str:
    moment = time.time() - hours * 3600
    os.utime(default_storage.path(name), (moment, moment))
    return name


def an_inbound(key: uuid.UUID, name: str) -> InboundTransfer:
    return InboundTransfer.objects.create(
        id=key,
        as4_message_id=f"{uuid.uuid4()}@ap",
        conversation_id="c",
        sender="0203:a.se",
        recipient="0203:b.se",
        document_id="d",
        document_scheme="s",
        envelope_name=name,
        signed_references=[],
        size=1,
    )


def test_a_workspace_is_private_and_gone_whatever_happens(settings):
    with work_files.workspace("testing") as directory:
        (directory / "file").write_bytes(b"x")
        assert directory.stat().st_mode & 0o777 == 0o700
    with pytest.raises(FileExistsError), work_files.workspace("testing") as directory:
        directory.mkdir()
    assert list(settings.SDK_WORK_DIR.iterdir()) == []


def test_what_a_killed_process_left_is_swept_and_what_a_living_one_uses_is_not(settings):
    program = (
        "import django, time; django.setup()\n"
        "from transport.storage.work_files import workspace\n"
        "with workspace('dying') as directory:\n"
        "    (directory / 'half').write_bytes(b'x'); print(directory, flush=True); time.sleep(60)\n"
    )
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "sdkportal.settings",
        "SDK_WORK_DIR": str(settings.SDK_WORK_DIR),
    }
    process = subprocess.Popen(
        [sys.executable, "-c", program], cwd=PROJECT, env=environment, stdout=subprocess.PIPE, text=True
    )
    left = Path(process.stdout.readline().strip())
    with work_files.workspace("living") as used:
        assert work_files.remove_stale() == 0
        process.send_signal(signal.SIGKILL)
        # Dead from here on, and not reaped: there is still something by its id.
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert (left / "half").exists()
        assert work_files.remove_stale() == 1
        process.communicate()
        assert not left.exists()
        assert used.is_dir()


@pytest.mark.django_db
def test_a_stored_file_is_whole_and_synced_before_its_name_is_given(monkeypatch):
    synced = []
    sync = os.fsync

    def noted(descriptor: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    name = a_file(blobs.dated("outgoing", "a.xml"), b"content")
    path = Path(default_storage.path(name))
    with blobs.open_stored(name, PLACE) as stored:
        assert stored.read() == b"content"
    assert b"content" not in path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600
    assert synced[:2] == [str(path), str(path.parent)]


@pytest.mark.django_db
def test_a_new_directory_is_synced_into_the_one_above_and_a_known_one_is_not_again(monkeypatch, settings):
    synced = []
    monkeypatch.setattr(blobs, "sync", synced.append)
    root = Path(settings.MEDIA_ROOT)
    first = f"of-{uuid.uuid4()}/2026/11/25"
    paths = [Path(default_storage.path(a_file(f"{first}/{name}", b"x"))) for name in ("a", "b")]
    day = root / first
    names_the_folder = [day, day.parent, day.parent.parent, day.parent.parent.parent, root]
    assert synced == [paths[0], *names_the_folder, paths[1], day]


@pytest.mark.django_db(transaction=True)
def test_a_file_is_removed_with_the_commit_that_lets_go_of_it():
    name = a_file(blobs.dated("outgoing", "a.xml"), b"content")
    with transaction.atomic():
        blobs.remove_on_commit(name)
        transaction.set_rollback(True)
    assert default_storage.exists(name)
    with transaction.atomic():
        blobs.remove_on_commit(name)
        assert default_storage.exists(name)
    assert not default_storage.exists(name)


@pytest.mark.django_db
def test_envelopes_that_were_stored_and_never_committed_are_found():
    held, forgotten, young = (uuid.uuid4() for _ in range(3))
    names = {key: a_file(blobs.dated("inbound", str(key)), b"x") for key in (held, forgotten)}
    for name in names.values():
        aged(name, 2)
    new = a_file(blobs.dated("inbound", str(young)), b"x")
    foreign = aged(a_file(blobs.dated("inbound", "readme.txt"), b"x"), 2)
    an_inbound(held, names[held])
    access_point_tasks.remove_orphaned_files()
    assert not default_storage.exists(names[forgotten])
    assert all(default_storage.exists(name) for name in (names[held], new, foreign))


@pytest.mark.django_db
def test_of_a_message_s_files_only_those_that_it_names_are_kept():
    organisation = Organisation.objects.create(participant_id="0203:a.se", name="A")
    row = OutgoingMessage(
        organisation=organisation,
        message_id=uuid.uuid4(),
        conversation_id=uuid.uuid4(),
        recipient="0203:b.se",
    )
    names = {
        suffix: aged(a_file(blobs.dated("outgoing", f"{row.pk}.{suffix}"), b"x"), 2)
        for suffix in ("xml", "one.sealed", "two.sealed", "receipt")
    }
    row.payload_name, row.envelope_name = names["xml"], names["two.sealed"]
    row.message_receipt_name = names["receipt"]
    row.save()
    message_service_tasks.remove_orphaned_files()
    left = {suffix for suffix, name in names.items() if default_storage.exists(name)}
    assert left == {"xml", "two.sealed", "receipt"}


@pytest.mark.django_db
def test_yesterday_s_files_are_looked_at_too():
    yesterday = timezone.now() - timedelta(days=1)
    name = a_file(f"inbound/{yesterday:%Y/%m/%d}/{uuid.uuid4()}", b"x")
    assert blobs.remove_orphaned("inbound", lambda keys: [name]) == 0
    aged(name, 24)
    assert blobs.remove_orphaned("inbound", lambda keys: []) == 1


@pytest.mark.django_db
def test_the_sweepers_are_tasks_that_wake_workers(monkeypatch):
    woken = []
    monkeypatch.setattr(queues, "_publish_once", woken.append)
    access_point_tasks.sweep()
    assert woken == []
    a_row()
    access_point_tasks.sweep()
    assert woken == ["transport.access_point.tasks.send_due"]
