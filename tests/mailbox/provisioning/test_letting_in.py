"""Who is let in with a token, what they may touch, and what odd requests come to."""

import asyncio
import json
import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.db import connection
from django.test import AsyncClient
from django.utils import timezone

from mailbox import access
from mailbox.administration import four_eyes, mailboxes
from mailbox.conversations import assignment
from mailbox.live.hub import hub
from mailbox.models import (
    AccessLogEntry,
    DirectoryFailure,
    DirectoryGroup,
    DirectoryToken,
    DirectoryUser,
    FunctionMailbox,
    Membership,
    OrganisationLock,
    Person,
)
from mailbox.provisioning import memberships, tokens
from tests.mailbox.administration.build import HERE, a_member, a_message_in, with_role
from tests.mailbox.live.reading import next_event

from .build import GROUP, PATCH, SUBJECT, THERE, USER, DirectoryService, a_token

pytestmark = pytest.mark.django_db
OFF = {"op": "replace", "path": "active", "value": False}
ON = {"op": "replace", "path": "active", "value": True}


def by_subject() -> Person:
    return Person.objects.by_subject(SUBJECT)


def test_a_token_works_once_a_second_administrator_has_confirmed_it_until_it_ends_or_is_revoked(
    client, mailbox
):
    eva, ahmed = with_role("administrator", name="Eva"), with_role("administrator", name="Ahmed")
    token, secret = tokens.make(eva, HERE, "Entra ID", timezone.now() + timedelta(days=1))
    service = DirectoryService(client, secret)
    refused = service.ask("GET", "Users")
    assert (refused.status_code, refused["WWW-Authenticate"]) == (401, "Bearer")
    assert refused["Content-Type"] == "application/scim+json"
    with pytest.raises(tokens.OwnToken):
        tokens.confirm(eva, token)
    assert tokens.confirm(ahmed, token)
    assert not tokens.confirm(ahmed, token)
    assert service.ask("GET", "Users").status_code == 200
    token.refresh_from_db()
    assert token.last_used_at is not None
    assert secret not in json.dumps(list(DirectoryToken.objects.values()), default=str)
    DirectoryToken.objects.update(ends_at=timezone.now() - timedelta(seconds=1))
    assert service.ask("GET", "Users").status_code == 401
    DirectoryToken.objects.update(ends_at=timezone.now() + timedelta(days=1))
    tokens.revoke(ahmed, token)
    assert service.ask("GET", "Users").status_code == 401
    assert not tokens.confirm(ahmed, token)
    what = AccessLogEntry.objects.filter(participant_id=HERE).values_list("what", flat=True)
    assert list(what) == ["directory-token-made", "directory-token-confirmed", "directory-token-revoked"]
    failure = DirectoryFailure.objects.get()
    assert (failure.request, failure.reason, failure.count) == ("GET Users", "401", 3)


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer x", "Basic eDp4", "Bearer sdkscim_\xe5", "Bearer " + "x" * 9_000]
)
def test_nobody_else_is_let_in(client, header):
    answer = client.get("/scim/v2/Users", headers={"Authorization": header})
    assert (answer.status_code, answer.json()["status"]) == (401, "401")


def test_another_organisation_is_neither_seen_nor_touched(service, other_service, mailbox):
    user, group = service.user(), service.group("Mottagningen")
    assert other_service.ask("GET", "Users").json()["totalResults"] == 0
    assert other_service.ask("GET", f'Users?filter=userName eq "{SUBJECT}"').json()["totalResults"] == 0
    for path in (f"Users/{user}", f"Groups/{group}"):
        assert other_service.ask("GET", path).status_code == 404
        assert other_service.ask("DELETE", path).status_code == 404
        assert other_service.patch(path, OFF).status_code == 404
    theirs = other_service.group("Deras")
    add = {"op": "add", "path": "members", "value": [{"value": user}]}
    assert other_service.patch(f"Groups/{theirs}", add).json()["scimType"] == "invalidValue"
    # The same person works there too, and leaves.
    Membership.objects.create(person=by_subject(), mailbox=mailbox)
    their_user = other_service.user()
    assert other_service.patch(f"Users/{their_user}", OFF).status_code == 200
    assert list(OrganisationLock.objects.values_list("participant_id", flat=True)) == [THERE]
    assert by_subject().is_active
    assert list(access.mailboxes_of(by_subject())) == [mailbox]


