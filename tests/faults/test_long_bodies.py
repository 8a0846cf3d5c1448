"""A body that is longer than its sender may send is refused by its head, and laid on no disk."""

import os
import socket
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
import requests

from sdkportal.middleware.body_limits import ANONYMOUS_LIMIT, FORM_LIMIT, limit_of
from testbed.node import PROJECT
from tests.faults.pages import Pages
from tests.nodes import eventually

pytestmark = pytest.mark.xdist_group("many-pages")
LONG = 57_000_000


@contextmanager
def begun(pages: Pages, path: str, *headers: str) -> Generator[socket.socket, None, None]:
    """A request whose head has been sent, and nothing of its body."""
    with socket.create_connection(("127.0.0.1", pages.port), timeout=40) as line:
        head = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", *headers, "", ""]
        line.sendall("\r\n".join(head).encode())
        yield line


def session(pages: Pages, number: int = 9) -> str:
    return f"Cookie: many_session={pages.sessions[number]}"


@pytest.mark.parametrize("path", ["/logga-in", "/", "/oidc/utloggad", "/utkast/1/bilagor", "/v1/token", "/x"])
@pytest.mark.parametrize("cookie", [(), ("Cookie: many_session=forged",)])
@pytest.mark.parametrize("length", [LONG, ANONYMOUS_LIMIT + 1])
def test_a_long_body_from_nobody_is_refused_before_it_is_sent(pages, path, cookie, length):
    with begun(pages, path, f"Content-Length: {length}", *cookie) as line:
        answer = line.recv(100)
    assert answer.split(b" ")[1] == (b"400" if path.startswith("/v1/") else b"413")


def test_a_body_that_does_not_say_its_length_is_cut_off_where_it_is_too_long(pages):
    with begun(pages, "/logga-in", "Transfer-Encoding: chunked") as line:
        piece = b"x" * ANONYMOUS_LIMIT
        for _ in range(2):
            line.sendall(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        assert line.recv(100).split(b" ")[1] == b"413"


def test_a_sender_who_does_not_listen_before_all_is_sent_hears_the_answer_too(pages):
    answer = requests.post(f"http://127.0.0.1:{pages.port}/logga-in", data=b"x" * 20_000_000, timeout=40)
    assert answer.status_code == 413


def test_somebody_who_is_logged_in_may_send_files_and_no_more_to_other_pages(pages):
    for path, length, refused in (
        ("/utkast/1/bilagor", 20_000_000, False),
        ("/utkast/1/bilagor", LONG, True),
        ("/konversation/1/anteckning", 20_000_000, True),
    ):
        with begun(pages, path, f"Content-Length: {length}", session(pages)) as line:
            if refused:
                assert line.recv(100).split(b" ")[1] == b"413", path
                continue
            # It is waited for: what has come of it lies where this node's other files on their way are.
            line.sendall(b"x" * 9_000_000)
            server = next(
                process
                for process in psutil.process_iter(["cmdline"])
                if str(pages.port) in (process.info["cmdline"] or [])
            )
            found = eventually_open(server)
            assert all(name.startswith(str(pages.work_directory)) for name in found), found


def eventually_open(server: psutil.Process) -> list[str]:
    """Names that the server's open files had which are in no directory any more, once there are any."""

    def removed() -> list[str]:
        names = []
        for process in [server, *server.children(recursive=True)]:
            for link in Path(f"/proc/{process.pid}/fd").iterdir():
                with suppress(FileNotFoundError):
                    names.append(os.readlink(link))
        return [name for name in names if name.endswith("(deleted)")]

    return eventually(removed, what="the body to be spooled")


def test_limits_are_of_the_path_and_of_who_sends(settings):
    assert limit_of("/logga-in", is_authenticated=False) == ANONYMOUS_LIMIT
    assert limit_of("/sok", is_authenticated=True) == FORM_LIMIT
    for path in ("/utkast/7/", "/utkast/7/bilagor", "/utkast/7/granska", "/v1/sdk/messages"):
        assert limit_of(path, is_authenticated=True) > settings.SDK_MAX_MESSAGE_BYTES
        assert limit_of(path, is_authenticated=False) == ANONYMOUS_LIMIT
    assert limit_of("/utkast/7/bilagor/x", is_authenticated=True) == FORM_LIMIT


def test_django_alone_refuses_by_the_head_too(client):
    assert (
        client.post("/logga-in", data=b"x" * (ANONYMOUS_LIMIT + 1), content_type="text/plain").status_code
        == 413
    )


def test_the_shipped_proxy_lays_nothing_that_people_send_or_fetch_on_its_disk():
    text = (PROJECT / "deploy" / "nginx" / "sdkportal.conf").read_text()
    (pages,) = [server for server in text.split("\nserver {")[1:] if "sdkportal_web" in server]
    # Before the first location, so for all of them.
    of_the_server = pages.partition("location ")[0]
    for setting in ("proxy_request_buffering", "proxy_max_temp_file_size"):
        assert pages.count(setting) == of_the_server.count(setting) == 1
    assert "proxy_request_buffering off;" in of_the_server
    assert "proxy_max_temp_file_size 0;" in of_the_server
