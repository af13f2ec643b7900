"""The simulated Hyperliquid's door: whose signature an action has, nonces, ends of validity, limits, garbage."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest

from account_processors.codecs.hyperliquid_signing import Value, Wallet, connection_id, digest
from core.ports import Request, Response, StreamRequest
from simulator.facades import Match
from simulator.facades.hyperliquid import VENUE, HyperliquidFacade
from simulator.world import World, build_world

D = Decimal
NOW_MS = 1_790_000_000_000
DAY_MS = 86_400_000
STRANGER = Wallet("12" * 32)


class HandClock:
    """Stands still but for what is `passed`. See `Door.move` for the venue's own time."""

    passed = 0.0

    def time(self) -> float:
        return NOW_MS / 1000 + self.passed

    def monotonic(self) -> float:
        return 100.0 + self.passed


@dataclass
class Door:
    """A venue with accounts `main` and `second`, and what arranges it. Times are moved by hand."""

    vaults: Mapping[str, str] = field(default_factory=dict)
    clock: HandClock = field(default_factory=HandClock)

    def __post_init__(self) -> None:
        self.world: World = build_world(self.clock, kinds=[VENUE], accounts={"hyperliquid": 2})
        self.exchange = self.world.venues["hyperliquid"].exchange
        self.facade = HyperliquidFacade(self.exchange, vaults=self.vaults)
        self.nonce = NOW_MS

    def agent(self, name: str = "main") -> Wallet:
        return Wallet(self.facade.wallets.agents[name].key)

    def master(self, name: str = "main") -> Wallet:
        return Wallet(self.facade.wallets.masters[name].key)

    def move(self, seconds: float) -> None:
        self.exchange.state.offset_s += seconds

    def post(self, path: str, body: object) -> Response:
        return self.facade.handle(Request("POST", f"http://here/{path}", {}, json.dumps(body).encode()))

    def info(self, kind: str, **fields: object) -> Any:
        answer = self.post("info", {"type": kind, **fields})
        assert answer.status == 200, answer
        return json.loads(answer.body)

    def act(
        self,
        action: Mapping[str, Value],
        wallet: Wallet | None = None,
        *,
        nonce: int | None = None,
        source: str = "a",
        vault: str | None = None,
        expires: int | None = None,
        sent: Mapping[str, object] | None = None,
    ) -> Any:
        """What the venue says. `sent`: fields of the body that differ from what was signed."""
        self.nonce += 1
        nonce = self.nonce if nonce is None else nonce
        signature = (wallet or self.agent()).sign(digest(connection_id(action, nonce, vault, expires), source))
        body = {"action": action, "nonce": nonce, "signature": signature, "vaultAddress": vault}
        body |= {} if expires is None else {"expiresAfter": expires}
        answer = self.post("exchange", {**body, **(sent or {})})
        return json.loads(answer.body) if answer.status == 200 else answer.status


OK = {"status": "ok", "response": {"type": "default"}}
NOOP: Mapping[str, Value] = {"type": "noop"}
LEVERAGE: Mapping[str, Value] = {"type": "updateLeverage", "asset": 0, "isCross": True, "leverage": 5}


def order(**changed: Value) -> Mapping[str, Value]:
    row: dict[str, Value] = {"a": 0, "b": True, "p": "70000", "s": "0.01", "r": False, "t": {"limit": {"tif": "Ioc"}}}
    return {"type": "order", "orders": [row | changed], "grouping": "na"}


def unknown(said: Any) -> str:
    """The address that the venue says does not exist."""
    assert said["status"] == "err", said
    words = str(said["response"]).split()
    assert words[:4] == ["User", "or", "API", "Wallet"], said
    return words[4]


# --- who signed -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["a", "b"])
def test_master_and_agent_sign_for_either_network(source: str) -> None:
    door = Door()
    for wallet in (door.master(), door.agent()):
        assert door.act(NOOP, wallet, source=source) == OK
    assert door.act(NOOP, source="c")["status"] == "err"


