"""Several accounts on several venues, side by side: modes, scales, shared public data, and nobody waits for another."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from decimal import Decimal

import pytest

from account_processors import REGISTRY
from core.domain import AccountId, AccountMode, Symbol
from core.events import OrderAcked, OrderSent, PositionVerified
from simulator.instruments import load_listings
from tests.scenario.fleet import Fleet
from tests.scenario.rig import BTC, ETH

EVERYWHERE = {venue: 2 if venue == "bybit" else 1 for venue in REGISTRY}
SETTLED_S = 20.0
BOTH = (BTC, ETH)
LOT = Decimal("0.001")
"""Of Bitcoin on Bybit; an account may be sized a moment later than another."""


def sent(fleet: Fleet, account: str) -> list[OrderSent]:
    return [e for e in fleet.events if isinstance(e, OrderSent) and e.account == account]


def test_all_venues_converge_side_by_side() -> None:
    fleet = Fleet(EVERYWHERE)

    async def story() -> None:
        async with fleet.running():
            fleet.say({BTC: "0.5", ETH: "-0.5"})
            everybody = tuple(fleet.places)
            await fleet.until(lambda: all(fleet.there(a) and fleet.there(a, ETH, -1) for a in everybody), SETTLED_S)
            fleet.say({BTC: "0"})
            await fleet.until(lambda: all(fleet.there(a, sign=0) for a in everybody), SETTLED_S)
        assert len(fleet.places) == len(REGISTRY) + 1
        assert fleet.over_limit() == 0

    fleet.run(story())


def test_modes_of_accounts_beside_each_other_change_at_once() -> None:
    """On one venue: live acts, close_only only downwards, dry_run shows a plan, disabled does nothing."""
    fleet = Fleet({"bybit": 4})
    live, closing, dry, off = fleet.places

    async def story() -> None:
        fleet.account_settings(dry, mode=AccountMode.DRY_RUN)
        fleet.account_settings(off, mode=AccountMode.DISABLED)
        async with fleet.running():
            fleet.say({BTC: "0.5"})
            await fleet.until(lambda: fleet.there(live) and fleet.there(closing), SETTLED_S)
            fleet.account_settings(closing, mode=AccountMode.CLOSE_ONLY)
            before = fleet.held(closing)
            fleet.say({BTC: "0.8"})
            await fleet.until(lambda: fleet.there(live) and fleet.held(live) > before, SETTLED_S)
            await asyncio.sleep(5)
            assert fleet.held(closing) == before
            fleet.say({BTC: "0.2"})
            await fleet.until(lambda: fleet.held(live) < before and fleet.held(closing) < before, SETTLED_S)
            assert fleet.held(closing) == fleet.held(live)
            assert not sent(fleet, dry)
            assert not sent(fleet, off)
            assert "would" in str(fleet.shown()[dry]) or fleet.published.statuses[dry]["symbols"]
            fleet.account_settings(off, mode=AccountMode.LIVE)
            fleet.account_settings(dry, mode=AccountMode.LIVE)
            await fleet.until(lambda: fleet.there(off) and fleet.there(dry), SETTLED_S)
            fleet.account_settings(live, mode=AccountMode.DISABLED)
            at = len(sent(fleet, live))
            fleet.say({BTC: "0"})
            await fleet.until(lambda: all(fleet.there(a, sign=0) for a in (closing, dry, off)), SETTLED_S)
            assert len(sent(fleet, live)) == at

    fleet.run(story())


def test_scale_leverage_and_symbols_belong_to_the_account_and_are_live() -> None:
    fleet = Fleet({"bybit": 2, "kucoin": 1})
    first, second, other = fleet.places

    async def story() -> None:
        fleet.account_settings(second, scale=Decimal("0.5"), leverage={"*": Decimal(2)})
        fleet.account_settings(other, symbols=frozenset({ETH}))
        async with fleet.running():
            fleet.say({BTC: "0.5", ETH: "0.5"})
            everybody = {first: (BTC, ETH), second: (BTC, ETH), other: (ETH,)}
            await all_there(fleet, everybody)
            lever = {a: fleet.published.statuses[a]["symbols"][ETH]["leverage"] for a in fleet.places}
            assert {a: Decimal(value) for a, value in lever.items()} == {first: 3, second: 2, other: 3}
            # half the depth at two thirds of the leverage: a third of the size
            assert abs(fleet.held(second) * 3 - fleet.held(first)) <= 3 * LOT
            assert fleet.held(other) == 0

            fleet.account_settings(second, scale=Decimal(1), leverage={})
            fleet.account_settings(other, symbols=None)
            await all_there(fleet, {**everybody, other: (BTC, ETH)})
            await fleet.until(lambda: abs(fleet.held(second) - fleet.held(first)) <= LOT, SETTLED_S)
            assert fleet.sim.world.venues["bybit"].exchange.leverage("second", BTC) == 3

    fleet.run(story())


async def all_there(fleet: Fleet, whom: Mapping[AccountId, tuple[Symbol, ...]]) -> None:
    await fleet.until(lambda: all(fleet.there(a, s) for a, symbols in whom.items() for s in symbols), SETTLED_S)


@pytest.mark.parametrize("streams", [True, False])
@pytest.mark.parametrize("venue", REGISTRY)
def test_public_data_is_asked_once_for_all_accounts_of_a_venue(venue: str, streams: bool) -> None:
    """Four accounts ask the market no more than one does: its contracts once an hour, its prices once a change."""
    asked: dict[int, int] = {}
    for count in (1, 4):
        fleet = Fleet({venue: count}, streams=streams)

        async def story(fleet: Fleet = fleet, count: int = count) -> None:
            async with fleet.running():
                fleet.say({BTC: "0.5", ETH: "0.5"})
                await all_there(fleet, dict.fromkeys(fleet.places, (BTC, ETH)))
                await asyncio.sleep(30)
                before = fleet.counted.by_use[venue, "prices"]
                fleet.say({BTC: "0.3", ETH: "0.3"})
                await fleet.until(lambda: all(changed(fleet, account) for account in fleet.places), SETTLED_S)
                asked[count] = fleet.counted.by_use[venue, "prices"] - before
            assert fleet.counted.by_use[venue, "instruments"] <= 1
            assert fleet.over_limit() == 0

        fleet.run(story())
    assert asked[4] <= asked[1]


def changed(fleet: Fleet, account: AccountId) -> bool:
    """Whether both symbols were traded a second time."""
    fills = fleet.book(account)["fills"]
    return all(sum(fill["symbol"] == symbol for fill in fills) > 1 and fleet.there(account, symbol) for symbol in BOTH)


# --- one budget for many --------------------------------------------------------------------------------------------


def many(venue: str, count: int) -> list[Symbol]:
    """Symbols the venue lists, without Bitcoin."""
    return sorted(listing.symbol for listing in load_listings(venue) if listing.symbol != BTC)[:count]


def reduction(venue: str, streams: bool, busy: bool) -> tuple[float, int]:
    """Seconds until the second account's reduction is verified; `busy`: the first changes twenty symbols at once, and
    did so again and again before. And how many requests were above the venue's limits."""
    symbols = many(venue, 20)
    fleet = Fleet({venue: 2}, [BTC, *symbols], weight="0.04", streams=streams)
    first, second = fleet.places

    async def story() -> float:
        fleet.account_settings(first, symbols=frozenset(symbols if busy else symbols[:1]))
        fleet.account_settings(second, symbols=frozenset({BTC}))
        async with fleet.running():
            fleet.say({BTC: "0.9"} | dict.fromkeys(symbols, "0.5"))
            await fleet.until(lambda: fleet.there(second), SETTLED_S)
            for change in range(30):
                await asyncio.sleep(2.0)
                fleet.say(dict.fromkeys(symbols, ("0.9", "0.5")[change % 2]))
            before = fleet.held(second)
            fleet.say({BTC: "0.4"} | dict.fromkeys(symbols, "0.7"))
            return await fleet.until(lambda: fleet.there(second) and fleet.held(second) < before, 120.0, "reduced")

    took_s = fleet.run(story())
    return took_s, fleet.over_limit()


