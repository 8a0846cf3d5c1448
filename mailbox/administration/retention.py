"""Erasure of conversations by retention rules, one for each mailbox and state, with a protocol.

A conversation is deleted as a whole: messages, attachments, search index, and envelopes in the message
service. What it counts for in statistics is kept, as figures. It is not deleted under a retention hold, while
it has a draft, while one of its messages is being processed, or while it is being handed over to a case
system.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import Count, Exists, Max, Min, OuterRef, ProtectedError, Q, QuerySet
from django.utils import timezone

from mailbox import access_log, events
from mailbox.conversations import assignment
from mailbox.daily_figures import storage
from mailbox.models import (
    Attachment,
    CaseDelivery,
    Conversation,
    ConversationEvent,
    Draft,
    FunctionMailbox,
    Message,
    Person,
    RetentionHold,
    RetentionProtocol,
    RetentionRule,
)
from transport.message_service.api import erasure
from transport.storage import blobs

from .alarms import unhandled

logger = logging.getLogger(__name__)
_BATCH: Final = 200
# No rule deletes a conversation sooner than this after its last activity.
SHORTEST_DAYS: Final = 30
LONGEST_DAYS: Final = 36_500


class NotConfirmed(Exception):
    """The mailbox's name was not typed correctly."""


class DaysOutOfRange(Exception):
    """The days of a rule are not between `SHORTEST_DAYS` and `LONGEST_DAYS`."""


@dataclass(frozen=True, slots=True)
class Preview:
    """How many conversations a rule would delete now, within a month and in all; and how many are exempt."""

    now: int
    within_a_month: int
    later: int
    held: int
    first_at: datetime | None
    last_at: datetime | None


def in_state(mailbox: FunctionMailbox, state: str) -> QuerySet[Conversation]:
    """The mailbox's conversations in a state; open ones are divided by whose turn it is."""
    rows = Conversation.objects.filter(mailbox=mailbox)
    if state == RetentionRule.State.HANDED_OVER:
        return rows.filter(_is_handed_over(), state=Conversation.State.DONE)
    if state in {RetentionRule.State.DONE, RetentionRule.State.TRASH}:
        return rows.filter(state=state)
    waiting = unhandled().filter(mailbox=mailbox)
    if state == RetentionRule.State.UNHANDLED:
        return waiting
    return rows.filter(state=Conversation.State.OPEN).exclude(pk__in=waiting.values("pk"))


def _is_handed_over() -> Exists:
    """Whether a case system has acknowledged a delivery with every message of the conversation."""
    later = Message.objects.filter(conversation=OuterRef("conversation"), pk__gt=OuterRef("newest_message"))
    got = CaseDelivery.objects.filter(conversation=OuterRef("pk"), state=CaseDelivery.State.ACKNOWLEDGED)
    return Exists(got.filter(~Exists(later)))


def _is_being_handed_over() -> Exists:
    """Whether a delivery of the conversation to a case system has not come to its end."""
    is_open = Q(state__in=CaseDelivery.OPEN_STATES) | Q(due_at__isnull=False)
    return Exists(CaseDelivery.objects.filter(is_open, conversation=OuterRef("pk")))


def preview(mailbox: FunctionMailbox, state: str, days: int) -> Preview:
    """What a rule with so many days would delete."""
    now = timezone.now()
    rows = in_state(mailbox, state)
    held = rows.exclude(retention_hold=None).count()
    rows = rows.filter(retention_hold=None)
    limit = now - timedelta(days=days)
    soon = limit + timedelta(days=30)
    span = rows.aggregate(first=Min("last_activity_at"), last=Max("last_activity_at"))
    return Preview(
        rows.filter(last_activity_at__lte=limit).count(),
        rows.filter(last_activity_at__gt=limit, last_activity_at__lte=soon).count(),
        rows.filter(last_activity_at__gt=soon).count(),
        held,
        span["first"] and span["first"] + timedelta(days=days),
        span["last"] and span["last"] + timedelta(days=days),
    )


def next_to_delete(rule: RetentionRule, most: int) -> list[tuple[Conversation, datetime]]:
    """The conversations that the rule deletes first, and when."""
    rows = in_state(rule.mailbox, rule.state).filter(retention_hold=None).order_by("last_activity_at", "pk")
    return [(row, row.last_activity_at + timedelta(days=rule.days)) for row in rows[:most]]


def set_rule(
    actor: Person, mailbox: FunctionMailbox, state: str, days: int | None, *, confirmation: str
) -> None:
    """Set how long conversations in a state are kept; None keeps them for ever.

    Raises `NotConfirmed` unless the mailbox's name was typed, and `DaysOutOfRange`.
    """
    if " ".join(confirmation.split()).casefold() != " ".join(mailbox.name.split()).casefold():
        raise NotConfirmed
    if days is not None and not SHORTEST_DAYS <= days <= LONGEST_DAYS:
        raise DaysOutOfRange
    with transaction.atomic():
        before = RetentionRule.objects.filter(mailbox=mailbox, state=state).first()
        if days is None:
            RetentionRule.objects.filter(mailbox=mailbox, state=state).delete()
        else:
            RetentionRule.objects.update_or_create(mailbox=mailbox, state=state, defaults={"days": days})
        access_log.record(
            actor,
            "retention-changed",
            mailbox.participant_id,
            mailbox=mailbox,
            state=state,
            before=before.days if before else None,
            after=days,
        )


