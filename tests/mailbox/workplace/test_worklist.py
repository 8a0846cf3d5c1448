"""The start page says what waits for a person; a conversation says who has done what."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from mailbox.conversations import assignment, history, notes, reassignment, reminders, state_changes, undo
from mailbox.drafts import composer, send_order
from mailbox.models import Conversation, ConversationEvent, Draft, Membership, UnattendedAlarm
from mailbox.workplace import inbox, list_order, worklist
from mailbox.workplace.inbox import Filters, Status, View
from tests.mailbox.build import a_member, arrives, log_in, send_now
from transport.message_service.models import OutgoingMessage

pytestmark = pytest.mark.django_db


def start(client) -> str:
    return client.get(reverse("start")).content.decode()


def held_by(mailbox, person, **changes) -> Conversation:
    conversation = arrives(mailbox).conversation
    assignment.assign(conversation.pk, person)
    Conversation.objects.filter(pk=conversation.pk).update(**changes)
    return conversation


def test_who_has_nothing_waiting_is_told_what_to_do(mailbox, client):
    log_in(client, a_member("Karin", mailbox))
    page = start(client)
    assert "Ingenting väntar på dig just nu. Öppna en brevlåda" in page
    log_in(client, a_member("Ulla"))
    assert "Be en administratör" in start(client)


def test_who_only_reads_is_not_told_to_take_anything(mailbox, client):
    reader = a_member("Rut", mailbox)
    Membership.objects.filter(person=reader).update(role=Membership.Role.READER)
    not_delivered = arrives(mailbox).conversation
    Conversation.objects.update(is_not_delivered=True, limit_at=timezone.now())
    found = worklist.waiting_for(reader)
    assert (found.not_delivered, found.urgent, found.unassigned) == ([], [], [])
    log_in(client, reader)
    page = start(client)
    assert "Ingenting väntar på dig just nu." in page
    assert "ta hand om" not in page
    assert "Väntar längst utan handläggare" not in page
    log_in(client, a_member("Karin", mailbox))
    page = start(client)
    assert [text for text in ("Kom inte fram", "Bråttom", "Väntar längst") if text not in page] == []
    assert not_delivered.subject in page


def test_what_did_not_reach_its_recipient_is_first_on_the_start_page_and_nowhere_called_sent(mailbox, client):
    karin, ahmed = a_member("Karin", mailbox), a_member("Ahmed", mailbox)
    draft = composer.begin_answer(arrives(mailbox), karin)
    conversation = send_now(
        draft.pk, draft.version, composer.Content({"subject": "Sv", "text": "Hej"}), karin
    )
    failed = "MESSAGE_EXCHANGE_ERROR"
    OutgoingMessage.objects.update(state=failed, cause="unreachable", due_at=None)
    conversation.messages.filter(direction="out").update(delivery_state=failed)
    state_changes.update_not_delivered([conversation.pk])
    # What is overdue comes after it.
    held_by(mailbox, karin, due_on=timezone.localdate() - timedelta(days=1))
    log_in(client, karin)
    page = start(client)
    assert "Ingenting väntar på dig" not in page
    assert re.findall(r"<h3[^>]*>([^<]*)<", page)[0] == "Kom inte fram"
    assert page.index(reverse("conversation", args=[conversation.pk])) < page.index("Tilldelade dig")
    shown = client.get(reverse("conversation", args=[conversation.pk])).content.decode()
    heading = shown[shown.index('class="message sent') :].partition("</summary>")[0]
    assert "Skickat" not in heading
    assert 'class="bad"' in heading
    # It is hers: the count beside the link says what the link leads to, for a colleague as well.
    for person, count in ((karin, 1), (ahmed, 0)):
        log_in(client, person)
        response = client.get(reverse("start"))
        link = response.context["sidebar"].waiting[0]
        assert (link.name, link.count) == ("Kom inte fram", count)
        assert len(response.context["waiting"].not_delivered) == count


def test_a_draft_that_could_not_be_sent_says_so_on_the_start_page(mailbox, client):
    karin = a_member("Karin", mailbox)
    draft = composer.begin_answer(arrives(mailbox), karin)
    draft = composer.save(draft.pk, draft.version, composer.Content({"text": "Hej"}), karin)
    log_in(client, karin)
    assert "Skickades inte" not in start(client)
    Draft.objects.update(trouble=send_order.NOT_A_MEMBER)
    assert "Skickades inte" in start(client)
    Draft.objects.update(trouble=send_order.WAITING, send_at=timezone.now() + timedelta(minutes=1))
    page = start(client)
    assert "Skickades inte" not in page
    assert re.search(r'<span class="badge bad">\s*Väntar', page)


def test_what_one_has_in_hand_comes_by_the_day_it_is_due(mailbox, client):
    karin = a_member("Karin", mailbox)
    today = timezone.localdate()
    undated = held_by(mailbox, karin)
    later = held_by(mailbox, karin, due_on=today + timedelta(days=3))
    overdue = held_by(mailbox, karin, due_on=today - timedelta(days=1))
    held_by(mailbox, a_member("Ahmed", mailbox))
    done = held_by(mailbox, karin)
    state_changes.finish(done.pk, karin)
    found = worklist.waiting_for(karin)
    assert [row.pk for row in found.assigned] == [overdue.pk, later.pk, undated.pk]
    log_in(client, karin)
    assert start(client).count("Skulle vara klar") == 1


def test_what_is_prioritised_comes_after_what_is_overdue_and_before_the_rest(mailbox, client):
    karin = a_member("Karin", mailbox)
    today = timezone.localdate()
    undated = held_by(mailbox, karin)
    due_today = held_by(mailbox, karin, due_on=today)
    prioritised = held_by(mailbox, karin, is_priority=True)
    overdue = held_by(mailbox, karin, due_on=today - timedelta(days=1))
    found = worklist.waiting_for(karin)
    assert [row.pk for row in found.assigned] == [overdue.pk, prioritised.pk, due_today.pk, undated.pk]
    log_in(client, karin)
    assert start(client).count("Prioriterad") == 1


def test_a_reminder_comes_back_to_who_set_it_until_they_have_looked(mailbox, client):
    karin, ahmed = a_member("Karin", mailbox), a_member("Ahmed", mailbox)
    conversation = arrives(mailbox).conversation
    log_in(client, karin)
    day = timezone.localdate() + timedelta(days=1)
    act = reverse("act", args=[conversation.pk])
    client.post(act, {"action": "remind", "day": day.isoformat()})
    client.post(act, {"action": "finish"})
    conversation.refresh_from_db()
    assert timezone.localtime(conversation.remind_at).date() == day
    assert worklist.waiting_for(karin).reminders == []
    Conversation.objects.update(remind_at=timezone.now())
    assert reminders.send_due_reminders() == 1
    assert [event.conversation for event in worklist.waiting_for(karin).reminders] == [conversation]
    assert worklist.waiting_for(ahmed).reminders == []
    assert "Påminnelser" in start(client)
    page = client.get(reverse("conversation", args=[conversation.pk])).content.decode()
    assert "Påminnelse: togs upp igen" in page
    assert worklist.waiting_for(karin).reminders == []


def test_a_start_page_tells_of_everything_and_only_of_what_one_sees(mailbox, client):
    karin, ahmed = a_member("Karin", mailbox), a_member("Ahmed", mailbox)
    held_by(mailbox, karin)
    offered = held_by(mailbox, ahmed)
    reassignment.offer(offered.pk, ahmed, to=karin, done="Ringt", remains="Svara")
    mentioned = arrives(mailbox).conversation
    notes.write(mentioned.pk, ahmed, "@Karin")
    reminded = arrives(mailbox).conversation
    reminders.set_reminder(reminded.pk, karin, timezone.now())
    reminders.send_due_reminders()
    UnattendedAlarm.objects.create(mailbox=mailbox, reason="untaken", since=timezone.now())
    told = ["Överlämnas till dig", "Du är nämnd", "Påminnelser", "Tilldelade dig", "Obevakade brevlådor"]
    log_in(client, karin)
    page = start(client)
    assert [text for text in told if text in page] == told
    assert "4 nya" in page
    log_in(client, ahmed)
    assert "Du väntar på att någon tar över" in start(client)
    Membership.objects.filter(person=karin).delete()
    log_in(client, karin)
    page = start(client)
    assert [text for text in told if text in page] == []
    assert mentioned.subject not in page


def test_the_start_page_costs_no_query_for_each_thing_that_waits(mailbox, client):
    karin, ahmed = a_member("Karin", mailbox), a_member("Ahmed", mailbox)
    log_in(client, karin)
    counts = []
    for _ in range(3):
        held_by(mailbox, karin)
        offered = held_by(mailbox, ahmed)
        reassignment.offer(offered.pk, ahmed, to=karin, done="Ringt", remains="Svara")
        notes.write(offered.pk, ahmed, "@Karin")
        reminders.set_reminder(arrives(mailbox).conversation.pk, karin, timezone.now())
        reminders.send_due_reminders()
        start(client)
        with CaptureQueriesContext(connection) as queries:
            start(client)
        counts.append(len(queries))
    assert counts[0] == counts[1] == counts[2]


def test_opened_taken_answered_and_done_say_who_and_when(mailbox):
    karin, ahmed = a_member("Karin", mailbox), a_member("Ahmed", mailbox)
    conversation = arrives(mailbox).conversation

    def milestones() -> list[str]:
        row = Conversation.objects.select_related("assignee").get(pk=conversation.pk)
        told = history.milestones_of(row)
        assert all(at is not None for what, at in told if what.startswith(("Öppnad första", "Tilldelad ")))
        return [what for what, _at in told]

    assert milestones() == ["Ingen har öppnat den", "Ej tilldelad", "Ingen har svarat"]
    assignment.note_opened(conversation, karin)
    assignment.note_opened(conversation, ahmed)
    assignment.assign(conversation.pk, ahmed)
    assignment.record_answer(conversation, ahmed)
    assert milestones() == [
        "Öppnad första gången av Karin",
        "Öppnad också av Ahmed",
        "Tilldelad Ahmed",
        "Besvarad av Ahmed",
    ]
    arrives(mailbox, conversation=str(conversation.conversation_id))
    assert milestones()[-1] == "Senast besvarad av Ahmed, innan det senaste meddelandet kom"
    done = state_changes.finish(conversation.pk, karin)
    assert milestones()[-1] == "Markerad som klar av Karin"
    assert history.in_words(ConversationEvent.objects.get(pk=done.pk)) == "Markerad som klar av Karin"
    undo.undo(done.pk, karin)
    assert "Markerad som klar av Karin" not in milestones()


def test_new_is_each_one_s_own_and_opened_is_the_conversation_s(mailbox, client):
    karin, ahmed = a_member("Karin", mailbox), a_member("Ahmed", mailbox)
    conversation = arrives(mailbox).conversation
    log_in(client, karin)
    client.get(reverse("conversation", args=[conversation.pk]))

    def is_new(person) -> bool:
        return inbox.page_of(mailbox, person).rows[0].is_unread

    assert (is_new(karin), is_new(ahmed)) == (False, True)
    arrives(mailbox, conversation=str(conversation.conversation_id))
    assert (is_new(karin), is_new(ahmed)) == (True, True)
    assert [event.actor for event in conversation.events.filter(what="opened")] == [karin]


def test_a_view_is_narrowed_by_how_it_stands_with_a_conversation(mailbox):
    karin = a_member("Karin", mailbox)
    today = timezone.localdate()
    untaken, taken = arrives(mailbox).conversation, held_by(mailbox, karin)
    due = held_by(mailbox, karin, due_on=today)
    failed, done = arrives(mailbox), arrives(mailbox).conversation
    failed.conversation.messages.update(direction="out", delivery_state="REJECTED")
    state_changes.update_not_delivered([failed.conversation_id])
    Conversation.objects.update(has_sent=True)
    state_changes.finish(done.pk, karin)
    for row in (taken, due, failed.conversation, done):
        inbox.mark_seen(row, karin)

    def shown(status: Status) -> set[int]:
        page = inbox.page_of(mailbox, karin, view=View.SENT, filters=Filters(status=status))
        return {row.pk for row in page.rows}

    everything = {untaken.pk, taken.pk, due.pk, failed.conversation_id, done.pk}
    assert shown(Status.NEW) == {untaken.pk}
    assert shown(Status.OPEN) == everything - {done.pk}
    assert shown(Status.ASSIGNED) == {taken.pk, due.pk}
    assert shown(Status.UNASSIGNED) == {untaken.pk, failed.conversation_id}
    assert shown(Status.DUE) == {due.pk}
    assert shown(Status.FAILED) == {failed.conversation_id}
    assert shown(Status.DONE) == {done.pk}


def test_the_address_of_a_narrowed_view_narrows_its_next_page_as_well(mailbox, client):
    karin = a_member("Karin", mailbox)
    log_in(client, karin)
    for _ in range(list_order.PAGE + 1):
        held_by(mailbox, karin)
    arrives(mailbox)
    form = {"view": "inkorg", "status": "tagna", "function": "", "order": "aldst"}
    address = client.post(reverse("mailbox", args=[mailbox.pk]), form).headers["Location"]
    assert "status=tagna" in address
    first = client.get(address).context["page"]
    key = first.after.replace("+", "%2B")
    second = client.get(f"{address}&after={key}&page=2")
    assert len(second.context["page"].rows) == 1
    assert 'value="tagna" selected' in second.content.decode()


def test_a_long_history_shows_its_latest_lines_and_all_of_it_to_who_asks(mailbox, client):
    karin = a_member("Karin", mailbox)
    log_in(client, karin)
    conversation = arrives(mailbox).conversation
    for _ in range(30):
        assignment.assign(conversation.pk, karin)
        assignment.unassign(conversation.pk, karin)
    address = reverse("conversation", args=[conversation.pk])
    short, whole = client.get(address), client.get(address, {"history": "all"})
    assert len(short.context["history"]) == 50
    assert short.context["is_cut"]
    assert len(whole.context["history"]) == 61
    assert not whole.context["is_cut"]
    assert short.context["history"] == whole.context["history"][-50:]
    # Who opened it first is told all the same.
    assert "Öppnad första gången av Karin" in [what for what, _at in short.context["milestones"]]
