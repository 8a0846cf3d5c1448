import uuid

import pytest
from joserfc.jwk import ECKey

from tests.world import federation, world
from transport.message_api.clients import registration, routing
from transport.message_api.models import FunctionRoute

from .client import OtherMakersClient

__all__ = ["federation", "world"]


@pytest.fixture
def api(world, settings):
    """The world, with the API beside the access point; the recipient's function is an external client's."""
    settings.ROOT_URLCONF = "tests.transport.message_api.urls"
    routing.set_route(
        world.recipient.organisation, world.recipient.mailbox.address, FunctionRoute.To.EXTERNAL
    )
    return world


@pytest.fixture
def register(api):
    """Registers a client of a party, with a key of its own, and gives it as its maker wrote it."""

    def registered(party, *auth_ids: str, scopes=None, client_id: str | None = None) -> OtherMakersClient:
        key = ECKey.generate_key("P-256", auto_kid=True)
        told = registration.register(
            party.organisation,
            client_id or f"klient-{uuid.uuid4().hex[:8]}.se",
            auth_ids=auth_ids or [party.mailbox.address],
            scopes=scopes,
        )
        registration.give_keys(told.client, [key.as_dict(private=False)])
        base = api.url.removesuffix("/as4") + "/v1"
        made.append(OtherMakersClient(base, f"{base}/token", told.client.client_id, key))
        return made[-1]

    made: list[OtherMakersClient] = []
    yield registered
    for client in made:
        # A connection that is kept open keeps a thread of the server's, and its database connection.
        client.http.close()


@pytest.fixture
def sender(api, register):
    client = register(api.sender)
    client.log_in()
    return client


@pytest.fixture
def recipient(api, register):
    client = register(api.recipient)
    client.log_in()
    return client
