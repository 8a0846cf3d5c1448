"""A member who reads, and changes nothing."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from mailbox import access
from mailbox.administration import alarms, mailboxes, retention
from mailbox.conversations import assignment, labels, notes, reassignment, reminders, state_changes
from mailbox.drafts import composer, forwarding, ownership, send_order
from mailbox.drafts.draft_lock import DraftGone
from mailbox.models import (
    Assignment,
    ConversationEvent,
    Draft,
    FunctionMailbox,
    Membership,
    TimeLimit,
)
from mailbox.protection import acts
from mailbox.registration import entries
from tests.mailbox.arrival_rules.build import a_rule
from tests.mailbox.build import a_member, arrives, log_in, reviewed

pytestmark = pytest.mark.django_db


@pytest.fixture
def karin(mailbox):
    return a_member("Karin", mailbox)


@pytest.fixture
def reader(mailbox):
    person = a_member("Rut", mailbox)
    Membership.objects.filter(person=person).update(role=Membership.Role.READER)
    return person


def test_a_reader_changes_nothing_by_any_act(mailbox, karin, reader):
    message = arrives(mailbox)
    key = message.conversation_id
    draft = composer.begin_answer(message, karin)
    draft = composer.save(draft.pk, draft.version, composer.Content({"text": "Hej"}), karin)
    registered = entries.register(key, karin, entries.Entry("case", case_number="KS 1"))
    before = ConversationEvent.objects.count()
    for act in (
        lambda: assignment.assign(key, reader),
        lambda: assignment.unassign(key, reader),
        lambda: state_changes.finish(key, reader),
        lambda: reminders.set_reminder(key, reader, timezone.now()),
        lambda: labels.set_labels(key, reader, [], seen=[], new_name="Ny"),
        lambda: notes.write(key, reader, "Hej"),
        lambda: reassignment.offer(key, reader, to=karin, done="x", remains="y"),
        lambda: entries.register(key, reader, entries.Entry("case", case_number="KS 2")),
        lambda: entries.withdraw(registered, reader, "Fel"),
        lambda: composer.begin_answer(message, reader),
        lambda: forwarding.begin(message, reader),
        lambda: retention.hold(reader, message.conversation),
        lambda: acts.set_named_members(key, reader, []),
    ):
        with pytest.raises(assignment.NotAMember):
            act()
    for act in (
        lambda: ownership.take_over(draft.pk, draft.version, reader),
        lambda: composer.save(draft.pk, draft.version, composer.Content({"text": "Nej"}), reader),
        lambda: send_order.order(draft.pk, reviewed(draft, is_confirmed=True), reader),
    ):
        with pytest.raises(DraftGone):
            act()
    assert ConversationEvent.objects.count() == before
    assert Draft.objects.get().text == "Hej"


def test_nothing_is_assigned_or_offered_to_a_reader(mailbox, karin, reader):
    key = arrives(mailbox).conversation_id
    with pytest.raises(reassignment.InvalidReceiver):
        reassignment.offer(key, karin, to=reader, done="x", remains="y")
    a_rule(mailbox, "Till Rut", assign_to=reader.pk)
    arrives(mailbox)
    assert not Assignment.objects.exists()
    beside = FunctionMailbox.objects.create(participant_id=mailbox.participant_id, address="x", name="X")
    Membership.objects.create(person=reader, mailbox=beside, role=Membership.Role.READER)
    reassignment.offer(key, karin, to=beside, done="x", remains="y")
    assert not access.offers_to(reader).exists()


def test_a_reader_may_be_named_in_a_protected_conversation(mailbox, karin, reader):
    key = arrives(mailbox).conversation_id
    acts.set_named_members(key, karin, [reader.pk])
    assert access.conversations_of(reader).filter(pk=key).exists()


def test_who_becomes_a_reader_loses_what_is_assigned_to_them(mailbox, karin):
    ahmed = a_member("Ahmed", mailbox)
    conversation = arrives(mailbox).conversation
    assignment.assign(conversation.pk, ahmed)
    mailboxes.add_known_member(karin, mailbox, ahmed, role=Membership.Role.READER)
    conversation.refresh_from_db()
    assert conversation.assignee is None


def test_what_a_sender_who_became_a_reader_has_ordered_is_not_sent(mailbox, karin):
    ahmed = a_member("Ahmed", mailbox)
    draft = composer.begin_answer(arrives(mailbox), ahmed)
    draft = composer.save(draft.pk, draft.version, composer.Content({"text": "Hej"}), ahmed)
    later = timezone.now() + timedelta(days=2)
    send_order.order(draft.pk, reviewed(draft, is_confirmed=True), ahmed, at=later)
    mailboxes.add_known_member(karin, mailbox, ahmed, role=Membership.Role.READER)
    Draft.objects.update(send_at=timezone.now())
    send_order.send_if_due(draft.pk)
    draft.refresh_from_db()
    assert (draft.send_at, draft.trouble) == (None, send_order.NOT_A_MEMBER)


def test_a_mailbox_that_is_only_read_is_unattended(mailbox, reader):
    assert [each.mailbox for each in alarms.unattended(timezone.now())] == [mailbox]
    a_member("Karin", mailbox)
    assert alarms.unattended(timezone.now()) == []


def test_the_pages_offer_a_reader_nothing_that_changes_something(mailbox, karin, reader, client):
    message = arrives(mailbox)
    draft = composer.begin_answer(message, karin)
    composer.save(draft.pk, draft.version, composer.Content({"text": "Hej"}), karin)
    log_in(client, reader)
    allowed = {
        reverse("record-bundle", args=[message.conversation_id]),
        reverse("printed", args=[message.conversation_id]),
        reverse("search"),
        reverse("set_language"),
        reverse("logout"),
        reverse("mailbox", args=[mailbox.pk]),
    }
    for url in (
        reverse("conversation", args=[message.conversation_id]),
        reverse("mailbox", args=[mailbox.pk]),
        reverse("draft", args=[draft.pk]),
    ):
        page = client.get(url)
        assert page.status_code == 200
        text = page.content.decode()
        posts = {part.split('"')[0] for part in text.split('action="')[1:]}
        assert not [post for post in posts if post.startswith("/") and post not in allowed], url
    assert (
        "Du läser bara här"
        in client.get(reverse("conversation", args=[message.conversation_id])).content.decode()
    )
    assert not TimeLimit.objects.exists()
    assert not ConversationEvent.objects.filter(actor=reader).exists()


def test_a_manager_makes_somebody_a_reader_on_the_page(mailbox, karin, client):
    Membership.objects.filter(person=karin).update(role=Membership.Role.MANAGER)
    log_in(client, karin)
    url = reverse("administration-mailbox", args=[mailbox.pk])
    until = (timezone.localdate() + timedelta(days=30)).isoformat()
    form = {"subject": "199001012385", "name": "Rut Ek", "role": "reader", "until": until}
    assert client.post(url, form).status_code == 302
    made = Membership.objects.get(person__name="Rut Ek")
    assert (made.role, made.ends_at is not None) == (Membership.Role.READER, True)
    assert "Läsare" in client.get(url).content.decode()
