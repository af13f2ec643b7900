"""`./run preflight ACCOUNT [--with-order]`: is this account fit to trade? Asks the venue, says what to do."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Iterator
from decimal import Decimal
from functools import partial

from account_processors.transport import HttpTransport
from cli.errors import UserError
from cli.places import check_account, flag, home_of, shown
from cli.preflight import round_trip
from cli.preflight.asking import Found, SymbolFound, look, open_positions
from cli.reading import credentials_of, settings_of
from config.credential_entries import AccountCredentials
from config.home import Home
from config.values import SYMBOL
from core.clock import SystemClock
from core.domain import AccountId, AccountSettings, Scope, Settings, Symbol, plain
from core.errors import Locked

STOPS = {Scope.ALL: "STOPS ALL", Scope.INCREASES: "STOPS INCREASES", Scope.REDUCTIONS: "STOPS REDUCTIONS"}
FIRST_SYMBOL = Symbol("BTCUSDT")


def preflight(args: argparse.Namespace) -> int:
    """0: fit to trade (and, where asked, a smallest position was opened and closed); 1: not, and the lines say why."""
    home = home_of(args)
    check_account(home, args.account)
    account = AccountId(args.account)
    one = next((one for one in credentials_of(home).accounts if one.account == account), None)
    if one is None:
        raise UserError(f"{shown(home)}: {account} has a status, but stands in credentials.json no more.")
    if one.trouble:
        raise UserError(f"{shown(home)}: {account}: {one.trouble}")
    if args.symbol is not None and not SYMBOL.fullmatch(args.symbol):
        raise UserError(f"{args.symbol!r} is no symbol; write it like BTCUSDT. Nothing was asked.")
    configured = settings_of(home).settings()
    settings = _settings(configured, one)
    symbols = _symbols(configured, settings, args.symbol)
    say = partial(
        print, f"{shown(home)}  {account}: ", sep="", file=sys.stderr if args.json else sys.stdout, flush=True
    )
    found = asyncio.run(_look(one, settings, symbols))
    if not args.json:
        for line in lines(one, settings, found):
            print(f"{shown(home)}  {line}")
    order = None
    if args.with_order and found.ready:
        order = _round_trip(args, home, one, settings, configured, found, say)
        say(f"the smallest position of {order['symbol']} was opened, verified and closed in {order['seconds']} s")
    if args.json:
        print(
            json.dumps({"schema": 1, "account": account, "venue": one.known.venue, **found.as_json(), "order": order})
        )
    return 0 if found.ready else 1


async def _look(one: AccountCredentials, settings: AccountSettings, symbols: tuple[Symbol, ...]) -> Found:
    transport = HttpTransport(SystemClock())
    try:
        return await look(one, settings, symbols, transport)
    finally:
        await transport.close()


def _settings(configured: Settings | None, one: AccountCredentials) -> AccountSettings:
    """The account's own settings; the defaults while no valid configuration was ever read."""
    known = configured.accounts.get(one.account) if configured else None
    return known or AccountSettings(one.account, one.known.venue, one.known.name)


def _symbols(configured: Settings | None, settings: AccountSettings, named: str | None) -> tuple[Symbol, ...]:
    """The symbol named, else those the account is configured for, else the one every venue has."""
    if named is not None:
        return (Symbol(named),)
    weights = configured.weights if configured else {}
    own = [symbol for symbol in weights if settings.symbols is None or symbol in settings.symbols]
    return tuple(own) or (FIRST_SYMBOL,)


# --- what is shown ----------------------------------------------------------------------------------------------------


