"""Taking care of conversations: by one at a time, with a history, undone within seconds."""

import threading
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django.utils.html import escape

from mailbox.administration import mailboxes
from mailbox.conversations import assignment, reminders, state_changes, undo
from mailbox.conversations.addresses import conversation_url, list_url
from mailbox.models import Assignment, Conversation, ConversationEvent, Membership, OrganisationRole
from mailbox.workplace import inbox, list_order
from mailbox.workplace.inbox import View
from tests.mailbox.build import a_member, arrives, log_in
from tests.pages import in_one_line

pytestmark = pytest.mark.django_db


def history(conversation: Conversation) -> list[str]:
    return list(conversation.events.order_by("at", "pk").values_list("what", flat=True))


def seen_in(mailbox, person) -> dict[View, int]:
    """How many the page of each view shows; what is counted has to be the same."""
    shown = {view: len(inbox.page_of(mailbox, person, view=view).rows) for view in View}
    assert inbox.counts(mailbox, person) == shown
    return {view: count for view, count in shown.items() if count}


def test_a_conversation_goes_through_the_views_as_it_is_taken_care_of(mailbox):
    karin, ahmed = a_member("Karin", mailbox), a_member("Ahmed", mailbox)
    conversation = arrives(mailbox).conversation
    assert seen_in(mailbox, karin) == {View.INBOX: 1, View.UNASSIGNED: 1}
    assignment.assign(conversation.pk, karin)
    assert seen_in(mailbox, karin) == {View.INBOX: 1, View.MINE: 1}
    assert seen_in(mailbox, ahmed) == {View.INBOX: 1}
    Conversation.objects.update(is_waiting=True, has_sent=True)
    assert seen_in(mailbox, karin) == {View.MINE: 1, View.WAITING: 1, View.SENT: 1}
    state_changes.finish(conversation.pk, karin)
    assert seen_in(mailbox, karin) == {View.DONE: 1, View.SENT: 1}
    state_changes.move_to_trash(conversation.pk, karin)
    assert seen_in(mailbox, karin) == {View.TRASH: 1}
    state_changes.reopen(conversation.pk, karin)
    assert seen_in(mailbox, karin) == {View.WAITING: 1, View.SENT: 1}
    assert history(conversation) == ["taken", "done", "trashed", "reopened"]


def test_what_another_has_is_not_taken_but_can_be_taken_over_from_whom_one_saw(mailbox):
    karin, ahmed, eva = (a_member(name, mailbox) for name in ("Karin", "Ahmed", "Eva"))
    conversation = arrives(mailbox).conversation
    assignment.assign(conversation.pk, karin)
    with pytest.raises(assignment.AlreadyAssigned):
        assignment.assign(conversation.pk, ahmed)
    with pytest.raises(assignment.NotAssigned):
        assignment.unassign(conversation.pk, ahmed)
    assignment.assign(conversation.pk, ahmed, instead_of=karin.pk)
    with pytest.raises(assignment.AlreadyAssigned):
        assignment.assign(conversation.pk, eva, instead_of=karin.pk)
    conversation.refresh_from_db()
    assert conversation.assignee == ahmed
    assert [row.person for row in Assignment.objects.filter(ended_at=None)] == [ahmed]


def test_the_database_lets_nobody_be_assigned_beside_another(mailbox):
    conversation = arrives(mailbox).conversation
    now = timezone.now()
    Assignment.objects.create(conversation=conversation, person=a_member("Karin"), began_at=now)
    with pytest.raises(IntegrityError, match="assigned_once"), transaction.atomic():
        Assignment.objects.create(conversation=conversation, person=a_member("Ahmed"), began_at=now)


@pytest.mark.django_db(transaction=True)
def test_of_those_who_take_at_once_one_gets_it(mailbox):
    people = [a_member(f"Person {number}", mailbox) for number in range(5)]
    with transaction.atomic():
        conversation = arrives(mailbox).conversation
    outcomes = []

    def press(person) -> None:
        try:
            assignment.assign(conversation.pk, person)
            outcomes.append(person.pk)
        except assignment.AlreadyAssigned:
            outcomes.append(None)
        finally:
            connection.close()

    threads = [threading.Thread(target=press, args=[person]) for person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcome is None for outcome in outcomes) == [False, True, True, True, True]
    conversation.refresh_from_db()
    assert conversation.assignee_id in outcomes
    assert history(conversation) == ["taken"]


def test_a_change_is_undone_within_seconds_by_whoever_made_it(mailbox):
    karin, ahmed = a_member("Karin", mailbox), a_member("Ahmed", mailbox)
    conversation = arrives(mailbox).conversation
    assignment.assign(conversation.pk, karin)
    done = state_changes.finish(conversation.pk, karin)
    with pytest.raises(undo.TooLateToUndo):
        undo.undo(done.pk, ahmed)
    undo.undo(done.pk, karin)
    conversation.refresh_from_db()
    assert (conversation.state, conversation.assignee) == ("open", karin)
    with pytest.raises(undo.TooLateToUndo):
        undo.undo(done.pk, karin)
    assert history(conversation) == ["taken", "done", "undone"]


