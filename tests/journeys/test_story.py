"""The whole way: Håbo writes, Arbetsförmedlingen reads and answers, and both see what became of it."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import APIResponse, Page, Request, Route, expect

from testbed.send_message import a_pdf
from tests.journeys.browser import send, start_message

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("nodes")]

TRAINING = "Avdelningen för arbetsträning"
RECEPTION = "Socialtjänsten, mottagning"


def _write(page: Page, subject: str, pdf: Path) -> None:
    start_message(page)
    search = page.get_by_label(re.compile("^Till: sök"))
    search.press_sequentially("arbetstranig")
    page.get_by_role("option", name=re.compile(TRAINING)).click()
    expect(page.get_by_role("list", name="Till")).to_contain_text("Arbetsförmedlingen")
    page.get_by_label("Ämne", exact=True).fill(subject)
    page.get_by_label("Meddelande", exact=True).fill(
        "# Kallelse\n\nVi kallar till **möte** om <script>alert(1)</script>.\n\n* Måndag\n* Tisdag"
    )
    page.get_by_label("Omfattas av sekretess").check()
    page.get_by_label("Typ av beteckning").select_option("Diarienummer")
    page.get_by_label("Beteckning", exact=True).fill("SN 2026/0117")
    page.get_by_label("Lägg till filer").set_input_files(str(pdf))
    expect(page.locator("#attachments")).to_contain_text(pdf.name)


def test_a_message_goes_the_whole_way_and_is_answered(two_nodes, caseworker, tmp_path):
    pdf = tmp_path / "vårdplan.pdf"
    pdf.write_bytes(a_pdf("Vårdplan"))
    subject = "Kallelse till möte"
    karin = caseworker(two_nodes.habo, "Karin Svensson")
    nils = caseworker(two_nodes.arbetsformedlingen, "Nils Åberg")
    nils.open_mailbox(TRAINING)
    nils.page.evaluate("window.stillHere = true")

    karin.open_mailbox(RECEPTION)
    karin.check_accessibility()
    _write(karin.page, subject, pdf)
    karin.check_accessibility()
    karin.page.get_by_role("button", name="Granska och skicka").click()

    # What is about to leave is seen as a whole, and asked about: it is confidential.
    looked_through = karin.page.get_by_role("article")
    for text in ("Arbetsförmedlingen", TRAINING, "Diarienummer: SN 2026/0117", pdf.name, "application/pdf"):
        expect(looked_through).to_contain_text(text)
    expect(karin.page.get_by_text("Meddelandet märks som")).to_be_visible()
    karin.check_accessibility()
    if karin.page.get_by_label("Ja, uppgifterna ska dit").count():
        karin.page.get_by_label("Ja, uppgifterna ska dit").check()
    karin.page.get_by_role("button", name="Skicka", exact=True).click()
    expect(karin.page.get_by_role("heading", level=1, name=subject)).to_be_visible()
    karin.page.evaluate("window.stillHere = true")

    # It arrives by itself, without the page being loaded again.
    link = nils.page.get_by_role("link", name=subject)
    expect(link).to_be_visible()
    assert nils.page.evaluate("window.stillHere") is True
    row = nils.page.locator("li", has=link)
    expect(row).to_contain_text("Sekretess")
    expect(row).to_contain_text("1 bilaga")
    expect(row).to_contain_text("Håbo kommun")
    nils.check_accessibility()
    link.click()

    message = nils.page.get_by_role("article")
    expect(message.get_by_role("heading", name="Kallelse", exact=True)).to_be_visible()
    expect(message.locator("strong", has_text="möte")).to_be_visible()
    expect(message.get_by_role("listitem").filter(has_text="Måndag")).to_be_visible()
    expect(message).to_contain_text("<script>alert(1)</script>")
    expect(message).to_contain_text("SN 2026/0117")
    with nils.page.expect_download() as download:
        message.get_by_role("link", name=re.compile("^Hämta")).click()
    assert Path(download.value.path()).read_bytes() == pdf.read_bytes()
    assert download.value.suggested_filename == "vårdplan.pdf"
    nils.check_accessibility()

    # The sender sees the transport receipt, then the message receipt, without loading the page again.
    ladder = karin.page.get_by_label("Leverans", exact=True)
    expect(ladder.locator("li.done")).to_have_count(3)
    expect(ladder.locator("li.done").nth(2)).to_contain_text("Mottaget av verksamheten")
    assert karin.page.evaluate("window.stillHere") is True
    karin.page.get_by_text("Leveranshistorik").click()
    history = karin.page.locator("article .history li").all_inner_texts()
    names = [
        "Lagt för sändning",
        "lämnat till accesspunkten",
        "Transportkvittens",
        "Meddelandekvittens: mottaget",
    ]
    positions = [next(n for n, line in enumerate(history) if name in line) for name in names]
    assert positions[0] == 0
    assert set(positions) <= set(range(len(history)))
    karin.check_accessibility()

    message.get_by_role("button", name="Svara").click()
    nils.page.get_by_label("Meddelande", exact=True).fill("Tack, *måndag* passar.")
    nils.send()
    expect(nils.page.get_by_role("article")).to_have_count(2)

    # The answer comes into the same conversation, with our reference returned.
    answer = karin.page.get_by_role("article").nth(1)
    expect(answer).to_contain_text("Från Avdelningen för arbetsträning")
    expect(answer.locator("em", has_text="måndag")).to_be_visible()
    expect(answer).to_contain_text("Vår beteckning")
    expect(answer).to_contain_text("SN 2026/0117")
    expect(karin.page.get_by_role("article")).to_have_count(2)


def test_a_low_level_of_assurance_is_refused_with_a_reason(two_nodes, caseworker):
    olle = caseworker(two_nodes.habo, "Olle Berg")
    expect(olle.page.get_by_role("heading", name="Du kunde inte loggas in")).to_be_visible()
    expect(olle.page.get_by_text("för låg tillitsnivå")).to_be_visible()
    olle.check_accessibility()
    olle.page.goto(olle.url)
    expect(olle.page.get_by_role("link", name="Logga in med e-legitimation")).to_be_visible()


def test_logging_out_ends_the_session_here_and_at_the_provider(two_nodes, caseworker):
    karin = caseworker(two_nodes.habo, "Karin Svensson")
    karin.page.get_by_role("button", name="Logga ut").click()
    expect(karin.page.get_by_role("link", name="Logga in med e-legitimation")).to_be_visible()
    karin.page.goto(f"{karin.url}/adressbok/")
    expect(karin.page.get_by_role("link", name="Logga in med e-legitimation")).to_be_visible()


def test_a_message_that_cannot_be_delivered_says_why_and_what_to_do(two_nodes, caseworker):
    karin = caseworker(two_nodes.habo, "Karin Svensson")
    karin.open_mailbox(RECEPTION)
    start_message(karin.page)
    karin.page.get_by_label(re.compile("^Till: sök")).press_sequentially("migrationsverket")
    karin.page.get_by_role("option", name=re.compile("Bosättning")).click()
    karin.page.get_by_label("Ämne", exact=True).fill("Fråga")
    karin.page.get_by_label("Meddelande", exact=True).fill("Hej")
    karin.send()
    expect(karin.page.get_by_text("inte ansluten till SDK")).to_be_visible()
    expect(karin.page.get_by_text("Kontrollera mottagaren i adressboken")).to_be_visible()
    karin.check_accessibility()


def test_a_press_is_not_lost_when_the_page_is_renewed_under_it(two_nodes, caseworker):
    karin = caseworker(two_nodes.habo, "Karin Svensson")
    page = karin.page
    page.goto(karin.url)
    page.get_by_role("link", name=RECEPTION).hover()
    page.mouse.down()
    with page.expect_response(lambda response: response.url == page.url):
        page.evaluate("document.body.dispatchEvent(new CustomEvent('mailbox-changed'))")
    # The answer is put into the page, or held back, before anything that is asked of the page after it.
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    page.mouse.up()
    expect(page.get_by_role("heading", level=1, name=RECEPTION)).to_be_visible()


def test_what_is_missing_is_told_at_the_top_and_at_the_field_and_nothing_is_lost(two_nodes, caseworker):
    karin = caseworker(two_nodes.habo, "Karin Svensson")
    karin.open_mailbox(RECEPTION)
    start_message(karin.page)
    karin.page.get_by_label("Meddelande", exact=True).fill("Det jag skrev")
    karin.page.get_by_role("button", name="Granska och skicka").click()
    expect(karin.page.get_by_role("alert").first).to_contain_text("Välj en mottagare.")
    assert karin.page.title().startswith("Fel:")
    expect(karin.page.get_by_label("Meddelande", exact=True)).to_have_value("Det jag skrev")
    expect(karin.page.locator("#subject-error")).to_have_text("Skriv ett ämne.")
    karin.check_accessibility()
    karin.page.get_by_role("button", name="Ta bort utkastet").click()
    expect(karin.page.get_by_role("heading", name="Ta bort utkastet?")).to_be_visible()
    expect(karin.page.get_by_text("Det jag skrev")).to_be_visible()
    karin.check_accessibility()
    karin.page.get_by_role("link", name="Tillbaka till utkastet").click()
    expect(karin.page.get_by_label("Meddelande", exact=True)).to_have_value("Det jag skrev")
    karin.page.get_by_role("button", name="Ta bort utkastet").click()
    karin.page.get_by_role("button", name="Ta bort", exact=True).click()
    expect(karin.page.get_by_text("Utkastet är borttaget.")).to_be_visible()


def test_a_draft_saves_itself_and_two_people_cannot_overwrite_each_other(two_nodes, caseworker):
    karin = caseworker(two_nodes.habo, "Karin Svensson")
    ahmed = caseworker(two_nodes.habo, "Ahmed Lindqvist")
    karin.open_mailbox(RECEPTION)
    start_message(karin.page)
    karin.page.get_by_label("Ämne", exact=True).press_sequentially("Gemensamt utkast")
    expect(karin.page.locator("#saved")).to_contain_text(re.compile(r"Sparat \d\d:\d\d"))
    ahmed.page.goto(karin.page.url)
    expect(ahmed.page.get_by_role("heading", name="Utkast av Karin Svensson")).to_be_visible()
    expect(ahmed.page.get_by_label("Meddelande", exact=True)).to_have_count(0)
    karin.page.get_by_label("Meddelande", exact=True).press_sequentially("Karins text")
    karin.page.get_by_role("button", name="Spara utkast").click()
    expect(karin.page.get_by_text("Utkastet är sparat.")).to_be_visible()
    ahmed.page.reload()
    ahmed.check_accessibility()
    ahmed.page.get_by_role("button", name="Ta över utkastet").click()
    expect(ahmed.page.get_by_label("Ämne", exact=True)).to_have_value("Gemensamt utkast")
    expect(ahmed.page.get_by_label("Meddelande", exact=True)).to_have_value("Karins text")
    karin.page.get_by_label("Meddelande", exact=True).fill("Karins sena text")
    karin.page.get_by_role("button", name="Spara utkast").click()
    expect(karin.page.get_by_role("alert").first).to_contain_text("Ahmed Lindqvist har tagit över utkastet")
    expect(karin.page.get_by_label("Din text")).to_have_value("Karins sena text")
    karin.check_accessibility()
    ahmed.page.reload()
    expect(ahmed.page.get_by_label("Meddelande", exact=True)).to_have_value("Karins text")
    ahmed.page.get_by_role("button", name="Ta bort utkastet").click()
    ahmed.page.get_by_role("button", name="Ta bort", exact=True).click()


def test_a_form_waits_for_the_save_that_is_on_its_way(two_nodes, caseworker):
    """Else its version would be old when it arrives, and its own save taken for somebody else's."""
    karin = caseworker(two_nodes.habo, "Karin Svensson")
    karin.open_mailbox(RECEPTION)
    start_message(karin.page)
    held: list[tuple[Route, APIResponse]] = []

    def is_autosave(request: Request) -> bool:
        return b"autosave" in (request.post_data_buffer or b"")

    def hold(route: Route) -> None:
        if is_autosave(route.request):
            held.append((route, route.fetch()))
        else:
            route.continue_()

    karin.page.route("**/utkast/**", hold)
    with karin.page.expect_request(is_autosave):
        karin.page.get_by_label("Ämne", exact=True).fill("Långsam lina")
    karin.page.get_by_role("button", name="Spara utkast").click()
    while not held:
        karin.page.wait_for_timeout(20)
    route, answer = held.pop()
    route.fulfill(response=answer)
    expect(karin.page.get_by_text("Utkastet är sparat.")).to_be_visible()
    expect(karin.page.get_by_label("Ämne", exact=True)).to_have_value("Långsam lina")
    karin.page.get_by_role("button", name="Ta bort utkastet").click()
    expect(karin.page.get_by_text("Utkastet är borttaget.")).to_be_visible()


