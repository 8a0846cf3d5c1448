"""Asked, approved exactly as it was, sent once; and everything by which an approval does not hold."""

import contextlib
from datetime import timedelta
from io import BytesIO

import pytest
from django.db import connection
from django.utils import timezone

from mailbox import tasks
from mailbox.administration import mailboxes
from mailbox.attachments import uploads
from mailbox.conversations import assignment, history
from mailbox.drafts import composer, draft_files, ownership, recipients, send_order
from mailbox.drafts.approval_requests import acts, shown
from mailbox.models import (
    AccessLogEntry,
    ApprovalNotice,
    ApprovalRequest,
    Draft,
    FunctionMailbox,
    Membership,
    Message,
    Person,
)
from mailbox.protection.acts import set_named_members
from tests.mailbox.build import a_member, arrives, reviewed
from tests.mailbox.case_systems.test_at_once import at_once as _at_once
from transport.message_service.models import OutgoingMessage

from .build import State, a_draft, approve, asked, demands, seconds_pass, with_role

pytestmark = pytest.mark.django_db


def state_of(request: ApprovalRequest) -> str:
    request.refresh_from_db()
    return request.state


def nothing_sent() -> bool:
    return not OutgoingMessage.objects.exists() and not Message.objects.filter(direction="out").exists()


def test_what_a_writer_asks_for_is_sent_in_their_name_when_a_colleague_approves(
    mailbox, function, karin, ahmed
):
    draft = a_draft(mailbox, function, karin)
    with pytest.raises(send_order.ApprovalNeeded):
        send_order.order(draft.pk, reviewed(draft), karin)
    request = asked(draft, karin)
    seconds_pass(draft)
    assert nothing_sent()
    approve(request, ahmed)
    seconds_pass(draft)
    sent = Message.objects.get()
    assert (sent.subject, sent.written_by, sent.sender_persons[0]["label"]) == (
        "Kallelse till möte",
        karin,
        "Karin",
    )
    lines = [line for _at, line in history.lines_of(history.events_of(sent.conversation))]
    assert lines == ["Meddelande skrivet av Karin", "Meddelandet godkänt av Ahmed"]
    assert list(
        AccessLogEntry.objects.filter(what__contains="appr").order_by("number").values_list("what", "actor")
    ) == [("approval-asked", karin.pk), ("message-approved", ahmed.pk)]
    assert not ApprovalRequest.objects.exists()


def test_in_a_mailbox_that_demands_it_nobody_sends_alone(mailbox, function, ahmed):
    manager = with_role(a_member("Maria", mailbox), mailbox, Membership.Role.MANAGER)
    demands(mailbox, "all")
    for person in (ahmed, manager):
        draft = a_draft(mailbox, function, person)
        with pytest.raises(send_order.ApprovalNeeded):
            send_order.order(draft.pk, reviewed(draft), person, seconds=0)
    request = asked(draft, manager)
    approve(request, ahmed)
    seconds_pass(draft)
    assert Message.objects.get().written_by == manager


def test_demanded_of_confidential_messages_others_are_sent_as_always(mailbox, function, ahmed):
    demands(mailbox, "confidential")
    secret = a_draft(mailbox, function, ahmed, is_confidential=True)
    with pytest.raises(send_order.ApprovalNeeded):
        send_order.order(secret.pk, reviewed(secret, is_confirmed=True), ahmed)
    composer.save(secret.pk, secret.version, composer.Content({"is_confidential": False}), ahmed)
    secret.refresh_from_db()
    send_order.order(secret.pk, reviewed(secret), ahmed)


