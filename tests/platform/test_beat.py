"""Several beats: one leads, and another takes over when it ends or is cut off."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from django.db import connection

from sdkportal.scheduling.beat import LOCK, Leadership
from testbed.node import PROJECT
from tests.nodes import eventually

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("beat")]


@pytest.fixture
def beats():
    """Leaders whose locks are given back when the test ends."""
    made = [Leadership(), Leadership()]
    yield made
    for each in made:
        each.release()


def backend_that_leads() -> int | None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = %s AND granted "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
            [LOCK],
        )
        row = cursor.fetchone()
    return row[0] if row else None


def test_one_leads_until_it_lets_go(beats):
    first, second = beats
    assert (first.is_held(), second.is_held(), first.is_held()) == (True, False, True)
    first.release()
    assert (second.is_held(), first.is_held()) == (True, False)


def test_who_has_lost_the_connection_leads_no_more(beats):
    first, second = beats
    assert first.is_held()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [backend_that_leads()])
    assert second.is_held()
    assert not first.is_held()


def test_without_a_database_nobody_leads(beats, monkeypatch):
    def fail(*args, **kwargs):
        raise psycopg.OperationalError

    monkeypatch.setattr(psycopg, "connect", fail)
    assert not beats[0].is_held()


def test_of_two_processes_one_sends_and_the_other_goes_on_when_it_is_killed(tmp_path):
    processes: list[subprocess.Popen[bytes]] = []
    logs: list[Path] = []
    name = connection.settings_dict["NAME"]
    url = os.environ["SDK_DATABASE_URL"].replace("/sdkportal?", f"/{name}?")
    try:
        for number in range(2):
            log = tmp_path / f"beat-{number}.log"
            with log.open("wb") as output:
                processes.append(
                    subprocess.Popen(
                        [
                            *(sys.executable, "-m", "celery", "-A", "sdkportal", "beat", "--pidfile="),
                            *("--schedule", str(tmp_path / f"schedule-{number}"), "--loglevel", "info"),
                        ],
                        cwd=PROJECT,
                        env={**os.environ, "SDK_DATABASE_URL": url, "SDK_SWEEP_SECONDS": "1"},
                        stdout=output,
                        stderr=output,
                    )
                )
            logs.append(log)

        def sends(number: int):
            return lambda: "Sending due task" in logs[number].read_text()

        eventually(lambda: sends(0)() or sends(1)(), what="one of them to send")
        leader = 0 if sends(0)() else 1
        other = 1 - leader
        assert "beat_leads" in logs[leader].read_text()
        assert not sends(other)()
        processes[leader].send_signal(signal.SIGKILL)
        processes[leader].wait(10)
        eventually(sends(other), what="the other to send")
    finally:
        for process in processes:
            process.kill()
            process.wait(10)