def test_a_directory_service_lifts_its_own_lock_and_not_an_administrator_s(service, mailbox):
    eva, user = with_role("administrator"), service.user()
    Membership.objects.create(person=by_subject(), mailbox=mailbox)
    mailboxes.set_locked(eva, by_subject(), is_locked=True)
    for change in (OFF, ON):
        service.patch(f"Users/{user}", change)
        assert not access.mailboxes_of(by_subject()).exists()
    mailboxes.set_locked(eva, by_subject(), is_locked=False)
    assert access.mailboxes_of(by_subject()).exists()
    service.patch(f"Users/{user}", OFF)
    mailboxes.set_locked(eva, by_subject(), is_locked=True)
    service.patch(f"Users/{user}", ON)
    assert not access.mailboxes_of(by_subject()).exists(), "the administrator's lock took over"
    mailboxes.set_locked(eva, by_subject(), is_locked=False)
    entry = AccessLogEntry.objects.filter(what="person-locked", actor=None).get()
    assert (entry.person, entry.details) == (by_subject(), {"token": "Entra ID"})


def test_leaving_a_group_ends_what_the_group_gave_and_nothing_else(service, mailbox):
    beside = FunctionMailbox.objects.create(participant_id=HERE, address="b", name="Ekonomi")
    user = service.user()
    by_hand = Membership.objects.create(person=by_subject(), mailbox=beside, role="manager")
    groups = [service.group(name, user) for name in ("Ett", "Två")]
    eva = with_role("administrator")
    for group in DirectoryGroup.objects.order_by("pk"):
        memberships.make_mapping(eva, group, beside, "member")
    first, second = DirectoryGroup.objects.order_by("pk")
    memberships.make_mapping(eva, first, mailbox, "member")
    managing = memberships.make_mapping(eva, second, mailbox, "manager")
    given = Membership.objects.get(mailbox=mailbox)
    assert (given.role, given.directory_mapping) == ("manager", managing)
    by_hand.refresh_from_db()
    assert (by_hand.role, by_hand.directory_mapping) == ("manager", None)
    leave = {"op": "remove", "path": f'members[value eq "{user}"]'}
    service.patch(f"Groups/{groups[1]}", leave)
    assert Membership.objects.get(mailbox=mailbox).role == "member"
    assert AccessLogEntry.objects.filter(what="member-changed", person=by_subject()).exists()
    service.patch(f"Groups/{groups[0]}", leave)
    assert list(Membership.objects.filter(person=by_subject())) == [by_hand]


def test_removing_a_mapping_or_a_group_ends_the_memberships(service, mailbox):
    user, eva = service.user(), with_role("administrator")
    group = service.group("Ett", user)
    row = DirectoryGroup.objects.get()
    memberships.remove_mapping(eva, memberships.make_mapping(eva, row, mailbox, "member"))
    assert not Membership.objects.exists()
    memberships.make_mapping(eva, row, mailbox, "member")
    assert Membership.objects.exists()
    assert service.ask("DELETE", f"Groups/{group}").status_code == 204
    assert not Membership.objects.exists()
    assert AccessLogEntry.objects.filter(what="membership-ended", details__token="Entra ID").exists()


def test_nobody_makes_themselves_a_member_by_a_mapping(service, mailbox):
    service.user()
    eva = by_subject()
    service.group("Ett", str(DirectoryUser.objects.get().key))
    mapping = memberships.make_mapping(eva, DirectoryGroup.objects.get(), mailbox, "manager")
    assert not Membership.objects.exists()
    assert not memberships.confirm_mapping(eva, mapping)
    assert four_eyes.needs_second(eva, mailbox), "its members are those that they have named"
    assert memberships.confirm_mapping(with_role("administrator"), mapping)
    assert Membership.objects.get().person == eva


def test_a_login_gives_what_a_group_gives_and_an_ended_membership_is_taken_over(service, mailbox):
    user = service.user()
    service.group("Ett", user)
    ended = timezone.now() - timedelta(hours=1)
    Membership.objects.create(person=by_subject(), mailbox=mailbox, ends_at=ended)
    mapping = memberships.make_mapping(
        with_role("administrator"), DirectoryGroup.objects.get(), mailbox, "member"
    )
    assert Membership.objects.get().directory_mapping == mapping
    Membership.objects.all().delete()
    memberships.apply_at_login(by_subject())
    assert Membership.objects.get().directory_mapping == mapping


def test_a_user_who_becomes_another_person_leaves_as_the_one(service, mailbox):
    user = service.user()
    service.group("Ett", user)
    memberships.make_mapping(with_role("administrator"), DirectoryGroup.objects.get(), mailbox, "member")
    before = by_subject()
    change = {"op": "replace", "path": "userName", "value": "198001012384"}
    assert service.patch(f"Users/{user}", change).status_code == 200
    after = Person.objects.by_subject("198001012384")
    assert OrganisationLock.objects.get().person == before
    assert Membership.objects.get().person == after


