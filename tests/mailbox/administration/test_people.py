"""People are who they are said to be, can be picked and removed, and nobody is locked out by one click."""

import pytest
from django.urls import reverse

from mailbox.administration.forms import is_personal_number
from mailbox.models import (
    AccessLogEntry,
    Conversation,
    FunctionMailbox,
    Membership,
    OrganisationLock,
    OrganisationRole,
    Person,
)
from transport.message_service.models import Organisation

from .build import HERE, a_member, a_message_in, log_in, with_role

pytestmark = pytest.mark.django_db
THERE = "0203:nagon-annan.se"


@pytest.fixture
def mailbox():
    Organisation.objects.create(participant_id=HERE, name="Håbo kommun")
    return FunctionMailbox.objects.create(participant_id=HERE, address="funktion-b", name="Mottagning")


@pytest.mark.parametrize("number", ["199001012385", "19900101-2385", " 199001012385 ", "199001612382"])
def test_personal_and_coordination_numbers_are_known_by_day_and_check_digit(number):
    assert is_personal_number(number)


@pytest.mark.parametrize(
    "number",
    [
        "",
        "12345",
        "9001012385",
        "199001012386",
        "199002302385",
        "299001012385",
        "1990010123850",
        "19900101238²",
        "１９９００１０１２３８５",
        "9" * 5_000,
    ],
)
def test_what_is_no_number_of_a_person_is_none(number):
    assert not is_personal_number(number)


def test_12345_does_not_become_a_member(mailbox, client):
    log_in(client, with_role("administrator"))
    answer = client.post(
        reverse("administration-mailbox", args=[mailbox.pk]), {"subject": "12345", "name": "Karin"}
    )
    assert answer.status_code == 422
    assert "Det är inget personnummer eller samordningsnummer." in answer.content.decode()
    assert not Membership.objects.exists()


def test_a_claim_that_is_no_personal_number_is_taken_as_it_is(mailbox, client, settings):
    settings.SDK_OIDC_PERSON_CLAIM = "employeeHsaId"
    log_in(client, with_role("administrator"))
    form = {"subject": "SE2321000016-1234", "name": "Karin"}
    assert client.post(reverse("administration-mailbox", args=[mailbox.pk]), form).status_code == 302
    assert Person.objects.by_subject("SE2321000016-1234").memberships.get().mailbox == mailbox


def test_somebody_who_is_known_is_picked_without_a_number(mailbox, client):
    beside = FunctionMailbox.objects.create(participant_id=HERE, address="b", name="Ekonomi")
    karin = a_member(beside, name="Karin")
    log_in(client, with_role("administrator"))
    url = reverse("administration-mailbox", args=[mailbox.pk])
    assert f'<option value="{karin.pk}"' in client.get(url).content.decode().replace("\n    ", " ")
    assert client.post(url, {"person": karin.pk, "role": "manager"}).status_code == 302
    assert karin.memberships.get(mailbox=mailbox).role == Membership.Role.MANAGER
    assert AccessLogEntry.objects.get(what="member-added").person == karin


def test_a_manager_picks_among_the_members_of_their_own_mailboxes_alone(mailbox, client):
    hidden = FunctionMailbox.objects.create(participant_id=HERE, address="b", name="Ekonomi")
    theirs = FunctionMailbox.objects.create(participant_id=THERE, address="a", name="Deras")
    strangers = [a_member(hidden, name="Ahmed"), a_member(theirs, name="Sara")]
    log_in(client, a_member(mailbox, role=Membership.Role.MANAGER))
    url = reverse("administration-mailbox", args=[mailbox.pk])
    for person in strangers:
        answer = client.post(url, {"person": person.pk})
        assert answer.status_code == 422
        assert "Välj en person i listan." in answer.content.decode()
    assert mailbox.memberships.count() == 1


def test_nobody_picks_themselves(mailbox, client):
    eva = with_role("administrator")
    log_in(client, eva)
    url = reverse("administration-mailbox", args=[mailbox.pk])
    assert client.post(url, {"person": eva.pk}).status_code == 422
    assert not Membership.objects.exists()


def test_locking_asks_first_and_tells_what_it_leads_to(mailbox, client):
    karin = a_member(mailbox)
    Conversation.objects.filter(pk=a_message_in(mailbox).conversation_id).update(assignee=karin)
    log_in(client, with_role("administrator"))
    url = reverse("administration-lock", args=[karin.pk])
    page = client.get(url).content.decode()
    assert "Spärra Karin?" in page
    assert "Medlem i Mottagning" in " ".join(page.split())
    assert "1 konversation som personen ansvarar för" in " ".join(page.split())
    assert not OrganisationLock.objects.exists(), "nothing happens by looking"
    client.post(url, {"locked": "1"})
    assert OrganisationLock.objects.get().person == karin


def test_closing_a_mailbox_asks_first_and_tells_where_messages_go(mailbox, client):
    a_member(mailbox)
    log_in(client, with_role("administrator"))
    url = reverse("administration-open", args=[mailbox.pk])
    page = " ".join(client.get(url).content.decode().split())
    assert "Nya meddelanden avvisas, och avsändaren får veta det." in page
    assert "1 medlem ser och besvarar fortfarande" in page
    mailbox.refresh_from_db()
    assert mailbox.is_open
    FunctionMailbox.objects.create(participant_id=HERE, address="c", name="Registrator", is_catch_all=True)
    assert "Nya meddelanden går till Registrator." in " ".join(client.get(url).content.decode().split())


def test_a_person_is_removed_from_this_organisation_and_from_no_other(mailbox, client):
    theirs = FunctionMailbox.objects.create(participant_id=THERE, address="a", name="Deras")
    karin = a_member(mailbox, theirs)
    OrganisationRole.objects.create(person=karin, participant_id=HERE)
    log_in(client, with_role("administrator"))
    url = reverse("administration-remove-person", args=[karin.pk])
    assert "Ta bort Karin?" in client.get(url).content.decode()
    assert karin.memberships.count() == 2
    assert client.post(url).status_code == 302
    assert [membership.mailbox for membership in karin.memberships.all()] == [theirs]
    assert not karin.organisation_roles.exists()
    assert AccessLogEntry.objects.filter(what="person-removed", person=karin, participant_id=HERE).exists()
    assert client.get(url).status_code == 404, "whoever holds nothing here is not known here"


def test_an_auditor_is_not_removed_by_an_administrator(mailbox, client):
    nils = with_role("auditor", name="Nils")
    Membership.objects.create(person=nils, mailbox=mailbox)
    log_in(client, with_role("administrator"))
    client.post(reverse("administration-remove-person", args=[nils.pk]))
    assert nils.organisation_roles.exists()
    assert nils.memberships.exists(), "all or nothing"
