"""Verbs that ask something of a running engine through files: the halt, and `state/desired.json`."""

from __future__ import annotations

import argparse
from pathlib import Path

from cli.errors import UserError
from cli.known import accounts_knowing
from cli.places import check_account, elsewhere, flag, home_named, home_of, running_homes, shown, unique
from cli.reading import DISK, disabled_accounts, known_accounts, settings_of
from config.contents import Contents
from config.home import Home
from config.switches import EVERY, NOTHING, asked_of
from config.values import SYMBOL
from core.clock import SystemClock
from core.domain import Halt
from core.errors import ConfigError, StateError
from core.state import read_json, update_json, write_atomic

WORDS = {
    Halt.HALT_INCREASES: "no position is increased; reductions and closes go on",
    Halt.FLATTEN: "every managed position is closed and none is increased",
    Halt.FLATTEN_ALL: "every position is closed, foreign ones too, and none is increased",
}
STRENGTH = [Halt.NONE, Halt.HALT_INCREASES, Halt.FLATTEN, Halt.FLATTEN_ALL]


# --- the halt ---------------------------------------------------------------------------------------------------------


def halt(args: argparse.Namespace) -> int:
    """Without a home named, stops increases in every running one: in an emergency nobody should look for a flag."""
    asked = Halt.HALT_INCREASES if not args.flatten else Halt.FLATTEN_ALL if args.all else Halt.FLATTEN
    if args.all and not args.flatten:
        raise UserError("--all says which positions --flatten closes; use them together, or leave --all out.")
    named = home_named(args)
    running = running_homes()
    homes = (named,) if named else running or (home_of(args),)
    if asked.flattens and len(homes) > 1:
        for home in homes:
            set_halt(home, Halt.HALT_INCREASES)
        lines = "\n".join(
            f"  {shown(home)}:  ./run halt --flatten{' --all' if args.all else ''}{flag(home)}" for home in homes
        )
        raise UserError(f"Several homes run. Increases are halted in all of them; name the one to flatten:\n{lines}")
    for home in homes:
        report_halt(home, set_halt(home, asked), home in running)
    return 0


def set_halt(home: Home, asked: Halt) -> Halt:
    """Writes the switch unless a stronger one stands. Returns what stands now."""
    standing = settings_of(home).halt()
    if STRENGTH.index(standing) >= STRENGTH.index(asked):
        return standing
    try:
        write_atomic(DISK, home.halt, f"{asked.value}\n".encode())
    except OSError as error:
        raise UserError(f"{shown(home)}: {home.halt} could not be written ({error}), so NOTHING IS HALTED.\n"
                        f"Stop the engine instead: ./run down{flag(home)}") from error  # fmt: skip
    return asked


def report_halt(home: Home, stands: Halt, engine_runs: bool) -> None:
    label = shown(home)
    print(f"{label}: {stands.value}: {WORDS[stands]}, until `./run resume{flag(home)}`.")
    if not engine_runs:
        print(
            f"{label}: no engine runs under PM2 in {home.root}; the switch counts for whichever engine uses this home."
        )
    for account in disabled_accounts(home):
        print(f"{label}: {account} is disabled in engine_config.json: nothing is sent for it, not even to close.")


def resume(args: argparse.Namespace) -> int:
    """Lifts the home's halt, or with an account that account's own trip."""
    if args.account:
        return ask_engine(args, "resume", args.account, EVERY, "its limits and trips are lifted")
    home = home_named(args) or only_halted(args)
    label = shown(home)
    if settings_of(home).halt() is Halt.NONE:
        print(f"{label}: nothing is halted. An account that stopped by itself: ./run resume ACCOUNT{flag(home)}")
        return 0
    try:
        home.halt.unlink(missing_ok=True)
        DISK.fsync_dir(home.halt.parent)
    except OSError as error:
        raise UserError(f"{label}: {home.halt} could not be removed ({error}); the halt stands.") from error
    print(f"{label}: resumed. Positions closed by a flatten stay closed until their source sends a new signal,")
    print(f"{label}: or until `./run resync ACCOUNT [SYMBOL]{flag(home)}`.")
    return 0


