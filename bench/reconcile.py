"""How fast all targets of many accounts and symbols become verified positions, against the floor the network sets.

    ./run bench reconcile --accounts 1 --symbols 10 --rtt-ms 80 --json
    ./run bench reconcile --accounts 5 --json

The real executor, adapters, journals and files run over loopback HTTP against the simulator in a process of its own.
The accounts are shared out in turn over the venues, Bybit, BloFin, KuCoin and Hyperliquid unless --venues says others;
five are bybit x 2 and one of each other. Where all of these are in, MEXC, whose limit of orders outlasts every round
trip, is measured after them, by itself, and stands under by_venue only.

floor: 2 round trips to the last ack, 3 to the last verification. opening: the first positions there ever were, leverage
set and read back. cold: the first cycle of a fresh engine that finds them open and all targets changed. warm: the
median of later cycles that change every target. sequential: the same, one request after another (null for more than 100
symbols). bound: what no engine is faster than, the round trips, the venue's limit of orders, or the processor time it
took. Cycles are spaced so that no rate budget has to be waited for; how far apart that is, each venue says.
over_limit: requests the venues counted above their limits, in all of it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import resource
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from account_processors.transport import HttpTransport
from bench.pace import bound, pace_of
from bench.programs import BenchFailed, finished, progress
from bench.world import BenchWorld
from config.process import settle_memory
from core.domain import SymbolState
from core.events import Event, OrderAcked, OrderSent, PositionVerified
from core.ports import Request, Response, Stream, StreamRequest, Transport
from execute_trades import Engine, compose

WARM_CYCLES = 5
CONVERGED_WITHIN_S = 60.0
"""A change may take more than one cycle where a venue's limits are narrow."""
OPENED_WITHIN_S = 300.0
"""The first positions need leverage set and read as well, which some venues weigh heavily."""
IN_TURN = ("bybit", "blofin", "kucoin", "hyperliquid")
BY_ITSELF = "mexc"
MOST_ONE_BY_ONE = 100
DEPTHS = ("0.5", "0.8")
DONE = SymbolState.CONVERGED


class OneByOne:
    """A transport that lets one request through at a time: what the same work costs without parallelism."""

    def __init__(self, inner: Transport) -> None:
        self._inner = inner
        self._turn = asyncio.Lock()

    async def send(self, request: Request) -> Response:
        async with self._turn:
            return await self._inner.send(request)

    async def connect(self, request: StreamRequest) -> Stream:
        return await self._inner.connect(request)

    async def close(self) -> None:
        await self._inner.close()


@dataclass
class Seen:
    """Instants of what happened since `began_s` (monotonic), by kind."""

    began_s: float = 0.0
    acked: dict[str, float] = field(default_factory=dict)
    verified: dict[str, float] = field(default_factory=dict)
    orders: int = 0

    def begin(self) -> None:
        self.__init__(time.monotonic())  # type: ignore[misc]  # a fresh value in place: observers hold this object

    def __call__(self, event: Event) -> None:
        took_s = time.monotonic() - self.began_s
        venue = event.account.split("-", 1)[0]
        if isinstance(event, OrderAcked):
            self.acked[venue] = took_s
        elif isinstance(event, PositionVerified):
            self.verified[venue] = took_s
        elif isinstance(event, OrderSent):
            self.orders += 1


@dataclass(frozen=True, slots=True)
class Cycle:
    """One measured change: seconds to the last ack and verification, by venue and over all; counts."""

    by_venue: dict[str, tuple[float, float]]
    cycles: int
    orders: int
    requests: int
    cpu_s: float

    @property
    def last_ack_s(self) -> float:
        return max(ack for ack, _ in self.by_venue.values())

    @property
    def verified_s(self) -> float:
        return max(verified for _, verified in self.by_venue.values())


