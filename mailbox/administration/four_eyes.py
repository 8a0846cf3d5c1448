"""Who may let others' messages go to a mailbox alone, and who needs a second administrator for it.

An administrator sees no message. So whoever lets messages go to a mailbox that they read, or whose
members they have named, does not do it alone: it waits as a `Redirection` until another has confirmed it.
"""

from typing import Any

from django.db.models import Q
from django.utils import timezone

from mailbox import access_log
from mailbox.models import AccessLogEntry, FunctionMailbox, MembershipRule, Person, Redirection


def needs_second(actor: Person | None, target: FunctionMailbox | None) -> bool:
    """Whether what goes to the mailbox comes before the eyes of the actor, or of those whom they named.

    Without an actor it is the operator, at the command line.
    """
    if actor is None or target is None:
        return False
    members = target.memberships.all()
    if members.filter(person=actor).exists():
        return True
    named = AccessLogEntry.objects.filter(participant_id=target.participant_id, mailbox=target, actor=actor)
    if named.filter(
        what__in=["member-added", "member-changed"], person__in=members.values("person")
    ).exists():
        return True
    own_rules = Q(made_by=actor)
    for details in named.filter(what="rule-made").values_list("details", flat=True):
        own_rules |= Q(claim=details.get("claim", ""), value=details.get("value", ""))
    return MembershipRule.objects.filter(own_rules, mailbox=target).exists()


def apply_or_propose(
    actor: Person | None,
    kind: Redirection.Kind,
    participant_id: str,
    *,
    mailbox: FunctionMailbox | None,
    target: FunctionMailbox | None,
    value: dict[str, Any],
    second: Person | None,
) -> bool:
    """Whether the change may be made now. If not, it is kept as proposed; in the caller's transaction.

    A change that has been confirmed by a `second` is the confirming one's to record.
    """
    if actor is None or second is not None:
        return True
    is_alone = not needs_second(actor, target)
    if is_alone and target is None and mailbox is None:
        return True
    now = timezone.now()
    rows = Redirection.objects.filter(participant_id=participant_id, kind=kind, value=value, settled_at=None)
    if is_alone or not rows.exists():
        Redirection.objects.create(
            participant_id=participant_id,
            kind=kind,
            mailbox=mailbox,
            target=target,
            value=value,
            by=actor,
            settled_at=now if is_alone else None,
            is_made=is_alone,
        )
        if not is_alone:
            access_log.record(
                actor, "redirection-proposed", participant_id, mailbox=mailbox or target, kind=kind.value
            )
    return is_alone
