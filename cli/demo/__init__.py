"""`./run demo`: everything under PM2 against the simulator, and the story of one alert; `--once` for machines."""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from types import FrameType
from typing import Any

from rich.console import Console
from rich.markup import escape

from cli.alert import send_alert
from cli.demo.house import DemoHouse, build, claimed, free_place, furnish, remembered
from cli.demo.story import Seen, first_fill_at, generations, look, number, unreached, unsettled, verified_at
from cli.demo.view import Teller, follow, show_answer, show_next, title, watch
from cli.errors import UserError
from cli.places import demo_homes
from cli.pm2 import pm2_of
from cli.reading import lines_of_json
from cli.services import FEED, SERVICES, SIMULATOR, log_tail, start_missing, stop, wait_healthy
from cli.status import described, status_lines
from config.home import Home
from core.domain import plain
from core.state import format_instant

SYMBOL = "BTCUSDT"
SIZE = "14.08/100"
LEVERAGE = "3"
DEADLINE_S = 60.0
READY_DEADLINE_S = 30.0
CLAIM_WAIT_S = 120.0
POLL_S = 0.05
SHARE_WAIT_S = 10.0
"""How long the second source's share may take before the story goes on without waiting for it."""


def demo(args: argparse.Namespace) -> int:
    with terminated_as_interrupt():
        return once(args.port_base) if args.once else stay(args.port_base)


# --- the demo that stays ----------------------------------------------------------------------------------------------


def stay(first_port: int | None) -> int:
    console = Console()
    home = demo_homes()[0]
    with claimed(home, CLAIM_WAIT_S) as mine:
        if not mine:
            raise UserError("Another ./run demo is still starting or stopping this demo. Try again in a moment.")
        former = remembered(home) if venue_runs(home) else None
        house = former or build(home, first_port)
        converged = True
        if former is None:
            title(console, house)
            converged = tell_first_alert(house, console)
    if former:
        console.print("The demo is already up. Its state:\n")
        wait_healthy(home, start_missing_of_demo(house))
        for line in status_lines(described(home), time.time()):
            console.print(f"DEMO  {line}", soft_wrap=True, highlight=False, markup=False)
    show_next(console, house)
    if sys.stdout.isatty():
        console.print("\n[dim]What happens shows below. Ctrl-C ends this view; the demo goes on.[/]")
        teller = Teller(console, time.time())
        teller.skip(look(house))
        with contextlib.suppress(KeyboardInterrupt):
            follow(house, teller)
        console.print("\nThe demo goes on. ./run demo shows it again, ./run --demo down stops it.", highlight=False)
    return 0 if converged else 1


def tell_first_alert(house: DemoHouse, console: Console) -> bool:
    """Opens the house and sends the alert; whether it converged. A house that did not open is closed again."""
    try:
        accounts = open_house(house, console, time.monotonic() + DEADLINE_S)
    except (UserError, KeyboardInterrupt):
        console.print("The demo did not start; stopping what did.")
        stop(house.home)
        raise
    _, reason = first_alert(house, accounts, console, time.monotonic() + DEADLINE_S)
    if reason:
        console.print(f"[red]Not converged within {DEADLINE_S:.0f} s:[/] {escape(reason)}")
        console.print("It goes on trying; ./run --demo logs shows more.", highlight=False)
    return not reason


def venue_runs(home: Home) -> bool:
    """Whether a demo is up: its positions live in the simulator, so without that one it starts afresh."""
    return home.is_demo and any(app.name == SIMULATOR and app.runs for app in pm2_of(home).apps())


def start_missing_of_demo(house: DemoHouse) -> tuple[str, ...]:
    """Of a demo that is up, restarts what died. A new simulator would be another venue, so that one is not touched."""
    start_missing(house.home, (FEED, *SERVICES))
    return SERVICES


# --- the demo for machines --------------------------------------------------------------------------------------------


def once(first_port: int | None) -> int:
    """One JSON line as the last of stdout; everything else goes to stderr. Stops all it started."""
    console = Console(stderr=True)
    end = time.monotonic() + DEADLINE_S
    with free_place() as home:
        result: dict[str, Any] = {
            "converged": False,
            "home": str(home.root),
            "reason": None,
            "alert_to_fill_ms": None,
            "accounts": {},
        }
        try:
            house = build(home, first_port)
            accounts = open_house(house, console, end)
            sent_at, reason = first_alert(house, accounts, console, end)
            verified = {account: verified_at(home, account, SYMBOL, sent_at) for account in accounts}
            result |= outcome(look(house), verified, sent_at) | {"converged": not reason, "reason": reason or None}
        except UserError as error:
            result["reason"] = str(error)
            console.print(str(error), style="red", markup=False, soft_wrap=True, highlight=False)
        finally:
            if home.is_demo:
                console.print("Stopping everything.")
                stop(home)
    print(json.dumps(result), flush=True)
    return 0 if result["converged"] else 1


