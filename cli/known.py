"""Whether a symbol somebody typed is one the engine has anything to do with, before it is asked to act on it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from account_processors.transport import HttpTransport
from cli.errors import UserError
from cli.explain_facts import HomeFacts, home_facts
from cli.places import flag, shown
from cli.preflight.asking import Found, look
from cli.reading import credentials_of
from config.home import Home
from config.problems import nearest
from core.clock import SystemClock
from core.domain import AccountId, AccountSettings, Symbol

MANY = 20


def accounts_knowing(home: Home, accounts: Sequence[str], symbol: str, verb: str) -> list[str]:
    """Those of `accounts` that are configured for the symbol, remember it, or were last seen holding it.

    Without a valid configuration nobody can tell, and all of them count. Raises UserError where none does; a position
    to be adopted may be one the engine has not seen yet, so then the venue is asked.
    """
    try:
        facts = home_facts(home)
    except UserError:
        return list(accounts)
    knowing = [one for one in accounts if Symbol(symbol) in known_to(facts, one)]
    if knowing:
        return knowing
    venue = holds_at_venue(home, facts, accounts[0], Symbol(symbol)) if verb == "adopt" else "not asked"
    if not venue:
        return list(accounts)
    raise UserError(refusal(home, facts, accounts, symbol, venue if verb == "adopt" else ""))


def known_to(facts: HomeFacts, account: str) -> set[Symbol]:
    one = facts.accounts.get(AccountId(account))
    return facts.symbols(one) if one is not None else set()


def holds_at_venue(home: Home, facts: HomeFacts, account: str, symbol: Symbol) -> str:
    """'' where the venue shows a position on the symbol; else why there is none to be adopted."""
    one = next((one for one in credentials_of(home).accounts if one.account == account), None)
    if one is None or one.trouble:
        return f"{account} could not be asked ({one.trouble if one else 'credentials.json has no keys of it'})"
    settings = facts.settings.accounts.get(one.account) or AccountSettings(one.account, one.known.venue, one.known.name)

    async def ask() -> Found:
        transport = HttpTransport(SystemClock())
        try:
            return await look(one, settings, (symbol,), transport)
        finally:
            await transport.close()

    found = asyncio.run(ask())
    if found.positions is None:
        return f"{account} could not be asked ({'; '.join(problem.because for problem in found.problems)})"
    return "" if found.positions.of(symbol).contracts else f"{account} holds nothing of it"


def refusal(home: Home, facts: HomeFacts, accounts: Sequence[str], symbol: str, venue: str) -> str:
    known = sorted({name for one in accounts for name in known_to(facts, one)})
    near = nearest(symbol.upper(), known)
    hint = f"did you mean {near}? " if near else ""
    listed = ", ".join(known[:MANY]) + (f" and {len(known) - MANY} more" if len(known) > MANY else "")
    asked = f", and {venue}" if venue else ""
    return (
        f"{shown(home)}: {symbol} is neither configured nor known of {' or '.join(accounts)}{asked}, so nothing was "
        f"asked; {hint}known: {listed or 'no symbol yet'}. ./run status{flag(home)} shows them."
    )
