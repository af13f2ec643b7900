"""pybit's endpoints and signing over our transport: one request in, one parsed answer out.

Of pybit's `HTTP` only the endpoint methods, `prepare_payload` and `_auth` are used. Its constructor is not run, so it
keeps no session, no retries, no logger and no clock, and no referral mark is sent.
"""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any, Self

from pybit.unified_trading import HTTP

from account_processors.budget import Lease, Priority, Window
from account_processors.codecs import bybit_errors
from account_processors.codecs.bybit import next_cursor
from account_processors.codecs.wire import Answer, Malformed, loads, rows
from account_processors.reading import Page, answered, usable
from account_processors.venue_clock import VenueClock
from account_processors.wiring import MAX_PAUSE_S, Wiring, pause_s, whole, without_secrets
from core.errors import Unavailable
from core.ports import Request, Response

RECV_WINDOW_MS = 5000
IP_LIMIT = (600, 5.0)
"""Requests per seconds for one address (https://bybit-exchange.github.io/docs/v5/rate-limit)."""
IP_BAN_S = 600.0
QUERY_LIMIT = 50
LIMITS: Mapping[str, int] = MappingProxyType(
    {
        "/v5/order/create": 10,
        "/v5/order/cancel": 10,
        "/v5/position/set-leverage": 10,
        "/v5/position/switch-mode": 10,
        "/v5/account/set-margin-mode": 5,
        "/v5/user/query-api": 10,
    }
)
"""Requests per second and account (UID); `QUERY_LIMIT` for every other private endpoint."""
MAX_PAGES = 500


