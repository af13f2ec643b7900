"""How many alerts a second the webhook takes, each of them on disk before it is answered, and how long an answer takes.

    ./run bench webhook --json

The endpoint as it is in life (tokens, comparison with earlier alerts, one durable raw log) in a home of its own under a
temporary folder; a load generator in a process of its own; every alert another one. Three phases: one connection, 32
connections, and 32 connections while the endpoint is killed with SIGKILL in the middle and started again.

rps, p50_ms, p99_ms  of alerts answered 200, as the sender sees them; each connection has one alert on its way
lost                 alerts answered 200, in all phases, that are not in the raw log; must be 0
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.programs import LOOPBACK, BenchFailed, Program, finished, free_ports, progress
from bench.world import Webhook, endpoint_program, webhook_home
from config.home import CHECKOUT, Home
from core.domain import SourceName

SOURCE = SourceName("tradingview")
CONNECTIONS = 32
SECONDS = 8.0
LONGEST_S = 60.0
ALERTS_PER_PHASE = 10_000_000
WARM_UP_S = 1.0


@dataclass(slots=True)
class Phases:
    """Runs the load generator against one webhook and remembers every alert that was answered 200."""

    webhook: Webhook
    folder: Path
    count: int = 0
    acknowledged: list[int] = field(default_factory=list)

    @contextmanager
    def load(self, connections: int, duration_s: float) -> Iterator[dict[str, Any]]:
        """The outcome stands in the dictionary once the block has ended. Raises BenchFailed."""
        self.count += 1
        out = self.folder / f"load-{self.count}.json"
        command = [sys.executable, "-m", "bench.load", "--port", str(self.webhook.port)]
        command += ["--token", self.webhook.token, "--connections", str(connections), "--seconds", str(duration_s)]
        command += ["--first", str(self.count * ALERTS_PER_PHASE), "--out", str(out)]
        outcome: dict[str, Any] = {}
        generator = subprocess.Popen(command, cwd=CHECKOUT)
        try:
            yield outcome
            status = generator.wait(duration_s + LONGEST_S)
        finally:
            generator.kill()
            generator.wait()
        if status != 0:
            raise BenchFailed("the load generator failed; its message stands above")
        outcome |= json.loads(out.read_text())
        self.acknowledged += outcome["acknowledged"]

    def undisturbed(self, connections: int, duration_s: float) -> dict[str, float]:
        """One phase in which every alert must be taken: its figures."""
        progress(f"webhook: {connections} connection(s) for {duration_s:g} s")
        with self.load(connections, duration_s) as outcome:
            pass
        if outcome["refused"] or outcome["unanswered"] or not outcome["ms"]:
            answers = f"refused {outcome['refused']}, unanswered {outcome['unanswered']}"
            raise BenchFailed(f"the webhook did not take every alert: {answers}")
        return {"rps": outcome["rps"], "p50_ms": outcome["ms"]["p50"], "p99_ms": outcome["ms"]["p99"]}

    def killed(self, endpoint: Program, duration_s: float) -> dict[str, Any]:
        """A phase with SIGKILL in the middle, and a new start."""
        progress(f"webhook: {CONNECTIONS} connections for {duration_s:g} s, SIGKILL in the middle")
        with self.load(CONNECTIONS, duration_s) as outcome:
            time.sleep(duration_s / 2)
            endpoint.kill()
            killed_s = time.monotonic()
            endpoint.start()
            down_s = time.monotonic() - killed_s
        if strange := outcome["refused"].keys() - {"503"}:
            raise BenchFailed(f"answers {', '.join(strange)} after the new start; does somebody else use the port?")
        found = {name: outcome[name] for name in ("refused", "unanswered")}
        return {"acknowledged": len(outcome["acknowledged"]), "down_ms": round(1000 * down_s), **found}


def stored(folder: Path) -> set[int]:
    """Numbers of the alerts in the raw log."""
    found: set[int] = set()
    for path in sorted(folder.glob("*.jsonl")):
        found |= {int(json.loads(line)["body"]["event_id"]) for line in path.read_bytes().splitlines()}
    return found


def taken_in(home: Home) -> None:
    """Brings document and cache up to date; without the cache a new start would read the whole log."""
    command = [sys.executable, "signal_processors/tradingview_processor.py", "--home", str(home.root), "--once"]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=LONGEST_S, check=False)
    if done.returncode != 0:
        raise BenchFailed(f"the processor failed: {done.stderr[-1000:]}")


def run(duration_s: float) -> dict[str, Any]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="trade-engine-bench-")))
        home = Home(folder / "home")
        webhook = webhook_home(home, free_ports(1))
        progress(f"webhook: starting the endpoint on {LOOPBACK}:{webhook.port}")
        endpoint = stack.enter_context(endpoint_program(home, folder))
        phases = Phases(webhook, folder)
        with phases.load(CONNECTIONS, min(WARM_UP_S, duration_s)):
            pass
        found: dict[str, Any] = {
            "c1": phases.undisturbed(1, duration_s / 2),
            f"c{CONNECTIONS}": phases.undisturbed(CONNECTIONS, duration_s),
        }
        progress("webhook: the processor takes in what came so far and leaves its cache, as it does once a minute")
        taken_in(home)
        killed = phases.killed(endpoint, duration_s)
        endpoint.stop()
        progress("webhook: looking for every acknowledged alert in the raw log")
        lost = set(phases.acknowledged) - stored(home.raw_signals(SOURCE))
    return {**found, "lost": len(lost), "acknowledged": len(phases.acknowledged), "killed": killed}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="./run bench webhook", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    words = f"of the phases with {CONNECTIONS} connections (default {SECONDS:g}); with one connection half of it"
    parser.add_argument("--seconds", type=float, default=SECONDS, metavar="S", help=words)
    parser.add_argument("--json", action="store_true", help="one JSON line and nothing else on stdout")
    args = parser.parse_args(argv)
    return finished("webhook", lambda: run(args.seconds), args.json)


if __name__ == "__main__":
    sys.exit(main())
