"""Sending a draft: reviewed first, delayed for some seconds in which it can be undone, or until a later time
that its sender has chosen, and sent once.

`send_at` on the draft is the order to send it. A worker is woken for that moment, and a sweeper finds drafts
that no worker has sent. For each recipient one transaction sends the message and removes the recipient, or at
last the draft: if a worker is killed, the next one goes on. A draft that cannot be sent is returned to its
writer, with the send error in `Draft.trouble`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import DatabaseError, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from mailbox import access, events
from mailbox.approval import ending
from mailbox.approval.rule import ApprovalNeeded
from mailbox.conversations import assignment
from mailbox.models import (
    AUTOMATIC_ANSWER,
    Conversation,
    Draft,
    FunctionMailbox,
    Mailing,
    Message,
    WritingChoices,
)
from mailbox.models import Person as Writer
from mailbox.models.draft import LONGEST_UNDO
from mailbox.prepared_query import PreparedQuery
from transport import jobs

from . import composer, message_check, sent_copy
from .draft_lock import DraftChanged, locked, locked_at_any_version
from .message_check import DraftIncomplete
from .recipients import Recipient, recipients_of

# Send errors, the values of `Draft.trouble`, besides those of `message_check`.
ANSWERED_MEANWHILE: Final = "stale"
FAILED: Final = "failed"
# Whoever ordered it is no member of the mailbox any more.
NOT_A_MEMBER: Final = "no-member"
# It has to be approved, or what was approved does not hold any more.
NOT_APPROVED: Final = "approval"
# It is still ordered: what this node needs for it, its storage for one, does not work now.
WAITING: Final = "waiting"
# So long it is tried for then, with longer and longer pauses.
_PATIENCE: Final = timedelta(hours=24)
_SHORTEST_PAUSE: Final = timedelta(seconds=15)
_LONGEST_PAUSE: Final = timedelta(minutes=10)
MOST_UNDO_SECONDS: Final = int(LONGEST_UNDO.total_seconds())
# A later time is after the longest time in which sending can be undone, and within reach of memory.
SHORTEST_DELAY: Final = timedelta(minutes=15)
LONGEST_DELAY: Final = timedelta(days=60)

_SEND_DRAFT: Final = "mailbox.tasks.send_draft"


class AnsweredMeanwhile(Exception):
    """The conversation has a message that the writer of the draft has not seen."""


class NotConfirmed(Exception):
    """The draft is confidential, and its sender has not confirmed recipients that are new to the mailbox."""


class NotLater(Exception):
    """The time at which it is to be sent is not between `SHORTEST_DELAY` and `LONGEST_DELAY` from now."""


class TooLateToUndo(Exception):
    """The draft has been sent already, or was not ordered to be sent."""


@dataclass(frozen=True, slots=True)
class Reviewed:
    """What the sender was shown of a draft before it was sent, and confirmed.

    `attachments` are the keys of its files. `seen` is the newest message of the conversation that they were
    shown, or None. `is_confirmed` tells that they confirmed recipients that the mailbox has not written to.
    """

    version: int
    attachments: frozenset[int]
    seen: int | None = None
    is_confirmed: bool = False


def undo_seconds(mailbox: FunctionMailbox) -> int:
    """For how many seconds a sending from the mailbox can be undone; 0 sends at once."""
    chosen = WritingChoices.objects.filter(mailbox=mailbox).values_list("undo_seconds", flat=True).first()
    return min(settings.SDK_UNDO_SEND_SECONDS if chosen is None else chosen, MOST_UNDO_SECONDS)


def unseen_messages(draft: Draft) -> QuerySet[Message]:
    """The conversation's messages that the writer of the draft has not seen, in order."""
    if draft.answers is None or draft.seen_message is None:
        return Message.objects.none()
    return Message.objects.filter(
        ~AUTOMATIC_ANSWER, conversation=draft.answers.conversation_id, pk__gt=draft.seen_message
    ).order_by("pk")


def new_to_mailbox(draft: Draft) -> list[Recipient]:
    """Recipients whom the mailbox has not written to before."""
    return [recipient for recipient in recipients_of(draft) if not _has_written_to(draft, recipient)]


def recipients_to_confirm(draft: Draft) -> list[Recipient]:
    """Recipients that the sender of a confidential draft has to confirm: they are new to the mailbox."""
    return new_to_mailbox(draft) if draft.is_confidential else []


