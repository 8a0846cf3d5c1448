"""Registering what has come: a demand before done, a number of the wrong form, a colleague who was first."""

import re
import uuid

import pytest
from playwright.sync_api import expect

from tests.nodes import eventually

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("nodes")]
RECEPTION_ADDRESS = "sdk:socialtjanst-mottagning:0203:habo.se"
TRAINING_ADDRESS = "sdk:arbetstraning:0203:arbetsformedlingen.se"


@pytest.fixture
def letter(two_nodes):
    """Sends a message to Håbo's reception; gives the key of its conversation there."""
    habo = two_nodes.habo

    def send(subject: str) -> int:
        key = two_nodes.arbetsformedlingen.send(TRAINING_ADDRESS, RECEPTION_ADDRESS, subject)
        statement = "SELECT conversation_id FROM mailbox_message WHERE direction = 'in' AND message_id = %s"
        ((conversation,),) = eventually(lambda: habo.query(statement, key), what="the letter at Håbo")
        return conversation

    return send


@pytest.fixture
def demand(two_nodes, caseworker):
    """Ahmed, who manages the reception, demands registration for as long as the test lasts."""
    ahmed = caseworker(two_nodes.habo, "Ahmed Lindqvist")
    statement = "SELECT id FROM mailbox_functionmailbox WHERE address = %s"
    ((mailbox,),) = two_nodes.habo.query(statement, RECEPTION_ADDRESS)
    page = ahmed.page
    page.goto(f"{ahmed.url}/administration/brevlada/{mailbox}/")
    page.get_by_role("link", name="Ställ in registrering").click()
    expect(page.get_by_role("heading", level=1, name="Registrering")).to_be_visible()
    page.get_by_role("radio", name=re.compile("innan en konversation kan bli klar")).check()
    page.get_by_label(re.compile("^Mönster för diarienummer")).fill("SN {ar}/{nr}")
    page.get_by_role("button", name="Spara").click()
    expect(page.get_by_role("alert")).to_contain_text("{ar} är inget som mönstret kan innehålla")
    ahmed.check_accessibility()
    page.get_by_label(re.compile("^Mönster för diarienummer")).fill("SN {år}/{nr}[-{nr}]")
    page.get_by_role("button", name="Spara").click()
    expect(page.get_by_text("Så här ser ett nummer ut nu")).to_be_visible()
    yield ahmed
    page.goto(f"{ahmed.url}/administration/brevlada/{mailbox}/registrering")
    page.get_by_role("radio", name=re.compile("^Frivilligt")).check()
    page.get_by_label(re.compile("^Mönster för diarienummer")).fill("")
    page.get_by_role("button", name="Spara").click()
    expect(page.get_by_text("Inställningarna för registrering är sparade.")).to_be_visible()


