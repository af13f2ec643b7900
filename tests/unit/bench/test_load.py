"""The load generator: one alert at a time on each connection, each another one, every answer counted once."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable
from itertools import count
from typing import Any, cast

import pytest

from bench.load import Connection, Outcome, alert, load
from signal_processors.tradingview_alerts import Alert, read_alert, read_body

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\ncontent-length: 5\r\n\r\nhello"
FULL = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"


class Wire:
    """What a connection writes to."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        head, _, body = data.partition(b"\r\n\r\n")
        assert int(head.rpartition(b"Content-Length: ")[2]) == len(body)
        self.sent.append(json.loads(body))

    def close(self) -> None:
        self.closed = True

    @property
    def numbers(self) -> list[int]:
        return [int(body["event_id"]) for body in self.sent]


def connected(goes_on: Callable[[], bool] = lambda: True) -> tuple[Connection, Wire, Outcome]:
    wire, outcome = Wire(), Outcome()
    connection = Connection(b"POST / HTTP/1.1\r\n", count(1), outcome, goes_on)
    connection._transport = cast("asyncio.Transport", wire)
    connection._send()
    return connection, wire, outcome


def test_alerts_are_alerts_and_differ() -> None:
    read = [read_alert(cast("dict[str, object]", read_body(alert(number)))) for number in range(1, 500)]
    alerts = [one for one in read if isinstance(one, Alert)]
    assert len(alerts) == len(read)
    assert len({one.body.digest for one in alerts}) == len(alerts)


@pytest.mark.parametrize("piece", [1, 7, 1000])
async def test_answers_in_pieces(piece: int) -> None:
    connection, wire, outcome = connected()
    for data in (OK, FULL, OK):
        for at in range(0, len(data), piece):
            connection.data_received(data[at : at + piece])
    assert wire.numbers == [1, 2, 3, 4]
    assert outcome.acknowledged == [1, 3]
    assert len(outcome.took_s) == 2
    assert outcome.refused == {503: 1}
    assert outcome.unanswered == 0


async def test_a_broken_connection_leaves_its_alert_unanswered() -> None:
    connection, wire, outcome = connected()
    connection.data_received(OK[:20])
    connection.connection_lost(None)
    assert connection.ended.done()
    assert outcome.unanswered == 1
    assert not outcome.acknowledged
    assert wire.numbers == [1]


async def test_in_the_end_it_closes() -> None:
    left = [True, False]
    connection, wire, outcome = connected(lambda: left.pop(0))
    connection.data_received(OK)
    assert wire.closed
    connection.connection_lost(None)
    assert outcome.acknowledged == [1]
    assert outcome.unanswered == 0


async def test_over_real_sockets_a_server_that_breaks_off_is_come_back_to() -> None:
    seen: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            for _ in range(3):
                head = await reader.readuntil(b"\r\n\r\n")
                assert head.startswith(b"POST /webhook/secret HTTP/1.1\r\n")
                body = await reader.readexactly(int(head.rpartition(b"Content-Length: ")[2]))
                seen.append(int(json.loads(body)["event_id"]))
                writer.write(OK)
                await asyncio.sleep(0.001)
            await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return
        finally:
            writer.close()

    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = await asyncio.start_server(serve, sock=listening)
        found = await load(listening.getsockname()[1], "secret", connections=2, duration_s=0.3, first=100)
        server.close()
    assert len(seen) > 6
    assert seen[0] == 100
    assert set(found["acknowledged"]) == set(seen)
    assert found["unanswered"] > 0
    assert found["ms"]["p50"] <= found["ms"]["p99"]
