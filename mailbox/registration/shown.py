"""What lists and pages show of registrations."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.utils.translation import ngettext

from mailbox.models import Conversation, RegisteredMessage, Registration, RetentionRule

State = Conversation.RegistrationState
# The retention rules by the state of the conversations that they delete.
RULES: Final[dict[str, str | Promise]] = {
    RetentionRule.State.UNHANDLED: lazy("Väntar på någon här"),
    RetentionRule.State.HANDLED: lazy("Besvarade, inte klara"),
    RetentionRule.State.DONE: lazy("Klara"),
    RetentionRule.State.TRASH: lazy("I papperskorgen"),
    RetentionRule.State.HANDED_OVER: lazy("Överlämnade och mottagna"),
}


@dataclass(frozen=True, slots=True)
class RegistrationSigns:
    """What a list's row says: the case numbers, that messages are of minor importance, and that some are not
    registered."""

    case_numbers: tuple[str, ...] = ()
    is_minor: bool = False
    is_missing: bool = False


@dataclass(frozen=True, slots=True)
class RegistrationView:
    """A registration, and how many messages it covers or covered; `outcome` is empty while it holds."""

    pk: int
    case_number: str
    reason: str
    refers_to: str
    by: str
    at: datetime
    message_count: int
    outcome: str
    ended_by: str
    ended_at: datetime | None
    end_reason: str

    @property
    def is_case(self) -> bool:
        return bool(self.case_number)


@dataclass(frozen=True, slots=True)
class ConversationRegistrations:
    """What a conversation's page shows: registrations that hold, earlier ones, and whether something is not
    registered. `by_message` has the registration of each message that has one."""

    current: Sequence[RegistrationView] = ()
    earlier: Sequence[RegistrationView] = ()
    is_missing: bool = False
    by_message: Mapping[int, RegistrationView] = field(default_factory=dict)

    @property
    def case_numbers(self) -> list[str]:
        """The case numbers that hold, each once, the oldest first."""
        return list(dict.fromkeys(row.case_number for row in self.current if row.is_case))


def signs_of(rows: Iterable[Conversation]) -> dict[int, RegistrationSigns]:
    """The signs of the conversations that have any, in one query at most."""
    states = {row.pk: row.registration_state for row in rows if row.registration_state}
    numbers: dict[int, dict[str, None]] = {}
    minor: set[int] = set()
    if states:
        holding = Registration.objects.filter(conversation__in=states, ended_at=None).order_by("at", "pk")
        for registration in holding:
            if registration.kind == Registration.Kind.CASE:
                numbers.setdefault(registration.conversation_id, {})[registration.case_number] = None
            else:
                minor.add(registration.conversation_id)
    return {
        key: RegistrationSigns(tuple(numbers.get(key, ())), key in minor, state == State.PENDING)
        for key, state in states.items()
    }


def registrations_in(conversation: Conversation) -> ConversationRegistrations:
    """What the page of the conversation shows, in two queries at most."""
    rows = list(conversation.registrations.select_related("by", "ended_by").order_by("at", "pk"))
    is_missing = conversation.registration_state == State.PENDING
    if not rows:
        return ConversationRegistrations(is_missing=is_missing)
    covered: dict[int, list[int]] = {}
    links = RegisteredMessage.objects.filter(registration__in=rows)
    for registration_id, message_id in links.values_list("registration_id", "message_id"):
        covered.setdefault(registration_id, []).append(message_id)
    views = {row.pk: view_of(row, len(covered.get(row.pk, ()))) for row in rows}
    return ConversationRegistrations(
        current=[views[row.pk] for row in rows if row.ended_at is None],
        earlier=[views[row.pk] for row in rows if row.ended_at is not None],
        is_missing=is_missing,
        by_message={
            key: views[row.pk] for row in rows if row.ended_at is None for key in covered.get(row.pk, ())
        },
    )


def view_of(registration: Registration, message_count: int) -> RegistrationView:
    """A registration with its people in words."""
    return RegistrationView(
        pk=registration.pk,
        case_number=registration.case_number,
        reason=registration.reason,
        refers_to=refers_to(registration),
        by=registration.by.name,
        at=registration.at,
        message_count=message_count,
        outcome=registration.outcome,
        ended_by=registration.ended_by.name if registration.ended_by else "",
        ended_at=registration.ended_at,
        end_reason=registration.end_reason,
    )


def refers_to(registration: Registration) -> str:
    """The retention rule, as it was, or the decision that a registration of minor importance refers to."""
    if registration.retention_state and registration.retention_days is not None:
        return rule_in_words(registration.retention_state, registration.retention_days)
    return str(registration.retention_basis)


def rule_in_words(state: str, days: int) -> str:
    """A retention rule: of which conversations, and after how many days they are deleted."""
    text = ngettext("%(state)s: gallras efter %(days)d dag", "%(state)s: gallras efter %(days)d dagar", days)
    return text % {"state": RULES.get(state, state), "days": days}


def in_words(registration: Registration) -> str:
    """What messages are registered as."""
    if registration.kind == Registration.Kind.CASE:
        return str(registration.case_number)
    return _("ringa betydelse")
