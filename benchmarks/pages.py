"""How long the pages take in a node with a million messages: whole requests, without the network.

    python -m benchmarks.pages [--messages 1000000] [--directory DIR] [--json FILE]

The node is `testbed.realistic_node`'s. Every page is asked for by somebody in five mailboxes, or in all
200 where that is dearer, for ever new mailboxes, conversations and places in the list; the first requests
of each kind warm the caches and are not counted. `--directory` keeps the database, to be used again.
"""

# ruff: noqa: S311, T201

import argparse
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from testbed.services import Postgres

REQUESTS = 60
WARM = 10
PAGE, SEARCH, TYPING = 100, 200, 50
QUESTIONS = {
    "a common word": "anmälan",
    "another form of it": "socialkontor",
    "two words": "kallelse utredning",
    "the end of compounds": "planering",
    "a beginning": "soc",
    "misspelt": "svenson",
    "misspelt, without dots": "orosanmalan",
    "a reference": "SN2026000777",
    "a number that nobody wrote": "191212121212",
    "a word that nobody wrote": "xyzxyz",
}
TYPED = (
    "soc|social|elevh|kommun|barn och|färdtj|budget|hemsjuk|omso|miljötil|fardtjänst|bygg lov|socialjänst|re"
)


@dataclass(frozen=True)
class Figure:
    """What a kind of request took: milliseconds. `most` is what 95 of 100 should stay below, if anything."""

    kind: str
    requests: int
    median: float
    p95: float
    most: int

    @property
    def is_met(self) -> bool:
        return not self.most or self.p95 <= self.most


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--directory", type=Path)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--requests", type=int, default=REQUESTS)
    parser.add_argument("--only", default="", help="kinds whose names hold this")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sdkportal-bench-") as temporary:
        directory = options.directory or Path(temporary)
        postgres = Postgres(directory)
        postgres.start()
        try:
            postgres.ensure_database("pages")
            os.environ |= {
                "SDK_DEMO": "1",
                "SDK_DATABASE_URL": postgres.url("pages"),
                "SDK_DATA_DIR": str(directory / "data"),
                "SDK_LOG_LEVEL": "ERROR",
                "DJANGO_SETTINGS_MODULE": "sdkportal.settings",
            }
            import django

            django.setup()
            _fill(options.messages)
            figures = list(_figures(options.requests, options.only))
        finally:
            postgres.stop()
    if options.json:
        options.json.write_text(json.dumps([asdict(figure) for figure in figures], indent=1))
    return 0


def _fill(messages: int) -> None:
    """Make the node, unless it is there."""
    from django.core.management import call_command

    from mailbox.models import Message
    from testbed.realistic_node import Size, make

    call_command("migrate", verbosity=0)
    if Message.objects.exists():
        return
    begun = time.monotonic()
    make(
        Size(messages=messages),
        tell=lambda line: print(f"{time.monotonic() - begun:6.0f} s  {line}", flush=True),
    )
    print(f"made in {time.monotonic() - begun:.0f} s")


def _figures(requests: int, only: str) -> Iterator[Figure]:
    print(f"{'':44}{'median':>8}{'95 of 100':>11}{'at most':>9}   ms")
    for kind, most, ask in _kinds():
        if only not in kind:
            continue
        taken = sorted([_taken(ask, number) for number in range((requests if most else 5) + WARM)][WARM:])
        p95 = taken[min(len(taken) - 1, round(0.95 * len(taken)))]
        figure = Figure(kind, len(taken), round(statistics.median(taken), 1), round(p95, 1), most)
        mark = "" if figure.is_met else "   too slow"
        print(f"{kind:44}{figure.median:8.1f}{figure.p95:11.1f}{most:9}{mark}", flush=True)
        yield figure


def _taken(ask: Callable[[int], Any], number: int) -> float:
    begun = time.perf_counter()
    answer = ask(number)
    taken = (time.perf_counter() - begun) * 1000
    if answer.status_code != 200:
        raise SystemExit(f"{answer.request['PATH_INFO']}: {answer.status_code}")
    return taken


