"""Writing: looked through and undone, stopped when somebody answered, to several, and with the login lost."""

import re
from collections.abc import Callable, Generator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Page, Route, expect

from tests.journeys.browser import Caseworker, send, start_message
from tests.nodes import NodeUnderTest, TwoNodes, eventually

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("nodes")]
RECEPTION = "Socialtjänsten, mottagning"
TRAINING = "Avdelningen för arbetsträning"
_RECEPTION_ADDRESS = "sdk:socialtjanst-mottagning:0203:habo.se"
_TRAINING_ADDRESS = "sdk:arbetstraning:0203:arbetsformedlingen.se"


@contextmanager
def undo_seconds(node: NodeUnderTest, seconds: int) -> Generator[None, None, None]:
    """Let what the reception sends be undone for so long."""
    change = (
        "INSERT INTO mailbox_writingchoices (mailbox_id, signature, undo_seconds) "
        "SELECT id, '', %s FROM mailbox_functionmailbox WHERE address = %s "
        "ON CONFLICT (mailbox_id) DO UPDATE SET undo_seconds = excluded.undo_seconds RETURNING id"
    )
    node.query(change, seconds, _RECEPTION_ADDRESS)
    try:
        yield
    finally:
        node.query(change, 0, _RECEPTION_ADDRESS)


def begin(karin: Caseworker, subject: str, text: str) -> Page:
    """A draft to the training department with a subject and a text."""
    page = karin.page
    karin.open_mailbox(RECEPTION)
    start_message(page)
    page.get_by_label(re.compile("^Till: sök")).fill("arbetsträning")
    page.get_by_role("option", name=re.compile(TRAINING)).click()
    expect(page.get_by_role("list", name="Till")).to_contain_text(TRAINING)
    page.get_by_label("Ämne", exact=True).fill(subject)
    page.get_by_label("Meddelande", exact=True).fill(text)
    return page


def fits_a_small_screen(karin: Caseworker) -> None:
    """And axe finds nothing, there and on a large one."""
    karin.check_accessibility()
    size = karin.page.viewport_size
    karin.page.set_viewport_size({"width": 320, "height": 640})
    width = karin.page.evaluate("document.documentElement.scrollWidth")
    assert width <= 320, f"{karin.page.url} is {width} px wide"
    karin.check_accessibility()
    karin.page.set_viewport_size(size)


def test_what_was_sent_is_undone_and_what_is_not_undone_leaves_by_itself(two_nodes: TwoNodes, caseworker):
    karin = caseworker(two_nodes.habo, "Karin Svensson")
    page = begin(karin, "Ångrat brev", "Det jag ångrade")
    with undo_seconds(two_nodes.habo, 300):
        page.get_by_role("button", name="Granska och skicka").click()
        expect(page.get_by_text("Sändningen kan ångras i 300 sekunder.")).to_be_visible()
        fits_a_small_screen(karin)
        page.get_by_role("button", name="Skicka", exact=True).click()
        expect(page.get_by_role("heading", level=1, name="Meddelandet skickas")).to_be_visible()
        fits_a_small_screen(karin)
        karin.open_mailbox(RECEPTION)
        expect(page.get_by_text("Skickas strax:")).to_be_visible()
        karin.check_accessibility()
        page.get_by_role("button", name="Ångra Ångrat brev").click()
    expect(page.get_by_text("Sändningen är ångrad.")).to_be_visible()
    expect(page.get_by_label("Meddelande", exact=True)).to_have_value("Det jag ångrade")
    with undo_seconds(two_nodes.habo, 2):
        send(page)
        expect(page.get_by_role("heading", level=1, name="Meddelandet skickas")).to_be_visible()
        expect(page.get_by_role("heading", level=1, name="Ångrat brev")).to_be_visible()
    assert two_nodes.habo.query("SELECT count(*) FROM mailbox_draft WHERE send_at IS NOT NULL") == [(0,)]


