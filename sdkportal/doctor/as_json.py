"""Results as values of JSON: what the command prints with --json, and what is stored for the page."""

from collections.abc import Iterable
from typing import Any

from django.utils.translation import override

from .examination import Result, level_of
from .findings import Level
from .texts import ADVICE, NAMES


def report(results: Iterable[Result]) -> dict[str, Any]:
    """All results with their level; texts in English."""
    found = list(results)
    with override("en"):
        return {"level": level_of(found).name.lower(), "checks": [_result(result) for result in found]}


def _result(result: Result) -> dict[str, Any]:
    return {
        "name": result.name,
        "title": str(NAMES[result.name]),
        "level": result.level.name.lower(),
        "seconds": round(result.seconds, 2),
        "findings": [
            {
                "level": finding.level.name.lower(),
                "code": finding.code,
                "detail": finding.detail,
                "participant": finding.participant,
                "advice": str(ADVICE[finding.code]) if finding.level is not Level.OK else "",
            }
            for finding in result.findings
        ],
    }
