"""Telling people that they are asked for approval, and what became of what they asked for.

Whom a draft was written by is told by mail and push, whether they have chosen notices or not; those who may
approve as they have chosen for the mailbox. A notice names the mailbox, and nothing of the message.
"""

from datetime import timedelta
from typing import Final

from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_noop

from mailbox import fault_isolation
from mailbox.access import approval_requests_to_answer, members_of
from mailbox.models import ApprovalNotice, NoticeChoice

from .notices import push_to, send_mail

Kind = ApprovalNotice.Kind
_KEPT: Final = timedelta(days=1)
_TITLES: Final = {
    Kind.ASKED: gettext_noop("Ett meddelande i %(name)s väntar på ditt godkännande"),
    Kind.APPROVED: gettext_noop("Ett meddelande i %(name)s är godkänt"),
    Kind.RETURNED: gettext_noop("Ett meddelande i %(name)s gavs tillbaka till dig"),
    Kind.ENDED: gettext_noop("En begäran om godkännande i %(name)s har upphört"),
}


def send_approval_notices() -> int:
    """Send what has not been sent; returns how many people were told."""
    keys = ApprovalNotice.objects.filter(told_at=None).order_by("pk").values_list("pk", flat=True)
    count = fault_isolation.count_each(_send, list(keys))
    ApprovalNotice.objects.filter(told_at__lt=timezone.now() - _KEPT).delete()
    return count


def _send(key: int) -> int:
    """Tell one person, unless another worker is doing it, or there is nothing for them to do any more."""
    with transaction.atomic():
        rows = ApprovalNotice.objects.select_for_update(skip_locked=True, of=("self",))
        notice = rows.select_related("person", "mailbox").filter(pk=key, told_at=None).first()
        if notice is None:
            return 0
        person, mailbox = notice.person, notice.mailbox
        by_mail = by_push = members_of(mailbox).filter(pk=person.pk).exists()
        if by_mail and notice.kind == Kind.ASKED:
            waiting = approval_requests_to_answer(person).filter(draft__mailbox=mailbox)
            choice = NoticeChoice.objects.filter(person=person, mailbox=mailbox).first()
            is_told = choice is not None and waiting.exists()
            by_mail = is_told and choice is not None and choice.by_mail
            by_push = is_told and choice is not None and choice.by_push
        if by_mail and person.mail_address:
            send_mail(person, _TITLES[Kind(notice.kind)], mailbox, reverse("approvals"))
        if by_push:
            push_to(person.push_subscriptions.all())
        notice.told_at = timezone.now()
        notice.save(update_fields=["told_at"])
    return int(by_mail or by_push)
