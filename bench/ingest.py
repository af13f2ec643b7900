"""What the first alert costs and what the 100 000th costs: it should be the same.

    ./run bench ingest --json

The webhook's application (token, reading, comparison with earlier alerts, durable raw log, answer) and the processor
(fold, document) as they are in life, called in this process without a network between them. Alerts are measured one at
a time at the beginning and at the end of the log, the processor after each; those in between come from many threads at
once and are not measured.

cpu_us, wall_us  medians per alert, processor time of the thread and elapsed; `first` and `last` of the log
ratio            cpu of the last to that of the first
restart_ms       the endpoint's raw log ready again: with the processor's cache, and without (everything read again)
"""

from __future__ import annotations

import argparse
import io
import logging
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from secrets import token_hex
from typing import Any

from bench.load import alert
from bench.programs import BenchFailed, finished, progress
from bench.world import webhook_home
from config.home import Home
from core.clock import SystemClock
from core.state import RealFileOps
from signal_endpoints.live_files import LiveFiles
from signal_endpoints.raw_log import RawLog
from signal_endpoints.refusals import Refusals
from signal_endpoints.standing import Standing
from signal_endpoints.webhook_app import Webhook, WsgiApp, create_app
from signal_endpoints.webhook_tokens import Tokens
from signal_processors.tradingview_document import SOURCE
from signal_processors.tradingview_processor import Places, Processor

ALERTS = 100_000
MEASURED = 300
THREADS = 32
AT_ONCE = 2_000
"""Alerts between two looks of the processor while the log grows."""
UNUSED_PORT = 1


@dataclass(slots=True)
class Costs:
    """Seconds per alert."""

    cpu_s: list[float] = field(default_factory=list)
    wall_s: list[float] = field(default_factory=list)

    def measure(self, work: Callable[[], None]) -> None:
        cpu_s, wall_s = time.thread_time(), time.perf_counter()
        work()
        self.cpu_s.append(time.thread_time() - cpu_s)
        self.wall_s.append(time.perf_counter() - wall_s)

    def figures(self) -> dict[str, float]:
        return {
            "cpu_us": round(1e6 * statistics.median(self.cpu_s), 1),
            "wall_us": round(1e6 * statistics.median(self.wall_s), 1),
        }


@dataclass(frozen=True, slots=True)
class Ingest:
    """Endpoint and processor of one home."""

    home: Home
    app: WsgiApp
    token: str
    processor: Processor

    def accept(self, number: int) -> None:
        """One alert through the application, up to its answer. Raises BenchFailed unless that is 200."""
        body = alert(number)
        answered = []
        environ = {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": f"/webhook/{self.token}",
            "QUERY_STRING": "",
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "CONTENT_TYPE": "application/json",
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": sys.stderr,
        }
        answer = b"".join(self.app(environ, lambda status, headers, *_: answered.append(status)))
        if not answered or not answered[0].startswith("200"):
            raise BenchFailed(f"the webhook answered {answered}: {answer!r}")

    def take_in(self) -> None:
        if not self.processor.poll():
            raise BenchFailed("the processor could not take the log in; its message stands above")


def ingest_in(home: Home) -> Ingest:
    """The parts of an endpoint and a processor, joined as their programs join them."""
    ops, clock = RealFileOps(), SystemClock()
    token = webhook_home(home, UNUSED_PORT).token
    new_id = partial(token_hex, 16)
    tokens = Tokens(home, ops, clock, os.environ, new_id)
    webhook = Webhook(
        clock=clock,
        live=LiveFiles(home, ops, clock),
        tokens=tokens,
        raw_log=raw_log(home, Places.of(home).cache),
        standing=Standing(home.statuses, ops, clock),
        refusals=Refusals(home.rejected_signals(SOURCE), ops, tokens.without),
    )
    webhook.tokens.refresh()
    webhook.raw_log.tick()
    return Ingest(home, create_app(webhook), token, Processor(Places.of(home), ops, clock))


def raw_log(home: Home, cache: Path) -> RawLog:
    return RawLog(home.raw_signals(SOURCE), cache, RealFileOps(), SystemClock(), partial(token_hex, 16))


def measured(ingest: Ingest, numbers: Iterator[int], count: int) -> dict[str, dict[str, float]]:
    """Costs of `count` alerts, one at a time."""
    endpoint, processor = Costs(), Costs()
    for _ in range(count):
        endpoint.measure(partial(ingest.accept, next(numbers)))
        processor.measure(ingest.take_in)
    return {"endpoint": endpoint.figures(), "processor": processor.figures()}


def fill(ingest: Ingest, numbers: Iterator[int], count: int) -> None:
    """Grows the log by `count` alerts from many senders at a time."""
    left = count
    with ThreadPoolExecutor(THREADS) as senders:
        while left > 0:
            some = [next(numbers) for _ in range(min(AT_ONCE, left))]
            for _ in senders.map(ingest.accept, some):
                left -= 1
            ingest.take_in()
            if left % (10 * AT_ONCE) < AT_ONCE:
                progress(f"ingest: {count - left} of {count}")


def restart_ms(home: Home, cache: Path) -> float:
    began_s = time.perf_counter()
    log = raw_log(home, cache)
    log.tick()
    if log.trouble is not None:
        raise BenchFailed(f"the raw log is not ready: {log.trouble}")
    return round(1000 * (time.perf_counter() - began_s), 1)


def rss_mb() -> float:
    """Resident memory of this process now, MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return round(pages * os.sysconf("SC_PAGESIZE") / 2**20, 1)


def run(alerts: int, count: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="trade-engine-bench-") as folder:
        home = Home(Path(folder) / "home")
        ingest, numbers = ingest_in(home), iter(range(1, alerts + 1))
        progress(f"ingest: the first {count} alerts, one at a time")
        first, first_mb = measured(ingest, numbers, count), rss_mb()
        fill(ingest, numbers, max(alerts - 2 * count, 0))
        progress(f"ingest: the last {count} alerts")
        last, last_mb = measured(ingest, numbers, count), rss_mb()
        ingest.processor.poll(last=True)
        progress("ingest: starting again, with and without the cache")
        restarts = {
            "with_cache": restart_ms(home, Places.of(home).cache),
            "without": restart_ms(home, Path(folder) / "none.json"),
        }
    parts = {
        part: {
            "first": first[part],
            "last": last[part],
            "ratio": round(last[part]["cpu_us"] / first[part]["cpu_us"], 3),
        }
        for part in ("endpoint", "processor")
    }
    return {"n": alerts, **parts, "rss_mb": {"first": first_mb, "last": last_mb}, "restart_ms": restarts}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="./run bench ingest", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--alerts", type=int, default=ALERTS, metavar="N", help=f"in all (default {ALERTS})")
    words = f"measured at each end (default {MEASURED})"
    parser.add_argument("--measured", type=int, default=MEASURED, metavar="N", help=words)
    parser.add_argument("--json", action="store_true", help="one JSON line and nothing else on stdout")
    args = parser.parse_args(argv)
    if args.alerts < 2 * args.measured or args.measured < 1:
        parser.error("--alerts must be at least twice --measured, and that at least 1")
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    return finished("ingest", lambda: run(args.alerts, args.measured), args.json)


if __name__ == "__main__":
    sys.exit(main())
