"""How many messages a run exchanged with other access points, told at its end: a pytest plugin.

With xdist the workers count and the process that steers them tells.
"""

from dataclasses import asdict, dataclass
from typing import Any

import pytest

_NAME = "messages_exchanged"


@dataclass
class Exchanged:
    """How many messages went which way between a peer ("there") and us ("here")."""

    taken_there: int = 0
    taken_here: int = 0
    refused_there: int = 0
    refused_here: int = 0

    def add(self, others: dict[str, int]) -> None:
        for name, count in others.items():
            setattr(self, name, getattr(self, name) + count)


_KEY = pytest.StashKey[dict[str, Exchanged]]()


def _counts(config: pytest.Config) -> dict[str, Exchanged]:
    return config.stash.setdefault(_KEY, {})


def exchanged(config: pytest.Config, peer: str) -> Exchanged:
    """This process's count with a peer."""
    return _counts(config).setdefault(peer, Exchanged())


def pytest_sessionfinish(session: pytest.Session) -> None:
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[_NAME] = {peer: asdict(count) for peer, count in _counts(session.config).items()}


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    for peer, count in getattr(node, "workeroutput", {}).get(_NAME, {}).items():
        exchanged(node.config, peer).add(count)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    counts = {peer: count for peer, count in sorted(_counts(config).items()) if any(asdict(count).values())}
    if not counts:
        return
    terminalreporter.section("messages exchanged with other access points")
    for peer, count in counts.items():
        terminalreporter.line(
            f"from {peer} to us: {count.taken_here} taken, {count.refused_here} refused; "
            f"from us to {peer}: {count.taken_there} taken, {count.refused_there} refused"
        )
