"""Values of the domain for tests of the pure core, each with ordinary defaults, and a desk that drives them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

import hypothesis

from core.domain import (
    ZERO,
    AccountId,
    AccountSettings,
    Actual,
    Capabilities,
    Document,
    Equity,
    Hold,
    Instrument,
    LeverageScope,
    MarginMode,
    MarginModeScope,
    Market,
    PlaceOrder,
    Plan,
    Policy,
    Price,
    Reading,
    Scope,
    Settings,
    Signal,
    Sized,
    SourceName,
    SourceReading,
    SourceSettings,
    Symbol,
    SymbolState,
    SymbolWeights,
    Target,
    Wanted,
)
from core.memory import AccountMemory, SymbolMemory
from core.records import Record, sized_record
from core.sizing import Facts, Waiting, needs_size, size
from core.targets import Before, Moment, want

BTC = Symbol("BTCUSDT")
ETH = Symbol("ETHUSDT")
TV = SourceName("tradingview")
SN8 = SourceName("bittensor")
ACCOUNT = AccountId("bybit-main")
NOW = 1_800_000_000.0
ENTRY_MAX_AGE_S = 600.0

_MORE = os.environ.get("PROPERTY_EXAMPLES")
PROPERTY = hypothesis.settings(
    max_examples=int(_MORE or 150), derandomize=_MORE is None, deadline=None, database=None, print_blob=False
)
"""How properties are tried: the same examples every time, or as many new ones as PROPERTY_EXAMPLES asks."""

D = Decimal


def d(text: str | int | Decimal) -> Decimal:
    return Decimal(text)


# --- signals and settings ---------------------------------------------------------------------------------------------


def say(depth: str, at: float = NOW, leverage: str | None = None) -> Signal:
    return Signal(d(depth), at, None if leverage is None else d(leverage))


def heard(source: SourceName, signal: Signal | None = None, revision: int = 1) -> SourceReading:
    """A document that was read; without a signal it lacks the symbol."""
    said = {} if signal is None else {str(BTC): signal}
    return SourceReading(source, Reading.KNOWN, Document(source, revision, NOW, said))


def unknown(source: SourceName, because: str = "the heartbeat is 300 s old; restart it") -> SourceReading:
    return SourceReading(source, Reading.UNKNOWN, None, f"{source}: {because}")


def not_heard(source: SourceName) -> SourceReading:
    return SourceReading(source, Reading.NOT_HEARD)


Opinion = Signal | SourceReading


def reads(tradingview: Opinion | None = None, bittensor: Opinion | None = None) -> dict[SourceName, SourceReading]:
    """How both sources read; one left out was never heard."""
    given = {TV: tradingview, SN8: bittensor}
    return {s: _reading(s, opinion) for s, opinion in given.items() if opinion is not None}


def _reading(source: SourceName, opinion: Opinion) -> SourceReading:
    return heard(source, opinion) if isinstance(opinion, Signal) else opinion


BOTH = {TV: D("0.2"), SN8: D("0.1")}


def configured(
    weights: Mapping[SourceName, Decimal] | None = None,
    leverage: str = "20",
    account: AccountSettings | None = None,
    sources: Mapping[SourceName, SourceSettings] | None = None,
    symbol: Symbol = BTC,
) -> Settings:
    """One symbol with both sources (0.2 and 0.1) mapped to it, one account."""
    mine = account or AccountSettings(ACCOUNT, "bybit", "main")
    return Settings(
        weights={symbol: SymbolWeights(symbol, d(leverage), BOTH if weights is None else weights)},
        mappings={TV: {BTC: symbol}, SN8: {BTC: symbol}},
        sources={TV: SourceSettings(entry_max_age_s=ENTRY_MAX_AGE_S), SN8: SourceSettings(staleness_s=120)}
        if sources is None
        else sources,
        accounts={ACCOUNT: mine},
        policy=mine.policy,
    )


def weighted(settings: Settings, tradingview: str | None = None, bittensor: str | None = None) -> Settings:
    """`settings` with other weights; a source left out is left out of the entry."""
    entry = settings.weights[BTC]
    given = {TV: tradingview, SN8: bittensor}
    weights = {s: d(w) for s, w in given.items() if w is not None}
    return replace(settings, weights={BTC: replace(entry, weights=weights)})


# --- what a venue says ------------------------------------------------------------------------------------------------


def instrument(
    contract_size: str = "1",
    lot: str = "0.001",
    minimum: str = "0.001",
    maximum: str = "1000000",
    market_maximum: str = "1000000",
    tick: str = "0.1",
    min_notional: str = "0",
    max_leverage: str = "100",
    *,
    tradable: bool = True,
    can_short: bool = True,
) -> Instrument:
    return Instrument(
        symbol=BTC,
        venue_symbol="BTCUSDT",
        base="BTC",
        quote="USDT",
        settle="USDT",
        contract_size=d(contract_size),
        lot=d(lot),
        tick=d(tick),
        min_contracts=d(minimum),
        max_contracts=d(maximum),
        max_market_contracts=d(market_maximum),
        min_notional=d(min_notional),
        max_leverage=d(max_leverage),
        tradable=tradable,
        can_short=can_short,
    )


def price(mark: str = "50000", at: float = NOW, last: str | None = None) -> Price:
    return Price(BTC, d(mark), at, None if last is None else d(last))


def equity(value: str = "1000") -> Equity:
    return Equity(d(value), "USDT", NOW)


def facts(value: str = "1000", mark: str = "50000", listed: Instrument | None = None) -> Facts:
    return Facts(equity(value), price(mark), listed or instrument())


PER_SYMBOL = Capabilities(
    venue="example",
    leverage=LeverageScope.PER_SYMBOL,
    margin_mode_scope=MarginModeScope.SYMBOL,
    leverage_in_place=True,
    client_id_prefix="",
    client_id_hex_digits=32,
    validity_s=5.0,
    reads_per_s=10.0,
)


# --- the desk ---------------------------------------------------------------------------------------------------------


@dataclass
class Desk:
    """One account on one symbol, driven as the engine drives the pure modules: want, size if due, journal."""

    settings: Settings = field(default_factory=configured)
    facts: Facts = field(default_factory=facts)
    now: float = NOW
    downward_only: str | None = None
    memory: AccountMemory = field(default_factory=AccountMemory)

    @property
    def account(self) -> AccountSettings:
        return self.settings.accounts[ACCOUNT]

    @property
    def symbol(self) -> SymbolMemory:
        return self.memory.of(BTC)

    @property
    def sized(self) -> Sized:
        assert self.symbol.sized is not None
        return self.symbol.sized

    @property
    def generation(self) -> int:
        return self.symbol.generation

    @property
    def stored(self) -> Decimal:
        return self.symbol.stored

    def contribution(self, source: SourceName) -> Decimal:
        return self.symbol.taken[source].contribution

    def want(self, readings: Mapping[SourceName, SourceReading]) -> Wanted:
        """What is wanted now, without acting on it."""
        memory = self.symbol
        before = Before(memory.taken, memory.sized, memory.resync, memory.sized_resync)
        wanted = want(BTC, self.settings, self.account, readings, before, Moment(self.now, self.downward_only))
        assert wanted is not None
        return wanted

    def cycle(self, readings: Mapping[SourceName, SourceReading], after_s: float = 0.0) -> Wanted:
        """One cycle `after_s` later: what is wanted becomes a generation if it is another one."""
        self.now += after_s
        wanted, memory = self.want(readings), self.symbol
        if needs_size(wanted, memory.sized):
            sized = size(wanted, memory.sized, self.facts, self.account.policy, self.now)
            if not isinstance(sized, Waiting):
                self.record(sized_record(BTC, sized, memory.resync))
        return wanted

    def record(self, record: Record) -> None:
        self.memory = self.memory.apply(record)

    def close(self) -> None:
        self.record({"kind": "CLOSED_BY_USER", "at": self.now, "symbol": BTC, "because": "closed by the user"})

    def resync(self, n: int = 1) -> None:
        self.record({"kind": "COMMAND", "at": self.now, "verb": "resync", "symbol": BTC, "n": n})


# --- planner input ----------------------------------------------------------------------------------------------------


def target(contracts: str | Decimal | None = "10", *holds: Hold, leverage: str = "5", **more: object) -> Target:
    stored = None if contracts is None else d(contracts)
    fixed = Target(BTC, stored, d(leverage), MarginMode.ISOLATED, holds)
    return replace(fixed, **more)  # type: ignore[arg-type]  # each test names the fields it varies


def actual(position: str | Decimal | None = "0", baseline: str | Decimal | None = "as read", **more: object) -> Actual:
    """A read; as expected unless `baseline` says otherwise."""
    read = None if position is None else d(position)
    expected = read if baseline == "as read" else None if baseline is None else d(baseline)
    fixed = Actual(read, expected, leverage=D(5), margin_mode=MarginMode.ISOLATED)
    return replace(fixed, **more)  # type: ignore[arg-type]  # each test names the fields it varies


def market(
    listed: Instrument | None = None,
    mark: str | None = "100",
    capabilities: Capabilities = PER_SYMBOL,
    stale_price: str | None = None,
) -> Market:
    """Whole contracts of one unit, at a price of 100."""
    return Market(
        instrument=listed or instrument(lot="1", minimum="1"),
        capabilities=capabilities,
        price=None if mark is None else price(mark),
        stale_price=None if stale_price is None else d(stale_price),
        because="" if mark is not None else "the price is unknown",
    )


def no_increase(because: str = "HALT_INCREASES stands", state: SymbolState = SymbolState.HELD) -> Hold:
    return Hold(Scope.INCREASES, state, because)


def orders(plan: Plan) -> list[PlaceOrder]:
    return [step for step in plan.steps if isinstance(step, PlaceOrder)]


def traded(plan: Plan) -> Decimal:
    """Signed contracts of all orders of a plan."""
    return sum((order.signed for order in orders(plan)), ZERO)


DEFAULTS = Policy()
