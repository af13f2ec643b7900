"""PURE: what a list of measurements amounts to."""

from __future__ import annotations

from collections.abc import Sequence


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` (0 to 1) of the values do not exceed. Raises ValueError for none."""
    if not values:
        raise ValueError("there is nothing to take a quantile of")
    ordered = sorted(values)
    rank = -(-len(ordered) * share // 1)  # rounded up
    return ordered[max(int(rank), 1) - 1]


def milliseconds(values_s: Sequence[float]) -> dict[str, float]:
    """`{"p50", "p99"}` of durations in seconds, as milliseconds."""
    return {name: round(1000 * quantile(values_s, share), 2) for name, share in (("p50", 0.5), ("p99", 0.99))}
