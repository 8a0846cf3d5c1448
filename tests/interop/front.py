"""nginx in front of our access point: it asks for TLS certificates and passes them on, as deploy/ does."""

import os
import pwd
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from testbed.federation import Federation
from testbed.services import free_port

HEADER = "X-Client-Certificate"
_NGINX = "/usr/sbin/nginx"
_START_SECONDS = 20.0
_STOP_SECONDS = 15.0


@dataclass(frozen=True)
class Request:
    """What a caller was seen to do: "SUCCESS" for a certificate that holds; "chunked" or nothing."""

    certificate: str
    encoding: str


@dataclass(frozen=True)
class Front:
    """Where callers connect to."""

    url: str
    log: Path

    def forget(self) -> None:
        """Let `requests` begin anew."""
        os.truncate(self.log, 0)

    def requests(self) -> list[Request]:
        return [Request(*line.split("|")) for line in self.log.read_text().splitlines()]


@contextmanager
def two_way_tls(federation: Federation, url: str, directory: Path) -> Iterator[Front]:
    """Let nginx run in front of what answers at `url`."""
    assert Path(_NGINX).exists(), "nginx is needed: scripts/install nginx"
    directory.mkdir(parents=True, exist_ok=True)
    port, tls = free_port(), federation.tls_files("localhost")
    temporary = "".join(
        f"{name}_temp_path {directory}/{name};"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    front = Front(f"https://localhost:{port}/as4", directory / "requests.log")
    front.log.touch()
    (directory / "nginx.conf").write_text(f"""
daemon off; pid {directory}/pid; error_log stderr warn; user {pwd.getpwuid(os.getuid()).pw_name};
events {{}}
http {{
    {temporary}
    log_format seen "$ssl_client_verify|$http_transfer_encoding";
    access_log {front.log} seen;
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {tls.certificate};
        ssl_certificate_key {tls.key};
        ssl_client_certificate {federation.tls_ca};
        ssl_verify_client on;
        client_max_body_size 0;
        location / {{
            proxy_pass https://127.0.0.1:{urlsplit(url).port};
            proxy_http_version 1.1;
            proxy_request_buffering off;
            proxy_set_header {HEADER} $ssl_client_escaped_cert;
        }}
    }}
}}
""")
    process = subprocess.Popen([_NGINX, "-p", str(directory), "-c", "nginx.conf"])
    try:
        _wait_for_port(port, process)
        yield front
    finally:
        process.terminate()
        process.wait(_STOP_SECONDS)


def _wait_for_port(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as line:
            if line.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("nginx did not start")
