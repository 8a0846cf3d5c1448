"""Sending over a line that fails: what is known of the message decides, and nothing is sent twice over."""

import os
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from django.core.files.storage import default_storage
from django.utils import timezone

from testbed.authorities import KeyFiles, load_certificate, load_key
from tests.world import World, work_is_clean
from transport.access_point import http_client, outbound
from transport.access_point.models import InboundTransfer, OutboundTransfer, TransferEvent
from transport.access_point_port import Outcome
from transport.causes import Cause
from transport.federation.errors import FederationError
from transport.message_service.adapter import OwnMessageService
from transport.message_service.models import IncomingMessage
from transport.protocol.as4 import signals
from transport.protocol.as4.messages import SignedReference
from transport.protocol.certificates import fingerprint

from .build import (
    FirstReceiptAgain,
    Line,
    a_transfer,
    answer_cut_short,
    answer_lost,
    answering,
    busy_for,
    closed_after_the_answer,
    closed_at_once,
    closed_in_the_middle,
    signalling,
    signed_error,
)

pytestmark = pytest.mark.xdist_group("federation")


def attempt(transfer: OutboundTransfer) -> OutboundTransfer:
    """One attempt, whenever it is due; the row afterwards."""
    OutboundTransfer.objects.filter(pk=transfer.pk, due_at__isnull=False).update(due_at=timezone.now())
    outbound.send(transfer.pk)
    transfer.refresh_from_db()
    return transfer


def peer_of(world: World, line: Line) -> KeyFiles:
    """The key of the access point that our transfers are sent to."""
    return world.federation.add_access_point(world.access_point, line.url)


def died_after_posting(transfer: OutboundTransfer, line: Line) -> None:
    """What the database holds when a worker was killed between its post and the answer."""
    line.disturbances.append(answer_lost)
    attempt(transfer)
    OutboundTransfer.objects.update(
        attempts=1,
        cause="",
        lease="00000000-0000-4000-8000-000000000001",
        lease_until=timezone.now() - timedelta(seconds=1),
    )


@pytest.mark.parametrize("disturbance", [closed_at_once, closed_in_the_middle, answer_lost, answer_cut_short])
def test_a_line_that_breaks_is_tried_again_and_the_message_arrives_once(world, line, settings, disturbance):
    line.disturbances = [disturbance]
    transfer = a_transfer(world, os.urandom(200_000))
    assert attempt(transfer).state == "PENDING"
    assert transfer.cause == "unreachable"
    assert attempt(transfer).state == "DELIVERED"
    assert transfer.receipt
    assert InboundTransfer.objects.count() == IncomingMessage.objects.count() == 1
    assert work_is_clean(settings.SDK_WORK_DIR)


def test_a_line_that_breaks_after_the_receipt_has_done_its_work(world, line, settings):
    line.disturbances = [closed_after_the_answer]
    transfer = a_transfer(world, os.urandom(200_000))
    assert (attempt(transfer).state, transfer.attempts) == ("DELIVERED", 1)
    assert line.requests == InboundTransfer.objects.count() == IncomingMessage.objects.count() == 1
    assert work_is_clean(settings.SDK_WORK_DIR)


@pytest.mark.parametrize(
    ("status", "content_type", "body"),
    [
        ("503 Service Unavailable", "text/html", b"<p>later</p>"),
        ("404 Not Found", "text/html", b"<p>?</p>"),
        ("302 Found", "text/html", b""),
        ("200 OK", "text/html", b"<p>a proxy's page</p>"),
        ("200 OK", "application/soap+xml", b""),
        ("200 OK", "application/soap+xml", b" " * (2 * 1024 * 1024 + 1)),
    ],
)
def test_what_is_no_signal_may_pass(world, line, status, content_type, body):
    line.disturbances = [answering(status, content_type, body)]
    transfer = a_transfer(world)
    assert (attempt(transfer).state, transfer.cause) == ("PENDING", "unreachable")
    assert attempt(transfer).state == "DELIVERED"


@pytest.mark.parametrize("body", [b"<not-soap/>", b"<broken", b"<!DOCTYPE a><a/>"])
def test_a_signal_that_is_none_is_an_invalid_receipt(world, line, body):
    line.disturbances = [answering("200 OK", "application/soap+xml", body)]
    transfer = a_transfer(world)
    assert (attempt(transfer).state, transfer.cause) == ("PENDING", "receipt-invalid")


