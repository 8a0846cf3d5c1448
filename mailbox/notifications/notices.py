"""Notifications that something has arrived, or is meant for a person, as they have chosen for each mailbox.

A notification names the mailbox and has a link: no subject, no names, no content. A push is empty: the
browser asks for what to show, as the person who is logged in, so that push services learn nothing.
"""

import base64
import logging
import time
from collections.abc import Iterable
from datetime import timedelta
from functools import partial, reduce
from operator import or_
from pathlib import Path
from typing import Final, TypeVar

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, override
from py_vapid import Vapid02

from mailbox import fault_isolation
from mailbox.access import (
    Viewer,
    conversations_of,
    current_memberships,
    mailboxes_of,
    members_of,
    members_who_see,
)
from mailbox.models import (
    ApprovalNotice,
    ArrivalNotice,
    Conversation,
    DutyNotice,
    FunctionMailbox,
    Membership,
    Mention,
    NamedMember,
    NoticeChoice,
    Person,
    ProtectionNotice,
    PushSubscription,
    Reassignment,
    Redirection,
)
from transport import mail
from transport.outgoing_http import AddressRefused, Origin, check_url
from transport.outgoing_http.requests_session import RequestException, bounded_session

logger = logging.getLogger(__name__)
_PUSH_LIVES_SECONDS: Final = 86_400
_PUSH_TIMEOUT_SECONDS: Final = 10
_MAX_PUSH_ANSWER_BYTES: Final = 64 * 1024
_GONE: Final = frozenset({404, 410})
_MOST_SUBSCRIPTIONS: Final = 10
# Mentions and offers are notified while they are new; a later choice sends none for old ones.
_PERSONAL_FOR: Final = timedelta(days=1)
_Personal = TypeVar("_Personal", Mention, Reassignment)
# For how long after a push the browser can ask which mailbox it was about.
_RECENTLY: Final = timedelta(hours=1)
_KEPT_NOTICES_OF_PROTECTION: Final = timedelta(days=30)
_OPENED_BY_A_MANAGER: Final = gettext_noop("En ansvarig har öppnat en skyddad konversation i %(name)s")
_SEEN_BY_NOBODY: Final = gettext_noop("Ingen är kvar som ser en skyddad konversation i %(name)s")


class EndpointRefused(Exception):
    """The address is not one of a configured push service."""


def choose(person: Person, mailbox: FunctionMailbox, *, by_mail: bool, by_push: bool) -> None:
    """Set how the person is notified of what arrives in the mailbox."""
    if not by_mail and not by_push:
        NoticeChoice.objects.filter(person=person, mailbox=mailbox).delete()
        return
    NoticeChoice.objects.update_or_create(
        person=person,
        mailbox=mailbox,
        defaults={"by_mail": by_mail, "by_push": by_push},
        create_defaults={"by_mail": by_mail, "by_push": by_push, "told_until": timezone.now()},
    )


def subscribe(person: Person, endpoint: str) -> None:
    """Subscribe a browser for the person, and for nobody else. Raises `EndpointRefused`."""
    if not endpoint.startswith("https://") or not _is_known(endpoint) or len(endpoint) > 1000:
        raise EndpointRefused
    PushSubscription.objects.update_or_create(endpoint=endpoint, defaults={"person": person})
    newest = person.push_subscriptions.order_by("-created_at", "-pk").values("pk")[:_MOST_SUBSCRIPTIONS]
    person.push_subscriptions.exclude(pk__in=list(newest.values_list("pk", flat=True))).delete()


def unsubscribe(person: Person) -> None:
    """End all subscriptions of the person's browsers."""
    person.push_subscriptions.all().delete()


def send_notices() -> int:
    """Notify everybody of what has arrived since their last notification, and of what is meant for them."""
    named = NamedMember.objects.filter(
        conversation=OuterRef("pk"), membership__person=OuterRef(OuterRef("person"))
    )
    new = Conversation.objects.filter(
        Q(is_protected=False) | Exists(named),
        mailbox=OuterRef("mailbox"),
        last_activity_at__gt=OuterRef("told_until"),
        last_arrived_at__gt=OuterRef("told_until"),
    )
    member = Membership.objects.filter(
        current_memberships(), person=OuterRef("person"), mailbox=OuterRef("mailbox")
    )
    due = NoticeChoice.objects.filter(Exists(new), Exists(member), person__is_active=True)
    arrived = fault_isolation.count_each(_send_choice, list(due.values_list("pk", flat=True)))
    of_others = _send_redirections() + _send_notices_of_rules() + _send_notices_of_protection()
    return arrived + _send_mentions_and_offers() + of_others


