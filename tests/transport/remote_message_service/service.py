"""Another supplier's message service, as the contract (B1.4.2) describes it, which a test may steer."""

import json
import threading
import time
import uuid
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey

Answer = tuple[int, dict[str, str], bytes]


class OtherService:
    """Messages by their ids. `intercept` answers a request in the service's place, or returns None."""

    def __init__(self) -> None:
        self.messages: dict[str, dict[str, Any]] = {}
        self.requests: list[tuple[str, str]] = []
        self.assertions: set[str] = set()
        self.public_key: dict[str, Any] = {}
        self.page_size = 1000
        self.token = ""
        self.intercept: Callable[[str, str], Answer | None] = lambda method, path: None
        self.forgets_to_delete = False
        handler = type("Handler", (_Handler,), {"service": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def add(self, attributes: dict[str, Any], status: str = "NEW") -> str:
        """A message that has arrived at the service; its id there."""
        identity = str(uuid.uuid4())
        self.messages[identity] = {"status": status, "attributes": attributes, "issues": []}
        return identity

    def asked(self, method: str, beginning: str = "") -> int:
        return sum(1 for verb, path in self.requests if verb == method and path.startswith(beginning))

    def answer(self, method: str, target: str, body: bytes, authorization: str) -> Answer:
        parts = urlsplit(target)
        self.requests.append((method, parts.path))
        if (steered := self.intercept(method, parts.path)) is not None:
            return steered
        if parts.path == "/v1/token":
            return self._new_token(body)
        if authorization != f"Bearer {self.token}" or not self.token:
            return 401, {}, b""
        if parts.path == "/v1/sdk/messages":
            if method == "POST":
                return self._take(json.loads(body))
            return self._list(dict(parse_qsl(parts.query)))
        identity = parts.path.rpartition("/")[2]
        found = self._find(identity)
        if found is None:
            return 404, {}, b""
        if method == "DELETE":
            if not self.forgets_to_delete:
                del self.messages[found]
            return 202, {}, b""
        return as_json(200, {"meta": {"version": "1.0.0"}, "data": self._whole(found)})

    def _find(self, identity: str) -> str | None:
        if identity in self.messages:
            return identity
        of_message = (
            key for key, item in self.messages.items() if item["attributes"]["messageId"] == identity
        )
        return next(of_message, None)

    def _new_token(self, body: bytes) -> Answer:
        form = dict(parse_qsl(body.decode()))
        claims = jwt.decode(
            form["client_assertion"], ECKey.import_key(self.public_key), algorithms=["ES256"]
        ).claims
        assert claims["aud"] == f"{self.url}/v1/token"
        assert claims["iss"] == claims["sub"]
        assert claims["exp"] > time.time()
        assert claims["jti"] not in self.assertions, "an assertion is used once"
        self.assertions.add(claims["jti"])
        self.token = uuid.uuid4().hex
        return as_json(200, {"access_token": self.token, "token_type": "Bearer", "expires_in": 1800})

    def _take(self, value: dict[str, Any]) -> Answer:
        attributes = value["data"]["attributes"]
        if self._find(attributes["messageId"]) is not None:
            return as_json(400, {"title": "Bad Request"})
        identity = str(uuid.uuid4())
        self.messages[identity] = {"status": "SCHEDULED", "attributes": attributes, "issues": []}
        return 201, {"Location": f"/v1/sdk/messages/{identity}"}, b""

    def _list(self, query: dict[str, str]) -> Answer:
        found = [self._head(key) for key, item in list(self.messages.items()) if self._matches(item, query)]
        begin = int(query.get("page[after]", "0"))
        links = {"self": "/v1/sdk/messages"}
        if len(found) > begin + self.page_size:
            links["next"] = f"/v1/sdk/messages?page[after]={begin + self.page_size}"
        return as_json(200, {"data": found[begin : begin + self.page_size], "links": links})

    @staticmethod
    def _matches(item: dict[str, Any], query: dict[str, str]) -> bool:
        attributes = item["attributes"]
        for name in ("recipientAttention", "senderAttention"):
            wanted = query.get(f"filter[{name}.subOrganization.extension]")
            if wanted and attributes[name]["subOrganization"]["extension"] != wanted:
                return False
        return query.get("filter[messageStatus]") in (None, item["status"])

    def _head(self, key: str) -> dict[str, Any]:
        whole = self._whole(key)
        return {**whole, "attributes": {**whole["attributes"], "digitalDocument": []}}

    def _whole(self, key: str) -> dict[str, Any]:
        item = self.messages[key]
        events = {"eventIssues": item["issues"]}
        attributes = {**item["attributes"], "messageStatus": item["status"], "events": events}
        return {"type": "messages", "id": key, "attributes": attributes}


class _Handler(BaseHTTPRequestHandler):
    service: OtherService

    def _do(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, headers, content = self.service.answer(
            self.command, self.path, body, self.headers.get("Authorization", "")
        )
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)
        self.close_connection = True

    do_GET = do_POST = do_DELETE = _do

    def log_message(self, *args: object) -> None:
        """Says nothing."""


def as_json(status: int, value: Any) -> Answer:
    return status, {"Content-Type": "application/json"}, json.dumps(value, ensure_ascii=False).encode()
