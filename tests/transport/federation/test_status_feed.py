"""The federation's status feed: fetched from a server, kept when the server is away."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.transport.protocol.test_status_feed import RSS
from transport.federation import status_feed
from transport.federation.models import StatusFeed

pytestmark = pytest.mark.django_db


class _Feed(BaseHTTPRequestHandler):
    body = RSS.encode()
    status = 200

    def do_GET(self) -> None:
        self.send_response(type(self).status)
        self.send_header("Content-Length", str(len(type(self).body)))
        self.end_headers()
        self.wfile.write(type(self).body)

    def log_message(self, *_: object) -> None:
        """Nothing on the console."""


@pytest.fixture
def feed(settings) -> Iterator[type[_Feed]]:
    """The handler of a server that publishes a feed; what it answers can be changed."""
    handler = type("Feed", (_Feed,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    settings.SDK_STATUS_FEED_URL = f"http://127.0.0.1:{server.server_port}/rss"
    yield handler
    server.shutdown()
    server.server_close()
    thread.join(10)


def test_the_feed_is_fetched_and_kept(feed):
    assert status_feed.refresh()
    kept = status_feed.latest()
    assert [entry.title for entry in kept.announcements] == ["Åtgärdat", "Planerat avbrott"]
    assert kept.announcements[0].at is not None
    assert (kept.error, kept.read_at) == ("", kept.tried_at)


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [(503, b"", "Refused: HTTP 503"), (200, b"<html/>", "FeedUnreadable: neither RSS nor Atom")],
)
def test_what_could_be_read_stays_when_it_cannot_be_read_any_more(feed, status, body, error):
    status_feed.refresh()
    before = status_feed.latest()
    feed.status, feed.body = status, body
    assert not status_feed.refresh()
    kept = status_feed.latest()
    assert kept.announcements == before.announcements
    assert kept.read_at == before.read_at < kept.tried_at
    assert kept.error == error
    feed.status, feed.body = 200, b"<rss><channel/></rss>"
    assert status_feed.refresh()
    assert status_feed.latest().announcements == ()
    assert StatusFeed.objects.count() == 1


def test_a_server_that_is_away_is_told(feed, settings):
    settings.SDK_STATUS_FEED_URL = "http://127.0.0.1:9/rss"
    assert not status_feed.refresh()
    assert status_feed.latest().error.startswith("NoAnswer")


def test_without_an_address_nothing_is_fetched(settings):
    settings.SDK_STATUS_FEED_URL = ""
    assert not status_feed.refresh()
    assert status_feed.latest().tried_at is None