def lines(one: AccountCredentials, settings: AccountSettings, found: Found) -> Iterator[str]:
    """One fact a line, what is wrong first."""
    yield f"{one.account} at {one.base_url or one.known.venue}, mode {settings.mode.value}"
    for problem in found.problems:
        code = f" [{problem.code}]" if problem.code else ""
        yield f"  {STOPS[problem.scope]}{code}: {problem.because}"
    if found.preflight is not None:
        flight = found.preflight
        modes = [f"positions {flight.position_mode.value}"] if flight.position_mode else []
        modes += [f"margin {flight.margin_mode.value} (account-wide)"] if flight.margin_mode else []
        yield f"  {', '.join([*modes, f'clock {flight.clock_offset_s * 1000:+.0f} ms against ours'])}"
    if found.equity is not None:
        yield f"  equity {plain(found.equity.value)} {found.equity.currency}, {found.open_orders} open orders"
    for symbol, position in open_positions(found).items():
        yield f"  holds {plain(position.contracts)} contracts of {symbol}"
    for row in found.symbols:
        yield f"  {row.symbol}: {symbol_words(row)}"
    count = len(found.problems)
    yield "fit to trade" if found.ready else f"NOT fit to trade: {count} problem{'s' if count > 1 else ''}, see above"


def symbol_words(row: SymbolFound) -> str:
    if row.instrument is None:
        return "the venue lists no such contract; nothing of it will be traded here. See asset_mapping_config.json"
    if row.price is None or row.smallest is None or row.smallest_notional is None:
        return "no price now; nothing increases without one"
    words = [f"price {plain(row.price.mark)}"]
    coins = plain(row.instrument.quantity(row.smallest))
    words.append(f"smallest order {coins} {row.instrument.base} ({row.smallest_notional:.2f} {row.instrument.settle})")
    if row.leverage is not None and row.leverage.leverage is not None:
        mode = f" {row.leverage.margin_mode.value}" if row.leverage.margin_mode else ""
        words.append(f"set to {plain(row.leverage.leverage)}x{mode}")
    return ", ".join(words)


# --- the round trip ---------------------------------------------------------------------------------------------------


def _round_trip(
    args: argparse.Namespace,
    home: Home,
    one: AccountCredentials,
    settings: AccountSettings,
    configured: Settings | None,
    found: Found,
    say: round_trip.Say,
) -> dict[str, object]:
    row = cheapest(found)
    assert found.equity is not None
    trip = round_trip.planned(row, found.equity, _leverage(configured, settings, row.symbol))
    _confirm(args, home, one, row)
    try:
        return round_trip.run(home, one, settings, trip, say)
    except Locked as error:
        raise UserError(
            f"{shown(home)}: {error} Two engines must not trade one account: stop that one first "
            f"(./run down{flag(home)}), then try again. Nothing was sent."
        ) from error


def cheapest(found: Found) -> SymbolFound:
    """The flat symbol whose smallest order costs least. Raises UserError where none can be tried."""
    possible = [row for row in found.symbols if row.smallest_notional is not None and not row.position.contracts]
    if not possible:
        raise UserError("None of the symbols is listed, priced and flat; name another with --symbol. Nothing was sent.")
    return min(possible, key=lambda row: row.smallest_notional or Decimal(0))


def _leverage(configured: Settings | None, settings: AccountSettings, symbol: Symbol) -> Decimal:
    """As configured for the symbol; 1 where it is not."""
    weights = configured.weights.get(symbol) if configured else None
    own = settings.leverage.get(symbol) or settings.leverage.get("*")
    return min(own or (weights.leverage if weights else Decimal(1)), settings.policy.max_leverage)


def _confirm(args: argparse.Namespace, home: Home, one: AccountCredentials, row: SymbolFound) -> None:
    """Real money is spent only by somebody who said so: --yes, or yes at the prompt. A demo's money is not real."""
    if args.yes or home.is_demo:
        return
    assert row.instrument is not None
    worth = f"{row.smallest_notional:.2f} {row.instrument.settle} of {row.symbol}"
    question = f"{shown(home)}: this opens {worth} on {one.account} and closes it; it costs the fees and the spread."
    if not sys.stdin.isatty():
        raise UserError(f"{question} Say that you want it with --yes. Nothing was sent.")
    print(question, file=sys.stderr)
    print("Type yes to go on: ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() != "yes":
        raise UserError("Nothing was sent.")
