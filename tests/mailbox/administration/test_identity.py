"""An organisation's name and logo: chosen in administration, shown in the head and where people log in."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from mailbox.models import AccessLogEntry, FunctionMailbox, OrganisationIdentity
from transport.message_service.models import Organisation

from .build import HERE, a_member, log_in, with_role

pytestmark = pytest.mark.django_db
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 100
THERE = "0203:nagon-annan.se"


@pytest.fixture(autouse=True)
def organisation():
    return Organisation.objects.create(participant_id=HERE, name="Håbo kommun")


def send(client, **form: object):
    return client.post(reverse("administration-identity"), {"organisation": HERE, "name": "Håbo", **form})


def a_file(content: bytes, name: str = "logo.png") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content)


def test_the_name_and_logo_are_shown_to_who_logs_in_and_who_has(client):
    eva = with_role("administrator")
    log_in(client, eva)
    assert send(client, logo=a_file(PNG)).status_code == 302
    identity = OrganisationIdentity.objects.get()
    address = reverse("organisation-logo", args=[identity.pk])
    head = client.get(reverse("start")).content.decode()
    assert address in head
    assert "Håbo" in head
    client.logout()
    page = client.get(reverse("login")).content.decode()
    assert address in page
    assert '<p class="organisation">Håbo</p>' in page
    logo = client.get(address)
    assert (logo.content, logo.headers["Content-Type"]) == (PNG, "image/png")
    assert logo.headers["X-Content-Type-Options"] == "nosniff"
    assert AccessLogEntry.objects.get(what="identity-changed").actor == eva


@pytest.mark.parametrize(
    "content",
    [b"", b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>", b"GIF89a", PNG + b"\0" * 200 * 1024],
    ids=["empty", "svg", "gif", "too large"],
)
def test_a_file_that_is_no_small_picture_is_no_logo(client, content):
    log_in(client, with_role("administrator"))
    answer = send(client, logo=a_file(content))
    assert answer.status_code == 422
    assert "Välj en bild i PNG eller JPEG på högst 200 kB." in answer.content.decode()
    assert not OrganisationIdentity.objects.exists()


def test_a_logo_stays_until_it_is_removed(client):
    log_in(client, with_role("administrator"))
    send(client, logo=a_file(PNG))
    send(client, name="Håbo kommun")
    identity = OrganisationIdentity.objects.get()
    assert (identity.name, bytes(identity.logo)) == ("Håbo kommun", PNG)
    send(client, remove_logo="1")
    identity.refresh_from_db()
    assert (identity.logo, identity.logo_digest) == (None, "")
    assert client.get(reverse("organisation-logo", args=[identity.pk])).status_code == 404


def test_nobody_sets_the_name_of_another_organisation(client):
    Organisation.objects.create(participant_id=THERE, name="Någon annan")
    log_in(client, with_role("administrator"))
    assert send(client, organisation=THERE).status_code == 404
    assert not OrganisationIdentity.objects.exists()


def test_where_there_are_several_each_sees_their_own_and_nobody_else_any(client):
    OrganisationIdentity.objects.create(participant_id=HERE, name="Håbo")
    OrganisationIdentity.objects.create(participant_id=THERE, name="Någon annan")
    assert "Håbo" not in client.get(reverse("login")).content.decode()
    theirs = FunctionMailbox.objects.create(participant_id=THERE, address="a", name="Deras")
    log_in(client, a_member(theirs))
    head = client.get(reverse("notices")).content.decode()
    assert "Någon annan" in head
    assert "Håbo" not in head
