"""The admin, without a network: what it arranges, what the ledger then shows, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from core.domain import OrderKind, Side, Symbol
from core.errors import ConfigError
from simulator.admin import Admin
from simulator.exchange import NewOrder, Refused
from simulator.model import OrderState
from simulator.world import World, build_world

from .conftest import HandClock

D = Decimal
BTC = Symbol("BTCUSDT")
HERE = {"venue": "bybit", "account": "main"}


@pytest.fixture
def world() -> World:
    return build_world(HandClock(), venues=["bybit"], accounts={"bybit": 2})


@pytest.fixture
def admin(world: World) -> Admin:
    it = Admin(world)
    it.price({"symbol": "BTCUSDT", "price": 50_000})
    return it


def trade(world: World, quantity: str, client_id: str | None = None, **more: Any) -> None:
    size = D(quantity)
    side = Side.BUY if size > 0 else Side.SELL
    exchange = world.venues["bybit"].exchange
    exchange.place("main", NewOrder(BTC, side, abs(size), OrderKind.MARKET, client_id=client_id, **more))


def account_of(admin: Admin, name: str = "main") -> Mapping[str, Any]:
    shown: Any = json.loads(json.dumps(admin.ledger()))
    found: Mapping[str, Any] = shown["venues"]["bybit"]["accounts"][name]
    return found


# --- the ledger -------------------------------------------------------------------------------------------------------


def test_ledger_shape(admin: Admin, world: World) -> None:
    trade(world, "0.012", "a")
    trade(world, "-0.02", "b", reduce_only=True)
    shown: Any = admin.ledger()
    assert set(shown) == {"time", "prices", "venues"}
    assert (shown["time"], shown["prices"]["BTCUSDT"]) == (world.clock.time(), "50000")
    assert set(shown["venues"]["bybit"]) == {"accounts", "requests"}
    assert shown["venues"]["bybit"]["requests"] == {"total": 0, "over_limit": 0, "by_endpoint": {}}
    main = account_of(admin)
    assert {"equity", "positions", "leverage", "margin_mode", "position_mode", "orders", "fills"} <= set(main)
    assert main["positions"] == {}
    first, second = main["orders"]
    assert {key: first[key] for key in ("client_id", "symbol", "side", "quantity", "filled", "reduce_only")} == {
        "client_id": "a", "symbol": "BTCUSDT", "side": "buy", "quantity": "0.012", "filled": "0.012",
        "reduce_only": False,
    }  # fmt: skip
    assert (first["status"], first["received_at"]) == ("filled", world.clock.time())
    assert (second["side"], second["quantity"], second["filled"]) == ("sell", "-0.02", "-0.012")
    assert second["status"] == "cancelled"
    fill = main["fills"][0]
    assert (fill["time"], fill["client_id"], fill["quantity"], fill["price"]) == (
        world.clock.time(),
        "a",
        "0.012",
        "50005",
    )
    assert [row["position_after"] for row in main["fills"]] == ["0.012", "0"]


def test_ledger_shows_refused_attempts(admin: Admin, world: World) -> None:
    with pytest.raises(Refused):
        trade(world, "0.0001", "a")
    (row,) = account_of(admin)["orders"]
    assert (row["status"], row["reason"], row["filled"]) == (OrderState.REJECTED, "bad_lot", "0")


def test_ledger_is_in_base_units_whatever_the_contract(admin: Admin, world: World) -> None:
    admin.instrument({"venue": "bybit", "symbol": "BTCUSDT", "contract_size": "0.001", "lot": "1", "min_contracts": 1})
    trade(world, "12", "a")
    main = account_of(admin)
    assert main["positions"] == {"BTCUSDT": "0.012"}
    assert (
        main["orders"][0]["quantity"] == main["fills"][0]["quantity"] == main["fills"][0]["position_after"] == "0.012"
    )


def test_outside_checker_can_follow_every_position(admin: Admin, world: World) -> None:
    for n, quantity in enumerate(("0.1", "0.05", "-0.2", "0.3")):
        trade(world, quantity, f"c{n}")
    admin.position({**HERE, "symbol": "BTCUSDT", "quantity": "-0.1"})
    rows = account_of(admin)["fills"]
    after = [D(row["position_after"]) for row in rows]
    assert after == [D("0.1"), D("0.15"), D("-0.05"), D("0.25"), D("-0.1")]
    assert all(now - before == D(row["quantity"]) for (before, now), row in zip(pairwise(after), rows[1:], strict=True))
    assert [row["client_id"] for row in rows] == ["c0", "c1", "c2", "c3", None]
    assert account_of(admin)["dropped"] == {"orders": 0, "fills": 0}


# --- arranging --------------------------------------------------------------------------------------------------------


def test_price_pins_and_unpins(admin: Admin, world: World) -> None:
    quote = world.venues["bybit"].exchange.quote(BTC)
    assert (quote.mark, quote.last) == (D(50_000), D(50_000))
    assert admin.price({"symbol": "BTCUSDT", "price": "100.5", "last": "110"})["last"] == "110"
    quote = world.venues["bybit"].exchange.quote(BTC)
    assert (quote.mark, quote.last) == (D("100.5"), D(110))
    assert quote.bid < 110 < quote.ask
    admin.unpin()
    assert world.venues["bybit"].exchange.quote(BTC).mark > 10_000


def test_price_acts_at_once_on_what_rests(admin: Admin, world: World) -> None:
    exchange = world.venues["bybit"].exchange
    exchange.place("main", NewOrder(BTC, Side.BUY, D("0.1"), OrderKind.LIMIT, price=D(49_000), client_id="a"))
    admin.price({"symbol": "BTCUSDT", "price": 48_000})
    assert account_of(admin)["orders"][0]["status"] == "filled"


@pytest.mark.parametrize(("kind", "booked"), [("manual", "trade"), ("liquidation", "liquidation"), ("adl", "adl")])
def test_position(admin: Admin, kind: str, booked: str) -> None:
    answer: Any = admin.position({**HERE, "symbol": "BTCUSDT", "quantity": "-0.25", "kind": kind})
    assert answer["position"] == account_of(admin)["positions"]["BTCUSDT"] == "-0.25"
    (fill,) = account_of(admin)["fills"]
    assert answer["fill"] == fill
    assert (fill["client_id"], fill["kind"], fill["price"]) == (None, booked, "50000")
    assert account_of(admin)["orders"] == [], "nobody's order is nobody's"
    assert admin.position({**HERE, "symbol": "BTCUSDT", "quantity": "-0.25"})["fill"] is None


def test_account(admin: Admin, world: World) -> None:
    trade(world, "0.1")
    shown = admin.account(
        {**HERE, "equity": "1000", "position_mode": "hedge", "margin_mode": "isolated", "leverage": {"BTCUSDT": 7},
         "can_trade": False}
    )  # fmt: skip
    assert (shown["equity"], shown["position_mode"], shown["margin_mode"]) == ("1000", "hedge", "isolated")
    assert (shown["leverage"], shown["can_trade"]) == ({"BTCUSDT": "7"}, False)
    assert account_of(admin, "second")["margin_mode"] == "cross"
    assert admin.account({**HERE, "equity": 0})["equity"] == "0"
    assert admin.account({**HERE, "equity": "-5"})["equity"] == "-5"


def test_account_leverage_for_every_symbol(admin: Admin, world: World) -> None:
    admin.account({**HERE, "leverage": "75"})
    exchange = world.venues["bybit"].exchange
    for listing in exchange.listings():
        assert exchange.leverage("main", listing.symbol) == min(D(75), listing.instrument.max_leverage)


def test_account_is_changed_whole_or_not_at_all(admin: Admin) -> None:
    before = account_of(admin)
    with pytest.raises(ConfigError):
        admin.account({**HERE, "can_trade": False, "equity": "lots"})
    assert account_of(admin) == before


def test_clock(admin: Admin, world: World) -> None:
    exchange = world.venues["bybit"].exchange
    admin.clock({"venue": "bybit", "offset_ms": -2000})
    assert exchange.time() == world.clock.time() - 2
    trade(world, "0.1")
    assert account_of(admin)["fills"][0]["time"] == world.clock.time(), "the ledger keeps true time"


def test_instrument(admin: Admin, world: World) -> None:
    shown = admin.instrument({"venue": "bybit", "symbol": "BTCUSDT", "lot": "0.1", "tradable": False})
    facts = world.venues["bybit"].exchange.listing(BTC).instrument
    assert (shown["lot"], facts.lot, facts.tradable, facts.tick) == ("0.1", D("0.1"), False, D("0.1"))


def test_faults(admin: Admin) -> None:
    first = admin.fault({"venue": "bybit", "match": "any", "kind": "reset"})["id"]
    admin.fault({"venue": "bybit", "match": "positions", "kind": "status", "value": 503, "count": 0})
    rows: Any = admin.faults()["faults"]
    assert [(row["id"], row["kind"], row["hits"], row["left"]) for row in rows] == [
        (first, "reset", 0, 1),
        (2, "status", 0, None),
    ]
    assert admin.handle("DELETE", f"/_sim/faults/{first}", b"").status == 200
    assert admin.handle("DELETE", f"/_sim/faults/{first}", b"").status == 404
    assert admin.handle("DELETE", "/_sim/faults", b"").value == {"deleted": 1}


# --- refusing ---------------------------------------------------------------------------------------------------------

BAD = [
    ("price", {"price": 1}, "symbol"),
    ("price", {"symbol": "NOPEUSDT", "price": 1}, "symbol"),
    ("price", {"symbol": "BTCUSDT"}, "price"),
    ("price", {"symbol": "BTCUSDT", "price": 0}, "price"),
    ("price", {"symbol": "BTCUSDT", "price": "1e5"}, "price"),
    ("price", {"symbol": "BTCUSDT", "price": True}, "price"),
    ("price", {"symbol": "BTCUSDT", "price": 1, "last": -1}, "last"),
    ("price", {"symbol": "BTCUSDT", "price": 1, "lats": 1}, "lats"),
    ("position", {"account": "main", "symbol": "BTCUSDT", "quantity": 1}, "venue"),
    ("position", {"venue": "nyse", "account": "main", "symbol": "BTCUSDT", "quantity": 1}, "venue"),
    ("position", {"venue": "bybit", "account": "ninth", "symbol": "BTCUSDT", "quantity": 1}, "account"),
    ("position", {**HERE, "symbol": "NOPE", "quantity": 1}, "symbol"),
    ("position", {**HERE, "symbol": "BTCUSDT"}, "quantity"),
    ("position", {**HERE, "symbol": "BTCUSDT", "quantity": "0.0001"}, "quantity"),
    ("position", {**HERE, "symbol": "BTCUSDT", "quantity": 1, "kind": "trade"}, "kind"),
    ("account", {**HERE, "equity": "1e99"}, "equity"),
    ("account", {**HERE, "position_mode": "both"}, "position_mode"),
    ("account", {**HERE, "margin_mode": "none"}, "margin_mode"),
    ("account", {**HERE, "leverage": 0}, "leverage"),
    ("account", {**HERE, "leverage": {"NOPE": 3}}, "symbol"),
    ("account", {**HERE, "leverage": {"BTCUSDT": "x"}}, "leverage.BTCUSDT"),
    ("account", {**HERE, "can_trade": 1}, "can_trade"),
    ("clock", {"venue": "bybit"}, "offset_ms"),
    ("clock", {"venue": "bybit", "offset_ms": 1.5}, "offset_ms"),
    ("clock", {"venue": "bybit", "offset_ms": 10**15}, "offset_ms"),
    ("instrument", {"venue": "bybit", "symbol": "BTCUSDT", "lot": 0}, "lot"),
    ("instrument", {"venue": "bybit", "symbol": "BTCUSDT", "tradable": "no"}, "tradable"),
    ("faults", {"venue": "bybit", "match": "positions", "kind": "ws_gap"}, "kind"),
]


@pytest.mark.parametrize(("endpoint", "body", "field"), BAD)
def test_bad_body_is_400_and_names_the_field(admin: Admin, endpoint: str, body: Mapping[str, Any], field: str) -> None:
    before = admin.ledger()
    answer = admin.handle("POST", f"/_sim/{endpoint}", json.dumps(body).encode())
    assert answer.status == 400
    assert isinstance(answer.value, dict)
    assert answer.value["field"] == field
    assert field in answer.value["error"]
    assert admin.ledger() == before


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b'{"symbol":"BTCUSDT","symbol":"BTCUSDT","price":1}',
        b'{"price":NaN}',
        b"\xff",
        b"[" * 999,
    ],
)
def test_unreadable_body_is_400(admin: Admin, body: bytes) -> None:
    assert admin.handle("POST", "/_sim/price", body).status == 400


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/_sim", 404),
        ("GET", "/_sim/", 404),
        ("GET", "/_sim/nothing", 404),
        ("GET", "/_sim/price", 405),
        ("PUT", "/_sim/ledger", 405),
        ("DELETE", "/_sim/faults/x", 404),
        ("DELETE", "/_sim/faults/99999999999999999999", 404),
        ("GET", "/_sim/faults", 200),
        ("DELETE", "/_sim/price", 200),
    ],
)
def test_paths(admin: Admin, method: str, path: str, status: int) -> None:
    assert admin.handle(method, path, b"").status == status
