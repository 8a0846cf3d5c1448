"""What narrows a mailbox's list is looked up in an index: a list of what is rare costs no more."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from mailbox.models import Conversation
from mailbox.workplace import inbox
from mailbox.workplace.inbox import Filters, Status, View
from tests.mailbox.build import a_member, arrives

pytestmark = pytest.mark.django_db


def test_a_name_in_many_messages_narrows_as_one_in_few(mailbox, monkeypatch):
    karin = a_member("Karin", mailbox)
    rows = [arrives(mailbox).conversation for _ in range(3)]
    for row, name in zip(rows, ("Region Uppsala", "Arbetsförmedlingen", "Arbetsförmedlingen"), strict=True):
        row.messages.update(counterpart_organisation=name)

    def shown() -> list[set[int]]:
        asked = ("förmedling", "uppsala", "norrköping")
        pages = [inbox.page_of(mailbox, karin, filters=Filters(organisation=name)) for name in asked]
        return [{row.pk for row in page.rows} for page in pages]

    few = shown()
    monkeypatch.setattr(inbox, "_OFTEN", 0)
    assert few == shown() == [{rows[1].pk, rows[2].pk}, {rows[0].pk}, set()]


@pytest.mark.parametrize(
    ("filters", "condition", "index"),
    [
        (Filters(organisation="uppsala"), r"UPPER\(.*?UPPER\('%uppsala%'\)", "message_organisation"),
        (Filters(function="bistånd"), r"UPPER\(.*?UPPER\('%bistånd%'\)", "message_function"),
    ],
)
def test_messages_that_narrow_a_list_are_found_by_an_index(mailbox, filters, condition, index):
    arrives(mailbox)
    with CaptureQueriesContext(connection) as queries:
        inbox.page_of(mailbox, a_member("Karin", mailbox), view=View.SENT, filters=filters)
    asked = "\n".join(one["sql"] for one in queries)
    narrowed = re.search(condition, asked)
    assert narrowed is not None, asked
    with connection.cursor() as cursor:
        # As if there were so many that reading them all were out of the question.
        cursor.execute("SET LOCAL enable_seqscan = off")
        told = narrowed[0].replace("%", "%%")
        alias = "U0" if "U0" in told else "mailbox_message"
        cursor.execute(f"EXPLAIN SELECT conversation_id FROM mailbox_message AS {alias} WHERE {told}")
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert index in plan, plan


def test_what_was_not_delivered_is_found_by_an_index(mailbox):
    karin = a_member("Karin", mailbox)
    rows = Conversation.objects.filter(mailbox=mailbox, is_not_delivered=True)
    rows = rows.order_by("-last_activity_at", "-pk")
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        assert "conversation_not_delivered" in rows.explain()
    # The list, the worklist and the counters ask just this.
    listed = inbox.page_of(mailbox, karin, view=View.SENT, filters=Filters(status=Status.FAILED))
    assert listed.rows == []
    assert '"mailbox_conversation"."is_not_delivered"' in str(inbox.not_delivered(karin).query)
