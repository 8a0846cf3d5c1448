"""Asking a colleague to approve a draft, approving it, giving it back, and taking the request back.

What is approved is what is sent: the request keeps all that the message says, and is compared with the draft
when it is approved and again when it leaves (`mailbox.approval.rule`).
"""

from datetime import datetime
from typing import Final

from django.db import transaction
from django.utils import timezone

from mailbox import access
from mailbox.approval import ending
from mailbox.approval.content import content_of
from mailbox.conversations import assignment
from mailbox.drafts import send_order
from mailbox.drafts.send_order import Reviewed
from mailbox.models import ApprovalNotice, ApprovalRequest, ConversationEvent, Draft, Person

State = ApprovalRequest.State
What = ConversationEvent.What
LONGEST_REASON: Final = 1_000


class NotAsked(Exception):
    """The request is not open any more, or not for the person to answer: nothing has been done."""


class ChangedMeanwhile(Exception):
    """The draft is not what was asked for: nothing is approved, and the request has ended."""


def ask(draft_id: int, reviewed: Reviewed, person: Person, *, at: datetime | None = None) -> ApprovalRequest:
    """Ask for approval of a draft as its owner has reviewed it. `at` is a later time at which it is to be
    sent. Raises what `send_order.order` raises."""
    send_order.check_time(at)
    with transaction.atomic():
        draft = send_order.locked_as_reviewed(draft_id, reviewed, person)
        ending.end_of_draft(draft, person)
        # What the writer has confirmed that they have seen.
        draft.trouble = ""
        draft.save(update_fields=["seen_message", "trouble"])
        request = ApprovalRequest.objects.create(
            draft=draft,
            content=content_of(draft, person),
            writer_ids=sorted(_writers_of(draft, person)),
            asked_by=person,
            asked_at=timezone.now(),
            send_at=at,
        )
        approvers = access.possible_approvers(draft, request.writer_ids)
        ApprovalNotice.objects.bulk_create(
            ApprovalNotice(
                kind=ApprovalNotice.Kind.ASKED, mailbox=draft.mailbox, person=each, made_at=request.asked_at
            )
            for each in approvers
        )
        ending.record(request, "approval-asked", person, What.APPROVAL_ASKED)
    return request


def approve(request_id: int, reviewed: Reviewed, person: Person) -> Draft:
    """Approve what was asked for, as the person has reviewed it, and order it to be sent in the asker's name.

    Of two who approve at once one does. Raises `NotAsked`, `ChangedMeanwhile`, and what
    `send_order.check_reviewed` raises; nothing is sent then.
    """
    with transaction.atomic():
        request = _locked(request_id, person)
        draft, asker = request.draft, request.asked_by
        has_changed = asker is None or content_of(draft, asker) != request.content
        if asker is None or has_changed or not access.drafts_to_work_on(asker).filter(pk=draft.pk).exists():
            ending.end_of_draft(draft, None)
        else:
            # Its version may have grown without a change of what is sent; that is compared above.
            send_order.check_reviewed(draft, reviewed)
            request.state, request.decided_by, request.decided_at = State.APPROVED, person, timezone.now()
            request.save(update_fields=["state", "decided_by", "decided_at"])
            ending.record(request, "message-approved", person)
            ending.notice_asker(request, ApprovalNotice.Kind.APPROVED)
            later = request.send_at
            return send_order.schedule(
                draft, asker, at=later if later is not None and later > timezone.now() else None
            )
    raise ChangedMeanwhile


def give_back(request_id: int, reason: str, person: Person) -> None:
    """Do not approve what was asked for, and tell its writer why. Raises `NotAsked`."""
    with transaction.atomic():
        request = _locked(request_id, person)
        request.state, request.decided_by, request.decided_at = State.RETURNED, person, timezone.now()
        request.reason = reason
        request.save(update_fields=["state", "decided_by", "decided_at", "reason"])
        ending.record(request, "approval-returned", person, What.APPROVAL_RETURNED)
        ending.notice_asker(request, ApprovalNotice.Kind.RETURNED)


def withdraw(draft_id: int, person: Person) -> None:
    """Take one's request back, as long as nobody has answered it. Raises `NotAsked`."""
    with transaction.atomic():
        rows = ApprovalRequest.objects.filter(draft=draft_id, asked_by=person, state=State.OPEN)
        request = rows.select_for_update(of=("self",)).select_related("draft__mailbox").first()
        if request is None or not access.approval_requests_of(person).filter(pk=request.pk).exists():
            raise NotAsked
        request.state, request.decided_by, request.decided_at = State.WITHDRAWN, person, timezone.now()
        request.save(update_fields=["state", "decided_by", "decided_at"])
        ending.record(request, "approval-withdrawn", person, What.APPROVAL_WITHDRAWN)


def _locked(request_id: int, person: Person) -> ApprovalRequest:
    """The request with its draft, locked until this transaction ends, in the order in which all lock.

    Raises `NotAsked` where the person does not answer it.
    """
    draft_id = ApprovalRequest.objects.filter(pk=request_id).values_list("draft", flat=True).first()
    if draft_id is None:
        raise NotAsked
    send_order.lock_conversation(draft_id)
    draft = Draft.objects.select_for_update().filter(pk=draft_id, send_at=None).first()
    request = ApprovalRequest.objects.select_for_update().filter(pk=request_id, state=State.OPEN).first()
    if draft is None or request is None:
        raise NotAsked
    # A membership that is being ended at this moment does not approve.
    shared = assignment.share_memberships([(person.pk, draft.mailbox_id)])
    if not shared or not access.approval_requests_to_answer(person).filter(pk=request.pk).exists():
        raise NotAsked
    request.draft = draft
    return request


def _writers_of(draft: Draft, person: Person) -> set[int]:
    """All who have written in the draft, whoever began it and whoever asks."""
    earlier = draft.versions.values_list("written_by", flat=True)
    known = {draft.created_by_id, draft.changed_by_id, draft.owner_id, person.pk, *draft.writer_ids, *earlier}
    return {key for key in known if key is not None}
