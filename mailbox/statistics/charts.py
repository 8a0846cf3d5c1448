"""Bar charts as SVG. The page has the figures in a table, too."""

from dataclasses import dataclass
from typing import Final

from .figures import Period

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
    """A text at a position."""

    x: float
    y: float
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart as a template draws it, in the units of its SVG."""

    width: int
    height: int
    bars: list[Bar]
    below: list[Label]
    beside: list[Label]
    base: float


def chart_of(periods: list[Period]) -> Chart:
    """A chart with two bars for each period: messages received and messages sent."""
    top = _rounded_up(max((max(period.arrived, period.sent) for period in periods), default=0))
    room, base = WIDTH - _LEFT - _RIGHT, HEIGHT - _BOTTOM
    each = room / max(1, len(periods))
    scale = (base - _TOP) / top
    bars, below = [], []
    every = -(-len(periods) // _MOST_LABELS) if periods else 1
    for number, period in enumerate(periods):
        x = _LEFT + number * each
        for offset, count, kind in ((0.1, period.arrived, "in"), (0.5, period.sent, "out")):
            height = count * scale
            left, above = round(x + offset * each, 2), round(base - height, 2)
            bars.append(Bar(left, above, round(0.4 * each, 2), round(height, 2), kind))
        if number % every == 0:
            below.append(
                Label(round(x + each / 2, 2), HEIGHT - 8, f"{period.begins.day}/{period.begins.month}")
            )
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
