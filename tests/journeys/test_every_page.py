"""Every page of a node that answers a GET, seen by every role in every look; by keyboard, and in English."""

import re
from collections.abc import Iterator

import pytest
from django.urls import get_resolver, reverse
from playwright.sync_api import Route, expect

from tests.journeys.browser import Caseworker, start_message
from tests.journeys.looks import faults_of
from tests.nodes import NodeUnderTest, eventually
from tests.safety.test_reach import ELSEWHERE_TESTED, TABLE, patterns

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("nodes")]
RECEPTION = "sdk:socialtjanst-mottagning:0203:habo.se"
TRAINING = "sdk:arbetstraning:0203:arbetsformedlingen.se"
# What a person of the sample is, in the words of the table of who reaches what.
ROLES = {
    "Karin Svensson": "member",
    "Ahmed Lindqvist": "manager",
    "Eva Holm": "administrator",
    "Nils Granberg": "auditor",
}


def with_scripts(route: Route) -> None:
    """Answer without the sandbox: in it nothing runs, axe neither, and Playwright waits for it for ever."""
    response = route.fetch()
    headers = {name: value for name, value in response.headers.items() if name != "content-security-policy"}
    route.fulfill(response=response, headers=headers)


@pytest.fixture
def letter(two_nodes) -> str:
    """A message with an attachment at Håbo's reception; its id."""
    return arrived(two_nodes, "Planering inför mötet")


def arrived(two_nodes, subject: str) -> str:
    key = two_nodes.arbetsformedlingen.send(TRAINING, RECEPTION, subject)
    statement = "SELECT 1 FROM mailbox_message WHERE direction = 'in' AND message_id = %s"
    eventually(lambda: two_nodes.habo.query(statement, key), what="the letter at Håbo")
    return key


def one(habo: NodeUnderTest, statement: str, *parameters: object) -> object:
    rows = habo.query(statement, *parameters)
    return rows[0][0] if rows else None


def arguments_of(habo: NodeUnderTest, letter: str) -> dict[str, object]:
    """What addresses need, of what Karin, Ahmed and Eva may see."""
    of_letter = "FROM mailbox_message WHERE direction = 'in' AND message_id = %s"
    return {
        "mailbox_id": one(habo, "SELECT id FROM mailbox_functionmailbox WHERE address = %s", RECEPTION),
        "message_id": one(habo, f"SELECT id {of_letter}", letter),
        "conversation_id": one(habo, f"SELECT conversation_id {of_letter}", letter),
        "attachment_id": one(
            habo,
            "SELECT a.id FROM mailbox_attachment a JOIN mailbox_document d ON d.id = a.document_id "
            "JOIN mailbox_message m ON m.id = d.message_id WHERE m.direction = 'in' AND m.message_id = %s",
            letter,
        ),
        "draft_id": one(
            habo,
            "SELECT d.id FROM mailbox_draft d JOIN mailbox_functionmailbox b ON b.id = d.mailbox_id "
            "WHERE b.address = %s ORDER BY d.id DESC",
            RECEPTION,
        ),
        "label_id": one(habo, "SELECT id FROM mailbox_label ORDER BY id DESC"),
        "arrival_rule_id": one(habo, "SELECT id FROM mailbox_arrivalrule ORDER BY id DESC"),
        "function_id": one(habo, "SELECT id FROM addressbook_ownfunction ORDER BY id"),
        "api_client_id": one(habo, "SELECT id FROM message_api_apiclient ORDER BY id"),
        "category_id": one(habo, "SELECT id FROM addressbook_category ORDER BY id"),
        "organisation_id": one(habo, "SELECT id FROM addressbook_organisation ORDER BY id"),
        "own_organisation_id": one(
            habo,
            "SELECT o.id FROM message_service_organisation o JOIN mailbox_functionmailbox b "
            "ON b.participant_id = o.participant_id WHERE b.address = %s",
            RECEPTION,
        ),
        "person_id": one(habo, "SELECT id FROM mailbox_person WHERE name = 'Karin Svensson'"),
        "registration_id": one(
            habo,
            "SELECT r.id FROM mailbox_registration r JOIN mailbox_conversation c ON c.id = r.conversation_id "
            "JOIN mailbox_functionmailbox b ON b.id = c.mailbox_id WHERE b.address = %s ORDER BY r.id DESC",
            RECEPTION,
        ),
        "case_system_id": one(habo, "SELECT id FROM mailbox_casesystem ORDER BY id DESC"),
        "department_id": one(habo, "SELECT id FROM mailbox_department ORDER BY id DESC"),
        "remote_service_id": one(
            habo,
            "SELECT s.id FROM remote_message_service_remoteservice s JOIN message_service_organisation o "
            "ON o.id = s.organisation_id WHERE o.participant_id = '0203:habo.se' ORDER BY s.created_at",
        ),
        "state": "done",
        "kind": "envelope",
    }


