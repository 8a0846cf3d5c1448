"""A day in a shared mailbox: what waits, handing over, notes, labels, and who else is there."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from tests.nodes import eventually

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("nodes")]
RECEPTION, ELDERLY = "Socialtjänsten, mottagning", "Biståndshandläggning äldre"
RECEPTION_ADDRESS = "sdk:socialtjanst-mottagning:0203:habo.se"
TRAINING_ADDRESS = "sdk:arbetstraning:0203:arbetsformedlingen.se"


@dataclass(frozen=True)
class Letter:
    """A message that has just arrived at Håbo's reception."""

    subject: str
    url: str


@pytest.fixture
def letter(two_nodes, request) -> Letter:
    subject = f"Fråga om {request.node.originalname.rpartition('_')[2]}"
    habo = two_nodes.habo
    key = two_nodes.arbetsformedlingen.send(TRAINING_ADDRESS, RECEPTION_ADDRESS, subject)
    statement = "SELECT conversation_id FROM mailbox_message WHERE direction = 'in' AND message_id = %s"
    ((conversation,),) = eventually(lambda: habo.query(statement, key), what="the letter at Håbo")
    return Letter(subject, f"{habo.node.url}/konversation/{conversation}/")


def test_a_colleague_is_asked_to_take_over_and_does(two_nodes, caseworker, letter):
    karin = caseworker(two_nodes.habo, "Karin Svensson")
    ahmed = caseworker(two_nodes.habo, "Ahmed Lindqvist")
    karin.page.goto(letter.url)
    karin.page.get_by_role("button", name="Tilldela mig", exact=True).click()
    karin.page.get_by_role("link", name="Lämna över").click()
    karin.check_accessibility()
    karin.page.get_by_label("Vad som är gjort").fill("Ringt vårdcentralen")
    karin.page.get_by_role("button", name="Erbjud att ta över").click()
    expect(karin.page.get_by_role("alert")).to_contain_text("Skriv vad som återstår.")
    assert karin.page.title().startswith("Fel:")
    expect(karin.page.get_by_label("Vad som är gjort")).to_have_value("Ringt vårdcentralen")
    karin.check_accessibility()
    due = datetime.now(UTC).date() + timedelta(days=7)
    karin.page.get_by_label("Till", exact=True).select_option("Ahmed Lindqvist")
    karin.page.get_by_label("Vad som återstår").fill("Svara före mötet")
    karin.page.get_by_label("Klart senast (frivilligt)").fill(due.isoformat())
    karin.page.get_by_role("button", name="Erbjud att ta över").click()
    # She is led on, and comes back to it.
    expect(karin.page.locator("#notices")).to_contain_text(letter.subject)
    expect(karin.page).not_to_have_url(letter.url)
    karin.page.goto(letter.url)
    expect(karin.page.get_by_text("Erbjuds till Ahmed Lindqvist")).to_be_visible()
    karin.page.evaluate("window.stillHere = true")

    # It waits for him where he begins, and he answers by the keyboard alone.
    ahmed.page.goto(ahmed.url)
    offered = ahmed.page.get_by_role("listitem").filter(has_text="Svara före mötet")
    expect(offered).to_contain_text("Karin Svensson")
    ahmed.check_accessibility()
    offered.get_by_role("button", name=re.compile("^Ta över")).focus()
    ahmed.page.keyboard.press("Enter")
    expect(ahmed.page.get_by_role("heading", level=1, name=letter.subject)).to_be_visible()
    expect(ahmed.page.get_by_text("Tilldelad dig").first).to_be_visible()
    expect(ahmed.page.get_by_role("heading", name="Klar senast")).to_be_visible()
    # She sees it without loading the page again; he sees it among what he has.
    expect(karin.page.locator(".reading-facts").get_by_text("Tilldelad Ahmed")).to_be_visible()
    assert karin.page.evaluate("window.stillHere") is True
    ahmed.page.goto(ahmed.url)
    expect(ahmed.page.get_by_role("listitem").filter(has_text=letter.subject)).to_contain_text("Senast")


