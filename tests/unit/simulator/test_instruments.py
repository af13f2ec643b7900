"""Listings: facts as recorded, further symbols by rule, and messages that name what is wrong."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from core.domain import floor_to
from core.errors import ConfigError
from simulator.facades import served
from simulator.instruments import load_listings

D = Decimal
REAL = {
    "symbol": "BTCUSDT", "venue_symbol": "XBTUSDTM", "base": "BTC", "quote": "USDT", "settle": "USDT",
    "contract_size": "0.001", "lot": "1", "tick": "0.1", "min_contracts": "1", "max_contracts": "1000",
    "max_market_contracts": "500", "min_notional": "5", "max_leverage": "100", "price": "64000",
}  # fmt: skip
RULE = {"venue_symbol": "{base}{quote}", "quote": "USDT", "settle": "USDT", "min_notional": "5", "max_leverage": "50"}
FILE = {
    "venue": "here",
    "source": "a page",
    "listings": [REAL],
    "rule": RULE,
    "generated": {"TAOUSDT": {"base": "TAO", "price": "420"}, "PEPEUSDT": {"base": "PEPE", "price": "0.0000123"}},
}


def load(tmp_path: Path, file: object) -> list[tuple[str, str, str, str, str, bool]]:
    (tmp_path / "here.json").write_text(json.dumps(file))
    return [
        (
            it.symbol,
            it.instrument.venue_symbol,
            format(it.instrument.lot, "f"),
            format(it.instrument.contract_size, "f"),
            format(it.instrument.tick, "f"),
            it.generated,
        )
        for it in load_listings("here", tmp_path)
    ]


def test_real_and_generated(tmp_path: Path) -> None:
    assert load(tmp_path, FILE) == [
        ("BTCUSDT", "XBTUSDTM", "1", "0.001", "0.1", False),
        ("TAOUSDT", "TAOUSDT", "0.01", "1", "0.01", True),
        ("PEPEUSDT", "PEPEUSDT", "100000", "1", "0.000000001", True),
    ]


def test_rule_with_decimals_makes_the_tick_from_the_lot(tmp_path: Path) -> None:
    rows = load(tmp_path, FILE | {"rule": RULE | {"decimals": "6", "largest_lot": "1"}})
    assert rows[1:] == [
        ("TAOUSDT", "TAOUSDT", "0.01", "1", "0.0001", True),
        ("PEPEUSDT", "PEPEUSDT", "1", "1", "0.000001", True),
    ]


def test_rule_with_a_lot_makes_the_contract_size(tmp_path: Path) -> None:
    rows = load(tmp_path, FILE | {"rule": RULE | {"lot": "1"}})
    assert rows[1:] == [
        ("TAOUSDT", "TAOUSDT", "1", "0.01", "0.01", True),
        ("PEPEUSDT", "PEPEUSDT", "1", "100000", "0.000000001", True),
    ]


BAD = {
    "listings": FILE | {"listings": {}},
    "source": {key: value for key, value in FILE.items() if key != "source"},
    "venue": FILE | {"venue": "elsewhere"},
    r"listings\[0\]: tick": FILE | {"listings": [REAL | {"tick": "0"}]},
    r"listings\[0\]: lot": FILE | {"listings": [REAL | {"lot": 1}]},
    r"listings\[0\]: max_leverage": FILE | {"listings": [{k: v for k, v in REAL.items() if k != "max_leverage"}]},
    "generated.TAOUSDT: price": FILE | {"generated": {"TAOUSDT": {"base": "TAO", "price": "NaN"}}},
    "rule": {key: value for key, value in FILE.items() if key != "rule"},
    "twice": FILE | {"generated": {"BTCUSDT": {"base": "BTC", "price": "1"}}},
}


@pytest.mark.parametrize("where", BAD)
def test_bad_file_names_the_field(tmp_path: Path, where: str) -> None:
    with pytest.raises(ConfigError, match=where):
        load(tmp_path, BAD[where])


@pytest.mark.parametrize("venue", served())
def test_every_venue_lists_enough_and_consistently(venue: str) -> None:
    listings = load_listings(venue)
    assert len(listings) >= 25
    assert any(not it.generated for it in listings)
    assert len({it.instrument.venue_symbol for it in listings}) == len(listings)
    for it in listings:
        facts = it.instrument
        assert it.source
        assert facts.min_contracts <= facts.max_market_contracts <= facts.max_contracts
        assert floor_to(facts.min_contracts, facts.lot) == facts.min_contracts
        assert facts.tick * 100 < it.price
        assert it.min_leverage <= facts.max_leverage
        # one lot is small beside an account, or sizes would mean nothing
        assert facts.notional(facts.lot, it.price) < 100
