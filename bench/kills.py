"""SIGKILL of trade-engine, endpoint and processor at random moments, and what the venue's ledger says afterwards.

    ./run bench kills --count 100 --json

Endpoint, processor, trade-engine and a simulated venue run as processes of their own, in a home of their own. Random
alerts (entries, other sizes, flips, exits, repeats) ask for sizes above the venue's largest order, so that each becomes
several orders; the journal is compacted every few alerts. Meanwhile each program is killed `--count` times, at seeded
moments: while it starts, while an alert is posted, right after one was accepted, or at any time; the endpoint with its
worker or without. It is started again at once. After the last kill no alert is sent any more, and the ledger has to
come to the target by itself.

The judgement (bench/kills_check.py) reads the venue's ledger, the raw log and the alerts that were sent, nothing else.
Exit code 0: nothing lost, nothing doubled, at target.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from bench.kills_alerts import Changed, Rewritten, Sender, Sign
from bench.kills_check import Findings, Terms, Unusable, check
from bench.kills_victims import Victim, journal_look
from bench.programs import BenchFailed, Program, finished, progress
from bench.world import LEVERAGE, TV, WITHOUT_LIMITS, BenchWorld, Webhook, endpoint_program, processor_program
from config.home import Home
from core.state import RealFileOps, write_json

Make = Callable[[Home, Path], Program]

ACCOUNT = "bybit-main"
SYMBOLS = 4
RTT_MS = 20.0
COMPACT_BYTES = 12_000
"""A dozen orders and their outcomes; the memory of four symbols alone takes a good part of it."""
WEIGHT = "0.02"
FULL_LOTS, CHUNK_LOTS = 60, 12
"""A depth of 1 in lots, and the largest order the venue takes."""
REST_S = 3.0
"""Endpoint and processor are left in peace for up to this, so that the engine has something to do when it is killed."""
SETTLE_S, CALM_S = 90.0, 3.0
KILL_S = 20.0
"""Time a kill may take, everything included; the whole run ends by then."""
PROGRESS_S = 10.0


# --- the world --------------------------------------------------------------------------------------------------------


def arrange(world: BenchWorld) -> tuple[Webhook, dict[str, Terms]]:
    """Pins prices, makes lots and largest orders coarse, and gives every symbol the same small weight."""
    webhook, ops = world.webhook(), RealFileOps()
    engine = json.loads(world.home.engine_config.read_text())
    write_json(ops, world.home.engine_config, engine | WITHOUT_LIMITS | {"rebalance_band": 0})
    sources = [{"source": TV, "weight": float(WEIGHT)}]
    entries = [{"symbol": s, "leverage": LEVERAGE, "sources": sources} for s in world.symbols]
    write_json(ops, world.home.signal_weights, entries)
    share = Decimal(WEIGHT) * LEVERAGE
    found = world.ledger()
    equity = Decimal(found["venues"]["bybit"]["accounts"]["main"]["equity"])
    terms = {}
    for symbol in world.symbols:
        price = Decimal(found["prices"][symbol])
        lot = Decimal(f"{equity * share / price / FULL_LOTS:.0e}")
        world.admin("price", {"symbol": symbol, "price": f"{price:f}"})
        largest = f"{lot * CHUNK_LOTS:f}"
        facts = {"lot": f"{lot:f}", "min_contracts": f"{lot:f}", "max_contracts": largest}
        world.admin("instrument", {"venue": "bybit", "symbol": symbol, "max_market_contracts": largest} | facts)
        terms[symbol] = Terms(price, lot, share)
    return webhook, terms


def engine_program(home: Home, folder: Path) -> Program:
    command = ["execute_trades.py", "--home", str(home.root)]
    return Program("trade-engine", command, folder, TRADE_ENGINE_COMPACT_BYTES=str(COMPACT_BYTES))


def raw_ids(home: Home) -> list[str]:
    """The alerts' ids in the order of the raw log; a line without its end is no record."""
    lines = [
        line for path in sorted(home.raw_signals(TV).glob("*.jsonl")) for line in path.read_bytes().split(b"\n")[:-1]
    ]
    return [json.loads(line)["body"]["event_id"] for line in lines]


# --- the run ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that runs, and what the judgement needs."""

    world: BenchWorld
    sender: Sender
    victims: Sequence[Victim]
    terms: Mapping[str, Terms]
    equity: Decimal

    def judge(self) -> Findings:
        """What the ledger says now. Raises BenchFailed where it cannot be judged."""
        account = self.world.ledger()["venues"]["bybit"]["accounts"]["main"]
        try:
            return check(account, raw_ids(self.world.home), self.sender.alerts, self.terms, self.equity)
        except Unusable as error:
            raise BenchFailed(str(error)) from error


