import pytest

from .build import THERE, DirectoryService, a_token


@pytest.fixture
def service(client, mailbox) -> DirectoryService:
    """Håbo's directory service; `mailbox` is a mailbox of Håbo's."""
    return DirectoryService(client, a_token()[1])


@pytest.fixture
def other_service(client) -> DirectoryService:
    """Another organisation's."""
    return DirectoryService(client, a_token(THERE, "Okta")[1])
