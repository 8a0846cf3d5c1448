"""People at once: how a node's pages fare with a thousand of them open and two hundred people at work.

    python -m benchmarks.people [--streams 1000] [--workers 200] [--rate 50] [--seconds 600] [--processes 2]
                                [--messages 1000000] [--directory DIR] [--json FILE]

The node is that of `testbed.realistic_node`, its pages are served as the unit in deploy/ starts them. The
load is a process of its own on the same machine (`benchmarks.people_at_work`). Messages stay where the pages
leave them: what workers do with them is measured by `benchmarks.node`.

    streams   what an open page costs while nothing happens: memory of the processes of pages
    work      pages a second: lists, conversations, search, answers that are written, saved and sent; beside
              these what streams cause: pages that are told to fetch again
    restart   PostgreSQL is killed and comes back, and one mailbox in ten changes before anybody listens
              again: until every stream has said that it is there, and those of these mailboxes to fetch
              again; people go on working

What was written is removed afterwards, so that a kept database stays as it was made.
"""

# ruff: noqa: S101, S603, T201

import argparse
import contextlib
import json
import os
import shlex
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psutil
import psycopg
import requests

from benchmarks.gauge import Gauge
from benchmarks.realistic import realistic_node
from testbed.node import PROJECT
from testbed.services import Postgres, Valkey, free_port

_UNIT: Final = PROJECT / "deploy" / "systemd" / "sdkportal-web.service"
_START_SECONDS: Final = 90.0
_WARMING_SECONDS: Final = 10.0
_AT_REST_SECONDS: Final = 20.0
_AWAY_SECONDS: Final = 5.0
_SHORTEST_RECOVERY_SECONDS: Final = 20.0
_LONGEST_RECOVERY_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 0.5
_KEYS_OF_A_PERSON: Final = 40
# A mailbox of the node has so many members; people who follow each other are of different ones.
_MEMBERS: Final = 3
_STEP: Final = 7
_ONE_IN: Final = 10
# Goals of docs/performance.md, where they are asked for: at most so much.
_GOALS: Final = {
    "ms_p95": 250.0,
    "kilobytes_a_stream": 40.0,
    "connections_a_process": 10.0,
    "failed": 0.0,
    "seconds_until_back": 15.0,
}


