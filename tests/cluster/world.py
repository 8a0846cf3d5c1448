"""A node on several machines, and an ordinary node outside that it writes to."""

import contextlib
import logging
import os
import re
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import boto3
import psycopg

from testbed import sample
from testbed.federation import Federation
from testbed.node import PROJECT, Node, NodePorts
from testbed.sample_node import add_organisation, configure_node, prepare_node
from testbed.services import Postgres, Valkey, free_port

from .broker import PORT as BROKER_PORT
from .broker import Broker
from .hosts import HERE, Host, Service, prepare_network
from .people import Visitor
from .postgresql import DatabaseServer, wait_until
from .units import command_of

# The demo's settings, which the test federation asks for, are for names of one machine.
_PAGES_NAME: Final = "sdk.localhost"
_ACCESS_POINT_NAME: Final = "as4.localhost"
_OUTSIDE_NAME: Final = "outside.localhost"
_ADDRESSES: Final = {
    "front": "10.77.0.10",
    "pages-1": "10.77.0.11",
    "pages-2": "10.77.0.12",
    "work-1": "10.77.0.21",
    "work-2": "10.77.0.22",
    "database-1": "10.77.0.31",
    "database-2": "10.77.0.32",
    "broker-1": "10.77.0.41",
    "broker-2": "10.77.0.42",
    "storage": "10.77.0.51",
}
# Belongs to the broker's primary, wherever that is.
BROKER_ADDRESS: Final = "10.77.0.40"
_NAMES: Final = {
    _OUTSIDE_NAME: HERE,
    _PAGES_NAME: _ADDRESSES["front"],
    _ACCESS_POINT_NAME: _ADDRESSES["front"],
}
_DATABASE_PORT: Final = 5432
_STORAGE_PORT: Final = 9000
_BUCKET: Final = "payloads"
_WORK_MEGABYTES: Final = 16
_PROCESSES: Final = {
    "SDK_PAGES_PROCESSES": "2",
    "SDK_ACCESS_POINT_PROCESSES": "1",
    "SDK_WORKER_PROCESSES": "2",
    "SDK_TRANSPORT_PROCESSES": "3",
    "SDK_NOTICE_PROCESSES": "2",
}
_UNITS: Final = {
    "pages-1": ("web", "access-point"),
    "pages-2": ("web", "access-point"),
    "work-1": ("worker", "transport", "notices", "beat"),
    "work-2": ("worker", "transport", "notices", "beat"),
}


