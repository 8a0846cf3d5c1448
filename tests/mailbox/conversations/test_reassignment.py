"""Handing over: offered with what is done and what remains, accepted or back where it was."""

import threading
from datetime import date, timedelta

import pytest
from django.db import connection, transaction
from django.urls import reverse
from django.utils import timezone

from mailbox import access
from mailbox.administration import mailboxes
from mailbox.conversations import assignment, notes, reassignment, state_changes, undo
from mailbox.conversations.addresses import conversation_url, list_url
from mailbox.drafts import composer
from mailbox.models import (
    AccessLogEntry,
    Assignment,
    Conversation,
    DraftEntry,
    FunctionMailbox,
    Label,
    Membership,
    OrganisationRole,
    Reassignment,
    SearchEntry,
)
from mailbox.search import find, index
from mailbox.workplace.inbox import View
from tests.mailbox.build import a_member, arrives, log_in
from tests.mailbox.conftest import HERE
from tests.pages import in_one_line

pytestmark = pytest.mark.django_db
SAID = {"done": "Ringt vårdcentralen", "remains": "Svara före mötet"}


@pytest.fixture
def school() -> FunctionMailbox:
    return FunctionMailbox.objects.create(participant_id=HERE, address="skola", name="Elevhälsan")


def held_by(mailbox, person) -> Conversation:
    conversation = arrives(mailbox).conversation
    assignment.assign(conversation.pk, person)
    return conversation


def as_now(conversation: Conversation) -> tuple[str, str, str]:
    """Mailbox, assignee and state; the assignment has to say the same."""
    conversation.refresh_from_db()
    assignee = conversation.assignee.name if conversation.assignee else ""
    assigned = Assignment.objects.filter(conversation=conversation, ended_at=None)
    assert [row.person.name for row in assigned] == ([assignee] if assignee else [])
    return conversation.mailbox.name, assignee, conversation.state


def told(conversation: Conversation) -> list[str]:
    return list(conversation.events.order_by("at", "pk").values_list("what", flat=True))


def test_a_colleague_accepts_with_what_is_done_what_remains_and_when_it_is_due(mailbox):
    karin, ahmed = a_member("Karin", mailbox), a_member("Ahmed", mailbox)
    conversation = held_by(mailbox, karin)
    due = date(2026, 12, 1)
    made = reassignment.offer(conversation.pk, karin, to=ahmed, due_on=due, **SAID)
    assert as_now(conversation) == ("Mottagning", "Karin", "open"), "hers until it is accepted"
    reassignment.accept(made.pk, ahmed)
    assert as_now(conversation) == ("Mottagning", "Ahmed", "open")
    assert conversation.due_on == due
    said = reassignment.last_accepted(conversation)
    assert (said.done, said.remains) == ("Ringt vårdcentralen", "Svara före mötet")
    assert told(conversation) == ["taken", "offered", "accepted"]


def test_what_is_said_is_sealed(mailbox):
    karin, ahmed = a_member("Karin", mailbox), a_member("Ahmed", mailbox)
    reassignment.offer(held_by(mailbox, karin).pk, karin, to=ahmed, **SAID)
    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(h)::text FROM mailbox_handover h")
        (row,) = cursor.fetchone()
    assert "vårdcentralen" not in row
    assert "mötet" not in row


def test_what_is_declined_or_withdrawn_is_still_with_who_offered_it(mailbox):
    karin, ahmed = a_member("Karin", mailbox), a_member("Ahmed", mailbox)
    conversation = held_by(mailbox, karin)
    made = reassignment.offer(conversation.pk, karin, to=ahmed, **SAID)
    reassignment.decline(made.pk, ahmed)
    with pytest.raises(reassignment.NoLongerOffered):
        reassignment.accept(made.pk, ahmed)
    made = reassignment.offer(conversation.pk, karin, to=ahmed, **SAID)
    reassignment.withdraw(conversation.pk, karin)
    with pytest.raises(reassignment.NoLongerOffered):
        reassignment.accept(made.pk, ahmed)
    assert as_now(conversation) == ("Mottagning", "Karin", "open")
    assert told(conversation) == ["taken", "offered", "declined", "offered", "withdrawn"]


