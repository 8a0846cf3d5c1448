"""What pages show of deliveries and of case systems, in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db.models import Count, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from mailbox import access
from mailbox.conversations import case_deliveries
from mailbox.models import CaseDelivery, CaseSystem, Conversation, FunctionMailbox

from . import directory

State = CaseDelivery.State
Cause = CaseDelivery.Cause
_IN_CONVERSATION: Final = 10
_IN_LIST: Final = 50
CAUSES: Final[Mapping[str, str | Promise]] = {
    Cause.PAUSED: lazy("Ärendesystemet är avstängt, eller väntar på att en administratör bekräftar det."),
    Cause.NOT_ALLOWED: lazy("Brevlådan får inte längre överlämna till det ärendesystemet."),
    Cause.NOT_REGISTERED: lazy("Konversationen är inte längre registrerad."),
    Cause.REOPENED: lazy("Konversationen öppnades på nytt."),
    Cause.PROTECTED: lazy("Konversationen har skyddats. Den som ser den kan beställa överlämningen."),
    Cause.PACKAGE: lazy("Paketet kunde inte göras."),
    Cause.DIRECTORY: lazy("Det gick inte att skriva i ärendesystemets katalog."),
    Cause.ADDRESS: lazy("Adressen är inte tillåten."),
    Cause.HOST_KEY: lazy("Serverns värdnyckel är inte den som har godtagits. Inget skickas dit."),
    Cause.LOGIN: lazy("Servern släpper inte in oss med vår nyckel."),
    Cause.NO_ANSWER: lazy("Ärendesystemet svarar inte."),
    Cause.REFUSED_NOTICE: lazy("Ärendesystemet tog inte emot underrättelsen."),
    Cause.REFUSED: lazy("Ärendesystemet avvisade den."),
    Cause.UNEXPECTED: lazy("Ett oväntat fel uppstod. Det står i installationens logg."),
}
REJECTIONS: Final[Mapping[str, str | Promise]] = {
    "not-json": lazy("filen är inte JSON"),
    "unreadable": lazy("filen går inte att läsa"),
    "too-large": lazy("filen är för stor"),
    "unknown-delivery": lazy("överlämningen finns inte här"),
    "answered-otherwise": lazy("överlämningen är redan besvarad på annat sätt"),
}


@dataclass(frozen=True, slots=True)
class DeliveryView:
    """A delivery in words. `next_at` is when it is tried again by itself, `is_bad` whether it failed."""

    pk: UUID
    conversation_id: int
    subject: str
    system: str
    state: str
    cause: str
    next_at: datetime | None
    ordered_by: str
    ordered_at: datetime
    delivered_at: datetime | None
    answered_at: datetime | None
    case_number: str
    reference: str
    refusal: str
    is_bad: bool
    may_retry: bool
    may_withdraw: bool


@dataclass(frozen=True, slots=True)
class ConversationDeliveries:
    """What a conversation's page shows: its deliveries, the latest first, and whether one can be ordered."""

    deliveries: Sequence[DeliveryView]
    may_order: bool

    @property
    def latest(self) -> DeliveryView | None:
        return self.deliveries[0] if self.deliveries else None


@dataclass(frozen=True, slots=True)
class DeliveryGroup:
    """The deliveries of a mailbox in some states: how many there are, and the latest of them."""

    key: str
    title: str
    empty: str
    count: int
    deliveries: Sequence[DeliveryView]


@dataclass(frozen=True, slots=True)
class SystemView:
    """A case system with counts and technical state, for administrators."""

    system: CaseSystem
    place: str
    waiting: int
    delivered: int
    acknowledged: int
    failed: int
    oldest_open_at: datetime | None
    causes: Sequence[str]
    rejection: str


def deliveries_in(conversation: Conversation) -> ConversationDeliveries:
    """What the page of the conversation shows, in two queries at most."""
    is_registered = conversation.registration_state == Conversation.RegistrationState.REGISTERED
    rows = conversation.case_deliveries.exclude(state=State.WITHDRAWN).select_related(
        "case_system", "ordered_by"
    )
    return ConversationDeliveries(
        [_view_of(row, conversation.pk, "") for row in rows[:_IN_CONVERSATION]],
        is_registered and case_deliveries.usable_by(conversation.mailbox).exists(),
    )


