"""How an alert becomes a position, as facts read from files and from the simulator's ledger. Pure but for `look`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from cli.demo.house import DemoHouse
from cli.reading import instant, lines_of_json, object_in, statuses
from cli.web import Unreachable, ask
from config.home import Home

SOURCE = "tradingview"
TRADERS = "bittensor"
SETTLED = "CONVERGED"
ENGINE = "trade-engine"
SIGNALS = "tradingview-signals"
TRADERS_SIGNALS = "bittensor-signals"


@dataclass(frozen=True, slots=True)
class Seen:
    """One look: the signal documents, the engine's words on each account, and the venue's own ledger.

    `document` is TradingView's, `traders` that of Bittensor's traders.
    """

    document: Mapping[str, Any]
    statuses: Mapping[str, Mapping[str, Any]]
    ledger: Mapping[str, Any]
    problem: str = ""
    traders: Mapping[str, Any] = field(default_factory=dict)

    def account(self, account: str) -> Mapping[str, Any]:
        """The ledger of `<venue>-<name>`."""
        venue, _, name = account.partition("-")
        venues: Mapping[str, Any] = self.ledger.get("venues", {})
        found: Mapping[str, Any] = venues.get(venue, {}).get("accounts", {}).get(name, {})
        return found

    def symbol(self, account: str, symbol: str) -> Mapping[str, Any]:
        """What the engine says of one symbol."""
        symbols = self.statuses.get(account, {}).get("symbols") or {}
        found: Mapping[str, Any] = symbols.get(symbol, {})
        return found


@dataclass(frozen=True, slots=True)
class Fact:
    """Something worth a line, once: `key` tells it from others, `who` says it, `at` is epoch seconds if known."""

    key: tuple[object, ...]
    who: str
    text: str
    at: float | None = None


def look(house: DemoHouse) -> Seen:
    """Reads everything once. The simulator's silence is part of the answer."""
    document = object_in(house.home.document(SOURCE)) or {}
    traders = object_in(house.home.document(TRADERS)) or {}
    said = statuses(house.home)
    try:
        code, ledger = ask("GET", f"{house.admin_url}/_sim/ledger")
    except Unreachable as error:
        return Seen(document, said, {}, f"the simulator does not answer: {error}", traders)
    if code != 200 or not isinstance(ledger, dict):
        return Seen(document, said, {}, f"the simulator's ledger answers {code}", traders)
    return Seen(document, said, ledger, traders=traders)


def facts(seen: Seen) -> Iterator[Fact]:
    """Everything the look shows, in the order in which an alert travels."""
    yield from signal_facts(SOURCE, SIGNALS, seen.document)
    yield from signal_facts(TRADERS, TRADERS_SIGNALS, seen.traders)
    for account in seen.statuses:
        yield from order_facts(account, seen.account(account))
        yield from engine_facts(account, seen.statuses[account])


def signal_facts(source: str, process: str, document: Mapping[str, Any]) -> Iterator[Fact]:
    written_at = instant(document.get("written_at"))
    for symbol, signal in document.get("signals", {}).items():
        words = f"{symbol}: depth {signal.get('depth')}"
        words += f", leverage {signal['leverage']}" if signal.get("leverage") else ""
        key = ("signal", source, symbol, signal.get("timestamp"))
        yield Fact(key, process, f"signals/{source}.json: {words}", written_at)


def order_facts(account: str, ledger: Mapping[str, Any]) -> Iterator[Fact]:
    for order in ledger.get("orders", ()):
        words = f"{order['side']} {order['quantity']} {order['symbol']}"
        words += ", reduce-only" if order["reduce_only"] else ""
        words += f", id {order['client_id'][:8]}…" if order["client_id"] else ", not the engine's"
        key = ("order", account, order["client_id"], order["received_at"])
        yield Fact(key, f"{account} venue", f"order: {words}", order["received_at"])
    for number, fill in enumerate(ledger.get("fills", ()), start=ledger.get("dropped", {}).get("fills", 0)):
        words = (
            f"{fill['side']} {fill['quantity']} {fill['symbol']} at {fill['price']}; position {fill['position_after']}"
        )
        yield Fact(("fill", account, number), f"{account} venue", f"fill: {words}", fill["time"])