def test_another_function_takes_over_and_it_can_be_undone(two_nodes, caseworker, letter):
    karin = caseworker(two_nodes.habo, "Karin Svensson")
    ahmed = caseworker(two_nodes.habo, "Ahmed Lindqvist")
    karin.page.goto(f"{letter.url}overlamna")
    karin.page.get_by_label("Till", exact=True).select_option(ELDERLY)
    karin.page.get_by_label("Vad som är gjort").fill("Inget")
    karin.page.get_by_label("Vad som återstår").fill("Hör till er")
    karin.page.get_by_role("button", name="Erbjud att ta över").click()
    # The next conversation of her list follows; she looks at this one again.
    expect(karin.page).not_to_have_url(re.compile("overlamna"))
    karin.page.goto(letter.url)
    ahmed.open_mailbox(ELDERLY)
    ahmed.page.get_by_role("link", name="Svara på startsidan").click()
    offered = ahmed.page.get_by_role("listitem").filter(has_text="Hör till er")
    offered.get_by_role("button", name=re.compile("^Ta över")).click()
    expect(ahmed.page.locator(".crumbs")).to_contain_text(ELDERLY)
    # What is not hers to see any more goes from her open page.
    expect(karin.page.get_by_role("heading", name="Sidan finns inte")).to_be_visible()
    assert karin.errors, "the browser notes what it was refused"
    assert all("404" in error for error in karin.errors)
    karin.errors.clear()
    ahmed.page.get_by_role("button", name="Ångra").click()
    expect(ahmed.page.get_by_text("Ändringen är ångrad.")).to_be_visible()
    karin.page.goto(letter.url)
    expect(karin.page.get_by_text(f"Erbjuds till {ELDERLY}")).to_be_visible()
    karin.page.get_by_role("button", name="Ta tillbaka erbjudandet").click()
    expect(karin.page.get_by_text(f"Erbjuds till {ELDERLY}")).to_have_count(0)


def test_a_note_reaches_whom_it_mentions(two_nodes, caseworker, letter):
    karin = caseworker(two_nodes.habo, "Karin Svensson")
    ahmed = caseworker(two_nodes.habo, "Ahmed Lindqvist")
    ahmed.page.goto(letter.url)
    karin.page.goto(letter.url)
    karin.page.locator("summary", has_text="Anteckning").click()
    karin.page.get_by_label("Anteckning", exact=True).press_sequentially("@Ahmed, kan du ringa dem?")
    # What happens meanwhile takes nothing from who writes.
    ahmed.page.get_by_role("button", name="Tilldela mig", exact=True).click()
    expect(karin.page.get_by_text("Tilldelad Ahmed Lindqvist").first).to_be_visible()
    expect(karin.page.get_by_label("Anteckning", exact=True)).to_have_value("@Ahmed, kan du ringa dem?")
    karin.check_accessibility()
    ahmed.page.goto(ahmed.url)
    karin.page.get_by_role("button", name="Spara anteckningen").click()
    notes = karin.page.get_by_role("region", name="Intern anteckning")
    expect(notes).to_contain_text("@Ahmed, kan du ringa dem?")
    # His start page is open, and tells him by itself.
    expect(ahmed.page.get_by_role("heading", name="Du är nämnd")).to_be_visible()
    ahmed.check_accessibility()
    ahmed.page.locator("a[href*='#anteckning-']", has_text=letter.subject).click()
    expect(ahmed.page.get_by_role("region", name="Intern anteckning")).to_contain_text("kan du ringa")
    ahmed.check_accessibility()
    # Later, he remembers what it said but not where.
    ahmed.page.get_by_role("link", name="Sök", exact=True).click()
    ahmed.page.get_by_text("Begränsa sökningen").click()
    ahmed.page.get_by_label("Sök bland").select_option("Interna anteckningar")
    ahmed.page.get_by_label("Ord, namn eller nummer").fill("ringa")
    ahmed.page.keyboard.press("Enter")
    found = ahmed.page.get_by_role("listitem").filter(has_text=letter.subject)
    expect(found).to_contain_text("Intern anteckning")
    expect(found.locator("mark")).to_have_text("ringa")
    ahmed.check_accessibility()
    found.get_by_role("link", name=letter.subject).click()
    expect(ahmed.page).to_have_url(re.compile(r"/konversation/\d+/#[\w-]+$"))
    place = ahmed.page.url.rpartition("#")[2]
    expect(ahmed.page.locator(f".note#{place}")).to_contain_text("kan du ringa")
    karin.page.get_by_role("button", name=re.compile("^Ta bort din anteckning")).click()
    expect(notes).to_have_count(0)


