"""A server's secrets are closed to other processes, and what is not confined is said."""

import logging
import os
import subprocess
import sys

import pytest
from django.conf import settings

from mailbox import rendering
from sdkportal.startup.checks import check_rendering_confinement
from sdkportal.startup.confinement_log import log_confinement

# Root may read everything: both processes are somebody else then.
NOBODY = 65534 if os.geteuid() == 0 else None
HOLD = "print('ready', flush=True); input()"
READ = (
    "import sys; opened = []\n"
    "for name in ('environ', 'mem'):\n"
    "    try: open(f'/proc/{sys.argv[1]}/{name}', 'rb', buffering=0); opened.append(name)\n"
    "    except PermissionError: pass\n"
    "print(opened)"
)


@pytest.mark.parametrize(
    ("begin", "opened"),
    [
        ("from sdkportal.startup.hardening import deny_reading_of_memory; deny_reading_of_memory(); ", "[]"),
        ("", "['environ', 'mem']"),
    ],
    ids=["hardened", "as it is without"],
)
def test_another_process_of_the_same_user_reads_neither_environment_nor_memory(begin, opened):
    environment = {"SDK_WRAPPING_KEY": "secret", "PYTHONDONTWRITEBYTECODE": "1"}
    identity = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if NOBODY else {}
    with subprocess.Popen(
        [sys.executable, "-c", begin + HOLD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=settings.BASE_DIR,
        env=environment,
        **identity,
    ) as server:
        try:
            assert server.stdout.readline() == b"ready\n"
            told = subprocess.run(
                [sys.executable, "-c", READ, str(server.pid)],
                capture_output=True,
                text=True,
                check=True,
                timeout=60,
                **identity,
            )
        finally:
            server.kill()
    assert told.stdout.strip() == opened


@pytest.mark.parametrize(
    "process",
    [
        "import sdkportal.asgi",
        "import sdkportal.wsgi",
        "import sdkportal.wsgi_access_point",
        "import sdkportal; from celery.signals import worker_init; worker_init.send(None)",
        "import sdkportal; from celery.signals import beat_init; beat_init.send(None)",
    ],
)
def test_every_server_process_closes_itself(process):
    script = f"import django; django.setup(); {process}; import ctypes; print(ctypes.CDLL(None).prctl(3))"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "sdkportal.settings", "SDK_DEMO": "1"},
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == "0"


def test_what_is_not_confined_is_said_by_check_and_log(monkeypatch, caplog):
    monkeypatch.setattr(rendering, "strongest", lambda: rendering.Confinement())
    (warning,) = check_rendering_confinement()
    assert warning.id == "sdkportal.W002"
    assert "bubblewrap cannot run" in warning.msg
    with caplog.at_level(logging.INFO, logger="sdkportal.startup.confinement_log"):
        log_confinement()
    (record,) = caplog.records
    assert (record.levelname, record.getMessage()) == ("WARNING", "rendering_not_confined")
    assert record.fields["bubblewrap"] == 0


def test_what_is_confined_is_logged_and_no_fault(caplog):
    assert check_rendering_confinement() == []
    with caplog.at_level(logging.INFO, logger="sdkportal.startup.confinement_log"):
        log_confinement()
    (record,) = caplog.records
    assert (record.levelname, record.getMessage()) == ("INFO", "rendering_confined")