def engine_facts(account: str, status: Mapping[str, Any]) -> Iterator[Fact]:
    state, because = status.get("state"), status.get("because")
    at = instant(status.get("at"))
    yield Fact(("account", account, state, because), ENGINE, f"{account}: {state}" + reason(status), at)
    for symbol, one in (status.get("symbols") or {}).items():
        shape = (one.get("state"), one.get("target"), one.get("actual"), one.get("because"))
        words = f"{account} {symbol}: {one.get('state')}, target {one.get('target')}, actual {one.get('actual')}"
        yield Fact(("symbol", account, symbol, *shape), ENGINE, words + reason(one), at)


def reason(facts: Mapping[str, Any]) -> str:
    return f": {facts['because']}" if facts.get("because") else ""


def unsettled(seen: Seen, accounts: tuple[str, ...], symbol: str, before: Mapping[str, int] | None = None) -> str:
    """Why the alert has not become a verified position everywhere; '' when it has. The ledger decides.

    `before`: account -> the generation it was at when the alert was sent; only a later one is the alert's.
    """
    if seen.problem:
        return seen.problem
    if symbol not in seen.document.get("signals", {}):
        return f"signals/{SOURCE}.json has no opinion on {symbol} yet"
    now = generations(seen, accounts, symbol)
    for account, generation in (before or {}).items():
        if now.get(account, 0) <= generation:
            return f"{account}: the engine has not sized {symbol} anew yet"
    return unreached(seen, accounts, symbol)


def generations(seen: Seen, accounts: tuple[str, ...], symbol: str) -> dict[str, int]:
    """How often the engine has sized the symbol on each account."""
    return {account: int(seen.symbol(account, symbol).get("generation") or 0) for account in accounts}


def unreached(seen: Seen, accounts: tuple[str, ...], symbol: str) -> str:
    """Why the position is not everywhere where the engine wants it, whoever asked for it; '' when it is."""
    if seen.problem:
        return seen.problem
    for account in accounts:
        said = seen.symbol(account, symbol)
        if not said:
            return f"{account}: the engine says nothing of {symbol} yet"
        if said.get("state") != SETTLED:
            return f"{account} {symbol}: {said.get('state')}: {said.get('because')}"
        target, actual = number(said.get("target")), number(said.get("actual"))
        held = number(seen.account(account).get("positions", {}).get(symbol, "0"))
        if target is None or target == 0 or not target == actual == held:
            return f"{account} {symbol}: target {target}, the engine sees {actual}, the venue's ledger has {held}"
    return ""


def number(text: object) -> Decimal | None:
    """A decimal from a file; None where it is not one, which equals no position."""
    try:
        return Decimal(str(text))
    except ArithmeticError:
        return None


def first_fill_at(seen: Seen, since: float, symbol: str | None = None) -> float | None:
    """When the venue first filled something (of `symbol`) after `since`, epoch seconds."""
    times = [
        fill["time"]
        for account in seen.statuses
        for fill in seen.account(account).get("fills", ())
        if fill["time"] >= since and symbol in (None, fill["symbol"])
    ]
    return min(times, default=None)


def verified_at(home: Home, account: str, symbol: str, since: float) -> float | None:
    """When the engine first verified a position of `symbol` after `since`, epoch seconds, by its history of facts."""
    verified = [
        instant(fact["at"]) or 0.0
        for fact in lines_of_json(home.facts / f"{account}.jsonl")
        if fact["fact"] == "verified" and fact["symbol"] == symbol and number(fact["contracts"])
    ]
    return min((at for at in verified if at >= since), default=None)
