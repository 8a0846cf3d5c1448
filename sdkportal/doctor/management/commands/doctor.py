"""Check everything that a node needs, and tell what to do."""

import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils.translation import override

from sdkportal.doctor.as_json import report
from sdkportal.doctor.checks import CHECKS
from sdkportal.doctor.examination import AT_ONCE, Result, examine, level_of
from sdkportal.doctor.findings import Finding, Level
from sdkportal.doctor.texts import ADVICE

_WORDS = {Level.OK: "ok", Level.WARNING: "warning", Level.FAILURE: "FAILED"}


class Command(BaseCommand):
    help = (
        "Checks everything that a node needs before it is started and while it runs: a line for each thing, "
        "with what to do where it is not well. Ends with 0 if all is well, 1 with warnings, 2 with failures."
    )
    # They are one of the checks: what is wrong with the settings does not keep the others from running.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="the same as JSON")
        parser.add_argument(
            "--only",
            nargs="+",
            metavar="CHECK",
            choices=[check.name for check in CHECKS],
            help="these checks alone",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        chosen = [check for check in CHECKS if not options["only"] or check.name in options["only"]]
        results = examine(chosen, at_once=2 * AT_ONCE)
        if options["json"]:
            self.stdout.write(json.dumps(report(results), ensure_ascii=False, indent=1))
        else:
            with override("en"):
                for result in results:
                    for finding in result.findings:
                        self.stdout.write(_line(result, finding))
        self.stdout.flush()
        sys.exit(int(level_of(results)))


def _line(result: Result, finding: Finding) -> str:
    advice = f". {ADVICE[finding.code]}" if finding.level is not Level.OK else ""
    return f"{_WORDS[finding.level]:<9}{result.name:<18}{finding.detail}{advice}"
