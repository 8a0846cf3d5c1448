"""A collector of the tests' own: it takes spans by OTLP over HTTP, and may be slow, silent or refuse."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

PATIENCE_SECONDS = 60


@dataclass(frozen=True)
class Received:
    """A span as it came, with texts and numbers as attributes."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    began: int
    ended: int
    attributes: dict[str, str | int]
    links: tuple[tuple[str, str], ...]
    has_failed: bool


@dataclass
class Collector:
    """What has come. While `answers` is not set, nobody is answered; `status` is what is answered."""

    bodies: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    status: int = 200
    url: str = ""
    asked: threading.Event = field(default_factory=threading.Event)
    answers: threading.Event = field(default_factory=threading.Event)

    def spans(self) -> list[Received]:
        """Every span that has come, by its beginning."""
        return sorted(self._spans(), key=lambda span: (span.began, span.ended))

    def of_trace(self, trace_id: int) -> list[Received]:
        return [span for span in self.spans() if span.trace_id == f"{trace_id:032x}"]

    def resources(self) -> list[dict[str, str]]:
        return [
            {item.key: item.value.string_value for item in group.resource.attributes}
            for group in self._groups()
        ]

    def _groups(self) -> Iterator[object]:
        for body in self.bodies:
            request = ExportTraceServiceRequest()
            request.ParseFromString(body)
            yield from request.resource_spans

    def _spans(self) -> Iterator[Received]:
        for group in self._groups():
            for scope in group.scope_spans:
                yield from map(received, scope.spans)


def received(span: Span) -> Received:
    assert not span.events
    assert not span.status.message
    return Received(
        span.name,
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        span.start_time_unix_nano,
        span.end_time_unix_nano,
        {item.key: item.value.string_value or item.value.int_value for item in span.attributes},
        tuple((link.trace_id.hex(), link.span_id.hex()) for link in span.links),
        span.status.code == Status.STATUS_CODE_ERROR,
    )


class _Handler(BaseHTTPRequestHandler):
    server: "_Server"

    def do_POST(self) -> None:
        collector = self.server.collector
        body = self.rfile.read(int(self.headers["Content-Length"]))
        collector.asked.set()
        collector.answers.wait(PATIENCE_SECONDS)
        if collector.status == 200:
            collector.bodies.append(body)
            collector.headers.append({name.title(): value for name, value in self.headers.items()})
        self.send_response(collector.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, collector: Collector) -> None:
        self.collector = collector
        super().__init__(("127.0.0.1", 0), _Handler)


def serving() -> Iterator[Collector]:
    """A collector that serves; it answers at once until told otherwise."""
    collector = Collector()
    collector.answers.set()
    server = _Server(collector)
    collector.url = f"http://127.0.0.1:{server.server_port}/v1/traces"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield collector
    collector.answers.set()
    server.shutdown()
    server.server_close()
    thread.join(PATIENCE_SECONDS)
