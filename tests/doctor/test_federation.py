"""What the doctor says of the federation's services, each check as it is well and as it is not."""

from datetime import timedelta

import pytest
from django.utils import timezone

from addressbook.models import SyncRun
from sdkportal.doctor import federation as doctor
from sdkportal.doctor import keys
from testbed.authorities import load_certificate, load_key
from testbed.services import free_port
from tests.transport.access_point.build import Line
from tests.world import federation, world
from transport.federation import lookup
from transport.message_service.models import Organisation, OrganisationKey
from transport.message_service.organisations.organisation_keys import add_key
from transport.protocol.identifiers import SDK_MESSAGE
from transport.remote_message_service import registration

from .build import found, problems

__all__ = ["federation", "world"]
pytestmark = pytest.mark.xdist_group("federation")


def of(check, participant) -> list[tuple[str, str]]:
    return [(each.level.name, each.code) for each in check() if each.participant == participant.value]


def test_all_is_well_where_everything_is_published(world):
    for check in (doctor.sml, doctor.smp, doctor.certpub, doctor.revocation):
        assert problems(check) == []
        assert len(found(check)) >= 2


def test_an_organisation_that_is_not_registered_is_told_and_the_others_are_well(world):
    unknown = world.party("okand", published=False)
    assert of(doctor.sml, unknown.participant) == [("FAILURE", "sml-unknown")]
    assert of(doctor.smp, unknown.participant) == [("FAILURE", "smp-wrong")] * 2
    assert of(doctor.certpub, unknown.participant) == [("FAILURE", "certpub-wrong")]
    assert of(doctor.sml, world.sender.participant) == [("OK", "")]


def test_a_name_server_that_is_away_fails(world, settings):
    settings.SDK_DNS_SERVERS = [f"127.0.0.1:{free_port()}"]
    settings.SDK_HTTP_TIMEOUT_SECONDS = 1
    told = list(doctor.sml())
    assert {finding.code for finding in told} == {"sml-unavailable"}
    assert settings.SDK_SML_ZONE in told[0].detail
    assert {code for _, code in found(doctor.smp)} == {"smp-unavailable"}
    assert {code for _, code in found(doctor.certpub)} == {"smp-unavailable"}


def test_another_certificate_in_smp_than_the_access_point_s_fails(world, settings):
    other = world.federation.add_access_point("AP-ANNAN-TEST", "https://localhost:9/as4")
    settings.SDK_ACCESS_POINT_KEY, settings.SDK_ACCESS_POINT_CERTIFICATE = map(
        str, (other.key, other.certificate)
    )
    assert set(found(doctor.smp)) == {("FAILURE", "smp-other-certificate")}


def test_smp_is_asked_and_not_what_was_remembered_of_it(world):
    participant = world.sender.participant
    lookup.endpoint_of(participant, SDK_MESSAGE)
    world.federation.change_participant(participant.value, published=False)
    assert ("FAILURE", "smp-wrong") in of(doctor.smp, participant)


def test_what_is_signed_with_has_to_be_what_certpub_has(world):
    organisation = world.sender.organisation
    files = world.federation.issue_organisation_key("ny", "Ny signering")
    row = add_key(
        organisation,
        OrganisationKey.Purpose.SIGNING,
        load_key(files.key),
        load_certificate(files.certificate),
    )
    assert of(doctor.certpub, world.sender.participant) == [("OK", "")]
    row.published_at = timezone.now()
    row.save()
    assert of(doctor.certpub, world.sender.participant) == [("FAILURE", "certpub-wrong")]


def test_what_others_encrypt_for_has_to_be_here(world):
    world.sender.organisation.keys.filter(purpose="encryption").delete()
    assert of(doctor.certpub, world.sender.participant) == [("FAILURE", "certpub-not-opened")]
    world.sender.organisation.keys.all().delete()
    assert of(doctor.certpub, world.sender.participant) == [("FAILURE", "organisation-key-missing")]


def test_a_revoked_certificate_of_our_own_fails(world):
    world.federation.revoke("organisations", world.sender.files.signing.certificate)
    assert ("FAILURE", "certificate-untrusted") in of(doctor.revocation, world.sender.participant)
    assert problems(lambda: [each for each in doctor.revocation() if not each.participant]) == []


