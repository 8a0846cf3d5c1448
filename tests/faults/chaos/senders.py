"""People who write, check and send messages in the pages, whatever breaks meanwhile."""

import re
import threading
from collections import Counter
from dataclasses import dataclass

import requests

from .world import ChaosNode

_TIMEOUT_SECONDS = 20.0
_REVIEWED = ("csrfmiddlewaretoken", "version", "attachments", "seen")


@dataclass
class Order:
    """A draft, and how far its sender came with it."""

    node: str
    draft: int
    is_sent: bool = False
    is_confirmed: bool = False


class PageBroken(Exception):
    """A page is not what it should be, or did not come."""


class Sender(threading.Thread):
    """A person of a node who sends a message to the other node's function every so many seconds.

    `orders` holds every draft for which Send was pressed. `is_confirmed`: the page said that it is sent.
    """

    def __init__(self, node: ChaosNode, address: str, recipient: str, *, every: float) -> None:
        super().__init__(name=f"sender of {node.name}", daemon=True)
        self.orders: dict[int, Order] = {}
        self.pages_broken: Counter[str] = Counter()
        self.node = node
        self._recipient = recipient
        self._every = every
        self._ended = threading.Event()
        self._session = node.running.run_module("tests.faults.chaos.login", address)
        self._mailbox = node.query("SELECT id FROM mailbox_functionmailbox WHERE address = %s", address)[0][0]
        self._function = node.query(
            "SELECT id FROM addressbook_functionaddress WHERE identifier = %s", recipient
        )[0][0]

    def end(self) -> None:
        """Write no further message; return when the one that is being written is done with."""
        self._ended.set()
        self.join(5 * _TIMEOUT_SECONDS)

    def run(self) -> None:
        while not self._ended.is_set():
            try:
                self._send_one()
            except requests.RequestException as error:
                self.pages_broken[type(error).__name__] += 1
            except PageBroken as error:
                self.pages_broken[str(error)] += 1
            self._ended.wait(self._every)

    def _send_one(self) -> None:
        with requests.Session() as browser:
            browser.cookies.set(f"{self.node.name}_session", self._session)
            base = self.node.running.url
            # By HTTPS, forms have to come from one of the node's own pages.
            browser.headers["Referer"] = base
            browser.trust_env = False
            browser.verify = self.node.running.environment["SDK_TLS_CA_FILE"]
            start = self._fetched(browser, "GET", f"{base}/")
            draft = self._fetched(
                browser, "POST", f"{base}/brevlada/{self._mailbox}/skriv", **_hidden(start, _REVIEWED[0])
            )
            number = _draft_number(draft.url)
            review = self._fetched(
                browser,
                "POST",
                draft.url,
                **_hidden(draft, "csrfmiddlewaretoken", "version"),
                subject="Kaos",
                text=f"Hej {number}",
                recipient=str(self._function),
                action="check",
            )
            if not review.url.endswith("/granska"):
                raise PageBroken("the draft is not complete")
            order = self.orders.setdefault(number, Order(self.node.name, number))
            order.is_sent = True
            self._fetched(browser, "POST", review.url, **_hidden(review, *_REVIEWED))
            order.is_confirmed = True

    def _fetched(
        self, browser: requests.Session, method: str, address: str, **form: str
    ) -> requests.Response:
        answer = browser.request(method, address, data=form or None, timeout=_TIMEOUT_SECONDS)
        if answer.status_code != 200 or "/logga-in" in answer.url:
            raise PageBroken(f"status {answer.status_code} {answer.url.rpartition('/')[2]}".strip())
        return answer


def _draft_number(address: str) -> int:
    found = re.search(r"/utkast/(\d+)/", address)
    if found is None:
        raise PageBroken("no draft")
    return int(found[1])


def _hidden(page: requests.Response, *names: str) -> dict[str, str]:
    """What a page's form carries unseen."""
    found = {name: re.search(rf'name="{name}" value="([^"]*)"', page.text) for name in names}
    if None in found.values():
        raise PageBroken("the form is not there")
    return {name: match[1] for name, match in found.items() if match is not None}
