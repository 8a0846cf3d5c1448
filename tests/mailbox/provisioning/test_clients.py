"""What real directory services send, in their order and their forms, and what they send again.

Written after Microsoft's "Develop and plan provisioning for a SCIM endpoint in Microsoft Entra ID" and Okta's
"Okta and SCIM Version 2.0".
"""

import pytest

from mailbox import access
from mailbox.models import AccessLogEntry, DirectoryGroup, DirectoryUser, Membership, OrganisationLock, Person
from mailbox.provisioning import memberships
from tests.mailbox.administration.build import HERE, with_role

from .build import ENTERPRISE, GROUP, SUBJECT, USER

pytestmark = pytest.mark.django_db


def map_group(group_id: str, mailbox, role: str = "member"):
    group = DirectoryGroup.objects.get(key=group_id)
    return memberships.make_mapping(with_role("administrator"), group, mailbox, role)


def is_locked() -> bool:
    person = Person.objects.by_subject(SUBJECT)
    return OrganisationLock.objects.filter(person=person, participant_id=HERE).exists()


def test_entra_id_adds_changes_disables_and_removes_a_user(service):
    tried = service.ask("GET", 'Users?filter=userName eq "0f1e-not-there"')
    assert (tried.status_code, tried.json()["totalResults"], tried.json()["Resources"]) == (200, 0, [])
    made = service.ask(
        "POST",
        "Users",
        {
            "schemas": [USER, ENTERPRISE],
            "externalId": "0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef",
            "userName": SUBJECT,
            "active": True,
            "displayName": "Karin Svensson",
            "emails": [{"primary": True, "type": "work", "value": "karin@habo.se"}],
            "meta": {"resourceType": "User"},
            "name": {"formatted": "Karin Svensson", "familyName": "Svensson", "givenName": "Karin"},
            "roles": [],
            f"{ENTERPRISE}:department": "IT",
            ENTERPRISE: {"employeeNumber": "7", "manager": {"value": "x"}},
        },
    )
    user = made.json()
    assert (made.status_code, made["Location"]) == (201, user["meta"]["location"])
    assert made["Content-Type"] == "application/scim+json"
    assert made["ETag"] == user["meta"]["version"] == 'W/"1"'
    assert (user["userName"], user["active"], user[ENTERPRISE]) == (SUBJECT, True, {"employeeNumber": "7"})
    assert "emails" not in user, "what nothing here needs is not kept"
    person = Person.objects.by_subject(SUBJECT)
    assert (person.name, person.is_active) == ("Karin Svensson", True)

    again = service.add_user()
    assert (again.status_code, again.json()["scimType"], again.json()["status"]) == (409, "uniqueness", "409")
    found = service.ask("GET", f'Users?filter=userName eq "{SUBJECT}"').json()
    assert [row["id"] for row in found["Resources"]] == [user["id"]]

    changed = service.patch(
        f"Users/{user['id']}",
        {"op": "Replace", "path": 'emails[type eq "work"].value', "value": "new@habo.se"},
        {"op": "Add", "path": "name.familyName", "value": "Lund"},
        {"op": "Replace", "path": f"{ENTERPRISE}:employeeNumber", "value": "8"},
    )
    assert changed.status_code == 200
    assert (changed.json()["name"]["familyName"], changed.json()[ENTERPRISE]["employeeNumber"]) == (
        "Lund",
        "8",
    )
    disable = {"op": "Replace", "path": "active", "value": "False"}
    assert service.patch(f"Users/{user['id']}", disable).json()["active"] is False
    assert is_locked()
    assert service.patch(f"Users/{user['id']}", disable)["ETag"] == 'W/"3"', "a repeat changes nothing"
    assert AccessLogEntry.objects.filter(what="person-locked").count() == 1
    enable = {"op": "Replace", "path": "active", "value": "True"}
    assert service.patch(f"Users/{user['id']}", enable).json()["active"] is True
    assert not is_locked()
    assert service.ask("DELETE", f"Users/{user['id']}").status_code == 204
    assert is_locked()
    assert service.ask("GET", f"Users/{user['id']}").status_code == 404
    assert service.ask("DELETE", f"Users/{user['id']}").status_code == 404
    service.user()
    assert not is_locked(), "whoever comes back is let in"


