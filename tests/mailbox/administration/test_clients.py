"""Other message clients: what administrators see and do about those of their organisation."""

import json
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from joserfc.jwk import ECKey

from addressbook.models import OwnFunction
from mailbox.models import AccessLogEntry, FunctionMailbox, OrganisationRole
from tests.pages import in_one_line
from transport.message_api.clients import proposals, registration, routing
from transport.message_api.clients.scopes import Scope
from transport.message_api.models import ApiClient, FunctionRoute, WebhookNotice
from transport.message_service.models import Organisation

from .build import HERE, log_in, with_role

pytestmark = pytest.mark.django_db
THERE = "0203:annan.se"
ADMINISTRATOR = OrganisationRole.Role.ADMINISTRATOR
PUBLIC = Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
A_KEY = ec.generate_private_key(ec.SECP256R1())
PEM = A_KEY.public_key().public_bytes(*PUBLIC).decode()


@pytest.fixture
def organisation():
    Organisation.objects.create(participant_id=THERE, name="Annan kommun")
    return Organisation.objects.create(participant_id=HERE, name="Håbo kommun")


@pytest.fixture
def eva(organisation, client):
    person = with_role(ADMINISTRATOR, name="Eva")
    log_in(client, person)
    return person


@pytest.fixture
def journal(organisation) -> ApiClient:
    return registration.register(organisation, "journal.habo.se", name="Journalen", scopes=[]).client


def url(name: str, journal: ApiClient | None = None) -> str:
    return reverse(f"administration-client{name}", args=[journal.pk] if journal else [])


def seen(client, address: str) -> str:
    return client.get(address).content.decode()


def propose_key(client, journal: ApiClient, key: str = PEM, **more: str):
    return client.post(url("-key", journal), {"key": key, **more})


def answer(client, journal: ApiClient, answer: str = "confirm"):
    journal.refresh_from_db()
    seal = proposals.proposals_of(journal)[0].seal
    return client.post(url("-proposal", journal), {"seal": seal, "answer": answer}, follow=True)


def test_a_client_is_registered_and_may_do_nothing_yet(eva, client):
    assert "Inga andra klienter är registrerade" in seen(client, url("s"))
    form = {"organisation": HERE, "client_id": "journal.habo.se", "name": "Journalen"}
    response = client.post(url("s"), form, follow=True)
    assert "Klienten är registrerad" in response.content.decode()
    row = ApiClient.objects.get()
    assert (row.organisation.participant_id, row.keys, row.auth_ids, row.scopes) == (HERE, [], [], [])
    assert "Journalen" in seen(client, url("s"))
    again = client.post(url("s"), form)
    assert again.status_code == 422
    assert "Namnet är upptaget" in again.content.decode()
    assert 'value="Journalen"' in again.content.decode(), "what was written is kept"


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"client_id": ""}, "Skriv ett namn"),
        ({"client_id": "a b"}, "Skriv ett namn"),
        ({"organisation": THERE}, "Välj"),
    ],
)
def test_a_client_without_a_name_or_of_another_organisation_is_not_registered(eva, client, changes, text):
    form = {"organisation": HERE, "client_id": "journal.habo.se"} | changes
    response = client.post(url("s"), form)
    assert response.status_code == 422
    assert text in response.content.decode()
    assert not ApiClient.objects.exists()


