"""A test federation for this run, and settings that point at it."""

import os

import pytest

from testbed.federation import Federation


@pytest.fixture(scope="session")
def federation(tmp_path_factory):
    one = Federation(tmp_path_factory.mktemp("federation"))
    one.prepare()
    one.start()
    yield one
    one.stop()


@pytest.fixture
def in_federation(federation, settings, db):
    """The federation, asked through this process's settings."""
    variables = federation.environment()
    settings.SDK_ACCESS_POINT_CA_DIR = federation.trust_dir / "access-points"
    settings.SDK_SMP_CA_DIR = federation.trust_dir / "smp"
    settings.SDK_ORGANISATION_CA_DIR = federation.trust_dir / "organisations"
    settings.SDK_TLS_CA_FILE = variables["SDK_TLS_CA_FILE"]
    settings.SDK_DNS_SERVERS = [variables["SDK_DNS_SERVERS"]]
    settings.SDK_SML_ZONE = variables["SDK_SML_ZONE"]
    settings.SDK_ADDRESS_BOOK_URL = variables["SDK_ADDRESS_BOOK_URL"]
    assert os.environ["SDK_TEST_SERVICES"]
    return federation