def recently_notified_mailboxes(person: Viewer) -> list[str]:
    """Names of the mailboxes that a push was sent about lately."""
    since = timezone.now() - _RECENTLY
    choices = NoticeChoice.objects.filter(person_id=person.pk or 0, by_push=True, told_until__gt=since)
    on_duty = DutyNotice.objects.filter(person_id=person.pk or 0, at__gt=since)
    by_rule = ArrivalNotice.objects.filter(person_id=person.pk or 0, told_at__gt=since)
    of_protection = ProtectionNotice.objects.filter(person_id=person.pk or 0, told_at__gt=since)
    of_approval = ApprovalNotice.objects.filter(person_id=person.pk or 0, told_at__gt=since)
    recent = [Q(pk__in=rows.values("mailbox")) for rows in (choices, on_duty, by_rule, of_approval)]
    recent.append(Q(pk__in=of_protection.values("conversation__mailbox")))
    boxes = mailboxes_of(person).filter(reduce(or_, recent))
    return list(boxes.order_by("name").values_list("name", flat=True))


def public_push_key() -> str:
    """The public key that browsers subscribe with (VAPID); empty where none is configured."""
    if not settings.SDK_PUSH_KEY:
        return ""
    point = _push_key().public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return base64.urlsafe_b64encode(point).rstrip(b"=").decode()


def _send_choice(key: int) -> bool:
    """Notify one person of one mailbox, unless another worker is doing it."""
    with transaction.atomic():
        rows = NoticeChoice.objects.select_for_update(skip_locked=True, of=("self",))
        choice = rows.select_related("person", "mailbox").filter(pk=key).first()
        if choice is None:
            return False
        seen = conversations_of(choice.person)
        arrived = seen.filter(mailbox=choice.mailbox, last_arrived_at__gt=choice.told_until)
        newest = arrived.order_by("-last_arrived_at").values_list("last_arrived_at", flat=True).first()
        if newest is None:
            return False
        if choice.by_mail and choice.person.mail_address:
            _mail(choice)
        if choice.by_push:
            push_to(choice.person.push_subscriptions.all())
        choice.told_until = newest
        choice.save(update_fields=["told_until"])
    return True


def _send_mentions_and_offers() -> int:
    """Mail people who are mentioned, or to whom a conversation is offered, if they have chosen mail."""
    since = timezone.now() - _PERSONAL_FOR
    mentions = Mention.objects.filter(told_at=None, seen_at=None, note__at__gt=since)
    offers = Reassignment.objects.filter(told_at=None, settled_at=None, made_at__gt=since)
    of_mentions = fault_isolation.count_each(
        partial(_send_personal, mentions), list(mentions.values_list("pk", flat=True))
    )
    return of_mentions + fault_isolation.count_each(
        partial(_send_personal, offers), list(offers.values_list("pk", flat=True))
    )


def _send_redirections() -> int:
    """Mail the managers and members of mailboxes whose messages were made to go elsewhere, and of those to
    which they go. Whether they chose notices or not: it is no message, and others have decided it."""
    due = Redirection.objects.filter(is_made=True, told_at=None)
    return fault_isolation.count_each(_send_redirection, list(due.values_list("pk", flat=True)))


def _send_redirection(key: int) -> int:
    with transaction.atomic():
        rows = Redirection.objects.select_for_update(skip_locked=True, of=("self",))
        row = rows.filter(pk=key, told_at=None).select_related("mailbox", "target").first()
        if row is None:
            return 0
        count = 0
        for box, title in (
            (row.mailbox, gettext_noop("Meddelanden till %(name)s går till en annan brevlåda eller avvisas")),
            (row.target, gettext_noop("Meddelanden som var till andra går till %(name)s")),
        ):
            if box is None:
                continue
            for person in members_of(box).exclude(mail_address=""):
                send_mail(person, title, box, reverse("start"))
                count += 1
        row.told_at = timezone.now()
        row.save(update_fields=["told_at"])
    return count


def _send_notices_of_rules() -> int:
    """Notify those whom rules on arrival name, by mail and push, whether they have chosen notices of the
    mailbox or not: its managers have decided it."""
    count = fault_isolation.count_each(
        _send_notice_of_rule,
        list(ArrivalNotice.objects.filter(told_at=None).order_by("pk").values_list("pk", flat=True)),
    )
    ArrivalNotice.objects.filter(told_at__lt=timezone.now() - _PERSONAL_FOR).delete()
    return count


def _send_notice_of_rule(key: int) -> int:
    with transaction.atomic():
        rows = ArrivalNotice.objects.select_for_update(skip_locked=True, of=("self",))
        notice = rows.select_related("person", "mailbox").filter(pk=key, told_at=None).first()
        if notice is None:
            return 0
        is_member = members_of(notice.mailbox).filter(pk=notice.person_id).exists()
        if is_member and notice.person.mail_address:
            link = reverse("mailbox", args=[notice.mailbox_id])
            send_mail(notice.person, gettext_noop("Nytt meddelande i %(name)s"), notice.mailbox, link)
        if is_member:
            push_to(notice.person.push_subscriptions.all())
        notice.told_at = timezone.now()
        notice.save(update_fields=["told_at"])
    return int(is_member)


def _send_notices_of_protection() -> int:
    """Tell, by mail and push, those named in a protected conversation that a manager has opened it, and
    managers that nobody is left who sees one. Whether they chose notices or not: it is no message."""
    keys = ProtectionNotice.objects.filter(told_at=None).order_by("pk").values_list("pk", flat=True)
    count = fault_isolation.count_each(_send_notice_of_protection, list(keys))
    ProtectionNotice.objects.filter(told_at__lt=timezone.now() - _KEPT_NOTICES_OF_PROTECTION).delete()
    return count


