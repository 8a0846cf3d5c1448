"""Reading the federation's address book: a JSON:API, page by page."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import urljoin, urlsplit

from django.conf import settings

from transport.names import contained
from transport.outgoing_http import AddressRefused, Client, NoAnswer, Origin

from .page import Page, PageMalformed, TooDeep, mended, read_page

MAX_PAGES = 20_000
PAGE_SIZE = 25
# Decompressed: a hundred times the size of a usual page, and more than the size of a large book.
MAX_PAGE_BYTES = 4 * 1024 * 1024
MAX_BYTES = 512 * 1024 * 1024
_MOST_WORDS = 500


class BookUnavailable(Exception):
    """The address book does not answer, or its answer is malformed."""


@dataclass(frozen=True, slots=True)
class OrganisationEntry:
    """An organisation as the address book gives it."""

    book_id: str
    participant_id: str
    name: str
    alternate_name: str
    description: str
    kind: str
    source: dict[str, Any]


@dataclass(frozen=True, slots=True)
class FunctionEntry:
    """A function address as the address book gives it."""

    book_id: str
    organisation_book_id: str
    identifier: str
    name: str
    description: str
    categories: list[str]
    search_words: list[str]
    source: dict[str, Any]


@dataclass(slots=True)
class Book:
    """The whole address book; `skipped` tells which entries could not be used, and why."""

    organisations: dict[str, OrganisationEntry] = field(default_factory=dict)
    functions: dict[str, FunctionEntry] = field(default_factory=dict)
    skipped: list[dict[str, str]] = field(default_factory=list)


class EntryUnusable(Exception):
    """An entry lacks a required value, or has one that is too long."""


def read_book(base_url: str) -> Book:
    """Read the whole address book; raises `BookUnavailable`. Unusable entries are in `skipped`."""
    book = Book()
    reader = _Reader(base_url)
    try:
        for item in reader.collection("organizations"):
            _use(book, item, _organisation, book.organisations)
        for item in reader.collection("addresses"):
            _use(book, item, _function, book.functions)
    finally:
        reader.close()
    for key, function in list(book.functions.items()):
        if function.organisation_book_id not in book.organisations:
            book.skipped.append({"id": key, "why": "its organisation is not in the address book"})
            del book.functions[key]
    return book


def _use(book: Book, item: Any, read: Any, into: dict[str, Any]) -> None:
    try:
        item, was_mended = mended(item)
    except TooDeep:
        book.skipped.append({"id": _id_of(item), "why": "nested too deep"})
        return
    try:
        entry = read(item)
    except EntryUnusable as error:
        book.skipped.append({"id": _id_of(item), "why": str(error)})
        return
    if was_mended:
        why = "mended: it had characters or numbers that cannot be stored"
        book.skipped.append({"id": entry.book_id, "why": why})
    into[entry.book_id] = entry


def _id_of(item: Any) -> str:
    identity = item.get("id", "?") if isinstance(item, dict) else "?"
    return str(mended(identity)[0])[:100] if isinstance(identity, str | int) else "?"


class _Reader:
    """Reads the pages of an address book, over one connection."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url
        self._client = Client(origin=Origin.SETTINGS)
        self._bytes_left = MAX_BYTES

    def close(self) -> None:
        self._client.close()

    def collection(self, name: str) -> Iterator[Any]:
        origin = urlsplit(self._base_url)[:2]
        url: str | None = urljoin(self._base_url, f"{name}?page[size]={PAGE_SIZE}")
        seen: set[str] = set()
        for _ in range(MAX_PAGES):
            if url is None:
                return
            if url in seen:
                raise BookUnavailable("links.next leads in a circle")
            seen.add(url)
            if urlsplit(url)[:2] != origin:
                raise BookUnavailable("links.next leads to another server")
            page = self._page(url)
            yield from page.data
            url = _joined(url, page.next) if page.next else None
        raise BookUnavailable(f"more than {MAX_PAGES} pages of {name}")

    def _page(self, url: str) -> Page:
        """Fetch a page, of limited length when decompressed."""
        try:
            response = self._client.request(
                "GET",
                url,
                seconds=settings.SDK_HTTP_TIMEOUT_SECONDS,
                max_bytes=min(MAX_PAGE_BYTES, self._bytes_left),
                headers={"Accept": "application/vnd.api+json, application/json"},
            )
            self._bytes_left -= len(response.body)
            if response.status != HTTPStatus.OK:
                raise BookUnavailable(f"HTTP {response.status}")
            return read_page(response.body)
        except (NoAnswer, AddressRefused, PageMalformed) as error:
            raise BookUnavailable(str(error)) from None


def _joined(url: str, following: str) -> str:
    try:
        return urljoin(url, following)
    except ValueError:
        raise BookUnavailable("links.next is no address") from None


def _organisation(item: Any) -> OrganisationEntry:
    attributes = _attributes(item)
    return OrganisationEntry(
        _text(item, "id", 100, required=True),
        _text(attributes, "participantIdentifier", 260, required=True).lower(),
        contained(_text(attributes, "name", 256, required=True)),
        contained(_text(attributes, "alternateName", 256)),
        contained(_text(attributes, "description", 1024)),
        _kind(_text(attributes, "type", 10)),
        attributes,
    )


def _function(item: Any) -> FunctionEntry:
    attributes = _attributes(item)
    parent = _within(_within(_within(item, "relationships"), "parent"), "data")
    return FunctionEntry(
        _text(item, "id", 100, required=True),
        _text(parent, "id", 100, required=True),
        _text(attributes, "identifier", 500, required=True),
        contained(_text(attributes, "name", 256, required=True)),
        contained(_text(attributes, "description", 10_000)),
        _words(attributes.get("categories")),
        _words(attributes.get("searchWords")),
        attributes,
    )


def _kind(text: str) -> str:
    """`O` or `UO`; older entries have `o` and `ou`."""
    upper = text.upper()
    return "UO" if upper in {"UO", "OU"} else upper[:4]


def _attributes(item: Any) -> dict[str, Any]:
    if not isinstance(item, dict) or not isinstance(item.get("attributes"), dict):
        raise EntryUnusable("no attributes")
    found: dict[str, Any] = item["attributes"]
    return found


def _within(values: dict[str, Any], name: str) -> dict[str, Any]:
    found = values.get(name)
    return found if isinstance(found, dict) else {}


def _text(values: dict[str, Any], name: str, longest: int, *, required: bool = False) -> str:
    value = values.get(name)
    text = " ".join(str(value).split()) if value is not None else ""
    if required and not text:
        raise EntryUnusable(f"no {name}")
    if len(text) > longest:
        raise EntryUnusable(f"{name} is longer than {longest} characters")
    return text


def _words(value: Any) -> list[str]:
    """Names from a list of texts, or of objects with a name."""
    if not isinstance(value, list):
        return []
    words = [item.get("name") if isinstance(item, dict) else item for item in value]
    return [contained(str(word))[:256] for word in words if word][:_MOST_WORDS]