@pytest.mark.parametrize("streams", [True, False])
@pytest.mark.parametrize("venue", REGISTRY)
def test_twenty_changing_symbols_do_not_starve_another_account(venue: str, streams: bool) -> None:
    alone_s, _ = reduction(venue, streams, busy=False)
    beside_s, over_limit = reduction(venue, streams, busy=True)
    assert beside_s <= 1.1 * alone_s + 0.25
    assert over_limit == 0


# --- one that hangs, one that is banned, one that is denied ----------------------------------------------------------

STRICKEN: Mapping[str, Mapping[str, object]] = {
    "bybit-second": {"kind": "hang", "count": 0},
    "kucoin-main": {"kind": "status", "value": 403, "count": 0},
    "mexc-main": {"can_trade": False},
}
HEALTHY = ("bybit-main", "blofin-main", "hyperliquid-main")
CHANGES = ("0.5", "0.8", "-0.4", "-0.7", "-0.3", "0.3", "0.6", "0.2")


def strike(fleet: Fleet) -> None:
    for account, what in STRICKEN.items():
        venue, name = fleet.places[AccountId(account)]
        arrange = fleet.sim.admin.fault if "kind" in what else fleet.sim.admin.account
        arrange({"venue": venue, "account": name, **({"match": "any"} if "kind" in what else {}), **what})