def groups_of(mailbox: FunctionMailbox, person: access.Viewer) -> list[DeliveryGroup]:
    """The deliveries of a mailbox that the person sees: failed, waiting, handed over and acknowledged."""
    rows = access.case_deliveries_of(person).filter(conversation__mailbox=mailbox)
    counts = dict(rows.order_by().values_list("state").annotate(Count("pk")))
    rows = rows.select_related("case_system", "ordered_by", "conversation__mailbox")
    groups = [
        (State.FAILED, _("Lyckades inte"), _("Inget har misslyckats.")),
        (State.WAITING, _("Väntar på att överlämnas"), _("Inget väntar.")),
        (State.DELIVERED, _("Överlämnat, väntar på kvittens"), _("Inget väntar på kvittens.")),
        (State.ACKNOWLEDGED, _("Mottaget"), _("Inget har tagits emot än.")),
    ]
    return [
        DeliveryGroup(
            state.value,
            title,
            empty,
            counts.get(state, 0),
            [
                _view_of(row, row.conversation_id, row.conversation.subject)
                for row in rows.filter(state=state)[:_IN_LIST]
            ],
        )
        for state, title, empty in groups
    ]


def systems_of(rows: QuerySet[CaseSystem]) -> list[SystemView]:
    """Case systems with their counts, in two queries."""
    systems = list(rows.select_related("changed_by"))
    tally: dict[int, dict[tuple[str, str], int]] = {}
    found = CaseDelivery.objects.filter(case_system__in=systems).order_by()
    for key, state, cause, count in found.values_list("case_system", "state", "cause").annotate(Count("pk")):
        tally.setdefault(key, {})[state, cause] = count
    oldest = dict(
        CaseDelivery.objects.filter(case_system__in=systems, state__in=CaseDelivery.OPEN_STATES)
        .order_by("case_system", "ordered_at")
        .distinct("case_system")
        .values_list("case_system", "ordered_at")
    )
    return [_system_view(row, tally.get(row.pk, {}), oldest.get(row.pk)) for row in systems]


def place_of(system: CaseSystem) -> str:
    """Where packages go: the directory, the web hook, or that the case system asks."""
    if system.kind == CaseSystem.Kind.DIRECTORY:
        if not settings.SDK_CASE_SYSTEM_DIRECTORY:
            return _("ingen katalog är angiven för installationen")
        return str(directory.path_of(system))
    if system.kind == CaseSystem.Kind.SFTP:
        return system.sftp_address
    return system.webhook_url or _("hämtar själv")


def _system_view(
    system: CaseSystem, tally: Mapping[tuple[str, str], int], oldest: datetime | None
) -> SystemView:
    def total(state: CaseDelivery.State) -> int:
        return sum(count for (found, _cause), count in tally.items() if found == state)

    causes = dict.fromkeys(
        cause for (state, cause), count in tally.items() if state == State.FAILED and cause
    )
    return SystemView(
        system,
        place_of(system),
        total(State.WAITING),
        total(State.DELIVERED),
        total(State.ACKNOWLEDGED),
        total(State.FAILED),
        oldest,
        [str(CAUSES.get(cause, cause)) for cause in causes],
        _rejection_in_words(system.latest_rejection),
    )


def _rejection_in_words(code: str) -> str:
    if not code:
        return ""
    return str(REJECTIONS.get(code) or _("fältet %(name)s är fel") % {"name": code.replace("-", "_")})


def _view_of(row: CaseDelivery, conversation_id: int, subject: str) -> DeliveryView:
    is_failed = row.state == State.FAILED
    return DeliveryView(
        pk=row.pk,
        conversation_id=conversation_id,
        subject=subject,
        system=row.case_system.name,
        state=_state_in_words(row),
        cause=str(CAUSES.get(row.cause, "")),
        next_at=row.due_at if row.state in {State.WAITING, State.FAILED} and not row.is_refused else None,
        ordered_by=row.ordered_by.name if row.ordered_by else "",
        ordered_at=row.ordered_at,
        delivered_at=row.delivered_at,
        answered_at=row.answered_at,
        case_number=row.case_number,
        reference=row.reference,
        refusal=row.refusal,
        is_bad=is_failed,
        may_retry=row.state in {State.FAILED, State.DELIVERED},
        may_withdraw=row.state in CaseDelivery.OPEN_STATES,
    )


def _state_in_words(row: CaseDelivery) -> str:
    name = {"system": row.case_system.name}
    if row.state == State.WAITING:
        return _("Väntar på att överlämnas till %(system)s") % name
    if row.state == State.DELIVERED:
        return _("Överlämnad till %(system)s, väntar på kvittens") % name
    if row.state == State.ACKNOWLEDGED:
        return _("Mottagen av %(system)s") % name
    if row.is_refused:
        return _("Avvisad av %(system)s") % name
    if row.due_at is not None:
        return _("Inte överlämnad till %(system)s än, nytt försök görs") % name
    return _("Inte överlämnad till %(system)s") % name
