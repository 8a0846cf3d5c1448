"""Two at one draft: whose it is, taken over, restored; and the reply in its thread."""

import re

import pytest
from playwright.sync_api import expect

from tests.journeys.browser import Caseworker, start_message
from tests.nodes import eventually

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("nodes")]
RECEPTION = "Socialtjänsten, mottagning"
TRAINING = "Avdelningen för arbetsträning"
_RECEPTION_ADDRESS = "sdk:socialtjanst-mottagning:0203:habo.se"
_TRAINING_ADDRESS = "sdk:arbetstraning:0203:arbetsformedlingen.se"


def open_conversation(two_nodes, person: Caseworker, subject: str) -> None:
    two_nodes.arbetsformedlingen.send(_TRAINING_ADDRESS, _RECEPTION_ADDRESS, subject)
    person.open_mailbox(RECEPTION)
    person.page.get_by_role("link", name=subject).click()
    expect(person.page.get_by_role("heading", level=1, name=subject)).to_be_visible()


def test_a_draft_is_its_owner_s_until_it_is_taken_over_and_what_stood_there_is_restored(
    two_nodes, caseworker
):
    karin = caseworker(two_nodes.habo, "Karin Svensson")
    open_conversation(two_nodes, karin, "Vems utkast")
    where = karin.page.url
    karin.page.get_by_role("button", name="Skriv svar").click()
    text = karin.page.get_by_label("Meddelande", exact=True)
    text.fill("Karins halvskrivna svar, som hon har tänkt på en hel förmiddag.")
    expect(karin.page.locator("#saved")).to_contain_text(re.compile(r"Sparat \d\d:\d\d"))

    ahmed = caseworker(two_nodes.habo, "Ahmed Lindqvist")
    ahmed.page.goto(where)
    expect(ahmed.page.get_by_text("Utkast av Karin Svensson")).to_be_visible()
    ahmed.page.get_by_role("button", name="Skriv svar").click()
    expect(ahmed.page.get_by_role("heading", name="Utkast av Karin Svensson")).to_be_visible()
    expect(ahmed.page.get_by_label("Meddelande", exact=True)).to_have_count(0)
    ahmed.check_accessibility()
    ahmed.page.get_by_role("button", name="Ta över utkastet").click()
    theirs = ahmed.page.get_by_label("Meddelande", exact=True)
    expect(theirs).to_have_value("Karins halvskrivna svar, som hon har tänkt på en hel förmiddag.")

    # Her page is told without anything being done in it.
    expect(karin.page.get_by_text(re.compile("Ahmed Lindqvist tog över utkastet"))).to_be_visible()
    expect(karin.page.locator("#saved")).to_have_text("Inte sparat: Ahmed Lindqvist har tagit över utkastet.")
    text.fill("Det här skrev Karin för sent")
    expect(karin.page.locator("#saved")).to_have_text("Inte sparat: Ahmed Lindqvist har tagit över utkastet.")
    karin.check_accessibility()

    theirs.fill("Kort")
    expect(ahmed.page.locator("#saved")).to_contain_text(re.compile(r"Sparat \d\d:\d\d"))
    karin.page.get_by_role("button", name="Skriv ett eget med min text").click()
    expect(text).to_have_value("Det här skrev Karin för sent")

    ahmed.page.get_by_role("link", name="Öppna på hel sida").click()
    expect(ahmed.page.get_by_role("heading", level=1, name="Svara")).to_be_visible()
    ahmed.page.get_by_text("Tidigare versioner").click()
    expect(ahmed.page.get_by_text("Så som Karin Svensson lämnade det").first).to_be_visible()
    ahmed.check_accessibility()
    ahmed.page.get_by_role("button", name="Återställ den här versionen").last.click()
    expect(theirs).to_have_value("Karins halvskrivna svar, som hon har tänkt på en hel förmiddag.")
    answers = "SELECT count(*) FROM mailbox_draft WHERE NOT is_untouched AND answers_id IS NOT NULL"
    assert two_nodes.habo.query(answers) == [(2,)]
    for person in (ahmed, karin):
        person.page.goto(where)
        person.page.get_by_role("link", name="Fortsätt skriva").click()
        person.page.get_by_role("button", name="Ta bort utkastet").click()
        person.page.get_by_role("button", name="Ta bort", exact=True).click()


