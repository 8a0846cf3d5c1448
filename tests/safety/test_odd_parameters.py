"""Every parameter of every URL, with what no form of ours would send: never an error of ours (500).

The names are collected from the code: fields of forms, what views read from a request, and what templates
send. A new parameter is tried without anybody adding it here.
"""

import ast
import importlib
import inspect
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from urllib.parse import quote

import pytest
from django import forms
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import DatabaseError, transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from tests.safety.test_reach import EVERYBODY, HABO, TABLE, World, world

pytestmark = pytest.mark.django_db
__all__ = ["world"]
PROJECT = Path(__file__).resolve().parent.parent.parent
ROLES = ("member", "manager", "administrator", "auditor", "member of nothing", "nobody")
ODD = {
    "NUL": "a\0b",
    "NUL escaped twice": "%00",
    "superscript digit": "²",
    "five thousand digits": "9" * 5_000,
    "last day": "9999-12-31",
    "first day": "0001-01-01",
    "half a surrogate": "\ud800",
    "negative": "-1",
    "very long": "långt " * 1_000,
}
EVERYTHING = bool(os.environ.get("SDK_TEST_EVERYTHING"))
# One of this many combinations is tried: `make test-odd` tries all.
SHARE = 1 if EVERYTHING else 3
# What a parameter is given while another is odd: "1" where nothing is said here.
USUAL = {
    "organisation": HABO,
    "name": "Mottagning",
    "subject": "199001012385",
    "address": "funktion-c",
    "function": "funktion-b",
    "participant": HABO,
    "identifier": "funktion-c",
    "days": "90",
    "hours": "48",
    "to": "built-in",
    "role": "member",
    "purpose": "signing",
    "client_id": "annan.habo.se",
    "confirmation": "Mottagning",
    "since": "2026-01-02",
    "until": "2026-02-03",
    "export": "",
    "before": "",
    "conversation": "",
    "kind": "",
    "what": "",
    "mode": "tracked",
    "pattern": "KS {nr}",
    "case_number": "KS 1",
    "why": "Fel nummer",
    "message": "",
}
_PATH_ARGUMENT = re.compile(r"<(?:\w+:)?(\w+)>")
_FIELD = re.compile(r"""\bname="((?:[^"{]|\{\{[^}]*\}\}|\{%[^%]*%\})*)\"""")
_READERS = frozenset({"get", "getlist", "pop", "setdefault"})


@dataclass(frozen=True)
class Page:
    """A URL: its name and route, and the module that answers it."""

    name: str
    route: str
    module: str
    arguments: tuple[str, ...]


def pages(resolver: URLResolver, prefix: str = "", namespace: str = "") -> Iterator[Page]:
    for pattern in resolver.url_patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            inner = f"{pattern.namespace}:" if pattern.namespace else ""
            yield from pages(pattern, route, namespace + inner)
        else:
            name = f"{namespace}{pattern.name}"
            yield Page(name, route, module_of(pattern), tuple(_PATH_ARGUMENT.findall(route)))


def module_of(pattern: URLPattern) -> str:
    view = inspect.unwrap(pattern.callback)
    return getattr(view, "view_class", view).__module__


PAGES = sorted(pages(get_resolver("sdkportal.urls")), key=lambda page: page.name)
OURS = ("mailbox", "addressbook", "transport", "sdkportal")


@cache
def read_in(path: Path) -> frozenset[str]:
    """Names by which a module asks for something in a mapping, such as a request's parameters."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        key: ast.expr | None = None
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
            key = node.args[0] if node.func.attr in _READERS else None
        elif isinstance(node, ast.Subscript):
            key = node.slice
        elif isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In | ast.NotIn):
            key = node.left
        if isinstance(key, ast.Constant) and isinstance(key.value, str) and key.value.isidentifier():
            found.add(key.value)
    return frozenset(found)


def form_fields(module: ModuleType) -> set[str]:
    """Fields of the forms that a module uses: those that it imports, and those of its room's `forms`."""
    values = list(vars(module).values())
    for value in list(values):
        if inspect.ismodule(value) and value.__name__.startswith(OURS) and "forms" in value.__name__:
            values += vars(value).values()
    return {
        name
        for value in values
        if inspect.isclass(value) and issubclass(value, forms.BaseForm)
        for name in value.base_fields
    }


@cache
def parameters_of_view(module: str) -> frozenset[str]:
    if not module.startswith(OURS):
        return frozenset()
    imported = importlib.import_module(module)
    return frozenset(read_in(Path(imported.__file__)) | form_fields(imported))


@cache
def parameters_of_room(module: str) -> frozenset[str]:
    """Everything that the room's modules read and its templates send."""
    if not module.startswith(OURS):
        return frozenset({"next", "language", "state", "code", "error"})
    found = set(parameters_of_view(module))
    room = PROJECT.joinpath(*module.split(".")[:2])
    for path in room.rglob("*.py") if room.is_dir() else room.parent.glob("*.py"):
        if "request" in path.read_text():
            found |= read_in(path)
    for template in (PROJECT / "templates" / room.name).rglob("*.html"):
        sent = _FIELD.findall(template.read_text())
        found |= {re.sub(r"\{[{%].*?[%}]\}", "1", name) for name in sent}
    return frozenset(found)


@cache
def encoded(values: tuple[tuple[str, str], ...]) -> str:
    """As the body of a form or the query of an address, also of what is no proper text."""
    return "&".join(f"{quote(name)}={quote(value, errors='surrogatepass')}" for name, value in values)


