"""The source's formulas a second time, written from its specification alone, in plain floats and lists.

Nothing here knows the program. A reply is the JSON object of the feed; the answer is depth and price by asset. Slow,
direct, one formula to a line, so that it can be read beside docs/bittensor.md.
"""

from __future__ import annotations

import math
import statistics
from typing import Any

DEFAULTS: dict[str, float] = {
    "min_trades": 10,
    "max_drawdown_threshold": -0.5,
    "min_profitable_rate": 0.6,
    "min_total_return": 0.0,
    "drawdown_exponent": 6,
    "sharpe_exponent": 2,
    "profitable_rate_exponent": 5,
    "position_count_divisor": 5,
    "min_trades_per_asset": 0,
    "max_trade_age_days": 14,
    "leverage_limit_crypto": 0.5,
}


def positions_as_of(miner: dict[str, Any], assets: list[str], as_of_ms: int) -> list[dict[str, Any]]:
    """Drops orders and positions after as-of; a position closed later counts as open with its current_return."""
    found = []
    for position in miner["positions"]:
        if position["trade_pair"][0] not in assets or position["open_ms"] > as_of_ms:
            continue
        orders = [order for order in position["orders"] if order["processed_ms"] <= as_of_ms]
        closed = position["is_closed_position"] and position["close_ms"] <= as_of_ms
        r = (position["return_at_close"] if closed else position["current_return"]) - 1
        found.append({**position, "orders": orders, "closed": closed, "r": r})
    return found


def newest_ms(positions: list[dict[str, Any]]) -> int:
    stamps = [order["processed_ms"] for position in positions for order in position["orders"]]
    stamps += [position["close_ms"] for position in positions if position["closed"]]
    return int(max(stamps))


def drawdown(positions: list[dict[str, Any]]) -> float:
    closed = sorted((p for p in positions if p["closed"]), key=lambda p: p["close_ms"])
    still_open = sorted((p for p in positions if not p["closed"]), key=lambda p: p["open_ms"])
    e = highest = 1.0
    lowest = 0.0
    for position in closed + still_open:
        e = e * (1 + float(position["r"]))
        highest = max(highest, e)
        lowest = min(lowest, e / highest - 1)
    return lowest


def sharpe(rs: list[float]) -> float:
    if len(rs) < 2 or len(set(rs)) == 1:
        return 0.0
    return float(statistics.fmean(rs) / statistics.pstdev(rs))


def consistency(positions: list[dict[str, Any]]) -> float:
    opened = sorted(position["open_ms"] for position in positions)
    if len(opened) < 3:
        return 0.0
    gaps = [opened[i + 1] - opened[i] for i in range(len(opened) - 1)]
    mean = sum(gaps) / len(gaps)
    if mean == 0:
        return 0.0
    return 1 - min(1.0, float(statistics.pstdev(gaps) / mean))


def kept(miner: dict[str, Any], positions: list[dict[str, Any]], p: dict[str, float], as_of_ms: int) -> bool:
    for name in ("all_time_returns", "thirty_day_returns"):
        if miner.get(name) is not None and miner[name] <= 1:
            return False
    n = len(positions)
    if n == 0 or n < p["min_trades"]:
        return False
    if as_of_ms - newest_ms(positions) > p["max_trade_age_days"] * 24 * 3600 * 1000:
        return False
    if sum(1 for position in positions if position["r"] > 0) / n < p["min_profitable_rate"]:
        return False
    if math.prod(1 + position["r"] for position in positions) - 1 <= p["min_total_return"]:
        return False
    deepest: float = drawdown(positions)
    return deepest >= p["max_drawdown_threshold"]


def pct(x: float, everybody: list[float]) -> float:
    if len(everybody) == 1:
        return 1.0
    less = sum(1 for y in everybody if y < x)
    equal_others = sum(1 for y in everybody if y == x) - 1
    return (less + equal_others / 2) / (len(everybody) - 1)


def weights(miners: dict[str, list[dict[str, Any]]], p: dict[str, float]) -> dict[str, float]:
    """Weight by hotkey of those kept."""
    sharpes = {name: sharpe([x["r"] for x in positions]) for name, positions in miners.items()}
    totals = {name: math.prod(1 + x["r"] for x in positions) - 1 for name, positions in miners.items()}
    counts = {name: float(len(positions)) for name, positions in miners.items()}
    evenness = {name: consistency(positions) for name, positions in miners.items()}
    score = {}
    for name, positions in miners.items():
        win_rate = sum(1 for x in positions if x["r"] > 0) / len(positions)
        score[name] = (
            (1 + drawdown(positions)) ** p["drawdown_exponent"]
            + pct(sharpes[name], list(sharpes.values())) ** p["sharpe_exponent"]
            + pct(totals[name], list(totals.values()))
            + win_rate ** p["profitable_rate_exponent"]
            + pct(counts[name], list(counts.values())) * math.log(1 + counts[name]) / p["position_count_divisor"]
            + pct(evenness[name], list(evenness.values()))
        )
    ranked = sorted(score, key=lambda name: (-score[name], name))
    n = len(ranked)
    return {name: (n + 1 - k) / (n * (n + 1) / 2) for k, name in enumerate(ranked, start=1)}


def net_and_entry(positions: list[dict[str, Any]], limit: float) -> tuple[float, float | None]:
    """A miner's net on an asset in [-1, 1], and its average entry."""
    leverage = size = value = 0.0
    for position in positions:
        if position["closed"] or any(order["order_type"] == "FLAT" for order in position["orders"]):
            continue
        net = 0.0
        for order in position["orders"]:
            if abs(net + order["leverage"]) > abs(net):
                size += abs(order["leverage"])
                value += abs(order["leverage"]) * order["price"]
            net += order["leverage"]
        leverage += net
    return max(-limit, min(limit, leverage)) / limit, value / size if size else None


def opinion(
    reply: dict[str, Any], assets: list[str], as_of_ms: int, **parameters: float
) -> dict[str, tuple[float, float | None]]:
    """Depth (6 decimals) and price of every asset."""
    p = DEFAULTS | parameters
    all_positions = {name: positions_as_of(miner, assets, as_of_ms) for name, miner in reply.items()}
    good = {name: own for name, own in all_positions.items() if kept(reply[name], own, p, as_of_ms)}
    weight = weights(good, p) if good else {}
    found: dict[str, tuple[float, float | None]] = {}
    for asset in assets:
        depth = whole = value = 0.0
        for name, positions in good.items():
            on_asset = [position for position in positions if position["trade_pair"][0] == asset]
            if len(on_asset) < max(p["min_trades_per_asset"], 1):
                continue
            net, entry = net_and_entry(on_asset, p["leverage_limit_crypto"])
            depth += weight[name] * net
            if entry is not None and net:
                whole += abs(weight[name] * net)
                value += abs(weight[name] * net) * entry
        found[asset] = (round(max(-1.0, min(1.0, depth)), 6), value / whole if whole else None)
    return found