def test_a_message_is_answered_from_the_keys_in_its_thread_with_what_it_says_in_view(two_nodes, caseworker):
    karin = caseworker(two_nodes.habo, "Karin Svensson")
    open_conversation(two_nodes, karin, "Svara i tråden")
    page = karin.page
    where = page.url
    page.locator("article.message .text").first.click(click_count=3, position={"x": 8, "y": 8})
    page.keyboard.press("r")
    text = page.get_by_label("Meddelande", exact=True)
    expect(text).to_have_value(re.compile(r"^Från .*, \d.*:\n\*.+\*\n\n", re.DOTALL))
    page.keyboard.type("Rad ett")
    page.keyboard.press("Enter")
    page.keyboard.type("Rad två")
    karin.check_accessibility()
    page.keyboard.press("Control+Enter")
    review = page.get_by_role("group", name="Granska och skicka")
    expect(review).to_be_visible()
    expect(page.get_by_role("article").first).to_be_visible()
    assert page.url == where
    karin.check_accessibility()
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("article")).to_have_count(2)
    assert page.url == where
    sent = page.get_by_role("article").last
    expect(sent).to_contain_text("Rad ett")
    assert sent.locator(".text br").count() >= 1, "line ends look as they were written"
    number = int(re.search(r"konversation/(\d+)", where)[1])
    assigned = "SELECT holder_id IS NOT NULL FROM mailbox_conversation WHERE id = %s"
    eventually(lambda: two_nodes.habo.query(assigned, number) == [(True,)], what="answering assigns")
    expect(page.get_by_role("button", name="Skriv svar")).to_be_visible()


def test_looking_at_an_answer_and_closing_it_leaves_nothing(two_nodes, caseworker):
    karin = caseworker(two_nodes.habo, "Karin Svensson")
    open_conversation(two_nodes, karin, "Bara titta")
    before = two_nodes.habo.query("SELECT count(*) FROM mailbox_draft")
    page = karin.page
    page.get_by_role("button", name="Skriv svar").click()
    expect(page.get_by_label("Meddelande", exact=True)).to_be_focused()
    page.get_by_role("button", name="Stäng").click()
    expect(page.get_by_role("button", name="Skriv svar")).to_be_focused()
    assert two_nodes.habo.query("SELECT count(*) FROM mailbox_draft") == before


def test_the_text_has_a_toolbar_lists_that_go_on_tabs_and_paste_as_markdown(two_nodes, caseworker):
    karin = caseworker(two_nodes.habo, "Karin Svensson")
    page = karin.page
    karin.open_mailbox(RECEPTION)
    start_message(page)
    text = page.get_by_label("Meddelande", exact=True)
    text.click()
    page.keyboard.type("fet")
    page.keyboard.press("Control+a")
    page.keyboard.press("Control+b")
    expect(text).to_have_value("**fet**")
    page.keyboard.press("Control+b")
    expect(text).to_have_value("fet")
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Numrerad lista").click()
    page.keyboard.type("ett")
    page.keyboard.press("Enter")
    page.keyboard.type("två")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    page.keyboard.type("efter")
    expect(text).to_have_value("fet\n1. ett\n2. två\nefter")
    text.fill("")
    page.evaluate("""() => {
        const data = new DataTransfer();
        data.setData("text/html", "<h1>Rubrik</h1><p>En <b>fet</b> och <i>kursiv</i> rad</p>" +
            "<ul><li>a</li><li>b</li></ul>");
        document.getElementById("text").dispatchEvent(
            new ClipboardEvent("paste", {clipboardData: data, bubbles: true, cancelable: true}));
    }""")
    expect(text).to_have_value("# Rubrik\n\nEn **fet** och *kursiv* rad\n\n* a\n* b")
    page.get_by_role("tab", name="Förhandsgranska").click()
    expect(page.get_by_role("tabpanel").locator("strong")).to_have_text("fet")
    expect(text).to_be_hidden()
    karin.check_accessibility()
    page.get_by_role("tab", name="Skriv", exact=True).click()
    expect(text).to_be_focused()
    page.get_by_role("button", name="Ta bort utkastet").click()
    page.get_by_role("button", name="Ta bort", exact=True).click()
    expect(text).to_have_count(0)


def test_enter_chooses_a_recipient_and_loses_no_search_and_backspace_removes(two_nodes, caseworker):
    karin = caseworker(two_nodes.habo, "Karin Svensson")
    page = karin.page
    karin.open_mailbox(RECEPTION)
    start_message(page)
    where = page.url
    question = page.get_by_role("combobox", name=re.compile("^Till: sök"))
    page.get_by_label("Ämne", exact=True).fill("Ett ämne")
    question.fill("arbetsträning")
    expect(page.get_by_role("option", name=re.compile(TRAINING))).to_be_visible()
    karin.check_accessibility()
    page.get_by_label("Ämne", exact=True).press("Enter")
    expect(page.get_by_label("Meddelande", exact=True)).to_be_focused()
    expect(question).to_have_value("arbetsträning")
    question.press("ArrowDown")
    expect(page.get_by_role("option", name=re.compile(TRAINING))).to_be_visible()
    question.press("Enter")
    chip = page.get_by_role("list", name="Till").get_by_role("listitem")
    expect(chip).to_contain_text(TRAINING)
    assert page.url == where
    more = page.get_by_role("combobox", name=re.compile("^Sök fler mottagare"))
    expect(more).to_be_focused()
    # Who is chosen is not offered again.
    more.fill("arbetsträning")
    expect(page.get_by_role("listbox", name="Mottagare")).to_be_visible()
    expect(page.get_by_role("option", name=re.compile(TRAINING))).to_have_count(0)
    more.fill("")
    expect(page.get_by_label("Ämne", exact=True)).to_have_value("Ett ämne")
    more.press("Backspace")
    expect(chip).to_have_count(0)
    expect(question).to_be_focused()
    # Somebody who goes on at once stays where they went.
    question.fill("arbetsträning")
    page.get_by_role("option", name=re.compile(TRAINING)).click()
    page.get_by_label("Ämne", exact=True).focus()
    expect(chip).to_contain_text(TRAINING)
    expect(page.get_by_label("Ämne", exact=True)).to_be_focused()
    expect(page.get_by_role("listbox")).to_have_count(0)
    page.get_by_role("button", name="Ta bort utkastet").click()
    if page.get_by_role("heading", name="Ta bort utkastet?").count():
        page.get_by_role("button", name="Ta bort", exact=True).click()


