"""What lets a message leave: the right of whoever sends it, or the approval of somebody else.

Every way out of a mailbox asks here, in the transaction in which the message leaves.
"""

from mailbox import access
from mailbox.models import ApprovalRequest, Draft, Message, Person

from .content import content_of, is_within


class ApprovalNeeded(Exception):
    """Somebody else has to approve the message before it is sent."""


class NotByWriter(Exception):
    """The mailbox demands approval of such messages: who wrote it does not send it again."""


def approval_of(draft: Draft, person: Person) -> ApprovalRequest | None:
    """The approval by which a locked draft is sent in the person's name; None where none is needed.

    It holds for what was approved and for nothing else, while its approver has their right. Raises
    `ApprovalNeeded`.
    """
    rows = draft.approval_requests.filter(state=ApprovalRequest.State.APPROVED)
    request = rows.select_related("decided_by", "draft__mailbox").first()
    if not access.needs_approval(draft, person):
        return request
    if request is None or request.asked_by_id != person.pk:
        raise ApprovalNeeded
    approver = request.decided_by
    if approver is None or approver.pk in request.writer_ids or approver.pk in draft.writer_ids:
        raise ApprovalNeeded
    sends = access.mailboxes_to_send_from(approver).filter(pk=draft.mailbox_id).exists()
    if not sends or not access.drafts_of(approver).filter(pk=draft.pk).exists():
        raise ApprovalNeeded
    if not is_within(content_of(draft, person), request.content):
        raise ApprovalNeeded
    return request


def check_may_send_again(message: Message, person: Person) -> None:
    """Check that the person sends a failed message of a locked conversation again; `access` has let them see
    it as somebody who sends. Raises `NotByWriter`."""
    mailbox = message.conversation.mailbox
    is_demanded = access.is_approval_demanded(mailbox, is_confidential=message.is_confidential)
    if is_demanded and message.written_by_id == person.pk:
        raise NotByWriter
