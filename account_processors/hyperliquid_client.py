"""Hyperliquid over our transport: one question or one signed action in, one parsed answer out.

ccxt's implicit endpoints build the requests. They do not sign here: an action is signed by
`codecs.hyperliquid_signing`. Nothing of ccxt's is called that names a builder or a referrer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import ccxt

from account_processors.budget import Lease, Priority, Window
from account_processors.ccxt_signing import Signing
from account_processors.codecs import hyperliquid_errors as errors
from account_processors.codecs.hyperliquid import DATA, Action
from account_processors.codecs.hyperliquid_signing import MAINNET, TESTNET, Wallet, connection_id, digest
from account_processors.codecs.wire import Answer, Malformed, Row, document, epoch_s, rows, table
from account_processors.reading import Page, answered, usable
from account_processors.venue_clock import MAX_AHEAD_MS, VenueClock
from account_processors.wiring import Wiring, pause_s
from core.errors import Unavailable
from core.ports import Request, Response

TESTNET_URL = "https://api.hyperliquid-testnet.xyz"
MINUTE_LIMIT = (1200, 60.0)
"""Weight per seconds for one IP address
(https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/rate-limits-and-user-limits)."""
RESERVE = 0.9
"""Share of that limit that may be used by anything but reductions: those must find room whatever was read."""
ACTIONS = (50, 1.0)
"""Actions per seconds of one signing key. The venue takes a nonce only while it is among the key's hundred highest, so
that one that is held up on its way would be too low after a burst. What an address may send is a number, not a rate; a
refusal for it closes this too."""
WEIGHTS: Mapping[str, int] = MappingProxyType(
    {
        "clearinghouseState": 2,
        "spotClearinghouseState": 2,
        "orderStatus": 2,
        "allMids": 2,
        "userRole": 60,
    }
)
"""Weights of questions; every other one has `WEIGHT`."""
WEIGHT = 20
PER_ROWS = 20
"""A list weighs one more for so many of its rows."""
ROWS: Mapping[str, int] = MappingProxyType({"userFillsByTime": 2000, "historicalOrders": 2000, "userFunding": 500})
"""The most rows of an answer."""
SHORTEST_FULL = 500
"""A shorter answer to a question by time is its last page ("only the first 500 elements", section Info endpoint)."""
MAX_PAGES = 40
HEADERS = frozenset({"content-type"})
VALID_MS = 5_000


class Nonces:
    """Nonces of one signing key, which several accounts may share: milliseconds, none given twice.

    They follow the venue's clock and go on increasing where that is set back.
    """

    def __init__(self) -> None:
        self._last_ms = 0

    def next(self, now_ms: int) -> int:
        self._last_ms = max(now_ms, self._last_ms + 1)
        return self._last_ms

    async def close(self) -> None:
        """Nothing to close."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """What an action is signed with, milliseconds of the venue: it is not executed after `expires_ms`."""

    nonce: int
    expires_ms: int


class HyperliquidClient:
    """`await client.info("meta")` is an `Answer` whose payload has under `data` whatever came.

    Transport errors (`NotSent`, `Lost`) and a full budget (`Unavailable`) are raised; every answer, good or bad, is
    returned for a codec to judge. `address` is the account's: that of the vault or sub-account where one is traded.
    """

    def __init__(self, wiring: Wiring, wallet: Wallet, owner: str, vault: str | None) -> None:
        self.venue_clock = VenueClock(wiring.clock)
        self.signer = wallet.address
        self.owner = owner
        self.vault = vault
        self.address = vault or owner
        self._wiring = wiring
        self._wallet = wallet
        self._source = TESTNET if wiring.endpoint == TESTNET_URL else MAINNET
        self._actions = wiring.shared.window(f"actions of {wallet.address}", *ACTIONS)
        self._nonces = wiring.shared.lasting(f"nonces of {wallet.address}", Nonces)
        urls = {"public": wiring.endpoint, "private": wiring.endpoint}
        self._requests = Signing(ccxt.hyperliquid, urls, {}, HEADERS)

    def __repr__(self) -> str:
        return f"HyperliquidClient({self._wiring.owner})"

    # --- nonces and room ----------------------------------------------------------------------------------------------

    def stamp(self) -> Stamp:
        """A nonce of its own, and five seconds to live."""
        now_ms = int(self.venue_clock.now() * 1000)
        nonce = self._nonces.next(now_ms)
        # Where the clock was set back the nonce is ahead of it: the end of validity must not be.
        return Stamp(nonce, min(nonce, now_ms + MAX_AHEAD_MS) + VALID_MS)

    async def room(self, priority: Priority, weight: int = 1, *, acts: bool = False) -> Lease:
        """Room for a request; raises `Unavailable`. Only reductions may use up the address' limit."""
        wiring = self._wiring
        windows = [self._actions] if acts else []
        windows.append(self._ip())
        if priority is not Priority.REDUCTION:
            limit, span_s = MINUTE_LIMIT
            windows.append(wiring.shared.window("this address, reductions apart", int(limit * RESERVE), span_s))
        return await wiring.shared.budget.acquire(windows, priority, wiring.owner, wiring.deadline_s, weight)

    def _ip(self) -> Window:
        return self._wiring.shared.window("this address", *MINUTE_LIMIT)

    # --- requests -----------------------------------------------------------------------------------------------------

    async def info(self, kind: str, **fields: str | int) -> Answer:
        """One question."""
        most = ROWS.get(kind, 0)
        weight = WEIGHTS.get(kind, WEIGHT)
        lease = await self.room(Priority.READ, weight + -(-most // PER_ROWS))
        request = self._requests.request("publicPostInfo", {"type": kind, **fields}, 0, self._wiring.deadline_s)
        answer = await self._send(request, lease, f"hyperliquid {kind}")
        listed = None if answer.payload is None else answer.payload.get(DATA)
        if most and answer.status == 200 and isinstance(listed, list):
            lease.spent(weight + -(-min(len(listed), most) // PER_ROWS))
        return answer

    async def act(self, action: Action, stamp: Stamp | None = None, lease: Lease | None = None) -> Answer:
        """One signed action. `stamp` and `lease` where its nonce is journaled and its room taken already."""
        if lease is None:
            lease = await self.room(Priority.READ, acts=True)
        # From here to the signed request nothing waits, so nonces leave in the order they were given in.
        return await self._post(action, stamp or self.stamp(), lease)

    async def spend(self, nonce: int, action: Action) -> Answer:
        """An action that does nothing but use the nonce of another one. It has no end of validity."""
        lease = await self.room(Priority.READ, acts=True)
        return await self._post(action, Stamp(nonce, 0), lease)

    async def _post(self, action: Action, stamp: Stamp, lease: Lease) -> Answer:
        expires_ms = stamp.expires_ms or None
        hashed = digest(connection_id(action, stamp.nonce, self.vault, expires_ms), self._source)
        fields: dict[str, Any] = {
            "action": action,
            "nonce": stamp.nonce,
            "signature": self._wallet.sign(hashed),
            "vaultAddress": self.vault,
        }
        if expires_ms is not None:
            fields["expiresAfter"] = expires_ms
        request = self._requests.request("privatePostExchange", fields, stamp.nonce, self._wiring.deadline_s)
        answer = await self._send(request, lease, f"hyperliquid {action['type']}")
        if errors.refused_for_rate(answer):
            self._actions.close(self._wiring.clock.monotonic() + (answer.retry_after_s or errors.RATE_S))
        return answer

    async def _send(self, request: Request, lease: Lease, place: str) -> Answer:
        wiring = self._wiring
        sent_at, started_s = wiring.clock.time(), wiring.clock.monotonic()
        try:
            response = await wiring.transport.send(request)
        finally:
            lease.done()
        answer = self._answer(response, place, sent_at)
        if answer.venue_time_s is not None:
            self.venue_clock.learn(answer.venue_time_s, started_s, wiring.clock.monotonic())
        if answer.status == 429:
            self._ip().close(wiring.clock.monotonic() + (answer.retry_after_s or errors.RATE_S))
        return answer

    def _answer(self, response: Response, place: str, sent_at: float) -> Answer:
        time_s = None
        try:
            payload: Row | None = {DATA: document(response.body)}
            if place.endswith(" clearinghouseState") and response.status == 200:
                time_s = epoch_s(table(payload[DATA], "the answer"), "time") if payload else None
        except Malformed:
            payload = None
        return Answer(
            status=response.status,
            payload=payload,
            sent_at=sent_at,
            received_at=response.received_at or self._wiring.clock.time(),
            place=place,
            venue_time_s=time_s,
            retry_after_s=pause_s(response.headers.get("retry-after")),
        )


async def read(call: Awaitable[Answer]) -> Page:
    """A good answer; raises `Unavailable`."""
    answer = await answered("hyperliquid", call)
    return answer, errors.read(answer)


async def by_time(client: HyperliquidClient, kind: str, start_ms: int, made_at_ms: Callable[[Row], int]) -> list[Row]:
    """Every row of a list since `start_ms` (the venue's), oldest first, or none: one page that fails fails the read.

    The next page begins at the instant of the last row of the one before, so that some rows may come twice.
    """
    found: list[Row] = []
    for _ in range(MAX_PAGES):
        answer, payload = await read(client.info(kind, user=client.address, startTime=start_ms))
        with usable(answer.place):
            page = rows(payload, DATA)
            times = [made_at_ms(row) for row in page]
        found += page
        if len(page) < SHORTEST_FULL:
            return found
        if times[-1] <= start_ms or times != sorted(times):
            break
        start_ms = times[-1]
    raise Unavailable(f"hyperliquid {kind}: its pages do not end, so the list counts as unread")
