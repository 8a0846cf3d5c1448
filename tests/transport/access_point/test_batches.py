"""Transfers that are sent together: in parallel, settled as their answers come, none at another's cost."""

import threading

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from transport.access_point import outbound
from transport.access_point.http_client import post
from transport.access_point.models import InboundTransfer, OutboundTransfer, TransferEvent

from .build import a_transfer, closed_at_once

pytestmark = pytest.mark.xdist_group("federation")


def states() -> list[str]:
    return sorted(OutboundTransfer.objects.values_list("state", flat=True))


def kinds() -> list[str]:
    return sorted(TransferEvent.objects.exclude(kind="RECEIVED").values_list("kind", flat=True))


def test_a_batch_is_sent_and_each_of_it_arrives_once(world, line):
    for _ in range(10):
        a_transfer(world)
    outbound.send_all(OutboundTransfer.claim_due(16))
    assert states() == ["DELIVERED"] * 10
    assert kinds() == ["DELIVERED"] * 10 + ["SENT"] * 10
    assert InboundTransfer.objects.count() == 10
    assert not OutboundTransfer.objects.filter(lease__isnull=False).exists()


def test_a_batch_costs_few_statements_more_than_one_transfer(world, line, settings):
    settings.SDK_ANSWER_MEMORY_SECONDS = 60
    # What is remembered afterwards, and how answers are gathered, is no matter of the batch's size.
    outbound.send(a_transfer(world).pk)
    with CaptureQueriesContext(connection) as alone:
        outbound.send(a_transfer(world).pk)
    for _ in range(8):
        a_transfer(world)
    batch = OutboundTransfer.claim_due(8)
    with CaptureQueriesContext(connection) as together:
        outbound.send_all(batch)
    assert len(together) < 8 * len(alone) / 2


def test_one_that_fails_costs_the_others_nothing(world, line):
    line.disturbances = [closed_at_once]
    for _ in range(4):
        a_transfer(world)
    outbound.send_all(OutboundTransfer.claim_due(4))
    assert states() == ["DELIVERED"] * 3 + ["PENDING"]
    failed = OutboundTransfer.objects.get(state="PENDING")
    assert (failed.cause, failed.attempts, failed.lease) == ("unreachable", 1, None)
    assert failed.due_at > timezone.now()


def test_an_answer_is_settled_while_another_is_waited_for(world, line, monkeypatch):
    slow, fast = a_transfer(world), a_transfer(world)
    settled = threading.Event()

    def posting(packed, url):
        if threading.current_thread().name.endswith("_0"):
            assert settled.wait(30), "the fast one was not settled"
        return post(packed, url)

    settle = outbound._settle_all

    def settling(results):
        settle(results)
        settled.set()

    monkeypatch.setattr(outbound, "post", posting)
    monkeypatch.setattr(outbound, "_settle_all", settling)
    outbound._posters.cache_clear()
    outbound.send_all(OutboundTransfer.claim_due(2))
    assert states() == ["DELIVERED"] * 2
    slow.refresh_from_db()
    fast.refresh_from_db()
    assert slow.settled_at != fast.settled_at


def test_what_waits_behind_a_slow_counterpart_is_left_to_another_worker(world, line, monkeypatch):
    for _ in range(3):
        a_transfer(world)
    released = threading.Event()

    def posting(packed, url):
        assert released.wait(30), "the others were not released"
        return post(packed, url)

    release = outbound._release

    def releasing(transfers):
        release(transfers)
        released.set()

    monkeypatch.setattr(outbound, "_PARALLEL_POSTS", 1)
    monkeypatch.setattr(outbound, "_LONG_SECONDS", 0.01)
    monkeypatch.setattr(outbound, "post", posting)
    monkeypatch.setattr(outbound, "_release", releasing)
    outbound.send_all(OutboundTransfer.claim_due(3))
    assert states() == ["DELIVERED", "PENDING", "PENDING"]
    waiting = OutboundTransfer.objects.filter(state="PENDING")
    assert [(row.attempts, row.lease, row.sent_references) for row in waiting] == [(0, None, [])] * 2
    assert all(row.due_at <= timezone.now() for row in waiting)


def test_one_whose_lease_is_lost_before_it_is_posted_is_not_posted(world, line):
    for _ in range(2):
        a_transfer(world)
    batch = OutboundTransfer.claim_due(2)
    lost = batch[0]
    OutboundTransfer.objects.filter(pk=lost.pk).update(lease="00000000-0000-4000-8000-000000000001")
    outbound.send_all(batch)
    assert line.requests == 1
    lost.refresh_from_db()
    assert (lost.state, lost.sent_references) == ("PENDING", [])


def test_a_counterpart_holds_no_more_workers_than_its_share(world, line, settings, monkeypatch):
    settings.SDK_COUNTERPART_SHARE = 1
    elsewhere = world.party("annan")
    world.federation.add_access_point("AP-ANNAN-TEST", world.url)
    world.federation.change_participant(elsewhere.participant.value, access_point="AP-ANNAN-TEST")
    first, *others = [a_transfer(world) for _ in range(4)]
    honest = a_transfer(world, recipient=elsewhere)
    claimed: list[list[OutboundTransfer]] = []
    posted: list[str] = []

    def posting(packed, url):
        posted.append(url)
        if len(posted) == 1:
            # While this answer is waited for, another worker comes, twice.
            for _ in range(2):
                batch = OutboundTransfer.claim_due(16)
                claimed.append(batch)
                outbound.send_all(batch)
        return post(packed, url)

    monkeypatch.setattr(outbound, "post", posting)
    outbound.send(first.pk)
    # Whose they are is not known before the first try; then they are not even claimed.
    assert [set(batch) for batch in claimed] == [{*others, honest}, set()]
    assert posted == [line.url, world.url], "the share is in use, and another is sent to beside it"
    waiting = OutboundTransfer.objects.filter(pk__in=[row.pk for row in others])
    assert [(row.state, row.attempts, row.lease) for row in waiting] == [("PENDING", 0, None)] * 3

    outbound.send_all(OutboundTransfer.claim_due(16))
    assert {row.state for row in waiting.all()} == {"DELIVERED"}


def test_the_share_of_a_worker_that_died_is_free_when_its_lease_ends(world, line, settings, monkeypatch):
    settings.SDK_COUNTERPART_SHARE = 1
    first, second = a_transfer(world), a_transfer(world)

    def dying(packed, url):
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(outbound, "post", dying)
        with pytest.raises(SystemExit):
            outbound.send(first.pk)
    outbound.send(second.pk)
    second.refresh_from_db()
    assert (second.state, second.attempts, line.requests) == ("PENDING", 0, 0)
    OutboundTransfer.objects.filter(pk=first.pk).update(lease_until=timezone.now())
    for transfer in (second, first):
        outbound.send(transfer.pk)
    assert states() == ["DELIVERED"] * 2
