"""Reading the federation's address book: JSON:API, page by page (federation-facts)."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from django.conf import settings

MAX_PAGES = 20_000
PAGE_SIZE = 25


class BookUnavailable(Exception):
    """The address book does not answer, or not in its form."""


@dataclass(frozen=True, slots=True)
class OrganisationEntry:
    """An organisation as it was told."""

    book_id: str
    participant_id: str
    name: str
    alternate_name: str
    description: str
    kind: str
    source: dict[str, Any]


@dataclass(frozen=True, slots=True)
class FunctionEntry:
    """A function address as it was told."""

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
    """The whole address book, and what of it could not be used."""

    organisations: dict[str, OrganisationEntry] = field(default_factory=dict)
    functions: dict[str, FunctionEntry] = field(default_factory=dict)
    skipped: list[dict[str, str]] = field(default_factory=list)


class EntryUnusable(Exception):
    """An entry lacks what it has to say, or says it too long."""


def read_book(base_url: str) -> Book:
    """Read everything; raises `BookUnavailable`. Unusable entries are skipped and told."""
    book = Book()
    with requests.Session() as session:
        session.verify = settings.SDK_TLS_CA_FILE or True
        for item in _collection(session, base_url, "organizations"):
            _use(book, item, _organisation, book.organisations)
        for item in _collection(session, base_url, "addresses"):
            _use(book, item, _function, book.functions)
    for key, function in list(book.functions.items()):
        if function.organisation_book_id not in book.organisations:
            book.skipped.append({"id": key, "why": "its organisation is not in the address book"})
            del book.functions[key]
    return book


def _use(book: Book, item: Any, read: Any, into: dict[str, Any]) -> None:
    try:
        entry = read(item)
    except EntryUnusable as error:
        identity = str(item.get("id", "?")) if isinstance(item, dict) else "?"
        book.skipped.append({"id": identity[:100], "why": str(error)})
        return
    into[entry.book_id] = entry


def _collection(session: requests.Session, base_url: str, name: str) -> Iterator[Any]:
    origin = urlsplit(base_url)[:2]
    url: str | None = urljoin(base_url, f"{name}?page[size]={PAGE_SIZE}")
    for _ in range(MAX_PAGES):
        if url is None:
            return
        if urlsplit(url)[:2] != origin:
            raise BookUnavailable("links.next leads to another server")
        page = _page(session, url)
        yield from page["data"]
        following = page.get("links", {}).get("next")
        if isinstance(following, dict):
            following = following.get("href")
        url = urljoin(url, following) if following else None
    raise BookUnavailable(f"more than {MAX_PAGES} pages of {name}")


def _page(session: requests.Session, url: str) -> dict[str, Any]:
    try:
        response = session.get(url, timeout=settings.SDK_HTTP_TIMEOUT_SECONDS, allow_redirects=False)
        page = response.json() if response.status_code == requests.codes.ok else None
    except (requests.RequestException, ValueError) as error:
        raise BookUnavailable(type(error).__name__) from None
    if page is None:
        raise BookUnavailable(f"HTTP {response.status_code}")
    if not isinstance(page, dict) or not isinstance(page.get("data"), list):
        raise BookUnavailable("a page without data")
    return page


def _organisation(item: Any) -> OrganisationEntry:
    attributes = _attributes(item)
    return OrganisationEntry(
        _text(item, "id", 100, required=True),
        _text(attributes, "participantIdentifier", 260, required=True).lower(),
        _text(attributes, "name", 256, required=True),
        _text(attributes, "alternateName", 256),
        _text(attributes, "description", 1024),
        _kind(_text(attributes, "type", 10)),
        attributes,
    )


def _function(item: Any) -> FunctionEntry:
    attributes = _attributes(item)
    parent = item.get("relationships", {}).get("parent", {}).get("data") or {}
    return FunctionEntry(
        _text(item, "id", 100, required=True),
        _text(parent, "id", 100, required=True),
        _text(attributes, "identifier", 500, required=True),
        _text(attributes, "name", 256, required=True),
        _text(attributes, "description", 10_000),
        _words(attributes.get("categories")),
        _words(attributes.get("searchWords")),
        attributes,
    )


def _kind(text: str) -> str:
    """`O` and `UO`; an older text says o and ou."""
    upper = text.upper()
    return "UO" if upper in {"UO", "OU"} else upper[:4]


def _attributes(item: Any) -> dict[str, Any]:
    if not isinstance(item, dict) or not isinstance(item.get("attributes"), dict):
        raise EntryUnusable("no attributes")
    found: dict[str, Any] = item["attributes"]
    return found


def _text(values: dict[str, Any], name: str, longest: int, *, required: bool = False) -> str:
    value = values.get(name)
    text = " ".join(str(value).replace("\0", "").split()) if value is not None else ""
    if required and not text:
        raise EntryUnusable(f"no {name}")
    if len(text) > longest:
        raise EntryUnusable(f"{name} is longer than {longest} characters")
    return text


def _words(value: Any) -> list[str]:
    """Names, whether they come as texts or as objects with a name."""
    if not isinstance(value, list):
        return []
    words = [item.get("name") if isinstance(item, dict) else item for item in value]
    return [str(word)[:256] for word in words if word]
