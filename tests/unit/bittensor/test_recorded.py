"""Real positions, and generated traders, replayed: the depths are those of a second, independent calculation.

The recording lies beside the checkout and is not part of it; without it only the generated traders are replayed.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from config.bittensor import BittensorKeys
from config.home import CHECKOUT
from simulator.feed.lives import generated, reply_at
from tests.unit.bittensor.reference import opinion
from tests.unit.bittensor.replies import ASSETS, NOW_MS, judged

RECORDING = CHECKOUT.parent / "shared" / "recorded" / "sn8" / "positions_5GhCxfBc.json"
needs_recording = pytest.mark.skipif(not RECORDING.exists(), reason=f"no recorded positions at {RECORDING}")
DAY_MS = 86_400_000

# The recorded trader won less often and had fewer trades in its first weeks than the defaults ask for.
LENIENT = {"min_trades": 1, "min_profitable_rate": 0, "min_total_return": -1, "max_drawdown_threshold": -1}
STRICTER = {"min_trades_per_asset": 5, "max_trade_age_days": 3, "leverage_limit_crypto": 0.1}


def recorded() -> dict[str, Any]:
    """The recording as a reply of the feed: its miners by hotkey, without the miner-level fields it does not have."""
    reply: dict[str, Any] = {}
    for text in json.loads(RECORDING.read_text()):
        position = json.loads(text)
        reply.setdefault(position["miner_hotkey"], {"positions": []})["positions"].append(position)
    return reply


def moments(reply: dict[str, Any]) -> list[int]:
    """Every instant at which something happens: each order, each opening, each close."""
    found = set()
    for miner in reply.values():
        for position in miner["positions"]:
            found |= {position["open_ms"], *(order["processed_ms"] for order in position["orders"])}
            found |= {position["close_ms"]} if position["close_ms"] else set()
    return sorted(found)


def keys(**parameters: float) -> BittensorKeys:
    return BittensorKeys.model_validate({name: Decimal(str(value)) for name, value in parameters.items()})


def check(reply: dict[str, Any], assets: tuple[str, ...], as_of_ms: int, **parameters: float) -> dict[str, Decimal]:
    """Asserts that program and reference agree; returns the depths."""
    ours = judged(reply, as_of_ms, assets, keys(**parameters))
    theirs = opinion(reply, list(assets), as_of_ms, **parameters)
    for asset in assets:
        depth, price = theirs[asset]
        # A float's last digit may round the sixth decimal the other way; two units of it would be another depth.
        assert abs(ours[asset].depth - Decimal(repr(depth))) < Decimal("0.0000015"), (asset, as_of_ms)
        found = ours[asset].price
        assert (found is None) == (price is None), (asset, as_of_ms)
        assert found is None or price is None or abs(float(found) / price - 1) < 1e-9, (asset, as_of_ms)
    return {asset: ours[asset].depth for asset in assets}


@needs_recording
@pytest.mark.parametrize("parameters", [LENIENT, LENIENT | STRICTER, {}], ids=["lenient", "stricter", "defaults"])
def test_recorded_positions_order_by_order(parameters: dict[str, float]) -> None:
    reply = recorded()
    assert sum(len(position["orders"]) for miner in reply.values() for position in miner["positions"]) == 331
    everything = {p["trade_pair"][0] for miner in reply.values() for p in miner["positions"]}
    assets = tuple(sorted(everything)) if parameters is LENIENT else (*ASSETS, "AUDUSD", "CADCHF")
    depths = [check(reply, assets, at_ms, **parameters) for at_ms in moments(reply)]
    held = {asset: {one[asset] for one in depths} for asset in assets}
    assert len(held["BTCUSD"]) > 3
    assert all(Decimal(0) in of for of in held.values())
    assert any(depth < 0 for of in held.values() for depth in of)


@needs_recording
def test_recorded_cryptos_alone() -> None:
    reply = recorded()
    depths = [check(reply, ASSETS, at_ms, **LENIENT) for at_ms in moments(reply)]
    assert max(one["BTCUSD"] for one in depths) > Decimal("0.5")


@pytest.mark.parametrize("seed", range(4))
def test_many_generated_traders_over_time(seed: int) -> None:
    lives = generated(seed, 17, NOW_MS)
    depths = []
    for hours in (0.0, 0.02, 0.1, 0.5, 3.0, 30.0, 24.0 * 20):
        at_ms = NOW_MS + round(hours * 3_600_000)
        reply = json.loads(json.dumps(reply_at(lives, at_ms)))
        for parameters in ({}, {"min_trades": 30, "sharpe_exponent": 0.5}, LENIENT):
            depths += [check(reply, ASSETS, at_ms, **parameters)["BTCUSD"]]
    assert len(set(depths)) > 7


def test_a_later_reply_cut_to_an_instant_says_what_was_said_then() -> None:
    """Orders and closes after an instant change nothing of its depth: only returns of positions still open may."""
    lives = generated(3, 9, NOW_MS)
    later = json.loads(json.dumps(reply_at(lives, NOW_MS + 40 * 3_600_000)))
    for hours in (1, 7, 20):
        check(later, ASSETS, NOW_MS + hours * 3_600_000, **LENIENT)