def hold(actor: Person, conversation: Conversation) -> None:
    """Put a retention hold on a conversation: no rule deletes it."""
    with transaction.atomic():
        assignment.locked_for(conversation.pk, actor)
        _, created = RetentionHold.objects.get_or_create(conversation=conversation, defaults={"by": actor})
        if created:
            assignment.record_event(conversation, ConversationEvent.What.RETENTION_HOLD, actor)
            _record(actor, "retention-held", conversation)


def release(actor: Person, conversation: Conversation) -> None:
    """End the retention hold of a conversation."""
    with transaction.atomic():
        assignment.locked_for(conversation.pk, actor)
        if RetentionHold.objects.filter(conversation=conversation).delete()[0]:
            assignment.record_event(conversation, ConversationEvent.What.RELEASED, actor)
            _record(actor, "retention-released", conversation)


def run() -> int:
    """Delete the conversations that are due by their rules; returns how many."""
    count = 0
    for rule in RetentionRule.objects.select_related("mailbox"):
        deleted = sum(_delete_if_due(rule, key) for key in _due(rule))
        count += deleted
        if deleted:
            access_log.record(
                None,
                "retention-run",
                rule.mailbox.participant_id,
                mailbox=rule.mailbox,
                state=rule.state,
                days=rule.days,
                deleted=deleted,
            )
            logger.info("retention_run", extra={"fields": {"mailbox": rule.mailbox_id, "deleted": deleted}})
    return count


def _due(rule: RetentionRule) -> Iterator[int]:
    limit = timezone.now() - timedelta(days=rule.days)
    rows = in_state(rule.mailbox, rule.state).filter(retention_hold=None, last_activity_at__lte=limit)
    last = 0
    while batch := list(rows.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:_BATCH]):
        yield from batch
        last = batch[-1]


def _delete_if_due(rule: RetentionRule, key: int) -> bool:
    """Delete one conversation in a transaction of its own, if it is still due."""
    limit = timezone.now() - timedelta(days=rule.days)
    try:
        with transaction.atomic():
            conversation = Conversation.objects.select_for_update().filter(pk=key).first()
            # Without the original nothing would tell that a draft which forwards it is protected.
            forwarding = Q(forwards__conversation=key, forwards__conversation__is_protected=True)
            writing = Draft.objects.filter(Q(answers__conversation=key) | forwarding)
            still = in_state(rule.mailbox, rule.state).filter(
                ~Exists(writing),
                ~_is_being_handed_over(),
                pk=key,
                retention_hold=None,
                last_activity_at__lte=limit,
            )
            if conversation is None or not still.exists():
                return False
            _delete(conversation, rule)
    except (erasure.StillInProgress, ProtectedError) as error:
        logger.warning("retention_postponed", extra={"fields": {"why": type(error).__name__}})
        return False
    return True


def _delete(conversation: Conversation, rule: RetentionRule) -> None:
    mailbox = conversation.mailbox
    messages = list(conversation.messages.order_by("pk"))
    storage.keep_erased(conversation)
    attachments = Attachment.objects.filter(document__message__in=messages)
    names = list(attachments.values_list("file_name", flat=True))
    for message in messages:
        # Two mailboxes of the organisation may have the same message, if one sent it to the other.
        if not _is_elsewhere(message, conversation):
            was_sent = message.direction == Message.Direction.OUT
            erasure.erase(mailbox.participant_id, message.message_id, was_sent=was_sent)
    RetentionProtocol.objects.create(
        participant_id=mailbox.participant_id,
        mailbox=mailbox,
        conversation_id=conversation.conversation_id,
        message_ids=[str(message.message_id) for message in messages],
        attachment_count=len(names),
        last_activity_at=conversation.last_activity_at,
        state=rule.state,
        days=rule.days,
    )
    Message.objects.filter(pk__in=[message.pk for message in messages]).delete()
    conversation.delete()
    for name in names:
        blobs.remove_on_commit(name)
    events.announce(mailbox.pk)


def _is_elsewhere(message: Message, conversation: Conversation) -> bool:
    others = Message.objects.filter(
        message_id=message.message_id,
        direction=message.direction,
        conversation__mailbox__participant_id=conversation.mailbox.participant_id,
    )
    return others.exclude(conversation=conversation).exists()


def _record(actor: Person, what: str, conversation: Conversation) -> None:
    mailbox = conversation.mailbox
    access_log.record(actor, what, mailbox.participant_id, mailbox=mailbox, conversation=conversation)


def hold_counts(mailboxes: QuerySet[FunctionMailbox]) -> dict[int, int]:
    """How many conversations have a retention hold, by the mailbox's key."""
    holds = RetentionHold.objects.filter(conversation__mailbox__in=mailboxes).order_by()
    rows = holds.values("conversation__mailbox").annotate(count=Count("pk"))
    return dict(rows.values_list("conversation__mailbox", "count"))
