"""A run tells how many messages were exchanged with each peer; without a peer it says so, and fails in CI."""

import subprocess
import sys

import pytest

from testbed.node import PROJECT
from tests.interop import as4, program
from tests.interop.as4 import As4
from tests.interop.oxalis import Oxalis
from tests.interop.phase4 import Phase4

COUNTED = """
from tests.interop.counting import exchanged

def test_one(request):
    exchanged(request.config, "phase4").taken_there += 2
    exchanged(request.config, "phase4").refused_here += 1

def test_two(request):
    exchanged(request.config, "phase4").taken_here += 3
    exchanged(request.config, "as4").refused_there += 4
    exchanged(request.config, "oxalis")
"""


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_run_prints_the_messages_of_all_its_workers(tmp_path, workers):
    (tmp_path / "test_counted.py").write_text(COUNTED)
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -p tests.interop.counting\n")
    # In a place of its own: pytest closes the shared one to others, where databases of theirs may be.
    place = f"--basetemp={tmp_path / 'base'}"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:django", "-n", workers, "-c", "pytest.ini", place, "."],
        cwd=tmp_path,
        env={"PYTHONPATH": str(PROJECT), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    told = "from phase4 to us: 3 taken, 1 refused; from us to phase4: 2 taken, 0 refused"
    assert told in done.stdout
    told = "from as4 to us: 0 taken, 0 refused; from us to as4: 0 taken, 4 refused"
    assert told in done.stdout
    assert "oxalis" not in done.stdout


@pytest.mark.parametrize(
    ("ci", "outcome"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)], ids=["CI", "elsewhere"]
)
@pytest.mark.parametrize("peer", [Phase4, Oxalis])
@pytest.mark.parametrize("missing", ["java", "mvn"])
def test_without_a_peer_tests_say_what_to_install_and_fail_in_ci(monkeypatch, ci, outcome, peer, missing):
    monkeypatch.setattr(program.shutil, "which", lambda name: None if name == missing else f"/usr/bin/{name}")
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match=f"no {missing} here; `scripts/install {peer.kind}` installs it"):
        peer.require()


@pytest.mark.parametrize(
    ("ci", "outcome"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)], ids=["CI", "elsewhere"]
)
def test_without_the_environment_of_as4_tests_say_what_to_install_and_fail_in_ci(
    monkeypatch, tmp_path, ci, outcome
):
    monkeypatch.setattr(as4, "ENVIRONMENT", tmp_path)
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match="`scripts/install as4` makes it"):
        As4.require()
