"""Line ends, assignment by answering, Enter in a field, and what a form lets through."""

import pytest
from django.urls import reverse

from mailbox.drafts import composer, ownership, send_order
from mailbox.drafts.composer import Content
from mailbox.drafts.forms import DraftForm
from mailbox.models import Conversation, Draft, Message, WritingChoices
from mailbox.texts import markdown
from tests.mailbox.build import a_member, arrives, log_in, send_now

pytestmark = pytest.mark.django_db
SIGNATURE = "Med vänlig hälsning\nMottagningen\nHåbo kommun"


@pytest.fixture
def karin(mailbox):
    return a_member("Karin", mailbox)


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        (SIGNATURE, "Med vänlig hälsning  \nMottagningen  \nHåbo kommun"),
        ("Ett stycke\n\nEtt annat", "Ett stycke\n\nEtt annat"),
        ("En rad\r\nEn till", "En rad  \nEn till"),
        ("Redan så  \nskrivet", "Redan så  \nskrivet"),
        ("Sista raden\n", "Sista raden\n"),
        ("", ""),
    ],
)
def test_a_line_end_is_sent_as_the_two_spaces_and_return_that_every_supplier_shows(written, sent):
    assert markdown.with_hard_breaks(written) == sent
    assert markdown.with_hard_breaks(sent) == sent


@pytest.mark.parametrize("text", [SIGNATURE, markdown.with_hard_breaks(SIGNATURE)])
def test_a_line_end_is_shown_as_it_was_written_whoever_wrote_it(text):
    assert markdown.render(text) == "<p>Med vänlig hälsning<br>\nMottagningen<br>\nHåbo kommun</p>\n"


def test_lists_and_headings_are_shown_as_before_with_hard_breaks():
    text = "# Rubrik\n* ett\n* två\n\n1. a\n2. b"
    assert markdown.render(markdown.with_hard_breaks(text)) == markdown.render(text)


def test_the_mailbox_s_signature_keeps_its_lines_in_the_message(mailbox, karin):
    WritingChoices.objects.create(mailbox=mailbox, signature=SIGNATURE.replace("\n", "\r\n"))
    draft = composer.begin_answer(arrives(mailbox), karin)
    content = DraftForm.content_of({"subject": "Sv", "text": f"Hej\r\n\r\n{SIGNATURE}"})
    sent = send_now(draft.pk, draft.version, content, karin).messages.latest("pk")
    assert sent.documents.get().texts == [f"Hej\n\n{markdown.with_hard_breaks(SIGNATURE)}"]


def test_what_a_function_says_of_itself_in_the_address_book_keeps_its_lines(mailbox, function, karin, client):
    function.description = "Ansökningar\nFrågor"
    function.save()
    log_in(client, karin)
    page = reverse("addressbook:organisation", args=[function.organisation_id])
    assert "Ansökningar<br>Frågor" in client.get(page).content.decode()


def answered(mailbox, person, message: Message) -> Conversation:
    draft = composer.begin_answer(message, person, is_own=True)
    content = Content({"subject": "Sv", "text": "Svar"})
    return send_now(draft.pk, draft.version, content, person)


def test_answering_assigns_what_nobody_is_responsible_for_and_takes_it_from_nobody(mailbox, karin):
    message = arrives(mailbox)
    assert answered(mailbox, karin, message).assignee == karin
    ahmed = a_member("Ahmed", mailbox)
    assert answered(mailbox, ahmed, message).assignee == karin


def test_a_mailbox_can_choose_that_answering_assigns_nobody(mailbox, karin, client):
    log_in(client, karin)
    url = reverse("writing", args=[mailbox.pk])
    assert client.post(url, {"action": "assigning"}).status_code == 404, "its managers choose"
    WritingChoices.objects.create(mailbox=mailbox, assigns_on_answer=False)
    assert answered(mailbox, karin, arrives(mailbox)).assignee is None
    mailbox.memberships.update(role="manager")
    assert client.post(url, {"action": "assigning", "assigns_on_answer": "on"}).status_code == 302
    assert answered(mailbox, karin, arrives(mailbox)).assignee == karin


def test_a_conversation_of_a_colleague_s_says_so_where_one_writes_and_reviews(mailbox, karin, client):
    message = arrives(mailbox)
    Conversation.objects.update(assignee=a_member("Ahmed", mailbox))
    draft = composer.begin_answer(message, karin)
    composer.save(draft.pk, draft.version, Content({"subject": "Sv", "text": "Svar"}), karin)
    log_in(client, karin)
    for name in ("draft", "check"):
        page = client.get(reverse(name, args=[draft.pk])).content.decode()
        assert "Konversationen är tilldelad" in page
        assert "Ahmed" in page


def test_enter_in_a_field_searches_where_something_is_searched_for_and_keeps_the_hits(
    mailbox, function, karin, client
):
    draft = composer.begin(mailbox, karin)
    log_in(client, karin)
    form = {
        "action": "enter",
        "version": draft.version,
        "subject": "Ett ämne",
        "text": "",
        "q": "arbetsträning",
    }
    page = client.post(reverse("draft", args=[draft.pk]), form)
    assert page.context["question"] == "arbetsträning"
    assert 'value="arbetsträning"' in page.content.decode()
    assert Draft.objects.get().subject == "Ett ämne"


