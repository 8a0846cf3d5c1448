"""Traces: the whole way of a message and its receipt as one trace, without a word of what is in it."""

import dataclasses
import hashlib
import logging
import uuid
from datetime import timedelta
from itertools import pairwise

import pytest
from django.db import transaction
from django.utils import timezone
from opentelemetry.sdk.trace import TracerProvider

from testbed.services import free_port
from transport.access_point import outbound as access_point_sending
from transport.access_point.models import OutboundTransfer
from transport.message_service import inbound, orders, outbound
from transport.message_service.models import IncomingMessage, OutgoingMessage
from transport.observation import export, traces
from transport.observation.steps import Step
from transport.observation.traces import Attribute, Span
from transport.protocol.sdk_message.message import BytesContent, File

pytestmark = pytest.mark.xdist_group("federation-messages")
# What stands in a message and must stand in no trace.
TOLD = (
    "Karin Svensson",
    "19121212-1212",
    "191212121212",
    "skyddad-identitet",
    "läkarutlåtande",
    "orosanmälan",
)
WHOLE_WAY = [
    "order",
    "seal",
    "scan",
    "send",
    "receive",
    "validate",
    "open",
    "scan",
    "deliver",
    "make-receipt",
    "seal receipt",
    "send receipt",
    "receive receipt",
    "validate receipt",
    "settle receipt",
]


def a_conspicuous_message(world):
    """Subject, text, file and label say what must not be told."""
    file = File(
        "läkarutlåtande Karin Svensson 19121212-1212.txt",
        "text/plain",
        BytesContent(b"orosanm\xc3\xa4lan om Karin Svensson 191212121212"),
    )
    message = world.message(text="orosanmälan: Karin Svensson, 19121212-1212", files=(file,))
    header = dataclasses.replace(message.header, label="skyddad-identitet Karin Svensson")
    return dataclasses.replace(message, header=header)


def sent(world, message) -> uuid.UUID:
    message_id = orders.order(message, actor="Karin Svensson 19121212-1212")
    world.pump()
    return message_id


def in_batches() -> None:
    """Do what workers would with all that is due, a batch of each kind after the other."""
    for _ in range(20):
        found = [
            (OutgoingMessage, outbound.seal_and_submit_all),
            (OutboundTransfer, access_point_sending.send_all),
            (IncomingMessage, inbound.process_all),
        ]
        claimed = [(work, rows) for model, work in found if (rows := model.claim_due(16))]
        if not claimed:
            return
        for work, rows in claimed:
            work(rows)
    raise AssertionError("work does not come to an end")


def test_the_way_of_a_message_and_its_receipt_is_one_trace_in_order(world, exported):
    message_id = sent(world, a_conspicuous_message(world))
    assert OutgoingMessage.objects.get(message_id=message_id).state == "ACCEPTED"
    collector = exported()
    spans = collector.of_trace(traces.trace_id_of(message_id))
    assert collector.spans() == spans
    assert sorted(span.name for span in spans) == sorted(WHOLE_WAY)
    by_id = {span.span_id: span for span in spans}
    parents = [(span.name, by_id[span.parent_id].name) for span in spans if span.parent_id]
    assert sorted(parents) == sorted(
        [
            ("seal", "order"),
            ("scan", "seal"),
            ("send", "order"),
            ("receive", "order"),
            ("validate", "receive"),
            ("open", "validate"),
            ("scan", "validate"),
            ("deliver", "validate"),
            ("make-receipt", "order"),
            ("seal receipt", "make-receipt"),
            ("send receipt", "make-receipt"),
            ("receive receipt", "make-receipt"),
            ("validate receipt", "receive receipt"),
            ("settle receipt", "validate receipt"),
        ]
    )
    assert [span.name for span in spans if not span.parent_id] == ["order"]
    assert all(by_id[span.parent_id].began <= span.began <= span.ended for span in spans if span.parent_id)
    first = {name: next(span.began for span in spans if span.name == name) for name in WHOLE_WAY}
    steps = [first[name] for name in WHOLE_WAY if name != "scan"]
    assert all(earlier <= later for earlier, later in pairwise(steps))


