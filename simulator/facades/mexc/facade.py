"""MEXC futures' door: routes, authentication, limits, the stream, and the frame around every answer over REST."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from core.ports import Request, Response, StreamRequest
from simulator import facades
from simulator.exchange import Exchange
from simulator.facades import Match, RequestCounts, Session
from simulator.facades.lag import Lag
from simulator.facades.mexc import account, auth, orders, public, queries, streams
from simulator.facades.mexc.codes import (
    MESSAGES,
    NO_ENDPOINT,
    NO_ORDER,
    NO_TRADE_RIGHT,
    PARAMETER,
    REFUSALS,
    TOO_MANY,
)
from simulator.facades.mexc.context import Call, Handler, Venue
from simulator.facades.mexc.limits import Limits
from simulator.facades.mexc.news import News
from simulator.facades.mexc.wire import Params, Refusal, failure, success
from simulator.facades.parts import Tally, Target
from simulator.model import Refused

SHUT_OUT = ("403", "429")
JSON_TYPE = "application/json;charset=UTF-8"
TRADES, READS, PUBLIC = "Order Placing", "View", ""
"""Who may call: a key with that right, any key, anybody."""


@dataclass(frozen=True, slots=True)
class Route:
    handler: Handler
    right: str = PUBLIC
    match: Match = Match.OTHER


MARKET, PRIVATE = "/api/v1/contract", "/api/v1/private"
ROUTES: Mapping[str, Route] = {
    f"GET {MARKET}/ping": Route(public.ping),
    f"GET {MARKET}/detail": Route(public.detail, PUBLIC, Match.INSTRUMENTS),
    f"GET {MARKET}/ticker": Route(public.tickers, PUBLIC, Match.PRICES),
    f"GET {MARKET}/fair_price/{{}}": Route(public.fair_price, PUBLIC, Match.PRICES),
    f"GET {MARKET}/index_price/{{}}": Route(public.index_price, PUBLIC, Match.PRICES),
    f"GET {MARKET}/depth/{{}}": Route(public.depth, PUBLIC, Match.PRICES),
    f"GET {MARKET}/kline/{{}}": Route(public.klines, PUBLIC, Match.PRICES),
    f"GET {MARKET}/funding_rate/history": Route(public.funding_history),
    f"GET {MARKET}/funding_rate/{{}}": Route(public.funding_rate),
    f"GET {PRIVATE}/account/assets": Route(account.assets, READS, Match.EQUITY),
    f"GET {PRIVATE}/account/asset/{{}}": Route(account.asset, READS, Match.EQUITY),
    f"GET {PRIVATE}/account/tiered_fee_rate": Route(account.fee_rate, READS),
    f"GET {PRIVATE}/account/tiered_fee_rate/v2": Route(account.fee_rate, READS),
    f"GET {PRIVATE}/position/open_positions": Route(account.open_positions, READS, Match.POSITIONS),
    f"GET {PRIVATE}/position/funding_records": Route(account.funding_records, READS),
    f"GET {PRIVATE}/position/position_mode": Route(account.position_mode, READS),
    f"POST {PRIVATE}/position/change_position_mode": Route(account.change_position_mode, TRADES),
    f"GET {PRIVATE}/position/leverage": Route(account.leverage, READS, Match.LEVERAGE),
    f"POST {PRIVATE}/position/change_leverage": Route(account.change_leverage, TRADES, Match.LEVERAGE),
    f"POST {PRIVATE}/order/create": Route(orders.create, TRADES, Match.ORDER_CREATE),
    f"POST {PRIVATE}/order/submit": Route(orders.create, TRADES, Match.ORDER_CREATE),
    f"POST {PRIVATE}/order/cancel": Route(orders.cancel, TRADES),
    f"POST {PRIVATE}/order/cancel_with_external": Route(orders.cancel_external, TRADES),
    f"POST {PRIVATE}/order/batch_cancel_with_external": Route(orders.cancel_external, TRADES),
    f"POST {PRIVATE}/order/cancel_all": Route(orders.cancel_all, TRADES),
    f"GET {PRIVATE}/order/get/{{}}": Route(queries.by_id, READS, Match.ORDER_QUERY),
    f"GET {PRIVATE}/order/external/{{}}/{{}}": Route(queries.by_external, READS, Match.ORDER_QUERY),
    f"GET {PRIVATE}/order/batch_query": Route(queries.batch_query, READS, Match.ORDER_QUERY),
    f"POST {PRIVATE}/order/batch_query_with_external": Route(queries.batch_external, READS, Match.ORDER_QUERY),
    f"GET {PRIVATE}/order/list/open_orders": Route(queries.open_orders, READS, Match.ORDER_QUERY),
    f"GET {PRIVATE}/order/list/open_orders/{{}}": Route(queries.open_orders, READS, Match.ORDER_QUERY),
    f"GET {PRIVATE}/order/list/history_orders": Route(queries.history_orders, READS, Match.ORDER_QUERY),
    f"GET {PRIVATE}/order/list/order_deals": Route(queries.deals, READS, Match.ORDER_QUERY),
    f"GET {PRIVATE}/order/list/order_deals/v3": Route(queries.deals, READS, Match.ORDER_QUERY),
    f"GET {PRIVATE}/order/deal_details/{{}}": Route(queries.deal_details, READS, Match.ORDER_QUERY),
}
"""What is not here is answered with 511. A `{}` stands for one name in the path."""

NAMING = {tuple(key.split("/")): key for key in ROUTES if "{}" in key}


def endpoint_of(target: Target) -> tuple[str, tuple[str, ...]]:
    """The key of `ROUTES` for a target, and the names in its path; an endpoint nobody serves as it is."""
    if target.endpoint in ROUTES:
        return target.endpoint, ()
    parts = target.endpoint.split("/")
    for pattern, key in NAMING.items():
        if len(pattern) == len(parts) and all(a in ("{}", b) for a, b in zip(pattern, parts, strict=True)):
            return key, tuple(part for a, part in zip(pattern, parts, strict=True) if a == "{}")
    return target.endpoint, ()


class MexcFacade:
    """One simulated MEXC. See `simulator.facades.Facade` for the contract."""

    def __init__(
        self,
        exchange: Exchange,
        *,
        read_lag_s: float = 0.0,
        absent_code: int | None = NO_ORDER,
        framed: bool = False,
        addresses: Mapping[str, frozenset[str]] | None = None,
    ) -> None:
        """`read_lag_s`: how long after the acknowledgement an order, its fills and its effect on positions stay unseen
        by reads. `absent_code`: what a lookup answers where there is no such order (not documented; None: success
        without data). `framed`: lists of orders and deals come with totals around them, as the documentation's tables
        have it, not bare, as its examples do. `addresses`: accounts whose key is bound to addresses; every request
        comes from 127.0.0.1."""
        self._venue = Venue(exchange, addresses or {}, Lag(exchange, read_lag_s), absent_code, framed)
        self._limits = Limits()
        self._news = News(exchange)
        self._tally = Tally({*ROUTES, streams.ENDPOINT})

    @property
    def venue(self) -> str:
        return self._venue.exchange.venue

    # --- for the server -----------------------------------------------------------------------------------------------

    def classify(self, request: Request) -> facades.Call:
        endpoint, _ = endpoint_of(Target.of(request))
        if endpoint == streams.ENDPOINT and request.headers.get("upgrade", "").lower() == "websocket":
            return facades.Call(Match.STREAM, None, endpoint)
        route = ROUTES.get(endpoint)
        key = request.headers.get(auth.KEY, "")
        name = None if route is None or route.right == PUBLIC else self._venue.exchange.account_of(key)
        return facades.Call(Match.OTHER if route is None else route.match, name, endpoint)

    def counts(self) -> RequestCounts:
        return self._tally.counts()

    def credentials(self, account: str) -> Mapping[str, str]:
        keys = self._venue.exchange.keys(account)
        return {"api_key": keys.api_key, "api_secret": keys.api_secret}

    def session(self, request: StreamRequest) -> Session | Response:
        path = Target.of(Request("GET", request.url, {}, b"")).path
        self._tally.count(streams.ENDPOINT if path == streams.PATH else path)
        if path != streams.PATH:
            return Response(404, {"content-type": "text/plain"}, b"404 page not found")
        return streams.EdgeSession(self._venue, self._news)

    def reject(self, request: Request, code: str) -> Response:
        """`code` is one of the venue's, or 403 or 429: the HTTP status of the front that shuts an address out."""
        self._tally.count(endpoint_of(Target.of(request))[0])
        if code in SHUT_OUT:
            return Response(int(code), {"content-type": "text/html"}, b"<html><body>error</body></html>")
        return _failed(int(code) if code.isdecimal() else PARAMETER)

    # --- requests -----------------------------------------------------------------------------------------------------

    def handle(self, request: Request) -> Response:
        target = Target.of(request)
        endpoint, names = endpoint_of(target)
        self._tally.count(endpoint)
        route = ROUTES.get(endpoint)
        if route is None:
            return _failed(NO_ENDPOINT)
        try:
            name = self._caller(route, request, target)
            if self._limits.exceeds(name, endpoint, self._venue.exchange.clock.monotonic()):
                self._tally.over_limit()
                raise Refusal(TOO_MANY)
            if route.right == TRADES and not self._venue.exchange.info(name).can_trade:
                raise Refusal(NO_TRADE_RIGHT)
            params = Params.of_body(request.body) if request.method == "POST" else Params.of_query(target.query)
            body = success(route.handler(Call(self._venue, name, params, names)))
        except Refusal as refusal:
            return _failed(refusal.code, refusal.message)
        except Refused as refused:
            return _failed(REFUSALS[refused.reason])
        return Response(200, {"content-type": JSON_TYPE}, body)

    def _caller(self, route: Route, request: Request, target: Target) -> str:
        """The account; '' for what anybody may ask."""
        if route.right == PUBLIC:
            return ""
        return auth.authenticate(self._venue.exchange, request, target, self._venue.addresses)


def _failed(code: int, message: str | None = None) -> Response:
    """HTTP 200, whatever the code."""
    text = MESSAGES.get(code, f"error {code}") if message is None else message
    return Response(200, {"content-type": JSON_TYPE}, failure(code, text))
