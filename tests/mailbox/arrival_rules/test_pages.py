"""The pages of a mailbox's rules: made, tried, ordered and removed by its managers, and by nobody else."""

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from mailbox.administration import redirections
from mailbox.arrival_rules import rule_list
from mailbox.arrival_rules.decision import Actions, Conditions
from mailbox.arrival_rules.forms import ArrivalRuleForm
from mailbox.arrival_rules.rule_list import Content
from mailbox.delivery.inbound import deliver
from mailbox.models import (
    AccessLogEntry,
    ArrivalNotice,
    ArrivalRule,
    ArrivalRuleList,
    ConversationEvent,
    FunctionMailbox,
    Label,
    Membership,
    OrganisationRole,
    PushSubscription,
    Redirection,
)
from mailbox.notifications import notices
from tests.mailbox.build import a_member, log_in
from tests.pages import in_one_line
from transport import mail

from .build import HERE, a_rule, arrives, delivered

pytestmark = pytest.mark.django_db


@pytest.fixture
def other():
    return FunctionMailbox.objects.create(participant_id=HERE, address="funktion-c", name="Ekonomi")


def a_manager(name, *mailboxes):
    person = a_member(name, *mailboxes)
    Membership.objects.filter(person=person).update(role=Membership.Role.MANAGER)
    return person


@pytest.fixture
def karin(mailbox, client):
    person = a_manager("Karin", mailbox)
    log_in(client, person)
    return person


def post(client, url, **given):
    return client.post(url, {"version": "0", "name": "Regel", "is_enabled": "on", "action": "save"} | given)


def new(mailbox) -> str:
    return reverse("arrival-rule-new", args=[mailbox.pk])


def listed(mailbox) -> str:
    return reverse("arrival-rules", args=[mailbox.pk])


def test_a_rule_is_made_with_all_that_it_can_say(mailbox, other, karin, client):
    label = Label.objects.create(mailbox=mailbox, name="Barn")
    ahmed = a_member("Ahmed", mailbox)
    answer = post(
        client,
        new(mailbox),
        name="Oro",
        organisations="0203:a.se\r\n0203:b.se",
        functions="sdk:*",
        our_references="SN-*",
        their_references="AF-1",
        persons="Karin",
        words="orosanmäl*",
        is_confidential="yes",
        has_files="no",
        file_types="pdf, image/*",
        label=label.pk,
        is_priority="on",
        due_days="0",
        assign="turn",
        among=[ahmed.pk],
        notify=[karin.pk, ahmed.pk],
        stops="on",
    )
    assert answer.status_code == 302
    row = ArrivalRule.objects.get()
    assert Conditions.from_json(row.conditions) == Conditions(
        ("0203:a.se", "0203:b.se"),
        ("sdk:*",),
        ("SN-*",),
        ("AF-1",),
        ("Karin",),
        True,
        False,
        ("pdf", "image/*"),
        ("orosanmäl*",),
    )
    assert Actions.from_json(row.actions) == Actions(
        label.pk, True, 0, assigns_in_turn=True, among=(ahmed.pk,), notify=(karin.pk, ahmed.pk)
    )
    assert (row.name, row.is_enabled, row.stops, row.position) == ("Oro", True, True, 1)
    page = client.get(listed(mailbox)).content.decode()
    for text in ("Oro", "orosanmäl*", "Sätter etiketten Barn", "Stannar här", "Ska vara klar samma dag"):
        assert text in page
    form = client.get(reverse("arrival-rule", args=[row.pk])).content.decode()
    assert "0203:a.se\n0203:b.se" in form
    with connection.cursor() as cursor:
        cursor.execute("SELECT conditions::text FROM mailbox_arrivalrule")
        assert "oros" not in cursor.fetchone()[0]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"name": ""}, "Skriv vad regeln heter."),
        ({"name": "x" * 61}, "högst 60 tecken"),
        ({"name": "a\0b"}, ""),
        ({"words": "x" * 201, "is_priority": "on"}, "högst 200 tecken"),
        ({"words": "\n".join(map(str, range(21))), "is_priority": "on"}, "högst 20"),
        ({"words": "a\0b", "is_priority": "on"}, "Ta bort tecken"),
        ({"words": "a*b", "is_priority": "on"}, "stjärna bara först eller sist"),
        ({"words": "***", "is_priority": "on"}, "stjärna bara först eller sist"),
        ({"functions": "a*b*c*d*e", "is_priority": "on"}, "Högst tre stjärnor"),
        ({"due_days": "-1"}, "0 till 365"),
        ({"due_days": "9" * 5000}, "0 till 365"),
        ({"due_days": "²"}, "0 till 365"),
        ({"label": "4711"}, "Välj en etikett i listan."),
        ({"assign": "4711"}, "Välj en medlem i listan."),
        ({"move_to": "4711"}, "Välj en funktion i listan."),
        ({"notify": ["4711"]}, "Välj medlemmar i listan."),
        ({}, "Välj minst en sak"),
    ],
)
def test_what_is_wrong_in_the_form_is_said_and_nothing_is_saved(mailbox, karin, client, given, says):
    answer = post(client, new(mailbox), **given)
    assert answer.status_code == 422
    assert says in in_one_line(answer.content.decode())
    assert not ArrivalRule.objects.exists()