def test_entra_id_keeps_a_group(service, mailbox):
    users = [service.user(f"19900101238{n}") for n in range(3)]
    group = service.group("Mottagningen", externalId="8aa1a0c0-c4c3-4bc0-b4a5-2ef676900159")
    found = service.ask(
        "GET", 'Groups?excludedAttributes=members&filter=displayName eq "Mottagningen"'
    ).json()
    assert "members" not in found["Resources"][0]
    map_group(group, mailbox)
    for user in users[:2] * 2:
        add = {"op": "Add", "path": "members", "value": [{"$ref": None, "value": user}]}
        assert service.patch(f"Groups/{group}", add).status_code == 204
    assert Membership.objects.filter(mailbox=mailbox).count() == 2
    remove = {"op": "Remove", "path": "members", "value": [{"$ref": None, "value": users[0]}]}
    for _ in range(2):
        assert service.patch(f"Groups/{group}", remove).status_code == 204
    members = service.ask("GET", f"Groups/{group}").json()["members"]
    assert [row["value"] for row in members] == [users[1]]
    rename = {"op": "Replace", "path": "displayName", "value": "Nya namnet"}
    assert (
        service.patch(f"Groups/{group}?attributes=displayName", rename).json()["displayName"] == "Nya namnet"
    )
    assert service.ask("DELETE", f"Groups/{group}").status_code == 204
    assert not Membership.objects.filter(mailbox=mailbox).exists()


def test_okta_adds_replaces_and_deactivates_a_user(service):
    assert service.ask("GET", "Users?startIndex=1&count=2").json()["itemsPerPage"] == 0
    assert (
        service.ask("GET", f'Users?filter=userName eq "{SUBJECT}"&startIndex=1&count=100').status_code == 200
    )
    body = {
        "schemas": [USER],
        "userName": SUBJECT,
        "name": {"givenName": "Karin", "familyName": "Svensson"},
        "emails": [{"primary": True, "value": "karin@habo.se", "type": "work"}],
        "displayName": "Karin Svensson",
        "locale": "sv-SE",
        "externalId": "00ujl29u0le5T6Aj10h7",
        "groups": [],
        "password": "1mz050nq",
        "active": True,
    }
    made = service.ask("POST", "Users", body).json()
    replaced = service.ask("PUT", f"Users/{made['id']}", {**body, "id": made["id"], "displayName": "K. S."})
    assert (replaced.status_code, replaced.json()["displayName"]) == (200, "K. S.")
    assert "password" not in DirectoryUser.objects.get().attributes
    off = {"op": "replace", "value": {"active": False}}
    assert service.patch(f"Users/{made['id']}", off).json()["active"] is False
    assert is_locked()
    without = {name: value for name, value in body.items() if name != "active"}
    assert service.ask("PUT", f"Users/{made['id']}", without).json()["active"] is False
    assert is_locked(), "what does not say that somebody is active lets nobody in"


def test_okta_pushes_a_group(service, mailbox):
    users = [service.user(f"19900101238{n}") for n in range(3)]
    group = service.group("Team", users[0])
    map_group(group, mailbox, "manager")
    rename = {"op": "replace", "value": {"id": group, "displayName": "Laget"}}
    assert service.patch(f"Groups/{group}", rename).status_code == 204
    replace = {"op": "replace", "path": "members", "value": [{"value": users[1]}, {"value": users[2]}]}
    assert service.patch(f"Groups/{group}", replace).status_code == 204
    remove = {"op": "remove", "path": f'members[value eq "{users[1]}"]'}
    assert service.patch(f"Groups/{group}", remove).status_code == 204
    assert service.patch(f"Groups/{group}", remove).status_code == 204
    left = Membership.objects.get(mailbox=mailbox)
    assert (left.person, left.role) == (Person.objects.by_subject("199001012382"), "manager")
    members = [{"value": users[0], "display": "x"}]
    put = service.ask(
        "PUT", f"Groups/{group}", {"schemas": [GROUP], "displayName": "Laget", "members": members}
    )
    assert [row["value"] for row in put.json()["members"]] == [users[0]]
    assert service.patch(f"Groups/{group}", {"op": "remove", "path": "members"}).status_code == 204
    assert "members" in service.ask("GET", f"Groups/{group}").json()
    assert not Membership.objects.filter(mailbox=mailbox).exists()


