"""`make demo`: the federation and two nodes on this machine, in the foreground until Ctrl-C.

Everything lives in var/demo (or SDK_DEMO_DIRECTORY): started again it carries on where it was; `--reset`
clears it.
"""

import contextlib
import os
import sys
import threading
from pathlib import Path
from typing import Final

from . import sample
from .clamav import ClamAV
from .federation import Federation
from .foreground import Program, set_on_interrupt, step
from .node import PROJECT, CommandFailed, Node, NodePorts
from .sample_node import prepare_node, start_federation_process
from .services import Postgres, ServiceNotStarted, Valkey, terminate

PROGRAM: Final = Program(
    "make demo",
    "The federation and two nodes on this machine.",
    Path(os.environ.get("SDK_DEMO_DIRECTORY") or PROJECT / "var" / "demo"),
    "SDK_DEMO_PORT",
    8001,
)


class Demo:
    """The federation, both nodes and what they need; `run` returns when it has been stopped."""

    def __init__(self, directory: Path, first_port: int) -> None:
        self._directory = directory
        self._first_port = first_port
        self._stopping = threading.Event()
        self._cleanup = contextlib.ExitStack()
        self._nodes: list[Node] = []

    def run(self) -> int:
        set_on_interrupt(self._stopping)
        with self._cleanup:
            try:
                self._start()
            except (ServiceNotStarted, CommandFailed, OSError) as error:
                print(f"\nsdkportal: {error}", file=sys.stderr)
                return 1
            if not self._stopping.is_set():
                self._print_addresses()
            while not self._stopping.wait(1.0):
                for node in self._nodes:
                    for role in node.restart_ended():
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
        purposes = {}
        for index, organisation in enumerate(sample.NODES):
            ports = self._ports(index)
            purposes[ports.web] = f"{organisation.name}'s pages"
            purposes[ports.access_point] = f"{organisation.name}'s access point"
            purposes[self._broker_port(index)] = f"{organisation.name}'s broker"
        PROGRAM.check_ports(purposes, self._first_port)

    def _ports(self, index: int) -> NodePorts:
        return NodePorts(web=self._first_port + index, access_point=self._first_port + 10 + index)

    def _broker_port(self, index: int) -> int:
        return self._first_port + 20 + index

    def _start_federation(self) -> Federation:
        directory = self._directory / "federation"
        federation = Federation(directory)
        federation.prepare()
        sample.populate(federation)
        process, log = start_federation_process(federation, self._directory)
        self._cleanup.callback(terminate, process)
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

    def _print_addresses(self) -> None:
        print("\nReady. Open in a browser and log in with the test e-ID (choose a person, no password):\n")
        for node, organisation in zip(self._nodes, sample.NODES, strict=True):
            print(f"  {organisation.name:<22} {node.url}")
            for person in organisation.people:
                print(f"  {'':<22}   {person.name}: {person.role_in_words}")
        print("\nCtrl-C stops it.")


def main() -> int:
    """Run the demo, or clear it."""
    return PROGRAM.main(lambda directory, first_port: Demo(directory, first_port).run())


if __name__ == "__main__":
    sys.exit(main())
