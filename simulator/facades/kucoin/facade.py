"""KuCoin Futures' door: routes, authentication, limits, the frame around every answer, and the way to the streams."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from core.ports import Request, Response, StreamRequest
from simulator import facades
from simulator.exchange import Exchange
from simulator.facades import Match, RequestCounts, Session
from simulator.facades.kucoin import account, auth, orders, public, queries, streams
from simulator.facades.kucoin.codes import (
    MESSAGES,
    NO_ENDPOINT,
    NO_PERMISSION,
    PARAMETER_ERROR,
    REFUSALS,
    STATUSES,
    SUCCESS,
    TOO_MANY_REQUESTS,
)
from simulator.facades.kucoin.context import Call, Handler, InitialMargins, Venue
from simulator.facades.kucoin.limits import POOL, Limits
from simulator.facades.kucoin.wire import Params, Refusal, failure, success
from simulator.facades.lag import Lag
from simulator.facades.parts import UNKNOWN_ENDPOINT, Standing, Tally, Target, ms
from simulator.model import Refused

JSON_TYPE = "application/json;charset=utf-8"
TRADES = "Futures"
READS = "General"
PUBLIC = ""


@dataclass(frozen=True, slots=True)
class Route:
    """An endpoint, what it takes from its pool, and the right a key needs for it."""

    handler: Handler
    weight: int
    right: str = PUBLIC
    match: Match = Match.OTHER


ROUTES: Mapping[str, Route] = {
    "GET /api/v1/timestamp": Route(public.timestamp, 2),
    "GET /api/v1/status": Route(public.status, 4),
    "GET /api/v3/currencies": Route(public.currencies, 3),
    "GET /api/v1/contracts/active": Route(public.active, 3, PUBLIC, Match.INSTRUMENTS),
    "GET /api/v1/contracts/{}": Route(public.one_contract, 3, PUBLIC, Match.PRICES),
    "GET /api/v1/ticker": Route(public.ticker, 2, PUBLIC, Match.PRICES),
    "GET /api/v1/allTickers": Route(public.all_tickers, 5, PUBLIC, Match.PRICES),
    "GET /api/v1/mark-price/{}/current": Route(public.mark_price, 3, PUBLIC, Match.PRICES),
    "GET /api/v1/level2/snapshot": Route(public.snapshot, 3, PUBLIC, Match.PRICES),
    "GET /api/v1/level2/depth{}": Route(public.part_book, 5, PUBLIC, Match.PRICES),
    "GET /api/v1/kline/query": Route(public.klines, 3, PUBLIC, Match.PRICES),
    "GET /api/v1/funding-rate/{}/current": Route(public.funding_rate, 2),
    "GET /api/v1/contract/funding-rates": Route(public.funding_rates, 5),
    "GET /api/ua/v1/account/mode": Route(account.account_mode, 30, READS),
    "GET /api/v3/margin/symbols": Route(account.margin_symbols, 3, READS),
    "GET /api/v1/hf/accounts/opened": Route(account.high_frequency, 2, READS),
    "GET /api/v1/isolated/symbols": Route(account.isolated_symbols, 3, READS),
    "GET /api/v1/account-overview": Route(account.overview, 5, READS, Match.EQUITY),
    "GET /api/v1/trade-fees": Route(account.fees, 3, READS),
    "GET /api/v1/positions": Route(account.positions, 2, READS, Match.POSITIONS),
    "GET /api/v1/position": Route(account.one_position, 2, READS, Match.POSITIONS),
    "GET /api/v2/position": Route(account.position_v2, 2, READS, Match.POSITIONS),
    "GET /api/v2/position/getMarginMode": Route(account.get_margin_mode, 2, READS, Match.MARGIN_MODE),
    "POST /api/v2/position/changeMarginMode": Route(account.change_margin_mode, 2, TRADES, Match.MARGIN_MODE),
    "GET /api/v2/position/getPositionMode": Route(account.get_position_mode, 2, READS),
    "POST /api/v2/position/switchPositionMode": Route(account.switch_position_mode, 2, TRADES),
    "GET /api/v2/getCrossUserLeverage": Route(account.get_cross_leverage, 2, READS, Match.LEVERAGE),
    "POST /api/v2/changeCrossUserLeverage": Route(account.change_cross_leverage, 2, TRADES, Match.LEVERAGE),
    "POST /api/v1/orders": Route(orders.create, 2, TRADES, Match.ORDER_CREATE),
    "POST /api/v1/orders/test": Route(orders.validate, 2, TRADES),
    "DELETE /api/v1/orders": Route(orders.cancel_all, 10, TRADES),
    "DELETE /api/v3/orders": Route(orders.cancel_all, 10, TRADES),
    "DELETE /api/v1/orders/{}": Route(orders.cancel, 1, TRADES),
    "DELETE /api/v1/orders/client-order/{}": Route(orders.cancel_by_client, 1, TRADES),
    "GET /api/v1/orders": Route(queries.listed, 2, READS, Match.ORDER_QUERY),
    "GET /api/v1/orders/byClientOid": Route(queries.by_client_oid, 5, READS, Match.ORDER_QUERY),
    "GET /api/v1/orders/{}": Route(queries.by_id, 5, READS, Match.ORDER_QUERY),
    "GET /api/v1/recentDoneOrders": Route(queries.recent_done, 5, READS, Match.ORDER_QUERY),
    "GET /api/v1/fills": Route(queries.fills, 5, READS, Match.ORDER_QUERY),
    "GET /api/v1/recentFills": Route(queries.recent_fills, 3, READS, Match.ORDER_QUERY),
    "GET /api/v1/openOrderStatistics": Route(queries.open_value, 10, READS),
    "GET /api/v1/funding-history": Route(queries.funding, 5, READS),
    "POST /api/v1/bullet-private": Route(streams.bullet, 10, READS),
    "POST /api/v1/bullet-public": Route(streams.bullet, 10),
}
"""Weights and rights of the official SDK's API descriptions (kucoin-universal-sdk 1.3.2). Others are 404000."""

