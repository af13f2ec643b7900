"""A whole engine with several accounts over several venues, running as it does in its own process, in virtual time."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from core.clock import VirtualClock, VirtualLoop
from core.domain import AccountId, AccountSettings, Policy, Symbol
from core.events import Event
from core.execution.account import COMPACT_BYTES, Account
from core.ports import Request, Response
from simulator.disk import SimulatedFileOps
from simulator.memory import MemoryTransport, MemoryWorld, build_memory_world
from tests.scenario.rig import BTC, ETH, GivenSettings, GivenSignals, HeldLock, Published, Rig, settings_for

LOOK_EVERY_S = 0.005


class Counting(MemoryTransport):
    """The way to the venues, which counts requests by venue and by what they are for, as the venue sees it."""

    def __init__(self, sim: MemoryWorld) -> None:
        super().__init__(sim.world, sim.transport.rtt_s)
        self._venues = sim.world.venues
        self.by_use: Counter[tuple[str, str]] = Counter()

    async def send(self, request: Request) -> Response:
        venue = (urlsplit(request.url).hostname or "").partition(".")[0]
        arriving = replace(request, headers={name.lower(): value for name, value in request.headers.items()})
        self.by_use[venue, self._venues[venue].facade.classify(arriving).match.value] += 1
        return await super().send(request)


class Fleet(Rig):
    """A rig over `accounts`: venue -> how many there. Accounts go by their ids, such as `bybit-second`."""

    def __init__(
        self,
        accounts: Mapping[str, int],
        symbols: Collection[Symbol] = (BTC, ETH),
        weight: str = "0.1",
        seed: int = 7,
        rtt_s: float = 0.02,
        streams: bool = True,
    ) -> None:
        self.loop = VirtualLoop()
        self.clock = VirtualClock(self.loop)
        sim = build_memory_world(self.clock, seed=seed, venues=list(accounts), accounts=accounts, rtt_s=rtt_s)
        self.counted = Counting(sim)
        self.sim = replace(sim, transport=self.counted)
        self.disk = SimulatedFileOps(seed)
        self.events: list[Event] = []
        self.published = Published()
        self.signals = GivenSignals()
        self.places = {
            AccountId(f"{venue}-{name}"): (venue, name)
            for venue, names in self.sim.credentials.items()
            for name in names
        }
        mine = {id_: AccountSettings(id_, *place, policy=Policy()) for id_, place in self.places.items()}
        self.settings = GivenSettings(replace(settings_for((), symbols, weight), accounts=mine))
        self._seed = seed
        self._boots = 0
        self._compact_bytes = COMPACT_BYTES
        self._streams = streams
        self.lock = HeldLock()
        self.boot()

    # --- the engine ---------------------------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The engine runs, each account in its own loop, until the block ends."""
        stop = asyncio.Event()
        work = asyncio.ensure_future(self.executor.run(stop))
        try:
            yield
        finally:
            stop.set()
            await work

    def say(self, depths: Mapping[Symbol, str]) -> None:
        """The source now says this, and the engine hears of it."""
        for symbol, depth in depths.items():
            self.signal(symbol, depth)
        self.executor.wake()

    def account_settings(self, account: str, **changes: Any) -> None:
        """An edit of one account's settings, and the engine hears of it."""
        id_ = AccountId(account)
        self.change(lambda all_: replace(all_, accounts={**all_.accounts, id_: replace(all_.accounts[id_], **changes)}))
        self.executor.wake()

    async def until(self, condition: Callable[[], bool], within_s: float, what: str = "") -> float:
        """Waits for the condition; the seconds it took. Fails beyond."""
        began_s = self.clock.monotonic()
        while not condition():
            took_s = self.clock.monotonic() - began_s
            assert took_s < within_s, f"{what or 'not'} within {within_s:g} s: {self.shown()}"
            await asyncio.sleep(LOOK_EVERY_S)
        return self.clock.monotonic() - began_s

    def runtime(self, account: str) -> Account:
        return next(it for it in self.executor.accounts if it.id == account)

    # --- what is true -------------------------------------------------------------------------------------------------

    def shown(self) -> dict[str, tuple[str, str, dict[str, tuple[str, str]]]]:
        """What the engine says of every account and its symbols."""
        return {
            account: (
                status["state"],
                status["because"],
                {symbol: (one["state"], one["because"]) for symbol, one in status["symbols"].items()},
            )
            for account, status in self.published.statuses.items()
        }

    def requests(self, venue: str) -> Mapping[str, Any]:
        whole: Any = self.sim.admin.ledger()
        found: Mapping[str, Any] = whole["venues"][venue]["requests"]
        return found

    def over_limit(self) -> int:
        whole: Any = self.sim.admin.ledger()
        return sum(int(venue["requests"]["over_limit"]) for venue in whole["venues"].values())

    def book(self, account: str) -> Mapping[str, Any]:
        venue, name = self.places[AccountId(account)]
        whole: Any = self.sim.admin.ledger()
        found: Mapping[str, Any] = whole["venues"][venue]["accounts"][name]
        return found

    def held(self, account: str, symbol: Symbol = BTC) -> Decimal:
        return Decimal(self.book(account)["positions"].get(symbol, "0"))

    def wanted(self, account: str, symbol: Symbol = BTC) -> Decimal | None:
        shown = self.published.statuses.get(AccountId(account), {}).get("symbols", {}).get(symbol, {}).get("target")
        return None if shown is None else Decimal(shown)

    def there(self, account: str, symbol: Symbol = BTC, sign: int = 1) -> bool:
        """Whether the account is at a target of that sign, by the venue's own ledger, and the engine says so."""
        shown = self.published.statuses.get(AccountId(account), {}).get("symbols", {}).get(symbol, {})
        held, wanted = self.held(account, symbol), self.wanted(account, symbol)
        return held == wanted and (held > 0) - (held < 0) == sign and shown.get("state") == "CONVERGED"
