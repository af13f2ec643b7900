"""Bybit V5's door: routes, authentication, limits, and the frame around every answer. Streams begin in `streams`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from core.ports import Request, Response, StreamRequest
from simulator import facades
from simulator.exchange import Exchange
from simulator.facades import Match, RequestCounts, Session
from simulator.facades.bybit import account, auth, executions, orders, positions, public, queries
from simulator.facades.bybit.codes import MESSAGES, NO_PERMISSION, PARAMETER_ERROR, REFUSALS, TOO_MANY_VISITS
from simulator.facades.bybit.context import Call, Handler, Realised, Venue
from simulator.facades.bybit.details import load_details
from simulator.facades.bybit.limits import Limits, Standing
from simulator.facades.bybit.streams import PATHS, Streams, path_of
from simulator.facades.bybit.wire import Json, Params, Refusal, Target, envelope, ms
from simulator.facades.lag import Lag
from simulator.model import Refused

JSON_TYPE = "application/json; charset=utf-8"
TEXT_TYPE = "text/plain; charset=utf-8"
UNKNOWN_ENDPOINT = "unknown"
TRADES = "trades"
READS = "reads"
PUBLIC = "public"


@dataclass(frozen=True, slots=True)
class Route:
    """An endpoint. `right` says who may call it; `per_s` is its limit per UID (0: none, public ones have none)."""

    handler: Handler
    match: Match = Match.OTHER
    right: str = PUBLIC
    per_s: int = 0


ROUTES: Mapping[str, Route] = {
    "GET /v5/market/time": Route(public.time),
    "GET /v5/market/instruments-info": Route(public.instruments, Match.INSTRUMENTS),
    "GET /v5/market/tickers": Route(public.tickers, Match.PRICES),
    "GET /v5/market/orderbook": Route(public.orderbook, Match.PRICES),
    "GET /v5/market/price-limit": Route(public.order_price_limit, Match.PRICES),
    "GET /v5/market/kline": Route(public.klines, Match.PRICES),
    "GET /v5/market/mark-price-kline": Route(public.klines, Match.PRICES),
    "GET /v5/market/funding/history": Route(public.funding_history),
    "GET /v5/account/info": Route(account.info, Match.OTHER, READS, 50),
    "GET /v5/account/wallet-balance": Route(account.wallet_balance, Match.EQUITY, READS, 50),
    "GET /v5/account/fee-rate": Route(account.fee_rate, Match.OTHER, READS, 5),
    "GET /v5/account/collateral-info": Route(account.collateral_info, Match.OTHER, READS, 50),
    "GET /v5/account/user-setting-config": Route(account.user_setting, Match.OTHER, READS, 50),
    "GET /v5/account/transaction-log": Route(executions.transaction_log, Match.OTHER, READS, 25),
    "POST /v5/account/set-margin-mode": Route(account.set_margin_mode, Match.MARGIN_MODE, TRADES, 5),
    "POST /v5/account/set-limit-px-action": Route(account.set_limit_price_action, Match.OTHER, TRADES, 10),
    "GET /v5/user/query-api": Route(account.query_api, Match.OTHER, READS, 10),
    "GET /v5/user/get-member-type": Route(account.member_type, Match.OTHER, READS, 10),
    "GET /v5/asset/coin/query-info": Route(account.coins, Match.OTHER, READS, 5),
    "GET /v5/position/list": Route(positions.listed, Match.POSITIONS, READS, 50),
    "POST /v5/position/set-leverage": Route(positions.set_leverage, Match.LEVERAGE, TRADES, 10),
    "POST /v5/position/switch-mode": Route(positions.switch_mode, Match.OTHER, TRADES, 10),
    "POST /v5/position/switch-isolated": Route(positions.switch_isolated, Match.MARGIN_MODE, TRADES, 10),
    "POST /v5/order/create": Route(orders.create, Match.ORDER_CREATE, TRADES, 10),
    "POST /v5/order/cancel": Route(orders.cancel, Match.OTHER, TRADES, 10),
    "POST /v5/order/cancel-all": Route(orders.cancel_all, Match.OTHER, TRADES, 10),
    "GET /v5/order/realtime": Route(queries.realtime, Match.ORDER_QUERY, READS, 50),
    "GET /v5/order/history": Route(queries.history, Match.ORDER_QUERY, READS, 50),
    "GET /v5/execution/list": Route(executions.executions, Match.ORDER_QUERY, READS, 50),
}
"""Limits are the linear column of https://bybit-exchange.github.io/docs/v5/rate-limit. What is not here is HTTP 404."""


