"""What people do about messages on their way: cancel, send again, choose the way, and quarantine."""

import re

import pytest
from playwright.sync_api import Page, expect

from testbed.clamav import EICAR
from testbed.node import Role
from tests.journeys.browser import start_message
from tests.nodes import eventually

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("nodes")]
RECEPTION, TRAINING = "Socialtjänsten, mottagning", "Avdelningen för arbetsträning"
TRAINING_ADDRESS = "sdk:arbetstraning:0203:arbetsformedlingen.se"
SCHOOL_ADDRESS = "sdk:elevhalsa:0203:habo.se"


def write(page: Page, subject: str, organisation: str, function: str) -> None:
    start_message(page)
    page.get_by_label(re.compile("^Till: sök")).press_sequentially(organisation)
    page.get_by_role("option", name=re.compile(function)).click()
    page.get_by_label("Ämne", exact=True).fill(subject)
    page.get_by_label("Meddelande", exact=True).fill("Hej")


def test_what_has_not_left_is_cancelled_and_stays(two_nodes, caseworker):
    habo = two_nodes.habo
    karin = caseworker(habo, "Karin Svensson")
    page = karin.page
    karin.open_mailbox(RECEPTION)
    write(page, "Ska inte iväg", "arbetsträning", TRAINING)
    # Nothing leaves while the workers stand still.
    habo.node.freeze(Role.WORKER)
    try:
        karin.send()
        expect(page.get_by_role("heading", level=1, name="Ska inte iväg")).to_be_visible()
        karin.check_accessibility()
        page.get_by_role("button", name="Avbryt sändningen").focus()
        page.keyboard.press("Enter")
        expect(page.get_by_text("Meddelandet är stoppat och skickas inte.")).to_be_visible()
        expect(page.get_by_text("Meddelandet lämnade aldrig er organisation.")).to_be_visible()
        expect(page.get_by_role("button", name="Avbryt sändningen")).to_have_count(0)
        karin.check_accessibility()
    finally:
        habo.node.thaw(Role.WORKER)
    karin.open_mailbox(RECEPTION)
    write(page, "Ska iväg", "arbetsträning", TRAINING)
    karin.send()
    there = two_nodes.arbetsformedlingen
    statement = "SELECT count(*) FROM message_service_incomingmessage WHERE message_id = %s"
    sent = "SELECT message_id, cause FROM message_service_outgoingmessage ORDER BY created_at DESC LIMIT 2"
    (later, _), (stopped, cause) = eventually(
        lambda: len(rows := habo.query(sent)) == 2 and rows, what="both at Håbo"
    )
    assert cause == "cancelled"
    eventually(lambda: there.query(statement, later) == [(1,)], what="the later message")
    assert there.query(statement, stopped) == [(0,)]


def test_what_failed_is_sent_again(two_nodes, caseworker):
    karin = caseworker(two_nodes.habo, "Karin Svensson")
    page = karin.page
    karin.open_mailbox(RECEPTION)
    write(page, "Går inte fram", "migrationsverket", "Bosättning")
    karin.send()
    expect(page.get_by_text("inte ansluten till SDK")).to_be_visible()
    page.get_by_role("button", name="Skicka igen").click()
    expect(page.get_by_text("Meddelandet skickas igen.")).to_be_visible()
    # It is tried, and the page that tells it failed again comes by itself.
    expect(page.get_by_role("button", name="Skicka igen")).to_be_visible()
    page.get_by_text("Leveranshistorik").first.click()
    expect(page.get_by_text("Lagt för sändning igen (Karin Svensson)")).to_be_visible()
    page.get_by_text("Vad som har hänt").click()
    history = page.get_by_label("Konversationens historik")
    expect(history).to_contain_text("Ett meddelande skickades igen av Karin Svensson")
    karin.check_accessibility()


