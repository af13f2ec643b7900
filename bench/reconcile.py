"""How fast all targets of many accounts and symbols become verified positions, against the floor the network sets.

    ./run bench reconcile --accounts 1 --symbols 10 --rtt-ms 80 --json

The real executor, adapters, journals and files run over loopback HTTP against the simulator in a process of its own.
floor: 2 round trips to the last ack, 3 to the last verification. cold: the first cycle of a fresh process, everything
read for the first time. warm: the median of later cycles that change every target. sequential: the same, one request
after another. Cycles are spaced so that no rate budget has to be waited for; how far apart that is, each venue says.
by_venue tells beside the figures what bounds them: the round trips, or the venue's limit of orders.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from account_processors.transport import HttpTransport
from bench.pace import bound, pace_of
from bench.programs import BenchFailed, finished, progress
from bench.world import BenchWorld
from core.domain import SymbolState
from core.events import Event, OrderAcked, OrderSent, PositionVerified
from core.ports import Request, Response, Stream, StreamRequest, Transport
from execute_trades import Engine, compose

WARM_CYCLES = 5
CONVERGED_WITHIN_S = 60.0
"""A change may take more than one cycle where a venue's limits are narrow."""
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


async def measure(world: BenchWorld, engine: Engine, seen: Seen, depth: str) -> Cycle:
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
        if time.monotonic() > seen.began_s + CONVERGED_WITHIN_S:
            raise BenchFailed(f"not everything converged within {CONVERGED_WITHIN_S:g} s: " + "; ".join(open_[:3]))
        await asyncio.sleep(max(min(r.next_due for r in results) - time.time(), 0.0))
    cpu_s = time.process_time() - cpu_s
    by_venue = {venue: (seen.acked[venue], seen.verified[venue]) for venue in seen.verified}
    return Cycle(by_venue, cycles, seen.orders, world.requests() - requests, cpu_s)


async def run(args: argparse.Namespace) -> dict[str, Any]:
    settle_s = max(pace_of(venue).settle_s(args.symbols) for venue in args.venues.split(","))
    with tempfile.TemporaryDirectory(prefix="trade-engine-bench-") as folder:
        world = BenchWorld(Path(folder), args.venues.split(","), args.accounts, args.symbols, args.rtt_ms)
        with world:
            seen = Seen()
            progress("reconcile: a cold cycle, then warm ones")
            engine = compose(world.home, world.credentials(), seen)
            async with engine.executor.streaming():
                cold = await measure(world, engine, seen, DEPTHS[0])
                warm = []
                for number in range(WARM_CYCLES):
                    await asyncio.sleep(settle_s)
                    warm.append(await measure(world, engine, seen, DEPTHS[(number + 1) % 2]))
                await asyncio.sleep(settle_s)
                for account in engine.executor.accounts:
                    account.details.clear()
                world.forget_shared(engine)
                uncached = await measure(world, engine, seen, DEPTHS[(WARM_CYCLES + 1) % 2])
            await engine.aclose()
            await asyncio.sleep(settle_s)
            progress("reconcile: one request after another")
            sequential = await _sequential(world, seen, DEPTHS[WARM_CYCLES % 2], settle_s)
    return _report(args, cold, warm, uncached, sequential)


async def _sequential(world: BenchWorld, seen: Seen, depth: str, settle_s: float) -> Cycle:
    engine = compose(world.home, world.credentials(), seen, via=OneByOne(HttpTransport()))
    await engine.executor.execute()
    await asyncio.sleep(settle_s)
    cycle = await measure(world, engine, seen, depth)
    await engine.aclose()
    return cycle


def _report(
    args: argparse.Namespace, cold: Cycle, warm: list[Cycle], uncached: Cycle, sequential: Cycle
) -> dict[str, Any]:
    rtt_s = args.rtt_ms / 1000
    ack_s = statistics.median(c.last_ack_s for c in warm)
    verified_s = statistics.median(c.verified_s for c in warm)
    changed = args.accounts * args.symbols * len(args.venues.split(","))
    orders = sum(c.orders for c in warm)
    return {
        "accounts": args.accounts * len(args.venues.split(",")),
        "symbols": args.symbols,
        "rtt_ms": args.rtt_ms,
        "venues": args.venues.split(","),
        "cold": _pair(cold.last_ack_s, cold.verified_s),
        "warm": _pair(ack_s, verified_s),
        "floor": _pair(2 * rtt_s, 3 * rtt_s),
        "ratio": {
            "last_ack": round(ack_s / (2 * rtt_s), 3) if rtt_s else None,
            "verified": round(verified_s / (3 * rtt_s), 3) if rtt_s else None,
        },
        "sequential": {"verified_s": round(sequential.verified_s, 4)},
        "orders": orders // len(warm),
        "requests_per_changed_symbol": round(statistics.median(c.requests for c in warm) / changed, 3),
        "requests_without_details_cache": round(uncached.requests / changed, 3),
        "cpu_ms_per_order": round(1000 * sum(c.cpu_s for c in warm) / max(orders, 1), 3),
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        "cycles": max(c.cycles for c in warm),
        "by_venue": {venue: _venue(venue, args.symbols, rtt_s, warm) for venue in warm[0].by_venue},
    }


def _venue(venue: str, orders: int, rtt_s: float, warm: list[Cycle]) -> dict[str, Any]:
    """One venue's figures, what bounds them, and how many times that bound the last ack took."""
    ack_s, verified_s = (statistics.median(c.by_venue[venue][which] for c in warm) for which in (0, 1))
    least = bound(venue, orders, rtt_s)
    floor_s = float(least["last_ack_s"])
    return {**_pair(ack_s, verified_s), "bound": least, "ratio": round(ack_s / floor_s, 3) if floor_s else None}


def _pair(last_ack_s: float, verified_s: float) -> dict[str, float]:
    return {"last_ack_s": round(last_ack_s, 4), "verified_s": round(verified_s, 4)}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="./run bench reconcile", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--accounts", type=int, default=1, metavar="A", help="accounts per venue (default 1)")
    parser.add_argument("--symbols", type=int, default=10, metavar="S", help="symbols per account (default 10)")
    parser.add_argument("--rtt-ms", type=float, default=80.0, metavar="R", help="added round trip (default 80)")
    parser.add_argument("--venues", default="bybit", metavar="LIST", help="comma-separated (default bybit)")
    parser.add_argument("--json", action="store_true", help="one JSON line and nothing else")
    args = parser.parse_args(argv)
    return finished("reconcile", lambda: asyncio.run(run(args)), args.json)


if __name__ == "__main__":
    raise SystemExit(main())
