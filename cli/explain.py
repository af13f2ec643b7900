"""`./run explain SYMBOL`: the whole chain behind a position, with numbers, from the raw signal to the because.

It reads files only, so it says the same whether the engine runs or not; every figure comes with the time it is from.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

from cli.errors import UserError
from cli.explain_account import explained, instant
from cli.explain_facts import HomeFacts, home_facts
from cli.explain_words import account_lines
from cli.places import elsewhere, shown
from cli.status import ago, homes_to_show
from config.home import Home
from config.problems import nearest
from core.domain import AccountId, Symbol

Json = dict[str, Any]
MANY = 30


def explain(args: argparse.Namespace) -> int:
    homes = homes_to_show(args)
    found = []
    for home in homes:
        try:
            facts = home_facts(home)
            found.append((home, facts, of_home(facts, args.symbol, args.account)))
        except UserError as error:
            # With several homes running, the others may not have what is asked for.
            if len(homes) == 1:
                raise
            missing = error
    if not found:
        raise missing
    if args.json:
        print(json.dumps({"schema": 1, "homes": [described for _, _, described in found]}, indent=2))
        return 0
    for home, facts, described in found:
        show(home, facts, described)
    return 0


def of_home(facts: HomeFacts, symbol: str, account: str | None) -> Json:
    """The explanation of `symbol` in one home, for one account or all. Raises UserError where there is no such one."""
    accounts = chosen_accounts(facts, account)
    known = {one: facts.symbols(facts.accounts[one]) for one in accounts}
    if not any(symbol in symbols for symbols in known.values()):
        raise UserError(no_symbol(facts, symbol, account, sorted({s for found in known.values() for s in found})))
    return {
        "home": str(facts.home.root),
        "label": facts.home.label,
        "symbol": symbol,
        "at": instant(facts.now),
        "halt": facts.halt.value,
        "engine": {"running": facts.engine.running, "heartbeat_at": instant(facts.engine.at)},
        "problems": list(facts.problems),
        "accounts": {
            one: explained(facts, facts.accounts[one], Symbol(symbol)) for one in accounts if symbol in known[one]
        },
    }


def chosen_accounts(facts: HomeFacts, account: str | None) -> list[AccountId]:
    if account is None:
        if not facts.accounts:
            raise UserError(
                f"{shown(facts.home)}: credentials.json of {facts.home.root} names no account yet, so there is nothing "
                f"to explain. python3 config/credentials.py adds one.{elsewhere(facts.home)}"
            )
        return sorted(facts.accounts)
    if AccountId(account) not in facts.accounts:
        listed = ", ".join(facts.accounts) or "none yet"
        raise UserError(
            f"{shown(facts.home)}: there is no account {account!r} in {facts.home.root}; known: {listed}."
            + elsewhere(facts.home)
        )
    return [AccountId(account)]


def no_symbol(facts: HomeFacts, symbol: str, account: str | None, known: list[Symbol]) -> str:
    """What there is instead: the engine's name of a source's symbol, the nearest name, all of them."""
    where = f"{account} has" if account else f"{facts.home.root} has"
    hints = [
        f"{symbol} is {source}'s name of {own[symbol]}: ./run explain {own[symbol]}"
        for source, own in facts.settings.mappings.items()
        if symbol in own
    ]
    near = nearest(symbol.upper(), known)
    if not hints and near:
        hints = [f"did you mean {near}?"]
    more = f" and {len(known) - MANY} more" if len(known) > MANY else ""
    listed = f"known: {', '.join(known[:MANY])}{more}" if known else "no symbol is configured yet"
    said = "; ".join([f"{shown(facts.home)}: {where} no symbol {symbol[:80]!r}", *hints, listed])
    return f"{said}. Symbols stand in signal_weight_config.json.{elsewhere(facts.home)}"


def show(home: Home, facts: HomeFacts, described: Json) -> None:
    label = shown(home)
    for problem in facts.problems:
        print(f"{label}  configuration: {problem}")
    print(f"{label}  {engine_words(facts)}")
    for account, found in described["accounts"].items():
        print(label)
        for line in account_lines(described["symbol"], account, found, facts.now):
            print(f"{label}  {line}")


def engine_words(facts: HomeFacts) -> str:
    engine = facts.engine
    if engine.running:
        return "trade-engine runs; what it said last is named with its age."
    if engine.at is None:
        return "trade-engine has never run here: this is what the files ask for, and nothing is done about it."
    age = ago(facts.now - engine.at)
    return f"trade-engine does not run (last sign of life {age} ago): what it said is from then, and nothing is sent."
