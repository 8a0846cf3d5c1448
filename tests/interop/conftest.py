import shutil
from collections.abc import Generator

import pytest

from tests.interop.build import Neighbours, Served, serving
from tests.interop.counting import exchanged
from tests.interop.phase4 import Phase4, require
from tests.world import World, federation, point_at

__all__ = ["federation"]


@pytest.fixture(scope="session")
def phase4(request, federation, tmp_path_factory) -> Generator[Phase4, None, None]:
    """phase4, running. Where it cannot be, tests skip and say why; where CI is set they fail."""
    require()
    directory = tmp_path_factory.mktemp("phase4")
    with Phase4(federation, "AP9001-PHASE4-TEST", directory, exchanged=exchanged(request.config)) as one:
        yield one
        one.received()


@pytest.fixture(scope="session")
def served(federation, django_db_setup, tmp_path_factory) -> Generator[Served, None, None]:
    with serving(federation, tmp_path_factory.mktemp("served")) as one:
        yield one


@pytest.fixture
def neighbours(federation, phase4, served, settings, transactional_db, tmp_path) -> Neighbours:
    point_at(federation, settings)
    settings.SDK_WORK_DIR = served.work
    settings.MEDIA_ROOT = served.payloads
    settings.SDK_ACCESS_POINT_KEY = str(served.files.key)
    settings.SDK_ACCESS_POINT_CERTIFICATE = str(served.files.certificate)
    settings.SDK_AS4_TIMEOUT_SECONDS = 300
    settings.ROOT_URLCONF = "sdkportal.urls_access_point"
    shutil.rmtree(served.payloads, ignore_errors=True)
    world = World(federation, served.url, served.name)
    there = world.party("granne", is_here=False)
    federation.change_participant(there.participant.value, access_point=phase4.name)
    phase4.ask("serve", served=[])
    phase4.received()
    return Neighbours(world, served, phase4, there, tmp_path)
