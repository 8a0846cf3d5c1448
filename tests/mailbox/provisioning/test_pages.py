"""The pages on which administrators let directory services in, and give groups mailboxes."""

import re
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from mailbox.models import DirectoryGroup, DirectoryToken, FunctionMailbox, Membership
from tests.mailbox.administration.build import HERE, log_in, with_role

from .build import THERE, DirectoryService, a_token

pytestmark = pytest.mark.django_db
OVERVIEW = "administration-directory"


def page(client, name: str = OVERVIEW, *arguments: object) -> str:
    response = client.get(reverse(name, args=arguments))
    assert response.status_code == 200
    return re.sub(r"\s+", " ", response.content.decode())


def make_token(client, **form: str):
    until = (timezone.localdate() + timedelta(days=30)).isoformat()
    return client.post(reverse(OVERVIEW), {"organisation": HERE, "name": "Entra ID", "until": until, **form})


def test_a_token_is_shown_once_and_confirmed_by_another(client, mailbox):
    log_in(client, with_role("administrator", name="Eva"))
    made = make_token(client)
    secret = re.search(r"sdkscim_[\w-]{43}", made.content.decode())[0]
    assert made["Cache-Control"] == "private, no-store"
    assert secret not in page(client)
    token = DirectoryToken.objects.get()
    assert "Väntar på bekräftelse" in page(client)
    assert 'value="confirm"' not in page(client), "not by whoever made it"
    answer = reverse("administration-directory-token", args=[token.pk])
    client.post(answer, {"answer": "confirm"})
    assert DirectoryService(client, secret).ask("GET", "Users").status_code == 401
    log_in(client, with_role("administrator", name="Ahmed"))
    assert 'value="confirm"' in page(client)
    client.post(answer, {"answer": "confirm"})
    service = DirectoryService(client, secret)
    assert service.ask("GET", "Users").status_code == 200
    assert service.ask("GET", "Users?filter=x").status_code == 400
    assert "filtret stöds inte" in page(client)
    client.post(answer, {"answer": "revoke"})
    assert "Återkallad" in page(client)
    assert service.ask("GET", "Users").status_code == 401
    log = page(client, "administration-log")
    assert "En nyckel för katalogtjänsten återkallades" in log


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 61}, "name"),
        ({"name": "a\0b"}, "name"),
        ({"until": ""}, "until"),
        ({"until": "2020-01-01"}, "until"),
        ({"until": "9998-12-31"}, "until"),
        ({"organisation": THERE}, "organisation"),
        ({"organisation": ""}, "organisation"),
    ],
)
def test_what_is_wrong_with_a_token_is_said(client, mailbox, form, field):
    log_in(client, with_role("administrator"))
    response = make_token(client, **form)
    assert response.status_code == 422
    assert f'href="#{field}"' in response.content.decode()
    assert not DirectoryToken.objects.exists()


def test_a_group_is_mapped_to_a_mailbox_of_its_organisation(service, mailbox, client):
    elsewhere = FunctionMailbox.objects.create(participant_id=THERE, address="a", name="Deras")
    service.group("Mottagningens grupp", service.user())
    group = DirectoryGroup.objects.get()
    log_in(client, with_role("administrator", name="Eva"))
    assert "Mottagningens grupp" in page(client)
    address = reverse("administration-directory-group", args=[group.pk])
    for form in (
        {"mailbox": "", "role": "member"},
        {"mailbox": str(elsewhere.pk), "role": "member"},
        {"mailbox": str(mailbox.pk), "role": "king"},
    ):
        assert client.post(address, form).status_code == 422
    given = {"mailbox": str(mailbox.pk), "role": "manager"}
    assert client.post(address, given).status_code == 302
    assert client.post(address, given).status_code == 422
    assert Membership.objects.get().role == "manager"
    assert "genom katalogtjänsten" in page(client, "administration-mailbox", mailbox.pk)
    mapping = reverse("administration-directory-mapping", args=[group.mappings.get().pk])
    client.post(mapping, {"answer": "confirm"})
    assert group.mappings.get().confirmed_by is None
    log_in(client, with_role("administrator", name="Ahmed"))
    client.post(mapping, {"answer": "confirm"})
    assert "bekräftad av Ahmed" in page(client, "administration-directory-group", group.pk)
    client.post(mapping, {"answer": "remove"})
    assert not Membership.objects.exists()


def test_queries_do_not_grow_with_the_groups(service, mailbox, client, django_assert_max_num_queries):
    log_in(client, with_role("administrator"))
    user = service.user()
    for number in range(60):
        service.group(f"Grupp {number}", user, externalId=str(number))
    a_token(name="Okta")
    with django_assert_max_num_queries(30):
        first = page(client)
    assert "Grupp 49" in first
    assert "Grupp 50" not in first
    second = client.get(reverse(OVERVIEW), {"page": "2"}).content.decode()
    assert "Grupp 50" in second
    for odd in ("0", "999", "x", "9" * 5_000):
        assert client.get(reverse(OVERVIEW), {"page": odd}).status_code == 200
