"""SignalManager: documents + settings -> one immutable version of everything a cycle decides on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from core.domain import AccountId, Halt, Settings, SourceName, SourceReading, Symbol
from core.ports import SettingsSource, SignalSource

Desired = Mapping[str, Mapping[str, Mapping[str, int]]]


@dataclass(frozen=True, slots=True)
class Version:
    """What one cycle of every account works on. `number` grows by one with every change of content.

    `settings` None: no valid configuration was ever read; nothing is decided (`problems` says what to mend).
    """

    number: int
    settings: Settings | None
    readings: Mapping[SourceName, SourceReading]
    halt: Halt
    desired: Desired
    problems: tuple[str, ...] = ()


EMPTY = Version(0, None, MappingProxyType({}), Halt.NONE, MappingProxyType({}))


class SignalManager:
    """Reads sources and settings into versions, and keeps what every account has executed of them."""

    def __init__(self, settings_source: SettingsSource, signal_source: SignalSource) -> None:
        self._settings_source = settings_source
        self._signal_source = signal_source
        self._confirmed: dict[AccountId, Mapping[Symbol, int]] = {}
        self._version = EMPTY

    @property
    def version(self) -> Version:
        """The newest version; the same object until something changes."""
        return self._version

    @property
    def previous_signals(self) -> Mapping[SourceName, SourceReading]:
        """How every source read in the newest version."""
        return self._version.readings

    def load(self) -> Version:
        """Reads everything once. Returns the same version while nothing changed."""
        settings = self._settings_source.settings()
        names = sources_of(settings) if settings else set()
        content = (
            settings,
            self._signal_source.readings(names),
            self._settings_source.halt(),
            self._settings_source.desired(),
            self._settings_source.problems(),
        )
        now = self._version
        if content != (now.settings, now.readings, now.halt, now.desired, now.problems) or now.number == 0:
            self._version = Version(now.number + 1, *content)
        return self._version

    def halt(self) -> Halt:
        """The kill switch as it stands this instant, for the gate."""
        return self._settings_source.halt()

    def confirm_execution(self, account: AccountId, confirmed: Mapping[Symbol, int]) -> None:
        """Takes note of the generations an account reached; called once per account and cycle.

        What converged in an earlier cycle stays confirmed while another symbol is still on its way.
        """
        self._confirmed[account] = {**self._confirmed.get(account, {}), **confirmed}

    def confirmed(self, account: AccountId) -> Mapping[Symbol, int]:
        """symbol -> newest generation the account reached, since this process started."""
        return self._confirmed.get(account, {})


def sources_of(settings: Settings) -> set[SourceName]:
    """Every source with a weight or a mapping."""
    weighted = {source for entry in settings.weights.values() for source in entry.weights}
    return weighted | set(settings.mappings)
