"""Traces and processes: nothing is loaded where they are off; each forked process exports by itself; what
waits is exported when a process ends."""

import logging
import os
import subprocess
import sys
import uuid

import pytest

from sdkportal.startup import checks
from testbed.node import PROJECT
from transport.observation import traces
from transport.observation.steps import Step
from transport.observation.traces import Span

_SETUP = "import django; django.setup(); "
_RECORD = """
import os, uuid
from transport.observation import traces
from transport.observation.steps import Step
from transport.observation.traces import Span
from sdkportal.startup import observation

def record(name):
    traces.record([Span(uuid.UUID(int=name), Step.SEAL, 1, 2, "seal")])

"""
_FORKING = """
record(1)
for child in (2, 3):
    if os.fork() == 0:
        record(child)
        observation.end()
        os._exit(0)
    assert os.wait()[1] == 0
record(4)
"""


def run(program: str, url: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "SDK_DEMO": "1", "SDK_TRACES_URL": url}
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=PROJECT,
        env=environment | {"DJANGO_SETTINGS_MODULE": "sdkportal.settings"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_nothing_that_makes_or_exports_spans_is_loaded_where_traces_are_off():
    """Where the packages are installed, redis loads what is for figures of its own, which are off."""
    loaded = (
        "import sys; print([name for name in sys.modules if name.startswith(('opentelemetry.exporter', "
        "'opentelemetry.sdk.trace', 'transport.observation.export'))])"
    )
    program = f"{_SETUP}from transport.message_service import inbound, outbound; {loaded}"
    done = run(program, "")
    assert (done.stdout, done.returncode) == ("[]\n", 0), done.stderr


def test_where_traces_are_on_it_is_loaded_before_a_process_forks(collector):
    loaded = "import sys; print('transport.observation.export' in sys.modules)"
    done = run(f"{_SETUP}{loaded}", collector.url)
    assert (done.stdout, done.returncode) == ("True\n", 0), done.stderr


def test_forked_processes_export_by_themselves_and_all_at_their_end(collector):
    done = run(_SETUP + "\n" + _RECORD + _FORKING, collector.url)
    assert done.returncode == 0, done.stderr
    told = sorted(span.attributes["sdk.message_id"] for span in collector.spans())
    assert told == [str(uuid.UUID(int=number)) for number in (1, 2, 3, 4)]


def test_a_process_ends_in_a_short_time_where_the_collector_hangs(collector):
    collector.answers.clear()
    done = run(_SETUP + "\n" + _RECORD + "record(1)", collector.url)
    assert done.returncode == 0, done.stderr
    # Its end did not wait for an answer: there was none.
    assert not collector.answers.is_set()
    assert collector.bodies == []


def test_without_the_packages_messages_go_on_and_the_check_says_what_is_missing(
    settings, monkeypatch, caplog
):
    def missing(name: str) -> None:
        raise ModuleNotFoundError(name)

    settings.SDK_TRACES_URL = "https://collector.example/v1/traces"
    monkeypatch.setattr(traces, "_process", traces._Process())
    monkeypatch.setattr(traces, "import_module", missing)
    traces.load()
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            traces.record([Span(uuid.uuid4(), Step.SEAL, 1, 2, "seal")])
    assert [record.message for record in caplog.records] == ["traces_unavailable"]
    assert not traces.is_on()
    monkeypatch.setattr(checks, "find_spec", lambda name: None)
    assert any("requirements-traces.txt" in text for text in checks._missing_settings())


@pytest.mark.parametrize(
    ("url", "is_refused"),
    [
        ("http://collector.example/v1/traces", True),
        ("https://collector.example/v1/traces", False),
        ("http://127.0.0.1:4318/v1/traces", False),
    ],
)
def test_a_collector_elsewhere_is_asked_for_by_tls(settings, url, is_refused):
    settings.SDK_TRACES_URL = url
    assert any("SDK_TRACES_URL" in text for text in checks._missing_settings()) is is_refused