def outcome(seen: Seen, verified: Mapping[str, float | None], sent_at: float) -> dict[str, Any]:
    """The figures of the JSON line; `verified`: account -> when. Durations in milliseconds, null where it did not."""
    fill_at = first_fill_at(seen, sent_at, SYMBOL)
    return {
        "alert_to_fill_ms": milliseconds(sent_at, fill_at),
        "accounts": {account: account_outcome(seen, account, sent_at, at) for account, at in verified.items()},
    }


def account_outcome(seen: Seen, account: str, sent_at: float, verified_at: float | None) -> dict[str, Any]:
    said = seen.statuses.get(account, {})
    symbols = said.get("symbols") or {}
    shown = {
        symbol: {key: one.get(key) for key in ("target", "actual", "state", "because")}
        for symbol, one in symbols.items()
    }
    return {
        "equity": said.get("equity"),
        "alert_to_verified_ms": milliseconds(sent_at, verified_at),
        "symbols": shown,
    }


def milliseconds(start: float, end: float | None) -> float | None:
    return None if end is None or end < start else round((end - start) * 1000, 1)


# --- what both do -----------------------------------------------------------------------------------------------------


def open_house(house: DemoHouse, console: Console, end: float) -> tuple[str, ...]:
    """Starts the simulated venues, writes the configuration, starts the engine. Returns the account ids."""
    console.print("Starting the simulated venues and a feed of simulated traders …")
    start_missing(house.home, (SIMULATOR, FEED))
    wait_ready(house, end)
    accounts = furnish(house)
    console.print(f"Starting {', '.join(SERVICES)} …")
    start_missing(house.home, SERVICES)
    wait_healthy(house.home, SERVICES, deadline_s=max(end - time.monotonic(), 1.0))
    return accounts


def wait_ready(house: DemoHouse, end: float) -> None:
    """Returns once the simulator has written where its venues listen, and the feed where it does."""
    for name, file, what in (
        (SIMULATOR, house.ready_file, "simulated venues"),
        (FEED, house.feed_ready_file, "feed of simulated traders"),
    ):
        while not lines_of_json(file):
            if time.monotonic() > end:
                app = pm2_of(house.home).of(house.home).get(name)
                tail = "\n".join(f"    {line}" for line in log_tail(app)) if app else ""
                raise UserError(f"The {what} did not start in time.\n{tail}")
            time.sleep(POLL_S)


def first_alert(house: DemoHouse, accounts: tuple[str, ...], console: Console, end: float) -> tuple[float, str]:
    """Sends the alert and tells what becomes of it. Returns when, and why it has not converged ('' if it has)."""
    wait_known(house, accounts, end)
    if wait_share(house, accounts, min(end, time.monotonic() + SHARE_WAIT_S)):
        console.print("Bittensor's traders hold BTCUSD; their share is in every account.")
    seen = look(house)
    price = number(seen.ledger.get("prices", {}).get(SYMBOL))
    sent_at = time.time()
    body = {
        "symbol": SYMBOL,
        "direction": "long",
        "action": "buy",
        "size": SIZE,
        "leverage": LEVERAGE,
        "time": format_instant(sent_at),
    }
    if price is not None:
        body["price"] = plain(price)
    console.print(
        f"\nAn alert as TradingView sends it: {json.dumps(body)}\n", soft_wrap=True, highlight=False, markup=False
    )
    teller = Teller(console, sent_at)
    teller.skip(seen)
    status, answer = send_alert(house.home, body)
    show_answer(teller, house, status, answer)
    if status != 200:
        return sent_at, f"the webhook answered {status}: {answer}"
    before = generations(seen, accounts, SYMBOL)
    last = watch(house, teller, lambda now: not unsettled(now, accounts, SYMBOL, before), end - time.monotonic())
    return sent_at, unsettled(last, accounts, SYMBOL, before)


def wait_known(house: DemoHouse, accounts: tuple[str, ...], end: float) -> None:
    """Waits until the engine has been through its first cycle, so that the times shown are those of the alert."""
    while time.monotonic() < end:
        said = look(house).statuses
        if all(said.get(account, {}).get("cycle") for account in accounts):
            return
        time.sleep(POLL_S)


def wait_share(house: DemoHouse, accounts: tuple[str, ...], end: float) -> bool:
    """Waits until what the second source asks for is held, so that the alert's times and orders are its own."""
    while time.monotonic() < end:
        seen = look(house)
        if seen.traders.get("signals") and not unreached(seen, accounts, SYMBOL):
            return True
        time.sleep(POLL_S)
    return False


@contextlib.contextmanager
def terminated_as_interrupt() -> Iterator[None]:
    """SIGTERM unwinds like Ctrl-C, so that what was started is stopped."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    former = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)