def record_seen(draft_id: int, seen: int, person: Writer) -> None:
    """Record that the writer has seen the conversation up to the message with the key `seen`.

    Raises `DraftTakenOver`, `DraftGone`, `DraftOnItsWay`.
    """
    with transaction.atomic():
        draft = locked_at_any_version(draft_id, person)
        if draft.answers is not None and (draft.seen_message or 0) < seen:
            newest = composer.newest_in(draft.answers.conversation)
            draft.seen_message = min(seen, newest or 0)
            draft.trouble = ""
            draft.save(update_fields=["seen_message", "trouble"])


def order(
    draft_id: int,
    reviewed: Reviewed,
    person: Writer,
    *,
    seconds: int | None = None,
    at: datetime | None = None,
) -> Draft:
    """Order a draft to be sent as it was reviewed, after the seconds in which that can be undone.

    Without `seconds` the mailbox's own choice applies. With 0 seconds and one recipient no worker is woken:
    the caller sends the draft (`send_if_due`). `at` is a later time at which it is sent instead.

    Raises `ApprovalNeeded` where somebody else has to approve it, `DraftChanged` if it differs from what was
    reviewed, `DraftTakenOver`, `DraftGone`, `DraftOnItsWay`, `DraftIncomplete`, `AnsweredMeanwhile`,
    `NotConfirmed`, `NotLater`; the draft is then unchanged.
    """
    check_time(at)
    with transaction.atomic():
        draft = locked_as_reviewed(draft_id, reviewed, person)
        if access.needs_approval(draft, person):
            raise ApprovalNeeded
        # Asked for, and not needed any more.
        ending.end_of_draft(draft, person)
        return schedule(draft, person, seconds=seconds, at=at)


def check_time(at: datetime | None) -> None:
    """Check a later time at which something is to be sent. Raises `NotLater`."""
    if at is not None and not SHORTEST_DELAY <= at - timezone.now() <= LONGEST_DELAY:
        raise NotLater


def locked_as_reviewed(draft_id: int, reviewed: Reviewed, person: Writer) -> Draft:
    """The draft of its owner, locked until this transaction ends, if it can be sent as it was reviewed.

    Raises what `order` raises of the draft.
    """
    lock_conversation(draft_id)
    draft = locked(draft_id, reviewed.version, person)
    check_reviewed(draft, reviewed)
    return draft


def check_reviewed(draft: Draft, reviewed: Reviewed) -> None:
    """Check that a locked draft can be sent as it was reviewed. Raises what `order` raises of the draft."""
    if frozenset(draft.attachments.values_list("pk", flat=True)) != reviewed.attachments:
        raise DraftChanged
    message_check.check(draft)
    if draft.answers is not None and reviewed.seen is not None:
        draft.seen_message = max(draft.seen_message or 0, reviewed.seen)
    if unseen_messages(draft).exists():
        raise AnsweredMeanwhile
    if not reviewed.is_confirmed and recipients_to_confirm(draft):
        raise NotConfirmed


def schedule(
    draft: Draft, person: Writer, *, seconds: int | None = None, at: datetime | None = None
) -> Draft:
    """Order a locked and checked draft to be sent in the person's name, as `order` does."""
    seconds = undo_seconds(draft.mailbox) if seconds is None else seconds
    draft.send_at = at or timezone.now() + timedelta(seconds=seconds)
    draft.send_by = person
    draft.trouble = ""
    draft.version += 1
    draft.save()
    events.announce(draft.mailbox_id)
    # What is sent later is found by the sweeper: no worker holds it until then.
    if at is None and (seconds or draft.further_recipients.exists()):
        jobs.wake(jobs.task_named(_SEND_DRAFT, countdown=seconds), draft.pk)
    return draft


def undo(draft_id: int, person: Writer | None = None) -> Draft:
    """Undo the order to send; messages that were sent to some of the recipients already stay sent. What was
    approved has to be approved again.

    Raises `TooLateToUndo`.
    """
    with transaction.atomic():
        # This waits for a worker that is sending the draft, and then does not find it.
        draft = Draft.objects.select_for_update().filter(pk=draft_id, send_at__isnull=False).first()
        if draft is None:
            raise TooLateToUndo
        _return_to_writer(draft, "", person)
        return draft


def send_if_due(draft_id: int) -> None:
    """Send the draft to all its recipients, if it is due and no other worker is sending it."""
    while _send_to_next(draft_id):
        pass


def sweep() -> int:
    """Wake workers for drafts that are overdue; returns how many."""
    due = list(_due().order_by("send_at").values_list("pk", flat=True)[:100])
    for key in due:
        jobs.task_named(_SEND_DRAFT)(str(key))
    return len(due)


def sent_from(draft_id: int) -> QuerySet[Message]:
    """The messages that a draft was sent as."""
    return Message.objects.filter(draft_number=draft_id).order_by("pk")


