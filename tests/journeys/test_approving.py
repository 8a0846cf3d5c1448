"""A writer asks, a colleague gives back and approves, in two browsers; somebody else sees figures only."""

import re
import uuid

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.browser import Caseworker
from tests.nodes import eventually

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("nodes")]
CARE_ADDRESS = "sdk:bistandshandlaggning:0203:habo.se"
TRAINING_ADDRESS = "sdk:arbetstraning:0203:arbetsformedlingen.se"


def name_member(page: Page, name: str, role: str) -> None:
    """On the page of a mailbox: make somebody who is known there a member."""
    page.get_by_label("Person som redan finns här").select_option(label=name)
    page.get_by_label("Roll").select_option(label=role)
    page.get_by_role("button", name="Lägg till", exact=True).click()
    expect(page.get_by_role("row", name=name)).to_contain_text(role)


def end_membership(page: Page, name: str) -> None:
    page.get_by_role("button", name=f"Avsluta medlemskap {name}").click()
    expect(page.get_by_role("row", name=name)).to_have_count(0)


def ask(writer: Caseworker) -> None:
    """On the page of a draft: review it, and ask."""
    page = writer.page
    page.get_by_role("button", name="Granska och skicka").click()
    expect(page.get_by_role("heading", level=1, name="Granska och skicka")).to_be_visible()
    expect(page.get_by_role("button", name="Skicka", exact=True)).to_have_count(0)
    writer.check_accessibility()
    page.get_by_role("button", name="Be om godkännande", exact=True).click()
    expect(page.get_by_text("Karin Svensson bad om godkännande")).to_be_visible()