def test_groups_may_share_a_name_and_no_external_id(service):
    service.group("Alla", externalId="a")
    service.group("Alla", externalId="b")
    body = {"schemas": [GROUP], "displayName": "Annat", "externalId": "a"}
    assert service.ask("POST", "Groups", body).status_code == 409
    body = {"schemas": [GROUP], "displayName": "Alla"}
    assert service.ask("POST", "Groups", body).json()["scimType"] == "uniqueness"


def test_filters_and_pages(service):
    ids = [service.user(f"19900101238{n}", externalId=f"E{n}", displayName=f"Namn {n}") for n in range(5)]

    def found(query: str) -> list[str]:
        return [row["id"] for row in service.ask("GET", f"Users?{query}").json()["Resources"]]

    assert found("startIndex=2&count=2") == ids[1:3]
    assert found("startIndex=-3&count=1") == ids[:1]
    assert found("count=0") == found("count=-1") == found("startIndex=999999999") == []
    assert service.ask("GET", "Users?count=0").json()["totalResults"] == 5
    assert found('filter=externalId eq "E3"') == [ids[3]]
    assert found('filter=externalId eq "e3"') == [], "it differs by case"
    assert found('filter=DISPLAYNAME Eq "namn 4" AND username eq "199001012384"') == [ids[4]]
    assert found('filter=displayName eq "Namn 4" and externalId eq "E1"') == []
    assert found('filter=externalId eq ""') == []
    assert found(f'filter={USER}:userName eq "199001012380"') == [ids[0]]
    for wrong in (
        'userName co "1"',
        'userName eq "1" or userName eq "2"',
        'not (userName eq "1")',
        "userName eq 1",
        'emails eq "x"',
        'userName eq "1',
        'userName eq "\\ud800"',
        'userName eq "1" and',
        "x" * 5_000,
    ):
        answer = service.client.get(
            "/scim/v2/Users", {"filter": wrong}, headers={"Authorization": f"Bearer {service.secret}"}
        )
        assert (answer.status_code, answer.json()["scimType"]) == (400, "invalidFilter"), wrong


def test_versions(service):
    user = service.user()
    path = f"Users/{user}"
    assert service.ask("GET", path, **{"If-None-Match": 'W/"1"'}).status_code == 304
    change = {"op": "replace", "path": "displayName", "value": "Ny"}
    assert service.patch(path, change, **{"If-Match": 'W/"7"'}).status_code == 412
    assert service.patch(path, change, **{"If-Match": 'W/"1"'})["ETag"] == 'W/"2"'
    assert service.ask("DELETE", path, **{"If-Match": 'W/"1"'}).status_code == 412


def test_what_the_service_says_of_itself(service):
    configuration = service.ask("GET", "ServiceProviderConfig").json()
    assert configuration["patch"]["supported"]
    assert not configuration["bulk"]["supported"]
    types = service.ask("GET", "ResourceTypes").json()["Resources"]
    assert [row["id"] for row in types] == ["User", "Group"]
    for row in types:
        assert service.ask("GET", f"Schemas/{row['schema']}").json()["id"] == row["schema"]
        assert service.ask("GET", f"ResourceTypes/{row['id']}").json() == row
    assert service.ask("GET", "Schemas").json()["totalResults"] == 3
    for path in ("Me", "Bulk", "", "Schemas/x", "Users/x/y", "Users/%00"):
        answer = service.ask("GET", path)
        assert (answer.status_code, answer.json()["status"]) == (404, "404"), path
    answer = service.ask("PUT", "Users", {})
    assert (answer.status_code, answer["Allow"]) == (405, "GET, POST")


def test_what_a_person_sees_follows_from_the_group(service, mailbox):
    user = service.user()
    group = service.group("Mottagningen", user)
    person = Person.objects.by_subject(SUBJECT)
    assert list(access.mailboxes_of(person)) == []
    map_group(group, mailbox)
    assert list(access.mailboxes_of(person)) == [mailbox]
    service.patch(f"Users/{user}", {"op": "replace", "path": "active", "value": False})
    assert list(access.mailboxes_of(Person.objects.by_subject(SUBJECT))) == []
    service.patch(f"Users/{user}", {"op": "replace", "path": "active", "value": True})
    assert list(access.mailboxes_of(Person.objects.by_subject(SUBJECT))) == [mailbox]
