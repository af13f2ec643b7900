"""The world in memory: the real facade behind a transport that fails as a network would."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import urlsplit

import pytest

from core.clock import VirtualClock, VirtualLoop, run_virtual
from core.errors import Lost, NotSent, TransportError
from core.ports import Request, Response, StreamRequest
from simulator.memory import MemoryWorld, build_memory_world

Play = Callable[[MemoryWorld], Coroutine[Any, Any, Any]]
ORDER = {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Market", "qty": "0.01"}


def play(what: Play, *, rtt_s: float = 0.0) -> Any:
    """Runs `what` in a fresh world on virtual time."""
    loop = VirtualLoop()
    world = build_memory_world(VirtualClock(loop), venues=["bybit"], accounts={"bybit": 2}, rtt_s=rtt_s)
    return run_virtual(what(world), loop)


def signed(it: MemoryWorld, method: str, path: str, body: Any = None, deadline_s: float = 5.0) -> Request:
    """A request of `bybit-main`, signed as the venue asks."""
    keys = it.credentials["bybit"]["main"]
    data = b"" if body is None else json.dumps(body).encode()
    stamp = str(int(it.world.clock.time() * 1000))
    text = f"{stamp}{keys['api_key']}5000{urlsplit(path).query}".encode() + data
    headers = {
        "X-BAPI-API-KEY": keys["api_key"],
        "X-BAPI-TIMESTAMP": stamp,
        "X-BAPI-RECV-WINDOW": "5000",
        "X-BAPI-SIGN": hmac.new(keys["api_secret"].encode(), text, hashlib.sha256).hexdigest(),
        "Content-Type": "application/json",
    }
    return Request(method, keys["base_url"] + path, headers, data, deadline_s)


async def order(it: MemoryWorld, client_id: str = "a", deadline_s: float = 5.0) -> Any:
    request = signed(it, "POST", "/v5/order/create", {**ORDER, "orderLinkId": client_id}, deadline_s)
    return json.loads((await it.transport.send(request)).body)


async def server_time(it: MemoryWorld) -> Response:
    return await it.transport.send(Request("GET", "http://bybit.sim/v5/market/time"))


def held(it: MemoryWorld) -> str:
    ledger: Any = it.admin.ledger()
    position: str = ledger["venues"]["bybit"]["accounts"]["main"]["positions"].get("BTCUSDT", "0")
    return position


# --- the way there and back -------------------------------------------------------------------------------------------


def test_order_reaches_the_ledger() -> None:
    async def run(it: MemoryWorld) -> tuple[int, str]:
        return (await order(it))["retCode"], held(it)

    assert play(run) == (0, "0.01")


@pytest.mark.parametrize("rtt_s", [0.0, 0.08])
def test_latency_is_there_and_back_on_the_loops_time(rtt_s: float) -> None:
    async def run(it: MemoryWorld) -> tuple[Response, float, float]:
        start = it.world.clock.time()
        response = await server_time(it)
        return response, it.world.clock.time() - start, float(json.loads(response.body)["time"]) / 1000 - start

    response, took_s, handled_after_s = play(run, rtt_s=rtt_s)
    assert took_s == pytest.approx(rtt_s)
    assert handled_after_s == pytest.approx(rtt_s / 2, abs=0.001)
    assert response.elapsed_s == pytest.approx(rtt_s)
    assert response.received_at == pytest.approx(1_700_000_000 + rtt_s)


def test_requests_run_side_by_side() -> None:
    async def run(it: MemoryWorld) -> float:
        await asyncio.gather(*(server_time(it) for _ in range(20)))
        return it.world.clock.monotonic()

    assert play(run, rtt_s=0.1) == pytest.approx(0.1)


def test_same_seed_same_everything() -> None:
    async def run(it: MemoryWorld) -> tuple[Any, Any]:
        it.admin.fault({"venue": "bybit", "match": "any", "kind": "delay_ms", "value": 700, "probability": "0.5"})
        answers = [await order(it, f"c{n}") for n in range(10)]
        return answers, it.admin.ledger()

    assert play(run, rtt_s=0.01) == play(run, rtt_s=0.01)


# --- faults -----------------------------------------------------------------------------------------------------------

FAULTS = [
    # fault, what the client gets, whether the order landed
    ({"kind": "drop_before"}, Lost, False),
    ({"kind": "drop_after"}, Lost, True),
    ({"kind": "reset"}, Lost, False),
    ({"kind": "reset", "landed": True}, Lost, True),
    ({"kind": "hang"}, Lost, False),
    ({"kind": "hang", "landed": True}, Lost, True),
    ({"kind": "status", "value": 502}, 502, False),
    ({"kind": "status", "value": 504, "landed": True}, 504, True),
    ({"kind": "garbage"}, ValueError, True),
    ({"kind": "garbage", "landed": False}, ValueError, False),
    ({"kind": "empty"}, ValueError, True),
    ({"kind": "delay_ms", "value": 4000}, 0, True),
    ({"kind": "delay_ms", "value": 6000}, Lost, False),
    ({"kind": "delay_ms", "value": 6000, "landed": True}, Lost, True),
    ({"kind": "reject_code", "value": "110007"}, 110007, False),
]


@pytest.mark.parametrize("rtt_s", [0.0, 0.05])
@pytest.mark.parametrize(("fault", "outcome", "landed"), FAULTS, ids=str)
def test_fault(fault: dict[str, Any], outcome: Any, landed: bool, rtt_s: float) -> None:
    async def run(it: MemoryWorld) -> tuple[Any, str]:
        it.admin.fault({"venue": "bybit", "match": "order_create", **fault})
        request = signed(it, "POST", "/v5/order/create", {**ORDER, "orderLinkId": "a"})
        try:
            response = await it.transport.send(request)
            seen: Any = response.status if response.status != 200 else json.loads(response.body)["retCode"]
        except (TransportError, ValueError) as error:
            seen = type(error)
        await asyncio.sleep(10)  # whatever is late has arrived by now
        return seen, held(it)

    seen, position = play(run, rtt_s=rtt_s)
    assert seen is outcome or seen == outcome or (outcome is ValueError and issubclass(seen, ValueError))
    assert position == ("0.01" if landed else "0")


def test_client_that_gives_up_does_not_take_its_order_back() -> None:
    async def run(it: MemoryWorld) -> tuple[str, str]:
        it.admin.fault({"venue": "bybit", "match": "order_create", "kind": "delay_ms", "value": 2000})
        with pytest.raises(Lost, match=r"no answer within 0\.5 s"):
            await order(it, deadline_s=0.5)
        before = held(it)
        await asyncio.sleep(2)
        return before, held(it)

    assert play(run, rtt_s=0.01) == ("0", "0.01")


def test_client_that_dies_does_not_take_its_order_back() -> None:
    async def run(it: MemoryWorld) -> str:
        task = asyncio.create_task(order(it))
        await asyncio.sleep(0.001)
        task.cancel()
        await it.transport.close()
        await asyncio.sleep(1)
        return held(it)

    assert play(run, rtt_s=0.05) == "0.01"


def test_duplicate_ids_and_partial_fills() -> None:
    async def run(it: MemoryWorld) -> tuple[list[int], str]:
        it.admin.fault({"venue": "bybit", "match": "order_create", "kind": "partial_fill", "value": "0.5"})
        codes = [(await order(it))["retCode"], (await order(it))["retCode"]]
        it.admin.fault({"venue": "bybit", "match": "order_create", "kind": "accept_duplicate_ids"})
        codes += [(await order(it))["retCode"], (await order(it))["retCode"]]
        return codes, held(it)

    assert play(run) == ([0, 110072, 0, 110072], "0.015")


def test_stale_positions() -> None:
    async def size(it: MemoryWorld) -> str:
        path = "/v5/position/list?category=linear&symbol=BTCUSDT"
        response = await it.transport.send(signed(it, "GET", path))
        found: str = json.loads(response.body)["result"]["list"][0]["size"]
        return found

    async def run(it: MemoryWorld) -> list[float]:
        fault: Any = {"venue": "bybit", "match": "positions", "kind": "stale_positions_ms", "value": 10_000, "count": 0}
        it.admin.fault(fault)
        await order(it)
        seen = [await size(it)]
        await asyncio.sleep(9)
        seen.append(await size(it))
        await asyncio.sleep(2)
        seen.append(await size(it))
        return [float(text or 0) for text in seen]

    assert play(run) == [0, 0, 0.01]


# --- what cannot be reached -------------------------------------------------------------------------------------------


def test_nothing_is_sent_where_nobody_listens() -> None:
    async def run(it: MemoryWorld) -> list[str]:
        said = []
        for url in ("http://kucoin.sim/x", "http://bybit.com/x", "https://127.0.0.1/x"):
            with pytest.raises(NotSent) as caught:
                await it.transport.send(Request("GET", url))
            said.append(str(caught.value))
        it.transport.set_reachable("bybit", False)
        with pytest.raises(NotSent):
            await server_time(it)
        it.transport.set_reachable("bybit", True)
        assert (await server_time(it)).status == 200
        await it.transport.close()
        with pytest.raises(NotSent):
            await server_time(it)
        return said

    assert all("this world has bybit" in text for text in play(run))


def test_stream_that_is_not_served_is_refused_and_nobody_listens_where_a_venue_is_down() -> None:
    async def run(it: MemoryWorld) -> None:
        with pytest.raises(Lost, match="HTTP 404"):
            await it.transport.connect(StreamRequest("ws://bybit.sim/v5/nowhere"))
        it.transport.set_reachable("bybit", False)
        with pytest.raises(NotSent):
            await it.transport.connect(StreamRequest("ws://bybit.sim/v5/private"))

    play(run)
