"""Pictures of the pages for the README, taken from a running demo."""

import re
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

_CHROMIUM = "/usr/bin/chromium"


def main(url: str, directory: str) -> int:
    target = Path(directory)
    target.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1100, "height": 720}, locale="sv-SE")
        page.goto(url)
        page.get_by_role("link", name="Logga in med e-legitimation").click()
        page.get_by_role("button", name="Karin Svensson").click()
        page.get_by_role("link", name="Socialtjänsten, mottagning").click()
        page.wait_for_load_state("load")
        page.screenshot(path=target / "inbox.png")
        page.get_by_role("link", name=re.compile("^Väntar")).click()
        page.get_by_role("link", name=re.compile("Planering inför")).first.click()
        page.get_by_text("Leveranshistorik").first.wait_for()
        page.screenshot(path=target / "conversation.png", full_page=True)
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