NAMING = [key.partition("{}")[::2] for key in ROUTES if "{}" in key]
"""Endpoints whose path names something: what stands before the name, and what behind it. Longer ones come first."""
NAMING.sort(key=lambda around: -len(around[0]))


def endpoint_of(target: Target) -> tuple[str, str]:
    """The key of `ROUTES` for a target, and the name in its path; an endpoint nobody serves as it is."""
    if target.endpoint in ROUTES:
        return target.endpoint, ""
    for before, behind in NAMING:
        inner = target.endpoint.removeprefix(before).removesuffix(behind)
        if inner and "/" not in inner and f"{before}{inner}{behind}" == target.endpoint:
            return f"{before}{{}}{behind}", inner
    return target.endpoint, ""


class KucoinFacade:
    """One simulated KuCoin Futures. See `simulator.facades.Facade` for the contract."""

    def __init__(
        self,
        exchange: Exchange,
        *,
        read_lag_s: float = 0.0,
        addresses: Mapping[str, frozenset[str]] | None = None,
        unset: frozenset[str] = frozenset(),
    ) -> None:
        """`read_lag_s`: how long after the acknowledgement an order, its fills and its effect on positions stay unseen
        by reads (a quarter of a second was seen; the ledger is never late). `addresses`: accounts whose key is bound
        to addresses; every request comes from 127.0.0.1. `unset`: accounts that never chose a position mode."""
        self._venue = Venue(exchange, Lag(exchange, read_lag_s), InitialMargins(exchange), unset=set(unset))
        self._addresses = addresses or {}
        self._limits = Limits()
        self._tally = Tally([*ROUTES, streams.ENDPOINT])
        self._streams = streams.Streams(self._venue)

    @property
    def venue(self) -> str:
        return self._venue.exchange.venue

    # --- for the server -----------------------------------------------------------------------------------------------

    def classify(self, request: Request) -> facades.Call:
        target = Target.of(request)
        if target.path in streams.PATHS and request.headers.get("upgrade", "").lower() == "websocket":
            return facades.Call(Match.STREAM, self._streams.account_of(request.url), streams.ENDPOINT)
        endpoint, _ = endpoint_of(target)
        route = ROUTES.get(endpoint)
        if route is None:
            return facades.Call(Match.OTHER, None, endpoint)
        key = request.headers.get(auth.KEY, "")
        private = route.right != PUBLIC
        return facades.Call(route.match, self._venue.exchange.account_of(key) if private else None, endpoint)

    def counts(self) -> RequestCounts:
        return self._tally.counts()

    def credentials(self, account: str) -> Mapping[str, str]:
        keys = self._venue.exchange.keys(account)
        return {"api_key": keys.api_key, "api_secret": keys.api_secret, "api_passphrase": keys.passphrase}

    def session(self, request: StreamRequest) -> Session | Response:
        opened = self._streams.open(request)
        status = opened.status if isinstance(opened, Response) else None
        self._tally.count(UNKNOWN_ENDPOINT if status == 404 else streams.ENDPOINT)
        if status == 429:
            self._tally.over_limit()
        return opened

    def reject(self, request: Request, code: str) -> Response:
        """`code` is the venue's own, or an HTTP status of three digits."""
        self._tally.count(endpoint_of(Target.of(request))[0])
        if code.isdecimal() and len(code) == 3:
            return Response(int(code), {"content-type": "text/html"}, b"<html><body>error</body></html>")
        return self._failed(code)

    # --- requests -----------------------------------------------------------------------------------------------------

    def handle(self, request: Request) -> Response:
        target = Target.of(request)
        endpoint, name = endpoint_of(target)
        self._tally.count(endpoint)
        route = ROUTES.get(endpoint)
        if route is None:
            return self._failed(NO_ENDPOINT)
        account = None
        if route.right != PUBLIC:
            try:
                account = auth.authenticate(
                    self._venue.exchange, request.headers, target, request.body, self._addresses
                )
            except Refusal as refusal:
                return self._failed(refusal.code)
        now_s = self._venue.exchange.clock.monotonic()
        pool = self._limits.of(account)
        standing = pool.take(now_s, route.weight)
        headers = standing_headers(standing, pool.reset_s(now_s))
        if standing.exceeded:
            self._tally.over_limit()
            return self._failed(TOO_MANY_REQUESTS, headers=headers)
        if route.right == TRADES and not self._venue.exchange.info(account or "").can_trade:
            return self._failed(NO_PERMISSION, headers=headers)
        return self._run(route, request, target, account or "", name, headers)

    def _run(
        self, route: Route, request: Request, target: Target, account: str, name: str, headers: Mapping[str, str]
    ) -> Response:
        try:
            in_query = request.method in ("GET", "DELETE")
            params = Params.of_query(target.query) if in_query else Params.of_body(request.body)
            data = route.handler(Call(self._venue, account, params, name, origin_of(request.url)))
        except Refusal as refusal:
            return self._failed(refusal.code, refusal.message, headers)
        except Refused as refused:
            code = REFUSALS[refused.reason]
            # A parameter that is wrong is named in the answer.
            return self._failed(code, str(refused) if code == PARAMETER_ERROR else None, headers)
        return Response(200, {"content-type": JSON_TYPE, **headers}, success(data))

    def _failed(self, code: str, message: str | None = None, headers: Mapping[str, str] | None = None) -> Response:
        assert code != SUCCESS, "a success is no failure"
        text = MESSAGES.get(code, f"error {code}") if message is None else message
        return Response(STATUSES.get(code, 200), {"content-type": JSON_TYPE, **(headers or {})}, failure(code, text))


def origin_of(url: str) -> str:
    """Scheme and host of a URL; '' for one that cannot be read."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc}"


def standing_headers(standing: Standing, reset_s: float) -> Mapping[str, str]:
    return {
        "gw-ratelimit-limit": str(POOL),
        "gw-ratelimit-remaining": str(standing.left),
        "gw-ratelimit-reset": str(ms(reset_s)),
    }