def test_what_is_moved_is_not_assigned_here_too(mailbox, other, karin, client):
    answer = post(client, new(mailbox), move_to=other.pk, assign="turn")
    assert "Välj det ena." in in_one_line(answer.content.decode())


def test_what_belongs_to_others_cannot_be_chosen(mailbox, other, karin, client):
    strange = FunctionMailbox.objects.create(participant_id="0203:annan.se", address="a", name="Deras")
    closed = FunctionMailbox.objects.create(participant_id=HERE, address="s", name="Stängd", is_open=False)
    theirs = Label.objects.create(mailbox=other, name="Deras")
    outsider = a_member("Utomstående", other)
    for given in (
        {"move_to": strange.pk},
        {"move_to": closed.pk},
        {"move_to": mailbox.pk},
        {"label": theirs.pk},
        {"assign": outsider.pk},
        {"assign": "turn", "among": [outsider.pk]},
        {"notify": [outsider.pk], "is_priority": "on"},
    ):
        assert post(client, new(mailbox), **given).status_code == 422
    assert not ArrivalRule.objects.exists()


def test_only_managers_who_are_members_have_rules(mailbox, other, client):
    row = a_rule(mailbox, is_priority=True)
    eva = a_member("Eva")
    OrganisationRole.objects.create(person=eva, participant_id=HERE)
    gone = a_manager("Slutat", mailbox)
    Membership.objects.filter(person=gone).update(ends_at=timezone.now() - timedelta(days=1))
    for person in (eva, gone, a_member("Medlem", mailbox), a_manager("Annan", other)):
        log_in(client, person)
        for url in (listed(mailbox), new(mailbox), reverse("arrival-rule", args=[row.pk])):
            assert client.get(url).status_code == 404
            assert post(client, url, is_priority="on").status_code == 404
    assert ArrivalRule.objects.count() == 1
    assert ArrivalRule.objects.get().name == row.name


def test_the_sidebar_leads_managers_there(mailbox, karin, client):
    assert listed(mailbox) in client.get(reverse("mailbox", args=[mailbox.pk])).content.decode()
    log_in(client, a_member("Ahmed", mailbox))
    assert listed(mailbox) not in client.get(reverse("mailbox", args=[mailbox.pk])).content.decode()


def test_a_dry_run_shows_what_would_happen_and_does_nothing(mailbox, karin, client):
    arrives(subject="Orosanmälan om barn", is_confidential=True)
    arrives(subject="Faktura")
    label = Label.objects.create(mailbox=mailbox, name="Barn")
    before = (AccessLogEntry.objects.count(), ConversationEvent.objects.count())
    page = post(client, new(mailbox), words="orosanmäl*", label=label.pk, assign="turn", action="try")
    shown = in_one_line(page.content.decode())
    assert "Regeln träffar 1 av de senaste 2 meddelandena" in shown
    assert "Orosanmälan om barn" in shown
    assert "Faktura" not in shown
    assert "Sätter etiketten Barn" in shown
    assert "Tilldelas den som står på tur" in shown
    assert 'value="Regel"' in shown, "what was written stays in the form"
    assert (AccessLogEntry.objects.count(), ConversationEvent.objects.count()) == before
    assert not ArrivalRule.objects.exists()
    assert not ArrivalRuleList.objects.exists()


