"""A local feed like that of Bittensor SN8: `python -m simulator.feed.server --port 9110`.

stdout carries one JSON line once it can be asked: {"endpoint","admin_url","api_key","assets"}; the log goes to stderr.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from aiohttp import web

from config.process import Life as ProcessLife
from core.state.files import RealFileOps, write_atomic
from simulator.feed.faults import HUGE_BYTES, KINDS, PIECE, body_of
from simulator.feed.lives import PAIRS, BadRecording, Life, generated, recorded, reply_at

PROCESS = "sn8-feed"
"""Its name under PM2."""
HOST = "127.0.0.1"
PATH = "/miner-positions"
API_KEY = "demo-feed-key"
HANG_S = 600.0
DROP_S = 0.5
MAX_PUSHED = 1_000

log = logging.getLogger(PROCESS)

DESCRIPTION = """\
Traders of Bittensor SN8 as their network's feed tells of them, generated or recorded, moving over time. Everything is
on 127.0.0.1 and in memory; the same seed gives the same traders.
"""
EPILOG = f"""\
try, with --port 9110:
  curl -X GET 127.0.0.1:9110{PATH} -H 'Authorization: {API_KEY}' -d '{{"api_key":"{API_KEY}"}}'     the feed itself
  curl 127.0.0.1:9110/_feed                                                               what it does now
  curl -d '{{"asset":"BTCUSD","leverage":0.1}}' 127.0.0.1:9110/_feed/order                  every trader adds an order
  curl -d '{{"kind":"half"}}' 127.0.0.1:9110/_feed/fault                                    until it is deleted
  curl -d '{{"kind":"status","value":503,"count":3}}' 127.0.0.1:9110/_feed/fault             three times
  curl -X DELETE 127.0.0.1:9110/_feed/fault                                               as it should be again

kinds of faults: {", ".join(KINDS)}
"""


@dataclass(slots=True)
class Fault:
    """`count` 0: until deleted."""

    kind: str
    value: float = 0.0
    count: int = 0


@dataclass(slots=True)
class Feed:
    """The traders, what was pushed by hand, and what goes wrong. `static`: bytes served instead of traders."""

    lives: Sequence[Life]
    api_key: str
    static: Path | None = None
    fault: Fault | None = None
    requests: int = 0
    pushed: list[dict[str, Any]] = field(default_factory=list)

    def take_fault(self) -> Fault | None:
        fault = self.fault
        if fault is not None and fault.count:
            fault.count -= 1
            if fault.count == 0:
                self.fault = None
        return fault

    def reply(self, at_ms: int) -> dict[str, Any]:
        """The reply of an instant, orders pushed by hand in every trader's open position on their asset."""
        reply = reply_at(self.lives, at_ms)
        for order in self.pushed:
            for number, record in enumerate(reply.values()):
                push(record, order, number)
        return reply


def push(record: dict[str, Any], order: dict[str, Any], number: int) -> None:
    for index, position in enumerate(record["positions"]):
        if position["is_closed_position"] or position["trade_pair"][0] != order["asset"]:
            continue
        wire = {name: value for name, value in order.items() if name != "asset"}
        wire["order_uuid"] = f"{order['order_uuid']}-{number}"
        if wire["processed_ms"] >= position["open_ms"]:
            orders = [*position["orders"], wire]
            record["positions"][index] = {**position, "orders": orders}


async def positions(feed: Feed, request: web.Request) -> web.StreamResponse:
    """The feed's one door. The key must stand in both of its places."""
    feed.requests += 1
    try:
        body = json.loads(await request.read())
    except ValueError:
        body = None
    given = body.get("api_key") if isinstance(body, dict) else None
    if given != feed.api_key or request.headers.get("Authorization") != feed.api_key:
        return web.json_response({"error": "unauthorized"}, status=401)
    fault = feed.take_fault()
    if feed.static is not None and fault is None:
        return web.FileResponse(feed.static, chunk_size=262_144, headers={"Content-Type": "application/json"})
    if fault is not None and fault.kind == "hang":
        await asyncio.sleep(HANG_S)
    if fault is not None and fault.kind == "status":
        return web.json_response({"error": "fault"}, status=int(fault.value or 503))
    data = body_of(feed.reply(round(time.time() * 1000)), fault.kind if fault else None, fault.value if fault else 0)
    if fault is not None and fault.kind in ("slow", "huge", "reset"):
        return await sent_badly(request, fault.kind, data)
    return web.Response(body=data, content_type="application/json")