class BybitClient(HTTP):
    """pybit's methods, awaited: `await client.get_positions(category=…)` is an `Answer`.

    Transport errors (`NotSent`, `Lost`) and a full budget (`Unavailable`) are raised; every answer, good or bad, is
    returned for a codec to judge.
    """

    def __init__(self, wiring: Wiring, api_key: str, api_secret: str) -> None:
        # pybit's own constructor opens a requests.Session and installs log handlers: it is not called.
        self.endpoint = wiring.endpoint
        self.api_key = api_key
        self.api_secret = api_secret
        self.rsa_authentication = False
        self.venue_clock = VenueClock(wiring.clock)
        self._wiring = wiring
        self._windows: dict[str, Window] = {}
        self._priority = Priority.READ
        self._lease: Lease | None = None
        self._stamp_ms: int | None = None

    def __repr__(self) -> str:
        return f"BybitClient({self._wiring.owner})"  # the inherited one shows the secret

    def signed(self, stamp_ms: int, lease: Lease) -> Self:
        """This client for one request whose room is already taken and whose timestamp is already journaled."""
        bound = copy.copy(self)
        bound._stamp_ms = stamp_ms
        bound._lease = lease
        return bound

    async def room(self, path: str, priority: Priority, weight: int = 1) -> Lease:
        """Room for a private request to `path`; raises `Unavailable`."""
        shared = self._wiring.shared
        windows = [self._window(path), shared.window("this address", *IP_LIMIT)]
        return await shared.budget.acquire(windows, priority, self._wiring.owner, self._wiring.deadline_s, weight)

    async def _submit_request(
        self,
        method: str | None = None,
        path: str | None = None,
        query: dict[str, Any] | None = None,
        auth: bool = False,
    ) -> Answer:
        """Replaces pybit's: signs at the venue's time, sends once over our transport, learns limits and time."""
        wiring, verb, url = self._wiring, method or "GET", path or ""
        place = url.removeprefix(self.endpoint)
        lease = self._lease or await self._public_or_private_room(place, auth)
        payload: str = self.prepare_payload(verb, self._clean_query(query))
        headers = {"Content-Type": "application/json"} if verb == "POST" else {}
        if auth:
            headers |= self._signature(payload)
        request = Request(
            method=verb,
            url=f"{url}?{payload}" if verb == "GET" and payload else url,
            headers=headers,
            body=payload.encode() if verb == "POST" else b"",
            deadline_s=wiring.deadline_s,
        )
        sent_at, started_s = wiring.clock.time(), wiring.clock.monotonic()
        try:
            response = await wiring.transport.send(request)
        finally:
            lease.done()
        answer = self._answer(response, f"bybit {place}", sent_at)
        if answer.venue_time_s is not None:
            self.venue_clock.learn(answer.venue_time_s, started_s, wiring.clock.monotonic())
        self._obey(place if auth else None, response, answer)
        return answer

    async def _public_or_private_room(self, place: str, auth: bool) -> Lease:
        if auth:
            return await self.room(place, Priority.READ)
        shared = self._wiring.shared
        address = shared.window("this address", *IP_LIMIT)
        return await shared.budget.acquire([address], Priority.READ, self._wiring.owner, self._wiring.deadline_s)

    def _signature(self, payload: str) -> dict[str, str]:
        stamp_ms = self.venue_clock.stamp_ms() if self._stamp_ms is None else self._stamp_ms
        return {
            "X-BAPI-API-KEY": self.api_key,
            "X-BAPI-TIMESTAMP": str(stamp_ms),
            "X-BAPI-RECV-WINDOW": str(RECV_WINDOW_MS),
            "X-BAPI-SIGN": self._auth(payload, RECV_WINDOW_MS, stamp_ms),
            "X-BAPI-SIGN-TYPE": "2",
        }

    def _window(self, path: str) -> Window:
        window = self._windows.get(path)
        if window is None:
            window = Window(f"{path} for {self._wiring.owner}", LIMITS.get(path, QUERY_LIMIT), 1.0)
            self._windows[path] = window
        return window

    def _answer(self, response: Response, place: str, sent_at: float) -> Answer:
        try:
            # Bybit's refusal of a signature quotes the key.
            payload = loads(without_secrets(response.body, (self.api_key, self.api_secret)))
        except Malformed:
            payload = None
        time_ms = None if payload is None else payload.get("time")
        return Answer(
            status=response.status,
            payload=payload,
            sent_at=sent_at,
            received_at=response.received_at or self._wiring.clock.time(),
            place=place,
            venue_time_s=time_ms / 1000 if isinstance(time_ms, int) and time_ms > 0 else None,
            retry_after_s=pause_s(response.headers.get("retry-after")),
        )

    def _obey(self, path: str | None, response: Response, answer: Answer) -> None:
        """Corrects the budgets by what the answer says: remaining requests, reset time, bans."""
        now = self._wiring.clock.monotonic()
        address = self._wiring.shared.window("this address", *IP_LIMIT)
        if response.status == 403:
            address.close(now + (answer.retry_after_s or IP_BAN_S))
        elif response.status == 429:
            address.close(now + (answer.retry_after_s or 1.0))
        if path is None:
            return
        window = self._window(path)
        limit, remaining = (whole(response.headers.get(name)) for name in ("x-bapi-limit", "x-bapi-limit-status"))
        window.correct(now, limit, remaining)
        if answer.payload is not None and answer.payload.get("retCode") == 10006:
            reset_ms = whole(response.headers.get("x-bapi-limit-reset-timestamp"))
            closed_s = 1.0 if reset_ms is None else reset_ms / 1000 - self.venue_clock.now()
            window.close(now + min(max(closed_s, 0.1), MAX_PAUSE_S))


async def read(call: Awaitable[Answer]) -> Page:
    """A good answer; raises `Unavailable` or `Denied`."""
    answer = await answered("bybit", call)
    return answer, bybit_errors.read(answer)


async def pages(call: Callable[..., Awaitable[Answer]], query: Mapping[str, Any]) -> list[Page]:
    """Every page of a list, or none: one that fails fails the whole read. An empty page is the end."""
    found: list[Page] = []
    cursors: set[str] = set()
    cursor: str | None = None
    while True:
        answer, result = await read(call(**query, **({} if cursor is None else {"cursor": cursor})))
        found.append((answer, result))
        with usable(answer.place):
            cursor = next_cursor(result)
            if cursor is None or not rows(result, "list"):
                return found
        if cursor in cursors or len(found) >= MAX_PAGES:
            raise Unavailable(f"{answer.place}: its pages do not end, so the list counts as unread")
        cursors.add(cursor)
