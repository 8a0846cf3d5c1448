"""Debian's Chromium, driven by Playwright; and what a person does in it."""

from collections.abc import Generator
from contextlib import contextmanager, suppress

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Error,
    Page,
    Playwright,
    expect,
    sync_playwright,
)

CHROMIUM = "/usr/bin/chromium"
_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE_MILLISECONDS = 20_000


@contextmanager
def chromium() -> Generator[Browser, None, None]:
    with sync_playwright() as playwright:
        browser = start(playwright)
        yield browser
        browser.close()


def start(playwright: Playwright) -> Browser:
    return playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=_ARGUMENTS)


def start_message(page: Page) -> None:
    """A new draft whose page and scripts are loaded: what is done next is done to it."""
    page.get_by_role("button", name="Nytt meddelande").click()
    page.wait_for_url("**/utkast/*/**")
    expect(page.get_by_label("Ämne", exact=True)).to_be_visible()


def send(page: Page) -> None:
    page.get_by_role("button", name="Granska och skicka").click()
    expect(page.get_by_role("heading", name="Granska och skicka")).to_be_visible()
    if page.get_by_label("Ja, uppgifterna ska dit").count():
        page.get_by_label("Ja, uppgifterna ska dit").check()
    page.get_by_role("button", name="Skicka", exact=True).click()


class Caseworker:
    """A person at a browser of their own, at one node."""

    def __init__(self, browser: Browser, url: str, name: str) -> None:
        self.context: BrowserContext = browser.new_context(locale="sv-SE", accept_downloads=True)
        self.context.set_default_timeout(PATIENCE_MILLISECONDS)
        expect.set_options(timeout=PATIENCE_MILLISECONDS)
        self.page: Page = self.context.new_page()
        self.url = url
        self.name = name
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", self._note)

    def _note(self, line: ConsoleMessage) -> None:
        """Errors of our own pages; that a page itself is a 404 or 409 is what a test looks at."""
        source = line.location["url"]
        is_page = source == self.page.url and line.text.startswith("Failed to load resource")
        if line.type == "error" and source.startswith(self.url) and not is_page:
            self.errors.append(f"{line.text} ({line.location['url']})")

    def log_in(self) -> "Caseworker":
        self.page.goto(self.url)
        self.page.get_by_role("link", name="Logga in med e-legitimation").click()
        self.page.get_by_role("button", name=self.name).click()
        self.page.wait_for_url(lambda url: url.startswith(self.url) and "/oidc/" not in url)
        return self

    def open_mailbox(self, name: str) -> None:
        self.page.goto(self.url)
        self.page.get_by_role("link", name=name).click()
        expect(self.page.get_by_role("heading", level=1, name=name)).to_be_visible()

    def send(self) -> None:
        """From the form: look the message through, and send it."""
        send(self.page)

    def check_accessibility(self) -> None:
        """axe finds nothing on the page as it is now."""
        # What passes is not told node by node: it is many times what fails.
        results = Axe().run(self.page, options={"resultTypes": ["violations"]})
        found = [
            (violation["id"], [node["html"][:200] for node in violation["nodes"]])
            for violation in results.response["violations"]
        ]
        assert found == [], f"{self.page.url}: {found}"

    def close(self) -> None:
        # A context waits without end for requests that a test holds back, and for a page on its way; so does
        # now and then a page that is closed while the next one is on its way. An empty one takes its place.
        self.context.unroute_all(behavior="ignoreErrors")
        # What is broken off from here on is no error of the pages.
        errors = list(self.errors)
        for page in self.context.pages:
            with suppress(Error):
                page.goto("about:blank", timeout=15_000, wait_until="commit")
            page.close(run_before_unload=False)
        self.context.close()
        assert not errors, errors
