"""People of a cluster whose pages are open: they read lists and files, and hold streams of events."""

import threading
import time
from dataclasses import dataclass
from typing import Final

import requests

_TIMEOUT_SECONDS: Final = 20.0
_EVERY_SECONDS: Final = 0.5
# A page that has come so often without fail has come back.
_STEADY: Final = 5
# As the pages' script does: a stream that was refused is asked for again after a growing pause.
_FIRST_PAUSE_SECONDS: Final = 2.0
_LONGEST_PAUSE_SECONDS: Final = 60.0
# It says something every fifteen seconds; a proxy ends one that has not for 45.
_SILENT_SECONDS: Final = 90.0


@dataclass(frozen=True, slots=True)
class Visitor:
    """How a person reaches the pages: the address, the session's cookie, and the CA that is trusted."""

    url: str
    cookies: dict[str, str]
    authority: str

    def session(self) -> requests.Session:
        session = requests.Session()
        session.cookies.update(self.cookies)
        # What the environment says of authorities would count before this one.
        session.trust_env = False
        session.verify = self.authority
        return session


@dataclass(frozen=True, slots=True)
class Answer:
    """A page that was asked for: when, when its answer was there, and its status (0: none came)."""

    begun: float
    ended: float
    status: int


class Reader(threading.Thread):
    """Somebody who fetches one page after another, twice a second."""

    def __init__(self, visitor: Visitor, *paths: str) -> None:
        super().__init__(name=f"reader of {paths[0]}", daemon=True)
        self.answers: list[Answer] = []
        self._visitor = visitor
        self._paths = paths
        self._has_ended = threading.Event()

    def run(self) -> None:
        turn = 0
        while not self._has_ended.wait(_EVERY_SECONDS):
            # A connection each: where a browser's has died it opens another, and so meets either machine.
            with self._visitor.session() as browser:
                begun = time.monotonic()
                try:
                    address = self._visitor.url + self._paths[turn % len(self._paths)]
                    status = browser.get(address, timeout=_TIMEOUT_SECONDS, allow_redirects=False).status_code
                except requests.RequestException:
                    status = 0
                self.answers.append(Answer(begun, time.monotonic(), status))
            turn += 1

    def end(self) -> None:
        self._has_ended.set()
        self.join(2 * _TIMEOUT_SECONDS)

    def steady_since(self, moment: float) -> float | None:
        """When the first of the answers came since which there has been no failure, after the moment; None
        while there have been too few."""
        return steady_since(self.answers, moment)


def steady_since(answers: list[Answer], moment: float) -> float | None:
    """See `Reader.steady_since`. What was asked for before the moment counts if it failed after it."""
    since: list[Answer] = []
    for answer in list(answers):
        if answer.ended < moment:
            continue
        if answer.status != requests.codes.ok:
            since = []
        elif answer.begun >= moment:
            since.append(answer)
    return since[0].ended if len(since) >= _STEADY else None


class OpenStream(threading.Thread):
    """A browser's stream of events, opened again as the pages' script does."""

    def __init__(self, visitor: Visitor) -> None:
        super().__init__(name="stream", daemon=True)
        self.heard: list[float] = []
        self.opened: list[float] = []
        self._visitor = visitor
        self._has_ended = threading.Event()

    def run(self) -> None:
        pause = _FIRST_PAUSE_SECONDS
        while not self._has_ended.is_set():
            if self._listen():
                pause = _FIRST_PAUSE_SECONDS
            self._has_ended.wait(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    def _listen(self) -> bool:
        """Whether the stream was opened; returns when it has ended."""
        is_open = False
        try:
            with (
                self._visitor.session() as browser,
                browser.get(
                    f"{self._visitor.url}/handelser", stream=True, timeout=(_TIMEOUT_SECONDS, _SILENT_SECONDS)
                ) as answer,
            ):
                if answer.status_code != requests.codes.ok:
                    return False
                is_open = True
                self.opened.append(time.monotonic())
                for line in answer.iter_lines(chunk_size=1):
                    if line:
                        self.heard.append(time.monotonic())
                    if self._has_ended.is_set():
                        break
        except requests.RequestException:
            pass
        return is_open

    def end(self) -> None:
        self._has_ended.set()

    def heard_since(self, moment: float) -> float | None:
        """When it first said something after the moment."""
        return next((at for at in list(self.heard) if at >= moment), None)