def test_a_dry_run_knows_the_rules_before_it_and_is_not_confused_by_itself(mailbox, other, karin, client):
    arrives(subject="Orosanmälan")
    first = a_rule(mailbox, "Först", when=Conditions(words=("orosanmälan",)), is_priority=True, stops=True)
    shown = in_one_line(post(client, new(mailbox), due_days="3", action="try").content.decode())
    assert "Inget: en tidigare regel stannar" in shown
    own = reverse("arrival-rule", args=[first.pk])
    shown = in_one_line(post(client, own, due_days="3", action="try").content.decode())
    assert "Ska vara klar inom 3 dagar" in shown
    assert "Prioriterar" not in shown
    shown = in_one_line(post(client, own, move_to=other.pk, action="try").content.decode())
    assert "Flyttar till Ekonomi" in shown


def test_a_dry_run_looks_at_a_hundred_messages_in_as_many_queries_as_at_one(mailbox, karin, client):
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            post(client, new(mailbox), words="kallelse", is_priority="on", file_types="pdf", action="try")
        return len(captured)

    deliver([delivered(file=("a.pdf", "application/pdf"))])
    queries()
    few = queries()
    deliver([delivered(file=("a.pdf", "application/pdf")) for _ in range(104)])
    assert queries() <= few
    shown = post(client, new(mailbox), is_priority="on", action="try").content.decode()
    assert "Regeln träffar 100 av de senaste 100 meddelandena" in in_one_line(shown)


def test_the_list_asks_as_often_for_many_rules_as_for_one(mailbox, karin, client):
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert client.get(listed(mailbox)).status_code == 200
        return len(captured)

    a_rule(mailbox, label=1)
    queries()
    few = queries()
    for _ in range(10):
        a_rule(mailbox, assign_to=karin.pk, move_to=4711, notify=(karin.pk, 4711))
    assert queries() <= few


def test_rules_are_ordered_switched_and_removed_by_buttons(mailbox, karin, client):
    rows = [a_rule(mailbox, name, is_priority=True) for name in "ABC"]

    def press(action, row):
        given = {"action": action, "rule": row.pk, "version": rule_list.version_of(mailbox)}
        assert client.post(listed(mailbox), given).status_code == 302
        return "".join(each.name for each in rule_list.rules_of(mailbox))

    assert press("up", rows[2]) == "ACB"
    assert press("down", rows[0]) == "CAB"
    assert press("up", rows[2]) == "CAB"
    assert press("disable", rows[0]) == "CAB"
    assert not ArrivalRule.objects.get(pk=rows[0].pk).is_enabled
    press("enable", rows[0])
    assert ArrivalRule.objects.get(pk=rows[0].pk).is_enabled
    assert press("remove", rows[0]) == "CB"
    codes = set(AccessLogEntry.objects.values_list("what", flat=True))
    assert codes == {"arrival-rule-changed", "arrival-rule-removed"}


def test_who_has_an_old_list_is_told_so_and_changes_nothing(mailbox, karin, client):
    rows = [a_rule(mailbox, name, is_priority=True) for name in "AB"]
    ahmed = a_manager("Ahmed", mailbox)
    rule_list.shift(ahmed, mailbox, 0, rows[0].pk, places=1)
    for given in ({"action": "remove"}, {"action": "up"}, {"action": "nonsense"}, {"version": "x"}):
        answer = client.post(listed(mailbox), {"version": 0, "rule": rows[0].pk, "action": "remove"} | given)
        assert answer.status_code == 409
        assert "Någon annan har ändrat reglerna" in answer.content.decode()
    assert [row.name for row in rule_list.rules_of(mailbox)] == ["B", "A"]


