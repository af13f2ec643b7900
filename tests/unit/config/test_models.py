"""Every key of the configuration files: what it takes, what it refuses, and in which words."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from config.assemble import policy_of
from config.checks import POLICY_KEYS, Raw, check_engine, check_mappings, check_weights
from config.models import EngineKeys, PolicyKeys
from config.values import number
from core.domain import LeverageFrom, MarginMode, Policy

ALWAYS_WRONG: list[Any] = [[], {}, True, "much", "", "١", "１", "0x10", "1e3", " 1", "1 ", "nan", "-1", -1]
ALWAYS_WRONG += [10**400, Decimal("1E+300")]

# key -> values it takes, then values it refuses beside those that are always wrong
KEYS: dict[str, tuple[list[Any], list[Any]]] = {
    "margin_mode": (["isolated", "cross"], [None, "ISOLATED", "isolate", 1]),
    "drift": (["correct", "reduce_only", "warn"], [None, "off"]),
    "flip": (["close_then_open", "net"], [None]),
    "existing_positions": (["hold", "adopt"], [None]),
    "leverage_from": (["capped", "config", "signal"], [None]),
    "leverage_change": (["when_flat", "close_and_reopen"], [None]),
    "rebalance_band": ([0, Decimal("0.5"), "0.01"], [None, "off", Decimal("0.51"), 1]),
    "max_slippage": ([Decimal("0.2"), "0.001"], [0, None, Decimal("0.21")]),
    "reconcile_interval_s": ([1, Decimal("0.1"), 300], [0, None, 301]),
    "request_deadline_s": ([1, 60], [0, 61]),
    "max_depth": ([1, "0.005"], [0, Decimal("1.01"), None]),
    "max_leverage": ([1, 125, Decimal("2.5")], [0, 126, None, "off"]),
    "max_total_margin": ([1, "0.2"], [0, Decimal("1.1"), None, "off"]),
    "max_gross_exposure": ([1, None, "auto", Decimal("1234.5")], [0, "off"]),
    "max_order_notional": ([1, None, "auto"], [0, "off"]),
    "max_increase_orders_per_minute": ([1, 120], [0, Decimal("1.5"), None]),
    "max_positions": ([1, None, "off"], [0, Decimal("1.5")]),
    "min_book_depth_x": ([None, "off"], [0, 2, Decimal("0.5")]),
    "daily_loss_pct": ([1, 100, None, "off"], [0, 101]),
    "daily_profit_pct": ([1, 500, None, "off"], [0]),
    "kill_loss_pct": ([1, 100, None, "off"], [0, 101]),
    "closeout_timeout_s": ([1, 3600], [0, None]),
    "max_notional_per_hour_x": ([1, 1000], [0, None, "off"]),
    "max_unexplained_changes": ([1, 3], [0, Decimal("2.5"), None]),
    "unexplained_window_s": ([1, 86400], [0, None]),
}


def test_every_policy_key_is_in_the_table() -> None:
    assert set(KEYS) == POLICY_KEYS


@pytest.mark.parametrize("key", KEYS)
def test_policy_key_takes(key: str) -> None:
    for value in KEYS[key][0]:
        for data in ({key: value}, {"accounts": {"bybit-main": {key: value}}}):
            assert check_engine(Raw("engine_config.json", data)).problems == ()


@pytest.mark.parametrize("key", KEYS)
def test_policy_key_refuses(key: str) -> None:
    for value in KEYS[key][1] + ALWAYS_WRONG:
        for path, data in ((key, {key: value}), (f"accounts.a-b.{key}", {"accounts": {"a-b": {key: value}}})):
            checked = check_engine(Raw("engine_config.json", data))
            assert checked.value is None, (key, value)
            assert [problem.where for problem in checked.problems] == [f"engine_config.json: {path}"]


def test_a_limit_that_cannot_be_kept_is_refused_with_what_to_use_instead() -> None:
    (problem,) = check_engine(Raw("engine_config.json", {"min_book_depth_x": 2})).problems
    assert "no venue's order book is read" in str(problem)
    assert "max_slippage" in str(problem)


def test_the_defaults_are_the_cores() -> None:
    assert policy_of(PolicyKeys()) == Policy()


def test_an_override_changes_one_account_and_one_key() -> None:
    data = {"max_depth": "0.5", "drift": "warn", "accounts": {"a-b": {"drift": "correct", "max_positions": 2}}}
    engine = check_engine(Raw("f", data)).value
    assert engine is not None
    assert engine.policies["a-b"] == engine.policy.model_copy(update={"drift": "correct", "max_positions": 2})
    assert engine.policies["a-b"].max_depth == Decimal("0.5")


def test_an_override_back_to_the_default_counts() -> None:
    engine = check_engine(Raw("f", {"daily_loss_pct": 5, "accounts": {"a-b": {"daily_loss_pct": 10}}})).value
    assert engine is not None
    assert engine.policies["a-b"].daily_loss_pct == 10


SECTIONS: list[tuple[Any, str]] = [
    ([], ""),
    (None, ""),
    ("x", ""),
    ({"sources": []}, "sources"),
    ({"sources": {"tradingview": 1}}, "sources.tradingview"),
    ({"sources": {"Trading View": {}}}, "sources.Trading View"),
    ({"sources": {"tradingview": {"enabled": "yes"}}}, "sources.tradingview.enabled"),
    ({"sources": {"tradingview": {"enabled": 1}}}, "sources.tradingview.enabled"),
    ({"sources": {"tradingview": {"on_disable": "keep"}}}, "sources.tradingview.on_disable"),
    ({"sources": {"tradingview": {"entry_max_age_s": 0}}}, "sources.tradingview.entry_max_age_s"),
    ({"sources": {"bittensor": {"staleness_s": "2 min"}}}, "sources.bittensor.staleness_s"),
    ({"accounts": []}, "accounts"),
    ({"accounts": {"Bybit Main": {}}}, "accounts.Bybit Main"),
    ({"accounts": {"ab": {}}}, "accounts.ab"),
    ({"accounts": {"a" * 41: {}}}, "accounts." + "a" * 41),
    ({"accounts": {"bybit-main": "live"}}, "accounts.bybit-main"),
    ({"accounts": {"bybit-main": {"mode": "paper"}}}, "accounts.bybit-main.mode"),
    ({"accounts": {"bybit-main": {"scale": 11}}}, "accounts.bybit-main.scale"),
    ({"accounts": {"bybit-main": {"leverage": "x"}}}, "accounts.bybit-main.leverage"),
    ({"accounts": {"bybit-main": {"leverage": {"BTCUSDT": None}}}}, "accounts.bybit-main.leverage"),
    ({"accounts": {"bybit-main": {"leverage": {"btc usd": 3}}}}, "accounts.bybit-main.leverage"),
    ({"accounts": {"bybit-main": {"symbols": "BTCUSDT"}}}, "accounts.bybit-main.symbols"),
    ({"accounts": {"bybit-main": {"symbols": ["btc/usdt"]}}}, "accounts.bybit-main.symbols[0]"),
    ({"dedup": {"ttl_s": 0}}, "dedup.ttl_s"),
    ({"dedup": {"keys": "symbol"}}, "dedup.keys"),
    ({"dedup": {"keys": [1]}}, "dedup.keys[0]"),
    ({"tradingview_endpoint": {"port": 0}}, "tradingview_endpoint.port"),
    ({"tradingview_endpoint": {"port": 65536}}, "tradingview_endpoint.port"),
    ({"tradingview_endpoint": {"host": "a b"}}, "tradingview_endpoint.host"),
    ({"tradingview_endpoint": {"trusted_proxies": ["10.0.0.1/8"]}}, "tradingview_endpoint.trusted_proxies[0]"),
    ({"control_api": {"port": "8080.5"}}, "control_api.port"),
]


@pytest.mark.parametrize(("data", "field"), SECTIONS)
def test_section_refuses(data: Any, field: str) -> None:
    checked = check_engine(Raw("engine_config.json", data))
    assert checked.value is None
    assert [p.where for p in checked.problems] == [f"engine_config.json: {field}" if field else "engine_config.json"]


def test_sources_keep_their_own_defaults() -> None:
    keys = EngineKeys.model_validate({"sources": {"tradingview": {"staleness_s": 5}, "mine": {"entry_max_age_s": 7}}})
    found = [(keys.source(name).entry_max_age_s, keys.source(name).staleness_s) for name in ("tradingview", "mine")]
    assert found == [(600.0, 5.0), (7.0, None)]
    assert keys.source("bittensor").staleness_s == 120.0
    off = EngineKeys.model_validate({"sources": {"tradingview": {"entry_max_age_s": "off"}}})
    assert off.source("tradingview").entry_max_age_s is None


UNKNOWN_KEYS: list[tuple[Any, str, str]] = [
    ({"max_levrage": 3}, "max_levrage", "did you mean max_leverage?"),
    ({"sources": {"tradingview": {"staleness": 3}}}, "sources.tradingview.staleness", "did you mean staleness_s?"),
    ({"accounts": {"a-b": {"mod": "live"}}}, "accounts.a-b.mod", "did you mean mode?"),
    ({"accounts": {"a-b": {"max_depht": 1}}}, "accounts.a-b.max_depht", "did you mean max_depth?"),
    ({"dedup": {"ttl": 3}}, "dedup.ttl", "did you mean ttl_s?"),
    ({"control_api": {"colour": 3}}, "control_api.colour", "known here: host, port"),
    ({"tradingview_endpoint": {"prot": 3}}, "tradingview_endpoint.prot", "did you mean port?"),
]


@pytest.mark.parametrize(("data", "field", "hint"), UNKNOWN_KEYS)
def test_unknown_key_is_kept_and_named(data: Any, field: str, hint: str) -> None:
    checked = check_engine(Raw("engine_config.json", data))
    assert checked.value is not None
    (warning,) = checked.warnings
    assert warning.where == f"engine_config.json: {field}"
    assert hint in warning.problem


SHARES = [{"source": "tradingview", "weight": 0}]
GOOD: dict[str, Any] = {"symbol": "BTCUSDT", "leverage": 3, "sources": SHARES}
WEIGHTS: list[tuple[Any, list[str]]] = [
    ({}, [""]),
    ([1], ["[0]"]),
    ([{"symbol": "BTCUSDT"}], ["[0].leverage", "[0].sources"]),
    ([GOOD | {"symbol": "btcusdt"}], ["[0].symbol"]),
    ([GOOD | {"symbol": "B"}], ["[0].symbol"]),
    ([GOOD | {"symbol": "BTC USDT"}], ["[0].symbol"]),
    ([GOOD | {"symbol": "Ｂ1"}], ["[0].symbol"]),
    ([GOOD | {"leverage": "three"}], ["[0].leverage"]),
    ([GOOD | {"leverage": True}], ["[0].leverage"]),
    ([GOOD | {"leverage": None}], ["[0].leverage"]),
    ([GOOD | {"sources": {}}], ["[0].sources"]),
    ([GOOD | {"sources": [{"source": "tradingview"}]}], ["[0].sources[0].weight"]),
    ([GOOD | {"sources": [{"source": "Trading View", "weight": 0}]}], ["[0].sources[0].source"]),
    ([GOOD | {"sources": [{"source": "tradingview", "weight": Decimal("-0.1")}]}], ["[0].sources[0].weight"]),
    ([GOOD | {"sources": [{"source": "tradingview", "weight": Decimal("1.1")}]}], ["[0].sources[0].weight"]),
    ([GOOD | {"sources": [{"source": "tradingview", "weight": "١"}]}], ["[0].sources[0].weight"]),
    ([GOOD | {"sources": SHARES + SHARES}], ["[0].sources[1].source"]),
    ([GOOD, GOOD | {"symbol": "ETHUSDT"}, GOOD], ["[2].symbol"]),
    (
        [GOOD | {"sources": [{"source": s, "weight": Decimal("0.51")} for s in ("tradingview", "bittensor")]}],
        ["[0].sources"],
    ),
]


@pytest.mark.parametrize(("data", "fields"), WEIGHTS)
def test_weights_refuse(data: Any, fields: list[str]) -> None:
    checked = check_weights(Raw("w.json", data))
    assert checked.value is None
    assert [p.where for p in checked.problems] == [f"w.json: {field}" if field else "w.json" for field in fields]


def test_weights_take_exact_decimals_and_keep_what_they_do_not_know() -> None:
    shares = [{"source": s, "weight": Decimal("0.1"), "note": "x"} for s in "abcdefghij"]
    checked = check_weights(Raw("w.json", [GOOD | {"sources": shares, "comment": "mine"}]))
    assert checked.value is not None
    assert sum(share.weight for share in checked.value[0].sources) == 1
    assert checked.value[0].model_extra == {"comment": "mine"}
    assert check_weights(Raw("w.json", [])).value == ()


MAPPINGS: list[tuple[Any, list[str]]] = [
    ([], [""]),
    ({"tradingview": []}, ["tradingview"]),
    ({"Trading View": {}}, ["Trading View"]),
    ({"tradingview": {"BTCUSDT": None}}, ["tradingview.BTCUSDT"]),
    ({"tradingview": {"BTCUSDT": "btcusdt"}}, ["tradingview.BTCUSDT"]),
    ({"tradingview": {"": "BTCUSDT"}}, ["tradingview."]),
    ({"tradingview": {"BTC USDT": "BTCUSDT"}}, ["tradingview.BTC USDT"]),
    ({"tradingview": {"A": "BTCUSDT", "B": "ETHUSDT", "C": "BTCUSDT"}}, ["tradingview.C"]),
]


@pytest.mark.parametrize(("data", "fields"), MAPPINGS)
def test_mappings_refuse(data: Any, fields: list[str]) -> None:
    checked = check_mappings(Raw("m.json", data))
    assert checked.value is None
    assert [p.where for p in checked.problems] == [f"m.json: {field}" if field else "m.json" for field in fields]


def test_two_sources_may_share_a_target() -> None:
    data = {"tradingview": {"BTCUSDT": "BTCUSDT"}, "bittensor": {"BTC/USD": "BTCUSDT"}}
    assert check_mappings(Raw("m.json", data)).value == data


def test_every_problem_says_what_to_do_or_what_would_be_right() -> None:
    helpful = ("must", "add", "remove", "keep", "write", "lower", "change", "at most")
    cases = [check_engine(Raw("f", data)) for data, _ in SECTIONS]
    cases += [check_engine(Raw("f", {key: value})) for key in KEYS for value in KEYS[key][1] + ALWAYS_WRONG]
    problems = [p for case in cases for p in case.problems]
    problems += [p for data, _ in WEIGHTS for p in check_weights(Raw("f", data)).problems]
    problems += [p for data, _ in MAPPINGS for p in check_mappings(Raw("f", data)).problems]
    assert len(problems) > 400
    assert not [str(p) for p in problems if not any(word in p.problem for word in helpful)]
    assert not [str(p) for p in problems if len(str(p)) > 400]


@given(st.decimals() | st.integers() | st.text(max_size=30) | st.booleans() | st.none())
def test_number_is_exact_or_refused(value: object) -> None:
    try:
        exact = number(value)
    except ValueError:
        return
    assert exact.is_finite()
    assert abs(exact) < 10**15
    assert exact == (Decimal(value) if isinstance(value, int | str | Decimal) else None)


def test_policy_words_are_the_cores() -> None:
    assert {word.value for word in LeverageFrom} == set(KEYS["leverage_from"][0])
    assert {word.value for word in MarginMode} == set(KEYS["margin_mode"][0])


def test_models_never_show_input() -> None:
    with pytest.raises(ValidationError) as found:
        EngineKeys.model_validate({"sources": "canary"})
    assert "canary" not in str(found.value)