def test_no_trace_tells_anything_of_a_message_but_ids_codes_sizes_and_times(world, exported):
    message_id = sent(world, a_conspicuous_message(world))
    refused = dataclasses.replace(a_conspicuous_message(world))
    world.transfer(world.sealed(refused, handling="läkarutlåtande Karin Svensson")[1])
    collector = exported()
    bodies = b"".join(collector.bodies)
    function = world.recipient.mailbox.address
    for told in (*TOLD, function, "Kallelse", "text/plain", "127.0.0.1", "SELECT", "/as4"):
        assert told.encode() not in bodies
        assert told.lower().encode() not in bodies.lower()
    names = {name for span in collector.spans() for name in span.attributes}
    assert names <= {attribute.value for attribute in Attribute}
    assert {tuple(sorted(resource)) for resource in collector.resources()} == {
        ("service.name", "service.version")
    }
    sending = next(span for span in collector.spans() if span.name == "send")
    assert sending.attributes == {
        "sdk.message_id": str(message_id),
        "sdk.step": "send",
        "sdk.kind": "message",
        "sdk.sender": world.sender.participant.value,
        "sdk.recipient": world.recipient.participant.value,
        "sdk.attempt": 1,
        "sdk.outcome": "delivered",
        "sdk.size_bytes": sending.attributes["sdk.size_bytes"],
    }
    assert sending.attributes["sdk.size_bytes"] > 1000


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        (Attribute.SENDER, "Karin Svensson"),
        (Attribute.RECIPIENT, "0203:karin svensson.se"),
        (Attribute.CODE, "EBMS:0004 Karin Svensson"),
        (Attribute.OUTCOME, "19121212-1212"),
        (Attribute.CAUSE, "rejected: Karin"),
        (Attribute.QUEUE, "a b"),
        (Attribute.SIZE, "Karin"),
        (Attribute.ATTEMPT, "19121212-1212"),
        (Attribute.MESSAGE_ID, "Karin"),
    ],
)
def test_a_value_that_has_not_its_attribute_s_form_is_left_out(attribute, value):
    assert traces.allowed({attribute: value}) == {}


def test_each_message_of_a_batch_has_its_own_trace_with_a_link_to_the_batch_s(world, exported):
    ids = [orders.order(world.message(), actor="Karin") for _ in range(3)]
    in_batches()
    assert set(OutgoingMessage.objects.filter(kind="message").values_list("state", flat=True)) == {"ACCEPTED"}
    collector = exported()
    batches = [span for span in collector.spans() if span.name == "seal batch" and not span.links]
    first = batches[0]
    assert first.attributes == {"sdk.step": "seal", "sdk.batch_size": 3, "sdk.queue": "celery"}
    for message_id in ids:
        spans = collector.of_trace(traces.trace_id_of(message_id))
        assert sorted(span.name for span in spans) == sorted(WHOLE_WAY)
        (sealing,) = [span for span in spans if span.name == "seal"]
        assert sealing.links == ((first.trace_id, first.span_id),)
        assert first.began <= sealing.began <= sealing.ended <= first.ended
    assert {span.name for span in collector.spans()} > {"seal batch", "send batch", "validate batch"}


def test_each_attempt_to_send_is_a_span_with_its_number_and_cause(world, exported, monkeypatch):
    def refuse(*_: object) -> None:
        raise access_point_sending.NoAnswer("ConnectionError")

    with monkeypatch.context() as broken:
        broken.setattr(access_point_sending, "post", refuse)
        message_id = orders.order(world.message(), actor="Karin")
        outbound.seal_and_submit(OutgoingMessage.objects.get().pk)
        access_point_sending.send(OutboundTransfer.objects.get().pk)
    OutboundTransfer.objects.update(due_at=timezone.now())
    world.pump()
    spans = exported().of_trace(traces.trace_id_of(message_id))
    attempts = [
        (
            span.attributes["sdk.attempt"],
            span.attributes["sdk.outcome"],
            span.attributes.get("sdk.cause"),
            span.has_failed,
        )
        for span in spans
        if span.name == "send"
    ]
    assert attempts == [(1, "resending", "unreachable", True), (2, "delivered", None, False)]


def test_a_message_that_is_rejected_has_a_trace_that_says_so(world, exported):
    message_id = sent(world, world.message(recipient_function="sdk:funktion:finns-inte"))
    assert OutgoingMessage.objects.get(message_id=message_id).state == "REJECTED"
    spans = exported().of_trace(traces.trace_id_of(message_id))
    (judged,) = [span for span in spans if span.name == "validate"]
    assert (judged.attributes["sdk.outcome"], judged.attributes["sdk.cause"]) == (
        "MESSAGE_EXCHANGE_ERROR",
        "rejected",
    )
    assert judged.has_failed
    assert "deliver" not in {span.name for span in spans}
    assert {"make-receipt", "settle receipt"} <= {span.name for span in spans}


