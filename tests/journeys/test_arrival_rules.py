"""A manager makes a rule, tries it on what has arrived, saves it, and sees an arriving message handled."""

import re

import pytest
from playwright.sync_api import expect

from tests.nodes import eventually

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("nodes")]
RECEPTION = "Socialtjänsten, mottagning"
RECEPTION_ADDRESS = "sdk:socialtjanst-mottagning:0203:habo.se"
TRAINING_ADDRESS = "sdk:arbetstraning:0203:arbetsformedlingen.se"
# A word of no other message: the node is shared with other journeys.
WORD = "Regelprövning"


def arrived(two_nodes, subject: str) -> str:
    """The address of the conversation of a message that has arrived at Håbo's reception."""
    habo = two_nodes.habo
    key = two_nodes.arbetsformedlingen.send(TRAINING_ADDRESS, RECEPTION_ADDRESS, subject)
    statement = "SELECT conversation_id FROM mailbox_message WHERE direction = 'in' AND message_id = %s"
    ((conversation,),) = eventually(lambda: habo.query(statement, key), what="the message at Håbo")
    return f"{habo.node.url}/konversation/{conversation}/"


def test_a_rule_is_made_tried_saved_and_handles_what_arrives(two_nodes, caseworker):
    earlier = arrived(two_nodes, f"{WORD} före")
    ahmed = caseworker(two_nodes.habo, "Ahmed Lindqvist")
    page = ahmed.page
    ahmed.open_mailbox(RECEPTION)
    page.get_by_role("link", name="Regler vid ankomst").click()
    expect(page.get_by_role("heading", level=1, name="Regler vid ankomst")).to_be_visible()
    rules = page.url
    page.get_by_role("link", name="Ny regel").click()
    expect(page.get_by_role("heading", level=1, name="Ny regel")).to_be_visible()
    ahmed.check_accessibility()
    page.get_by_label("Ord i ämnet").fill("regelpröv*")
    page.get_by_label("Ska vara klar inom så många dagar").fill("5")
    page.get_by_label("Tilldela", exact=True).select_option("Karin Svensson")
    page.get_by_label("Prioritera", exact=True).check()
    # What is missing is said, and nothing of what is written is lost.
    page.get_by_role("button", name="Spara regeln").click()
    expect(page.get_by_role("alert")).to_contain_text("Skriv vad regeln heter.")
    page.get_by_label("Vad regeln heter").fill("Prövningar")
    page.get_by_role("button", name=re.compile("^Pröva på de senaste")).click()
    tried = page.get_by_role("region", name=re.compile("^Regeln träffar"))
    expect(tried.get_by_role("row").filter(has_text=f"{WORD} före")).to_contain_text("Tilldelar Karin")
    ahmed.check_accessibility()
    page.get_by_role("button", name="Spara regeln").click()
    expect(page.get_by_role("heading", level=2, name="Prövningar")).to_be_visible()
    ahmed.check_accessibility()

    karin = caseworker(two_nodes.habo, "Karin Svensson")
    karin.page.goto(arrived(two_nodes, f"{WORD} efter"))
    expect(karin.page.get_by_text("Tilldelad dig").first).to_be_visible()
    karin.page.locator("summary", has_text="Vad som har hänt").first.click()
    history = karin.page.get_by_role("list", name="Konversationens historik")
    expect(history).to_contain_text("Regeln ”Prövningar” tilldelade den Karin Svensson")
    expect(history).to_contain_text("Regeln ”Prövningar” prioriterade den")
    # What had arrived before the rule was saved is as it was.
    karin.page.goto(earlier)
    expect(karin.page.get_by_role("button", name="Tilldela mig", exact=True)).to_be_visible()

    page.goto(rules)
    rule = page.get_by_role("listitem").filter(has=page.get_by_role("heading", name="Prövningar"))
    rule.get_by_role("button", name=re.compile("^Stäng av")).click()
    expect(rule).to_contain_text("Avstängd")
    rule.locator("summary").click()
    rule.get_by_role("button", name=re.compile("^Ta bort regeln")).click()
    expect(page.get_by_role("heading", level=2, name="Prövningar")).to_have_count(0)
