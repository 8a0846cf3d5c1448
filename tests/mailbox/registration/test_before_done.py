"""A mailbox that demands registration before done: every way to done, and what leads on."""

import re
import uuid

import pytest
from django.urls import reverse

from mailbox.conversations import state_changes, undo
from mailbox.models import Conversation, ConversationEvent, Registration, RetentionRule
from mailbox.registration.entries import register, withdraw
from tests.mailbox.build import a_member, arrives, log_in

from .build import CASE, MINOR, Mode, with_mode

pytestmark = pytest.mark.django_db
HTMX = {"HTTP_HX_REQUEST": "true", "HTTP_HX_TARGET": "reading"}


@pytest.fixture
def demanding(mailbox):
    return with_mode(mailbox, Mode.REQUIRED, "KS {år}/{nr}")


@pytest.fixture
def karin(demanding, client):
    person = a_member("Karin", demanding)
    log_in(client, person)
    return person


def arrived(mailbox):
    return arrives(mailbox, conversation=str(uuid.uuid4()), message_id=str(uuid.uuid4()))


def state_of(message) -> str:
    return Conversation.objects.get(pk=message.conversation_id).state


def test_a_conversation_is_not_done_before_it_is_registered(demanding, karin):
    message = arrived(demanding)
    with pytest.raises(state_changes.NotRegistered):
        state_changes.finish(message.conversation_id, karin)
    assert state_of(message) == "open"
    register(message.conversation_id, karin, CASE)
    state_changes.finish(message.conversation_id, karin)
    assert state_of(message) == "done"


def test_a_stated_reason_is_enough(demanding, karin):
    message = arrived(demanding)
    register(message.conversation_id, karin, MINOR)
    state_changes.finish(message.conversation_id, karin)
    assert state_of(message) == "done"


def test_one_message_that_is_not_registered_keeps_it_open(demanding, karin):
    message = arrived(demanding)
    register(message.conversation_id, karin, CASE)
    conversation = str(message.conversation.conversation_id)
    arrives(demanding, conversation=conversation, message_id=str(uuid.uuid4()))
    with pytest.raises(state_changes.NotRegistered):
        state_changes.finish(message.conversation_id, karin)


def test_undoing_does_not_make_it_done_behind_the_demand(demanding, karin):
    message = arrived(demanding)
    made = register(message.conversation_id, karin, CASE)
    state_changes.finish(message.conversation_id, karin)
    reopened = state_changes.reopen(message.conversation_id, karin)
    withdraw(made, karin, "Fel ärende")
    with pytest.raises(undo.TooLateToUndo):
        undo.undo(reopened.pk, karin)
    assert state_of(message) == "open"


def test_what_is_done_already_stays_done(demanding, karin):
    message = arrived(demanding)
    made = register(message.conversation_id, karin, CASE)
    state_changes.finish(message.conversation_id, karin)
    withdraw(made, karin, "Fel ärende")
    state_changes.finish(message.conversation_id, karin)
    assert state_of(message) == "done"


def test_the_button_leads_to_the_form_which_then_finishes(demanding, karin, client):
    message = arrived(demanding)
    following = arrived(demanding)
    place = {"list": "view=mina", "next": following.conversation_id, "next_list": "view=mina"}
    response = client.post(reverse("act", args=[message.conversation_id]), {"action": "finish", **place})
    assert response.status_code == 302
    url = response.headers["Location"]
    assert url.startswith(reverse("register", args=[message.conversation_id]))
    page = client.get(url).content.decode()
    assert "innan konversationen är klar" in page
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)"\s+value="([^"]*)"', page))
    assert fields["next"] == str(following.conversation_id)
    posted = fields | {"kind": "case", "case_number": "KS 2026/9", "finish": "on"}
    response = client.post(url, posted)
    assert state_of(message) == "done"
    assert response.headers["Location"].startswith(reverse("conversation", args=[following.conversation_id]))


def test_without_a_page_load_the_form_is_a_page_of_its_own(demanding, karin, client):
    message = arrived(demanding)
    response = client.post(reverse("act", args=[message.conversation_id]), {"action": "finish"}, **HTMX)
    assert response.status_code == 204
    assert response.headers["HX-Redirect"].startswith(reverse("register", args=[message.conversation_id]))


def test_what_comes_while_the_form_is_filled_in_keeps_it_open(demanding, karin, client):
    message = arrived(demanding)
    conversation = str(message.conversation.conversation_id)
    arrives(demanding, conversation=conversation, message_id=str(uuid.uuid4()))
    posted = {"kind": "case", "case_number": "KS 2026/9", "finish": "on", "seen": message.pk}
    response = client.post(reverse("register", args=[message.conversation_id]), posted, follow=True)
    assert state_of(message) == "open"
    assert "som inte är registrerat" in response.content.decode()
    assert message.registrations.exists()


def test_many_at_once_are_done_but_for_those_that_are_not_registered(demanding, karin, client):
    messages = [arrived(demanding) for _ in range(3)]
    Conversation.objects.filter(pk=messages[2].conversation_id).update(registration_state="minor")
    register(messages[0].conversation_id, karin, CASE)
    chosen = [message.conversation_id for message in messages]
    row = Conversation.objects.get(pk=messages[1].conversation_id)
    row.subject = "Den som är kvar"
    row.save()
    address = reverse("act-on-many", args=[demanding.pk])
    response = client.post(address, {"action": "finish", "chosen": chosen}, follow=True)
    assert [state_of(message) for message in messages] == ["done", "open", "done"]
    page = response.content.decode()
    assert "Klara: 2. Kvar, eftersom den inte är registrerad: ”Den som är kvar”." in page
    # One press undoes those that were done.
    assert ConversationEvent.objects.filter(what="done").values("at").distinct().count() == 1


def test_the_names_of_what_is_left_are_in_no_cookie(demanding, karin, client):
    message = arrived(demanding)
    address = reverse("act-on-many", args=[demanding.pk])
    client.post(address, {"action": "finish", "chosen": [message.conversation_id]})
    assert "messages" not in client.cookies


def test_the_trash_is_open_to_what_is_not_registered(demanding, karin):
    message = arrived(demanding)
    state_changes.move_to_trash(message.conversation_id, karin)
    assert state_of(message) == "trash"


def test_a_rule_of_the_mailbox_is_referred_to(demanding, karin, client):
    message = arrived(demanding)
    RetentionRule.objects.create(mailbox=demanding, state="done", days=90)
    url = reverse("register", args=[message.conversation_id])
    assert "Klara: gallras efter 90 dagar" in client.get(url).content.decode()
    posted = {"kind": "minor", "reason": "Reklam", "rule": "done", "finish": "on"}
    client.post(url, posted)
    assert Registration.objects.get().retention_days == 90
    assert state_of(message) == "done"