def outbox(mailbox: FunctionMailbox, person: Writer) -> list[Draft]:
    """Drafts of the mailbox that the person sees and that wait to be sent, and those that could not be sent.

    Those to be sent later are among the drafts until then.
    """
    return _OUTBOX.instances(Draft, person, mailbox.pk)


def _outbox_of(person: Writer, mailbox_id: int) -> QuerySet[Draft]:
    is_about_to_leave = Q(send_at__lte=F("changed_at") + LONGEST_UNDO)
    rows = access.drafts_of(person).filter(~Q(trouble="") | is_about_to_leave, mailbox=mailbox_id)
    return rows.order_by("pk")


_OUTBOX: Final = PreparedQuery(_outbox_of)


def _due() -> QuerySet[Draft]:
    return Draft.objects.filter(send_at__lte=timezone.now())


def _send_to_next(draft_id: int) -> bool:
    """Send to the next recipient; returns whether there is another."""
    with transaction.atomic():
        lock_conversation(draft_id)
        # Whoever has it locked may only be looking: who came for it waits, and finds it gone if it was sent.
        draft = _due().select_for_update(of=("self",)).filter(pk=draft_id).first()
        if draft is None:
            return False
        person = draft.send_by or draft.changed_by
        mailbox_id = draft.mailbox_id
        try:
            with transaction.atomic():
                if person is None or unseen_messages(draft).exists():
                    raise AnsweredMeanwhile
                if not access.drafts_to_work_on(person).filter(pk=draft_id).exists():
                    raise assignment.NotAMember
                message_check.check(draft)
                if draft.mailing is None and draft.further_recipients.exists():
                    draft.mailing = Mailing.objects.create(
                        mailbox=draft.mailbox, at=timezone.now(), written_by=person
                    )
                sent_copy.send_to_first(draft, person)
        except AnsweredMeanwhile:
            send_error = ANSWERED_MEANWHILE
        except assignment.NotAMember:
            send_error = NOT_A_MEMBER
        except ApprovalNeeded:
            send_error = NOT_APPROVED
        except DraftIncomplete as error:
            send_error = error.send_error
        except DatabaseError:
            # The draft is not at fault: a worker tries again.
            raise
        except OSError as error:
            # A disk that is full, or a storage that does not answer.
            jobs.log_unexpected(error, draft=draft_id)
            if _postpone(draft_id):
                return False
            send_error = FAILED
        except Exception as error:  # noqa: BLE001 - an unforeseen error must not repeat for ever
            jobs.log_unexpected(error, draft=draft_id)
            send_error = FAILED
        else:
            events.announce(mailbox_id)
            return draft.pk is not None
        _return_to_writer(Draft.objects.get(pk=draft_id), send_error)
        return False


def _postpone(draft_id: int) -> bool:
    """Try to send a locked draft later; False where it has been tried for long enough.

    From the first such attempt, `changed_at` tells when that was.
    """
    draft = Draft.objects.get(pk=draft_id)
    now = timezone.now()
    since = draft.changed_at if draft.trouble == WAITING else now
    if now - since > _PATIENCE:
        return False
    pause = min(max((now - since) / 2, _SHORTEST_PAUSE), _LONGEST_PAUSE)
    Draft.objects.filter(pk=draft_id).update(send_at=now + pause, trouble=WAITING, changed_at=since)
    events.announce(draft.mailbox_id)
    return True


def _return_to_writer(draft: Draft, send_error: str, person: Writer | None = None) -> None:
    draft.send_at = draft.send_by = None
    draft.trouble = send_error
    draft.version += 1
    draft.save()
    # What was approved is not sent as it was approved: whoever wants it sent asks again.
    ending.end_of_draft(draft, person)
    events.announce(draft.mailbox_id)


def lock_conversation(draft_id: int) -> None:
    """Lock the conversation of the draft until this transaction ends, so that no message is added to it.

    It is locked before the draft, as when a conversation is moved, so that the two cannot deadlock.
    """
    answered = Draft.objects.filter(pk=draft_id).values("answers__conversation")
    list(Conversation.objects.select_for_update().filter(pk__in=answered))


def _has_written_to(draft: Draft, recipient: Recipient) -> bool:
    # Of other protected conversations nothing is told, not even that.
    seen = Q(conversation__is_protected=False)
    if draft.answers is not None:
        seen |= Q(conversation=draft.answers.conversation_id)
    return Message.objects.filter(
        seen,
        conversation__mailbox=draft.mailbox_id,
        direction=Message.Direction.OUT,
        is_automatic=False,
        counterpart_participant=recipient.participant,
        counterpart_address=recipient.address,
    ).exists()
