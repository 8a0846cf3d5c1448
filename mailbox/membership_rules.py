"""Membership by what the e-ID provider says of a person: looked at in each login."""

import logging
from collections.abc import Mapping
from typing import Any

from django.db import transaction

from . import access_log, administration, events
from .models import FunctionMailbox, Membership, MembershipRule, Person

logger = logging.getLogger(__name__)


def make_rule(actor: Person, mailbox: FunctionMailbox, claim: str, value: str) -> MembershipRule:
    """Whoever has the value becomes a member at the next login, but for who alone has said so."""
    with transaction.atomic():
        rule, made = MembershipRule.objects.get_or_create(
            mailbox=mailbox, claim=claim, value=value, defaults={"made_by": actor}
        )
        is_seconded = rule.made_by is not None and rule.made_by != actor
        if is_seconded:
            rule.made_by = None
            rule.save(update_fields=["made_by"])
        if made or is_seconded:
            access_log.note(
                actor, "rule-made", mailbox.participant_id, mailbox=mailbox, claim=claim, value=value
            )
    return rule


def remove_rule(actor: Person, rule: MembershipRule) -> None:
    """Remove a rule, and the memberships that it gave."""
    with transaction.atomic():
        mailbox = rule.mailbox
        for membership in rule.memberships.select_related("mailbox", "person"):
            administration.remove_member(actor, membership)
        claim, value = rule.claim, rule.value
        rule.delete()
        access_log.note(
            actor, "rule-removed", mailbox.participant_id, mailbox=mailbox, claim=claim, value=value
        )


def rules_met(claims: Mapping[str, Any]) -> list[MembershipRule]:
    """The rules that what the provider says of somebody meets."""
    rules = MembershipRule.objects.filter(claim__in=list(claims)).select_related("mailbox")
    return [rule for rule in rules if rule.value in _values(claims[rule.claim])]


def apply(person: Person, claims: Mapping[str, Any]) -> None:
    """Give the memberships that the claims give, and end those that they no longer give.

    Nobody names themselves a member: a rule that somebody has made alone gives them nothing.
    """
    met = [rule for rule in rules_met(claims) if rule.made_by_id != person.pk]
    with transaction.atomic():
        for membership in person.memberships.exclude(rule=None).select_related("mailbox", "person"):
            if membership.rule_id not in {rule.pk for rule in met}:
                administration.remove_member(None, membership)
        for rule in met:
            _, joined = Membership.objects.get_or_create(
                person=person, mailbox=rule.mailbox, defaults={"rule": rule}
            )
            if joined:
                mailbox = rule.mailbox
                access_log.note(
                    None, "member-by-rule", mailbox.participant_id, mailbox=mailbox, person=person
                )
                events.announce(mailbox.pk)


def _values(said: Any) -> list[str]:
    """A claim is a text, or a list of them, as groups are."""
    return [str(one) for one in said] if isinstance(said, list) else [str(said)]
