"""The library as4 as an access point: HTTPS both ways, told what to do in JSON, an object a line.

It knows what phase4's program does (../peer, Peer.java): `received`, `serve`, `use` and `send`, with the
same fields, and besides:

    {"command": "answer", "wrong": kind, "keystore": path}: how its receipts are made from now on. Kinds: ""
        (right), "digests", "reference" (of another message), "less" (without the payload), "more" (as if
        more had been sent), "unsigned", "signer" (by the key in `keystore`).
"""

import http.client
import json
import ssl
import sys
import threading
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from as4.core.common import (
    AS4BaseCredentials,
    AS4ExternalParty,
    AS4InternalCredentials,
    AS4InternalParty,
    AS4LocalPrivateKey,
    AS4PartyIdentity,
)
from as4.core.context import SecurityPolicy
from as4.core.exchange import AS4ReceivingExchange, AS4SendingExchange
from as4.core.references import AS4References
from as4.core.trust import certificate_chain
from as4.errors import ParticipantNotServicedError, ReceiptVerificationError
from as4.models.ebms.signal_message import Error
from as4.profiles.peppol.profile import certificate_names_the_sender
from as4.profiles.peppol.receipt import PeppolAS4Receipt
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, pkcs12
from federation_profile import FederationMessage, FederationProfile, Order
from lxml import etree

_PASSWORD = b"peer"
_SECONDS = 60
_CHUNK = 8192
_SECURITY = "{http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd}Security"
_NOT_A_DIGEST = b64encode(bytes(32)).decode()

ReceivingExchange = AS4ReceivingExchange[FederationMessage, PeppolAS4Receipt, Order]
SendingExchange = AS4SendingExchange[FederationMessage, PeppolAS4Receipt, Order]


