"""What an address book may answer without stopping, or filling, the node that copies it."""

import gzip
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.core.management import CommandError, call_command

from addressbook import book, synchronisation
from addressbook.models import FunctionAddress, Organisation, SyncRun
from addressbook.synchronisation import BookUnavailable, CopyFailed, synchronise

pytestmark = pytest.mark.django_db


class RawBook:
    """An address book that answers with whatever bytes a test gives it."""

    def __init__(self) -> None:
        self.pages: dict[str, bytes] = {}
        self.headers: dict[str, str] = {}
        self.sent = 0
        raw = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                body = raw.pages["organizations" if "organizations" in self.path else "addresses"]
                self.send_response(200)
                for name, value in raw.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                try:
                    for start in range(0, len(body), 1 << 16):
                        raw.sent += self.wfile.write(body[start : start + (1 << 16)])
                except OSError:
                    """The reader has gone."""

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/addressbook/api/"

    def fill(self, addresses: list[dict], **attributes) -> None:
        told = {"participantIdentifier": "0203:habo.se", "name": "Håbo kommun", **attributes}
        self.pages["organizations"] = page_of([{"id": "habo", "attributes": told}])
        self.pages["addresses"] = page_of(addresses)


def page_of(data: object, **more) -> bytes:
    return json.dumps({"data": data, "links": {}, **more}).encode()


def an_address(key: str, name: str = "Elevhälsan", **attributes) -> dict:
    return {
        "id": key,
        "attributes": {"identifier": f"sdk:{key}", "name": name, **attributes},
        "relationships": {"parent": {"data": {"type": "organizations", "id": "habo"}}},
    }


@pytest.fixture
def raw():
    one = RawBook()
    one.fill([an_address("h1")])
    yield one
    one.server.shutdown()
    one.server.server_close()


@pytest.mark.parametrize("character", ["\0", "\ud83d"])
def test_an_entry_with_what_cannot_be_stored_is_mended_and_told_and_the_rest_is_copied(raw, character):
    raw.fill(
        [
            an_address("h1"),
            an_address(
                "h2", f"Social{character}tjänst", searchWords=[f"a{character}"], more={character: [character]}
            ),
            an_address("h3"),
        ],
        name=f"Håbo{character}kommun",
    )
    run = synchronise(raw.url)
    assert run.error == ""
    assert FunctionAddress.objects.count() == 3
    assert {entry["id"] for entry in run.skipped} == {"h2", "habo"}
    assert "Social" not in json.dumps(run.skipped), "which, but nothing of what it says"
    assert synchronise(raw.url).changed == 0, "it is mended the same way every time"


@pytest.mark.parametrize("data", [b"a\xed\xa0\xbdb", b"a\xffb", b"a\0b"])
def test_bytes_that_are_no_text_spoil_nothing_but_their_own_text(raw, data):
    raw.fill([an_address("h1"), an_address("h2", "NAME")])
    raw.pages["addresses"] = raw.pages["addresses"].replace(b"NAME", data)
    assert synchronise(raw.url).error == ""
    names = dict(FunctionAddress.objects.values_list("book_id", "name"))
    assert names["h1"] == "Elevhälsan"
    assert names["h2"].startswith("a")


@pytest.mark.parametrize(
    "spoilt",
    [
        {"relationships": []},
        {"relationships": {"parent": "habo"}},
        {"relationships": {"parent": {"data": ["habo"]}}},
        {"attributes": None},
    ],
)
def test_an_entry_of_another_shape_is_skipped_and_told(raw, spoilt):
    raw.fill([an_address("h1"), {**an_address("h2"), **spoilt}])
    run = synchronise(raw.url)
    assert [entry["id"] for entry in run.skipped] == ["h2"]
    assert FunctionAddress.objects.count() == 1


@pytest.mark.parametrize("number", [b"1e999", b"NaN", b"9" * 5000])
def test_numbers_that_the_database_has_not_and_words_without_end_stop_nothing(raw, number):
    raw.fill([an_address("h1", weight="WEIGHT", searchWords=[f"{n:0256}" for n in range(10_000)])])
    raw.pages["addresses"] = raw.pages["addresses"].replace(b'"WEIGHT"', number)
    assert synchronise(raw.url).error == ""
    assert FunctionAddress.objects.get().source["weight"] is None


