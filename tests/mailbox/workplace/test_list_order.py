"""A mailbox's list in the order that was chosen, page by page."""

import uuid
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from mailbox.models import Conversation, Draft, Person
from mailbox.workplace import inbox, list_order
from mailbox.workplace.inbox import View
from mailbox.workplace.list_order import Order
from tests.mailbox.build import a_member, log_in
from tests.pages import in_one_line

pytestmark = pytest.mark.django_db
NOON = datetime.fromisoformat("2026-03-02T12:00+01:00")


def a_conversation(mailbox, **values) -> Conversation:
    values = {"counterpart": "A, B", "last_activity_at": NOON} | values
    return Conversation.objects.create(mailbox=mailbox, conversation_id=uuid.uuid4(), **values)


def pages(mailbox, person: Person, order: Order, view: View = View.INBOX) -> list[list[int]]:
    """The keys of every page."""
    found, after = [], ""
    while True:
        page = inbox.page_of(mailbox, person, after, view=view, order=order)
        with CaptureQueriesContext(connection) as queries:
            bare = inbox.page_of(mailbox, person, after, view=view, order=order, for_rows=False)
        # For keys alone, the same rows are found, and no more is asked.
        assert len(queries) <= (1 if order in {Order.LATEST, Order.OLDEST} else 2)
        assert "mailbox_message" not in str(queries.captured_queries)
        assert ([row.pk for row in bare.rows], bare.after) == ([row.pk for row in page.rows], page.after)
        found.append([row.pk for row in page.rows])
        after = page.after
        if not after:
            return found


@pytest.mark.parametrize(
    ("order", "column"),
    [(Order.DUE, "due_on"), (Order.REMINDER, "remind_at"), (Order.TIME_LIMIT, "limit_at")],
)
def test_the_nearest_date_comes_first_and_what_has_none_last_the_latest_first(mailbox, order, column):
    karin = a_member("Karin", mailbox)
    day = timedelta(days=1)

    def date(number: int):
        at = NOON + number * day
        return at.date() if column == "due_on" else at

    undated = a_conversation(mailbox)
    later_undated = a_conversation(mailbox, last_activity_at=NOON + day)
    far = a_conversation(mailbox, **{column: date(9)}, last_activity_at=NOON + 3 * day)
    near = a_conversation(mailbox, **{column: date(1)})
    near_and_later = a_conversation(mailbox, **{column: date(1)}, last_activity_at=NOON + day)
    expected = [near_and_later.pk, near.pk, far.pk, later_undated.pk, undated.pk]
    assert pages(mailbox, karin, order) == [expected]


