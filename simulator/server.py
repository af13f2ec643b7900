"""`./run simulator`: simulated venues on the loopback.

stdout carries one JSON line per venue once it can be used, and nothing else; the log goes to stderr.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import re
import sys
import textwrap
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from functools import partial
from pathlib import Path

from config.process import Life
from core.clock import SystemClock
from core.domain import Symbol, plain
from core.errors import ConfigError
from core.state.files import RealFileOps, write_atomic
from simulator.exchange import ExchangeEvent
from simulator.facades import served
from simulator.faults import Kind, aims
from simulator.market import BadPrices, PriceSource, Replay
from simulator.web import PortTaken, Server
from simulator.world import DEFAULT_EQUITY, World, build_world

PORTS = ("admin", "bybit", "blofin", "kucoin", "mexc", "hyperliquid")
"""Who listens at the base port and after it; a venue without a facade leaves its port free."""
MAX_ACCOUNTS = 1_000
DEFAULT_SYMBOL = "BTCUSDT"
PROCESS = "venue-simulator"
"""Its name under PM2."""

log = logging.getLogger("simulator")

DESCRIPTION = """\
Simulated venues that speak the real wire protocols: signatures, limits, codes, a book around a price, fees, funding,
liquidation, and websockets. Point an adapter, an SDK or curl at the addresses printed. Everything is on 127.0.0.1 and
in memory; the same seed gives the same keys and, until someone pins them, the same prices.
"""
EPILOG = """\
addresses: the admin at the base port, then bybit, blofin, kucoin, mexc, hyperliquid at the next five
           (a venue that is not simulated yet leaves its port free)
streams:   ws_url stands for the venue's own host of streams, their paths are the venue's: bybit has /v5/private
           (position, order, execution, execution.fast, wallet) and /v5/public/linear (tickers, orderbook, publicTrade);
           on /v5/trade a client can log in, and every order is refused with the venue's 10404: enter orders over REST

try, with --port-base 9100:
  curl 127.0.0.1:9100/_sim/ledger                             everything booked: orders, fills, positions
  curl 127.0.0.1:9101/v5/market/tickers?category=linear       bybit itself
  curl -d '{"symbol":"BTCUSDT","price":"50000"}' 127.0.0.1:9100/_sim/price             pin a price
  curl -X DELETE 127.0.0.1:9100/_sim/price                                             let it move again
  curl -d '{"venue":"bybit","account":"main","symbol":"BTCUSDT","quantity":"0.5"}' 127.0.0.1:9100/_sim/position
                                                                                       a trade that is not the engine's
  curl -d '{"venue":"bybit","match":"order_create","kind":"drop_after"}' 127.0.0.1:9100/_sim/faults
                                                              the next order is executed and its answer lost
  curl -d '{"venue":"bybit","match":"stream","kind":"ws_gap","count":3}' 127.0.0.1:9100/_sim/faults
                                                              the next three messages of a stream never arrive
  curl 127.0.0.1:9100/_sim/faults                             the faults and how often they hit

