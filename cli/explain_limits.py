"""What stands against orders of one symbol, as far as files tell: limits with what is asked of them, and holds."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from cli.explain_facts import AccountFacts, HomeFacts
from core.domain import ZERO, Equity, Hold, Scope, Symbol, SymbolState, Wanted, plain
from core.execution.admission import Worth, admission_of, candidates_of
from core.execution.context import RECOVERING, halt_holds, mode_holds, remembered_holds
from core.execution.market import asked_x
from core.execution.tripping import trip_holds
from core.limits import Exposure, changed_instrument, exposure_holds, notional_limits
from core.memory import SymbolMemory

Json = dict[str, Any]


def holds_of(facts: HomeFacts, account: AccountFacts, symbol: Symbol, wanted: Wanted | None) -> list[Hold]:
    """The engine's own holds that follow from files. What it knows of the venue besides is in its because."""
    memory = account.memory.of(symbol)
    found = mode_holds(account.settings)
    if account.memory.recovering:
        found.append(Hold(Scope.ALL, SymbolState.BLOCKED, RECOVERING))
    found += halt_holds(facts.halt)
    found += trip_holds(account.account, account.memory.watch)
    admission = {}
    if account.settings is not None:
        wants = {s: facts.wanted(account, s) for s in facts.symbols(account)}
        worth = Worth(last_equity(account, symbol), account.instruments)
        admission = dict(admission_of(account.memory, wants, facts.settings, account.settings, worth))
    found += remembered_holds(memory, wanted, admission, facts.now)
    instrument = account.instruments.get(symbol)
    changed = changed_instrument(memory.fingerprint, instrument) if instrument else None
    if changed:
        found.append(Hold(Scope.INCREASES, SymbolState.BLOCKED, changed))
    return [*found, *_exposure_holds(facts, account, memory)]


def _exposure_holds(facts: HomeFacts, account: AccountFacts, memory: SymbolMemory) -> tuple[Hold, ...]:
    """Of the limits on notional and count, while an increase is due."""
    exposure, settings = exposure_of(account, memory), account.settings
    if settings is None or exposure is None or exposure.increase_notional == 0:
        return ()
    asked, everything = asked_x(account.memory, facts.settings, settings, memory.symbol)
    return exposure_holds(exposure, settings.policy, asked, everything, last_equity(account, memory.symbol))


def last_equity(account: AccountFacts, symbol: Symbol) -> Equity | None:
    """The equity of the last status, else the one this symbol was last sized with."""
    sized, instrument = account.memory.of(symbol).sized, account.instruments.get(symbol)
    shown = (account.status or {}).get("equity")
    value = Decimal(shown) if isinstance(shown, str) else sized.equity if sized else None
    return None if value is None else Equity(value, instrument.settle if instrument else "", 0.0)


def exposure_of(account: AccountFacts, memory: SymbolMemory) -> Exposure | None:
    """What the notional limits look at, at the prices of the last sizings; None where the symbol was never priced."""
    instrument = account.instruments.get(memory.symbol)
    if instrument is None or memory.mark is None:
        return None
    held = memory.baseline or ZERO
    growth = max(abs(memory.stored) - (abs(held) if memory.stored * held > 0 else ZERO), ZERO)
    return Exposure(
        increase_notional=instrument.notional(growth, memory.mark),
        gross_notional=instrument.notional(held, memory.mark) + sum(_others(account, memory.symbol), ZERO),
        open_positions=sum(1 for one in account.memory.symbols.values() if one.baseline),
        opens_new=held == 0,
        increase_orders_last_minute=0,
    )


def _others(account: AccountFacts, symbol: Symbol) -> Iterator[Decimal]:
    for other, memory in account.memory.symbols.items():
        instrument = account.instruments.get(other)
        if other != symbol and instrument is not None and memory.mark is not None:
            yield instrument.notional(memory.baseline or ZERO, memory.mark)


def limits_of(facts: HomeFacts, account: AccountFacts, symbol: Symbol) -> list[Json]:
    """Every limit in force: its value, and what is asked of it now (null where that is not known from files)."""
    settings, memory = account.settings, account.memory.of(symbol)
    if settings is None:
        return []
    policy = settings.policy
    asked, everything = asked_x(account.memory, facts.settings, settings, symbol)
    notional = notional_limits(policy, asked, everything, last_equity(account, symbol))
    exposure = exposure_of(account, memory)
    order, gross = notional or (None, None)
    rule = f"auto: 1.1 x {plain(asked)} x equity" if policy.max_order_notional is None else "engine_config"
    gross_rule = f"auto: 1.1 x {plain(everything)} x equity" if policy.max_gross_exposure is None else "engine_config"
    found = [
        _limit("max_total_margin", policy.max_total_margin, _margin(facts, account), "share of equity, all symbols"),
        _limit("max_order_notional", order, exposure.increase_notional if exposure else None, rule),
        _limit("max_gross_exposure", gross, exposure.gross_notional if exposure else None, gross_rule),
        _limit("max_leverage", policy.max_leverage, memory.sized.leverage if memory.sized else None, "engine_config"),
        _limit("max_depth", policy.max_depth, None, "of each signal"),
        _limit("max_increase_orders_per_minute", Decimal(policy.max_increase_orders_per_minute), None, "engine_config"),
    ]
    if policy.max_positions is not None:
        count = Decimal(exposure.open_positions) if exposure else None
        found.append(_limit("max_positions", Decimal(policy.max_positions), count, "engine_config"))
    return found


def _margin(facts: HomeFacts, account: AccountFacts) -> Decimal:
    """What counts against max_total_margin: positions, unresolved orders, and increases that are due."""
    wants = {symbol: facts.wanted(account, symbol) for symbol in facts.symbols(account)}
    counted = [one.margin for one in candidates_of(account.memory, wants, Worth()) if one.held or one.increases]
    return sum(counted, ZERO)


def _limit(name: str, value: Decimal | None, asked: Decimal | None, rule: str) -> Json:
    return {
        "limit": name,
        "value": None if value is None else plain(value),
        "asked": None if asked is None else plain(asked),
        "rule": rule,
    }
