"""The oracle. It reads the venues' ledgers, the wire and the disk; never the engine's memory, journal or events.

What it knows of intentions comes from whoever wrote the files (`chaos.asked`): for each account and symbol and moment
the exposures D x L that a correct engine could hold. Exposure x equity / mark, over every equity and mark the account
has seen, bounds the contracts; `rebalance_band` may keep a size of 1 % more, and one lot is allowed for rounding.
`Δ` is how old the newest version of the files may be for a running engine: it looks every second.

    rule                what is a breach
    above target        an opening fill of ours ends beyond the largest size that could be asked for within Δ before
                        that order was sent, on that side. Positions imposed by others (manual, liquidation, ADL) are
                        not ours; for 45 s after one only the order by itself is held against the bound
    wrong side          an order of ours that is not reduce-only meets a position of the other side (flips close
                        first), or a reduce-only one carries it through zero
    doubled             one client id leaves the machine twice, or stands twice in a ledger
    not journaled       an order leaves while its id is not yet durable on the disk, or carries no id of ours
    not alone           an order leaves a process that does not hold the account's lock
    halted              an opening order leaves while HALT exists; or Δ after the account became close_only or disabled
    deaf                an opening order leaves although for longer than Δ no weighted source could be read
    over limit          a venue counts a request over its published limits; but for the minute after a restart, in
                        which nobody remembers what the process before has asked
    not converged       the ledger is not at what is asked, in time, once faults have stopped; or does not stay there
    not idle            an order while nothing is asked and nothing is wrong
    fault of ours       the engine met an exception it has no name for

Expected at the end is exactly what is asked: floor(equity x D x L / mark) to the lot, 0 where that is below the venue's
minimum. A difference too small for the venue to trade (DUST), or within the band, is none; nor is a rest that a venue
refuses to close for what it is worth. After faults stop and before anything new is asked, symbols with a standing cause
(drift, closed, lost journal …) are left out; once all sources have spoken anew, none is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from chaos.asked import Key, Span
from chaos.house import House, Sent
from chaos.parts import Seat
from chaos.samples import Samples
from core.domain import ZERO, Instrument, Symbol, same_sign
from simulator.ledger import account_ledger, positions

DELTA_S = 2.5
IMPOSED_S = 45.0
FORGOTTEN_S = 65.0
BAND = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Breach:
    rule: str
    what: str


class Checker:
    """Collects breaches of one seed; `finish` checks everything that can be checked at the end."""

    def __init__(self, house: House, samples: Samples) -> None:
        self._house = house
        self._samples = samples
        self.breaches: list[Breach] = []
        self.adopted: set[Key] = set()
        """Where positions found were made ours: sizes that others imposed there are allowed."""
        self._imposed: dict[Key, Decimal] = {}
        self.delivered_twice: set[str] = set()
        """Venues at which a request arrived twice, which they may count twice."""
        self.asked_at = 0.0
        """Since when what is asked has been asked, true epoch seconds; 0: at any time of the seed."""
        self.slowest = 0

    def breach(self, rule: str, what: str) -> None:
        self.breaches.append(Breach(rule, what))
        self._house.timeline.tell("BREACH", f"{rule}: {what}")

    # --- convergence --------------------------------------------------------------------------------------------------

    def reached(self, doubtful: Collection[Key]) -> list[str]:
        """What is not yet where it was asked to be, in words. Empty: everything is."""
        house, missing = self._house, []
        for seat in house.seats:
            exchange = house.exchange(seat.venue)
            held = positions(exchange, exchange.state.accounts[seat.name])
            for symbol in house.asked.weights:
                if (seat.account, symbol) in doubtful:
                    continue
                position = Decimal(held.get(symbol, "0"))
                text = self._missing(seat, symbol, house.asked.span(seat.account, symbol), position)
                if text:
                    missing.append(f"{seat.account} {symbol}: {text}")
        return missing

    def _missing(self, seat: Seat, symbol: Symbol, span: Span, position: Decimal) -> str:
        instrument = self._instrument(seat, symbol)
        least, most = self._samples.quantities(seat.account, symbol, abs(span.full), self.asked_at)
        mark = self._house.mark(symbol)
        smallest = max(instrument.quantity(instrument.min_contracts), instrument.min_notional / mark)
        lot = instrument.quantity(instrument.lot)
        if position == 0 and least < smallest * (1 + BAND) + lot:
            return ""
        if instrument.notional(position / instrument.contract_size, mark) < self._residue(seat, instrument):
            return ""
        rest = self._residue(seat, instrument) / mark
        right = same_sign(position, span.full) and abs(position) <= most / (1 - BAND) + rest
        if right and abs(position) >= least * (1 - BAND) - max(smallest, lot) - lot:
            return ""
        return f"holds {position}, asked {span.full} of equity is {least:.6f} to {most:.6f}"

    def _residue(self, seat: Seat, instrument: Instrument) -> Decimal:
        """What no order can trade away, in quote currency: where a venue's minimum is taken to hold for closes too."""
        return instrument.min_notional if seat.venue == "hyperliquid" else ZERO

    def _instrument(self, seat: Seat, symbol: Symbol) -> Instrument:
        return self._house.exchange(seat.venue).listing(symbol).instrument

    # --- at the end ---------------------------------------------------------------------------------------------------

    def finish(self) -> None:
        house = self._house
        for _, text in house.faults_of_ours:
            self.breach("fault of ours", text)
        self._wire()
        for seat in house.seats:
            books = account_ledger(house.exchange(seat.venue), seat.name)
            self._books(seat, books)
        for at, venue, count in house.over:
            fresh = any(0 <= at - booted <= FORGOTTEN_S for booted in house.booted[1:])
            if not fresh and venue not in self.delivered_twice:
                self.breach("over limit", f"{venue} counted {count} requests over its limits")

    def _wire(self) -> None:
        for sent in self._house.sent:
            if not sent.durable:
                self.breach("not journaled", f"{sent.account} sent {sent.client_id} before it was durable")
            if not sent.locked:
                self.breach("not alone", f"{sent.account} sent {sent.client_id} without holding the lock")
        for client_id, count in Counter(sent.client_id for sent in self._house.sent).items():
            if count > 1:
                self.breach("doubled", f"{client_id} left {count} times")

    def _books(self, seat: Seat, books: Mapping[str, Any]) -> None:
        orders = {row["order_id"]: row for row in books["orders"]}
        sent = {one.client_id: one for one in self._house.sent}
        for client_id, count in Counter(r["client_id"] for r in books["orders"] if r["status"] != "rejected").items():
            if count > 1:
                self.breach("doubled", f"{seat.account} has {client_id} {count} times")
        for row in orders.values():
            origin = sent.get(row["client_id"])
            if origin is None:
                self.breach("not journaled", f"{seat.account} has an order nobody sent: {row['client_id']}")
            elif not row["reduce_only"]:
                self._opening(seat, row, origin)
        before: dict[str, Decimal] = {}
        imposed: dict[str, float] = {}
        for fill in books["fills"]:
            symbol, after = fill["symbol"], Decimal(fill["position_after"])
            order = orders.get(fill["order_id"])
            if order is None or order["client_id"] is None:
                imposed[symbol] = fill["time"]
                key = (seat.account, Symbol(symbol))
                self._imposed[key] = max(self._imposed.get(key, ZERO), abs(after))
            else:
                origin = sent.get(order["client_id"])
                if origin is not None:
                    disturbed = imposed.get(symbol, float("-inf")) >= origin.at - IMPOSED_S
                    self._fill(seat, order, origin, before.get(symbol, ZERO), after, disturbed)
            before[symbol] = after

    def _opening(self, seat: Seat, row: Mapping[str, Any], origin: Sent) -> None:
        """Whether an order that was not reduce-only might leave at all."""
        name = f"{seat.account} {row['symbol']} {row['quantity']} ({origin.client_id})"
        moments = self._house.asked.during(origin.at - DELTA_S, origin.at)
        if origin.halted:
            self.breach("halted", f"{name} left while HALT stood")
        if all(seat.account in moment.closing for moment in moments):
            self.breach("halted", f"{name} left while the account may only close")
        if all(row["symbol"] in moment.deaf for moment in moments):
            self.breach("deaf", f"{name} left while no source could be read")

    def _fill(
        self, seat: Seat, order: Mapping[str, Any], origin: Sent, before: Decimal, after: Decimal, disturbed: bool
    ) -> None:
        name = f"{seat.account} {order['symbol']} {before} -> {after} by {order['quantity']} ({origin.client_id})"
        crosses = before != 0 and after != 0 and not same_sign(before, after)
        if order["reduce_only"]:
            if crosses:
                self.breach("wrong side", f"{name}: a reduce-only order went through zero")
            return
        if not disturbed and before != 0 and not same_sign(before, Decimal(order["quantity"])):
            self.breach("wrong side", f"{name}: an opening order met the other side")
        allowed = self._allowed(seat, Symbol(order["symbol"]), origin, Decimal(order["quantity"]))
        reached = abs(Decimal(order["quantity"])) if disturbed else abs(after)
        if reached > allowed:
            self.breach("above target", f"{name}: at most {allowed} could be asked for")

    def _allowed(self, seat: Seat, symbol: Symbol, origin: Sent, signed: Decimal) -> Decimal:
        key = (seat.account, symbol)
        spans = [m.spans[key] for m in self._house.asked.during(origin.at - DELTA_S, origin.at) if key in m.spans]
        exposure = max((span.high if signed > 0 else -span.low for span in spans), default=ZERO)
        instrument = self._instrument(seat, symbol)
        _, most = self._samples.quantities(seat.account, symbol, exposure, until=origin.at + 2.0)
        adopted = self._imposed.get(key, ZERO) if key in self.adopted else ZERO
        return max(most / (1 - BAND) + instrument.quantity(instrument.lot), adopted)
