"""What the demo shows in the terminal: each fact once, with its time since the alert, and what to try next."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel

from cli.alert import in_words
from cli.demo.house import DemoHouse
from cli.demo.story import Seen, facts, look
from cli.places import flag, short
from cli.reading import webhook_url_of

COLOURS = {
    "tradingview-endpoint": "cyan",
    "tradingview-signals": "magenta",
    "bittensor-signals": "blue",
    "trade-engine": "green",
}
VENUE_COLOUR = "yellow"
POLL_S = 0.05
CALM_POLL_S = 0.25


class Teller:
    """Prints facts as they appear. `since` epoch seconds is the instant the story counts from."""

    def __init__(self, console: Console, since: float) -> None:
        self._console = console
        self._since = since
        self._told: set[tuple[object, ...]] = set()

    def skip(self, seen: Seen) -> None:
        """Takes everything in this look as told."""
        self._told.update(fact.key for fact in facts(seen))

    def tell(self, seen: Seen) -> None:
        now = time.time()
        new = [fact for fact in facts(seen) if fact.key not in self._told]
        for fact in sorted(new, key=lambda fact: fact.at or now):
            self._told.add(fact.key)
            self.line(fact.who, fact.text, fact.at)

    def line(self, who: str, text: str, at: float | None = None) -> None:
        elapsed_ms = ((at or time.time()) - self._since) * 1000
        colour = COLOURS.get(who, VENUE_COLOUR)
        when = f"{elapsed_ms:7.0f} ms" if abs(elapsed_ms) < 100_000 else f"{elapsed_ms / 1000:8.0f} s"
        self._console.print(f"[dim]{when}[/]  [{colour}]{who:<22}[/] {escape(text)}", soft_wrap=True, highlight=False)


def watch(house: DemoHouse, teller: Teller, done: Callable[[Seen], bool], deadline_s: float) -> Seen:
    """Tells what happens until `done`, or the deadline passes. Returns the last look."""
    end = time.monotonic() + deadline_s
    while True:
        seen = look(house)
        teller.tell(seen)
        if done(seen) or time.monotonic() > end:
            return seen
        time.sleep(POLL_S)


def follow(house: DemoHouse, teller: Teller) -> None:
    """Tells what happens until Ctrl-C, which ends only this."""
    while True:
        teller.tell(look(house))
        time.sleep(CALM_POLL_S)


def show_answer(teller: Teller, house: DemoHouse, status: int, answer: object) -> None:
    teller.line("tradingview-endpoint", in_words(status, answer, house.home))


def show_next(console: Console, house: DemoHouse) -> None:
    """Commands to copy. They carry the token of this demo, which opens nothing else."""
    url = webhook_url_of(house.home)
    long = {"symbol": "BTCUSDT", "direction": "long", "action": "buy", "size": "20/100", "leverage": "3"}
    short_side = long | {"direction": "short", "action": "sell", "size": "10/100"}
    out = {"symbol": "BTCUSDT", "direction": "flat", "action": "sell", "size": "Exit"}
    manual = {"venue": "bybit", "account": "main", "symbol": "BTCUSDT", "quantity": "0.5", "kind": "manual"}
    more = {"asset": "BTCUSD", "leverage": "0.1"}
    root = short(house.home.root)
    flags = flag(house.home).strip()
    lines = [
        "[bold]Try next[/] (each line is one to copy; what it does appears here or in `./run status`)",
        f"  add       {post(url, long)}",
        "  repeat    the same line again: nothing changes",
        f"  flip      {post(url, short_side)}",
        f"  exit      {post(url, out)}",
        f"  by hand   {post(f'{house.admin_url}/_sim/position', manual)}",
        "            somebody else trades on the account: the engine reports DRIFTED and follows its policy",
        f"  traders   {post(f'{house.feed_url}/_feed/order', more)}",
        "            the second source: every trader of the Bittensor feed buys; both opinions make one position",
        f"  silence   {post(f'{house.feed_url}/_feed/fault', {'kind': 'hang'})}",
        "            the feed falls silent: after 20 s its share is held, and exit closes TradingView's share alone;",
        f"            it speaks again with: curl -s -X DELETE {house.feed_url}/_feed/fault",
        f"  shorter   ./run {flags} alert BTCUSDT long 20/100 --leverage 3",
        f"  the venue's own books: curl -s {house.admin_url}/_sim/ledger",
        "",
        f"[bold]Look[/]    ./run {flags} status      ./run {flags} logs trade-engine      files: {root}",
        f"        ./run {flags} explain BTCUSDT: how two opinions became one position, with every number",
        "        signals/tradingview.json and bittensor.json are the opinions, state/status/ what becomes of them,",
        "        state/journal/ its memory; edit signal_weight_config.json and see it act at once",
        f"[bold]Stop[/]    ./run {flags} down        (halt increases: ./run {flags} halt; go on: ./run {flags} resume)",
    ]
    console.print()
    for line in lines:
        console.print(line, soft_wrap=True, highlight=False)


def post(url: str, body: dict[str, str]) -> str:
    return escape(f"curl -s {url} -d '{json.dumps(body)}'")


def title(console: Console, house: DemoHouse) -> None:
    text = (
        "A whole Trade Engine against simulated venues: no keys, no money, nothing leaves this machine.\n"
        f"Home {short(house.home.root)}, webhook {house.webhook_url}, simulated venues {house.admin_url}"
    )
    console.print(Panel(text, title="DEMO", expand=False))
