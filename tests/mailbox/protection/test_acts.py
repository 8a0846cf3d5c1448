"""Protecting a conversation, naming others, ending the protection, and opening it as a manager."""

import threading
import uuid
from datetime import timedelta

import pytest
from django.core import mail
from django.db import connection, transaction
from django.utils import timezone

from mailbox import access
from mailbox.administration import mailboxes
from mailbox.conversations import assignment, notes, reassignment, undo
from mailbox.drafts import composer, forwarding, send_order
from mailbox.models import (
    AccessLogEntry,
    ArrivalNotice,
    Conversation,
    DutyNotice,
    FunctionMailbox,
    Membership,
    NoticeChoice,
    ProtectedOpening,
    ProtectionNotice,
)
from mailbox.notifications import duty, notices
from mailbox.protection import acts
from mailbox.protection.abandoned import notice_abandoned
from mailbox.protection.shown import locked_rows
from mailbox.staffed_hours import calendars, duty_lists
from mailbox.staffed_hours.calendar import Calendar
from tests.mailbox.arrival_rules.build import a_rule
from tests.mailbox.build import a_member, arrives, reviewed

pytestmark = pytest.mark.django_db
Reason = ProtectedOpening.Reason


@pytest.fixture
def people(mailbox):
    """Karin and Ahmed, members, and Eva, who manages the mailbox."""
    karin, ahmed, eva = (a_member(name, mailbox) for name in ("Karin", "Ahmed", "Eva"))
    Membership.objects.filter(person=eva).update(role=Membership.Role.MANAGER)
    for person in (karin, ahmed, eva):
        person.mail_address = f"{person.name.lower()}@habo.se"
        person.save()
    return karin, ahmed, eva


def arrived(mailbox, conversation=None) -> Conversation:
    identity = str(conversation.conversation_id) if conversation else str(uuid.uuid4())
    return arrives(mailbox, conversation=identity).conversation


def sees(person, conversation) -> bool:
    return access.conversations_of(person).filter(pk=conversation.pk).exists()


def test_it_is_seen_by_those_named_and_by_who_protected_it(mailbox, people):
    karin, ahmed, eva = people
    row = arrived(mailbox)
    assert acts.set_named_members(row.pk, karin, [ahmed.pk])
    assert [sees(person, row) for person in people] == [True, True, False]
    assert not acts.set_named_members(row.pk, ahmed, [karin.pk]), "nothing has changed"
    acts.set_named_members(row.pk, ahmed, [eva.pk])
    assert [sees(person, row) for person in people] == [False, True, True]
    acts.end_protection(row.pk, eva)
    assert [sees(person, row) for person in people] == [True, True, True]
    said = list(row.events.order_by("pk").values_list("what", "to"))
    assert said == [("protected", "Ahmed, Karin"), ("named", "Ahmed, Eva"), ("unprotected", "")]
    logged = AccessLogEntry.objects.filter(conversation_id=row.conversation_id).order_by("number")
    assert [(entry.what, entry.details.get("named")) for entry in logged] == [
        ("conversation-protected", sorted([karin.pk, ahmed.pk])),
        ("protected-members-set", sorted([ahmed.pk, eva.pk])),
        ("conversation-unprotected", None),
    ]


def test_new_messages_in_it_stay_protected(mailbox, people):
    karin, ahmed, _eva = people
    row = arrived(mailbox)
    acts.set_named_members(row.pk, karin, [])
    arrived(mailbox, row)
    assert access.messages_of(karin).count() == 2
    assert not access.messages_of(ahmed).exists()


def test_nobody_who_does_not_see_it_changes_its_protection(mailbox, people):
    karin, ahmed, eva = people
    row = arrived(mailbox)
    acts.set_named_members(row.pk, karin, [])
    for person in (ahmed, eva, a_member("Någon annan")):
        with pytest.raises(assignment.NotAMember):
            acts.set_named_members(row.pk, person, [karin.pk])
        with pytest.raises(assignment.NotAMember):
            acts.end_protection(row.pk, person)
    assert [sees(person, row) for person in people] == [True, False, False]