@dataclass(frozen=True)
class Habo:
    """The node on several machines, as reconciliation sees one. `running` runs its commands."""

    running: Node
    databases: tuple[DatabaseServer, DatabaseServer]

    @property
    def name(self) -> str:
        return self.running.name

    def query(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        with self._connected() as connection:
            return connection.execute(statement, parameters).fetchall()

    def _connected(self) -> psycopg.Connection[Any]:
        return psycopg.connect(
            host=",".join(server.address for server in self.databases),
            port=_DATABASE_PORT,
            user="postgres",
            dbname="sdkportal",
            target_session_attrs="read-write",
            connect_timeout=3,
            autocommit=True,
        )


class PagesByProxy(Node):
    """A node that is started elsewhere: commands run in its environment, and its pages are the proxy's."""

    @property
    def url(self) -> str:
        return f"https://{_PAGES_NAME}"


@dataclass(frozen=True)
class Outside:
    """The ordinary node outside, as reconciliation sees one."""

    running: Node
    database_url: str

    @property
    def name(self) -> str:
        return self.running.name

    def query(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            return connection.execute(statement, parameters).fetchall()


@dataclass
class Cluster:
    """The machines, and what is on them. `databases` and `brokers` have the primary first."""

    hosts: dict[str, Host]
    databases: list[DatabaseServer]
    brokers: list[Broker]
    storage: Service
    habo: Habo
    outside: Outside

    def host_of(self, server: DatabaseServer) -> Host:
        return next(host for host in self.hosts.values() if host.address == server.address)

    def visitor(self, address: str) -> Visitor:
        """Somebody who is logged in and a member of the mailbox."""
        session = self.habo.running.run_module("tests.faults.chaos.login", address)
        return Visitor(
            self.habo.running.url,
            {f"{self.habo.name}_session": session},
            self.habo.running.environment["SDK_TLS_CA_FILE"],
        )

    def stop(self) -> None:
        """End the processes of the node and of the one outside; databases and storage go on."""
        for name in _UNITS:
            self.hosts[name].stop()
        self.outside.running.stop()

    def logs(self) -> Iterator[Path]:
        for host in self.hosts.values():
            yield from (host.directory / "log").glob("*.log")
        yield from (self.outside.running.directory / "log").glob("*.log")


@contextmanager
def running_cluster(directory: Path) -> Iterator[Cluster]:
    """A cluster that works, and messages that go both ways."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    prepare_network(_NAMES, directory)
    with ExitStack() as cleanup:
        federation = Federation(directory / "federation")
        federation.prepare()
        sample.populate(federation)
        federation.start()
        cleanup.callback(federation.stop)
        preparing = cleanup.enter_context(ThreadPoolExecutor(1)).submit(
            _outside, directory / "outside", federation, cleanup
        )
        hosts = {}
        for name, address in _ADDRESSES.items():
            hosts[name] = Host(name, address, directory / "hosts")
            cleanup.callback(hosts[name].stop)
        databases = _databases(directory, hosts, cleanup)
        brokers = _brokers(hosts)
        storage = _storage(hosts["storage"])
        node = _habo(directory / "habo", federation)
        for name, units in _UNITS.items():
            _add_federation(hosts[name], federation)
            _add_units(hosts[name], units, node.environment)
        _add_proxy(hosts["front"], federation)
        for name in (*_UNITS, "front"):
            hosts[name].start()
        outside = preparing.result()
        cluster = Cluster(hosts, databases, brokers, storage, Habo(node, tuple(databases)), outside)
        outside.running.start()
        for each in (node, outside.running):
            each.manage("sync_address_book")
        yield cluster


def _databases(directory: Path, hosts: dict[str, Host], cleanup: ExitStack) -> list[DatabaseServer]:
    primary, standby = (
        DatabaseServer(directory / name, hosts[name].address, _DATABASE_PORT, within=hosts[name].within)
        for name in ("database-1", "database-2")
    )
    primary.create()
    primary.start()
    cleanup.callback(primary.stop)
    primary.create_database("sdkportal")
    standby.follow(primary)
    standby.start()
    cleanup.callback(standby.stop)
    primary.require_standby()
    return [primary, standby]


def _brokers(hosts: dict[str, Host]) -> list[Broker]:
    primary, replica = Broker(hosts["broker-1"]), Broker(hosts["broker-2"])
    primary.host.add_address(BROKER_ADDRESS)
    for broker in (primary, replica):
        broker.start()
    replica.follow(primary)
    return [primary, replica]


def _storage(host: Host) -> Service:
    command = [sys.executable, "-m", "moto.server", "-H", host.address, "-p", str(_STORAGE_PORT)]
    service = host.add_service("storage", command, dict(os.environ))
    service.start()
    client = boto3.client(
        "s3",
        endpoint_url=f"http://{host.address}:{_STORAGE_PORT}",
        region_name="eu-north-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )

    def is_made() -> bool:
        with contextlib.suppress(Exception):
            client.create_bucket(
                Bucket=_BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-north-1"}
            )
            return True
        return False

    wait_until(is_made)
    return service


def _habo(directory: Path, federation: Federation) -> Node:
    hosts = [_ADDRESSES[name] for name in ("database-1", "database-2")]
    servers = ",".join(f"{address}:{_DATABASE_PORT}" for address in hosts)
    configured = configure_node(
        directory,
        NodePorts(web=443, access_point=443),
        sample.HABO,
        federation,
        database_url=f"postgresql://postgres@{servers}/sdkportal",
        broker_url=f"redis://{BROKER_ADDRESS}:{BROKER_PORT}/0",
        settings={
            "SDK_RATE_LIMITS": "1",
            "SDK_ALLOWED_HOSTS": f"{_PAGES_NAME},{_ACCESS_POINT_NAME}",
            "SDK_PUBLIC_URL": f"https://{_PAGES_NAME}",
            "SDK_PERSON_KEY": "p" + os.urandom(32).hex(),
            "SDK_TLS_CLIENT_HEADER": "X-Client-Certificate",
            "SDK_CLIENT_ADDRESS_HEADER": "X-Real-IP",
            "SDK_PRIVATE_NETWORKS": "127.0.0.0/8,10.77.0.0/24",
            "SDK_S3_BUCKET": _BUCKET,
            "SDK_S3_ENDPOINT": f"http://{_ADDRESSES['storage']}:{_STORAGE_PORT}",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "eu-north-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "SDK_WORK_DIR": str(directory / "work"),
            "SDK_UNDO_SEND_SECONDS": "0",
            # The test's own process has others.
            "SDK_ANSWER_MEMORY_SECONDS": "2",
            "SDK_SLOW_SERVER_SECONDS": "5",
            **_PROCESSES,
        },
        host=_ACCESS_POINT_NAME,
    )
    node = PagesByProxy(
        configured.name,
        directory,
        configured.ports,
        configured.environment,
        tls_key=configured.tls_key,
        tls_certificate=configured.tls_certificate,
        host=_ACCESS_POINT_NAME,
    )
    node.manage("migrate", "--verbosity", "0")
    add_organisation(node, sample.HABO, federation)
    return node


def _add_federation(host: Host, federation: Federation) -> None:
    """The federation's servers on the host's own loopback: without TLS nobody is asked over a network."""
    command = [sys.executable, "-m", "testbed.federation", str(federation.directory)]
    host.add_service("federation", command, dict(os.environ))


def _add_units(host: Host, units: tuple[str, ...], environment: dict[str, str]) -> None:
    data = host.directory / "data"
    data.mkdir()
    own = {
        **environment,
        "SDK_DATA_DIR": str(data),
        "SDK_WORK_DIR": str(host.small_disk(_WORK_MEGABYTES)),
    }
    for unit in units:
        host.add_service(unit, command_of(unit, address=host.address, data=data, environment=own), own)


def proxy_site(federation: Federation) -> str:
    """deploy/nginx, with the names and files of this cluster, and a server line for each machine."""
    text = (PROJECT / "deploy" / "nginx" / "sdkportal.conf").read_text()
    pages, access_point = (federation.tls_files(name) for name in (_PAGES_NAME, _ACCESS_POINT_NAME))
    machines = [_ADDRESSES[name] for name in ("pages-1", "pages-2")]
    for pattern, value in (
        *(
            (rf"server 127\.0\.0\.1:{port};", " ".join(f"server {address}:{port};" for address in machines))
            for port in (8001, 8441)
        ),
        (r"sdk\.kommun\.example", _PAGES_NAME),
        (r"as4\.kommun\.example", _ACCESS_POINT_NAME),
        (r"/etc/sdkportal/tls/web\.pem", str(pages.certificate)),
        (r"/etc/sdkportal/tls/web\.key", str(pages.key)),
        (r"/etc/sdkportal/tls/as4\.pem", str(access_point.certificate)),
        (r"/etc/sdkportal/tls/as4\.key", str(access_point.key)),
        (r"/etc/sdkportal/trust/tls-ca\.pem", str(federation.tls_ca)),
    ):
        text, count = re.subn(pattern, value, text)
        if not count:
            raise ValueError(f"deploy/nginx has no {pattern}")
    return text


def _add_proxy(host: Host, federation: Federation) -> None:
    site = host.directory / "site.conf"
    site.write_text(proxy_site(federation))
    temporary = "".join(
        f"{name}_temp_path {host.directory}/{name};"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (host.directory / "nginx.conf").write_text(
        f"daemon off; user root; pid {host.directory}/pid; error_log stderr warn; worker_rlimit_nofile 4096;"
        f"events {{ worker_connections 1024; }} http {{ access_log off; {temporary} include {site}; }}"
    )
    host.add_service(
        "nginx", ["/usr/sbin/nginx", "-p", str(host.directory), "-c", "nginx.conf"], dict(os.environ)
    )


def _outside(directory: Path, federation: Federation, cleanup: ExitStack) -> Outside:
    postgres = Postgres(Path(os.environ["SDK_TEST_SERVICES"]) / "postgres")
    postgres.start()
    postgres.ensure_database("outside")
    broker = Valkey(directory / "valkey", free_port())
    broker.start()
    cleanup.callback(broker.stop)
    node = prepare_node(
        directory,
        NodePorts(web=free_port(), access_point=free_port()),
        sample.ARBETSFORMEDLINGEN,
        federation,
        database_url=postgres.url("outside"),
        broker_url=broker.url,
        settings={
            "SDK_ALLOWED_HOSTS": f"localhost,127.0.0.1,{_OUTSIDE_NAME}",
            "SDK_PRIVATE_NETWORKS": "127.0.0.0/8,10.77.0.0/24",
            "SDK_WORK_DIR": str(directory / "data" / "work"),
            "SDK_UNDO_SEND_SECONDS": "0",
        },
        host=_OUTSIDE_NAME,
    )
    cleanup.callback(node.stop)
    return Outside(node, postgres.url("outside"))


def freeze(service: Service) -> None:
    """Let a service answer nothing, though connections to it are accepted."""
    service.signal(signal.SIGSTOP)


def thaw(service: Service) -> None:
    service.signal(signal.SIGCONT)