def test_a_stranger_is_named_by_the_address_of_the_signature() -> None:
    assert unknown(Door().act(NOOP, STRANGER)) == STRANGER.address


@pytest.mark.parametrize(
    "changed",
    [
        {"nonce": NOW_MS + 77},
        {"expiresAfter": NOW_MS + 7_777},
        {"vaultAddress": "0x" + "11" * 20},
        {"action": {**LEVERAGE, "leverage": 6}},
        {"action": {**LEVERAGE, "asset": 1}},
    ],
)
def test_what_was_changed_on_its_way_is_signed_by_nobody(changed: Mapping[str, object]) -> None:
    door = Door()
    said = door.act(LEVERAGE, expires=NOW_MS + 9_000, sent=changed)
    assert unknown(said) not in (door.agent().address, door.master().address)
    assert door.exchange.leverage("main", "BTCUSDT") == 20


def test_the_venue_hashes_what_it_understood() -> None:
    """Another order of keys, a zero too many or a field it does not know give a signature of nobody."""
    door = Door()
    turned = {name: LEVERAGE[name] for name in reversed(list(LEVERAGE))}
    for odd in (turned, {**LEVERAGE, "note": "x"}, order(s="0.0100"), order(p="70000.0")):
        assert unknown(door.act(odd))
    assert door.act(LEVERAGE) == OK
    assert door.act(order())["response"]["data"]["statuses"][0]["filled"]["totalSz"] == "0.01"


def test_an_agent_that_was_deregistered_signs_no_more() -> None:
    door = Door()
    agent = door.agent()
    assert door.info("userRole", user=agent.address) == {"role": "agent", "data": {"user": door.master().address}}
    door.exchange.state.accounts["main"].can_trade = False
    assert unknown(door.act(NOOP, agent)) == agent.address
    assert door.info("userRole", user=agent.address) == {"role": "missing"}
    assert door.info("extraAgents", user=door.master().address) == []


def test_a_vault_is_traded_by_its_leaders_wallets_alone() -> None:
    door = Door(vaults={"second": "main"})
    vault = door.facade.wallets.masters["second"].address
    assert door.act({**LEVERAGE, "leverage": 7}, vault=vault) == OK
    assert door.exchange.leverage("second", "BTCUSDT") == 7
    assert door.exchange.leverage("main", "BTCUSDT") == 20
    assert unknown(door.act(NOOP, door.master("second"))) == vault  # nobody has its key
    assert door.act(NOOP, vault="0x" + "77" * 20)["response"] == "Vault not registered: 0x" + "77" * 20
    assert door.info("userRole", user=vault) == {"role": "vault"}
    assert door.info("vaultDetails", vaultAddress=vault)["leader"] == door.master().address


@pytest.mark.parametrize("signature", [None, {}, {"r": "0x1", "s": "0x1"}, {"r": "x", "s": "0x1", "v": 27},
                                       {"r": "0x1", "s": "0x1", "v": 29}, "0x1234"])  # fmt: skip
def test_what_is_no_signature_is_unreadable(signature: object) -> None:
    assert Door().act(NOOP, sent={"signature": signature}) == 422


def test_a_signature_of_no_point_of_the_curve_recovers_nobody() -> None:
    said = Door().act(NOOP, sent={"signature": {"r": "0x" + "ff" * 32, "s": "0x1", "v": 27}})
    assert said == {"status": "err", "response": "Unable to recover signer."}


# --- nonces and ends --------------------------------------------------------------------------------------------------


def test_a_nonce_is_used_once_by_each_signer() -> None:
    door = Door()
    assert door.act(NOOP, nonce=NOW_MS) == OK
    assert door.act(LEVERAGE, nonce=NOW_MS)["response"] == f"Invalid nonce: duplicate nonce {NOW_MS}"
    assert door.act(NOOP, door.master(), nonce=NOW_MS) == OK
    assert door.act(NOOP, door.agent("second"), nonce=NOW_MS) == OK


