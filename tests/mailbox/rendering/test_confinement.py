"""What draws files of strangers can reach nothing, and ends."""

import ctypes
import io
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import zlib
from dataclasses import replace
from pathlib import Path

import pypdfium2
import pytest
from django.conf import settings

from mailbox import rendering
from mailbox.archive import page as page_of_record
from mailbox.attachments import previews
from mailbox.rendering import confinement

HERE = Path(__file__).parent
LIMITS = rendering.Limits(memory=512 * 1024 * 1024, seconds=60, input=64 * 1024 * 1024, output=1024 * 1024)
HOSTILE = rendering.Job(HERE / "hostile.py", LIMITS)
ENDLESS = rendering.Job(HERE / "endless.py", LIMITS)
LIMITED = rendering.Job(HERE / "limited.py", LIMITS)
NOBODY = 65534
# What a process without bubblewrap still can: see docs/production.md.
WITHOUT_BUBBLEWRAP = {"sees other processes", "reads the machine's files"}


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """What the hostile job is told: everything that it could want."""
    monkeypatch.setenv("SDK_SECRET_MARKER", "secret")
    stored = tmp_path / "stored"
    stored.write_text("content")
    secret = ctypes.create_string_buffer(b"secret")
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield json.dumps(
            {
                "parent": os.getpid(),
                "address": ctypes.addressof(secret),
                "port": server.getsockname()[1],
                "stored": str(stored),
            }
        ).encode()


def full() -> rendering.Confinement:
    """The confinement of this machine, which has to be full: a test that skips shows nothing."""
    used = rendering.strongest()
    assert used.is_full, "bubblewrap and libseccomp are needed: run `scripts/install bubblewrap`"
    return used


def test_a_process_that_was_taken_over_reaches_nothing(asked):
    assert json.loads(rendering.render(HOSTILE, asked, full())) == []


def test_each_way_out_is_open_without_a_confinement(asked):
    """So that the test above can fail."""
    free = subprocess.run(
        [sys.executable, str(HOSTILE.program)], input=asked, capture_output=True, check=True, timeout=60
    )
    needs_root = set() if os.geteuid() == 0 else {"gets new rights"}
    tried = set(re.findall(r'^        "([^"]+)": ', HOSTILE.program.read_text(), re.MULTILINE))
    assert len(tried) > 15
    assert set(json.loads(free.stdout)) >= tried - needs_root


def test_without_bubblewrap_the_kernel_still_refuses_all_but_reading(asked):
    user = NOBODY if os.geteuid() == 0 else None
    reached = set(json.loads(rendering.render(HOSTILE, asked, rendering.Confinement((), user))))
    if user is None:
        reached -= {"reads stored files", "reads the parent's environment", "opens the parent's memory"}
    assert reached <= WITHOUT_BUBBLEWRAP


def test_the_confined_process_does_not_run_as_its_parents_user_in_the_namespace():
    assert "--unshare-user" in full().wrapper
    if os.geteuid() == 0:
        assert full().user == NOBODY


@pytest.mark.parametrize("is_wrapped", [True, False])
def test_a_job_runs_under_hard_limits_of_its_own(is_wrapped):
    used = full() if is_wrapped else replace(full(), wrapper=())
    expected = {
        "RLIMIT_AS": LIMITS.memory,
        "RLIMIT_CPU": LIMITS.seconds,
        "RLIMIT_FSIZE": LIMITS.output,
        "RLIMIT_CORE": 0,
        "RLIMIT_NOFILE": 64,
    }
    limits = json.loads(rendering.render(LIMITED, " ".join(expected).encode(), used))
    assert limits == {name: [value, value] for name, value in expected.items()}


@pytest.mark.parametrize("what", ["computing", "waiting", "remembering", "writing"])
@pytest.mark.parametrize("is_wrapped", [True, False])
def test_a_job_without_end_ends_at_its_limits(what, is_wrapped):
    used = full() if is_wrapped else replace(full(), wrapper=())
    needs_time = what in {"computing", "waiting"}
    limits = replace(LIMITS, seconds=2) if needs_time else LIMITS
    # What takes memory or disk ends long before its time is up.
    with pytest.raises(rendering.RenderingFailed, match=None if needs_time else "the process failed"):
        rendering.render(replace(ENDLESS, limits=limits), what.encode(), used)


def test_what_a_job_leaves_behind_is_killed_with_it(tmp_path, monkeypatch):
    monkeypatch.setattr(confinement, "filter_program", lambda: b"")
    note = tmp_path / "child"
    job = replace(ENDLESS, limits=replace(LIMITS, seconds=3))
    with pytest.raises(rendering.RenderingFailed):
        rendering.render(job, str(note).encode(), rendering.Confinement())
    status = Path(f"/proc/{note.read_text()}/stat")
    # Killed, it still has to be scheduled to end.
    deadline = time.monotonic() + 20
    while status.exists() and status.read_text().rpartition(")")[2].split()[0] not in "ZX":
        assert time.monotonic() < deadline, "it goes on"
        time.sleep(0.05)


