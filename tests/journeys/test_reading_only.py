"""A manager makes somebody a reader until a day: they read what has come, and are offered no changes."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from tests.nodes import eventually

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("nodes")]
CARE_ADDRESS = "sdk:bistandshandlaggning:0203:habo.se"
TRAINING_ADDRESS = "sdk:arbetstraning:0203:arbetsformedlingen.se"


def test_a_reader_reads_until_a_day_and_changes_nothing(two_nodes, caseworker):
    habo = two_nodes.habo
    subject = f"Remiss {uuid.uuid4().hex[:6]}"
    letter = two_nodes.arbetsformedlingen.send(TRAINING_ADDRESS, CARE_ADDRESS, subject)
    statement = "SELECT conversation_id FROM mailbox_message WHERE direction = 'in' AND message_id = %s"
    ((key,),) = eventually(lambda: habo.query(statement, letter), what="the letter at Håbo")
    ((mailbox,),) = habo.query("SELECT id FROM mailbox_functionmailbox WHERE address = %s", CARE_ADDRESS)
    ahmed, karin = caseworker(habo, "Ahmed Lindqvist"), caseworker(habo, "Karin Svensson")
    where = f"{karin.url}/konversation/{key}/"
    assert karin.page.request.get(where).status == 404

    page = ahmed.page
    page.goto(f"{ahmed.url}/administration/brevlada/{mailbox}/")
    page.get_by_label("Person som redan finns här").select_option(label="Karin Svensson")
    until = (datetime.now(UTC).date() + timedelta(days=60)).isoformat()
    page.get_by_label("Roll").select_option(label="Läsare")
    page.get_by_label("Medlem till (kan lämnas tomt)").fill(until)
    page.get_by_role("button", name="Lägg till", exact=True).click()
    row = page.get_by_role("row", name="Karin Svensson")
    expect(row).to_contain_text("Läsare")
    expect(row).not_to_contain_text("tills vidare")
    ahmed.check_accessibility()

    page = karin.page
    page.goto(where)
    expect(page.get_by_role("heading", level=1, name=subject)).to_be_visible()
    tools = page.get_by_role("group", name="Handläggning")
    expect(tools).to_contain_text("Du läser bara här")
    for name in ("Tilldela mig", "Klar", "Lämna över", "Skriv svar", "Svara", "Vidarebefordra", "Prioritera"):
        expect(page.get_by_role("button", name=name, exact=True)).to_have_count(0)
    tools.get_by_label("Mer").click()
    expect(page.get_by_role("button", name="Hämta som arkivpaket")).to_be_visible()
    expect(page.get_by_role("link", name="Registrera", exact=True)).to_have_count(0)
    karin.check_accessibility()
    page.goto(f"{karin.url}/brevlada/{mailbox}/")
    expect(page.get_by_role("link", name=subject)).to_be_visible()
    expect(page.get_by_role("button", name="Med valda")).to_have_count(0)
    karin.check_accessibility()

    page = ahmed.page
    page.get_by_role("button", name="Avsluta medlemskap Karin Svensson").click()
    expect(page.get_by_role("row", name="Karin Svensson")).to_have_count(0)
    assert karin.page.request.get(where).status == 404
    # Her list is fetched again, and is there no more.
    expect(karin.page.get_by_role("heading", name="Sidan finns inte")).to_be_visible()
    assert all("404" in error for error in karin.errors)
    karin.errors.clear()