def main() -> int:
    """Measure, print the figures and write them as JSON; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--streams", type=int, default=1000, help="open pages, one for each person")
    parser.add_argument("--workers", type=int, default=200, help="people who ask for pages")
    parser.add_argument("--rate", type=float, default=50, help="pages a second, all people together")
    parser.add_argument("--seconds", type=float, default=600, help="of work")
    parser.add_argument("--processes", type=int, default=2, help="of pages")
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--mailboxes", type=int, default=200)
    parser.add_argument("--directory", type=Path, help="where the database is kept for another run")
    parser.add_argument("--json", type=Path, default=PROJECT / "var" / "bench" / "people.json")
    given = parser.parse_args()
    size = {"messages": given.messages, "mailboxes": given.mailboxes}
    if given.messages < 100_000:
        # A small node has a small address book.
        size |= {"functions": 500, "words": 2000}
    with tempfile.TemporaryDirectory(prefix="sdkportal-bench-") as temporary:
        directory = given.directory or Path(temporary)
        with realistic_node(directory, **size) as postgres:
            figures = _measured(postgres, Path(temporary), given)
    for line in _table(figures):
        print(line)
    given.json.parent.mkdir(parents=True, exist_ok=True)
    given.json.write_text(json.dumps(figures, indent=1) + "\n")
    print(f"The same as JSON: {given.json}")
    return 0


def _measured(postgres: Postgres, directory: Path, given: argparse.Namespace) -> dict[str, Any]:
    from django.conf import settings

    broker = Valkey(directory / "valkey", free_port())
    broker.start()
    os.environ["SDK_BROKER_URL"] = broker.url
    port = free_port()
    people = _people(given.streams)
    plan = {
        "port": port,
        "cookie": settings.SESSION_COOKIE_NAME,
        "csrf_cookie": settings.CSRF_COOKIE_NAME,
        "rate": given.rate,
        "workers": min(given.workers, given.streams),
        "recovery_seconds": min(_LONGEST_RECOVERY_SECONDS, max(_SHORTEST_RECOVERY_SECONDS, given.seconds)),
    }
    try:
        with _drafts_removed(), _pages(port, given.processes, directory) as pages:
            warming = plan | {"people": people[: plan["workers"]], "rate": min(given.rate, 20)}
            with _at_work(warming) as load:
                load.work(min(_WARMING_SECONDS, given.seconds))
            empty = _memory(pages)
            with _at_work(plan | {"people": people}) as load:
                time.sleep(min(_AT_REST_SECONDS, given.seconds))
                full = _memory(pages)
                gauges = {
                    "pages": Gauge(pages.pid),
                    "database": Gauge(postgres.pid),
                    "load": Gauge(load.pid),
                }
                with _most_connections(postgres) as connections:
                    work = load.work(given.seconds)
                cpu = {name: gauge.cost().cpu / work["seconds"] for name, gauge in gauges.items()}
                postgres.kill()
                time.sleep(_AWAY_SECONDS)
                postgres.revive()
                changed = sorted({person["mailbox"] for person in people})[::_ONE_IN]
                _announce(changed)
                restart = load.ask(f"restart {json.dumps(changed)}")
                afterwards = _memory(pages)
    finally:
        broker.stop()
    return {
        "streams": given.streams,
        "workers": plan["workers"],
        "rate": given.rate,
        "processes": given.processes,
        "messages": given.messages,
        "kilobytes_a_stream": (full - empty) / given.streams / 1000,
        "megabytes_of_pages": full / 1e6,
        "megabytes_after_restart": afterwards / 1e6,
        "connections_a_process": connections.most / given.processes,
        "cpu_seconds_a_second": cpu,
        "work": work,
        "restart": restart,
        "load_of_the_machine": os.getloadavg(),
    }


def _people(count: int) -> list[dict[str, Any]]:
    """So many browsers of logged-in members of mailboxes, each with conversations to read and to answer."""
    from django.db import connection

    from mailbox.models import Conversation, Draft, Membership, Message, Person
    from tests.faults.visitors import log_in

    members = list(
        Membership.objects.filter(person__subject_key__startswith="made-up-")
        .order_by("mailbox", "person")
        .values_list("person", "mailbox")
    )
    by_mailbox: dict[int, tuple[list[int], list[int]]] = {}
    for mailbox in {mailbox for _, mailbox in members}:
        rows = Conversation.objects.filter(mailbox=mailbox, message_count__lt=40).exclude(state="trash")
        shown = list(rows.order_by("-last_activity_at").values_list("pk", flat=True)[: 3 * _KEYS_OF_A_PERSON])
        answered = Draft.objects.filter(mailbox=mailbox, answers__isnull=False).values("answers")
        messages = Message.objects.filter(conversation__in=shown, direction="in").exclude(pk__in=answered)
        by_mailbox[mailbox] = shown, list(messages.order_by("-pk").values_list("pk", flat=True))
    people = Person.objects.in_bulk({person for person, _ in members})
    found = []
    for number in range(count):
        at = number * _STEP % len(members)
        person, mailbox = members[at]
        # Colleagues read and answer different ones.
        read, unanswered = (keys[at % _MEMBERS :: _MEMBERS] for keys in by_mailbox[mailbox])
        found.append(
            {
                "session": log_in(people[person]),
                "mailbox": mailbox,
                "conversations": read[:_KEYS_OF_A_PERSON],
                "messages": unanswered[:_KEYS_OF_A_PERSON],
            }
        )
    connection.close()
    return found


@contextmanager
def _drafts_removed() -> Iterator[None]:
    """Remove afterwards what was written while the body ran."""
    from django.db import connection
    from django.db.models import Max

    from mailbox.models import Draft

    last = Draft.objects.aggregate(last=Max("pk"))["last"] or 0
    try:
        yield
    finally:
        # The server has been killed since.
        connection.close()
        Draft.objects.filter(pk__gt=last).delete()


def _announce(mailbox_ids: Iterable[int]) -> None:
    """Tell open pages that these mailboxes have changed."""
    from django.db import connection

    from mailbox.events import announce

    connection.close()
    for mailbox_id in mailbox_ids:
        announce(mailbox_id)
    connection.close()


def _command(port: int, processes: int) -> list[str]:
    """What the unit in deploy/ starts, on another port and with this number of processes."""
    line = next(
        text.partition("=")[2] for text in _UNIT.read_text().splitlines() if text.startswith("ExecStart=")
    )
    program, *arguments = shlex.split(line.replace("${SDK_PAGES_PROCESSES}", str(processes)))
    arguments[arguments.index("--port") + 1] = str(port)
    return [sys.executable, "-m", Path(program).name, *arguments, "--log-level", "warning"]


@contextmanager
def _pages(port: int, processes: int, directory: Path) -> Iterator[psutil.Process]:
    """The processes of pages, when they answer."""
    environment = {
        **os.environ,
        "SDK_PAGES_PROCESSES": str(processes),
        "SDK_DATA_DIR": str(directory / "data"),
    }
    with (directory / "pages.log").open("ab") as log:
        server = subprocess.Popen(
            _command(port, processes), cwd=PROJECT, env=environment, stdout=log, stderr=log
        )
    try:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and server.poll() is None:
            with contextlib.suppress(requests.RequestException):
                if requests.get(f"http://127.0.0.1:{port}/halsa/klar", timeout=2).ok:
                    break
            time.sleep(0.1)
        else:
            sys.exit(f"The pages did not start: {(directory / 'pages.log').read_text()[-2000:]}")
        yield psutil.Process(server.pid)
    finally:
        server.terminate()
        server.wait(60)


def _memory(pages: psutil.Process) -> int:
    """Bytes that the processes of pages have for themselves alone."""
    return sum(process.memory_full_info().uss for process in (pages, *pages.children(recursive=True)))


class _Load:
    """The process in which people work."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.pid = process.pid

    def say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def hear(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("the process in which people work has ended")
        return line

    def ask(self, line: str) -> Any:
        """Say a line; the answer."""
        self.say(line)
        return json.loads(self.hear())

    def work(self, seconds: float) -> Any:
        """Let people work so long; how that went."""
        self.say("work")
        time.sleep(seconds)
        return self.ask("rest")


@contextmanager
def _at_work(plan: dict[str, Any]) -> Iterator[_Load]:
    """The process of people whose streams are open."""
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.people_at_work"],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        load = _Load(process)
        try:
            load.say(json.dumps(plan))
            assert load.hear().strip() == "ready"
            yield load
            load.say("end")
            process.wait(60)
        finally:
            process.kill()


class _Connections:
    """The most connections that others than this process had to the database at a time."""

    def __init__(self) -> None:
        self.most = 0


@contextmanager
def _most_connections(postgres: Postgres) -> Iterator[_Connections]:
    """Look every half second how many connections the processes of pages have."""
    found, is_over = _Connections(), threading.Event()
    others = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
        "AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
    )

    def look() -> None:
        with psycopg.connect(postgres.url("pages"), autocommit=True) as connection:
            while not is_over.wait(_LOOK_SECONDS):
                row = connection.execute(others).fetchone()
                found.most = max(found.most, row[0] if row else 0)

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    try:
        yield found
    finally:
        is_over.set()
        looking.join(10)


