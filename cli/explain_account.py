"""One symbol of one account, explained: every figure between a signal and a position, as one JSON object.

The figures are the engine's own: what was journaled, and what its pure functions (`core.targets`, `core.sizing`,
`core.limits`) make of the files as they are now. Money is plain text, instants ISO-8601; null is "not known".
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from cli.explain_facts import AccountFacts, HomeFacts, Origin
from cli.explain_limits import holds_of, limits_of
from cli.explain_raw import find_line
from core.domain import ZERO, Equity, Instrument, Price, Signal, Sized, Symbol, SymbolWeights, Taken, Wanted, plain
from core.memory import SymbolMemory
from core.records import Intent, instrument_record
from core.shares import Share
from core.sizing import Facts, Waiting, needs_size, size
from core.state import format_instant
from core.targets import configured_leverage, leverage_of

Json = dict[str, Any]


def explained(facts: HomeFacts, account: AccountFacts, symbol: Symbol) -> Json:
    """The whole chain, from raw signal to because."""
    memory = account.memory.of(symbol)
    wanted = facts.wanted(account, symbol)
    instrument = account.instruments.get(symbol)
    status = account.status or {}
    entry = account.status_of(symbol)
    settings = account.settings
    return {
        "mode": settings.mode.value if settings else None,
        "scale": plain(settings.scale) if settings else None,
        "sources": [_source(facts, share) for share in facts.shares(account, symbol)] or _remembered(memory),
        "wanted": _wanted(facts, account, symbol, wanted),
        "generation": _generation(memory, account.origins.get(symbol), instrument, facts, account),
        "due": _due(facts, account, memory, wanted),
        "equity": {"value": status.get("equity"), "at": status.get("at")},
        "venue": instrument_record(instrument) if instrument else None,
        "limits": limits_of(facts, account, symbol),
        "holds": [
            {"scope": h.scope.value, "state": h.state.value, "because": h.because, "until": instant(h.until)}
            for h in holds_of(facts, account, symbol, wanted)
        ],
        "position": _position(memory, instrument, entry),
        "intents": [_intent(intent, instrument) for intent in memory.intents],
        "journal": {"at": instant(account.journaled_at), "problem": account.problem or None},
        "account": {"state": status.get("state"), "because": status.get("because"), "cycle": status.get("cycle")},
        "state": entry.get("state"),
        "because": entry.get("because"),
        "at": status.get("at"),
    }


def instant(at: float | None) -> str | None:
    return None if at is None or at == float("inf") else format_instant(at)


def text(value: Decimal | None) -> str | None:
    return None if value is None else plain(value)


# --- signals ----------------------------------------------------------------------------------------------------------


def _source(facts: HomeFacts, share: Share) -> Json:
    reading = facts.readings.get(share.source)
    document = reading.document if reading else None
    said = document.signals.get(share.own) if document and share.own else None
    return {
        "source": share.source,
        "own_symbol": share.own,
        "reading": reading.reading.value if reading else "not_heard",
        "signal": signal_json(facts, share.source, said) if said else None,
        "weight": plain(share.weight),
        "present": text(share.present),
        "taken": taken_json(share.before),
        "takes": taken_json(share.taken),
        "frozen": share.frozen,
        "because": share.because or None,
    }


def signal_json(facts: HomeFacts, source: str, signal: Signal) -> Json:
    """A signal as its document has it, with the line of the raw log it came from where it names one."""
    raw = signal.meta.get("raw")
    line = find_line(facts.home.raw_signals(source), raw) if isinstance(raw, str) else None
    shown: Json | None = None
    if line is not None:
        path = line.path.relative_to(facts.home.root).as_posix()
        shown = {"file": path, "line": line.number, "text": line.text, "because": line.because or None}
    return {
        "depth": plain(signal.depth),
        "timestamp": instant(signal.timestamp),
        "leverage": text(signal.leverage),
        "price": text(signal.price),
        "event": signal.meta.get("event"),
        "raw": shown,
    }


def taken_json(taken: Taken | None) -> Json | None:
    if taken is None:
        return None
    return {
        "contribution": plain(taken.contribution),
        "depth": plain(taken.depth),
        "timestamp": instant(taken.timestamp),
        "leverage": text(taken.leverage),
        "weight": plain(taken.weight),
        "mode": taken.mode.value,
    }


def _remembered(memory: SymbolMemory) -> list[Json]:
    """What was taken of a symbol that is configured no more: held as it is."""
    return [
        {
            "source": source,
            "own_symbol": None,
            "reading": None,
            "signal": None,
            "weight": "0",
            "present": None,
            "taken": taken_json(taken),
            "takes": None,
            "frozen": True,
            "because": "the symbol is not configured for this account any more; what was taken is held",
        }
        for source, taken in memory.taken.items()
    ]


# --- depth and leverage -----------------------------------------------------------------------------------------------


def _wanted(facts: HomeFacts, account: AccountFacts, symbol: Symbol, wanted: Wanted | None) -> Json | None:
    """What the files ask for now. `generation_due`: it is not what is stored, so a new size is due."""
    entry, settings = facts.settings.weights.get(symbol), account.settings
    if wanted is None or entry is None or settings is None:
        return None
    policy = settings.policy
    blended, bound = leverage_of(wanted.taken, configured_leverage(entry, settings), settings)
    if wanted.depth is not None and wanted.leverage != blended:
        bound = "last size, while a source is frozen"
    return {
        "depth": text(wanted.depth),
        "sum": plain(sum((taken.contribution for taken in wanted.taken.values()), ZERO)),
        "leverage": plain(wanted.leverage),
        "leverage_bound": bound,
        "leverage_configured": plain(configured_leverage(entry, settings)),
        "leverage_signals": {s: plain(t.leverage) for s, t in wanted.taken.items() if t.leverage is not None},
        "leverage_from": policy.leverage_from.value,
        "max_leverage": plain(policy.max_leverage),
        "weights": weights_json(entry),
        "generation_due": needs_size(wanted, account.memory.of(symbol).sized),
        "reduce_only": wanted.reduce_only,
        "held": wanted.held,
        "expires_at": instant(wanted.expires_at),
        "because": wanted.because,
    }


def weights_json(entry: SymbolWeights) -> Json:
    return {source: plain(weight) for source, weight in entry.weights.items()}


# --- size -------------------------------------------------------------------------------------------------------------


def _generation(
    memory: SymbolMemory, origin: Origin | None, instrument: Instrument | None, facts: HomeFacts, account: AccountFacts
) -> Json | None:
    """The stored size as it was journaled, and the sum that led to it."""
    sized = memory.sized
    if sized is None:
        return None
    return {
        "number": sized.generation,
        "kind": origin.kind if origin else None,
        "at": instant(sized.at),
        "depth": plain(sized.depth),
        "leverage": plain(sized.leverage),
        "equity": text(sized.equity),
        "price": text(sized.price),
        "contracts": plain(sized.contracts),
        "quantity": text(instrument.quantity(sized.contracts)) if instrument else None,
        "fingerprint": sized.fingerprint or None,
        "below_minimum": sized.below_minimum,
        "waits_for_its_size": sized.provisional,
        "entry_expires_at": instant(sized.entry_expires_at),
        "resync": memory.sized_resync,
        "because": sized.because,
        "sum": _sum(sized, instrument),
        "recomputed": _recomputed(memory.symbol, sized, origin, instrument, account),
    }


def _sum(sized: Sized, instrument: Instrument | None) -> Json | None:
    """margin = equity x depth, notional = margin x leverage, quantity = notional / price, contracts to the lot.

    None where the size needed no sum (flat, adopted, closed), or the contract is not known.
    """
    if sized.equity is None or sized.price is None or instrument is None or sized.provisional:
        return None
    if sized.fingerprint and sized.fingerprint != instrument.fingerprint():
        return None
    margin = sized.equity * sized.depth
    notional = margin * sized.leverage
    return {
        "margin": plain(margin),
        "notional": plain(notional),
        "quantity": rounded(notional / sized.price),
        "contracts_before_rounding": rounded(notional / sized.price / instrument.contract_size),
        "contracts": plain(instrument.contracts_for(notional, sized.price)),
        "below_minimum": instrument.below_minimum(instrument.contracts_for(notional, sized.price), sized.price),
    }


def rounded(value: Decimal) -> str:
    """A quotient for people: as many digits as matter."""
    return plain(round(value, 12))


def _recomputed(
    symbol: Symbol, sized: Sized, origin: Origin | None, instrument: Instrument | None, account: AccountFacts
) -> Json | None:
    """The journaled size, sized once more by `core.sizing` from the journaled figures; None where nothing was sized."""
    settings = account.settings
    if origin is None or origin.kind != "SIZED" or settings is None or instrument is None or sized.provisional:
        return None
    if sized.equity is None or sized.price is None:
        return None
    wanted = Wanted(symbol, sized.depth, sized.leverage, sized.inputs_hash, sized.taken, "")
    equity, price = Equity(sized.equity, instrument.settle, sized.at), Price(symbol, sized.price, sized.at)
    found = size(wanted, origin.before, Facts(equity, price, instrument), settings.policy, sized.at)
    if isinstance(found, Waiting):
        return {"contracts": None, "equal": False, "because": found.because}
    equal = (found.contracts, found.leverage, found.depth) == (sized.contracts, sized.leverage, sized.depth)
    return {"contracts": plain(found.contracts), "equal": equal, "because": found.because.removeprefix(": ")}


def _due(facts: HomeFacts, account: AccountFacts, memory: SymbolMemory, wanted: Wanted | None) -> Json | None:
    """What a generation that is due would be at the latest figures in the files; the engine reads newer ones."""
    settings = account.settings
    if wanted is None or settings is None or not needs_size(wanted, memory.sized):
        return None
    status = account.status or {}
    instrument = account.instruments.get(memory.symbol)
    equity, price = None, None
    if isinstance(status.get("equity"), str) and instrument is not None:
        equity = Equity(Decimal(status["equity"]), instrument.settle, facts.now)
    if memory.mark is not None and memory.mark_at is not None:
        price = Price(memory.symbol, memory.mark, memory.mark_at)
    found = size(wanted, memory.sized, Facts(equity, price, instrument), settings.policy, facts.now)
    known = {
        "equity": text(equity.value) if equity else None,
        "equity_at": status.get("at"),
        "price": text(memory.mark),
        "price_at": instant(memory.mark_at),
    }
    if isinstance(found, Waiting):
        return known | {"contracts": None, "because": found.because}
    return known | {"contracts": None if found.provisional else plain(found.contracts), "because": found.because}


# --- position ---------------------------------------------------------------------------------------------------------


def _position(memory: SymbolMemory, instrument: Instrument | None, entry: Mapping[str, Any]) -> Json:
    """Contracts from the journal, `*_quantity` the same in base units; `actual_quantity` as the engine last read it."""

    def base(contracts: Decimal | None) -> str | None:
        return None if contracts is None or instrument is None else plain(instrument.quantity(contracts))

    return {
        "stored": plain(memory.stored) if memory.sized else None,
        "stored_quantity": base(memory.stored) if memory.sized else None,
        "baseline": text(memory.baseline),
        "baseline_quantity": base(memory.baseline),
        "actual_quantity": entry.get("actual"),
        "verified_generation": memory.verified_generation,
        "verified_at": instant(memory.verified_at),
        "confirmed_generation": memory.confirmed_generation,
        "last_fill_at": instant(memory.last_fill_at),
        "drift": memory.drift,
    }


def _intent(intent: Intent, instrument: Instrument | None) -> Json:
    order = intent.order
    return {
        "number": intent.number,
        "client_id": intent.client_id,
        "state": intent.state.value,
        "side": order.side.value,
        "contracts": plain(order.contracts),
        "quantity": plain(instrument.quantity(order.contracts)) if instrument else None,
        "reduce_only": order.reduce_only,
        "prepared_at": instant(intent.prepared_at),
        "valid_until": instant(intent.valid_until),
    }
