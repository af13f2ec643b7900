"""What one refresh of the Bittensor source costs at its largest: fetch, parse, rank, write.

    ./run bench sn8 --json

A feed on the loopback serves 256 traders with 200 positions of 20 orders each, and the real processor, in a process of
its own that does nothing else, polls it as in life. Between two polls the return of every open position moves and some
traders order, so that every record is another one and nothing can be taken from the poll before.

reply_mb     size of the reply
first_s      the first poll of a process: everything is new
refresh_s    the polls after it: wall time from the request to the document, median and longest
cpu_s        processor time of the first poll, and the median of those after it
unchanged_s  a poll of a reply that is the same to the byte
rss_mb       the process's highest resident memory
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from account_processors.transport import HttpTransport
from bench.programs import BenchFailed, Program, finished, free_ports, progress
from config.credentials_file import BittensorCredentials
from config.home import Home
from config.secret import Secret
from core.clock import SystemClock
from core.state import RealFileOps
from signal_processors.bittensor_client import HttpFeed
from signal_processors.bittensor_feed import MAX_REPLY_BYTES
from signal_processors.bittensor_polling import Places, Processor
from signal_processors.bittensor_registry import Registry
from signal_processors.bittensor_settings import LiveSettings

TRADERS, POSITIONS, ORDERS = 256, 200, 20
OPEN = 5
REFRESHES = 5
LIMIT_S = 300.0
HOUR_MS = 3_600_000
ASSETS = ("BTCUSD", "ETHUSD")
KEY = "bench"
PATIENT_S = 30.0
"""Of the feed, which shares this machine's processors with what is measured."""


# --- the reply --------------------------------------------------------------------------------------------------------


def write_replies(paths: Sequence[Path], traders: int, positions: int, orders: int, now_ms: int) -> None:
    """One reply to a path: the same traders and history in each, other returns and some new orders in every one."""
    with ExitStack() as stack:
        files = [stack.enter_context(path.open("w")) for path in paths]
        for number in range(traders):
            chance = random.Random(f"sn8/{number}")  # noqa: S311 - the same traders every time
            begin = f'{", " if number else "{"}"5Bench{number:042d}": '
            figures = {"all_time_returns": 1.06, "thirty_day_returns": 1.02, "n_positions": positions}
            begin += json.dumps(figures)[:-1] + ', "positions": ['
            past = [position_of(chance, n, now_ms - (positions - n + 1) * HOUR_MS, orders) for n in range(positions)]
            history = ", ".join(map(json.dumps, past[:-OPEN]))
            for turn, file in enumerate(files):
                held = [opened(position, number, turn, now_ms) for position in past[-OPEN:]]
                file.write(f"{begin}{history}, {', '.join(map(json.dumps, held))}]}}")
        for file in files:
            file.write("}")


def position_of(chance: random.Random, number: int, open_ms: int, orders: int) -> dict[str, Any]:
    asset = ASSETS[number % 2]
    steps = [step_of(chance, open_ms + step * 60_000) for step in range(orders)]
    steps[-1] |= {"order_type": "FLAT", "leverage": 0.0}
    won = 1 + (chance.random() - 0.3) * 0.02
    return {
        "trade_pair": [asset, f"{asset[:3]}/{asset[3:]}", 0.003, 0.01, 0.5],
        "orders": steps,
        "is_closed_position": True,
        "open_ms": open_ms,
        "close_ms": steps[-1]["processed_ms"],
        "net_leverage": 0.0,
        "current_return": won,
        "return_at_close": won,
        "position_type": "FLAT",
        "position_uuid": str(uuid.UUID(int=chance.getrandbits(128))),
    }


