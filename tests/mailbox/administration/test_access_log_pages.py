"""The list of the access log: page by page, whatever it is narrowed to, and looked for by an index."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from mailbox import access_log
from mailbox.administration.views import access_log_pages
from mailbox.models import AccessLogEntry, FunctionMailbox, OrganisationRole

from .build import HERE, a_member

pytestmark = pytest.mark.django_db
ANOTHER = "0203:annan.se"


@pytest.fixture
def auditor(client):
    mailbox = FunctionMailbox.objects.create(participant_id=HERE, address="funktion-b", name="Mottagning")
    person = a_member(mailbox)
    for organisation in (HERE, ANOTHER):
        OrganisationRole.objects.create(person=person, participant_id=organisation, role="auditor")
    client.force_login(person, backend="mailbox.accounts.login.EidBackend")
    return person


def pages(client, **asked: str) -> list[list[int]]:
    found, address = [], reverse("administration-access-log")
    query = "&".join(f"{name}={value}" for name, value in asked.items())
    while True:
        context = client.get(f"{address}?{query}").context
        found.append([row.entry.pk for row in context["entries"]])
        query = context["next"]
        if not query:
            return found


def test_every_entry_is_on_one_page_once_the_latest_first(auditor, client, monkeypatch):
    monkeypatch.setattr(access_log_pages, "_PAGE", 4)
    entries = [access_log.record(auditor, "searched", (HERE, ANOTHER)[number % 2]).pk for number in range(9)]
    rare = [access_log.record(auditor, "role-given", HERE).pk for _ in range(5)]
    everything = (entries + rare)[::-1]
    assert pages(client) == [everything[:4], everything[4:8], everything[8:12], everything[12:]]
    assert pages(client, what="role-given") == [rare[:0:-1], rare[:1]]


def test_a_page_after_an_entry_that_is_not_there_is_the_first(auditor, client):
    entry = access_log.record(auditor, "searched", HERE)
    assert pages(client, before="999999") == [[entry.pk]]


@pytest.mark.parametrize(
    ("asked", "index"),
    [
        ({}, "access_log_latest"),
        ({"what": "role-given"}, "access_log_latest_rare"),
        ({"what": "searched"}, "access_log_latest"),
    ],
)
def test_what_is_done_seldom_is_not_looked_for_among_what_is_done_all_day(auditor, client, asked, index):
    access_log.record(auditor, "searched", HERE)
    OrganisationRole.objects.filter(participant_id=ANOTHER).delete()
    with connection.cursor() as cursor:
        for one in ("seqscan", "bitmapscan", "sort"):
            cursor.execute(f"SET LOCAL enable_{one} = off")
    with CaptureQueriesContext(connection) as queries:
        client.get(reverse("administration-access-log"), asked | {"until": timezone.localdate().isoformat()})
    query = next(one["sql"] for one in queries if '"what"' in one["sql"] and "ORDER BY" in one["sql"])
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN " + query.replace("%", "%%"))
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert f"Index Scan using {index} " in plan, plan
    assert AccessLogEntry.objects.count() == 1
