"""Lists across a person's mailboxes, and the views of them that people save."""

import uuid
from datetime import datetime, timedelta
from urllib.parse import urlencode

import pytest
from django.db import IntegrityError, connection, transaction
from django.http import QueryDict
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from mailbox.conversations import labels, state_changes
from mailbox.models import AccessLogEntry, Conversation, FunctionMailbox, Membership, Message, SavedView
from mailbox.workplace import inbox, list_order, list_query, saved_views
from mailbox.workplace.inbox import Filters, Status, View
from mailbox.workplace.list_order import Order
from tests.mailbox.build import a_member, arrives, log_in
from tests.mailbox.conftest import HERE
from tests.pages import in_one_line

pytestmark = pytest.mark.django_db
NOON = datetime.fromisoformat("2026-03-02T12:00+01:00")
ACROSS = "across=on"


@pytest.fixture
def other(mailbox):
    return FunctionMailbox.objects.create(participant_id=HERE, address="x", name="Ekonomi")


@pytest.fixture
def karin(mailbox, other, client):
    person = a_member("Karin", mailbox, other)
    log_in(client, person)
    return person


def a_conversation(mailbox, minutes: int = 0, **values) -> Conversation:
    values = {"counterpart": "A, B", "last_activity_at": NOON - timedelta(minutes=minutes)} | values
    return Conversation.objects.create(mailbox=mailbox, conversation_id=uuid.uuid4(), **values)


def shown(person, filters: Filters | None = None, view: View = View.INBOX, **more) -> list[int]:
    return [row.pk for row in inbox.page_across(person, view=view, filters=filters, **more).rows]


