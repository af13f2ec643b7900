"""What a venue says of one account, asked once: everything a first trade would stumble over. Changes nothing there."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from account_processors import load
from account_processors.shared import VenueShared
from config.credential_entries import AccountCredentials
from core.clock import SystemClock, SystemEntropy
from core.domain import (
    AccountSettings,
    Equity,
    Instrument,
    Leverage,
    MarginMode,
    MarginModeScope,
    Position,
    Positions,
    Preflight,
    Price,
    Problem,
    Scope,
    Symbol,
    floor_to,
    plain,
)
from core.errors import ConfigError, Denied, VenueError
from core.execution.preflight import margin_verdict
from core.ports import AccountProcessor, Transport

MINIMUM_ROOM = Decimal("1.05")
"""Above the venue's smallest notional, so that a price that moves meanwhile does not undercut it."""


@dataclass(frozen=True, slots=True)
class SymbolFound:
    """One configured symbol as the venue has it. `instrument` None: the venue does not list it."""

    symbol: Symbol
    instrument: Instrument | None
    price: Price | None
    leverage: Leverage | None
    position: Position

    @property
    def smallest(self) -> Decimal | None:
        """The smallest opening order, contracts; None where it cannot be known."""
        if self.instrument is None or self.price is None:
            return None
        needed = self.instrument.min_notional * MINIMUM_ROOM / self.price.mark / self.instrument.contract_size
        needed = max(self.instrument.min_contracts, needed)
        lots = floor_to(needed, self.instrument.lot)
        return lots if lots >= needed else lots + self.instrument.lot

    @property
    def smallest_notional(self) -> Decimal | None:
        """What that is worth, settlement currency."""
        if self.smallest is None or self.instrument is None or self.price is None:
            return None
        return self.instrument.notional(self.smallest, self.price.mark)


@dataclass(frozen=True, slots=True)
class Found:
    """Everything one look gave. What could not be read is None, and stands among the problems."""

    problems: tuple[Problem, ...]
    preflight: Preflight | None = None
    equity: Equity | None = None
    instruments: int | None = None
    positions: Positions | None = None
    open_orders: int | None = None
    symbols: tuple[SymbolFound, ...] = ()

    @property
    def ready(self) -> bool:
        return not self.problems

    def as_json(self) -> dict[str, Any]:
        flight, equity = self.preflight, self.equity
        return {
            "ready": self.ready,
            "problems": [{"scope": p.scope.value, "code": p.code, "because": p.because} for p in self.problems],
            "equity": {"value": plain(equity.value), "currency": equity.currency} if equity else None,
            "position_mode": flight.position_mode.value if flight and flight.position_mode else None,
            "margin_mode": flight.margin_mode.value if flight and flight.margin_mode else None,
            "clock_offset_ms": round(flight.clock_offset_s * 1000) if flight else None,
            "instruments": self.instruments,
            "positions": {s: plain(p.contracts) for s, p in open_positions(self).items()},
            "open_orders": self.open_orders,
            "symbols": {found.symbol: _symbol_json(found) for found in self.symbols},
        }


def open_positions(found: Found) -> Mapping[Symbol, Position]:
    held = found.positions.by_symbol if found.positions else {}
    return {symbol: position for symbol, position in sorted(held.items()) if position.contracts}


def _symbol_json(found: SymbolFound) -> dict[str, Any]:
    leverage = found.leverage
    return {
        "listed": found.instrument is not None,
        "price": plain(found.price.mark) if found.price else None,
        "smallest_contracts": _plain(found.smallest),
        "smallest_notional": _plain(found.smallest_notional),
        "leverage": _plain(leverage.leverage) if leverage else None,
        "margin_mode": leverage.margin_mode.value if leverage and leverage.margin_mode else None,
        "position": plain(found.position.contracts),
    }


def _plain(value: Decimal | None) -> str | None:
    return None if value is None else plain(value)


async def look(
    one: AccountCredentials, settings: AccountSettings, symbols: tuple[Symbol, ...], transport: Transport
) -> Found:
    """Asks in the order in which answers make sense; what refuses becomes a problem and ends the look."""
    clock = SystemClock()
    shared = VenueShared(clock)
    place = (one.base_url, one.ws_url, shared, settings.policy.request_deadline_s)
    try:
        adapter = load(one.known.venue)(one.account, one.keys, transport, clock, SystemEntropy(), *place)
    except ConfigError as error:
        return Found((Problem(Scope.ALL, "credentials", str(error)),))
    try:
        return await _ask(adapter, settings, symbols)
    finally:
        await adapter.close()
        await shared.close()


async def _ask(adapter: AccountProcessor, settings: AccountSettings, symbols: tuple[Symbol, ...]) -> Found:
    try:
        flight = await adapter.preflight()
    except VenueError as error:
        return Found((_problem(error),))
    found = Found(flight.problems, flight)
    try:
        listed = await adapter.instruments()
        positions, equity = await adapter.positions(), await adapter.equity()
        orders = await adapter.open_orders()
        known = tuple(symbol for symbol in symbols if symbol in listed)
        prices = await adapter.prices(known)
        leverages = dict(zip(known, await asyncio.gather(*map(adapter.leverage, known)), strict=True))  # one batch read
    except VenueError as error:
        said = dict.fromkeys((*found.problems, _problem(error)))  # a read may refuse with what the preflight said
        return Found(tuple(said), flight)
    rows = tuple(
        SymbolFound(s, listed.get(s), prices.get(s), leverages.get(s), positions.of(s)) for s in sorted(symbols)
    )
    anything_open = bool(orders) or any(p.contracts for p in positions.by_symbol.values())
    margin = (*_margin(flight, settings, anything_open), *_margin_of_positions(adapter, settings, rows))
    problems = (*found.problems, *margin, *_equity(equity))
    return Found(problems, flight, equity, len(listed), positions, len(orders), rows)


def _problem(error: VenueError) -> Problem:
    if isinstance(error, Denied):
        return Problem(Scope.ALL, error.code, str(error))
    return Problem(Scope.ALL, error.code, f"the venue cannot be asked now: {error}. Try again in a minute")


def _margin(flight: Preflight, settings: AccountSettings, anything_open: bool) -> tuple[Problem, ...]:
    _, hold = margin_verdict(flight, settings.policy.margin_mode, anything_open)
    return (Problem(hold.scope, "margin_mode", hold.because),) if hold else ()


def _margin_of_positions(
    adapter: AccountProcessor, settings: AccountSettings, rows: tuple[SymbolFound, ...]
) -> Iterator[Problem]:
    """Where each symbol has a margin mode: an open position keeps its own, and does not grow in another one."""
    if adapter.capabilities.margin_mode_scope is MarginModeScope.ACCOUNT:
        return
    wanted = settings.policy.margin_mode
    for row in rows:
        mode = _mode(row)
        if row.position.contracts and mode is not None and mode is not wanted:
            because = (
                f"the open position of {row.symbol} is in {mode.value} margin, configured is {wanted.value}; it "
                "changes only while flat. Close the position, or set margin_mode in engine_config.json"
            )
            yield Problem(Scope.INCREASES, "margin_mode", because)


def _mode(row: SymbolFound) -> MarginMode | None:
    return row.position.margin_mode or (row.leverage.margin_mode if row.leverage else None)


def _equity(equity: Equity) -> tuple[Problem, ...]:
    if equity.value > 0:
        return ()
    because = f"the account holds {plain(equity.value)} {equity.currency}: nothing can be sized. Transfer some to it"
    return (Problem(Scope.INCREASES, "equity", because),)