def test_a_noop_kills_the_action_that_comes_after_it_with_its_nonce() -> None:
    door = Door()
    assert door.act(NOOP, nonce=NOW_MS + 5) == OK
    assert "duplicate nonce" in door.act(order(), nonce=NOW_MS + 5)["response"]
    assert door.exchange.orders("main") == ()


def test_a_nonce_must_be_among_the_hundred_highest() -> None:
    door = Door()
    for n in range(100):
        assert door.act(NOOP, nonce=NOW_MS + 10 * n) == OK
    assert door.act(NOOP, nonce=NOW_MS + 5) == OK  # out of turn, above the lowest
    assert door.act(NOOP, nonce=NOW_MS + 3)["response"] == f"Invalid nonce: nonce too low {NOW_MS + 3} < {NOW_MS + 5}"
    assert "too low" in door.act(NOOP, nonce=NOW_MS - 1)["response"]


@pytest.mark.parametrize(
    ("offset_ms", "refused"),
    [(-2 * DAY_MS, "too low"), (-2 * DAY_MS + 1, ""), (DAY_MS - 1, ""), (DAY_MS, "too high")],
)
def test_a_nonce_is_a_time_of_two_days_before_to_one_day_after(offset_ms: int, refused: str) -> None:
    said = Door().act(NOOP, nonce=NOW_MS + offset_ms)
    assert refused in said["response"] if refused else said == OK


@pytest.mark.parametrize(("late_ms", "taken"), [(-1, True), (0, True), (1, False)])
def test_an_action_is_not_executed_after_its_end(late_ms: int, taken: bool) -> None:
    door = Door()
    door.move(5.0)
    said = door.act(LEVERAGE, expires=NOW_MS + 5_000 - late_ms)
    assert said == (OK if taken else {"status": "err", "response": "Action already expired"})
    assert (door.exchange.leverage("main", "BTCUSDT") == 5) == taken


def test_an_action_that_came_too_late_counts_five_times() -> None:
    door = Door()
    door.act(LEVERAGE, expires=NOW_MS - 1)
    door.act(NOOP)
    assert door.info("userRateLimit", user=door.master().address)["nRequestsUsed"] == 6


# --- limits -----------------------------------------------------------------------------------------------------------


def test_questions_weigh_what_they_weigh() -> None:
    for kind, weight in (("allMids", 2), ("meta", 20), ("userRole", 60)):
        door = Door()
        fields = {"user": STRANGER.address} if kind == "userRole" else {}
        for _ in range(1200 // weight):
            door.info(kind, **fields)
        assert door.post("info", {"type": kind, **fields}).status == 429
        assert door.facade.counts().over_limit == 1


def test_rows_of_an_answer_weigh_too() -> None:
    door = Door()
    for _ in range(41):
        door.act(order(s="0.001"))
    for _ in range(50):
        door.info("userFills", user=door.master().address)  # 20, and 3 for 41 rows: 1150 with the orders' 41
    assert door.post("info", {"type": "userFills", "user": door.master().address}).status == 429


def test_an_address_without_requests_left_may_send_one_in_ten_seconds() -> None:
    door = Door()
    door.act(NOOP)
    door.facade._actions["main"].used = 10_000
    refused = door.act(NOOP)
    assert refused["response"].startswith("Too many cumulative requests sent (10000 > 10000)")
    assert door.facade.counts().over_limit == 1
    assert door.act(NOOP, door.agent("second")) == OK


# --- the rest ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [[], {}, {"type": 3}, {"type": "whatIsThis"}, {"type": "clearinghouseState"}, {"type": "userRole", "user": "0x12"},
     {"type": "userFillsByTime", "user": STRANGER.address}, {"type": "l2Book"}],
)  # fmt: skip
def test_questions_that_are_none_are_unreadable(body: object) -> None:
    answer = Door().post("info", body)
    assert (answer.status, answer.body) == (422, b"Failed to deserialize the JSON body into the target type")


