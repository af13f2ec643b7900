"""Programs that are killed at random moments and started again at once."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bench.kills_alerts import Sign
from bench.programs import BenchFailed, Program
from core.journal import decode
from core.memory import fold

SHORTEST_S, NO_SIGN_S = 0.0001, 1.0
"""From the sign a kill is aimed at to the kill at the soonest; without a sign, at the latest."""
START_S = 1.0
SIGN_S = 2.0
AGAIN_S, TRIES = 0.1, 50
"""A program whose port its killed worker still holds is started again, as PM2 would."""
ORPHAN_S = 5.0


Look = Callable[[], Mapping[str, bool]]
"""What a kill just hit, by name, for whoever looks on."""


class Victim:
    """One program, killed and started again. `kills` counts; `seen` says how many of them hit what."""

    def __init__(
        self, program: Program, signs: Sequence[Sign], rest_s: float, chance: random.Random, look: Look = dict
    ) -> None:
        """`rest_s`: how long it is left in peace at most before a kill is aimed."""
        self.program = program
        self.kills = 0
        self.seen: Counter[str] = Counter()
        self._signs = signs
        self._rest_s = rest_s
        self._chance = chance
        self._look = look

    def run(self, count: int, stop: threading.Event) -> None:
        """Kills the program, which runs, `count` times; it runs again afterwards. Raises BenchFailed."""
        ready = True
        while self.kills < count and not stop.is_set():
            self._wait(ready, stop)
            group = self.program.pid
            self.program.kill(whole=self._chance.random() < 0.5)
            self.kills += 1
            self.seen["while it started"] += not ready
            self.seen.update({what: int(hit) for what, hit in self._look().items()})
            self.program.launch()
            ready = self._chance.random() < 0.8 and self._ready(stop)
            if ready:
                no_orphan(group, self.program.name)
        if not ready:
            self._ready(stop)

    def _wait(self, ready: bool, stop: threading.Event) -> None:
        """Waits for the moment: any in its start, or any time after an event or after none."""
        if not ready:
            stop.wait(self._chance.uniform(0, START_S))
            return
        stop.wait(self._chance.uniform(0, self._rest_s))
        sign = self._chance.choice([*self._signs, None])
        if sign is not None:
            sign.wait(SIGN_S)
        longest_s = sign.longest_s if sign is not None else NO_SIGN_S
        stop.wait(SHORTEST_S * (longest_s / SHORTEST_S) ** self._chance.random())

    def _ready(self, stop: threading.Event) -> bool:
        """Whether it became ready; False only when `stop` came first."""
        for left in reversed(range(TRIES)):
            try:
                self.program.wait_ready()
            except BenchFailed:
                if not left:
                    raise
            else:
                return True
            if stop.wait(AGAIN_S):
                break
            self.program.kill()
            self.program.launch()
        return False


def journal_look(path: Path) -> Look:
    """Looks at what a killed trade-engine left of its journal."""

    def look() -> Mapping[str, bool]:
        if not path.exists():
            return {}
        content = decode(path.read_bytes(), str(path))
        return {
            "with an order under way": bool(fold(content.records[1:]).intents),
            "within a record": content.torn > 0,
            "while the journal was rewritten": any(path.parent.glob(f".{path.name}.*.tmp")),
        }

    return look


def no_orphan(group: int, name: str) -> None:
    """Returns once nothing of a killed process group is left. Raises BenchFailed."""
    end_s = time.monotonic() + ORPHAN_S
    while left := members(group):
        if time.monotonic() > end_s:
            raise BenchFailed(f"{name} was killed, and {left} of its group live on {ORPHAN_S:g} s later")
        time.sleep(0.02)


def members(group: int) -> list[int]:
    """Processes of the group that still run; the dead whom nobody waited for do not."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, its_group = stat.read_text().rpartition(")")[2].split()[:3]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(its_group) == group and state != "Z":
            found.append(int(stat.parent.name))
    return found