def test_done_leads_to_the_form_and_the_form_to_done(two_nodes, caseworker, demand, letter):
    subject = f"Ansökan {uuid.uuid4().hex[:6]}"
    key = letter(subject)
    karin = caseworker(two_nodes.habo, "Karin Svensson")
    page = karin.page
    where = f"{karin.url}/konversation/{key}/"
    page.goto(where)
    expect(page.locator(".reading-facts").get_by_text("Ej registrerat")).to_be_visible()
    # By the keyboard: done is refused, and the form comes instead.
    page.keyboard.press("e")
    expect(page.get_by_role("heading", level=1, name="Registrera")).to_be_visible()
    expect(page.get_by_text("innan konversationen är klar")).to_be_visible()
    karin.check_accessibility()
    page.get_by_label("Diarienummer", exact=True).last.fill("SN 2026-5117")
    page.get_by_role("button", name="Registrera").click()
    expect(page.get_by_text("ska det stå ”/”").first).to_be_visible()
    assert page.title().startswith("Fel:")
    karin.check_accessibility()
    page.get_by_role("radio", name=re.compile("^Ringa betydelse")).check()
    expect(page.get_by_label("Varför det är av ringa betydelse")).to_be_visible()
    page.get_by_role("radio", name="Diarienummer").check()
    page.get_by_label("Diarienummer", exact=True).last.fill("sn 2026/5117")
    page.get_by_role("button", name="Registrera").click()
    expect(page.locator("#notices")).to_contain_text("Registrerat med SN 2026/5117.")
    page.goto(where)
    expect(page.locator(".reading-facts").get_by_text("Dnr SN 2026/5117")).to_be_visible()
    expect(page.locator(".reading-facts").get_by_text("Klar", exact=True)).to_be_visible()
    karin.check_accessibility()

    # The number finds it, and a correction keeps what it was.
    page.get_by_role("searchbox").first.fill("2026/5117")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name=re.compile(subject)).first).to_be_visible()
    page.goto(where)
    page.locator(".facts").get_by_role("link", name=re.compile("^Rätta")).click()
    expect(page.get_by_role("heading", level=1, name="Rätta registreringen")).to_be_visible()
    page.get_by_label("Diarienummer", exact=True).last.fill("SN 2026/5118")
    page.get_by_label("Varför den rättas").fill("Fel siffra")
    page.get_by_role("button", name="Rätta").click()
    expect(page.locator(".reading-facts").get_by_text("Dnr SN 2026/5118")).to_be_visible()
    page.get_by_text("Tidigare registreringar").click()
    expect(page.locator(".facts").get_by_text("Fel siffra")).to_be_visible()
    karin.check_accessibility()


def test_many_are_done_but_for_those_that_are_not_registered(two_nodes, caseworker, demand, letter):
    mark = uuid.uuid4().hex[:6]
    registered, left = letter(f"Svar {mark}"), letter(f"Bilaga {mark}")
    karin = caseworker(two_nodes.habo, "Karin Svensson")
    ahmed = demand
    page = karin.page
    # Both have the form open: the second is told what the first did.
    page.goto(f"{karin.url}/konversation/{registered}/registrera")
    ahmed.page.goto(f"{ahmed.url}/konversation/{registered}/registrera")
    ahmed.page.get_by_label("Diarienummer", exact=True).last.fill("SN 2026/5201")
    ahmed.page.get_by_role("button", name="Registrera").click()
    expect(ahmed.page.locator("#notices")).to_contain_text("Registrerat med SN 2026/5201.")
    page.get_by_label("Diarienummer", exact=True).last.fill("SN 2026/5202")
    page.get_by_role("button", name="Registrera").click()
    expect(page.get_by_role("alert")).to_contain_text("Ahmed Lindqvist registrerade detta")
    # There is nothing left to register: only what stands there can be corrected.
    expect(page.get_by_role("button", name="Registrera")).to_have_count(0)
    expect(page.locator("main").get_by_role("link", name="Rätta SN 2026/5201")).to_be_visible()
    karin.check_accessibility()
    page.goto(f"{karin.url}/konversation/{left}/")
    page.get_by_role("link", name=re.compile("^Ej registrerat")).first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Ej registrerat")
    # The oldest first: what other tests have left unregistered stands before it, on earlier pages perhaps.
    more = page.get_by_role("link", name=re.compile("^Fler|^Nyare"))
    while not page.locator(f"#row-{left}").count():
        expect(page.locator(f"#row-{registered}")).to_have_count(0)
        here = page.url
        more.click()
        page.wait_for_url(lambda url, here=here: url != here)
        expect(page.locator(".conversations").first).to_be_visible()
    expect(page.locator(f"#row-{left}")).to_be_visible()
    expect(page.locator(f"#row-{registered}")).to_have_count(0)
    karin.check_accessibility()
    page.get_by_role("link", name=re.compile("^Inkorg")).first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Inkorg")
    for key in (registered, left):
        page.locator(f"#row-{key} input[type=checkbox]").check()
    page.locator(".quick-actions").get_by_role("button", name=re.compile("Klar")).click()
    expect(page.locator("#notices")).to_contain_text(f"Bilaga {mark}")
    expect(page.locator("#notices")).to_contain_text("inte är registrerad")
    expect(page.locator(f"#row-{registered}")).to_have_count(0)
    expect(page.locator(f"#row-{left}")).to_be_visible()
