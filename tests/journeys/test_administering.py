"""What those who answer for mailboxes do in the pages, and what caseworkers leave for later and take out."""

import re
import zipfile
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from tests.nodes import eventually

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("nodes")]
RECEPTION = "Socialtjänsten, mottagning"
RECEPTION_ADDRESS = "sdk:socialtjanst-mottagning:0203:habo.se"
TRAINING_ADDRESS = "sdk:arbetstraning:0203:arbetsformedlingen.se"


def test_a_manager_reads_and_takes_out_statistics_and_says_when_a_mailbox_is_unattended(
    two_nodes, caseworker
):
    ahmed = caseworker(two_nodes.habo, "Ahmed Lindqvist")
    page = ahmed.page
    page.goto(f"{ahmed.url}/administration/statistik")
    page.get_by_label("Brevlåda", exact=True).select_option(RECEPTION)
    page.get_by_label("Från och med").fill("2026-01-01")
    page.get_by_role("button", name="Visa").click()
    expect(page.get_by_role("heading", name=re.compile("^Meddelanden 1 januari 2026 till"))).to_be_visible()
    expect(page.get_by_role("row").filter(has_text=RECEPTION)).to_have_count(1)
    ahmed.check_accessibility()
    with page.expect_download() as download:
        page.get_by_role("link", name="Ta ut som CSV").click()
    lines = download.value.path().read_text("utf-8-sig").splitlines()
    assert lines[0].startswith("mailbox;from;until;arrived;sent;receipts_missing;assigned")
    assert lines[1].startswith(f'"{RECEPTION}";2026-01-01') or lines[1].startswith(f"{RECEPTION};2026-01-01")
    assert len(lines) == 2, "of the mailbox that was chosen"
    page.get_by_role("link", name="Brevlådor", exact=True).last.click()
    page.get_by_role("link", name=RECEPTION).last.click()
    page.get_by_label("Timmar som ett meddelande får vänta").fill("24")
    page.get_by_role("button", name="Spara gränsen").click()
    expect(page.get_by_label("Timmar som ett meddelande får vänta")).to_have_value("24")
    ahmed.check_accessibility()
    page.get_by_label("Timmar som ett meddelande får vänta").fill("8")
    page.get_by_role("button", name="Spara gränsen").click()
    expect(page.get_by_label("Timmar som ett meddelande får vänta")).to_have_value("8")


def test_an_administrator_makes_and_removes_a_rule_and_begins_a_certificate(two_nodes, caseworker):
    eva = caseworker(two_nodes.habo, "Eva Holm")
    page = eva.page
    page.goto(f"{eva.url}/administration/")
    page.get_by_role("link", name=RECEPTION).click()
    page.get_by_label("Uppgift").fill("groups")
    page.get_by_label("Värde").fill("socialtjänsten")
    page.get_by_role("button", name="Lägg till regel").click()
    expect(page.get_by_text("Regeln gäller från nästa gång någon loggar in.")).to_be_visible()
    expect(page.get_by_text("groups = socialtjänsten")).to_be_visible()
    eva.check_accessibility()
    page.get_by_role("button", name="Ta bort regeln socialtjänsten").click()
    expect(page.get_by_text("groups = socialtjänsten")).to_have_count(0)
    page.get_by_role("link", name="Certifikat").click()
    page.get_by_role("button", name="Skapa nyckel och begäran").click()
    expect(page.get_by_text("Begäran är skapad.")).to_be_visible()
    eva.check_accessibility()
    with page.expect_download() as download:
        page.get_by_role("link", name="Hämta begäran").last.click()
    assert b"BEGIN CERTIFICATE REQUEST" in download.value.path().read_bytes()


def test_a_rule_that_nobody_is_known_to_have_made_waits_for_an_administrator(two_nodes, caseworker):
    habo = two_nodes.habo
    made = "INSERT INTO mailbox_membershiprule (mailbox_id, claim, value, created_at, is_suspended) "
    made += "SELECT id, 'groups', 'arkivet', now(), true FROM mailbox_functionmailbox WHERE name = %s "
    habo.query(f"{made} RETURNING id", RECEPTION)
    eva = caseworker(habo, "Eva Holm")
    page = eva.page
    page.goto(f"{eva.url}/administration/")
    waiting = page.get_by_role("region", name="Regler för medlemskap som väntar på att bekräftas")
    expect(waiting).to_contain_text("groups = arkivet")
    eva.check_accessibility()
    waiting.get_by_role("link", name=RECEPTION).click()
    expect(page.get_by_text("Vilande: ger inget medlemskap")).to_be_visible()
    eva.check_accessibility()
    page.get_by_role("button", name="Bekräfta regeln arkivet").click()
    expect(page.get_by_text("Regeln är bekräftad")).to_be_visible()
    expect(page.get_by_text("Gäller alla utom Eva Holm")).to_be_visible()
    expect(page.get_by_role("button", name="Bekräfta regeln arkivet")).to_have_count(0)
    page.get_by_role("button", name="Ta bort regeln arkivet").click()
    expect(page.get_by_text("groups = arkivet")).to_have_count(0)


