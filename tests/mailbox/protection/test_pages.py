"""The pages on which a conversation is protected, and on which a manager opens one."""

import pytest
from django.db import connection
from django.urls import reverse

from mailbox import access
from mailbox.models import Conversation, Membership, ProtectedOpening
from mailbox.protection import acts
from mailbox.workplace import inbox
from tests.mailbox.build import a_member, arrives, log_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def karin(mailbox):
    return a_member("Karin", mailbox)


@pytest.fixture
def eva(mailbox):
    person = a_member("Eva", mailbox)
    Membership.objects.filter(person=person).update(role=Membership.Role.MANAGER)
    return person


def page_of(client, name, *args) -> str:
    return client.get(reverse(name, args=args)).content.decode()


def test_protecting_shows_a_badge_to_who_sees_it_and_a_locked_row_to_others(mailbox, karin, eva, client):
    row = arrives(mailbox).conversation
    ahmed = a_member("Ahmed", mailbox)
    log_in(client, karin)
    url = reverse("protection", args=[row.pk])
    assert reverse("protection", args=[row.pk]) in page_of(client, "conversation", row.pk)
    assert client.post(url, {"action": "protect"}).status_code == 302
    shown = page_of(client, "conversation", row.pk)
    assert "Skyddad: ses bara av" in shown
    assert ">Skyddad</span>" in page_of(client, "mailbox", mailbox.pk)
    assert "Skyddad konversation" not in page_of(client, "mailbox", mailbox.pk)
    log_in(client, ahmed)
    of_ahmed = page_of(client, "mailbox", mailbox.pk)
    assert "Skyddad konversation" in of_ahmed
    assert "Kallelse" not in of_ahmed
    assert "Öppna med skäl" not in of_ahmed
    assert client.get(reverse("conversation", args=[row.pk])).status_code == 404
    log_in(client, eva)
    assert "Öppna med skäl" in page_of(client, "mailbox", mailbox.pk)


def test_a_manager_opens_it_with_a_reason_and_an_explanation(mailbox, karin, eva, client):
    row = arrives(mailbox).conversation
    acts.set_named_members(row.pk, karin, [])
    log_in(client, eva)
    url = reverse("protected-open", args=[row.pk])
    assert "Kallelse" not in client.get(url).content.decode()
    for given, text in (
        ({}, "Välj ett av alternativen."),
        ({"reason": "nyfiken", "explanation": "x"}, "Välj ett av alternativen."),
        ({"reason": "urgent"}, "Skriv varför du öppnar konversationen."),
        ({"reason": "urgent", "explanation": "a" * 1001}, "högst 1000 tecken"),
        ({"reason": "urgent", "explanation": "a\0b"}, "Rätta detta"),
    ):
        refused = client.post(url, given)
        assert refused.status_code == 422, given
        assert text in refused.content.decode()
    assert not ProtectedOpening.objects.exists()
    explanation = "Karin är sjuk\r\noch barnet väntar"
    answer = client.post(url, {"reason": "urgent", "explanation": explanation}, follow=True)
    assert "Kallelse" in answer.content.decode()
    assert "Skäl: Den kan inte vänta" in answer.content.decode()
    assert client.get(url).status_code == 404
    log_in(client, karin)
    assert "Karin är sjuk<br>och barnet väntar" in page_of(client, "protection", row.pk)


@pytest.mark.parametrize("named", ["\0", "²", "-1", "9" * 30, "1.5"])
def test_what_is_no_key_of_a_member_names_nobody(mailbox, karin, client, named):
    row = arrives(mailbox).conversation
    log_in(client, karin)
    url = reverse("protection", args=[row.pk])
    assert client.post(url, {"action": "protect", "named": named}).status_code in {302, 422}
    assert client.post(url, {"action": named}).status_code in {302, 422}


def test_who_is_no_member_any_more_cannot_be_chosen(mailbox, karin, eva, client):
    row = arrives(mailbox).conversation
    log_in(client, karin)
    Membership.objects.filter(person=eva).delete()
    refused = client.post(reverse("protection", args=[row.pk]), {"action": "protect", "named": eva.pk})
    assert refused.status_code == 422
    assert "inte medlem i brevlådan längre" in refused.content.decode()
    assert not Conversation.objects.get().is_protected


def test_the_protection_is_taken_away_and_the_history_keeps_it(mailbox, karin, client):
    row = arrives(mailbox).conversation
    acts.set_named_members(row.pk, karin, [])
    log_in(client, karin)
    url = reverse("protection", args=[row.pk])
    assert client.post(url, {"action": "end"}).status_code == 302
    assert client.post(url, {"action": "end"}).status_code == 302
    shown = page_of(client, "conversation", row.pk)
    assert "Skyddad av Karin: ses av Karin" in shown
    assert "Karin tog bort skyddet" in shown


def test_who_is_named_is_found_once_for_a_query_and_what_is_hidden_by_its_own_index(mailbox, karin):
    """Not once for each row: a list of a million costs what it did before."""
    rows = inbox.page_of(mailbox, karin).rows
    assert list(rows) == []
    listed = access.conversations_of(karin).filter(mailbox=mailbox).order_by("-last_activity_at", "-pk")
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_bitmapscan = off")
    for query in (listed[:50], access.messages_of(karin).order_by("-pk")[:50]):
        plan = query.explain()
        assert "hashed SubPlan" in plan
        assert "mailbox_namedmember" in plan
    assert "conversation_protected" in access.hidden_from(karin).explain()