class AccessPoint:
    """Keys, what was received, and how receipts are made."""

    def __init__(self, configuration: dict[str, Any]) -> None:
        self.own = party(configuration["name"], configuration["party_type"], Path(configuration["keystore"]))
        self.store = Path(configuration["store"])
        self.store.mkdir(parents=True, exist_ok=True)
        self.tls_files = tls_files(Path(configuration["tls_keystore"]), self.store.parent)
        self.tls_authority = configuration["tls_ca"]
        anchors = x509.load_pem_x509_certificates(Path(configuration["authorities"]).read_bytes())
        self.policy = SecurityPolicy(
            signer_resolver=certificate_names_the_sender(certificate_chain(*anchors))
        )
        self.served: set[str] = set()
        self.wrong = ""
        self.other: AS4InternalParty | None = None
        self._lock = threading.Lock()
        self._taken: list[dict[str, Any]] = []
        self._refused: list[dict[str, Any]] = []

    def receive(self, headers: dict[str, str], body: bytes, is_chunked: bool) -> tuple[dict[str, str], bytes]:
        """Judge a message, keep its payload, and give (headers, signal)."""
        exchange = ReceivingExchange(profile=FederationProfile, local_party=self.own)
        exchange.receive(
            {"Content-Type": headers["Content-Type"]}, body, self._accept, security_policy=self.policy
        )
        message = exchange.message
        if not exchange.successful:
            refusal = {"message_id": message.message_id, "errors": errors_as_json(exchange.errors)}
            with self._lock:
                self._refused.append(refusal)
            return exchange.build_signal()
        record = self._record(message, is_chunked)
        with self._lock:
            self._taken.append(record)
        return self._receipt(exchange)

    def _accept(self, recipient: str) -> None:
        if self.served and recipient not in self.served:
            raise ParticipantNotServicedError

    def _record(self, message: FederationMessage, is_chunked: bool) -> dict[str, Any]:
        header = message.soap_envelope.header.messaging.user_message
        payloads = []
        for number, content in enumerate(message.decrypted_data.values()):
            path = self.store / f"{message.message_id}-{number}"
            path.write_bytes(content)
            payloads.append({"file": str(path), "size": len(content)})
        return {
            "message_id": message.message_id,
            "conversation_id": message.conversation_id,
            "action": header.collaboration_info.action.value,
            "service": header.collaboration_info.service.value,
            "service_type": header.collaboration_info.service.type_value,
            "from": header.party_info.party_from.party_id.value,
            "to": header.party_info.party_to.party_id.value,
            "properties": {item.name: item.value for item in header.message_properties.properties},
            "signer": message.signer_certificate.subject.rfc4514_string(),
            "chunked": is_chunked,
            "payloads": payloads,
        }

    def _receipt(self, exchange: ReceivingExchange) -> tuple[dict[str, str], bytes]:
        """The receipt, right or as wrong as it is to be."""
        if not self.wrong:
            return exchange.build_signal()
        references = [reference.model_copy(deep=True) for reference in exchange.message.signature_references]
        if self.wrong == "digests":
            references[-1].digest_value.text = _NOT_A_DIGEST
        elif self.wrong == "less":
            references.pop()
        elif self.wrong == "more":
            references.append(references[-1].model_copy(update={"uri": "cid:another-part"}))
        receipt = PeppolAS4Receipt.create_non_repudiation_receipt(
            "another-message@as4" if self.wrong == "reference" else exchange.message_id,
            exchange.messaging_id,
            references,
            self.other if self.wrong == "signer" else self.own,
        )
        headers, signal = receipt.get_request_data()
        if self.wrong == "unsigned":
            root = etree.fromstring(signal)
            security = next(root.iter(_SECURITY))
            security.getparent().remove(security)
            signal = etree.tostring(root)
        return headers, signal

    def obey(self, order: dict[str, Any]) -> dict[str, Any]:
        match order["command"]:
            case "received":
                with self._lock:
                    told = {"messages": self._taken, "refusals": self._refused}
                    self._taken, self._refused = [], []
                return told
            case "serve":
                self.served = set(order["served"])
            case "answer":
                self.wrong = order["wrong"]
                if "keystore" in order:
                    self.other = party("", "", Path(order["keystore"]))
            case "use":
                self.own = party(
                    self.own.identity.party_id, self.own.identity.party_type, Path(order["keystore"])
                )
            case "send":
                with ThreadPoolExecutor(order.get("parallel", 1)) as pool:
                    results = list(pool.map(lambda _: self.send(order), range(order.get("count", 1))))
                return {"results": results}
            case command:
                return {"failed": f"no command {command}"}
        return {}

    def send(self, order: dict[str, Any]) -> dict[str, Any]:
        """Send one message in chunks; what came of it."""
        identifiers = AS4References(conversation_id=order["conversation_id"])
        if "message_id" in order:
            identifiers.message_id = order["message_id"]
        certificate = x509.load_pem_x509_certificate(Path(order["receiver_certificate"]).read_bytes())
        own = AS4InternalParty(
            identity=AS4PartyIdentity(party_id=order["from"], party_type=order["party_type"]),
            credentials=self.own.credentials,
        )
        exchange = SendingExchange(
            profile=FederationProfile,
            local_party=own,
            remote_party=AS4ExternalParty(
                identity=AS4PartyIdentity(party_id=order["to"], party_type=order["party_type"]),
                credentials=AS4BaseCredentials(certificate=certificate),
            ),
            identifiers=identifiers,
        )
        told = {"message_id": exchange.message_id, "outcome": "FAILED", "receipt_fits": False}
        header = Order(
            service=order["service"],
            service_type=order["service_type"],
            action=order["action"],
            properties=[(name, item["type"], item["value"]) for name, item in order["properties"].items()],
        )
        (payload,) = order["payloads"]
        headers, body = exchange.build(Path(payload["file"]).read_bytes(), header)
        try:
            signal = self._post(order["url"], headers, body)
            exchange.mark_sent().receive_signal(signal)
        except (OSError, http.client.HTTPException, ReceiptVerificationError) as error:
            return {**told, "exception": f"{type(error).__name__}: {error}"}
        if exchange.errors:
            return {**told, "outcome": "ERROR", "errors": errors_as_json(exchange.errors)}
        return {**told, "outcome": "SUCCESS", "receipt_fits": exchange.successful}

    def _post(self, url: str, headers: dict[str, str], body: bytes) -> bytes:
        target = urlsplit(url)
        context = ssl.create_default_context(cafile=self.tls_authority)
        context.load_cert_chain(*self.tls_files)
        line = http.client.HTTPSConnection(target.netloc, timeout=_SECONDS, context=context)
        try:
            line.request("POST", target.path, chunks_of(body), headers, encode_chunked=True)
            answer = line.getresponse()
            content = answer.read()
            if answer.status != 200:
                raise http.client.HTTPException(f"HTTP {answer.status}")
            return content
        finally:
            line.close()


