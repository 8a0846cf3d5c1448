"""The workplace, measured: clicks, keys, page loads and pixels of everyday work, against the goals."""

import re
import uuid
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Browser, ConsoleMessage, Request, Route, expect

from addressbook import models as book
from mailbox.conversations import labels, notes, undo
from mailbox.models import (
    AccessLogEntry,
    Attachment,
    Conversation,
    Document,
    Draft,
    FunctionMailbox,
    Membership,
    Message,
    ReadMark,
    WritingChoices,
)
from tests.journeys import workplace_figures
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


@pytest.mark.figures
def test_the_list_shows_many_conversations_at_once(at_work, record_property):
    page = at_work.page
    workplace_figures.check(workplace_figures.rows_in_view(page), record_property)
    workplace_figures.resize(page, "1440×900")
    page.get_by_label("Kompakt").uncheck()
    rows = page.locator(".conversations > li")
    assert all(row.bounding_box()["height"] <= 74 for row in rows.all()[:5])
    at_work.check_accessibility()


@pytest.mark.figures
def test_open_assign_and_go_on_are_one_key_each_and_no_page_load(at_work, record_property):
    page = at_work.page
    page.evaluate("window.stillHere = true")
    figures = workplace_figures.open_assign_and_go_on(page, ["ärende 0", "ärende 1"])
    assert "/konversation/" in page.url
    expect(page.locator("#notices")).to_contain_text("Tilldelad dig: Begäran om yttrande")
    expect(page.locator(".place")).to_contain_text(f"2 av {COUNT}")
    # Done: the next comes by itself, and z takes it back.
    figures += workplace_figures.finish_one(page, "ärende 2")
    workplace_figures.check(figures, record_property)
    expect(page.locator(".conversations > li")).to_have_count(25)
    expect(page.locator("#notices")).to_contain_text("Klar: Begäran")
    page.keyboard.press("z")
    expect(page.get_by_role("heading", level=1, name=re.compile("ärende 1$"))).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", level=1, name=re.compile("ärende 2$"))).to_be_visible()
    assert page.evaluate("window.stillHere") is True
    at_work.check_accessibility()


@pytest.mark.figures
@pytest.mark.parametrize("size", ["1440×900", "1920×1080"])
def test_an_answer_from_the_list_is_one_key_its_text_and_two_more(at_work, mailbox, size, record_property):
    WritingChoices.objects.create(mailbox=mailbox, undo_seconds=300)
    page = at_work.page
    workplace_figures.resize(page, size)
    where = page.url
    page.locator(".conversations .subject a").nth(1).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1, name=re.compile("ärende 1$"))).to_be_visible()
    page.locator(".conversations .subject a").nth(1).focus()
    figures = workplace_figures.answer_from_the_list(page, "Ni får svar i dag.")
    workplace_figures.check(figures, record_property)
    assert page.url != where
    draft = Draft.objects.get()
    assert draft.text.startswith("Ni får svar i dag.")
    assert draft.send_at is not None


@pytest.mark.figures
def test_twenty_are_marked_as_done_by_three_clicks_and_one_undoes_it(at_work, record_property):
    page = at_work.page
    workplace_figures.check(workplace_figures.finish_twenty(page), record_property)
    expect(page.locator(".conversations > li")).to_have_count(COUNT - 20)
    assert Conversation.objects.filter(state="done").count() == 20
    page.locator("#notices").get_by_role("button", name="Ångra").click()
    expect(page.locator("#notices")).to_contain_text("Ändringen är ångrad.")
    assert not Conversation.objects.filter(state="done").exists()


@pytest.mark.figures
def test_a_confidential_message_begins_near_the_top(at_work, record_property):
    page = at_work.page
    page.locator(".conversations .subject a").first.click()
    expect(page.locator(".message .text").first).to_be_visible()
    workplace_figures.check(workplace_figures.pixels_before_the_text(page), record_property)
    assert page.get_by_text("Sekretess", exact=True).locator("visible=true").count() == 1 + sum(
        row.locator(".secret").count() for row in page.locator(".conversations > li").all()
    )


@pytest.mark.figures
def test_few_tabs_lead_from_the_top_of_a_conversation_to_its_actions(at_work, record_property):
    page = at_work.page
    page.locator(".conversations .subject a").first.click()
    expect(page.locator(".message .text").first).to_be_visible()
    workplace_figures.check(workplace_figures.tabs_to_the_actions(page), record_property)