def only_halted(args: argparse.Namespace) -> Home:
    """Resuming trades again, so with several homes halted the user says which."""
    default = home_of(args)
    halted = [home for home in unique([default, *running_homes()]) if settings_of(home).halt() is not Halt.NONE]
    if len(halted) > 1:
        lines = "\n".join(
            f"  {shown(home)} ({settings_of(home).halt().value}):  ./run resume{flag(home)}" for home in halted
        )
        raise UserError(f"Several homes are halted; nothing was resumed. Name one:\n{lines}")
    return halted[0] if halted else default


# --- state/desired.json -----------------------------------------------------------------------------------------------


def close(args: argparse.Namespace) -> int:
    return ask_engine(args, "close", args.account, args.symbol, "closed, and flat until its source speaks again")


def resync(args: argparse.Namespace) -> int:
    return ask_engine(args, "resync", args.account, args.symbol, "the signals in force are taken and sized afresh")


def adopt(args: argparse.Namespace) -> int:
    return ask_engine(args, "adopt", args.account, args.symbol, "the position found becomes the engine's own")


def resolve(args: argparse.Namespace) -> int:
    return ask_engine(
        args,
        "resolve",
        args.account,
        args.symbol,
        "its orders of unknown outcome count as over, and what the venue shows as true",
    )


def accept_instrument(args: argparse.Namespace) -> int:
    return ask_engine(args, "accept_instrument", args.account, args.symbol, "its changed contract is accepted")


def ask_engine(args: argparse.Namespace, verb: str, account: str | None, symbol: str | None, effect: str) -> int:
    """Raises the verb's number for these accounts, and says so."""
    home = home_of(args)
    symbol = symbol or EVERY
    if symbol != EVERY and not SYMBOL.fullmatch(symbol):
        raise UserError(f"{symbol!r} is no symbol; write it like BTCUSDT. Nothing was asked.")
    accounts = [account] if account else known_accounts(home)
    for name in accounts:
        check_account(home, name)
    if not accounts:
        raise UserError(
            f"{shown(home)}: credentials.json of {home.root} names no account, so nothing was asked.{elsewhere(home)}"
        )
    if symbol != EVERY:
        accounts = accounts_knowing(home, accounts, symbol, verb)
    try:
        raise_numbers(home.desired, verb, accounts, symbol)
    except StateError as error:
        raise UserError(f"{shown(home)}: {error}") from error
    what = "every symbol" if symbol == EVERY else symbol
    for name in accounts:
        print(f"{shown(home)}: {verb.replace('_', '-')} {name} {what}: asked; {effect}.")
    if home not in running_homes():
        print(f"{shown(home)}: no engine runs here under PM2; one that starts will do it.")
    return 0


def raise_numbers(path: Path, verb: str, accounts: list[str], symbol: str) -> None:
    """n := n + 1 for each account. The engine acts once on a number above the one it journaled.

    Raises:
        UserError: the file is not as it should be; it is left as it is.
        Conflict, Locked: somebody else wrote or writes it; nothing was changed.
    """
    asked = asked_of(Contents(DISK, SystemClock()).read(path))
    if asked.problem and asked.desired is NOTHING:
        raise UserError(f"{path}: {asked.problem} Nothing new was asked.")
    try:
        found, version = read_json(DISK, path)
    except FileNotFoundError:
        found, version = {}, None
    except (OSError, ConfigError) as error:
        raise UserError(f"{path} cannot be read ({error}), so nothing was asked. Mend or remove it.") from error
    content: dict[str, dict[str, dict[str, int]]] = found if isinstance(found, dict) else {}
    for account in accounts:
        symbols = content.setdefault(verb, {}).setdefault(account, {})
        symbols[symbol] = symbols.get(symbol, 0) + 1
    update_json(path, version, content)
