"""The commands of docs/production.md, run from top to bottom on a bare Debian 12; then those of an upgrade.

`make test-production` makes the machine and the release's bundle first, and runs this in a network that leads
nowhere: what the machine installs is what it has. It takes root and minutes: `make test` leaves it out.
"""

import json
import os
import re
import shutil
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psycopg
import pytest

import sdkportal
from sdkportal.backup.keys import make_key
from testbed import sample
from testbed.eid import CLIENT_SECRET
from testbed.node import PROJECT
from testbed.services import Postgres
from testbed.sml import ZONE
from tests.nodes import NodeUnderTest, database_for_node, eventually, running_node
from tests.production.bare_debian import PLACE, Machine
from tests.production.document import FillIn, block_of, steps_of
from tests.production.world import (
    MAILBOX,
    MEMBER,
    PAGES,
    SecureFederation,
    mail_server,
)
from tests.upgrade.people import Person
from transport.storage.malware import TEST_FILE

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(5400),
    pytest.mark.skipif(
        "SDK_TEST_PRODUCTION" not in os.environ,
        reason="make test-production: root, debootstrap, minutes",
    ),
]
VERSION: Final = sdkportal.__version__
BUNDLE: Final = PROJECT / "dist" / f"sdkportal-{VERSION}-offline.tar"
AF: Final = "sdk:arbetstraning:0203:arbetsformedlingen.se"
_OWNER_PASSWORD: Final = "owner-of-this-test"
_SERVICE_PASSWORD: Final = "service-of-this-test"
_BROKER_PASSWORD: Final = "broker-of-this-test-0123456789ab"
# What ends otherwise than with 0: the step, and what it ends with. Doctor is run until all is well, which
# a test below waits for: just after the start, and on a busy machine, it may not be so yet.
_OTHER_STATUS: Final = {7: {3}, 13: {0, 1, 2}}
_WELL_SECONDS: Final = 300
_ACCEPTED_SECONDS: Final = 180


@dataclass(frozen=True)
class Trial:
    """A machine that is a node by the document, and what is around it."""

    machine: Machine
    federation: SecureFederation
    counterpart: NodeUnderTest
    backup_key: Path
    said: dict[int, str]

    def query(self, statement: str, *parameters: object) -> list[tuple]:
        """Rows of the new node's database, by the service's own role."""
        url = f"postgresql://sdkportal:{_SERVICE_PASSWORD}@localhost/sdkportal"
        with psycopg.connect(url, autocommit=True) as connection:
            return connection.execute(statement, parameters).fetchall()

    def doctor(self) -> dict[str, dict]:
        """What doctor says, by the names of its checks."""
        told = self.machine.ask("runuser -u sdkportal -- sdkportal doctor --json")
        return {check["name"]: check for check in json.loads(told)["checks"]}


@pytest.fixture(scope="module")
def trial(tmp_path_factory) -> Generator[Trial, None, None]:
    directory = tmp_path_factory.mktemp("production")
    postgres = Postgres(Path(os.environ["SDK_TEST_SERVICES"]) / "postgres")
    postgres.start()
    federation = SecureFederation(directory / "federation")
    federation.prepare()
    sample.populate(federation)
    federation.start()
    machine = Machine(PLACE / f"machine-{os.getpid()}", directory / "machine.log")
    try:
        url = database_for_node(postgres, "production_counterpart")
        with (
            running_node(
                directory / "counterpart", sample.ARBETSFORMEDLINGEN, federation, url
            ) as counterpart,
            mail_server() as mail_port,
        ):
            machine.start()
            machine.put("etc/hosts", (Path(__file__).parent / "hosts").read_bytes())
            backup_key = directory / "backup.key"
            said = _first_time(machine, federation, directory, make_key(backup_key), mail_port)
            counterpart.node.manage("sync_address_book")
            yield Trial(machine, federation, counterpart, backup_key, said)
    finally:
        machine.stop()
        federation.stop()


