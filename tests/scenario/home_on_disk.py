"""What a rig's engine would have left on a real disk: the home that verbs read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from config.home import Home
from core.domain import plain
from core.journal import decode
from core.state import format_instant, render_document
from tests.scenario.rig import JOURNALS, TV, Rig


class RigClock:
    """Stands for the system's clock: the rig's own time."""

    def __init__(self, at: float) -> None:
        self._at = at

    def time(self) -> float:
        return self._at

    def monotonic(self) -> float:
        return self._at


def write_home(rig: Rig, home: Home, monkeypatch: pytest.MonkeyPatch, later_s: float = 0.0) -> Home:
    """Writes everything of the rig into `home`, whose programs then believe it is `later_s` after the rig's time."""
    settings = rig.settings.value
    assert settings is not None
    home.prepare()
    now = rig.clock.time()
    weights = [
        {
            "symbol": entry.symbol,
            "leverage": plain(entry.leverage),
            "sources": [{"source": source, "weight": plain(weight)} for source, weight in entry.weights.items()],
        }
        for entry in settings.weights.values()
    ]
    write(home.signal_weights, weights)
    write(home.asset_mapping, settings.mappings)
    accounts = [{"venue": rig.venue, "name": name, **KEYS} for name in rig.ids]
    write(home.credentials, {"accounts": accounts})
    home.credentials.chmod(0o600)
    for folder in (home.journals, home.statuses):
        folder.mkdir(parents=True, exist_ok=True)
    for account in rig.ids.values():
        (home.journals / f"{account}.jsonl").write_bytes(rig.disk.read(JOURNALS / f"{account}.jsonl"))
        status = {"schema": 1, "account": account, "at": format_instant(now), **rig.published.statuses[account]}
        write(home.statuses / f"{account}.json", status)
    cache = {account: {"epoch": epoch, "symbols": found} for account, (epoch, found) in rig.published.cache.items()}
    write(home.depths, {"schema": 1, "at": format_instant(now), "accounts": cache})
    reading = rig.signals.value.get(TV)
    if reading is not None and reading.document is not None:
        home.document(TV).write_bytes(render_document(reading.document))
    if rig.settings.halted.value != "NONE":
        home.halt.write_text(rig.settings.halted.value)
    monkeypatch.setattr("cli.explain_facts.SystemClock", lambda: RigClock(now + later_s))
    return home


KEYS = {
    "api_key": "key",
    "api_secret": "secret",
    "api_passphrase": "phrase",
}


def write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value))


def journaled(rig: Rig, kind: str, name: str = "main") -> list[dict[str, Any]]:
    """Every record of a kind in an account's journal, oldest first."""
    records = decode(rig.disk.read(JOURNALS / f"{rig.ids[name]}.jsonl")).records
    return [dict(record) for record in records if record["kind"] == kind]
