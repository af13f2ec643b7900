"""The simulator as a process and over real HTTP: ready lines, admin, and faults as a client on a socket sees them."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from core.clock import SystemClock
from simulator.facades import served
from simulator.server import PORTS
from simulator.web import Server
from simulator.world import World, build_world

ROOT = Path(__file__).resolve().parents[2]
START_S = 30.0
ORDER = {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Market", "qty": "0.01"}


# --- over HTTP, in this process ---------------------------------------------------------------------------------------


class Client:
    """A client of one served world; every request on a connection of its own."""

    def __init__(self, world: World, server: Server, session: aiohttp.ClientSession) -> None:
        self.world = world
        self.server = server
        self.session = session

    async def admin(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        async with self.session.request(method, self.server.url("admin") + path, json=body) as response:
            assert response.content_type == "application/json"
            return response.status, await response.json()

    async def fault(self, kind: str, match: str = "order_create", **more: Any) -> None:
        status, answer = await self.admin(
            "POST", "/_sim/faults", {"venue": "bybit", "match": match, "kind": kind, **more}
        )
        assert status == 200, answer

    async def order(self, client_id: str = "a", timeout_s: float = 5.0) -> tuple[int, bytes]:
        keys = self.world.venues["bybit"].facade.credentials("main")
        data = json.dumps({**ORDER, "orderLinkId": client_id}).encode()
        stamp = str(int(time.time() * 1000))
        text = f"{stamp}{keys['api_key']}5000".encode() + data
        headers = {
            "X-BAPI-API-KEY": keys["api_key"],
            "X-BAPI-TIMESTAMP": stamp,
            "X-BAPI-RECV-WINDOW": "5000",
            "X-BAPI-SIGN": hmac.new(keys["api_secret"].encode(), text, hashlib.sha256).hexdigest(),
            "Content-Type": "application/json",
        }
        url = self.server.url("bybit") + "/v5/order/create"
        timeout = aiohttp.ClientTimeout(total=timeout_s)
        async with self.session.post(url, data=data, headers=headers, timeout=timeout) as response:
            return response.status, await response.read()

    async def held(self) -> str:
        _, ledger = await self.admin("GET", "/_sim/ledger")
        position: str = ledger["venues"]["bybit"]["accounts"]["main"]["positions"].get("BTCUSDT", "0")
        return position


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    world = build_world(SystemClock(), venues=["bybit"])
    server = Server(world, {"admin": 0, "bybit": 0})
    await server.start()
    connector = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(connector=connector) as session:
        yield Client(world, server, session)
    await server.stop()


async def test_order_over_http_is_in_the_ledger(client: Client) -> None:
    status, body = await client.order()
    assert (status, json.loads(body)["retCode"]) == (200, 0)
    _, ledger = await client.admin("GET", "/_sim/ledger")
    bybit = ledger["venues"]["bybit"]
    (row,) = bybit["accounts"]["main"]["orders"]
    assert (row["client_id"], row["filled"], row["status"]) == ("a", "0.01", "filled")
    assert abs(row["received_at"] - ledger["time"]) < 5
    assert bybit["requests"] == {"total": 1, "over_limit": 0, "by_endpoint": {"POST /v5/order/create": 1}}


async def test_admin_arranges_over_http(client: Client) -> None:
    place = {"venue": "bybit", "account": "main"}
    steps = [
        ("POST", "/_sim/price", {"symbol": "BTCUSDT", "price": "50000", "last": 50100}),
        ("POST", "/_sim/position", {**place, "symbol": "BTCUSDT", "quantity": "-0.005", "kind": "liquidation"}),
        ("POST", "/_sim/account", {**place, "equity": 777, "leverage": {"BTCUSDT": 5}}),
        ("POST", "/_sim/clock", {"venue": "bybit", "offset_ms": 3000}),
        ("POST", "/_sim/instrument", {"venue": "bybit", "symbol": "ETHUSDT", "tick": "0.5"}),
        ("DELETE", "/_sim/price", None),
        ("GET", "/_sim/faults", None),
        ("DELETE", "/_sim/faults", None),
    ]
    assert [(await client.admin(*step))[0] for step in steps] == [200] * len(steps)
    _, ledger = await client.admin("GET", "/_sim/ledger")
    main = ledger["venues"]["bybit"]["accounts"]["main"]
    assert (main["positions"], main["leverage"]) == ({"BTCUSDT": "-0.005"}, {"BTCUSDT": "5"})
    assert main["fills"][0]["price"] == "50000"


async def test_admin_refuses_with_the_field(client: Client) -> None:
    status, answer = await client.admin("POST", "/_sim/price", {"symbol": "BTCUSDT", "price": "dear"})
    assert (status, answer["field"]) == (400, "price")
    assert (await client.admin("GET", "/_sim/nothing"))[0] == 404
    assert (await client.admin("GET", "/_sim/price"))[0] == 405


BROKEN = [
    ("drop_before", {}, aiohttp.ServerDisconnectedError, "0"),
    ("drop_after", {}, aiohttp.ServerDisconnectedError, "0.01"),
    ("reset", {}, ConnectionResetError, "0"),
    ("reset", {"landed": True}, ConnectionResetError, "0.01"),
    ("hang", {}, TimeoutError, "0"),
    ("hang", {"landed": True}, TimeoutError, "0.01"),
]


@pytest.mark.parametrize(("kind", "more", "error", "held"), BROKEN, ids=str)
async def test_broken_connections(
    client: Client, kind: str, more: dict[str, Any], error: type[Exception], held: str
) -> None:
    await client.fault(kind, **more)
    with pytest.raises((OSError, aiohttp.ClientError, TimeoutError)) as caught:
        await client.order(timeout_s=0.5)
    # A reset may reach the client while it writes or while it reads; both are the operating system's own error.
    assert isinstance(caught.value, error) or isinstance(caught.value.__cause__, error), repr(caught.value)
    assert await client.held() == held
    assert json.loads((await client.order("b"))[1])["retCode"] == 0, "the next one is served again"


ANSWERS = [
    ("status", {"value": 502}, 502, "0"),
    ("status", {"value": 504, "landed": True}, 504, "0.01"),
    ("garbage", {}, 200, "0.01"),
    ("empty", {}, 200, "0.01"),
    ("delay_ms", {"value": 50}, 200, "0.01"),
    ("reject_code", {"value": "10006"}, 200, "0"),
]


@pytest.mark.parametrize(("kind", "more", "status", "held"), ANSWERS, ids=str)
async def test_spoilt_answers(client: Client, kind: str, more: dict[str, Any], status: int, held: str) -> None:
    await client.fault(kind, **more)
    seen, body = await client.order()
    assert (seen, await client.held()) == (status, held)
    if kind in ("garbage", "empty", "status"):
        with pytest.raises(ValueError):
            json.loads(body)
    assert (body == b"") == (kind == "empty")
    _, faults = await client.admin("GET", "/_sim/faults")
    assert [row["hits"] for row in faults["faults"]] == [1]


async def test_late_order_lands_after_its_client_left(client: Client) -> None:
    await client.fault("delay_ms", value=300)
    with pytest.raises(TimeoutError):
        await client.order(timeout_s=0.1)
    assert await client.held() == "0"
    for _ in range(250):
        if await client.held() != "0":
            break
        await asyncio.sleep(0.02)
    assert await client.held() == "0.01"


async def test_websocket_is_refused_where_there_is_no_stream(client: Client) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await client.session.ws_connect(client.server.url("bybit") + "/v5/public/spot")
    assert caught.value.status == 404


# --- as a process -----------------------------------------------------------------------------------------------------


def free_base() -> int:
    """A base with six free ports, apart for each of pytest's parallel workers."""
    worker = int("0" + "".join(c for c in os.environ.get("PYTEST_XDIST_WORKER", "") if c.isdigit()))
    for base in range(18300 + worker % 8 * 12, 18394, 6):
        with suppress(OSError):
            for port in range(base, base + len(PORTS)):
                with closing(socket.create_server(("127.0.0.1", port))):
                    pass
            return base
    pytest.skip("no six free ports in 18300-18399")