def test_reading_answering_and_sending_work_without_javascript(two_nodes, browser):
    context = browser.new_context(java_script_enabled=False, locale="sv-SE")
    page = context.new_page()
    page.goto(two_nodes.habo.node.url)
    page.get_by_role("link", name="Logga in med e-legitimation").click()
    page.get_by_role("button", name="Karin Svensson").click()
    page.get_by_role("link", name=RECEPTION).click()
    start_message(page)
    page.get_by_label(re.compile("^Till: sök")).fill("arbetsträning")
    page.locator("#draft").get_by_role("button", name="Sök", exact=True).click()
    page.get_by_role("radio", name=re.compile(TRAINING)).check()
    page.get_by_role("button", name="Lägg till som mottagare").click()
    page.get_by_label("Ämne", exact=True).fill("Utan skript")
    page.get_by_label("Meddelande", exact=True).fill("Hej")
    send(page)
    expect(page.get_by_role("heading", level=1, name="Utan skript")).to_be_visible()
    context.close()


def test_an_administrator_makes_a_mailbox_and_members(two_nodes, caseworker):
    eva = caseworker(two_nodes.habo, "Eva Holm")
    eva.page.get_by_role("link", name="Administration", exact=True).click()
    eva.check_accessibility()
    eva.page.get_by_label("Funktionsadress", exact=True).fill("sdk:ny:0203:habo.se")
    eva.page.get_by_label("Namn", exact=True).fill("Ny funktion")
    eva.page.get_by_role("button", name="Skapa brevlåda").click()
    expect(eva.page.get_by_text("Brevlådan är skapad.")).to_be_visible()
    eva.page.get_by_role("link", name="Ny funktion").click()
    eva.check_accessibility()
    eva.page.get_by_label("Personens identitet i e-legitimationen").fill("19900101-2385")
    eva.page.get_by_label("Namn", exact=True).fill("Karin Svensson")
    eva.page.get_by_role("button", name="Lägg till", exact=True).click()
    expect(eva.page.get_by_text("Personen är nu medlem.")).to_be_visible()
    karin = caseworker(two_nodes.habo, "Karin Svensson")
    expect(karin.page.get_by_role("link", name="Ny funktion")).to_be_visible()
    karin.page.goto(f"{karin.url}/administration/")
    assert karin.page.get_by_role("heading", name="Sidan finns inte").is_visible()
    eva.page.goto(f"{eva.url}/administration/logg")
    expect(eva.page.get_by_text("Blev medlem", exact=True).first).to_be_visible()
    eva.check_accessibility()