def test_the_trace_begins_when_somebody_pressed_send(world, exported):
    pressed = timezone.now() - timedelta(seconds=9)
    message_id = orders.order(world.message(), actor="Karin", ordered_at=pressed)
    (order,) = exported().of_trace(traces.trace_id_of(message_id))
    assert order.began == int(pressed.timestamp()) * 10**9 + pressed.microsecond * 1000
    assert order.ended - order.began >= 9e9


def test_an_order_that_is_rolled_back_has_no_trace(world, exported):
    with transaction.atomic():
        orders.order(world.message(), actor="Karin")
        transaction.set_rollback(True)
    assert exported().spans() == []


def test_the_trace_id_is_computed_from_the_message_id_alone():
    message_id = uuid.UUID("8d0c1c8e-6a56-4f2b-9f4e-0b6a1f1f6f10")
    expected = hashlib.sha256(b"sdk trace" + message_id.bytes).hexdigest()[:32]
    assert f"{traces.trace_id_of(message_id):032x}" == expected


def test_every_node_with_the_same_share_samples_the_same_messages(settings):
    ids = [uuid.UUID(int=number) for number in range(4000)]
    settings.SDK_TRACES_RATIO = 0.25
    chosen = [each for each in ids if traces.is_sampled(each)]
    assert 800 < len(chosen) < 1200
    settings.SDK_TRACES_RATIO = 0.5
    assert all(traces.is_sampled(each) for each in chosen)
    settings.SDK_TRACES_RATIO = 0.0
    assert not any(traces.is_sampled(each) for each in ids)
    settings.SDK_TRACES_RATIO = 1.0
    assert all(traces.is_sampled(each) for each in ids)


def test_of_messages_that_are_not_sampled_nothing_is_exported(world, exported, settings):
    settings.SDK_TRACES_RATIO = 0.0
    message_id = sent(world, world.message())
    assert OutgoingMessage.objects.get(message_id=message_id).state == "ACCEPTED"
    assert exported().bodies == []


def test_the_collector_is_given_the_token_and_the_name_of_the_service(collector, settings):
    settings.SDK_TRACES_TOKEN = "a-token"
    settings.SDK_TRACES_SERVICE = "sdk-habo"
    traces.record([a_span()])
    traces.end()
    assert collector.headers[0]["Authorization"] == "Bearer a-token"
    assert collector.resources()[0]["service.name"] == "sdk-habo"


def a_span() -> Span:
    return Span(uuid.uuid4(), Step.SEAL, 1, 2, "seal")


def test_a_collector_that_is_away_delays_nothing_and_is_logged_once(world, settings, caplog):
    settings.SDK_TRACES_URL = f"http://127.0.0.1:{free_port()}/v1/traces"
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            message_id = sent(world, world.message())
            assert OutgoingMessage.objects.get(message_id=message_id).state == "ACCEPTED"
        traces.end()
    told = [record for record in caplog.records if "traces" in record.message]
    assert [record.message for record in told] == ["traces_not_exported"] or told == []
    assert not [record for record in caplog.records if record.name.startswith("opentelemetry")]


def test_a_collector_that_refuses_is_logged_once_and_again_when_it_answers(collector, caplog, settings):
    collector.status = 400
    with caplog.at_level(logging.INFO):
        exporter = export._LoggedExporter()
        spans = _readable()
        for _ in range(3):
            exporter.export(spans)
        collector.status = 200
        exporter.export(spans)
    told = [
        (record.message, record.fields["lost"]) for record in caplog.records if "traces" in record.message
    ]
    assert told == [("traces_not_exported", 1), ("traces_exported_again", 3)]


def _readable():
    span = TracerProvider(shutdown_on_exit=False).get_tracer("tests").start_span("seal")
    span.end()
    return [span]


def test_a_collector_that_hangs_delays_nothing_and_what_waits_is_bounded(collector, monkeypatch):
    collector.answers.clear()
    monkeypatch.setattr(export, "_END_SECONDS", 0.1)
    traces.record([a_span()])
    for _ in range(3 * export._MOST_WAITING // 100):
        traces.record([a_span() for _ in range(100)])
    assert collector.asked.wait(60)
    waiting = (
        traces._process.exporter()
        ._provider._active_span_processor._span_processors[0]
        ._batch_processor._queue
    )
    assert len(waiting) <= export._MOST_WAITING
    traces.end()
    assert collector.bodies == []


def test_an_error_in_tracing_is_an_error_of_no_message(world, collector, monkeypatch, caplog):
    def fail(*_: object) -> None:
        raise RuntimeError("Karin Svensson")

    monkeypatch.setattr(export.OtlpExporter, "export", fail)
    message_id = sent(world, world.message())
    assert OutgoingMessage.objects.get(message_id=message_id).state == "ACCEPTED"
    assert "Karin" not in caplog.text