def took(stricken: bool, streams: bool) -> dict[str, list[float]]:
    """By account: seconds each change of both targets took, until the engine and the venue's ledger agreed on it."""
    fleet = Fleet(EVERYWHERE, streams=streams, rtt_s=0.08)
    found: dict[str, list[float]] = {account: [] for account in HEALTHY}

    async def story() -> None:
        async with fleet.running():
            fleet.say({BTC: "0.2", ETH: "0.2"})
            await all_there(fleet, dict.fromkeys(map(AccountId, HEALTHY), BOTH))
            await asyncio.sleep(30)
            if stricken:
                strike(fleet)
            for depth in CHANGES:
                fleet.say({BTC: depth, ETH: depth})
                began_s, sign = fleet.clock.monotonic(), -1 if depth.startswith("-") else 1
                open_ = set(HEALTHY)
                while open_:
                    for account in sorted(open_):
                        if all(fleet.there(account, s, sign) and sized(fleet, account, s, depth) for s in BOTH):
                            found[account].append(fleet.clock.monotonic() - began_s)
                            open_.discard(account)
                    assert fleet.clock.monotonic() - began_s < 60.0, fleet.shown()
                    await asyncio.sleep(0.005)
                await asyncio.sleep(20)
            if stricken:
                for account in STRICKEN:
                    assert fleet.shown()[AccountId(account)][0] != "OK", fleet.shown()[AccountId(account)]

    fleet.run(story())
    assert fleet.over_limit() == 0
    return found


def sized(fleet: Fleet, account: str, symbol: Symbol, depth: str) -> bool:
    shown = fleet.published.statuses[AccountId(account)]["symbols"][symbol]
    return Decimal(shown["depth"]) == Decimal(depth) / 10


@pytest.mark.parametrize("streams", [True, False])
def test_a_hung_a_banned_and_a_denied_account_slow_nobody_down(streams: bool) -> None:
    alone, beside = took(stricken=False, streams=streams), took(stricken=True, streams=streams)
    for account in HEALTHY:
        assert sum(beside[account]) <= 1.1 * sum(alone[account]), account


# --- how many ways there and back ------------------------------------------------------------------------------------

RTT_S = 0.08
FIVE = {venue: count for venue, count in EVERYWHERE.items() if venue != "mexc"}
"""MEXC's limit of orders outlasts every way there and back."""


def common(count: int) -> list[Symbol]:
    everywhere = set.intersection(*({listing.symbol for listing in load_listings(venue)} for venue in FIVE))
    return sorted(everywhere)[:count]


def trips(fleet: Fleet, began: float, kind: type[OrderAcked] | type[PositionVerified]) -> dict[str, float]:
    """By account: when the last of its events of that kind was, in ways there and back since `began`."""
    return {
        a: max(e.at - began for e in fleet.events if type(e) is kind and e.account == a) / RTT_S for a in fleet.places
    }


@pytest.mark.parametrize("streams", [True, False])
def test_a_change_of_everything_takes_few_ways_there_and_back(streams: bool) -> None:
    """Five accounts, ten symbols each, all open: two ways to the last ack and three to the proof, one order for each
    symbol; four and five for a process that has just begun."""
    symbols = common(10)
    fleet = Fleet(FIVE, symbols, weight="0.08", rtt_s=RTT_S, streams=streams)
    changed_symbols = len(symbols) * len(fleet.places)

    async def change(depth: str) -> float:
        fleet.events.clear()
        fleet.say(dict.fromkeys(symbols, depth))
        return await verified()

    async def verified() -> float:
        began, count = fleet.clock.time(), len(symbols) * len(fleet.places)
        await fleet.until(lambda: sum(type(e) is PositionVerified for e in fleet.events) >= count, SETTLED_S)
        return began

    async def story() -> None:
        async with fleet.running():
            await all_there_at(fleet, symbols, "0.5")
            await asyncio.sleep(70)
            before = fleet.counted.by_use.total()
            began = await change("0.8")
            assert fleet.counted.by_use.total() - before <= 1.6 * changed_symbols
            assert sum(type(e) is OrderSent for e in fleet.events) == changed_symbols
            assert max(trips(fleet, began, OrderAcked).values()) <= 2.1
            assert max(trips(fleet, began, PositionVerified).values()) <= 3.5
            await asyncio.sleep(70)
        fleet.boot()
        fleet.events.clear()
        for symbol in symbols:
            fleet.signal(symbol, "0.5")
        async with fleet.running():
            began = await verified()
            assert max(trips(fleet, began, OrderAcked).values()) <= 4.1
            assert max(trips(fleet, began, PositionVerified).values()) <= 5.5

    fleet.run(story())
    assert fleet.over_limit() == 0


async def all_there_at(fleet: Fleet, symbols: list[Symbol], depth: str) -> None:
    fleet.say(dict.fromkeys(symbols, depth))
    await fleet.until(lambda: all(fleet.there(a, s) for a in fleet.places for s in symbols), 120.0)