def test_the_reply_in_the_thread_is_fragments_of_the_same_pages(mailbox, karin, client):
    """Begun, found incomplete, reviewed and sent, without a page of its own."""
    log_in(client, karin)
    message = arrives(mailbox)
    fragment = {"headers": {"HX-Request": "true"}}

    def templates(response) -> str:
        return response.templates[0].name

    begun = client.post(reverse("answer", args=[message.pk]), {"seen": message.pk}, **fragment)
    assert templates(begun) == "drafts/_composer_form.html"
    draft = Draft.objects.get()
    url = reverse("draft", args=[draft.pk])
    form = {"action": "check", "version": draft.version, "subject": "Sv: Kallelse", "text": ""}
    incomplete = client.post(url, form, **fragment)
    assert (incomplete.status_code, templates(incomplete)) == (422, "drafts/_composer_form.html")
    draft.refresh_from_db()
    review = client.post(url, form | {"version": draft.version, "text": "Svar"}, **fragment)
    assert templates(review) == "drafts/_composer_review.html"
    draft.refresh_from_db()
    looked = {"version": draft.version, "attachments": "", "confirmed": "on"}
    sent = client.post(reverse("check", args=[draft.pk]), looked, **fragment)
    assert templates(sent) == "drafts/_composer_sent.html"
    assert Draft.objects.get().send_at is not None
    undone = client.post(reverse("undo-sending", args=[draft.pk]), follow=True, **fragment)
    assert templates(undone) == "drafts/_composer_form.html"
    assert "Svar" in undone.content.decode()


def test_chips_change_without_a_page_and_tell_the_version_that_the_form_then_has(
    mailbox, function, karin, client
):
    draft = composer.begin(mailbox, karin)
    log_in(client, karin)
    form = {"action": "add", "version": draft.version, "subject": "", "text": "", "recipient": function.pk}
    added = client.post(reverse("draft", args=[draft.pk]), form, headers={"HX-Request": "true"})
    draft.refresh_from_db()
    assert added.templates[0].name == "drafts/_recipients.html"
    assert f'data-version="{draft.version}"' in added.content.decode()
    assert draft.recipient_address == function.identifier


def test_writing_to_a_function_begins_a_draft_to_it_from_the_mailbox_used_last(
    mailbox, function, karin, client
):
    log_in(client, karin)
    response = client.post(reverse("write-to", args=[function.pk]))
    draft = Draft.objects.get()
    assert response.headers["Location"] == reverse("draft", args=[draft.pk])
    assert (draft.mailbox, draft.recipient_address) == (mailbox, function.identifier)
    entry = reverse("addressbook:organisation", args=[function.organisation_id])
    assert reverse("write-to", args=[function.pk]) in client.get(entry).content.decode()
    log_in(client, a_member("Utan brevlåda"))
    assert client.post(reverse("write-to", args=[function.pk])).status_code == 404
    assert reverse("write-to", args=[function.pk]) not in client.get(entry).content.decode()


@pytest.mark.parametrize("typed", ["9" * 40, "-1", "²", "\x00", "1.0", ""])
def test_what_is_no_number_is_answered_and_changes_nothing(mailbox, karin, client, typed):
    draft = composer.begin(mailbox, karin)
    draft = composer.save(draft.pk, draft.version, Content({"text": "Hej"}), karin)
    log_in(client, karin)
    url = reverse("draft", args=[draft.pk])
    for form in (
        {"action": "save", "version": typed, "text": "Annat"},
        {"action": f"detach:{typed}", "version": draft.version, "text": "Hej"},
        {"action": f"seen:{typed}", "version": draft.version, "text": "Hej"},
        {"action": "add", "recipient": typed, "version": draft.version, "text": "Hej"},
    ):
        assert client.post(url, form).status_code in {302, 404, 409}
    for action, field in (("canned", "canned"), ("inside", "inside"), ("add-list", "distribution_list")):
        form = {"action": action, field: typed, "version": draft.version, "text": "Hej"}
        assert client.post(url, form).status_code == 404
    assert client.post(
        reverse("check", args=[draft.pk]), {"version": typed, "attachments": typed}
    ).status_code in {
        409,
        422,
    }
    assert client.get(reverse("mailings", args=[mailbox.pk]), {"before": typed}).status_code == 200
    assert Draft.objects.get().text == "Hej"


def test_a_version_is_taken_over_only_as_it_was_read(mailbox, karin):
    draft = composer.begin(mailbox, karin)
    draft = composer.save(draft.pk, draft.version, Content({"text": "Hej"}), karin)
    with pytest.raises(composer.DraftChanged):
        ownership.take_over(draft.pk, draft.version - 1, a_member("Ahmed", mailbox))
    assert send_order.unseen_messages(draft).count() == 0