def test_an_auditor_finds_who_did_what_and_takes_it_out(two_nodes, caseworker):
    karin, nils = caseworker(two_nodes.habo, "Karin Svensson"), caseworker(two_nodes.habo, "Nils Granberg")
    karin.page.goto(f"{karin.url}/sok")
    karin.page.get_by_label("Ord, namn eller nummer").fill("kastanjemannen")
    karin.page.get_by_role("button", name="Sök", exact=True).click()
    expect(karin.page.get_by_text("Inget meddelande, ingen anteckning och inget utkast")).to_be_visible()
    page = nils.page
    page.goto(f"{nils.url}/administration/atkomstlogg")
    page.get_by_label("Vem").select_option("Karin Svensson")
    page.get_by_label("Vad", exact=True).select_option("Sökte")
    page.get_by_role("button", name="Visa").click()
    rows = page.get_by_role("row").filter(has_text="Karin Svensson")
    expect(rows.first).to_contain_text("Sökte")
    expect(page.get_by_text("kastanjemannen")).to_have_count(0)
    nils.check_accessibility()
    with page.expect_download() as download:
        page.get_by_role("button", name="Ta ut som CSV").click()
    text = download.value.path().read_text("utf-8-sig")
    assert "searched" in text
    assert "kastanjemannen" not in text
    page.goto(f"{nils.url}/administration/atkomstlogg")
    page.get_by_label("Vad", exact=True).select_option("Tog ut åtkomstloggen")
    page.get_by_label("Vem").select_option("Nils Granberg")
    page.get_by_role("button", name="Visa").click()
    expect(page.get_by_role("row").filter(has_text="Tog ut åtkomstloggen").first).to_be_visible()
    page.get_by_role("link", name="Överföringar").click()
    page.get_by_label("Identitet").fill("finns-inte")
    page.get_by_role("button", name="Visa").click()
    expect(page.get_by_text("Inga händelser svarar mot det.")).to_be_visible()
    nils.check_accessibility()


def test_a_conversation_is_left_for_later_kept_and_taken_out_as_a_bundle(two_nodes, caseworker):
    habo = two_nodes.habo
    key = two_nodes.arbetsformedlingen.send(TRAINING_ADDRESS, RECEPTION_ADDRESS, "För arkivet")
    statement = "SELECT conversation_id FROM mailbox_message WHERE direction = 'in' AND message_id = %s"
    ((conversation,),) = eventually(lambda: habo.query(statement, key), what="the letter at Håbo")
    karin = caseworker(habo, "Karin Svensson")
    page = karin.page
    page.goto(f"{karin.url}/konversation/{conversation}/")
    page.locator("summary", has_text="Påminn").click()
    day = datetime.now(UTC).date() + timedelta(days=7)
    page.get_by_label("Ta upp igen den").fill(day.isoformat())
    page.get_by_role("button", name="Spara påminnelsen").click()
    expect(page.get_by_text(re.compile("^Tas upp igen"))).to_be_visible()
    more = page.locator("summary[aria-label=Mer]")
    more.click()
    page.get_by_role("button", name="Undanta från gallring").click()
    more.click()
    expect(page.get_by_text("behålls tills någon häver undantaget")).to_be_visible()
    karin.check_accessibility()
    with page.expect_download() as download:
        page.get_by_role("button", name="Hämta som arkivpaket").click()
    with zipfile.ZipFile(download.value.path()) as bundle:
        names = bundle.namelist()
    assert any(name.endswith(".pdf") for name in names)
    assert any(name.endswith("bilaga.pdf") for name in names)
    with page.expect_download() as download:
        page.get_by_role("button", name="Hämta som E-ARK-paket").click()
    with zipfile.ZipFile(download.value.path()) as package:
        names = package.namelist()
    assert any(name.endswith("/data/conversation.pdf") for name in names)
    assert f"{names[0].partition('/')[0]}/METS.xml" in names
    page.get_by_role("button", name="Häv undantaget från gallring").click()
    more.click()
    expect(page.get_by_role("button", name="Undanta från gallring")).to_be_visible()
    page.get_by_text("Vad som har hänt").click()
    history = page.get_by_label("Konversationens historik")
    expect(history).to_contain_text("Undantagen från gallring av Karin Svensson")
    expect(history).to_contain_text("Undantaget från gallring hävt av Karin Svensson")


def test_a_caseworker_chooses_what_to_be_told_of(two_nodes, caseworker):
    karin = caseworker(two_nodes.habo, "Karin Svensson")
    page = karin.page
    page.goto(karin.url)
    page.get_by_role("link", name="Aviseringar").click()
    page.get_by_label("E-postadress").fill("karin@habo.example")
    page.get_by_label(f"Mejl när något nytt kommer i {RECEPTION}").check()
    page.get_by_role("button", name="Spara").click()
    expect(page.get_by_label(f"Mejl när något nytt kommer i {RECEPTION}")).to_be_checked()
    expect(page.get_by_label("E-postadress")).to_have_value("karin@habo.example")
    karin.check_accessibility()
    page.get_by_label(f"Mejl när något nytt kommer i {RECEPTION}").uncheck()
    page.get_by_role("button", name="Spara").click()
    expect(page.get_by_label(f"Mejl när något nytt kommer i {RECEPTION}")).not_to_be_checked()


def test_an_administrator_has_the_node_checked_and_reads_what_to_do(two_nodes, caseworker):
    eva = caseworker(two_nodes.habo, "Eva Holm")
    page = eva.page
    page.goto(f"{eva.url}/administration/")
    page.get_by_role("link", name="Driftkontroll").click()
    expect(page.get_by_text("Ingen kontroll har gjorts än.")).to_be_visible()
    page.get_by_role("button", name="Kontrollera nu").click()
    # The page asks for the result by itself.
    expect(page.get_by_role("heading", name="Att åtgärda")).to_be_visible(timeout=120_000)
    wrong = page.get_by_role("list", name="Att åtgärda")
    expect(wrong.get_by_role("listitem").filter(has_text="Säkerhetskopia")).to_contain_text("SDK_BACKUP_FILE")
    well = page.get_by_role("table", name="Fungerar")
    expect(well.get_by_role("row").filter(has_text="Provmeddelande ut och in")).to_contain_text("AS4")
    expect(page.get_by_role("button", name="Kontrollera nu")).to_be_visible()
    eva.check_accessibility()
