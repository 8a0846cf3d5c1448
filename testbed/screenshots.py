"""Pictures of the pages for the README, taken from a running demo."""

import re
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

_CHROMIUM = "/usr/bin/chromium"


def main(url: str, directory: str) -> int:
    """Take the pictures from the demo at `url` into the directory; returns the exit code."""
    target = Path(directory)
    target.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1100, "height": 720}, locale="sv-SE")
        _log_in(page, url, "Karin Svensson")
        page.get_by_role("link", name="Socialtjänsten, mottagning").click()
        page.wait_for_load_state("load")
        page.screenshot(path=target / "inbox.png")
        page.get_by_role("link", name=re.compile("^Inväntar svar")).click()
        page.get_by_role("link", name=re.compile("Planering inför")).first.click()
        page.get_by_text("Leveranshistorik").first.wait_for()
        page.screenshot(path=target / "conversation.png", full_page=True)
        _open_review(page, url)
        page.screenshot(path=target / "sending.png", full_page=True)
        page.get_by_role("button", name="Ta bort utkastet").click()
        page.get_by_role("button", name="Logga ut").click()
        _log_in(page, url, "Eva Holm")
        page.goto(f"{url}/administration/")
        page.get_by_role("link", name="Statistik").first.click()
        page.wait_for_load_state("load")
        page.screenshot(path=target / "administration.png", full_page=True)
        browser.close()
    return 0


def _log_in(page: Page, url: str, name: str) -> None:
    page.goto(url)
    page.get_by_role("link", name="Logga in med e-legitimation").click()
    page.get_by_role("button", name=name).click()
    page.wait_for_load_state("load")


def _open_review(page: Page, url: str) -> None:
    """Write a message, and open the page on which it is reviewed before it is sent."""
    page.goto(url)
    page.get_by_role("link", name="Socialtjänsten, mottagning").click()
    page.get_by_role("button", name="Nytt meddelande").click()
    page.wait_for_load_state("load")
    page.get_by_label(re.compile("^Till: sök")).press_sequentially("arbetsträning")
    page.get_by_role("option", name=re.compile("Avdelningen för arbetsträning")).click()
    page.get_by_label("Ämne", exact=True).fill("Kallelse till planeringsmöte")
    page.get_by_label("Meddelande", exact=True).fill(
        "Vi kallar till **möte** om den fortsatta planeringen:\n\n* måndag 10.00\n* tisdag 13.00"
    )
    page.get_by_label("Omfattas av sekretess").check()
    page.get_by_label("Typ av beteckning", exact=True).select_option("Diarienummer")
    page.get_by_label("Beteckning", exact=True).fill("SN 2026/0117")
    page.get_by_role("button", name="Granska och skicka").click()
    page.wait_for_url("**/granska")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
