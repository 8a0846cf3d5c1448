"""The node that pages are measured on: everything in it opens as what the node itself would have stored."""

import pytest

from addressbook.models import FunctionAddress
from addressbook.search import search
from mailbox import inbox
from mailbox.models import FunctionMailbox, Message, Person
from mailbox.search.find import find
from testbed.realistic_node import Size, make
from tests.mailbox.build import log_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def node(transactional_db) -> None:
    make(Size(messages=400, mailboxes=4, functions=200, words=300), tell=lambda line: None)


def test_a_small_one_has_what_was_asked_for_and_all_of_it_opens(node, client):
    assert Message.objects.count() == 400
    assert FunctionMailbox.objects.count() == 4
    assert FunctionAddress.objects.count() == 200
    person = Person.add("everywhere", "")[0]
    log_in(client, person)
    for box in FunctionMailbox.objects.all():
        page = client.get(f"/brevlada/{box.pk}/?vy=klara")
        assert page.status_code == 200
    talk = inbox.page_of(FunctionMailbox.objects.all()[1], person).conversations[0]
    page = client.get(f"/konversation/{talk.pk}/").content.decode()
    assert "Med vänlig hälsning" in page
    assert "SN 2026/" in page
    assert find(person, "orosanmälan").hits
    assert find(person, f"SN 2026/{talk.pk:06d}").hits
    assert search("elevhälsan")


def test_a_node_that_is_not_empty_is_left_alone(node):
    with pytest.raises(ValueError, match="not empty"):
        make(Size(messages=10, mailboxes=1, functions=10))
