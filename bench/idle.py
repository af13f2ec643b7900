"""What the programs of a home cost while nothing happens: processor time and memory.

    ./run bench idle --json

Endpoint, processor and trade-engine with one account on a simulated venue without latency, positions open, no alerts.
cpu_percent is of one core, over the measured time; rss_mb at its end.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench.programs import finished, progress
from bench.world import BenchWorld, endpoint_program, engine_program, processor_program

SECONDS = 60.0
SYMBOLS = 5
SETTLE_S = 5.0


def run(duration_s: float, symbols: int) -> dict[str, Any]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="trade-engine-bench-")))
        world = stack.enter_context(BenchWorld(folder, {"bybit": 1}, symbols, rtt_ms=0))
        world.webhook()
        world.say("0.5")
        make = (endpoint_program, processor_program, engine_program)
        programs = [stack.enter_context(program(world.home, folder)) for program in make]
        progress(f"idle: everything runs; looking at it for {duration_s:g} s")
        time.sleep(SETTLE_S)
        before = {program.name: program.cpu_s() for program in programs}
        began_s, requests = time.monotonic(), world.requests()
        time.sleep(duration_s)
        took_s, requests = time.monotonic() - began_s, world.requests() - requests
        costs = {
            program.name: {
                "cpu_percent": round(100 * (program.cpu_s() - before[program.name]) / took_s, 2),
                "rss_mb": round(program.rss_mb(), 1),
            }
            for program in programs
        }
    return {"seconds": round(took_s, 1), "symbols": symbols, **costs, "requests_per_s": round(requests / took_s, 2)}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="./run bench idle", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=SECONDS, metavar="S", help=f"default {SECONDS:g}")
    parser.add_argument("--symbols", type=int, default=SYMBOLS, metavar="S", help=f"held (default {SYMBOLS})")
    parser.add_argument("--json", action="store_true", help="one JSON line and nothing else on stdout")
    args = parser.parse_args(argv)
    return finished("idle", lambda: run(args.seconds, args.symbols), args.json)


if __name__ == "__main__":
    sys.exit(main())
