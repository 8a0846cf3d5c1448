"""`make run`: one node with sample data that reloads when you save, in the foreground until Ctrl-C.

The node serves two organisations, and what one writes to the other goes out through the node's access point
and comes in again. Everything lives in var/run (or SDK_RUN_DIRECTORY): started again it carries on where it
was; `--reset` clears it.
"""

import argparse
import contextlib
import io
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from watchfiles import Change, watch

from . import sample
from .clamav import ClamAV
from .demo import add_organisation, end, node_of, start_federation, step
from .federation import Federation
from .node import PROJECT, CommandFailed, Node, NodePorts, Role
from .services import Postgres, ServiceNotStarted, Valkey, port_is_taken

DIRECTORY = Path(os.environ.get("SDK_RUN_DIRECTORY") or PROJECT / "var" / "run")
_PORT_VARIABLE: Final = "SDK_RUN_PORT"
# Their code is what runs in the node's processes. `static` is not here: a browser fetches it anew.
_CODE: Final = ("sdkportal", "mailbox", "addressbook", "transport")
_TEXTS: Final = ("templates", "locale")
_LOG_LINES: Final = 12

HABO: Final = sample.HABO
# Served by the same access point, so that messages between the two come back to this node.
PARTNER: Final = replace(sample.ARBETSFORMEDLINGEN, access_point=HABO.access_point)


def roles_to_restart(changed: Iterable[Path]) -> tuple[Role, ...]:
    """The processes that have read one of these files, relative to the project, and hold it in memory."""
    roles: set[Role] = set()
    for path in changed:
        if path.suffix == ".py" and path.parts[0] in _CODE:
            roles |= set(Role)
        elif path.parts[0] in _TEXTS and path.suffix != ".po":
            roles |= {Role.WEB, Role.WORKER}
    return tuple(role for role in Role if role in roles)


def changes_the_database(changed: Iterable[Path]) -> bool:
    """Whether a migration is among the files."""
    return any("migrations" in path.parts and path.suffix == ".py" for path in changed)


class Development:
    """The node and what it needs; `run` returns when it has been stopped."""

    def __init__(self, directory: Path, first_port: int) -> None:
        self._directory = directory
        self._ports = NodePorts(web=first_port, access_point=first_port + 10)
        self._broker_port = first_port + 20
        self._stopping = threading.Event()
        self._cleanup = contextlib.ExitStack()

    def run(self) -> int:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: self._stopping.set())
        began = time.monotonic()
        with self._cleanup:
            try:
                node = self._start()
            except (ServiceNotStarted, CommandFailed, OSError) as error:
                # Ctrl-C reaches the command that is running too, which then ends with an error.
                if not self._stopping.is_set():
                    print(f"\nsdkportal: {error}", file=sys.stderr)
                    return 1
            if not self._stopping.is_set():
                print(f"\nReady after {time.monotonic() - began:.0f} s.")
                _tell_where(node)
                self._reload(node)
            print("\nStopping ...")
        print("Stopped. `make run` carries on, `make run-reset` clears it.")
        return 0

    def _start(self) -> Node:
        self._check_ports()
        federation = Federation(self._directory / "federation")
        with step("the federation, PostgreSQL, Valkey, ClamAV"):
            federation.prepare()
            sample.populate(federation)
            process, log = start_federation(federation, self._directory)
            self._cleanup.callback(end, process)
            postgres = Postgres(self._directory / "postgres")
            postgres.start()
            self._cleanup.callback(postgres.stop)
            postgres.ensure_database("node")
            broker = Valkey(self._directory / "valkey", self._broker_port)
            broker.start()
            self._cleanup.callback(broker.stop)
            clamav = ClamAV(self._directory / "clamav")
            clamav.start()
            self._cleanup.callback(clamav.stop)
        node = node_of(
            self._directory / "node",
            self._ports,
            HABO,
            federation,
            database_url=postgres.url("node"),
            broker_url=broker.url,
            settings={"SDK_CLAMD": clamav.address},
        )
        with step("the database's tables"):
            node.manage("migrate", "--verbosity", "0")
        federation.wait_until_ready(process, log)
        is_new = not (self._directory / "has-sample-data").exists()
        if is_new:
            with step("two organisations, and a copy of the address book"):
                for organisation in (HABO, PARTNER):
                    add_organisation(node, organisation, federation)
                    node.manage("set_routing", organisation.participant_id, "--way", "out-and-back")
                node.manage("sync_address_book")
        with step("pages, access point, worker, beat"):
            self._cleanup.callback(node.stop)
            node.start()
        if is_new:
            with step("sample conversations, sent for real"):
                for organisation in (HABO, PARTNER):
                    node.run_module("testbed.sample_conversations", organisation.participant_id)
            (self._directory / "has-sample-data").touch()
        return node

    def _check_ports(self) -> None:
        for port in (self._ports.web, self._ports.access_point, self._broker_port):
            if port_is_taken(port):
                raise ServiceNotStarted(
                    f"port {port} is taken. Does the node run already? "
                    f"Else choose another: make run {_PORT_VARIABLE}={self._ports.web + 1000}"
                )

    def _reload(self, node: Node) -> None:
        """Restart what has to be when files change, until somebody stops it."""
        told: set[Role] = set()
        folders = [PROJECT / name for name in (*_CODE, *_TEXTS)]
        for changes in watch(
            *folders,
            stop_event=self._stopping,
            rust_timeout=1000,
            yield_on_timeout=True,
            raise_interrupt=False,
        ):
            changed = [Path(name).relative_to(PROJECT) for change, name in changes if change in Change]
            roles = roles_to_restart(changed)
            if roles:
                told.clear()
                _restart(node, roles, changed)
            for role in set(node.died()) - told:
                told.add(role)
                print(f"  {role} has ended, and starts again when you save; {_end_of_log(node, role)}")


