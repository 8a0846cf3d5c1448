"""When which fault happens to which node: a pure function of the seed."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

_LONGEST_SECONDS = 6.0


@dataclass(frozen=True, slots=True, order=True)
class PlannedFault:
    """A fault of a node: seconds after the beginning, and for how many seconds it lasts."""

    at: float
    node: int
    fault: str
    lasts: float


def schedule(
    seed: int, kinds: Sequence[str], *, count: int, seconds: float, nodes: int = 2
) -> tuple[PlannedFault, ...]:
    """So many faults within so many seconds, in order of time.

    Each node has one at a time. Kinds are drawn like cards: none comes again before all have come. The same
    arguments always give the same schedule.
    """
    draw = random.Random(f"{seed}")
    drawn = _drawn(draw, kinds, count)
    planned = []
    for node in range(nodes):
        own = drawn[node::nodes]
        slot = seconds / max(1, len(own))
        for position, kind in enumerate(own):
            at = slot * (position + draw.uniform(0.0, 0.3))
            lasts = min(_LONGEST_SECONDS, slot * draw.uniform(0.1, 0.7))
            planned.append(PlannedFault(round(at, 3), node, kind, round(lasts, 3)))
    return tuple(sorted(planned))


def _drawn(draw: random.Random, kinds: Sequence[str], count: int) -> list[str]:
    drawn: list[str] = []
    while len(drawn) < count:
        cards = list(kinds)
        draw.shuffle(cards)
        drawn += cards
    return drawn[:count]
