"""Why the engine leaves a signal in force alone: what `state/status/<account>.json` says, for the webhook's answer."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path

from core.errors import ConfigError
from core.ports import Clock, FileOps
from core.state import fields, loads

FRESH_S = 1.0
MAX_ACCOUNTS = 100
REMEDY = "resync"


class Standing:
    """What each account says of a symbol, at most a second old. Any thread may ask."""

    def __init__(self, folder: Path, ops: FileOps, clock: Clock) -> None:
        self._folder = folder
        self._ops = ops
        self._clock = clock
        self._lock = threading.Lock()
        self._read_at = float("-inf")
        self._found: Mapping[str, Mapping[str, str]] = {}

    def needing_resync(self, symbol: str) -> str | None:
        """Accounts that leave the signal on a canonical symbol alone until a re-sync (closed by the user, too old), and
        why; None where there is none."""
        with self._lock:
            now = self._clock.monotonic()
            if now - self._read_at >= FRESH_S:
                self._read_at = now
                self._found = self._read()
            found = self._found
        reasons = [
            f"{account}: {because} (`./run resync {account} {symbol}`)"
            for account, symbols in sorted(found.items())
            if REMEDY in (because := symbols.get(symbol, ""))
        ]
        return "; ".join(reasons) or None

    def _read(self) -> Mapping[str, Mapping[str, str]]:
        """Account -> symbol -> because. An account whose status cannot be read says nothing: this is advice only."""
        try:
            names = self._ops.list(self._folder)
        except OSError:
            return self._found
        found = {}
        for name in [name for name in names if name.endswith(".json") and not name.startswith(".")][:MAX_ACCOUNTS]:
            try:
                status = fields.mapping(loads(self._ops.read(self._folder / name), name), name)
                symbols = fields.mapping(status.get("symbols", {}), name)
                entries = {symbol: fields.mapping(entry, name) for symbol, entry in symbols.items()}
            except (ConfigError, OSError):
                continue
            found[name.removesuffix(".json")] = {
                symbol: str(entry.get("because") or "") for symbol, entry in entries.items()
            }
        return found
