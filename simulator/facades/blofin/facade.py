"""BloFin's door: routes, authentication, limits, streams, and the frame around every answer over REST."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from core.ports import Request, Response, StreamRequest
from simulator import facades
from simulator.exchange import Exchange
from simulator.facades import Match, RequestCounts, Session
from simulator.facades.blofin import account, auth, orders, public, queries
from simulator.facades.blofin.codes import (
    ALL_FAILED,
    BAD_METHOD,
    BAD_PARAMETER,
    MESSAGES,
    NO_PERMISSION,
    NOT_FOUND,
    OF_AN_ORDER,
    OK,
    REFUSALS,
    TOO_MANY,
)
from simulator.facades.blofin.context import Call, Handler, Venue, Ways
from simulator.facades.blofin.limits import Limits
from simulator.facades.blofin.streams import PATHS, Streams, TooOften, path_of
from simulator.facades.blofin.wire import Params, Refusal, envelope
from simulator.facades.lag import Lag
from simulator.facades.parts import Tally, Target
from simulator.model import Refused

JSON_TYPE = "application/json; charset=utf-8"
TRADES = "trades"
READS = "reads"
PUBLIC = "public"


@dataclass(frozen=True, slots=True)
class Route:
    """An endpoint. `right` says who may call it."""

    handler: Handler
    match: Match = Match.OTHER
    right: str = PUBLIC


ROUTES: Mapping[str, Route] = {
    "GET /api/v1/market/instruments": Route(public.instruments, Match.INSTRUMENTS),
    "GET /api/v1/market/tickers": Route(public.tickers, Match.PRICES),
    "GET /api/v1/market/mark-price": Route(public.mark_prices, Match.PRICES),
    "GET /api/v1/market/books": Route(public.books, Match.PRICES),
    "GET /api/v1/market/candles": Route(public.candles, Match.PRICES),
    "GET /api/v1/market/funding-rate": Route(public.funding_rates),
    "GET /api/v1/market/funding-rate-history": Route(public.funding_history),
    "GET /api/v1/market/position-tiers": Route(public.position_tiers),
    "GET /api/v1/user/query-apikey": Route(account.query_apikey, Match.OTHER, READS),
    "GET /api/v1/account/config": Route(account.config, Match.OTHER, READS),
    "GET /api/v1/account/balance": Route(account.balance, Match.EQUITY, READS),
    "GET /api/v1/account/positions": Route(account.positions, Match.POSITIONS, READS),
    "GET /api/v1/account/margin-mode": Route(account.margin_mode, Match.OTHER, READS),
    "POST /api/v1/account/set-margin-mode": Route(account.set_margin_mode, Match.MARGIN_MODE, TRADES),
    "GET /api/v1/account/position-mode": Route(account.position_mode, Match.OTHER, READS),
    "POST /api/v1/account/set-position-mode": Route(account.set_position_mode, Match.OTHER, TRADES),
    "GET /api/v1/account/leverage-info": Route(account.leverage_info, Match.OTHER, READS),
    "GET /api/v1/account/batch-leverage-info": Route(account.batch_leverage_info, Match.OTHER, READS),
    "POST /api/v1/account/set-leverage": Route(account.set_leverage, Match.LEVERAGE, TRADES),
    "POST /api/v1/trade/order": Route(orders.create, Match.ORDER_CREATE, TRADES),
    "POST /api/v1/trade/cancel-order": Route(orders.cancel, Match.OTHER, TRADES),
    "POST /api/v1/trade/close-position": Route(orders.close_position, Match.ORDER_CREATE, TRADES),
    "GET /api/v1/trade/order/price-range": Route(public.price_range, Match.PRICES, READS),
    "GET /api/v1/trade/order-detail": Route(queries.detail, Match.ORDER_QUERY, READS),
    "GET /api/v1/trade/orders-pending": Route(queries.pending, Match.ORDER_QUERY, READS),
    "GET /api/v1/trade/orders-history": Route(queries.history, Match.ORDER_QUERY, READS),
    "GET /api/v1/trade/fills-history": Route(queries.fills, Match.ORDER_QUERY, READS),
}
"""What is not here is answered with the code 404."""


class BloFinFacade:
    """One simulated BloFin. See `simulator.facades.Facade` for the contract."""

    def __init__(
        self,
        exchange: Exchange,
        *,
        read_lag_s: float = 0.0,
        absent_code: str | None = BAD_PARAMETER,
        addresses: Mapping[str, frozenset[str]] | None = None,
        ways: Ways | None = None,
    ) -> None:
        """`read_lag_s`: how long after the acknowledgement an order, its fills and its effect on positions stay unseen
        by reads. `absent_code`: what order-detail answers where there is no such order (not documented; None: success
        without data). `addresses`: accounts whose key is bound to addresses; every request comes from 127.0.0.1.
        `ways`: what else is not documented."""
        self._venue = Venue(exchange, addresses or {}, Lag(exchange, read_lag_s), absent_code, ways or Ways())
        self._door = auth.Door(exchange, addresses or {})
        self._streams = Streams(self._venue, self._door)
        self._limits = Limits()
        self._tally = Tally([*ROUTES, *PATHS.values()])

    @property
    def venue(self) -> str:
        return self._venue.exchange.venue

    # --- for the server -----------------------------------------------------------------------------------------------

    def classify(self, request: Request) -> facades.Call:
        target = Target.of(request)
        if target.path in PATHS and request.headers.get("upgrade", "").lower() == "websocket":
            return facades.Call(Match.STREAM, None, target.endpoint)
        route = ROUTES.get(target.endpoint)
        key = request.headers.get(auth.KEY, "")
        name = None if route is None or route.right == PUBLIC else self._venue.exchange.account_of(key)
        return facades.Call(Match.OTHER if route is None else route.match, name, target.endpoint)

    def counts(self) -> RequestCounts:
        return self._tally.counts()

    def credentials(self, account: str) -> Mapping[str, str]:
        keys = self._venue.exchange.keys(account)
        return {"api_key": keys.api_key, "api_secret": keys.api_secret, "api_passphrase": keys.passphrase}

    def session(self, request: StreamRequest) -> Session | Response:
        path = path_of(request)
        self._tally.count(PATHS.get(path, path))
        if path not in PATHS:
            return self._answer(None, NOT_FOUND, MESSAGES[NOT_FOUND], status=404)
        try:
            return self._streams.open(path)
        except TooOften:
            return self._too_many()

    def reject(self, request: Request, code: str) -> Response:
        """`code` is one of the venue's, or an HTTP status it uses (403, 429)."""
        target = Target.of(request)
        self._tally.count(target.endpoint)
        if code in ("403", TOO_MANY):
            return self._answer(None, code, MESSAGES.get(code, "Forbidden"), status=int(code))
        message = MESSAGES.get(code, f"error {code}")
        route = ROUTES.get(target.endpoint)
        if code in OF_AN_ORDER and route is not None and route.match is Match.ORDER_CREATE:
            row = orders.Failed(code, message, "").row
            return self._answer([row], ALL_FAILED, MESSAGES[ALL_FAILED])
        return self._answer(None, code, message)

    # --- requests -----------------------------------------------------------------------------------------------------

    def handle(self, request: Request) -> Response:
        target = Target.of(request)
        self._tally.count(target.endpoint)
        now_s = self._venue.exchange.clock.monotonic()
        if self._limits.address_suspended(now_s):
            return self._too_many()
        route = ROUTES.get(target.endpoint)
        if route is None:
            known = any(name.endswith(f" {target.path}") for name in ROUTES)
            code = BAD_METHOD if known else NOT_FOUND
            return self._answer(None, code, MESSAGES[code])
        try:
            name = "" if route.right == PUBLIC else self._door.account(request, target)
            if name and self._limits.user_exceeds(name, target.path, now_s):
                return self._too_many()
            if route.right == TRADES and not self._venue.exchange.info(name).can_trade:
                raise Refusal(NO_PERMISSION)
            params = Params.of_query(target.query) if request.method == "GET" else Params.of_body(request.body)
            return self._answer(route.handler(Call(self._venue, name, params)))
        except Refusal as refusal:
            return self._answer(None, refusal.code, refusal.message)
        except Refused as refused:
            code, message = REFUSALS[refused.reason]
            return self._answer(None, code, message)
        except orders.Failed as failed:
            return self._answer([failed.row], ALL_FAILED, MESSAGES[ALL_FAILED])

    def _too_many(self) -> Response:
        self._tally.over_limit()
        return self._answer(None, TOO_MANY, MESSAGES[TOO_MANY], status=429)

    # --- answers ------------------------------------------------------------------------------------------------------

    def _answer(self, data: object, code: str = OK, message: str = "success", status: int = 200) -> Response:
        """A JSON answer: HTTP 200, whatever the code, but for the limits and the firewall."""
        return Response(status, {"content-type": JSON_TYPE}, envelope(data, code, message))