def test_an_answer_is_stopped_when_a_colleague_has_answered_and_the_text_is_kept(two_nodes, caseworker):
    two_nodes.arbetsformedlingen.send(_TRAINING_ADDRESS, _RECEPTION_ADDRESS, "Fråga till två")
    karin = caseworker(two_nodes.habo, "Karin Svensson")
    karin.open_mailbox(RECEPTION)
    karin.page.get_by_role("link", name="Fråga till två").click()
    expect(karin.page.get_by_role("heading", level=1, name="Fråga till två")).to_be_visible()
    where = karin.page.url
    karin.page.get_by_role("button", name="Svara").click()
    karin.page.get_by_label("Meddelande", exact=True).fill("Vårt första svar")
    karin.send()
    expect(karin.page.get_by_role("article")).to_have_count(2)
    karin.page.get_by_role("button", name="Komplettera").click()
    karin.page.get_by_label("Meddelande", exact=True).fill("Karins komplettering")

    page = karin.page
    expect(page.locator("#saved")).to_contain_text("Sparat")
    # On the full page what comes is not in the thread beside it, so it is told of.
    page.get_by_role("link", name="Öppna på hel sida").click()
    expect(page.get_by_label("Meddelande", exact=True)).to_have_value("Karins komplettering")

    ahmed = caseworker(two_nodes.habo, "Ahmed Lindqvist")
    ahmed.page.goto(where)
    ahmed.page.get_by_role("button", name="Skriv svar").click()
    ahmed.page.get_by_label("Meddelande", exact=True).fill("Ahmeds svar")
    ahmed.send()
    expect(ahmed.page.get_by_role("article")).to_have_count(3)

    news = page.get_by_role("region", name="Nytt i konversationen sedan du började skriva")
    expect(news).to_contain_text("Ahmeds svar")
    expect(page.get_by_label("Meddelande", exact=True)).to_have_value("Karins komplettering")
    fits_a_small_screen(karin)
    page.get_by_role("button", name="Granska och skicka").click()
    page.get_by_role("button", name="Skicka ändå").click()
    expect(page.get_by_role("article")).to_have_count(4)


def test_text_typed_without_a_login_stays_and_is_saved_after_a_new_one(two_nodes, caseworker):
    karin = caseworker(two_nodes.habo, "Karin Svensson")
    page = begin(karin, "Förlorad session", "Början.")
    page.get_by_role("button", name="Spara utkast").click()
    expect(page.get_by_text("Utkastet är sparat.")).to_be_visible()
    # What could not be saved keeps the page where it is when the login ends.
    page.route(
        "**/utkast/**",
        lambda route: route.abort() if route.request.method == "POST" else route.continue_(),
    )
    page.get_by_label("Meddelande", exact=True).fill("Början. Fortsättning")
    expect(page.locator("#saved")).to_contain_text("Inte sparat: det gick inte just nu")
    page.unroute("**/utkast/**")
    beside = karin.context.new_page()
    beside.goto(karin.url)
    beside.get_by_role("button", name="Logga ut").click()
    expect(beside.get_by_role("link", name="Logga in med e-legitimation")).to_be_visible()

    page.get_by_label("Meddelande", exact=True).fill("Början. Fortsättning utan inloggning.")
    expect(page.locator("#saved")).to_contain_text("Du är utloggad. Texten står kvar här men är inte sparad.")
    karin.check_accessibility()
    # Neither a button nor the stream's word takes the text away.
    page.get_by_role("button", name="Granska och skicka").click()
    page.evaluate("document.body.dispatchEvent(new CustomEvent('login-ended', {cancelable: true}))")
    expect(page.get_by_label("Meddelande", exact=True)).to_have_value("Början. Fortsättning utan inloggning.")

    with karin.context.expect_page() as opened:
        page.get_by_role("link", name="Logga in i en ny flik").click()
    again = opened.value
    again.get_by_role("link", name="Logga in med e-legitimation").click()
    again.get_by_role("button", name="Karin Svensson").click()
    again.wait_for_url(lambda url: url.startswith(karin.url) and "/oidc/" not in url)
    page.evaluate("window.dispatchEvent(new Event('focus'))")
    expect(page.locator("#saved")).to_contain_text(re.compile(r"Sparat \d\d:\d\d"))
    page.get_by_role("button", name="Spara utkast").click()
    expect(page.get_by_text("Utkastet är sparat.")).to_be_visible()
    expect(page.get_by_label("Meddelande", exact=True)).to_have_value("Början. Fortsättning utan inloggning.")
    page.get_by_role("button", name="Ta bort utkastet").click()
    page.get_by_role("button", name="Ta bort", exact=True).click()


def test_what_was_typed_and_chosen_before_scripts_and_hits_came_is_kept(two_nodes, caseworker):
    karin = caseworker(two_nodes.habo, "Karin Svensson")
    page = karin.page
    held: list[Route] = []
    page.route("**/drafts/draft*.js", lambda route: held.append(route))
    karin.open_mailbox(RECEPTION)
    page.get_by_role("button", name="Nytt meddelande").click(no_wait_after=True)
    page.get_by_label("Meddelande", exact=True).fill("Före skriptet")
    held.pop().continue_()
    expect(page.locator("#saved")).to_contain_text(re.compile(r"Sparat \d\d:\d\d"))

    question = page.get_by_label(re.compile("^Till: sök"))
    question.fill("arbetsträning")
    expect(page.get_by_role("option", name=re.compile(TRAINING))).to_be_visible()
    page.route("**/adressbok/sok**", lambda route: held.append(route))
    with page.expect_request("**/adressbok/sok**"):
        question.fill("arbetsträningen")
    # Hits that come late take nobody's choice away.
    page.get_by_role("option", name=re.compile(TRAINING)).click()
    expect(page.get_by_role("list", name="Till")).to_contain_text(TRAINING)
    # The field for another recipient offers those who were written to lately; it is closed.
    page.keyboard.press("Escape")
    with page.expect_response("**/adressbok/sok**"):
        held.pop().continue_()
    expect(page.get_by_role("option", name=re.compile(TRAINING))).to_have_count(0)
    page.get_by_role("button", name="Ta bort utkastet").click()
    page.get_by_role("button", name="Ta bort", exact=True).click()