def run(*args: str, environ: Mapping[str, str] = os.environ, descriptors: Sequence[int] = ()) -> subprocess.Popen[str]:
    command = [sys.executable, str(ROOT / "simulator" / "server.py"), *args]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=environ,
        pass_fds=descriptors,
    )


@pytest.fixture
def stopping() -> Iterator[list[subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []
    yield started
    for process in started:
        process.kill()
        process.communicate(timeout=START_S)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_process_life(tmp_path: Path, stopping: list[subprocess.Popen[str]], number: signal.Signals) -> None:
    base, ready = free_base(), tmp_path / "state" / "simulator.jsonl"
    process = run("--seed", "7", "--port-base", str(base), "--accounts", "bybit=3", "--ready-file", str(ready))
    stopping.append(process)
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in served()]
    assert ready.read_text() == "".join(lines)
    assert [json.loads(line)["venue"] for line in lines] == list(served())
    shown = json.loads(lines[0])
    assert set(shown) == {"venue", "base_url", "ws_url", "admin_url", "accounts"}
    assert (shown["venue"], shown["base_url"], shown["ws_url"], shown["admin_url"]) == (
        "bybit",
        f"http://127.0.0.1:{base + 1}",
        f"ws://127.0.0.1:{base + 1}",
        f"http://127.0.0.1:{base}",
    )
    assert [account["name"] for account in shown["accounts"]] == ["main", "second", "third"]
    assert set(shown["accounts"][0]) == {"name", "equity", "api_key", "api_secret"}
    assert shown["accounts"][0]["equity"] == "10000"
    process.send_signal(number)
    out, err = process.communicate(timeout=START_S)
    assert (process.returncode, out) == (0, ""), err
    assert not ready.exists()


def test_process_tells_pm2_and_goes_with_it(stopping: list[subprocess.Popen[str]]) -> None:
    ours, its = socket.socketpair()
    with ours, its:
        environ = {**os.environ, "NODE_CHANNEL_FD": str(its.fileno())}
        process = run("--port-base", str(free_base()), environ=environ, descriptors=(its.fileno(),))
        stopping.append(process)
        its.close()
        ours.settimeout(START_S)
        assert ours.recv(100) == b'"ready"\n'
    out, err = process.communicate(timeout=START_S)
    assert (process.returncode, out.count("\n")) == (0, len(served())), err


def test_port_in_use_is_said_and_exits_1(stopping: list[subprocess.Popen[str]]) -> None:
    base = free_base()
    with closing(socket.create_server(("127.0.0.1", base + 1))):
        process = run("--port-base", str(base))
        stopping.append(process)
        out, err = process.communicate(timeout=START_S)
    assert (process.returncode, out) == (1, "")
    assert f"127.0.0.1:{base + 1} (wanted for bybit)" in err
    assert "--port-base" in err
    assert "Traceback" not in err