def test_a_file_that_is_dropped_beside_the_box_is_attached(two_nodes, caseworker):
    karin = caseworker(two_nodes.habo, "Karin Svensson")
    page = karin.page
    karin.open_mailbox(RECEPTION)
    start_message(page)
    where = page.url
    prevented = page.evaluate("""() => {
        const data = new DataTransfer();
        data.items.add(new File(["%PDF-1.7"], "tappad.pdf", {type: "application/pdf"}));
        const drop = (name) => new DragEvent(name, {dataTransfer: data, bubbles: true, cancelable: true});
        const heading = document.querySelector("h1");
        return [heading.dispatchEvent(drop("dragover")), heading.dispatchEvent(drop("drop"))];
    }""")
    assert prevented == [False, False], "the browser opens nothing in place of the page"
    expect(page.locator("#attachments")).to_contain_text("tappad.pdf")
    assert page.url == where
    page.get_by_role("button", name="Ta bort utkastet").click()
    page.get_by_role("button", name="Ta bort", exact=True).click()


def test_without_scripts_a_search_survives_enter_and_a_draft_is_taken_over(two_nodes, browser, caseworker):
    karin = caseworker(two_nodes.habo, "Karin Svensson")
    open_conversation(two_nodes, karin, "Utan skript")
    where = karin.page.url
    karin.page.get_by_role("button", name="Skriv svar").click()
    karin.page.get_by_label("Meddelande", exact=True).fill("Karins")
    expect(karin.page.locator("#saved")).to_contain_text(re.compile(r"Sparat \d\d:\d\d"))
    context = browser.new_context(java_script_enabled=False, locale="sv-SE")
    page = context.new_page()
    page.goto(two_nodes.habo.node.url)
    page.get_by_role("link", name="Logga in med e-legitimation").click()
    page.get_by_role("button", name="Ahmed Lindqvist").click()
    page.wait_for_url(lambda url: url.startswith(two_nodes.habo.node.url) and "/oidc/" not in url)
    page.goto(where)
    page.get_by_role("button", name="Skriv svar").click()
    page.get_by_role("button", name="Ta över utkastet").click()
    expect(page.get_by_label("Meddelande", exact=True)).to_have_value("Karins")
    page.get_by_label("Meddelande", exact=True).fill("Ahmeds\nsvar")
    page.get_by_role("button", name="Granska och skicka").click()
    with page.expect_navigation():
        page.get_by_role("button", name="Skicka", exact=True).click()
    page.goto(where)
    expect(page.get_by_role("article")).to_have_count(2)
    page.goto(two_nodes.habo.node.url)
    page.get_by_role("link", name=RECEPTION).click()
    start_message(page)
    page.get_by_label(re.compile("^Till: sök")).fill("arbetsträning")
    page.get_by_label("Ämne", exact=True).press("Enter")
    expect(page.get_by_label(re.compile("^Till: sök"))).to_have_value("arbetsträning")
    page.get_by_role("radio", name=re.compile(TRAINING)).check()
    page.get_by_role("button", name="Lägg till som mottagare").click()
    expect(page.get_by_role("list", name="Till")).to_contain_text(TRAINING)
    page.get_by_role("button", name="Ta bort utkastet").click()
    context.close()


def test_writing_to_an_entry_of_the_address_book_takes_one_click(two_nodes, caseworker):
    karin = caseworker(two_nodes.habo, "Karin Svensson")
    page = karin.page
    page.goto(f"{karin.url}/adressbok/sok?q=arbetsträning")
    page.get_by_role("button", name=f"Skriv till {TRAINING}").first.click()
    expect(page.get_by_role("heading", level=1, name="Skriv meddelande")).to_be_visible()
    expect(page.get_by_role("list", name="Till")).to_contain_text(TRAINING)
    karin.check_accessibility()
    page.get_by_role("button", name="Ta bort utkastet").click()
