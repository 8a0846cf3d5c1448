"""What pages show of requests for approval: the lists, a draft's own request, and what has been changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import SequenceMatcher
from typing import Any, Final

from django.db.models import Exists, OuterRef, QuerySet
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _

from mailbox import access
from mailbox.access import Viewer
from mailbox.approval.content import RECIPIENTS
from mailbox.drafts.message_check import REFERENCE_KINDS
from mailbox.models import ApprovalRequest, Draft, Person

State = ApprovalRequest.State
# Longer lists and texts are not compared line by line.
MOST_ROWS: Final = 100
_MOST_LINES: Final = 2_000
_CONTEXT_LINES: Final = 1


@dataclass(frozen=True, slots=True)
class ListedRequest:
    """A request in a list."""

    draft_id: int
    subject: str
    mailbox: str
    asked_by: str
    asked_at: datetime
    send_at: datetime | None
    is_confidential: bool
    is_returned: bool
    decided_by: str
    reason: str


@dataclass(frozen=True, slots=True)
class DraftApproval:
    """How far a draft's latest request has come, as the person sees it."""

    state: str
    asked_by: str
    asked_at: datetime
    decided_by: str
    reason: str
    is_asker: bool
    may_answer: bool


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that differs between what a draft said and what it says."""

    label: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class TextLine:
    """A line of a text that has been changed: `+` added, `-` removed, or empty."""

    mark: str
    text: str


@dataclass(frozen=True, slots=True)
class Changes:
    """What differs between two versions; `is_too_long` where the texts differ and are not compared."""

    fields: Sequence[Change]
    lines: Sequence[TextLine]
    is_too_long: bool = False

    def __bool__(self) -> bool:
        return bool(self.fields or self.lines or self.is_too_long)


def to_answer(person: Viewer) -> list[ListedRequest]:
    """The requests that the person may answer, the oldest first."""
    rows = _with_rows(access.approval_requests_to_answer(person))
    return [_listed(row) for row in rows.order_by("asked_at", "pk")[:MOST_ROWS]]


def asked_by(person: Person) -> list[ListedRequest]:
    """The person's own requests that wait, and drafts that were given back to them, the latest first."""
    open_rows = access.approval_requests_of(person).filter(asked_by=person, state=State.OPEN)
    rows = _with_rows(open_rows | returned_to(person))
    return [_listed(row) for row in rows.order_by("-asked_at", "-pk")[:MOST_ROWS]]


def returned_to(person: Person) -> QuerySet[ApprovalRequest]:
    """Requests that were given back to the person, who has not asked again since."""
    later = ApprovalRequest.objects.filter(draft=OuterRef("draft"), pk__gt=OuterRef("pk"))
    rows = access.approval_requests_of(person).filter(asked_by_id=person.pk, state=State.RETURNED)
    return rows.filter(~Exists(later))


def approval_of_draft(draft: Draft, person: Person) -> DraftApproval | None:
    """How far the draft's latest request has come; None where there is none, or it was taken back."""
    rows = draft.approval_requests.select_related("asked_by", "decided_by", "draft__mailbox").order_by("-pk")
    row = rows.first()
    if row is None or row.state == State.WITHDRAWN:
        return None
    may_answer = row.state == State.OPEN and (
        access.approval_requests_to_answer(person).filter(pk=row.pk).exists()
    )
    return DraftApproval(
        row.state,
        _name(row.asked_by),
        row.asked_at,
        _name(row.decided_by),
        row.reason,
        row.asked_by_id == person.pk,
        may_answer,
    )


def earlier_request(request: ApprovalRequest, looked_at: int | None) -> ApprovalRequest | None:
    """The request of the same draft with the key `looked_at`, which the person was shown; else the latest
    before this one."""
    rows = ApprovalRequest.objects.filter(draft=request.draft_id).exclude(pk=request.pk)
    rows = rows.select_related("draft__mailbox").order_by("-pk")
    shown = rows.filter(pk=looked_at).first() if looked_at else None
    return shown or rows.filter(pk__lt=request.pk).first()


def changes_between(before: dict[str, Any], after: dict[str, Any]) -> Changes:
    """What differs between the contents of two requests, or of one and the draft as it is now."""
    fields = [
        Change(label, was, now)
        for (label, was), (_label, now) in zip(_fields(before), _fields(after), strict=True)
        if was != now
    ]
    was, now = before["text"].split("\n"), after["text"].split("\n")
    if was == now:
        return Changes(fields, [])
    if max(len(was), len(now)) > _MOST_LINES:
        return Changes(fields, [], is_too_long=True)
    return Changes(fields, list(_differing_lines(was, now)))


def _differing_lines(was: list[str], now: list[str]) -> list[TextLine]:
    lines: list[TextLine] = []
    for group in SequenceMatcher(None, was, now, autojunk=False).get_grouped_opcodes(_CONTEXT_LINES):
        if lines:
            lines.append(TextLine("", "…"))
        for kind, was_from, was_to, now_from, now_to in group:
            if kind == "equal":
                lines += [TextLine("", line) for line in was[was_from:was_to]]
                continue
            lines += [TextLine("-", line) for line in was[was_from:was_to]]
            lines += [TextLine("+", line) for line in now[now_from:now_to]]
    return lines


def _fields(content: dict[str, Any]) -> list[tuple[str, str]]:
    """Everything but the text, in words."""
    return [
        (_("Från"), f"{content['sender'][2]} ({content['sender'][1]})"),
        (_("Avsändande person"), content["person"]),
        (
            _("Mottagare"),
            "; ".join(
                f"{function}, {organisation} ({participant}, {address})"
                for participant, organisation, address, function in content[RECIPIENTS]
            ),
        ),
        (_("Ämne"), content["subject"]),
        (_("Sekretess"), _("Ja") if content["is_confidential"] else _("Nej")),
        (
            _("Vår beteckning"),
            "; ".join(
                f"{_(REFERENCE_KINDS.get(root, root))}: {value}" for root, value in content["references"]
            ),
        ),
        (_("Rör hos mottagaren"), "; ".join(content["persons"])),
        (
            _("Bilagor"),
            "; ".join(
                f"{name} ({filesizeformat(size)}, {digest[:8]})"
                for _key, name, _type, size, digest in content["attachments"]
            ),
        ),
    ]


def _with_rows(rows: QuerySet[ApprovalRequest]) -> QuerySet[ApprovalRequest]:
    return rows.select_related("draft__mailbox", "asked_by", "decided_by").defer("content")


def _listed(row: ApprovalRequest) -> ListedRequest:
    draft = row.draft
    return ListedRequest(
        draft.pk,
        draft.subject,
        draft.mailbox.name,
        _name(row.asked_by),
        row.asked_at,
        row.send_at,
        draft.is_confidential,
        row.state == State.RETURNED,
        _name(row.decided_by),
        row.reason,
    )


def _name(person: Person | None) -> str:
    return person.name if person is not None else ""