def _first_time(
    machine: Machine, federation: SecureFederation, directory: Path, recipient: str, mail_port: int
) -> dict[int, str]:
    """Follow the chapter; what the commands of each step said."""
    settings = federation.environment()
    # Of the test federation alone: where it is, and that it is on this machine.
    more = {
        "SDK_TLS_CA_FILE": "/etc/sdkportal/trust/tls-ca.pem",
        "SDK_DNS_SERVERS": settings["SDK_DNS_SERVERS"],
        "SDK_PRIVATE_NETWORKS": "127.0.0.0/8",
        "SDK_MAIL_PORT": str(mail_port),
        "SDK_MAIL_STARTTLS": "0",
        "SDK_UNDO_SEND_SECONDS": "0",
        # CertPub has the certificates at once: it is asked for them soon, and not within the hour.
        "SDK_CERTIFICATE_SECONDS": "10",
    }
    fill_in = FillIn(
        {
            "VERSION": VERSION,
            "OWNER-PASSWORD": _OWNER_PASSWORD,
            "SERVICE-PASSWORD": _SERVICE_PASSWORD,
            "BROKER-PASSWORD": _BROKER_PASSWORD,
            '"SECRET"': f'"{CLIENT_SECRET}"',
            "https://eid.example": federation.issuer,
            "https://addressbook.federation.example/addressbook/api/": settings["SDK_ADDRESS_BOOK_URL"],
            "sml.federation.example": ZONE,
            "age1...": recipient,
            "[settings]": "[settings]\n" + "\n".join(f'{name} = "{value}"' for name, value in more.items()),
        }
    )

    def bring_bundle() -> None:
        for path in (BUNDLE, BUNDLE.with_name(f"{BUNDLE.name}.sha256")):
            machine.put(f"root/{path.name}", path.read_bytes())

    def bring_signatures() -> None:
        # Debian's unit waits for the two; freshclam has no network here, so one signature is all there is.
        for name in ("main.inc", "daily.inc"):
            machine.put(f"var/lib/clamav/{name}", b"")
        machine.put("var/lib/clamav/test.ndb", f"Eicar-Test-Signature:0:*:{TEST_FILE.hex()}\n".encode())

    def bring_answers() -> None:
        machine.put(
            "root/answers.toml", fill_in(block_of("production.md", "### The answers of setup")).encode()
        )

    def bring_certificates() -> None:
        for name, content in federation.answer_requests(machine, directory).items():
            machine.put(f"root/{name}", content)

    before: dict[int, Callable[[], None]] = {
        3: bring_bundle,
        5: bring_signatures,
        7: bring_answers,
        10: bring_certificates,
    }
    typed = {
        6: "".join(f"{word}\n{word}\n" for word in (_OWNER_PASSWORD, _SERVICE_PASSWORD)),
        8: f"{_OWNER_PASSWORD}\n",
    }
    said = {}
    for step in steps_of("production.md", "## First time"):
        before.get(step.number, lambda: None)()
        said[step.number] = _follow(
            machine,
            [fill_in(command) for command in step.commands],
            typed=typed.get(step.number, ""),
            statuses=_OTHER_STATUS.get(step.number, {0}),
        )
    assert fill_in.unused == set()
    return said


def _follow(machine: Machine, commands: list[str], *, typed: str, statuses: set[int]) -> str:
    """Run the commands of a step, the last of which may end with one of these; what they said."""
    said = ""
    for command in commands:
        # What somebody types goes to the command that asks for it: others have their input from nowhere.
        asks = "\\password" in command or command.startswith("psql ")
        done = machine.run(command, typed=typed if asks else "")
        allowed = statuses if command == commands[-1] else {0}
        said += f"$ {command}\n{done.stdout}{done.stderr}"
        assert done.returncode in allowed, f"{command} ended with {done.returncode}:\n{said[-6000:]}"
    return said


def _journal(machine: Machine, unit: str) -> str:
    return machine.ask(f"journalctl --no-pager --output cat --unit {unit}")


def test_setup_ends_as_the_document_says_and_then_tells_what_is_left(trial: Trial):
    assert "run `sdkportal migrate` as its owner" in trial.said[7]
    assert "address https://as4.habo.example/as4" in trial.said[9]
    assert "/oidc/utloggad" in trial.said[9]


def test_all_is_well_but_what_only_the_world_outside_can_give(trial: Trial):
    """ClamAV's signatures come from a network, and there is none here: how old they are is not told."""

    def unwell() -> dict[str, str]:
        return {name: check["level"] for name, check in trial.doctor().items() if check["level"] != "ok"}

    eventually(lambda: unwell() == {"scanner": "warning"}, what=f"{unwell()}", seconds=_WELL_SECONDS)
    (finding,) = (each for each in trial.doctor()["scanner"]["findings"] if each["level"] != "ok")
    assert finding["code"] == "scanner-signatures"


def test_every_unit_of_ours_runs_and_confines_what_it_draws(trial: Trial):
    units = sorted(path.name for path in (PROJECT / "deploy" / "systemd").glob("*.service"))
    states = {unit: trial.machine.ask(f"systemctl is-active {unit}").strip() for unit in units}
    assert states.pop("sdkportal-backup.service") == "inactive"
    assert set(states.values()) == {"active"}, states
    restarts = {
        unit: trial.machine.ask(f"systemctl show --property NRestarts --value {unit}").strip()
        for unit in states
    }
    assert set(restarts.values()) == {"0"}, restarts
    assert "rendering_confined" in _journal(trial.machine, "sdkportal-web")
    assert "sdkportal-backup.timer" in trial.machine.ask("systemctl list-timers --no-pager")


