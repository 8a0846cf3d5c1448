"""Which messages a mailbox demands approval of, set by those who manage it.

Demanding more is done at once. Demanding less waits until a second one of them has confirmed it: otherwise
one alone could send what two are to look at.
"""

from typing import Final

from django.db import transaction

from mailbox import access_log, events
from mailbox.models import ApprovalRule, FunctionMailbox, Person

Demand = ApprovalRule.Demand
# From the least to the most.
_ORDER: Final = tuple(Demand)


class NothingProposed(Exception):
    """There is no proposal that the person may answer."""


def rule_of(mailbox: FunctionMailbox) -> ApprovalRule:
    """What the mailbox demands; a row that is not stored where it has demanded nothing yet."""
    rows = ApprovalRule.objects.filter(mailbox=mailbox).select_related("proposed_by")
    return rows.first() or ApprovalRule(mailbox=mailbox)


def set_demand(actor: Person, mailbox: FunctionMailbox, demand: str) -> bool:
    """Demand more at once, or propose to demand less; False where it waits for a second one."""
    with transaction.atomic():
        rule = _locked(mailbox)
        is_less = _ORDER.index(Demand(demand)) < _ORDER.index(Demand(rule.demand))
        if is_less:
            rule.proposed, rule.proposed_by = demand, actor
            _save(rule, actor, "approval-rule-proposed", demand)
            return False
        rule.demand, rule.proposed, rule.proposed_by = demand, "", None
        _save(rule, actor, "approval-rule-set", demand)
    return True


def confirm(actor: Person, mailbox: FunctionMailbox, proposed: str) -> None:
    """Confirm what somebody else has proposed, as the page showed it. Raises `NothingProposed`."""
    with transaction.atomic():
        rule = _locked(mailbox)
        if not rule.proposed or rule.proposed != proposed or rule.proposed_by_id in {None, actor.pk}:
            raise NothingProposed
        rule.demand, rule.proposed, rule.proposed_by = rule.proposed, "", None
        _save(rule, actor, "approval-rule-set", rule.demand)


def reject(actor: Person, mailbox: FunctionMailbox) -> None:
    """Remove a proposal, one's own too. Raises `NothingProposed`."""
    with transaction.atomic():
        rule = _locked(mailbox)
        if not rule.proposed:
            raise NothingProposed
        rejected, rule.proposed, rule.proposed_by = rule.proposed, "", None
        _save(rule, actor, "approval-rule-kept", rejected)


def _locked(mailbox: FunctionMailbox) -> ApprovalRule:
    ApprovalRule.objects.get_or_create(mailbox=mailbox)
    return ApprovalRule.objects.select_for_update().get(mailbox=mailbox)


def _save(rule: ApprovalRule, actor: Person, code: str, demand: str) -> None:
    rule.save()
    mailbox = rule.mailbox
    access_log.record(actor, code, mailbox.participant_id, mailbox=mailbox, demand=demand)
    events.announce(mailbox.pk)