@pytest.mark.parametrize("why", ["seconds", "changed since"])
def test_what_is_too_old_or_changed_since_is_not_undone(mailbox, why):
    karin = a_member("Karin", mailbox)
    conversation = arrives(mailbox).conversation
    taken = assignment.assign(conversation.pk, karin)
    if why == "seconds":
        past = timezone.now() - timedelta(seconds=undo.UNDO_SECONDS + 1)
        ConversationEvent.objects.update(at=past)
    else:
        reminders.set_reminder(
            conversation.pk, a_member("Ahmed", mailbox), timezone.now() + timedelta(days=2)
        )
    with pytest.raises(undo.TooLateToUndo):
        undo.undo(taken.pk, karin)
    conversation.refresh_from_db()
    assert conversation.assignee == karin


@pytest.mark.parametrize("how", ["removed", "ended", "locked"])
def test_who_is_no_member_any_more_gives_back_what_they_held(mailbox, how):
    karin, eva = a_member("Karin", mailbox), a_member("Eva", mailbox)
    conversation = arrives(mailbox).conversation
    assignment.assign(conversation.pk, karin)
    if how == "removed":
        mailboxes.remove_member(eva, karin.memberships.get())
    elif how == "ended":
        Membership.objects.filter(person=karin).update(ends_at=timezone.now())
        mailboxes.end_memberships()
    else:
        mailboxes.appoint(mailbox.participant_id, eva, OrganisationRole.Role.ADMINISTRATOR)
        mailboxes.set_locked(eva, karin, is_locked=True)
    conversation.refresh_from_db()
    assert conversation.assignee is None
    assert not Assignment.objects.filter(ended_at=None).exists()
    assert history(conversation) == ["taken", "left"]


@pytest.mark.parametrize("state", ["done", "trash"])
def test_a_message_opens_again_what_was_done_or_thrown_away(mailbox, state):
    karin = a_member("Karin", mailbox)
    conversation = arrives(mailbox).conversation
    Conversation.objects.update(state=state)
    arrives(mailbox, conversation=str(conversation.conversation_id))
    assert seen_in(mailbox, karin) == {View.INBOX: 1, View.UNASSIGNED: 1}
    assert history(conversation) == ["arrived"]


def test_a_reminder_brings_up_what_waits_or_is_done(mailbox):
    karin = a_member("Karin", mailbox)
    conversation = arrives(mailbox).conversation
    state_changes.finish(conversation.pk, karin)
    reminders.set_reminder(conversation.pk, karin, timezone.now() + timedelta(days=1))
    assert reminders.send_due_reminders() == 0
    Conversation.objects.update(remind_at=timezone.now())
    assert reminders.send_due_reminders() == 1
    assert reminders.send_due_reminders() == 0
    assert seen_in(mailbox, karin) == {View.INBOX: 1, View.UNASSIGNED: 1}


def test_who_has_opened_it_is_said_once_and_is_not_handling_it(mailbox, client):
    karin = a_member("Karin", mailbox)
    log_in(client, karin)
    conversation = arrives(mailbox).conversation
    for _ in range(2):
        page = client.get(reverse("conversation", args=[conversation.pk]))
    assert "Öppnad första gången av Karin" in page.content.decode()
    assert history(conversation) == ["opened"]
    assert seen_in(mailbox, karin) == {View.INBOX: 1, View.UNASSIGNED: 1}


def test_buttons_do_what_they_say_and_offer_to_undo_it(mailbox, client):
    log_in(client, a_member("Karin", mailbox))
    conversation = arrives(mailbox).conversation
    act, undo = (reverse(name, args=[conversation.pk]) for name in ("act", "undo"))
    page = client.post(act, {"action": "finish"}, follow=True)
    (event,) = conversation.events.filter(what="done")
    assert page.context["undo_offer"]["events"] == [event.pk]
    assert "Ångra" in page.content.decode()
    page = client.post(undo, {"event": event.pk}, follow=True)
    assert "Ändringen är ångrad." in page.content.decode()
    conversation.refresh_from_db()
    assert conversation.state == "open"
    page = client.post(undo, {"event": event.pk}, follow=True)
    assert "Det går inte att ångra längre." in page.content.decode()
    page = client.post(act, {"action": "remind", "day": "2020-01-01"}, follow=True)
    assert "välj en dag som kommer" in page.content.decode()
    assert client.post(act, {"action": "anything"}).status_code == 404


