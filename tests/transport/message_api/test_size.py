"""Messages of the largest size, in and out through the API as a node serves it: memory is bounded."""

import json
import os
import subprocess
import sys
from urllib.parse import urlsplit

import pybase64
import pytest
from django.db import connection

from testbed.node import PROJECT
from testbed.services import free_port
from tests.transport.access_point.test_served import wait_for
from tests.transport.access_point.test_size import Memory
from tests.world import work_is_clean

from .client import a_letter

pytestmark = pytest.mark.xdist_group("federation-clients")
MEGABYTE = 1024 * 1024
# What stands in a message of 30 MB: base64 makes four bytes of three.
FILE = 22 * MEGABYTE
# A copy of the message in memory, in whatever form, would be more than this.
ALLOWED_GROWTH = 20 * MEGABYTE


@pytest.fixture
def served(api, settings):
    """Pages and API as production serves them: uvicorn, in a process of its own; its URL and process."""
    port = free_port()
    database = urlsplit(os.environ["SDK_DATABASE_URL"])
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "uvicorn", "sdkportal.asgi:application"),
            *("--host", "127.0.0.1", "--port", str(port), "--log-level", "warning"),
        ],
        cwd=PROJECT,
        env={
            **os.environ,
            "SDK_DATABASE_URL": database._replace(path=f"/{connection.settings_dict['NAME']}").geturl(),
            "SDK_DATA_DIR": str(settings.MEDIA_ROOT.parent),
            "SDK_WORK_DIR": str(settings.SDK_WORK_DIR),
            "SDK_DATABASE_CONNECTION_AGE": "0",
        },
    )
    url = f"http://localhost:{port}"
    try:
        wait_for(f"{url}/halsa/", process)
        yield f"{url}/v1", process.pid
    finally:
        process.terminate()
        process.wait(15)


def test_a_message_of_thirty_megabytes_goes_in_and_out_in_bounded_memory(
    api, register, served, settings, tmp_path
):
    base, pid = served
    client = register(api.sender)
    client.base, client.token_url = base, f"{base}/token"
    client.log_in()
    content = os.urandom(FILE)
    letter = a_letter(
        api.sender.participant.value,
        api.sender.mailbox.address,
        api.recipient.participant.value,
        api.recipient.mailbox.address,
    )
    warm = client.send(**letter)
    assert warm.status_code == 201, warm.text
    assert client.get(warm.headers["Location"].rpartition("/")[2]).status_code == 200
    letter["digitalDocument"][0]["contentFiles"][0]["content"] = pybase64.b64encode(content).decode()
    body = tmp_path / "body.json"
    body.write_text(json.dumps({"data": {"attributes": letter}}))
    assert body.stat().st_size > 29 * MEGABYTE

    memory = Memory(pid)
    with body.open("rb") as source:
        headers = {"Content-Type": "application/json"}
        sent = client.http.post(f"{base}/sdk/messages", data=source, headers=headers, timeout=120)
    assert sent.status_code == 201, sent.text
    taken = memory.growth()
    memory = Memory(pid)
    got = client.get(sent.headers["Location"].rpartition("/")[2]).json()["data"]["attributes"]
    given = memory.growth()
    assert pybase64.b64decode(got["digitalDocument"][0]["contentFiles"][0]["content"]) == content
    assert taken < ALLOWED_GROWTH, f"{taken / MEGABYTE:.0f} MB to take it"
    assert given < ALLOWED_GROWTH, f"{given / MEGABYTE:.0f} MB to give it"
    assert work_is_clean(settings.SDK_WORK_DIR)