def test_files_are_dropped_and_what_cannot_be_attached_is_told_before_it_is_sent(two_nodes, caseworker):
    karin = caseworker(two_nodes.habo, "Karin Svensson")
    karin.open_mailbox(RECEPTION)
    start_message(karin.page)
    expect(karin.page.get_by_role("heading", level=1, name="Skriv meddelande")).to_be_visible()
    karin.page.wait_for_load_state("load")
    uploads = []
    karin.page.on("request", lambda request: uploads.append(request) if "/bilagor" in request.url else None)
    drop = """([name, content]) => {
        const data = new DataTransfer();
        data.items.add(new File([content], name));
        const event = new DragEvent("drop", {dataTransfer: data, bubbles: true});
        document.getElementById("drop").dispatchEvent(event);
    }"""
    karin.page.evaluate(drop, ["program.exe", "MZ"])
    expect(karin.page.locator("#files-trouble")).to_contain_text("program.exe: filtypen kan inte bifogas")
    assert uploads == []
    karin.page.evaluate(drop, ["falsk.pdf", "<html>"])
    expect(karin.page.locator("#files-trouble")).to_contain_text("innehållet är inte av den typ")
    karin.page.evaluate(drop, ["plan.pdf", "%PDF-1.7 x"])
    expect(karin.page.locator("#attachments")).to_contain_text("plan.pdf")
    expect(karin.page.locator("#files-trouble")).to_be_empty()
    karin.page.get_by_role("button", name="Ta bort plan.pdf").click()
    expect(karin.page.locator("#attachments")).not_to_contain_text("plan.pdf")
    # The browser notes the upload that was refused; nothing else may have gone wrong.
    assert len(karin.errors) == 1
    assert "422" in karin.errors.pop()


