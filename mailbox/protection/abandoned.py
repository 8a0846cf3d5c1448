"""Telling managers of protected conversations that nobody sees any more."""

from django.db.models import Exists, OuterRef
from django.utils import timezone

from mailbox.access import current_memberships
from mailbox.models import Conversation, Membership, NamedMember, ProtectionNotice


def notice_abandoned() -> int:
    """Make notices to the managers of mailboxes with a protected conversation in which nobody is named who is
    a member now; returns how many. Once for each conversation, until somebody sees it again.
    """
    current = Membership.objects.filter(current_memberships(), person__is_active=True)
    named = NamedMember.objects.filter(conversation=OuterRef("pk"), membership__in=current)
    noticed = ProtectionNotice.objects.filter(
        conversation=OuterRef("pk"), kind=ProtectionNotice.Kind.ABANDONED
    )
    rows = Conversation.objects.filter(~Exists(named), ~Exists(noticed), is_protected=True)
    abandoned = dict(rows.values_list("pk", "mailbox"))
    managers = current.filter(mailbox__in=set(abandoned.values()), role=Membership.Role.MANAGER)
    people: dict[int, list[int]] = {}
    for mailbox_id, person_id in managers.values_list("mailbox_id", "person_id"):
        people.setdefault(mailbox_id, []).append(person_id)
    now = timezone.now()
    made = ProtectionNotice.objects.bulk_create(
        ProtectionNotice(
            kind=ProtectionNotice.Kind.ABANDONED, conversation_id=key, person_id=person_id, made_at=now
        )
        for key, mailbox_id in sorted(abandoned.items())
        for person_id in people.get(mailbox_id, [])
    )
    return len(made)