def test_an_entry_that_is_nested_beyond_belief_is_skipped_and_told(raw):
    raw.fill([an_address("h1"), an_address("h2", more="DEEP")])
    deep = b"[" * 400 + b"]" * 400
    raw.pages["addresses"] = raw.pages["addresses"].replace(b'"DEEP"', deep)
    run = synchronise(raw.url)
    assert [entry["id"] for entry in run.skipped] == ["h2"]
    assert FunctionAddress.objects.count() == 1


def test_an_entry_that_the_database_does_not_take_is_skipped_and_told(raw, monkeypatch):
    monkeypatch.setattr(book, "_kind", lambda text: "x" * 300)
    run = synchronise(raw.url)
    assert run.error == ""
    assert {entry["id"] for entry in run.skipped} == {"habo", "h1"}
    assert not Organisation.objects.exists()


@pytest.mark.parametrize(
    "links", [[], "x", 7, None, {"next": {"href": 7}}, {"next": ["x"]}, {"next": "addresses?page[size]=25"}]
)
def test_links_of_another_shape_end_the_collection_or_the_run_with_an_error(raw, links):
    raw.pages["addresses"] = page_of([an_address("h1")], links=links)
    try:
        synchronise(raw.url)
    except BookUnavailable:
        assert SyncRun.objects.get().error.startswith("BookUnavailable")
    else:
        assert SyncRun.objects.get().error == ""


def test_a_page_of_600_megabytes_from_600_kilobytes_of_gzip_is_refused_while_it_comes(raw):
    raw.headers["Content-Encoding"] = "gzip"
    beginning, end = page_of([an_address("h1", "NAME")]).split(b"NAME")
    raw.pages["organizations"] = gzip.compress(beginning + b"a" * 600_000_000 + end, 9)
    with pytest.raises(BookUnavailable, match="too long"):
        synchronise(raw.url)
    assert "too long" in SyncRun.objects.get().error


def test_a_page_that_goes_on_for_ever_is_left_at_the_limit(raw):
    raw.pages["organizations"] = b'{"data": [' + b"1," * (32 * 1024 * 1024)
    with pytest.raises(BookUnavailable, match="too long"):
        synchronise(raw.url)
    assert raw.sent < 32 * 1024 * 1024, "the rest was not fetched"


@pytest.mark.parametrize(
    "page", [b'{"data": ' + b"[" * 1_000_000, b'{"data": [' + b'{"a":' * 500_000, b"{", b"", b"[]", b"\0"]
)
def test_what_is_no_page_ends_the_run_with_an_error(raw, page):
    raw.pages["organizations"] = page
    with pytest.raises(BookUnavailable):
        synchronise(raw.url)
    assert SyncRun.objects.get().error.startswith("BookUnavailable: ")


def test_a_run_that_fails_of_what_nobody_foresaw_says_so_and_no_more(raw, monkeypatch, settings):
    def broken(*_: object) -> None:
        raise KeyError("Elevhälsan")

    monkeypatch.setattr(synchronisation, "refresh_search_columns", broken)
    with pytest.raises(CopyFailed):
        synchronise(raw.url)
    run = SyncRun.objects.get()
    assert run.error == "CopyFailed: KeyError"
    assert run.finished_at is not None
    settings.SDK_ADDRESS_BOOK_URL = raw.url
    with pytest.raises(CommandError, match="Nothing was changed"):
        call_command("sync_address_book")


def test_a_run_whose_worker_ends_says_so(raw, monkeypatch):
    def ended(*_: object) -> None:
        raise SystemExit

    monkeypatch.setattr(synchronisation, "refresh_search_columns", ended)
    with pytest.raises(SystemExit):
        synchronise(raw.url)
    assert SyncRun.objects.get().error == synchronisation.INTERRUPTED


def test_a_run_that_was_killed_is_said_to_be_so_by_a_later_one(raw):
    killed = SyncRun.objects.create()
    SyncRun.objects.update(started_at=killed.started_at - 2 * synchronisation._LONGEST_RUN)
    synchronise(raw.url)
    killed.refresh_from_db()
    assert killed.error == synchronisation.INTERRUPTED
