"""Feeds that tell how a service is doing: RSS 2.0, and RSS 1.0 and Atom (RFC 4287), which some publish."""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from html import unescape
from typing import Final

from lxml import etree

from .errors import ProtocolError
from .moments import EARLIEST, LATEST, NotAMoment, read_moment
from .urls import UrlRefused, parse_http_url
from .xml.safe_xml import SMALL_DOCUMENT, XmlRefused, parse

MOST: Final = 20
_LONGEST_TITLE: Final = 200
_LONGEST_TEXT: Final = 600
_ROOTS: Final = frozenset({"rss", "RDF", "feed"})
_ENTRIES: Final = frozenset({"item", "entry"})
_TIMES: Final = ("pubDate", "updated", "published", "date")
_TEXTS: Final = ("description", "summary", "content")
_TAG: Final = re.compile(r"<[^<>]*>")


class FeedUnreadable(ProtocolError):
    """The document is no feed; the text says why, without a word of it."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """One entry: plain text, and an http or https address or nothing. `at` is None where no time is told."""

    title: str
    text: str
    link: str
    at: datetime | None


def read_feed(data: bytes) -> tuple[Announcement, ...]:
    """The announcements of a feed, the latest first, `MOST` of them at most. Raises `FeedUnreadable`.

    Those without a time come last, as the feed has them. An entry that says nothing is left out.
    """
    try:
        root = parse(data, SMALL_DOCUMENT)
    except XmlRefused as error:
        raise FeedUnreadable(str(error)) from None
    if _name(root) not in _ROOTS:
        raise FeedUnreadable("neither RSS nor Atom")
    found = [entry for entry in map(_announcement, _entries(root)) if entry.title or entry.text]
    found.sort(key=lambda entry: entry.at or EARLIEST, reverse=True)
    return tuple(found[:MOST])


def _entries(root: etree._Element) -> Iterator[etree._Element]:
    for element in root.iter(etree.Element):
        if _name(element) in _ENTRIES:
            yield element


def _announcement(entry: etree._Element) -> Announcement:
    children: dict[str, etree._Element] = {}
    for child in entry.iterchildren(etree.Element):
        children.setdefault(_name(child), child)
    moments = (_moment(children[name]) for name in _TIMES if name in children)
    return Announcement(
        _plain(children.get("title"), _LONGEST_TITLE),
        next((text for name in _TEXTS if (text := _plain(children.get(name), _LONGEST_TEXT))), ""),
        _link(children.get("link")),
        next((moment for moment in moments if moment is not None), None),
    )


def _moment(element: etree._Element) -> datetime | None:
    """RSS writes times as RFC 822 does, Atom as RFC 3339 does."""
    text = _text(element)
    with suppress(NotAMoment):
        return read_moment(text)
    with suppress(ValueError, OverflowError):
        moment = parsedate_to_datetime(text)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        return moment if EARLIEST <= moment <= LATEST else None
    return None


def _link(element: etree._Element | None) -> str:
    if element is None:
        return ""
    try:
        return str(parse_http_url((element.get("href") or _text(element)).strip()))
    except UrlRefused:
        return ""


def _plain(element: etree._Element | None, longest: int) -> str:
    """The element's text without HTML, on one line."""
    text = "" if element is None else " ".join(unescape(_TAG.sub(" ", _text(element))).split())
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"


def _text(element: etree._Element) -> str:
    return "".join(element.itertext(with_tail=False))


def _name(element: etree._Element) -> str:
    return etree.QName(element).localname
