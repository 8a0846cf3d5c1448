"""Which changes of where messages go need a second administrator.

Administrators see no messages. A change that sends messages to a mailbox which the actor reads, or whose
members the actor has named, therefore waits as a `Redirection` until another administrator has confirmed it.
"""

from typing import Any

from django.db.models import Q
from django.utils import timezone

from mailbox import access_log
from mailbox.models import (
    AccessLogEntry,
    DirectoryGroupMapping,
    FunctionMailbox,
    MembershipRule,
    Person,
    Redirection,
)


def needs_second(actor: Person | None, target: FunctionMailbox | None) -> bool:
    """Whether the actor, or members whom the actor has named, would see what goes to the mailbox.

    No actor means the operator, at the command line.
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
    if DirectoryGroupMapping.objects.filter(
        Q(made_by=actor) | Q(confirmed_by=actor), mailbox=target
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
    """Whether the change may be made now; if not, it is stored as a proposal. In the caller's transaction.

    A change that a `second` administrator confirms is recorded by `redirections`.
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
