"""Sending a draft: looked through first, held back for some seconds so that it can be undone, sent once.

`send_at` on the draft is the order to send it. A worker is woken for that moment, and a sweeper finds what no
worker took. Everything that sending does is in the transaction that takes the draft away, one for each of
its recipients: whoever is killed at any line leaves it to be done by the next. What cannot be sent then comes
back as the draft, with the reason in `trouble`.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.conf import settings
from django.db import DatabaseError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from mailbox import events
from mailbox.models import Conversation, Draft, FunctionMailbox, Mailing, Message, WritingChoices
from mailbox.models import Person as Writer
from transport import jobs

from . import composer, message_check, sent_copy
from .draft_lock import DraftChanged, locked, locked_at_any_version
from .message_check import DraftIncomplete
from .recipients import Recipient, recipients_of

# Besides those of `message_check`, what stands in `Draft.trouble`.
ANSWERED_MEANWHILE: Final = "stale"
FAILED: Final = "failed"
# It is still ordered: what this node needs for it, its storage for one, does not work now.
WAITING: Final = "waiting"
# So long it is tried for then, with longer and longer pauses.
_PATIENCE: Final = timedelta(hours=24)
_SHORTEST_PAUSE: Final = timedelta(seconds=15)
_LONGEST_PAUSE: Final = timedelta(minutes=10)
MOST_UNDO_SECONDS: Final = 600

_SEND_DRAFT: Final = "mailbox.tasks.send_draft"


class AnsweredMeanwhile(Exception):
    """Somebody has answered, or a message has come, that whoever wrote the draft has not seen."""


class NotConfirmed(Exception):
    """It is confidential, and goes to somebody whom the mailbox has not written to: to be asked once more."""


class TooLateToUndo(Exception):
    """The draft has been sent, or was never on its way."""


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
    """For how long what is sent from the mailbox can be undone; 0 sends at once."""
    chosen = WritingChoices.objects.filter(mailbox=mailbox).values_list("undo_seconds", flat=True).first()
    return min(settings.SDK_UNDO_SEND_SECONDS if chosen is None else chosen, MOST_UNDO_SECONDS)


def unseen_messages(draft: Draft) -> QuerySet[Message]:
    """What has been added to the conversation and whoever wrote the draft has not seen, in order."""
    if draft.answers is None or draft.seen_message is None:
        return Message.objects.none()
    return Message.objects.filter(
        conversation=draft.answers.conversation_id, pk__gt=draft.seen_message
    ).order_by("pk")


def new_to_mailbox(draft: Draft) -> list[Recipient]:
    """Recipients whom the mailbox has not written to before."""
    return [one for one in recipients_of(draft) if not _has_written_to(draft.mailbox, one)]


def asks_once_more(draft: Draft) -> list[Recipient]:
    """Whom to ask about before a confidential draft is sent."""
    return new_to_mailbox(draft) if draft.is_confidential else []


def note_seen(draft_id: int, seen: int, person: Writer) -> None:
    """Whoever writes has been shown the conversation up to a message.

    Raises `DraftTakenOver`, `DraftGone`, `DraftOnItsWay`.
    """
    with transaction.atomic():
        draft = locked_at_any_version(draft_id, person)
        if draft.answers is not None and (draft.seen_message or 0) < seen:
            newest = composer.newest_in(draft.answers.conversation)
            draft.seen_message = min(seen, newest or 0)
            draft.trouble = ""
            draft.save(update_fields=["seen_message", "trouble"])


def order(draft_id: int, reviewed: Reviewed, person: Writer, *, seconds: int | None = None) -> Draft:
    """Order a draft to be sent when it can be undone no more; it says what its sender has reviewed.

    `seconds` is how long it can be undone; without it, the mailbox's own choice. With 0 and one recipient no
    worker is woken: the caller sends it (`send_if_due`).

    Raises `DraftChanged` where it says something else, `DraftTakenOver`, `DraftGone`, `DraftOnItsWay`,
    `DraftIncomplete`, `AnsweredMeanwhile`, `NotConfirmed`. The draft stays as it is then.
    """
    with transaction.atomic():
        _lock_conversation(draft_id)
        draft = locked(draft_id, reviewed.version, person)
        if frozenset(draft.attachments.values_list("pk", flat=True)) != reviewed.attachments:
            raise DraftChanged
        message_check.check(draft)
        if draft.answers is not None and reviewed.seen is not None:
            draft.seen_message = max(draft.seen_message or 0, reviewed.seen)
        if unseen_messages(draft).exists():
            raise AnsweredMeanwhile
        if not reviewed.is_confirmed and asks_once_more(draft):
            raise NotConfirmed
        seconds = undo_seconds(draft.mailbox) if seconds is None else seconds
        draft.send_at = timezone.now() + timedelta(seconds=seconds)
        draft.send_by = person
        draft.trouble = ""
        draft.version += 1
        draft.save()
        events.announce(draft.mailbox_id)
        if seconds or draft.further_recipients.exists():
            jobs.wake(jobs.task_named(_SEND_DRAFT, countdown=seconds), draft.pk)
    return draft


def undo(draft_id: int) -> Draft:
    """Take back what was ordered; what has been sent to some of its recipients stays sent.

    Raises `TooLateToUndo`.
    """
    with transaction.atomic():
        # Waits for a worker that is sending it just now; then it is gone.
        draft = Draft.objects.select_for_update().filter(pk=draft_id, send_at__isnull=False).first()
        if draft is None:
            raise TooLateToUndo
        _take_back(draft, "")
        return draft


def send_if_due(draft_id: int) -> None:
    """Send the draft to all its recipients, if it is time and no other worker does it."""
    while _send_to_next(draft_id):
        pass


def sweep() -> int:
    """Wake workers for what should have been sent; how many drafts."""
    due = list(_due().order_by("send_at").values_list("pk", flat=True)[:100])
    for key in due:
        jobs.task_named(_SEND_DRAFT)(str(key))
    return len(due)


def sent_from(draft_id: int) -> QuerySet[Message]:
    """The messages that a draft has become."""
    return Message.objects.filter(draft_number=draft_id).order_by("pk")


def outbox(mailbox: FunctionMailbox) -> QuerySet[Draft]:
    """What is about to be sent from the mailbox, and what came back instead of being sent."""
    return Draft.objects.filter(~Q(trouble="") | Q(send_at__isnull=False), mailbox=mailbox).order_by("pk")


def _due() -> QuerySet[Draft]:
    return Draft.objects.filter(send_at__lte=timezone.now())


def _send_to_next(draft_id: int) -> bool:
    """Send to one recipient; whether there is another."""
    with transaction.atomic():
        _lock_conversation(draft_id)
        draft = _due().select_for_update(skip_locked=True, of=("self",)).filter(pk=draft_id).first()
        if draft is None:
            return False
        person = draft.send_by or draft.changed_by
        mailbox_id = draft.mailbox_id
        try:
            with transaction.atomic():
                if person is None or unseen_messages(draft).exists():
                    raise AnsweredMeanwhile
                message_check.check(draft)
                if draft.mailing is None and draft.further_recipients.exists():
                    draft.mailing = Mailing.objects.create(
                        mailbox=draft.mailbox, at=timezone.now(), written_by=person
                    )
                sent_copy.send_to_first(draft, person)
        except AnsweredMeanwhile:
            trouble = ANSWERED_MEANWHILE
        except DraftIncomplete as error:
            trouble = error.trouble
        except DatabaseError:
            # Nothing is wrong with the draft: it is tried again.
            raise
        except OSError as error:
            # A disk that is full, or a storage that does not answer.
            jobs.log_unexpected(error, draft=draft_id)
            if _postpone(draft_id):
                return False
            trouble = FAILED
        except Exception as error:  # noqa: BLE001 - whatever it is, the draft must not be tried for ever
            jobs.log_unexpected(error, draft=draft_id)
            trouble = FAILED
        else:
            events.announce(mailbox_id)
            return draft.pk is not None
        _take_back(Draft.objects.get(pk=draft_id), trouble)
        return False


def _postpone(draft_id: int) -> bool:
    """Try to send a locked draft later; False where it has been tried for long enough.

    `changed_at` stays: it is when the draft was ordered.
    """
    draft = Draft.objects.get(pk=draft_id)
    waited = timezone.now() - draft.changed_at
    if waited > _PATIENCE:
        return False
    pause = min(max(waited / 2, _SHORTEST_PAUSE), _LONGEST_PAUSE)
    Draft.objects.filter(pk=draft_id).update(send_at=timezone.now() + pause, trouble=WAITING)
    events.announce(draft.mailbox_id)
    return True


def _take_back(draft: Draft, trouble: str) -> None:
    draft.send_at = draft.send_by = None
    draft.trouble = trouble
    draft.version += 1
    draft.save()
    events.announce(draft.mailbox_id)


def _lock_conversation(draft_id: int) -> None:
    """Let nothing be added to the conversation that the draft answers in, until this transaction ends.

    Before the draft, as whoever moves a conversation does: so neither waits for the other.
    """
    answered = Draft.objects.filter(pk=draft_id).values("answers__conversation")
    list(Conversation.objects.select_for_update().filter(pk__in=answered))


def _has_written_to(mailbox: FunctionMailbox, one: Recipient) -> bool:
    return Message.objects.filter(
        conversation__mailbox=mailbox,
        direction=Message.Direction.OUT,
        counterpart_participant=one.participant,
        counterpart_address=one.address,
    ).exists()
