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
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psutil

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
    "soc|social|elevh|kommun|upps|stockholm soc|barn och|färdtj|budget|hemsjuk|omso|miljötil|fardtjänst|"
    "bygg lov|socialjänst|re"
)


@dataclass(frozen=True)
class Figure:
    """What a kind of request took: milliseconds. `most` is what 95 of 100 should stay below, if anything;
    `cpu` is a request's share of the processors' time, which others on the machine change little."""

    kind: str
    requests: int
    median: float
    p95: float
    cpu: float
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
            _fill(options.messages, directory / "made")
            # As the server does when it starts.
            from sdkportal.startup.garbage_collection import freeze_loaded_code

            freeze_loaded_code()
            figures = list(_figures(options.requests, options.only))
            # What else the machine did makes figures larger: the load is this program's own below two.
            print("load of the machine, 1, 5 and 15 minutes:", *(f"{one:.1f}" for one in os.getloadavg()))
        finally:
            postgres.stop()
    if options.json:
        options.json.write_text(json.dumps([asdict(figure) for figure in figures], indent=1))
    return 0


def _fill(messages: int, mark: Path) -> None:
    """Make the node, unless it is there; one that was left half made is no node."""
    from django.core.management import call_command

    from mailbox.models import Message
    from testbed.realistic_node import Size, make

    call_command("migrate", verbosity=0)
    if mark.exists():
        return
    if Message.objects.exists():
        sys.exit(f"The node in {mark.parent} was left half made; remove it.")
    begun = time.monotonic()
    make(
        Size(messages=messages),
        tell=lambda line: print(f"{time.monotonic() - begun:6.0f} s  {line}", flush=True),
    )
    mark.touch()
    print(f"made in {time.monotonic() - begun:.0f} s")


def _figures(requests: int, only: str) -> Iterator[Figure]:
    print(f"{'':50}{'median':>8}{'95 of 100':>11}{'CPU':>7}{'at most':>9}   ms")
    for kind, most, ask in _kinds():
        if only not in kind:
            continue
        for number in range(WARM):
            _taken(ask, number)
        cpu = _cpu_seconds()
        taken = sorted(_taken(ask, WARM + number) for number in range(requests if most else 5))
        cpu = (_cpu_seconds() - cpu) * 1000 / len(taken)
        p95 = taken[min(len(taken) - 1, round(0.95 * len(taken)))]
        figure = Figure(
            kind, len(taken), round(statistics.median(taken), 1), round(p95, 1), round(cpu, 1), most
        )
        mark = "" if figure.is_met else "   too slow"
        told = f"{figure.median:8.1f}{figure.p95:11.1f}{figure.cpu:7.1f}{most or '':9}{mark}"
        print(f"{kind:50}{told}", flush=True)
        yield figure


