"""People at work in a node's pages, as their browsers ask: run by `benchmarks.people`.

    python -m benchmarks.people_at_work

reads one line of JSON on stdin (see `Plan`), opens the streams of events, as browsers do that have just
fetched their page, and says `ready`. Then at each line:

    work     ask for pages, so many a second, until the next line; then say how that went as JSON
    rest     nothing: the line that ends work
    restart  ask for pages, and say as JSON how long it took until every stream has said that it is there, and
             until all streams of the mailboxes on the rest of the line have been told to fetch again
    end      end

A person reads lists and conversations, searches, and writes answers: begun, saved while they are written,
reviewed, sent. What a stream says is done as the page's scripts do it: `changed` fetches the list, and the
conversation where one is shown; a browser whose stream ends opens it again.
"""

# ruff: noqa: T201

import asyncio
import contextlib
import json
import random
import re
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any, Final

import aiohttp

from benchmarks.figures import percentile

# What people ask for, in turn.
_WORK: Final = (
    *(
        "list",
        "conversation",
        "write",
        "search",
        "list",
        "conversation",
        "list",
        "write",
        "start page",
        "list",
    ),
    *("conversation", "write", "list", "conversation", "search", "list", "write", "conversation", "list"),
    "write",
)
# What people do not ask for themselves: their pages do, when a stream says so.
CAUSED: Final = ("list, fetched again", "conversation, fetched again", "presence", "draft on its way")
_QUESTIONS: Final = ("anmälan", "kallelse utredning", "soc", "svenson", "planering", "xyzxyz")
_LONGEST_SECONDS: Final = 30.0
_HTMX: Final = {"HX-Request": "true"}
_IN_BACKGROUND: Final = {**_HTMX, "X-Background": "1"}
# Its length is that of Django's secrets; any is right that cookie and header share.
_CSRF: Final = "b" * 32
_FIELD: Final = re.compile(r'name="(version|attachments|seen)"\s+value="([^"]*)"')
_SAVES: Final = 4
# Streams when the day begins.
_OPENED_A_SECOND: Final = 200
_KNOWN_SECONDS: Final = 20.0
_UNDO_SECONDS: Final = 10
_LOOKS_AGAIN_SECONDS: Final = 2


@dataclass(frozen=True)
class Plan:
    """Who works, and how: what the line on stdin holds.

    `people` are dictionaries with `session`, `mailbox`, `conversations` and `messages` (keys to read and to
    answer); every one of them has a stream, and the first `workers` ask for pages.
    """

    port: int
    cookie: str
    csrf_cookie: str
    rate: float
    workers: int
    recovery_seconds: float
    people: list[dict[str, Any]]


@dataclass
class Fared:
    """How requests went: milliseconds by kind, and in a word why some failed."""

    taken: dict[str, list[float]] = field(default_factory=dict)
    failures: Counter[str] = field(default_factory=Counter)
    begun: float = field(default_factory=time.perf_counter)

    def told(self, seconds: float) -> dict[str, Any]:
        """As JSON; `asked` are all requests of people themselves, without those that streams caused."""
        own = [value for kind, values in self.taken.items() if kind not in CAUSED for value in values]
        caused = [value for kind in CAUSED for value in self.taken.get(kind, ())]
        return {
            "seconds": seconds,
            "failures": dict(self.failures),
            "asked": _figures(own, seconds),
            "caused_by_streams": _figures(caused, seconds),
            "kinds": {kind: _figures(values, seconds) for kind, values in sorted(self.taken.items())},
        }


def _figures(values: list[float], seconds: float) -> dict[str, float]:
    ordered = sorted(values)
    return {
        "requests": len(ordered),
        "per_second": len(ordered) / seconds,
        "ms_p50": percentile(ordered, 50),
        "ms_p95": percentile(ordered, 95),
        "ms_p99": percentile(ordered, 99),
    }