def test_a_writer_s_answer_is_given_back_changed_and_approved(two_nodes, caseworker):
    habo = two_nodes.habo
    subject = f"Ansökan {uuid.uuid4().hex[:6]}"
    letter = two_nodes.arbetsformedlingen.send(TRAINING_ADDRESS, CARE_ADDRESS, subject)
    statement = "SELECT id, conversation_id FROM mailbox_message WHERE direction = 'in' AND message_id = %s"
    ((message, conversation),) = eventually(lambda: habo.query(statement, letter), what="the letter at Håbo")
    ((mailbox,),) = habo.query("SELECT id FROM mailbox_functionmailbox WHERE address = %s", CARE_ADDRESS)
    ahmed, karin = caseworker(habo, "Ahmed Lindqvist"), caseworker(habo, "Karin Svensson")
    members = f"{ahmed.url}/administration/brevlada/{mailbox}/"
    ahmed.page.goto(members)
    name_member(ahmed.page, "Karin Svensson", "Skribent")

    # Karin writes the answer on its own page, and asks.
    writing = karin.page
    writing.goto(f"{karin.url}/konversation/{conversation}/")
    writing.get_by_role("button", name="Skriv svar").click()
    writing.get_by_role("link", name="Öppna på hel sida").click()
    expect(writing.get_by_role("heading", level=1, name="Svara")).to_be_visible()
    writing.get_by_label("Meddelande", exact=True).fill("Ni får besked på fredag.")
    ask(karin)
    draft = re.search(r"/utkast/(\d+)/", writing.url)
    assert draft is not None
    karin.check_accessibility()

    # Ahmed sees it in the sidebar, looks, and gives it back.
    answering = ahmed.page
    answering.goto(ahmed.url)
    answering.get_by_role("link", name=re.compile("^Att godkänna")).click()
    expect(answering.get_by_role("heading", level=1, name="Att godkänna")).to_be_visible()
    ahmed.check_accessibility()
    answering.get_by_role("link", name=subject).click()
    expect(answering.get_by_role("heading", level=1, name="Granska och godkänn")).to_be_visible()
    expect(answering.get_by_text("Ni får besked på fredag.")).to_be_visible()
    ahmed.check_accessibility()
    answering.get_by_label("Vad behöver ändras?").fill("Det blir på måndag.")
    answering.get_by_role("button", name="Ge tillbaka utan att godkänna").click()
    expect(answering.get_by_role("heading", level=1, name="Att godkänna")).to_be_visible()

    # Karin reads why, changes it and asks again; Ahmed is shown what was changed.
    writing.goto(f"{karin.url}/utkast/{draft.group(1)}/")
    expect(writing.get_by_role("alert").first).to_contain_text("Det blir på måndag.")
    karin.check_accessibility()
    writing.get_by_label("Meddelande", exact=True).fill("Ni får besked på måndag.")
    ask(karin)
    answering.goto(f"{ahmed.url}/utkast/{draft.group(1)}/godkann")
    expect(answering.get_by_role("region", name="Ändrat sedan det senast granskades")).to_contain_text(
        "Ni får besked på fredag."
    )
    ahmed.check_accessibility()

    # While he reads, she changes it once more: what he approves is not that.
    writing.get_by_label("Meddelande", exact=True).fill("Ni får besked på måndag klockan tio.")
    writing.get_by_role("button", name="Spara utkast").click()
    expect(writing.get_by_text("Utkastet är sparat.")).to_be_visible()
    answering.get_by_role("button", name="Godkänn och skicka").click()
    expect(answering.get_by_role("heading", level=1, name="Begäran är avslutad")).to_be_visible()
    expect(answering.get_by_text("Ni får besked på måndag klockan tio.")).to_be_visible()
    ahmed.check_accessibility()
    ask(karin)
    answering.goto(f"{ahmed.url}/utkast/{draft.group(1)}/godkann")
    answering.get_by_role("button", name="Godkänn och skicka").click()
    expect(answering.get_by_text("Du har godkänt meddelandet.")).to_be_visible()
    sent = "SELECT id FROM mailbox_message WHERE direction = 'out' AND conversation_id = %s"
    eventually(lambda: habo.query(sent, conversation), what="the answer on its way")
    answering.goto(f"{ahmed.url}/konversation/{conversation}/")
    answering.locator(".facts").get_by_text("Vad som har hänt").click()
    history = answering.get_by_role("list", name="Konversationens historik")
    expect(history).to_contain_text("Meddelande skrivet av Karin Svensson")
    expect(history).to_contain_text("Meddelandet godkänt av Ahmed Lindqvist")

    # Karin becomes an observer: she sees figures and no letter.
    answering.goto(members)
    end_membership(answering, "Karin Svensson")
    name_member(answering, "Karin Svensson", "Observatör")
    writing.goto(karin.url)
    writing.get_by_role("link", name="Siffror").click()
    expect(writing.get_by_role("heading", level=1, name="Siffror")).to_be_visible()
    expect(writing.get_by_text(subject)).to_have_count(0)
    karin.check_accessibility()
    assert writing.request.get(f"{karin.url}/konversation/{conversation}/").status == 404
    end_membership(answering, "Karin Svensson")
    assert all("404" in error for error in karin.errors)
    karin.errors.clear()
    assert message


def test_where_it_is_demanded_nobody_sends_alone_and_two_lift_it(two_nodes, caseworker):
    habo = two_nodes.habo
    ((mailbox,),) = habo.query("SELECT id FROM mailbox_functionmailbox WHERE address = %s", CARE_ADDRESS)
    ahmed, eva = caseworker(habo, "Ahmed Lindqvist"), caseworker(habo, "Eva Holm")
    where = f"/administration/brevlada/{mailbox}/godkannande"
    page = ahmed.page
    page.goto(ahmed.url + where)
    expect(page.get_by_role("radio", name="Inga")).to_be_checked()
    page.get_by_role("radio", name=re.compile("^De som är märkta med sekretess")).check()
    page.get_by_role("button", name="Spara").click()
    expect(page.get_by_text("Inställningen är sparad.")).to_be_visible()
    ahmed.check_accessibility()
    page.get_by_role("radio", name=re.compile("^Inga")).check()
    page.get_by_role("button", name="Spara").click()
    expect(page.get_by_text("Ditt förslag väntar på")).to_be_visible()
    expect(page.get_by_role("button", name="Bekräfta")).to_have_count(0)
    ahmed.check_accessibility()
    eva.page.goto(eva.url + where)
    eva.page.get_by_role("button", name="Bekräfta").click()
    expect(eva.page.get_by_text("Ändringen är bekräftad och gäller.")).to_be_visible()
    eva.check_accessibility()
