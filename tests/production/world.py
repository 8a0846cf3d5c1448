"""What is outside of the machine: the federation by HTTPS and a mail server."""

import contextlib
import socketserver
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Final

from werkzeug.serving import BaseWSGIServer, make_server

from testbed.authorities import KeyFiles
from testbed.federation import Federation
from testbed.register import Function, Person
from testbed.services import free_port
from tests.production.bare_debian import Machine

PAGES: Final = "https://sdk.habo.example"
PARTICIPANT: Final = "0203:habo.se"
MAILBOX: Final = "sdk:mottagning:0203:habo.se"
MEMBER: Final = Person("191010101010", "Nils Granberg")
_ACCESS_POINT: Final = "AP-HABO"
_ACCESS_POINT_URL: Final = "https://as4.habo.example/as4"
_HOST: Final = "federation.example"
# What the machine's /etc/sdkportal/requests has, with the CA that answers and the file that comes of it.
_REQUESTS: Final = {
    "access-point.csr": ("access-points", "access-point.pem"),
    "0203-habo.se-signing.csr": ("organisations", "signing.pem"),
    "0203-habo.se-encryption.csr": ("organisations", "encryption.pem"),
}


class SecureFederation(Federation):
    """The test federation, with e-ID, address book and SMP by HTTPS: production takes no others."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._https_port = free_port()

    @property
    def secure_url(self) -> str:
        """The address of e-ID, address book and SMP; lists of revoked certificates are fetched by HTTP."""
        return f"https://{_HOST}:{self._https_port}"

    @property
    def issuer(self) -> str:
        return f"{self.secure_url}/oidc"

    @property
    def smp_url(self) -> str:
        return f"{self.secure_url}/smp"

    def environment(self) -> dict[str, str]:
        return {**super().environment(), "SDK_ADDRESS_BOOK_URL": f"{self.secure_url}/addressbook/api/"}

    def start(self) -> None:
        super().start()
        self.eid.add_client(PAGES)
        tls = self.tls_files(_HOST)
        context = (str(tls.certificate), str(tls.key))
        application = self._servers[0].app
        server: BaseWSGIServer = make_server(
            "127.0.0.1", self._https_port, application, threaded=True, ssl_context=context
        )
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self._servers.append(server)

    def answer_requests(self, machine: Machine, directory: Path) -> dict[str, bytes]:
        """Issue what the machine asks for, and publish it; the files that its administrator gets."""
        files = {}
        for request, (authority, name) in _REQUESTS.items():
            files[name] = self.answer_request(authority, machine.read(f"etc/sdkportal/requests/{request}"))
            (directory / name).write_bytes(files[name])
        self.register_access_point(_ACCESS_POINT, _ACCESS_POINT_URL, directory / "access-point.pem")
        functions = (Function(MAILBOX, "Socialtjänstens mottagning"),)
        self.add_participant(PARTICIPANT, "Håbo kommun", _ACCESS_POINT, functions)
        published = {each: [str(directory / f"{each}.pem")] for each in ("signing", "encryption")}
        self.change_participant(PARTICIPANT, **published)
        self.add_person(MEMBER)
        for name in ("access-points", "smp", "organisations"):
            files[f"{name}.pem"] = (self.trust_dir / name / f"{name}.pem").read_bytes()
        files["tls-ca.pem"] = self.tls_ca.read_bytes()
        pairs = {"web": "sdk.habo.example", "as4": "as4.habo.example", "tls-client": "as4.habo.example"}
        for name, host in pairs.items():
            pair: KeyFiles = self.tls_files(host)
            files[f"{name}.pem"] = pair.certificate.read_bytes()
            files[f"{name}.key"] = pair.key.read_bytes()
        return files


class _Mail(socketserver.StreamRequestHandler):
    """Says what a mail server says to whoever connects and leaves again."""

    def handle(self) -> None:
        self.wfile.write(b"220 mail.habo.example\r\n")
        for line in self.rfile:
            leaves = line.upper().startswith(b"QUIT")
            self.wfile.write(b"221 bye\r\n" if leaves else b"250 ok\r\n")
            if leaves:
                return


@contextlib.contextmanager
def mail_server() -> Generator[int, None, None]:
    """A mail server for as long as the context; its port."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Mail) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()