@pytest.mark.parametrize("is_new", [True, False])
def test_who_saves_an_old_form_is_told_so_and_keeps_what_they_wrote(mailbox, karin, client, is_new):
    row = a_rule(mailbox, "A", is_priority=True)
    url = new(mailbox) if is_new else reverse("arrival-rule", args=[row.pk])
    rule_list.set_enabled(a_manager("Ahmed", mailbox), mailbox, 0, row.pk, is_enabled=False)
    answer = post(client, url, name="Min regel", due_days="4")
    shown = in_one_line(answer.content.decode())
    assert answer.status_code == 409
    assert "Regeln är inte sparad" in shown
    assert 'value="Min regel"' in shown
    assert 'name="version" value="1"' in shown
    assert not ArrivalRule.objects.filter(name="Min regel").exists()
    assert post(client, url, name="Min regel", due_days="4", version="1").status_code == 302
    assert ArrivalRule.objects.filter(name="Min regel").exists()


def test_a_form_that_was_tried_is_saved_with_the_version_that_it_was_made_of(mailbox, karin, client):
    row = a_rule(mailbox, "A", is_priority=True)
    rule_list.set_enabled(a_manager("Ahmed", mailbox), mailbox, 0, row.pk, is_enabled=False)
    shown = post(client, new(mailbox), due_days="4", action="try").content.decode()
    assert 'name="version" value="0"' in in_one_line(shown)


def test_a_rule_that_was_removed_meanwhile_is_not_there(mailbox, karin, client):
    row = a_rule(mailbox, "A", is_priority=True)
    rule_list.remove(a_manager("Ahmed", mailbox), mailbox, 0, row.pk)
    assert post(client, reverse("arrival-rule", args=[row.pk]), due_days="4").status_code == 404


def test_a_mailbox_has_so_many_rules_and_no_more(mailbox, karin, client, monkeypatch):
    monkeypatch.setattr(rule_list, "MOST", 2)
    for _ in range(2):
        a_rule(mailbox, is_priority=True)
    answer = post(client, new(mailbox), due_days="4")
    assert answer.status_code == 422
    assert "Brevlådan har redan 2 regler." in answer.content.decode()
    assert new(mailbox) not in client.get(listed(mailbox)).content.decode()