@pytest.mark.parametrize("order", [Order.LATEST, Order.OLDEST])
def test_every_conversation_of_every_mailbox_is_on_one_page_once(mailbox, other, karin, order):
    strange = FunctionMailbox.objects.create(participant_id=HERE, address="y", name="Någon annans")
    boxes = [mailbox, other, strange]
    Conversation.objects.bulk_create(
        Conversation(
            mailbox=boxes[number % 3],
            conversation_id=uuid.uuid4(),
            counterpart="A",
            # Most at the same moment, so that the key decides.
            last_activity_at=NOON + timedelta(hours=number // 40),
        )
        for number in range(3 * 65)
    )
    found, after = [], ""
    while True:
        page = inbox.page_across(karin, after, order=order)
        bare = inbox.page_across(karin, after, order=order, for_rows=False)
        assert ([row.pk for row in bare.rows], bare.after) == ([row.pk for row in page.rows], page.after)
        found.append([(row.last_activity_at, row.pk) for row in page.rows])
        after = page.after
        if not after:
            break
    rows = [row for page in found for row in page]
    expected = Conversation.objects.filter(mailbox__in=[mailbox, other])
    ordered = sorted(expected.values_list("last_activity_at", "pk"), reverse=order is Order.LATEST)
    assert rows == ordered
    assert all(len(page) == list_order.PAGE for page in found[:-1])


def test_mailboxes_are_chosen_among_those_that_one_sees(mailbox, other, karin):
    strange = FunctionMailbox.objects.create(participant_id=HERE, address="y", name="Någon annans")
    first, second, _ = (a_conversation(box, number) for number, box in enumerate((mailbox, other, strange)))
    assert shown(karin) == [first.pk, second.pk]
    assert shown(karin, mailbox_ids=[other.pk, strange.pk]) == [second.pk]
    assert shown(karin, mailbox_ids=[strange.pk]) == []
    Membership.objects.filter(mailbox=mailbox).delete()
    assert shown(karin) == [second.pk]


@pytest.mark.parametrize("often", [0, 10])
def test_a_list_across_mailboxes_is_narrowed_as_a_mailbox_s_own_is(mailbox, other, karin, monkeypatch, often):
    """By what is frequent (the mailboxes are walked) as by what is rare (it is looked up)."""
    monkeypatch.setattr(inbox, "_OFTEN", often)
    monkeypatch.setattr(inbox, "_OFTEN_LABELLED", often)
    today = timezone.localdate()
    plain = a_conversation(mailbox)
    due = a_conversation(other, 1, due_on=today)
    prioritised = a_conversation(other, 2, is_priority=True)
    secret = a_conversation(mailbox, 3, is_confidential=True)
    with_files = a_conversation(other, 4, has_attachments=True)
    mine = a_conversation(mailbox, 5, assignee=karin)
    labelled = [a_conversation(box, 6) for box in (mailbox, other)]
    for row, name in zip(labelled, ("Brådskande", "BRÅDSKANDE"), strict=True):
        row.labels.add(labels.create(row.mailbox, name, "red"))
    failed = a_conversation(other, 7, is_waiting=False, is_not_delivered=True)
    Message.objects.create(
        conversation=failed,
        direction="out",
        message_id=uuid.uuid4(),
        is_confidential=False,
        counterpart_organisation="Region Uppsala",
        counterpart_function="Utskrivning",
        delivery_state="ERROR",
        at=NOON,
    )
    everything = {plain, due, prioritised, secret, with_files, mine, *labelled, failed}
    assert set(shown(karin)) == {row.pk for row in everything}
    assert shown(karin, Filters(status=Status.DUE)) == [due.pk]
    assert shown(karin, Filters(status=Status.PRIORITY)) == [prioritised.pk]
    assert shown(karin, Filters(status=Status.FAILED)) == [failed.pk]
    assert shown(karin, Filters(status=Status.ASSIGNED)) == [mine.pk]
    assert shown(karin, Filters(is_confidential=True)) == [secret.pk]
    assert shown(karin, Filters(has_attachments=True)) == [with_files.pk]
    assert set(shown(karin, Filters(label_name="brådskande"))) == {row.pk for row in labelled}
    assert shown(karin, Filters(organisation="uppsala")) == [failed.pk]
    assert shown(karin, Filters(function="utskriv", organisation="region")) == [failed.pk]
    assert shown(karin, Filters(organisation="norrköping")) == []
    assert shown(karin, Filters(until=NOON.date() - timedelta(days=1))) == []
    assert shown(karin, view=View.MINE) == [mine.pk]
    assert len(shown(karin, view=View.UNASSIGNED)) == len(everything) - 1
    assert inbox.keys_across(karin, View.INBOX, Filters(status=Status.DUE), most=10) == [due.pk]


def test_a_page_is_read_by_each_mailbox_s_index_and_merged(mailbox, karin):
    """So that it costs no more where there are more conversations."""
    a_conversation(mailbox)
    with CaptureQueriesContext(connection) as queries:
        assert len(shown(karin)) == 1
    assert len(queries) == 1
    assert f"LIMIT {list_order.PAGE + 1}" in queries[0]["sql"].split("UNNEST(", 1)[1]


def test_a_row_names_its_mailbox_and_leads_to_its_conversation_and_back(mailbox, other, karin, client):
    first, second = a_conversation(mailbox, subject="Ett"), a_conversation(other, 1, subject="Två")
    before = AccessLogEntry.objects.count()
    page = client.get(reverse("all-mailboxes"))
    rows = page.context["page"].rows
    assert [(row.pk, row.mailbox_name) for row in rows] == [(first.pk, "Mottagning"), (second.pk, "Ekonomi")]
    assert AccessLogEntry.objects.count() == before, "a list opens nothing"
    text = in_one_line(page.content.decode())
    assert "Ekonomi</span>" in text
    opened = client.get(rows[0].url)
    assert opened.context["list_url"] == f"{reverse('all-mailboxes')}?{ACROSS}"
    assert [row.pk for row in opened.context["page"].rows] == [first.pk, second.pk]
    position = opened.context["position"]
    assert (position.number, position.next_key) == (1, second.pk)
    assert "Alla brevlådor: Inkorg" in opened.content.decode()
    # What is done there keeps the place.
    done = client.post(
        reverse("act", args=[first.pk]), {"action": "finish", "list": opened.context["list_address"]}
    )
    assert done.headers["Location"] == f"{reverse('all-mailboxes')}?{ACROSS}"
    part = client.get(rows[1].url, headers={"HX-Request": "true", "HX-Target": "reading"})
    assert part.context["list_url"] == f"{reverse('all-mailboxes')}?{ACROSS}"


@pytest.mark.parametrize("name", ["start", "mailbox", "all-mailboxes", "conversation"])
def test_a_page_that_has_changed_fetches_the_part_that_changes(mailbox, karin, client, name):
    row = arrives(mailbox).conversation
    address = reverse(name, args={"mailbox": [mailbox.pk], "conversation": [row.pk]}.get(name, []))
    assert "<html" in client.get(address).content.decode()
    part = client.get(address, headers={"HX-Request": "true", "X-Background": "1"}).content.decode()
    assert "<html" not in part
    assert row.subject in part


def test_no_words_are_shown_of_what_is_confidential(mailbox, karin, client):
    message = arrives(mailbox)
    Conversation.objects.update(is_confidential=True)
    page = client.get(reverse("all-mailboxes"))
    assert [row.first_words for row in page.context["page"].rows] == [""]
    assert message.documents.first().texts[0][:20] not in page.content.decode()


def test_the_filter_leads_to_an_address_that_narrows_its_next_page_as_well(mailbox, other, karin, client):
    rows = [a_conversation(other, number, is_confidential=True) for number in range(30)]
    a_conversation(mailbox, is_confidential=True)
    form = {"view": "inkorg", "confidential": "on", "mailbox": [other.pk], "reference": "SN 1", "label": "1"}
    address = client.post(reverse("all-mailboxes"), form).headers["Location"]
    asked = QueryDict(address.partition("?")[2])
    assert set(asked) == {"across", "view", "confidential", "mailboxes"}
    page = client.get(address)
    assert [row.pk for row in page.context["page"].rows] == [row.pk for row in rows[:25]]
    more = page.context["asked"].query
    assert "label" not in more
    onward = urlencode({"after": page.context["page"].after, "page": 2})
    further = client.get(f"{reverse('all-mailboxes')}?{more}&{onward}")
    assert [row.pk for row in further.context["page"].rows] == [row.pk for row in rows[25:]]
    cleared = client.post(reverse("all-mailboxes"), {**form, "clear": "1"}).headers["Location"]
    assert cleared == f"{reverse('all-mailboxes')}?{ACROSS}&view=inkorg"


def test_a_mailbox_s_list_stays_its_own_whatever_its_address_says(mailbox, other, karin, client):
    own = a_conversation(mailbox)
    a_conversation(other)
    page = client.get(reverse("mailbox", args=[mailbox.pk]) + f"?{ACROSS}&mailboxes={other.pk}&label_name=x")
    assert [row.pk for row in page.context["page"].rows] == [own.pk]
    assert page.context["list_address"] == ""


def test_several_of_several_mailboxes_are_changed_at_once(mailbox, other, karin, client):
    strange = FunctionMailbox.objects.create(participant_id=HERE, address="y", name="Någon annans")
    rows = [a_conversation(box) for box in (mailbox, other, strange)]
    many = {"chosen": [row.pk for row in rows], "action": "finish", "list": f"{ACROSS}&view=inkorg"}
    answer = client.post(reverse("act-on-many-across"), many)
    assert answer.headers["Location"] == f"{reverse('all-mailboxes')}?{ACROSS}&view=inkorg"
    states = {row.pk: row.state for row in Conversation.objects.all()}
    assert [states[row.pk] for row in rows] == ["done", "done", "open"]
    state_changes.reopen(rows[0].pk, karin)
    client.post(reverse("act-on-many-across"), {"is_all": "1", "action": "prioritise", "list": ACROSS})
    assert list(Conversation.objects.filter(is_priority=True)) == [rows[0]]


def test_a_view_is_saved_shown_with_its_count_renamed_and_deleted(mailbox, other, karin, client):
    a_conversation(mailbox, is_priority=True)
    a_conversation(other)
    address = f"{ACROSS}&status=prioriterade&mailboxes={mailbox.pk}.{other.pk}&after=x&page=2"
    saved = client.post(
        reverse("saved-view-save"), {"name": "Bråttom", "list": address + "&reference=" + "1" * 16}
    )
    view = SavedView.objects.get()
    assert (view.person, view.name) == (karin, "Bråttom")
    assert dict(QueryDict(view.address).items()) == {
        "across": "on",
        "status": "prioriterade",
        "mailboxes": f"{mailbox.pk}.{other.pk}",
    }
    page = client.get(saved.headers["Location"])
    assert "Vyn är sparad." in page.content.decode()
    page = client.get(reverse("start"))
    links = page.context["sidebar"].saved
    assert [(link.name, link.count) for link in links] == [("Bråttom", 1)]
    assert [link.is_current for link in client.get(links[0].url).context["sidebar"].saved] == [True]
    change = reverse("saved-view", args=[view.pk])
    client.post(change, {"action": "rename", "name": " Först  av allt ", "list": address})
    view.refresh_from_db()
    assert view.name == "Först av allt"
    assert "Fel: Skriv vyns namn." in client.post(change, {"name": ""}, follow=True).content.decode()
    client.post(change, {"action": "remove"})
    assert not SavedView.objects.exists()


def test_a_view_that_cannot_be_saved_says_why_with_its_name_kept(karin, client, monkeypatch):
    monkeypatch.setattr(saved_views, "MOST", 2)
    saved_views.save(karin, "Första", ACROSS)
    url = reverse("saved-view-save")
    for name, error in (
        ("", "Skriv vyns namn."),
        ("a" * 41, "högst 40 tecken"),
        ("a\x1bb", "tecken som inte kan visas"),
        ("FÖRSTA", "redan en vy med det namnet"),
    ):
        page = client.post(url, {"name": name, "list": f"{ACROSS}&view=mina"})
        assert page.status_code == 422
        assert error in page.context["errors"]["name"]
        assert page.context["view_name_given"] == name
        assert page.context["asked"].view is View.MINE
    saved_views.save(karin, "Andra", ACROSS)
    page = client.post(url, {"name": "Tredje", "list": ACROSS})
    assert "redan 2 vyer" in page.context["errors"]["name"]
    assert SavedView.objects.count() == 2
    with pytest.raises(IntegrityError), transaction.atomic():
        SavedView.objects.create(person=karin, name="ANDRA", address="")


def test_a_saved_view_is_its_person_s_own_and_gives_no_right(mailbox, other, karin, client):
    row = a_conversation(other)
    view = saved_views.save(karin, "Ekonomi", f"{ACROSS}&mailboxes={other.pk}")
    url = reverse("start")
    assert [link.count for link in client.get(url).context["sidebar"].saved] == [1]
    Membership.objects.filter(person=karin, mailbox=other).delete()
    link = client.get(url).context["sidebar"].saved[0]
    assert link.count == 0
    assert client.get(link.url).context["page"].rows == []
    assert row.counterpart not in client.get(link.url).content.decode()
    log_in(client, a_member("Ahmed", mailbox))
    assert client.get(url).context["sidebar"].saved == []
    assert client.post(reverse("saved-view", args=[view.pk]), {"action": "remove"}).status_code == 404
    assert SavedView.objects.count() == 1


def test_only_views_that_are_cheap_to_count_have_a_count(mailbox, karin, client):
    a_conversation(mailbox)
    for name, address in (("A", "status=nya"), ("B", "organisation=x"), ("C", "view=klara&status=nya")):
        saved_views.save(karin, name, f"{ACROSS}&{address}")
    assert [link.count for link in client.get(reverse("start")).context["sidebar"].saved] == [0, None, None]


def test_the_address_of_chosen_mailboxes_is_understood_or_means_all():
    def chosen(text: str) -> tuple[int, ...]:
        return list_query.read(QueryDict(f"{ACROSS}&mailboxes={text}")).mailbox_ids

    assert chosen("3.1.3") == (1, 3)
    assert chosen("") == chosen("a.-1..²") == ()
    assert chosen(".".join(str(key) for key in range(1, 202))) == ()
