"""People are who they are said to be, can be picked and removed, and nobody is locked out by one click."""

from datetime import UTC, datetime

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from mailbox.administration.members.personal_number import is_personal_number
from mailbox.models import (
    AccessLogEntry,
    Conversation,
    FunctionMailbox,
    Membership,
    OrganisationLock,
    OrganisationRole,
    Person,
)
from tests.pages import in_one_line
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


def test_a_person_has_a_page_with_what_they_hold_here_and_nowhere_else(mailbox, client):
    theirs = FunctionMailbox.objects.create(participant_id=THERE, address="a", name="Deras")
    karin = a_member(mailbox, theirs, role=Membership.Role.MANAGER)
    OrganisationRole.objects.create(person=karin, participant_id=HERE, role="auditor")
    Conversation.objects.filter(pk=a_message_in(mailbox).conversation_id).update(assignee=karin)
    Person.objects.filter(pk=karin.pk).update(last_login=datetime(2026, 11, 3, 8, 5, tzinfo=UTC))
    log_in(client, with_role("administrator"))
    page = in_one_line(client.get(reverse("administration-person", args=[karin.pk])).content.decode())
    for text in ("Mottagning", "Ansvarig", "3 november 2026 09:05", "1 konversation", "Granskare", "Öppen"):
        assert text in page, text
    assert "Deras" not in page
    assert reverse("administration-lock", args=[karin.pk]) in page


def test_a_person_of_another_organisation_has_no_page_here(mailbox, client):
    sara = a_member(FunctionMailbox.objects.create(participant_id=THERE, address="a", name="Deras"))
    log_in(client, with_role("administrator"))
    assert client.get(reverse("administration-person", args=[sara.pk])).status_code == 404


def test_somebody_is_made_a_member_and_ended_from_their_page(mailbox, client):
    beside = FunctionMailbox.objects.create(participant_id=HERE, address="b", name="Ekonomi")
    karin = a_member(beside)
    log_in(client, with_role("administrator"))
    url = reverse("administration-person", args=[karin.pk])
    answer = client.post(url, {"mailbox": mailbox.pk, "role": "manager", "until": "2000-01-01"})
    assert answer.status_code == 422
    assert "Ange en dag som inte har varit" in answer.content.decode()
    assert client.post(url, {"mailbox": "", "role": "member"}).status_code == 422
    assert client.post(url, {"mailbox": mailbox.pk, "role": "manager"}).headers["Location"] == url
    membership = karin.memberships.get(mailbox=mailbox)
    assert membership.role == Membership.Role.MANAGER
    remove = reverse("administration-remove-member", args=[membership.pk])
    assert client.post(remove, {"person": "1"}).headers["Location"] == url
    last = reverse("administration-remove-member", args=[karin.memberships.get().pk])
    assert client.post(last, {"person": "1"}).headers["Location"] == reverse("administration-people")


def test_nobody_makes_themselves_a_member_on_their_own_page(mailbox, client):
    eva = with_role("administrator")
    log_in(client, eva)
    url = reverse("administration-person", args=[eva.pk])
    assert client.post(url, {"mailbox": mailbox.pk, "role": "member"}).status_code == 422
    assert not Membership.objects.exists()


NUMBERS = ("199001012385", "199001612382")


def a_file(text: str, encoding: str = "utf-8") -> SimpleUploadedFile:
    return SimpleUploadedFile("medlemmar.csv", text.encode(encoding), "text/csv")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
