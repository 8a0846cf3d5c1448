"""A message that is sent at a time that its sender has chosen: seen until then, undone, and held back."""

import re
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from mailbox.administration import mailboxes
from mailbox.drafts import composer, send_order
from mailbox.models import Draft, Membership, Message, OrganisationRole
from tests.mailbox.build import a_member, arrives, log_in
from tests.pages import in_one_line

from .test_sending import an_answer, form_of, looked_through, ready, seconds_pass

pytestmark = pytest.mark.django_db


def at(**delta) -> str:
    """A time from now, as the page's field sends it."""
    return f"{timezone.localtime() + timedelta(**delta):%Y-%m-%dT%H:%M}"


def order_later(client, draft: Draft, later: str, **extra):
    data = form_of(draft, action="later", later=later, confirmed="on")
    return client.post(reverse("check", args=[draft.pk]), data, **extra)


def test_what_is_sent_later_waits_for_its_time_and_is_sent_once(mailbox, function, client):
    person = a_member("Karin", mailbox)
    draft = ready(mailbox, function, person)
    log_in(client, person)
    review = in_one_line(client.get(reverse("check", args=[draft.pk])).content.decode())
    assert "Skicka senare" in review
    assert order_later(client, draft, at(days=2)).headers["Location"] == reverse("draft", args=[draft.pk])
    draft.refresh_from_db()
    assert timedelta(days=1, hours=23) < draft.send_at - timezone.now() <= timedelta(days=2)
    send_order.send_if_due(draft.pk)
    send_order.sweep()
    assert not Message.objects.exists()
    page = in_one_line(client.get(reverse("draft", args=[draft.pk])).content.decode())
    assert "Meddelandet skickas senare" in page
    assert "every 2s" not in page
    seconds_pass(draft)
    send_order.send_if_due(draft.pk)
    assert Message.objects.get().written_by == person


@pytest.mark.parametrize(
    "later",
    ["", "i morgon", "2026-13-01T08:00", "0001-01-01T00:00", "9999-12-31T23:59", "\0", "1", None],
)
def test_a_time_that_is_none_or_out_of_reach_is_told_and_nothing_is_ordered(mailbox, function, client, later):
    person = a_member("Karin", mailbox)
    draft = ready(mailbox, function, person)
    log_in(client, person)
    for text in [later] if later is not None else [at(minutes=5), at(days=61), at(days=-1)]:
        answer = order_later(client, draft, text)
        assert answer.status_code == 422
        assert "Välj en tid minst en kvart och högst 60 dagar fram." in answer.content.decode()
    assert Draft.objects.get().send_at is None


def buttons_of(page: str, form: str) -> list[str]:
    """The submit buttons of a form as a browser orders them: those outside it that belong to it as well."""
    begins = page.index(f'<form id="{form}"')
    ends = page.index("</form>", begins)
    return [
        found[0]
        for found in re.finditer(r"<button[^>]*>", page)
        if f'form="{form}"' in found[0] or begins < found.start() < ends
    ]


def test_enter_in_a_field_of_the_review_sends_nothing(mailbox, function, client):
    person = a_member("Karin", mailbox)
    draft = ready(mailbox, function, person)
    log_in(client, person)
    url = reverse("check", args=[draft.pk])
    assert 'value="enter"' in buttons_of(client.get(url).content.decode(), "send")[0]
    answer = client.post(url, form_of(draft, action="enter", later=at(days=2), confirmed="on"))
    assert answer.status_code == 422
    page = in_one_line(answer.content.decode())
    assert "Inget är skickat. Välj hur det ska skickas med en av knapparna." in page
    assert 'class="send-later" open' in page
    assert Draft.objects.get().send_at is None


def test_enter_in_a_field_of_a_draft_is_not_the_button_that_says_what_came_was_read(mailbox, client):
    karin = a_member("Karin", mailbox)
    draft = an_answer(arrives(mailbox), karin)
    arrives(mailbox, conversation=str(draft.answers.conversation.conversation_id))
    log_in(client, karin)
    buttons = buttons_of(client.get(reverse("draft", args=[draft.pk])).content.decode(), "draft")
    assert 'value="enter"' in buttons[0]
    assert any('value="seen:' in button for button in buttons)


def test_it_stands_among_the_drafts_and_in_its_conversation_and_in_no_notice(mailbox, client):
    karin, ahmed = a_member("Karin", mailbox), a_member("Ahmed", mailbox)
    message = arrives(mailbox)
    draft = an_answer(message, karin)
    log_in(client, karin)
    answer = order_later(client, draft, at(days=2), headers={"HX-Request": "true"})
    assert "Meddelandet skickas" in in_one_line(answer.content.decode())
    assert "data-waits" not in answer.content.decode()
    log_in(client, ahmed)
    day = timezone.localtime() + timedelta(days=2)
    said = f"Skickas {day.day} "
    conversation = client.get(reverse("conversation", args=[message.conversation_id])).content.decode()
    assert said in in_one_line(conversation)
    drafts = client.get(reverse("mailbox", args=[mailbox.pk]), {"view": "utkast"}).content.decode()
    assert said in in_one_line(drafts)
    assert "Skickas strax" not in drafts
    assert not send_order.outbox(mailbox, ahmed)


def test_it_is_undone_until_its_time_and_is_written_in_again(mailbox, function, client):
    person = a_member("Karin", mailbox)
    draft = ready(mailbox, function, person)
    log_in(client, person)
    order_later(client, draft, at(days=2))
    client.post(reverse("undo-sending", args=[draft.pk]))
    draft.refresh_from_db()
    assert draft.send_at is None
    composer.save(draft.pk, draft.version, composer.Content({"text": "Ändrat"}), person)


def test_it_comes_back_when_somebody_has_written_meanwhile(mailbox):
    person = a_member("Karin", mailbox)
    message = arrives(mailbox)
    draft = an_answer(message, person)
    later = timezone.now() + timedelta(days=2)
    send_order.order(draft.pk, looked_through(draft, is_confirmed=True), person, at=later)
    arrives(mailbox, conversation=str(message.conversation.conversation_id))
    seconds_pass(draft)
    send_order.send_if_due(draft.pk)
    draft.refresh_from_db()
    assert (draft.send_at, draft.trouble) == (None, send_order.ANSWERED_MEANWHILE)
    assert list(send_order.outbox(mailbox, person)) == [draft]


@pytest.mark.parametrize("how", ["removed", "locked"])
def test_it_comes_back_when_its_sender_is_no_member_any_more(mailbox, function, client, how):
    karin, ahmed = a_member("Karin", mailbox), a_member("Ahmed", mailbox)
    eva = a_member("Eva")
    mailboxes.appoint(mailbox.participant_id, eva, OrganisationRole.Role.ADMINISTRATOR)
    draft = ready(mailbox, function, karin)
    send_order.order(draft.pk, looked_through(draft), karin, at=timezone.now() + timedelta(days=2))
    if how == "removed":
        mailboxes.remove_member(eva, Membership.objects.get(person=karin))
    else:
        mailboxes.set_locked(eva, karin, is_locked=True)
    seconds_pass(draft)
    send_order.send_if_due(draft.pk)
    assert not Message.objects.exists()
    draft.refresh_from_db()
    assert draft.trouble == send_order.NOT_A_MEMBER
    log_in(client, ahmed)
    page = in_one_line(client.get(reverse("draft", args=[draft.pk])).content.decode())
    assert "är inte längre medlem i brevlådan" in page