def test_a_receipt_that_was_tampered_with_is_no_evidence(world, line):
    def tampered(ask, environ):
        answer = ask()
        at = answer.body.index(b"<ebbp:MessagePartNRInformation>")
        changed = answer.body[at:].replace(b"DigestValue>", b"DigestValue>AAAA", 1)
        return replace(answer, body=answer.body[:at] + changed)

    line.disturbances = [tampered]
    transfer = a_transfer(world)
    assert (attempt(transfer).state, transfer.cause) == ("PENDING", "receipt-invalid")
    assert transfer.receipt is None


def test_a_receipt_for_another_message_is_no_evidence(world, line):
    other, kept = a_transfer(world), []

    def noted(ask, environ):
        kept.append(ask())
        return kept[0]

    line.disturbances = [noted]
    attempt(other)
    line.disturbances = [lambda ask, environ: kept[0]]
    transfer = a_transfer(world)
    assert (attempt(transfer).state, transfer.cause) == ("PENDING", "receipt-invalid")


def test_a_peer_that_repeats_its_first_receipt_is_believed(world, line):
    """The resend was signed anew, so the receipt's digests are those of the first attempt."""
    peer = FirstReceiptAgain()
    line.disturbances = [peer.lost, peer.repeated]
    transfer = a_transfer(world)
    assert attempt(transfer).state == "PENDING"
    assert attempt(transfer).state == "DELIVERED"
    assert len(transfer.sent_references) == 2


@pytest.mark.parametrize(
    "answer",
    [
        ("EBMS:4001", "Duplicate"),
        ("EBMS:0004", "Not invoking SPIs, because message 'x' was already handled (this is a duplicate)"),
    ],
)
def test_duplicate_from_a_peer_counts_as_delivered_when_the_message_was_sent(world, line, answer):
    transfer = a_transfer(world)
    line.disturbances = [answer_lost, signed_error(peer_of(world, line), transfer.as4_message_id, *answer)]
    attempt(transfer)
    assert (attempt(transfer).state, transfer.cause) == ("DELIVERED", "")
    assert transfer.receipt
    event = TransferEvent.objects.get(kind="DELIVERED")
    assert event.certificate == fingerprint(load_certificate(peer_of(world, line).certificate))
    assert event.signature


def test_an_unsigned_duplicate_delivers_nothing_and_the_receipt_still_does(world, line):
    """Whatever answers at the address can say so: only who was sent to knows."""
    transfer = a_transfer(world)
    line.disturbances = [answer_lost, signalling("EBMS:4001")]
    attempt(transfer)
    assert (attempt(transfer).state, transfer.cause) == ("PENDING", "receipt-untrusted")
    assert transfer.receipt is None
    assert (attempt(transfer).state, transfer.cause) == ("DELIVERED", "")


def test_a_duplicate_that_another_access_point_signed_delivers_nothing(world, line):
    other = world.federation.add_access_point("AP-NAGON-ANNAN-TEST", "https://localhost:9/as4")
    transfer = a_transfer(world)
    line.disturbances = [answer_lost, signed_error(other, transfer.as4_message_id, "EBMS:4001")]
    attempt(transfer)
    assert (attempt(transfer).state, transfer.cause) == ("PENDING", "receipt-untrusted")


def test_a_duplicate_that_was_signed_for_another_message_delivers_nothing(world, line):
    transfer = a_transfer(world)
    line.disturbances = [answer_lost, signed_error(peer_of(world, line), "another@ap", "EBMS:4001")]
    attempt(transfer)
    assert (attempt(transfer).state, transfer.cause) == ("PENDING", "receipt-untrusted")


def test_an_unsigned_duplicate_to_the_end_is_a_failure_that_says_why(world, line):
    line.disturbances = [answer_lost, *[signalling("EBMS:4001")] * 4]
    transfer = a_transfer(world)
    while attempt(transfer).due_at is not None:
        pass
    assert (transfer.state, transfer.cause) == ("FAILED", "receipt-untrusted")


def test_duplicate_for_a_message_that_was_never_sent_is_a_refusal(world, line):
    transfer = a_transfer(world)
    line.disturbances = [signed_error(peer_of(world, line), transfer.as4_message_id, "EBMS:4001")]
    assert (attempt(transfer).state, transfer.cause) == ("FAILED", "refused")


