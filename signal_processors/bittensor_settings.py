"""What the Bittensor processor is configured with, read live: parameters, and the assets its mapping names.

An edit counts as a whole or not at all: while a file is broken, its last valid content stays in force and `troubles`
says what to mend. Before the first valid content there is nothing in force, and no opinion.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from config.bittensor import BittensorKeys, check_bittensor
from config.checks import Checked, Raw, check_mappings
from config.contents import Content, Contents, parsed
from config.home import Home
from core.errors import ConfigError
from core.ports import Clock, FileOps
from signal_processors.bittensor_document import SOURCE

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class InForce:
    """Parameters and the source's own symbols, in the mapping's order."""

    keys: BittensorKeys
    assets: tuple[str, ...]


class _LiveFile(Generic[T]):
    """One file's last valid content."""

    def __init__(self, path: Path, check: Callable[[Raw], Checked[T]], missing: T | None) -> None:
        self.path = path
        self._check = check
        self._missing = missing
        self._seen: Content | None = None
        self.value: T | None = None
        self.version = ""
        self.trouble = ""
        self.notes: tuple[str, ...] = ()

    def look(self, contents: Contents, copy: Path | None = None) -> None:
        found = contents.read(self.path)
        if found is self._seen:
            return
        self._seen = found
        self._take(found)
        if self.value is None and copy is not None:
            kept = contents.read(copy)
            if kept.data is not None:
                checked = self._checked(kept)
                self.value, self.version = checked.value, kept.version if checked.value is not None else ""

    def _take(self, found: Content) -> None:
        if found.missing and (self._missing is not None or self.value is None):
            self.value, self.version, self.notes = self._missing, found.version, ()
            absent = f"{self.path.name} does not exist; create it like examples/{self.path.name}"
            self.trouble = "" if self._missing is not None else absent
            return
        checked = self._checked(found)
        if checked.value is None:
            stays = "Its last valid content stays in force." if self.value is not None else "There is none before it."
            self.trouble = f"{checked.problems[0]}. {stays}"
            return
        self.value, self.version, self.trouble = checked.value, found.version, ""
        self.notes = tuple(map(str, checked.warnings))

    def _checked(self, found: Content) -> Checked[T]:
        if found.data is None:
            return Checked(None, (ConfigError(self.path.name, f"{found.trouble}; make it readable"),))
        try:
            return self._check(parsed(found.data, self.path.name))
        except ConfigError as error:
            return Checked(None, (error,))


class LiveSettings:
    """Looks at the files whenever it is asked."""

    def __init__(self, home: Home, ops: FileOps, clock: Clock) -> None:
        self._contents = Contents(ops, clock)
        self._copy = home.last_good / home.asset_mapping.name
        self._keys: _LiveFile[BittensorKeys] = _LiveFile(home.bittensor_config, check_bittensor, BittensorKeys())
        self._mappings: _LiveFile[Mapping[str, Mapping[str, str]]] = _LiveFile(home.asset_mapping, check_mappings, None)

    def look(self) -> InForce | None:
        """What is in force now; None before anything valid was read."""
        self._keys.look(self._contents)
        self._mappings.look(self._contents, self._copy)
        if self._keys.value is None or self._mappings.value is None:
            return None
        return InForce(self._keys.value, tuple(self._mappings.value.get(SOURCE, {})))

    def troubles(self) -> tuple[str, ...]:
        """What is wrong with the files, as of the last look."""
        return tuple(file.trouble for file in (self._keys, self._mappings) if file.trouble)

    def notes(self) -> tuple[str, ...]:
        """What has no effect, as of the last look."""
        return self._keys.notes

    def versions(self) -> Mapping[str, str]:
        """The contents in force, by file name."""
        files = (self._keys, self._mappings)
        return {file.path.name: file.version for file in files if file.version}