def test_input_that_is_larger_than_the_job_takes_is_refused():
    job = replace(ENDLESS, limits=replace(LIMITS, input=10))
    for source in (b"x" * 11, io.BytesIO(b"x" * 11)):
        with pytest.raises(rendering.RenderingFailed):
            rendering.render(job, source)


def test_pages_and_records_are_drawn_in_every_confinement():
    document = pypdfium2.PdfDocument.new()
    document.new_page(595, 842)
    pdf = io.BytesIO()
    document.save(pdf)
    page = json.dumps({"html": "<p>räksmörgås</p>", "css": "p{color:red}", "variant": "pdf/a-2u"}).encode()
    for used in (full(), replace(full(), wrapper=())):
        assert json.loads(rendering.render(previews._PICTURES, pdf.getvalue(), used))["page_count"] == 1
        assert rendering.render(page_of_record._JOB, page, used).startswith(b"%PDF-")


def test_pages_and_records_are_not_drawn_in_the_application_s_own_process(monkeypatch):
    pdf = _a_pdf_of(1)
    for library in ("pypdfium2", "weasyprint"):
        # Importing it fails here; a process of its own still can.
        monkeypatch.setitem(sys.modules, library, None)
    assert previews.pictures_of(io.BytesIO(pdf)).page_count == 1
    assert page_of_record.as_pdf("<p>räksmörgås</p>").startswith(b"%PDF-")


def test_a_record_page_fetches_nothing_that_its_text_names(tmp_path):
    picture = tmp_path / "secret.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/"
        html = f'<img src="{address}"><img src="file://{picture}"><link rel="stylesheet" href="{address}">'
        asked = json.dumps({"html": html, "css": "", "variant": "pdf/a-2u"}).encode()
        assert rendering.render(page_of_record._JOB, asked, full()).startswith(b"%PDF-")
        with pytest.raises(BlockingIOError):
            server.accept()


def test_a_pdf_that_grows_without_end_is_said_not_to_be_drawn(monkeypatch):
    """A page of operators that unfold to far more than the process may spend on it."""
    assert previews.pictures_of(io.BytesIO(_a_pdf_of(1))).page_count == 1
    limits = replace(previews._PICTURES.limits, seconds=4)
    monkeypatch.setattr(previews, "_PICTURES", replace(previews._PICTURES, limits=limits))
    with pytest.raises(previews.PreviewFailed):
        previews.pictures_of(io.BytesIO(_a_pdf_of(5_000_000)))


@pytest.mark.parametrize(
    "answer",
    [
        b"no json",
        b"[]",
        b'{"pages": ["PHNjcmlwdD4="], "page_count": 1}',
        b'{"pages": ["\\" onerror=\\"x"], "page_count": 1}',
        b'{"pages": ["/9j/", "/9j/"], "page_count": 1}',
        b'{"pages": ["/9j/"], "page_count": "<b>"}',
        b'{"pages": [1], "page_count": 1}',
    ],
)
def test_an_answer_that_is_no_pictures_is_not_shown(answer, monkeypatch):
    monkeypatch.setattr(rendering, "render", lambda *_: answer)
    with pytest.raises(previews.PreviewFailed):
        previews.pictures_of(io.BytesIO(b""))


def test_no_process_is_started_with_code_between_fork_and_exec():
    for package in ("mailbox", "transport", "addressbook", "sdkportal"):
        for file in (Path(settings.BASE_DIR) / package).rglob("*.py"):
            assert "preexec_fn" not in file.read_text(), file


def test_the_strongest_confinement_is_found_by_trying(monkeypatch):
    confinement.strongest.cache_clear()
    monkeypatch.setattr(shutil, "which", lambda *_, **__: "/bin/false")
    try:
        assert not confinement.strongest().wrapper
    finally:
        confinement.strongest.cache_clear()


def _a_pdf_of(strokes: int) -> bytes:
    """A PDF of one page, whose compressed content draws so many lines."""
    operators = zlib.compress(b"0 0 m 9 9 l S q 1 0 0 1 1 1 cm " * strokes, 1)
    parts = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R >>",
        b"<< /Length %d /Filter /FlateDecode >> stream\n%s\nendstream" % (len(operators), operators),
    ]
    made = b"%PDF-1.7\n"
    for number, part in enumerate(parts, 1):
        made += b"%d 0 obj %s endobj\n" % (number, part)
    return made + b"trailer << /Root 1 0 R /Size 5 >>\n%%EOF"
