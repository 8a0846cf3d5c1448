"""All that is sent of a draft, as values that can be compared: what was asked for, approved, and is sent."""

from typing import Any

from mailbox.models import Draft, Person

# Of the content, what is compared apart from the rest: sending takes recipients away one by one.
RECIPIENTS = "recipients"


def content_of(draft: Draft, person: Person | None) -> dict[str, Any]:
    """What would be sent of the draft in the person's name."""
    mailbox = draft.mailbox
    first = [
        draft.recipient_participant,
        draft.recipient_organisation,
        draft.recipient_address,
        draft.recipient_function,
    ]
    further = [
        [row.participant, row.organisation, row.address, row.function]
        for row in draft.further_recipients.all()
    ]
    return {
        "sender": [mailbox.participant_id, mailbox.address, mailbox.name],
        "person": person.name if person else "",
        RECIPIENTS: [first, *further] if draft.recipient_address else further,
        "is_inside": draft.is_inside,
        "answers": draft.answers_id,
        "subject": draft.subject,
        "is_confidential": draft.is_confidential,
        "references": [list(pair) for pair in draft.references],
        "persons": draft.persons,
        "text": draft.text,
        "attachments": [
            [row.pk, row.name, row.content_type, row.size, row.sha256] for row in draft.attachments.all()
        ],
    }


def is_within(current: dict[str, Any], approved: dict[str, Any]) -> bool:
    """Whether what is about to be sent is what was approved, or what is left of it to send: only recipients
    that have their message already may be missing."""
    sent_to = [recipient for recipient in current[RECIPIENTS] if recipient not in approved[RECIPIENTS]]
    return not sent_to and {**current, RECIPIENTS: None} == {**approved, RECIPIENTS: None}
