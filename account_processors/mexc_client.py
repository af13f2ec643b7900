"""ccxt's implicit MEXC endpoints and signing over our transport: one request in, one parsed answer out.

Of ccxt's `mexc` only the implicit endpoints of its contract API and `sign` are used; see `ccxt_signing`. The `source`
mark it adds to every request is not among the headers that are sent. Neither is `Recv-Window`: without it the venue's
own window holds, which is documented; whether the header counts seconds or milliseconds is not certain.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any

import ccxt

from account_processors.budget import Lease, Priority, Window
from account_processors.ccxt_signing import Parameters, Signing
from account_processors.codecs import mexc as codec
from account_processors.codecs import mexc_errors as errors
from account_processors.codecs import mexc_orders as lists
from account_processors.codecs.mexc_stream import login
from account_processors.codecs.wire import Answer, Malformed, Row, loads
from account_processors.reading import Page, answered, usable
from account_processors.server_time import KEPT_S, ServerTime
from account_processors.venue_clock import VenueClock
from account_processors.wiring import Wiring, pause_s, without_secrets
from core.errors import Unavailable
from core.ports import Response

WINDOW_S = 10.0
"""How far behind its own clock the venue takes a timestamp (https://www.mexc.com/api-docs/futures/integration-guide)."""
CREATE = "contractPrivatePostOrderCreate"
LEVERAGE = "contractPrivatePostPositionChangeLeverage"
PING = "contractPublicGetPing"
PRIVATE_LIMIT = (20, 2.0)
"""Requests per seconds of one account. The documentation states it for each private endpoint; it is taken as shared by
all, which is the worst it can mean."""
LIMITS: Mapping[str, tuple[int, float]] = MappingProxyType(
    {
        CREATE: (4, 2.0),
        LEVERAGE: (10, 10.0),
        "contractPrivateGetOrderBatchQuery": (5, 2.0),
        "contractPublicGetDetail": (10, 2.0),
        "contractPublicGetTicker": (10, 2.0),
    }
)
"""Tighter ones, of single endpoints."""
HEADERS = ("apikey", "request-time", "signature", "content-type")
SHORT_PAGE = 20
"""A bare page shorter than the venue's smallest page size is the last one."""
MAX_PAGES = 100


class MexcClient:
    """`await client.call("contractPrivateGetPositionOpenPositions")` is an `Answer`.

    Transport errors (`NotSent`, `Lost`) and a full budget (`Unavailable`) are raised; every answer, good or bad, is
    returned for a codec to judge.
    """

    def __init__(self, wiring: Wiring, api_key: str, api_secret: str) -> None:
        self.venue_clock = VenueClock(wiring.clock)
        self.time = ServerTime(self.venue_clock, wiring.clock, wiring.shared, self._ask_time)
        base = f"{wiring.endpoint}/api/v1"
        urls = {"contract": {"public": f"{base}/contract", "private": f"{base}/private"}}
        self._signing = Signing(ccxt.mexc, urls, {"apiKey": api_key, "secret": api_secret}, HEADERS)
        self._wiring = wiring
        self._secrets = (api_key, api_secret)
        self._windows: dict[str, Window] = {}

    def __repr__(self) -> str:
        return f"MexcClient({self._wiring.owner})"

    def login(self) -> str:
        """A login of the private stream, valid now."""
        return login(*self._secrets, self.venue_clock.stamp_ms())

    def clean(self, data: bytes) -> bytes:
        """What came, as it may be passed on."""
        return without_secrets(data, self._secrets)

    async def room(self, endpoint: str, priority: Priority, weight: int = 1) -> Lease:
        """Room for a request to `endpoint`; raises `Unavailable`."""
        wiring = self._wiring
        windows = [*self._tighter(endpoint), *self._pool(endpoint), self._address()]
        return await wiring.shared.budget.acquire(windows, priority, wiring.owner, wiring.deadline_s, weight)

    async def call(
        self,
        endpoint: str,
        parameters: Parameters | None = None,
        stamp_ms: int | None = None,
        lease: Lease | None = None,
    ) -> Answer:
        """One request. `stamp_ms` and `lease` where its time is journaled and its room taken already."""
        wiring, private = self._wiring, _is_private(endpoint)
        if private and stamp_ms is None:
            await self.time.learn(KEPT_S)
        if lease is None:
            lease = await self.room(endpoint, Priority.READ)
        # From here to the signed request nothing waits, so stamps are sent in the order in which they were given.
        if private and stamp_ms is None:
            stamp_ms = self.venue_clock.stamp_ms()
        request = self._signing.request(endpoint, parameters or {}, stamp_ms or 0, wiring.deadline_s)
        path = request.url.removeprefix(wiring.endpoint).partition("?")[0]
        sent_at = wiring.clock.time()
        try:
            response = await wiring.transport.send(request)
        finally:
            lease.done()
        answer = self._answer(response, path, sent_at)
        self._obey(endpoint, answer)
        return answer

    async def _ask_time(self) -> float:
        answer, payload = await read(self.call(PING))
        with usable(answer.place):
            return codec.server_time_s(payload)

    # --- limits -------------------------------------------------------------------------------------------------------

    def _tighter(self, endpoint: str) -> list[Window]:
        limit = LIMITS.get(endpoint)
        if limit is None:
            return []
        if not _is_private(endpoint):
            return [self._wiring.shared.window(endpoint, *limit)]
        return [self._window(f"{endpoint} of {self._wiring.owner}", limit)]

    def _pool(self, endpoint: str) -> list[Window]:
        if _is_private(endpoint):
            return [self._window(f"private requests of {self._wiring.owner}", PRIVATE_LIMIT)]
        return [self._wiring.shared.window("public requests of this address", *PRIVATE_LIMIT)]

    def _window(self, name: str, limit: tuple[int, float]) -> Window:
        if name not in self._windows:
            self._windows[name] = Window(name, *limit)
        return self._windows[name]

    def _address(self) -> Window:
        """No published limit, but a ban closes it for all accounts."""
        return self._wiring.shared.window("this address", 1_000_000, PRIVATE_LIMIT[1])

    def _obey(self, endpoint: str, answer: Answer) -> None:
        """Rests after a refusal for the rate or from the front, and asks for the time anew where it was refused."""
        now, code = self._wiring.clock.monotonic(), str((answer.payload or {}).get("code", ""))
        if answer.status in (403, 429):
            self._address().close(now + (answer.retry_after_s or errors.BAN_S))
        elif code == errors.RATE:
            for window in self._tighter(endpoint) or self._pool(endpoint):
                window.close(now + (answer.retry_after_s or window.span_s))
        elif code == errors.BAD_TIME:
            self.time.forget()

    def _answer(self, response: Response, path: str, sent_at: float) -> Answer:
        try:
            payload = loads(self.clean(response.body))
        except Malformed:
            payload = None
        return Answer(
            status=response.status,
            payload=payload,
            sent_at=sent_at,
            received_at=response.received_at or self._wiring.clock.time(),
            place=f"mexc {path}",
            retry_after_s=pause_s(response.headers.get("retry-after")),
        )


def _is_private(endpoint: str) -> bool:
    return endpoint.startswith("contractPrivate")


async def read(call: Awaitable[Answer]) -> Page:
    """A good answer; raises `Unavailable` or `Denied`."""
    answer = await answered("mexc", call)
    return answer, errors.read(answer)


async def pages(
    call: Callable[[str, Mapping[str, Any]], Awaitable[Answer]], endpoint: str, query: Mapping[str, Any], size: int
) -> list[Row]:
    """Every row of a numbered list, or none: one page that fails fails the whole read.

    Lists are newest first, so one that grows meanwhile repeats rows where pages meet; one that shrinks would lose some.
    Where totals stand around a page they tell; of a bare list with several pages the first one is looked at again.
    """
    found: list[Row] = []
    first: list[Row] = []
    total = 0
    for number in range(1, MAX_PAGES + 1):
        page, place = await _page(call, endpoint, query, number, size)
        if page.total is not None and page.total < total:
            raise Unavailable(f"{place}: the list shrank while it was read, so it counts as unread")
        total = page.total or 0
        found += page.items
        first = first or page.items
        if page.pages is not None and number >= page.pages:
            return found
        if page.pages is None and len(page.items) < SHORT_PAGE:
            if number > 1 and (await _page(call, endpoint, query, 1, size))[0].items != first:
                raise Unavailable(f"{place}: the list changed while it was read, so it counts as unread")
            return found
        if page.pages is not None and not page.items:
            raise Unavailable(f"{place}: a page is empty before the last one, so the list counts as unread")
    raise Unavailable(f"mexc {endpoint}: its pages do not end, so the list counts as unread")


async def _page(
    call: Callable[[str, Mapping[str, Any]], Awaitable[Answer]],
    endpoint: str,
    query: Mapping[str, Any],
    number: int,
    size: int,
) -> tuple[lists.Page, str]:
    answer, payload = await read(call(endpoint, {**query, "page_num": number, "page_size": size}))
    with usable(answer.place):
        return lists.page(payload), answer.place
