"""The check of every request the tests cause: it finds each mark there is, nothing else, and fails the session."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from core.ports import Request, StreamRequest
from tests.contract.adapter_bench import Bench
from tests.contract.suite.benches import BOTH, every
from tests.contract.suite.venue import VenueBench
from tests.marks import marks_in, marks_of
from tests.request_marks import SEEN

URL = "http://venue.sim/api/v1/orders"
ROOT = Path(__file__).resolve().parents[3]

HEADERS = [
    "Referer: CCXT",
    "X-BAPI-Referer: CCXT",
    "referer: abc",
    "KC-API-PARTNER: ccxt",
    "KC-API-PARTNER-SIGN: c2ln",
    "KC-API-PARTNER-VERIFY: true",
    "KC-BROKER-NAME: ccxt",
    "source: CCXT",
    "User-Agent: ccxt/4.5",
    "x-channel-api-code: 1",
    "BROKER-ID: x",
]
BODIES = [
    '{"brokerId":"ec6dd3a7dd982d0b"}',
    '{"brokerId":null}',
    '{"broker":""}',
    '{"tag":"e847386590ce4dBC"}',
    '{"source":"x"}',
    '{"remark":"x"}',
    '{"referralCode":"x"}',
    '{"action":{"type":"order","orders":[],"builder":{"b":"0x1","f":0}}}',
    '{"action":{"type":"order","orders":[],"builder":{}}}',
    '{"action":{"type":"approveBuilderFee","maxFeeRate":"0.01%"}}',
    '{"action":{"type":"setReferrer","code":"x"}}',
    '[{"orders":[{"partnerId":[]}]}]',
    '{"clientOrderId":"CCXT0123456789abcdef"}',
    '{"clientOid":"x-xcKtGhcu0123456789abcdef"}',
    '{"orderLinkId":"pybit-1"}',
    '{"c":"brk-0123"}',
    "symbol=BTCUSDT&newClientOrderId=x-TKT5PX2F1",
    "brokerId=1",
]
CLEAN = [
    '{"clientOid":"00000000000000000000000000000001","side":"buy","symbol":"XBTUSDTM"}',
    '{"action":{"type":"order","orders":[{"a":0,"b":true,"c":"0x00000000000000000000000000000001"}]}}',
    '{"op":"subscribe","args":["position","order"]}',
    "ping",
    "",
    "text=t-0123abcd&size=1",
]


@pytest.mark.parametrize("header", HEADERS)
def test_a_marked_header_is_found(header: str) -> None:
    name, _, value = header.partition(": ")
    assert marks_of(Request("GET", URL, {name: value}))
    assert marks_of(StreamRequest(URL, {name: value}))


@pytest.mark.parametrize("body", BODIES)
def test_a_marked_body_is_found(body: str) -> None:
    assert marks_of(Request("POST", URL, {}, body.encode()))
    assert marks_in(body)


@pytest.mark.parametrize("query", ["brokerId=1", "symbol=BTC&referer=x", "orderLinkId=ccxt-1", "source=api"])
def test_a_marked_query_is_found(query: str) -> None:
    assert marks_of(Request("GET", f"{URL}?{query}"))


@pytest.mark.parametrize("path", ["/v5/broker/order", "/ccxt-1/orders", "/api/v1/affiliate/rebate", "/setReferrer"])
def test_a_marked_address_is_found(path: str) -> None:
    assert marks_of(Request("GET", f"http://venue.sim{path}"))
    assert marks_of(StreamRequest(f"ws://venue.sim{path}"))


@pytest.mark.parametrize("body", CLEAN)
def test_nothing_else_is_taken_for_a_mark(body: str) -> None:
    assert marks_in(body) == []
    assert marks_of(Request("GET", f"{URL}?symbol=BTCUSDT&orderLinkId={1:032x}&limit=200")) == []


@BOTH
@every()
def test_every_adapters_requests_are_looked_at(it: VenueBench, where: str) -> None:
    async def scenario(bench: Bench) -> None:
        before = SEEN.requests
        await bench.trade(bench.order("0.012"))
        assert SEEN.requests - before >= len(bench.recorder.sent) > 0

    it.run(where, scenario)


@every(lambda can: can.private_stream)
def test_every_adapters_streams_are_looked_at(it: VenueBench) -> None:
    async def scenario(bench: Bench) -> None:
        before = SEEN.frames
        await anext(aiter(bench.adapter.events()))
        assert SEEN.frames > before

    it.run("memory", scenario, streams=True)


SENDS = """
import asyncio
from account_processors.transport import HttpTransport
from core.clock import SystemClock
from core.errors import NotSent
from core.ports import Request

async def send():
    transport = HttpTransport(SystemClock())
    try:
        await transport.send(Request("POST", "http://127.0.0.1:9/orders", {}, b'{"brokerId":"x"}'))
    except NotSent:
        pass
    finally:
        await transport.close()
"""
SENDS_IN_MEMORY = """
import asyncio
from core.clock import SystemClock
from core.ports import Request
from simulator.memory import build_memory_world

async def send():
    transport = build_memory_world(SystemClock(), venues=["bybit"]).transport
    await transport.send(Request("POST", "http://bybit.sim/orders", {}, b'{"brokerId":"x"}'))
"""
HERE = f"{SENDS}\ndef test_marked():\n    asyncio.run(send())\n"


def in_a_program(text: str) -> str:
    program = f"{text}\nasyncio.run(send())\n"
    run = f"subprocess.run([sys.executable, '-c', {program!r}], check=True, timeout=30)"
    return f"import subprocess, sys\n\ndef test_marked():\n    {run}\n"


CHILD, CHILD_IN_MEMORY = in_a_program(SENDS), in_a_program(SENDS_IN_MEMORY)


@pytest.mark.parametrize("marked", [True, False])
@pytest.mark.parametrize("text", [HERE, CHILD, CHILD_IN_MEMORY], ids=["here", "child", "child in memory"])
def test_a_mark_fails_the_session(tmp_path: Path, text: str, marked: bool) -> None:
    """A real session of a test that passes but for what is sent, by itself or by a program it starts."""
    (tmp_path / "test_it.py").write_text(text if marked else text.replace("brokerId", "side"))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.conftest", "-p", "no:cacheprovider", "test_it.py"]
    done = subprocess.run(
        [*command, "--rootdir", str(tmp_path)],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == int(marked), done.stdout + done.stderr
    assert ("a mark was sent: body brokerId=x in a request to /orders" in done.stdout) == marked