def test_revocation_services_that_cannot_be_reached_fail(world, settings):
    settings.SDK_PRIVATE_NETWORKS = []
    assert {code for _, code in found(doctor.revocation)} == {"revocation-unavailable"}


def test_an_access_point_without_keys_is_told_once(world, settings):
    settings.SDK_ACCESS_POINT_KEY = ""
    assert problems(doctor.revocation) == [("FAILURE", "access-point-key")]
    assert problems(doctor.smp) == []


def test_another_operator_s_access_point_is_not_compared(world, settings):
    settings.SDK_ACCESS_POINT_KEY, settings.SDK_DROP_DIR = "", "/var/drop"
    assert problems(doctor.smp) == []
    assert found(doctor.round_trip) == [("OK", "")]


def test_a_test_message_goes_out_and_comes_in(world):
    with Line() as line:
        world.federation.add_access_point(world.access_point, line.url)
        (finding,) = doctor.round_trip()
    assert (finding.level.name, finding.detail) == ("OK", "DNS, SMP, certificate, TLS, AS4")


def test_a_round_trip_names_the_step_that_fails(world):
    world.federation.add_access_point(world.access_point, f"https://localhost:{free_port()}/as4")
    (finding,) = doctor.round_trip()
    assert finding.code == "round-trip"
    assert finding.detail.startswith("TLS: ")
    OrganisationKey.objects.all().delete()
    Organisation.objects.all().delete()
    assert found(doctor.round_trip) == [("WARNING", "organisation-missing")]


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        (timedelta(minutes=30), ("OK", "")),
        (timedelta(hours=5), ("WARNING", "address-book-old")),
        (timedelta(days=4), ("FAILURE", "address-book-old")),
    ],
)
def test_the_age_of_the_address_book_is_that_of_its_last_copy(world, age, expected):
    SyncRun.objects.create(finished_at=timezone.now() - age)
    SyncRun.objects.create(finished_at=timezone.now(), error="BookUnavailable: HTTP 500")
    assert found(doctor.address_book) == [("OK", ""), expected]


def test_an_address_book_that_is_away_or_was_never_copied_fails(world, settings):
    assert found(doctor.address_book) == [("OK", ""), ("FAILURE", "address-book-old")]
    SyncRun.objects.create(finished_at=timezone.now())
    settings.SDK_ADDRESS_BOOK_URL = f"http://127.0.0.1:{free_port()}/"
    assert found(doctor.address_book) == [("FAILURE", "address-book-unavailable"), ("OK", "")]
    settings.SDK_ADDRESS_BOOK_URL = ""
    assert found(doctor.address_book) == [("WARNING", "address-book-not-set")]


def test_an_organisation_that_another_message_service_serves_is_published_as_that_one_s(world):
    elsewhere = world.sender
    elsewhere.organisation.keys.all().delete()
    service = registration.register(
        elsewhere.organisation,
        "Grannens",
        address="https://localhost:9/v1",
        token_address="https://localhost:9/v1/token",
        client_id="brevlada",
    )
    registration.bind(service, (), has_all=True)
    # Until it is in use nothing has moved.
    assert of(doctor.certpub, elsewhere.participant) == [("FAILURE", "organisation-key-missing")]
    assert of(doctor.smp, elsewhere.participant) == [("OK", "")] * 2
    assert of(keys.certificates, elsewhere.participant) == [("FAILURE", "organisation-key-missing")]
    registration.turn_on(service)
    assert of(doctor.certpub, elsewhere.participant) == []
    assert of(keys.certificates, elsewhere.participant) == []
    # What came here could not be opened.
    assert of(doctor.smp, elsewhere.participant) == [("FAILURE", "smp-not-moved")] * 2
    world.federation.add_access_point("AP-GRANNEN-TEST", "https://localhost:9/as4")
    world.federation.change_participant(elsewhere.participant.value, access_point="AP-GRANNEN-TEST")
    assert of(doctor.smp, elsewhere.participant) == [("OK", "")] * 2
    with Line() as line:
        world.federation.add_access_point(world.access_point, line.url)
        assert found(doctor.round_trip) == [("OK", "")]