@pytest.mark.parametrize("attribute", ["externalId", "employeeNumber"])
def test_another_attribute_may_say_who_the_person_is(service, settings, attribute):
    settings.SDK_SCIM_IDENTITY = attribute
    assert service.add_user("karin@habo.se").json()["scimType"] == "invalidValue"
    enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
    more = {"externalId": SUBJECT} if attribute == "externalId" else {enterprise: {"employeeNumber": SUBJECT}}
    service.user("karin@habo.se", **more)
    assert by_subject() is not None
    assert service.add_user("karin.svensson@habo.se", **more).status_code == 409, "one person, one user"


def test_what_is_said_of_people_is_sealed(service, caplog):
    caplog.set_level(logging.DEBUG)
    user = service.user(externalId="hemlig-7", name={"familyName": "Svensson"})
    service.group("Hemliga gruppen", user)
    service.ask("GET", f'Users?filter=userName eq "{SUBJECT}"')
    service.ask("GET", f"Users/{SUBJECT}")
    service.ask("POST", "Users", {"schemas": [USER], "userName": SUBJECT})
    rows = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            if table.startswith(("mailbox_directory", "mailbox_accesslog")):
                cursor.execute(f"SELECT * FROM {table}")
                rows += cursor.fetchall()
    said = json.dumps(rows, default=str) + "\n".join(
        f"{record.getMessage()} {getattr(record, 'fields', '')}"
        for record in caplog.records
        if not record.name.startswith("django.db")
    )
    for secret in (SUBJECT, "hemlig-7", "Svensson", "Hemliga"):
        assert secret not in said


ODD = {
    "NUL": "a\0b",
    "half a surrogate": "\ud800",
    "long": "x" * 501,
    "number": 7,
    "list": ["x"],
    "object": {"x": 1},
    "true": True,
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
@pytest.mark.parametrize("name", ["userName", "externalId", "displayName"])
def test_odd_values_are_refused(service, odd, name):
    user, group = service.user("198001012384"), service.group("Ett")
    answers = [
        service.ask("POST", "Users", {"schemas": [USER], "userName": SUBJECT, name: odd}),
        service.ask("PUT", f"Users/{user}", {"schemas": [USER], "userName": SUBJECT, name: odd}),
        service.patch(f"Users/{user}", {"op": "replace", "path": name, "value": odd}),
        service.patch(f"Users/{user}", {"op": "replace", "value": {name: odd}}),
    ]
    if name != "userName":
        answers.append(service.ask("POST", "Groups", {"schemas": [GROUP], "displayName": "x", name: odd}))
        answers.append(service.patch(f"Groups/{group}", {"op": "add", "path": name, "value": odd}))
    assert [(answer.status_code, answer.json()["scimType"]) for answer in answers] == [
        (400, "invalidValue")
    ] * len(answers)


BODIES = [
    " ",
    "{",
    "[]",
    "null",
    "7" * 5_000,
    '{"a":' + "9" * 5_000 + "}",
    "[" * 100_000,
    '{"a":' * 100_000,
    b"\xff\xfe",
    "{}",
    json.dumps({"schemas": "x"}),
    json.dumps({"schemas": [PATCH]}),
    json.dumps({"schemas": [PATCH], "Operations": []}),
    json.dumps({"schemas": [PATCH], "Operations": [7]}),
    json.dumps({"schemas": [PATCH], "Operations": [{"op": "move"}]}),
    json.dumps({"schemas": [PATCH], "Operations": [{"op": "remove"}]}),
    json.dumps({"schemas": [PATCH], "Operations": [{"op": "add", "value": "x"}]}),
    json.dumps({"schemas": [PATCH], "Operations": [{"op": "add", "path": "members"}]}),
    json.dumps({"schemas": [PATCH], "Operations": [{"op": "add", "path": 'x[y eq "', "value": 1}]}),
    json.dumps({"schemas": [PATCH], "Operations": [{"op": "add", "path": "x\0", "value": 1}]}),
    json.dumps({"schemas": [PATCH], "Operations": [{"op": "remove", "path": "displayName"}] * 1_001}),
    json.dumps({"schemas": [USER], "userName": " - "}),
    json.dumps({"schemas": [USER], "userName": SUBJECT, "active": "perhaps"}),
    json.dumps({"schemas": [USER], "userName": SUBJECT, "name": "x"}),
    json.dumps({"schemas": [GROUP], "displayName": "x", "members": [{"value": "9" * 5_000}]}),
    json.dumps({"schemas": [GROUP], "displayName": "x", "members": ["x"]}),
]


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_odd_bodies_are_refused(service, body):
    user, group = service.user("198001012384"), service.group("Ett")
    for method, path in (
        ("POST", "Users"),
        ("POST", "Groups"),
        ("PUT", f"Users/{user}"),
        ("PATCH", f"Users/{user}"),
        ("PUT", f"Groups/{group}"),
        ("PATCH", f"Groups/{group}"),
    ):
        answer = service.ask(method, path, body)
        if answer.status_code in {200, 204} and b"displayName" in str(body).encode():
            continue
        assert answer.status_code == 400, (method, path)
        assert answer.json()["scimType"], (method, path)


def test_requests_that_are_too_large_or_no_scim_are_refused(service):
    assert service.ask("POST", "Users", b"x" * 3_000_000).status_code == 413
    assert service.ask("GET", "Users?" + "&".join(f"a{n}=1" for n in range(1_200))).status_code == 400
    for query in ("startIndex=" + "9" * 5_000, "count=x", "startIndex=²", "count=%00"):
        assert service.ask("GET", f"Users?{query}").json()["scimType"] == "invalidValue"
    authorization = f"Bearer {service.secret}"
    answer = service.client.post("/scim/v2/Users", {"a": "b"}, headers={"Authorization": authorization})
    assert answer.status_code == 415
    assert service.ask("X" * 300, "Users").status_code == 405


@pytest.mark.django_db(transaction=True)
def test_two_changes_at_once_both_count(service):
    users = [service.user(f"19900101238{n}") for n in range(4)]
    group = service.group("Ett")

    def add(user: str):
        try:
            operation = {"op": "add", "path": "members", "value": [{"value": user}]}
            return service.patch(f"Groups/{group}", operation).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(add, users, timeout=60)) == [204] * 4
    assert len(service.ask("GET", f"Groups/{group}").json()["members"]) == 4
    assert service.ask("GET", f"Groups/{group}")["ETag"] == 'W/"5"'


