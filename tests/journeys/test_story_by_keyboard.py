"""The whole way again, without a mouse: Håbo writes, Arbetsförmedlingen reads and answers, and it is done."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from testbed.send_message import a_pdf
from tests.journeys.browser import Caseworker
from tests.nodes import NodeUnderTest

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("nodes")]
TRAINING = "Avdelningen för arbetsträning"
RECEPTION = "Socialtjänsten, mottagning"
# The lists of the pair of nodes grow with every test before this one.
_MOST_TABS = 250
# What a screen reader would call the element that has focus.
_NAME_OF_FOCUS = """() => {
    const element = document.activeElement;
    const said = element.getAttribute("aria-label") || element.labels?.[0]?.innerText;
    const name = said || element.innerText || element.textContent || "";
    return name.replace(/\\s+/g, " ").trim();
}"""


class Typist(Caseworker):
    """A person who uses the keyboard alone: nothing here clicks, fills or focuses."""

    def __init__(self, browser, node: NodeUnderTest, name: str) -> None:
        super().__init__(browser, node.node.url, name)
        self.page.set_viewport_size({"width": 1440, "height": 900})
        # Chromium is asked to tell of choosers when the first listens, which takes longer than a key press.
        self.page.on("filechooser", lambda chooser: None)
        self.page.add_init_script(
            "addEventListener('pointerdown', () => { window.pointerWasUsed = true; }, true);"
        )
        self.page.goto(self.url)
        self.press_at("Logga in med e-legitimation")
        expect(self.page.get_by_role("button", name=name)).to_be_visible()
        self.press_at(name)
        self.page.wait_for_url(lambda url: url.startswith(self.url) and "/oidc/" not in url)

    def tab_to(self, name: str) -> None:
        """Press Tab until what is called `name`, or begins with it, has focus."""
        self.page.wait_for_load_state("load")
        passed = []
        for _ in range(_MOST_TABS):
            self.press("Tab")
            passed.append(self.page.evaluate(_NAME_OF_FOCUS))
            if passed[-1].startswith(name):
                return
        raise AssertionError(f"no Tab leads to {name}: {passed}")

    def press_at(self, name: str, key: str = "Enter") -> None:
        """Tab to it, and press a key there."""
        self.tab_to(name)
        self.press(key)

    def press(self, key: str) -> None:
        self.page.keyboard.press(key)

    def type(self, text: str) -> None:
        self.page.keyboard.type(text)


def test_a_message_goes_the_whole_way_and_is_answered_by_keyboard_alone(two_nodes, browser, tmp_path):
    pdf = tmp_path / "vårdplan.pdf"
    pdf.write_bytes(a_pdf("Vårdplan"))
    subject = "Kallelse utan mus"
    karin = Typist(browser, two_nodes.habo, "Karin Svensson")
    nils = Typist(browser, two_nodes.arbetsformedlingen, "Nils Åberg")
    # Each goes to their mailbox by its address: other stories may have given them another one.
    for typist, node, name in (
        (karin, two_nodes.habo, RECEPTION),
        (nils, two_nodes.arbetsformedlingen, TRAINING),
    ):
        ((mailbox,),) = node.query("SELECT id FROM mailbox_functionmailbox WHERE name = %s", name)
        typist.page.goto(f"{typist.url}/brevlada/{mailbox}/")
    expect(karin.page.get_by_role("heading", level=1, name=RECEPTION)).to_be_visible()
    expect(nils.page.get_by_role("heading", level=1, name=TRAINING)).to_be_visible()

    _write(karin, subject, pdf)
    karin.press("Control+Enter")
    expect(karin.page.get_by_role("heading", name="Granska och skicka")).to_be_visible()
    expect(karin.page.get_by_role("article")).to_contain_text("Diarienummer: SN 2026/0119")
    if karin.page.get_by_label("Ja, uppgifterna ska dit").count():
        karin.press_at("Ja, uppgifterna ska dit", "Space")
    karin.press("Control+Enter")
    expect(karin.page.get_by_role("heading", level=1, name=subject)).to_be_visible()

    # It comes by itself; he opens it from the list, reads it and answers it where it stands.
    expect(nils.page.get_by_role("link", name=subject)).to_be_visible()
    _open_row(nils, subject)
    message = nils.page.get_by_role("article")
    expect(message.locator("strong", has_text="möte")).to_be_visible()
    with nils.page.expect_download() as download:
        nils.press_at("Hämta vårdplan.pdf")
    assert Path(download.value.path()).read_bytes() == pdf.read_bytes()
    nils.press("t")
    expect(nils.page.locator(".reading-facts")).to_contain_text("Tilldelad dig")
    nils.press("r")
    expect(nils.page.get_by_label("Meddelande", exact=True)).to_be_focused()
    nils.type("Tack, *måndag* passar.")
    nils.press("Control+Enter")
    expect(nils.page.get_by_role("group", name="Granska och skicka")).to_be_visible()
    if nils.page.get_by_label("Ja, uppgifterna ska dit").count():
        nils.press_at("Ja, uppgifterna ska dit", "Space")
    nils.press("Control+Enter")
    expect(nils.page.get_by_role("article")).to_have_count(2)
    nils.press("Escape")
    nils.press("e")
    expect(nils.page.locator("#notices")).to_contain_text(f"Klar: {subject}")

    # The answer comes into her conversation, which she marks as done and takes back.
    answer = karin.page.get_by_role("article").nth(1)
    expect(answer).to_contain_text("Från Avdelningen för arbetsträning")
    expect(answer).to_contain_text("SN 2026/0119")
    karin.press("e")
    expect(karin.page.locator("#notices")).to_contain_text(f"Klar: {subject}")
    karin.press("z")
    expect(karin.page.locator("#notices")).to_contain_text("Ändringen är ångrad.")
    for person in (karin, nils):
        assert person.page.evaluate("window.pointerWasUsed") is None
        person.check_accessibility()
        person.close()


def _write(karin: Typist, subject: str, pdf: Path) -> None:
    page = karin.page
    karin.press_at("Nytt meddelande")
    expect(page.get_by_role("heading", level=1, name="Skriv meddelande")).to_be_visible()
    if not page.evaluate(_NAME_OF_FOCUS).startswith("Till: sök"):
        karin.tab_to("Till: sök")
    karin.type("arbetstranig")
    expect(page.get_by_role("option", name=re.compile(TRAINING), selected=True)).to_be_visible()
    karin.press("Enter")
    expect(page.get_by_role("list", name="Till")).to_contain_text("Arbetsförmedlingen")
    expect(page.get_by_role("combobox", name=re.compile("^Sök fler"))).to_be_focused()
    karin.tab_to("Ämne")
    karin.type(subject)
    # Enter goes on to the text.
    karin.press("Enter")
    expect(page.get_by_label("Meddelande", exact=True)).to_be_focused()
    karin.type("Vi kallar till ")
    karin.press("Control+b")
    karin.type("möte")
    karin.press("ArrowRight")
    karin.press("ArrowRight")
    karin.type(".")
    karin.press_at("Omfattas av sekretess", "Space")
    karin.tab_to("Typ av beteckning")
    karin.type("Diarie")
    karin.tab_to("Beteckning")
    karin.type("SN 2026/0119")
    karin.tab_to("Lägg till filer")
    with page.expect_file_chooser() as chooser:
        karin.press("Space")
    chooser.value.set_files(str(pdf))
    expect(page.locator("#attachments")).to_contain_text(pdf.name)


def _open_row(person: Typist, subject: str) -> None:
    """Go down the list to the conversation, and open it."""
    page: Page = person.page
    for _ in range(30):
        person.press("j")
        if subject in page.evaluate(_NAME_OF_FOCUS):
            break
    person.press("Enter")
    expect(page.get_by_role("heading", level=1, name=subject)).to_be_visible()
