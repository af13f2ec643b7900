"""A wanted depth becomes contracts: the worked figures, what waits, what is too small, and the band."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from core.domain import Equity, Hold, Instrument, Policy, Price, Scope, Sized, SymbolState, Wanted
from core.sizing import Facts, Waiting, needs_size, size
from tests.unit.core.builders import (
    BTC,
    NOW,
    TV,
    Desk,
    Opinion,
    configured,
    d,
    equity,
    facts,
    instrument,
    price,
    reads,
    say,
    unknown,
    weighted,
)

# --- the worked figures, from documents to contracts ------------------------------------------------------------------


@dataclass(frozen=True)
class Worked:
    """One line of figures: weights of the two sources, what they say, what the venue says, and what comes of it."""

    name: str
    weights: tuple[str, str | None]
    tradingview: Opinion
    bittensor: Opinion | None
    equity: str
    mark: str
    listed: Instrument
    depth: str
    leverage: str
    contracts: str
    base_units: str
    notional: str
    below_minimum: bool = False


KUCOIN_BTC = instrument(contract_size="0.001", lot="1", minimum="1")
PLAIN_BTC = instrument(contract_size="1", lot="0.001", minimum="0.001")
WORKED = [
    Worked(
        "two sources against each other",
        ("0.2", "0.1"),
        say("0.5", leverage="10"),
        say("-0.4"),
        *("1000", "50000", KUCOIN_BTC),
        *("0.06", "10", "12", "0.012", "600"),
    ),
    Worked(
        "a contract of a tenth",
        ("0.2", None),
        say("0.25", leverage="3"),
        None,
        *("12000", "3000", instrument(contract_size="0.1", lot="1", minimum="1")),
        *("0.05", "3", "6", "0.6", "1800"),
    ),
    Worked(
        "leverage is the mean by weight",
        ("0.2", "0.1"),
        say("0.5", leverage="10"),
        say("0.4", leverage="3"),
        *("1000", "50000", PLAIN_BTC),
        *("0.14", "8", "0.022", "0.022", "1100"),
    ),
    Worked(
        "too small, and never bumped up",
        ("1", None),
        say("0.01", leverage="3"),
        None,
        *("60", "50000", PLAIN_BTC),
        *("0.01", "3", "0", "0", "0"),
        below_minimum=True,
    ),
]


@pytest.mark.parametrize("case", WORKED, ids=lambda c: c.name)
def test_worked_figures(case: Worked) -> None:
    desk = Desk(weighted(configured(leverage="20"), *case.weights), facts(case.equity, case.mark, case.listed))
    wanted = desk.cycle(reads(case.tradingview, case.bittensor))
    sized = desk.sized
    assert (wanted.depth, sized.depth) == (d(case.depth), d(case.depth))
    assert sized.leverage == d(case.leverage)
    assert sized.contracts == d(case.contracts)
    assert case.listed.quantity(sized.contracts) == d(case.base_units)
    assert case.listed.notional(sized.contracts, d(case.mark)) == d(case.notional)
    assert sized.below_minimum is case.below_minimum


def test_a_short_is_the_mirror_of_a_long() -> None:
    desk = Desk(configured(), facts(listed=KUCOIN_BTC))
    desk.cycle(reads(say("-0.5", leverage="10"), say("0.4")))
    assert desk.stored == -12


# --- one size ---------------------------------------------------------------------------------------------------------

POLICY = Policy()


def wanted(depth: str = "0.1", leverage: str = "10", inputs_hash: str = "b", **more: object) -> Wanted:
    plain = Wanted(BTC, d(depth), d(leverage), inputs_hash, {}, "as asked", expires_at=NOW + 600)
    return replace(plain, **more)  # type: ignore[arg-type]  # each test names the fields it varies


def stored(contracts: str = "0.02", inputs_hash: str = "a", **more: object) -> Sized:
    depth = d(1) if d(contracts) > 0 else d(-1)
    plain = Sized(7, inputs_hash, d(contracts), d(10), depth, {}, NOW - 60, d(1000), d(50000), "1/0.001")
    return replace(plain, **more)  # type: ignore[arg-type]  # each test names the fields it varies


def sized(want: Wanted, before: Sized | None = None, given: Facts | None = None, policy: Policy = POLICY) -> Sized:
    made = size(want, before, given or facts(), policy, NOW)
    assert isinstance(made, Sized)
    return made


def test_a_size_remembers_what_it_was_made_of() -> None:
    made = sized(wanted())
    assert (made.generation, made.inputs_hash, made.at, made.entry_expires_at) == (1, "b", NOW, NOW + 600)
    assert (made.equity, made.price, made.fingerprint) == (d(1000), d(50000), "1/0.001")
    assert made.contracts == d("0.02")
    assert not made.provisional
    assert "1000 USDT x 0.1 x 10 / 50000 = 0.02 contracts" in made.because


def test_generations_count_up() -> None:
    assert sized(wanted(), stored()).generation == 8


VENUE_MAXIMA = [("100", "10"), ("10", "10"), ("7.5", "7"), ("0.5", "1")]


@pytest.mark.parametrize(("most", "leverage"), VENUE_MAXIMA)
def test_leverage_stays_within_1_and_the_venues_maximum(most: str, leverage: str) -> None:
    made = sized(wanted(), given=facts(listed=instrument(max_leverage=most)))
    assert made.leverage == d(leverage)
    assert made.contracts == d(leverage) * d("0.002")
    assert ("venue maximum" in made.because) == (leverage != "10")


TOWARD_ZERO = [("0.0299", "0.02"), ("-0.0299", "-0.02"), ("0.0200", "0.02"), ("-0.0201", "-0.02")]


@pytest.mark.parametrize(("units", "contracts"), TOWARD_ZERO)
def test_sizes_go_toward_zero_to_the_lot(units: str, contracts: str) -> None:
    depth = d(units) * 50000 / 10 / 1000
    assert sized(wanted(str(depth)), given=facts(listed=instrument(lot="0.01"))).contracts == d(contracts)


TOO_SMALL = [
    ("by size", instrument(minimum="0.021"), True),
    ("exactly the smallest size", instrument(minimum="0.02"), False),
    ("by notional", instrument(min_notional="1000.01"), True),
    ("exactly the smallest notional", instrument(min_notional="1000"), False),
    ("less than a lot, whatever the minimum", instrument(lot="1", minimum="0"), True),
]


@pytest.mark.parametrize(("listed", "small"), [c[1:] for c in TOO_SMALL], ids=[c[0] for c in TOO_SMALL])
def test_below_the_minimum_nothing_is_stored(listed: Instrument, small: bool) -> None:
    made = sized(wanted(), stored("0.5"), facts(listed=listed))
    assert made.below_minimum is small
    assert made.contracts == (d(0) if small else d("0.02"))


def test_what_cannot_be_sold_short_is_flat() -> None:
    listed = instrument(can_short=False)
    assert sized(wanted("-0.1"), given=facts(listed=listed)).contracts == 0
    assert sized(wanted("0.1"), given=facts(listed=listed)).contracts == d("0.02")


# --- the band ---------------------------------------------------------------------------------------------------------

BAND = [
    # stored, wanted depth (0.1 is 0.02 contracts), contracts
    ("0.020", "0.101", "0.020"),  # 1 % more: kept
    ("0.0200", "0.099", "0.0200"),  # 1 % less: kept
    ("0.020", "0.1015", "0.0203"),  # 1.5 % more: taken
    ("0.020", "0.0985", "0.0197"),
    ("-0.020", "-0.101", "-0.020"),
    ("-0.020", "0.1", "0.02"),  # through zero
    ("0.020", "0", "0"),  # flat
    ("0", "0.1", "0.02"),  # from flat
]


@pytest.mark.parametrize(("before", "depth", "contracts"), BAND)
def test_a_size_within_the_band_keeps_what_is_stored(before: str, depth: str, contracts: str) -> None:
    listed = instrument(lot="0.0001", minimum="0.0001")
    made = sized(wanted(depth, leverage="10"), stored(before), facts(listed=listed))
    assert made.contracts == d(contracts)
    assert made.generation == 8


def test_flat_ignores_the_widest_band() -> None:
    wide = replace(POLICY, rebalance_band=d(9))
    assert sized(wanted("0"), stored("0.02"), policy=wide).contracts == 0
    assert sized(wanted("-0.05"), stored("0.02"), policy=wide).contracts == d("-0.01")


def test_a_band_of_0_keeps_only_the_same() -> None:
    strict = replace(POLICY, rebalance_band=d(0))
    assert sized(wanted("0.105"), stored("0.02"), policy=strict).contracts == d("0.021")


def test_the_kept_size_still_carries_the_new_leverage_and_depth() -> None:
    made = sized(wanted("0.2", leverage="5"), stored("0.02"))
    assert (made.contracts, made.leverage, made.depth) == (d("0.02"), d(5), d("0.2"))


# --- only reducing ----------------------------------------------------------------------------------------------------

ONLY_REDUCE = [("0.01", "0.01"), ("0.03", "0.02"), ("-0.03", "0"), ("0", "0")]


@pytest.mark.parametrize(("before", "contracts"), ONLY_REDUCE)
def test_what_may_only_reduce_never_grows_or_flips(before: str, contracts: str) -> None:
    assert sized(wanted(reduce_only="close_only"), stored(before)).contracts == d(contracts)


# --- Unknown ----------------------------------------------------------------------------------------------------------

KNOWN = facts()
UNKNOWN: list[tuple[str, Facts, str]] = [
    ("equity unknown", replace(KNOWN, equity=None, missing="equity could not be read"), "equity could not be read"),
    ("equity unknown, unexplained", replace(KNOWN, equity=None), "equity is unknown"),
    ("equity 0", replace(KNOWN, equity=equity("0")), "equity is 0 USDT"),
    ("equity negative", replace(KNOWN, equity=equity("-5")), "equity is -5 USDT"),
    ("price unknown", replace(KNOWN, price=None), "the price is unknown"),
    ("not listed", replace(KNOWN, instrument=None), "does not list"),
]
each_unknown = pytest.mark.parametrize(("given", "because"), [c[1:] for c in UNKNOWN], ids=[c[0] for c in UNKNOWN])


@each_unknown
def test_nothing_is_sized_on_unknown(given: Facts, because: str) -> None:
    made = sized(wanted("0.9"), stored("0.02"), given)
    assert (made.contracts, made.provisional) == (d("0.02"), True)
    assert because in made.because


@each_unknown
def test_the_first_target_waits_at_flat(given: Facts, because: str) -> None:
    made = sized(wanted("0.9"), None, given)
    assert (made.contracts, made.provisional) == (d(0), True)
    assert because in made.because


@each_unknown
def test_the_other_side_gets_its_closing_leg(given: Facts, because: str) -> None:
    made = sized(wanted("-0.1"), stored("0.02"), given)
    assert (made.contracts, made.provisional) == (d(0), True)
    assert because in made.because


@each_unknown
def test_flat_needs_nothing(given: Facts, because: str) -> None:
    made = sized(wanted("0"), stored("0.02"), given)
    assert (made.contracts, made.provisional, made.below_minimum) == (d(0), False, False)
    assert because not in made.because


@each_unknown
def test_a_provisional_generation_is_not_repeated(given: Facts, because: str) -> None:
    provisional = sized(wanted(), stored("0.02"), given)
    assert needs_size(wanted(), provisional)
    waiting = size(wanted(), provisional, given, POLICY, NOW + 5)
    assert isinstance(waiting, Waiting)
    assert because in waiting.because


@each_unknown
def test_another_opinion_while_waiting_is_taken_up(given: Facts, because: str) -> None:
    provisional = sized(wanted(), stored("0.02"), given)
    flipped = sized(wanted("-0.1", inputs_hash="c"), provisional, given)
    assert (flipped.contracts, flipped.provisional, flipped.generation) == (d(0), True, 9)
    assert because in flipped.because


def test_what_waited_is_sized_once_it_can_be() -> None:
    provisional = sized(wanted(), stored("0.01"), replace(KNOWN, equity=None))
    made = sized(wanted(), provisional)
    assert (made.contracts, made.provisional) == (d("0.02"), False)
    assert not needs_size(wanted(), made)


def test_what_waited_goes_on_waiting_while_a_source_that_fell_silent_would_clamp_it() -> None:
    provisional = sized(wanted(), stored("0"), replace(KNOWN, equity=None))
    silent = Hold(Scope.INCREASES, SymbolState.HELD, "the source is silent")
    frozen = wanted(reduce_only="the source is silent", holds=(silent,))
    made = size(frozen, provisional, KNOWN, POLICY, NOW + 5)
    assert made == Waiting("waiting for its size: the source is silent")
    assert sized(wanted(), provisional).contracts == d("0.02"), "back unchanged, it is sized in full"
    old = wanted(reduce_only="entry too old")
    assert sized(old, provisional).contracts == 0, "what no return of a source ends is settled"


def test_a_size_is_made_once() -> None:
    made = sized(wanted())
    assert not needs_size(wanted(), made)
    assert needs_size(wanted(inputs_hash="c"), made)
    assert not needs_size(replace(wanted(inputs_hash="c"), depth=None), made)


def test_a_source_frozen_while_equity_is_unknown_keeps_its_size() -> None:
    desk = Desk(configured(), facts(listed=KUCOIN_BTC))
    desk.cycle(reads(say("0.5", leverage="10"), say("-0.4")))
    desk.facts = Facts(None, None, None, "nothing can be read")
    desk.cycle(reads(unknown(TV), say("-0.4")), after_s=5)
    assert (desk.generation, desk.stored) == (1, d(12))


def test_the_price_is_the_mark() -> None:
    made = sized(wanted(), given=replace(KNOWN, price=Price(BTC, d(50000), NOW, last=d(40000), bid=d(1), ask=d(2))))
    assert made.contracts == d("0.02")


def test_the_figures_it_was_sized_by_are_kept() -> None:
    made = sized(wanted(), given=replace(KNOWN, equity=Equity(d(500), "USDT", NOW)))
    assert (made.contracts, made.equity) == (d("0.01"), d(500))
    assert made.price == price().mark


def test_equity_in_another_coin_than_the_contract_settles_in_sizes_nothing() -> None:
    made = sized(wanted(), given=replace(KNOWN, equity=Equity(d(500), "USDC", NOW)))
    assert made.provisional
    assert made.contracts == 0
    assert "USDC" in made.because
