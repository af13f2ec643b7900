"""Traders judged, scored and ranked, purely. The formulas, in docs/bittensor.md too:

    keep if   all_time_returns > 1 and thirty_day_returns > 1 (each where given), n >= min_trades,
              last trade within max_trade_age_days, win rate >= min_profitable_rate,
              total > min_total_return, drawdown >= max_drawdown_threshold
    score =   (1 + drawdown)^drawdown_exponent + pct(sharpe)^sharpe_exponent + pct(total)
              + win rate^profitable_rate_exponent + pct(n) * ln(1 + n) / position_count_divisor + pct(consistency)
    weight    of rank k among N: (N + 1 - k) / (N (N + 1) / 2)

pct(x) among those kept is (how many are less + half of how many others are equal) / (N - 1); 1 where N is 1. Standard
deviations are the population's. With `incentive_exponent` above 0 and a metagraph the score is multiplied by
pct(incentive)^incentive_exponent.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal, localcontext
from operator import attrgetter
from types import MappingProxyType

from config.bittensor import BittensorKeys
from core.domain import ZERO
from signal_processors.bittensor_traders import Position, Trader

ONE = Decimal(1)
DAY_MS = 86_400_000
WORKING = Context(prec=40)
"""Digits carried while summing; what is compared afterwards is rounded to `COMPARED`, so that equal is equal."""
COMPARED = Context(prec=20)


@dataclass(frozen=True, slots=True)
class Figures:
    """What a trader's `n` positions on mapped assets amount to. Shares: 0.6 is 60 %; drawdown is 0 or below."""

    n: int
    win_rate: Decimal
    total: Decimal
    drawdown: Decimal
    sharpe: Decimal
    consistency: Decimal
    newest_ms: int


@dataclass(frozen=True, slots=True)
class Ranked:
    """A trader that counts. `terms` are the parts of `score` by name, in the formula's order."""

    trader: Trader
    figures: Figures
    rank: int
    weight: Decimal
    score: Decimal
    terms: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class Ranking:
    """Those that count, best first; and of every other trader why it does not."""

    ranked: tuple[Ranked, ...]
    left_out: Mapping[str, str]


def rank(
    traders: Collection[Trader], keys: BittensorKeys, as_of_ms: int, incentives: Mapping[str, Decimal] | None = None
) -> Ranking:
    """Ranks the traders as of an instant. `incentives` by hotkey, None without a metagraph."""
    kept: list[tuple[Trader, Figures]] = []
    left_out: dict[str, str] = {}
    with localcontext(WORKING):
        for trader in traders:
            found = figures(trader.positions)
            why = why_not(trader, found, keys, as_of_ms)
            if why or found is None:
                left_out[trader.hotkey] = why
            else:
                kept.append((trader, found))
        scored = _scored(kept, keys, incentives)
    return Ranking(tuple(scored), MappingProxyType(left_out))


# --- one trader -------------------------------------------------------------------------------------------------------


def figures(positions: Sequence[Position]) -> Figures | None:
    """The figures of a trader; None without a position."""
    if not positions:
        return None
    n = len(positions)
    with localcontext(WORKING):
        won = [position.won for position in sorted(positions, key=_order_of_close)]
        total, drawdown = _compounded(won)
        return Figures(
            n=n,
            win_rate=Decimal(sum(one > 0 for one in won)) / n,
            total=COMPARED.plus(total),
            drawdown=COMPARED.plus(drawdown),
            sharpe=COMPARED.plus(_sharpe(won)),
            consistency=COMPARED.plus(_consistency([position.open_ms for position in positions])),
            newest_ms=max(position.newest_ms for position in positions),
        )


def _order_of_close(position: Position) -> tuple[bool, int, int, str]:
    """Closed ones by close, then open ones by opening; what is left equal by its id, whatever the feed's order."""
    closed_ms = position.closed_ms
    return (closed_ms is None, position.open_ms if closed_ms is None else closed_ms, position.open_ms, position.uuid)


def _compounded(won: Sequence[Decimal]) -> tuple[Decimal, Decimal]:
    """What all returns compound to, less 1, and the deepest fall from a high on the way. It begins at 1."""
    capital = high = ONE
    drawdown = ZERO
    for one in won:
        capital *= 1 + one
        if capital > high:
            high = capital
        elif capital < high:
            drawdown = min(drawdown, capital / high - 1)
    return capital - 1, drawdown


def _sharpe(won: Sequence[Decimal]) -> Decimal:
    n = len(won)
    mean = sum(won, ZERO) / n
    variance = sum(((one - mean) ** 2 for one in won), ZERO) / n
    # A deviation below what is compared is what rounding the mean leaves of equal returns.
    deviation = COMPARED.plus(variance.sqrt()).quantize(Decimal("1E-18"), context=WORKING)
    return mean / deviation if n >= 2 and deviation else ZERO


