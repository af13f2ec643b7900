"""Who counts, how they are scored and what they say together: tables by hand beside the replay of whole lives."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.bittensor import BittensorKeys
from core.domain import Signal
from signal_processors.bittensor_opinion import Opinion, opinions, signals_after
from signal_processors.bittensor_ranking import Figures, figures, power, rank
from tests.unit.bittensor.replies import (
    ASSETS,
    DAY_MS,
    NOW_MS,
    good_miner,
    judged,
    miner,
    position,
    ranked,
    read,
)


def keys(**parameters: object) -> BittensorKeys:
    exact = {name: Decimal(str(value)) if isinstance(value, float) else value for name, value in parameters.items()}
    return BittensorKeys.model_validate(exact)


ANY = keys(min_trades=0, min_profitable_rate=0, min_total_return=-1, max_drawdown_threshold=-1)


def of(*positions: dict[str, Any]) -> Figures:
    found = figures(read({"5A": miner(*positions)})["5A"].positions)
    assert found is not None
    return found


# --- figures ----------------------------------------------------------------------------------------------------------


def test_returns_compound_in_the_order_of_close_and_open_ones_come_last() -> None:
    """Opened first and closed last, and open: -50 % comes before the open gain, after both closed ones."""
    found = of(
        position(3.0, age_h=30, lasts_h=None),
        position(0.5, age_h=20, lasts_h=15),
        position(2.0, age_h=15, lasts_h=1),
        position(1.0, age_h=40, lasts_h=1),
    )
    assert found.total == Decimal("2.0")
    assert found.drawdown == Decimal("-0.5")
    # Were the open one first, or the first opened first, the fall would be another.
    assert of(position(0.5, 30, None), position(2.0, 20, 1), position(2.0, 10, 1)).drawdown == Decimal("-0.5")
    assert of(position(1.5, 30, 25), position(0.4, 20, None), position(1.5, 10, None)).drawdown == Decimal("-0.6")


def test_a_loss_at_once_is_a_drawdown_from_the_beginning() -> None:
    assert of(position(0.9)).drawdown == Decimal("-0.1")


def test_population_deviation() -> None:
    found = of(position(1.01, 30), position(1.03, 20))
    assert found.sharpe == Decimal("0.02") / Decimal("0.01")


@pytest.mark.parametrize("results", [(1.01,), (1.01, 1.01), (1.1, 1.1, 1.1), (1.0003, 1.0003, 1.0003)])
def test_without_a_deviation_sharpe_is_0(results: tuple[float, ...]) -> None:
    assert of(*(position(r, 10.0 + n) for n, r in enumerate(results))).sharpe == 0


@pytest.mark.parametrize(
    ("ages", "expected"),
    [
        ((30, 20), "0"),
        ((30, 20, 10), "1"),
        ((10, 10, 10), "0"),
        ((40, 20, 10), "0.666666666666666667"),
        ((99, 2, 1), "0.020408163265306122"),
        ((100, 4, 3, 2, 1), "0"),
    ],
)
def test_consistency(ages: tuple[float, ...], expected: str) -> None:
    """Of the gaps 20 and 10 the deviation is 5 and the mean 15; of 97 and 1 they are 48 and 49."""
    found = of(*(position(1.01, age, None) for age in ages)).consistency
    assert abs(found - Decimal(expected)) < Decimal("1e-17")


def test_a_position_worth_nothing_is_a_total_loss() -> None:
    found = of(position(0.0, 20), position(2.0, 10))
    assert found.total == found.drawdown == -1
    [only] = ranked(
        {"5A": miner(position(0.0, 20), position(2.0, 10))}, keys(**ANY.model_dump() | {"min_total_return": -1})
    ).left_out.values()
    assert "total return" in only


# --- who counts -------------------------------------------------------------------------------------------------------


def winners(count: int = 12, losers: int = 0, age_h: float = 24.0) -> list[dict[str, Any]]:
    return [position(1.01 if n >= losers else 0.99, age_h + 3 * n) for n in range(count)]


LEFT_OUT: list[tuple[dict[str, Any], dict[str, object], str]] = [
    (miner(*winners(), all_time_returns=1.0), {}, "all-time return 1.0 is not above 1"),
    (miner(*winners(), thirty_day_returns=0.99), {}, "thirty-day return 0.99"),
    (miner(), {}, "no position"),
    (miner(*winners(9)), {}, "9 positions on mapped assets, min_trades is 10"),
    (miner(*winners(10, losers=5)), {}, "0.500 of its positions won"),
    (miner(*winners(10, losers=1)), {"min_total_return": 0.1}, "total return 0.08"),
    (miner(*winners(12, losers=4)), {"max_drawdown_threshold": -0.01}, "drawdown -0.0"),
    (miner(*winners(age_h=14 * 24 + 1.1)), {}, "last traded 14.0 days ago"),
]


@pytest.mark.parametrize(("record", "parameters", "words"), LEFT_OUT)
def test_left_out(record: dict[str, Any], parameters: dict[str, object], words: str) -> None:
    found = ranked({"5A": record, "5B": good_miner()}, keys(**parameters))
    assert words in found.left_out["5A"]
    assert [one.trader.hotkey for one in found.ranked] == ["5B"]
    assert found.ranked[0].weight == 1


KEPT: list[tuple[dict[str, Any], dict[str, object]]] = [
    ({"positions": winners()}, {}),
    ({"positions": winners(), "all_time_returns": None, "thirty_day_returns": None}, {}),
    (miner(*winners(10)), {}),
    (miner(*winners(10, losers=4)), {}),
    (miner(*winners(age_h=14 * 24 + 1)), {}),
    (miner(position(1.01)), {"min_trades": 1}),
    (miner(position(1.01, 5, None), position(1.02, 4, None)), {"min_trades": 2}),
    (miner(*winners(12, losers=3)), {"max_drawdown_threshold": -0.03}),
]


@pytest.mark.parametrize(("record", "parameters"), KEPT)
def test_kept(record: dict[str, Any], parameters: dict[str, object]) -> None:
    assert len(ranked({"5A": record}, keys(**parameters)).ranked) == 1


def test_the_age_counts_from_as_of() -> None:
    reply = {"5A": miner(*winners())}
    assert ranked(reply, as_of_ms=NOW_MS + 12 * DAY_MS).ranked
    assert ranked(reply, as_of_ms=NOW_MS + 14 * DAY_MS).left_out


# --- the score --------------------------------------------------------------------------------------------------------


def test_the_score_of_two_by_hand() -> None:
    a = miner(position(1.02, 50), position(1.01, 40), position(1.03, 30))
    b = miner(position(1.02, 50), position(0.99, 45), position(1.03, 25), position(1.01, 20))
    first, second = ranked({"5B": b, "5A": a}, keys(min_trades=1)).ranked
    assert (first.trader.hotkey, second.trader.hotkey) == ("5A", "5B")
    assert dict(first.terms) == {
        "drawdown": 1, "sharpe": 1, "total": 1, "win rate": 1, "positions": 0, "consistency": 1,
    }  # fmt: skip
    expected = 0.99**6 + 0 + 0 + 0.75**5 + math.log(5) / 5 + 0
    assert abs(float(second.score) - expected) < 1e-12
    assert [round(one.weight, 20) for one in (first, second)] == [round(Decimal(k) / 3, 20) for k in (2, 1)]


def test_equal_traders_share_the_percentile_and_rank_by_hotkey() -> None:
    found = ranked({name: good_miner() for name in ("5C", "5A", "5B")}).ranked
    assert [one.trader.hotkey for one in found] == ["5A", "5B", "5C"]
    assert len({one.score for one in found}) == 1
    assert found[0].terms["total"] == Decimal("0.5")
    assert [round(one.weight, 20) for one in found] == [round(Decimal(k) / 6, 20) for k in (3, 2, 1)]


def test_equal_is_equal_in_whatever_order_the_feed_tells_it() -> None:
    positions = good_miner()["positions"]
    found = ranked({"5A": miner(*positions), "5B": miner(*reversed(positions))}).ranked
    assert found[0].figures == found[1].figures
    assert found[0].score == found[1].score


def test_incentive_multiplies_the_score_only_where_it_is_asked_for_and_known() -> None:
    traders = list(read({"5A": good_miner(), "5B": good_miner()}).values())
    incentives = {"5A": Decimal("0.1"), "5B": Decimal("0.3")}
    plain_scores = [one.score for one in rank(traders, keys(), NOW_MS, incentives).ranked]
    assert len(set(plain_scores)) == 1
    best = rank(traders, keys(incentive_exponent=1), NOW_MS, incentives).ranked
    assert [one.trader.hotkey for one in best] == ["5B", "5A"]
    assert [one.score for one in best] == [plain_scores[0], Decimal(0)]
    assert [one.score for one in rank(traders, keys(incentive_exponent=1), NOW_MS).ranked] == plain_scores


@pytest.mark.parametrize(("base", "exponent", "found"), [("0", "0", 1), ("0", "2", 0), ("4", "0.5", 2), ("1", "6", 1)])
def test_power(base: str, exponent: str, found: int) -> None:
    assert power(Decimal(base), Decimal(exponent)) == found


@settings(max_examples=40, deadline=None)
@given(nets=st.lists(st.floats(-0.5, 0.5).map(lambda x: round(x, 4)), min_size=1, max_size=7))
def test_whatever_they_hold_weights_sum_to_1_and_depth_is_within_it(nets: list[float]) -> None:
    reply = {f"5{n}": good_miner(net) for n, net in enumerate(nets)}
    found = ranked(reply).ranked
    assert abs(sum((one.weight for one in found), Decimal(0)) - 1) < Decimal("1e-30")
    assert [one.rank for one in found] == list(range(1, len(found) + 1))
    depth = judged(reply)["BTCUSD"].depth
    least, most = min(nets), max(nets)
    assert Decimal(str(least)) * 2 - Decimal("1e-6") <= depth <= Decimal(str(most)) * 2 + Decimal("1e-6")


# --- opinions ---------------------------------------------------------------------------------------------------------


def test_what_nobody_holds_is_an_explicit_0_without_a_price() -> None:
    found = judged({"5A": good_miner(0.25)})
    assert found["BTCUSD"].depth == Decimal("0.5")
    assert found["ETHUSD"] == Opinion(Decimal(0), None)
    assert judged({"5A": miner()}) == {asset: Opinion(Decimal(0), None) for asset in ASSETS}


def test_net_is_limited_and_several_open_positions_add_up() -> None:
    past = good_miner()["positions"][:-1]
    one, two = position(1.0, 3, None, leverages=(0.2,)), position(1.0, 2, None, leverages=(0.1,))
    assert judged({"5A": miner(*past, one, two)})["BTCUSD"].depth == Decimal("0.6")
    assert judged({"5A": good_miner(0.7)})["BTCUSD"].depth == 1
    assert judged({"5A": good_miner(-0.7)})["BTCUSD"].depth == -1
    assert judged({"5A": good_miner(0.1)}, keys=keys(leverage_limit_crypto=0.2))["BTCUSD"].depth == Decimal("0.5")


def test_min_trades_per_asset_counts_positions_on_that_asset() -> None:
    past = good_miner(trades=12)["positions"][:-1]
    eth = position(1.0, 2, None, "ETHUSD")
    reply = {"5A": miner(*past, eth)}
    assert judged(reply)["ETHUSD"].depth == Decimal("0.2")
    assert judged(reply, keys=keys(min_trades_per_asset=1))["ETHUSD"].depth == Decimal("0.2")
    assert judged(reply, keys=keys(min_trades_per_asset=2))["ETHUSD"].depth == 0


def test_depth_to_six_decimals_and_price_by_what_each_holds() -> None:
    reply = {"5A": good_miner(0.1), "5B": good_miner(-0.05)}
    for name, price in (("5A", 60_000.0), ("5B", 63_000.0)):
        reply[name]["positions"][-1]["orders"][0]["price"] = price
    found = judged(reply, keys=keys(leverage_limit_crypto=0.3))["BTCUSD"]
    a, b = Decimal(2) / 3 * Decimal("0.1") / Decimal("0.3"), Decimal(1) / 3 * Decimal("-0.05") / Decimal("0.3")
    assert found.depth == (a + b).quantize(Decimal("0.000001"))
    assert found.price is not None
    assert abs(found.price - (a * 60_000 - b * 63_000) / (a - b)) < Decimal("0.0001")
    assert [share.hotkey for share in found.shares] == ["5A", "5B"]
    assert abs(sum(share.contribution for share in found.shares) - (a + b)) < Decimal("1e-20")


def test_opposite_traders_have_a_price_and_no_depth() -> None:
    reply = {"5A": good_miner(0.1), "5B": good_miner(-0.2)}
    found = judged(reply)["BTCUSD"]
    assert found.depth == 0
    assert found.price == 60_000


# --- signals ----------------------------------------------------------------------------------------------------------


def test_the_timestamp_moves_only_with_depth_or_price() -> None:
    first, changed = signals_after({}, {"BTCUSD": Opinion(Decimal("0.5"), Decimal(60_000))}, 10.0)
    assert changed == ("BTCUSD",)
    same, changed = signals_after(first, {"BTCUSD": Opinion(Decimal("0.50"), Decimal("60000.0"))}, 20.0)
    assert (same, changed) == (first, ())
    for opinion in (Opinion(Decimal("0.5"), Decimal(60_001)), Opinion(Decimal("0.4"), Decimal(60_000))):
        moved, changed = signals_after(first, {"BTCUSD": opinion}, 20.0)
        assert moved["BTCUSD"] == Signal(opinion.depth, 20.0, price=opinion.price)
        assert changed == ("BTCUSD",)


def test_a_symbol_that_is_not_mapped_any_more_stays_as_it_was() -> None:
    former = {"SOLUSD": Signal(Decimal("0.1"), 5.0, price=Decimal(150))}
    found, changed = signals_after(former, opinions((), ["BTCUSD"], keys()), 20.0)
    assert found == {**former, "BTCUSD": Signal(Decimal(0), 20.0)}
    assert changed == ("BTCUSD",)
