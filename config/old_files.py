"""What older versions left in a home and this one does not continue: set aside under another name, never read."""

from __future__ import annotations

import logging
from pathlib import Path

from config.home import Home
from core.errors import ConfigError
from core.ports import FileOps
from core.state import read_json

MAX_COPIES = 1000

log = logging.getLogger("trade-engine")


def set_aside(home: Home, ops: FileOps) -> Path | None:
    """Renames a depth cache of an older version to `….old` (`….old.2`, …); None where there is none.

    What an older version held is no target and no memory of this one: positions are read from the venue, and what is
    found there is not touched until it is adopted. Raises OSError.
    """
    if ops.identity(home.depths) is None or _is_ours(home.depths, ops):
        return None
    names = [f"{home.depths.name}.old", *(f"{home.depths.name}.old.{number}" for number in range(2, MAX_COPIES))]
    target = next(path for name in names if ops.identity(path := home.depths.with_name(name)) is None)
    ops.replace(home.depths, target)
    ops.fsync_dir(home.root)
    return target


def _is_ours(path: Path, ops: FileOps) -> bool:
    try:
        value, _ = read_json(ops, path)
    except ConfigError:
        return True  # damaged, and nobody knows whose: the engine says so and writes it anew from the journals
    return isinstance(value, dict) and "schema" in value


def put_old_away(home: Home, ops: FileOps) -> None:
    """`set_aside`, with a word about it in the log."""
    try:
        target = set_aside(home, ops)
    except OSError as error:
        log.warning("%s could not be looked at: %s. It is written anew from the journals.", home.depths, error)
        return
    if target is not None:
        log.warning(
            "%s was written by an older version; it is kept as %s and has no effect. Positions are read from the "
            "venue; those there already are shown as FOREIGN and left alone until ./run adopt.",
            home.depths.name,
            target.name,
        )
