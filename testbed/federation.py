"""The test federation's servers: their files in one directory, on loopback ports that are kept there.

    python -m testbed.federation DIRECTORY

runs it in the foreground. Other processes add participants and people through the same class, and the
servers tell of them at once.
"""

import base64
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import requests
from flask import Flask, Response, abort, request
from werkzeug.serving import BaseWSGIServer, make_server

from transport.protocol.message_receipt import ResponseCode

from .address_book import address_book
from .authorities import Authority, KeyFiles, Validity, load_certificate
from .eid import CLIENT_ID, CLIENT_SECRET, EidProvider
from .register import Function, Person, Register, functions_as_json
from .services import ServiceNotStarted, free_port, port_is_taken
from .simulated_organisations import Behaviour, SimulatedAccessPoint
from .sml import ZONE, start_name_servers
from .smp import signed_service_metadata

_AUTHORITIES = ("access-points", "smp", "organisations", "tls")
_START_SECONDS = 30.0
SIMULATED_ACCESS_POINT = "AP0005-SDK-TEST"
REVOKED_ACCESS_POINT = "AP-QA03-TEST"
REJECTS_EVERYTHING = "0203:avvisar-allt.testbed.se"
SLOW = "0203:langsam.testbed.se"
_BEHAVIOURS = {
    REJECTS_EVERYTHING: Behaviour(0.0, ResponseCode.REJECTED),
    SLOW: Behaviour(6.0, ResponseCode.ACCEPTED),
}


@dataclass(frozen=True)
class ParticipantFiles:
    """An organisation's keys, one for signing and one for encryption."""

    signing: KeyFiles
    encryption: KeyFiles


