"""kucoin-futures-python's endpoints over our transport: one request in, one parsed answer out.

Of the SDK only the endpoint methods are used. Their one way out is `_request`, which is replaced: the original signs
with whole seconds, keeps a session, raises errors as text, and returns the envelope where a list is empty. Endpoints
the SDK lacks call `_request` directly. No partner mark is sent, and no user agent of the SDK's.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import hmac
import json
import warnings
from collections.abc import Awaitable, Mapping
from types import MappingProxyType
from typing import Any, Self
from urllib.parse import quote, urlencode

from account_processors.budget import Lease, Priority, Window
from account_processors.codecs import kucoin as codec
from account_processors.codecs import kucoin_errors as errors
from account_processors.codecs.wire import Answer, Malformed, loads
from account_processors.reading import Page, answered, usable
from account_processors.server_time import KEPT_S, ServerTime
from account_processors.venue_clock import VenueClock
from account_processors.wiring import Wiring, pause_s, whole, without_secrets
from core.ports import Request, Response

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", message="pkg_resources is deprecated")
    from kucoin_futures.client import Market, Trade, User

POOL = 2000
POOL_S = 30.0
"""Weight per seconds: of an account's private requests, and of an address' public ones; the lowest level's
(https://www.kucoin.com/docs-new/rate-limit)."""
WEIGHTS: Mapping[str, int] = MappingProxyType(
    {
        "GET /api/v1/timestamp": 2,
        "GET /api/v1/contracts/active": 3,
        "GET /api/v1/contracts/": 3,
        "GET /api/v1/account-overview": 5,
        "GET /api/v1/positions": 2,
        "GET /api/v2/position/getMarginMode": 2,
        "GET /api/v2/position/getPositionMode": 2,
        "GET /api/v2/getCrossUserLeverage": 2,
        "POST /api/v2/position/changeMarginMode": 2,
        "POST /api/v2/position/switchPositionMode": 2,
        "POST /api/v2/changeCrossUserLeverage": 2,
        "POST /api/v1/orders": 2,
        "POST /api/v1/orders/test": 2,
        "GET /api/v1/orders": 2,
        "GET /api/v1/orders/byClientOid": 5,
        "GET /api/v1/orders/": 5,
        "DELETE /api/v1/orders/client-order/": 1,
        "GET /api/v1/fills": 5,
        "GET /api/v1/funding-history": 5,
        "POST /api/v1/bullet-private": 10,
        "POST /api/v1/bullet-public": 10,
    }
)
"""Weights of the official SDK's API descriptions (kucoin-universal-sdk 1.3.2); a key with a slash at its end is a
prefix."""
HEAVIEST = 10
WINDOW_MS = 5000
"""How far from its own clock the venue takes a timestamp."""
TIMEOUT_S = 5
"""The SDK's parameter; requests are bounded by the wiring's deadline."""
ORDERS = "/api/v1/orders"


def weight_of(method: str, path: str) -> int:
    """What a request takes from its pool."""
    exact = WEIGHTS.get(f"{method} {path}")
    if exact is not None:
        return exact
    prefix = path[: path.rindex("/") + 1]
    return WEIGHTS.get(f"{method} {prefix}", HEAVIEST)


class KucoinClient(Market, Trade, User):
    """The SDK's methods, awaited: `await client.get_all_position()` is an `Answer`.

    Transport errors (`NotSent`, `Lost`) and a full budget (`Unavailable`) are raised; every answer, good or bad, is
    returned for a codec to judge.
    """

    def __init__(self, wiring: Wiring, key: str, secret: str, passphrase: str) -> None:
        # The SDK's own constructor is not run: it would only keep what is kept here, and a session.
        self.venue_clock = VenueClock(wiring.clock)
        self.time = ServerTime(self.venue_clock, wiring.clock, wiring.shared, self._ask_time)
        """Shared by this client and its copies."""
        self._wiring = wiring
        self._key = key
        self._secret = secret
        self._phrase = passphrase
        self._sealed_phrase = self._seal(passphrase)
        self._pool = Window(f"{wiring.owner}'s requests", POOL, POOL_S)
        self._lease: Lease | None = None
        self._stamp_ms: int | None = None

    def __repr__(self) -> str:
        return f"KucoinClient({self._wiring.owner})"

    # --- endpoints the SDK lacks or builds otherwise ------------------------------------------------------------------

    def get_position_mode(self) -> Awaitable[Answer]:
        return self._request("GET", "/api/v2/position/getPositionMode")

    def switch_position_mode(self, mode: str) -> Awaitable[Answer]:
        return self._request("POST", "/api/v2/position/switchPositionMode", params={"positionMode": mode})

    def get_order_by_client_oid(self, client_oid: str) -> Awaitable[Answer]:
        return self._request("GET", f"{ORDERS}/byClientOid", params={"clientOid": client_oid})

    def get_funding(self, symbol: str, start_ms: int, end_ms: int) -> Awaitable[Answer]:
        """Newest first. The SDK's method insists on paging by an offset; the venue advises to page by time."""
        params = {"symbol": symbol, "startAt": start_ms, "endAt": end_ms, "maxCount": 100}
        return self._request("GET", "/api/v1/funding-history", params=params)

    def get_ws_token(self, *, private: bool) -> Awaitable[Answer]:
        """What opens a websocket. The SDK's method stands in another class, with a request method of its own."""
        return self._request("POST", f"/api/v1/bullet-{'private' if private else 'public'}", auth=private)

    async def _ask_time(self) -> float:
        answer, payload = await read(self.get_server_timestamp())
        with usable(answer.place):
            return codec.server_time_s(payload)

    # --- requests -----------------------------------------------------------------------------------------------------

    def signed(self, stamp_ms: int, lease: Lease) -> Self:
        """This client for one request whose room is already taken and whose timestamp is already journaled."""
        bound = copy.copy(self)
        bound._stamp_ms = stamp_ms
        bound._lease = lease
        return bound

    async def room(self, weight: int, priority: Priority) -> Lease:
        """Room for private requests of `weight`; raises `Unavailable`."""
        wiring = self._wiring
        windows = [self._pool, self._address()]
        return await wiring.shared.budget.acquire(windows, priority, wiring.owner, wiring.deadline_s, weight)

    async def _request(
        self,
        method: str,
        uri: str,
        timeout: int = TIMEOUT_S,
        auth: bool = True,
        params: Mapping[str, Any] | None = None,
    ) -> Answer:
        """Replaces the SDK's: signs at the venue's time, sends once over our transport, learns the limits."""
        wiring = self._wiring
        given = {name: value for name, value in (params or {}).items() if value is not None}
        path = quote(uri, safe="/-_.")
        in_query = method in ("GET", "DELETE")
        target = f"{path}?{urlencode(given)}" if in_query and given else path
        body = b"" if in_query else json.dumps(given, separators=(",", ":")).encode()
        lease = await self._leased(method, path, auth)
        headers = {} if in_query else {"Content-Type": "application/json"}
        if auth:
            headers |= self._signature(f"{method}{target}".encode() + body)
        request = Request(method, wiring.endpoint + target, headers, body, wiring.deadline_s)
        sent_at = wiring.clock.time()
        try:
            response = await wiring.transport.send(request)
        finally:
            lease.done()
        answer = self._answer(response, f"kucoin {uri}", sent_at)
        self._obey(auth, response, answer)
        return answer

    async def _leased(self, method: str, path: str, auth: bool) -> Lease:
        if self._lease is not None:
            return self._lease
        weight = weight_of(method, path)
        if auth:
            await self.time.learn(KEPT_S)
            return await self.room(weight, Priority.READ)
        wiring = self._wiring
        public = wiring.shared.window("public requests of this address", POOL, POOL_S)
        windows = [public, self._address()]
        return await wiring.shared.budget.acquire(windows, Priority.READ, wiring.owner, wiring.deadline_s, weight)

    def _address(self) -> Window:
        """No published limit, but a ban closes it for all accounts."""
        return self._wiring.shared.window("this address", 1_000_000, POOL_S)

    def _signature(self, signed: bytes) -> dict[str, str]:
        stamp_ms = self.venue_clock.stamp_ms() if self._stamp_ms is None else self._stamp_ms
        return {
            "KC-API-KEY": self._key,
            "KC-API-SIGN": self._seal(str(stamp_ms).encode() + signed),
            "KC-API-TIMESTAMP": str(stamp_ms),
            "KC-API-PASSPHRASE": self._sealed_phrase,
            "KC-API-KEY-VERSION": "2",
        }

    def _seal(self, text: str | bytes) -> str:
        data = text.encode() if isinstance(text, str) else text
        return base64.b64encode(hmac.new(self._secret.encode(), data, hashlib.sha256).digest()).decode()

    def _answer(self, response: Response, place: str, sent_at: float) -> Answer:
        try:
            payload = loads(without_secrets(response.body, (self._key, self._secret, self._phrase)))
        except Malformed:
            payload = None
        reset_ms = whole(response.headers.get("gw-ratelimit-reset"))
        return Answer(
            status=response.status,
            payload=payload,
            sent_at=sent_at,
            received_at=response.received_at or self._wiring.clock.time(),
            place=place,
            retry_after_s=pause_s(response.headers.get("retry-after")) if reset_ms is None else reset_ms / 1000,
        )

    def _obey(self, auth: bool, response: Response, answer: Answer) -> None:
        """Corrects the budgets by what the answer says: what is left of the pool, refusals, bans."""
        now, shared = self._wiring.clock.monotonic(), self._wiring.shared
        code = None if answer.payload is None else answer.payload.get("code")
        if code is None and response.status in (403, 429):
            self._address().close(now + (answer.retry_after_s or errors.BAN_S))
        pool = self._pool if auth else shared.window("public requests of this address", POOL, POOL_S)
        limit, left = (whole(response.headers.get(f"gw-ratelimit-{word}")) for word in ("limit", "remaining"))
        pool.correct(now, limit, left)
        if code in (errors.RATE, "200002"):
            pool.close(now + (answer.retry_after_s or errors.BUSY_S))
        if code == errors.BAD_TIME:
            self.time.forget()


async def read(call: Awaitable[Answer]) -> Page:
    """A good answer; raises `Unavailable` or `Denied`."""
    answer = await answered("kucoin", call)
    return answer, errors.read(answer)