def asked(client: Client, method: str, path: str, values: dict[str, str], **headers: str) -> int:
    """The status of the answer, which is read whole: 500 where it breaks off. What it did is undone."""
    with transaction.atomic():
        if method == "get":
            response = client.get(path, QUERY_STRING=encoded(tuple(values.items())), headers=headers)
        else:
            response = client.generic(
                method.upper(),
                path,
                encoded(tuple(values.items())),
                "application/x-www-form-urlencoded",
                headers=headers,
            )
        try:
            if response.streaming and not response.is_async:
                b"".join(response)
        except (ValueError, DatabaseError):
            return 500
        finally:
            transaction.set_rollback(True)
    return response.status_code


def logged_in(world: World, role: str) -> Client:
    client = Client(raise_request_exception=False)
    if role != "nobody":
        client.force_login(world.people[role], backend="mailbox.accounts.login.EidBackend")
    return client


def path_of(page: Page, world: World, **odd: str) -> str:
    values = {name: str(world.arguments.get(name, 1)) for name in page.arguments} | odd
    route = _PATH_ARGUMENT.sub(
        lambda match: quote(values[match[1]], safe="", errors="surrogatepass"), page.route
    )
    return f"/{route}"


def methods_of(page: Page) -> list[str]:
    return TABLE[page.name][0].split() if page.name in TABLE else ["get", "post"]


def guilty(client: Client, method: str, path: str, names: list[str], odd: str, **headers: str) -> str:
    """Which of the parameters it is that cannot be odd, found by halves."""
    while len(names) > 1:
        half = names[: len(names) // 2]
        fails = asked(client, method, path, dict.fromkeys(half, odd), **headers) >= 500
        rest = names[len(names) // 2 :]
        if not fails and asked(client, method, path, dict.fromkeys(rest, odd), **headers) < 500:
            return " with ".join(names)
        names = half if fails else rest
    return names[0]


@pytest.mark.parametrize("role", ROLES)
def test_all_parameters_may_be_odd_at_once(world, role):
    """Each kind as two of the roles for every page. `make test-odd`: as all."""
    client, failing = logged_in(world, role), []
    for number, page in enumerate(PAGES, ROLES.index(role)):
        path = path_of(page, world)
        for kind, odd in list(ODD.items())[-number % SHARE :: SHARE]:
            # A body has a largest size: what is long is sent to those alone who read it.
            names = sorted((parameters_of_room if len(odd) < 100 else parameters_of_view)(page.module))
            for method in methods_of(page):
                for headers in ({}, {"hx-request": "true"}) if kind == "NUL" else ({},):
                    if asked(client, method, path, dict.fromkeys(names, odd), **headers) >= 500:
                        name = guilty(client, method, path, names, odd, **headers)
                        failing.append((page.name, method, kind, name))
    assert failing == []


@pytest.mark.parametrize("kind", ODD)
def test_each_parameter_may_be_odd_while_the_others_are_as_usual(world, kind):
    """Each parameter meets one of the kinds. `make test-odd`: all of them."""
    clients = {role: logged_in(world, role) for role in ROLES}
    failing = []
    number = list(ODD).index(kind)
    for page in PAGES:
        reached_by = TABLE[page.name][1] if page.name in TABLE else EVERYBODY
        client = clients[next((role for role in ROLES if role in reached_by), "member")]
        names = sorted(parameters_of_view(page.module))
        usual = {name: USUAL.get(name, "1") for name in names}
        for method in methods_of(page):
            for name in names:
                number += 1
                if number % len(ODD) and not EVERYTHING:
                    continue
                if asked(client, method, path_of(page, world), {**usual, name: ODD[kind]}) >= 500:
                    failing.append((page.name, method, name))
    assert failing == []


@pytest.mark.parametrize("role", ROLES)
def test_what_stands_in_an_address_may_be_odd(world, role):
    """Each kind as two of the roles for every argument. `make test-odd`: as all."""
    client, failing = logged_in(world, role), []
    kinds = list({**ODD, "beyond the database": str(2**63)}.items())
    for number, page in enumerate(PAGES, ROLES.index(role)):
        for argument in page.arguments:
            for kind, odd in kinds[-number % SHARE :: SHARE]:
                for method in methods_of(page):
                    if asked(client, method, path_of(page, world, **{argument: odd}), {}) >= 500:
                        failing.append((page.name, method, argument, kind))
    assert failing == []


@pytest.mark.parametrize("role", ["member", "administrator"])
def test_a_file_may_have_any_name_and_nothing_in_it(world, role):
    client, failing = logged_in(world, role), []
    for page in PAGES:
        names = sorted(parameters_of_room(page.module))
        for odd in ("²", "-1", "a" * 5_000, "..", "a\0b"):
            if "post" not in methods_of(page):
                continue
            with transaction.atomic():
                files = {name: SimpleUploadedFile("a", b"\0") for name in names}
                for file in files.values():
                    file._name = odd
                response = client.post(path_of(page, world), files)
                transaction.set_rollback(True)
            if response.status_code >= 500:
                failing.append((page.name, odd[:10]))
    assert failing == []


@pytest.mark.parametrize("length", ["9" * 5_000, "\xb2", "-1", "1e3"])
def test_a_length_of_a_body_may_be_odd(client, length):
    response = client.generic("POST", "/v1/token", b"", CONTENT_LENGTH=length)
    assert response.status_code == 413


def test_parameters_are_found_in_forms_views_and_templates():
    """Else the tests above would try nothing."""
    assert {"organisation", "address", "name"} <= parameters_of_view("mailbox.administration.views.mailboxes")
    assert "q" in parameters_of_view("addressbook.views")
    assert "catch_all" in parameters_of_room("mailbox.administration.views.routing")
    assert all(reverse(page.name) for page in PAGES if not page.arguments)