@pytest.mark.parametrize("separator", [";", ",", "\t"])
def test_members_come_from_a_file_once_it_is_confirmed(mailbox, client, encoding, separator):
    log_in(client, with_role("administrator"))
    url = reverse("administration-members-from-file", args=[mailbox.pk])
    lines = [
        "Personnummer;Namn;Roll;Till",
        f"{NUMBERS[0]};Åsa Öberg;Ansvarig;",
        "",
        f"{NUMBERS[1]};Bo Ek;;2999-12-31",
    ]
    shown = client.post(url, {"file": a_file("\r\n".join(lines).replace(";", separator), encoding)})
    assert shown.status_code == 200
    page = in_one_line(shown.content.decode())
    assert "2 personer blir medlemmar i Mottagning när du bekräftar." in page
    assert "Åsa Öberg" in page
    assert not Membership.objects.exists(), "nothing happens by looking"
    answer = client.post(url, {"text": shown.context["text"], "confirmed": "1"})
    assert answer.headers["Location"] == reverse("administration-mailbox", args=[mailbox.pk])
    members = {row.person.name: row for row in mailbox.memberships.select_related("person")}
    assert members["Åsa Öberg"].role == Membership.Role.MANAGER
    assert members["Bo Ek"].ends_at.year == 2999
    assert Person.objects.by_subject(NUMBERS[0]) == members["Åsa Öberg"].person
    assert AccessLogEntry.objects.filter(what="member-added").count() == 2


def test_each_row_that_is_wrong_is_told_and_nobody_is_added(mailbox, client):
    eva, _ = Person.add(NUMBERS[1], "Eva")
    OrganisationRole.objects.create(person=eva, participant_id=HERE, role="administrator")
    log_in(client, eva)
    url = reverse("administration-members-from-file", args=[mailbox.pk])
    lines = [
        "personnummer,namn,roll,till",
        f"{NUMBERS[0]},Karin,medlem,",
        "12345,Ahmed,medlem,",
        f"{NUMBERS[0]},Karin igen,,",
        f"{NUMBERS[1]},Eva,,",
        "199001012385x,,chef,i morgon",
    ]
    shown = client.post(url, {"file": a_file("\n".join(lines))})
    assert shown.status_code == 422
    errors = {row.number: row.errors for row in shown.context["rows"]}
    assert errors[2] == ()
    assert "Det är inget personnummer" in errors[3][0]
    assert errors[4] == ("Personen står på en tidigare rad.",)
    assert errors[5] == ("Du kan inte göra dig själv till medlem. Be en annan ansvarig.",)
    assert len(errors[6]) == 4
    assert "4 rader behöver rättas." in in_one_line(shown.content.decode())
    assert client.post(url, {"text": "\n".join(lines), "confirmed": "1"}).status_code == 422
    assert not Membership.objects.exists()
    assert not any(number in shown.content.decode() for number in NUMBERS)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "Välj en fil."),
        ("namn\nKarin", "Första raden ska ha kolumnerna personnummer och namn."),
        ("personnummer;namn\n;\n", "Filen har inga rader efter den första."),
        ("personnummer;namn\n" + "1;2\n" * 501, "Filen har för många rader: högst 500."),
        ("personnummer;namn\n" + "1" * 200_000, "Filen är för stor: högst 200 kB."),
        ("personnummer;namn\n\0;\0", ""),
        ('personnummer;namn\n"1', ""),
    ],
)
def test_what_is_no_file_of_members_is_told(mailbox, client, text, why):
    log_in(client, with_role("administrator"))
    url = reverse("administration-members-from-file", args=[mailbox.pk])
    answer = client.post(url, {"file": a_file(text)} if text else {})
    assert answer.status_code == 422
    assert why in answer.content.decode()


def test_a_member_in_the_file_has_role_and_last_day_changed(mailbox, client):
    karin, _ = Person.add(NUMBERS[0], "Karin")
    Membership.objects.create(person=karin, mailbox=mailbox)
    log_in(client, with_role("administrator"))
    url = reverse("administration-members-from-file", args=[mailbox.pk])
    text = f"identitet,namn,roll\n{NUMBERS[0]},Karin,manager"
    shown = client.post(url, {"file": a_file(text)})
    assert "Är medlem: roll och sista dag ändras" in shown.content.decode()
    client.post(url, {"text": shown.context["text"], "confirmed": "1"})
    assert mailbox.memberships.get().role == Membership.Role.MANAGER