@pytest.mark.figures
def test_an_entry_of_the_address_book_leads_to_a_draft_by_one_click(at_work, record_property):
    organisation = book.Organisation.objects.create(
        book_id="o1", participant_id="0203:af.se", name="Arbetsförmedlingen", kind="O"
    )
    book.FunctionAddress.objects.create(
        book_id="f1", organisation=organisation, identifier="sdk:af", name="Avdelningen för arbetsträning"
    )
    page = at_work.page
    page.goto(f"{at_work.url}/adressbok/organisation/{organisation.pk}/")
    figures = workplace_figures.address_book_to_draft(page, "Avdelningen för arbetsträning")
    workplace_figures.check(figures, record_property)


def test_seen_is_what_a_page_with_focus_has_had_in_view(at_work, mailbox, people):
    page = at_work.page
    row = Conversation.objects.order_by("-last_activity_at").first()
    # Fetched by itself, and by a browser that runs scripts: nothing is seen.
    for headers in ({"HX-Request": "true", "X-Background": "1"}, {"HX-Request": "true"}):
        assert page.request.get(f"{at_work.url}/konversation/{row.pk}/", headers=headers).ok
    assert not ReadMark.objects.exists()
    icon = page.locator('link[rel="icon"]')
    expect(page).to_have_title(re.compile(rf"^\({COUNT}\) "))
    expect(icon).to_have_attribute("href", re.compile("mark-unread"))
    with page.expect_response(re.compile("/sedd$")):
        page.locator(".conversations .subject a").first.click()
    assert ReadMark.objects.filter(conversation=row).count() == 1
    # A tab in the background tells how many are left, by its title.
    expect(page).to_have_title(re.compile(rf"^\({COUNT - 1}\) Begäran om"))
    Conversation.objects.update(state="done")
    page.evaluate("document.body.dispatchEvent(new CustomEvent('mailbox-changed'))")
    expect(page).to_have_title(re.compile("^Begäran om"))
    expect(icon).to_have_attribute("href", re.compile(r"mark(\.\w+)?\.svg"))


def test_a_note_below_what_is_in_view_is_not_seen_before_it_is_scrolled_to(at_work, mailbox, people):
    karin, ahmed = people
    page = at_work.page
    row = Conversation.objects.order_by("-last_activity_at").first()
    Document.objects.filter(message__conversation=row).delete()
    Document.objects.create(message=row.messages.get(), position=1, texts=["Ett stycke.\n\n" * 60])
    notes.write(row.pk, ahmed, "@Karin Svensson, ring")
    with page.expect_response(re.compile("/sedd$")):
        page.locator(".conversations .subject a").first.click()
    assert ReadMark.objects.filter(conversation=row, person=karin).exists()
    assert notes.mentions_of(karin).count() == 1
    with page.expect_response(re.compile("/sedd$")):
        page.locator(".note").scroll_into_view_if_needed()
    assert not notes.mentions_of(karin).exists()


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


def test_a_page_that_is_up_to_date_is_not_fetched_again_when_its_stream_opens(at_work):
    page = at_work.page
    streams, fetched, said = [], [], ["event: here\ndata: 1\n\n"]

    def stream(route: Route) -> None:
        streams.append(route.request.url)
        body = f"retry: 600000\n\n{said[0]}"
        route.fulfill(status=200, content_type="text/event-stream", body=body)

    def note(request: Request) -> None:
        if "x-background" in request.headers:
            fetched.append(request.url)

    page.route("**/handelser*", stream)
    page.on("request", note)
    page.reload()
    page.wait_for_function("window.liveEvents !== undefined")
    open_first(page)
    wait_until(page, lambda: streams and "conversation=" in streams[-1])
    # The page was made seconds ago, and so was the conversation beside its list.
    assert all("continued=1" in address for address in streams)
    assert fetched == []
    # What has changed is fetched as ever.
    said[0] = "event: changed\ndata: 1\n\n"
    page.keyboard.press("j")
    page.locator(".conversations .subject a").nth(1).click()
    wait_until(page, lambda: any("/brevlada/" in address for address in fetched))
    # A page that has heard nothing for long does not say that it is up to date.
    said[0] = "event: here\ndata: 1\n\n"
    page.evaluate("() => { const now = Date.now; Date.now = () => now() + 60000; }")
    page.locator(".conversations .subject a").nth(2).click()
    wait_until(page, lambda: "continued" not in streams[-1])


def wait_until(page, holds) -> None:
    """Let the page work until it holds; its time limit ends it."""
    for _ in range(400):
        if holds():
            return
        page.wait_for_timeout(50)
    raise AssertionError("it never held")


