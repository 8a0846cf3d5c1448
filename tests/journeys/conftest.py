"""Two nodes and a browser."""

from collections.abc import Callable, Generator

import pytest
from playwright.sync_api import Browser

from tests.journeys.browser import Caseworker, chromium
from tests.nodes import NodeUnderTest, two_nodes

__all__ = ["two_nodes"]


@pytest.fixture(scope="module")
def browser() -> Generator[Browser, None, None]:
    """Closed before the worker goes on: in Playwright's event loop Django refuses to ask a database."""
    with chromium() as one:
        yield one


@pytest.fixture
def caseworker(browser: Browser) -> Generator[Callable[[NodeUnderTest, str], Caseworker], None, None]:
    """Logs people in, and closes their browsers."""
    opened: list[Caseworker] = []

    def log_in(node: NodeUnderTest, name: str) -> Caseworker:
        person = Caseworker(browser, node.node.url, name).log_in()
        opened.append(person)
        return person

    yield log_in
    for person in opened:
        person.close()