def chunks_of(body: bytes) -> Iterator[bytes]:
    for start in range(0, len(body), _CHUNK):
        yield body[start : start + _CHUNK]


def errors_as_json(errors: list[Error]) -> list[dict[str, str]]:
    return [
        {
            "code": error.error_code,
            "detail": error.error_detail.value if error.error_detail else "",
            "severity": error.severity,
        }
        for error in errors
    ]


def party(name: str, kind: str, keystore: Path) -> AS4InternalParty:
    key, certificate, _ = pkcs12.load_key_and_certificates(keystore.read_bytes(), _PASSWORD)
    return AS4InternalParty(
        identity=AS4PartyIdentity(party_id=name, party_type=kind),
        credentials=AS4InternalCredentials(certificate=certificate, private_key=AS4LocalPrivateKey(key)),
    )


def tls_files(keystore: Path, directory: Path) -> tuple[Path, Path]:
    """The certificate and the key of a key store as PEM, which `ssl` reads from files only."""
    key, certificate, _ = pkcs12.load_key_and_certificates(keystore.read_bytes(), _PASSWORD)
    paths = directory / "tls-certificate.pem", directory / "tls-key.pem"
    paths[0].write_bytes(certificate.public_bytes(Encoding.PEM))
    paths[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return paths


def handler_for(access_point: AccessPoint) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = _SECONDS

        def do_POST(self) -> None:
            is_chunked = "chunked" in self.headers.get("Transfer-Encoding", "")
            body = self._chunked() if is_chunked else self.rfile.read(int(self.headers["Content-Length"]))
            headers, signal = access_point.receive(dict(self.headers), body, is_chunked)
            self.send_response(200)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(signal)))
            self.end_headers()
            self.wfile.write(signal)

        def _chunked(self) -> bytes:
            pieces = []
            while size := int(self.rfile.readline().partition(b";")[0], 16):
                pieces.append(self.rfile.read(size))
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
            return b"".join(pieces)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


class Server(ThreadingHTTPServer):
    """A server whose threads make their own TLS handshakes, so that a silent line holds up nobody."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, access_point: AccessPoint) -> None:
        super().__init__(("localhost", 0), handler_for(access_point))
        self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=access_point.tls_authority)
        self._tls.load_cert_chain(*access_point.tls_files)
        self._tls.verify_mode = ssl.CERT_REQUIRED

    def finish_request(self, request: Any, client_address: Any) -> None:
        request.settimeout(_SECONDS)
        with self._tls.wrap_socket(request, server_side=True) as line:
            super().finish_request(line, client_address)


def say(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def main() -> None:
    access_point = AccessPoint(json.loads(Path(sys.argv[1]).read_text()))
    server = Server(access_point)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    say({"url": f"https://localhost:{server.server_address[1]}/as4"})
    for line in sys.stdin:
        try:
            answer = access_point.obey(json.loads(line))
        except Exception as error:  # noqa: BLE001 - the test that asked is told
            answer = {"failed": repr(error)}
        say(answer)


if __name__ == "__main__":
    main()
