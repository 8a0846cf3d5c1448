"""`make demo`: the federation and two nodes on this machine, in the foreground until Ctrl-C.

Everything lives in var/demo (or SDK_DEMO_DIRECTORY): started again it carries on where it was; `--reset`
clears it.
"""

import argparse
import base64
import contextlib
import io
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from . import sample
from .clamav import ClamAV
from .federation import Federation
from .node import PROJECT, CommandFailed, Node, NodePorts
from .services import Postgres, ServiceNotStarted, Valkey, port_is_taken

DIRECTORY = Path(os.environ.get("SDK_DEMO_DIRECTORY") or PROJECT / "var" / "demo")
_PORT_VARIABLE = "SDK_DEMO_PORT"
_STEP_WIDTH = 58


class Demo:
    """The whole of it; `run` returns when it has been stopped."""

    def __init__(self, directory: Path, first_port: int) -> None:
        self._directory = directory
        self._first_port = first_port
        self._stopping = threading.Event()
        self._cleanup = contextlib.ExitStack()
        self._nodes: list[Node] = []

    def run(self) -> int:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: self._stopping.set())
        with self._cleanup:
            try:
                self._start()
            except (ServiceNotStarted, CommandFailed, OSError) as error:
                print(f"\nsdkportal: {error}", file=sys.stderr)
                return 1
            if not self._stopping.is_set():
                self._tell_where()
            while not self._stopping.wait(1.0):
                for node in self._nodes:
                    for role in node.restart_what_died():
                        print(f"  {node.name}'s {role} ended and was started again; see {node.log(role)}")
            print("\nStopping ...")
        print("Stopped. `make demo` carries on, `make demo-reset` clears it.")
        return 0

    def _start(self) -> None:
        self._check_ports()
        with step("PostgreSQL"):
            postgres = Postgres(self._directory / "postgres")
            postgres.start()
            self._cleanup.callback(postgres.stop)
        clamav = ClamAV(self._directory / "clamav")
        with step("ClamAV, which knows the EICAR test file"):
            clamav.start()
            self._cleanup.callback(clamav.stop)
        with step("the federation: CAs, DNS, SMP, address book, e-ID"):
            federation = self._start_federation()
        for index, organisation in enumerate(sample.NODES):
            with step(f"{organisation.name}: database and keys"):
                node = self._prepare_node(index, organisation, federation, postgres, clamav)
            with step(f"{organisation.name}: pages, access point, workers"):
                self._cleanup.callback(node.stop)
                node.start()
                self._nodes.append(node)
        with step("copies of the address book"):
            for node in self._nodes:
                node.manage("sync_address_book")
        marker = self._directory / "sample-conversations"
        if not marker.exists():
            with step("sample conversations, sent for real"):
                for node, organisation in zip(self._nodes, sample.NODES, strict=True):
                    node.run_module("testbed.sample_conversations", organisation.participant_id)
                marker.touch()

    def _check_ports(self) -> None:
        wanted = {}
        for index, organisation in enumerate(sample.NODES):
            ports = self._ports(index)
            wanted[ports.web] = f"{organisation.name}'s pages"
            wanted[ports.access_point] = f"{organisation.name}'s access point"
            wanted[self._broker_port(index)] = f"{organisation.name}'s broker"
        for port, purpose in wanted.items():
            if port_is_taken(port):
                raise ServiceNotStarted(
                    f"port {port} ({purpose}) is taken. Is a demo running already? "
                    f"Else choose others: make demo {_PORT_VARIABLE}={self._first_port + 1000}"
                )

    def _ports(self, index: int) -> NodePorts:
        return NodePorts(web=self._first_port + index, access_point=self._first_port + 10 + index)

    def _broker_port(self, index: int) -> int:
        return self._first_port + 20 + index

    def _start_federation(self) -> Federation:
        directory = self._directory / "federation"
        federation = Federation(directory)
        federation.prepare()
        sample.populate(federation)
        process, log = start_federation(federation, self._directory)
        self._cleanup.callback(end, process)
        federation.wait_until_ready(process, log)
        return federation

    def _prepare_node(
        self,
        index: int,
        organisation: sample.NodeSample,
        federation: Federation,
        postgres: Postgres,
        clamav: ClamAV,
    ) -> Node:
        directory = self._directory / organisation.slug
        ports = self._ports(index)
        broker = Valkey(directory / "valkey", self._broker_port(index))
        broker.start()
        self._cleanup.callback(broker.stop)
        postgres.ensure_database(organisation.slug)
        return prepare_node(
            directory,
            ports,
            organisation,
            federation,
            database_url=postgres.url(organisation.slug),
            broker_url=broker.url,
            settings={"SDK_CLAMD": clamav.address},
        )

    def _tell_where(self) -> None:
        print("\nReady. Open in a browser and log in with the test e-ID (choose a person, no password):\n")
        for node, organisation in zip(self._nodes, sample.NODES, strict=True):
            print(f"  {organisation.name:<22} {node.url}")
            for person in organisation.people:
                print(f"  {'':<22}   {person.name}: {person.role_in_words}")
        print("\nCtrl-C stops it.")