def test_what_a_client_may_do_is_proposed_by_one_and_confirmed_by_another(eva, journal, client):
    form = {
        "name": "Journalen",
        "functions": "sdk:vard-*\n\n sdk:skola \n",
        "scope": [Scope.GET],
    }
    assert client.post(url("", journal), form | {"scope": ["urn:okand"]}).status_code == 422
    client.post(url("", journal), form)
    propose_key(client, journal)
    journal.refresh_from_db()
    assert (journal.auth_ids, journal.scopes, journal.keys) == ([], [], [])
    page = seen(client, url("", journal))
    assert "Föreslaget av Eva" in page
    assert "En annan administratör måste bekräfta" in page
    assert 'value="confirm"' not in page
    for _ in range(2):
        assert "Någon annan än den som föreslog" in answer(client, journal).content.decode()
    journal.refresh_from_db()
    assert (journal.auth_ids, journal.keys) == ([], [])
    log_in(client, with_role(ADMINISTRATOR, name="Sara"))
    assert seen(client, url("", journal)).count('value="confirm"') == 2
    for _ in range(2):
        assert "Det är bekräftat" in answer(client, journal).content.decode()
    journal.refresh_from_db()
    assert (journal.auth_ids, journal.scopes) == (["sdk:vard-*", "sdk:skola"], [Scope.GET])
    assert [key["kty"] for key in journal.keys] == ["EC"]
    assert journal.proposals == {}
    told = [(entry.what, entry.actor.name) for entry in AccessLogEntry.objects.order_by("number")]
    assert told == [
        ("client-proposed", "Eva"),
        ("client-proposed", "Eva"),
        ("client-confirmed", "Sara"),
        ("client-confirmed", "Sara"),
    ]
    administered = seen(client, reverse("administration-log"))
    assert "bekräftades" in administered
    log_in(client, with_role(OrganisationRole.Role.AUDITOR, name="Nils"))
    for page in (administered, seen(client, reverse("administration-access-log"))):
        assert '<span class="code">journal.habo.se</span>' in in_one_line(page)
    kept = AccessLogEntry.objects.get(what="client-confirmed", details__has_key="keys").details
    assert kept["keys"] == [journal.keys[0]["kid"]]


def test_what_was_changed_since_it_was_shown_is_not_confirmed(eva, journal, client):
    propose_key(client, journal)
    journal.refresh_from_db()
    shown = proposals.proposals_of(journal)[0].seal
    other = rsa.generate_private_key(65537, 2048).public_key().public_bytes(*PUBLIC).decode()
    propose_key(client, journal, other)
    log_in(client, with_role(ADMINISTRATOR, name="Sara"))
    response = client.post(url("-proposal", journal), {"seal": shown, "answer": "confirm"}, follow=True)
    assert "Förslaget har ändrats" in response.content.decode()
    journal.refresh_from_db()
    assert journal.keys == []


def test_a_proposal_is_taken_away(eva, journal, client):
    propose_key(client, journal)
    assert "Förslaget är borttaget" in answer(client, journal, "withdraw").content.decode()
    journal.refresh_from_db()
    assert (journal.proposals, journal.keys) == ({}, [])


@pytest.mark.parametrize("replace", [True, False])
def test_a_key_comes_beside_the_old_ones_or_in_their_place(eva, journal, client, replace):
    registration.give_keys(journal, [ECKey.generate_key("P-256", {"kid": "gammal"}).as_dict(private=False)])
    new = ECKey.generate_key("P-256", {"kid": "ny"}).as_dict(private=False)
    propose_key(client, journal, json.dumps({"keys": [new]}), **({"replace": "1"} if replace else {}))
    log_in(client, with_role(ADMINISTRATOR, name="Sara"))
    assert ("Ersätter alla nycklar" in seen(client, url("", journal))) == replace
    answer(client, journal)
    journal.refresh_from_db()
    assert [key["kid"] for key in journal.keys] == (["ny"] if replace else ["gammal", "ny"])


def private_pem() -> str:
    return A_KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


WEAK = rsa.generate_private_key(65537, 1024).public_key().public_bytes(*PUBLIC).decode()


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("ingen nyckel", "ingen publik nyckel"),
        ("", "ingen publik nyckel"),
        ('{"keys": []}', "ingen publik nyckel"),
        ("[1]", "ingen publik nyckel"),
        (WEAK, "minst 2048 bitar"),
    ],
    ids=["text", "nothing", "empty set", "list", "weak"],
)
def test_what_is_no_fit_public_key_is_said_so(eva, journal, client, key, text):
    response = propose_key(client, journal, key)
    assert response.status_code == 422
    assert text in response.content.decode()
    journal.refresh_from_db()
    assert journal.proposals == {}


