"""A manager sets a mailbox's staffed hours and time limits; a caseworker sees how much time is left."""

import pytest
from playwright.sync_api import expect

from tests.nodes import eventually

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("nodes")]
RECEPTION = "Socialtjänsten, mottagning"
RECEPTION_ADDRESS = "sdk:socialtjanst-mottagning:0203:habo.se"
TRAINING_ADDRESS = "sdk:arbetstraning:0203:arbetsformedlingen.se"
DAYS = ["Måndag", "Tisdag", "Onsdag", "Torsdag", "Fredag", "Lördag", "Söndag"]


def test_a_manager_sets_hours_and_limits_and_a_caseworker_sees_how_much_time_is_left(two_nodes, caseworker):
    habo = two_nodes.habo
    ahmed = caseworker(habo, "Ahmed Lindqvist")
    page = ahmed.page
    page.goto(f"{ahmed.url}/administration/bemanning/")
    page.get_by_role("region", name="Brevlådor").get_by_role("link", name=RECEPTION).click()
    expect(page.get_by_text("Brevlådan har inga tider: alla timmar på dygnet räknas.")).to_be_visible()
    page.get_by_label("Måndag").fill("08:00-12:00, 11:00-13:00")
    page.get_by_role("button", name="Spara tiderna").click()
    expect(page.get_by_role("alert")).to_contain_text("08:00–12:00 överlappar 11:00–13:00.")
    ahmed.check_accessibility()
    for day in DAYS:
        page.get_by_label(day).fill("00:00-24:00")
    page.get_by_label("Bemannad också på helgdagar, som andra dagar").check()
    page.get_by_role("button", name="Förhandsgranska").click()
    expect(page.get_by_text("Så blir det. Tiderna är inte sparade än.")).to_be_visible()
    expect(
        page.get_by_role("region", name="De närmaste två veckorna").get_by_text("00:00–24:00")
    ).to_have_count(14)
    page.get_by_role("button", name="Spara tiderna").click()
    expect(page.get_by_text("Brevlådan har egna tider.")).to_be_visible()
    page.get_by_label("Öppnas inom").fill("2")
    page.get_by_label("Besvaras inom").fill("1000")
    page.get_by_role("button", name="Spara tidsgränserna").click()
    expect(page.get_by_label("Öppnas inom")).to_have_value("2")
    ahmed.check_accessibility()

    key = two_nodes.arbetsformedlingen.send(TRAINING_ADDRESS, RECEPTION_ADDRESS, "Svara i tid")
    statement = "SELECT conversation_id FROM mailbox_message WHERE direction = 'in' AND message_id = %s"
    eventually(lambda: habo.query(statement, key), what="the letter at Håbo")
    conversation = habo.query(statement, key)[0][0]
    karin = caseworker(habo, "Karin Svensson")
    desk = karin.page
    desk.goto(karin.url)
    karin.open_mailbox(RECEPTION)
    row = desk.locator(f"#row-{conversation}")
    expect(row).to_contain_text("Öppna: 1 tim kvar")
    row.get_by_role("link", name="Svara i tid").click()
    expect(desk.locator("#reading").get_by_text("Svara: 999 tim kvar")).to_be_visible()
    karin.check_accessibility()

    page.get_by_label("Öppnas inom").fill("")
    page.get_by_label("Besvaras inom").fill("")
    page.get_by_role("button", name="Spara tidsgränserna").click()
    expect(page.get_by_label("Öppnas inom")).to_have_value("")
    page.get_by_role("button", name="Ta bort brevlådans egna tider").click()
    expect(page.get_by_text("Brevlådan har inga tider: alla timmar på dygnet räknas.")).to_be_visible()
    # Limits that run are computed anew, and end.
    running = "SELECT 1 FROM mailbox_timelimit WHERE conversation_id = %s AND ended_at IS NULL"
    eventually(lambda: not habo.query(running, conversation), what="no limit of the conversation")