def test_who_has_written_in_it_does_not_approve_it(mailbox, function, karin, ahmed):
    maria = a_member("Maria", mailbox)
    draft = a_draft(mailbox, function, ahmed)
    draft = ownership.take_over(draft.pk, draft.version, maria)
    stored = uploads.store(BytesIO(b"Hej"), "a.txt", "text/plain", "drafts", mailbox.participant_id)
    draft_files.keep_file(draft, stored, maria)
    draft.refresh_from_db()
    ownership.take_over(draft.pk, draft.version, karin)
    request = asked(draft, karin)
    # One began it, one added a file, one asks; and readers and writers approve nothing.
    others = [
        with_role(a_member("Nils", mailbox), mailbox, role) for role in ("reader", "writer", "observer")
    ]
    for person in (ahmed, maria, karin, *others, a_member("Utomstående")):
        with pytest.raises(acts.NotAsked):
            approve(request, person)
        with pytest.raises(acts.NotAsked):
            acts.give_back(request.pk, "Nej", person)
    assert state_of(request) == State.OPEN
    approve(request, a_member("Eva", mailbox))
    assert state_of(request) == State.APPROVED


def changes(draft: Draft, person: Person, function) -> dict[str, object]:
    """All that changes a draft, by name."""

    def add_file() -> None:
        stored = uploads.store(BytesIO(b"Hej"), "b.txt", "text/plain", "drafts", "0203:habo.se")
        draft_files.keep_file(draft, stored, person)

    def write(**values: object) -> None:
        composer.save(draft.pk, draft.version, composer.Content(values), person)

    return {
        "text": lambda: write(text="Något annat."),
        "subject": lambda: write(subject="Något annat"),
        "flag": lambda: write(is_confidential=True),
        "reference": lambda: write(reference_kind="dnr", reference="KS 1"),
        "person": lambda: write(person_name="Anna"),
        "recipient": lambda: recipients.remove_recipient(draft.pk, draft.version, person),
        "file": add_file,
        "no file": lambda: draft_files.detach(draft.attachments.get(), person),
        "taken over": lambda: ownership.take_over(draft.pk, draft.version, a_member("Eva", draft.mailbox)),
        "deleted": lambda: composer.discard(draft, draft.version, person),
    }


@pytest.mark.parametrize("what", changes(Draft(), Person(), None))
def test_a_change_ends_the_request_and_nothing_is_approved(mailbox, function, karin, ahmed, what):
    draft = a_draft(mailbox, function, karin)
    stored = uploads.store(BytesIO(b"Hej"), "a.txt", "text/plain", "drafts", mailbox.participant_id)
    draft_files.keep_file(draft, stored, karin)
    request = asked(draft, karin)
    seen = reviewed(draft)
    changes(draft, karin, function)[what]()
    with pytest.raises(acts.NotAsked):
        acts.approve(request.pk, seen, ahmed)
    assert shown.to_answer(ahmed) == []
    assert AccessLogEntry.objects.filter(what="approval-ended").exists()
    assert nothing_sent()


def test_a_change_that_nothing_noticed_is_found_when_it_is_approved(mailbox, function, karin, ahmed):
    draft = a_draft(mailbox, function, karin)
    request = asked(draft, karin)
    changed = Draft.objects.get(pk=draft.pk)
    changed.text = "Något annat."
    changed.save()
    with pytest.raises(acts.ChangedMeanwhile):
        approve(request, ahmed)
    assert state_of(request) == State.ENDED
    assert nothing_sent()


def test_a_change_after_the_approval_is_not_sent(mailbox, function, karin, ahmed):
    draft = a_draft(mailbox, function, karin)
    approve(asked(draft, karin), ahmed)
    changed = Draft.objects.get(pk=draft.pk)
    changed.text = "Något annat."
    changed.save()
    seconds_pass(draft)
    draft.refresh_from_db()
    assert (draft.trouble, draft.send_at) == (send_order.NOT_APPROVED, None)
    assert nothing_sent()


