"""The copy of the address book: incremental, atomic, and tolerant of what single entries lack."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core.management import CommandError, call_command

from addressbook import tasks
from addressbook.lookup import function_address, names_of
from addressbook.models import FunctionAddress, Organisation, SyncRun
from addressbook.synchronisation import CopyRefused, synchronise

pytestmark = pytest.mark.django_db


class Book:
    """An address book over HTTP, whose content a test changes."""

    def __init__(self) -> None:
        self.organisations: dict[str, dict] = {}
        self.addresses: dict[str, dict] = {}
        self.page_size = 2
        self.broken = False
        self.requests = 0
        book = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                book.requests += 1
                url = urlsplit(self.path)
                number = int(parse_qs(url.query).get("page[number]", ["1"])[0])
                items = list((book.organisations if "organizations" in url.path else book.addresses).values())
                start = (number - 1) * book.page_size
                links = {}
                if start + book.page_size < len(items):
                    links["next"] = f"{book.url}{url.path.rsplit('/', 1)[1]}?page[number]={number + 1}"
                if book.broken and number > 1:
                    self.send_error(500)
                    return
                body = json.dumps({"meta": {}, "links": links, "data": items[start : start + book.page_size]})
                self.send_response(200)
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_):
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/addressbook/api/"

    def organisation(self, key: str, name: str, **attributes) -> None:
        told = {"participantIdentifier": f"0203:{key}.se", "name": name, "type": "O", "unknown": {"x": 1}}
        self.organisations[key] = {"id": key, "attributes": {**told, **attributes}}

    def address(self, key: str, parent: str, name: str, **attributes) -> None:
        self.addresses[key] = {
            "id": key,
            "attributes": {"identifier": f"sdk:{key}", "name": name, **attributes},
            "relationships": {"parent": {"data": {"type": "organizations", "id": parent}}},
        }


@pytest.fixture
def book():
    one = Book()
    one.organisation("habo", "Håbo kommun")
    one.organisation("af", "Arbetsförmedlingen")
    one.organisation("fk", "Försäkringskassan", type="ou")
    one.address("h1", "habo", "Socialtjänsten")
    one.address("h2", "habo", "Elevhälsan")
    one.address("a1", "af", "Avdelningen för arbetsträning", description="Praktik")
    yield one
    one.server.shutdown()


def test_the_whole_book_is_copied_page_by_page(book):
    run = synchronise(book.url)
    assert (run.added, run.changed, run.gone, run.skipped) == (6, 0, 0, [])
    assert Organisation.objects.get(book_id="fk").kind == "UO"
    assert Organisation.objects.get(book_id="habo").source["unknown"] == {"x": 1}
    assert function_address("0203:af.se", "sdk:a1").name == "Avdelningen för arbetsträning"


def test_a_run_without_changes_writes_nothing_but_its_record(book, django_assert_max_num_queries):
    synchronise(book.url)
    run = synchronise(book.url)
    assert (run.added, run.changed, run.gone) == (0, 0, 0)
    with django_assert_max_num_queries(8) as captured:
        synchronise(book.url)
    written = [q["sql"] for q in captured if q["sql"].startswith(("INSERT", "UPDATE"))]
    assert all("addressbook_syncrun" in sql for sql in written)


def test_what_disappeared_is_marked_and_cannot_be_chosen_and_may_come_back(book):
    synchronise(book.url)
    gone = book.addresses.pop("a1")
    assert synchronise(book.url).gone == 1
    assert function_address("0203:af.se", "sdk:a1") is None
    assert names_of("0203:af.se", "sdk:a1") == ("Arbetsförmedlingen", "Avdelningen för arbetsträning")
    book.addresses["a1"] = gone
    assert synchronise(book.url).changed == 1
    assert function_address("0203:af.se", "sdk:a1") is not None


def test_a_failed_run_leaves_the_old_copy_whole(book):
    synchronise(book.url)
    book.address("a1", "af", "Nytt namn")
    book.broken = True
    with pytest.raises(Exception, match="HTTP 500"):
        synchronise(book.url)
    assert FunctionAddress.objects.get(book_id="a1").name == "Avdelningen för arbetsträning"
    assert SyncRun.objects.first().error.startswith("BookUnavailable")


def test_a_book_that_lost_most_of_itself_is_refused_unless_forced(book, settings):
    synchronise(book.url)
    book.addresses = {"h1": book.addresses["h1"]}
    with pytest.raises(CopyRefused):
        synchronise(book.url)
    assert FunctionAddress.objects.filter(gone_at=None).count() == 3
    settings.SDK_ADDRESS_BOOK_URL = book.url
    with pytest.raises(CommandError, match="--force"):
        call_command("sync_address_book")
    call_command("sync_address_book", "--force")
    assert FunctionAddress.objects.filter(gone_at=None).count() == 1


def test_entries_that_cannot_be_used_are_skipped_and_told(book):
    book.address("bad1", "habo", "x" * 300)
    book.address("bad2", "nobody", "Utan organisation")
    book.addresses["bad3"] = {"id": "bad3"}
    run = synchronise(book.url)
    assert {entry["id"] for entry in run.skipped} == {"bad1", "bad2", "bad3"}
    assert FunctionAddress.objects.count() == 3


def test_a_next_link_to_another_server_is_not_followed(book):
    book.organisations["x"] = {"id": "x", "attributes": {}}
    real = book.url
    book.url = "http://192.0.2.1/addressbook/api/"
    with pytest.raises(Exception, match="another server"):
        synchronise(real)


def test_the_worker_s_task_copies_and_says_when_it_could_not(book, settings, caplog):
    settings.SDK_ADDRESS_BOOK_URL = book.url
    tasks.synchronise()
    assert FunctionAddress.objects.count() == 3
    book.server.shutdown()
    book.server.server_close()
    tasks.synchronise()
    assert "addressbook_not_synchronised" in caplog.text
    assert FunctionAddress.objects.filter(gone_at=None).count() == 3