def test_only_members_are_named(mailbox, people):
    row = arrived(mailbox)
    beside = FunctionMailbox.objects.create(participant_id=mailbox.participant_id, address="x", name="X")
    for outsider in (a_member("Utanför").pk, a_member("Bredvid", beside).pk, 2**62):
        with pytest.raises(acts.NotMembers):
            acts.set_named_members(row.pk, people[0], [outsider])
    Membership.objects.filter(person=people[1]).update(ends_at=timezone.now() - timedelta(seconds=1))
    with pytest.raises(acts.NotMembers):
        acts.set_named_members(row.pk, people[0], [people[1].pk])
    assert not Conversation.objects.get().is_protected


def test_what_others_have_in_it_ends(mailbox, people):
    karin, ahmed, eva = people
    row = arrived(mailbox)
    assignment.assign(row.pk, ahmed)
    reassignment.offer(row.pk, ahmed, to=eva, done="Ringt", remains="Svara")
    acts.set_named_members(row.pk, karin, [])
    row.refresh_from_db()
    assert row.assignee is None
    assert not access.offers_to(eva).exists()
    assert not row.assignments.filter(ended_at=None).exists()
    assert not row.reassignments.filter(settled_at=None).exists()
    for person in (ahmed, eva):
        with pytest.raises(assignment.NotAMember):
            assignment.assign(row.pk, person)
        with pytest.raises(reassignment.InvalidReceiver):
            reassignment.offer(row.pk, karin, to=person, done="Ringt", remains="Svara")
    beside = FunctionMailbox.objects.create(participant_id=mailbox.participant_id, address="x", name="X")
    with pytest.raises(reassignment.InvalidReceiver):
        reassignment.offer(row.pk, karin, to=beside, done="Ringt", remains="Svara")


def test_undoing_does_not_give_it_back_to_who_does_not_see_it(mailbox, people):
    karin, ahmed, _eva = people
    row = arrived(mailbox)
    assignment.assign(row.pk, ahmed)
    taken = assignment.assign(row.pk, karin, instead_of=ahmed.pk)
    acts.set_named_members(row.pk, karin, [])
    with pytest.raises(undo.TooLateToUndo):
        undo.undo(taken.pk, karin)


def test_a_mention_reaches_only_who_is_named(mailbox, people):
    karin, ahmed, eva = people
    row = arrived(mailbox)
    acts.set_named_members(row.pk, karin, [ahmed.pk])
    note, unknown = notes.write(row.pk, karin, "@Eva och @Ahmed", mentioned=[eva.pk])
    assert unknown == ["Eva"]
    assert [mention.person for mention in note.mentions.all()] == [ahmed]


def test_it_ends_with_the_membership_and_does_not_come_back_with_another(mailbox, people):
    karin, ahmed, eva = people
    row = arrived(mailbox)
    acts.set_named_members(row.pk, karin, [ahmed.pk])
    Membership.objects.filter(person=ahmed).update(ends_at=timezone.now() - timedelta(seconds=1))
    assert not sees(ahmed, row)
    mailboxes.end_memberships()
    Membership.objects.create(person=ahmed, mailbox=mailbox)
    assert not sees(ahmed, row)
    assert sees(karin, row)
    assert not sees(eva, row)


def test_managers_are_told_once_when_nobody_is_left(mailbox, people):
    karin, _ahmed, eva = people
    row = arrived(mailbox)
    acts.set_named_members(row.pk, karin, [])
    assert notice_abandoned() == 0
    mailboxes.remove_member(eva, Membership.objects.get(person=karin))
    assert [notice_abandoned(), notice_abandoned()] == [1, 0]
    notices.send_notices()
    assert [(letter.to, letter.subject) for letter in mail.outbox] == [
        (["eva@habo.se"], "Ingen är kvar som ser en skyddad konversation i Mottagning")
    ]
    acts.open_as_manager(row.pk, eva, Reason.ABSENCE, "Karin har slutat")
    assert sees(eva, row)
    # She who sees it now is locked out by nobody: a new notice comes only when she leaves as well.
    assert notice_abandoned() == 0


