"""The receiver in docs/connectors.md, run as a process of its own."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from mailbox.case_systems import deliveries
from mailbox.models import CaseDelivery

from .build import handed_over, polled, work_on_due

pytestmark = pytest.mark.django_db
DOCUMENT = Path(__file__).resolve().parents[3] / "docs/connectors.md"


@pytest.fixture
def receiver(tmp_path, folder):
    program = tmp_path / "receiver.py"
    program.write_text(re.search(r"^```python\n(.*?)^```", DOCUMENT.read_text(), re.S | re.M)[1])

    def run() -> None:
        command = [sys.executable, "-I", program, folder, tmp_path / "archive"]
        subprocess.run(command, check=True, timeout=60)

    return run


def filed(tmp_path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "archive").glob("*.zip"))


def test_the_example_takes_packages_and_its_receipts_are_applied(mailbox, karin, system, tmp_path, receiver):
    found = [handed_over(mailbox, karin, system) for _ in range(2)]
    receiver()
    polled()
    assert set(CaseDelivery.objects.values_list("state", flat=True)) == {"acknowledged"}
    assert {row.case_number for row in CaseDelivery.objects.all()} == {"ARK 1", "ARK 2"}
    assert filed(tmp_path) == sorted(f"{delivery.pk}.zip" for delivery in found)
    receiver()


def test_what_it_is_handed_twice_it_files_once(mailbox, karin, system, tmp_path, folder, receiver):
    delivery = handed_over(mailbox, karin, system)
    receiver()
    # Its receipt is lost, so the delivery is handed over again.
    for path in (folder / "receipts").iterdir():
        path.unlink()
    deliveries.retry(delivery.pk, karin)
    work_on_due()
    receiver()
    polled()
    delivery.refresh_from_db()
    assert (delivery.state, delivery.case_number) == ("acknowledged", "ARK 1")
    assert filed(tmp_path) == [f"{delivery.pk}.zip"]


def test_it_refuses_half_a_package(mailbox, karin, system, tmp_path, folder, receiver):
    delivery = handed_over(mailbox, karin, system)
    package = folder / "packages" / f"{delivery.pk}.zip"
    package.write_bytes(package.read_bytes()[:-100])
    receiver()
    polled()
    delivery.refresh_from_db()
    assert (delivery.state, delivery.cause, delivery.refusal) == ("failed", "refused", "Paketet är skadat")
    assert filed(tmp_path) == []


def test_it_leaves_what_is_not_whole(mailbox, karin, system, tmp_path, folder, receiver):
    (folder / "packages").mkdir(parents=True)
    half = folder / "packages" / ".x.json.part"
    half.write_text("{")
    alone = folder / "packages" / "x.zip"
    alone.write_bytes(b"PK")
    receiver()
    assert half.exists()
    assert alone.exists()
    assert filed(tmp_path) == []