@pytest.mark.parametrize(
    "key", [private_pem(), json.dumps(ECKey.generate_key("P-256").as_dict(private=True))], ids=["pem", "jwk"]
)
def test_a_private_key_is_refused_and_not_shown_again(eva, journal, client, key):
    response = propose_key(client, journal, key)
    page = response.content.decode()
    assert response.status_code == 422
    assert "Det här är en privat nyckel" in page
    assert key[40:80] not in page
    assert 'spellcheck="false"></textarea>' in page
    journal.refresh_from_db()
    assert journal.proposals == {}


def test_a_key_is_taken_away_and_a_client_shut_out_by_one_person_at_once(eva, journal, client):
    registration.give_keys(journal, [ECKey.generate_key("P-256", {"kid": "k1"}).as_dict(private=False)])
    client.post(url("-key-remove", journal), {"kid": "k1"})
    response = client.post(url("-active", journal), {"active": "0"}, follow=True)
    assert "Klienten är avstängd" in response.content.decode()
    journal.refresh_from_db()
    assert (journal.keys, journal.is_active) == ([], False)
    assert "Avstängd" in seen(client, url("s"))
    client.post(url("-active", journal), {"active": "1"})
    journal.refresh_from_db()
    assert journal.is_active
    assert (
        "redan borttagen"
        in client.post(url("-key-remove", journal), {"kid": "k1"}, follow=True).content.decode()
    )
    told = list(AccessLogEntry.objects.order_by("number").values_list("what", flat=True))
    assert told == ["client-key-removed", "client-disabled", "client-enabled"]


def test_a_web_hook_s_secret_is_shown_once(eva, journal, client, settings):
    settings.SDK_WEBHOOK_HOSTS = ["journal.habo.se"]
    for address, text in (("https://annan.se/x", "inte tillåtit webbkrokar"), ("http://[", "Ogiltig adress")):
        refused = client.post(url("-webhook", journal), {"address": address})
        assert refused.status_code == 422
        assert text in refused.content.decode()
        assert f'value="{address}"' in refused.content.decode()
    made = client.post(url("-webhook", journal), {"address": "https://journal.habo.se/sdk"})
    journal.refresh_from_db()
    assert journal.webhook_secret in made.content.decode()
    assert "no-store" in made.headers["Cache-Control"]
    assert journal.webhook_secret not in seen(client, url("", journal))
    assert journal.webhook_secret not in str(list(AccessLogEntry.objects.values_list("details", flat=True)))
    client.post(url("-webhook", journal), {"address": ""})
    journal.refresh_from_db()
    assert journal.webhook_url == ""


def test_how_it_goes_to_tell_a_client_is_seen(eva, journal, client, settings):
    settings.SDK_WEBHOOK_HOSTS = ["journal.habo.se"]
    registration.register(journal.organisation, "journal.habo.se", webhook_url="https://journal.habo.se/sdk")
    assert "Har inte underrättats" in seen(client, url("", journal))
    now = timezone.now()
    notices = WebhookNotice.objects
    identity = "0d1c66f2-5d4c-4a1a-9a3c-0f8a5a0b7a10"
    notices.create(client=journal, resource_id=identity, told_at=now)
    assert "Webbkroken svarar inte" not in seen(client, url("s"))
    notices.create(client=journal, resource_id=identity, due_at=now, attempts=2, problem="HTTP 500")
    notices.create(client=journal, resource_id=identity, given_up_at=now - timedelta(days=1), problem="x")
    page = seen(client, url("", journal))
    for text in ("Svarade senast", "1 underrättelse är obesvarad", "gavs upp", "Senaste fel: HTTP 500"):
        assert text in page, text
    assert "Webbkroken svarar inte" in seen(client, url("s"))