def addresses(role: str, arguments: dict[str, object]) -> Iterator[tuple[str, str]]:
    """Pages that the role reaches and whose address can be made: (name, path)."""
    for name, pattern in patterns(get_resolver("sdkportal.urls")):
        if name in ELSEWHERE_TESTED or name in {"health", "ready", "metrics", "events"}:
            continue
        methods, reached_by = TABLE[name]
        wanted = {key: arguments.get(key) for key in pattern.pattern.converters}
        if "get" in methods.split() and role in reached_by and all(wanted.values()):
            yield name, reverse(name, kwargs=wanted)


@pytest.mark.parametrize("name", [*ROLES, "nobody"])
def test_axe_finds_nothing_and_everything_fits(two_nodes, browser, caseworker, letter, name):
    habo = two_nodes.habo
    person = Caseworker(browser, habo.node.url, name) if name == "nobody" else caseworker(habo, name)
    page = person.page
    if name == "Karin Svensson":
        # A draft, a label and a registration, so that their pages are there to be seen.
        page.goto(f"{person.url}/brevlada/{arguments_of(habo, letter)['mailbox_id']}/")
        start_message(page)
        page.get_by_label("Ämne", exact=True).fill("Utkast")
        page.get_by_role("button", name="Spara utkast").click()
        expect(page.get_by_text("Utkastet är sparat.")).to_be_visible()
        page.goto(f"{person.url}/konversation/{arguments_of(habo, letter)['conversation_id']}/registrera")
        page.locator("#case_number").fill("SN 2026/1")
        page.get_by_role("button", name="Registrera").click()
        expect(page.locator("#notices")).to_contain_text("Registrerat med SN 2026/1.")
    if name == "Ahmed Lindqvist":
        # A rule on arrival, which does nothing but stop, and only for what never comes.
        page.goto(f"{person.url}/brevlada/{arguments_of(habo, letter)['mailbox_id']}/regler/ny")
        page.get_by_label("Vad regeln heter").fill("Regel")
        page.get_by_label("Avsändarens organisation").fill("ingen")
        page.get_by_label("Stanna här").check()
        page.get_by_role("button", name="Spara regeln").click()
        page.wait_for_url("**/regler")
    if name == "Eva Holm":
        # A case system, which nobody has confirmed.
        page.goto(f"{person.url}/administration/arendesystem")
        page.get_by_label("Namn", exact=True).fill("E-arkivet")
        page.get_by_label(re.compile("^Katalogens namn")).fill("e-arkivet")
        page.get_by_role("button", name="Lägg upp").click()
        expect(page.get_by_role("heading", level=1, name="E-arkivet")).to_be_visible()
        # And a department.
        page.goto(f"{person.url}/administration/avdelningar")
        page.get_by_label("Namn", exact=True).fill("Socialförvaltningen")
        page.get_by_role("button", name="Lägg till").click()
        expect(page.locator("#notices")).to_contain_text("Avdelningen Socialförvaltningen är tillagd.")
        # Another message service, which nobody has turned on.
        page.goto(f"{person.url}/administration/meddelandetjanster/")
        page.get_by_label(re.compile("^Namn")).fill("Leverantören")
        page.get_by_label(re.compile("^API:ets adress")).fill("https://127.0.0.1:9/v1")
        page.get_by_label(re.compile("^Behörighetstjänstens adress")).fill("https://127.0.0.1:9/v1/token")
        page.get_by_label(re.compile("^Vårt namn där")).fill("brevlada.habo.se")
        page.get_by_role("button", name="Registrera").click()
        expect(page.get_by_role("heading", level=1, name="Leverantören")).to_be_visible()
    wrong: dict[str, object] = {}
    seen = set()
    for route, path in addresses(ROLES.get(name, name), arguments_of(habo, letter)):
        head = page.request.fetch(person.url + path, max_redirects=0)
        if not head.headers.get("content-type", "").startswith("text/html") or head.status != 200:
            continue
        if not head.text().startswith("<!doctype html>"):
            continue  # a part of a page, which is seen in it
        seen.add(route)
        if "sandbox" in head.headers.get("content-security-policy", ""):
            page.route(person.url + path, with_scripts)
        page.goto(person.url + path)
        wrong |= {f"{route}, {look}": what for look, what in faults_of(page).items()}
    assert wrong == {}
    expected = {
        "Karin Svensson": {
            "start",
            "mailbox",
            "conversation",
            "evidence",
            "attachment-show",
            "draft",
            "reassign",
            "register",
            "registration-correct",
            "registration-withdraw",
            "case-delivery-order",
            "case-deliveries",
        },
        "Ahmed Lindqvist": {
            "mailbox",
            "administration-mailbox",
            "administration-statistics",
            "registration-mailbox",
            "case-systems-mailbox",
        },
        "Eva Holm": {
            "administration-case-systems",
            "administration-case-system",
            "department",
            "department-costs",
            "department-counterparts",
            "department-figures",
            "departments",
            "price-lists",
            "administration-message-services",
            "administration-message-service",
            "administration-people",
            "administration-person",
            "administration-functions",
            "administration-retention-rule",
        },
        "Nils Granberg": {"administration-access-log", "transfer-log"},
        "nobody": {"login", "help", "accessibility"},
    }
    assert expected[name] <= seen, expected[name] - seen
    if name == "nobody":
        person.close()