async def measure(
    world: BenchWorld, engine: Engine, seen: Seen, depth: str, within_s: float = CONVERGED_WITHIN_S
) -> Cycle:
    """Changes every target and runs cycles until all converged, mostly one. Raises BenchFailed when they do not."""
    world.say(depth)
    requests, cpu_s = world.requests(), time.process_time()
    seen.begin()
    cycles = 0
    while True:
        results = await engine.executor.execute()
        cycles += 1
        outcomes = [(r.account, o) for r in results for o in r.outcomes.values()]
        open_ = [f"{account} {o.symbol}: {o.state.value} {o.because}" for account, o in outcomes if o.state is not DONE]
        if not open_:
            break
        if time.monotonic() > seen.began_s + within_s:
            raise BenchFailed(f"not everything converged within {within_s:g} s: " + "; ".join(open_[:3]))
        await asyncio.sleep(max(min(r.next_due for r in results) - time.time(), 0.0))
    cpu_s = time.process_time() - cpu_s
    by_venue = {venue: (seen.acked[venue], seen.verified[venue]) for venue in seen.verified}
    return Cycle(by_venue, cycles, seen.orders, world.requests() - requests, cpu_s)


@dataclass(frozen=True, slots=True)
class Crew:
    """Who trades: how many accounts on each venue, how many symbols on each account."""

    accounts: Mapping[str, int]
    symbols: int
    rtt_ms: float

    @property
    def changed(self) -> int:
        return sum(self.accounts.values()) * self.symbols

    @property
    def settle_s(self) -> float:
        """Pause between cycles."""
        return max(pace_of(venue).settle_s(self.symbols, count) for venue, count in self.accounts.items())

    @property
    def empty_s(self) -> float:
        """Pause before an engine that begins with nothing used up."""
        return max(pace_of(venue).empty_s() for venue in self.accounts)


@dataclass(frozen=True, slots=True)
class Found:
    """What one crew's cycles took."""

    opening: Cycle
    cold: Cycle
    warm: list[Cycle]
    uncached: Cycle
    sequential: Cycle | None
    over_limit: int


async def observe(crew: Crew, cycles: int, *, whole: bool) -> Found:
    """Measures a crew in a world of its own; without `whole` only its cold and warm cycles."""
    with (
        tempfile.TemporaryDirectory(prefix="trade-engine-bench-") as folder,
        BenchWorld(Path(folder), crew.accounts, crew.symbols, crew.rtt_ms) as world,
    ):
        seen, depths = Seen(), itertools.cycle(DEPTHS)
        progress(f"reconcile: {', '.join(crew.accounts)}: opening, a cold cycle, then warm ones")
        async with trading(world, seen) as engine:
            opening = await measure(world, engine, seen, next(depths), OPENED_WITHIN_S)
        await asyncio.sleep(crew.empty_s)
        async with trading(world, seen) as engine:
            cold = await measure(world, engine, seen, next(depths))
            warm = []
            for _ in range(cycles):
                await asyncio.sleep(crew.settle_s)
                warm.append(await measure(world, engine, seen, next(depths)))
            uncached = warm[-1]
            if whole:
                await asyncio.sleep(crew.settle_s)
                for account in engine.executor.accounts:
                    account.details.clear()
                world.forget_shared(engine)
                uncached = await measure(world, engine, seen, next(depths))
        sequential = None
        if whole and crew.changed <= MOST_ONE_BY_ONE:
            await asyncio.sleep(crew.settle_s)
            progress("reconcile: one request after another")
            sequential = await _sequential(world, seen, next(depths), crew.settle_s)
        return Found(opening, cold, warm, uncached, sequential, world.over_limit())


@contextlib.asynccontextmanager
async def trading(world: BenchWorld, seen: Seen) -> AsyncIterator[Engine]:
    """A fresh engine that follows its streams, as a new process would."""
    engine = compose(world.home, world.credentials(), seen)
    settle_memory()
    async with contextlib.aclosing(engine), engine.executor.streaming():
        yield engine


async def _sequential(world: BenchWorld, seen: Seen, depth: str, settle_s: float) -> Cycle:
    engine = compose(world.home, world.credentials(), seen, via=OneByOne(HttpTransport()))
    async with contextlib.aclosing(engine):
        await engine.executor.execute()
        await asyncio.sleep(settle_s)
        return await measure(world, engine, seen, depth)


def shared_out(accounts: int, venues: Sequence[str]) -> dict[str, int]:
    """How many of `accounts` each venue gets: one after another in turn, until none is left."""
    counts = dict.fromkeys(venues, 0)
    for venue, _ in zip(itertools.cycle(venues), range(accounts), strict=False):
        counts[venue] += 1
    return {venue: count for venue, count in counts.items() if count}