def test_a_manager_opens_it_with_a_reason_that_is_logged_and_told(mailbox, people):
    karin, ahmed, eva = people
    row = arrived(mailbox)
    acts.set_named_members(row.pk, karin, [])
    acts.open_as_manager(row.pk, eva, Reason.URGENT, "Karin är sjuk")
    assert [sees(person, row) for person in people] == [True, False, True]
    entry = AccessLogEntry.objects.get(what="protected-opened")
    assert (entry.actor, entry.details["reason"]) == (eva, "urgent")
    assert "sjuk" not in str(entry.details)
    assert ProtectedOpening.objects.get().explanation == "Karin är sjuk"
    with connection.cursor() as cursor:
        cursor.execute("SELECT explanation FROM mailbox_protectedopening")
        assert "sjuk" not in str(cursor.fetchall())
    notices.send_notices()
    assert [(letter.to, letter.subject) for letter in mail.outbox] == [
        (["karin@habo.se"], "En ansvarig har öppnat en skyddad konversation i Mottagning")
    ]
    assert notices.recently_notified_mailboxes(karin) == ["Mottagning"]
    assert notices.recently_notified_mailboxes(ahmed) == []
    notices.send_notices()
    assert len(mail.outbox) == 1


def test_nobody_but_a_manager_of_the_mailbox_opens_it(mailbox, people):
    karin, ahmed, eva = people
    row = arrived(mailbox)
    acts.set_named_members(row.pk, karin, [])
    Membership.objects.filter(person=eva).update(ends_at=timezone.now() - timedelta(seconds=1))
    beside = FunctionMailbox.objects.create(participant_id=mailbox.participant_id, address="x", name="X")
    elsewhere = a_member("Ansvarig bredvid", beside)
    Membership.objects.filter(person=elsewhere).update(role=Membership.Role.MANAGER)
    for person in (ahmed, eva, elsewhere):
        with pytest.raises(assignment.NotAMember):
            acts.open_as_manager(row.pk, person, Reason.OTHER, "Nyfiken")
    assert not ProtectedOpening.objects.exists()


def test_what_is_not_protected_is_not_opened(mailbox, people):
    row = arrived(mailbox)
    with pytest.raises(assignment.NotAMember):
        acts.open_as_manager(row.pk, people[2], Reason.OTHER, "Redan öppen")
    with pytest.raises(acts.NotProtected):
        acts.end_protection(row.pk, people[0])


def test_a_locked_row_tells_when_and_managers_alone_where(mailbox, people):
    karin, ahmed, eva = people
    row = arrived(mailbox)
    acts.set_named_members(row.pk, karin, [])
    row.refresh_from_db()
    of_ahmed, of_eva = (locked_rows(mailbox, person, row.state) for person in (ahmed, eva))
    assert [(line.arrived_at, line.key) for line in of_ahmed.rows] == [(row.last_arrived_at, 0)]
    assert [line.key for line in of_eva.rows] == [row.pk]
    assert not locked_rows(mailbox, karin, row.state).rows
    assert not locked_rows(mailbox, a_member("Utanför"), row.state).rows


def test_a_forwarded_message_begins_a_conversation_that_the_same_people_see(mailbox, people, function):
    karin, ahmed, _eva = people
    row = arrived(mailbox)
    acts.set_named_members(row.pk, karin, [ahmed.pk])
    draft = forwarding.begin(row.messages.get(), karin)
    values = {
        "recipient_participant": "0203:af.se",
        "recipient_organisation": "AF",
        "recipient_address": "sdk:af",
        "recipient_function": "Arbetsträning",
        "is_confidential": True,
    }
    for name, value in values.items():
        setattr(draft, name, value)
    draft.save()
    draft = composer.save(draft.pk, draft.version, composer.Content({"text": "Vidare"}), karin)
    send_order.order(draft.pk, reviewed(draft, is_confirmed=True), karin, seconds=0)
    send_order.send_if_due(draft.pk)
    sent = send_order.sent_from(draft.pk).get().conversation
    assert sent != row
    assert [sees(person, sent) for person in people] == [True, True, False]