@pytest.mark.parametrize("order", Order)
@pytest.mark.parametrize("dated", [0, 3, list_order.PAGE, list_order.PAGE + 1, 2 * list_order.PAGE])
def test_every_conversation_is_on_one_page_once_whatever_the_order(mailbox, order, dated):
    karin = a_member("Karin", mailbox)
    # Most at the same moment, so that the key decides.
    Conversation.objects.bulk_create(
        Conversation(
            mailbox=mailbox,
            conversation_id=uuid.uuid4(),
            counterpart="A",
            last_activity_at=NOON + timedelta(hours=number // 20),
            due_on=NOON.date() + timedelta(days=number % 3) if number < dated else None,
            remind_at=NOON + timedelta(days=number % 3) if number < dated else None,
            limit_at=NOON + timedelta(days=number % 3) if number < dated else None,
        )
        for number in range(2 * list_order.PAGE + 2)
    )
    found = pages(mailbox, karin, order)
    assert [len(page) for page in found] == [list_order.PAGE, list_order.PAGE, 2]
    shown = [key for page in found for key in page]
    assert len(set(shown)) == len(shown)
    columns = {Order.DUE: "due_on", Order.REMINDER: "remind_at", Order.TIME_LIMIT: "limit_at"}
    by_key = Conversation.objects.in_bulk(shown)
    if order in columns:
        dates = [getattr(by_key[key], columns[order]) for key in shown]
        assert dates == sorted(dates, key=lambda one: (one is None, one))
    else:
        times = [by_key[key].last_activity_at for key in shown]
        assert times == sorted(times, reverse=order is Order.LATEST)


def test_the_order_is_chosen_in_the_page_and_kept_to_the_next(mailbox, client):
    karin = a_member("Karin", mailbox)
    log_in(client, karin)
    for _ in range(list_order.PAGE):
        a_conversation(mailbox, due_on=NOON.date() + timedelta(days=1))
    last = a_conversation(mailbox, remind_at=NOON)
    first = a_conversation(mailbox, due_on=NOON.date())
    form = {"view": "inkorg", "order": "klart-senast"}
    address = client.post(reverse("mailbox", args=[mailbox.pk]), form).headers["Location"]
    page = client.get(address)
    assert page.context["page"].rows[0].conversation == first
    told = in_one_line(page.content.decode())
    assert '<option value="klart-senast" selected>' in told
    path = address.split("?")[0]
    following = told.split(f'<a class="button quiet" href="{path}?')[1].split('"')[0].replace("&amp;", "&")
    assert "order=klart-senast" in following
    second = client.get(f"{path}?{following}")
    assert second.context["page"].rows[-1].conversation == last
    assert "⏰ 2 mar" in second.content.decode().lower()


@pytest.mark.parametrize("view", [View.DONE, View.SENT, View.TRASH, View.DRAFTS])
def test_what_is_not_to_be_done_has_no_order_by_when(mailbox, client, view):
    log_in(client, a_member("Karin", mailbox))
    page = client.get(f"{reverse('mailbox', args=[mailbox.pk])}?view={view}&order=klart-senast")
    assert page.context["asked"].order is Order.LATEST
    assert "klart-senast" not in page.content.decode().split('id="order"')[1].split("</select>")[0]


@pytest.mark.parametrize("order", Order)
@pytest.mark.parametrize(
    "key",
    ["x", "_", "2026-03-02_5", "2026-03-02T12:00_5", "2026-03-02_2026-03-02T12:00_5", "1_2_3_4", "_" * 9],
)
def test_a_key_that_is_none_asks_for_the_first_page(mailbox, order, key):
    karin = a_member("Karin", mailbox)
    row = a_conversation(mailbox)
    assert [one.pk for one in inbox.page_of(mailbox, karin, key, order=order).rows] == [row.pk]


def test_drafts_have_pages_as_well(mailbox, client):
    karin = a_member("Karin", mailbox)
    log_in(client, karin)
    for number in range(list_order.PAGE + 2):
        Draft.objects.create(mailbox=mailbox, created_by=karin, changed_by=karin, subject=f"Utkast {number}")
    Draft.objects.create(mailbox=mailbox, created_by=karin, changed_by=karin)
    address = f"{reverse('mailbox', args=[mailbox.pk])}?view=utkast"
    first = client.get(address).context["page"]
    key = first.after.replace("+", "%2B")
    second = client.get(f"{address}&after={key}&page=2").context["page"]
    subjects = [row.subject for page in (first, second) for row in page.rows]
    assert subjects == [f"Utkast {number}" for number in reversed(range(list_order.PAGE + 2))]
    assert second.after == ""


@pytest.mark.parametrize("order", Order)
def test_a_page_is_looked_for_from_its_key_on(mailbox, order):
    """Without reading what lies before: the key's first part is a condition of the index."""
    karin = a_member("Karin", mailbox)
    Conversation.objects.bulk_create(
        Conversation(
            mailbox=mailbox,
            conversation_id=uuid.uuid4(),
            counterpart="A",
            last_activity_at=NOON + timedelta(minutes=number),
            due_on=NOON.date() + timedelta(days=number // 2),
            remind_at=NOON + timedelta(minutes=number),
            limit_at=NOON + timedelta(minutes=number),
        )
        for number in range(list_order.PAGE * 3)
    )
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_bitmapscan = off")
        cursor.execute("SET LOCAL enable_sort = off")
        cursor.execute("ANALYZE mailbox_conversation")
    after = inbox.page_of(mailbox, karin, order=order).after
    with CaptureQueriesContext(connection) as queries:
        inbox.page_of(mailbox, karin, after, order=order)
    asked = next(one["sql"] for one in queries if "ORDER BY" in one["sql"])
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN " + asked.replace("%", "%%"))
        plan = [line for (line,) in cursor.fetchall()]
    column = {Order.DUE: "due_on", Order.REMINDER: "remind_at", Order.TIME_LIMIT: "limit_at"}.get(
        order, "last_activity_at"
    )
    sign = {Order.LATEST: "<=", Order.OLDEST: ">="}.get(order, ">=")
    assert any("Index Cond" in line and f"{column} {sign}" in line for line in plan), plan