def _kinds() -> Iterator[tuple[str, int, Callable[[int], Any]]]:
    """What is asked for: (kind, most milliseconds, request by number)."""
    from addressbook.models import Category
    from mailbox.inbox import View, page_of, reference_hash
    from mailbox.models import Conversation, FunctionMailbox, Person

    boxes = list(FunctionMailbox.objects.order_by("pk"))
    few, everywhere = (_client(subject) for subject in ("few", "everywhere"))
    person = Person.add("everywhere", "")[0]
    draw = random.Random(6)

    def one_of(sizes: str) -> list[int]:
        rows = {
            "short": Conversation.objects.filter(message_count__lt=6),
            "long": Conversation.objects.filter(message_count__gte=100),
        }[sizes]
        keys = list(rows.filter(mailbox__in=boxes[:5]).values_list("pk", flat=True)[:5000])
        draw.shuffle(keys)
        return keys

    yield "start page, five mailboxes", PAGE, lambda number: few.get("/")
    yield "start page, all mailboxes", PAGE, lambda number: everywhere.get("/")
    for view in View:
        yield (
            f"mailbox, {view.name.lower()}",
            PAGE,
            lambda number, view=view: few.get(f"/brevlada/{boxes[number % 5].pk}/?vy={view}"),
        )
    deep: list[str] = []
    after = ""
    for _ in range(40):
        after = page_of(boxes[0], person, after, view=View.DONE).after
        deep.append(after)
    yield (
        "mailbox, further pages",
        PAGE,
        lambda number: few.get(f"/brevlada/{boxes[0].pk}/", {"vy": "klara", "efter": deep[number % 40]}),
    )
    counterparts = list(
        Conversation.objects.filter(mailbox=boxes[0]).values_list("counterpart", flat=True)[:500]
    )
    yield (
        "mailbox, by organisation or function",
        PAGE,
        lambda number: few.get(
            f"/brevlada/{boxes[0].pk}/",
            {"vy": "klara", "motpart": counterparts[number * 7 % 500].split(",")[0]},
        ),
    )
    yield (
        "mailbox, by what is not there",
        PAGE,
        lambda number: few.get(f"/brevlada/{boxes[0].pk}/", {"vy": "klara", "motpart": f"xyz{number}"}),
    )
    yield (
        "mailbox, by reference",
        PAGE,
        lambda number: few.get(
            f"/brevlada/{boxes[0].pk}/",
            {
                "vy": "klara",
                "beteckning": f"{reference_hash(boxes[0], f'SN 2026/{number * 37:06d}') & (2**64 - 1):016x}",
            },
        ),
    )
    yield (
        "mailbox, with attachments since a day",
        PAGE,
        lambda number: few.get(
            f"/brevlada/{boxes[0].pk}/",
            {"vy": "klara", "bilagor": "on", "sekretess": "on", "till": f"2025-{1 + number % 12:02d}-15"},
        ),
    )
    short, long = one_of("short"), one_of("long")
    yield (
        "conversation, one to five messages",
        PAGE,
        lambda number: few.get(f"/konversation/{short[number]}/"),
    )
    yield (
        "conversation, hundreds of messages",
        PAGE,
        lambda number: few.get(f"/konversation/{long[number % len(long)]}/"),
    )
    categories = list(Category.objects.values_list("pk", flat=True))
    yield "address book", PAGE, lambda number: few.get("/adressbok/")
    yield (
        "address book, an organisation",
        PAGE,
        lambda number: few.get(f"/adressbok/organisation/{number + 1}/"),
    )
    yield (
        "address book, by category",
        PAGE,
        lambda number: few.get(f"/adressbok/kategori/{categories[number % len(categories)]}/"),
    )
    typed = TYPED.split("|")
    yield (
        "address book, as somebody types",
        TYPING,
        lambda number: few.get(
            "/adressbok/sok", {"q": typed[number % len(typed)]}, headers={"HX-Request": "true"}
        ),
    )
    administers, audits = _client("administers"), _client("audits")
    for name, address in _ADMINISTRATION.items():
        yield f"administration, {name}", PAGE, lambda number, address=address: administers.get(address)
    # A month of a million messages is added up: nothing was asked of it.
    yield (
        "statistics of a month, all mailboxes",
        0,
        lambda number: administers.get("/administration/statistik"),
    )
    yield "access log", PAGE, lambda number: audits.get("/administration/atkomstlogg")
    for name, question in QUESTIONS.items():
        for seen, client in (("five", few), ("all", everywhere)):
            yield (
                f"search in {seen}: {name}",
                SEARCH,
                lambda number, question=question, client=client: client.post(
                    "/sok", {"fraga": question}, headers={"HX-Request": "true"}
                ),
            )


_ADMINISTRATION = {
    "overview": "/administration/",
    "people": "/administration/personer",
    "functions": "/administration/funktioner/",
    "retention": "/administration/gallring/",
    "log": "/administration/logg",
}


def _client(subject: str) -> Any:
    from django.test import Client

    from mailbox.models import Person

    client = Client(headers={"host": "localhost"})
    client.force_login(Person.add(subject, subject)[0], backend="mailbox.login.EidBackend")
    return client


if __name__ == "__main__":
    sys.exit(main())
