"""Random alerts for a house whose programs are being killed, and the signs a kill can be aimed at."""

from __future__ import annotations

import http.client
import random
import threading
import time
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Protocol

from bench.kills_check import Alert
from bench.programs import BenchFailed
from bench.world import LEVERAGE, Webhook

DEPTHS = (20, 35, 50, 65, 80, 100)
"""In percent."""
PAUSE_S = (0.02, 0.4)
"""Between two alerts."""
AGAIN_S = 0.05
SPIN_S = 0.0003


class Sign(Protocol):
    """Something to aim at. `longest_s`: how long after it a kill may come and still hit what it announces."""

    longest_s: float

    def wait(self, timeout_s: float) -> None:
        """Returns when it is next given, or after `timeout_s`."""


class Bell:
    """Given whenever it is rung."""

    def __init__(self) -> None:
        self.longest_s = 0.3
        self._condition = threading.Condition()
        self._count = 0

    def ring(self) -> None:
        with self._condition:
            self._count += 1
            self._condition.notify_all()

    def wait(self, timeout_s: float) -> None:
        """Returns at the next ring, or after `timeout_s`."""
        with self._condition:
            before = self._count
            self._condition.wait_for(lambda: self._count != before, timeout_s)


class Changed:
    """Given when a file grows, shrinks, is replaced, or appears."""

    def __init__(self, path: Path) -> None:
        self.longest_s = 0.1
        self._path = path

    def wait(self, timeout_s: float) -> None:
        before, end_s = self._look(), time.monotonic() + timeout_s
        while self._look() == before and time.monotonic() < end_s:
            time.sleep(SPIN_S)

    def _look(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_size


class Rewritten:
    """Given when the temporary file that is to replace another one is there."""

    def __init__(self, path: Path) -> None:
        self.longest_s = 0.002
        self._path = path

    def wait(self, timeout_s: float) -> None:
        end_s = time.monotonic() + timeout_s
        while not any(self._path.parent.glob(f".{self._path.name}.*.tmp")) and time.monotonic() < end_s:
            time.sleep(SPIN_S)


class Sender:
    """Random alerts, one at a time. `alerts` holds every one that was tried, in order."""

    def __init__(self, webhook: Webhook, symbols: Sequence[str], chance: random.Random) -> None:
        self.alerts: list[Alert] = []
        self.posting, self.accepted = Bell(), Bell()
        self._webhook = webhook
        self._symbols = symbols
        self._chance = chance
        self._percent = dict.fromkeys(symbols, 0)

    def run(self, stop: threading.Event) -> None:
        """Sends until `stop`."""
        while not stop.is_set():
            symbol = self._chance.choice(self._symbols)
            self._percent[symbol] = self._next(self._percent[symbol])
            self._send(symbol, self._percent[symbol], stop)
            stop.wait(self._chance.uniform(*PAUSE_S))

    def _next(self, held: int) -> int:
        """The next signed depth in percent: an entry, another size, a flip or an exit."""
        size = self._chance.choice([depth for depth in DEPTHS if depth != abs(held)])
        if held == 0:
            return self._chance.choice((size, -size))
        side = 1 if held > 0 else -1
        return self._chance.choice((side * size, side * size, -side * size, -side * size, 0))

    def _send(self, symbol: str, percent: int, stop: threading.Event) -> None:
        """Sends one alert; half of those that were not answered are sent again until they are, as a sender may."""
        event_id = f"alert-{len(self.alerts) + 1}"
        sent_at, acknowledged = time.time(), False
        again = self._chance.random() < 0.5
        repeats = self._chance.random() < 0.1
        body = {"symbol": symbol, "event_id": event_id} | wording(percent)
        while not (acknowledged := self._post(body)) and again and not stop.is_set():
            stop.wait(AGAIN_S)
        self.alerts.append(Alert(event_id, symbol, Decimal(percent) / 100, sent_at, acknowledged))
        if repeats:
            self._post(body)

    def _post(self, body: Mapping[str, object]) -> bool:
        self.posting.ring()
        try:
            answer = self._webhook.post(body)
        except (OSError, http.client.HTTPException):
            return False
        if answer.status == 400:
            raise BenchFailed(f"the webhook refuses {body}: {answer.body}")
        if answer.status == 200:
            self.accepted.ring()
        return answer.status == 200


def wording(percent: int) -> dict[str, str]:
    if percent == 0:
        return {"direction": "flat", "action": "sell", "size": "Exit"}
    direction, action = ("long", "buy") if percent > 0 else ("short", "sell")
    return {"direction": direction, "action": action, "size": f"{abs(percent)}/100", "leverage": str(LEVERAGE)}
