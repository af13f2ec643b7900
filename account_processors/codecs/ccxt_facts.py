"""What ccxt's unified methods do not say about an exchange, as data.

Exchanges that are `proven` run the contract suite against a simulated venue; what stands here of them is checked by it.
For all others nearly everything is read from what ccxt states of itself (`has`, `features`, `requiredCredentials`,
`rateLimit`), and where it states nothing the cautious side is taken: nobody knows after how long an unseen order can no
longer land, so that an order which is nowhere proves nothing, and the engine waits for `./run resolve`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from core.domain import LeverageScope, MarginMode, MarginModeScope, OrderKind, PlaceOrder, TimeInForce, plain

Limit = tuple[int, float]
"""So many in so many seconds."""
Words = Mapping[str, Any]
ALL = 10**9
"""The list is documented to be whole."""


class Lookup(StrEnum):
    """How one of our orders is found by our id."""

    BY_ID = "by_id"
    """`fetchOrder` takes our id; the lists follow where it finds nothing."""
    LISTS = "lists"
    """The lists of orders show our ids."""


class Paging(StrEnum):
    """How the next page of a list is asked for."""

    UNTIL = "until"
    """By the time of the oldest row; only lists that have a beginning."""
    CURSOR = "cursor"
    """By a cursor, which ccxt leaves in the rows."""
    NUMBER = "number"
    """By its number."""
    AFTER = "after"
    """By the id of the oldest row."""


class Balance(StrEnum):
    """What `fetchBalance` calls the total of the settlement currency."""

    EQUITY = "equity"
    """Unrealized profit included."""
    WALLET = "wallet"
    """Without it."""
    UNSTATED = "unstated"
    """Nobody says: taken for the one that gives less."""


@dataclass(frozen=True, slots=True)
class Facts:
    """None: as `has` and `features` say. `validity_s` holds only for a proven exchange."""

    proven: bool = False
    options: Words = field(default_factory=dict)
    """ccxt's own settings for this exchange."""
    markets: str = "fetch_markets"
    """Lists the contracts; another method of ccxt's where the unified one asks for spot markets, too."""
    ioc_type: str | int = "limit"
    """The `type` of a limit order that takes what is there and rests never, beside `timeInForce: IOC`."""
    ioc_words: Words = field(default_factory=lambda: {"timeInForce": "IOC"})
    leverage: LeverageScope | None = None
    cross_leverage: LeverageScope | None = None
    leverage_in_place: bool = True
    margin_mode: MarginModeScope | None = None
    order_says_margin_mode: bool = False
    order_says_leverage: bool = False
    puts_reduce_only: bool = False
    """ccxt has reduce-only stand for sides that are not documented in one-way mode: the engine puts it in itself."""
    own_equity: str = ""
    """Field of the exchange's own entry of a currency that is its equity, where ccxt's total is something else."""
    order_also_says: Words = field(default_factory=dict)
    """On every order."""
    reads_leverage: bool = False
    """Of a flat symbol too, although orders bring their own."""
    own_mark: str = ""
    """Field of the exchange's own ticker that is the mark price, where ccxt does not say so."""
    own_tradable: str = ""
    """Field of the exchange's own market that is false where ccxt's users may not trade it."""
    mode_says_leverage: bool = True
    """Leverage goes along where the margin mode is set."""
    position_says: bool = True
    """A position's leverage and margin mode are the settings they look like."""
    leverage_of_margin: bool = False
    """A position's leverage is its value over its initial margin; what is called leverage there is something else."""
    own_sides: Mapping[str, str] = field(default_factory=dict)
    """What the exchange calls sides in its own rows, where ccxt does not say all of them right."""
    lookup: Lookup = Lookup.LISTS
    not_ours: str = ""
    """How ids begin that the exchange gives to orders without one."""
    filter_by: str = ""
    """Parameter with which the lists of orders show one order only, by our id."""
    client_id_prefix: str = ""
    client_id_hex_digits: int = 32
    validity_s: float = 60.0
    balance: Balance = Balance.UNSTATED
    balance_words: Words = field(default_factory=dict)
    requests: tuple[Limit, ...] = ()
    """Of one address."""
    signed: Limit | None = None
    """Of one account, reads included."""
    orders: Limit = (2, 1.0)
    """Of one account: orders, cancels and settings."""
    not_proof: frozenset[str] = frozenset()
    """Codes ccxt takes for a refusal, after which the order may stand all the same."""
    answers: str = ""
    """`object` where no answer is anything else."""
    good: Words = field(default_factory=dict)
    """What every good answer has, as text in lower case."""
    banned_s: float = 600.0
    """How long an address rests that was shut out."""
    ack_names_us: bool = False
    """The answer to an order has our id in it."""
    gone_kinds: frozenset[str] = frozenset()
    """Classes of the error of a cancel that say so, where there is no code."""
    gone: frozenset[str] = frozenset()
    """Codes of a cancel that say that nothing is left to cancel."""
    seq: str = ""
    """Field of the exchange's own execution that numbers them."""
    means: Mapping[str, str] = field(default_factory=dict)
    """Code -> the class ccxt should have for it, where its table has another."""
    outer_codes: frozenset[str] = frozenset()
    """Codes of a whole answer that only say to look for the order's own code inside it."""
    ids_repeat: bool = False
    """An id can stand for two orders: the lists are asked even where one was found."""
    trades: tuple[Words, ...] = field(default_factory=lambda: ({},))
    """Parameters with which the lists of executions are whole together."""
    kinds: tuple[str, Words] = ("", {})
    """Field of the exchange's own execution -> what its words mean: `liquidation`, `adl`, `settlement`."""
    paging: Paging = Paging.UNTIL
    look_back_s: float = 7 * 86_400.0
    """How far back an order is looked for whose time of sending is not known; lists may take no longer spans."""
    page: int = 100
    """Rows that are asked for at once; a list with as many may go on."""
    page_words: Words = field(default_factory=dict)
    """How a page of that size is asked for, where ccxt's `limit` does not do it."""
    positions_page: int = 200
    """So many positions may not be all."""