def opened(whole: dict[str, Any], number: int, turn: int, now_ms: int) -> dict[str, Any]:
    """The position while it is held: its return moves with every turn, and now and then there is a new order."""
    chance = random.Random(f"{number}/{whole['open_ms']}")  # noqa: S311 - the same orders every time
    steps = [*whole["orders"][:-1], *(step_of(chance, now_ms) for _ in range(1 + (number + turn) // 7))]
    still = {"is_closed_position": False, "close_ms": None, "return_at_close": None, "position_type": "LONG"}
    return {**whole, **still, "orders": steps, "current_return": whole["current_return"] + turn * 1e-5}


def step_of(chance: random.Random, at_ms: int) -> dict[str, Any]:
    leverage = round(chance.uniform(-0.02, 0.03), 5)
    return {
        "order_type": "LONG" if leverage >= 0 else "SHORT",
        "leverage": leverage,
        "price": round(64_000 + chance.uniform(-900, 900), 2),
        "processed_ms": at_ms,
        "order_uuid": str(uuid.UUID(int=chance.getrandbits(128))),
    }


# --- the process that is measured -------------------------------------------------------------------------------------


def serve(reply: Path, served: Path) -> None:
    """Makes this the reply from now on."""
    served.unlink(missing_ok=True)
    served.hardlink_to(reply)


async def polls(home: Home, endpoint: str, served: Path, replies: Sequence[Path]) -> dict[str, Any]:
    """Polls each reply once and the last one a second time: wall and processor time of each, and the memory."""
    ops, clock = RealFileOps(), SystemClock()
    settings = LiveSettings(home, ops, clock)
    processor = Processor(Places.of(home), ops, clock, settings, Registry(Places.of(home).metagraph, ops, clock))
    transport = HttpTransport(clock, max_body_bytes=MAX_REPLY_BYTES)
    processor.feed = HttpFeed(BittensorCredentials(Secret(KEY), endpoint), transport, deadline_s=PATIENT_S)
    walls, cpus, revisions = [], [], []
    for reply in (*replies, replies[-1]):
        serve(reply, served)
        wall_s, cpu_s = time.perf_counter(), time.process_time()
        good = await processor.poll()
        walls.append(time.perf_counter() - wall_s)
        cpus.append(time.process_time() - cpu_s)
        if not good or processor.judged is None:
            raise BenchFailed("the processor refused the reply; its message stands above")
        revisions.append(json.loads(home.document("bittensor").read_bytes())["revision"])
    await transport.close()
    processor.close()
    assert processor.judged is not None
    peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    counted = len(processor.judged.ranking.ranked)
    return {"walls": walls, "cpus": cpus, "revisions": revisions, "counted": counted, "rss_mb": peak_kb / 1024}


# --- the bench --------------------------------------------------------------------------------------------------------


def run(traders: int, positions: int, orders: int, refreshes: int) -> dict[str, Any]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="trade-engine-bench-")))
        home = Home(folder / "home")
        home.prepare()
        home.asset_mapping.write_text(json.dumps({"bittensor": {"BTCUSD": "BTCUSDT", "ETHUSD": "ETHUSDT"}}))
        home.bittensor_config.write_text(json.dumps({"metagraph": False, "min_profitable_rate": 0.5}))
        replies = [folder / f"reply-{turn}.json" for turn in range(1 + refreshes)]
        progress(f"sn8: writing {len(replies)} replies of {traders} x {positions} x {orders}")
        write_replies(replies, traders, positions, orders, int(time.time() * 1000))
        served, port = folder / "served.json", free_ports(1)
        command = ["-m", "simulator.feed.server", "--port", str(port), "--api-key", KEY, "--reply", str(served)]
        stack.enter_context(Program("sn8-feed", command, folder))
        progress("sn8: polling")
        endpoint = f"http://127.0.0.1:{port}/miner-positions"
        found = measured([str(home.root), endpoint, str(served), *map(str, replies)])
        size = max(reply.stat().st_size for reply in replies)
    walls, cpus, revisions = found["walls"], found["cpus"], found["revisions"]
    if revisions[-1] != revisions[-2]:
        raise BenchFailed("an unchanged opinion was written")
    return {
        "traders": traders,
        "positions": positions,
        "orders": orders,
        "counted": found["counted"],
        "reply_mb": round(size / 1e6, 1),
        "first_s": round(walls[0], 3),
        "refresh_s": {"median": round(statistics.median(walls[1:-1]), 3), "max": round(max(walls[1:-1]), 3)},
        "cpu_s": {"first": round(cpus[0], 3), "median": round(statistics.median(cpus[1:-1]), 3)},
        "unchanged_s": round(walls[-1], 3),
        "rss_mb": round(found["rss_mb"], 1),
    }


def measured(words: Sequence[str]) -> dict[str, Any]:
    """`polls` in a process of its own."""
    command = [sys.executable, "-P", "-m", "bench.sn8", "--measure", *words]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, timeout=LIMIT_S, check=False, text=True)
    except subprocess.TimeoutExpired:
        raise BenchFailed(f"the processor took more than {LIMIT_S:g} s; is the machine doing much else?") from None
    if done.returncode != 0:
        raise BenchFailed("the measured process failed; its message stands above")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="./run bench sn8", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--traders", type=int, default=TRADERS, metavar="N", help=f"default {TRADERS}")
    add("--positions", type=int, default=POSITIONS, metavar="N", help=f"of each (default {POSITIONS}, at least 20)")
    add("--orders", type=int, default=ORDERS, metavar="N", help=f"of each position (default {ORDERS}, at least 2)")
    add("--refreshes", type=int, default=REFRESHES, metavar="N", help=f"after the first poll (default {REFRESHES})")
    add("--json", action="store_true", help="one JSON line and nothing else on stdout")
    add("--measure", nargs="+", help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.measure:
        home, endpoint, served, *replies = args.measure
        logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
        found = asyncio.run(polls(Home(Path(home)), endpoint, Path(served), [Path(reply) for reply in replies]))
        print(json.dumps(found))
        return 0
    if args.traders < 1 or args.positions < 20 or args.orders < 2 or args.refreshes < 1:
        parser.error("--traders and --refreshes from 1, --positions from 20, --orders from 2")
    return finished("sn8", lambda: run(args.traders, args.positions, args.orders, args.refreshes), args.json)


if __name__ == "__main__":
    sys.exit(main())