def test_functions_are_said_to_be_other_clients_and_whether_anybody_fetches(
    eva, organisation, journal, client
):
    OwnFunction.objects.create(participant_id=HERE, identifier="sdk:vard-barn", name="Barnmottagningen")
    page = seen(client, url("-routes"))
    assert "Alla funktioner hör till brevlådorna" in page
    assert '<option value="sdk:vard-barn">Barnmottagningen</option>' in in_one_line(page).replace(
        " </option>", "</option>"
    )
    form = {"organisation": HERE, "function": "sdk:vard-barn", "to": "both"}
    client.post(url("-routes"), form)
    assert routing.route_of(HERE, "sdk:vard-barn") == FunctionRoute.To.BOTH
    page = seen(client, url("-routes"))
    assert "Ingen: meddelanden blir liggande" in page
    assert "Brevlåda saknas" in page
    FunctionMailbox.objects.create(participant_id=HERE, address="sdk:vard-barn", name="Barnmottagningen")
    registration.register(organisation, "journal.habo.se", auth_ids=["sdk:vard-*"])
    page = seen(client, url("-routes"))
    assert "Ingen: meddelanden" not in page
    assert "Brevlåda saknas" not in page
    assert f'<a href="{url("", journal)}">Journalen</a>' in in_one_line(page)
    registration.set_active(journal, is_active=False)
    assert "Ingen: meddelanden blir liggande" in seen(client, url("-routes"))
    client.post(url("-routes"), form | {"to": "built-in"})
    assert routing.route_of(HERE, "sdk:vard-barn") == FunctionRoute.To.BUILT_IN
    assert "Alla funktioner hör till" in seen(client, url("-routes"))
    assert [entry.details["to"] for entry in AccessLogEntry.objects.order_by("number")] == [
        "both",
        "built-in",
    ]


@pytest.mark.parametrize("changes", [{"organisation": THERE}, {"function": " "}, {"to": ""}, {"to": "x"}])
def test_a_route_that_is_not_whole_is_not_taken(eva, client, changes):
    form = {"organisation": HERE, "function": "sdk:a", "to": "both"} | changes
    response = client.post(url("-routes"), form)
    assert response.status_code == 422
    assert "Rätta detta" in response.content.decode()
    assert not FunctionRoute.objects.exists()


def test_another_organisation_s_administrator_sees_and_changes_nothing(organisation, journal, client):
    registration.register(organisation, "journal.habo.se", auth_ids=["sdk:hemlig-*"])
    routing.set_route(organisation, "sdk:hemlig-funktion", FunctionRoute.To.EXTERNAL)
    OwnFunction.objects.create(participant_id=HERE, identifier="sdk:annat", name="Annat")
    log_in(client, with_role(ADMINISTRATOR, THERE))
    for page in (seen(client, url("s")), seen(client, url("-routes"))):
        for text in ("journal.habo.se", "Journalen", "sdk:hemlig", "sdk:annat", HERE):
            assert text not in page
    before = ApiClient.objects.values().get()
    assert client.get(url("", journal)).status_code == 404
    for name in ("", "-key", "-key-remove", "-proposal", "-active", "-webhook"):
        assert client.post(url(name, journal), {"key": PEM}).status_code == 404, name
    assert ApiClient.objects.values().get() == before
    assert client.post(url("s"), {"organisation": HERE, "client_id": "x"}).status_code == 422
    assert ApiClient.objects.count() == 1


def test_the_pages_ask_no_more_often_for_more_clients(eva, organisation, client):
    def questions() -> int:
        with CaptureQueriesContext(connection) as asked:
            seen(client, url("s"))
            seen(client, url("-routes"))
        return len(asked)

    registration.register(organisation, "k0.se", auth_ids=["*"])
    routing.set_route(organisation, "sdk:0", FunctionRoute.To.BOTH)
    few = questions()
    for number in range(1, 6):
        registration.register(organisation, f"k{number}.se", auth_ids=["*"])
        routing.set_route(organisation, f"sdk:{number}", FunctionRoute.To.BOTH)
    assert questions() == few
