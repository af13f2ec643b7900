"""The admission pass of one cycle: what every symbol brings to it, in margin, notional and positions.

It comes before the fan-out, so that symbols worked on at the same time cannot each take the room that is left for one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from core.domain import ZERO, AccountSettings, Equity, Hold, Instrument, Policy, Positions, Settings, Symbol, Wanted
from core.execution.account import Account
from core.execution.market import asked_x
from core.limits import DEFAULT_LIMIT_X, Candidate, Room, admit
from core.memory import AccountMemory, SymbolMemory
from core.signal_manager import Version
from core.sizing import needs_size


@dataclass(frozen=True, slots=True)
class Worth:
    """What contracts are worth, as far as it is known: equity, contracts as listed, and the newest mark of each."""

    equity: Equity | None = None
    listed: Mapping[Symbol, Instrument] = field(default_factory=dict)
    marks: Mapping[Symbol, Decimal] = field(default_factory=dict)

    def of(self, memory: SymbolMemory, contracts: Decimal) -> Decimal | None:
        """Unsigned settlement currency; None: not known. Without a newer mark, at that of the last sizing."""
        if contracts == 0:
            return ZERO
        mark = self.marks.get(memory.symbol, memory.mark)
        listed = self.listed.get(memory.symbol)
        size = listed.contract_size if listed else contract_size_of(memory.fingerprint)
        return None if mark is None or size is None else abs(contracts) * size * mark


def contract_size_of(fingerprint: str) -> Decimal | None:
    """The contract size in an `Instrument.fingerprint`; None where there is none."""
    size, _, _ = fingerprint.partition("/")
    return Decimal(size) if size else None


def admission(account: Account, version: Version, wants: Mapping[Symbol, Wanted | None]) -> Mapping[Symbol, Hold]:
    """The pass of one cycle of one account, with what it has seen of the venue so far."""
    if version.settings is None:
        return {}
    marks = {symbol: view.price.mark for symbol, view in account.views.items() if view.price is not None}
    worth = Worth(account.equity, account.listed, marks)
    mine = version.settings.accounts.get(account.id)
    return admission_of(account.memory, wants, version.settings, mine, worth, account.latest)


def admission_of(
    remembered: AccountMemory,
    wants: Mapping[Symbol, Wanted | None],
    settings: Settings,
    mine: AccountSettings | None,
    worth: Worth,
    positions: Positions | None = None,
) -> Mapping[Symbol, Hold]:
    """The pass itself. `positions`: the newest read; of symbols nobody wants anything of, they take room too."""
    policy = mine.policy if mine else Policy()
    others_notional, others_open = _others(wants, worth, positions)
    room = Room(
        max_total_margin=policy.max_total_margin,
        max_gross_exposure=_gross_limit(remembered, settings, mine, worth.equity),
        max_positions=policy.max_positions,
        others_notional=others_notional,
        others_open=others_open,
    )
    return admit(candidates_of(remembered, wants, worth), room)


def _gross_limit(
    remembered: AccountMemory, settings: Settings, mine: AccountSettings | None, equity: Equity | None
) -> Decimal | None:
    """`max_gross_exposure` in settlement currency; None while it is a multiple of an equity that is not known: the
    same limit stands again before each order, by what is held then."""
    if mine is None or mine.policy.max_gross_exposure is not None:
        return mine.policy.max_gross_exposure if mine else None
    if equity is None or equity.value <= 0 or not settings.weights:
        return None
    _, everything = asked_x(remembered, settings, mine, next(iter(settings.weights)))
    return DEFAULT_LIMIT_X * everything * equity.value


def _others(wants: Mapping[Symbol, Wanted | None], worth: Worth, positions: Positions | None) -> tuple[Decimal, int]:
    notional, count = ZERO, 0
    for symbol, position in positions.by_symbol.items() if positions else ():
        if position.contracts and symbol not in wants:
            count += 1
            mark, listed = worth.marks.get(symbol, position.entry_price), worth.listed.get(symbol)
            notional += listed.notional(position.contracts, mark) if listed and mark is not None else ZERO
    return notional, count


def candidates_of(remembered: AccountMemory, wants: Mapping[Symbol, Wanted | None], worth: Worth) -> list[Candidate]:
    """What every symbol brings to the pass."""
    candidates = []
    for symbol, wanted in wants.items():
        memory = remembered.of(symbol)
        asked = abs(wanted.depth) if wanted is not None and wanted.depth is not None else ZERO
        sized = abs(memory.sized.depth) if memory.sized else ZERO
        new = wanted is not None and needs_size(wanted, memory.sized)
        short = memory.stored != 0 and memory.baseline is not None and abs(memory.stored) > abs(memory.baseline)
        occupied = bool(memory.baseline) or bool(memory.intents)
        increases = bool(new and asked) or short
        notional = _notional(memory, wanted if new else None, worth)
        candidates.append(Candidate(symbol, max(asked, sized), occupied, increases, notional))
    return candidates


def _notional(memory: SymbolMemory, new: Wanted | None, worth: Worth) -> Decimal | None:
    """The largest of what is held, stored and about to be sized; None when one of them is not known."""
    known = [worth.of(memory, memory.baseline or ZERO), worth.of(memory, memory.stored)]
    if new is not None and new.depth:
        equity = worth.equity
        known.append(None if equity is None else abs(new.depth) * new.leverage * max(equity.value, ZERO))
    if any(one is None for one in known):
        return None
    return max(one for one in known if one is not None)
