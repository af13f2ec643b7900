"""What the contract suite does not ask of ccxt's exchanges: which one a name is, and how one without proof is held."""

from __future__ import annotations

from decimal import Decimal

import pytest

from account_processors import REGISTRY, load
from account_processors.ccxt_processor import CcxtProcessor, factory
from account_processors.shared import VenueShared
from core.domain import AccountId, Cost, MarginMode, OrderStatus, Side, Symbol
from core.errors import Ambiguous, ConfigError, Denied, Unavailable
from simulator.facades import load as load_facade
from tests.contract import adapter_bench
from tests.contract.adapter_bench import BTC, Bench, Place
from tests.contract.ccxt_bench import BENCHES, proven
from tests.contract.suite.benches import benches
from tests.contract.suite.venue import VenueBench

BLOFIN = Place(factory("blofin"), load_facade("blofin"))
"""A real wire protocol behind an exchange about which little is proven: ccxt cannot even read its clock."""
BOTH = pytest.mark.parametrize("where", ["memory", "http"])
PROVEN = pytest.mark.parametrize("it", BENCHES, ids=str)


# --- which exchange a name is -----------------------------------------------------------------------------------------


def test_the_engines_own_adapter_goes_before_ccxts() -> None:
    async def scenario(bench: Bench) -> None:
        fields = {"api_key": "key", "api_secret": "secret", "api_passphrase": "phrase"}
        for venue, through_ccxt in (("bybit", False), ("okx", True), ("kucoinfutures", True)):
            given = (
                AccountId(f"{venue}-main"),
                fields,
                bench.recorder,
                bench.clock,
                adapter_bench.Chance(),
                None,
                None,
            )
            made = load(venue)(*given, VenueShared(bench.clock))
            assert isinstance(made, CcxtProcessor) == through_ccxt
            assert (venue in REGISTRY) != through_ccxt
            assert made.capabilities.venue == venue
            assert "secret" not in repr(made)

    adapter_bench.run(BLOFIN, "memory", scenario)


@pytest.mark.parametrize(
    ("venue", "why"),
    [
        ("nowhere", "neither the engine nor ccxt"),
        ("kraken", "no linear perpetuals"),
        ("woo", "mark for somebody else"),
        ("modetrade", "accountId"),
    ],
)
def test_a_venue_that_cannot_be_traded_says_why(venue: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        load(venue)


def test_a_missing_credential_is_named_as_the_file_names_it() -> None:
    async def scenario(bench: Bench) -> None:
        given = (AccountId("okx-main"), {"api_key": "a", "api_secret": "b"}, bench.recorder, bench.clock)
        with pytest.raises(ConfigError, match="api_passphrase"):
            load("okx")(*given, adapter_bench.Chance(), None, None, VenueShared(bench.clock))

    adapter_bench.run(BLOFIN, "memory", scenario)


# --- an exchange that is not proven -----------------------------------------------------------------------------------


@BOTH
def test_an_order_is_placed_found_reduced_and_listed(where: str) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.adapter.preflight()
        mine, wanted = bench.next_id(), bench.order("0.012")
        await bench.trade(wanted, mine)
        outcome = await bench.found(mine)
        assert outcome is not None
        assert (outcome.status, outcome.filled) == (OrderStatus.DONE, wanted.contracts)
        await bench.trade(bench.order("0.004", Side.SELL, reduce=True))
        position = (await bench.adapter.positions()).of(BTC)
        assert (position.contracts, position.margin_mode) == (bench.contracts("0.008"), MarginMode.CROSS)
        fills = (await bench.adapter.history(bench.clock.time() - 60)).fills
        assert (fills[0].contracts, fills[0].client_id) == (wanted.contracts, mine)
        assert sum(fill.contracts for fill in fills) == position.contracts
        assert bench.over_limit() == 0

    adapter_bench.run(BLOFIN, where, scenario)


@BOTH
@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "hang", "garbage"])
def test_absence_proves_nothing_and_a_hit_resolves(where: str, kind: str) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.adapter.preflight()
        mine = bench.next_id()
        bench.fault(kind, "order_create")
        with pytest.raises(Ambiguous):
            await bench.place(bench.order("0.012"), mine)
        if bench.orders():
            assert (await bench.found(mine)) is not None
        else:
            with pytest.raises(Unavailable, match=r"\./run resolve"):
                await bench.found(mine)

    adapter_bench.run(BLOFIN, where, scenario)


def test_before_the_contracts_are_known_nothing_is_sent() -> None:
    async def scenario(bench: Bench) -> None:
        bench.fault("status", "instruments", 502, count=0)
        with pytest.raises(Unavailable):
            await bench.adapter.permit(Cost(reduction=True))
        assert bench.recorder.paths() == ["GET /api/v1/market/instruments"]

    adapter_bench.run(BLOFIN, "memory", scenario)


# --- instead of what is waived in the suite ---------------------------------------------------------------------------


@PROVEN
def test_without_the_right_to_trade_the_first_order_stops_the_account(it: VenueBench) -> None:
    async def scenario(bench: Bench) -> None:
        bench.setup(can_trade=False)
        assert (await bench.adapter.preflight()).problems == ()
        with pytest.raises(Denied) as caught:
            await bench.place(bench.order("0.012"))
        assert caught.value.code == it.codes.no_trade_right
        assert bench.position() == 0

    it.run("memory", scenario)


@PROVEN
def test_contracts_of_one_settlement_currency_are_listed_as_the_venue_has_them(it: VenueBench) -> None:
    async def scenario(bench: Bench) -> None:
        read = await bench.adapter.instruments()
        venue = {one.symbol: one.instrument for one in bench.world.venues[bench.venue].exchange.listings()}
        assert set(read) == {symbol for symbol, one in venue.items() if one.settle == "USDT"}
        assert len(read) >= 25
        for symbol, mine in read.items():
            theirs = venue[symbol]
            assert (mine.contract_size, mine.lot, mine.tick) == (theirs.contract_size, theirs.lot, theirs.tick)
            assert (mine.min_contracts, mine.max_leverage) == (theirs.min_contracts, theirs.max_leverage)
        with pytest.raises(Unavailable, match="not listed"):
            await bench.adapter.leverage(Symbol("NOSUCHUSDT"))

    it.run("memory", scenario)


@PROVEN
def test_liquidations_and_manual_trades_are_nobodys_orders(it: VenueBench) -> None:
    async def scenario(bench: Bench) -> None:
        since, mine = bench.clock.time() - 1, bench.next_id()
        await bench.place(bench.order("0.012"), mine)
        bench.foreign(BTC, "0.5")
        bench.foreign(BTC, "0", "liquidation")
        fills = (await bench.adapter.history(since)).fills
        assert [fill.client_id for fill in fills if fill.client_id] == [mine]
        assert sum(fill.contracts for fill in fills) == Decimal(0)

    it.run("memory", scenario)


@PROVEN
def test_no_code_proves_to_ccxt_what_the_venues_own_table_leaves_open(it: VenueBench) -> None:
    """All of ccxt's table, not only the codes both know."""
    (own,) = (one for one in benches() if one.create == it.create and not one.named)
    mine = proven(it.capabilities.venue)
    assert len(mine) >= len(it.codes.proven)
    assert not set(own.codes.unproven) & set(mine)
    assert own.codes.duplicate_id not in mine
