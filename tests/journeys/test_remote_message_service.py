"""A small municipality has mailboxes on node A, and no message service: Arbetsförmedlingen's node serves it
by API.

What it sends goes by that API to the other node, on by AS4, and into a mailbox of another organisation on
node A. The answer comes the same way back.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from testbed import sample
from testbed.register import Function
from testbed.send_message import a_pdf
from tests.journeys.browser import start_message
from tests.nodes import TwoNodes, eventually

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("nodes")]

CARE = "sdk:omsorg:0203:lillaby.se"
CLIENT = "brevlada.lillaby.se"
SCHOOL = "Elevhälsan"
SERVICE = "Arbetsförmedlingens meddelandetjänst"


def small_municipality(two_nodes: TwoNodes) -> sample.NodeSample:
    """Published in the federation with Arbetsförmedlingen's access point."""
    return sample.NodeSample(
        "lillaby",
        "0203:lillaby.se",
        "Lillaby kommun",
        two_nodes.arbetsformedlingen.organisation.access_point,
        (Function(CARE, "Omsorgen i Lillaby", "Hemtjänst och boende"),),
        (
            sample.Member("198101012383", "Lisa Ek", role_in_words="handläggare", mailboxes=(CARE,)),
            sample.Member("197501012386", "Bo Alm", role_in_words="administratör", is_administrator=True),
            sample.Member("197601012384", "Ulla Hed", role_in_words="administratör", is_administrator=True),
        ),
    )


@pytest.fixture(scope="module")
def lillaby(two_nodes: TwoNodes) -> sample.NodeSample:
    """Its keys are on Arbetsförmedlingen's node; its mailbox and its people are on Håbo's."""
    small = small_municipality(two_nodes)
    keys = two_nodes.federation.add_participant(
        small.participant_id, small.name, small.access_point, small.functions
    )
    for person in small.people:
        two_nodes.federation.add_person(person)
    serving, using = two_nodes.arbetsformedlingen.node, two_nodes.habo.node
    for node in (serving, using):
        node.manage("add_organisation", small.participant_id, small.name)
    for purpose, files in (("signing", keys.signing), ("encryption", keys.encryption)):
        serving.manage(
            "import_key",
            *("--organisation", small.participant_id, "--purpose", purpose),
            *("--key", str(files.key), "--certificate", str(files.certificate)),
        )
    serving.manage("route_function", small.participant_id, CARE, "external")
    mailboxes = using.directory / "mailboxes-lillaby.json"
    mailboxes.write_text(json.dumps(small.mailboxes(), ensure_ascii=False))
    using.manage("load_mailboxes", str(mailboxes))
    return small


def set_up(two_nodes: TwoNodes, small: sample.NodeSample, caseworker: Callable, directory: Path) -> None:
    """Bo registers the service and chooses the function; the supplier registers the key; Ulla turns it on."""
    api = f"{two_nodes.arbetsformedlingen.node.url}/v1"
    bo = caseworker(two_nodes.habo, "Bo Alm")
    page = bo.page
    page.goto(f"{bo.url}/administration/")
    page.get_by_role("link", name="Andra meddelandetjänster").click()
    expect(page.get_by_role("heading", level=1, name="Andra meddelandetjänster")).to_be_visible()
    bo.check_accessibility()
    page.get_by_label(re.compile("^Namn")).fill(SERVICE)
    page.get_by_label(re.compile("^API:ets adress")).fill("ingen adress")
    page.get_by_label(re.compile("^Behörighetstjänstens adress")).fill(f"{api}/token")
    page.get_by_label(re.compile("^Vårt namn där")).fill(CLIENT)
    page.get_by_role("button", name="Registrera").click()
    expect(page.get_by_role("alert")).to_contain_text("En av adresserna")
    bo.check_accessibility()
    page.get_by_label(re.compile("^API:ets adress")).fill(api)
    page.get_by_role("button", name="Registrera").click()
    expect(page.get_by_role("heading", level=1, name=SERVICE)).to_be_visible()
    address = page.url
    page.get_by_label(re.compile("^Funktionsadresser")).fill(CARE)
    page.get_by_role("button", name="Spara funktionerna").click()
    expect(page.get_by_text("Du har ändrat vart meddelanden går")).to_be_visible()
    expect(page.get_by_role("button", name="Slå på")).to_have_count(0)
    page.get_by_role("button", name="Prova anslutningen").click()
    expect(page.get_by_text("Den känner inte igen nyckeln eller namnet.")).to_be_visible()

    file = directory / "lillaby.jwk"
    file.write_text(page.locator("pre").inner_text())
    two_nodes.arbetsformedlingen.node.manage(
        "add_api_client", small.participant_id, CLIENT, "--function", CARE, "--key", str(file)
    )
    page.get_by_role("button", name="Prova anslutningen").click()
    expect(page.get_by_text("Behörighet: fungerar")).to_be_visible()
    expect(page.get_by_text("Lista över meddelanden: fungerar")).to_be_visible()
    bo.check_accessibility()
    page.set_viewport_size({"width": 320, "height": 640})
    assert page.evaluate("document.documentElement.scrollWidth") <= 320

    ulla = caseworker(two_nodes.habo, "Ulla Hed")
    ulla.page.goto(address)
    ulla.check_accessibility()
    ulla.page.get_by_role("button", name="Slå på").click()
    expect(ulla.page.get_by_text("Meddelandetjänsten används från och med nu.")).to_be_visible()