def test_what_waits_on_the_start_page_is_not_moved_under_a_hand(at_work, mailbox, people):
    page = at_work.page
    page.goto(f"{at_work.url}/")
    link = page.locator(".waiting a").first
    before = link.bounding_box()
    new = fill_one(mailbox, "Kom inte fram till Region Uppsala")
    Conversation.objects.filter(pk=new.pk).update(is_not_delivered=True)
    # For as long as the page's clock stands, the pointer has moved just now.
    page.evaluate("""() => {
        const now = Date.now();
        window.passing = Date.now;
        Date.now = () => now;
    }""")
    link.hover()
    with page.expect_response(f"{at_work.url}/"):
        page.evaluate("document.body.dispatchEvent(new CustomEvent('mailbox-changed'))")
    assert link.bounding_box() == before
    # The hand rests: what is urgent comes, above it.
    page.evaluate("() => { Date.now = window.passing; }")
    expect(page.get_by_role("link", name=new.subject).first).to_be_visible()
    assert link.inner_text() == new.subject


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
    page.emulate_media(media="print")
    rows = page.locator(".conversations > li")
    assert rows.nth(4).is_visible(), "of a list its rows"
    assert page.locator("button:visible, input:visible, .button:visible").count() == 0
    page.emulate_media(media="screen")
    page.locator(".conversations .subject a").first.click()
    expect(page.locator(".message .text").first).to_be_visible()
    page.emulate_media(media="print")
    assert page.locator(".message .text").first.is_visible()
    assert not rows.first.is_visible()
    assert page.locator("button:visible, input:visible, .button:visible").count() == 0


def test_the_print_button_prints_once_and_is_logged_once(at_work):
    page = at_work.page
    page.evaluate("""() => {
        window.prints = 0;
        window.print = () => {
            window.prints += 1;
            dispatchEvent(new Event("beforeprint"));
        };
    }""")
    open_first(page)
    page.locator(".reading-tools").get_by_label("Mer").click()
    with page.expect_response(re.compile("/utskriven$")):
        page.get_by_role("button", name="Skriv ut").click()
    assert page.evaluate("window.prints") == 1
    assert AccessLogEntry.objects.filter(what="conversation-printed").count() == 1


def open_first(page) -> None:
    page.locator(".conversations .subject a").first.click()
    expect(page.locator(".message .text").first).to_be_visible()


def test_a_conversation_is_prioritised_by_key_and_by_pointer_and_undone(at_work):
    page = at_work.page
    open_first(page)
    page.keyboard.press("!")
    sign = page.locator(".conversations > li.is-open .sign.priority")
    expect(sign).to_be_visible()
    expect(page.locator("#notices")).to_contain_text("Prioriterad: Begäran om yttrande")
    expect(page.locator(".title-line")).to_contain_text("Prioriterad")
    expect(page.locator(".facts form")).to_contain_text("Prioriterad")
    tools = page.locator(".reading-tools").bounding_box()
    assert tools["height"] <= 40, "the toolbar stays one line"
    page.keyboard.press("z")
    expect(sign).to_have_count(0)
    # Focus stays on the button that was pressed, which does the opposite now.
    page.locator(".reading-head").get_by_role("button", name="Prioritera").click()
    expect(page.locator(".reading-head").get_by_role("button", name="Ta bort prioritet")).to_be_focused()
    page.locator(".facts").get_by_role("button", name="Ta bort prioritet").click()
    expect(page.locator(".facts").get_by_role("button", name="Prioritera")).to_be_focused()
    expect(sign).to_have_count(0)
    page.keyboard.press("!")
    expect(sign).to_be_visible()
    at_work.check_accessibility()


def test_of_two_who_assign_themselves_one_is_told_that_the_other_was_first(
    at_work, browser, live_server, people
):
    ahmed = Colleague(browser, live_server.url, people[1])
    page = at_work.page
    open_first(page)
    ahmed.page.goto(page.url)
    # Both pages offer it: neither has heard of the other.
    expect(ahmed.page.locator("#assign")).to_have_text("Tilldela mig")
    ahmed.page.keyboard.press("t")
    expect(ahmed.page.locator(".reading-facts")).to_contain_text("Tilldelad dig")
    page.keyboard.press("t")
    notice = page.locator("#notices .toast.error")
    expect(notice).to_contain_text("Någon annan har hunnit tilldelas konversationen. Ingenting har ändrats.")
    expect(page.locator(".reading-facts")).to_contain_text("Tilldelad Ahmed Lindqvist")
    # It is taken over only from whom the page names.
    page.keyboard.press("t")
    expect(page.locator(".reading-facts")).to_contain_text("Tilldelad dig")
    ahmed.page.locator("#assign").click()
    expect(ahmed.page.locator("#notices .toast.error")).to_contain_text("inte tilldelad dig längre")
    expect(ahmed.page.locator(".reading-facts")).to_contain_text("Tilldelad Karin Svensson")
    ahmed.close()


