"""ccxt's implicit BloFin endpoints and signing over our transport: one request in, one parsed answer out.

Of ccxt's `blofin` only the implicit endpoints and `sign` are used; see `ccxt_signing`. Implicit endpoints carry no
`brokerId`; no other mark is sent either.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Mapping

import ccxt

from account_processors.budget import Lease, Priority, Window
from account_processors.ccxt_signing import Signing
from account_processors.codecs import blofin_errors
from account_processors.codecs.blofin import venue_time_s
from account_processors.codecs.blofin_stream import login
from account_processors.codecs.wire import Answer, Malformed, Row, loads, rows, text
from account_processors.reading import Page, answered, usable
from account_processors.venue_clock import VenueClock
from account_processors.wiring import Wiring, pause_s, without_secrets
from core.errors import Unavailable
from core.ports import Response

VALID_MS = 60_000
"""A request is taken while its timestamp is within a minute of the venue's clock, and a nonce once in that time
(https://docs.blofin.com, codes 152405 and 152407)."""
MINUTE_LIMIT = (500, 60.0)
FIVE_MINUTES_LIMIT = (1500, 300.0)
"""Requests per seconds for one address; then nothing for five minutes, or for an hour
(https://docs.blofin.com, Rate Limits)."""
TRADING_LIMIT = (28, 10.0)
"""Requests per seconds for one user on "trading-related" endpoints: two fewer than the venue takes, because one that is
held up on its way arrives in a later window. Which endpoints those are is not said: all of the documentation's section
Trading (account, trade) are counted here."""
TRADING_PATHS = ("/api/v1/account/", "/api/v1/trade/")
RESERVE = 0.9
"""Share of the address' limits that may be used by anything but reductions: those must find room whatever was read."""
SUSPENDED_S = 300.0
PAGE = 100
SHORT_PAGE = 20
"""A page shorter than the venue's smallest page size is the last one."""
MAX_PAGES = 100

HEADERS = ("access-key", "access-sign", "access-timestamp", "access-nonce", "access-passphrase", "content-type")

Call = tuple[str, Mapping[str, str]]
"""Name of a ccxt implicit endpoint and its parameters."""


class BloFinClient:
    """`await client.call("privateGetAccountPositions")` is an `Answer`.

    Transport errors (`NotSent`, `Lost`) and a full budget (`Unavailable`) are raised; every answer, good or bad, is
    returned for a codec to judge.
    """

    def __init__(self, wiring: Wiring, api_key: str, api_secret: str, passphrase: str) -> None:
        self.venue_clock = VenueClock(wiring.clock)
        self._wiring = wiring
        keys = {"apiKey": api_key, "secret": api_secret, "password": passphrase}
        self._signing = Signing(ccxt.blofin, {"rest": wiring.endpoint}, keys, HEADERS)
        self._secrets = (api_key, api_secret, passphrase)
        self._trading = Window(f"trading of {wiring.owner}", *TRADING_LIMIT)
        self._refused_for_rate = False
        self._stamps: deque[int] = deque()

    def __repr__(self) -> str:
        return f"BloFinClient({self._wiring.owner})"

    def stamp_ms(self) -> int:
        """The venue's time in milliseconds, as timestamp and nonce: none is used twice in the time a nonce is kept.

        The venue clock alone ensures that only while neither clock is set back.
        """
        stamp = self.venue_clock.stamp_ms()
        while self._stamps and not stamp - 2 * VALID_MS < self._stamps[0] < stamp + 2 * VALID_MS:
            self._stamps.popleft()
        while stamp in self._stamps:
            stamp += 1
        self._stamps.append(stamp)
        return stamp

    def login(self) -> str:
        """A login of the private stream, valid now and once."""
        key, secret, passphrase = self._secrets
        return login(key, secret, passphrase, self.stamp_ms())

    def clean(self, data: bytes) -> bytes:
        """What came, as it may be passed on."""
        return without_secrets(data, self._secrets)

    async def room(self, trading: bool, priority: Priority, weight: int = 1) -> Lease:
        """Room for a request; raises `Unavailable`. Only reductions may use up the address' limits."""
        wiring = self._wiring
        windows = [self._trading] if trading else []
        windows += self._address()
        if priority is not Priority.REDUCTION:
            windows += [
                wiring.shared.window(f"this address, reductions apart, {span_s:.0f} s", int(limit * RESERVE), span_s)
                for limit, span_s in (MINUTE_LIMIT, FIVE_MINUTES_LIMIT)
            ]
        return await wiring.shared.budget.acquire(windows, priority, wiring.owner, wiring.deadline_s, weight)

    async def call(
        self,
        endpoint: str,
        query: Mapping[str, str] | None = None,
        stamp_ms: int | None = None,
        lease: Lease | None = None,
    ) -> Answer:
        """One request. `stamp_ms` and `lease` where its nonce is journaled and its room taken already."""
        wiring = self._wiring
        if lease is None:
            lease = await self.room(_is_trading(endpoint), Priority.READ)
        # From here to the signed request nothing waits, so stamps are sent in the order in which they were given.
        if stamp_ms is None and endpoint.startswith("private"):
            stamp_ms = self.stamp_ms()
        request = self._signing.request(endpoint, query or {}, stamp_ms or 0, wiring.deadline_s)
        path = request.url.removeprefix(wiring.endpoint).partition("?")[0]
        sent_at, started_s = wiring.clock.time(), wiring.clock.monotonic()
        try:
            response = await wiring.transport.send(request)
        finally:
            lease.done()
        answer = self._answer(response, path, sent_at)
        if answer.venue_time_s is not None:
            self.venue_clock.learn(answer.venue_time_s, started_s, wiring.clock.monotonic())
        self._obey(path, answer)
        return answer

    def _address(self) -> list[Window]:
        shared = self._wiring.shared
        return [
            shared.window(f"this address, {span_s:.0f} s", limit, span_s)
            for limit, span_s in (MINUTE_LIMIT, FIVE_MINUTES_LIMIT)
        ]

    def _answer(self, response: Response, path: str, sent_at: float) -> Answer:
        time_s = None
        try:
            payload = loads(self.clean(response.body))
            if path.endswith("/market/mark-price") and payload.get("code") == blofin_errors.OK:
                time_s = venue_time_s(payload)
        except Malformed:
            payload = None
        return Answer(
            status=response.status,
            payload=payload,
            sent_at=sent_at,
            received_at=response.received_at or self._wiring.clock.time(),
            place=f"blofin {path}",
            venue_time_s=time_s,
            retry_after_s=pause_s(response.headers.get("retry-after")),
        )

    def _obey(self, path: str, answer: Answer) -> None:
        """Rests after a refusal for the rate: this account for its window, or the whole address.

        A 429 does not say which limit it is for. On a trading endpoint the account's own is taken first; the next one
        without a good answer in between is the address'.
        """
        now = self._wiring.clock.monotonic()
        too_many = answer.status == 429 or (answer.payload or {}).get("code") == "429"
        if answer.status == 403:
            self._rest(now + (answer.retry_after_s or blofin_errors.FIREWALL_S))
        elif too_many and path.startswith(TRADING_PATHS) and not self._refused_for_rate:
            self._trading.close(now + (answer.retry_after_s or TRADING_LIMIT[1]))
        elif too_many:
            self._rest(now + (answer.retry_after_s or SUSPENDED_S))
        self._refused_for_rate = too_many

    def _rest(self, until: float) -> None:
        for window in self._address():
            window.close(until)


def _is_trading(endpoint: str) -> bool:
    return endpoint.removeprefix("privateGet").removeprefix("privatePost").startswith(("Account", "Trade"))


async def read(call: Awaitable[Answer]) -> Page:
    """A good answer; raises `Unavailable` or `Denied`."""
    answer = await answered("blofin", call)
    return answer, blofin_errors.read(answer)


async def pages(
    call: Callable[[str, Mapping[str, str]], Awaitable[Answer]], endpoint: str, query: Mapping[str, str], key: str
) -> list[Row]:
    """The payloads of every page of a list, or none: one that fails fails the whole read.

    A page is asked for with the `key` of the last row of the one before. Only a page shorter than the smallest size the
    venue documents is taken for the end, in case it serves fewer rows than asked for.
    """
    found: list[Row] = []
    seen: set[str] = set()
    after: dict[str, str] = {}
    while True:
        answer, payload = await read(call(endpoint, {**query, "limit": str(PAGE), **after}))
        found.append(payload)
        with usable(answer.place):
            listed = rows(payload, "data")
            if len(listed) < SHORT_PAGE:
                return found
            last = text(listed[-1], key)
        if last in seen or len(found) >= MAX_PAGES:
            raise Unavailable(f"{answer.place}: its pages do not end, so the list counts as unread")
        seen.add(last)
        after = {"after": last}
