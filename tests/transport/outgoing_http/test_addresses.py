"""Where is connected to: what is judged is what is connected to, by whatever name it is called."""

import ast
import socket
from pathlib import Path

import pytest

from transport.outgoing_http import AddressRefused, Origin, check_url, request
from transport.protocol.urls import UrlRefused, parse_http_url

from .servers import serving

PROJECT = Path(__file__).resolve().parents[3]
_PRODUCTION = ("sdkportal", "mailbox", "addressbook", "transport")
_LIBRARIES = {"requests", "urllib3", "http.client", "httpx", "aiohttp", "urllib.request"}


def _imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names |= {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name for name in names for library in _LIBRARIES if f"{name}.".startswith(f"{library}.")}


def test_no_other_module_of_production_imports_an_http_library():
    found = {
        str(path.relative_to(PROJECT)): sorted(imports)
        for package in _PRODUCTION
        for path in (PROJECT / package).rglob("*.py")
        if "outgoing_http" not in path.parts and (imports := _imports(path))
    }
    assert found == {}
    own = PROJECT / "transport" / "outgoing_http" / "client.py"
    assert "http.client" in _imports(own), "the question finds what it is to find"


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1:8443\\@fcm.googleapis.com/x",
        "https://fcm.googleapis.com\\@127.0.0.1/x",
        "https://user@ap.example/as4",
        "https://user:secret@ap.example/as4",
        "https://@ap.example/",
        "https://ap.example:port/",
        "https://ap.example:0/",
        "https://ap.example:65536/",
        "https://ap.example:443:80/",
        "https://ap.example/a b",
        "https://ap.example/\r\nHost: other",
        "https://ap.example/\t",
        "https://ap.example\x00.se/",
        "https://ap.example/#@127.0.0.1/",
        "https://ap.example#@127.0.0.1/",
        "https:///as4",
        "https:ap.example",
        "//ap.example/",
        "https://[::1",
        "https://[v1.a]/",
        "https://ap%2eexample/",
        "https://äp.example/",
        "https://ap。example/",
        "ftp://ap.example/",
        "javascript:alert(1)",
        "https://ap.example/" + "a" * 3000,
        "",
    ],
)
def test_what_parsers_disagree_about_is_no_address(url):
    with pytest.raises(UrlRefused):
        parse_http_url(url)
    with pytest.raises(AddressRefused):
        check_url(url, origin=Origin.SETTINGS)


def test_an_address_in_its_parts_is_the_same_address():
    parts = parse_http_url("HTTPS://AP.Example:8443/as4?page[size]=25&x=a@b")
    assert (parts.host, parts.port, parts.target) == ("ap.example", 8443, "/as4?page[size]=25&x=a@b")
    assert parts.origin == "https://ap.example:8443"
    assert str(parse_http_url("https://[2001:DB8::1]?x")) == "https://[2001:db8::1]/?x"


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/",
        "https://10.1.2.3/",
        "https://172.16.0.1/",
        "https://192.168.1.1/",
        "https://169.254.169.254/latest",
        "https://100.64.0.1/",
        "https://0.0.0.0/",
        "https://224.0.0.1/",
        "https://255.255.255.255/",
        "https://[::1]/",
        "https://[::]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://[::7f00:1]/",
        "https://[64:ff9b::7f00:1]/",
        "https://[2002:7f00:1::]/",
        "https://[fe80::1]/",
        "https://[fc00::1]/",
        "https://[ff02::1]/",
        "http://ap.example/",
        "http://8.8.8.8/",
    ],
)
def test_others_cannot_send_us_to_what_is_not_public_nor_without_tls(settings, url):
    settings.DEMO = False
    settings.SDK_PRIVATE_NETWORKS = []
    with pytest.raises(AddressRefused):
        check_url(url)


def test_networks_that_the_operator_names_may_be_connected_to(settings):
    settings.DEMO = False
    settings.SDK_PRIVATE_NETWORKS = ["10.20.0.0/16"]
    assert check_url("https://10.20.1.2/").host == "10.20.1.2"
    with pytest.raises(AddressRefused):
        check_url("https://10.21.1.2/")
    assert check_url("https://ap.example/", origin=Origin.OTHERS).scheme == "https"
    assert check_url("https://127.0.0.1/", origin=Origin.SETTINGS).port == 443


def test_what_is_signed_itself_may_come_without_tls_and_from_public_servers_only(settings):
    settings.DEMO = False
    settings.SDK_PRIVATE_NETWORKS = []
    assert check_url("http://crl.example/ca.crl", plain_http=True).port == 80
    with pytest.raises(AddressRefused):
        check_url("http://127.0.0.1/ca.crl", plain_http=True)


@pytest.mark.parametrize("name", ["rebinding.example", "127.1", "2130706433", "0x7f000001", "localhost"])
def test_a_name_is_judged_by_where_it_leads_when_it_is_connected_to(settings, monkeypatch, name):
    settings.DEMO = False
    settings.SDK_PRIVATE_NETWORKS = []
    real = socket.getaddrinfo
    answers = iter(["93.184.216.34", "127.0.0.1"])

    def rebound(host, port, **options):
        if host != "rebinding.example":
            return real(host, port, **options)
        # Whoever asks first, to judge, is told of a public server; whoever connects would get another.
        return real(next(answers), port, **options)

    def read(server, connection):
        connection.recv(100)

    with serving(read) as server:
        url = f"https://{name}:{server.port}/"
        if name == "rebinding.example":
            next(answers)
        monkeypatch.setattr(socket, "getaddrinfo", rebound)
        check_url(url)
        with pytest.raises(AddressRefused):
            request("GET", url, origin=Origin.OTHERS, seconds=10, max_bytes=10)
        assert server.connections == []


def test_a_name_is_resolved_once_and_what_was_judged_is_connected_to(settings, monkeypatch):
    settings.DEMO = False
    settings.SDK_PRIVATE_NETWORKS = ["127.0.0.0/8"]
    asked: list[str] = []
    real = socket.getaddrinfo

    def counted(host, port, **options):
        asked.append(host)
        return real("127.0.0.1", port, **options)

    monkeypatch.setattr(socket, "getaddrinfo", counted)
    connected: list[tuple] = []
    connect = socket.socket.connect

    def noted(self, address):
        connected.append(address)
        connect(self, address)

    def answer(server, connection):
        connection.recv(100)
        connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    with serving(answer) as server:
        monkeypatch.setattr(socket.socket, "connect", noted)
        url = f"http://ap.example:{server.port}/"
        assert request("GET", url, origin=Origin.OTHERS, seconds=10, max_bytes=10, plain_http=True).is_ok
        assert asked == ["ap.example"]
        assert connected == [("127.0.0.1", server.port)]
