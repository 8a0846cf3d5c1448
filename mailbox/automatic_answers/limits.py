"""How many automatic answers may be sent: to one function, and by an organisation before all are stopped.

Whoever counts has locked the organisation's guard, so that two workers do not both send the last one.
"""

import logging
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override

from mailbox import access_log, fault_isolation
from mailbox.administration.alarms import alarm_addresses, mail_alarm
from mailbox.models import AutomaticAnswer, AutomaticAnswerGuard, Person

logger = logging.getLogger(__name__)
Outcome = AutomaticAnswer.Outcome
MOST_TO_A_FUNCTION: Final = 5
FUNCTION_PERIOD: Final = timedelta(hours=24)
FLOOD_PERIOD: Final = timedelta(hours=1)
_REPEAT_AFTER: Final = timedelta(days=1)


def reason_to_leave_out(answer: AutomaticAnswer, now: datetime) -> str:
    """Why the answer is not to be sent now; empty where it may be. Locks the guard until the transaction
    ends, and stops all of the organisation's answers where they are too many."""
    guard, _created = AutomaticAnswerGuard.objects.select_for_update().get_or_create(pk=answer.participant_id)
    if guard.stopped_at is not None:
        return Outcome.STOPPED
    sent = AutomaticAnswer.objects.filter(participant_id=answer.participant_id, outcome=Outcome.SENT)
    to_function = sent.filter(
        mailbox=answer.mailbox_id,
        counterpart_participant=answer.counterpart_participant,
        counterpart_address=answer.counterpart_address,
        settled_at__gt=now - FUNCTION_PERIOD,
    )
    if to_function.count() >= MOST_TO_A_FUNCTION:
        return Outcome.COUNTERPART_LIMIT
    since = max(now - FLOOD_PERIOD, guard.resumed_at or now - FLOOD_PERIOD)
    if sent.filter(settled_at__gt=since).count() >= settings.SDK_AUTOMATIC_ANSWERS_PER_HOUR:
        guard.stopped_at, guard.told_at = now, None
        guard.save(update_fields=["stopped_at", "told_at"])
        access_log.record(None, "automatic-answers-stopped", answer.participant_id)
        logger.error("automatic_answers_stopped", extra={"fields": {"organisation": answer.participant_id}})
        return Outcome.STOPPED
    return ""


def resume(actor: Person, participant_id: str) -> bool:
    """Let an organisation answer automatically again; what was left out meanwhile is not sent. Returns
    whether it was stopped."""
    with transaction.atomic():
        guard = AutomaticAnswerGuard.objects.select_for_update().filter(pk=participant_id).first()
        if guard is None or guard.stopped_at is None:
            return False
        guard.stopped_at = guard.told_at = None
        guard.resumed_at, guard.resumed_by = timezone.now(), actor
        guard.save()
        access_log.record(actor, "automatic-answers-resumed", participant_id)
    return True


def send_alarms() -> None:
    """Mail the administrators of organisations whose automatic answers are stopped: once, and once a day."""
    stopped = AutomaticAnswerGuard.objects.filter(stopped_at__isnull=False)
    fault_isolation.count_each(_send_alarm, list(stopped.values_list("pk", flat=True)))


def _send_alarm(participant_id: str) -> int:
    with transaction.atomic():
        guards = AutomaticAnswerGuard.objects.select_for_update(skip_locked=True)
        guard = guards.filter(pk=participant_id, stopped_at__isnull=False).first()
        now = timezone.now()
        if guard is None or (guard.told_at is not None and now - guard.told_at < _REPEAT_AFTER):
            return 0
        with override(settings.LANGUAGE_CODE):
            subject = _("De automatiska svaren är stoppade")
            text = _(
                "Fler automatiska svar än vad som är rimligt skulle ha skickats på en timme. Inga skickas "
                "förrän en administratör har sett efter vad det beror på och startat dem igen."
            )
        mail_alarm(
            alarm_addresses(participant_id), subject, text, reverse("administration-automatic-answers")
        )
        guard.told_at = now
        guard.save(update_fields=["told_at"])
    return 1