class Federation:
    """CAs, DNS, SMP, address book and e-ID; `prepare` it once, then `start` it or talk to a running one."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._register = Register(directory / "register.json")
        self._servers: list[Any] = []
        self._authorities: dict[str, Authority] = {}

    @property
    def url(self) -> str:
        """The address of address book, SMP, CAs and e-ID."""
        return f"http://localhost:{self._register.read()['ports']['http']}"

    @property
    def issuer(self) -> str:
        """The address of the e-ID provider."""
        return f"{self.url}/oidc"

    @property
    def smp_url(self) -> str:
        """The address of the SMP, which the SML tells."""
        return f"{self.url}/smp"

    @property
    def trust_dir(self) -> Path:
        """The directory of CA certificates for `SDK_TRUST_DIR`."""
        return self.directory / "trust"

    @property
    def tls_ca(self) -> Path:
        """The certificate of the CA that issues TLS certificates."""
        return self._authority("tls").files.certificate

    def prepare(self) -> None:
        """Choose ports and create the CAs and the trust directory, where they do not exist yet."""
        self.directory.mkdir(parents=True, exist_ok=True)
        if "ports" not in self._register.read():
            ports = {"http": free_port(), "dns": free_port(), "odd": free_port()}
            self._register.change(lambda state: state.update(ports=ports))
        for name in _AUTHORITIES:
            authority = self._authority(name)
            if name == "tls":
                continue
            target = self.trust_dir / name / f"{name}.pem"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(authority.files.certificate.read_bytes())
        self._authority("smp").issue(self._smp_files(), "SMP0001-SDK-TEST")
        if REVOKED_ACCESS_POINT not in self._register.entries("access_points"):
            # Revoked from the start: nodes go on using a revocation list that they fetched earlier.
            revoked = self.add_access_point(REVOKED_ACCESS_POINT, "https://localhost:9/as4")
            self.revoke("access-points", revoked.certificate)

    def environment(self) -> dict[str, str]:
        """The environment variables with which a node takes part in this federation."""
        return {
            "SDK_TRUST_DIR": str(self.trust_dir),
            "SDK_TLS_CA_FILE": str(self.tls_ca),
            "SDK_DNS_SERVERS": f"127.0.0.1:{self._register.read()['ports']['dns']}",
            "SDK_SML_ZONE": ZONE,
            "SDK_ADDRESS_BOOK_URL": f"{self.url}/addressbook/api/",
            "SDK_OIDC_ISSUER": self.issuer,
            "SDK_OIDC_CLIENT_ID": CLIENT_ID,
            "SDK_OIDC_CLIENT_SECRET": CLIENT_SECRET,
        }

    def add_access_point(self, common_name: str, url: str, *, validity: Validity | None = None) -> KeyFiles:
        """Issue an access point's key and certificate, and publish its URL in the SMP."""
        files = self._files("access-point", common_name)
        self._authority("access-points").issue(files, common_name, validity=validity)
        self.register_access_point(common_name, url, files.certificate)
        return files

    def register_access_point(self, common_name: str, url: str, certificate: Path) -> None:
        """Publish an access point's URL and certificate in the SMP."""
        self._register.put("access_points", common_name, {"url": url, "certificate": str(certificate)})

    def add_participant(
        self,
        participant_id: str,
        name: str,
        access_point: str,
        functions: Sequence[Function],
        *,
        published: bool = True,
    ) -> ParticipantFiles:
        """Add an organisation to address book, SML and SMP; unless `published`, to the address book alone."""
        organisations = self._authority("organisations")
        signing = organisations.issue(
            self._files("signing", participant_id), f"{name} signering", organisation=name
        )
        encryption = organisations.issue(
            self._files("encryption", participant_id), f"{name} kryptering", organisation=name
        )
        self._register.put(
            "participants",
            participant_id,
            {
                "name": name,
                "access_point": access_point,
                "functions": functions_as_json(functions),
                "published": published,
                "signing": [str(signing.certificate)],
                "encryption": [str(encryption.certificate)],
            },
        )
        return ParticipantFiles(signing, encryption)

    def change_participant(self, participant_id: str, **changes: object) -> None:
        """Change what address book, SML or SMP publish about an organisation."""
        entry = dict(self._register.entries("participants")[participant_id])
        self._register.put("participants", participant_id, {**entry, **changes})

    def add_person(self, person: Person) -> None:
        """Let a person log in with the test e-ID."""
        self._register.put("people", person.subject, asdict(person))

    def tls_files(self, host: str = "localhost") -> KeyFiles:
        """Issue the TLS key and certificate of a host, once."""
        return self._authority("tls").issue(self._files("tls", host), host, hosts=(host,))

    def issue_organisation_key(
        self, name: str, common_name: str, *, validity: Validity | None = None
    ) -> KeyFiles:
        """Issue another key by the organisations' CA; no metadata names it."""
        return self._authority("organisations").issue(
            self._files("extra", name), common_name, validity=validity
        )

    def answer_request(self, authority: str, request: bytes) -> bytes:
        """The certificate (PEM) that the CA with that name issues for a request (PKCS#10, PEM)."""
        return self._authority(authority).answer(request)

    def revoke(self, authority: str, certificate: Path) -> None:
        """Put a certificate on the revocation list of the CA with that name."""
        serial = load_certificate(certificate).serial_number
        revoked = sorted({*self._revoked(authority), serial})
        self._register.put("revoked", authority, {"serials": [str(number) for number in revoked]})

    def start(self) -> None:
        """Start the servers, in threads; raises `ServiceNotStarted` if one of their ports is taken."""
        ports = self._register.read()["ports"]
        for port in ports.values():
            if port_is_taken(port):
                raise ServiceNotStarted(f"port {port}, which the federation used before, is taken")
        web: BaseWSGIServer = make_server("127.0.0.1", ports["http"], self._application(), threaded=True)
        threading.Thread(target=web.serve_forever, daemon=True).start()
        self._servers = [web, *start_name_servers(self._register, self.smp_url, ports["dns"])]
        self._servers.append(self._start_simulated_access_point(ports["odd"]))

    def stop(self) -> None:
        """Stop the servers."""
        for server in self._servers:
            server.shutdown() if isinstance(server, BaseWSGIServer) else server.stop()
        self._servers = []

    def wait_until_ready(self, process: "subprocess.Popen[bytes]", log: Path) -> None:
        """Return when the process that runs this federation answers."""
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            try:
                if requests.get(f"{self.url}/oidc/jwks", timeout=2).ok:
                    return
            except requests.RequestException:
                time.sleep(0.05)
        raise ServiceNotStarted(f"the federation did not start; see {log}")

    @property
    def simulated_url(self) -> str:
        """The address of the simulated organisations' access point."""
        return f"https://localhost:{self._register.read()['ports']['odd']}/as4"

    def _start_simulated_access_point(self, port: int) -> BaseWSGIServer:
        files = self.add_access_point(SIMULATED_ACCESS_POINT, self.simulated_url)
        access_point = SimulatedAccessPoint(
            self._register, SIMULATED_ACCESS_POINT, files, self.tls_ca, _BEHAVIOURS
        )
        tls = self.tls_files("localhost")
        context = (str(tls.certificate), str(tls.key))
        server = make_server(
            "127.0.0.1", port, access_point.application(), threaded=True, ssl_context=context
        )
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server

    def _application(self) -> Flask:
        app = Flask("testbed", template_folder=str(Path(__file__).parent / "templates"))
        app.secret_key = "testbed"
        register = self._register
        app.register_blueprint(address_book(register))
        self.eid = EidProvider(register, self.issuer, self.directory / "keys" / "eid.json")
        self.eid.attach(app)

        @app.get("/smp/<recipient>/services/<path:action>")
        def metadata(recipient: str, action: str) -> Response:
            participant = recipient.partition("::")[2].lower()
            entry = register.entries("participants").get(participant)
            if entry is None or not entry["published"]:
                abort(404)
            access_point = register.entries("access_points")[entry["access_point"]]
            signed = signed_service_metadata(participant, entry, access_point, action, self._smp_files())
            if signed is None:
                abort(404)
            return Response(signed, content_type="text/xml; charset=UTF-8")

        @app.get("/pki/<name>.crl")
        def revocation_list(name: str) -> Response:
            if name not in _AUTHORITIES:
                abort(404)
            crl = self._authority(name).revocation_list(self._revoked(name))
            return Response(crl, content_type="application/pkix-crl")

        @app.post("/pki/<name>/ocsp")
        @app.get("/pki/<name>/ocsp/<path:encoded>")
        def ocsp(name: str, encoded: str = "") -> Response:
            if name not in _AUTHORITIES:
                abort(404)
            # Java sends the request in the path (RFC 6960 appendix A.1).
            ocsp_request = base64.b64decode(encoded) if encoded else request.get_data()
            response = self._authority(name).ocsp_response(ocsp_request, self._revoked(name))
            return Response(response, content_type="application/ocsp-response")

        return app

    def _authority(self, name: str) -> Authority:
        if name not in self._authorities:
            self._authorities[name] = Authority(self.directory / "authorities", name, self.url)
        return self._authorities[name]

    def _revoked(self, name: str) -> list[int]:
        return [int(serial) for serial in self._register.entries("revoked").get(name, {}).get("serials", ())]

    def _smp_files(self) -> KeyFiles:
        return self._files("smp", "smp")

    def _files(self, kind: str, name: str) -> KeyFiles:
        base = self.directory / "keys" / kind / name.replace(":", "_")
        return KeyFiles(base.with_name(base.name + ".key"), base.with_name(base.name + ".pem"))


def main(arguments: Sequence[str]) -> int:
    """Run the federation of a directory until SIGINT or SIGTERM; returns the exit code."""
    if len(arguments) != 1:
        print("usage: python -m testbed.federation DIRECTORY", file=sys.stderr)
        return 2
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    federation = Federation(Path(arguments[0]))
    federation.prepare()
    try:
        federation.start()
    except ServiceNotStarted as error:
        print(f"testbed: {error}", file=sys.stderr)
        return 1
    print(f"The test federation answers at {federation.url}", flush=True)
    stopping.wait()
    federation.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