CAUTIOUS = Facts()

KNOWN: Mapping[str, Facts] = {
    "gate": Facts(client_id_hex_digits=28),
    "hyperliquid": Facts(client_id_prefix="0x"),
    "krakenfutures": Facts(ioc_words={"timeInForce": "ioc"}),
    "bybit": Facts(
        proven=True,
        options={"enableUnifiedMargin": False, "enableUnifiedAccount": True, "unifiedMarginStatus": 6},
        margin_mode=MarginModeScope.ACCOUNT,
        mode_says_leverage=False,
        position_says=False,
        filter_by="orderLinkId",
        validity_s=5.0,
        balance=Balance.WALLET,
        requests=((500, 5.0),),
        signed=(45, 1.0),
        orders=(8, 1.0),
        not_proof=frozenset({"110072", "10016", "10000", "10014", "110005", "170124", "170210"}),
        means={
            "10009": "RateLimitExceeded",
            "10029": "OperationRejected",
            "110013": "InvalidOrder",
            "110018": "PermissionDenied",
            "110024": "OperationRejected",
            "110028": "OperationRejected",
            "110029": "OperationRejected",
            "110025": "NoChange",
            "110026": "NoChange",
            "110043": "NoChange",
            "3400045": "OperationRejected",
        },
        answers="object",
        good={"retCode": "0"},
        ack_names_us=True,
        gone=frozenset({"110001", "170213"}),
        seq="seq",
        trades=({}, {"execType": "BustTrade"}, {"execType": "AdlTrade"}),
        kinds=("execType", {"BustTrade": "liquidation", "AdlTrade": "adl"}),
        paging=Paging.CURSOR,
        page=50,
    ),
    "blofin": Facts(
        ioc_type="ioc",
        margin_mode=MarginModeScope.ACCOUNT,
        mode_says_leverage=False,
        order_says_margin_mode=True,
        validity_s=60.0,
        balance=Balance.EQUITY,
        requests=((450, 60.0), (1400, 300.0)),
        signed=(28, 10.0),
        orders=(26, 10.0),
        not_proof=frozenset({"102002", "150003", "152407", "102068", "429", "500", "103013", "1", "2"}),
        means={
            "102064": "InvalidOrder",
            "102065": "InvalidOrder",
            "102089": "PermissionDenied",
            "152012": "PermissionDenied",
        },
        answers="object",
        ack_names_us=True,
        gone=frozenset({"102068", "1000"}),
        kinds=("liquidationType", {}),
        outer_codes=frozenset({"1"}),
        paging=Paging.AFTER,
        positions_page=ALL,
    ),
    "kucoinfutures": Facts(
        proven=True,
        options={"uta": False},
        leverage=LeverageScope.PER_ORDER,
        cross_leverage=LeverageScope.PER_SYMBOL,
        leverage_in_place=False,
        margin_mode=MarginModeScope.SYMBOL,
        mode_says_leverage=False,
        order_says_margin_mode=True,
        order_says_leverage=True,
        leverage_of_margin=True,
        lookup=Lookup.BY_ID,
        validity_s=10.0,
        balance=Balance.EQUITY,
        requests=((300, 30.0),),
        orders=(20, 1.0),
        not_proof=frozenset({"100004", "300018"}),
        answers="object",
        good={"code": "200000"},
        banned_s=30.0,
        ack_names_us=True,
        gone=frozenset({"100001", "100004"}),
        means={"330012": "PermissionDenied", "50002": "OperationRejected", "300016": "InvalidOrder"},
        kinds=("tradeType", {"liquid": "liquidation", "liquidation": "liquidation", "adl": "adl"}),
        ids_repeat=True,
        page=1000,
        page_words={"pageSize": 1000},
        look_back_s=86_000.0,
        positions_page=ALL,
    ),
    "mexc": Facts(
        proven=True,
        markets="fetch_swap_markets",
        good={"success": "true", "code": "0"},
        banned_s=60.0,
        order_also_says={"positionMode": 2},
        reads_leverage=True,
        puts_reduce_only=True,
        own_equity="equity",
        own_mark="fairPrice",
        own_tradable="apiAllowed",
        not_ours="_m_",
        gone_kinds=frozenset({"InvalidOrder"}),
        means={
            "401": "AuthenticationError",
            "513": "InvalidNonce",
            "604": "OperationRejected",
            "2028": "InvalidOrder",
            "7001": "OperationRejected",
        },
        paging=Paging.NUMBER,
        page_words={"page_size": 100},
        ioc_type=3,
        ioc_words={},
        leverage=LeverageScope.PER_ORDER,
        leverage_in_place=False,
        margin_mode=MarginModeScope.ORDER,
        order_says_margin_mode=True,
        order_says_leverage=True,
        answers="object",
        own_sides={"1": "buy", "2": "buy", "3": "sell", "4": "sell"},
        validity_s=10.0,
        balance=Balance.EQUITY,
        requests=((18, 2.0),),
        orders=(4, 2.0),
        not_proof=frozenset({"500", "501", "603", "9999"}),
        positions_page=ALL,
    ),
}
"""What stands here of a proven exchange is checked by the contract suite. `requests` and `orders` stay below the
published limits, some of which count weights that ccxt's unified methods do not show."""


