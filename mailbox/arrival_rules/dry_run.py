"""A dry run: what a rule would do with the latest messages, before it is saved.

It shows what the mailbox's list shows, to people who read the mailbox. No message is opened by it, so none
is recorded as opened.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db.models import Exists, OuterRef

from mailbox import access
from mailbox.access import Viewer
from mailbox.conversations.addresses import conversation_url
from mailbox.models import ArrivalRule, FunctionMailbox, Message, SearchEntry

from . import loading
from .decision import ArrivalFacts, Decision, decide
from .descriptions import Choices, effect_in_words
from .rule_list import Content

MESSAGES: Final = 100


@dataclass(frozen=True, slots=True)
class Match:
    """A message that the rule would match, and what would happen; nothing does where `is_stopped`: a rule
    before it stops, or moves the message."""

    at: datetime
    counterpart: str
    subject: str
    url: str
    effects: Sequence[str]
    is_stopped: bool


@dataclass(frozen=True, slots=True)
class DryRun:
    """The number of messages that were looked at, and those that the rule would match, the latest first."""

    looked_at: int
    matches: Sequence[Match]


def run(
    mailbox: FunctionMailbox,
    person: Viewer,
    rule: ArrivalRule | None,
    content: Content,
    choices: Choices,
) -> DryRun:
    """What a rule with this content would do in the place of `rule`, or after all others, with messages that
    the person sees.

    A move that is not confirmed yet is shown as if it were. In a fixed number of queries.
    """
    rows = [
        _as_it_would_be(mailbox, rule, content) if rule and row.pk == rule.pk else row
        for row in loading.rows_for([mailbox.pk])
    ]
    candidate = next((row for row in rows if rule and row.pk == rule.pk), None)
    if candidate is None:
        candidate = _as_it_would_be(mailbox, rule, content)
        rows.append(candidate)
        rows.sort(key=lambda row: row.position)
    rules = loading.rules_of(rows)[mailbox.pk]
    messages = _latest(mailbox, person)
    matches = []
    for message in messages:
        annotations: dict[str, Any] = vars(message)
        facts = _facts(message)
        decision = decide(rules, facts, may_move=not annotations["has_earlier"])
        if content.conditions.hold(facts):
            matches.append(_match(message, candidate.pk, decision, choices))
    return DryRun(len(messages), matches)


def _as_it_would_be(mailbox: FunctionMailbox, rule: ArrivalRule | None, content: Content) -> ArrivalRule:
    return ArrivalRule(
        pk=rule.pk if rule else 0,
        mailbox=mailbox,
        position=rule.position if rule else 1_000_000,
        name=content.name,
        stops=content.stops,
        conditions=content.conditions.as_json(),
        actions=content.actions.as_json(),
        is_move_confirmed=True,
    )


def _match(message: Message, rule_id: int, decision: Decision, choices: Choices) -> Match:
    effects = [effect for effect in decision.effects if effect.rule_id == rule_id]
    return Match(
        message.at,
        message.conversation.counterpart,
        message.conversation.subject,
        conversation_url(message.conversation_id),
        [effect_in_words(effect, choices) for effect in effects],
        is_stopped=rule_id not in decision.matched,
    )


def _latest(mailbox: FunctionMailbox, person: Viewer) -> list[Message]:
    """The messages of the person's that have arrived last, the latest first, by the index of the search."""
    entries = SearchEntry.objects.filter(mailbox=mailbox, is_outgoing=False).order_by("-at", "-message")
    entries = entries.exclude(message__in=access.messages_hidden_from(person))
    rows = Message.objects.filter(pk__in=list(entries.values_list("pk", flat=True)[:MESSAGES]))
    earlier = Message.objects.filter(conversation=OuterRef("conversation"), pk__lt=OuterRef("pk"))
    rows = rows.annotate(has_earlier=Exists(earlier)).select_related("conversation__mailbox")
    return list(rows.prefetch_related("documents__attachments").order_by("-at", "-pk"))


def _facts(message: Message) -> ArrivalFacts:
    return ArrivalFacts(
        organisation=message.counterpart_participant,
        function=message.counterpart_address,
        subject=message.subject,
        is_confidential=message.is_confidential,
        our_references=[item["value"] for item in message.recipient_references],
        their_references=[item["value"] for item in message.sender_references],
        persons=[text for item in message.recipient_persons for text in (item["label"], item["value"])],
        files=[
            (attachment.name, attachment.content_type)
            for document in message.documents.all()
            for attachment in document.attachments.all()
        ],
    )
