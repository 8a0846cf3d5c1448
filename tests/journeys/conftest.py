"""Two nodes and a browser."""

from collections.abc import Callable, Generator

import pytest
from playwright.sync_api import Browser, expect

from tests.journeys.browser import Caseworker, chromium
from tests.nodes import NodeUnderTest, TwoNodes, two_nodes

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


@pytest.fixture
def second_administrator(
    two_nodes: TwoNodes, caseworker: Callable[[NodeUnderTest, str], Caseworker]
) -> Generator[Caseworker, None, None]:
    """Ahmed, whom Eva makes one for as long as the test lasts."""
    eva = caseworker(two_nodes.habo, "Eva Holm")
    page = eva.page
    page.goto(f"{eva.url}/administration/personer")
    page.get_by_role("link", name="Ahmed Lindqvist").click()
    expect(page.get_by_role("heading", level=1, name="Ahmed Lindqvist")).to_be_visible()
    where = page.url
    page.get_by_role("button", name="Ge rollen").click()
    expect(page.get_by_role("button", name="Ta bort Administratör")).to_be_visible()
    yield caseworker(two_nodes.habo, "Ahmed Lindqvist")
    page.goto(where)
    page.get_by_role("button", name="Ta bort Administratör").click()
    expect(page.get_by_role("button", name="Ta bort Administratör")).to_have_count(0)
