import shutil
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest

from testbed.federation import Federation
from tests.interop.as4 import As4
from tests.interop.build import LastingWorld, Neighbours, Pair, Served, serving
from tests.interop.counting import exchanged
from tests.interop.front import HEADER, Front, two_way_tls
from tests.interop.oxalis import Oxalis
from tests.interop.phase4 import Phase4
from tests.interop.program import Peer
from tests.world import Party, World, federation, point_at

__all__ = ["federation"]
NAMES = {As4: "AP9002-AS4-TEST", Oxalis: "AP9003-OXALIS-TEST", Phase4: "AP9001-PHASE4-TEST"}


@pytest.fixture(scope="session")
def running(request, federation, tmp_path_factory):
    """Starts a peer at its first use. Where it cannot run, tests skip and say why; in CI they fail."""
    peers: dict[type[Peer], Peer] = {}
    with ExitStack() as stack:

        def started(kind: type[Peer]) -> Peer:
            if kind not in peers:
                kind.require()
                directory = tmp_path_factory.mktemp(kind.kind)
                count = exchanged(request.config, kind.kind)
                peers[kind] = stack.enter_context(kind(federation, NAMES[kind], directory, exchanged=count))
            return peers[kind]

        yield started
        for peer in peers.values():
            peer.received()


@pytest.fixture(scope="session")
def phase4(running) -> Phase4:
    return running(Phase4)


@pytest.fixture(scope="session")
def served(federation, django_db_setup, tmp_path_factory) -> Generator[Served, None, None]:
    with serving(federation, tmp_path_factory.mktemp("served")) as one:
        yield one


@pytest.fixture(scope="session")
def guarded(federation, django_db_setup, tmp_path_factory) -> Generator[tuple[Served, Front], None, None]:
    """Our access point where nobody is let in without a TLS certificate."""
    directory = tmp_path_factory.mktemp("guarded")
    with (
        serving(federation, directory, SDK_TLS_CLIENT_HEADER=HEADER) as one,
        two_way_tls(federation, one.url, directory / "nginx") as front,
    ):
        federation.add_access_point(one.name, front.url)
        yield replace(one, url=front.url), front


@pytest.fixture
def front(guarded) -> Front:
    """What stands in front of our access point in `pair`."""
    _, front = guarded
    front.forget()
    return front


@pytest.fixture
def neighbours(federation, phase4, served, settings, transactional_db, tmp_path) -> Neighbours:
    prepare(federation, phase4, served, settings)
    world = World(federation, served.url, served.name)
    there = neighbour(world, phase4)
    return Neighbours(world, served, phase4, there, tmp_path)


@pytest.fixture
def pair(request, federation, running, guarded, settings, transactional_db, tmp_path) -> Iterator[Pair]:
    """Our access point and the peer whose class is the parameter."""
    served, _ = guarded
    peer = running(request.param)
    prepare(federation, peer, served, settings)
    world = LastingWorld(federation, served.url, served.name, peer.name)
    yield Pair(world, served, peer, neighbour(world, peer), tmp_path)
    peer.received()


@pytest.fixture
def answering(pair) -> Iterator[Callable[..., None]]:
    """Makes the peer's receipts wrong (as as4_peer/program.py says) until the test ends."""
    yield pair.peer.answer_wrong
    pair.peer.answer_wrong("")


def prepare(federation: Federation, peer: Peer, served: Served, settings: Any) -> None:
    """Let this process be the node that our access point belongs to, and the peer forget earlier tests."""
    point_at(federation, settings)
    client = federation.tls_files("localhost")
    settings.SDK_TLS_CLIENT_CERTIFICATE = str(client.certificate)
    settings.SDK_TLS_CLIENT_KEY = str(client.key)
    settings.SDK_WORK_DIR = served.work
    settings.MEDIA_ROOT = served.payloads
    settings.SDK_ACCESS_POINT_KEY = str(served.files.key)
    settings.SDK_ACCESS_POINT_CERTIFICATE = str(served.files.certificate)
    settings.SDK_AS4_TIMEOUT_SECONDS = 300
    settings.ROOT_URLCONF = "sdkportal.urls_access_point"
    shutil.rmtree(served.payloads, ignore_errors=True)
    peer.ask("serve", served=[])
    peer.received()


def neighbour(world: World, peer: Peer) -> Party:
    """A participant behind the peer."""
    there = world.party("granne", is_here=False)
    world.federation.change_participant(there.participant.value, access_point=peer.name)
    return there
