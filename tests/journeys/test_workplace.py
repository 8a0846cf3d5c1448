"""The workplace, measured: clicks, keys, page loads and pixels of everyday work, against the goals."""

import re
import uuid
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from mailbox.conversations import labels
from mailbox.models import Attachment, Conversation, Document, FunctionMailbox, Membership, Message, ReadMark
from tests.journeys.browser import Caseworker
from tests.mailbox.build import a_member, log_in
from transport.message_service.models import Organisation

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.journey]
HERE = "0203:habo.se"
COUNT = 30


@pytest.fixture(scope="module", autouse=True)
def beside_the_browser() -> Iterator[None]:
    """Playwright's event loop runs in this thread, which Django takes for a coroutine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        yield


class Colleague(Caseworker):
    """Somebody at a browser, logged in without the e-ID provider."""

    def __init__(self, browser: Browser, url: str, person) -> None:
        super().__init__(browser, url, person.name)
        client = Client()
        log_in(client, person)
        self.context.add_cookies(
            [{"name": name, "value": morsel.value, "url": url} for name, morsel in client.cookies.items()]
        )
        # The test's server has a thread for each request: a stream would hold one for ever.
        self.page.route("**/handelser*", lambda route: route.abort())

    def _note(self, line: ConsoleMessage) -> None:
        """The stream that was refused above is no fault of the pages."""
        if "/handelser" not in line.location["url"]:
            super()._note(line)


@pytest.fixture
def mailbox(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = False
    settings.SECURE_SSL_REDIRECT = False
    Organisation.objects.create(participant_id=HERE, name="Håbo kommun")
    return FunctionMailbox.objects.create(participant_id=HERE, address="funktion-b", name="Mottagning")


def fill(mailbox, karin, ahmed, count: int = COUNT) -> list[Conversation]:
    """Conversations of every kind, the latest first."""
    rows = []
    red = labels.create(mailbox, "Brådskande", "red")
    for number in range(count):
        at = timezone.now() - timedelta(hours=5 * number, minutes=5)
        row = Conversation.objects.create(
            mailbox=mailbox,
            conversation_id=uuid.uuid4(),
            subject=f"Begäran om yttrande angående samordnad rehabilitering, ärende {number}",
            counterpart="Arbetsförmedlingen, Avdelningen för arbetsträning",
            last_activity_at=at,
            last_arrived_at=at,
            message_count=1,
            is_confidential=number % 3 == 0,
            has_attachments=number % 4 == 0,
            assignee=None,
            due_on=timezone.localdate() - timedelta(days=1) if number == 4 else None,
        )
        if number == 1:
            row.labels.add(red)
        message = a_message(row, f"Hej!\n\nVi behöver svar i dag före 15.00 om ärende {number}.", at)
        if number % 4 == 0:
            Attachment.objects.create(
                document=message.documents.get(),
                name="Samtycke.pdf",
                content_type="application/pdf",
                size=84_000,
                sha256="0",
            )
        rows.append(row)
    return rows


def a_message(row: Conversation, text: str, at, *, direction: str = "in", **values) -> Message:
    message = Message.objects.create(
        conversation=row,
        direction=direction,
        message_id=uuid.uuid4(),
        is_confidential=row.is_confidential,
        counterpart_organisation="Arbetsförmedlingen",
        counterpart_function="Avdelningen för arbetsträning",
        counterpart_address="sdk:af",
        sender_persons=[{"label": "Nils Åberg", "value": ""}],
        sender_references=[{"root": "dnr", "value": "Af-2026/0099", "label": "Diarienummer"}],
        at=at,
        **values,
    )
    Document.objects.create(message=message, position=1, texts=[text])
    return message


@pytest.fixture
def people(mailbox):
    karin, ahmed = a_member("Karin Svensson", mailbox), a_member("Ahmed Lindqvist", mailbox)
    Membership.objects.filter(person=karin).update(role=Membership.Role.MANAGER)
    return karin, ahmed


@pytest.fixture
def at_work(live_server, browser, mailbox, people) -> Iterator[Colleague]:
    karin, ahmed = people
    fill(mailbox, karin, ahmed)
    person = Colleague(browser, live_server.url, karin)
    person.page.set_viewport_size({"width": 1440, "height": 900})
    person.page.goto(f"{live_server.url}/brevlada/{mailbox.pk}/")
    yield person
    person.close()


def in_view(page: Page) -> int:
    """How many rows of the list are seen whole."""
    return page.evaluate(
        """() => [...document.querySelectorAll(".conversations > li")].filter((row) => {
            const box = row.getBoundingClientRect();
            const foot = document.querySelector(".list-foot").getBoundingClientRect();
            const end = foot.top > 100 && foot.bottom <= innerHeight ? foot.top : innerHeight;
            return box.height > 0 && box.top >= 0 && box.bottom <= end + 1;
        }).length"""
    )


def test_the_list_shows_many_conversations_at_once(at_work, mailbox):
    page = at_work.page
    shown = {}
    for width, height in ((1440, 900), (1920, 1080), (390, 844)):
        page.set_viewport_size({"width": width, "height": height})
        shown[width] = in_view(page)
    rows = page.locator(".conversations > li")
    assert all(row.bounding_box()["height"] <= 74 for row in rows.all()[:5])
    page.set_viewport_size({"width": 1440, "height": 900})
    page.get_by_label("Kompakt").check()
    shown["compact"] = in_view(page)
    assert shown[1440] >= 10, shown
    assert shown[1920] >= 13, shown
    assert shown[390] >= 7, shown
    assert shown["compact"] >= 18, shown
    at_work.check_accessibility()


def test_open_assign_and_go_on_are_one_key_each_and_no_page_load(at_work, mailbox, people):
    page = at_work.page
    page.locator(".conversations .subject a").first.focus()
    page.evaluate("window.stillHere = true")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1, name=re.compile("ärende 0$"))).to_be_visible()
    assert "/konversation/" in page.url
    page.keyboard.press("t")
    expect(page.locator(".reading-facts")).to_contain_text("Tilldelad dig")
    expect(page.locator("#notices")).to_contain_text("Tilldelad dig: Begäran om yttrande")
    page.keyboard.press("j")
    expect(page.get_by_role("heading", level=1, name=re.compile("ärende 1$"))).to_be_visible()
    expect(page.locator(".place")).to_contain_text(f"2 av {COUNT}")
    # Done: the next comes by itself, and z takes it back.
    page.keyboard.press("e")
    expect(page.get_by_role("heading", level=1, name=re.compile("ärende 2$"))).to_be_visible()
    expect(page.locator(".conversations > li")).to_have_count(25)
    expect(page.locator("#notices")).to_contain_text("Klar: Begäran")
    page.keyboard.press("z")
    expect(page.get_by_role("heading", level=1, name=re.compile("ärende 1$"))).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", level=1, name=re.compile("ärende 2$"))).to_be_visible()
    assert page.evaluate("window.stillHere") is True
    at_work.check_accessibility()


def test_twenty_are_marked_as_done_by_three_clicks_and_one_undoes_it(at_work, mailbox):
    page = at_work.page
    boxes = page.locator(".conversations input[name=chosen]")
    boxes.first.click()
    boxes.nth(19).click(modifiers=["Shift"])
    expect(page.locator(".chosen-count")).to_have_text("20 valda")
    page.locator(".quick-actions").get_by_role("button", name="Klar").click()
    expect(page.locator("#notices")).to_contain_text("20 konversationer")
    expect(page.locator(".conversations > li")).to_have_count(COUNT - 20)
    assert Conversation.objects.filter(state="done").count() == 20
    page.locator("#notices").get_by_role("button", name="Ångra").click()
    expect(page.locator("#notices")).to_contain_text("Ändringen är ångrad.")
    assert not Conversation.objects.filter(state="done").exists()


def test_a_confidential_message_begins_near_the_top(at_work, mailbox):
    page = at_work.page
    page.locator(".conversations .subject a").first.click()
    text = page.locator(".message .text").first
    expect(text).to_be_visible()
    assert text.bounding_box()["y"] <= 260
    assert page.get_by_text("Sekretess", exact=True).locator("visible=true").count() == 1 + sum(
        row.locator(".secret").count() for row in page.locator(".conversations > li").all()
    )
    # From the top of the conversation to assigning and answering.
    page.locator("#reading").focus()
    reached = []
    for _ in range(4):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.dataset.key"))
    assert "t" in reached[:3]
    assert "r" in reached[:4]


def test_seen_is_what_a_page_with_focus_has_had_in_view(at_work, mailbox, people):
    page = at_work.page
    row = Conversation.objects.order_by("-last_activity_at").first()
    # Fetched by itself, and by a browser that runs scripts: nothing is seen.
    for headers in ({"HX-Request": "true", "X-Background": "1"}, {"HX-Request": "true"}):
        assert page.request.get(f"{at_work.url}/konversation/{row.pk}/", headers=headers).ok
    assert not ReadMark.objects.exists()
    with page.expect_response(re.compile("/sedd$")):
        page.locator(".conversations .subject a").first.click()
    assert ReadMark.objects.filter(conversation=row).count() == 1


def test_a_list_that_is_scrolled_is_not_moved(at_work, mailbox, people):
    page = at_work.page
    link = page.locator(".conversations .subject a").nth(14)
    link.focus()
    before = link.bounding_box()
    new = fill_one(mailbox, "Något brådskande")
    with page.expect_response(re.compile(r"/brevlada/\d+/")):
        page.evaluate("document.body.dispatchEvent(new CustomEvent('mailbox-changed'))")
    expect(page.locator("#news")).to_have_text("1 ny")
    assert link.bounding_box() == before
    expect(link).to_be_focused()
    page.locator("#news").click()
    expect(page.locator(f"#row-{new.pk}")).to_be_visible()


def fill_one(mailbox, subject: str) -> Conversation:
    at = timezone.now()
    row = Conversation.objects.create(
        mailbox=mailbox,
        conversation_id=uuid.uuid4(),
        subject=subject,
        counterpart="Region Uppsala, Utskrivning",
        last_activity_at=at,
        last_arrived_at=at,
        message_count=1,
    )
    a_message(row, "Ring oss.", at)
    return row


def test_printing_shows_what_was_written_and_nothing_to_press(at_work, mailbox):
    page = at_work.page
    page.locator(".conversations .subject a").first.click()
    expect(page.locator(".message .text").first).to_be_visible()
    page.emulate_media(media="print")
    assert page.locator(".message .text").first.is_visible()
    assert page.locator("button:visible, form:visible, .button:visible").count() == 0