def test_a_mailbox_without_a_message_service_of_its_own_writes_and_is_answered(
    two_nodes: TwoNodes, lillaby: sample.NodeSample, caseworker: Callable, tmp_path: Path
):
    set_up(two_nodes, lillaby, caseworker, tmp_path)
    pdf = tmp_path / "vårdplan.pdf"
    pdf.write_bytes(a_pdf("Vårdplan"))
    lisa = caseworker(two_nodes.habo, "Lisa Ek")
    page = lisa.page
    lisa.open_mailbox("Omsorgen i Lillaby")
    start_message(page)
    page.get_by_label(re.compile("^Till: sök")).press_sequentially("elevhälsan")
    page.get_by_role("option", name=re.compile(SCHOOL)).first.click()
    page.get_by_label("Ämne", exact=True).fill("Skjuts till skolan")
    page.get_by_label("Meddelande", exact=True).fill("Vem *ordnar* den?")
    page.get_by_label("Lägg till filer").set_input_files(str(pdf))
    expect(page.locator("#attachments")).to_contain_text(pdf.name)
    lisa.send()
    expect(page.get_by_role("heading", level=1, name="Skjuts till skolan")).to_be_visible()

    # By API, sealed there, by AS4, and into a mailbox on the node that it came from.
    eva = caseworker(two_nodes.habo, "Eva Holm")
    eva.open_mailbox(SCHOOL)
    link = eva.page.get_by_role("link", name="Skjuts till skolan")
    expect(link).to_be_visible(timeout=90_000)
    link.click()
    message = eva.page.get_by_role("article")
    expect(message).to_contain_text("Omsorgen i Lillaby")
    with eva.page.expect_download() as download:
        message.get_by_role("link", name=re.compile("^Hämta")).click()
    assert Path(download.value.path()).read_bytes() == pdf.read_bytes()

    # The sender sees what became of it, as if the message service were here.
    ladder = page.get_by_label("Leverans", exact=True)
    expect(ladder.locator("li.done")).to_have_count(3, timeout=90_000)
    expect(ladder.locator("li.done").nth(2)).to_contain_text("Mottaget av verksamheten")
    page.get_by_text("Leveranshistorik").click()
    expect(page.locator("article .history")).to_contain_text("Lämnat till den andra meddelandetjänsten")
    lisa.check_accessibility()

    message.get_by_role("button", name="Svara").click()
    eva.page.get_by_label("Meddelande", exact=True).fill("Det gör *vi*.")
    eva.send()
    expect(eva.page.get_by_role("article")).to_have_count(2)
    answer = page.get_by_role("article").nth(1)
    expect(answer).to_contain_text("Det gör", timeout=90_000)
    expect(answer.locator("em", has_text="vi")).to_be_visible()
    expect(eva.page.get_by_label("Leverans", exact=True).locator("li.done")).to_have_count(3, timeout=90_000)
    lisa.check_accessibility()

    # Both messages are deleted at the service, which has nothing of them left to give.
    eventually(
        lambda: two_nodes.arbetsformedlingen.query("SELECT count(*) FROM message_api_heldmessage") == [(0,)],
        what="the deletion at the message service",
    )
    [(out, went_in)] = two_nodes.habo.query(
        "SELECT (SELECT count(*) FROM remote_message_service_remoteorder WHERE state = 'ended'),"
        " (SELECT count(*) FROM remote_message_service_remotearrival WHERE state = 'deleted')"
    )
    assert (out, went_in) == (1, 1)