async def sent_badly(request: web.Request, kind: str, data: bytes) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    try:
        if kind == "huge":
            await response.write(b'{"5Huge": {"positions": "')
            for _ in range(HUGE_BYTES // len(PIECE)):
                await response.write(PIECE)
        elif kind == "slow":
            for byte in data:
                await response.write(bytes([byte]))
                await asyncio.sleep(DROP_S)
        else:
            await response.write(data[: len(data) // 3])
            if request.transport is not None:
                request.transport.close()
    except ConnectionError:
        log.info("%s: the reader left", kind)
    return response


async def looked_at(feed: Feed, request: web.Request) -> web.Response:
    fault = feed.fault
    return web.json_response(
        {
            "requests": feed.requests,
            "traders": [life.hotkey for life in feed.lives],
            "pushed": len(feed.pushed),
            "fault": None if fault is None else {"kind": fault.kind, "value": fault.value, "count": fault.count},
        }
    )


async def set_fault(feed: Feed, request: web.Request) -> web.Response:
    if request.method == "DELETE":
        feed.fault = None
        return web.json_response({"fault": None})
    found = await asked(request)
    kind = found.get("kind")
    if kind not in KINDS:
        return web.json_response({"error": f"kind must be one of {', '.join(KINDS)}"}, status=400)
    try:
        feed.fault = Fault(kind, float(found.get("value", 0.5 if kind == "lost" else 0)), int(found.get("count", 0)))
    except (TypeError, ValueError):
        return web.json_response({"error": "value and count must be numbers"}, status=400)
    return web.json_response({"fault": kind})


async def push_order(feed: Feed, request: web.Request) -> web.Response:
    """An order of every trader that has an open position on the asset."""
    found = await asked(request)
    pair = next((pair for pair in PAIRS if pair.name == found.get("asset")), None)
    leverage = number(found.get("leverage"))
    if pair is None or leverage is None or not abs(leverage) <= 1 or len(feed.pushed) >= MAX_PUSHED:
        words = f"asset must be one of {', '.join(pair.name for pair in PAIRS)}, leverage a number of -1 to 1"
        return web.json_response({"error": words}, status=400)
    at_ms = round(time.time() * 1000)
    order = {
        "asset": pair.name,
        "order_type": "LONG" if leverage >= 0 else "SHORT",
        "leverage": leverage,
        "price": pair.price_at(at_ms),
        "processed_ms": at_ms,
        "order_uuid": f"pushed-{len(feed.pushed)}",
    }
    feed.pushed.append(order)
    return web.json_response(order)


def number(value: object) -> float | None:
    """A number, or the text of one; None for anything else."""
    try:
        return float(value) if isinstance(value, int | float | str) else None
    except ValueError:
        return None


async def asked(request: web.Request) -> dict[str, Any]:
    try:
        found = json.loads(await request.read())
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {}


def application(feed: Feed) -> web.Application:
    app = web.Application()
    app.add_routes(
        [
            web.route("*", PATH, partial(positions, feed)),
            web.get("/_feed", partial(looked_at, feed)),
            web.post("/_feed/fault", partial(set_fault, feed)),
            web.delete("/_feed/fault", partial(set_fault, feed)),
            web.post("/_feed/order", partial(push_order, feed)),
        ]
    )
    return app


# --- the program ------------------------------------------------------------------------------------------------------


def parser() -> argparse.ArgumentParser:
    it = argparse.ArgumentParser(
        prog="python -m simulator.feed.server",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = it.add_argument
    add("--port", type=int, default=9110, metavar="PORT", help="where it listens (default 9110)")
    add("--seed", type=int, default=8, metavar="N", help="the generated traders follow from it (default 8)")
    add("--traders", type=int, default=8, metavar="N", help="how many are generated (default 8)")
    add("--recorded", type=Path, metavar="FILE", help="also replay recorded positions: a JSON list of them")
    add("--tail-s", type=float, default=172_800.0, metavar="S", help="so much of the recording's end is replayed")
    add("--speed", type=float, default=1.0, metavar="X", help="replay the recording that many times faster")
    add("--reply", type=Path, metavar="FILE", help="serve the bytes of this file instead")
    add("--api-key", default=API_KEY, metavar="KEY", help=f"the key that opens it (default {API_KEY})")
    add("--ready-file", type=Path, metavar="PATH", help="also write the JSON line there, atomically")
    return it


def feed_of(args: argparse.Namespace, began_ms: int) -> Feed:
    """Raises BadRecording, OSError."""
    lives = generated(args.seed, args.traders, began_ms)
    if args.recorded is not None:
        lives += recorded(args.recorded.read_bytes(), began_ms, tail_s=args.tail_s, speed=args.speed)
    return Feed(lives, args.api_key, args.reply)


async def serve(args: argparse.Namespace, life: ProcessLife) -> int:
    if args.ready_file is not None:
        args.ready_file.unlink(missing_ok=True)
    runner = web.AppRunner(application(feed_of(args, round(time.time() * 1000))), access_log=None, shutdown_timeout=1.0)
    async with life.stopping() as stopped:
        await runner.setup()
        try:
            await web.TCPSite(runner, HOST, args.port).start()
            base = f"http://{HOST}:{args.port}"
            facts = {"endpoint": base + PATH, "admin_url": base, "api_key": args.api_key}
            line = json.dumps(facts | {"assets": [pair.name for pair in PAIRS]}) + "\n"
            if args.ready_file is not None:
                args.ready_file.parent.mkdir(parents=True, exist_ok=True)
                write_atomic(RealFileOps(), args.ready_file.resolve(), line.encode())
            sys.stdout.write(line)
            sys.stdout.flush()
            life.ready()
            await stopped.wait()
            log.info("stopping: %s", life.why)
        finally:
            await runner.cleanup()
            if args.ready_file is not None:
                args.ready_file.unlink(missing_ok=True)
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Serves until SIGINT or SIGTERM. 0 after a clean stop, 1 when it cannot start, 2 for a wrong command line."""
    life = ProcessLife.begin(PROCESS)
    args = parser().parse_args(argv)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
    try:
        return asyncio.run(serve(args, life))
    except (BadRecording, OSError) as error:
        log.error("%s. Nothing was started; mend that, or choose another --port or file.", error)
    return 1


if __name__ == "__main__":
    sys.exit(main())