def _restart(node: Node, roles: tuple[Role, ...], changed: Sequence[Path]) -> None:
    # What has died meanwhile starts again too, whatever it was that changed.
    roles = tuple(role for role in Role if role in roles or role in node.died())
    named = ", ".join(sorted({str(path) for path in changed})[:3])
    print(f"  {named}: restarting {', '.join(roles)} ...", end=" ", flush=True)
    began = time.monotonic()
    try:
        node.stop(*roles)
        if changes_the_database(changed):
            node.manage("migrate", "--verbosity", "0")
        node.start(*roles)
    except (ServiceNotStarted, CommandFailed) as error:
        print(f"failed\n{error}")
    else:
        print(f"{time.monotonic() - began:.1f} s")


def _end_of_log(node: Node, role: Role) -> str:
    lines = node.log(role).read_text(errors="replace").splitlines()[-_LOG_LINES:]
    return "\n    ".join([f"{node.log(role)} ends with", *lines])


def _tell_where(node: Node) -> None:
    print(f"\nOpen {node.url} and log in with the test e-ID (choose a person, no password):\n")
    for organisation in (HABO, PARTNER):
        print(f"  {organisation.name}")
        for person in organisation.people:
            print(f"    {person.name}: {person.role_in_words}")
    print(f"\nLogs: {node.directory / 'log'}. It reloads when you save; Ctrl-C stops it.")


def main(arguments: Sequence[str] | None = None) -> int:
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)
    parser = argparse.ArgumentParser(prog="make run", description=__doc__)
    parser.add_argument("--reset", action="store_true", help="clear what the node has stored, and end")
    options = parser.parse_args(arguments)
    if options.reset:
        if (DIRECTORY / "postgres" / "postmaster.pid").exists():
            print("sdkportal: the node seems to be running; stop it with Ctrl-C first", file=sys.stderr)
            return 1
        shutil.rmtree(DIRECTORY, ignore_errors=True)
        print(f"Cleared {DIRECTORY}.")
        return 0
    try:
        first_port = int(os.environ.get(_PORT_VARIABLE) or 8101)
    except ValueError:
        print(f"sdkportal: {_PORT_VARIABLE} must be a port number", file=sys.stderr)
        return 1
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    return Development(DIRECTORY, first_port).run()


if __name__ == "__main__":
    sys.exit(main())