def test_an_answer_of_who_is_not_named_any_more_is_not_sent(mailbox, people):
    karin, ahmed, _eva = people
    row = arrived(mailbox)
    draft = composer.begin_answer(row.messages.get(), ahmed)
    draft = composer.save(draft.pk, draft.version, composer.Content({"text": "Hej"}), ahmed)
    later = timezone.now() + timedelta(days=2)
    send_order.order(draft.pk, reviewed(draft, is_confirmed=True), ahmed, at=later)
    with pytest.raises(acts.BeingSent):
        acts.set_named_members(row.pk, karin, [])
    acts.set_named_members(row.pk, karin, [ahmed.pk])
    mailboxes.remove_member(karin, Membership.objects.get(person=ahmed))
    type(draft).objects.update(send_at=timezone.now())
    send_order.send_if_due(draft.pk)
    draft.refresh_from_db()
    assert (draft.send_at, draft.trouble) == (None, send_order.NOT_A_MEMBER)


def test_chosen_notices_and_duty_notices_reach_only_who_is_named(mailbox, people):
    karin, ahmed, eva = people
    row = arrived(mailbox)
    acts.set_named_members(row.pk, karin, [])
    for person in (karin, ahmed):
        notices.choose(person, mailbox, by_mail=True, by_push=False)
    NoticeChoice.objects.update(told_until=timezone.now() - timedelta(hours=1))
    duty_lists.set_duty_list(eva, mailbox, [ahmed, karin], 30)
    mailbox.duty_list.since = timezone.now() - timedelta(hours=1)
    mailbox.duty_list.save()
    calendars.save(eva, calendars.Owner(mailbox.participant_id, mailbox), Calendar())
    notices.send_notices()
    assert [letter.to for letter in mail.outbox] == [["karin@habo.se"]]
    duty.send_duty_notices()
    assert [notice.person for notice in DutyNotice.objects.all()] == [karin]


def test_rules_on_arrival_assign_and_tell_only_who_is_named(mailbox, people):
    karin, ahmed, eva = people
    row = arrived(mailbox)
    acts.set_named_members(row.pk, karin, [])
    a_rule(mailbox, "Till Ahmed", assign_to=ahmed.pk, notify=(ahmed.pk, karin.pk))
    arrived(mailbox, row)
    row.refresh_from_db()
    assert row.assignee is None
    assert [notice.person for notice in ArrivalNotice.objects.all()] == [karin]
    assert sees(karin, row)
    assert not sees(eva, row)


@pytest.mark.django_db(transaction=True)
def test_two_who_end_and_change_it_at_once_leave_one_of_both(mailbox, people):
    karin, ahmed, eva = people
    with transaction.atomic():
        row = arrived(mailbox)
    acts.set_named_members(row.pk, karin, [ahmed.pk])
    barrier, failed = threading.Barrier(2, timeout=30), []

    def act(what):
        try:
            barrier.wait()
            what()
        except (assignment.NotAMember, acts.NotProtected):
            failed.append(what)
        finally:
            connection.close()

    threads = [
        threading.Thread(target=act, args=(lambda: acts.set_named_members(row.pk, karin, []),)),
        threading.Thread(target=act, args=(lambda: acts.end_protection(row.pk, ahmed),)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    row.refresh_from_db()
    named = access.people_named_in([row.pk])[row.pk]
    assert named == ({karin.pk} if row.is_protected else frozenset())
    assert sees(karin, row)
    assert sees(eva, row) is not row.is_protected


def test_notices_of_an_opening_that_is_over_reach_nobody(mailbox, people):
    karin, _ahmed, eva = people
    row = arrived(mailbox)
    acts.set_named_members(row.pk, karin, [])
    acts.open_as_manager(row.pk, eva, Reason.SUPERVISION, "Granskning")
    mailboxes.remove_member(eva, Membership.objects.get(person=karin))
    notices.send_notices()
    assert mail.outbox == []
    assert not ProtectionNotice.objects.filter(told_at=None).exists()
