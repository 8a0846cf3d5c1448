"""Bar charts as SVG, made by the server: they show a shape, the figures stand in a table."""

from dataclasses import dataclass
from typing import Final

from .figures import Step

WIDTH: Final = 720
HEIGHT: Final = 240
_LEFT: Final = 44
_RIGHT: Final = 8
_TOP: Final = 12
_BOTTOM: Final = 28
_MOST_LABELS: Final = 12


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar, in the chart's units; `kind` is its class."""

    x: float
    y: float
    width: float
    height: float
    kind: str


@dataclass(frozen=True, slots=True)
class Label:
    """A text at a place."""

    x: float
    y: float
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """What a template draws."""

    width: int
    height: int
    bars: list[Bar]
    below: list[Label]
    beside: list[Label]
    base: float


def chart_of(steps: list[Step]) -> Chart:
    """Pairs of bars, what arrived and what was sent, a pair a step."""
    top = _rounded_up(max((max(step.arrived, step.sent) for step in steps), default=0))
    room, base = WIDTH - _LEFT - _RIGHT, HEIGHT - _BOTTOM
    each = room / max(1, len(steps))
    scale = (base - _TOP) / top
    bars, below = [], []
    every = -(-len(steps) // _MOST_LABELS) if steps else 1
    for number, step in enumerate(steps):
        x = _LEFT + number * each
        for offset, count, kind in ((0.1, step.arrived, "in"), (0.5, step.sent, "out")):
            height = count * scale
            left, above = round(x + offset * each, 2), round(base - height, 2)
            bars.append(Bar(left, above, round(0.4 * each, 2), round(height, 2), kind))
        if number % every == 0:
            below.append(Label(round(x + each / 2, 2), HEIGHT - 8, f"{step.begins.day}/{step.begins.month}"))
    beside = [
        Label(_LEFT - 6, round(base - top * part * scale + 4, 2), f"{top * part:g}") for part in (0, 0.5, 1)
    ]
    return Chart(WIDTH, HEIGHT, bars, below, beside, base)


def _rounded_up(count: int) -> int:
    """The next of 2, 4, 10, 20, 40, 100 ...: an axis that halves into whole numbers."""
    size = 1
    while True:
        for leading in (2, 4, 10):
            if leading * size >= count:
                return leading * size
        size *= 10