"""
FAULTS = textwrap.fill(
    f"kinds of faults: {', '.join(Kind)}; each is aimed at one of {', '.join(aims())}",
    width=118,
    subsequent_indent="  ",
    break_on_hyphens=False,
)
END = "\n\nCtrl-C or SIGTERM stops it; nothing is kept.\n"


class BadUse(Exception):
    """The command line asks for something impossible; the text says what and what would work."""


def parser() -> argparse.ArgumentParser:
    it = argparse.ArgumentParser(
        prog="./run simulator",
        description=DESCRIPTION,
        epilog=EPILOG + FAULTS + END,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = it.add_argument
    add("--seed", type=int, default=7, metavar="N", help="keys, prices and chance follow from it (default 7)")
    add("--port-base", type=int, default=9100, metavar="PORT", help="first of six ports (default 9100)")
    add("--rtt-ms", type=_duration_ms, default=0.0, metavar="MS", help="added latency, half before and half after")
    add("--prices", action="append", default=[], metavar="[SYMBOL=]FILE.csv",
        help=f"replay bars (timestamp,open,high,low,close), of {DEFAULT_SYMBOL} unless named")  # fmt: skip
    add("--speed", type=_speed, default=1.0, metavar="X", help="replay that many times faster (default 1)")
    add("--accounts", default="", metavar="VENUE=N,…", help="accounts per venue: main, second, third … (default 1)")
    add("--equity", type=_money, default=DEFAULT_EQUITY, metavar="USD", help="of every account (default 10000)")
    add("--venues", default=None, metavar="VENUE,…", help="only these (default: every venue that is simulated)")
    add("--ready-file", type=Path, default=None, metavar="PATH", help="also write the JSON lines there, atomically")
    add("--quiet", action="store_true", help="log warnings only")
    return it


def main(argv: Sequence[str] | None = None) -> int:
    """Serves until SIGINT or SIGTERM. 0 after a clean stop, 1 when it cannot start, 2 for a wrong command line."""
    life = Life.begin(PROCESS)
    args = parser().parse_args(argv)
    level = logging.WARNING if args.quiet else logging.INFO
    logging.basicConfig(stream=sys.stderr, level=level, format="%(asctime)s %(name)s: %(message)s")
    try:
        return asyncio.run(_serve(args, life))
    except BadUse as error:
        print(f"simulator: {error}", file=sys.stderr)
        return 2
    except PortTaken as error:
        print(f"simulator: {error}. Nothing was started. Stop what listens there, or choose another --port-base.",
              file=sys.stderr)  # fmt: skip
    except (BadPrices, ConfigError, OSError) as error:
        print(f"simulator: {error}. Nothing was started. Mend or leave out that file, then start again.",
              file=sys.stderr)  # fmt: skip
    return 1


async def _serve(args: argparse.Namespace, life: Life) -> int:
    if args.ready_file is not None:
        args.ready_file.unlink(missing_ok=True)
    world = _world(args)
    base = ports_from(args.port_base)
    ports = {name: base[name] for name in ("admin", *world.venues)}
    server = Server(world, ports, args.rtt_ms / 1000)
    async with life.stopping() as stopped:
        await server.start()
        try:
            lines = "".join(line + "\n" for line in server.ready_lines())
            if args.ready_file is not None:
                args.ready_file.parent.mkdir(parents=True, exist_ok=True)
                write_atomic(RealFileOps(), args.ready_file.resolve(), lines.encode())
            sys.stdout.write(lines)
            sys.stdout.flush()
            life.ready()
            log.info("ready; the admin is at %s, stop with Ctrl-C", server.url("admin"))
            await stopped.wait()
            log.info("stopping: %s", life.why)
        finally:
            await server.stop()
            if args.ready_file is not None:
                args.ready_file.unlink(missing_ok=True)
    return 0


def _world(args: argparse.Namespace) -> World:
    clock = SystemClock()
    venues = served() if args.venues is None else tuple(filter(None, args.venues.split(",")))
    for venue in venues:
        _known(venue, "--venues")
    prices = prices_from(args.prices, clock.time(), args.speed)
    world = build_world(
        clock,
        seed=args.seed,
        venues=[name for name in PORTS if name in venues],
        accounts=accounts_from(args.accounts),
        equity=args.equity,
        prices=prices,
    )
    unlisted = sorted(set(prices) - set(world.market.symbols()))
    if unlisted:
        raise BadUse(f"--prices: no venue lists {unlisted[0]}; there are {', '.join(world.market.symbols())}")
    for name, venue in world.venues.items():
        venue.exchange.subscribe(partial(_tell, name))
    return world


def _tell(venue: str, event: ExchangeEvent) -> None:
    """One line of log per fill."""
    fill = event.fill
    if fill is not None:
        whose = fill.kind.value if fill.client_id is None else fill.client_id
        log.info(
            "%s-%s: %s %s %s at %s, position now %s (%s)",
            venue,
            event.account,
            fill.side.value,
            plain(fill.quantity),
            fill.symbol,
            plain(fill.price),
            plain(fill.quantity_after),
            whose,
        )


def ports_from(base: int) -> Mapping[str, int]:
    if not 1024 <= base <= 65535 - len(PORTS):
        raise BadUse(f"--port-base {base} is not within 1024 and {65535 - len(PORTS)}")
    return {name: base + n for n, name in enumerate(PORTS)}


def accounts_from(text: str) -> Mapping[str, int]:
    """`bybit=3,kucoin=1` -> accounts per venue."""
    found = {}
    for part in filter(None, text.split(",")):
        venue, sign, count = part.partition("=")
        if not sign or not re.fullmatch("[0-9]{1,4}", count) or not 1 <= int(count) <= MAX_ACCOUNTS:
            raise BadUse(f"--accounts {part!r} is not VENUE=N with N from 1 to {MAX_ACCOUNTS}, for example bybit=3")
        _known(venue, "--accounts")
        found[venue] = int(count)
    return found


def prices_from(files: Sequence[str], started_at: float, speed: float) -> Mapping[Symbol, PriceSource]:
    """`SYMBOL=FILE.csv` or `FILE.csv` -> a replay per symbol. Raises `BadPrices`, `OSError`."""
    found: dict[Symbol, PriceSource] = {}
    for text in files:
        named = re.fullmatch(r"([A-Z0-9][A-Za-z0-9._:-]{1,63})=(.+)", text)
        symbol, file = (named[1], named[2]) if named else (DEFAULT_SYMBOL, text)
        found[Symbol(symbol)] = Replay(Path(file), started_at, speed)
    return found


def _known(venue: str, flag: str) -> None:
    if venue not in served():
        raise BadUse(f"{flag}: {venue!r} is not simulated; there is {', '.join(served()) or 'no venue yet'}")


def _duration_ms(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 60_000:
        raise argparse.ArgumentTypeError("must be within 0 and 60000 milliseconds")
    return value


def _speed(text: str) -> float:
    value = float(text)
    if not 0 < value <= 100_000:
        raise argparse.ArgumentTypeError("must be above 0 and at most 100000")
    return value


def _money(text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
    if not 0 <= value <= Decimal(10) ** 12:
        raise argparse.ArgumentTypeError("must be within 0 and 10^12")
    return value


if __name__ == "__main__":
    sys.exit(main())
