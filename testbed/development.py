"""`make run`: one node with sample data that reloads when you save, in the foreground until Ctrl-C.

The node serves two organisations, and what one writes to the other goes out through the node's access point
and comes in again. Everything lives in var/run (or SDK_RUN_DIRECTORY): started again it carries on where it
was; `--reset` clears it.
"""

import contextlib
import os
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
from .federation import Federation
from .foreground import Program, set_on_interrupt, step
from .node import PROJECT, CommandFailed, Node, NodePorts, Role
from .sample_node import add_organisation, configure_node, start_federation_process
from .services import Postgres, ServiceNotStarted, Valkey, terminate

PROGRAM: Final = Program(
    "make run",
    "One node with sample data that reloads when you save.",
    Path(os.environ.get("SDK_RUN_DIRECTORY") or PROJECT / "var" / "run"),
    "SDK_RUN_PORT",
    8101,
)
# The code that the node's processes run. `static` is not among it: browsers fetch that anew.
_CODE: Final = ("sdkportal", "mailbox", "addressbook", "transport")
_TEXTS: Final = ("templates", "locale")
_LOG_LINES: Final = 12

HABO: Final = sample.HABO
# Served by the same access point, so that messages between the two come back to this node.
PARTNER: Final = replace(sample.ARBETSFORMEDLINGEN, access_point=HABO.access_point)


def roles_to_restart(changed: Iterable[Path]) -> tuple[Role, ...]:
    """The processes that hold one of these files in memory; paths are relative to the project."""
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
        set_on_interrupt(self._stopping)
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
                _print_addresses(node)
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
            process, log = start_federation_process(federation, self._directory)
            self._cleanup.callback(terminate, process)
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
        node = configure_node(
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
        purposes = {
            self._ports.web: "the pages",
            self._ports.access_point: "the access point",
            self._broker_port: "the broker",
        }
        PROGRAM.check_ports(purposes, self._ports.web)

    def _reload(self, node: Node) -> None:
        """Restart the processes that have read a changed file, until the program is stopped."""
        reported: set[Role] = set()
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
                reported.clear()
                _restart(node, roles, changed)
            for role in set(node.ended()) - reported:
                reported.add(role)
                print(f"  {role} has ended, and starts again when you save; {_end_of_log(node, role)}")


def _restart(node: Node, roles: tuple[Role, ...], changed: Sequence[Path]) -> None:
    # Processes that have ended by themselves start again too, whichever file it was that changed.
    roles = tuple(role for role in Role if role in roles or role in node.ended())
    names = ", ".join(sorted({str(path) for path in changed})[:3])
    print(f"  {names}: restarting {', '.join(roles)} ...", end=" ", flush=True)
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


def _print_addresses(node: Node) -> None:
    print(f"\nOpen {node.url} and log in with the test e-ID (choose a person, no password):\n")
    for organisation in (HABO, PARTNER):
        print(f"  {organisation.name}")
        for person in organisation.people:
            print(f"    {person.name}: {person.role_in_words}")
    print(f"\nLogs: {node.directory / 'log'}. It reloads when you save; Ctrl-C stops it.")


def main() -> int:
    """Run the node, or clear it."""
    return PROGRAM.main(lambda directory, first_port: Development(directory, first_port).run())


if __name__ == "__main__":
    sys.exit(main())
