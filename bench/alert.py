"""How long an alert takes to become an order at the venue, and a verified position.

    ./run bench alert --json

Endpoint, processor, trade-engine and a simulated venue without latency run as processes of their own, in a home of
their own under a temporary folder. One alert is sent at a time; the next one follows when the engine has verified the
position, and not before the rate limit of the venue (10 orders a second) is far away, so that no waiting for a budget
is measured. Each alert changes one position and makes one order; the first alert on each symbol is not counted.

order_ms     the POST begins -> the venue received the order (its own ledger says when)
verified_ms  the POST begins -> the engine's facts say that the position is verified
answer_ms    the POST begins -> 200, the alert is on disk
stages_ms    the POST begins -> each fact of the engine, by its own clock, to the millisecond
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.figures import milliseconds
from bench.programs import BenchFailed, finished, progress
from bench.world import LEVERAGE, BenchWorld, Webhook, endpoint_program, engine_program, processor_program
from core.state import parse_instant

ALERTS = 220
SYMBOLS = 5
SPACING_S = 0.25
JITTER_S = 0.1
"""Alerts come at no beat of any timer."""
PATIENCE_S = 10.0
POLL_S = 0.001
SIZES = ("10/100", "20/100")
STAGES = ("generation", "order_sent", "order_acked", "verified")
ACCOUNT = "bybit-main"


@dataclass(frozen=True, slots=True)
class Sample:
    """One alert's way. Instants are epoch seconds; `facts` the engine's own, by name."""

    symbol: str
    sent_at: float
    answered_at: float
    verified_at: float
    facts: Mapping[str, float]


class Facts:
    """The end of `state/events/<account>.jsonl`, read as it grows."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._rest = b""

    def new(self) -> Iterator[dict[str, Any]]:
        """Facts written since the last call."""
        if not self._path.exists() or self._path.stat().st_size == self._offset:
            return
        with self._path.open("rb") as file:
            file.seek(self._offset)
            data = file.read()
        self._offset += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        yield from map(json.loads, lines)


def verified(facts: Facts, symbol: str) -> tuple[float, dict[str, float]]:
    """Waits for the verification of the next size of `symbol`: the instant it was seen, and the facts on the way."""
    end_s = time.monotonic() + PATIENCE_S
    found: dict[str, float] = {}
    trouble = ""
    while time.monotonic() < end_s:
        for fact in facts.new():
            if fact["fact"] == "trouble":
                trouble = f" The engine's latest trouble: {fact['because']}."
            if fact.get("symbol") == symbol and ("generation" in found or fact["fact"] == "generation"):
                found.setdefault(fact["fact"], parse_instant(fact["at"]))
        if "verified" in found:
            return time.time(), found
        time.sleep(POLL_S)
    raise BenchFailed(f"{symbol} was not verified within {PATIENCE_S:g} s.{trouble}")


def one(webhook: Webhook, facts: Facts, symbol: str, size: str) -> Sample:
    """Sends one alert and waits until its position is verified."""
    alert = {"symbol": symbol, "direction": "long", "action": "buy", "size": size, "leverage": f"{LEVERAGE}"}
    answer = webhook.post(alert)
    if answer.status != 200 or not answer.body.get("in_force"):
        raise BenchFailed(f"the webhook answered {answer.status}: {answer.body}")
    verified_at, found = verified(facts, symbol)
    return Sample(symbol, answer.sent_at, answer.answered_at, verified_at, found)


def run(alerts: int, symbols: int) -> dict[str, Any]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="trade-engine-bench-")))
        progress("alert: starting simulator, endpoint, processor and engine")
        world = stack.enter_context(BenchWorld(folder, {"bybit": 1}, symbols, rtt_ms=0))
        webhook = world.webhook()
        for program in (endpoint_program, processor_program, engine_program):
            stack.enter_context(program(world.home, folder))
        facts = Facts(world.home.facts / f"{ACCOUNT}.jsonl")
        chance = random.Random(7)  # noqa: S311 - it spaces alerts
        samples = []
        for number in range(alerts + symbols):
            symbol = world.symbols[number % symbols]
            samples.append(one(webhook, facts, symbol, SIZES[number // symbols % len(SIZES)]))
            if number % 50 == 0:
                progress(f"alert: {max(number - symbols, 0)} of {alerts}")
            time.sleep(SPACING_S + chance.uniform(0, JITTER_S))
        orders = world.ledger()["venues"]["bybit"]["accounts"]["main"]["orders"]
    return report(samples[symbols:], orders)


def report(samples: Sequence[Sample], orders: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The figures. Raises BenchFailed when the venue's ledger lacks an alert's order."""
    order_s = [received_at(sample, orders) - sample.sent_at for sample in samples]
    stages = {
        name: milliseconds([s.facts[name] - s.sent_at for s in samples if name in s.facts])
        for name in STAGES
        if any(name in s.facts for s in samples)
    }
    return {
        "n": len(samples),
        "order_ms": milliseconds(order_s),
        "verified_ms": milliseconds([s.verified_at - s.sent_at for s in samples]),
        "answer_ms": milliseconds([s.answered_at - s.sent_at for s in samples]),
        "stages_ms": stages,
    }


def received_at(sample: Sample, orders: Sequence[Mapping[str, Any]]) -> float:
    """When the venue received the order that followed the alert, epoch seconds."""
    later = (float(o["received_at"]) for o in orders if o["symbol"] == sample.symbol)
    first = min((at for at in later if at >= sample.sent_at), default=None)
    if first is None or first > sample.verified_at:
        raise BenchFailed(f"the venue's ledger has no order for the alert on {sample.symbol} at {sample.sent_at}")
    return first


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="./run bench alert", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--alerts", type=int, default=ALERTS, metavar="N", help=f"counted alerts (default {ALERTS})")
    parser.add_argument("--symbols", type=int, default=SYMBOLS, metavar="S", help=f"in turn (default {SYMBOLS})")
    parser.add_argument("--json", action="store_true", help="one JSON line and nothing else on stdout")
    args = parser.parse_args(argv)
    return finished("alert", lambda: run(args.alerts, args.symbols), args.json)


if __name__ == "__main__":
    sys.exit(main())