@pytest.mark.parametrize("action", ["finish", "throw-away"])
def test_done_and_trash_lead_on_in_the_list_in_which_they_were_pressed(mailbox, client, action):
    log_in(client, a_member("Karin", mailbox))
    first, middle, _last = (arrives(mailbox).conversation for _ in range(3))
    asked = "view=ingens&order=aldst"
    opened = client.get(conversation_url(first.pk, asked))
    back = list_url(mailbox.pk, opened.context["list_address"])
    assert f'<a href="{escape(back)}" data-key="u">' in opened.content.decode()
    place = opened.context["position"]
    form = {"action": action, "list": asked, "next": place.next_key, "next_list": place.next_list}
    act = reverse("act", args=[first.pk])
    following = client.post(act, form, headers={"HX-Request": "true"}).headers["Location"]
    assert following == conversation_url(middle.pk, place.next_list)
    assert client.get(following).context["asked"].view is View.UNASSIGNED
    # Without scripts, the list itself: its view, order and page.
    form = {"action": action, "list": f"{asked}&page=2"}
    assert client.post(reverse("act", args=[middle.pk]), form).headers["Location"] == list_url(
        mailbox.pk, form["list"]
    )


def test_filters_narrow_a_view_and_a_reference_stands_in_no_address(mailbox, client):
    log_in(client, a_member("Karin", mailbox))
    first, second = arrives(mailbox).conversation, arrives(mailbox).conversation
    Conversation.objects.filter(pk=second.pk).update(is_confidential=False)
    second.messages.update(counterpart_organisation="Region Uppsala", counterpart_function="Beställning")
    url = reverse("mailbox", args=[mailbox.pk])

    def shown(**form) -> set[int]:
        response = client.post(url, {"view": "inkorg", **form})
        assert "117" not in response.headers["Location"]
        page = client.get(response.headers["Location"]).context["page"]
        return {row.pk for row in page.rows}

    assert shown() == {first.pk, second.pk}
    assert shown(organisation="uppsala") == {second.pk}
    assert shown(function="beställ") == {second.pk}
    assert shown(organisation="uppsala", function="arbets") == set()
    assert shown(confidential="on") == {first.pk}
    assert shown(reference="2026/117") == {first.pk, second.pk}
    assert shown(reference="2026/118") == set()
    assert shown(attachments="on") == set()
    Conversation.objects.filter(pk=first.pk).update(has_attachments=True)
    assert shown(attachments="on") == {first.pk}
    long_ago = datetime(2020, 1, 1, 22, 30, tzinfo=UTC)  # 23.30 in Sweden
    Conversation.objects.filter(pk=second.pk).update(last_activity_at=long_ago)
    assert shown(until="2020-01-01") == {second.pk}
    assert shown(until="2019-12-31") == set()
    assert shown(since="2020-01-01", until="2020-01-02") == {second.pk}
    assert shown(since="2020-01-02") == {first.pk}
    assert shown(view="klara") == set()


@pytest.mark.parametrize(
    "query",
    [
        *("view=x", "after=x", "reference=zzzzzzzzzzzzzzzz", "since=2026-99-99", "page=-1", "label=%00"),
        *("organisation=%00", "organisation=%ED%A0%80", "page=999999999999999999999", "until=9999-12-31"),
        # As addresses were written before.
        *("vy=x", "efter=x", "beteckning=zzzzzzzzzzzzzzzz", "fran=2026-99-99", "sida=-1"),
    ],
)
def test_an_odd_address_is_answered_as_if_it_asked_for_less(mailbox, client, query):
    log_in(client, a_member("Karin", mailbox))
    arrives(mailbox)
    page = client.get(f"{reverse('mailbox', args=[mailbox.pk])}?{query}")
    assert len(page.context["page"].rows) == 1


@pytest.mark.parametrize("order", ["", "&order=aldst"])
def test_pages_of_a_view_go_by_key_and_say_their_number(mailbox, client, order):
    log_in(client, a_member("Karin", mailbox))
    for _ in range(list_order.PAGE + 2):
        arrives(mailbox)
    url = f"{reverse('mailbox', args=[mailbox.pk])}?view=ingens{order}"
    first = client.get(url).context
    key = first["page"].after.replace("+", "%2B")
    answer = client.get(f"{url}&after={key}&page=2")
    second = answer.context["page"].rows
    assert len(second) == 2
    assert not {row.pk for row in second} & {row.pk for row in first["page"].rows}
    times = [row.conversation.last_activity_at for row in [*first["page"].rows, *second]]
    assert times == sorted(times, reverse=not order)
    assert "<title>Ej tilldelade, sida 2 – Mottagning" in in_one_line(answer.content.decode())


