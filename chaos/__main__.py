"""./run chaos: engines against venues that misbehave, seed by seed, in virtual time.

    ./run chaos --seeds 200                  200 seeds, from 0 on, in two processes
    ./run chaos --seeds 50 --venue kucoin    the same on one venue
    ./run chaos --replay 1234                one seed again, told line by line
    ./run chaos --mutants                    deliberate bugs, each of which the tests must notice (has its own --help)

Every seed is a world of its own: 1 to 5 accounts, up to 4 symbols, up to 40 faulty cycles; then faults stop and it must
converge. What counts as a breach stands in chaos/checker.py. A breach prints its seed and its story; the same seed on
the same commit tells the same story again.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

from chaos.mutants import command
from chaos.regressions import regressions
from chaos.scene import venues
from chaos.seed import run_seed
from chaos.story import Outcome
from config.home import CHECKOUT

WORKERS = 2
PROGRESS_EVERY_S = 10.0


@dataclass
class Sum:
    """What many seeds came to."""

    began_s: float
    seeds: int = 0
    breaches: int = 0
    converged: int = 0
    cycles: int = 0
    orders: int = 0
    slowest: int = 0
    failing: list[int] = field(default_factory=list)
    faults: dict[str, Counter[str]] = field(default_factory=dict)

    def add(self, one: Outcome) -> None:
        self.seeds += 1
        self.breaches += len(one.breaches)
        self.converged += one.converged
        self.cycles += one.cycles
        self.orders += one.orders
        self.slowest = max(self.slowest, one.slowest_convergence_cycles)
        if one.breaches:
            self.failing.append(one.seed)
        for venue, kinds in one.faults.items():
            self.faults.setdefault(venue, Counter()).update(kinds)

    def row(self) -> dict[str, object]:
        return {
            "seeds": self.seeds,
            "breaches": self.breaches,
            "converged": self.converged,
            "faults": {venue: dict(sorted(kinds.items())) for venue, kinds in sorted(self.faults.items())},
            "cycles": self.cycles,
            "orders": self.orders,
            "slowest_convergence_cycles": self.slowest,
            "seeds_per_s": round(self.seeds / max(time.monotonic() - self.began_s, 0.001), 2),
            "failing_seeds": sorted(self.failing),
        }


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def commit() -> str:
    """The commit the code stands at, as far as that is known."""
    asked = ("git", "-C", str(CHECKOUT), "describe", "--always", "--dirty", "--abbrev=12")
    try:
        found = subprocess.run(asked, capture_output=True, text=True, timeout=10, check=False)
    except OSError:
        return "unknown"
    return found.stdout.strip() or "unknown"


def story(one: Outcome, among: Sequence[str]) -> str:
    """A breach as it is told: seed, commit, what was broken, and everything that happened."""
    head = [f"seed {one.seed} at commit {commit()} on {','.join(among)}: {len(one.breaches)} breaches"]
    head += [f"  {breach.rule}: {breach.what}" for breach in one.breaches]
    again = f"again: ./run chaos --replay {one.seed}"
    if tuple(among) != venues():
        again += "".join(f" --venue {venue}" for venue in among)
    return "\n".join([*head, again, *one.lines])


Work = tuple[int, tuple[str, ...]]
"""A seed and the venues it runs among."""


def lived(work: Work) -> Outcome:
    return run_seed(*work)


def outcomes(seeds: Sequence[Work], workers: int) -> Iterator[Outcome]:
    """Every seed's outcome, in the order of the seeds; which process ran it makes no difference."""
    if workers == 1:
        yield from map(lived, seeds)
        return
    with ProcessPoolExecutor(workers) as pool:
        yield from pool.map(lived, seeds, chunksize=2)


def run(seeds: Sequence[Work], workers: int) -> Sum:
    total = Sum(time.monotonic())
    told_s = time.monotonic()
    for one, (_, among) in zip(outcomes(seeds, workers), seeds, strict=True):
        total.add(one)
        if one.breaches:
            say(story(one, among))
        if time.monotonic() > told_s + PROGRESS_EVERY_S:
            told_s = time.monotonic()
            say(f"chaos: {total.seeds} of {len(seeds)} seeds, {total.breaches} breaches, {total.orders} orders")
    return total


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="./run chaos", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=100, metavar="N", help="how many seeds (default 100)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="the first of them (default 0)")
    parser.add_argument("--venue", action="append", choices=venues(), help="only this venue; may be repeated")
    parser.add_argument("--workers", type=int, default=WORKERS, metavar="W", help=f"processes (default {WORKERS})")
    parser.add_argument("--replay", type=int, metavar="SEED", help="one seed again, its whole story on stdout")
    parser.add_argument("--regressions", action="store_true", help="the seeds that ever failed, before the others")
    parser.add_argument("--json", action="store_true", help="end with one JSON line and nothing else on stdout")
    args = parser.parse_args(argv)
    if args.seeds < 0 or args.workers < 1:
        parser.error("--seeds must be at least 0 and --workers at least 1")
    return args


def main(argv: Sequence[str] | None = None) -> int:
    asked = sys.argv[1:] if argv is None else argv
    if command.SWITCH in asked:
        return command.main(asked, say, print)
    args = arguments(asked)
    among = tuple(args.venue or venues())
    if args.replay is not None:
        one = run_seed(args.replay, among)
        print(story(one, among))
        return int(bool(one.breaches))
    seeds: list[Work] = [(one.seed, one.venues or venues()) for one in regressions()] if args.regressions else []
    seeds += [(seed, among) for seed in range(args.seed, args.seed + args.seeds)]
    try:
        total = run(seeds, args.workers)
    except KeyboardInterrupt:
        say("chaos: interrupted")
        return 130
    print(json.dumps(total.row(), indent=None if args.json else 2))
    return int(total.breaches > 0)


if __name__ == "__main__":
    raise SystemExit(main())
