"""Runs the federation's test cases against an access point and writes the protocol."""

import sys
from argparse import ArgumentParser
from functools import partial
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from testbed.federation import Federation
from testbed.platform import protocol
from testbed.platform.bench import Bench, Supplier, Target
from testbed.platform.cases import CASES
from testbed.platform.supplier import AskingSupplier, CommandSupplier, output_of
from transport.protocol.identifiers import ParticipantId, ParticipantIdInvalid


class Command(BaseCommand):
    help = (
        "Runs the test cases of C2.1.4.4.2 against the access point of a participant in a test federation "
        "that is running, and writes the filled-in protocol as HTML and JSON. Ends with 0 "
        "when all passed, else 1."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "participant", help="the participant whose access point is tested, such as 0203:habo.se"
        )
        parser.add_argument("function", help="an open function address of that participant")
        parser.add_argument(
            "--federation",
            type=Path,
            required=True,
            metavar="DIR",
            help="the directory of the test federation",
        )
        parser.add_argument("--supplier", default="", help="the supplier's name in the protocol")
        parser.add_argument(
            "--send",
            metavar="COMMAND",
            help="sends a message to the participant and function address that are its last arguments, "
            "and prints `delivered` or an error code as its last line; without it, you are asked to send",
        )
        parser.add_argument(
            "--log", metavar="COMMAND", help="prints the event log of the access point under test"
        )
        parser.add_argument("--only", nargs="+", metavar="NUMBER", choices=[case.number for case in CASES])
        parser.add_argument("--output", type=Path, default=Path("testprotokoll"), metavar="DIR")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            target = Target(ParticipantId.parse(options["participant"]), options["function"])
        except ParticipantIdInvalid:
            raise CommandError(f"{options['participant']} is no participant: write 0203:habo.se") from None
        if not (options["federation"] / "register.json").exists():
            raise CommandError(f"no test federation in {options['federation']}: start one with `make demo`")
        federation = Federation(options["federation"])
        federation.prepare()
        supplier: Supplier = CommandSupplier(options["send"]) if options["send"] else AskingSupplier()
        cases = [case for case in CASES if not options["only"] or case.number in options["only"]]
        log = partial(output_of, options["log"]) if options["log"] else None
        with Bench(federation, target, supplier, log=log) as bench:
            name = options["supplier"] or target.participant.value
            filled_in = protocol.run(bench, cases, name, self._report)
        for path in protocol.write(filled_in, options["output"]):
            self.stdout.write(f"wrote {path}")
        sys.exit(0 if filled_in.is_passed else 1)

    def _report(self, outcome: protocol.Outcome) -> None:
        self.stdout.write(f"{outcome.number}: {outcome.verdict}: {outcome.observed}")