def test_the_skip_link_leads_past_the_menu_and_focus_is_seen(two_nodes, caseworker):
    karin = caseworker(two_nodes.habo, "Karin Svensson")
    page = karin.page
    page.goto(f"{karin.url}/adressbok/")
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Till innehållet")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.keyboard.press("Tab")
    inside = page.evaluate("document.querySelector('main').contains(document.activeElement)")
    assert inside
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineWidth")
    assert outline == "3px"


def test_single_keys_lead_on_and_are_turned_off_on_the_help_page(two_nodes, caseworker, letter):
    karin = caseworker(two_nodes.habo, "Karin Svensson")
    page = karin.page
    for key, address in (("s", karin.url), ("/", f"{karin.url}/adressbok/"), ("s", f"{karin.url}/sok")):
        page.goto(address)
        # The search page has focus in its field from the beginning.
        page.locator("main").focus()
        page.keyboard.press(key)
        question = page.locator("input[type=search]:focus")
        expect(question).to_have_count(1)
        question.press_sequentially("abs")
        expect(question).to_have_value("abs")
    page.locator("main").focus()
    page.keyboard.press("a")
    expect(page.get_by_role("heading", level=1, name="Adressbok")).to_be_visible()
    page.goto(f"{karin.url}/brevlada/{arguments_of(two_nodes.habo, letter)['mailbox_id']}/")
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.closest('.conversations') !== null")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Tangenter")).to_be_visible()
    karin.check_accessibility()
    page.get_by_role("link", name="Hjälp, och där tangenterna slås av").click()
    page.get_by_label("Använd kortkommandon").uncheck()
    page.goto(karin.url)
    page.keyboard.press("s")
    assert page.locator("input[type=search]:focus").count() == 0
    page.goto(f"{karin.url}/hjalp")
    expect(page.get_by_label("Använd kortkommandon")).not_to_be_checked()
    page.get_by_label("Använd kortkommandon").check()


