"""The protocol that a supplier hands in: each test case, what was expected and what was observed."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, select_autoescape

from .bench import Bench
from .cases import Case, Failed

_TEMPLATES = Path(__file__).resolve().parent.parent / "templates"
PASSED, FAILED, BROKEN = "Godkänt", "Underkänt", "Gick inte att genomföra"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one case. Times are ISO 8601 in UTC."""

    number: str
    title: str
    expected: str
    verdict: str
    observed: str
    begun_at: str
    seconds: float


@dataclass(frozen=True, slots=True)
class TestProtocol:
    """A filled-in protocol."""

    __test__ = False

    supplier: str
    participant: str
    function_address: str
    begun_at: str
    outcomes: tuple[Outcome, ...]

    @property
    def is_passed(self) -> bool:
        return all(outcome.verdict == PASSED for outcome in self.outcomes)


def run(
    bench: Bench, cases: Sequence[Case], supplier: str, report: Callable[[Outcome], None]
) -> TestProtocol:
    """Run the cases one after the other; `report` is called with each outcome."""
    begun = _now()
    outcomes = []
    for case in cases:
        outcomes.append(_outcome(bench, case))
        report(outcomes[-1])
    target = bench.target
    return TestProtocol(supplier, target.participant.value, target.function, begun, tuple(outcomes))


def write(protocol: TestProtocol, directory: Path) -> tuple[Path, Path]:
    """Write the protocol as JSON and HTML; returns the paths of the two files."""
    directory.mkdir(parents=True, exist_ok=True)
    as_json, as_html = directory / "testprotokoll.json", directory / "testprotokoll.html"
    content = {**asdict(protocol), "is_passed": protocol.is_passed}
    as_json.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=select_autoescape(), trim_blocks=True
    )
    page = environment.get_template("protocol.html").render(protocol=protocol, passed=PASSED)
    as_html.write_text(page, encoding="utf-8")
    return as_json, as_html


def _outcome(bench: Bench, case: Case) -> Outcome:
    begun = datetime.now(UTC)
    try:
        verdict, observed = PASSED, case.run(bench)
    except Failed as failed:
        verdict, observed = FAILED, str(failed)
    except Exception as error:  # noqa: BLE001 - it is written into the protocol, and the next case is run
        verdict, observed = BROKEN, f"{type(error).__name__}: {error}"
    seconds = round((datetime.now(UTC) - begun).total_seconds(), 1)
    return Outcome(
        case.number,
        case.title,
        case.expected,
        verdict,
        observed,
        begun.isoformat(timespec="seconds"),
        seconds,
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
