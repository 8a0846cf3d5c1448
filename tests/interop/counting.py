"""How many messages a run exchanged with phase4, told at its end: a pytest plugin.

With xdist the workers count and the process that steers them tells.
"""

from dataclasses import asdict, dataclass
from typing import Any

import pytest

_NAME = "phase4_exchanged"


@dataclass
class Exchanged:
    """How many messages went which way."""

    to_phase4: int = 0
    from_phase4: int = 0
    refused_by_phase4: int = 0
    refused_by_us: int = 0

    def add(self, others: dict[str, int]) -> None:
        for name, count in others.items():
            setattr(self, name, getattr(self, name) + count)


_KEY = pytest.StashKey[Exchanged]()


def exchanged(config: pytest.Config) -> Exchanged:
    """This process's count."""
    return config.stash.setdefault(_KEY, Exchanged())


def pytest_sessionfinish(session: pytest.Session) -> None:
    told = getattr(session.config, "workeroutput", None)
    if told is not None:
        told[_NAME] = asdict(exchanged(session.config))


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    exchanged(node.config).add(getattr(node, "workeroutput", {}).get(_NAME, {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    told = exchanged(config)
    if any(asdict(told).values()):
        terminalreporter.section("messages exchanged with phase4")
        terminalreporter.line(
            f"from phase4 to us: {told.from_phase4} taken, {told.refused_by_us} refused; "
            f"from us to phase4: {told.to_phase4} taken, {told.refused_by_phase4} refused"
        )