async def run(args: argparse.Namespace) -> dict[str, Any]:
    venues = args.venues.split(",") if args.venues else IN_TURN
    crew = Crew(shared_out(max(args.accounts, len(venues) if args.venues else 1), venues), args.symbols, args.rtt_ms)
    found = await observe(crew, args.cycles, whole=True)
    report = _report(crew, found)
    if not args.venues and len(crew.accounts) == len(IN_TURN):
        alone = Crew({BY_ITSELF: 1}, args.symbols, args.rtt_ms)
        slow = await observe(alone, args.cycles, whole=False)
        report["by_venue"] |= _by_venue(alone, slow)
        report["over_limit"] += slow.over_limit
    return report


def _report(crew: Crew, found: Found) -> dict[str, Any]:
    rtt_s, warm = crew.rtt_ms / 1000, found.warm
    ack_s = statistics.median(c.last_ack_s for c in warm)
    verified_s = statistics.median(c.verified_s for c in warm)
    orders = sum(c.orders for c in warm)
    cpu_s = statistics.median(c.cpu_s for c in warm)
    by_venue = _by_venue(crew, found)
    least_s = max(cpu_s, *(float(one["bound"]["last_ack_s"]) for one in by_venue.values()))
    return {
        "accounts": sum(crew.accounts.values()),
        "symbols": crew.symbols,
        "rtt_ms": crew.rtt_ms,
        "venues": list(crew.accounts),
        "opening": _pair(found.opening.last_ack_s, found.opening.verified_s),
        "cold": _pair(found.cold.last_ack_s, found.cold.verified_s),
        "warm": _pair(ack_s, verified_s),
        "floor": _pair(2 * rtt_s, 3 * rtt_s),
        "ratio": {
            "last_ack": round(ack_s / (2 * rtt_s), 3) if rtt_s else None,
            "verified": round(verified_s / (3 * rtt_s), 3) if rtt_s else None,
        },
        "bound": {"last_ack_s": round(least_s, 4), "cpu_s": round(cpu_s, 4), "ratio": round(ack_s / least_s, 3)},
        "sequential": {"verified_s": round(found.sequential.verified_s, 4) if found.sequential else None},
        "orders": orders // len(warm),
        "orders_per_changed_symbol": round(orders / len(warm) / crew.changed, 3),
        "requests_per_changed_symbol": round(statistics.median(c.requests for c in warm) / crew.changed, 3),
        "requests_without_details_cache": round(found.uncached.requests / crew.changed, 3),
        "over_limit": found.over_limit,
        "cpu_ms_per_order": round(1000 * sum(c.cpu_s for c in warm) / max(orders, 1), 3),
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        "cycles": max(c.cycles for c in warm),
        "by_venue": by_venue,
    }


def _by_venue(crew: Crew, found: Found) -> dict[str, dict[str, Any]]:
    """Each venue's figures, what bounds them, and how many times that bound the last ack took."""
    shown = {}
    for venue, count in crew.accounts.items():
        ack_s, verified_s = (statistics.median(c.by_venue[venue][which] for c in found.warm) for which in (0, 1))
        least = bound(venue, crew.symbols, crew.rtt_ms / 1000)
        floor_s = float(least["last_ack_s"])
        shown[venue] = {
            "accounts": count,
            **_pair(ack_s, verified_s),
            "cold": _pair(*found.cold.by_venue[venue]),
            "bound": least,
            "ratio": round(ack_s / floor_s, 3) if floor_s else None,
        }
    return shown


def _pair(last_ack_s: float, verified_s: float) -> dict[str, float]:
    return {"last_ack_s": round(last_ack_s, 4), "verified_s": round(verified_s, 4)}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="./run bench reconcile", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--accounts", type=int, default=1, metavar="A", help="accounts in all (default 1)")
    parser.add_argument("--symbols", type=int, default=10, metavar="S", help="symbols per account (default 10)")
    parser.add_argument("--rtt-ms", type=float, default=80.0, metavar="R", help="added round trip (default 80)")
    parser.add_argument("--venues", metavar="LIST", help="comma-separated, at least one account on each")
    parser.add_argument("--cycles", type=int, default=WARM_CYCLES, metavar="C", help="warm cycles (default 5)")
    parser.add_argument("--json", action="store_true", help="one JSON line and nothing else")
    args = parser.parse_args(argv)
    return finished("reconcile", lambda: asyncio.run(run(args)), args.json)


if __name__ == "__main__":
    raise SystemExit(main())
