"""Rendering by a process of its own, which has neither network nor files."""

import contextlib
import json
import os
import subprocess
import sys
import threading
from dataclasses import replace
from io import BytesIO
from multiprocessing.connection import Client, Listener

import pytest

from mailbox import rendering
from mailbox.archive import page as page_of_record
from mailbox.attachments import previews
from mailbox.rendering import remote
from testbed.node import PROJECT
from testbed.send_message import a_pdf
from testbed.services import free_port
from tests.nodes import eventually


@pytest.fixture(params=["socket", "port"])
def service(request, tmp_path, settings):
    """The service, started with an environment that has nothing of the node."""
    address = str(tmp_path / "socket") if request.param == "socket" else f"127.0.0.1:{free_port()}"
    process = subprocess.Popen(
        [sys.executable, "-m", "mailbox.rendering.service", address],
        cwd=PROJECT,
        env={"PATH": os.environ["PATH"]},
        stderr=subprocess.PIPE,
        text=True,
    )
    settings.SDK_RENDERER = address

    def is_asked() -> bool:
        assert process.poll() is None
        try:
            with Client(remote.parsed(address)):
                return True
        except OSError:
            return False

    eventually(is_asked, what="the service")
    yield address
    process.kill()
    process.communicate(timeout=15)


def test_pdfs_and_pages_are_drawn_by_the_service(service, settings):
    drawn = json.loads(rendering.render(previews._PICTURES, BytesIO(a_pdf("Hej"))))
    assert drawn["page_count"] == 1
    assert page_of_record.as_pdf("<p>Hej</p>").startswith(b"%PDF-")
    with pytest.raises(rendering.RenderingFailed, match="the process failed"):
        rendering.render(previews._PICTURES, b"no PDF")
    limits = replace(previews._PICTURES.limits, input=10)
    with pytest.raises(rendering.RenderingFailed, match="too large"):
        rendering.render(replace(previews._PICTURES, limits=limits), a_pdf("Hej"))


def test_it_runs_nothing_but_its_own_programs(service):
    for request in (
        b"no JSON",
        b'["/etc/passwd", 1, 1, 1, 1]',
        b'["child", 1, 1, 1, 1]',
        b'["pdf_pictures", 1]',
        b'["pdf_pictures", "x", 1, 1, 1]',
        b'["pdf_pictures", 1, 0, 1, 1]',
        b'["pdf_pictures", 1, 1, 1, 999999999999]',
        b"{}",
        b"[]",
    ):
        with Client(remote.parsed(service)) as connection:
            connection.send_bytes(request)
            assert connection.recv_bytes() == b"-not a request"
    # It may hang up before all of it is sent.
    with Client(remote.parsed(service)) as connection, contextlib.suppress(ConnectionError):
        connection.send_bytes(b"x" * 100_000)
    drawn = rendering.render(previews._PICTURES, a_pdf("Efter"))
    assert json.loads(drawn)["page_count"] == 1, "it goes on"


def test_it_says_whether_it_works(service, tmp_path):
    def asked(address: str) -> int:
        environment = {"PATH": os.environ["PATH"], "SDK_RENDERER": address}
        command = [sys.executable, "-m", "mailbox.rendering.service", "--ask"]
        return subprocess.run(command, cwd=PROJECT, env=environment, check=False, timeout=60).returncode

    assert asked(service) == 0
    assert asked(str(tmp_path / "nobody")) == 1


def test_a_service_that_is_away_fails_as_a_file_that_cannot_be_drawn(settings, tmp_path):
    settings.SDK_RENDERER = str(tmp_path / "nobody")
    with pytest.raises(rendering.RenderingFailed):
        rendering.render(previews._PICTURES, a_pdf("Hej"))


def test_a_service_that_hangs_up_or_answers_too_much_fails_too(settings, tmp_path):
    """It draws what strangers have made, and may have been taken over by them."""
    settings.SDK_RENDERER = str(tmp_path / "socket")
    answers = [b"", b"+" + b"x" * 100, b"?"]

    def answer() -> None:
        with Listener(settings.SDK_RENDERER) as listener:
            for value in answers:
                with listener.accept() as connection:
                    connection.recv_bytes()
                    connection.recv_bytes()
                    if value:
                        connection.send_bytes(value)

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    job = replace(previews._PICTURES, limits=replace(previews._PICTURES.limits, output=10))
    for _ in answers:
        eventually(lambda: (tmp_path / "socket").exists(), what="the service")
        with pytest.raises(rendering.RenderingFailed):
            rendering.render(job, a_pdf("Hej"))
    thread.join(15)
