"""Traces of messages by OpenTelemetry, where SDK_TRACES_URL is set; without it nothing of it is imported.

All spans of a message, and of the receipt for it, have a trace id that is computed from the message id. So
nodes of different organisations make the same trace without telling each other of it, and agree on which
messages are sampled. The ids of the spans that another node's spans have as parents are computed likewise.

Attributes are those of `Attribute`, in the forms of `_FORMS`; nothing else is exported.
"""

import hashlib
import logging
import os
import re
import secrets
import threading
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from importlib import import_module
from typing import Final, Protocol, cast
from uuid import UUID

from django.conf import settings

from transport.jobs import log_unexpected

from . import steps
from .steps import Batch, Step

logger = logging.getLogger(__name__)
_EXPORT: Final = "transport.observation.export"


class Attribute(StrEnum):
    """What a span may say."""

    MESSAGE_ID = "sdk.message_id"
    STEP = "sdk.step"
    KIND = "sdk.kind"
    SENDER = "sdk.sender"
    RECIPIENT = "sdk.recipient"
    ATTEMPT = "sdk.attempt"
    OUTCOME = "sdk.outcome"
    CAUSE = "sdk.cause"
    CODE = "sdk.code"
    SIZE = "sdk.size_bytes"
    BATCH_SIZE = "sdk.batch_size"
    QUEUE = "sdk.queue"


_WORD: Final = re.compile(r"[A-Za-z][A-Za-z_-]{0,39}")
_PARTICIPANT: Final = re.compile(r"[0-9]{4}:[0-9a-z.:_-]{1,250}")
# The forms of texts; other attributes are whole numbers.
_FORMS: Final[Mapping[Attribute, re.Pattern[str]]] = {
    Attribute.MESSAGE_ID: re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    Attribute.STEP: _WORD,
    Attribute.KIND: _WORD,
    Attribute.SENDER: _PARTICIPANT,
    Attribute.RECIPIENT: _PARTICIPANT,
    Attribute.OUTCOME: _WORD,
    Attribute.CAUSE: _WORD,
    Attribute.CODE: re.compile(r"EBMS:[0-9]{4}|HTTP [0-9]{3}"),
    Attribute.QUEUE: _WORD,
}


@dataclass(frozen=True, slots=True)
class Span:
    """A step of one message. Times are nanoseconds since 1970.

    `key` is what the span's id is computed from, `parent` the key of the span that it belongs below; without
    it the span is the trace's first.
    """

    message_id: UUID
    step: Step
    began: int
    ended: int
    key: str
    parent: str = ""
    is_receipt: bool = False
    has_failed: bool = False
    attributes: Mapping[Attribute, str | int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.step} receipt" if self.is_receipt else self.step.value


@dataclass(frozen=True, slots=True)
class ExportedSpan:
    """A span with its ids, as it leaves. `links` are the trace and span ids of what it was a part of."""

    name: str
    trace_id: int
    span_id: int
    parent_id: int | None
    began: int
    ended: int
    attributes: Mapping[str, str | int]
    has_failed: bool = False
    links: tuple[tuple[int, int], ...] = ()


class Exporter(Protocol):
    """What takes spans and exports them, later and by itself."""

    def export(self, spans: Iterable[ExportedSpan]) -> None: ...
    def end(self) -> None: ...


