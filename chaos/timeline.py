"""What happened in a seed, in words, second by second: the story a breach is told with."""

from __future__ import annotations

from dataclasses import fields

from core.domain import plain
from core.events import CycleDone, EquityRead, Event, OrderSent, StepDone
from core.ports import Clock
from simulator.model import ExchangeEvent

QUIET = (CycleDone, EquityRead)


class Timeline:
    """Lines in the order in which things happened; seconds since the seed began, in the world's time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began_s = clock.monotonic()
        self.lines: list[str] = []

    def tell(self, who: str, what: str) -> None:
        self.lines.append(f"{self._clock.monotonic() - self._began_s:9.3f}  {who:<18} {what}")

    def engine(self, event: Event) -> None:
        """A fact of the engine's, for the reader; no check stands on it."""
        if isinstance(event, QUIET):
            return
        words = [type(event).__name__]
        for each in fields(event):
            value = getattr(event, each.name)
            if each.name in ("at", "account") or value is None:
                continue
            if isinstance(event, OrderSent | StepDone) and each.name in ("order", "step"):
                value = " ".join(f"{f.name}={getattr(value, f.name)}" for f in fields(value) if f.name != "symbol")
            words.append(f"{each.name}={value}")
        self.tell(event.account, " ".join(words))

    def venue(self, venue: str, event: ExchangeEvent) -> None:
        """What a venue booked."""
        who = f"[{venue}-{event.account}]"
        if event.fill is not None:
            fill = event.fill
            whose = fill.client_id or fill.kind.value
            sign = "+" if fill.side.sign > 0 else "-"
            after, size = plain(fill.quantity_after), plain(fill.quantity)
            self.tell(who, f"FILL {fill.symbol} {sign}{size} at {plain(fill.price)} -> {after} ({whose})")
        elif event.order is not None and event.order.filled == 0:
            order = event.order
            only = " reduce-only" if order.reduce_only else ""
            size = plain(order.contracts * order.contract_size)
            self.tell(
                who, f"order {order.symbol} {order.side.value} {size}{only} {order.state.value} {order.client_id}"
            )