def test_malicious_code_is_stopped_and_the_administrator_sees_to_it(two_nodes, caseworker):
    karin, eva = caseworker(two_nodes.habo, "Karin Svensson"), caseworker(two_nodes.habo, "Eva Holm")
    karin.open_mailbox(RECEPTION)
    start_message(karin.page)
    bad = {"name": "faktura.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.7\n" + EICAR}
    karin.page.get_by_label("Lägg till filer").set_input_files(bad)
    expect(karin.page.locator("#files-trouble")).to_contain_text("skadlig kod")
    expect(karin.page.locator("#attachments")).not_to_contain_text("faktura.pdf")
    karin.check_accessibility()
    # The browser notes the upload that was refused.
    assert len(karin.errors) == 1
    assert "422" in karin.errors.pop()

    page = eva.page
    page.goto(eva.url)
    expect(page.get_by_role("region", name="Skadlig kod")).to_contain_text("väntar på att ni tar hand om den")
    eva.check_accessibility()
    page.get_by_role("link", name="Öppna karantänen").click()
    row = page.get_by_role("row").filter(has_text="Fil som inte fick bifogas")
    expect(row).to_have_count(1)
    expect(page.get_by_text("faktura")).to_have_count(0)
    eva.check_accessibility()
    row.get_by_role("button").click()
    expect(page.get_by_text("Det som låg i karantän är borttaget.")).to_be_visible()
    expect(row).to_contain_text("av Eva Holm")
    eva.check_accessibility()
    page.goto(eva.url)
    expect(page.get_by_role("region", name="Skadlig kod")).to_have_count(0)


def test_a_catch_all_takes_what_nobody_serves_and_says_so(two_nodes, caseworker, second_administrator):
    habo = two_nodes.habo
    eva, karin = caseworker(habo, "Eva Holm"), caseworker(habo, "Karin Svensson")
    page = eva.page
    page.goto(f"{eva.url}/administration/")
    page.get_by_role("link", name="Vägval").click()
    eva.check_accessibility()
    page.get_by_label("Uppsamlingsbrevlåda").select_option(RECEPTION)
    page.get_by_label(re.compile("Går hela vägen ut")).check()
    page.get_by_role("button", name="Spara vägvalet").click()
    expect(page.get_by_text("Vägvalet är sparat.")).to_be_visible()
    expect(page.get_by_label(re.compile("Går hela vägen ut"))).to_be_checked()
    eva.check_accessibility()
    page.goto(f"{eva.url}/administration/")
    page.get_by_role("link", name=re.compile("Elevhälsa")).click()
    page.get_by_role("link", name="Stäng för nya meddelanden").click()
    page.get_by_role("button", name="Stäng brevlådan").click()
    expect(page.get_by_role("link", name="Öppna brevlådan")).to_be_visible()
    key = two_nodes.arbetsformedlingen.send(TRAINING_ADDRESS, SCHOOL_ADDRESS, "Till en stängd funktion")
    statement = "SELECT conversation_id FROM mailbox_message WHERE direction = 'in' AND message_id = %s"
    ((conversation,),) = eventually(lambda: habo.query(statement, key), what="the letter at Håbo")
    karin.page.goto(f"{karin.url}/konversation/{conversation}/")
    expect(karin.page.get_by_text(f"Skickat till funktionsadressen {SCHOOL_ADDRESS}")).to_be_visible()
    karin.check_accessibility()
    # Eva reads what comes to the mailbox that she opens: another administrator confirms it.
    page.get_by_role("link", name="Öppna brevlådan").click()
    page.get_by_role("button", name="Öppna brevlådan").click()
    expect(page.get_by_text("gäller det först när en annan administratör har bekräftat")).to_be_visible()
    expect(page.get_by_role("link", name="Öppna brevlådan")).to_be_visible()
    page.goto(f"{eva.url}/administration/")
    expect(page.get_by_text("Föreslaget av Eva Holm")).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("^Bekräfta"))).to_have_count(0)
    eva.check_accessibility()
    second = second_administrator.page
    second.goto(f"{second_administrator.url}/administration/")
    second.get_by_role("button", name=re.compile("^Bekräfta")).click()
    expect(second.get_by_text("Det är bekräftat och gäller nu.")).to_be_visible()
    page.get_by_role("link", name=re.compile("Elevhälsa")).click()
    expect(page.get_by_role("link", name="Stäng för nya meddelanden")).to_be_visible()
    page.get_by_role("link", name="Vägval").click()
    page.get_by_label("Uppsamlingsbrevlåda").select_option("")
    page.get_by_label(re.compile("Lämnas direkt")).check()
    page.get_by_role("button", name="Spara vägvalet").click()
    expect(page.get_by_label(re.compile("Lämnas direkt"))).to_be_checked()