def test_the_history_costs_no_query_for_each_line(mailbox, client):
    log_in(client, a_member("Karin", mailbox))
    conversation = arrives(mailbox).conversation
    url = reverse("conversation", args=[conversation.pk])
    counts = []
    for _ in range(2):
        client.get(url)
        with CaptureQueriesContext(connection) as queries:
            client.get(url)
        counts.append(len(queries))
        for number in range(4):
            assignment.assign(
                conversation.pk, a_member(f"P{number}", mailbox), instead_of=_holder(conversation)
            )
    assert counts[0] == counts[1]


def _holder(conversation: Conversation) -> int | None:
    conversation.refresh_from_db()
    return conversation.assignee_id


def test_a_priority_is_set_removed_told_and_undone(mailbox, client):
    karin, ahmed = a_member("Karin", mailbox), a_member("Ahmed", mailbox)
    conversation = arrives(mailbox).conversation
    log_in(client, karin)
    act, page = reverse("act", args=[conversation.pk]), reverse("conversation", args=[conversation.pk])
    shown = in_one_line(client.get(page).content.decode())
    assert 'value="prioritise" data-key="!"' in shown
    shown = in_one_line(client.post(act, {"action": "prioritise"}, follow=True).content.decode())
    conversation.refresh_from_db()
    assert conversation.is_priority
    assert 'value="remove-priority" data-key="!"' in shown
    assert "Karin prioriterade den" in shown
    assert "<strong>Prioriterad:</strong>" in shown
    # Once more changes nothing, and a colleague may remove it.
    client.post(act, {"action": "prioritise"})
    assert history(conversation) == ["opened", "priority"]
    undo.undo(conversation.events.get(what="priority").pk, karin)
    conversation.refresh_from_db()
    assert not conversation.is_priority
    client.post(act, {"action": "prioritise"})
    log_in(client, ahmed)
    shown = client.post(act, {"action": "remove-priority"}, follow=True).content.decode()
    assert "Ahmed tog bort prioriteten" in shown
    conversation.refresh_from_db()
    assert not conversation.is_priority


def test_who_is_no_member_cannot_prioritise(mailbox, client):
    conversation = arrives(mailbox).conversation
    log_in(client, a_member("Olle"))
    assert client.post(reverse("act", args=[conversation.pk]), {"action": "prioritise"}).status_code == 404
    conversation.refresh_from_db()
    assert not conversation.is_priority


def test_prioritised_conversations_are_marked_in_the_list_and_found_by_its_filter(mailbox, client):
    karin = a_member("Karin", mailbox)
    first, second = arrives(mailbox).conversation, arrives(mailbox).conversation
    log_in(client, karin)
    many = {"chosen": [first.pk], "action": "prioritise"}
    page = client.post(reverse("act-on-many", args=[mailbox.pk]), many, follow=True)
    rows = {row.pk: row.conversation.is_priority for row in page.context["page"].rows}
    assert rows == {first.pk: True, second.pk: False}
    assert page.content.decode().count('title="Prioriterad"') == 1
    page = client.get(reverse("mailbox", args=[mailbox.pk]) + "?status=prioriterade")
    assert [row.pk for row in page.context["page"].rows] == [first.pk]


@pytest.mark.parametrize(
    ("today", "monday"),
    [("2026-11-29", "2026-11-30"), ("2026-11-30", "2026-12-07"), ("2026-12-31", "2027-01-04")],
)
def test_the_days_of_reminder_buttons_are_counted_from_today(monkeypatch, today, monday):
    monkeypatch.setattr(reminders.timezone, "localdate", lambda: date.fromisoformat(today))
    day = date.fromisoformat(today)
    assert reminders.preset_day("remind-tomorrow") == day + timedelta(days=1)
    assert reminders.preset_day("remind-monday") == date.fromisoformat(monday)
    assert reminders.preset_day("remind-in-a-week") == day + timedelta(days=7)
    assert reminders.preset_day("remind") is None


def test_one_press_sets_a_reminder_on_one_conversation_and_on_several(mailbox, client):
    karin = a_member("Karin", mailbox)
    first, second = arrives(mailbox).conversation, arrives(mailbox).conversation
    log_in(client, karin)
    page = client.get(reverse("conversation", args=[first.pk])).content.decode()
    assert page.count("På måndag") == 2
    # What stands in the date field beside the button does not matter.
    client.post(
        reverse("act", args=[first.pk]), {"action": "remind-tomorrow", "day": "2020-01-01", "list": ""}
    )
    many = {"chosen": [first.pk, second.pk], "action": "remind-in-a-week"}
    first.refresh_from_db()
    tomorrow = timezone.localdate() + timedelta(days=1)
    assert timezone.localtime(first.remind_at).date() == tomorrow
    client.post(reverse("act-on-many", args=[mailbox.pk]), many)
    first.refresh_from_db()
    second.refresh_from_db()
    assert first.remind_at == second.remind_at
    assert timezone.localtime(first.remind_at).date() == timezone.localdate() + timedelta(days=7)
