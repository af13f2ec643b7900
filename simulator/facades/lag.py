"""Reads that are a little late: how a venue looks whose lists are written after its matching."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from simulator.exchange import Exchange


@dataclass(frozen=True, slots=True)
class Lag:
    """`seconds`: how long after the acknowledgement an order, its fills and its effect on positions stay unseen."""

    exchange: Exchange
    seconds: float = 0.0

    @contextmanager
    def positions(self) -> Iterator[None]:
        """Inside, positions are read as they were then, or longer ago where a fault asks for more."""
        present = self.exchange.state.conditions
        stale_s = max(present.stale_positions_s, self.seconds)
        with self.exchange.under(replace(present, stale_positions_s=stale_s)):
            yield

    def until(self) -> float | None:
        """Orders and fills from this true instant on are not yet visible; None: all are."""
        return self.exchange.clock.time() - self.seconds if self.seconds else None
