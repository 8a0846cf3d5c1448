"""A conversation is handed over to a case system that two administrators have set up, and comes back with a
case number; one that is refused says why."""

import re
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.nodes import eventually

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("nodes")]
RECEPTION_ADDRESS = "sdk:socialtjanst-mottagning:0203:habo.se"
TRAINING_ADDRESS = "sdk:arbetstraning:0203:arbetsformedlingen.se"
DOCUMENT = Path(__file__).resolve().parents[2] / "docs/connectors.md"


@pytest.fixture
def letter(two_nodes):
    """Sends a message to Håbo's reception; gives the key of its conversation there."""
    habo = two_nodes.habo

    def send(subject: str) -> int:
        key = two_nodes.arbetsformedlingen.send(TRAINING_ADDRESS, RECEPTION_ADDRESS, subject)
        statement = "SELECT conversation_id FROM mailbox_message WHERE direction = 'in' AND message_id = %s"
        ((conversation,),) = eventually(lambda: habo.query(statement, key), what="the letter at Håbo")
        return conversation

    return send


def set_up(eva, ahmed, folder: str) -> str:
    """Eva adds a case system, Ahmed confirms it; its name."""
    page, name = eva.page, f"Diariet {folder}"
    page.goto(f"{eva.url}/administration/")
    page.get_by_role("link", name="Ärendesystem", exact=True).click()
    expect(page.get_by_role("heading", level=1, name="Ärendesystem")).to_be_visible()
    page.get_by_label("Namn", exact=True).fill(name)
    page.get_by_label(re.compile("^Katalogens namn")).fill("../annan")
    page.get_by_role("button", name="Lägg upp").click()
    expect(page.get_by_role("alert")).to_contain_text("Använd bara små bokstäver")
    eva.check_accessibility()
    page.get_by_label(re.compile("^Katalogens namn")).fill(folder)
    page.get_by_role("button", name="Lägg upp").click()
    expect(page.get_by_role("heading", level=1, name=name)).to_be_visible()
    page.get_by_role("checkbox", name=re.compile("mottagning", re.IGNORECASE)).first.check()
    page.get_by_role("button", name="Spara").click()
    expect(page.get_by_text("Inget överlämnas förrän en annan administratör har bekräftat.")).to_be_visible()
    eva.check_accessibility()
    ahmed.page.goto(page.url)
    ahmed.page.get_by_role("button", name="Bekräfta").click()
    expect(ahmed.page.get_by_text("Det är bekräftat och gäller nu.")).to_be_visible()
    return name


def test_a_registered_conversation_is_handed_over_and_comes_back_with_a_case_number(
    two_nodes, caseworker, second_administrator, letter, tmp_path
):
    folder = f"diariet-{uuid.uuid4().hex[:6]}"
    name = set_up(caseworker(two_nodes.habo, "Eva Holm"), second_administrator, folder)
    place = two_nodes.habo.node.directory / "case-systems" / "0203%3Ahabo.se" / folder
    key = letter(f"Ansökan {uuid.uuid4().hex[:6]}")
    karin = caseworker(two_nodes.habo, "Karin Svensson")
    page = karin.page
    where = f"{karin.url}/konversation/{key}/"
    page.goto(f"{karin.url}/konversation/{key}/registrera")
    page.locator("#case_number").fill("SN 2026/77")
    page.get_by_role("button", name="Registrera").click()
    expect(page.locator("#notices")).to_contain_text("Registrerat med SN 2026/77.")

    page.get_by_label("Mer", exact=True).click()
    page.get_by_role("link", name="Överlämna till ärendesystem").click()
    expect(page.get_by_role("heading", level=1, name="Överlämna till ärendesystem")).to_be_visible()
    karin.check_accessibility()
    page.get_by_role("radio", name=name).check()
    page.get_by_role("button", name="Överlämna", exact=True).click()
    expect(page.locator("#notices")).to_contain_text("Konversationen överlämnas.")
    # The page tells by itself when it has been handed over.
    expect(page.locator(".reading-facts")).to_contain_text(f"Överlämnad till {name}, väntar på kvittens")

    program = tmp_path / "receiver.py"
    program.write_text(re.search(r"^```python\n(.*?)^```", DOCUMENT.read_text(), re.S | re.M)[1])
    subprocess.run([sys.executable, "-I", program, place, tmp_path / "archive"], check=True, timeout=60)
    expect(page.locator(".reading-facts")).to_contain_text(f"Mottagen av {name}: ARK 1")
    assert len(list((tmp_path / "archive").glob("*.zip"))) == 1
    page.goto(where)
    karin.check_accessibility()

    # Once more, and this time the receiver does not want it.
    page.goto(f"{where}arendesystem")
    page.get_by_role("radio", name=name).check()
    page.get_by_role("button", name="Överlämna", exact=True).click()
    expect(page.locator(".reading-facts")).to_contain_text(f"Överlämnad till {name}, väntar på kvittens")
    [description] = (place / "packages").glob("*.json")
    written = place / "receipts" / ".svar"
    written.write_text(
        f'{{"delivery_id": "{description.stem}", "status": "refused", "reason": "Fel diarium"}}'
    )
    written.rename(place / "receipts" / "svar.json")
    expect(page.locator(".reading-facts")).to_contain_text(f"Avvisad av {name}")
    page.get_by_role("link", name="Alla överlämningar i brevlådan").click()
    expect(page.get_by_role("heading", level=1, name="Överlämningar till ärendesystem")).to_be_visible()
    expect(page.get_by_text("Skäl: Fel diarium")).to_be_visible()
    karin.check_accessibility()
    page.set_viewport_size({"width": 320, "height": 640})
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    page.get_by_role("button", name=re.compile("^Återta")).click()
    expect(page.locator("#notices")).to_contain_text("Överlämningen är återtagen.")
    expect(page.get_by_text("Skäl: Fel diarium")).to_have_count(0)
