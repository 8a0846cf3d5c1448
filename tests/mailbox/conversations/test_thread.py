"""The order of a conversation's messages, and its pages."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from mailbox.conversations import thread
from mailbox.conversations.thread import Link, in_order
from mailbox.delivery.inbound import deliver
from mailbox.models import Conversation, ConversationEvent, Message
from tests.mailbox.build import a_member, log_in
from tests.transport.protocol.build import a_message
from transport.message_service.client_port import Delivered
from transport.protocol.identifiers import ParticipantId
from transport.protocol.sdk_message.message import Document

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


def link(key: int, *, answers: int | None = None, minute: int | None = None) -> Link:
    at = NOON + timedelta(minutes=key if minute is None else minute)
    return Link(key, uuid.UUID(int=key), None if answers is None else uuid.UUID(int=answers), at)


def keys(*links: Link) -> list[int]:
    return [found.key for found in in_order(links)]


def test_an_answer_stands_below_what_it_answers_though_others_came_between():
    assert keys(link(1), link(2), link(3, answers=1), link(4, answers=3), link(5, answers=2)) == [
        1,
        3,
        4,
        2,
        5,
    ]


def test_answers_to_the_same_message_stand_by_time():
    assert keys(link(1), link(3, answers=1), link(2, answers=1)) == [1, 2, 3]


def test_an_answer_that_came_before_what_it_answers_stands_below_it_all_the_same():
    assert keys(link(1), link(2, answers=9), link(9, minute=30), link(3)) == [1, 3, 9, 2]


def test_an_answer_to_what_is_not_here_stands_by_its_time_and_says_so():
    found = in_order([link(1), link(2, answers=77), link(3, answers=1)])
    assert [(one.key, one.is_orphan) for one in found] == [(1, False), (3, False), (2, True)]


def test_messages_that_answer_each_other_in_a_circle_are_all_there():
    assert keys(link(1), link(2, answers=3), link(3, answers=2), link(4, answers=4)) == [1, 4, 2, 3]


@given(st.lists(st.integers(0, 12) | st.none(), max_size=12))
def test_whatever_answers_what_every_message_is_there_once(answers):
    links = [link(key, answers=answered) for key, answered in enumerate(answers)]
    assert sorted(keys(*links)) == [one.key for one in links]


def filled(mailbox, count: int) -> Conversation:
    talk = Conversation.objects.create(
        mailbox=mailbox, conversation_id=uuid.uuid4(), counterpart="A, B", last_activity_at=NOON
    )
    before = None
    for number in range(count):
        identity = uuid.UUID(int=number + 1)
        Message.objects.create(
            conversation=talk,
            direction="in",
            message_id=identity,
            ref_to_message_id=before,
            subject=f"Nummer {number + 1}",
            is_confidential=False,
            counterpart_organisation="A",
            counterpart_function="B",
            at=NOON + timedelta(minutes=number),
        )
        before = identity
    return talk


@pytest.mark.django_db
def test_a_long_conversation_opens_at_its_end_and_is_read_a_page_at_a_time(client, mailbox):
    talk = filled(mailbox, 2 * thread.PAGE + 5)
    log_in(client, a_member("Karin", mailbox))
    address = f"/konversation/{talk.pk}/"
    page = client.get(address).content.decode()
    assert page.count("<article") == 5
    assert "Nummer 45" in page
    assert "Sida 3 av 3, 45 meddelanden" in page
    earlier = client.get(f"{address}?page=2").content.decode()
    assert earlier.count("<article") == thread.PAGE
    assert "sida 2" in earlier[earlier.index("<title>") : earlier.index("</title>")]
    first = talk.messages.order_by("at").first()
    assert f'id="message-{first.pk}"' in client.get(f"{address}?message={first.pk}").content.decode()
    assert client.get(f"{address}?page=99999").status_code == 200
    assert client.get(f"{address}?page=x&message=-1").status_code == 200


@pytest.mark.django_db
def test_what_an_answer_answers_is_pointed_at_unless_it_stands_right_above(client, mailbox):
    talk = filled(mailbox, 3)
    one, _, three = talk.messages.order_by("at")
    Message.objects.filter(pk=three.pk).update(ref_to_message_id=one.message_id)
    log_in(client, a_member("Karin", mailbox))
    page = client.get(f"/konversation/{talk.pk}/").content.decode()
    assert page.count("Svar på ett tidigare meddelande") == 1
    assert f'href="?message={one.pk}#message-{one.pk}"' in page
    Message.objects.filter(pk=three.pk).update(ref_to_message_id=uuid.uuid4())
    assert "Svar på ett meddelande som inte finns" in client.get(f"/konversation/{talk.pk}/").content.decode()


@pytest.mark.django_db
def test_the_latest_of_a_long_history_is_shown_and_all_of_it_to_who_asks(client, mailbox):
    talk = filled(mailbox, 1)
    karin = a_member("Karin", mailbox)
    ConversationEvent.objects.bulk_create(
        ConversationEvent(
            conversation=talk, at=NOON + timedelta(minutes=number), actor=karin, what="reopened"
        )
        for number in range(80)
    )
    log_in(client, karin)
    page = client.get(f"/konversation/{talk.pk}/").content.decode()
    assert 40 < page.count("Öppnad på nytt av Karin") <= 50
    assert 'href="?history=all"' in page
    whole = client.get(f"/konversation/{talk.pk}/?history=all").content.decode()
    assert whole.count("Öppnad på nytt av Karin") == 80


@pytest.mark.django_db
def test_documents_stand_in_the_order_of_their_index_and_those_without_last(mailbox, client):
    said = {"10": "Tionde", "": "Utan", "2": "Andra", "1": "Första"}
    message = a_message(recipient=ParticipantId(mailbox.participant_id))
    documents = [Document("SDK meddelande", text, index or None, (text,), ()) for index, text in said.items()]
    message = replace(message, documents=tuple(documents))
    deliver([Delivered(mailbox.participant_id, message, "0203:af.se", timezone.now())])
    log_in(client, a_member("Karin", mailbox))
    row = Message.objects.get()
    page = client.get(reverse("conversation", args=[row.conversation_id])).content.decode()
    article = page[page.index("<article") : page.index("</article>")]
    places = [article.index(f"<p>{text}</p>") for text in ("Första", "Andra", "Tionde", "Utan")]
    assert places == sorted(places)
