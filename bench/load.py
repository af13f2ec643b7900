"""A load generator for the webhook, as a process of its own: so many connections, each with one alert on its way.

    python3 -m bench.load --port 8000 --token … --connections 32 --seconds 10 --first 1 --out load.json

Every alert is another one: its `event_id` is a number that never recurs. A connection that breaks is opened again; the
alert that was on it is not sent a second time. At the end the file says what came of it all.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from bench.figures import milliseconds
from bench.programs import LOOPBACK

SYMBOLS = 20
AGAIN_S = 0.02
LAST_ANSWERS_S = 5.0
HEAD_END = b"\r\n\r\n"
LENGTH = b"content-length:"


def alert(number: int) -> bytes:
    """The body of alert `number`, as a strategy would send it."""
    return (
        f'{{"symbol":"S{number % SYMBOLS:02d}USDT","direction":"long","action":"buy","size":"{number % 97 + 1}/100",'
        f'"leverage":"3","price":"{100 + number % 89}.5","event_id":"{number}"}}'
    ).encode()


@dataclass(slots=True)
class Outcome:
    """What became of the alerts: numbers of those answered 200, seconds each took, and how the others ended."""

    acknowledged: list[int] = field(default_factory=list)
    took_s: list[float] = field(default_factory=list)
    refused: dict[int, int] = field(default_factory=dict)
    unanswered: int = 0


class Connection(asyncio.Protocol):
    """One connection: sends the next alert as soon as the last one is answered. `ended` once it is closed."""

    def __init__(self, head: bytes, numbers: Iterator[int], outcome: Outcome, goes_on: Callable[[], bool]) -> None:
        self._head = head
        self._numbers = numbers
        self._outcome = outcome
        self._goes_on = goes_on
        self._buffer = b""
        self._number: int | None = None
        self._sent_s = 0.0
        self._transport: asyncio.Transport | None = None
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._send()

    def connection_lost(self, error: Exception | None) -> None:
        if self._number is not None:
            self._outcome.unanswered += 1
        self.ended.set_result(None)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        status = self._answered()
        if status is None or self._number is None:
            return
        if status == 200:
            self._outcome.took_s.append(time.perf_counter() - self._sent_s)
            self._outcome.acknowledged.append(self._number)
        else:
            self._outcome.refused[status] = self._outcome.refused.get(status, 0) + 1
        self._number = None
        self._send()

    def _send(self) -> None:
        assert self._transport is not None
        if not self._goes_on():
            self._transport.close()
            return
        self._number = next(self._numbers)
        body = alert(self._number)
        self._sent_s = time.perf_counter()
        self._transport.write(b"%bContent-Length: %d\r\n\r\n%b" % (self._head, len(body), body))

    def _answered(self) -> int | None:
        """The status of the answer in the buffer once it is complete, which is then taken from it."""
        end = self._buffer.find(HEAD_END)
        if end < 0:
            return None
        head = self._buffer[:end].lower()
        at = head.find(LENGTH) + len(LENGTH)
        whole = end + len(HEAD_END) + int(head[at:].split(b"\r\n", 1)[0])
        if len(self._buffer) < whole:
            return None
        self._buffer = self._buffer[whole:]
        return int(head[9:12])


async def load(port: int, token: str, connections: int, duration_s: float, first: int) -> dict[str, Any]:
    """Keeps every connection busy for `duration_s`, then waits for the last answers."""
    outcome, numbers = Outcome(), count(first)
    head = f"POST /webhook/{token} HTTP/1.1\r\nHost: {LOOPBACK}\r\nContent-Type: application/json\r\n".encode()
    loop = asyncio.get_running_loop()
    began_s = time.perf_counter()

    def goes_on() -> bool:
        return time.perf_counter() - began_s < duration_s

    async def keep_one_busy() -> None:
        while goes_on():
            try:
                _, connection = await loop.create_connection(
                    lambda: Connection(head, numbers, outcome, goes_on), LOOPBACK, port
                )
            except OSError:
                await asyncio.sleep(AGAIN_S)
                continue
            await connection.ended

    async with asyncio.timeout(duration_s + LAST_ANSWERS_S):
        await asyncio.gather(*(keep_one_busy() for _ in range(connections)))
    took_s = time.perf_counter() - began_s
    return {
        "seconds": took_s,
        "rps": round(len(outcome.acknowledged) / took_s, 1),
        "ms": milliseconds(outcome.took_s) if outcome.took_s else None,
        "refused": outcome.refused,
        "unanswered": outcome.unanswered,
        "acknowledged": outcome.acknowledged,
    }


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="bench.load", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--port", type=int, required=True, help="of the webhook, on the loopback")
    parser.add_argument("--token", required=True, help="of the webhook")
    parser.add_argument("--connections", type=int, default=32, metavar="N", help="at a time (default 32)")
    parser.add_argument("--seconds", type=float, default=10.0, metavar="S", help="how long (default 10)")
    parser.add_argument("--first", type=int, default=1, metavar="N", help="number of the first alert (default 1)")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="where the outcome goes, as JSON")
    args = parser.parse_args(argv)
    found = asyncio.run(load(args.port, args.token, args.connections, args.seconds, args.first))
    args.out.write_text(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