def test_somebody_logs_in_and_a_message_goes_out_and_comes_in(trial: Trial, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(trial.federation.tls_ca))
    ((mailbox,),) = trial.query("SELECT id FROM mailbox_functionmailbox WHERE address = %s", MAILBOX)
    ((function,),) = trial.query("SELECT id FROM addressbook_functionaddress WHERE identifier = %s", AF)
    person = Person(MEMBER.subject, mailbox, function, [PAGES])
    person.start()
    try:
        eventually(lambda: person.sent or person.broken, what="somebody to send", seconds=_ACCEPTED_SECONDS)
    finally:
        person.end()
    assert (person.broken, person.logged_out) == ([], 0)
    _assert_all_accepted(trial)

    back = trial.counterpart.send(AF, MAILBOX, "Tillbaka")
    eventually(
        lambda: (
            trial.counterpart.query(
                "SELECT state FROM message_service_outgoingmessage WHERE message_id = %s", back
            )
            == [("ACCEPTED",)]
        ),
        what="the receipt of the new node",
        seconds=_ACCEPTED_SECONDS,
    )
    arrived = trial.query("SELECT direction FROM mailbox_message WHERE message_id = %s", back)
    assert arrived == [("in",)]


def _assert_all_accepted(trial: Trial) -> None:
    """What the new node has sent is accepted by receipts, and with its recipient once."""
    sent = "SELECT message_id::text, state FROM message_service_outgoingmessage WHERE kind = 'message'"
    eventually(
        lambda: {state for _, state in trial.query(sent)} == {"ACCEPTED"},
        what="receipts of the second node",
        seconds=_ACCEPTED_SECONDS,
    )
    arrived = "SELECT message_id::text, count(*) FROM mailbox_message WHERE direction = 'in' GROUP BY 1"
    there = dict(trial.counterpart.query(arrived))
    assert {message_id: there.get(message_id) for message_id, _ in trial.query(sent)} == dict.fromkeys(
        (message_id for message_id, _ in trial.query(sent)), 1
    )


def test_the_backup_of_the_timer_s_command_is_verified_on_another_machine(trial: Trial, tmp_path):
    assert trial.machine.run("systemctl start sdkportal-backup").returncode == 0
    told = re.findall(r"digest (\w+)", _journal(trial.machine, "sdkportal-backup"))
    assert len(told) >= 2, "one of the first time, and one now"
    backups = tmp_path / "backups"
    shutil.copytree(trial.machine.root / "srv" / "sdkportal-backup", backups)
    settings = tmp_path / "environment"
    settings.write_bytes(trial.machine.read("etc/sdkportal/environment"))
    work = tmp_path / "work"
    work.mkdir(mode=0o700)
    node = trial.counterpart.node
    # This machine has the backup's private key, the node's secrets and a database that is empty.
    postgres = Postgres(Path(os.environ["SDK_TEST_SERVICES"]) / "postgres")
    postgres.start()
    postgres.ensure_database("production_scratch")
    kept = dict(node.environment)
    try:
        for name in [name for name in node.environment if name.startswith("SDK_")]:
            del node.environment[name]
        for line in settings.read_text().splitlines()[1:]:
            name, _, value = line.partition("=")
            node.environment[name] = value.strip("'")
        node.environment["SDK_WORK_DIR"] = str(work)
        node.environment["SDK_POSTGRESQL_PROGRAMS"] = kept["SDK_POSTGRESQL_PROGRAMS"]
        said = node.manage(
            "verify_backup",
            str(backups),
            f"--identity={trial.backup_key}",
            f"--scratch-database={postgres.url('production_scratch')}",
            f"--digest={told[-1]}",
        )
    finally:
        node.environment.clear()
        node.environment.update(kept)
    assert said


def test_an_upgrade_goes_through_by_the_document(trial: Trial):
    """To the same version, in a place of its own: what is tried is the path."""
    fill_in = FillIn({"VERSION": VERSION, "OWNER-PASSWORD": _OWNER_PASSWORD})
    beside = f"/opt/sdkportal-{VERSION}-again"
    for step in steps_of("upgrading.md", "## How to"):
        _follow(
            trial.machine,
            [fill_in(command).replace(f"/opt/sdkportal-{VERSION}", beside) for command in step.commands],
            typed=f"{_OWNER_PASSWORD}\n",
            statuses={0, 1, 2} if step.number == 6 else {0},
        )
    assert fill_in.unused == set()
    running = trial.machine.ask("readlink /proc/$(systemctl show -P MainPID sdkportal-beat)/cwd").strip()
    assert running == beside
    test_all_is_well_but_what_only_the_world_outside_can_give(trial)
    sent = trial.counterpart.send(AF, MAILBOX, "Efter uppgraderingen")
    eventually(
        lambda: trial.query("SELECT direction FROM mailbox_message WHERE message_id = %s", sent) == [("in",)],
        what="a message after the upgrade",
        seconds=_ACCEPTED_SECONDS,
    )