def test_a_worker_that_died_after_posting_leaves_enough_to_understand_the_next_answer(world, line):
    transfer = a_transfer(world)
    died_after_posting(transfer, line)
    line.disturbances = [signed_error(peer_of(world, line), transfer.as4_message_id, "EBMS:4001")]
    assert (attempt(transfer).state, transfer.cause) == ("DELIVERED", "")


def test_a_worker_s_death_counts_as_an_attempt_and_too_many_end_it(world, line, settings):
    transfer = a_transfer(world)
    died_after_posting(transfer, line)
    OutboundTransfer.objects.update(attempts=settings.SDK_RESEND_LIMIT + 1)
    posted = line.requests
    assert (attempt(transfer).state, transfer.cause) == ("FAILED", "unexpected")
    assert line.requests == posted


@pytest.mark.parametrize(
    ("code", "state"),
    [("EBMS:0004", "PENDING"), ("EBMS:0202", "PENDING"), ("EBMS:0101", "FAILED"), ("EBMS:0009", "FAILED")],
)
def test_a_peer_s_error_passes_or_does_not(world, line, code, state):
    transfer = a_transfer(world)
    line.disturbances = [
        signed_error(peer_of(world, line), transfer.as4_message_id, code, "said by the peer")
    ]
    assert (attempt(transfer).state, transfer.cause) == (state, "refused")
    reported = TransferEvent.objects.filter(as4_message_id=transfer.as4_message_id).latest("pk")
    assert reported.cause == f"refused {code} said by the peer"


@pytest.mark.parametrize(
    ("code", "detail", "cause"),
    [("EBMS:0101", "", "refused"), ("EBMS:0004", "NOT_SERVICED", "not-serviced")],
)
def test_an_unsigned_error_settles_nothing_before_the_last_attempt(world, line, code, detail, cause):
    line.disturbances = [signalling(code, detail)] * 5
    transfer = a_transfer(world)
    assert (attempt(transfer).state, transfer.cause) == ("PENDING", cause)
    while attempt(transfer).due_at is not None:
        pass
    assert (transfer.state, transfer.cause, line.requests) == ("FAILED", cause, 5)


def test_a_refusal_by_the_endpoint_that_was_is_not_the_last_word(world, line):
    """The recipient has moved since its metadata was fetched: the resend goes to where it is now."""
    with Line() as former:
        world.federation.add_access_point(world.access_point, former.url)
        former.disturbances = [closed_at_once]
        transfer = a_transfer(world)
        attempt(transfer)
        outbound.lookup.endpoint_of(transfer.recipient_id, transfer.document_type)
        world.federation.add_access_point(world.access_point, line.url)
        former.disturbances = [
            signed_error(peer_of(world, line), transfer.as4_message_id, "EBMS:0004", "NOT_SERVICED")
        ]
        assert (attempt(transfer).state, transfer.cause) == ("PENDING", "not-serviced")
    assert attempt(transfer).state == "DELIVERED"


def test_a_receipt_that_another_access_point_signed_is_not_believed(world, line):
    other = world.federation.add_access_point("AP-NAGON-ANNAN-TEST", "https://localhost:9/as4")

    def signed_by_another(ask, environ):
        transfer = OutboundTransfer.objects.get()
        body = signals.write_receipt(
            transfer.as4_message_id,
            [SignedReference(uri, b"", xml.encode()) for uri, _, xml in transfer.sent_references[-1]],
            message_id="receipt@other",
            timestamp=timezone.now(),
            signing_key=load_key(other.key),
            signing_certificate=load_certificate(other.certificate),
        )
        return replace(ask(), body=body)

    line.disturbances = [signed_by_another]
    transfer = a_transfer(world)
    assert (attempt(transfer).state, transfer.cause) == ("PENDING", "receipt-untrusted")


def test_what_nobody_foresaw_waits_and_is_logged_without_its_text(world, line, caplog):
    transfer = a_transfer(world)
    default_storage.delete(transfer.envelope_name)
    assert (attempt(transfer).state, transfer.cause) == ("PENDING", "unexpected")
    logged = [record.fields for record in caplog.records if record.getMessage() == "unexpected_error"]
    assert [entry["error"] for entry in logged] == ["FileNotFoundError"]
    assert transfer.envelope_name not in str(logged)
    assert line.requests == 0


