"""The smallest position a venue takes, opened and closed by the real engine in a home of its own.

Nothing here sends an order: a `trade-engine` process does, with the account's keys, its own journal and a single source
that first wants the smallest size and then nothing. So what is tried is what will trade, and an outcome nobody knows is
looked up as it always is. The home lies in `state/preflight/<account>` and is removed once the position is closed; one
that was left behind (a kill, a power cut) is taken up first by the next round trip, which closes what is open.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from cli.errors import UserError
from cli.preflight.asking import SymbolFound
from cli.reading import DISK, instant, lines_of_json, object_in, statuses
from config.credential_entries import AccountCredentials
from config.home import CHECKOUT, Home
from core.clock import SystemClock
from core.domain import AccountSettings, Document, Equity, Signal, SourceName, Symbol, plain
from core.state import render_document, write_atomic, write_json
from core.state.locks import AccountLock

SOURCE = SourceName("preflight")
OPENED_S = 60.0
CLOSED_S = 120.0
"""Longer than any fence: an order whose outcome is unknown is first looked up until it cannot land any more."""
POLL_S = 0.05
STOP_S = 15.0
MARGIN_SHARE = Decimal("0.9")
DEPTH_STEP = Decimal("1e-12")
SIZE_ROOM = Decimal("0.25")
"""Of a lot above the wanted size, so that rounding down to the lot gives exactly that size."""
LAST_WORDS = 5

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Trip:
    """What is to be tried: `contracts` > 0 of one flat symbol at this leverage, which is `depth` of the equity."""

    symbol: Symbol
    contracts: Decimal
    leverage: Decimal
    depth: Decimal


def planned(found: SymbolFound, equity: Equity, leverage: Decimal) -> Trip:
    """The round trip for a symbol. Raises UserError where it is not possible, with the reason and a remedy."""
    symbol, smallest, instrument = found.symbol, found.smallest, found.instrument
    assert smallest is not None
    assert instrument is not None
    assert found.price is not None
    leverage = min(leverage, instrument.max_leverage)
    margin = instrument.notional(smallest + instrument.lot * SIZE_ROOM, found.price.mark) / leverage
    if equity.value <= 0 or margin / equity.value > MARGIN_SHARE:
        raise UserError(
            f"{symbol}: its smallest order needs about {margin / MARGIN_SHARE:.2f} {equity.currency} at "
            f"{plain(leverage)}x, the account holds {equity.value:.2f}. Transfer some, or name a cheaper symbol: "
            "--symbol S. Nothing was sent."
        )
    return Trip(symbol, smallest, leverage, (margin / equity.value).quantize(DEPTH_STEP))


@dataclass(frozen=True, slots=True)
class Tried:
    """The home in which an account's round trips happen."""

    home: Home
    one: AccountCredentials

    @property
    def log(self) -> Path:
        return self.home.root / "trade-engine.log"

    @property
    def status(self) -> Mapping[str, Any]:
        return statuses(self.home).get(self.one.account) or {}


def run(root: Home, one: AccountCredentials, settings: AccountSettings, trip: Trip, say: Say) -> dict[str, Any]:
    """Opens and closes. Returns what the engine noted; raises UserError, saying whether something may be open still.

    Raises Locked where an engine of the home `root` trades the account.
    """
    tried = Tried(Home(root.state / "preflight" / one.account), one)
    lock = AccountLock.acquire(root.locks, one.account, "preflight", SystemClock().time())
    try:
        _take_up(tried, say)
        _prepare(tried, settings, trip)
        with _engine(tried) as alive:
            done = _there_and_back(tried, trip, alive, say)
        shutil.rmtree(tried.home.root)
    finally:
        lock.release()
    if done["because"]:
        raise UserError(f"The smallest order of {trip.symbol} was not filled: {done['because']}. The position is flat.")
    return done


def _take_up(tried: Tried, say: Say) -> None:
    """Closes what an interrupted round trip may have left open."""
    mapping = object_in(tried.home.asset_mapping)
    if mapping is None:
        return
    symbol = Symbol(next(iter(mapping[SOURCE])))
    say(f"an earlier round trip with {symbol} did not end; closing what it left")
    with _engine(tried) as alive:
        _close(tried, symbol, alive)
    shutil.rmtree(tried.home.root)


