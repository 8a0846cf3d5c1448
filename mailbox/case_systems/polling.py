"""The periodic work: receipts are read in directories and on SFTP servers, and due deliveries are found.

Each SFTP server is asked in a task of its own, so that a slow one holds up no other.
"""

import logging
from datetime import timedelta
from typing import Final

from django.db.models import Q
from django.utils import timezone

from mailbox.models import CaseDelivery, CaseSystem
from transport import jobs
from transport.jobs import task_named

from . import deliveries, directory, sftp
from .connector import CannotHandOver
from .deliveries import Outcome
from .receipts import ReceiptInvalid

logger = logging.getLogger(__name__)
# Where the receipt says what is not so, a person has to look at it.
_SET_ASIDE = {Outcome.UNKNOWN, Outcome.CONTRADICTS}
_SFTP_PAUSE: Final = timedelta(minutes=1)
_FETCH: Final = task_named("mailbox.tasks.fetch_sftp_receipts")


def poll() -> None:
    """Read the receipts that there are, and wake workers for what is due."""
    for system in CaseSystem.objects.filter(kind=CaseSystem.Kind.DIRECTORY, is_confirmed=True):
        try:
            _poll_directory(system)
        except CannotHandOver:
            continue
    for key in _servers_to_ask():
        _FETCH(str(key))
    jobs.run_due(CaseDelivery, task_named("mailbox.tasks.work_on_case_delivery"))


def fetch_from_server(key: str) -> None:
    """Fetch and apply the receipts of one SFTP server, and move what is none to `rejected/`."""
    system = CaseSystem.objects.filter(pk=key, kind=CaseSystem.Kind.SFTP, is_enabled=True, is_confirmed=True)
    row = system.first()
    if row is None:
        return
    try:
        found = sftp.fetch_receipts(row)
        latest = ""
        applied: list[str] = []
        set_aside: list[str] = []
        for each in found:
            reason = each.reason
            if each.receipt is not None:
                outcome = deliveries.settle(row, each.receipt)
                reason = outcome.value if outcome in _SET_ASIDE else ""
                if outcome is not Outcome.SETTLED:
                    _log(row, outcome.value)
            else:
                _log(row, reason)
            (set_aside if reason else applied).append(each.name)
            latest = reason or latest
        if found or row.rejected_count:
            _count_rejected(row, sftp.clear_receipts(row, applied, set_aside), latest)
    except CannotHandOver as error:
        fields = {"case_system": row.key, "cause": error.cause.value}
        logger.warning("case_receipts_not_fetched", extra={"fields": fields})


def _servers_to_ask() -> list[int]:
    """The SFTP servers from which a receipt is awaited, each once in `_SFTP_PAUSE`."""
    now = timezone.now()
    rested = Q(polled_at=None) | Q(polled_at__lt=now - _SFTP_PAUSE)
    awaited = CaseDelivery.objects.filter(
        answered_at=None, newest_message__isnull=False, state__in=CaseDelivery.OPEN_STATES
    )
    systems = CaseSystem.objects.filter(
        rested,
        kind=CaseSystem.Kind.SFTP,
        is_enabled=True,
        is_confirmed=True,
        pk__in=awaited.values("case_system"),
    )
    keys = list(systems.values_list("pk", flat=True))
    # Of two workers one asks.
    return [key for key in keys if CaseSystem.objects.filter(rested, pk=key).update(polled_at=now)]


def _poll_directory(system: CaseSystem) -> None:
    latest = ""
    for name in directory.waiting_receipts(system):
        try:
            latest = _process(system, name) or latest
        except ReceiptInvalid as error:
            latest = error.reason
            directory.set_aside(system, name)
            _log(system, error.reason)
    _count_rejected(system, directory.rejected_count(system), latest)


def _count_rejected(system: CaseSystem, count: int, latest: str) -> None:
    if latest or count != system.rejected_count:
        CaseSystem.objects.filter(pk=system.pk).update(
            rejected_count=count, latest_rejection=(latest or system.latest_rejection) if count else ""
        )


def _process(system: CaseSystem, name: str) -> str:
    """Apply one receipt, then remove it: a kill between the two has it applied twice, which changes nothing.

    Returns why it was set aside instead; empty where it was not.
    """
    receipt = directory.read_receipt(system, name)
    if receipt is None:
        return ""
    outcome = deliveries.settle(system, receipt)
    if outcome in _SET_ASIDE:
        directory.set_aside(system, name)
        _log(system, outcome.value)
        return outcome.value
    if outcome is not Outcome.SETTLED:
        _log(system, outcome.value)
    directory.remove_receipt(system, name)
    return ""


def _log(system: CaseSystem, why: str) -> None:
    """Without what stands in the receipt: it may be of another organisation's delivery."""
    fields = {"case_system": system.key, "reason": why}
    logger.warning("case_receipt_ignored", extra={"fields": fields})