class _Process:
    """This process's exporter, which is made when the first span is."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._exporter: Exporter | None = None
        self.is_unavailable = False

    def exporter(self) -> Exporter | None:
        with self._lock:
            if self._exporter is None and not self.is_unavailable:
                try:
                    make = cast(Callable[[], Exporter], import_module(_EXPORT).OtlpExporter)
                    self._exporter = make()
                except Exception as error:  # noqa: BLE001 - a message does not depend on it
                    self.is_unavailable = True
                    logger.error("traces_unavailable", extra={"fields": {"error": type(error).__name__}})
            return self._exporter

    def end(self) -> None:
        with self._lock:
            exporter, self._exporter, self.is_unavailable = self._exporter, None, False
        if exporter is not None:
            exporter.end()


_process = _Process()


def _begin_anew() -> None:
    """In a process that was forked: it exports by itself."""
    global _process
    _process = _Process()


os.register_at_fork(after_in_child=_begin_anew)


def is_on() -> bool:
    """Whether spans are made."""
    return bool(settings.SDK_TRACES_URL) and not _process.is_unavailable


def load() -> None:
    """Load what exports, before processes are forked, so that they share it; nothing where traces are off."""
    if settings.SDK_TRACES_URL:
        try:
            import_module(_EXPORT)
        except ImportError:
            # `check` says so, and the first span logs it.
            return


def end() -> None:
    """Export what waits, for a short time, when the process ends."""
    _process.end()


def trace_id_of(message_id: UUID) -> int:
    """The trace id of a message: the first 16 bytes of SHA-256 of `sdk trace` and the UUID's 16 bytes."""
    return int.from_bytes(hashlib.sha256(b"sdk trace" + message_id.bytes).digest()[:16])


def span_id_of(message_id: UUID, key: str) -> int:
    """A span's id: the first 8 bytes of SHA-256 of `sdk span`, the message's UUID as bytes, and the key."""
    return int.from_bytes(hashlib.sha256(b"sdk span" + message_id.bytes + key.encode()).digest()[:8])


def is_sampled(message_id: UUID) -> bool:
    """Whether a message is among the share that is exported; the same in every node with the same share."""
    return trace_id_of(message_id) % 2**64 < settings.SDK_TRACES_RATIO * 2**64


@contextmanager
def batch(step: Step, size: int, *, queue: str) -> Generator[None, None, None]:
    """Work on rows together; their spans link to the batch's own, which is made of several rows only."""
    if not is_on():
        yield
        return
    found = Batch(step, size, queue, steps.now(), secrets.randbits(128), secrets.randbits(64))
    try:
        with steps.in_batch(found):
            yield
    finally:
        if found.is_linked:
            _export([_batch_span(found)])


def record(spans: Iterable[Span]) -> None:
    """Have the spans of sampled messages exported. An error in it is logged, and raises nothing."""
    try:
        _export([_exported(span, steps.current_batch()) for span in spans if is_sampled(span.message_id)])
    except Exception as error:  # noqa: BLE001 - what is observed goes on
        log_unexpected(error, of="traces")


def _export(spans: list[ExportedSpan]) -> None:
    exporter = _process.exporter() if spans else None
    if exporter is not None:
        exporter.export(spans)


def _exported(span: Span, batch: Batch | None) -> ExportedSpan:
    links: tuple[tuple[int, int], ...] = ()
    if batch is not None and batch.size > 1:
        batch.is_linked = True
        links = ((batch.trace_id, batch.span_id),)
    kind = "receipt" if span.is_receipt else "message"
    own = {Attribute.MESSAGE_ID: str(span.message_id), Attribute.STEP: span.step.value, Attribute.KIND: kind}
    return ExportedSpan(
        span.name,
        trace_id_of(span.message_id),
        span_id_of(span.message_id, span.key),
        span_id_of(span.message_id, span.parent) if span.parent else None,
        span.began,
        max(span.began, span.ended),
        allowed({**span.attributes, **own}),
        span.has_failed,
        links,
    )


def _batch_span(batch: Batch) -> ExportedSpan:
    attributes: dict[Attribute, str | int] = {
        Attribute.STEP: batch.step.value,
        Attribute.BATCH_SIZE: batch.size,
        Attribute.QUEUE: batch.queue,
    }
    name = f"{batch.step} batch"
    return ExportedSpan(
        name, batch.trace_id, batch.span_id, None, batch.began, steps.now(), allowed(attributes)
    )


def allowed(attributes: Mapping[Attribute, str | int]) -> dict[str, str | int]:
    """Those of the attributes that have the form which is allowed for them."""
    return {key.value: value for key, value in attributes.items() if _is_allowed(key, value)}


def _is_allowed(key: Attribute, value: str | int) -> bool:
    form = _FORMS.get(key)
    if form is None:
        return isinstance(value, int)
    return isinstance(value, str) and form.fullmatch(value) is not None