_MARKS = "ccxt signs a mark for somebody else into its orders, which the engine never sends"
REFUSED: Mapping[str, str] = {
    "coinbase": _MARKS,
    "woo": _MARKS,
    "xt": _MARKS,
    "mudrex": "ccxt wants a price for a market order",
    "nado": "ccxt takes numbers only for our ids",
    "whitebit": "ccxt does not put immediate-or-cancel on a limit order",
}
"""Exchanges whose orders a rehearsal showed to be none the engine sends, and why."""


def facts_of(exchange: str) -> Facts:
    return KNOWN.get(exchange, CAUTIOUS)


def resolved(facts: Facts, has: Callable[[str], bool], feature: Callable[[str, str], Any]) -> Facts:
    """With everything that `has` and `feature(method, name)` tell of this exchange filled in."""
    on_order = feature("createOrder", "marginMode") is True and facts.margin_mode is None
    per_order = not has("setLeverage") and feature("createOrder", "leverage") is True and facts.leverage is None
    settable = MarginModeScope.SYMBOL if has("setMarginMode") else MarginModeScope.ACCOUNT
    return replace(
        facts,
        leverage=facts.leverage or (LeverageScope.PER_ORDER if per_order else LeverageScope.PER_SYMBOL),
        margin_mode=facts.margin_mode or (MarginModeScope.ORDER if on_order else settable),
        order_says_margin_mode=facts.order_says_margin_mode or on_order,
        order_says_leverage=facts.order_says_leverage or per_order,
    )


def order_type(facts: Facts, order: PlaceOrder) -> str | int:
    """The `type` of an order in ccxt's words."""
    if order.kind is OrderKind.MARKET:
        return "market"
    return facts.ioc_type if order.tif is TimeInForce.IOC else "limit"


def order_words(facts: Facts, order: PlaceOrder, client_id: str) -> dict[str, Any]:
    """The `params` of an order. Leverage goes along only with what opens."""
    words: dict[str, Any] = {"clientOrderId": client_id, **facts.order_also_says}
    if order.kind is OrderKind.LIMIT and order.tif is TimeInForce.IOC:
        words |= facts.ioc_words
    if order.reduce_only:
        words["reduceOnly"] = True
    if facts.order_says_margin_mode:
        words["marginMode"] = order.margin_mode.value
    if facts.order_says_leverage and leverage_goes_along(facts, order):
        # ccxt wants one even for a reduction, which then leaves it out.
        words["leverage"] = 1 if order.leverage is None else whole(plain(order.leverage))
    return words


@dataclass(frozen=True, slots=True)
class Wire:
    """How an order's `params` get onto the wire: `words` for ccxt, and what is then taken out of its request and put
    into it before it is signed."""

    words: Words
    leaves_out: frozenset[str]
    adds: Words


def wire(facts: Facts, words: Words) -> Wire:
    reduces, given = bool(words.get("reduceOnly")), dict(words)
    # A leverage nobody chose, or of what reduces, ccxt would add by itself.
    chosen = "leverage" in words and not reduces
    leaves_out = frozenset({"leverage"} if facts.order_says_leverage and not chosen else ())
    if not (reduces and facts.puts_reduce_only):
        return Wire(given, leaves_out, {})
    del given["reduceOnly"]
    return Wire(given, leaves_out, {"reduceOnly": True})


def leverage_goes_along(facts: Facts, order: PlaceOrder) -> bool:
    return order.margin_mode is MarginMode.ISOLATED or facts.cross_leverage is None


def whole(text: str) -> int | str:
    """A whole number as one: exchanges that want a number take no text for it."""
    return int(text) if text.isdigit() else text