def test_texts_and_lists_are_kept_and_used_without_javascript(two_nodes, browser):
    """A list is made and written to with a canned text, and the overview tells who has received it."""
    context = browser.new_context(java_script_enabled=False, locale="sv-SE")
    page = context.new_page()
    page.goto(two_nodes.habo.node.url)
    page.get_by_role("link", name="Logga in med e-legitimation").click()
    page.get_by_role("button", name="Karin Svensson").click()
    page.get_by_role("link", name=RECEPTION).click()
    page.get_by_role("link", name="Texter och sändlistor").click()
    page.get_by_label("Textens namn").fill("Kallelse")
    page.get_by_label("Text", exact=True).fill("Vi kallar till möte. /{namn}")
    page.get_by_role("button", name="Lägg till texten").click()
    page.get_by_label("Sändlistans namn").fill("Arbetsmarknad")
    page.get_by_role("button", name="Gör en sändlista").click()
    for words, function in (("arbetsträning", TRAINING), ("etablering", "Etablering")):
        page.get_by_label(re.compile("^Sök organisation")).fill(words)
        page.get_by_role("button", name="Sök", exact=True).click()
        page.get_by_role("radio", name=re.compile(function)).first.check()
        page.get_by_role("button", name="Lägg till på listan").click()
    page.get_by_role("link", name=RECEPTION).click()
    start_message(page)
    page.get_by_label("Sändlista").select_option("Arbetsmarknad")
    page.get_by_role("button", name="Lägg till sändlistan").click()
    expect(page.get_by_role("heading", name="Till 2 mottagare, var och en för sig")).to_be_visible()
    page.get_by_label("Färdig text").select_option("Kallelse")
    page.get_by_role("button", name="Infoga").click()
    expect(page.get_by_label("Meddelande", exact=True)).to_have_value("Vi kallar till möte. /Karin Svensson")
    page.get_by_label("Ämne", exact=True).fill("Till alla på listan")
    page.get_by_role("button", name="Granska och skicka").click()
    expect(page.get_by_text("Det blir 2 meddelanden.")).to_be_visible()
    page.get_by_role("button", name="Skicka", exact=True).click()

    def told() -> str:
        page.goto(f"{two_nodes.habo.node.url}/{re.search('brevlada/[0-9]+', mailbox)[0]}/utskick")
        return page.locator("main").inner_text()

    mailbox = page.get_by_role("link", name=RECEPTION).get_attribute("href")
    expect_in_time(told, "Till alla på listan")
    page.get_by_role("link", name="Till alla på listan").click()
    expect(page.get_by_role("heading", level=1, name="Till alla på listan")).to_be_visible()
    overview = page.url

    def overviewed() -> str:
        page.goto(overview)
        return page.locator("main").inner_text()

    expect_in_time(overviewed, "2 mottagare: 2 har fått det, 0 har svarat.")
    context.close()


def expect_in_time(told: Callable[[], str], text: str) -> None:
    eventually(lambda: text in told(), what=text, seconds=60)


def test_the_pages_of_a_mailbox_s_texts_and_lists_fit_and_pass_axe(two_nodes, caseworker):
    ahmed = caseworker(two_nodes.habo, "Ahmed Lindqvist")
    page = ahmed.page
    ahmed.open_mailbox(RECEPTION)
    page.get_by_role("link", name="Texter och sändlistor").click()
    page.get_by_label("Funktionens signatur").fill("Hälsningar {namm}")
    page.get_by_role("button", name="Spara signaturen").click()
    expect(page.get_by_role("alert")).to_contain_text("{namm} kan inte fyllas i.")
    assert page.title().startswith("Fel:")
    fits_a_small_screen(ahmed)
    page.get_by_label("Sändlistans namn").fill("För axe")
    page.get_by_role("button", name="Gör en sändlista").click()
    page.get_by_label(re.compile("^Sök organisation")).fill("arbetsträning")
    page.get_by_role("radio", name=re.compile(TRAINING)).check()
    page.get_by_role("button", name="Lägg till på listan").click()
    expect(page.get_by_role("button", name=f"Ta bort {TRAINING}")).to_be_visible()
    fits_a_small_screen(ahmed)
    page.get_by_role("button", name="Ta bort sändlistan").click()
    page.get_by_role("link", name="Utskick till flera mottagare").click()
    fits_a_small_screen(ahmed)
    for row in two_nodes.habo.query(
        "SELECT max(mailing_id) FROM mailbox_message WHERE mailing_id IS NOT NULL"
    ):
        if row[0] is not None:
            page.goto(f"{ahmed.url}/utskick/{row[0]}/")
            fits_a_small_screen(ahmed)
