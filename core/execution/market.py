"""What one symbol knows of its market in a cycle: price (believed or not), instrument, leverage, limits."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

from core.domain import (
    ZERO,
    AccountSettings,
    Equity,
    Hold,
    Instrument,
    Leverage,
    LeverageScope,
    MarginModeScope,
    Market,
    Price,
    Settings,
    Symbol,
    SymbolWeights,
)
from core.errors import Unavailable
from core.execution.account import Account
from core.execution.reads import CycleFacts, known
from core.limits import (
    MAX_EQUITY_AGE_S,
    MAX_PRICE_AGE_S,
    Exposure,
    asked_by_files,
    changed_instrument,
    equity_hold,
    exposure_holds,
    implausible,
    leverage_hold,
)
from core.memory import AccountMemory, SymbolMemory
from core.sizing import Facts
from core.targets import configured_leverage

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class MarketView:
    """`seen_at`: when it was asked for, epoch seconds; `price` None: Unknown or not believed (`because` says why);
    `changed`: why only full closes may go."""

    seen_at: float
    instrument: Instrument | None
    price: Price | None
    equity: Equity | None
    because: str
    changed: str | None

    def facts(self) -> Facts:
        """What sizing may use."""
        return Facts(self.equity, self.price, None if self.changed else self.instrument, self.changed or self.because)

    def market(self, account: Account, symbol: Symbol) -> Market:
        """What planning may use."""
        last = account.view(symbol).price
        return Market(
            instrument=self.instrument,
            capabilities=account.processor.capabilities,
            price=self.price,
            stale_price=last.mark if last else None,
            because=self.because,
        )


async def look(account: Account, facts: CycleFacts, memory: SymbolMemory) -> MarketView:
    """Price, instrument and equity at once, each Known or Unknown with its reason. Raises `Denied`."""
    symbol = memory.symbol
    now = account.clock.time()
    (price, no_price), (instrument, no_instrument), (equity, no_equity) = await _gather(
        known(lambda: facts.price(symbol, now - MAX_PRICE_AGE_S / 2)),
        known(lambda: facts.instrument(symbol)),
        known(lambda: facts.equity(now - MAX_EQUITY_AGE_S)),
    )
    reasons = [no_price, no_instrument, no_equity]
    if equity is not None:
        account.equity = equity
    if instrument is not None:
        account.listed = await facts.instruments()
    if price is not None:
        account.view(symbol).price = price
        doubt = implausible(price, memory.mark, memory.mark_at, account.clock.time())
        if doubt:
            reasons.append(doubt)
            price = None
    elif not no_price:
        reasons.append(f"the venue gives no price for {symbol}")
    if instrument is None and not no_instrument:
        reasons.append(f"the venue does not list {symbol}")
    changed = changed_instrument(memory.fingerprint, instrument) if instrument else None
    return MarketView(now, instrument, price, equity, "; ".join(r for r in reasons if r), changed)


A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")


async def _gather(a: Awaitable[A], b: Awaitable[B], c: Awaitable[C]) -> tuple[A, B, C]:
    return await asyncio.gather(a, b, c)


async def leverage_of(account: Account, symbol: Symbol) -> Leverage | None:
    """Leverage and margin mode the venue holds for the symbol: lately read, or read now, with all positions where one
    should be open, because one read then tells of every symbol. None: Unknown, or the venue holds neither for a symbol,
    because every order brings its own. Raises `Denied`."""
    found = account.leverage_known(symbol)
    can = account.processor.capabilities
    with_orders = can.leverage is LeverageScope.PER_ORDER and can.margin_mode_scope is not MarginModeScope.SYMBOL
    if found is not None or with_orders:
        return found
    try:
        found = await _with_position(account, symbol) or await account.processor.leverage(symbol)
    except Unavailable as error:
        account.trouble(symbol, f"the leverage could not be read ({error}); nothing increases until it is")
        return None
    account.details[symbol] = (found, account.clock.time())
    return found


async def _with_position(account: Account, symbol: Symbol) -> Leverage | None:
    """What a read of all positions tells of an open one; None: none is open, or the venue does not tell it there."""
    if not account.memory.of(symbol).baseline:
        return None
    position = (await account.positions.under_way()).of(symbol)
    if not position.contracts or position.leverage is None:
        return None
    return Leverage(symbol, position.leverage, position.margin_mode)


def limit_holds(
    account: Account,
    memory: SymbolMemory,
    view: MarketView,
    settings: Settings,
    mine: AccountSettings,
    position: Decimal,
) -> tuple[Hold, ...]:
    """The notional, count and rate limits on increasing this symbol to its stored contracts."""
    sized = memory.sized
    if sized is None or view.instrument is None or view.price is None or abs(sized.contracts) <= abs(position):
        return ()
    growth = abs(sized.contracts) - (abs(position) if sized.contracts * position > 0 else ZERO)
    open_now = account.latest.by_symbol.values() if account.latest else ()
    exposure = Exposure(
        increase_notional=view.instrument.notional(growth, view.price.mark),
        gross_notional=_gross(account, view.instrument, view.price, position, memory.symbol),
        open_positions=sum(1 for p in open_now if p.contracts),
        opens_new=position == 0,
        increase_orders_last_minute=account.memory.watch.sent_last_minute(account.clock.time()),
    )
    asked, everything = asked_x(account.memory, settings, mine, memory.symbol)
    worth = view.equity or account.equity
    holds = exposure_holds(exposure, mine.policy, asked, everything, worth)
    more = (leverage_hold(sized.leverage, mine.policy), equity_hold(worth, account.clock.time()))
    return (*holds, *(hold for hold in more if hold is not None))


def asked_x(
    remembered: AccountMemory, settings: Settings, mine: AccountSettings, symbol: Symbol
) -> tuple[Decimal, Decimal]:
    """The most the files can ask of one symbol, and of all of them, as multiples of equity."""

    def asked(entry: SymbolWeights | None) -> Decimal:
        if entry is None:
            return ZERO
        top = configured_leverage(entry, mine)
        own = remembered.of(entry.symbol).sized
        return asked_by_files(entry, mine.scale, max(top, own.leverage if own else top))

    everything = sum((asked(entry) for entry in settings.weights.values()), ZERO)
    return asked(settings.weights.get(symbol)), everything


def _gross(account: Account, instrument: Instrument, price: Price, position: Decimal, symbol: Symbol) -> Decimal:
    """Unsigned notional of every position held, each at its last known price (or its entry price)."""
    total = instrument.notional(position, price.mark)
    open_now = account.latest.by_symbol if account.latest else {}
    for other, held in open_now.items():
        known_price = account.view(other).price
        listed = account.listed.get(other)
        at = known_price.mark if known_price else held.entry_price
        if other != symbol and listed is not None and at is not None:
            total += listed.notional(held.contracts, at)
    return total
