"""A person who reads, searches, writes and sends in a node's pages, through e-ID and by HTTP alone."""

import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from urllib.parse import urlsplit

import requests

_TIMEOUT_SECONDS = 60
_REVIEWED = ("csrfmiddlewaretoken", "version", "attachments", "seen")


@dataclass(frozen=True)
class Sent:
    """A draft that the pages said is sent, and the processes that said so."""

    draft: int
    url: str


class PageBroken(Exception):
    """A page answered with an error, or is not what it should be; the text says which."""


class LoggedOut(Exception):
    """The page for logging in came instead."""


class Person(threading.Thread):
    """Works in the pages of a node until `end`; changes between its addresses, as a proxy would send them.

    `sent` is what the pages said is sent, `broken` what went wrong. A release may end all logins once: who is
    sent to log in does so, and is counted in `logged_out`.
    """

    def __init__(self, subject: str, mailbox: int, function: int, urls: list[str]) -> None:
        super().__init__(name=f"person of {urls[0]}", daemon=True)
        self.sent: list[Sent] = []
        self.broken: list[str] = []
        self.logged_out = 0
        self._subject = subject
        self._mailbox = mailbox
        self._function = function
        self._urls = urls
        self._changed = threading.Lock()
        self._ended = threading.Event()

    def use(self, urls: list[str]) -> None:
        """Work with these processes from the next round on."""
        with self._changed:
            self._urls = urls

    def end(self) -> None:
        """Begin no further round; return when the last one is over."""
        self._ended.set()
        self.join(5 * _TIMEOUT_SECONDS)

    def run(self) -> None:
        for turn in cycle((0, 1)):
            if self._ended.wait(0.2):
                return
            with self._changed:
                url = self._urls[turn % len(self._urls)]
            try:
                self._round(url)
            except LoggedOut:
                self.logged_out += 1
            except PageBroken as error:
                self.broken.append(str(error))
            except requests.RequestException as error:
                self.broken.append(f"{url} {type(error).__name__}")

    def _round(self, url: str) -> None:
        # Two releases need not read each other's sessions: whoever changes between them logs in.
        with requests.Session() as browser:
            # By HTTPS forms are taken from pages of the same host alone, as browsers tell it.
            browser.headers["Referer"] = f"{url}/"
            page = self._fetched(browser, "GET", f"{url}/logga-in/borja")
            start = self._fetched(browser, "POST", page.url, subject=self._subject)
            box = self._fetched(browser, "GET", f"{url}/brevlada/{self._mailbox}/")
            for path in _links(box.text):
                self._fetched(browser, "GET", f"{url}{path}")
            for path in ("/sok?q=upgrade", f"/brevlada/{self._mailbox}/skriva", "/hjalp", "/aviseringar"):
                self._fetched(browser, "GET", f"{url}{path}")
            self._send(browser, url, start)

    def _send(self, browser: requests.Session, url: str, start: requests.Response) -> None:
        token = _hidden(start, "csrfmiddlewaretoken")
        draft = self._fetched(browser, "POST", f"{url}/brevlada/{self._mailbox}/skriv", **token)
        found = re.search(r"/utkast/(\d+)/", draft.url)
        if found is None:
            raise PageBroken(f"no draft at {draft.url}")
        review = self._fetched(
            browser,
            "POST",
            draft.url,
            **_hidden(draft, "csrfmiddlewaretoken", "version"),
            subject="Upgrade",
            text=f"Hej {found[1]}",
            recipient=str(self._function),
            action="check",
        )
        if not review.url.endswith("/granska"):
            raise PageBroken(f"the draft is not complete: {review.url}")
        self._fetched(browser, "POST", review.url, **_hidden(review, *_REVIEWED))
        self.sent.append(Sent(int(found[1]), url))

    def _fetched(
        self, browser: requests.Session, method: str, address: str, **form: str
    ) -> requests.Response:
        answer = browser.request(method, address, data=form or None, timeout=_TIMEOUT_SECONDS)
        path = urlsplit(answer.url).path
        if answer.status_code == 200 and path == "/logga-in":
            raise LoggedOut
        if answer.status_code != 200 or path == "/logga-in/nekad":
            raise PageBroken(f"{answer.status_code} {method} {address} -> {answer.url}")
        return answer


def _links(page: str) -> Iterator[str]:
    """The newest conversations of a list."""
    seen = dict.fromkeys(re.findall(r'href="(/konversation/\d+/)', page))
    yield from list(seen)[:3]


def _hidden(page: requests.Response, *names: str) -> dict[str, str]:
    """What a page's form carries unseen."""
    found = {name: re.search(rf'name="{name}" value="([^"]*)"', page.text) for name in names}
    if missing := [name for name, match in found.items() if match is None]:
        raise PageBroken(f"{page.url} has no field {', '.join(missing)}")
    return {name: match[1] for name, match in found.items() if match is not None}
