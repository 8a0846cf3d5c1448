"""The export of spans by OTLP over HTTP, with OpenTelemetry's SDK; imported only where traces are on.

A thread of the SDK's sends what waits, every two seconds. At most `_MOST_WAITING` spans wait; of more the
oldest are dropped. A collector that is away, slow or hangs is waited for by that thread alone.
"""

import logging
import threading
import time
from collections.abc import Iterable, Sequence
from typing import Final
from urllib.parse import urlsplit

from django.conf import settings
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from transport.outgoing_http import Origin
from transport.outgoing_http.requests_session import bounded_session

from .traces import ExportedSpan

logger = logging.getLogger(__name__)
_MOST_WAITING: Final = 4096
_MOST_AT_ONCE: Final = 512
_EVERY_MILLISECONDS: Final = 2000
# What one export may take, and what the process waits for at its end.
_EXPORT_SECONDS: Final = 10.0
_END_SECONDS: Final = 2.0
_MAX_ANSWER_BYTES: Final = 64 * 1024
_LOG_AGAIN_SECONDS: Final = 3600.0
_SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
# Its own lines repeat what a server answers, and come with each failure: `_LoggedExporter` logs instead.
logging.getLogger("opentelemetry").setLevel(logging.CRITICAL + 1)


class OtlpExporter:
    """One for each process, made after it was forked."""

    def __init__(self) -> None:
        self._ids = _GivenIds()
        resource = Resource(
            {"service.name": settings.SDK_TRACES_SERVICE, "service.version": settings.VERSION}
        )
        self._provider = TracerProvider(
            sampler=ALWAYS_ON,
            resource=resource,
            shutdown_on_exit=False,
            id_generator=self._ids,
            span_limits=SpanLimits(max_span_attributes=16, max_links=4, max_attribute_length=300),
        )
        self._provider.add_span_processor(
            BatchSpanProcessor(
                _LoggedExporter(),
                max_queue_size=_MOST_WAITING,
                schedule_delay_millis=_EVERY_MILLISECONDS,
                max_export_batch_size=_MOST_AT_ONCE,
            )
        )
        self._tracer = self._provider.get_tracer("sdkportal", settings.VERSION)
        self._ending = threading.Event()
        # Waits from the beginning: where a process ends, no thread can be started any more.
        self._ender = threading.Thread(target=self._end_when_told, daemon=True, name="traces-end")
        self._ender.start()

    def export(self, spans: Iterable[ExportedSpan]) -> None:
        """Have the spans sent later."""
        for span in spans:
            self._ids.give(span.trace_id, span.span_id)
            made = self._tracer.start_span(
                span.name,
                context=_below(span.trace_id, span.parent_id),
                kind=SpanKind.INTERNAL,
                attributes=span.attributes,
                links=[Link(_context(*link)) for link in span.links],
                start_time=span.began,
            )
            if span.has_failed:
                made.set_status(Status(StatusCode.ERROR))
            made.end(span.ended)

    def end(self) -> None:
        """Send what waits, as far as that is done in `_END_SECONDS`."""
        self._ending.set()
        self._ender.join(_END_SECONDS)

    def _end_when_told(self) -> None:
        self._ending.wait()
        self._provider.shutdown()


class _GivenIds(IdGenerator):
    """The ids of the span that this thread makes next."""

    def __init__(self) -> None:
        self._given = threading.local()

    def give(self, trace_id: int, span_id: int) -> None:
        self._given.trace_id, self._given.span_id = trace_id, span_id

    def generate_trace_id(self) -> int:
        trace_id: int = self._given.trace_id
        return trace_id

    def generate_span_id(self) -> int:
        span_id: int = self._given.span_id
        return span_id


def _context(trace_id: int, span_id: int) -> SpanContext:
    return SpanContext(trace_id, span_id, is_remote=True, trace_flags=_SAMPLED)


def _below(trace_id: int, parent_id: int | None) -> Context:
    """Where a span stands: below another of its trace, or first in it."""
    if parent_id is None:
        return Context()
    return set_span_in_context(NonRecordingSpan(_context(trace_id, parent_id)), Context())


class _LoggedExporter(SpanExporter):
    """The SDK's exporter, with one line a time when nothing can be exported, and one when it can again."""

    def __init__(self) -> None:
        token = settings.SDK_TRACES_TOKEN
        self._exporter = OTLPSpanExporter(
            endpoint=settings.SDK_TRACES_URL,
            headers={"Authorization": f"Bearer {token}"} if token else {},
            timeout=_EXPORT_SECONDS,
            session=bounded_session(
                origin=Origin.SETTINGS,
                seconds=_EXPORT_SECONDS,
                max_bytes=_MAX_ANSWER_BYTES,
                plain_http=urlsplit(settings.SDK_TRACES_URL).hostname in _LOOPBACK,
            ),
        )
        self._lost = 0
        self._logged_at: float | None = None

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        if result is SpanExportResult.SUCCESS:
            if self._lost:
                logger.info("traces_exported_again", extra={"fields": {"lost": self._lost}})
            self._lost, self._logged_at = 0, None
            return result
        self._lost += len(spans)
        now = time.monotonic()
        if self._logged_at is None or now - self._logged_at > _LOG_AGAIN_SECONDS:
            self._logged_at = now
            logger.warning("traces_not_exported", extra={"fields": {"lost": self._lost}})
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return self._exporter.force_flush(timeout_millis)
