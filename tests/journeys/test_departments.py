"""An administrator makes a department and a price list; its leader reads figures, and takes them out."""

import re
import uuid

import pytest
from playwright.sync_api import expect

from tests.nodes import eventually

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("nodes")]
RECEPTION = "Socialtjänsten, mottagning"
RECEPTION_ADDRESS = "sdk:socialtjanst-mottagning:0203:habo.se"
TRAINING_ADDRESS = "sdk:arbetstraning:0203:arbetsformedlingen.se"


def test_a_leader_reads_the_figures_and_costs_of_a_department_and_no_others(two_nodes, caseworker):
    habo = two_nodes.habo
    key = two_nodes.arbetsformedlingen.send(TRAINING_ADDRESS, RECEPTION_ADDRESS, "Till statistiken")
    statement = "SELECT 1 FROM mailbox_message WHERE direction = 'in' AND message_id = %s"
    eventually(lambda: habo.query(statement, key), what="the letter at Håbo")
    name, lower = f"Förvaltning {uuid.uuid4().hex[:6]}", "Mottagningsenheten"

    eva = caseworker(habo, "Eva Holm")
    page = eva.page
    page.goto(f"{eva.url}/administration/avdelningar")
    page.get_by_label("Namn", exact=True).fill(name)
    page.get_by_role("button", name="Lägg till").click()
    expect(page.locator("#notices")).to_contain_text(f"Avdelningen {name} är tillagd.")
    page.get_by_label("Namn", exact=True).fill(lower)
    page.get_by_label("Ligger under").select_option(label=name)
    page.get_by_role("button", name="Lägg till").click()
    expect(page.locator("#notices")).to_contain_text(f"Avdelningen {lower} är tillagd.")
    eva.check_accessibility()
    page.get_by_role("link", name=lower).click()
    expect(page.get_by_role("heading", level=1, name=lower)).to_be_visible()
    page.get_by_label(re.compile(f"^{RECEPTION}")).check()
    page.get_by_role("button", name="Spara brevlådorna").click()
    expect(page.locator("#notices")).to_contain_text("Avdelningen har 1 brevlåda.")
    page.locator(".crumbs").get_by_role("link", name=name).click()
    expect(page.get_by_role("heading", level=1, name=name)).to_be_visible()
    page.get_by_label("Person som redan finns här").select_option(label="Karin Svensson")
    page.get_by_role("button", name="Lägg till", exact=True).click()
    expect(page.locator("#notices")).to_contain_text("Karin Svensson ser nu avdelningens siffror.")
    eva.check_accessibility()
    page.goto(f"{eva.url}/administration/prislistor")
    page.get_by_label("Från och med").fill("2020-01-01")
    page.get_by_label("Varje brevlåda, per år").fill("1 250,50")
    page.get_by_label("Varje inkommet meddelande").fill("0,75")
    page.get_by_role("button", name="Lägg till").click()
    expect(page.locator("#notices")).to_contain_text("Prislistan är sparad.")
    expect(page.get_by_role("region", name="Prislistor")).to_contain_text("1\N{NO-BREAK SPACE}250,50")
    eva.check_accessibility()
    habo.node.manage("count_figures")

    karin = caseworker(habo, "Karin Svensson")
    page = karin.page
    page.get_by_role("link", name="Statistik", exact=True).click()
    expect(page.get_by_role("heading", level=1, name=re.compile(f"^{name}:"))).to_be_visible()
    page.get_by_label("Period").select_option("Egna dagar")
    page.get_by_label("Från och med").fill("2020-01-01")
    page.get_by_role("button", name="Visa").click()
    expect(page.get_by_text("Ange både första och sista dagen.").first).to_be_visible()
    today = page.evaluate("new Date().toLocaleDateString('sv-SE', {timeZone: 'Europe/Stockholm'})")
    page.get_by_label("Period").select_option("Månad")
    page.get_by_label("Månad", exact=True).fill(today[:7])
    page.get_by_role("button", name="Visa").click()
    table = page.get_by_role("region", name="Statistik per avdelning")
    expect(table.get_by_role("row").filter(has_text=lower)).to_have_count(1)
    expect(page.get_by_text("Elevhälsan")).to_have_count(0)
    karin.check_accessibility()
    with page.expect_download() as download:
        page.get_by_role("link", name="Ta ut som CSV").click()
    lines = download.value.path().read_text("utf-8-sig").splitlines()
    assert lines[0].startswith("part;name;from;until;arrived;sent")
    assert lines[1].startswith(f"total;{name};{today[:7]}-01;")
    assert int(lines[1].split(";")[4]) >= 1
    page.get_by_role("button", name="Skicka siffrorna till mig varje månad").click()
    expect(page.locator("#notices")).to_contain_text("Du får siffrorna med mejl i början av varje månad.")
    table.get_by_role("link", name=lower).click()
    expect(page.get_by_role("heading", level=1, name=re.compile(f"^{lower}:"))).to_be_visible()
    page.get_by_role("link", name=re.compile("motpart")).click()
    expect(page.get_by_role("heading", level=1, name=re.compile("^Motparter:"))).to_be_visible()
    karin.check_accessibility()
    page.get_by_role("link", name="Kostnader").click()
    costs = page.get_by_role("region", name="Kostnader")
    expect(costs.get_by_role("row").filter(has_text=lower)).to_contain_text("1\N{NO-BREAK SPACE}250,50")
    karin.check_accessibility()
    with page.expect_download() as download:
        page.get_by_role("link", name="Ta ut som CSV").click()
    assert ";1250,50;" in download.value.path().read_text("utf-8-sig")

    # The way back: the department is removed, and Karin has no figures, until it is restored.
    page = eva.page
    page.goto(f"{eva.url}/administration/avdelningar")
    page.get_by_role("link", name=name).click()
    page.get_by_role("button", name="Ta bort avdelningen").click()
    expect(page.locator("#notices")).to_contain_text(f"Avdelningen {name} är borttagen.")
    figures = f"{karin.url}/administration/avdelningsstatistik"
    assert karin.page.request.get(figures).status == 404
    page.get_by_role("button", name=f"Återställ {name}").click()
    expect(page.locator("#notices")).to_contain_text(f"Avdelningen {name} är tillbaka.")
    assert karin.page.request.get(figures).status == 200
