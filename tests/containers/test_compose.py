"""deploy/compose.yaml: every container has what it needs, and nothing more."""

import copy
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

DEPLOY = Path(__file__).resolve().parent.parent.parent / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
ROLES = {"pages", "access-point", "worker", "transport", "notices", "beat"}
ONCE = {"migrate"}
WITHOUT_A_WAY_OUT = {"postgres", "valkey", "clamav", "renderer", "migrate"}


def problems(compose: dict[str, Any]) -> set[str]:
    """What is not as it should be, as `service: rule`."""
    return {
        f"{name}: {rule}"
        for name, service in compose["services"].items()
        for rule, holds in _rules(compose, name, service).items()
        if not holds
    }


def _rules(compose: dict[str, Any], name: str, service: dict[str, Any]) -> dict[str, bool]:
    networks = service.get("networks", [])
    inside = {network for network, given in compose["networks"].items() if given.get("internal")}
    has_no_way_out = service.get("network_mode") == "none" or (bool(networks) and set(networks) <= inside)
    user = re.fullmatch(r"(\d+):\d+", str(service.get("user", "")))
    return {
        "read-only root": service.get("read_only") is True,
        "no capabilities": service.get("cap_drop") == ["ALL"] and "cap_add" not in service,
        "no new privileges": service.get("security_opt") == ["no-new-privileges:true"],
        "not privileged": not service.keys() & {"privileged", "devices", "pid", "ipc", "userns_mode"},
        "a user that is not root": user is not None and int(user[1]) > 0,
        "a health check": name in ONCE or "test" in service.get("healthcheck", {}),
        "restarted": name in ONCE or service.get("restart") == "unless-stopped",
        "no way out": name not in WITHOUT_A_WAY_OUT or has_no_way_out,
        "no network of the machine's": service.get("network_mode") in (None, "none"),
        "a port only on the proxy": name == "nginx" or "ports" not in service,
        "no secret in the environment": not any(
            re.search(r"PASSWORD|SECRET|_KEY|DATABASE_URL", key) and not key.endswith("_FILE")
            for key in service.get("environment", {})
        ),
    }


def test_every_container_is_confined_and_watched():
    assert problems(COMPOSE) == set()


def test_all_roles_and_what_they_stand_on_are_there():
    services = COMPOSE["services"].keys()
    units = {path.stem.removeprefix("sdkportal-") for path in (DEPLOY / "systemd").glob("*.service")}
    assert units - {"web", "backup"} | {"pages"} == ROLES
    beside = {"nginx", "renderer", "migrate", "postgres", "valkey", "clamav", "signatures"}
    assert services == ROLES | beside


def test_what_renders_has_neither_network_nor_secret_nor_file_of_the_node():
    renderer = COMPOSE["services"]["renderer"]
    assert renderer["network_mode"] == "none"
    assert not renderer.keys() & {"networks", "secrets", "env_file", "depends_on", "ports"}
    assert renderer["volumes"] == ["renderer:/run/renderer"]
    assert renderer["environment"].keys() == {"SDK_RENDERER"}
    for role in ROLES:
        assert COMPOSE["services"][role]["environment"]["SDK_RENDERER"] == "/run/renderer/socket"
        assert COMPOSE["services"][role]["user"] != renderer["user"]


@pytest.mark.parametrize(
    ("service", "key", "value", "rule"),
    [
        ("pages", "read_only", False, "read-only root"),
        ("beat", "cap_add", ["NET_ADMIN"], "no capabilities"),
        ("worker", "security_opt", [], "no new privileges"),
        ("transport", "privileged", True, "not privileged"),
        ("nginx", "user", "0:0", "a user that is not root"),
        ("notices", "healthcheck", {}, "a health check"),
        ("renderer", "network_mode", "bridge", "no way out"),
        ("postgres", "networks", ["services", "outside"], "no way out"),
        ("access-point", "network_mode", "host", "no network of the machine's"),
        ("valkey", "ports", ["6379:6379"], "a port only on the proxy"),
        ("pages", "environment", {"SDK_SECRET_KEY": "x"}, "no secret in the environment"),
    ],
)
def test_what_is_taken_away_or_added_is_found(service, key, value, rule):
    changed = copy.deepcopy(COMPOSE)
    changed["services"][service][key] = value
    assert f"{service}: {rule}" in problems(changed)


def test_every_name_in_it_is_declared_and_every_file_is_there():
    for name, service in COMPOSE["services"].items():
        networks = service.get("networks", [])
        assert set(networks) <= COMPOSE["networks"].keys(), name
        assert set(service.get("secrets", [])) <= COMPOSE["secrets"].keys(), name
        assert service.get("depends_on", {}).keys() <= COMPOSE["services"].keys(), name
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            if source.startswith("./"):
                own = source.startswith(("./keys", "./trust"))
                assert own or (DEPLOY / source).exists(), volume
            else:
                assert source in COMPOSE["volumes"], volume
        for variable, path in service.get("environment", {}).items():
            if variable.endswith("_FILE"):
                assert Path(path).name in service["secrets"], f"{name} {variable}"


@pytest.mark.parametrize(
    ("role", "unit"), [(role, "web" if role == "pages" else role) for role in sorted(ROLES)]
)
def test_a_role_is_started_as_its_unit_does(role, unit):
    """The same program and options, but for where it listens and where its files are."""
    text = (DEPLOY / "systemd" / f"sdkportal-{unit}.service").read_text()
    (line,) = re.findall(r"^ExecStart=/opt/sdkportal/\.venv/bin/(.+)$", text, re.M)
    unit_options = set(re.findall(r"--[a-z-]+", line)) - {"--bind", "--host", "--port", "--hostname"}
    words = COMPOSE["services"][role]["command"]
    options = {word.partition("=")[0] for word in words if word.startswith("--")}
    assert words[0] == line.split()[0]
    assert unit_options <= options
    assert options - unit_options <= {"--bind", "--host", "--port", "--hostname", "--app"}
    for option in ("--queues", "--threads", "--worker-class", "--graceful-timeout"):
        if given := re.search(rf"{option} (\S+)", line):
            assert f"{option}={given[1]}" in words
