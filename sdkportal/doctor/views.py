"""The page for administrators: the latest examination of the node, and a button that orders another."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_POST, require_safe

from mailbox import access
from mailbox.administration.views.guards import administrator_required
from mailbox.administration.views.layout import page
from mailbox.requests import PersonRequest

from . import background
from .findings import Level
from .models import Examination
from .texts import ADVICE, NAMES

_LEVELS: Final = {level.name.lower(): level for level in Level}
_WORDS: Final = {Level.OK: lazy("Fungerar"), Level.WARNING: lazy("Varning"), Level.FAILURE: lazy("Fel")}


@dataclass(frozen=True, slots=True)
class FindingRow:
    """A finding: what was checked, how it went, what was measured and what to do."""

    name: str | Promise
    level: str
    word: Promise
    detail: str
    advice: str | Promise


@administrator_required
@require_safe
def overview(request: PersonRequest) -> HttpResponse:
    """The findings of the latest examination that is done, and whether one is running."""
    latest = Examination.objects.first()
    done = Examination.objects.exclude(finished_at=None).first()
    rows = _rows(done, set(access.administered_by(request.user))) if done else []
    context = {
        "latest": latest,
        "done": done,
        "wrong": [row for row in rows if row.level != "ok"],
        "well": [row for row in rows if row.level == "ok"],
    }
    return page(request, "administration/doctor.html", context)


@administrator_required
@require_POST
def begin(request: PersonRequest) -> HttpResponse:
    """Start an examination, which goes on after the answer."""
    background.begin()
    return redirect("administration-doctor")


def _rows(done: Examination, administered: set[str]) -> list[FindingRow]:
    """The findings on the node and on the viewer's own organisations, the most serious first."""
    found = [
        (_LEVELS.get(finding["level"], Level.FAILURE), check["name"], finding)
        for check in done.results
        for finding in _of_interest(check["findings"], administered)
    ]
    found.sort(key=lambda item: -item[0])
    return [
        FindingRow(
            NAMES.get(name, name), level.name.lower(), _WORDS[level], finding["detail"], _advice(finding)
        )
        for level, name, finding in found
    ]


def _of_interest(findings: Iterable[dict[str, Any]], administered: set[str]) -> list[dict[str, Any]]:
    return [
        finding
        for finding in findings
        if not finding["participant"] or finding["participant"] in administered
    ]


def _advice(finding: dict[str, Any]) -> str | Promise:
    return ADVICE.get(finding["code"], "")
