"""What an account has, kept fresh while nothing needs sizing: for its trips, and for the people who look."""

from __future__ import annotations

from core.domain import Policy
from core.errors import Denied, Unavailable
from core.events import EquityRead
from core.execution.account import Account
from core.execution.preflight import REPEAT_S
from core.execution.reads import CycleFacts
from core.execution.tripping import equity_every_s


async def refresh_equity(account: Account, facts: CycleFacts, policy: Policy) -> None:
    """Reads the equity where it has become too old, and the contracts sizes are shown in where they are not known."""
    if not account.listed:
        await _learn_contracts(account, facts)
    oldest = account.clock.time() - equity_every_s(account, policy)
    if account.equity is not None and account.equity.at > oldest:
        return
    try:
        account.equity = await facts.equity(oldest)
    except Denied as error:
        account.block(str(error), REPEAT_S)
        return
    except Unavailable as error:
        account.trouble(None, f"the equity could not be read ({error}); nothing new is sized until it is")
        return
    account.tell(EquityRead, value=account.equity.value, currency=account.equity.currency)


async def _learn_contracts(account: Account, facts: CycleFacts) -> None:
    """What a contract is worth, so that sizes can be shown in base units also while nothing needs sizing."""
    try:
        account.listed = await facts.instruments()
    except Denied as error:
        account.block(str(error), REPEAT_S)
    except Unavailable as error:
        account.trouble(None, f"the contracts could not be read ({error}); sizes are shown in contracts until then")
