"""Who may let whom in; memberships that end, and those that the e-ID gives."""

from datetime import timedelta
from importlib import import_module

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.urls import reverse
from django.utils import timezone

from mailbox import access, access_log
from mailbox.administration import mailboxes, membership_rules
from mailbox.models import (
    AccessLogEntry,
    FunctionMailbox,
    Membership,
    MembershipRule,
    OrganisationRole,
    Person,
)

from .build import HERE, a_member, a_message_in, a_person, log_in, with_role

pytestmark = pytest.mark.django_db
THERE = "0203:annan.se"


@pytest.fixture
def mailbox(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    return FunctionMailbox.objects.create(participant_id=HERE, address="funktion-b", name="Mottagning")


def sees(person: Person, mailbox: FunctionMailbox) -> bool:
    return access.mailboxes_of(person).filter(pk=mailbox.pk).exists()


# --- Memberships with an end


def test_a_membership_opens_nothing_from_the_moment_it_ends(mailbox):
    now = timezone.now()
    lasting = a_member(mailbox, ends_at=now + timedelta(minutes=1))
    ended = a_member(mailbox, ends_at=now)
    assert sees(lasting, mailbox)
    assert not sees(ended, mailbox)


def test_a_membership_whose_time_is_up_is_removed_and_logged(mailbox):
    person = a_member(mailbox, ends_at=timezone.now() - timedelta(seconds=1))
    staying = a_member(mailbox, ends_at=timezone.now() + timedelta(hours=1))
    assert mailboxes.end_memberships() == 1
    assert [row.person for row in Membership.objects.all()] == [staying]
    entry = AccessLogEntry.objects.get()
    assert (entry.what, entry.person, entry.actor) == ("membership-ended", person, None)


def test_an_end_is_given_in_the_page_and_has_to_lie_ahead(mailbox, client):
    log_in(client, with_role("administrator"))
    url = reverse("administration-mailbox", args=[mailbox.pk])
    form = {"subject": "199001012385", "name": "Karin", "role": "manager", "until": "2020-01-01"}
    assert client.post(url, form).status_code == 422
    assert not Membership.objects.exists()
    assert client.post(url, {**form, "until": "2999-01-01"}).status_code == 302
    membership = Membership.objects.get()
    assert (membership.role, membership.ends_at.year) == ("manager", 2998)


# --- Managers


def test_a_manager_names_members_of_that_mailbox_and_of_no_other(mailbox, client):
    beside = FunctionMailbox.objects.create(participant_id=HERE, address="b", name="Ekonomi")
    manager = a_member(mailbox, role=Membership.Role.MANAGER)
    Membership.objects.create(person=manager, mailbox=beside)
    log_in(client, manager)
    form = {"subject": "199001012385", "name": "Karin"}
    assert client.post(reverse("administration-mailbox", args=[mailbox.pk]), form).status_code == 302
    assert client.post(reverse("administration-mailbox", args=[beside.pk]), form).status_code == 404
    assert sees(Person.objects.by_subject("199001012385"), mailbox)
    assert not sees(Person.objects.by_subject("199001012385"), beside)
    assert client.post(reverse("administration-open", args=[mailbox.pk]), {"open": "0"}).status_code == 404


def test_a_manager_whose_time_is_up_manages_nothing(mailbox):
    person = a_member(mailbox, role=Membership.Role.MANAGER, ends_at=timezone.now())
    assert not access.managed_by(person).exists()


# --- Nobody gives what they do not hold


@pytest.mark.parametrize(
    ("holds", "gives", "succeeds"),
    [
        ("administrator", "administrator", True),
        ("administrator", "auditor", False),
        ("auditor", "auditor", True),
        ("auditor", "administrator", False),
    ],
)
def test_a_role_is_given_by_who_holds_it(holds, gives, succeeds):
    actor, person = with_role(holds), a_person()
    if succeeds:
        mailboxes.give_role(actor, person, gives, HERE)
    else:
        with pytest.raises(mailboxes.RoleNotGrantable):
            mailboxes.give_role(actor, person, gives, HERE)
    assert OrganisationRole.objects.filter(person=person, role=gives).exists() is succeeds


def test_a_role_is_given_in_no_other_organisation_and_never_to_oneself():
    actor, person = with_role("administrator"), a_person()
    for whom, where in ((person, THERE), (actor, HERE)):
        with pytest.raises(mailboxes.RoleNotGrantable):
            mailboxes.give_role(actor, whom, "administrator", where)


def test_nobody_names_themselves_a_member(mailbox, client):
    actor, _ = Person.add("199001012385", "Eva")
    OrganisationRole.objects.create(person=actor, participant_id=HERE)
    log_in(client, actor)
    form = {"subject": "19900101-2385", "name": "Eva"}
    response = client.post(reverse("administration-mailbox", args=[mailbox.pk]), form)
    assert response.status_code == 422
    assert not sees(actor, mailbox)


def test_a_form_for_a_role_that_one_does_not_hold_changes_nothing(mailbox, client):
    person = a_member(mailbox)
    log_in(client, with_role("administrator"))
    url = reverse("administration-give-role", args=[person.pk])
    client.post(url, {"role": "auditor", "organisation": HERE})
    client.post(url, {"role": "administrator", "organisation": THERE})
    client.post(url, {"role": "king", "organisation": HERE})
    assert not person.organisation_roles.exists()
    client.post(url, {"role": "administrator", "organisation": HERE})
    assert access.administered_by(person) == [HERE]
    client.post(reverse("administration-take-role", args=[person.organisation_roles.get().pk]))
    assert access.administered_by(person) == []
    assert [entry.what for entry in AccessLogEntry.objects.order_by("number")] == ["role-given", "role-taken"]


# --- Auditors


def test_an_auditor_reads_the_log_of_that_organisation_and_no_message(mailbox, client):
    message = a_message_in(mailbox)
    member, auditor = a_member(mailbox), with_role("auditor")
    log_in(client, member)
    client.get(reverse("conversation", args=[message.conversation_id]))
    mailboxes.access_log.record(member, "searched", THERE)
    log_in(client, auditor)
    assert client.get(reverse("conversation", args=[message.conversation_id])).status_code == 404
    page = client.get(reverse("administration-access-log"))
    assert [row.entry.what for row in page.context["entries"]] == ["conversation-opened"]
    assert message.subject not in page.content.decode()


def test_the_log_is_searched_by_who_what_where_and_when(mailbox, client):
    karin, ahmed = a_member(mailbox, name="Karin"), a_member(mailbox, name="Ahmed")
    conversation = a_message_in(mailbox).conversation
    note = mailboxes.access_log.record
    note(karin, "conversation-opened", HERE, mailbox=mailbox, conversation=conversation)
    note(ahmed, "searched", HERE)
    log_in(client, with_role("auditor"))

    def found(**asked: object) -> list[str]:
        entries = client.get(reverse("administration-access-log"), asked).context["entries"]
        return [row.entry.what for row in entries]

    assert found() == ["searched", "conversation-opened"]
    assert found(actor=ahmed.pk) == ["searched"]
    assert found(what="conversation-opened") == ["conversation-opened"]
    assert found(mailbox=mailbox.pk) == ["conversation-opened"]
    assert found(conversation=str(conversation.conversation_id)) == ["conversation-opened"]
    assert found(conversation="x") == []
    assert found(since="2999-01-01") == []
    assert found(until="2001-01-01") == []


def test_the_log_is_taken_out_as_a_file_with_its_chain_and_that_is_logged(mailbox, client):
    person = a_member(mailbox, name="=Formel")
    entry = mailboxes.access_log.record(person, "searched", HERE)
    log_in(client, with_role("auditor"))
    response = client.post(reverse("administration-access-log-file"))
    text = b"".join(response.streaming_content).decode()
    assert entry.digest in text
    assert ";'=Formel;" in text
    assert "access-log-exported" in text


# --- What the e-ID says


def test_a_claim_gives_membership_and_losing_it_takes_it(mailbox):
    rule = MembershipRule.objects.create(mailbox=mailbox, claim="groups", value="social")
    person = a_person()
    membership_rules.apply(person, {"groups": ["social", "annat"]})
    assert sees(person, mailbox)
    assert person.memberships.get().rule == rule
    membership_rules.apply(person, {"groups": ["annat"]})
    assert not sees(person, mailbox)
    what = [entry.what for entry in AccessLogEntry.objects.order_by("number")]
    assert what == ["member-by-rule", "membership-ended"]


def test_a_rule_lets_nobody_in_who_has_made_it_alone(mailbox, client):
    eva, sara, karin = with_role("administrator"), with_role("administrator", name="Sara"), a_person()
    url = reverse("administration-make-rule", args=[mailbox.pk])
    log_in(client, eva)
    for _ in range(2):
        client.post(url, {"claim": "groups", "value": "social"})
    for person in (eva, karin):
        membership_rules.apply(person, {"groups": "social"})
    assert (sees(eva, mailbox), sees(karin, mailbox)) == (False, True)
    log_in(client, sara)
    client.post(url, {"claim": "groups", "value": "social"})
    membership_rules.apply(eva, {"groups": "social"})
    assert sees(eva, mailbox), "somebody else has said the same"
    what = list(AccessLogEntry.objects.filter(actor__in=[eva, sara]).values_list("what", "actor__name"))
    assert what == [("rule-made", "Eva"), ("rule-made", "Sara")]


def test_a_rule_that_nobody_is_known_to_have_made_gives_nothing_until_it_is_confirmed(mailbox, client):
    rule = MembershipRule.objects.create(mailbox=mailbox, claim="groups", value="social", is_suspended=True)
    eva, sara, karin = with_role("administrator"), with_role("administrator", name="Sara"), a_person()
    before = Membership.objects.create(person=a_person(), mailbox=mailbox, rule=rule).person
    for person in (eva, sara, karin, before):
        membership_rules.apply(person, {"groups": "social"})
    assert not Membership.objects.exists(), "nor to those to whom it gave before"
    assert membership_rules.rules_met({"groups": "social"}) == []
    log_in(client, eva)
    overview, page = reverse("administration"), reverse("administration-mailbox", args=[mailbox.pk])
    assert "groups = social" in client.get(overview).content.decode()
    assert "Vilande: ger inget medlemskap" in client.get(page).content.decode()
    button = reverse("administration-confirm-rule", args=[rule.pk])
    shown = client.post(button, follow=True).content.decode()
    assert "Regeln är bekräftad" in shown
    assert f"Gäller alla utom {eva.name}" in shown
    assert button not in shown, "she has said so already"
    assert "groups = social" not in client.get(overview).content.decode()
    for person in (eva, karin):
        membership_rules.apply(person, {"groups": "social"})
    assert (sees(eva, mailbox), sees(karin, mailbox)) == (False, True)
    client.post(button)
    membership_rules.apply(eva, {"groups": "social"})
    assert not sees(eva, mailbox), "once more from her is no other's word"
    log_in(client, sara)
    shown = client.post(button, follow=True).content.decode()
    assert "Gäller alla utom" not in shown
    membership_rules.apply(eva, {"groups": "social"})
    assert sees(eva, mailbox)
    made = AccessLogEntry.objects.filter(what="rule-made").values_list("actor__name", flat=True)
    assert list(made) == ["Eva", "Sara"]


def look_for_makers() -> None:
    migration = import_module("mailbox.migrations.0027_rules_nobody_is_known_to_have_made")
    migration.look_for_makers(apps, None)


def test_rules_from_before_their_maker_was_noted_are_of_whom_the_log_tells(mailbox):
    """`a` made by one, `b` by two, `c` by nobody that is known, `d` removed and made anew by another."""
    eva, sara = with_role("administrator"), with_role("administrator", name="Sara")
    told = [(eva, "a"), (eva, "b"), (sara, "b"), (eva, "d"), (None, "d"), (sara, "d")]
    for person, value in told:
        what = "rule-made" if person else "rule-removed"
        access_log.record(person or eva, what, HERE, mailbox=mailbox, claim="groups", value=value)
    beside = mailboxes.open_mailbox(eva, HERE, "beside", "Ekonomi")
    access_log.record(eva, "rule-made", HERE, mailbox=beside, claim="groups", value="c")
    for value in "abcd":
        MembershipRule.objects.create(mailbox=mailbox, claim="groups", value=value)
    look_for_makers()
    rules = MembershipRule.objects.values_list("value", "made_by", "is_suspended")
    assert list(rules) == [
        ("a", eva.pk, False),
        ("b", None, False),
        ("c", None, True),
        ("d", sara.pk, False),
    ]
    look_for_makers()
    assert list(MembershipRule.objects.values_list("value", "made_by", "is_suspended")) == list(rules)


def test_the_look_for_makers_can_be_taken_back_and_made_again(mailbox):
    MembershipRule.objects.create(mailbox=mailbox, claim="groups", value="social")
    name = ("mailbox", "0027_rules_nobody_is_known_to_have_made")
    loader = MigrationLoader(connection)
    migration, before = loader.get_migration(*name), loader.project_state(name, at_end=False)
    with connection.cursor() as cursor:
        # Else rows of this transaction stand in the way of changing their table.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        with connection.schema_editor() as editor:
            migration.unapply(before.clone(), editor)
        cursor.execute(
            "INSERT INTO mailbox_membershiprule (mailbox_id, claim, value, created_at) "
            "VALUES (%s, 'groups', 'old', now())",
            [mailbox.pk],
        )
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        with connection.schema_editor() as editor:
            migration.apply(before.clone(), editor)
    found = MembershipRule.objects.values_list("value", "is_suspended")
    assert list(found) == [("old", True), ("social", True)]


@pytest.mark.parametrize("claims", [{}, {"groups": "socialt"}, {"other": "social"}, {"groups": None}])
def test_a_claim_has_to_be_exactly_what_the_rule_says(mailbox, claims):
    MembershipRule.objects.create(mailbox=mailbox, claim="groups", value="social")
    person = a_person()
    membership_rules.apply(person, claims)
    assert not sees(person, mailbox)


def test_a_membership_that_a_person_gave_is_not_the_rule_s_to_take(mailbox):
    MembershipRule.objects.create(mailbox=mailbox, claim="groups", value="social")
    person = a_member(mailbox)
    membership_rules.apply(person, {"groups": "social"})
    membership_rules.apply(person, {})
    assert sees(person, mailbox)


def test_removing_a_rule_ends_what_it_gave(mailbox, client):
    rule = MembershipRule.objects.create(mailbox=mailbox, claim="groups", value="social")
    person, by_hand = a_person(), a_member(mailbox)
    membership_rules.apply(person, {"groups": "social"})
    log_in(client, with_role("administrator"))
    assert client.post(reverse("administration-remove-rule", args=[rule.pk])).status_code == 302
    assert not sees(person, mailbox)
    assert sees(by_hand, mailbox)


def test_a_file_sets_up_managers_and_auditors(tmp_path):
    path = tmp_path / "x.json"
    path.write_text(
        '{"organisation": "0203:habo.se", "mailboxes": [{"address": "a", "name": "A"}], "people": ['
        '{"subject": "1", "name": "Karin", "mailboxes": ["a"], "manager": true},'
        '{"subject": "2", "name": "Eva", "auditor": true}]}'
    )
    call_command("load_mailboxes", str(path))
    assert access.managed_by(Person.objects.by_subject("1")).count() == 1
    assert access.audited_by(Person.objects.by_subject("2")) == [HERE]
    assert access.administered_by(Person.objects.by_subject("2")) == []
