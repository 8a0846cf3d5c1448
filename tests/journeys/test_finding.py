"""Finding what one has, and administering: in a real browser, without script, on a small screen."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.browser import Caseworker, start_message
from tests.nodes import NodeUnderTest, eventually

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("nodes")]
RECEPTION = "Socialtjänsten, mottagning"
TRAINING = "Avdelningen för arbetsträning"
# Pictures for whoever wants to look: set it to a directory.
PICTURES = os.environ.get("SDK_TEST_PICTURES")
LogIn = Callable[[NodeUnderTest, str], Caseworker]


def pictured(page: Page, name: str) -> None:
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / f"{name}.png", full_page=True)


def written(karin: Caseworker, subject: str, text: str) -> None:
    page = karin.page
    karin.open_mailbox(RECEPTION)
    start_message(page)
    page.get_by_label(re.compile("^Till: sök")).fill("arbetsträning")
    page.get_by_role("option", name=re.compile(TRAINING)).click()
    page.get_by_label("Ämne", exact=True).fill(subject)
    page.get_by_label("Meddelande", exact=True).fill(text)
    karin.send()
    expect(page.get_by_role("heading", level=1, name=subject)).to_be_visible()


def test_a_message_is_found_by_another_form_of_its_words_and_shown_where(two_nodes, caseworker):
    karin = caseworker(two_nodes.habo, "Karin Svensson")
    written(karin, "Rehabiliteringsplanering", "Vi föreslår arbetsprövning hos socialkontoret.")
    page = karin.page
    requested: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    page.get_by_role("link", name="Sök", exact=True).click()
    karin.check_accessibility()
    pictured(page, "search-empty")
    page.get_by_label("Ord, namn eller nummer").fill("socialkontor")
    page.keyboard.press("Enter")
    expect(page.locator("mark", has_text="socialkontoret")).to_be_visible()
    karin.check_accessibility()
    pictured(page, "search-hits")
    page.get_by_label("Ord, namn eller nummer").fill("arbetspröfning")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Liknande stavning").first).to_be_visible()
    page.get_by_label("Ord, namn eller nummer").fill("kärnkraftverk")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Inga träffar")).to_be_visible()
    karin.check_accessibility()
    page.get_by_label("Ord, namn eller nummer").fill("planering")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Rehabiliteringsplanering").first.click()
    expect(page.get_by_role("heading", level=1, name="Rehabiliteringsplanering")).to_be_visible()
    assert not any("socialkontor" in url or "planering" in url for url in requested)


def test_back_to_a_search_shows_it_again_and_the_opened_message_marks_its_words(two_nodes, caseworker):
    karin = caseworker(two_nodes.habo, "Karin Svensson")
    written(karin, "Hemtjänstbeslut", "Beslut om hemtjänstinsatser enligt planen.")
    page = karin.page
    page.goto(f"{karin.url}/sok")
    field = page.get_by_label("Ord, namn eller nummer")
    expect(field).to_be_focused()
    field.fill("hemtjänst")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Hemtjänstbeslut").first.click()
    expect(page.locator(".document mark", has_text="hemtjänstinsatser").first).to_be_visible()
    assert "hemtj" not in page.url
    page.go_back()
    expect(page.get_by_role("link", name="Hemtjänstbeslut").first).to_be_visible()
    expect(field).to_have_value("hemtjänst")
    page.locator("h1").click()
    page.keyboard.press("s")
    expect(field).to_be_focused()
    page.locator("h1").click()
    page.keyboard.press("/")
    expect(field).to_be_focused()


def test_a_draft_that_was_left_is_found_and_gone_on_with(two_nodes, caseworker):
    karin = caseworker(two_nodes.habo, "Karin Svensson")
    page = karin.page
    karin.open_mailbox(RECEPTION)
    start_message(page)
    page.get_by_label("Ämne", exact=True).fill("Lämnat för i dag")
    page.get_by_label("Meddelande", exact=True).fill("Vattkoppsutbrott på förskolan")
    page.get_by_role("button", name="Spara utkast").click()
    expect(page.get_by_text("Utkastet är sparat.")).to_be_visible()
    key = int(re.findall(r"/utkast/(\d+)/", page.url)[0])
    indexed = "SELECT 1 FROM mailbox_draft d JOIN mailbox_draftentry e ON e.draft_id = d.id "
    indexed += "WHERE e.at = d.changed_at AND d.id = %s"
    eventually(lambda: two_nodes.habo.query(indexed, key), what="the sweep that indexes drafts")
    page.get_by_role("link", name="Sök", exact=True).click()
    page.get_by_label("Ord, namn eller nummer").fill("vattkoppsutbrott")
    page.keyboard.press("Enter")
    hit = page.get_by_role("listitem").filter(has_text="Lämnat för i dag")
    expect(hit).to_contain_text("Utkast")
    karin.check_accessibility()
    hit.get_by_role("link", name="Lämnat för i dag").click()
    expect(page.get_by_label("Meddelande", exact=True)).to_have_value("Vattkoppsutbrott på förskolan")
    page.get_by_role("button", name="Ta bort utkastet").click()
    page.get_by_role("button", name="Ta bort", exact=True).click()
    expect(page.get_by_text("Utkastet är borttaget.")).to_be_visible()


def test_searching_works_without_script_and_by_filters(two_nodes, browser):
    context = browser.new_context(java_script_enabled=False, locale="sv-SE")
    page = context.new_page()
    page.goto(two_nodes.habo.node.url)
    page.get_by_role("link", name="Logga in med e-legitimation").click()
    page.get_by_role("button", name="Karin Svensson").click()
    page.get_by_role("link", name="Sök", exact=True).click()
    page.get_by_label("Ord, namn eller nummer").fill("xyzzyx")
    page.get_by_text("Begränsa sökningen").click()
    page.get_by_label("Sök bland").select_option("Skickade")
    page.get_by_role("button", name="Sök", exact=True).click()
    expect(page.get_by_role("heading", name="Inga träffar")).to_be_visible()
    expect(page.get_by_label("Sök bland")).to_have_value("sent")
    expect(page.get_by_label("Ord, namn eller nummer")).to_have_value("xyzzyx")
    page.get_by_label("Ord, namn eller nummer").fill("")
    page.get_by_role("button", name="Sök", exact=True).click()
    assert page.title().startswith("Fel:")
    context.close()


PAGES = {
    "Karin Svensson": ["/sok", "/aviseringar", "/adressbok/", "/adressbok/sok?q=social"],
    "Ahmed Lindqvist": ["/administration/", "/administration/statistik"],
    "Eva Holm": [
        "/administration/",
        "/administration/personer",
        "/administration/funktioner/",
        "/administration/funktioner/skillnad",
        "/administration/gallring/",
        "/administration/statistik",
        "/administration/avdelningsstatistik",
        "/administration/kostnader",
        "/administration/logg",
    ],
    "Nils Granberg": ["/administration/atkomstlogg"],
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", sorted(PAGES))
def test_pages_fit_a_small_screen_and_axe_finds_nothing(two_nodes, caseworker, name, scheme):
    person = caseworker(two_nodes.habo, name)
    page = person.page
    page.emulate_media(color_scheme=scheme)
    for path in PAGES[name]:
        page.set_viewport_size({"width": 1200, "height": 800})
        page.goto(person.url + path)
        person.check_accessibility()
        pictured(page, f"{scheme}{path.replace('/', '-')}")
        page.set_viewport_size({"width": 320, "height": 640})
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= 320, f"{path} is {width} px wide"
        person.check_accessibility()


def test_a_function_address_is_registered_and_the_difference_tells_what_to_do(two_nodes, caseworker):
    eva = caseworker(two_nodes.habo, "Eva Holm")
    page = eva.page
    page.goto(f"{eva.url}/administration/funktioner/")
    page.locator("#identifier").fill("sdk:budget:0203:habo.se")
    page.get_by_label("Namn", exact=True).fill("Budget- och skuldrådgivning")
    page.get_by_role("button", name="Lägg upp").click()
    expect(page.get_by_text("Funktionsadressen är upplagd.")).to_be_visible()
    eva.check_accessibility()
    pictured(page, "function")
    page.goto(f"{eva.url}/administration/funktioner/skillnad")
    expect(page.get_by_role("heading", name="Registrera")).to_be_visible()
    expect(page.get_by_text("sdk:budget:0203:habo.se")).to_be_visible()
    eva.check_accessibility()


def test_a_retention_rule_shows_what_would_go_before_it_is_set(two_nodes, caseworker):
    eva = caseworker(two_nodes.habo, "Eva Holm")
    page = eva.page
    page.goto(f"{eva.url}/administration/gallring/")
    page.get_by_role("link", name=re.compile("Elevhälsan, Klara")).click()
    page.get_by_label("Antal dagar").fill("365")
    page.get_by_role("button", name="Visa vad som skulle hända").click()
    expect(page.get_by_role("heading", name="Detta händer om du bekräftar")).to_be_visible()
    eva.check_accessibility()
    pictured(page, "retention-preview")
    page.get_by_role("button", name="Ändra regeln").click()
    expect(page.get_by_role("alert").first).to_contain_text("Skriv brevlådans namn")
    page.locator("#confirmation").fill("Elevhälsan")
    page.get_by_role("button", name="Ändra regeln").click()
    expect(page.get_by_text("Gallringsregeln är ändrad.")).to_be_visible()
    expect(page.get_by_role("link", name=re.compile("365 dagar"))).to_be_visible()


def test_whoever_is_locked_loses_open_pages_at_once(two_nodes, caseworker):
    eva, ahmed = caseworker(two_nodes.habo, "Eva Holm"), caseworker(two_nodes.habo, "Ahmed Lindqvist")
    ahmed.page.goto(f"{ahmed.url}/administration/")
    ahmed.page.wait_for_load_state("load")
    eva.page.goto(f"{eva.url}/administration/personer")
    eva.page.get_by_role("link", name="Ahmed Lindqvist").click()
    try:
        eva.page.get_by_role("link", name="Spärra", exact=True).click()
        eva.page.get_by_role("button", name="Spärra personen").click()
        expect(ahmed.page.get_by_role("link", name="Logga in med e-legitimation")).to_be_visible()
    finally:
        eva.page.get_by_role("link", name="Häv spärren").click()
        eva.page.get_by_role("button", name="Häv spärren").click()
    expect(eva.page.get_by_text("Spärren är hävd.")).to_be_visible()
