"""What only the whole set of files shows, and what becomes of it in the core's words."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from config.assemble import Assembled, FileSet, KnownAccount, assemble
from config.checks import Checked, Raw
from config.models import AccountEntry
from core.domain import (
    AccountId,
    AccountMode,
    AccountSettings,
    DriftPolicy,
    MarginMode,
    OnDisable,
    SourceName,
    SourceSettings,
    Symbol,
)
from tests.unit.config.house import BITTENSOR, BYBIT, MAPPINGS, TRADINGVIEW

BTC = Symbol("BTCUSDT")
SECOND = KnownAccount(AccountId("bybit-second"), "bybit", "second")


def entry(symbol: str = "BTCUSDT", leverage: object = 3, **weights: str) -> dict[str, Any]:
    shares = [{"source": source, "weight": Decimal(weight)} for source, weight in weights.items()]
    return {"symbol": symbol, "leverage": leverage, "sources": shares}


def put_together(
    weights: object = (),
    engine: object = None,
    mappings: object = MAPPINGS,
    known: Sequence[KnownAccount] | None = (BYBIT, SECOND),
) -> Checked[Assembled]:
    files = FileSet(
        Raw("m.json", mappings),
        Raw("w.json", list(weights) if isinstance(weights, tuple) else weights),
        None if engine is None else Raw("e.json", engine),
    )
    return assemble(files, known)


def account(engine: object, known: KnownAccount = BYBIT) -> AccountSettings:
    found = put_together(engine=engine, known=(known,)).value
    assert found is not None
    return found.settings.accounts[known.account]


def test_weights_and_mappings_reach_the_core_in_order() -> None:
    weights = (entry("ETHUSDT", 5, bittensor="0.15"), entry("BTCUSDT", "2.5", tradingview="0.1", bittensor="0"))
    found = put_together(weights).value
    assert found is not None
    settings = found.settings
    assert list(settings.weights) == ["ETHUSDT", "BTCUSDT"]
    assert settings.weights[BTC].leverage == Decimal("2.5")
    assert settings.weights[BTC].weights == {TRADINGVIEW: Decimal("0.1"), BITTENSOR: Decimal(0)}
    assert settings.mappings[BITTENSOR] == {"BTCUSD": "BTCUSDT"}
    assert settings.source(TRADINGVIEW) == SourceSettings(entry_max_age_s=600.0)
    assert settings.source(BITTENSOR) == SourceSettings(staleness_s=120.0)


def test_sources_reach_the_core() -> None:
    engine = {"sources": {"bittensor": {"enabled": False, "on_disable": "hold"}, "mine": {"staleness_s": 7}}}
    found = put_together(engine=engine).value
    assert found is not None
    assert found.settings.source(BITTENSOR) == SourceSettings(False, OnDisable.HOLD, None, 120.0)
    assert found.settings.source(SourceName("mine")) == SourceSettings(staleness_s=7.0)


def test_every_known_account_is_there_configured_or_not() -> None:
    found = put_together(engine={"accounts": {"bybit-main": {"mode": "close_only"}}}).value
    assert found is not None
    modes = {name: account.mode for name, account in found.settings.accounts.items()}
    assert modes == {"bybit-main": AccountMode.CLOSE_ONLY, "bybit-second": AccountMode.LIVE}
    assert put_together().value is not None
    nobody = put_together(known=None, engine={"accounts": {"bybit-man": {}}})
    assert nobody.value is not None
    assert (nobody.warnings, nobody.value.settings.accounts) == ((), {})


def test_account_settings_are_laid_over_older_ones_and_over_the_common_policy() -> None:
    older = KnownAccount(
        BYBIT.account, "bybit", "main", AccountEntry.model_validate({"scale": "0.5", "leverage": 4}), MarginMode.CROSS
    )
    assert account({}, older).scale == Decimal("0.5")
    assert account({}, older).leverage == {"*": 4}
    assert account({}, older).policy.margin_mode is MarginMode.CROSS
    engine = {
        "margin_mode": "isolated",
        "drift": "warn",
        "accounts": {
            "bybit-main": {
                "scale": 1,
                "margin_mode": "isolated",
                "symbols": ["BTCUSDT"],
                "max_positions": 3,
                "daily_loss_pct": "off",
                "leverage": {"BTCUSDT": 2, "*": 7},
            }
        },
    }
    found = account(engine, older)
    assert found.scale == 1
    assert found.leverage == {"BTCUSDT": 2, "*": 7}
    assert found.symbols == frozenset({BTC})
    assert found.policy.margin_mode is MarginMode.ISOLATED
    assert found.policy.drift is DriftPolicy.WARN
    assert found.policy.max_positions == 3
    assert found.policy.trips.daily_loss_pct is None
    assert account({"accounts": {"bybit-main": {"mode": "live"}}}, older).scale == Decimal("0.5")


REFUSED: list[tuple[dict[str, Any], list[str]]] = [
    ({"weights": (entry(leverage=0),)}, ["w.json: [0].leverage"]),
    ({"weights": (entry(leverage="0.5"),)}, ["w.json: [0].leverage"]),
    ({"weights": (entry(leverage=21),)}, ["w.json: [0].leverage"]),
    ({"weights": (entry(), entry("ETHUSDT", 6)), "engine": {"max_leverage": 5}}, ["w.json: [1].leverage"]),
    ({"engine": {"accounts": {"bybit-main": {"leverage": 21}}}}, ["e.json: accounts.bybit-main.leverage"]),
    ({"engine": {"accounts": {"bybit-main": {"leverage": {"BTCUSDT": 0}}}}}, ["e.json: accounts.bybit-main.leverage"]),
    (
        {"engine": {"accounts": {"bybit-main": {"leverage": 6, "max_leverage": 5}}}},
        ["e.json: accounts.bybit-main.leverage"],
    ),
    ({"engine": {"accounts": {"x-y": {"leverage": 21}}}}, ["e.json: accounts.x-y.leverage"]),
    (
        {"engine": {"accounts": {"bybit-main": {"symbols": ["BTCUSDT", "BTCUSDT"]}}}},
        ["e.json: accounts.bybit-main.symbols"],
    ),
    ({"weights": {}, "mappings": [], "engine": {"flip": 1}}, ["m.json", "w.json", "e.json: flip"]),
]


@pytest.mark.parametrize(("files", "where"), REFUSED)
def test_whole_set_refuses(files: dict[str, Any], where: list[str]) -> None:
    checked = put_together(**files)
    assert checked.value is None
    assert [problem.where for problem in checked.problems] == where


def test_an_account_may_go_beyond_the_common_leverage_limit_and_below_it() -> None:
    engine = {"accounts": {"bybit-main": {"leverage": 50, "max_leverage": 50}, "bybit-second": {"max_leverage": 2}}}
    assert put_together((entry(leverage=3),), engine).problems == ()


WARNED: list[tuple[dict[str, Any], str, str]] = [
    (
        {"engine": {"accounts": {"bybit-man": {"mode": "disabled"}}}},
        "e.json: accounts.bybit-man",
        "is not one of the accounts (bybit-main, bybit-second) and has no effect; did you mean bybit-main?",
    ),
    ({"engine": {"accounts": {"kraken-x": {}}}}, "e.json: accounts.kraken-x", "add it to credentials.json"),
    (
        {"weights": (entry(tradingvew="0.1"),)},
        "w.json: [0].sources[0].source",
        "tradingvew has a weight for BTCUSDT but no mapping to it, so it has no say; did you mean tradingview?",
    ),
    ({"weights": (entry("ETHUSDT", bittensor="0.1"),)}, "w.json: [0].sources[0].source", "add one to m.json"),
    (
        {"weights": (entry(),), "engine": {"accounts": {"bybit-main": {"symbols": ["BTCUSD"]}}}},
        "e.json: accounts.bybit-main.symbols",
        "did you mean BTCUSDT?",
    ),
    (
        {"weights": (entry(),), "engine": {"accounts": {"bybit-main": {"leverage": {"XRPUSDT": 3, "*": 2}}}}},
        "e.json: accounts.bybit-main.leverage",
        "XRPUSDT is not in w.json and has no effect",
    ),
]


@pytest.mark.parametrize(("files", "where", "words"), WARNED)
def test_what_has_no_effect_is_said_and_refuses_nothing(files: dict[str, Any], where: str, words: str) -> None:
    checked = put_together(**files)
    assert checked.value is not None
    (warning,) = checked.warnings
    assert warning.where == where
    assert words in warning.problem


def test_a_weight_of_zero_needs_no_mapping() -> None:
    assert put_together((entry("ETHUSDT", bittensor="0"),)).warnings == ()
