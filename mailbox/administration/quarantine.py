"""Files with malware, and alarms about them and about a scanner that does not answer.

Pages and mails tell the time, the direction and the scanner's name for the malware: no content and no file
name.
"""

from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, override

from mailbox import access_log, fault_isolation
from mailbox.access import Viewer, administered_by
from mailbox.models import OrganisationRole, Person
from transport.message_service.api import QuarantinedFile, ScannerAlarm, quarantine

from .alarms import alarm_addresses, mail_alarm

# How long messages may wait for the scanner before an alarm is sent: it may be restarting.
_SCANNER_DELAY: Final = timedelta(minutes=10)
_REPEAT_AFTER: Final = timedelta(days=1)


def files_seen_by(person: Viewer) -> QuerySet[QuarantinedFile]:
    """Files with malware of the organisations that the person administers."""
    return quarantine.quarantined(administered_by(person))


def count_unremoved(person: Viewer) -> int:
    """How many of these files have not been removed yet."""
    own = administered_by(person)
    return quarantine.quarantined(own).filter(removed_at=None).count() if own else 0


def waiting_for_scanner(person: Viewer) -> tuple[int, datetime | None]:
    """How many of those organisations' messages wait for the scanner, and since when."""
    own = administered_by(person)
    return quarantine.awaiting_scan(own) if own else (0, None)


def remove(actor: Person, row: QuarantinedFile) -> None:
    """Delete a quarantined file; recorded in the access log."""
    with transaction.atomic():
        if quarantine.remove(row.pk, actor.name):
            participant = row.organisation.participant_id
            access_log.record(
                actor, "quarantine-removed", participant, file=str(row.pk), signature=row.signature
            )


def send_alarms() -> None:
    """Mail administrators about files found since the last alarm, and about a scanner that is unavailable."""
    fault_isolation.count_each(_send_files_alarm, list(_organisations_with_new()))
    fault_isolation.count_each(_send_scanner_alarm, [timezone.now()])


def counts() -> dict[str, int]:
    """Figures for monitoring: files that have not been removed, and messages that wait for the scanner."""
    found = QuarantinedFile.objects.filter(removed_at=None)
    return {"found": found.count(), "waiting": quarantine.awaiting_scan()[0]}


def _organisations_with_new() -> QuerySet[QuarantinedFile, str]:
    new = QuarantinedFile.objects.filter(told_at=None)
    return new.values_list("organisation__participant_id", flat=True).distinct()


def _send_files_alarm(organisation: str) -> int:
    with transaction.atomic():
        rows = QuarantinedFile.objects.filter(told_at=None, organisation__participant_id=organisation)
        keys = list(rows.select_for_update(skip_locked=True, of=("self",)).values_list("pk", flat=True))
        if keys:
            _mail_files_alarm(organisation, len(keys))
            QuarantinedFile.objects.filter(pk__in=keys).update(told_at=timezone.now())
    return len(keys)


def _send_scanner_alarm(now: datetime) -> int:
    count, since = quarantine.awaiting_scan()
    if since is None:
        ScannerAlarm.objects.all().delete()
        return 0
    with transaction.atomic():
        alarm = ScannerAlarm.objects.select_for_update().first() or ScannerAlarm.objects.create(since=since)
        if now - alarm.since < _SCANNER_DELAY or (alarm.told_at and now - alarm.told_at < _REPEAT_AFTER):
            return 0
        organisations = OrganisationRole.objects.filter(role=OrganisationRole.Role.ADMINISTRATOR)
        addresses = {
            address
            for organisation in organisations.values_list("participant_id", flat=True).distinct()
            for address in alarm_addresses(organisation)
        }
        with override(settings.LANGUAGE_CODE):
            subject = _("Virusskanningen svarar inte: meddelanden väntar")
            text = ngettext(
                "%(n)d meddelande väntar på att kontrolleras, och släpps inte igenom förrän det har gjorts.",
                "%(n)d meddelanden väntar på att kontrolleras, och släpps inte igenom förrän det har gjorts.",
                count,
            ) % {"n": count}
        path = reverse("administration-quarantine")
        mail_alarm(addresses or settings.SDK_OPERATOR_MAIL, subject, text, path)
        alarm.told_at = now
        alarm.save(update_fields=["told_at"])
    return count


def _mail_files_alarm(organisation: str, count: int) -> None:
    with override(settings.LANGUAGE_CODE):
        subject = _("Skadlig kod har hittats")
        text = ngettext(
            "Skadlig kod hittades i %(n)d fil eller text, som är stoppad. Se Administration, Karantän.",
            "Skadlig kod hittades i %(n)d filer eller texter, som är stoppade. Se Administration, Karantän.",
            count,
        ) % {"n": count}
    mail_alarm(alarm_addresses(organisation), subject, text, reverse("administration-quarantine"))
