"""What managers set of a mailbox's automatic answer, and what administrators see of an organisation's."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Count
from django.utils import timezone

from mailbox import access_log
from mailbox.models import (
    AutomaticAnswer,
    AutomaticAnswerGuard,
    AutomaticAnswerSetting,
    FunctionMailbox,
    Person,
)
from transport.message_service.api import Organisation

from .decision import Mode, Period
from .limits import FUNCTION_PERIOD

Outcome = AutomaticAnswer.Outcome


@dataclass(frozen=True, slots=True)
class MailboxRow:
    """A mailbox that answers automatically, and how many of its answers were sent or left out lately."""

    mailbox: FunctionMailbox
    sent: int
    left_out: int


@dataclass(frozen=True, slots=True)
class OrganisationRow:
    """An organisation, since when its automatic answers are stopped, and its mailboxes that have one."""

    organisation: Organisation
    stopped_at: datetime | None
    mailboxes: Sequence[MailboxRow]


def setting_of(mailbox: FunctionMailbox) -> AutomaticAnswerSetting | None:
    """The mailbox's setting; None where nobody has set anything."""
    return AutomaticAnswerSetting.objects.filter(mailbox=mailbox).first()


def save(actor: Person, mailbox: FunctionMailbox, period: Period, text: str) -> None:
    """Set when the mailbox answers automatically, and with which text."""
    with transaction.atomic():
        AutomaticAnswerSetting.objects.update_or_create(
            mailbox=mailbox,
            defaults={
                "mode": period.mode,
                "text": text,
                "first_day": period.first_day,
                "last_day": period.last_day,
                "changed_by": actor,
                "changed_at": timezone.now(),
            },
        )
        access_log.record(
            actor,
            "automatic-answer-set",
            mailbox.participant_id,
            mailbox=mailbox,
            mode=period.mode or "off",
            first_day=period.first_day.isoformat() if period.first_day else "",
            last_day=period.last_day.isoformat() if period.last_day else "",
        )


def is_stopped(participant_id: str) -> bool:
    """Whether the organisation's automatic answers are stopped, because they were too many."""
    return AutomaticAnswerGuard.objects.filter(pk=participant_id, stopped_at__isnull=False).exists()


def organisation_rows(organisations: Sequence[Organisation]) -> list[OrganisationRow]:
    """The organisations with their mailboxes that answer automatically, in three queries."""
    keys = [organisation.participant_id for organisation in organisations]
    settings = AutomaticAnswerSetting.objects.exclude(mode=Mode.OFF).filter(mailbox__participant_id__in=keys)
    boxes = [
        row.mailbox for row in settings.defer("text").select_related("mailbox").order_by("mailbox__name")
    ]
    guards = AutomaticAnswerGuard.objects.filter(pk__in=keys, stopped_at__isnull=False)
    stopped = dict(guards.values_list("pk", "stopped_at"))
    settled = AutomaticAnswer.objects.filter(
        participant_id__in=keys, settled_at__gt=timezone.now() - FUNCTION_PERIOD
    )
    counted = {
        (mailbox, outcome): count
        for mailbox, outcome, count in settled.order_by()
        .values_list("mailbox", "outcome")
        .annotate(Count("pk"))
    }
    return [
        OrganisationRow(
            organisation,
            stopped.get(organisation.participant_id),
            [_row(box, counted) for box in boxes if box.participant_id == organisation.participant_id],
        )
        for organisation in organisations
    ]


def _row(box: FunctionMailbox, counted: dict[tuple[int, str], int]) -> MailboxRow:
    of_mailbox = {outcome: count for (key, outcome), count in counted.items() if key == box.pk}
    sent = of_mailbox.pop(Outcome.SENT, 0)
    return MailboxRow(box, sent, sum(of_mailbox.values()))
