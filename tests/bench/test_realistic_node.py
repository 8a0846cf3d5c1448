"""The node that pages are measured on: everything in it opens as what the node itself would have stored."""

import re

import pytest
from django.db import connection

from addressbook.models import FunctionAddress
from addressbook.search import search
from mailbox import access_log
from mailbox.models import FunctionMailbox, Message, Note, Person
from mailbox.search import Filters, find
from mailbox.workplace import inbox
from testbed.realistic_node import Size, make
from tests.mailbox.build import log_in

_CASTS = r"::(character varying|text)(\[\])?|[()]"
pytestmark = pytest.mark.django_db


@pytest.fixture
def node(transactional_db) -> None:
    make(Size(messages=400, mailboxes=4, functions=200, words=300), report=lambda line: None)


def test_a_small_one_has_what_was_asked_for_and_all_of_it_opens(node, client):
    assert Message.objects.count() == 400
    assert FunctionMailbox.objects.count() == 4
    assert FunctionAddress.objects.count() == 200
    person = Person.add("everywhere", "")[0]
    log_in(client, person)
    for box in FunctionMailbox.objects.all():
        page = client.get(f"/brevlada/{box.pk}/?vy=klara")
        assert page.status_code == 200
    talk = inbox.page_of(FunctionMailbox.objects.all()[1], person).rows[0]
    page = client.get(f"/konversation/{talk.pk}/").content.decode()
    assert "Med vänlig hälsning" in page
    assert "SN 2026/" in page
    assert find(person, "orosanmälan").hits
    noted = Note.objects.select_related("conversation__mailbox").first()
    words = " ".join(re.findall(r"[a-zåäö]{6,}", noted.text.lower())[:3])
    found = find(person, words, Filters(are_notes=True)).hits
    assert noted in [hit.row for hit in found], "whose index has the words of its text"
    assert find(person, f"SN 2026/{talk.pk:06d}").hits
    assert search("elevhälsan")
    assert list(access_log.verify("0203:habo.se")) == []


def test_a_small_one_has_the_indexes_of_any_node(transactional_db):
    def indexes() -> set[tuple[str, ...]]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'")
            # The database writes the same casts in two ways.
            return {(name, re.sub(_CASTS, "", told)) for name, told in cursor.fetchall()}

    before = indexes()
    make(Size(messages=100, mailboxes=2, functions=50, words=100), report=lambda line: None)
    assert indexes() == before


def test_a_node_that_is_not_empty_is_left_alone(node):
    with pytest.raises(ValueError, match="not empty"):
        make(Size(messages=10, mailboxes=1, functions=10))
