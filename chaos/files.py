"""The files of a simulated home, as people and signal processors write them: whole, synced, and undisturbed by faults
of the engine's own disk."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType

from chaos.scene import BITTENSOR, HOUSE, STALENESS_S, Scene
from config.home import Home
from core.domain import Document, Signal, SourceName, Symbol, plain
from core.ports import Clock
from core.state import ensure_dir, format_instant, render_document
from simulator.disk import SimulatedFileOps


class HomeFiles:
    """Writes below `home` on the simulated disk. `clock` is the machine's own."""

    def __init__(self, disk: SimulatedFileOps, home: Home, clock: Clock) -> None:
        self._disk = disk
        self._home = home
        self._clock = clock
        self._revisions: dict[SourceName, int] = {}
        self._asked: dict[str, dict[str, dict[str, int]]] = {}
        with self._undisturbed():
            for folder in (home.root, home.state, home.signals):
                ensure_dir(disk, folder)

    @contextmanager
    def _undisturbed(self) -> Iterator[None]:
        faults, self._disk.faults = self._disk.faults, []
        try:
            yield
        finally:
            self._disk.faults = faults

    def put(self, path: Path, data: bytes) -> None:
        with self._undisturbed():
            self._disk.write(path, data)
            self._disk.fsync(path)
            self._disk.fsync_dir(path.parent)

    def remove(self, path: Path) -> bool:
        """Whether there was such a file."""
        with self._undisturbed():
            if self._disk.identity(path) is None:
                return False
            self._disk.remove(path)
            self._disk.fsync_dir(path.parent)
            return True

    def read(self, path: Path) -> bytes | None:
        with self._undisturbed():
            return None if self._disk.identity(path) is None else self._disk.read(path)

    # --- configuration ------------------------------------------------------------------------------------------------

    def mappings(self, scene: Scene) -> None:
        value = {source: {symbol: symbol for symbol in scene.symbols} for source in scene.sources}
        self.put(self._home.asset_mapping, _json(value))

    def weights(
        self, weights: Mapping[Symbol, Mapping[SourceName, Decimal]], leverages: Mapping[Symbol, Decimal]
    ) -> None:
        value = [
            {
                "symbol": symbol,
                "leverage": plain(leverages[symbol]),
                "sources": [{"source": source, "weight": plain(weight)} for source, weight in shares.items()],
            }
            for symbol, shares in weights.items()
        ]
        self.put(self._home.signal_weights, _json(value))

    def engine(self, scene: Scene, accounts: Mapping[str, Mapping[str, object]]) -> None:
        """Trips are off: what a seed loses or does often is the seed's doing."""
        value = {
            "drift": scene.drift,
            "leverage_change": scene.leverage_change,
            "daily_loss_pct": "off",
            "max_notional_per_hour_x": 1_000_000,
            "max_unexplained_changes": 1_000_000,
            "sources": {
                "tradingview": {"entry_max_age_s": 600},
                str(BITTENSOR): {"staleness_s": STALENESS_S},
                str(HOUSE): {},
            },
            "accounts": {account: dict(keys) for account, keys in accounts.items()},
        }
        self.put(self._home.engine_config, _json(value))

    def halt(self, word: str | None) -> None:
        if word is None:
            self.remove(self._home.halt)
        else:
            self.put(self._home.halt, f"{word}\n".encode())

    def ask(self, verb: str, account: str, symbol: str) -> None:
        """One more of `verb` in state/desired.json."""
        numbers = self._asked.setdefault(verb, {}).setdefault(account, {})
        numbers[symbol] = numbers.get(symbol, 0) + 1
        self.put(self._home.desired, _json(self._asked))

    # --- signals ------------------------------------------------------------------------------------------------------

    def document(self, source: SourceName, signals: Mapping[Symbol, Signal]) -> bytes:
        """A source's next document, not yet written."""
        self._revisions[source] = self._revisions.get(source, 0) + 1
        content = MappingProxyType({str(symbol): signal for symbol, signal in signals.items()})
        return render_document(Document(source, self._revisions[source], self._clock.time(), content))

    def publish(self, source: SourceName, data: bytes) -> None:
        self.put(self._home.document(source), data)

    def beat(self, source: SourceName) -> None:
        value = {"checked_at": format_instant(self._clock.time()), "revision": self._revisions.get(source, 0)}
        self.put(self._home.heartbeat(source), _json(value))


def _json(value: object) -> bytes:
    return json.dumps(value, indent=1).encode()
