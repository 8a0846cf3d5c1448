"""A request of any content type is answered, also where Django's own classes would fail before any view."""

import asyncio
import io

import pytest
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler

from sdkportal.middleware.content_types import with_any_content_type

PATHS = ("/logga-in", "/v1/token", "/halsa/")
ODD = [
    "text/plain; x*=nothing''%ff",
    "text/plain; x*=idna''%ff",
    "multipart/form-data; boundary*=nothing''%ff",
    "application/x-www-form-urlencoded; charset*=utf-8''%00",
    "application/x-www-form-urlencoded; charset=hex",
    "multipart/form-data; boundary=a; charset=zlib",
    "text/plain; charset=undefined",
    "text/plain; charset=idna",
    "a" * 20_000,
]
BODY = b"--a\r\nContent-Disposition: form-data; name*=nothing''%ff\r\n\r\n\xff\r\n--a--\r\n"


def by_asgi(method: str, path: str, content_type: str) -> int:
    """The status of Django's answer as the pages' server asks for it."""
    messages: list[dict] = []
    body = [{"type": "http.request", "body": BODY}]

    async def receive() -> dict:
        return body.pop() if body else await asyncio.sleep(60, {"type": "http.disconnect"})

    async def send(message: dict) -> None:
        messages.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": b"next=%C3%A5&until=%ff",
        "headers": [(b"host", b"localhost"), (b"content-type", content_type.encode())],
    }
    asyncio.run(with_any_content_type(ASGIHandler())(scope, receive, send))
    return messages[0]["status"]


def by_wsgi(method: str, path: str, content_type: str) -> int:
    """The status of Django's answer as the access point's server asks for it."""
    statuses: list[str] = []
    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": "next=%C3%A5&until=%ff",
        "CONTENT_TYPE": content_type,
        "CONTENT_LENGTH": str(len(BODY)),
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "wsgi.input": io.BytesIO(BODY),
        "wsgi.errors": io.StringIO(),
        "wsgi.url_scheme": "http",
    }
    with_any_content_type(WSGIHandler())(environ, lambda status, *_: statuses.append(status))
    return int(statuses[0].split(" ")[0])


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("answered", [by_asgi, by_wsgi])
@pytest.mark.parametrize("content_type", ODD)
def test_a_content_type_that_nobody_thought_of_is_no_error_of_ours(answered, content_type):
    for path in PATHS:
        for method in ("GET", "POST"):
            assert answered(method, path, content_type) < 500, (method, path)


def test_the_servers_make_requests_of_any_content_type():
    """Each application that a server starts, as its module says."""
    from testbed.node import PROJECT

    for name in ("asgi", "wsgi", "wsgi_access_point"):
        assert "with_any_content_type(" in (PROJECT / "sdkportal" / f"{name}.py").read_text(), name
