"""How a request for approval ends without an answer: the draft is changed, or goes; what was approved does
not leave; or whoever asked is no member who works any more."""

from typing import Final

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from mailbox import access_log, events
from mailbox.models import (
    ApprovalNotice,
    ApprovalRequest,
    Conversation,
    ConversationEvent,
    Draft,
    FunctionMailbox,
    Person,
)

State = ApprovalRequest.State
# A draft has at most one request in these states.
LIVE: Final = (State.OPEN, State.APPROVED)


def end_of_draft(draft: Draft, person: Person | None) -> None:
    """End the request of a locked draft, if it has one. `person` is who changed the draft, if anybody did."""
    _end(draft.approval_requests.all(), person)


def end_in_conversation(conversation: Conversation, person: Person | None) -> None:
    """End the requests of the drafts that answer in a locked conversation."""
    _end(ApprovalRequest.objects.filter(draft__answers__conversation=conversation), person)


def end_of_asker(person: Person, mailbox: FunctionMailbox) -> None:
    """End the requests of somebody who does not work in the mailbox any more. What has been approved is
    checked when it is sent."""
    with transaction.atomic():
        rows = ApprovalRequest.objects.filter(asked_by=person, draft__mailbox=mailbox, state=State.OPEN)
        _end(rows, None)


def record(
    request: ApprovalRequest, code: str, person: Person | None, what: ConversationEvent.What | None = None
) -> None:
    """Record in the access log what was done with a request, and in the history of the conversation that the
    draft answers, if `what` is given; and announce it."""
    draft = request.draft
    conversation = access_log.conversation_of(draft)
    mailbox = draft.mailbox
    access_log.record(
        person,
        code,
        mailbox.participant_id,
        mailbox=mailbox,
        conversation=conversation,
        draft=str(draft.key),
        version=draft.version,
        request=str(request.key),
    )
    if what is not None and draft.answers is not None:
        ConversationEvent.objects.create(
            conversation=draft.answers.conversation, at=timezone.now(), actor=person, what=what
        )
    events.announce(mailbox.pk)


def notice_asker(request: ApprovalRequest, kind: ApprovalNotice.Kind) -> None:
    """Have whoever asked told what became of the request."""
    if request.asked_by_id is not None:
        ApprovalNotice.objects.create(
            kind=kind,
            mailbox_id=request.draft.mailbox_id,
            person_id=request.asked_by_id,
            made_at=timezone.now(),
        )


def _end(rows: QuerySet[ApprovalRequest], person: Person | None) -> None:
    found = rows.filter(state__in=LIVE).select_related("draft__mailbox", "draft__answers__conversation")
    for request in found.select_for_update(of=("self",)):
        request.state, request.decided_at = State.ENDED, timezone.now()
        request.save(update_fields=["state", "decided_at"])
        record(request, "approval-ended", person, ConversationEvent.What.APPROVAL_ENDED)
        if person is None or request.asked_by_id != person.pk:
            notice_asker(request, ApprovalNotice.Kind.ENDED)
