"""The official contract against the live service: whatever a client sends by it, the answer is its own.

schemathesis makes the requests. `contract_hooks` says to it what the contract's form cannot: that `filter` is
a family of parameters, and which messages there are.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from .client import a_letter

pytestmark = pytest.mark.xdist_group("federation-clients")
PROJECT = Path(__file__).resolve().parent.parent.parent.parent
# The contract lets bodies pass that are no SDK message (it requires neither `data` nor that ids are UUIDs),
# and the organisation and functions that it makes up are not the client's: its own 400 is for these.
CONFIGURATION = """
seed = 20261125
max-time = 30
[generation]
deterministic = true
max-examples = 8
[phases.stateful]
enabled = false
[phases.coverage]
unexpected-methods = ["PUT", "PATCH"]
[[operations]]
include-operation-id = "sendMessage"
checks.positive_data_acceptance.enabled = false
"""


def schemathesis(contract: Path, client, directory: Path, *messages: str) -> str:
    """What it reports; an error where it found a violation."""
    (directory / "schemathesis.toml").write_text(CONFIGURATION)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run", str(contract), "--url", client.base),
            *("--header", f"Authorization: {client.http.headers['Authorization']}", "--no-color"),
        ],
        cwd=directory,
        env={
            **os.environ,
            "PYTHONPATH": str(PROJECT),
            "SCHEMATHESIS_HOOKS": "tests.transport.message_api.contract_hooks",
            "SDK_TEST_MESSAGES": ",".join(messages),
        },
        capture_output=True,
        text=True,
        timeout=180,
    )
    report = done.stdout[-8000:] + done.stderr[-2000:]
    assert done.returncode == 0, report
    return report


@pytest.fixture
def messages(api, sender) -> list[str]:
    """Messages of the client whose status is final."""
    letter = a_letter(
        api.sender.participant.value,
        api.sender.mailbox.address,
        api.recipient.participant.value,
        api.recipient.mailbox.address,
    )
    sent = [sender.send(**letter).headers["Location"].rpartition("/")[2] for _ in range(4)]
    api.pump()
    return sent


def cases(report: str) -> tuple[int, int]:
    """How many requests were made, and how many answers held."""
    found = re.search(r"(\d+) generated, (\d+)(?: unique)? passed", report)
    assert found, report
    return int(found[1]), int(found[2])


def test_the_official_contract_holds_against_the_live_service(shared, sender, messages, tmp_path):
    report = schemathesis(shared / "schemas" / "sdk-api-restful.yml", sender, tmp_path, *messages)
    made, held = cases(report)
    assert made == held
    assert made > 100, report
    assert sender.get(messages[0]).status_code == 404, "it has deleted what it could"