@contextmanager
def scene(folder: Path, seed: int) -> Iterator[Scene]:
    """The whole house, running; everything is stopped on the way out."""
    with ExitStack() as stack:
        world = stack.enter_context(BenchWorld(folder, {"bybit": 1}, SYMBOLS, RTT_MS))
        webhook, terms = arrange(world)
        equity = Decimal(world.ledger()["venues"]["bybit"]["accounts"]["main"]["equity"])
        sender = Sender(webhook, world.symbols, random.Random(seed))  # noqa: S311 - repeatable, not secret
        journal, document = world.home.journals / f"{ACCOUNT}.jsonl", world.home.document(TV)
        signs: Mapping[Make, Sequence[Sign]] = {
            engine_program: (Changed(document), Changed(journal), Changed(journal), Rewritten(journal)),
            endpoint_program: (sender.posting, sender.accepted),
            processor_program: (sender.accepted, Changed(document), Rewritten(document)),
        }
        victims = []
        for number, (make, aims) in enumerate(signs.items(), 1):
            program = stack.enter_context(make(world.home, folder))
            look = journal_look(journal) if make is engine_program else dict
            rest_s = 0.0 if make is engine_program else REST_S
            victims.append(Victim(program, aims, rest_s, random.Random(seed * 1000 + number), look))  # noqa: S311
        yield Scene(world, sender, victims, terms, equity)


def bombard(stage: Scene, count: int) -> None:
    """Sends alerts until every victim was killed `count` times. Raises BenchFailed."""
    stop, end_s = threading.Event(), time.monotonic() + 60 + KILL_S * count
    with ThreadPoolExecutor(len(stage.victims) + 1) as pool:
        try:
            sending = pool.submit(stage.sender.run, stop)
            killing = [pool.submit(victim.run, count, stop) for victim in stage.victims]
            while not all(work.done() for work in killing):
                if sending.done() or any(work.done() and work.exception() for work in killing):
                    break
                if time.monotonic() > end_s:
                    raise BenchFailed(f"{count} kills of each did not end in time")
                wait([work for work in killing if not work.done()], PROGRESS_S, FIRST_COMPLETED)
                progress(f"kills: {tally(stage)}")
        finally:
            stop.set()
        for work in (*killing, sending):
            work.result()


def tally(stage: Scene) -> str:
    unanswered = sum(not alert.acknowledged for alert in stage.sender.alerts)
    kills = ", ".join(f"{victim.program.name} {victim.kills}" for victim in stage.victims)
    return f"{kills}; {len(stage.sender.alerts)} alerts, {unanswered} of them unanswered"


def settle(stage: Scene) -> Findings:
    """Waits until the ledger is at the target, and a little longer; judges it then."""
    end_s = time.monotonic() + SETTLE_S
    while not stage.judge().at_target and time.monotonic() < end_s:
        time.sleep(0.5)
    time.sleep(CALM_S)
    return stage.judge()


def run(seed: int, count: int, folder: Path) -> dict[str, Any]:
    began_s = time.monotonic()
    progress("kills: starting simulator, endpoint, processor and engine")
    with scene(folder, seed) as stage:
        bombard(stage, count)
        progress(f"kills: {tally(stage)}; waiting for the ledger to be at the target")
        found, over_limit = settle(stage), stage.world.over_limit()
    for victim in stage.victims:
        hit = ", ".join(f"{number} {what}" for what, number in victim.seen.items() if number)
        progress(f"kills: {victim.program.name}: {victim.kills}, of these {hit or 'none at a special moment'}")
    for text in found.details:
        progress(f"kills: {text}")
    return {
        "seed": seed,
        "kills": {victim.program.name: victim.kills for victim in stage.victims},
        "alerts": len(stage.sender.alerts),
        "acknowledged_lost": found.acknowledged_lost,
        "at_target": found.at_target,
        "duplicate_exposure": found.duplicate_exposure,
        "client_ids_reused": found.client_ids_reused,
        "over_limit": over_limit,
        "seconds": round(time.monotonic() - began_s, 1),
    }


def good(report: Mapping[str, Any]) -> bool:
    wrong = ("acknowledged_lost", "duplicate_exposure", "client_ids_reused", "over_limit")
    return bool(report["at_target"]) and not any(report[name] for name in wrong)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="./run bench kills", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=100, metavar="N", help="kills of each program (default 100)")
    parser.add_argument("--seed", type=int, default=7, metavar="N", help="alerts and moments follow from it (7)")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="work in this empty folder and leave it")
    parser.add_argument("--json", action="store_true", help="one JSON line and nothing else on stdout")
    args = parser.parse_args(argv)
    report: dict[str, Any] = {}

    def measured() -> Mapping[str, Any]:
        with ExitStack() as stack:
            folder = args.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="trade-engine-bench-")))
            folder.mkdir(parents=True, exist_ok=True)
            report.update(run(args.seed, args.count, folder.resolve()))
        return report

    return finished("kills", measured, args.json) or (0 if good(report) else 1)


if __name__ == "__main__":
    sys.exit(main())