def test_an_attachment_is_looked_at_in_the_page_in_a_frame_that_may_do_nothing(two_nodes, caseworker, letter):
    karin = caseworker(two_nodes.habo, "Karin Svensson")
    page = karin.page
    conversation = arguments_of(two_nodes.habo, letter)["conversation_id"]
    page.goto(f"{karin.url}/konversation/{conversation}/")
    show = page.get_by_role("link", name="Visa bilaga.pdf")
    show.click()
    frame = page.frame_locator("iframe[title='Förhandsvisning av bilaga.pdf']")
    picture = frame.get_by_role("img", name="Sida 1 av 1")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.naturalWidth") > 500
    assert page.locator("iframe").get_attribute("sandbox") == ""
    expect(show).to_have_attribute("aria-expanded", "true")
    karin.check_accessibility()
    # What happens in the mailbox meanwhile does not take it away.
    with page.expect_response(lambda response: response.url == page.url):
        page.evaluate("document.body.dispatchEvent(new CustomEvent('mailbox-changed'))")
    expect(show).to_have_attribute("aria-expanded", "true")
    expect(picture).to_be_visible()
    show.click()
    expect(page.locator("iframe")).to_be_hidden()
    with page.expect_download() as download:
        page.get_by_role("link", name="Hämta bilaga.pdf").click()
    assert download.value.suggested_filename == "bilaga.pdf"


def test_the_evidence_is_opened_and_saved(two_nodes, caseworker, letter):
    karin = caseworker(two_nodes.habo, "Karin Svensson")
    page = karin.page
    arguments = arguments_of(two_nodes.habo, letter)
    page.goto(f"{karin.url}/konversation/{arguments['conversation_id']}/")
    page.get_by_role("link", name="Kuvert och kvittenser").first.click()
    expect(page.get_by_role("heading", level=1, name=re.compile("^Bevis"))).to_be_visible()
    address = page.url

    def is_whole() -> bool:
        page.goto(address)
        return page.get_by_text("Finns inte", exact=True).count() == 0

    # Our receipt is written a moment after the message has come.
    eventually(is_whole, what="all three pieces")
    with page.expect_download() as download:
        page.get_by_role("link", name=re.compile("^Spara")).first.click()
    assert download.value.suggested_filename.startswith("kuvert-")
    assert b"<" in download.value.path().read_bytes()[:5]
    with page.context.expect_page() as opened:
        page.get_by_role("link", name=re.compile("^Öppna")).last.click()
    expect(opened.value.locator("body")).to_contain_text("Signature")
    opened.value.close()


def test_the_pages_are_read_in_english_and_without_script(two_nodes, browser):
    context = browser.new_context(java_script_enabled=False, locale="sv-SE")
    page = context.new_page()
    page.goto(two_nodes.habo.node.url)
    page.get_by_role("button", name="English").click()
    page.get_by_role("link", name="Log in with e-ID").click()
    page.get_by_role("button", name="Karin Svensson").click()
    page.get_by_role("link", name="Search", exact=True).click()
    expect(page.get_by_role("heading", level=1, name="Search messages")).to_be_visible()
    assert page.locator("html").get_attribute("lang") == "en"
    page.get_by_role("button", name="Svenska").click()
    expect(page.get_by_role("heading", level=1, name="Sök meddelanden")).to_be_visible()
    context.close()