@pytest.mark.parametrize("who", ["asker", "approver"])
@pytest.mark.parametrize("how", ["removed", "ended", "reader", "writer", "locked"])
def test_rights_that_are_gone_when_it_leaves_stop_it(mailbox, function, karin, ahmed, who, how):
    demands(mailbox, "all")
    draft = a_draft(mailbox, function, karin)
    approve(asked(draft, karin), ahmed)
    person = {"asker": karin, "approver": ahmed}[who]
    membership = Membership.objects.get(person=person, mailbox=mailbox)
    if how == "removed":
        mailboxes.remove_member(None, membership)
    elif how == "ended":
        Membership.objects.filter(pk=membership.pk).update(ends_at=timezone.now())
    elif how == "locked":
        mailboxes.lock_out(None, person, mailbox.participant_id)
    else:
        actor = a_member("Eva", mailbox)
        mailboxes.add_known_member(actor, mailbox, person, role=how)
    seconds_pass(draft)
    if (who, how) == ("asker", "writer"):
        # Who asks is a writer already.
        assert Message.objects.exists()
        return
    assert nothing_sent()
    draft.refresh_from_db()
    assert draft.send_at is None
    assert draft.trouble in {send_order.NOT_APPROVED, send_order.NOT_A_MEMBER}
    assert not draft.approval_requests.filter(state__in=[State.OPEN, State.APPROVED]).exists()


def test_an_open_request_ends_with_the_membership_of_who_asked(mailbox, function, karin, ahmed):
    request = asked(a_draft(mailbox, function, karin), karin)
    mailboxes.remove_member(None, Membership.objects.get(person=karin, mailbox=mailbox))
    assert state_of(request) == State.ENDED
    with pytest.raises(acts.NotAsked):
        approve(request, ahmed)


def test_a_membership_whose_time_is_up_asks_and_approves_nothing(mailbox, function, karin, ahmed):
    request = asked(a_draft(mailbox, function, karin), karin)
    Membership.objects.filter(person=karin).update(ends_at=timezone.now())
    with pytest.raises(acts.NotAsked):
        approve(request, ahmed)


def test_what_was_ordered_before_it_was_demanded_comes_back(mailbox, function, ahmed):
    draft = a_draft(mailbox, function, ahmed)
    send_order.order(draft.pk, reviewed(draft), ahmed, at=timezone.now() + timedelta(hours=1))
    demands(mailbox, "all")
    seconds_pass(draft)
    draft.refresh_from_db()
    assert (draft.trouble, draft.send_at) == (send_order.NOT_APPROVED, None)
    assert nothing_sent()


def test_who_becomes_a_writer_before_it_leaves_has_not_sent_it(mailbox, function, ahmed):
    draft = a_draft(mailbox, function, ahmed)
    send_order.order(draft.pk, reviewed(draft), ahmed)
    with_role(ahmed, mailbox, Membership.Role.WRITER)
    seconds_pass(draft)
    assert nothing_sent()


def test_undoing_it_takes_the_approval_away(mailbox, function, karin, ahmed):
    draft = a_draft(mailbox, function, karin)
    request = asked(draft, karin)
    approve(request, ahmed)
    send_order.undo(draft.pk, ahmed)
    assert state_of(request) == State.ENDED
    with pytest.raises(acts.NotAsked):
        approve(request, ahmed)
    seconds_pass(draft)
    assert nothing_sent()
    assert asked(draft, karin).state == State.OPEN


def test_it_is_given_back_with_a_reason_and_asked_for_again(mailbox, function, karin, ahmed):
    draft = a_draft(mailbox, function, karin)
    request = asked(draft, karin)
    acts.give_back(request.pk, "Fel diarienummer", ahmed)
    status = shown.approval_of_draft(draft, karin)
    assert (status.state, status.decided_by, status.reason) == ("returned", "Ahmed", "Fel diarienummer")
    assert [row.is_returned for row in shown.asked_by(karin)] == [True]
    composer.save(draft.pk, draft.version, composer.Content({"text": "Välkomna hit."}), karin)
    again = asked(draft, karin)
    earlier = shown.earlier_request(again, None)
    lines = shown.changes_between(earlier.content, again.content).lines
    assert [(line.mark, line.text) for line in lines] == [("-", "Välkommen."), ("+", "Välkomna hit.")]
    assert [row.is_returned for row in shown.asked_by(karin)] == [False]