def test_labels_sort_a_mailbox(two_nodes, caseworker, letter):
    karin = caseworker(two_nodes.habo, "Karin Svensson")
    karin.page.goto(letter.url)
    karin.page.locator("summary", has_text="Etiketter").click()
    menu = karin.page.locator("details[open]")
    menu.get_by_role("link", name="Brevlådans etiketter").click()
    karin.page.get_by_role("button", name="Skapa etiketten").click()
    expect(karin.page.get_by_role("alert")).to_contain_text("Skriv etikettens namn.")
    karin.page.get_by_role("textbox", name="Namn").last.fill("Brådskande")
    karin.page.get_by_label("Färg").last.select_option("Röd")
    karin.page.get_by_role("button", name="Skapa etiketten").click()
    expect(karin.page.get_by_text("Etiketten är skapad.")).to_be_visible()
    karin.check_accessibility()
    karin.page.goto(letter.url)
    karin.page.locator("summary", has_text="Etiketter").click()
    karin.page.get_by_role("checkbox", name="Brådskande").check()
    karin.page.get_by_role("button", name="Spara etiketterna").click()
    expect(karin.page.locator(".reading-facts .label")).to_contain_text("Brådskande")
    karin.check_accessibility()
    karin.open_mailbox(RECEPTION)
    # By key: what was done last is still told of, over the list's foot.
    karin.page.get_by_text("Begränsa och sortera").press("Enter")
    karin.page.get_by_label("Etikett", exact=True).select_option("Brådskande")
    karin.page.get_by_label("Läge").select_option("Öppna")
    karin.page.get_by_role("button", name="Visa", exact=True).click()
    rows = karin.page.locator(".conversations > li")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text(letter.subject)
    karin.check_accessibility()


def test_who_looks_and_who_writes_is_seen_while_it_lasts(two_nodes, caseworker, letter):
    karin = caseworker(two_nodes.habo, "Karin Svensson")
    ahmed = caseworker(two_nodes.habo, "Ahmed Lindqvist")
    karin.page.goto(letter.url)
    karin.page.evaluate("window.stillHere = true")
    ahmed.page.goto(letter.url)
    there = karin.page.locator("#presence")
    expect(there).to_contain_text("Ahmed Lindqvist tittar också på konversationen")
    karin.check_accessibility()
    ahmed.page.locator(".composer-begin button").click()
    expect(there).to_contain_text("Ahmed Lindqvist skriver ett svar")
    karin.check_accessibility()
    ahmed.page.get_by_role("button", name="Ta bort utkastet").click()
    expect(ahmed.page.get_by_role("button", name="Ta bort utkastet")).to_have_count(0)
    ahmed.page.goto(ahmed.url)
    expect(there).not_to_contain_text("skriver")
    expect(there).not_to_contain_text("Ahmed Lindqvist", timeout=60_000)
    assert karin.page.evaluate("window.stillHere") is True


def test_working_together_needs_no_javascript(two_nodes, browser, letter):
    context = browser.new_context(
        java_script_enabled=False, locale="sv-SE", viewport={"width": 320, "height": 640}
    )
    page = context.new_page()
    page.goto(two_nodes.habo.node.url)
    page.get_by_role("link", name="Logga in med e-legitimation").click()
    page.get_by_role("button", name="Ahmed Lindqvist").click()
    page.wait_for_url(lambda url: url.startswith(two_nodes.habo.node.url) and "/oidc/" not in url)
    page.goto(letter.url)
    page.locator("summary", has_text="Anteckning").click()
    page.get_by_label("Anteckning", exact=True).fill("Utan skript")
    page.get_by_role("checkbox", name="Karin Svensson").check()
    page.get_by_role("button", name="Spara anteckningen").click()
    expect(page.get_by_role("region", name="Intern anteckning")).to_contain_text("Till: Karin Svensson")
    page.goto(f"{letter.url}overlamna")
    page.get_by_label("Till", exact=True).select_option("Karin Svensson")
    page.get_by_label("Vad som är gjort").fill("Läst")
    page.get_by_label("Vad som återstår").fill("Svara")
    with page.expect_navigation():
        page.get_by_role("button", name="Erbjud att ta över").click()
    page.goto(letter.url)
    expect(page.get_by_text("Erbjuds till Karin Svensson")).to_be_visible()
    page.get_by_role("button", name="Ta tillbaka erbjudandet").click()
    page.get_by_role("button", name="Ångra").click()
    expect(page.get_by_text("Erbjuds till Karin Svensson")).to_be_visible()
    context.close()


