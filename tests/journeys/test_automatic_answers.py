"""Two nodes whose mailboxes both answer automatically: one answer, and no more, whoever writes first."""

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from tests.journeys.browser import Caseworker
from tests.nodes import NodeUnderTest, eventually

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("nodes")]
RECEPTION = "Socialtjänsten, mottagning"
RECEPTION_ADDRESS = "sdk:socialtjanst-mottagning:0203:habo.se"
TRAINING = "Avdelningen för arbetsträning"
TRAINING_ADDRESS = "sdk:arbetstraning:0203:arbetsformedlingen.se"
TEXT = "Vi har **stängt**. Ring 0123-456 om det är bråttom."


def answers_all_day(manager: Caseworker, mailbox: str) -> None:
    """Set on the pages that the mailbox answers automatically today and tomorrow."""
    page = manager.page
    page.goto(f"{manager.url}/administration/bemanning/")
    page.get_by_role("region", name="Brevlådor").get_by_role("link", name=mailbox).click()
    page.get_by_role("link", name="Svara automatiskt på det som kommer utanför bemannad tid").click()
    page.get_by_label("Bara de dagar som står nedan, dygnet runt").check()
    page.get_by_role("button", name="Spara").click()
    expect(page.get_by_role("alert")).to_contain_text("Skriv det som ska svaras.")
    manager.check_accessibility()
    today = timezone.localdate()
    page.get_by_label("Första dagen").fill(today.isoformat())
    page.get_by_label("Sista dagen").fill((today + timedelta(days=1)).isoformat())
    page.get_by_label("Text", exact=True).fill(TEXT)
    page.get_by_role("button", name="Förhandsgranska").click()
    expect(page.get_by_text("Det är inte sparat än.")).to_be_visible()
    expect(page.get_by_role("article").get_by_text("stängt", exact=True)).to_be_visible()
    manager.check_accessibility()
    page.get_by_role("button", name="Spara").click()
    expect(page.get_by_text("Det automatiska svaret är sparat.")).to_be_visible()


def answers_no_more(manager: Caseworker) -> None:
    manager.page.get_by_label("Aldrig").check()
    manager.page.get_by_role("button", name="Spara").click()
    expect(manager.page.get_by_text("Det automatiska svaret är sparat.")).to_be_visible()


def messages_of(node: NodeUnderTest, message_id: str) -> list[tuple[str, bool]]:
    """Direction and mark of the messages in the conversation of this one, in order."""
    statement = (
        "SELECT direction, is_automatic FROM mailbox_message WHERE conversation_id = "
        "(SELECT conversation_id FROM mailbox_message WHERE message_id = %s LIMIT 1) ORDER BY id"
    )
    return [(direction, is_automatic) for direction, is_automatic in node.query(statement, message_id)]


def has_ordered(node: NodeUnderTest, message_id: str) -> bool:
    """Whether an automatic answer has been ordered in the conversation: with the delivery of its message."""
    statement = (
        "SELECT 1 FROM mailbox_automaticanswer JOIN mailbox_message USING (conversation_id) "
        "WHERE mailbox_message.message_id = %s"
    )
    return bool(node.query(statement, message_id))


def test_two_nodes_that_both_answer_automatically_stop_after_one_answer(two_nodes, caseworker):
    habo, training = two_nodes.habo, two_nodes.arbetsformedlingen
    ahmed = caseworker(habo, "Ahmed Lindqvist")
    administrator = caseworker(training, "Sara Öst")
    answers_all_day(ahmed, RECEPTION)
    answers_all_day(administrator, TRAINING)

    key = training.send(TRAINING_ADDRESS, RECEPTION_ADDRESS, "Fråga om kvällen")
    question_and_answer = [("in", False), ("out", True)]
    eventually(lambda: messages_of(habo, key) == question_and_answer, what="Håbo's automatic answer")
    eventually(
        lambda: messages_of(training, key) == [("out", False), ("in", True)], what="the answer, as marked"
    )
    delivered = "SELECT 1 FROM mailbox_message WHERE is_automatic AND delivery_state = 'ACCEPTED'"
    eventually(lambda: habo.query(delivered), what="the receipt for the answer")
    assert has_ordered(habo, key)
    assert not has_ordered(training, key)
    assert messages_of(habo, key) == question_and_answer

    karin = caseworker(habo, "Karin Svensson")
    page = karin.page
    page.goto(karin.url)
    karin.open_mailbox(RECEPTION)
    page.get_by_role("link", name="Fråga om kvällen").first.click()
    reading = page.locator("#reading")
    expect(
        reading.get_by_text("Det här är ett automatiskt svar från Socialtjänsten, mottagning")
    ).to_be_visible()
    expect(reading.locator(".badge", has_text="Automatiskt svar")).to_be_visible()
    karin.check_accessibility()

    answers_no_more(ahmed)
    answers_no_more(administrator)