def _send_notice_of_protection(key: int) -> int:
    with transaction.atomic():
        rows = ProtectionNotice.objects.select_for_update(skip_locked=True, of=("self",))
        notice = rows.select_related("person", "conversation__mailbox").filter(pk=key, told_at=None).first()
        if notice is None:
            return 0
        mailbox = notice.conversation.mailbox
        is_opened = notice.kind == ProtectionNotice.Kind.OPENED
        concerned = members_who_see(notice.conversation) if is_opened else members_of(mailbox)
        is_told = concerned.filter(pk=notice.person_id).exists()
        if is_told and notice.person.mail_address:
            title = _OPENED_BY_A_MANAGER if is_opened else _SEEN_BY_NOBODY
            send_mail(notice.person, title, mailbox, reverse("mailbox", args=[mailbox.pk]))
        if is_told:
            push_to(notice.person.push_subscriptions.all())
        notice.told_at = timezone.now()
        notice.save(update_fields=["told_at"])
    return int(is_told)


def _send_personal(rows: QuerySet[_Personal], key: int) -> int:
    """Notify the person that one of them is meant for, unless another worker is doing it."""
    with transaction.atomic():
        row = rows.select_for_update(skip_locked=True, of=("self",)).filter(pk=key).first()
        if row is None:
            return 0
        if isinstance(row, Mention):
            mailbox, only = row.note.conversation.mailbox, row.person_id
            concerned = members_who_see(row.note.conversation)
        else:
            mailbox, only = row.to_mailbox or row.conversation.mailbox, row.to_person_id
            concerned = members_of(mailbox) if row.to_mailbox else members_who_see(row.conversation)
        chosen = NoticeChoice.objects.filter(mailbox=mailbox, by_mail=True).values("person")
        with_address = concerned.filter(pk__in=chosen).exclude(mail_address="")
        people = list(with_address.filter(pk=only) if only else with_address)
        for person in people:
            send_mail(person, gettext_noop("Någon vill dig något i %(name)s"), mailbox, reverse("start"))
        row.told_at = timezone.now()
        row.save(update_fields=["told_at"])
    return len(people)


def _mail(choice: NoticeChoice) -> None:
    link = reverse("mailbox", args=[choice.mailbox_id])
    send_mail(choice.person, gettext_noop("Nytt meddelande i %(name)s"), choice.mailbox, link)


def send_mail(person: Person, title: str, mailbox: FunctionMailbox, path: str) -> None:
    """Mail the person a title that names the mailbox, and a link; nothing is said of any message."""
    with override(settings.LANGUAGE_CODE):
        subject = _(title) % {"name": mailbox.name}
        text = _("Logga in för att läsa: %(link)s") % {"link": settings.SDK_PUBLIC_URL + path}
    # A mail that fails is logged and not tried again: another attempt would mail the others twice.
    mail.send_each([person.mail_address], subject, f"{text}\n")


def push_to(subscriptions: Iterable[PushSubscription]) -> None:
    """Push to browsers: an empty push, after which they ask for what to show."""
    if not settings.SDK_PUSH_KEY:
        return
    # It brings an HTTP client of its own with it, which no other process has to load.
    from pywebpush import WebPushException, webpush

    session = bounded_session(
        origin=Origin.OTHERS, seconds=_PUSH_TIMEOUT_SECONDS, max_bytes=_MAX_PUSH_ANSWER_BYTES
    )
    for subscription in subscriptions:
        if not _is_known(subscription.endpoint):
            continue
        try:
            webpush(
                {"endpoint": subscription.endpoint},
                vapid_private_key=Vapid02(_push_key()),
                vapid_claims=_claims_for(subscription.endpoint),
                ttl=_PUSH_LIVES_SECONDS,
                requests_session=session,
            )
        except RequestException as error:
            logger.warning("push_failed", extra={"fields": {"error": type(error).__name__}})
        except WebPushException as error:
            status = error.response.status_code if error.response is not None else 0
            if status in _GONE:
                subscription.delete()
            else:
                logger.warning("push_rejected", extra={"fields": {"status": status}})


def _claims_for(endpoint: str) -> dict[str, str | int]:
    """The claims that identify this node to a push service (RFC 8292 2)."""
    return {
        "aud": check_url(endpoint).origin,
        "exp": int(time.time()) + _PUSH_LIVES_SECONDS // 2,
        "sub": settings.SDK_PUBLIC_URL or "mailto:sdkportal@localhost",
    }


def _push_key() -> ec.EllipticCurvePrivateKey:
    key = load_pem_private_key(Path(settings.SDK_PUSH_KEY).read_bytes(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ValueError("SDK_PUSH_KEY has to be a private key on P-256")
    return key


def _is_known(endpoint: str) -> bool:
    """Whether the address, which a browser gives, belongs to a configured push service."""
    try:
        host = check_url(endpoint).host
    except AddressRefused:
        return False
    return any(host == known or host.endswith(f".{known}") for known in settings.SDK_PUSH_HOSTS)
