"""Status feeds: what is read of them, and what is refused."""

from datetime import UTC, datetime

import pytest

from transport.protocol.status_feed import MOST, Announcement, FeedUnreadable, read_feed

RSS = """<?xml version="1.0" encoding="utf-8"?>
<rss version="2.0" xmlns:atom="http://www.w3.org/2005/Atom"><channel>
<title>Driftinformation</title><link>https://status.example/</link>
<atom:link href="https://status.example/rss" rel="self"/>
<item><title>Planerat avbrott</title><link>https://status.example/1</link>
<description>&lt;p&gt;SMP stängs &lt;b&gt;kl. 22&lt;/b&gt; &amp;amp; öppnas 23.&lt;/p&gt;</description>
<pubDate>Sat, 28 Nov 2026 09:00:00 +0100</pubDate></item>
<item><title>Åtgärdat</title><description>Klart</description>
<pubDate>Sun, 29 Nov 2026 12:00:00 GMT</pubDate></item>
</channel></rss>"""
ATOM = """<feed xmlns="http://www.w3.org/2005/Atom"><title>Drift</title>
<entry><title>Stört</title><link href="https://status.example/a"/><updated>2026-11-29T12:00:00Z</updated>
<summary>CertPub svarar långsamt</summary></entry></feed>"""
RDF = """<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"
 xmlns:dc="http://purl.org/dc/elements/1.1/"><channel/><item><title>Stört</title>
<link>https://status.example/a</link><dc:date>2026-11-29T13:00:00+01:00</dc:date></item></rdf:RDF>"""


def items(*found: str) -> bytes:
    return f"<rss><channel>{''.join(found)}</channel></rss>".encode()


def test_an_rss_feed_is_read_the_latest_first_and_without_its_html():
    assert read_feed(RSS.encode()) == (
        Announcement("Åtgärdat", "Klart", "", datetime(2026, 11, 29, 12, tzinfo=UTC)),
        Announcement(
            "Planerat avbrott",
            "SMP stängs kl. 22 & öppnas 23.",
            "https://status.example/1",
            datetime(2026, 11, 28, 8, tzinfo=UTC),
        ),
    )


def test_atom_and_rss_1_are_read_too():
    at = datetime(2026, 11, 29, 12, tzinfo=UTC)
    link = "https://status.example/a"
    assert read_feed(ATOM.encode()) == (Announcement("Stört", "CertPub svarar långsamt", link, at),)
    assert read_feed(RDF.encode()) == (Announcement("Stört", "", link, at),)


@pytest.mark.parametrize(
    "link", ["javascript:alert(1)", "//elsewhere.example/", "https://a\\b/", "ftp://a.example/", " "]
)
def test_a_link_that_is_no_web_address_is_left_out(link):
    (entry,) = read_feed(items(f"<item><title>Stört</title><link>{link}</link></item>"))
    assert entry.link == ""


@pytest.mark.parametrize(
    "at", ["i går", "", "Sat, 99 Nov 2026 09:00:00 GMT", "9" * 300, "0000-00-00T00:00:00Z"]
)
def test_a_time_that_is_none_is_left_out(at):
    (entry,) = read_feed(items(f"<item><title>Stört</title><pubDate>{at}</pubDate></item>"))
    assert entry.at is None


def test_what_is_long_is_cut_and_what_says_nothing_left_out():
    (entry,) = read_feed(items(f"<item><title>{'a' * 999}</title></item>", "<item><title> </title></item>"))
    assert len(entry.title) == 200
    assert entry.title.endswith("…")
    assert len(read_feed(items(*["<item><title>a</title></item>"] * 30))) == MOST


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<html><body>Inloggning</body></html>",
        b"<rss>",
        b'<!DOCTYPE rss [<!ENTITY a "b">]><rss><channel><item><title>&a;</title></item></channel></rss>',
        b"\x00",
    ],
)
def test_what_is_no_feed_is_refused(data):
    with pytest.raises(FeedUnreadable):
        read_feed(data)
