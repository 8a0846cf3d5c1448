"""A query whose SQL is written once finds what the same query finds when it is built for each call."""

from datetime import date, timedelta

import pytest
from django.contrib.postgres.expressions import ArraySubquery
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from mailbox import access
from mailbox.models import Conversation, FunctionMailbox, Membership, Person
from mailbox.prepared_query import NotPreparable, PreparedQuery
from tests.mailbox.build import a_member, arrives

pytestmark = pytest.mark.django_db


def with_keys(person: Person, rows):
    columns = Person.objects.filter(pk=person.pk).annotate(keys=ArraySubquery(rows.values("pk")))
    return columns.values_list("keys")


def keys_of(person: Person, mailbox_id: int):
    rows = access.conversations_of(person).filter(mailbox_id=mailbox_id).order_by("pk")
    return (
        Person.objects.filter(pk=person.pk)
        .annotate(keys=ArraySubquery(rows.values("pk")))
        .values_list("keys")
    )


def mailboxes_of(person: Person):
    return access.mailboxes_of(person).order_by("pk")


def test_each_person_and_key_gets_what_is_theirs(mailbox):
    other = FunctionMailbox.objects.create(
        participant_id=mailbox.participant_id, address="funktion-z", name="Andra"
    )
    karin, ahmed = a_member("Karin", mailbox), a_member("Ahmed", mailbox, other)
    first, second = (arrives(mailbox).conversation.pk for _ in range(2))
    Conversation.objects.filter(pk=second).update(mailbox=other)
    query, boxes = PreparedQuery(keys_of), PreparedQuery(mailboxes_of)
    for _ in range(2):
        assert query.row(karin, mailbox.pk) == ([first],)
        assert query.row(ahmed, other.pk) == ([second],)
        assert query.row(karin, other.pk) == ([],)
        assert boxes.instances(FunctionMailbox, karin) == [mailbox]
        assert boxes.instances(FunctionMailbox, ahmed) == [mailbox, other]


def test_a_membership_that_has_ended_since_shows_nothing_more(mailbox):
    karin = a_member("Karin", mailbox)
    conversation = arrives(mailbox).conversation
    query = PreparedQuery(keys_of)
    assert query.row(karin, mailbox.pk) == ([conversation.pk],)
    Membership.objects.filter(person=karin).update(ends_at=timezone.now())
    assert query.row(karin, mailbox.pk) == ([],)
    Membership.objects.filter(person=karin).update(ends_at=timezone.now() + timedelta(hours=1))
    assert query.row(karin, mailbox.pk) == ([conversation.pk],)


def test_nobody_who_is_locked_out_is_asked_for(mailbox):
    karin = a_member("Karin", mailbox)
    arrives(mailbox)
    query, boxes = PreparedQuery(keys_of), PreparedQuery(mailboxes_of)
    assert query.row(karin, mailbox.pk) != ([],)
    karin.is_active = False
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert query.row(karin, mailbox.pk) is None
        assert boxes.instances(FunctionMailbox, karin) == []
    assert len(captured) == 0


def test_what_holds_a_day_is_written_anew_on_the_next(mailbox, monkeypatch):
    karin, conversation = a_member("Karin", mailbox), arrives(mailbox).conversation
    Conversation.objects.filter(pk=conversation.pk).update(due_on=date(2026, 12, 24))

    def due_of(person: Person):
        due = access.conversations_of(person).filter(due_on__lte=timezone.localdate())
        return (
            Person.objects.filter(pk=person.pk)
            .annotate(keys=ArraySubquery(due.values("pk")))
            .values_list("keys")
        )

    query = PreparedQuery(due_of)
    for day, found in ((23, []), (24, [conversation.pk]), (23, [])):
        monkeypatch.setattr(timezone, "localdate", lambda day=day: date(2026, 12, day))
        assert query.row(karin) == (found,)


def test_a_query_that_would_be_wrong_for_the_next_person_or_moment_is_refused(mailbox):
    karin = a_member("Karin", mailbox)

    def of_this_moment(person: Person):
        return access.conversations_of(person).filter(last_activity_at__lt=timezone.now())

    def of_what_was_asked(person: Person):
        boxes = list(access.mailboxes_of(person))
        return Conversation.objects.filter(mailbox__in=boxes, assignee_id=person.pk)

    def of_anybody(_: Person):
        return Conversation.objects.filter(is_priority=True)

    for build, why in (
        (of_this_moment, "moment"),
        (of_what_was_asked, "asks the database"),
        (of_anybody, "not in the query"),
    ):
        with pytest.raises(NotPreparable, match=why):
            PreparedQuery(build).row(karin)
