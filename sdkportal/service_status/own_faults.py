"""What is wrong in this node, as far as the pages' process sees without asking anybody outside."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from django.utils import timezone

from mailbox import access
from mailbox.administration import counterparts, quarantine
from mailbox.models import Person
from sdkportal.doctor.models import Examination
from sdkportal.monitoring import broker
from sdkportal.monitoring.due_jobs import due_jobs

# Work that is due and that nobody has taken for so long: the workers or beat are not running.
_STALLED_SECONDS: Final = 300
# An examination tells of the node as it was then.
_OLDEST_EXAMINATION: Final = timedelta(hours=24)
# Checks of the doctor's that tell of others.
_OF_OTHERS: Final = frozenset({"sml", "smp", "certpub", "address-book", "revocation", "round-trip", "eid"})


class OwnFault(StrEnum):
    """A fault of this node's, by what it means for messages."""

    STALLED = "stalled"
    BROKER_AWAY = "broker-away"
    SCANNER_AWAY = "scanner-away"
    SET_ASIDE = "set-aside"
    EXAMINATION = "examination"


@dataclass(frozen=True, slots=True)
class Found:
    """A fault, and how many or how long where that is known: minutes, messages, names of checks."""

    fault: OwnFault
    number: int = 0
    checks: tuple[str, ...] = ()


def own_faults(person: Person) -> list[Found]:
    """The faults of the node, and of the organisations that the person administers."""
    return list(_found(person))


def _found(person: Person) -> Iterator[Found]:
    oldest = max((due.oldest_seconds for due in due_jobs()), default=0.0)
    if oldest > _STALLED_SECONDS:
        yield Found(OwnFault.STALLED, int(oldest // 60))
    if not broker.answers():
        yield Found(OwnFault.BROKER_AWAY)
    if waiting := quarantine.counts()["waiting"]:
        yield Found(OwnFault.SCANNER_AWAY, waiting)
    if set_aside := counterparts.arrivals_set_aside(person).count():
        yield Found(OwnFault.SET_ASIDE, set_aside)
    if failed := _failed_checks(set(access.administered_by(person))):
        yield Found(OwnFault.EXAMINATION, len(failed), failed)


def _failed_checks(administered: Collection[str]) -> tuple[str, ...]:
    """The checks that failed in the latest examination, but for those that tell of others."""
    done = Examination.objects.exclude(finished_at=None).first()
    if done is None or done.finished_at is None or timezone.now() - done.finished_at > _OLDEST_EXAMINATION:
        return ()
    return tuple(
        check["name"]
        for check in done.results
        if check["name"] not in _OF_OTHERS
        and any(
            finding["level"] == "failure" and finding.get("participant", "") in {"", *administered}
            for finding in check["findings"]
        )
    )