class Browser:
    """One person's browser: its requests and its stream."""

    def __init__(self, http: aiohttp.ClientSession, plan: Plan, person: dict[str, Any]) -> None:
        self.person = person
        self.fared = Fared()
        self.shown: int | None = None
        self.is_open = False
        # When the stream first said since `expect` that it has the database again, and when to fetch again.
        self.heard_at: float | None = None
        self.told_at: float | None = None
        self._known_at = 0.0
        self._http = http
        self._url = f"http://127.0.0.1:{plan.port}"
        self._headers = {
            "Cookie": f"{plan.cookie}={person['session']}; {plan.csrf_cookie}={_CSRF}",
            "X-CSRFToken": _CSRF,
        }
        self._unread = cycle(person["conversations"] or [None])
        self._unanswered = cycle(person["messages"] or [None])
        self._writing: AsyncIterator[None] | None = None
        self._lock = asyncio.Lock()
        self._watches: asyncio.Task[None] | None = None
        self._stream: asyncio.Task[None] | None = None
        self._again: asyncio.Task[None] | None = None
        self._questions = cycle(_QUESTIONS)

    async def ask(
        self,
        kind: str,
        path: str,
        *,
        headers: dict[str, str] | None = None,
        data: dict[str, str] | None = None,
    ) -> str | None:
        """A page's text; None where it failed, which is counted."""
        begun = time.perf_counter()
        try:
            async with (
                asyncio.timeout(_LONGEST_SECONDS),
                self._http.request(
                    "POST" if data is not None else "GET",
                    self._url + path,
                    headers={**self._headers, **(headers or {})},
                    data=data,
                ) as answer,
            ):
                text = await answer.text()
        except TimeoutError:
            self.fared.failures[f"{kind}: no answer in time"] += 1
            return None
        except aiohttp.ClientError:
            self.fared.failures[f"{kind}: connection broken"] += 1
            return None
        if answer.status != 200:
            self.fared.failures[f"{kind}: status {answer.status}"] += 1
            return None
        self.fared.taken.setdefault(kind, []).append(1000 * (time.perf_counter() - begun))
        return text

    async def work(self, kind: str) -> None:
        """One request of a kind, as the person's work goes on."""
        match kind:
            case "start page":
                await self.ask(kind, "/")
            case "list":
                self._show(None)
                await self.ask(kind, f"/brevlada/{self.person['mailbox']}/")
            case "conversation":
                key = next(self._unread)
                self._show(key)
                path = f"/konversation/{key}/"
                await self.ask(kind, path, headers={**_HTMX, "HX-Target": "reading"})
            case "search":
                await self.ask(kind, "/sok", headers=_HTMX, data={"question": next(self._questions)})
            case "write":
                if not self._lock.locked():
                    async with self._lock:
                        await self._write()

    async def _write(self) -> None:
        self._writing = self._writing or self._answer()
        try:
            await anext(self._writing)
        except StopAsyncIteration:
            self._writing = None

    async def _answer(self) -> AsyncIterator[None]:
        """An answer, a request at a time."""
        page = await self.ask("answer: begin", f"/meddelande/{next(self._unanswered)}/svara", data={})
        draft, shown = _draft_in(page or ""), dict(_FIELD.findall(page or ""))
        yield
        if draft is None or "version" not in shown:
            if page is not None:
                self.fared.failures["answer: begin: another page"] += 1
            return
        path, version = f"/utkast/{draft}/", shown["version"]
        for number in range(1, _SAVES + 1):
            content = {"subject": "Svar på kallelse", "text": "Tack för ert meddelande. " * 8 * number}
            written = {"action": "autosave", "version": version, **content}
            saved = await self.ask("answer: save", path, data=written)
            version = str(json.loads(saved)["version"]) if saved else version
            yield
        reviewed = await self.ask("answer: review", f"{path}granska")
        yield
        shown = dict(_FIELD.findall(reviewed or "")) | {"confirmed": "on"}
        sent = await self.ask("answer: send", f"{path}granska", data=shown)
        if sent is not None and f"/utkast/{draft}/angra" not in sent:
            self.fared.failures["answer: send: another page"] += 1
        self._watches = asyncio.create_task(self._watch(path))
        yield

    async def _watch(self, path: str) -> None:
        """The page of a draft on its way asks whether it has been sent, until it can be undone no more."""
        for _ in range(_UNDO_SECONDS // _LOOKS_AGAIN_SECONDS):
            await asyncio.sleep(_LOOKS_AGAIN_SECONDS)
            await self.ask("draft on its way", path, headers=_IN_BACKGROUND)

    def fetched_page(self) -> None:
        """The page is as if it had just been fetched."""
        self._known_at = time.perf_counter()

    def expect(self) -> None:
        """Note when the stream says something from now on."""
        self.heard_at = self.told_at = None

    def listen(self) -> None:
        """Open the stream, instead of one that is open."""
        if self._stream is not None:
            self._stream.cancel()
        self._stream = asyncio.create_task(self._listen())

    def _show(self, conversation: int | None) -> None:
        if conversation != self.shown and self._stream is not None:
            self.shown = conversation
            self.listen()

    async def _listen(self) -> None:
        while True:
            shown = f"conversation={self.shown}&" if self.shown else ""
            is_known = time.perf_counter() - self._known_at < _KNOWN_SECONDS
            query = f"?{shown}{'continued=1' if is_known else ''}"
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                async with self._http.get(
                    f"{self._url}/handelser{query}",
                    headers=self._headers,
                    timeout=aiohttp.ClientTimeout(total=None, sock_connect=_LONGEST_SECONDS),
                ) as answer:
                    self.is_open = answer.status == 200
                    if self.is_open:
                        self._note_heard()
                    else:
                        self.fared.failures[f"stream: status {answer.status}"] += 1
                    async for line in answer.content:
                        if line == b": waiting\n":
                            self._note_heard()
                        if line.startswith(b"event: "):
                            self._known_at = time.perf_counter()
                            self._hear(line[7:].strip())
            # As the browser is told by `retry`, and the script does where it was refused.
            await asyncio.sleep(random.uniform(2, 6))  # noqa: S311

    def _note_heard(self) -> None:
        self.heard_at = self.heard_at or time.perf_counter()

    def _hear(self, event: bytes) -> None:
        self._note_heard()
        if event == b"here":
            return
        if event == b"changed":
            self.told_at = self.told_at or time.perf_counter()
        if self._again is None or self._again.done():
            self._again = asyncio.create_task(self._fetch_again(event))

    async def _fetch_again(self, event: bytes) -> None:
        if event == b"changed" and self.shown:
            path = f"/konversation/{self.shown}/"
            headers = {**_IN_BACKGROUND, "HX-Target": f"conversation-{self.shown}"}
            await self.ask("conversation, fetched again", path, headers=headers)
        if self.shown:
            await self.ask("presence", f"/konversation/{self.shown}/narvaro", headers=_IN_BACKGROUND)
        if event == b"changed":
            path = f"/brevlada/{self.person['mailbox']}/"
            headers = {**_IN_BACKGROUND, "HX-Target": "list"}
            await self.ask("list, fetched again", path, headers=headers)

    async def end(self) -> None:
        tasks = [task for task in (self._stream, self._again, self._watches) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _draft_in(page: str) -> str | None:
    found = re.search(r"/utkast/(\d+)/granska|/utkast/(\d+)/", page)
    return (found[1] or found[2]) if found else None


async def run(plan: Plan) -> None:
    """Obey the lines on stdin until `end`."""
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=3)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as http:
        browsers = [Browser(http, plan, person) for person in plan.people]
        for browser in browsers:
            browser.fetched_page()
            browser.listen()
            await asyncio.sleep(1 / _OPENED_A_SECOND)
        while not all(browser.is_open for browser in browsers):
            await asyncio.sleep(0.1)
        print("ready", flush=True)
        next_line = _lines()
        line = await next_line()
        while line != "end":
            if line == "work":
                asked = asyncio.create_task(next_line())
                print(json.dumps(await _work(plan, browsers, asked)), flush=True)
                line = asked.result()
                continue
            if line.startswith("restart"):
                print(json.dumps(await _recovery(plan, browsers, set(json.loads(line[7:])))), flush=True)
            line = await next_line()
        await asyncio.gather(*(browser.end() for browser in browsers))


def _lines() -> Callable[[], Coroutine[Any, Any, str]]:
    async def next_line() -> str:
        return (await asyncio.to_thread(sys.stdin.readline)).strip() or "end"

    return next_line


def _fresh(browsers: list[Browser]) -> Fared:
    """Count from now on, all browsers together."""
    together = Fared()
    for browser in browsers:
        browser.fared = together
    return together


async def _work(plan: Plan, browsers: list[Browser], until: "asyncio.Task[Any]") -> dict[str, Any]:
    fared = _fresh(browsers)
    requests: set[asyncio.Task[None]] = set()
    at_work = zip(cycle(browsers[: plan.workers]), _kinds(plan.workers), strict=False)
    for number, (browser, kind) in enumerate(at_work, 1):
        task = asyncio.create_task(browser.work(kind))
        requests.add(task)
        task.add_done_callback(requests.discard)
        # At its time, however long the others take.
        pause = max(0.0, fared.begun + number / plan.rate - time.perf_counter())
        done, _ = await asyncio.wait([until], timeout=pause)
        if done:
            break
    seconds = time.perf_counter() - fared.begun
    await asyncio.gather(*requests)
    return fared.told(seconds)


def _kinds(workers: int) -> Any:
    """Each person goes through the kinds of work, and neighbours are at different ones."""
    number = 0
    while True:
        person, turn = number % workers, number // workers
        yield _WORK[(person + turn) % len(_WORK)]
        number += 1


async def _recovery(plan: Plan, browsers: list[Browser], changed: set[int]) -> dict[str, Any]:
    for browser in browsers:
        browser.expect()
    begun = time.perf_counter()
    fared = await _work(plan, browsers, asyncio.create_task(asyncio.sleep(plan.recovery_seconds, "")))
    concerned = [browser for browser in browsers if browser.person["mailbox"] in changed]
    heard = _seconds(begun, (browser.heard_at for browser in browsers))
    told = _seconds(begun, (browser.told_at for browser in browsers))
    concerned_told = _seconds(begun, (browser.told_at for browser in concerned))
    return {
        "streams": len(browsers),
        "back": len(heard),
        "seconds_until_back": max(heard, default=0.0),
        "concerned": len(concerned),
        "concerned_told": len(concerned_told),
        "seconds_until_told": max(concerned_told, default=0.0),
        "told_to_fetch_again": len(told),
        "told_in_the_busiest_second": max(Counter(map(int, told)).values(), default=0),
        **fared,
    }


def _seconds(begun: float, moments: Iterable[float | None]) -> list[float]:
    return [moment - begun for moment in moments if moment is not None]


def main() -> int:
    asyncio.run(run(Plan(**json.loads(sys.stdin.readline()))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
