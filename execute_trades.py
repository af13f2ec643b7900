"""trade-engine: keeps every account at the position its signals ask for. Run it in the foreground, or under PM2.
The parts are joined here (files -> SignalManager -> TradeExecutor -> adapters) and nothing is decided here."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

from account_processors import load
from account_processors.shared import VenueShared
from account_processors.transport import HttpTransport
from config.credentials_file import Credentials, CredentialsFile
from config.home import Home
from config.old_files import put_old_away
from config.process import Heartbeat, Life, invalid, sweep, whole_setting
from config.reload import FileSettings
from config.signal_files import SignalFiles
from config.watch import watch
from core.clock import SystemClock, SystemEntropy
from core.errors import ConfigError
from core.events import Emit
from core.execution.account import COMPACT_BYTES, Account
from core.execution.opening import Opener
from core.ports import Transport
from core.signal_manager import SignalManager
from core.state import FactLog, Projections, RealFileOps, WrittenBehind, locks_in, troubles
from core.trade_executor import MAX_CONCURRENT_SYMBOL_REQUESTS, TradeExecutor
from observers import FanOut
from observers.facts import FactsObserver
from observers.log import LogObserver, start_logging

__all__ = ["MAX_CONCURRENT_SYMBOL_REQUESTS", "Engine", "TradeExecutor", "compose", "main"]
NAME = "trade-engine"


@dataclass(frozen=True)
class Engine:
    executor: TradeExecutor
    settings: FileSettings
    signals: SignalFiles
    transport: Transport
    shared: tuple[VenueShared, ...]
    publisher: WrittenBehind

    async def aclose(self) -> None:
        self.executor.close()
        await asyncio.gather(self.publisher.close(), *(venue.close() for venue in self.shared))
        await self.transport.close()


def compose(home: Home, known: Credentials, emit: Emit, via: Transport | None = None, dry: bool = False) -> Engine:
    """Joins files, manager, executor and adapters. An account that cannot be used is BLOCKED, with its reason."""
    clock, entropy, ops, transport = SystemClock(), SystemEntropy(), RealFileOps(), via or HttpTransport(SystemClock())
    files, ever = (home.depths, home.statuses, ops, clock), FactLog(home.facts, ops).traded
    shown = WrittenBehind(lambda told: Projections(*files, told, ever), troubles(emit, clock), asyncio.to_thread)
    settings = FileSettings(home, clock, accounts=known.known, keeps=not dry)
    signals = SignalFiles(home, clock, staleness_s=settings.staleness_s, remembers=not dry)
    compact_bytes = whole_setting("COMPACT_BYTES", COMPACT_BYTES)
    shared: dict[tuple[str, str | None], VenueShared] = {}
    accounts = []
    for one in known.accounts:
        try:
            if one.trouble:
                raise ConfigError("credentials.json", one.trouble)
            venue = shared.setdefault((one.known.venue, one.base_url), VenueShared(clock))
            place = (one.base_url, one.ws_url, venue, settings.deadline_s)
            processor = load(one.known.venue)(one.account, one.keys, transport, clock, entropy, *place)
            accounts.append(Account(one.account, processor, clock, entropy, emit, compact_bytes))
        except ConfigError as error:
            shown.refuse(one.account, one.trouble or str(error))
    opener = Opener(home.journals, ops, entropy, asyncio.to_thread, locks_in(home.locks, NAME, clock), shown.projected)
    executor = TradeExecutor(accounts, SignalManager(settings, signals), opener, shown, clock, dry)
    return Engine(executor, settings, signals, transport, tuple(shared.values()), shown)


async def run(
    life: Life, home: Home, stop: asyncio.Event, file: CredentialsFile, keys: Credentials, once: bool, dry: bool
) -> int:
    """Until `stop` is set; with `once` one cycle, and 1 when something is still on its way after it."""
    facts = [] if dry else [FactsObserver(FactLog(home.facts, RealFileOps()))]
    engine = compose(home, keys, watchers := FanOut([LogObserver(), *facts], asyncio.to_thread), dry=dry)
    async with watchers.running(), contextlib.aclosing(engine):
        if once:
            return int(not all(result.settled for result in await engine.executor.execute()))
        life.ready()
        told = (engine.executor.versions, engine.signals.problems, file)
        beat = Heartbeat(home, NAME, RealFileOps(), SystemClock(), *told).run()
        await engine.executor.run(stop, [watch([engine.settings, engine.signals], engine.executor.wake), beat])
    return 0


async def serve(life: Life, home: Home, args: argparse.Namespace) -> int:
    async with life.stopping() as stop:
        file = CredentialsFile(home)
        keys = file.load() if args.once else await file.wait(stop, life.ready)
        return await run(life, home, stop, file, keys, args.once, args.dry_run) if keys else 0


def main(argv: Sequence[str] | None = None) -> int:
    life = Life.begin(NAME)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", help="folder of configuration and state (default: TRADE_ENGINE_HOME, or here)")
    parser.add_argument("--once", action="store_true", help="one cycle over all accounts, then stop")
    parser.add_argument("--dry-run", action="store_true", help="read the venues and log every plan; send nothing")
    args = parser.parse_args(argv)
    start_logging()
    (home := Home.find(given=args.home)).prepare()
    sweep(home, RealFileOps(), SystemClock())
    put_old_away(home, RealFileOps())
    try:
        return asyncio.run(serve(life, home, args))
    except ConfigError as error:
        invalid(f"{error}. The engine has nothing to trade with and stops; start it again when that is mended.")


if __name__ == "__main__":
    raise SystemExit(main())