def test_the_pages_of_working_together_fit_a_small_screen(two_nodes, caseworker, letter):
    ahmed = caseworker(two_nodes.habo, "Ahmed Lindqvist")
    ahmed.page.set_viewport_size({"width": 320, "height": 640})
    ahmed.open_mailbox(RECEPTION)
    labels = f"{ahmed.page.url}etiketter"
    for url in (ahmed.url, letter.url, f"{letter.url}overlamna", f"{letter.url}anteckning", labels):
        ahmed.page.goto(url)
        assert ahmed.page.evaluate("document.documentElement.scrollWidth") <= 320, url
        ahmed.check_accessibility()


def test_what_comes_is_said_in_one_place_and_focus_stays_on_what_it_was_on(two_nodes, caseworker, letter):
    karin = caseworker(two_nodes.habo, "Karin Svensson")
    ahmed = caseworker(two_nodes.habo, "Ahmed Lindqvist")
    page = karin.page
    karin.open_mailbox(RECEPTION)
    link = page.get_by_role("link", name=letter.subject, exact=True)
    link.focus()
    status = page.locator("#status")
    expect(status).to_be_empty()
    # Another letter comes above it: the list does not move under the person's hand.
    place = link.bounding_box()
    two_nodes.arbetsformedlingen.send(TRAINING_ADDRESS, RECEPTION_ADDRESS, "Något brådskande")
    news = page.locator("#news")
    expect(news).to_have_text("1 ny")
    expect(page.get_by_role("link", name="Något brådskande")).to_have_count(0)
    expect(status).to_have_text("Sidan har uppdaterats med nya uppgifter.")
    assert [one for one in page.get_by_role("status").all_inner_texts() if one] == [status.inner_text()]
    expect(link).to_be_focused()
    assert link.bounding_box() == place
    news.click()
    expect(page.get_by_role("link", name="Något brådskande")).to_be_visible()
    # What a colleague has done leaves a list that nobody has their hand on.
    page.mouse.move(5, 5)
    page.locator("#list").focus()
    ahmed.page.goto(letter.url)
    ahmed.page.get_by_role("button", name="Markera som klar").click()
    expect(link).to_have_count(0)
    karin.check_accessibility()


def test_what_was_opened_in_the_page_stays_open_and_nothing_else_opens(two_nodes, caseworker, letter):
    karin = caseworker(two_nodes.habo, "Karin Svensson")
    ahmed = caseworker(two_nodes.habo, "Ahmed Lindqvist")
    page = karin.page
    page.goto(letter.url)
    page.get_by_text("Vad som har hänt").click()
    opened = page.locator("details[open] > summary")
    before = opened.all_inner_texts()
    # A hand-over puts another such part above it, and takes it away again.
    ahmed.page.goto(f"{letter.url}overlamna")
    ahmed.page.get_by_label("Till", exact=True).select_option("Karin Svensson")
    ahmed.page.get_by_label("Vad som är gjort").fill("Inget")
    ahmed.page.get_by_label("Vad som återstår").fill("Ring tillbaka")
    ahmed.page.get_by_role("button", name="Erbjud att ta över").click()
    page.get_by_role("button", name=re.compile("^Ta över konversationen")).click()
    expect(page.get_by_text("Tilldelad dig").first).to_be_visible()
    page.get_by_text("Vad som har hänt").click()
    ahmed.page.goto(letter.url)
    with page.expect_response(lambda response: response.url == page.url):
        ahmed.page.get_by_role("button", name="Ta över från Karin Svensson").click()
    expect(page.get_by_text("Tilldelad Ahmed Lindqvist").first).to_be_visible()
    assert opened.all_inner_texts() == before