@pytest.mark.parametrize(
    "action",
    [{}, {"type": "withdraw3"}, {"type": "setReferrer", "code": "X"}, {"type": "order", "grouping": "na"},
     {"type": "updateLeverage", "asset": 0, "isCross": True}, order(s=5), order(p="-1"), order(a="BTC")],
)  # fmt: skip
def test_actions_that_are_none_are_unreadable(action: dict[str, object]) -> None:
    door = Door()
    assert door.act(NOOP, sent={"action": action}) == 422


def test_an_order_that_names_a_builder_is_refused() -> None:
    door = Door()
    marked: Mapping[str, Value] = {**order(), "builder": {"b": STRANGER.address, "f": 0}}
    (status,) = door.act(marked)["response"]["data"]["statuses"]
    assert status == {"error": "Builder fee has not been approved. asset=0"}
    assert door.exchange.orders("main") == ()


@pytest.mark.parametrize(
    ("row", "error"),
    [
        ({"s": "0"}, "Order has zero size."),
        ({"s": "0.0000001"}, "Order has invalid size."),
        ({"s": "0.0001"}, "Order must have minimum value of $10."),
        ({"p": "70000.5"}, "Price must be divisible by tick size."),
        ({"p": "500000"}, "Order price cannot be more than 80% away from the reference price"),
        ({"s": "1000"}, "Insufficient margin to place order."),
        ({"r": True}, "Reduce only order would increase position."),
        ({"p": "50000"}, "Order could not immediately match against any resting orders."),
        ({"t": {"limit": {"tif": "Alo"}}}, "Post only order would have immediately matched, bbo was 0@0."),
        ({"t": {"trigger": {"isMarket": True, "triggerPx": "1", "tpsl": "sl"}}}, "Invalid TP/SL price."),
        ({"a": 400}, "Asset does not exist or is delisted."),
    ],
)
def test_orders_are_refused_in_the_venues_words(row: dict[str, Value], error: str) -> None:
    door = Door()
    said = door.act(order(**row))
    assert said["status"] == "ok"
    assert said["response"]["data"]["statuses"] == [{"error": f"{error} asset={row.get('a', 0)}"}]


def test_who_asks_about_nobody_or_an_agent_finds_nothing() -> None:
    door = Door()
    door.act(order())
    for address in (STRANGER.address, door.agent().address):
        state = door.info("clearinghouseState", user=address)
        assert (state["assetPositions"], state["marginSummary"]["accountValue"]) == ([], "0.0")
        assert door.info("userFills", user=address) == door.info("openOrders", user=address) == []
    assert len(door.info("userFills", user=door.master().address.upper().replace("0X", "0x"))) == 1


def test_requests_are_told_apart_before_they_are_verified() -> None:
    door = Door()

    def seen(path: str, body: object) -> tuple[Match, str | None, Match | None]:
        call = door.facade.classify(Request("POST", f"http://here/{path}", {}, json.dumps(body).encode()))
        return call.match, call.account, call.also

    user = {"user": door.master().address}
    assert seen("info", {"type": "clearinghouseState", **user}) == (Match.POSITIONS, "main", Match.EQUITY)
    assert seen("info", {"type": "metaAndAssetCtxs"}) == (Match.PRICES, None, Match.INSTRUMENTS)
    signature = door.agent("second").sign(digest(connection_id(order(), 5, None, None), "a"))
    body = {"action": order(), "nonce": 5, "signature": signature}
    assert seen("exchange", body) == (Match.ORDER_CREATE, "second", None)
    assert seen("exchange", {**body, "signature": 1}) == (Match.OTHER, None, None)
    assert seen("info", []) == seen("elsewhere", {}) == (Match.OTHER, None, None)


def test_there_is_nothing_else() -> None:
    door = Door()
    assert door.post("explorer", {}).status == 404
    assert door.facade.handle(Request("GET", "http://here/info")).status == 404
    refused = door.facade.session(StreamRequest("ws://here/nowhere"))
    assert isinstance(refused, Response)
    assert refused.status == 404
