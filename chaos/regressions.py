"""Seeds that failed once, each with what it found: they run for ever."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from core.state import fields, loads

FILE = Path(__file__).with_name("regressions.json")


@dataclass(frozen=True, slots=True)
class Regression:
    """`venues` empty: among all there are."""

    seed: int
    venues: tuple[str, ...]
    why: str


def regressions(path: Path = FILE) -> tuple[Regression, ...]:
    """Everything in the file. Raises `ConfigError` naming what is wrong with it."""
    rows = loads(path.read_bytes(), path.name)
    found = []
    for number, row in enumerate(rows if isinstance(rows, list) else [rows]):
        where = f"{path.name}: row {number + 1}: "
        entry = fields.mapping(row, where)
        names = entry.get("venues", [])
        found.append(
            Regression(
                fields.whole(fields.required(entry, "seed", where), f"{where}seed"),
                tuple(fields.text(name, f"{where}venues") for name in (names if isinstance(names, list) else [names])),
                fields.text(fields.required(entry, "why", where), f"{where}why"),
            )
        )
    return tuple(found)
