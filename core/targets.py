"""PURE: documents x settings x what was taken before -> what one account wants of one symbol.

A contribution is a source's signed share of equity: depth x weight. Each account and symbol remembers what it has
*taken* from each source; D is the sum of that, times the account's scale. What cannot be read stays as taken (frozen);
what is old, or appears while only reductions are allowed, is taken downward only.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from core.domain import (
    ZERO,
    AccountSettings,
    Hold,
    LeverageFrom,
    OnDisable,
    Reading,
    Scope,
    Settings,
    Signal,
    Sized,
    SourceName,
    SourceReading,
    Symbol,
    SymbolState,
    SymbolWeights,
    Taken,
    TakenMode,
    Wanted,
    floor_to,
    plain,
    toward_zero,
)


@dataclass(frozen=True, slots=True)
class Before:
    """What the account already has on the symbol: taken contributions, the last size, and re-sync numbers."""

    taken: Mapping[SourceName, Taken]
    sized: Sized | None = None
    resync: int = 0
    sized_resync: int = 0


@dataclass(frozen=True, slots=True)
class Moment:
    """When, and whether signals that appear now may only reduce (`downward_only` names why: close_only, FLATTEN)."""

    now: float
    downward_only: str | None = None


@dataclass(frozen=True, slots=True)
class Heard:
    """One source on one symbol: its signal, or why there is none. `frozen`: what was taken stays."""

    source: SourceName
    weight: Decimal
    signal: Signal | None = None
    frozen: bool = False
    because: str = ""


def configured_leverage(entry: SymbolWeights, account: AccountSettings) -> Decimal:
    """The leverage the files name for an account: its own override, else that of the weight file."""
    return account.leverage.get(entry.symbol, account.leverage.get("*", entry.leverage))


def want(
    symbol: Symbol,
    settings: Settings,
    account: AccountSettings,
    readings: Mapping[SourceName, SourceReading],
    before: Before,
    moment: Moment,
) -> Wanted | None:
    """What `account` wants of `symbol`; None when it is not configured for it any more (the symbol is held)."""
    entry = settings.weights.get(symbol)
    if entry is None or (account.symbols is not None and symbol not in account.symbols):
        return None
    heard = [hear(entry, source, settings, account, readings, before) for source in sources_of(entry, before)]
    configured = configured_leverage(entry, account)
    if not _ever_spoke(entry, heard, before):
        return _no_signal(symbol, configured, heard)
    taken, news = take_all(heard, settings, before, moment)
    return _blend(_Blend(symbol, account, configured, heard, taken, news, before, moment, settings))


def sources_of(entry: SymbolWeights, before: Before) -> list[SourceName]:
    """Every source with a part in the symbol: those of the weight file, then those taken from before."""
    return [*entry.weights, *(s for s in before.taken if s not in entry.weights)]


def hear(
    entry: SymbolWeights,
    source: SourceName,
    settings: Settings,
    account: AccountSettings,
    readings: Mapping[SourceName, SourceReading],
    before: Before,
) -> Heard:
    """What one source says of the symbol now, as far as it counts."""
    weight = entry.weights.get(source, ZERO)
    before_taken = source in before.taken
    if weight == 0:
        return Heard(source, ZERO, because=f"{source} has weight 0")
    limits = settings.source(source)
    if not limits.enabled:
        if limits.on_disable is OnDisable.ZERO:
            return Heard(source, ZERO, because=f"{source} is disabled")
        return Heard(source, weight, frozen=before_taken, because=f"{source} is disabled and held")
    own = [name for name, target in settings.mappings.get(source, {}).items() if target == entry.symbol]
    if not own:
        because = f"{source} has no mapping to {entry.symbol}; add one to asset_mapping_config.json"
        return Heard(source, weight, frozen=before_taken, because=because)
    return _listen(own[0], weight, readings.get(source), source, account.policy.max_depth, before_taken)


def _listen(
    own: str,
    weight: Decimal,
    reading: SourceReading | None,
    source: SourceName,
    max_depth: Decimal,
    before_taken: bool,
) -> Heard:
    if reading is None or reading.reading is Reading.NOT_HEARD or reading.document is None:
        if reading is not None and reading.reading is Reading.UNKNOWN:
            return Heard(source, weight, frozen=True, because=reading.because)
        because = f"{source} has not been heard yet"
        if before_taken:
            because = f"{source} was heard before and its document is gone; restart its signal processor"
        return Heard(source, weight, frozen=before_taken, because=because)
    signal = reading.document.signals.get(own)
    if signal is None:
        lost = before_taken or own in reading.gone
        because = f"{own} is gone from {source}'s document" if lost else f"{source} has not spoken on {own} yet"
        return Heard(source, weight, frozen=lost, because=because)
    if abs(signal.depth) > max_depth:
        because = f"{source} asks depth {plain(signal.depth)} on {own}, beyond max_depth"
        return Heard(source, weight, frozen=True, because=because)
    return Heard(source, weight, signal)


def _ever_spoke(entry: SymbolWeights, heard: list[Heard], before: Before) -> bool:
    """All weights 0 is a target of its own (flat); otherwise somebody with a weight must have spoken once."""
    all_zero = all(weight == 0 for weight in entry.weights.values())
    return all_zero or bool(before.taken) or any(h.signal is not None for h in heard)


def _no_signal(symbol: Symbol, configured: Decimal, heard: list[Heard]) -> Wanted:
    because = "; ".join(h.because for h in heard) or "no source has a weight"
    return Wanted(symbol, None, configured, "", {}, f"no signal yet: {because}")


# --- taking -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class News:
    """What a pass over the sources found new: signals taken in full, and those taken downward only (with why)."""

    full: tuple[SourceName, ...] = ()
    downward: tuple[str, ...] = ()


def take_all(
    heard: list[Heard], settings: Settings, before: Before, moment: Moment
) -> tuple[dict[SourceName, Taken], News]:
    """What is taken of every source now, and which of it is new."""
    taken: dict[SourceName, Taken] = {}
    full: list[SourceName] = []
    downward: list[str] = []
    resync = before.resync != before.sized_resync
    for h in heard:
        previous = before.taken.get(h.source)
        if h.signal is None:
            if previous is not None:
                taken[h.source] = _reweighted(previous, h.weight)
            continue
        signal = h.signal
        fresh = resync or previous is None or not _same(previous, signal)
        if not fresh and previous is not None:
            taken[h.source] = _kept(previous, h.weight)
            continue
        now_taken, why = _take(previous, h, signal, settings, moment, resync)
        taken[h.source] = now_taken
        if why:
            downward.append(why)
        else:
            full.append(h.source)
    return taken, News(tuple(full), tuple(downward))


def _same(previous: Taken, signal: Signal) -> bool:
    return (previous.depth, previous.timestamp, previous.leverage) == (signal.depth, signal.timestamp, signal.leverage)


def _kept(previous: Taken, weight: Decimal) -> Taken:
    """The same signal again: a full one follows its weight, one taken downward only follows it downward only."""
    if previous.mode is TakenMode.FULL:
        return replace(previous, contribution=previous.depth * weight, weight=weight)
    return _reweighted(previous, weight)


def _reweighted(previous: Taken, weight: Decimal) -> Taken:
    """A contribution that may only shrink, under a weight that may have changed.

    A raised weight is not noted: raising it and taking that back must not shrink what was taken.
    """
    if weight >= previous.weight:
        return previous
    if weight == 0 or previous.weight == 0:
        return replace(previous, contribution=ZERO, weight=weight)
    return replace(previous, contribution=previous.contribution * weight / previous.weight, weight=weight)


def _take(
    previous: Taken | None, heard: Heard, signal: Signal, settings: Settings, moment: Moment, resync: bool
) -> tuple[Taken, str | None]:
    """A signal not taken before (or re-synced): in full, or downward only with the reason."""
    full = signal.depth * heard.weight
    limit = settings.source(heard.source).entry_max_age_s
    age_s = moment.now - signal.timestamp
    why = None
    if moment.downward_only:
        why = moment.downward_only
    elif limit is not None and age_s > limit and not resync:
        why = f"entry too old: {heard.source} spoke {age_s:.0f} s ago (limit {limit:.0f} s); `./run resync` takes it"
    if signal.depth == 0:
        why = None
    held = previous.contribution if previous else ZERO
    contribution = toward_zero(held, full) if why else full
    mode = TakenMode.DOWNWARD if why else TakenMode.FULL
    return Taken(contribution, signal.depth, signal.timestamp, signal.leverage, heard.weight, mode), why


# --- blending ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Blend:
    symbol: Symbol
    account: AccountSettings
    configured: Decimal
    heard: list[Heard]
    taken: dict[SourceName, Taken]
    news: News
    before: Before
    moment: Moment
    settings: Settings


def _blend(b: _Blend) -> Wanted:
    depth = sum((t.contribution for t in b.taken.values()), ZERO) * b.account.scale
    leverage, bound = leverage_of(b.taken, b.configured, b.account)
    frozen = [h for h in b.heard if h.frozen]
    if frozen and b.before.sized is not None and leverage > b.before.sized.leverage:
        leverage, bound = b.before.sized.leverage, "last size, while a source is frozen"
    only_reduce = _only_reduce(b, frozen, depth)
    return Wanted(
        symbol=b.symbol,
        depth=depth,
        leverage=leverage,
        inputs_hash=_inputs_hash(b),
        taken=b.taken,
        because=_because(b, depth, leverage, bound),
        reduce_only=only_reduce,
        held=_held(b, frozen, only_reduce),
        expires_at=_expiry(b),
        holds=_holds(frozen, only_reduce),
    )


def _only_reduce(b: _Blend, frozen: list[Heard], depth: Decimal) -> str | None:
    """Why the generation may not grow beyond what is stored, or None. Several reasons may stand at once."""
    if frozen:
        silent = {h.source for h in frozen}
        known = sum((t.contribution for s, t in b.taken.items() if s not in silent), ZERO)
        if known == 0 or (known > 0) != (depth > 0):
            names = "; ".join(h.because for h in frozen)
            return f"{names}: frozen, and what can be read does not ask for this side; nothing increases"
    if b.moment.downward_only:
        return b.moment.downward_only
    if not b.news.full and (b.news.downward or _all_downward(b.taken)):
        return (b.news.downward or ("entry too old, or not allowed when it appeared",))[0]
    return None


def _all_downward(taken: Mapping[SourceName, Taken]) -> bool:
    held = [t.mode for t in taken.values() if t.contribution != 0]
    return bool(held) and all(mode is TakenMode.DOWNWARD for mode in held)


def leverage_of(
    taken: Mapping[SourceName, Taken], configured: Decimal, account: AccountSettings
) -> tuple[Decimal, str]:
    """L before the venue's own maximum, and the name of what bound it.

    The signals' leverage is the mean of those that carry one, weighted by |contribution|.
    """
    policy = account.policy
    carried = [(abs(t.contribution), t.leverage) for t in taken.values() if t.leverage is not None and t.contribution]
    weight = sum((w for w, _ in carried), ZERO)
    leverage, bound = configured, "configured leverage"
    if weight and policy.leverage_from is not LeverageFrom.CONFIG:
        mean = sum((w * lev for w, lev in carried), ZERO) / weight
        mean = max(mean, min(lev for _, lev in carried))  # rounded division must not lose a whole step of the floor
        if policy.leverage_from is LeverageFrom.SIGNAL or mean < configured:
            leverage, bound = mean, "leverage of the signals"
    if leverage > policy.max_leverage:
        leverage, bound = policy.max_leverage, "max_leverage"
    return max(floor_to(leverage, Decimal(1)), Decimal(1)), bound


def _expiry(b: _Blend) -> float | None:
    """When a generation that was never reached stops increasing: once its newest entry is older than its source allows.

    A change by the user (weights, leverage, re-sync) is an entry of its own, made now. None: the newest entry's source
    has no age limit.
    """
    entries = [
        (taken.timestamp, b.settings.source(source).entry_max_age_s)
        for source, taken in b.taken.items()
        if taken.contribution or (taken.weight and taken.mode is TakenMode.FULL)  # a full flat is an entry as well
    ]
    newest, limit = max(entries, key=lambda entry: (entry[0], entry[1] is not None), default=(0.0, None))
    if limit is None:
        return None
    by_user = b.before.resync != b.before.sized_resync or not (b.news.full or b.news.downward)
    return (b.moment.now if by_user else newest) + limit


def _inputs_hash(b: _Blend) -> str:
    """Names what sizes the generation. A source without weight has no part in it: 0 and left out are the same."""
    sources: dict[str, object] = {}
    for h in b.heard:
        if h.weight == 0:
            continue
        t = b.taken.get(h.source)
        if t is None:
            sources[h.source] = [plain(h.weight)]
        else:
            leverage = None if t.leverage is None else plain(t.leverage)
            sources[h.source] = [plain(t.depth), t.timestamp, leverage, plain(h.weight)]
    inputs = {
        "sources": sources,
        "leverage": plain(b.configured),
        "scale": plain(b.account.scale),
        "resync": b.before.resync,
    }
    text = json.dumps(inputs, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _held(b: _Blend, frozen: list[Heard], only_reduce: str | None) -> str | None:
    """What a user must know even when the position is where it should be."""
    for h in frozen:
        if b.taken.get(h.source) is not None:
            return f"{h.because}; its share is held as it was taken"
    if frozen and only_reduce:
        return only_reduce
    if b.news.downward:
        return b.news.downward[0]
    return next((why for source, taken in b.taken.items() if (why := short_of(source, taken))), None)


def short_of(source: SourceName, taken: Taken) -> str | None:
    """Why less stands of a signal than it asks for, and what ends that; None: all of it stands."""
    if taken.mode is TakenMode.CLOSED and taken.depth != 0:
        return f"{source} was closed by the user; its next signal or `./run resync` takes effect again"
    if taken.mode is TakenMode.DOWNWARD and taken.contribution != taken.depth * taken.weight:
        return f"entry too old or not allowed when it appeared ({source}); `./run resync` takes it"
    return None


def _holds(frozen: list[Heard], only_reduce: str | None) -> tuple[Hold, ...]:
    return (Hold(Scope.INCREASES, SymbolState.HELD, only_reduce),) if frozen and only_reduce else ()


def _because(b: _Blend, depth: Decimal, leverage: Decimal, bound: str) -> str:
    parts = [f"{s} {plain(t.contribution)}" for s, t in b.taken.items() if t.contribution or t.weight]
    silent = [h.because for h in b.heard if h.source not in b.taken and h.weight]
    scale = "" if b.account.scale == 1 else f" x scale {plain(b.account.scale)}"
    text = f"{' + '.join(parts) or '0'}{scale} = {plain(depth)} of equity at {plain(leverage)}x ({bound})"
    return "; ".join([text, *silent])