def _consistency(opened_ms: Sequence[int]) -> Decimal:
    """How even the times between openings are: 1 perfectly, 0 as uneven as chance or worse."""
    if len(opened_ms) < 3:
        return ZERO
    ordered = sorted(opened_ms)
    gaps = [later - earlier for earlier, later in itertools.pairwise(ordered)]
    count, whole = len(gaps), sum(gaps)
    if whole == 0:
        return ZERO
    # n² times the variance, in whole numbers: exact.
    spread = count * sum(gap * gap for gap in gaps) - whole * whole
    return 1 - min(ONE, Decimal(spread).sqrt() / whole)


def why_not(trader: Trader, found: Figures | None, keys: BittensorKeys, as_of_ms: int) -> str:
    """Why a trader does not count, '' if it does."""
    if trader.all_time is not None and trader.all_time <= 1:
        return f"all-time return {trader.all_time:f} is not above 1"
    if trader.thirty_day is not None and trader.thirty_day <= 1:
        return f"thirty-day return {trader.thirty_day:f} is not above 1"
    if found is None:
        return "has no position on a mapped asset"
    if found.n < keys.min_trades:
        return f"{found.n} positions on mapped assets, min_trades is {keys.min_trades}"
    age_days = Decimal(as_of_ms - found.newest_ms) / DAY_MS
    if age_days > keys.max_trade_age_days:
        return f"last traded {age_days:.1f} days ago, max_trade_age_days is {keys.max_trade_age_days:f}"
    if found.win_rate < keys.min_profitable_rate:
        return f"{found.win_rate:.3f} of its positions won, min_profitable_rate is {keys.min_profitable_rate:f}"
    if found.total <= keys.min_total_return:
        return f"total return {found.total:.4f} is not above min_total_return {keys.min_total_return:f}"
    if found.drawdown < keys.max_drawdown_threshold:
        return f"drawdown {found.drawdown:.3f}, max_drawdown_threshold is {keys.max_drawdown_threshold:f}"
    return ""


# --- all of them ------------------------------------------------------------------------------------------------------


def _scored(
    kept: Sequence[tuple[Trader, Figures]], keys: BittensorKeys, incentives: Mapping[str, Decimal] | None
) -> list[Ranked]:
    sharpe, total, number, consistency = (
        _percentile([get(found) for _, found in kept])
        for get in (attrgetter("sharpe"), attrgetter("total"), attrgetter("n"), attrgetter("consistency"))
    )
    factor = _incentive(kept, keys, incentives)
    scored = []
    for trader, found in kept:
        terms = {
            "drawdown": power(1 + found.drawdown, keys.drawdown_exponent),
            "sharpe": power(sharpe(found.sharpe), keys.sharpe_exponent),
            "total": total(found.total),
            "win rate": power(found.win_rate, keys.profitable_rate_exponent),
            "positions": number(found.n) * Decimal(1 + found.n).ln() / keys.position_count_divisor,
            "consistency": consistency(found.consistency),
        }
        score = COMPARED.plus(sum(terms.values(), ZERO) * factor(trader.hotkey))
        scored.append((score, trader, found, terms))
    scored.sort(key=lambda one: (-one[0], one[1].hotkey))
    count = len(scored)
    whole = Decimal(count * (count + 1)) / 2
    return [
        Ranked(trader, found, place, (count + 1 - place) / whole, score, MappingProxyType(terms))
        for place, (score, trader, found, terms) in enumerate(scored, start=1)
    ]


def power(base: Decimal, exponent: Decimal) -> Decimal:
    """`base ** exponent` of a base from 0 on; 1 at exponent 0, whatever the base."""
    return ONE if exponent == 0 else base**exponent


def _percentile(values: Sequence[Decimal | int]) -> Callable[[Decimal | int], Decimal]:
    """pct among `values`, for a value that is one of them."""
    ordered = sorted(values)
    others = len(ordered) - 1

    def pct(value: Decimal | int) -> Decimal:
        if not others:
            return ONE
        less = bisect_left(ordered, value)
        equal_others = bisect_right(ordered, value) - less - 1
        return (less + Decimal(equal_others) / 2) / others

    return pct


def _incentive(
    kept: Sequence[tuple[Trader, Figures]], keys: BittensorKeys, incentives: Mapping[str, Decimal] | None
) -> Callable[[str], Decimal]:
    """What a score is multiplied by: 1 unless the incentive counts and is known."""
    if incentives is None or keys.incentive_exponent == 0:
        return lambda hotkey: ONE
    pct = _percentile([incentives.get(trader.hotkey, ZERO) for trader, _ in kept])
    return lambda hotkey: power(pct(incentives.get(hotkey, ZERO)), keys.incentive_exponent)