def test_the_reason_and_the_content_are_stored_unreadable(mailbox, function, karin, ahmed):
    request = asked(a_draft(mailbox, function, karin, text="Hemligheten"), karin)
    acts.give_back(request.pk, "Skälet", ahmed)
    with connection.cursor() as cursor:
        cursor.execute("SELECT t::text FROM mailbox_approvalrequest t")
        ((row,),) = cursor.fetchall()
    assert "Hemligheten" not in row
    assert "Skälet" not in row
    entries = AccessLogEntry.objects.filter(what__startswith="approval")
    assert not any("Skälet" in str(entry.details) for entry in entries)


def test_who_asked_takes_it_back_and_nobody_else(mailbox, function, karin, ahmed):
    draft = a_draft(mailbox, function, karin)
    request = asked(draft, karin)
    with pytest.raises(acts.NotAsked):
        acts.withdraw(draft.pk, ahmed)
    acts.withdraw(draft.pk, karin)
    assert state_of(request) == State.WITHDRAWN
    with pytest.raises(acts.NotAsked):
        approve(request, ahmed)
    with pytest.raises(acts.NotAsked):
        acts.withdraw(draft.pk, karin)


def test_an_answer_is_not_approved_before_what_came_meanwhile_is_seen(mailbox, karin, ahmed):
    message = arrives(mailbox)
    draft = composer.begin_answer(message, karin)
    draft = composer.save(draft.pk, draft.version, composer.Content({"text": "Svar"}), karin)
    request = asked(draft, karin)
    newer = arrives(mailbox, conversation=str(message.conversation.conversation_id))
    with pytest.raises(send_order.AnsweredMeanwhile):
        approve(request, ahmed)
    assert state_of(request) == State.OPEN
    approve(request, ahmed, seen=newer.pk)
    seconds_pass(draft)
    assert Message.objects.filter(direction="out").count() == 1


def test_new_recipients_of_a_confidential_message_are_confirmed_by_both(mailbox, function, karin, ahmed):
    draft = a_draft(mailbox, function, karin, is_confidential=True)
    with pytest.raises(send_order.NotConfirmed):
        acts.ask(draft.pk, reviewed(draft), karin)
    request = asked(draft, karin)
    with pytest.raises(send_order.NotConfirmed):
        acts.approve(request.pk, reviewed(draft), ahmed)


def test_a_request_in_a_protected_conversation_is_seen_by_those_named(mailbox, karin, ahmed):
    message = arrives(mailbox)
    maria = a_member("Maria", mailbox)
    draft = composer.begin_answer(message, karin)
    draft = composer.save(draft.pk, draft.version, composer.Content({"text": "Svar"}), karin)
    request = asked(draft, karin)
    set_named_members(message.conversation_id, karin, [maria.pk])
    assert shown.to_answer(ahmed) == []
    with pytest.raises(acts.NotAsked):
        approve(request, ahmed)
    set_named_members(message.conversation_id, maria, [ahmed.pk])
    # Whoever asked does not see it any more: nothing is sent in their name.
    with pytest.raises(acts.ChangedMeanwhile):
        approve(request, ahmed)
    assert nothing_sent()


def test_moving_the_conversation_ends_the_request(mailbox, karin):
    message = arrives(mailbox)
    draft = composer.begin_answer(message, karin)
    draft = composer.save(draft.pk, draft.version, composer.Content({"text": "Svar"}), karin)
    request = asked(draft, karin)
    beside = FunctionMailbox.objects.create(participant_id=mailbox.participant_id, address="b", name="B")
    assignment.move(assignment.locked(message.conversation_id), beside, karin)
    assert state_of(request) == State.ENDED


def test_to_several_each_gets_what_was_approved_though_others_have_theirs(mailbox, function, karin, ahmed):
    draft = a_draft(mailbox, function, karin)
    others = [
        recipients.Recipient(0, "0203:af.se", "AF", f"sdk:af-{number}", f"Kontor {number}")
        for number in (1, 2)
    ]
    recipients.add_recipients(draft.pk, draft.version, others, karin)
    for other in others:
        type(function).objects.create(
            book_id=other.address, organisation=function.organisation, identifier=other.address, name="X"
        )
    approve(asked(draft, karin), ahmed)
    seconds_pass(draft)
    assert Message.objects.count() == 3
    assert len({row.mailing_id for row in Message.objects.all()}) == 1
    assert all(
        "Ahmed" in str(history.lines_of(history.events_of(row.conversation))) for row in Message.objects.all()
    )


