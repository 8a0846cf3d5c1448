"""Membership rules: who is a member by a claim of the e-ID provider. They are applied at each login."""

import logging
from collections.abc import Mapping
from typing import Any

from django.db import transaction

from mailbox import access_log, events
from mailbox.models import FunctionMailbox, Membership, MembershipRule, Person

from . import mailboxes

logger = logging.getLogger(__name__)


def make_rule(actor: Person, mailbox: FunctionMailbox, claim: str, value: str) -> MembershipRule:
    """Add a rule: who has the claim's value becomes a member at the next login, except the only author."""
    with transaction.atomic():
        rule, made = MembershipRule.objects.get_or_create(
            mailbox=mailbox, claim=claim, value=value, defaults={"made_by": actor}
        )
        if made:
            _record(actor, "rule-made", rule)
        else:
            confirm_rule(actor, rule)
    return rule


def confirm_rule(actor: Person, rule: MembershipRule) -> None:
    """Confirm another administrator's rule. A rule without a known author becomes the actor's own."""
    with transaction.atomic():
        rule = MembershipRule.objects.select_for_update().get(pk=rule.pk)
        if not may_confirm(actor, rule):
            return
        rule.made_by = actor if rule.is_suspended else None
        rule.is_suspended = False
        rule.save(update_fields=["made_by", "is_suspended"])
        _record(actor, "rule-made", rule)


def may_confirm(actor: Person, rule: MembershipRule) -> bool:
    """Whether the actor's confirmation would count."""
    return rule.is_suspended or rule.made_by_id not in {None, actor.pk}


def remove_rule(actor: Person, rule: MembershipRule) -> None:
    """Delete a rule, and the memberships that it has given."""
    with transaction.atomic():
        for membership in rule.memberships.select_related("mailbox", "person"):
            mailboxes.remove_member(actor, membership)
        _record(actor, "rule-removed", rule)
        rule.delete()


def rules_met(claims: Mapping[str, Any]) -> list[MembershipRule]:
    """The rules that a person's claims meet."""
    rules = MembershipRule.objects.filter(claim__in=list(claims), is_suspended=False)
    return [rule for rule in rules.select_related("mailbox") if rule.value in _values(claims[rule.claim])]


def apply(person: Person, claims: Mapping[str, Any]) -> None:
    """Add the memberships that the person's claims give, and end those that they give no longer.

    A rule that is the person's own alone does not apply to them: nobody makes themselves a member.
    """
    met = [rule for rule in rules_met(claims) if rule.made_by_id != person.pk]
    with transaction.atomic():
        for membership in person.memberships.exclude(rule=None).select_related("mailbox", "person"):
            if membership.rule_id not in {rule.pk for rule in met}:
                mailboxes.remove_member(None, membership)
        for rule in met:
            _, joined = Membership.objects.get_or_create(
                person=person, mailbox=rule.mailbox, defaults={"rule": rule}
            )
            if joined:
                mailbox = rule.mailbox
                access_log.record(
                    None, "member-by-rule", mailbox.participant_id, mailbox=mailbox, person=person
                )
                events.announce(mailbox.pk)


def _record(actor: Person, what: str, rule: MembershipRule) -> None:
    mailbox = rule.mailbox
    access_log.record(
        actor, what, mailbox.participant_id, mailbox=mailbox, claim=rule.claim, value=rule.value
    )


def _values(claim: Any) -> list[str]:
    """The values of a claim, which is a text or a list of texts."""
    return [str(value) for value in claim] if isinstance(claim, list) else [str(claim)]