def test_a_reminder_is_set_by_one_press_in_a_conversation_and_for_several(at_work):
    page = at_work.page
    open_first(page)
    page.keyboard.press("p")
    page.locator(".reading-tools").get_by_role("button", name="I morgon").click()
    expect(page.locator(".reading-facts")).to_contain_text("Tas upp igen")
    assert Conversation.objects.exclude(remind_at=None).count() == 1
    at_work.check_accessibility()
    boxes = page.locator(".conversations input[name=chosen]")
    boxes.nth(3).check()
    boxes.nth(5).check()
    page.get_by_text("Med valda").click()
    page.locator(".chosen-actions").get_by_role("button", name="På måndag").click()
    expect(page.locator("#notices")).to_contain_text("2 konversationer")
    assert Conversation.objects.exclude(remind_at=None).count() == 3
    # Enter in the day's field is the button beside it, and not the form's first one.
    assigned = Conversation.objects.exclude(assignee=None).count()
    page.locator(".conversations input[name=chosen]").nth(6).check()
    page.locator(".chosen-actions").evaluate("menu => (menu.open = true)")
    page.locator("#many-day").fill((timezone.localdate() + timedelta(days=3)).isoformat())
    page.keyboard.press("Enter")
    expect(page.locator("#notices")).to_contain_text("3 konversationer")
    assert Conversation.objects.exclude(remind_at=None).count() == 4
    assert Conversation.objects.exclude(assignee=None).count() == assigned


def test_a_label_is_created_where_it_is_used(at_work, mailbox):
    page = at_work.page
    open_first(page)
    page.keyboard.press("l")
    page.get_by_label("Ny etikett").fill("Väntar på läkare")
    page.get_by_label("Ny etikett").press("Enter")
    expect(page.locator(".reading-facts")).to_contain_text("Väntar på läkare")
    # The page is a new one: its keys come with its scripts.
    page.wait_for_load_state("load")
    page.keyboard.press("l")
    page.get_by_label("Ny etikett").evaluate("field => field.removeAttribute('maxlength')")
    page.get_by_label("Ny etikett").fill("a" * 41)
    page.get_by_label("Ny etikett").press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("högst 40 tecken")
    expect(page.get_by_label("Ny etikett")).to_have_value("a" * 41)
    expect(page.get_by_label("Väntar på läkare")).to_be_checked()
    at_work.check_accessibility()


