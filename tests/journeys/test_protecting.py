"""A conversation is protected, opened by the manager with a reason, and open to all members again."""

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


def test_a_colleague_sees_a_locked_row_and_the_manager_opens_it_with_a_reason(two_nodes, caseworker, letter):
    subject = f"Orosanmälan {uuid.uuid4().hex[:6]}"
    key = letter(subject)
    habo = two_nodes.habo
    karin, ahmed = caseworker(habo, "Karin Svensson"), caseworker(habo, "Ahmed Lindqvist")
    ((mailbox,),) = habo.query("SELECT id FROM mailbox_functionmailbox WHERE address = %s", RECEPTION_ADDRESS)
    where, inbox = f"/konversation/{key}/", f"/brevlada/{mailbox}/"

    # Ahmed has the conversation open when Karin protects it for herself alone.
    ahmed.page.goto(ahmed.url + where)
    expect(ahmed.page.get_by_role("heading", level=1, name=subject)).to_be_visible()
    page = karin.page
    page.goto(karin.url + where)
    page.locator(".reading-tools").get_by_label("Mer").click()
    page.get_by_role("link", name="Skydda", exact=True).click()
    expect(page.get_by_role("heading", level=1, name="Skydda konversationen")).to_be_visible()
    karin.check_accessibility()
    page.get_by_role("button", name="Skydda", exact=True).click()
    expect(page.locator("#notices")).to_contain_text("Konversationen är skyddad")
    expect(page.locator(".reading-facts").get_by_role("link", name="Skyddad")).to_be_visible()
    karin.check_accessibility()

    # His page does not show it any more, nor does his search; his list has a locked row.
    page = ahmed.page
    expect(page.get_by_role("heading", name="Sidan finns inte")).to_be_visible()
    page.goto(ahmed.url + inbox)
    locked = page.get_by_role("region", name="Skyddade konversationer som andra ser")
    expect(locked.get_by_role("listitem").first).to_contain_text("Skyddad konversation")
    expect(page.get_by_text(subject)).to_have_count(0)
    ahmed.check_accessibility()
    assert page.request.get(ahmed.url + where).status == 404
    # What he had open was fetched again, and refused.
    assert all("404" in error for error in ahmed.errors)
    ahmed.errors.clear()
    page.get_by_role("searchbox").first.fill(subject)
    page.keyboard.press("Enter")
    page.wait_for_url("**/sok**")
    expect(page.get_by_role("link", name=re.compile(subject))).to_have_count(0)

    # He manages the mailbox: he opens it with a reason, which Karin reads.
    page.goto(ahmed.url + inbox)
    locked.get_by_role("listitem").first.get_by_role("link", name="Öppna med skäl").click()
    expect(page.get_by_role("heading", level=1, name="Öppna en skyddad konversation")).to_be_visible()
    expect(page.get_by_text(subject)).to_have_count(0)
    page.get_by_role("button", name="Öppna konversationen").click()
    expect(page.get_by_role("alert")).to_contain_text("Skriv varför du öppnar konversationen.")
    ahmed.check_accessibility()
    page.get_by_role("radio", name="Den kan inte vänta").check()
    page.get_by_label("Förklaring").fill("Karin är sjuk och barnet väntar.")
    page.get_by_role("button", name="Öppna konversationen").click()
    expect(page.get_by_role("heading", level=1, name=subject)).to_be_visible()
    page = karin.page
    page.goto(f"{karin.url}{where[:-1]}/skydd")
    expect(page.get_by_text("Karin är sjuk och barnet väntar.")).to_be_visible()
    karin.check_accessibility()

    # Karin removes the protection; the history has all of it.
    page.get_by_role("button", name="Ta bort skyddet").click()
    expect(page.locator("#notices")).to_contain_text("Skyddet är borta")
    page.locator(".facts").get_by_text("Vad som har hänt").click()
    history = page.get_by_role("list", name="Konversationens historik")
    expect(history).to_contain_text("Skyddad av Karin Svensson: ses av Karin Svensson")
    expect(history).to_contain_text("Skäl: Den kan inte vänta")
    expect(history).to_contain_text("Karin Svensson tog bort skyddet")
