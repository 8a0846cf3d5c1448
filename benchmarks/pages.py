"""How long the pages take in a node with a million messages: whole requests, without the network.

    python -m benchmarks.pages [--messages 1000000] [--directory DIR] [--json FILE]

The node is that of `testbed.realistic_node`. A member of five mailboxes requests every page, or a member of
all 200 where that costs more; each request is for another mailbox, conversation or page of a list. The first
requests of each kind fill the caches and are not counted. `--directory` keeps the database for another run.
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

from benchmarks.realistic import realistic_node

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
    """How long requests of a kind took, in milliseconds.

    `most` is the limit for 95 of 100 requests, 0 where there is none; `cpu` is the processor time of a
    request, which other programs on the machine change little.
    """

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
    """Measure all pages and print the figures; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--directory", type=Path)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--requests", type=int, default=REQUESTS)
    parser.add_argument("--only", default="", help="only kinds whose names contain this text")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="sdkportal-bench-") as temporary,
        realistic_node(options.directory or Path(temporary), messages=options.messages),
    ):
        # The server does this when it starts, too.
        from sdkportal.startup.garbage_collection import collect_rarely, freeze_loaded_code

        freeze_loaded_code()
        collect_rarely()
        figures = list(_figures(options.requests, options.only))
        # Below two the load is that of this program; above, other programs make the figures larger.
        print("load of the machine, 1, 5 and 15 minutes:", *(f"{load:.1f}" for load in os.getloadavg()))
    if options.json:
        options.json.write_text(json.dumps([asdict(figure) for figure in figures], indent=1))
    return 0


def _figures(requests: int, only: str) -> Iterator[Figure]:
    print(f"{'':50}{'median':>8}{'95 of 100':>11}{'CPU':>7}{'at most':>9}   ms")
    for kind, most, ask in _kinds():
        if only not in kind:
            continue
        for number in range(WARM):
            _milliseconds(ask, number)
        cpu = _cpu_seconds()
        durations = sorted(_milliseconds(ask, WARM + number) for number in range(requests if most else 5))
        cpu = (_cpu_seconds() - cpu) * 1000 / len(durations)
        p95 = durations[min(len(durations) - 1, round(0.95 * len(durations)))]
        figure = Figure(
            kind, len(durations), round(statistics.median(durations), 1), round(p95, 1), round(cpu, 1), most
        )
        mark = "" if figure.is_met else "   too slow"
        columns = f"{figure.median:8.1f}{figure.p95:11.1f}{figure.cpu:7.1f}{most or '':9}{mark}"
        print(f"{kind:50}{columns}", flush=True)
        yield figure


def _cpu_seconds() -> float:
    """The CPU seconds that this process and its PostgreSQL backend have used."""
    from django.db import connection

    server = psutil.Process(connection.connection.info.backend_pid).cpu_times()
    return time.process_time() + server.user + server.system


def _milliseconds(ask: Callable[[int], Any], number: int) -> float:
    begun = time.perf_counter()
    response = ask(number)
    milliseconds = (time.perf_counter() - begun) * 1000
    if response.status_code != 200:
        raise SystemExit(f"{response.request['PATH_INFO']}: {response.status_code}")
    return milliseconds