@pytest.mark.django_db(transaction=True)
def test_of_two_managers_who_save_at_once_one_is_told(mailbox):
    people = [a_manager(name, mailbox) for name in ("Karin", "Ahmed")]
    outcomes = []

    def save(person) -> None:
        try:
            content = Content(person.name, True, False, Conditions(), Actions(is_priority=True))
            rule_list.add(person, mailbox, 0, content)
            outcomes.append("saved")
        except rule_list.StaleList:
            outcomes.append("told")
        finally:
            connection.close()

    threads = [threading.Thread(target=save, args=[person]) for person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(outcomes) == ["saved", "told"]
    assert ArrivalRule.objects.count() == 1


def test_what_failed_is_shown_to_managers_until_the_rule_is_changed(mailbox, karin, client):
    label = Label.objects.create(mailbox=mailbox, name="Barn")
    row = a_rule(mailbox, label=label.pk, is_priority=True)
    label.delete()
    arrives()
    arrives()
    shown = in_one_line(client.get(listed(mailbox)).content.decode())
    assert "Kunde inte göra allt för 2 meddelanden, senast" in shown
    assert "etiketten finns inte längre" in shown
    post(client, reverse("arrival-rule", args=[row.pk]), is_priority="on")
    assert "Kunde inte göra allt" not in client.get(listed(mailbox)).content.decode()


def test_a_move_is_made_alone_where_nothing_comes_before_one_s_own_eyes(mailbox, other, karin, client):
    a_member("Ahmed", other)
    post(client, new(mailbox), words="faktura", move_to=other.pk)
    assert ArrivalRule.objects.get().is_move_confirmed
    assert arrives(subject="Faktura").mailbox == other
    row = Redirection.objects.get()
    assert (row.is_made, row.mailbox, row.target) == (True, mailbox, other)


def test_a_move_to_a_mailbox_that_one_reads_waits_for_an_administrator(mailbox, other, client):
    karin = a_manager("Karin", mailbox, other)
    log_in(client, karin)
    answer = client.post(
        new(mailbox),
        {"version": "0", "name": "F", "is_enabled": "on", "move_to": other.pk, "action": "save"},
        follow=True,
    )
    assert "en administratör har bekräftat det" in answer.content.decode()
    assert "Flytten väntar på en administratör" in in_one_line(answer.content.decode())
    assert arrives().mailbox == mailbox
    eva = a_member("Eva")
    OrganisationRole.objects.create(person=eva, participant_id=HERE)
    log_in(client, eva)
    shown = in_one_line(client.get(reverse("administration")).content.decode())
    assert "Låt en regel flytta meddelanden" in shown
    row = Redirection.objects.get()
    client.post(reverse("administration-redirection", args=[row.pk]), {"answer": "confirm"})
    assert arrives().mailbox == other


def test_what_was_proposed_of_a_rule_that_has_changed_since_is_not_confirmed(mailbox, other, client):
    karin = a_manager("Karin", mailbox, other)
    content = Content("F", True, False, Conditions(words=("faktura",)), Actions(move_to=other.pk))
    rule = rule_list.add(karin, mailbox, 0, content)
    first = Redirection.objects.get()
    wider = Content("F", True, False, Conditions(), Actions(move_to=other.pk))
    rule_list.change(karin, mailbox, 1, rule.pk, wider)
    eva = a_member("Eva")
    with pytest.raises(redirections.Settled):
        redirections.confirm(eva, first.pk)
    redirections.confirm(eva, Redirection.objects.get(settled_at=None).pk)
    rule.refresh_from_db()
    assert rule.is_move_confirmed
    # What does not change where messages go needs nobody.
    named = Content("Fakturor", True, True, Conditions(), Actions(move_to=other.pk, is_priority=True))
    rule_list.change(karin, mailbox, 2, rule.pk, named)
    rule.refresh_from_db()
    assert (rule.is_move_confirmed, rule.name) == (True, "Fakturor")
    rule_list.change(karin, mailbox, 3, rule.pk, content)
    rule.refresh_from_db()
    assert not rule.is_move_confirmed
    rule_list.remove(karin, mailbox, 4, rule.pk)
    assert not Redirection.objects.filter(settled_at=None).exists()


def test_whom_a_rule_notifies_is_told_once_without_content(mailbox, karin, client, monkeypatch):
    sent, pushed = [], []
    monkeypatch.setattr(mail, "send_each", lambda to, subject, text: sent.append((to, subject, text)))
    monkeypatch.setattr(notices, "push_to", lambda found: pushed.extend(found))
    karin.mail_address = "karin@habo.se"
    karin.save()
    PushSubscription.objects.create(person=karin, endpoint="https://push.example/1")
    a_rule(mailbox, notify=(karin.pk,))
    arrives(subject="Hemligt")
    arrives(subject="Hemligt")
    assert notices.send_notices() == 1
    assert notices.send_notices() == 0
    ((to, subject, text),) = sent
    assert (to, subject) == (["karin@habo.se"], "Nytt meddelande i Mottagning")
    assert "Hemligt" not in text
    assert len(pushed) == 1
    assert notices.recently_notified_mailboxes(karin) == ["Mottagning"]
    arrives()
    assert notices.send_notices() == 1
    ArrivalNotice.objects.update(told_at=timezone.now() - timedelta(days=2))
    notices.send_notices()
    assert not ArrivalNotice.objects.exists()


def test_who_is_no_member_any_more_is_not_told(mailbox, karin, monkeypatch):
    monkeypatch.setattr(mail, "send_each", lambda *_: pytest.fail("told"))
    karin.mail_address = "karin@habo.se"
    karin.save()
    a_rule(mailbox, notify=(karin.pk,))
    arrives()
    Membership.objects.all().delete()
    assert notices.send_notices() == 0
    assert not ArrivalNotice.objects.filter(told_at=None).exists()


def test_the_form_knows_every_condition_and_action():
    named = set(ArrivalRuleForm.base_fields) | {"assign_to", "assigns_in_turn"}
    assert {*Conditions.__slots__, *Actions.__slots__} <= named
