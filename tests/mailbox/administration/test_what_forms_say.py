"""What the forms of administration say of what they do not take: at the top, at the field, in the title."""

from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone

from addressbook.models import FunctionAddress, Organisation
from mailbox.models import FunctionMailbox, MembershipRule, OrganisationRole
from transport.message_service.models import Organisation as OwnOrganisation

from .build import HERE, log_in, with_role

pytestmark = pytest.mark.django_db


@pytest.fixture
def mailbox():
    return FunctionMailbox.objects.create(participant_id=HERE, address="funktion-b", name="Mottagning")


@pytest.fixture
def administrator(client):
    OwnOrganisation.objects.create(participant_id=HERE, name="Håbo kommun")
    person = with_role(OrganisationRole.Role.ADMINISTRATOR)
    log_in(client, person)
    return person


def is_told(answer, field: str, text: str) -> bool:
    page = answer.content.decode()
    return (
        answer.status_code == 422
        and "<title>Fel: " in page
        and f'<a href="#{field}">{text}</a>' in page
        and f'<p class="error">{text}</p>' in page
    )


def test_a_limit_that_is_no_number_of_hours_is_told_and_kept(mailbox, administrator, client):
    answer = client.post(reverse("administration-limit", args=[mailbox.pk]), {"hours": "9999"})
    assert is_told(answer, "hours", "Skriv ett antal timmar, mellan 1 och 8760.")
    assert 'value="9999"' in answer.content.decode()


def test_half_a_rule_is_told_and_what_was_written_is_kept(mailbox, administrator, client):
    answer = client.post(
        reverse("administration-make-rule", args=[mailbox.pk]), {"claim": "groups", "value": ""}
    )
    assert is_told(answer, "value", "Skriv det värde som ger medlemskap.")
    assert 'name="claim" value="groups"' in answer.content.decode()
    assert not MembershipRule.objects.exists()


def test_a_function_address_with_a_space_in_it_gets_no_mailbox(administrator, client):
    given = {"organisation": HERE, "address": "sdk:ny 0203:habo.se", "name": "Ny"}
    answer = client.post(reverse("administration"), given)
    told = "En funktionsadress har inga mellanslag. Kontrollera att den är rätt avskriven."
    assert is_told(answer, "address", told)
    assert not FunctionMailbox.objects.filter(name="Ny").exists()


def test_who_makes_a_mailbox_is_warned_where_the_federation_does_not_know_its_address(administrator, client):
    organisation = Organisation.objects.create(book_id="9", participant_id=HERE, name="Håbo kommun")
    FunctionAddress.objects.create(
        book_id="9", organisation=organisation, identifier="sdk:känd:0203:habo.se", name="Känd"
    )
    warning = "står inte i federationens adressbok"
    for name, is_known in (("känd", True), ("kand", False)):
        given = {"organisation": HERE, "address": f"sdk:{name}:0203:habo.se", "name": name}
        page = client.post(reverse("administration"), given, follow=True).content.decode()
        assert "Brevlådan är skapad." in page
        assert (warning in page) is not is_known


def test_an_auditor_is_told_of_an_id_or_a_period_that_no_entry_has(client):
    log_in(client, with_role(OrganisationRole.Role.AUDITOR))
    address = reverse("administration-access-log")
    answer = client.get(address, {"conversation": "288282b0"})
    assert is_told(answer, "conversation", "Skriv hela id:t, så som det står i loggen.")
    today = timezone.localdate()
    days = {"since": today.isoformat(), "until": (today - timedelta(days=1)).isoformat()}
    assert is_told(client.get(address, days), "until", "Ange en dag som inte är före den första.")
    assert client.get(address, {"since": days["until"], "until": days["since"]}).status_code == 200


def test_a_period_that_ends_before_it_begins_is_told_and_kept(mailbox, administrator, client):
    told = "Ange en dag som inte är före den första."
    answer = client.get(reverse("administration-statistics"), {"since": "2026-03-02", "until": "2026-03-01"})
    assert is_told(answer, "until", told)
    assert 'name="until" value="2026-03-01"' in answer.content.decode()
    given = {"since": "2026-03-02", "until": "2026-03-01"}
    answer = client.post(reverse("transfer-log"), given)
    assert is_told(answer, "until", told)
    exported = client.post(reverse("transfer-log"), {**given, "export": "csv"})
    assert exported.status_code == 422
    same = {"since": "2026-03-01", "until": "2026-03-01"}
    assert client.post(reverse("transfer-log"), same).status_code == 200


def test_a_file_of_functions_that_is_not_taken_in_is_told_at_its_field(administrator, client):
    url = reverse("administration-functions-import")
    answer = client.post(url, {"organisation": HERE})
    assert is_told(answer, "file", "Välj organisation och fil.")
    file = SimpleUploadedFile("a.csv", b"identifier;name\na;A\n;B\n")
    answer = client.post(url, {"organisation": HERE, "file": file})
    assert is_told(answer, "file", "Rad 3: Funktionsadressen saknas. Inget har lästs in.")
    # What is written next goes where functions are made, not to where files are taken in.
    assert f'<form action="{reverse("administration-functions")}" method="post">' in answer.content.decode()
