"""`sdkportal setup` from beginning to end, and again: with a database of its own, in processes of its own."""

import json
import os
import subprocess
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from sdkportal.setup import remaining
from testbed.node import PROJECT
from testbed.services import Postgres

ANSWERS = """
[settings]
SDK_ALLOWED_HOSTS = "sdk.habo.se,as4.habo.se"
SDK_PUBLIC_URL = "https://sdk.habo.se"
SDK_DATABASE_URL = "{database}"
SDK_BROKER_URL = "redis://localhost:1/0"
SDK_SML_ZONE = "sml.sdk.se"
SDK_OIDC_ISSUER = "https://eid.example"
SDK_DATA_DIR = "{directory}/data"

[access_point]
name = "AP-HABO"
operator = "Håbo kommun"

[[organisations]]
participant = "0203:habo.se"
name = "Håbo kommun"
number = "212000-0241"
mailboxes = [{{ address = "sdk:mottagning", name = "Mottagning" }}]

[[organisations.people]]
subject = "191212121212"
name = "Eva"
administrator = true
mailboxes = ["sdk:mottagning"]
manager = true
"""


@dataclass
class Machine:
    """A directory for a node's files, and a database."""

    directory: Path
    database: str

    @property
    def environment(self) -> Path:
        return self.directory / "environment"

    def sdkportal(self, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        """The command, as the wheel's entry point starts it, with nothing set but its file."""
        own = {name: value for name, value in os.environ.items() if not name.startswith("SDK_")}
        code = "from sdkportal.startup.command_line import main; main()"
        return subprocess.run(
            [sys.executable, "-c", code, *arguments],
            cwd=PROJECT,
            env={**own, "SDK_ENVIRONMENT_FILE": str(self.environment), "PYTHONPATH": str(PROJECT)},
            input=given,
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
        )

    def set_up(self, *more: str) -> subprocess.CompletedProcess[str]:
        return self.sdkportal("setup", "--from", str(self.directory / "answers.toml"), *more)

    def rows(self, statement: str) -> list[tuple]:
        with psycopg.connect(self.database) as connection:
            return connection.execute(statement).fetchall()


@pytest.fixture
def machine(tmp_path) -> Machine:
    postgres = Postgres(Path(os.environ["SDK_TEST_SERVICES"]) / "postgres")
    postgres.start()
    name = f"setup_{uuid.uuid4().hex[:8]}"
    postgres.ensure_database(name, os.environ.get("SDK_TEST_TEMPLATE", "template1"))
    one = Machine(tmp_path, postgres.url(name))
    (tmp_path / "answers.toml").write_text(ANSWERS.format(database=one.database, directory=tmp_path))
    return one


def test_a_bare_machine_becomes_a_node_and_setup_carries_on_where_it_was(machine):
    if "SDK_TEST_TEMPLATE" not in os.environ:
        done = machine.set_up()
        assert done.returncode == 3, done.stdout + done.stderr
        assert "sdkportal migrate" in done.stdout
        secrets = machine.environment.read_text()
        migrated = machine.sdkportal("migrate", "--verbosity", "0")
        assert migrated.returncode == 0, migrated.stderr
        again = machine.set_up()
        assert again.returncode == 0, again.stdout + again.stderr
        assert machine.environment.read_text() == secrets
    else:
        again = machine.set_up()
        assert again.returncode == 0, again.stdout + again.stderr
    requests = machine.directory / "requests"
    assert sorted(path.name for path in requests.iterdir()) == [
        "0203-habo.se-encryption.csr",
        "0203-habo.se-signing.csr",
        "access-point.csr",
    ]
    assert (machine.directory / "access-point.key").stat().st_mode & 0o777 == 0o600
    for left in (
        f"CA certificates for smp into {machine.directory / 'trust' / 'smp'}",
        "register the access point in the SMP: address https://as4.habo.se/as4",
        "have the signing certificate issued",
        "registered in the SML and the address book",
        "https://sdk.habo.se/oidc/callback/",
        "SDK_WRAPPING_KEY",
        "sdkportal doctor",
    ):
        assert left in again.stdout, left
    assert "191212121212" not in again.stdout

    made = {path.name: path.read_bytes() for path in requests.iterdir()}
    key = (machine.directory / "access-point.key").read_bytes()
    # What an administrator has taken away meanwhile is not given back.
    with psycopg.connect(machine.database) as connection:
        connection.execute("DELETE FROM mailbox_membership")
    third = machine.set_up()
    assert third.returncode == 0, third.stdout + third.stderr
    assert {path.name: path.read_bytes() for path in requests.iterdir()} == made
    assert (machine.directory / "access-point.key").read_bytes() == key
    assert machine.rows("SELECT participant_id, name FROM message_service_organisation") == [
        ("0203:habo.se", "Håbo kommun")
    ]
    assert machine.rows("SELECT count(*) FROM message_service_certificaterequest") == [(2,)]
    assert machine.rows("SELECT role FROM mailbox_organisationrole") == [("administrator",)]
    assert machine.rows("SELECT count(*) FROM mailbox_membership") == [(0,)]

    # Commands find the settings that setup wrote.
    told = machine.sdkportal("doctor", "--json", "--only", "database", "data-keys", "broker")
    levels = {check["name"]: check["level"] for check in json.loads(told.stdout)["checks"]}
    assert levels == {"database": "ok", "data-keys": "ok", "broker": "failure"}
    assert told.returncode == 2


def test_a_database_that_is_away_leaves_the_file_and_setup_is_run_again(machine):
    answers = machine.directory / "answers.toml"
    answers.write_text(ANSWERS.format(database="postgresql://localhost:1/none", directory=machine.directory))
    done = machine.set_up()
    assert done.returncode == 3, done.stderr
    assert "the database does not answer" in done.stdout
    assert machine.environment.exists()
    answers.write_text(ANSWERS.format(database=machine.database, directory=machine.directory))
    assert "another value than the answer: SDK_DATABASE_URL" in machine.set_up().stdout


def test_where_pages_and_access_point_share_a_name_the_smp_gets_that(settings):
    settings.SDK_PUBLIC_URL, settings.ALLOWED_HOSTS = "https://sdk.habo.se", ["sdk.habo.se"]
    assert "https://sdk.habo.se/as4" in " ".join(remaining._files())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('participant = "0203:habo.se"', 'participant = "habo"'), "0203:kommun.se"),
        (('"sdk.habo.se,as4.habo.se"', '"*"'), "SDK_ALLOWED_HOSTS"),
        (("[settings]", '[settings]\nSDK_SECRET_KEY = "short"'), "SDK_SECRET_KEY"),
    ],
)
def test_wrong_answers_end_with_what_is_wrong(machine, change, said):
    answers = machine.directory / "answers.toml"
    answers.write_text(answers.read_text().replace(*change, 1))
    done = machine.set_up()
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_somebody_who_stops_answering_leaves_nothing(machine):
    done = machine.sdkportal("setup", given="sdk.habo.se\n")
    assert done.returncode == 1
    assert "not answered" in done.stderr
    assert not machine.environment.exists()


def test_a_named_environment_file_that_is_missing_or_wrong_stops_a_command(machine):
    done = machine.sdkportal("check")
    assert done.returncode == 1
    assert "cannot be read" in done.stderr
    machine.environment.write_text("secret\n")
    done = machine.sdkportal("check")
    assert "line 1" in done.stderr
    assert "secret" not in done.stderr


def test_the_release_is_told_without_any_setting(machine):
    machine.environment.write_text("")
    assert machine.sdkportal("--release").stdout.startswith("sdkportal 0.")