def test_at_a_later_time_it_is_sent_then(mailbox, function, karin, ahmed):
    at = timezone.now() + timedelta(hours=3)
    draft = a_draft(mailbox, function, karin)
    with pytest.raises(send_order.NotLater):
        asked(draft, karin, at=timezone.now())
    assert approve(asked(draft, karin, at=at), ahmed).send_at == at
    send_order.undo(draft.pk)
    # A time that has passed when somebody approves it is not waited for.
    request = asked(draft, karin, at=at)
    ApprovalRequest.objects.filter(pk=request.pk).update(send_at=timezone.now() - timedelta(minutes=1))
    assert approve(request, ahmed).send_at < at


def test_people_are_told_without_a_word_of_it(mailbox, function, karin, ahmed, mailoutbox):
    for person in (karin, ahmed):
        Person.objects.filter(pk=person.pk).update(mail_address=f"{person.name}@habo.se")
    ahmed.notice_choices.create(mailbox=mailbox, by_mail=True, by_push=False, told_until=timezone.now())
    request = asked(a_draft(mailbox, function, karin), karin)
    tasks.send_notices()
    acts.give_back(request.pk, "Skälet", ahmed)
    tasks.send_notices()
    tasks.send_notices()
    assert [(mail.to, mail.subject) for mail in mailoutbox] == [
        (["Ahmed@habo.se"], "Ett meddelande i Mottagning väntar på ditt godkännande"),
        (["Karin@habo.se"], "Ett meddelande i Mottagning gavs tillbaka till dig"),
    ]
    assert not any(word in mail.body for mail in mailoutbox for word in ("Kallelse", "Skälet", "Karin"))


def test_nobody_is_told_of_what_is_not_theirs_to_answer_any_more(mailbox, function, karin, ahmed, mailoutbox):
    Person.objects.filter(pk=ahmed.pk).update(mail_address="ahmed@habo.se")
    ahmed.notice_choices.create(mailbox=mailbox, by_mail=True, by_push=False, told_until=timezone.now())
    draft = a_draft(mailbox, function, karin)
    asked(draft, karin)
    acts.withdraw(draft.pk, karin)
    tasks.send_notices()
    assert mailoutbox == []
    assert not ApprovalNotice.objects.filter(told_at=None).exists()


@pytest.mark.django_db(transaction=True)
def test_of_two_who_approve_at_once_one_does(mailbox, function, karin, ahmed):
    maria = a_member("Maria", mailbox)
    draft = a_draft(mailbox, function, karin)
    request = asked(draft, karin)
    seen = reviewed(draft)
    late: list[Person] = []

    def act(person: Person) -> None:
        try:
            acts.approve(request.pk, seen, person)
        except acts.NotAsked:
            late.append(person)

    assert _at_once(*[lambda person=person: act(person) for person in (ahmed, maria)]) == []
    assert len(late) == 1
    assert _at_once(*[lambda: seconds_pass(draft)] * 2) == []
    assert OutgoingMessage.objects.count() == Message.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_what_is_written_while_somebody_approves_is_not_sent(mailbox, function, karin, ahmed):
    draft = a_draft(mailbox, function, karin)
    request = asked(draft, karin)
    draft.refresh_from_db()
    seen = reviewed(draft)

    def write() -> None:
        with contextlib.suppress(composer.DraftOnItsWay, composer.DraftChanged):
            composer.save(draft.pk, draft.version, composer.Content({"text": "Något annat."}), karin)

    def answer() -> None:
        with contextlib.suppress(acts.NotAsked, acts.ChangedMeanwhile):
            acts.approve(request.pk, seen, ahmed)

    assert _at_once(write, answer) == []
    seconds_pass(draft)
    assert [row.texts for message in Message.objects.all() for row in message.documents.all()] in (
        [],
        [["Välkommen."]],
    )