def test_what_nobody_has_is_taken_by_who_offers_it_so_that_it_can_come_back(mailbox):
    karin, ahmed = a_member("Karin", mailbox), a_member("Ahmed", mailbox)
    conversation = arrives(mailbox).conversation
    made = reassignment.offer(conversation.pk, karin, to=ahmed, **SAID)
    reassignment.decline(made.pk, ahmed)
    assert as_now(conversation) == ("Mottagning", "Karin", "open")


def test_only_who_has_it_offers_it_once_to_somebody_who_may_take_it(mailbox, school):
    karin, ahmed, outsider = a_member("Karin", mailbox), a_member("Ahmed", mailbox), a_member("Ulla", school)
    elsewhere = FunctionMailbox.objects.create(participant_id="0203:b.se", address="b", name="Deras")
    closed = FunctionMailbox.objects.create(participant_id=HERE, address="c", name="Stängd", is_open=False)
    conversation = held_by(mailbox, karin)
    with pytest.raises(assignment.NotAssigned):
        reassignment.offer(conversation.pk, ahmed, to=school, **SAID)
    for wrong in (karin, outsider, elsewhere, closed, mailbox):
        with pytest.raises(reassignment.InvalidReceiver):
            reassignment.offer(conversation.pk, karin, to=wrong, **SAID)
    made = reassignment.offer(conversation.pk, karin, to=ahmed, **SAID)
    with pytest.raises(reassignment.AlreadyOffered):
        reassignment.offer(conversation.pk, karin, to=school, **SAID)
    for nobody in (karin, outsider):
        with pytest.raises(reassignment.NoLongerOffered):
            reassignment.accept(made.pk, nobody)
    state_changes.finish(conversation.pk, karin)
    with pytest.raises(reassignment.NotOpen):
        reassignment.offer(conversation.pk, karin, to=ahmed, **SAID)


def test_another_function_gets_the_conversation_with_all_that_is_in_it(mailbox, school):
    karin, ulla = a_member("Karin", mailbox), a_member("Ulla", school)
    message = arrives(mailbox)
    conversation = message.conversation
    note, _ = notes.write(conversation.pk, karin, "Ring skolsköterskan")
    draft = composer.begin_answer(message, karin)
    composer.keep(draft)
    index.index_missing()
    for box, name in ((mailbox, "Brådskande"), (mailbox, "Vår egen"), (school, "brådskande")):
        Label.objects.create(mailbox=box, name=name)
    conversation.labels.set(Label.objects.filter(mailbox=mailbox))
    made = reassignment.offer(conversation.pk, karin, to=school, **SAID)
    assert not access.conversations_of(ulla).exists(), "not before it is accepted"
    reassignment.accept(made.pk, ulla)
    assert as_now(conversation) == ("Elevhälsan", "Ulla", "open")
    assert access.conversations_of(ulla).get() == conversation
    assert not access.conversations_of(karin).exists()
    draft.refresh_from_db()
    assert draft.mailbox == school, "an answer goes from the function that has the conversation"
    assert SearchEntry.objects.get().mailbox == school
    assert DraftEntry.objects.get().mailbox == school
    assert [hit.row for hit in find(ulla, "kallelse").hits] == [draft, message]
    assert find(karin, "kallelse").hits == []
    assert [hit.row for hit in find(ulla, "skolsköterska").hits] == [note]
    assert find(karin, "skolsköterska").hits == []
    assert [(label.name, label.mailbox) for label in conversation.labels.all()] == [("brådskande", school)]
    entry = AccessLogEntry.objects.get(what="conversation-moved")
    assert (entry.actor, entry.mailbox, entry.details) == (ulla, school, {"left": mailbox.pk})