def test_a_file_on_its_way_shows_its_progress_and_is_waited_for(two_nodes, caseworker, tmp_path):
    """Whoever presses before it is there must not send the message without it."""
    pdf = tmp_path / "beslut.pdf"
    pdf.write_bytes(a_pdf("Beslut"))
    karin = caseworker(two_nodes.habo, "Karin Svensson")
    karin.open_mailbox(RECEPTION)
    start_message(karin.page)
    held: list[Route] = []
    karin.page.route("**/bilagor", lambda route: held.append(route))
    with karin.page.expect_request("**/bilagor"):
        karin.page.get_by_label("Lägg till filer").set_input_files(str(pdf))
    expect(karin.page.get_by_role("progressbar", name="beslut.pdf")).to_be_visible()
    address = karin.page.url
    karin.page.get_by_role("button", name="Spara utkast").click()
    assert karin.page.url == address
    assert karin.page.get_by_text("Utkastet är sparat.").count() == 0
    held.pop().continue_()
    expect(karin.page.get_by_text("Utkastet är sparat.")).to_be_visible()
    expect(karin.page.locator("#attachments")).to_contain_text("beslut.pdf")
    karin.page.get_by_role("button", name="Ta bort utkastet").click()
    karin.page.get_by_role("button", name="Ta bort", exact=True).click()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_fits_a_small_screen_and_passes_axe_in_both_colour_schemes(two_nodes, caseworker, scheme):
    karin = caseworker(two_nodes.habo, "Karin Svensson")
    karin.page.set_viewport_size({"width": 320, "height": 640})
    karin.page.emulate_media(color_scheme=scheme)
    karin.open_mailbox(RECEPTION)
    pages = [karin.url, karin.page.url, f"{karin.url}/adressbok/", f"{karin.url}/adressbok/sok?q=social"]
    karin.page.get_by_role("button", name="Brevlådor", exact=True).click()
    start_message(karin.page)
    pages.append(karin.page.url)
    for url in pages:
        karin.page.goto(url)
        width = karin.page.evaluate("document.documentElement.scrollWidth")
        assert width <= 320, f"{url} is {width} px wide"
        karin.check_accessibility()
