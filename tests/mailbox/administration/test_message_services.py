"""Other message services: two administrators set one up, see what waits, and have it tried again."""

import uuid

import pytest
from django.urls import reverse

from mailbox.models import AccessLogEntry, OrganisationRole
from tests.transport.remote_message_service.service import OtherService
from transport.message_service.models import Organisation
from transport.remote_message_service import registration
from transport.remote_message_service.models import RemoteArrival, RemoteService

from .build import HERE, log_in, with_role

pytestmark = pytest.mark.django_db
ADMINISTRATOR = OrganisationRole.Role.ADMINISTRATOR
FUNCTION = "sdk:vard:0203:habo.se"


@pytest.fixture
def other():
    service = OtherService()
    yield service
    service.stop()


@pytest.fixture
def organisation():
    return Organisation.objects.create(participant_id=HERE, name="Håbo kommun")


@pytest.fixture
def eva(organisation, client):
    person = with_role(ADMINISTRATOR, name="Eva")
    log_in(client, person)
    return person


def form(other: OtherService, **changes: str) -> dict[str, str]:
    return {
        "organisation": HERE,
        "name": "Leverantören",
        "address": f"{other.url}/v1",
        "token_address": f"{other.url}/v1/token",
        "client_id": "brevlada.habo.se",
        "authorities": "",
        **changes,
    }


def url(name: str = "", *keys: object) -> str:
    return reverse(f"administration-message-service{name}", args=keys)


@pytest.fixture
def registered(eva, client, other) -> RemoteService:
    client.post(url("s"), form(other))
    service = RemoteService.objects.get()
    other.public_key = service.public_key
    return service


def test_one_administrator_sets_it_up_and_another_turns_it_on(eva, client, other, registered):
    page = client.get(url("", registered.pk)).content.decode()
    assert registered.key_id in page
    assert "PRIVATE" not in page
    assert "&quot;d&quot;" not in page, "the key that is shown is the public one"
    answer = client.post(url("-functions", registered.pk), {"functions": f" {FUNCTION} \n\n{FUNCTION}"})
    assert answer.status_code == 302
    client.post(url("-active", registered.pk), {"active": "1"})
    registered.refresh_from_db()
    assert not registered.is_active, "Eva has changed where messages go"
    assert "måste en annan" in client.get(url("", registered.pk)).content.decode()
    page = client.post(url("-try", registered.pk)).content.decode()
    assert page.count("fungerar") == 2
    log_in(client, with_role(ADMINISTRATOR, name="Ahmed"))
    client.post(url("-active", registered.pk), {"active": "1"})
    registered.refresh_from_db()
    assert registered.is_active
    assert registered.in_use_since
    client.post(url("", registered.pk), form(other, address=f"{other.url}/v2"))
    registered.refresh_from_db()
    assert not registered.is_active, "where messages go was changed"
    codes = list(AccessLogEntry.objects.order_by("pk").values_list("what", flat=True))
    assert [code for code in codes if code.startswith("remote-service")] == [
        "remote-service-registered",
        "remote-service-functions",
        "remote-service-on",
        "remote-service-changed",
    ]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"name": ""}, "Skriv ett namn"),
        ({"address": "ftp://x"}, "En av adresserna"),
        ({"token_address": "https://a:b@x.example"}, "En av adresserna"),
        ({"client_id": "\x00"}, "Skriv"),
        ({"authorities": "inget certifikat"}, "PEM"),
        ({"address": "https://x.example/" + "a" * 600}, "för lång"),
        ({"organisation": "0203:annan.se"}, "Välj organisation"),
    ],
)
def test_what_cannot_be_registered_is_said(eva, client, other, changes, text):
    answer = client.post(url("s"), form(other, **changes))
    assert answer.status_code == 422
    assert text in answer.content.decode()
    assert not RemoteService.objects.exists()


@pytest.mark.parametrize("functions", ["\x00", "a\x07b", "x" * 501, "\n".join(map(str, range(501)))])
def test_functions_that_are_none_are_refused(eva, client, registered, functions):
    answer = client.post(url("-functions", registered.pk), {"functions": functions})
    assert answer.status_code == 422
    assert not registered.functions.exists()


def test_a_function_of_another_service_is_refused(eva, client, other, registered, organisation):
    second = registration.register(
        organisation, "Andra", address=other.url, token_address=other.url, client_id="b"
    )
    registration.bind(second, [FUNCTION])
    answer = client.post(url("-functions", registered.pk), {"functions": FUNCTION})
    assert answer.status_code == 422
    assert "En annan meddelandetjänst" in answer.content.decode()


def test_a_new_key_is_made_and_only_the_public_part_is_shown(eva, client, registered):
    client.post(url("-key", registered.pk))
    key = registered.key_id
    registered.refresh_from_db()
    assert registered.key_id != key
    assert "d" not in registered.public_key


def test_a_message_that_was_set_aside_is_shown_without_content_and_tried_again(eva, client, registered):
    arrival = RemoteArrival.objects.create(
        service=registered,
        resource_id=uuid.uuid4(),
        message_id=uuid.uuid4(),
        state=RemoteArrival.State.SET_ASIDE,
        problem="function-not-served",
    )
    page = client.get(url("", registered.pk)).content.decode()
    assert str(arrival.message_id) in page
    assert "ingen öppen brevlåda" in page
    client.post(url("-retry", registered.pk, arrival.pk))
    arrival.refresh_from_db()
    assert (arrival.state, arrival.problem) == (RemoteArrival.State.FOUND, "")
    client.post(url("-retry", registered.pk, arrival.pk))
    client.post(url("-retry", registered.pk, uuid.uuid4()))


def test_the_list_says_what_waits_in_a_fixed_number_of_queries(
    eva, client, other, registered, organisation, django_assert_max_num_queries
):
    client.get(url("s"))
    for number in range(5):
        registration.register(
            organisation, f"Nr {number}", address=other.url, token_address=other.url, client_id="b"
        )
    with django_assert_max_num_queries(15):
        page = client.get(url("s")).content.decode()
    assert page.count("Används inte än") == 6


def test_another_organisation_s_administrator_sees_nothing_of_it(client, other, organisation, registered):
    elsewhere = with_role(ADMINISTRATOR, "0203:annan.se", name="Sara")
    log_in(client, elsewhere)
    assert "Leverantören" not in client.get(url("s")).content.decode()
    assert client.get(url("", registered.pk)).status_code == 404
    assert client.post(url("-active", registered.pk), {"active": "1"}).status_code == 404