def test_a_function_that_has_the_conversation_is_not_given_it(mailbox, school):
    """One message may lie in two mailboxes of an organisation: sent from one to the other."""
    karin, ulla = a_member("Karin", mailbox), a_member("Ulla", school)
    conversation = held_by(mailbox, karin)
    made = reassignment.offer(conversation.pk, karin, to=school, **SAID)
    Conversation.objects.create(
        mailbox=school, conversation_id=conversation.conversation_id, last_activity_at=timezone.now()
    )
    with pytest.raises(assignment.AlreadyThere):
        reassignment.accept(made.pk, ulla)
    reassignment.decline(made.pk, ulla)
    with pytest.raises(assignment.AlreadyThere):
        reassignment.offer(conversation.pk, karin, to=school, **SAID)


def test_what_is_on_its_way_out_is_waited_for(mailbox, school):
    karin, ulla = a_member("Karin", mailbox), a_member("Ulla", school)
    message = arrives(mailbox)
    draft = composer.begin_answer(message, karin)
    draft.send_at = timezone.now()
    draft.save()
    made = reassignment.offer(message.conversation_id, karin, to=school, **SAID)
    with pytest.raises(assignment.BeingSent):
        reassignment.accept(made.pk, ulla)
    assert as_now(message.conversation) == ("Mottagning", "Karin", "open")


@pytest.mark.parametrize("what", ["offer", "accept", "accept there", "decline", "withdraw", "finish", "take"])
def test_each_change_is_undone_within_seconds_to_what_was_before(mailbox, school, what):
    karin, ahmed, ulla = a_member("Karin", mailbox), a_member("Ahmed", mailbox), a_member("Ulla", school)
    conversation = held_by(mailbox, karin)
    to = school if what == "accept there" else ahmed
    made = reassignment.offer(conversation.pk, karin, to=to, due_on=date(2026, 12, 1), **SAID)
    who = {"accept": ahmed, "accept there": ulla, "decline": ahmed, "take": ahmed}.get(what, karin)
    if what.startswith("accept"):
        reassignment.accept(made.pk, who)
    elif what == "decline":
        reassignment.decline(made.pk, who)
    elif what == "withdraw":
        reassignment.withdraw(conversation.pk, who)
    elif what == "finish":
        state_changes.finish(conversation.pk, who)
    elif what == "take":
        assignment.assign(conversation.pk, who, instead_of=karin.pk)
    conversation.refresh_from_db()
    undo.undo(undo.undoable(conversation, who).pk, who)
    assert as_now(conversation) == ("Mottagning", "Karin", "open")
    assert conversation.due_on is None
    offered = Reassignment.objects.filter(settled_at=None)
    assert list(offered) == ([] if what == "offer" else [made])
    assert told(conversation)[-1] == "undone"


@pytest.mark.parametrize("what", ["take over", "give back", "finish", "throw away"])
def test_what_is_no_longer_with_who_offered_it_is_offered_no_more(mailbox, what):
    karin, ahmed, eva = (a_member(name, mailbox) for name in ("Karin", "Ahmed", "Eva"))
    conversation = held_by(mailbox, karin)
    made = reassignment.offer(conversation.pk, karin, to=ahmed, **SAID)
    if what == "take over":
        assignment.assign(conversation.pk, eva, instead_of=karin.pk)
    elif what == "give back":
        assignment.unassign(conversation.pk, karin)
    else:
        {"finish": state_changes.finish, "throw away": state_changes.move_to_trash}[what](
            conversation.pk, karin
        )
    with pytest.raises(reassignment.NoLongerOffered):
        reassignment.accept(made.pk, ahmed)


@pytest.mark.parametrize("who", ["offers", "is offered"])
@pytest.mark.parametrize("how", ["removed", "ended", "locked"])
def test_who_is_no_member_any_more_neither_offers_nor_is_offered(mailbox, how, who):
    karin, ahmed, eva = (a_member(name, mailbox) for name in ("Karin", "Ahmed", "Eva"))
    OrganisationRole.objects.create(person=eva, participant_id=HERE)
    conversation = held_by(mailbox, karin)
    made = reassignment.offer(conversation.pk, karin, to=ahmed, **SAID)
    leaving = karin if who == "offers" else ahmed
    if how == "removed":
        mailboxes.remove_member(eva, leaving.memberships.get())
    elif how == "ended":
        Membership.objects.filter(person=leaving).update(ends_at=timezone.now())
        mailboxes.end_memberships()
    else:
        mailboxes.set_locked(eva, leaving, is_locked=True)
    ahmed.refresh_from_db()
    with pytest.raises(reassignment.NoLongerOffered):
        reassignment.accept(made.pk, ahmed)
    assert as_now(conversation) == ("Mottagning", "" if who == "offers" else "Karin", "open")
    assert not Reassignment.objects.filter(settled_at=None).exists()
    assert told(conversation)[-1] == "left"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("what", ["accept", "take over"])