def _kinds() -> Iterator[tuple[str, int, Callable[[int], Any]]]:
    """The kinds of requests: (name, limit in milliseconds, the request with a given number)."""
    from addressbook.models import Category
    from mailbox.models import Conversation, FunctionMailbox, Label, Message, Person
    from mailbox.workplace.inbox import Status, View, reference_hash
    from mailbox.workplace.list_order import Order

    boxes = list(FunctionMailbox.objects.order_by("pk"))
    few, everywhere = (_client(subject) for subject in ("few", "everywhere"))
    person = Person.add("everywhere", "")[0]
    rng = random.Random(6)

    def conversations(length: str) -> list[int]:
        rows = {
            "short": Conversation.objects.filter(message_count__lt=6),
            "long": Conversation.objects.filter(message_count__gte=100),
        }[length]
        keys = list(rows.filter(mailbox__in=boxes[:5]).values_list("pk", flat=True)[:5000])
        rng.shuffle(keys)
        return keys

    yield "start page, five mailboxes", PAGE, lambda number: few.get("/")
    yield "start page, all mailboxes", PAGE, lambda number: everywhere.get("/")
    for view in View:
        yield (
            f"mailbox, {view.name.lower()}",
            PAGE,
            partial(lambda view, number: few.get(f"/brevlada/{boxes[number % 5].pk}/?view={view}"), view),
        )
    for view, order in (
        (View.DONE, Order.LATEST),
        (View.INBOX, Order.OLDEST),
        (View.INBOX, Order.DUE),
        (View.UNASSIGNED, Order.REMINDER),
    ):
        name = f"mailbox, {view.name.lower()}, {order.name.lower()} first"
        address = f"/brevlada/{boxes[0].pk}/?" + urlencode({"view": view, "order": order})
        yield name, PAGE, partial(lambda address, number: few.get(address), address)
        deep = _keys_of_pages(boxes[0], person, view, order)
        yield (
            f"{name}, further pages",
            PAGE,
            partial(
                lambda address, deep, number: few.get(
                    f"{address}&{urlencode({'after': deep[number % len(deep)]})}"
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
                    f"/brevlada/{boxes[number % 5].pk}/?{urlencode({'view': View.SENT, 'status': status})}"
                ),
                status,
            ),
        )
    written_to = list(Message.objects.filter(conversation__mailbox=boxes[0]).order_by("?")[:100])
    labels = list(Label.objects.filter(mailbox=boxes[0]).values_list("pk", flat=True)) or [0]
    narrowed: dict[str, Callable[[int], dict[str, object]]] = {
        "organisation": lambda number: {"organisation": written_to[number].counterpart_organisation},
        "part of an organisation's name": lambda number: {"organisation": "kommun"},
        "function": lambda number: {"function": written_to[number].counterpart_function},
        "function and organisation": lambda number: {
            "function": written_to[number].counterpart_function,
            "organisation": written_to[number].counterpart_organisation,
        },
        "an organisation that is not there": lambda number: {"organisation": f"xyz{number}"},
        "label": lambda number: {"label": labels[number % len(labels)]},
        "reference": lambda number: {
            "reference": f"{reference_hash(boxes[0], f'SN 2026/{number * 37:06d}') & (2**64 - 1):016x}"
        },
        "attachments, confidential, until a day": lambda number: {
            "attachments": "on",
            "confidential": "on",
            "until": f"2025-{1 + number % 12:02d}-15",
        },
    }
    for name, chosen in narrowed.items():
        yield (
            f"mailbox, by {name}",
            PAGE,
            partial(
                lambda chosen, number: few.get(
                    f"/brevlada/{boxes[0].pk}/", {"view": View.DONE, **chosen(number)}
                ),
                chosen,
            ),
        )
    across: dict[str, Callable[[int], dict[str, object]]] = {
        "inbox": lambda number: {},
        "unassigned, oldest first": lambda number: {"view": View.UNASSIGNED, "order": Order.OLDEST},
        "done": lambda number: {"view": View.DONE},
        "done, some mailboxes": lambda number: {
            "view": View.DONE,
            "mailboxes": ".".join(str(box.pk) for box in boxes[number % 50 :: 7]),
        },
        "sent, due": lambda number: {"view": View.SENT, "status": Status.DUE},
        "sent, not delivered": lambda number: {"view": View.SENT, "status": Status.FAILED},
        "done, prioritised": lambda number: {"view": View.DONE, "status": Status.PRIORITY},
        "done, by organisation": lambda number: {
            "view": View.DONE,
            "organisation": written_to[number].counterpart_organisation,
        },
        "done, an organisation that is not there": lambda number: {
            "view": View.DONE,
            "organisation": f"xyz{number}",
        },
        "done, label": lambda number: {"view": View.DONE, "label_name": "Brådskande"},
        "done, further pages": lambda number: {
            "view": View.DONE,
            "after": f"2025-{1 + number % 12:02d}-15T12:00:00+00:00_1",
        },
    }
    for name, chosen in across.items():
        yield (
            f"all mailboxes, {name}",
            PAGE,
            partial(lambda chosen, number: everywhere.get("/vyer/", chosen(number)), chosen),
        )
    short, long = conversations("short"), conversations("long")
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
    yield "to approve", PAGE, lambda number: few.get("/godkanna/")
    yield "rules on arrival", PAGE, lambda number: few.get(f"/brevlada/{boxes[0].pk}/regler")
    trying = {"version": "0", "name": "Regel", "words": "orosanmäl*", "is_priority": "on", "action": "try"}
    yield (
        "a rule on arrival, tried on a hundred messages",
        PAGE,
        lambda number: few.post(f"/brevlada/{boxes[0].pk}/regler/ny", trying),
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
    # No limit: it adds up a month of a node with a million messages.
    yield (
        "statistics of a month, all mailboxes",
        0,
        lambda number: administers.get("/administration/statistik"),
    )
    # No limit: they add up a year's days.
    for kind, path in (
        ("figures of departments, a year", "/administration/avdelningsstatistik?period=year"),
        ("counterparts in figures, a year", "/administration/avdelningsstatistik/motparter?period=year"),
        ("costs of a year", "/administration/kostnader"),
    ):
        yield kind, 0, partial(lambda path, number: administers.get(path), path)
    audited: dict[str, Callable[[int], dict[str, object]]] = {
        "access log": lambda number: {},
        "access log, further pages": lambda number: {"before": 400_000 - number * 5_000},
        "access log, of a person": lambda number: {"actor": number + 1},
        "access log, of a mailbox": lambda number: {"mailbox": number + 1},
        "access log, a rare code": lambda number: {"what": "role-given"},
        "access log, until a day": lambda number: {"until": f"2025-{1 + number % 12:02d}-15"},
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
    """The positions at which the second to the hundredth page of a list begin."""
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
    "case systems": "/administration/arendesystem",
    "a retention rule": "/administration/gallring/1/done",
    "routing": "/administration/vagval",
    "certificates": "/administration/certifikat/",
    "quarantine": "/administration/karantan/",
    "transfers": "/administration/overforingar",
    "log": "/administration/logg",
    "staffed hours": "/administration/bemanning/",
    "automatic answers": "/administration/bemanning/automatiska-svar/",
    "directory service": "/administration/katalogtjanst/",
    "departments": "/administration/avdelningar",
    "price lists": "/administration/prislistor",
    "clients": "/administration/klienter/",
    "other message services": "/administration/meddelandetjanster/",
    "name and logo": "/administration/identitet",
    "service status": "/administration/driftlage/",
    "operations check": "/administration/drift/",
    "counterparts": "/administration/motparter/",
    "approval of a mailbox": "/administration/brevlada/1/godkannande",
}


def _client(subject: str) -> Any:
    from django.test import Client

    from mailbox.models import Person

    client = Client(headers={"host": "localhost"})
    client.force_login(Person.add(subject, subject)[0], backend="mailbox.accounts.login.EidBackend")
    return client


if __name__ == "__main__":
    sys.exit(main())