class BybitFacade:
    """One simulated Bybit. See `simulator.facades.Facade` for the contract."""

    def __init__(
        self,
        exchange: Exchange,
        *,
        read_lag_s: float = 0.0,
        addresses: Mapping[str, frozenset[str]] | None = None,
    ) -> None:
        """`read_lag_s`: how long after the acknowledgement an order, its fills and its effect on positions stay unseen
        by reads (execution is asynchronous; the ledger is never late). `addresses`: accounts whose key is bound to
        addresses; every request comes from 127.0.0.1."""
        self._venue = Venue(exchange, load_details(), addresses or {}, Lag(exchange, read_lag_s), Realised(exchange))
        self._streams = Streams(self._venue)
        self._limits = Limits()
        self._total = 0
        self._over_limit = 0
        self._by_endpoint: dict[str, int] = {}

    @property
    def venue(self) -> str:
        return self._venue.exchange.venue

    # --- for the server -----------------------------------------------------------------------------------------------

    def classify(self, request: Request) -> facades.Call:
        target = Target.of(request)
        endpoint = f"{target.method} {target.path}"
        if target.path in PATHS and request.headers.get("upgrade", "").lower() == "websocket":
            return facades.Call(Match.STREAM, None, endpoint)
        route = ROUTES.get(endpoint)
        key = request.headers.get(auth.KEY, "")
        account = None if route is None or route.right == PUBLIC else self._venue.exchange.account_of(key)
        return facades.Call(Match.OTHER if route is None else route.match, account, endpoint)

    def counts(self) -> RequestCounts:
        return RequestCounts(self._total, self._over_limit, dict(self._by_endpoint))

    def credentials(self, account: str) -> Mapping[str, str]:
        keys = self._venue.exchange.keys(account)
        return {"api_key": keys.api_key, "api_secret": keys.api_secret}

    def session(self, request: StreamRequest) -> Session | Response:
        path = path_of(request.url)
        opened = self._streams.open(request)
        self._note(f"GET {path}" if path in PATHS else UNKNOWN_ENDPOINT)
        self._over_limit += isinstance(opened, Response) and opened.status == 403
        return opened

    def reject(self, request: Request, code: str) -> Response:
        """`code` is a retCode, or an HTTP status of three digits; anything else is worded as 10001."""
        self._count(Target.of(request))
        if code.isdecimal() and len(code) == 3:
            return self._plain(int(code), "access too frequent" if code == "403" else "")
        number = int(code) if code.removeprefix("-").isdecimal() else PARAMETER_ERROR
        return self._answer({}, number, MESSAGES.get(number, f"error {code}"))

    # --- requests -----------------------------------------------------------------------------------------------------

    def handle(self, request: Request) -> Response:
        target = Target.of(request)
        route = self._count(target)
        if self._limits.address_banned(self._venue.exchange.clock.monotonic()):
            self._over_limit += 1
            return self._plain(403, "access too frequent")
        if request.method not in ("GET", "POST"):
            return self._plain(400, "Bad request. Need to send the request with GET / POST (must be capitalized)")
        if route is None:
            return self._plain(404, "404 page not found")
        if request.method == "GET" and request.body:
            # The documentation lists a GET with a body among the causes of 403.
            return self._plain(403, "Forbidden")
        if route.right == PUBLIC:
            return self._run(route, request, target, "", None)
        if not auth.complete(request.headers):
            return self._plain(401, "")
        return self._private(route, request, target)

    def _private(self, route: Route, request: Request, target: Target) -> Response:
        signed = target.query.encode(errors="surrogateescape") if request.method == "GET" else request.body
        try:
            account = auth.authenticate(self._venue.exchange, request.headers, signed, self._venue.addresses)
        except Refusal as refusal:
            return self._answer(refusal.result, refusal.code, refusal.message)
        now_s = self._venue.exchange.clock.monotonic()
        standing = self._limits.uid(account, target.path, route.per_s, now_s)
        if standing.exceeded:
            self._over_limit += 1
            return self._answer({}, TOO_MANY_VISITS, MESSAGES[TOO_MANY_VISITS], standing)
        if route.right == TRADES and not self._venue.exchange.info(account).can_trade:
            return self._answer({}, NO_PERMISSION, MESSAGES[NO_PERMISSION], standing)
        return self._run(route, request, target, account, standing)

    def _run(self, route: Route, request: Request, target: Target, account: str, standing: Standing | None) -> Response:
        try:
            params = Params.of_query(target.query) if request.method == "GET" else Params.of_body(request.body)
            return self._answer(route.handler(Call(self._venue, account, params)), standing=standing)
        except Refusal as refusal:
            return self._answer(refusal.result, refusal.code, refusal.message, standing)
        except Refused as refused:
            code, message = REFUSALS[refused.reason]
            return self._answer({}, code, message, standing)

    def _count(self, target: Target) -> Route | None:
        """Paths nobody serves share one count, so that a scan cannot fill the memory."""
        endpoint = f"{target.method} {target.path}"
        route = ROUTES.get(endpoint)
        self._note(endpoint if route is not None else UNKNOWN_ENDPOINT)
        return route

    def _note(self, name: str) -> None:
        self._total += 1
        self._by_endpoint[name] = self._by_endpoint.get(name, 0) + 1

    # --- answers ------------------------------------------------------------------------------------------------------

    def _answer(self, result: Json, code: int = 0, message: str = "OK", standing: Standing | None = None) -> Response:
        """A JSON answer: HTTP 200, whatever the retCode. Private ones tell where the caller stands with its limit."""
        now_ms = ms(self._venue.exchange.time())
        headers = {"content-type": JSON_TYPE, "timenow": str(now_ms), "ret_code": str(code)}
        if standing is not None:
            headers["x-bapi-limit"] = str(standing.limit)
            headers["x-bapi-limit-status"] = str(standing.left)
            headers["x-bapi-limit-reset-timestamp"] = str(now_ms + ms(standing.room_in_s))
        return Response(200, headers, envelope(result, now_ms, code, message))

    def _plain(self, status: int, text: str) -> Response:
        """What the venue's front servers answer: no envelope."""
        return Response(status, {"content-type": TEXT_TYPE}, text.encode())