def resend_moments(transfer, monkeypatch, late: float = 0) -> list[float]:
    """Seconds from the first attempt to each resend, made when it is due, or `late` seconds after."""
    moments, start = [], timezone.now()
    now = start
    monkeypatch.setattr(outbound.timezone, "now", lambda: now)
    while attempt(transfer).due_at is not None:
        now = transfer.due_at + timedelta(seconds=late)
        moments.append((now - start).total_seconds())
    return moments


def test_the_first_resend_is_soon_and_the_others_spread_evenly_over_twelve_minutes(world, line, monkeypatch):
    line.disturbances = [closed_at_once] * 5
    transfer = a_transfer(world)
    first, second, third, fourth = resend_moments(transfer, monkeypatch)
    assert 5 <= first <= 15
    assert second - first == pytest.approx(third - second) == pytest.approx(fourth - third)
    assert fourth == pytest.approx(720)
    assert line.requests == 5
    assert transfer.state == "FAILED"


def test_workers_that_were_away_do_not_use_up_the_resends_at_once(world, line, monkeypatch):
    line.disturbances = [closed_at_once] * 5
    moments = resend_moments(a_transfer(world), monkeypatch, late=3600)
    assert len(moments) == 4
    assert all(after - before > 3600 + 89 for before, after in pairwise(moments))


def test_a_receiver_that_names_its_time_is_not_asked_before(world, line):
    line.disturbances = [busy_for("120")]
    transfer = attempt(a_transfer(world))
    assert (transfer.state, transfer.cause) == ("PENDING", "unreachable")
    assert transfer.due_at - timezone.now() > timedelta(seconds=100)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("", None),
        ("soon", None),
        ("-5", None),
        ("²", None),
        ("0", 0),
        ("60", 60),
        ("9" * 5000, 9_999_999),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 0),
        ("Sun, 06 Nov 1994 08:49:37", None),
        ("Sun, 99 Nov 99999 08:49:37 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(text, seconds):
    pause = http_client._pause(text)
    assert (pause.total_seconds() if pause is not None else None) == seconds


def test_the_message_service_is_told_of_each_turn_in_the_same_transaction(world, line, monkeypatch):
    reported = []

    def listen(service, changes):
        reported.extend((change.outcome, change.cause) for change in changes)
        if len(reported) == 1:
            raise RuntimeError("the listener fails")

    line.disturbances = [closed_at_once]
    transfer = a_transfer(world)
    monkeypatch.setattr(OwnMessageService, "transfers_changed", listen)
    with pytest.raises(RuntimeError):
        attempt(transfer)
    transfer.refresh_from_db()
    # Nothing of the step was kept: the lease runs out, and the attempt is made again.
    assert transfer.lease is not None
    assert not TransferEvent.objects.filter(kind="RESENDING").exists()
    OutboundTransfer.objects.update(lease_until=timezone.now())
    assert attempt(transfer).state == "DELIVERED"
    assert reported == [(Outcome.RESENDING, "unreachable"), (Outcome.DELIVERED, "")]


def test_the_log_names_the_other_side_s_certificate(world, line):
    transfer = attempt(a_transfer(world))
    own = world.federation.add_access_point(world.access_point, line.url)
    expected = fingerprint(load_certificate(own.certificate))
    events = TransferEvent.objects.filter(as4_message_id=transfer.as4_message_id)
    assert {event.kind: event.certificate for event in events} == {
        "SENT": expected,
        "RECEIVED": expected,
        "DELIVERED": expected,
    }
    assert "BEGIN CERTIFICATE" in InboundTransfer.objects.get().signing_certificate


def test_a_message_is_never_sent_of_a_type_that_the_recipient_has_not_published(world, line):
    """C3.4.6 3.1.3 b."""
    transfer = a_transfer(world)
    OutboundTransfer.objects.update(document_id="urn:riv:infrastructure:messaging:NagotAnnat:1")
    assert (attempt(transfer).state, transfer.cause) == ("FAILED", "document-type-not-served")
    assert line.requests == 0
    kinds = TransferEvent.objects.filter(as4_message_id=transfer.as4_message_id).values_list(
        "kind", flat=True
    )
    assert list(kinds) == ["FAILED"]


def test_every_error_of_the_federation_has_a_lasting_cause():
    kinds = FederationError.__subclasses__()
    assert len(kinds) >= 5
    assert {kind.code for kind in kinds} <= {cause.value for cause in Cause}