def _cpu_seconds() -> float:
    """What this process and its server in the database have used."""
    from django.db import connection

    server = psutil.Process(connection.connection.info.backend_pid).cpu_times()
    return time.process_time() + server.user + server.system


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
    from mailbox.models import Conversation, FunctionMailbox, Label, Message, Person
    from mailbox.workplace.inbox import Status, View, reference_hash
    from mailbox.workplace.list_order import Order

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
            partial(lambda view, number: few.get(f"/brevlada/{boxes[number % 5].pk}/?vy={view}"), view),
        )
    for view, order in (
        (View.DONE, Order.LATEST),
        (View.INBOX, Order.OLDEST),
        (View.INBOX, Order.DUE),
        (View.UNASSIGNED, Order.REMINDER),
    ):
        name = f"mailbox, {view.name.lower()}, {order.name.lower()} first"
        address = f"/brevlada/{boxes[0].pk}/?" + urlencode({"vy": view, "ordning": order})
        yield name, PAGE, partial(lambda address, number: few.get(address), address)
        deep = _keys_of_pages(boxes[0], person, view, order)
        yield (
            f"{name}, further pages",
            PAGE,
            partial(
                lambda address, deep, number: few.get(
                    f"{address}&{urlencode({'efter': deep[number % len(deep)]})}"
                ),
                address,
                deep,
            ),
        )
    for status in Status:
        yield (
            f"mailbox, sent, {status.name.lower()}",
            PAGE,
            partial(
                lambda status, number: few.get(
                    f"/brevlada/{boxes[number % 5].pk}/?{urlencode({'vy': View.SENT, 'lage': status})}"
                ),
                status,
            ),
        )
    written_to = list(Message.objects.filter(conversation__mailbox=boxes[0]).order_by("?")[:100])
    labels = list(Label.objects.filter(mailbox=boxes[0]).values_list("pk", flat=True)) or [0]
    narrowed: dict[str, Callable[[int], dict[str, object]]] = {
        "organisation": lambda number: {"organisation": written_to[number].counterpart_organisation},
        "part of an organisation's name": lambda number: {"organisation": "kommun"},
        "function": lambda number: {"funktion": written_to[number].counterpart_function},
        "function and organisation": lambda number: {
            "funktion": written_to[number].counterpart_function,
            "organisation": written_to[number].counterpart_organisation,
        },
        "an organisation that is not there": lambda number: {"organisation": f"xyz{number}"},
        "label": lambda number: {"etikett": labels[number % len(labels)]},
        "reference": lambda number: {
            "beteckning": f"{reference_hash(boxes[0], f'SN 2026/{number * 37:06d}') & (2**64 - 1):016x}"
        },
        "attachments, confidential, until a day": lambda number: {
            "bilagor": "on",
            "sekretess": "on",
            "till": f"2025-{1 + number % 12:02d}-15",
        },
    }
    for name, chosen in narrowed.items():
        yield (
            f"mailbox, by {name}",
            PAGE,
            partial(
                lambda chosen, number: few.get(
                    f"/brevlada/{boxes[0].pk}/", {"vy": View.DONE, **chosen(number)}
                ),
                chosen,
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
        yield (
            f"administration, {name}",
            PAGE,
            partial(lambda address, number: administers.get(address), address),
        )
    # A month of a million messages is added up: nothing was asked of it.
    yield (
        "statistics of a month, all mailboxes",
        0,
        lambda number: administers.get("/administration/statistik"),
    )
    audited: dict[str, Callable[[int], dict[str, object]]] = {
        "access log": lambda number: {},
        "access log, further pages": lambda number: {"fore": 400_000 - number * 5_000},
        "access log, of a person": lambda number: {"vem": number + 1},
        "access log, of a mailbox": lambda number: {"brevlada": number + 1},
        "access log, what is done seldom": lambda number: {"vad": "role-given"},
        "access log, until a day": lambda number: {"till": f"2025-{1 + number % 12:02d}-15"},
    }
    for name, narrowing in audited.items():
        yield (
            name,
            PAGE,
            partial(
                lambda narrowing, number: audits.get("/administration/atkomstlogg", narrowing(number)),
                narrowing,
            ),
        )
    for name, question in QUESTIONS.items():
        for seen, client in (("five", few), ("all", everywhere)):
            yield (
                f"search in {seen}: {name}",
                SEARCH,
                partial(
                    lambda question, client, number: client.post(
                        "/sok", {"question": question}, headers={"HX-Request": "true"}
                    ),
                    question,
                    client,
                ),
            )


def _keys_of_pages(mailbox: Any, person: Any, view: Any, order: Any) -> list[str]:
    """Where pages begin: the second to the hundredth."""
    from mailbox.workplace.inbox import page_of

    found, after = [], ""
    for _ in range(100):
        after = page_of(mailbox, person, after, view=view, order=order).after
        if not after:
            break
        found.append(after)
    return found or [""]


_ADMINISTRATION = {
    "overview": "/administration/",
    "a mailbox": "/administration/brevlada/1/",
    "people": "/administration/personer",
    "functions": "/administration/funktioner/",
    "differences from the address book": "/administration/funktioner/skillnad",
    "retention": "/administration/gallring/",
    "a retention rule": "/administration/gallring/1/done",
    "routing": "/administration/vagval",
    "certificates": "/administration/certifikat/",
    "quarantine": "/administration/karantan/",
    "transfers": "/administration/overforingar",
    "log": "/administration/logg",
}


def _client(subject: str) -> Any:
    from django.test import Client

    from mailbox.models import Person

    client = Client(headers={"host": "localhost"})
    client.force_login(Person.add(subject, subject)[0], backend="mailbox.accounts.login.EidBackend")
    return client


if __name__ == "__main__":
    sys.exit(main())
