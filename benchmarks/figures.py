"""Figures of many measurements."""

from collections.abc import Sequence


def percentile(values: Sequence[float], of_a_hundred: int) -> float:
    """The value that so many of a hundred do not exceed, of values in order; 0 where there is none."""
    if not values:
        return 0.0
    return values[min(len(values) - 1, len(values) * of_a_hundred // 100)]
