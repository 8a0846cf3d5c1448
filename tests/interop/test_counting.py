"""A run tells how many messages were exchanged with phase4; without phase4 it says so, and fails in CI."""

import subprocess
import sys

import pytest

from testbed.node import PROJECT
from tests.interop import phase4

COUNTED = """
from tests.interop.counting import exchanged

def test_one(request):
    exchanged(request.config).to_phase4 += 2
    exchanged(request.config).refused_by_us += 1

def test_two(request):
    exchanged(request.config).from_phase4 += 3
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


@pytest.mark.parametrize(
    ("ci", "outcome"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)], ids=["CI", "elsewhere"]
)
@pytest.mark.parametrize("missing", ["java", "mvn"])
def test_without_phase4_tests_say_what_to_install_and_fail_in_ci(monkeypatch, ci, outcome, missing):
    monkeypatch.setattr(phase4.shutil, "which", lambda name: None if name == missing else f"/usr/bin/{name}")
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match=f"no {missing} here; `scripts/install phase4` installs it"):
        phase4.require()
