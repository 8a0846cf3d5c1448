"""A person who is locked out loses what is the organisation's at once, and nothing that is another's."""

import asyncio
from importlib import import_module

import pytest
from asgiref.sync import sync_to_async
from django.apps import apps
from django.db import connection
from django.test import AsyncClient
from django.urls import reverse

from mailbox import access
from mailbox.administration import alarms, certificates, mailboxes
from mailbox.live.hub import hub
from mailbox.models import (
    AccessLogEntry,
    FunctionMailbox,
    Membership,
    OrganisationLock,
    OrganisationRole,
    Person,
)
from tests.mailbox.live.reading import next_event

from .build import HERE, a_member, log_in, with_role

pytestmark = pytest.mark.django_db
THERE = "0203:annan.se"


@pytest.fixture
def here(settings, tmp_path) -> FunctionMailbox:
    settings.MEDIA_ROOT = tmp_path
    return FunctionMailbox.objects.create(participant_id=HERE, address="funktion-b", name="Vår")


@pytest.fixture
def there() -> FunctionMailbox:
    return FunctionMailbox.objects.create(participant_id=THERE, address="funktion-b", name="Deras")


def seen_by(person: Person) -> list[str]:
    return sorted(access.mailboxes_of(person).values_list("name", flat=True))


def locks(client, administrator: Person, person: Person, *, locked: bool = True) -> int:
    log_in(client, administrator)
    form = {"locked": "1" if locked else "0"}
    return client.post(reverse("administration-lock", args=[person.pk]), form).status_code


def test_a_lock_takes_what_is_the_organisation_s_and_leaves_what_is_another_s(here, there, client):
    person = a_member(here, there)
    OrganisationRole.objects.create(person=person, participant_id=HERE)
    assert locks(client, with_role("administrator"), person) == 302
    person.refresh_from_db()
    assert seen_by(person) == ["Deras"]
    assert access.administered_by(person) == []
    assert person.is_active
    log_in(client, person)
    assert client.get(reverse("mailbox", args=[here.pk])).status_code == 404
    assert client.get(reverse("mailbox", args=[there.pk])).status_code == 200
    entry = AccessLogEntry.objects.get(what="person-locked")
    assert (entry.participant_id, entry.person) == (HERE, person)


def test_who_is_locked_out_everywhere_cannot_log_in_and_their_browser_is_out_at_once(here, client):
    person = a_member(here)
    log_in(client, person)
    assert client.get(reverse("start")).status_code == 200
    administrator = with_role("administrator")
    mailboxes.set_locked(administrator, person, is_locked=True)
    assert client.get(reverse("start")).status_code == 302
    assert not Person.objects.get(pk=person.pk).is_active
    mailboxes.set_locked(administrator, person, is_locked=False)
    assert Person.objects.get(pk=person.pk).is_active
    assert seen_by(Person.objects.get(pk=person.pk)) == ["Vår"]


def test_no_organisation_lifts_another_s_lock(here, there, client):
    person = a_member(here, there)
    locks(client, with_role("administrator", THERE, name="Deras"), person)
    ours = with_role("administrator")
    assert locks(client, ours, person, locked=False) == 302
    assert seen_by(Person.objects.get(pk=person.pk)) == ["Vår"]
    page = client.get(reverse("administration-people")).content.decode()
    assert "Spärrad" not in page
    assert "Häv spärren" not in page


def test_what_another_organisation_gives_somebody_who_is_locked_out_lets_them_in_there(here, there):
    subject = "199001012385"
    person, _ = Person.add(subject, "Karin")
    Membership.objects.create(person=person, mailbox=here)
    mailboxes.set_locked(with_role("administrator"), person, is_locked=True)
    mailboxes.add_member(with_role("administrator", THERE), there, subject, "Karin")
    person.refresh_from_db()
    assert person.is_active
    assert seen_by(person) == ["Deras"]


def test_somebody_who_is_locked_out_attends_to_no_mailbox_and_is_told_nothing(here):
    person = a_member(here, role=Membership.Role.MANAGER)
    OrganisationRole.objects.create(person=person, participant_id=HERE)
    Person.objects.filter(pk=person.pk).update(mail_address="karin@example.se")
    assert alarms._recipients(here) == ["karin@example.se"]
    assert certificates.administrator_addresses(HERE) == ["karin@example.se"]
    OrganisationLock.objects.create(person=person, participant_id=HERE)
    assert [one.reason for one in alarms.unattended(alarms.timezone.now())] == ["no-member"]
    assert alarms._recipients(here) == []
    assert certificates.administrator_addresses(HERE) == []


def test_who_was_locked_before_there_were_locks_for_each_organisation_still_is(here, there):
    person = a_member(here, there)
    Person.objects.filter(pk=person.pk).update(is_active=False)
    import_module("mailbox.migrations.0017_locks").keep_locked(apps, None)
    found = OrganisationLock.objects.filter(person=person).values_list("participant_id", flat=True)
    assert sorted(found) == [THERE, HERE]


@pytest.mark.django_db(transaction=True)
def test_open_pages_learn_of_a_lock_at_once(here, there):
    """The page of somebody who stays in another organisation fetches anew; one who is out is sent away."""
    person = a_member(here, there)
    client = AsyncClient()

    async def story() -> None:
        await sync_to_async(client.force_login)(person, backend="mailbox.accounts.login.EidBackend")
        stream = (await client.get("/handelser")).streaming_content.__aiter__()
        for _ in range(3):
            await next_event(stream)
        lock = sync_to_async(mailboxes.set_locked)
        await lock(await sync_to_async(with_role)("administrator"), person, is_locked=True)
        assert b"changed" in await next_event(stream)
        with pytest.raises(StopAsyncIteration):
            await next_event(stream)
        stream = (await client.get("/handelser")).streaming_content.__aiter__()
        for _ in range(2):
            await next_event(stream)
        await lock(await sync_to_async(with_role)("administrator", THERE), person, is_locked=True)
        said = [piece async for piece in stream]
        assert said[-1] == b"event: ended\ndata: 1\n\n"
        hub._listener.cancel()
        await sync_to_async(lambda: connection.close())()

    asyncio.run(story())