def test_of_all_who_want_it_at_once_one_gets_it(mailbox, school, what):
    karin = a_member("Karin", mailbox)
    people = [a_member(f"Person {number}", mailbox, school) for number in range(4)]
    with transaction.atomic():
        conversation = held_by(mailbox, karin)
    made = reassignment.offer(conversation.pk, karin, to=school, **SAID)
    outcomes = []

    def press(person) -> None:
        try:
            if what == "accept":
                reassignment.accept(made.pk, person)
            else:
                assignment.assign(conversation.pk, person, instead_of=karin.pk)
            outcomes.append(person.name)
        except (reassignment.NoLongerOffered, assignment.AlreadyAssigned):
            outcomes.append("")
        finally:
            connection.close()

    threads = [threading.Thread(target=press, args=[person]) for person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes)[:3] == ["", "", ""]
    assert as_now(conversation)[1] == max(outcomes)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("how", ["removed", "locked"])
def test_nobody_takes_a_conversation_while_their_membership_is_being_ended(mailbox, how):
    karin, eva = a_member("Karin", mailbox), a_member("Eva", mailbox)
    OrganisationRole.objects.create(person=eva, participant_id=HERE)
    with transaction.atomic():
        conversation = arrives(mailbox).conversation
    outcome = []

    def press() -> None:
        try:
            assignment.assign(conversation.pk, karin)
            outcome.append("taken")
        except assignment.NotAMember:
            outcome.append("not a member")
        finally:
            connection.close()

    with transaction.atomic():
        if how == "removed":
            mailboxes.remove_member(eva, karin.memberships.get())
        else:
            mailboxes.set_locked(eva, karin, is_locked=True)
        # She presses the button before this is committed: her membership is still there for her to see.
        thread = threading.Thread(target=press)
        thread.start()
        thread.join(0.3)
        assert thread.is_alive(), "it waits for what becomes of the membership"
    thread.join()
    assert outcome == ["not a member"]
    assert as_now(conversation) == ("Mottagning", "", "open")


def test_what_was_declined_for_a_function_is_undone_from_the_start_page(mailbox, school, client):
    karin, ulla = a_member("Karin", mailbox), a_member("Ulla", school)
    conversation = held_by(mailbox, karin)
    made = reassignment.offer(conversation.pk, karin, to=school, **SAID)
    log_in(client, ulla)
    page = client.post(reverse("reassignment-answer", args=[made.pk]), {"answer": "no"}, follow=True)
    (event,) = conversation.events.filter(what="declined")
    assert page.context["undo_offer"]["events"] == [event.pk]
    assert "Ångra" in page.content.decode()
    undo = reverse("undo", args=[conversation.pk])
    client.post(undo, {"event": event.pk})
    assert list(access.offers_to(ulla)) == [made]
    assert client.get(reverse("start")).context["undo_offer"] is None
    log_in(client, a_member("Ola", school))
    assert client.get(reverse("start")).context["undo_offer"] is None
    made.refresh_from_db()
    assert client.post(undo, {"event": event.pk}).status_code == 404, "nothing is declined any more"


def test_the_form_says_what_is_missing_and_keeps_what_was_written(mailbox, client):
    karin = a_member("Karin", mailbox)
    log_in(client, karin)
    url = reverse("reassign", args=[held_by(mailbox, karin).pk])
    page = client.post(url, {"to": f"person-{karin.pk}", "done": "Ringt", "due_on": "2020-01-01"})
    assert page.status_code == 422
    assert set(page.context["errors"]) == {"to", "due_on", "remains"}
    text = page.content.decode()
    assert "<title>Fel: Lämna över" in text
    assert ">Ringt</textarea>" in text
    assert not Reassignment.objects.exists()