def _table(figures: dict[str, Any]) -> Iterator[str]:
    def line(what: str, value: float, unit: str, goal: str = "") -> str:
        asked = f"   (goal: at most {_GOALS[goal]:g})" if goal else ""
        return f"{what:44}{value:10.1f} {unit}{asked}"

    work, restart = figures["work"], figures["restart"]
    yield (
        f"{figures['streams']} open pages, {figures['workers']} people at work, {figures['processes']} "
        f"processes of pages, {figures['messages']} messages, {work['seconds']:.0f} s"
    )
    yield line("memory of an open page", figures["kilobytes_a_stream"], "KB", "kilobytes_a_stream")
    yield line("memory of all processes of pages", figures["megabytes_of_pages"], "MB")
    yield line(
        "connections to the database, the most",
        figures["connections_a_process"],
        "a process",
        "connections_a_process",
    )
    for name, seconds in figures["cpu_seconds_a_second"].items():
        yield line(f"CPU of {name}", 100 * seconds, "% of a core")
    yield f"{'':44}{'a second':>10}{'median':>9}{'95 of 100':>11}{'99':>9}  ms"
    yield _row("people's own requests", work["asked"])
    yield _row("what streams caused", work["caused_by_streams"])
    for kind, measured in work["kinds"].items():
        yield _row(f"  {kind}", measured)
    yield line("failed", sum(work["failures"].values()), "", "failed")
    for why, count in work["failures"].items():
        yield line(f"  {why}", count, "")
    yield f"PostgreSQL was killed, and was away for {_AWAY_SECONDS:.0f} s"
    yield line("open pages that heard their stream again", restart["back"], f"of {restart['streams']}")
    yield line("until the last of them", restart["seconds_until_back"], "s", "seconds_until_back")
    yield line("told of what had changed", restart["concerned_told"], f"of {restart['concerned']}")
    yield line("until the last of them", restart["seconds_until_told"], "s")
    yield line(f"pages told to fetch again in {restart['seconds']:.0f} s", restart["told_to_fetch_again"], "")
    yield line("in the busiest second", restart["told_in_the_busiest_second"], "")
    yield line("memory of all processes of pages after it", figures["megabytes_after_restart"], "MB")
    yield _row("people's own requests meanwhile", restart["asked"])
    yield _row("what streams caused", restart["caused_by_streams"])
    yield line("failed", sum(restart["failures"].values()), "", "failed")
    yield "load of the machine: " + ", ".join(f"{value:.1f}" for value in figures["load_of_the_machine"])


def _row(what: str, measured: dict[str, float]) -> str:
    return (
        f"{what:44}{measured['per_second']:10.1f}{measured['ms_p50']:9.1f}{measured['ms_p95']:11.1f}"
        f"{measured['ms_p99']:9.1f}"
    )


if __name__ == "__main__":
    sys.exit(main())