def _there_and_back(tried: Tried, trip: Trip, alive: Callable[[], bool], say: Say) -> dict[str, Any]:
    began = time.monotonic()
    say(f"opening {plain(trip.contracts)} contracts of {trip.symbol} at {plain(trip.leverage)}x")
    _want(tried, trip.symbol, trip.depth)
    opened = _wait(tried, trip.symbol, alive, OPENED_S, lambda row: _settled(row) and _size(row) != 0)
    why = "" if opened else _because(tried, trip.symbol)
    say("opened and verified; closing" if opened else f"not opened within {OPENED_S:g} s; closing whatever is open")
    orders = _close(tried, trip.symbol, alive)
    seconds = round(time.monotonic() - began, 2)
    what = {"symbol": trip.symbol, "contracts": plain(trip.contracts)}
    return {**what, "orders": orders, "seconds": seconds, "because": why}


def _close(tried: Tried, symbol: Symbol, alive: Callable[[], bool]) -> int:
    """Wants nothing until the venue shows nothing. Returns the orders it took in all."""
    asked = time.time()
    _want(tried, symbol, Decimal(0))
    if not _wait(tried, symbol, alive, CLOSED_S, lambda row: _settled(row) and _size(row) == 0, after=asked):
        raise UserError(
            f"{symbol} is NOT known to be flat: {_because(tried, symbol)}. Look at the venue and close it there, or "
            f"run this again: it begins with closing ({tried.home.root} remembers)."
        )
    facts = lines_of_json(tried.home.facts / f"{tried.one.account}.jsonl")
    return sum(fact["fact"] == "order_sent" for fact in facts)


# --- the home of the trip ---------------------------------------------------------------------------------------------


def _prepare(tried: Tried, settings: AccountSettings, trip: Trip) -> None:
    """Writes the home's files. Secrets go by the environment; the disk only knows their names."""
    home, one, policy = tried.home, tried.one, settings.policy
    home.root.mkdir(parents=True, exist_ok=True, mode=0o700)
    home.prepare()
    entry = {
        "venue": one.known.venue,
        "name": one.known.name,
        **{field: f"env:{_variable(field)}" for field in one.keys},
    }
    places = {"base_url": one.base_url, "ws_url": one.ws_url, "parent": one.parent}
    entry |= {key: value for key, value in places.items() if value is not None}
    weights = {"symbol": trip.symbol, "leverage": int(trip.leverage), "sources": [{"source": SOURCE, "weight": 1}]}
    write_json(DISK, home.credentials, {"accounts": [entry]})
    write_json(
        DISK, home.engine_config, {"margin_mode": policy.margin_mode.value, "max_slippage": str(policy.max_slippage)}
    )
    write_json(DISK, home.signal_weights, [weights])
    write_json(DISK, home.asset_mapping, {SOURCE: {trip.symbol: trip.symbol}})


def _variable(field: str) -> str:
    return f"PREFLIGHT_{field.upper()}"


def _want(tried: Tried, symbol: Symbol, depth: Decimal) -> None:
    now = time.time()
    document = Document(SOURCE, int(now * 1000), now, {symbol: Signal(depth, now)})
    write_atomic(DISK, tried.home.document(SOURCE), render_document(document))


@contextmanager
def _engine(tried: Tried) -> Iterator[Callable[[], bool]]:
    """A `trade-engine` of this home; gives whether it still runs. Its log lies in the home."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TRADE_ENGINE_")}
    environment |= {_variable(field): secret.reveal() for field, secret in tried.one.keys.items()}
    command = [sys.executable, "execute_trades.py", "--home", str(tried.home.root)]
    with tried.log.open("ab") as log:
        process = subprocess.Popen(
            command, cwd=CHECKOUT, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        yield lambda: process.poll() is None
    finally:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_S)


# --- what its engine says ---------------------------------------------------------------------------------------------


def _wait(
    tried: Tried,
    symbol: Symbol,
    alive: Callable[[], bool],
    limit_s: float,
    done: Callable[[Mapping[str, Any]], bool],
    after: float = 0.0,
) -> bool:
    """Whether the symbol's line in the status, written after `after`, became `done` in time."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        status = tried.status
        row = status.get("symbols", {}).get(symbol)
        if row is not None and (instant(status.get("at")) or 0.0) >= after and done(row):
            return True
        if not alive():
            tail = "\n  ".join(tried.log.read_text(errors="replace").splitlines()[-LAST_WORDS:])
            raise UserError(f"The engine of the round trip ended; run this again. Its last words:\n  {tail}")
        time.sleep(POLL_S)
    return False


def _settled(row: Mapping[str, Any]) -> bool:
    return bool(row["state"] == "CONVERGED")


def _size(row: Mapping[str, Any]) -> Decimal:
    return Decimal(row["actual"] or 0)


def _because(tried: Tried, symbol: Symbol) -> str:
    status = tried.status
    row = status.get("symbols", {}).get(symbol) or {}
    return str(row.get("because") or status.get("because") or "the engine said nothing yet")
