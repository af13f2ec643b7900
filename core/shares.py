"""PURE: the part each source has in a target, one by one, for people: what it says, what of it counts, and why.

The sums of `core.targets` taken apart with its own functions; nothing is decided by this.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from core.domain import AccountSettings, Settings, Signal, SourceName, SourceReading, Symbol, Taken
from core.targets import Before, Moment, hear, short_of, sources_of, take_all


@dataclass(frozen=True, slots=True)
class Share:
    """One source on one symbol of one account.

    `own` is the source's name of the symbol, None without a mapping. `signal` is what it says now, None where nothing
    of it counts. `before` is what was taken and journaled, `taken` what is taken now. `because` says why `taken` is
    not simply depth x weight; '' where it is.
    """

    source: SourceName
    own: str | None
    weight: Decimal
    signal: Signal | None
    frozen: bool
    before: Taken | None
    taken: Taken | None
    because: str

    @property
    def present(self) -> Decimal | None:
        """The signed share of equity the source asks for now (depth x weight); None where it does not say."""
        return None if self.signal is None else self.signal.depth * self.weight


def shares(
    symbol: Symbol,
    settings: Settings,
    account: AccountSettings,
    readings: Mapping[SourceName, SourceReading],
    before: Before,
    moment: Moment,
) -> tuple[Share, ...]:
    """Every source's part in what `core.targets.want` makes of the same arguments; none of an unconfigured symbol."""
    entry = settings.weights.get(symbol)
    if entry is None:
        return ()
    found = []
    for source in sources_of(entry, before):
        heard = hear(entry, source, settings, account, readings, before)
        all_taken, news = take_all([heard], settings, before, moment)
        taken = all_taken.get(source)
        standing = None if taken is None else short_of(source, taken)
        because = heard.because or next(iter(news.downward), None) or standing or ""
        own = next((own for own, to in settings.mappings.get(source, {}).items() if to == symbol), None)
        mine = before.taken.get(source)
        found.append(Share(source, own, heard.weight, heard.signal, heard.frozen, mine, taken, because))
    return tuple(found)
