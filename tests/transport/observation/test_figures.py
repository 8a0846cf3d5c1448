"""Times of steps: counted in each process, added up at the broker, and nobody waits for it."""

import threading
import uuid

import pytest

from testbed.services import free_port
from transport import queues
from transport.observation import figures, steps
from transport.observation.steps import Step


@pytest.fixture(autouse=True)
def counts_of_its_own(monkeypatch) -> None:
    figures.flush()
    monkeypatch.setattr(figures, "_KEY", f"tests:{uuid.uuid4()}")


def of(step: Step) -> figures.Histogram:
    (found,) = figures.histograms([step])
    return found


def test_every_step_is_counted_in_its_bucket_and_all_above():
    figures.add(Step.SEAL, 0.0)
    figures.add(Step.SEAL, 0.005)
    figures.add(Step.SEAL, 0.006, count=3)
    figures.add(Step.SEAL, 3600)
    figures.flush()
    found = of(Step.SEAL)
    assert found.buckets[0] == ("0.005", 2)
    assert found.buckets[1] == ("0.01", 5)
    assert found.buckets[-2:] == (("60.0", 5), ("+Inf", 6))
    assert found.sum_seconds == pytest.approx(3600.023)


def test_a_step_that_was_never_taken_is_counted_as_nothing():
    assert of(Step.OPEN).buckets[-1] == ("+Inf", 0)


def test_a_broker_that_is_away_gets_the_counts_when_it_answers(settings):
    there = settings.CELERY_BROKER_URL
    settings.CELERY_BROKER_URL = f"redis://127.0.0.1:{free_port()}/0"
    figures.add(Step.SEAL, 0.1, count=2)
    figures.flush()
    settings.CELERY_BROKER_URL = there
    figures.add(Step.SEAL, 0.1)
    figures.flush()
    assert of(Step.SEAL).buckets[-1] == ("+Inf", 3)


def test_a_broker_of_another_kind_gets_none(settings):
    settings.CELERY_BROKER_URL = "memory://"
    figures.add(Step.SEAL, 0.1)
    figures.flush()
    assert figures.histograms([Step.SEAL]) == []


def test_processes_and_threads_add_up():
    others = [figures._Counts() for _ in range(3)]

    def count(counts: figures._Counts) -> None:
        for _ in range(100):
            counts.add(Step.SEAL, 0.1, 1)

    threads = [threading.Thread(target=count, args=[counts]) for counts in others * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for counts in others:
        counts.end()
    assert of(Step.SEAL).buckets[-1] == ("+Inf", 600)


def test_what_is_counted_comes_to_the_broker_by_itself(settings):
    added = threading.Event()
    client = queues.broker()
    figures.add(Step.SEAL, 0.1)
    for _ in range(600):
        if client.hlen(figures._KEY):
            added.set()
            break
        added.wait(0.1)
    assert added.is_set()


def test_a_step_that_fails_is_timed_too_and_none_of_no_messages():
    with pytest.raises(RuntimeError), steps.timed(Step.SEAL):
        raise RuntimeError
    with steps.timed(Step.DELIVER, count=0):
        pass
    figures.flush()
    assert of(Step.SEAL).buckets[-1] == ("+Inf", 1)
    assert of(Step.DELIVER).buckets[-1] == ("+Inf", 0)


def test_a_clock_that_goes_back_counts_as_no_time():
    steps.add(steps.Timing(Step.SEAL, 2_000_000_000, 1_000_000_000))
    figures.flush()
    assert of(Step.SEAL).buckets[0] == ("0.005", 1)
    assert of(Step.SEAL).sum_seconds == 0