def test_pages_offer_show_and_answer_a_hand_over(mailbox, school, client):
    karin, ulla = a_member("Karin", mailbox), a_member("Ulla", school)
    conversation = held_by(mailbox, karin)
    log_in(client, karin)
    due = timezone.localdate() + timedelta(days=3)
    form = {"to": f"funktion-{school.pk}", "done": "Ringt", "remains": "Svara", "due_on": due.isoformat()}
    page = client.post(reverse("reassign", args=[conversation.pk]), form, follow=True).content.decode()
    assert "Erbjuds till Elevhälsan" in page
    assert "Ta tillbaka erbjudandet" in page
    assert "Du väntar på att någon tar över" in client.get(reverse("start")).content.decode()
    log_in(client, ulla)
    page = client.get(reverse("start")).content.decode()
    assert "Karin i Mottagning" in page
    assert "vill lämna över en konversation till Elevhälsan" in page
    assert "<dd>Svara</dd>" in page
    assert "Kallelse" not in page, "the subject is for members"
    assert "En konversation erbjuds" in client.get(reverse("mailbox", args=[school.pk])).content.decode()
    answer = reverse("reassignment-answer", args=[Reassignment.objects.get().pk])
    page = client.post(answer, {"answer": "yes"}, follow=True).content.decode()
    assert "Du har tagit över konversationen." in page
    assert "Vad Karin skrev när du tog över" in page
    assert "Övertagen av Ulla för Elevhälsan" in page
    assert as_now(conversation) == ("Elevhälsan", "Ulla", "open")
    assert client.post(answer, {"answer": "yes"}).status_code == 404


def test_an_offer_to_a_colleague_has_its_subject_and_leads_to_its_conversation(mailbox, client):
    karin, ahmed = a_member("Karin", mailbox), a_member("Ahmed", mailbox)
    conversation = held_by(mailbox, karin)
    reassignment.offer(conversation.pk, karin, to=ahmed, done="Ringt", remains="Svara")
    log_in(client, ahmed)
    page = client.get(reverse("start")).content.decode()
    offered = page[page.index("Överlämnas till dig") :].partition("</ul>")[0]
    assert f'<a href="{reverse("conversation", args=[conversation.pk])}">{conversation.subject}</a' in (
        in_one_line(offered)
    )


def test_after_an_offer_the_next_conversation_of_the_same_list_follows(mailbox, client):
    karin, ahmed = a_member("Karin", mailbox), a_member("Ahmed", mailbox)
    first, middle, last = (arrives(mailbox).conversation for _ in range(3))
    log_in(client, karin)
    asked = f"view={View.UNASSIGNED}&order=aldst"
    opened = client.get(conversation_url(first.pk, asked))
    page = client.get(opened.context["reassign_url"])
    place = {name: str(value) for name, value in page.context["place"].items() if value}
    assert place["next"] == str(middle.pk)
    wrong = client.post(reverse("reassign", args=[first.pk]), place | {"to": f"person-{ahmed.pk}"})
    assert {name: str(value) for name, value in wrong.context["place"].items() if value} == place
    given = place | {"to": f"person-{ahmed.pk}", **SAID}
    response = client.post(reverse("reassign", args=[first.pk]), given)
    assert response.headers["Location"] == conversation_url(middle.pk, page.context["place"]["list"])
    shown = client.get(response.headers["Location"])
    assert shown.context["asked"].address == page.context["place"]["list"]
    assert [row.pk for row in shown.context["page"].rows] == [middle.pk, last.pk]

    # From the last one, the way leads back to the list.
    given = {"list": asked, "to": f"person-{ahmed.pk}", **SAID}
    response = client.post(reverse("reassign", args=[last.pk]), given)
    assert response.headers["Location"] == list_url(mailbox.pk, asked)
