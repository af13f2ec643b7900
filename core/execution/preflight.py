"""Is the account fit to trade: keys, rights, modes, clock. Repeated while it is not."""

from __future__ import annotations

from dataclasses import replace

from core.domain import Hold, MarginMode, Policy, Preflight, Problem, Scope, SymbolState
from core.errors import Denied, OurFault, Rejected, Unavailable, VenueError
from core.events import AccountChanged
from core.execution.account import Account
from core.execution.pacing import Pace

REPEAT_S = 60.0


def verdict(problems: tuple[Problem, ...], scope: Scope) -> Hold | None:
    """The hold that the found problems of one scope amount to, or None."""
    texts = [problem.because for problem in problems if problem.scope is scope]
    return Hold(scope, SymbolState.BLOCKED, "; ".join(texts)) if texts else None


def margin_verdict(found: Preflight, wanted: MarginMode, anything_open: bool) -> tuple[bool, Hold | None]:
    """Whether to switch an account-wide margin mode now, and the hold while it cannot be switched."""
    if found.margin_mode is None or found.margin_mode is wanted:
        return False, None
    if not anything_open:
        return True, None
    because = (
        f"the account's margin mode is {found.margin_mode.value}, configured is {wanted.value}; it changes only while "
        "nothing is open. Close all positions and orders, or set margin_mode in engine_config.json"
    )
    return False, Hold(Scope.INCREASES, SymbolState.BLOCKED, because)


async def check(account: Account, policy: Policy) -> None:
    """Runs the preflight when it is due and sets the account's holds."""
    now = account.clock.time()
    if now < account.preflight_due:
        return
    try:
        found = await account.processor.preflight()
        hold = verdict(found.problems, Scope.ALL)
        account.margin_hold = verdict(found.problems, Scope.INCREASES)
        if hold is None and not account.dry:
            account.margin_hold = account.margin_hold or await _margin_mode(account, found, policy.margin_mode)
        account.preflight = found
    except Denied as error:
        hold = Hold(Scope.ALL, SymbolState.BLOCKED, str(error))
    except (Unavailable, Rejected, OurFault) as error:
        because = f"the venue cannot be asked: {error}"
        account.pacing.failed(None, Pace.READ_FAILED, "", 0, now, str(error), account.entropy.uniform(0.8, 1.2))
        account.preflight_due = account.pacing.until(None, Pace.READ_FAILED)
        _become(account, Hold(Scope.ALL, SymbolState.BLOCKED, because))
        return
    account.pacing.succeeded(None, Pace.READ_FAILED)
    bad = hold is not None or account.margin_hold is not None
    account.preflight_due = account.clock.time() + REPEAT_S if bad else float("inf")
    if account.margin_hold is not None:
        account.margin_hold = replace(account.margin_hold, until=account.preflight_due)
    _become(account, hold)


async def _margin_mode(account: Account, found: Preflight, wanted: MarginMode) -> Hold | None:
    """Sets an account-wide margin mode while nothing is open; else the hold that stands until it can."""
    if found.margin_mode is None or found.margin_mode is wanted:
        return None
    positions = await account.positions.fresh()
    anything_open = any(p.contracts for p in positions.by_symbol.values()) or bool(
        await account.processor.open_orders()
    )
    switch, hold = margin_verdict(found, wanted, anything_open)
    if not switch:
        return hold
    try:
        await account.processor.set_margin_mode(None, wanted, None)
        account.details.clear()
    except Denied:
        raise
    except VenueError as error:
        because = f"the margin mode could not be set to {wanted.value} ({error}); nothing increases"
        return Hold(Scope.INCREASES, SymbolState.BLOCKED, because)
    return None


def _become(account: Account, hold: Hold | None) -> None:
    before, account.blocked = account.blocked, hold
    if (before is None) != (hold is None) or (before and hold and before.because != hold.because):
        state = "blocked" if hold else "ok"
        account.tell(AccountChanged, state=state, because=hold.because if hold else "preflight passed")
