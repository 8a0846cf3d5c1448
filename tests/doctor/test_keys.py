"""What the doctor says of keys and certificates, each check as it is well and as it is not."""

import shutil
from datetime import timedelta

import pytest
from django.utils import timezone

from sdkportal.doctor import keys
from testbed.authorities import Authority, KeyFiles, Validity, load_certificate, load_key
from transport.message_service.models import Organisation, OrganisationKey
from transport.message_service.organisations.organisation_keys import add_key
from transport.storage.encryption.keys import current_key
from transport.storage.encryption.models import DataKey

from .build import found, problems

pytestmark = pytest.mark.django_db
HABO = "0203:habo.se"


@pytest.fixture(scope="module")
def authority(tmp_path_factory) -> Authority:
    directory = tmp_path_factory.mktemp("authority")
    return Authority(directory, "test", "http://localhost:1")


@pytest.fixture
def issued(authority, tmp_path):
    def issue(name: str, **options) -> KeyFiles:
        files = KeyFiles(tmp_path / f"{name}.key", tmp_path / f"{name}.pem")
        files = authority.issue(files, name, **options)
        files.key.chmod(0o600)
        return files

    return issue


@pytest.fixture
def access_point(settings, issued) -> KeyFiles:
    files, tls = issued("AP-1"), issued("tls")
    settings.SDK_ACCESS_POINT_KEY, settings.SDK_ACCESS_POINT_CERTIFICATE = map(
        str, (files.key, files.certificate)
    )
    settings.SDK_TLS_CLIENT_KEY, settings.SDK_TLS_CLIENT_CERTIFICATE = map(str, (tls.key, tls.certificate))
    settings.SDK_ACCESS_POINT_OLD_KEYS = []
    return files


def organisation_with_keys(issued, **validity: Validity) -> Organisation:
    organisation = Organisation.objects.create(participant_id=HABO, name="Håbo kommun")
    for purpose in OrganisationKey.Purpose:
        files = issued(purpose.value, validity=validity.get(purpose.value))
        row = add_key(organisation, purpose, load_key(files.key), load_certificate(files.certificate))
        row.published_at = timezone.now()
        row.save()
    return organisation


def test_keys_that_can_be_read_are_well(access_point):
    assert found(keys.access_point) == [("OK", "")]


def test_an_access_point_without_a_key_fails_and_so_does_a_file_that_is_no_key(
    settings, access_point, tmp_path
):
    settings.SDK_ACCESS_POINT_KEY = ""
    assert ("FAILURE", "access-point-key") in found(keys.access_point)
    (tmp_path / "no.key").write_text("nothing")
    settings.SDK_ACCESS_POINT_KEY = str(tmp_path / "no.key")
    assert ("FAILURE", "access-point-key") in found(keys.access_point)


def test_another_operator_s_access_point_needs_no_key(settings):
    settings.SDK_ACCESS_POINT_KEY, settings.SDK_DROP_DIR = "", "/var/drop"
    assert found(keys.access_point) == [("OK", "")]


def test_keys_of_other_certificates_open_files_and_unreadable_ones_are_told(settings, access_point, issued):
    settings.SDK_TLS_CLIENT_KEY = str(issued("other").key)
    assert problems(keys.access_point) == [("FAILURE", "key-not-of-certificate")]
    settings.SDK_TLS_CLIENT_KEY = "/nowhere"
    assert problems(keys.access_point) == [("FAILURE", "key-unreadable")]
    settings.SDK_TLS_CLIENT_KEY = settings.SDK_TLS_CLIENT_CERTIFICATE = settings.SDK_ACCESS_POINT_CERTIFICATE
    assert problems(keys.access_point) == [("FAILURE", "key-unreadable")]


def test_a_key_s_file_that_others_may_read_is_told(access_point):
    access_point.key.chmod(0o644)
    assert problems(keys.access_point) == [("WARNING", "key-open")]


def test_the_access_point_s_own_key_has_to_be_its_certificate_s(settings, access_point, issued):
    settings.SDK_ACCESS_POINT_CERTIFICATE = str(issued("AP-2").certificate)
    assert problems(keys.access_point) == [("FAILURE", "key-not-of-certificate")]


def test_an_old_key_that_is_gone_is_told(settings, access_point, tmp_path):
    both = tmp_path / "old.pem"
    both.write_bytes(access_point.key.read_bytes() + access_point.certificate.read_bytes())
    both.chmod(0o600)
    settings.SDK_ACCESS_POINT_OLD_KEYS = [str(both)]
    assert problems(keys.access_point) == []
    shutil.copy(access_point.certificate, both)
    assert ("FAILURE", "key-unreadable") in problems(keys.access_point)


def test_data_keys_of_another_wrapping_key_are_told_with_their_organisation(settings):
    current_key(HABO)
    assert problems(keys.data_keys) == []
    DataKey.objects.update(wrapped=b"x" * 60)
    (finding,) = [each for each in keys.data_keys() if each.code]
    assert (finding.code, finding.participant) == ("data-key-closed", HABO)
    settings.SDK_WRAPPING_KEY = "c29tZXRoaW5nIHRoYXQgbm9ib2R5IGtub3dzIGhlcmU="
    settings.SDK_OLD_WRAPPING_KEYS = []
    assert problems(keys.data_keys) == [("FAILURE", "data-key-closed")]
    settings.SDK_WRAPPING_KEY = ""
    assert found(keys.data_keys) == [("FAILURE", "wrapping-key")]


def test_certificates_with_time_left_are_well(access_point, issued):
    organisation_with_keys(issued)
    assert problems(keys.certificates) == []
    assert len(found(keys.certificates)) == 4


@pytest.mark.parametrize(("days", "level"), [(20, "WARNING"), (3, "FAILURE")])
def test_a_certificate_that_ends_soon_is_told_with_its_organisation(access_point, issued, days, level):
    organisation_with_keys(issued, encryption=Validity(-1, days))
    (finding,) = [each for each in keys.certificates() if each.code]
    assert (finding.level.name, finding.code, finding.participant) == (level, "certificate-ends", HABO)
    ends = timezone.now() + timedelta(days=days)
    assert f"{ends:%Y-%m-%d}" in finding.detail


def test_an_organisation_without_a_valid_key_fails(access_point, issued):
    organisation = organisation_with_keys(issued)
    organisation.keys.filter(purpose="encryption").delete()
    (finding,) = [each for each in keys.certificates() if each.code]
    assert (finding.code, finding.detail) == ("organisation-key-missing", f"{HABO}: encryption")


def test_a_certificate_that_is_not_published_yet_is_told(access_point, issued):
    organisation = organisation_with_keys(issued)
    organisation.keys.filter(purpose="encryption").update(published_at=None)
    assert problems(keys.certificates) == [("WARNING", "certificate-awaits-publication")]


def test_a_node_without_any_certificate_is_told(settings):
    settings.SDK_ACCESS_POINT_CERTIFICATE = settings.SDK_TLS_CLIENT_CERTIFICATE = ""
    settings.SDK_ACCESS_POINT_OLD_KEYS = []
    assert found(keys.certificates) == [("WARNING", "organisation-missing")]
