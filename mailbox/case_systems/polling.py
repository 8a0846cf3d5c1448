"""The periodic work: receipts in directories are read, and deliveries that are due are found."""

import logging

from mailbox.models import CaseDelivery, CaseSystem
from transport import jobs
from transport.jobs import task_named

from . import deliveries, directory
from .connector import CannotHandOver
from .deliveries import Outcome
from .receipts import ReceiptInvalid

logger = logging.getLogger(__name__)
# Where the receipt says what is not so, a person has to look at it.
_SET_ASIDE = {Outcome.UNKNOWN, Outcome.CONTRADICTS}


def poll() -> None:
    """Read the receipts that there are, and wake workers for what is due."""
    for system in CaseSystem.objects.filter(kind=CaseSystem.Kind.DIRECTORY, is_confirmed=True):
        try:
            _poll_directory(system)
        except CannotHandOver:
            continue
    jobs.run_due(CaseDelivery, task_named("mailbox.tasks.work_on_case_delivery"))


def _poll_directory(system: CaseSystem) -> None:
    latest = ""
    for name in directory.waiting_receipts(system):
        try:
            latest = _process(system, name) or latest
        except ReceiptInvalid as error:
            latest = error.reason
            directory.set_aside(system, name)
            _log(system, error.reason)
    count = directory.rejected_count(system)
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
