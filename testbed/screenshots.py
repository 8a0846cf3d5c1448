"""Pictures of the pages for the README, taken from a running demo."""

import re
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

_CHROMIUM = "/usr/bin/chromium"
# Notices have gone out of the way, and what is fetched has been shown.
_SETTLED_MS = 1_000


def main(url: str, directory: str) -> int:
    """Take the pictures from the demo at `url` into the directory; returns the exit code."""
    target = Path(directory)
    target.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1440, "height": 900}, locale="sv-SE")
        _log_in(page, url, "Karin Svensson")
        _open_mailbox(page, url)
        page.locator(".conversations .subject a").first.click()
        page.locator("article.message").first.wait_for()
        page.wait_for_timeout(_SETTLED_MS)
        page.screenshot(path=target / "inbox.png")
        page.get_by_role("link", name=re.compile("^Inväntar svar")).click()
        page.get_by_role("link", name=re.compile("Planering inför")).first.click()
        page.get_by_text("Leveranshistorik").first.wait_for(state="attached")
        page.wait_for_timeout(_SETTLED_MS)
        page.screenshot(path=target / "conversation.png")
        _review_an_answer(page)
        page.screenshot(path=target / "sending.png")
        page.get_by_role("link", name="Ändra", exact=True).click()
        page.get_by_role("button", name="Ta bort utkastet").click()
        page.get_by_role("button", name="Ta bort", exact=True).click()
        page.get_by_role("button", name="Logga ut").click()
        _log_in(page, url, "Eva Holm")
        page.goto(f"{url}/administration/")
        page.get_by_role("link", name="Statistik").first.click()
        page.wait_for_load_state("load")
        page.screenshot(path=target / "administration.png")
        browser.close()
    return 0


def _log_in(page: Page, url: str, name: str) -> None:
    page.goto(url)
    page.get_by_role("link", name="Logga in med e-legitimation").click()
    page.get_by_role("button", name=name).click()
    page.wait_for_url(lambda address: address.startswith(url) and "/oidc/" not in address)


def _open_mailbox(page: Page, url: str) -> None:
    page.goto(url)
    page.get_by_role("link", name="Socialtjänsten, mottagning").first.click()
    page.wait_for_load_state("load")


def _review_an_answer(page: Page) -> None:
    """An answer that is reviewed at the foot of the conversation that is open."""
    page.locator(".composer-begin button").click()
    text = page.get_by_label("Meddelande", exact=True)
    text.wait_for()
    text.fill("Hej!\n\nVi kan träffas **måndag 10.00** hos oss.\n\nMed vänlig hälsning\nKarin Svensson")
    page.keyboard.press("Control+Enter")
    page.get_by_role("group", name="Granska och skicka").wait_for()
    page.wait_for_timeout(_SETTLED_MS)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