def prepare_node(
    directory: Path,
    ports: NodePorts,
    organisation: sample.NodeSample,
    federation: Federation,
    *,
    database_url: str,
    broker_url: str,
    settings: Mapping[str, str] | None = None,
) -> Node:
    """A node of the federation with its organisation, keys, function mailboxes and people; not started."""
    node = node_of(
        directory,
        ports,
        organisation,
        federation,
        database_url=database_url,
        broker_url=broker_url,
        settings=settings,
    )
    node.manage("migrate", "--verbosity", "0")
    add_organisation(node, organisation, federation)
    return node


def node_of(
    directory: Path,
    ports: NodePorts,
    organisation: sample.NodeSample,
    federation: Federation,
    *,
    database_url: str,
    broker_url: str,
    settings: Mapping[str, str] | None = None,
) -> Node:
    """A node whose access point is the organisation's in the federation; nothing is in its database."""
    directory.mkdir(parents=True, exist_ok=True)
    access_point = federation.add_access_point(
        organisation.access_point, f"https://localhost:{ports.access_point}/as4"
    )
    tls = federation.tls_files("localhost")
    return Node(
        organisation.slug,
        directory,
        ports,
        {
            **federation.environment(),
            "SDK_DATABASE_URL": database_url,
            "SDK_BROKER_URL": broker_url,
            "SDK_SECRET_KEY": _secret(directory / "secret-key"),
            "SDK_WRAPPING_KEY": _secret(directory / "wrapping-key", _wrapping_key),
            "SDK_ACCESS_POINT_KEY": str(access_point.key),
            "SDK_ACCESS_POINT_CERTIFICATE": str(access_point.certificate),
            "SDK_TLS_CLIENT_KEY": str(tls.key),
            "SDK_TLS_CLIENT_CERTIFICATE": str(tls.certificate),
            **(settings or {}),
        },
        tls_key=tls.key,
        tls_certificate=tls.certificate,
    )


def add_organisation(node: Node, organisation: sample.NodeSample, federation: Federation) -> None:
    """Put an organisation with its keys, function mailboxes and people into a node and the federation."""
    keys = federation.add_participant(
        organisation.participant_id, organisation.name, organisation.access_point, organisation.functions
    )
    for person in organisation.people:
        federation.add_person(person)
    node.manage("add_organisation", organisation.participant_id, organisation.name)
    for purpose, files in (("signing", keys.signing), ("encryption", keys.encryption)):
        node.manage(
            "import_key",
            *("--organisation", organisation.participant_id, "--purpose", purpose),
            *("--key", str(files.key), "--certificate", str(files.certificate)),
        )
    mailboxes = node.directory / f"mailboxes-{organisation.slug}.json"
    mailboxes.write_text(json.dumps(organisation.mailboxes(), ensure_ascii=False, indent=1))
    node.manage("load_mailboxes", str(mailboxes))


def start_federation(federation: Federation, directory: Path) -> tuple[subprocess.Popen[bytes], Path]:
    """The federation's process, and where it logs; whoever starts it waits for it and ends it."""
    log = directory / "federation.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "testbed.federation", str(federation.directory)],
            cwd=PROJECT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    return process, log


class step:
    """One line of progress: what is being done, then how long it took."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        self._began = time.monotonic()
        print(f"  {self._what + ' ':.<{_STEP_WIDTH}}", end=" ", flush=True)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        print(f"{time.monotonic() - self._began:.1f} s" if kind is None else "failed", flush=True)


def _secret(path: Path, make: Callable[[], str] = lambda: secrets.token_urlsafe(48)) -> str:
    if not path.exists():
        path.touch(0o600)
        path.write_text(make())
    return path.read_text()


def _wrapping_key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask a process to end, and kill it if it does not within ten seconds."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def main(arguments: Sequence[str] | None = None) -> int:
    # A line is for whoever waits for it, also where a pipe or a file takes it.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--reset", action="store_true", help="clear what the demo has stored, and end")
    options = parser.parse_args(arguments)
    if options.reset:
        running = DIRECTORY / "postgres" / "postmaster.pid"
        if running.exists():
            print("sdkportal: a demo seems to be running; stop it with Ctrl-C first", file=sys.stderr)
            return 1
        shutil.rmtree(DIRECTORY, ignore_errors=True)
        print(f"Cleared {DIRECTORY}.")
        return 0
    try:
        first_port = int(os.environ.get(_PORT_VARIABLE) or 8001)
    except ValueError:
        print(f"sdkportal: {_PORT_VARIABLE} must be a port number", file=sys.stderr)
        return 1
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    return Demo(DIRECTORY, first_port).run()


if __name__ == "__main__":
    sys.exit(main())