def test_a_view_across_mailboxes_is_narrowed_saved_and_come_back_to(at_work, people):
    page = at_work.page
    beside = FunctionMailbox.objects.create(participant_id=HERE, address="x", name="Ekonomi")
    Membership.objects.create(person=people[0], mailbox=beside)
    fill_one(beside, "En faktura")
    page.goto(f"{at_work.url}/vyer/")
    rows = page.locator(".conversations > li")
    expect(rows.first).to_contain_text("Ekonomi")
    expect(rows.nth(1)).to_contain_text("Mottagning")
    at_work.check_accessibility()
    page.get_by_text("Begränsa och sortera").click()
    page.get_by_label("Ekonomi", exact=True).check()
    page.get_by_role("button", name="Visa", exact=True).click()
    expect(rows).to_have_count(1)
    page.locator(".list-foot").get_by_text("Mina vyer").click()
    page.get_by_label("Spara vyn med namnet").fill("Fakturor")
    page.get_by_role("button", name="Spara vyn").click()
    expect(page.locator("#notices")).to_contain_text("Vyn är sparad.")
    saved = page.get_by_role("navigation", name="Brevlådor och vyer").get_by_role("link", name="Fakturor 1")
    expect(saved).to_have_attribute("aria-current", "page")
    rows.locator(".subject a").click()
    expect(page.get_by_role("heading", level=1, name="En faktura")).to_be_visible()
    page.reload()
    expect(rows).to_have_count(1)
    page.keyboard.press("e")
    expect(page).to_have_url(re.compile(r"/vyer/\?"))
    expect(page.locator("#nothing-open")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", level=1, name="En faktura")).to_be_visible()
    at_work.check_accessibility()


def test_names_after_an_at_sign_are_completed_by_keyboard(at_work, mailbox):
    a_member("Ahmed Karlsson", mailbox)
    page = at_work.page
    open_first(page)
    page.keyboard.press("n")
    note = page.get_by_label("Anteckning", exact=True)
    expect(note).to_be_focused()
    page.keyboard.type("Hör av dig, @ah")
    options = page.get_by_role("listbox", name="Medlemmar").get_by_role("option")
    expect(options).to_have_text(["Ahmed Karlsson", "Ahmed Lindqvist"])
    at_work.check_accessibility()
    page.keyboard.press("ArrowDown")
    expect(options.nth(1)).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Enter")
    expect(note).to_have_value("Hör av dig, @Ahmed Lindqvist ")
    expect(options.first).to_be_hidden()
    # Escape closes the list alone, and then the form.
    page.keyboard.type("@")
    expect(options).to_have_count(2)
    page.keyboard.press("Escape")
    expect(options.first).to_be_hidden()
    expect(note).to_be_visible()
    page.keyboard.press("Backspace")
    page.get_by_role("button", name="Spara anteckningen").click()
    expect(page.locator(".note")).to_contain_text("@Ahmed Lindqvist")


def test_enter_in_the_time_of_sending_later_sends_it_then_and_not_now(at_work):
    page = at_work.page
    # One that is not confidential: nothing has to be confirmed.
    page.locator(".conversations .subject a").nth(1).click()
    expect(page.get_by_role("heading", level=1, name=re.compile("ärende 1$"))).to_be_visible()
    page.keyboard.press("r")
    expect(page.get_by_label("Meddelande", exact=True)).to_be_focused()
    page.keyboard.type("Ni får svar i morgon.")
    page.keyboard.press("Control+Enter")
    review = page.get_by_role("group", name="Granska och skicka")
    expect(review).to_be_visible()
    review.get_by_text("Skicka senare").click()
    page.get_by_label("Skickas", exact=True).focus()
    page.keyboard.press("Enter")
    expect(page.locator("#composer")).to_contain_text("Meddelandet skickas")
    assert Draft.objects.get().send_at > timezone.now() + timedelta(hours=1)


def test_a_file_that_is_dropped_while_a_note_is_written_takes_nothing_away(at_work):
    page = at_work.page
    open_first(page)
    page.keyboard.press("n")
    page.keyboard.type("Ring i dag")
    prevented = page.evaluate("""() => {
        const data = new DataTransfer();
        data.items.add(new File(["%PDF-1.7"], "tappad.pdf", {type: "application/pdf"}));
        const drop = (name) => new DragEvent(name, {dataTransfer: data, bubbles: true, cancelable: true});
        const heading = document.querySelector("#reading h1");
        return [heading.dispatchEvent(drop("dragover")), heading.dispatchEvent(drop("drop"))];
    }""")
    assert prevented == [False, False], "the browser opens nothing in place of the page"
    expect(page.get_by_label("Anteckning", exact=True)).to_have_value("Ring i dag")


def _overlaps(one, other) -> bool:
    return not (
        one["x"] + one["width"] <= other["x"]
        or other["x"] + other["width"] <= one["x"]
        or one["y"] + one["height"] <= other["y"]
        or other["y"] + other["height"] <= one["y"]
    )


@pytest.mark.parametrize("size", [(1440, 900), (1920, 1080), (390, 844)])
def test_a_notice_covers_neither_the_list_s_end_nor_the_composer_s_buttons(at_work, size, monkeypatch):
    # It stays as long as the test lasts.
    monkeypatch.setattr(undo, "UNDO_SECONDS", 600)
    page = at_work.page
    page.set_viewport_size({"width": size[0], "height": size[1]})
    open_first(page)
    page.locator("#assign").click()
    toast = page.locator("#notices .toast")
    expect(toast).to_contain_text("Tilldelad dig")
    list_url = at_work.url + page.locator("[data-list]").get_attribute("data-list")
    page.get_by_role("link", name="Svara", exact=True).click()
    # In one pane the answer has a page of its own.
    buttons = page.locator(".composer .in-thread > .toolbar button:visible, #draft > .toolbar button:visible")
    expect(buttons.first).to_be_visible()
    for button in buttons.all():
        button.evaluate("element => element.scrollIntoView({ block: 'nearest' })")
        # A page of its own tells nothing of what was done before.
        if toast.count():
            assert not _overlaps(toast.bounding_box(), button.bounding_box()), button.inner_text()
    page.goto(list_url)
    for end in (page.locator("#list > p a.button"), page.locator(".list-foot .filter")):
        end.scroll_into_view_if_needed()
        end.evaluate("element => element.scrollIntoView({ block: 'nearest' })")
        assert not _overlaps(toast.bounding_box(), end.bounding_box())
