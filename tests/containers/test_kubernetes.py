"""deploy/kubernetes: valid for Kubernetes, and confined as the standard `restricted` wants."""

import copy
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

DEPLOY = Path(__file__).resolve().parent.parent.parent / "deploy"
OBJECTS: list[dict[str, Any]] = [
    each
    for path in sorted((DEPLOY / "kubernetes").glob("*.yaml"))
    for each in yaml.safe_load_all(path.read_text())
]
COMPONENT = "app.kubernetes.io/component"
RENDERER = "renderer"


def of_kind(kind: str, objects: list[dict[str, Any]] = OBJECTS) -> dict[str, dict[str, Any]]:
    return {each["metadata"]["name"]: each for each in objects if each["kind"] == kind}


def workloads(objects: list[dict[str, Any]] = OBJECTS) -> dict[str, dict[str, Any]]:
    return of_kind("Deployment", objects) | of_kind("Job", objects)


def problems(objects: list[dict[str, Any]]) -> set[str]:
    """What is not as it should be, as `workload: rule`."""
    found = set()
    for name, workload in workloads(objects).items():
        pod = workload["spec"]["template"]["spec"]
        for container in pod["containers"]:
            rules = _rules(workload["kind"], pod, container)
            found |= {f"{name}: {rule}" for rule, holds in rules.items() if not holds}
    return found


def _rules(kind: str, pod: dict[str, Any], container: dict[str, Any]) -> dict[str, bool]:
    whole, own = pod.get("securityContext", {}), container.get("securityContext", {})
    return {
        "runs as non-root": whole.get("runAsNonRoot") is True and whole.get("runAsUser", 0) > 0,
        "read-only root": own.get("readOnlyRootFilesystem") is True,
        "no capabilities": own.get("capabilities") == {"drop": ["ALL"]},
        "no new privileges": own.get("allowPrivilegeEscalation") is False,
        "seccomp": whole.get("seccompProfile") == {"type": "RuntimeDefault"},
        "no token": pod.get("automountServiceAccountToken") is False,
        "nothing of the machine's": not pod.keys() & {"hostNetwork", "hostPID", "hostIPC"}
        and not any("hostPath" in volume for volume in pod.get("volumes", [])),
        "a probe": kind == "Job" or "livenessProbe" in container,
        "limits": "memory" in container.get("resources", {}).get("limits", {}),
        "no secret in the environment": all("valueFrom" not in each for each in container.get("env", [])),
    }


@pytest.mark.parametrize("each", OBJECTS, ids=lambda each: f"{each['kind']}-{each['metadata']['name']}")
@pytest.mark.parametrize("version", ["1.29", kubernetes_validate.latest_version()])
def test_it_is_valid(each, version):
    kubernetes_validate.validate(each, version, strict=True)


def test_a_field_that_is_not_known_is_refused():
    wrong = copy.deepcopy(of_kind("Deployment")["pages"])
    wrong["spec"]["template"]["spec"]["containers"][0]["readOnly"] = True
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, kubernetes_validate.latest_version(), strict=True)


def test_every_workload_is_confined_and_watched():
    assert problems(OBJECTS) == set()
    enforced = of_kind("Namespace")["sdkportal"]["metadata"]["labels"]
    assert enforced["pod-security.kubernetes.io/enforce"] == "restricted"


@pytest.mark.parametrize(
    ("part", "key", "rule"),
    [
        ("pod", "securityContext", "runs as non-root"),
        ("pod", "securityContext", "seccomp"),
        ("pod", "automountServiceAccountToken", "no token"),
        ("container", "securityContext", "read-only root"),
        ("container", "securityContext", "no capabilities"),
        ("container", "securityContext", "no new privileges"),
        ("container", "livenessProbe", "a probe"),
        ("container", "resources", "limits"),
    ],
)
def test_what_is_taken_away_is_found(part, key, rule):
    for name in of_kind("Deployment"):
        changed = copy.deepcopy(OBJECTS)
        pod = workloads(changed)[name]["spec"]["template"]["spec"]
        del (pod if part == "pod" else pod["containers"][0])[key]
        assert f"{name}: {rule}" in problems(changed)


def test_all_roles_are_there_with_the_commands_of_compose():
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    roles = of_kind("Deployment")
    assert roles.keys() == {"pages", "access-point", "worker", "transport", "notices", "beat", RENDERER}
    for name, workload in roles.items():
        (container,) = workload["spec"]["template"]["spec"]["containers"]
        options = {word.partition("=")[0] for word in container["args"] if not word.startswith("0.0.0.0")}
        expected = {str(word).partition("=")[0] for word in services[name]["command"]}
        assert options == {word for word in expected if not word.startswith("/run/")}, name


def test_pages_and_access_point_are_asked_whether_they_are_ready_by_addresses_that_exist(client, db):
    for name in ("pages", "access-point"):
        (container,) = of_kind("Deployment")[name]["spec"]["template"]["spec"]["containers"]
        assert {"startupProbe", "readinessProbe", "livenessProbe"} <= container.keys()
        assert container["readinessProbe"]["httpGet"]["path"] == "/halsa/klar"
        for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
            assert client.get(container[kind]["httpGet"]["path"]).status_code == 200


def _selects(selector: dict[str, Any], component: str) -> bool:
    labels = selector.get("matchLabels", {})
    if labels.get(COMPONENT, component) != component:
        return False
    return all(
        component in each["values"]
        for each in selector.get("matchExpressions", [])
        if each["key"] == COMPONENT
    )


def _allowed(component: str, direction: str) -> list[dict[str, Any]]:
    """What the policies let a component do; nothing that no policy allows."""
    policies = [
        each["spec"]
        for each in of_kind("NetworkPolicy").values()
        if _selects(each["spec"]["podSelector"], component)
        and direction.title() in each["spec"]["policyTypes"]
    ]
    assert policies, f"no policy is about {component}: everything is allowed"
    return [rule for policy in policies for rule in policy.get(direction, [])]


def test_what_renders_opens_no_connection_and_is_reached_by_few():
    assert _allowed(RENDERER, "egress") == []
    (rule,) = _allowed(RENDERER, "ingress")
    (peer,) = rule["from"]
    (expression,) = peer["podSelector"]["matchExpressions"]
    assert sorted(expression["values"]) == ["notices", "pages", "worker"]
    assert rule["ports"] == [{"protocol": "TCP", "port": 8010}]
    pod = of_kind("Deployment")[RENDERER]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert "envFrom" not in container
    assert [each["name"] for each in container["env"]] == ["SDK_RENDERER"]
    assert all("emptyDir" in volume for volume in pod["volumes"])


def test_every_component_reaches_what_it_needs():
    ports = {
        name: {port["port"] for rule in _allowed(name, "egress") for port in rule.get("ports", [])}
        for name in workloads()
    }
    for name in ports.keys() - {RENDERER}:
        assert {53, 5432, 6379} <= ports[name], name
    for name in ("pages", "worker", "notices"):
        assert {8010, 443} <= ports[name], name
    for name in ports.keys() - {"pages", "access-point", RENDERER}:
        assert _allowed(name, "ingress") == [], name