@pytest.mark.django_db(transaction=True)
def test_an_open_page_of_somebody_who_leaves_ends_at_once(mailbox):
    _, secret = a_token()
    person, _ = Person.add(SUBJECT, "Karin")
    Membership.objects.create(person=person, mailbox=mailbox)
    client = AsyncClient()
    headers = {"Authorization": f"Bearer {secret}"}

    async def ask(method, path, body):
        return await getattr(AsyncClient(), method)(
            f"/scim/v2/{path}", json.dumps(body), content_type="application/scim+json", headers=headers
        )

    async def story() -> None:
        made = (await ask("post", "Users", {"schemas": [USER], "userName": SUBJECT})).json()
        await sync_to_async(client.force_login)(person, backend="mailbox.accounts.login.EidBackend")
        stream = (await client.get("/handelser")).streaming_content.__aiter__()
        for _ in range(2):
            await next_event(stream)
        off = {"schemas": [PATCH], "Operations": [OFF]}
        assert (await ask("patch", f"Users/{made['id']}", off)).status_code == 200
        async with asyncio.timeout(60):
            said = [piece async for piece in stream]
        assert said[-1] == b"event: ended\ndata: 1\n\n"
        hub._listener.cancel()
        await sync_to_async(lambda: connection.close())()

    asyncio.run(story())


def test_a_lock_leaves_the_conversations_of_somebody_who_left_unassigned(service, mailbox):
    member = a_member(mailbox)
    user = service.user()
    Membership.objects.create(person=by_subject(), mailbox=mailbox)
    service.patch(f"Users/{user}", OFF)
    assert list(access.members_of(mailbox)) == [member]


def test_a_group_gives_every_role_and_of_several_the_one_with_most_rights(service, mailbox):
    user, eva = service.user(), with_role("administrator")
    groups = {role: service.group(f"Som {role}", user) for role in ("observer", "writer", "reader")}
    for role, group in groups.items():
        memberships.make_mapping(eva, DirectoryGroup.objects.get(key=group), mailbox, role)
    assert Membership.objects.get(mailbox=mailbox).role == "writer"
    conversation = a_message_in(mailbox).conversation
    assignment.assign(conversation.pk, by_subject())
    for role in ("writer", "reader"):
        service.ask("DELETE", f"Groups/{groups[role]}")
    assert Membership.objects.get(mailbox=mailbox).role == "observer"
    conversation.refresh_from_db()
    assert conversation.assignee is None
    assert not access.mailboxes_of(by_subject()).exists()
    assert access.observed_by(by_subject()).get() == mailbox
