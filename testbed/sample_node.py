"""Nodes of the sample organisations, with their keys, mailboxes and people, in a test federation."""

import base64
import json
import secrets
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from . import sample
from .federation import Federation
from .node import PROJECT, Node, NodePorts


def prepare_node(
    directory: Path,
    ports: NodePorts,
    organisation: sample.NodeSample,
    federation: Federation,
    *,
    database_url: str,
    broker_url: str,
    settings: Mapping[str, str] | None = None,
    host: str = "localhost",
) -> Node:
    """A node of the federation with its organisation, keys, function mailboxes and people; not started."""
    node = configure_node(
        directory,
        ports,
        organisation,
        federation,
        database_url=database_url,
        broker_url=broker_url,
        settings=settings,
        host=host,
    )
    node.manage("migrate", "--verbosity", "0")
    add_organisation(node, organisation, federation)
    return node


def configure_node(
    directory: Path,
    ports: NodePorts,
    organisation: sample.NodeSample,
    federation: Federation,
    *,
    database_url: str,
    broker_url: str,
    settings: Mapping[str, str] | None = None,
    host: str = "localhost",
) -> Node:
    """A node whose access point is the organisation's in the federation; nothing is in its database."""
    directory.mkdir(parents=True, exist_ok=True)
    case_systems = directory / "case-systems"
    case_systems.mkdir(mode=0o700, exist_ok=True)
    access_point = federation.add_access_point(
        organisation.access_point, f"https://{host}:{ports.access_point}/as4"
    )
    tls = federation.tls_files(host)
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
            "SDK_CASE_SYSTEM_DIRECTORY": str(case_systems),
            **(settings or {}),
        },
        tls_key=tls.key,
        tls_certificate=tls.certificate,
        host=host,
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


def start_federation_process(federation: Federation, directory: Path) -> tuple[subprocess.Popen[bytes], Path]:
    """Start the federation in a process of its own; returns that and its log file.

    The caller waits until it answers, and ends it.
    """
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


def _secret(path: Path, make: Callable[[], str] = lambda: secrets.token_urlsafe(48)) -> str:
    if not path.exists():
        path.touch(0o600)
        path.write_text(make())
    return path.read_text()


def _wrapping_key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()
