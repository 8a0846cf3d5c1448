"""A server that shows another host key than the one that administrators have compared: who is told of it."""

import logging

from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override

from mailbox import access_log, fault_isolation
from mailbox.administration.alarms import alarm_addresses, mail_alarm
from mailbox.models import CaseSystem

logger = logging.getLogger(__name__)


def record_changed(system: CaseSystem) -> None:
    """Record that the server shows another key, and mail the organisation's administrators, once."""
    with transaction.atomic():
        rows = CaseSystem.objects.filter(pk=system.pk, host_key_changed_at=None)
        if not rows.update(host_key_changed_at=timezone.now()):
            return
        access_log.record(
            None,
            "case-system-host-key-changed",
            system.participant_id,
            case_system=str(system.key),
            name=system.name,
        )
    logger.error("case_system_host_key_changed", extra={"fields": {"case_system": system.key}})
    fault_isolation.count_each(_mail, [system])


def record_known(system: CaseSystem) -> None:
    """Record that the server has shown the known key."""
    if system.host_key_changed_at is not None:
        CaseSystem.objects.filter(pk=system.pk).update(host_key_changed_at=None)


def _mail(system: CaseSystem) -> int:
    addresses = alarm_addresses(system.participant_id)
    with override(settings.LANGUAGE_CODE):
        subject = _("Ärendesystemets server har en annan värdnyckel: %(name)s") % {"name": system.name}
        text = _(
            "Inget överlämnas dit. Någon kan ha satt sig emellan, eller så har servern fått en ny nyckel. "
            "Fråga den som sköter servern, och jämför fingeravtrycket innan den nya nyckeln godtas."
        )
    mail_alarm(addresses, subject, text, reverse("administration-case-system", args=[system.pk]))
    return len(addresses)
