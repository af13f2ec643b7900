"""FileSettings: the live files of a home as `ports.SettingsSource`. An edit counts as a whole, valid set or not at all.

Each file is taken by its content. What does not parse, vanished, or does not fit the rest is replaced by its last good
content; what was refused, where, and what to do about it stands in `problems`. Only a set that passes as a whole is
ever in force, and without one there are no settings and nothing trades.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from config.assemble import Assembled, FileSet, KnownAccount, assemble
from config.checks import Checked, EngineConfig, Raw
from config.contents import Content, Contents, parsed
from config.home import Home
from config.last_good import LastGood
from config.switches import Asked, Desired, HaltFile, asked_of
from core.domain import Halt, Policy, Settings, SourceName
from core.errors import ConfigError
from core.ports import Clock, FileOps
from core.state import RealFileOps, content_hash

MAPPINGS = "asset_mapping_config.json"
WEIGHTS = "signal_weight_config.json"
ENGINE = "engine_config.json"
ENGINE_TOML = "engine_config.toml"
REQUIRED = (MAPPINGS, WEIGHTS)
SLOTS = (ENGINE, MAPPINGS, WEIGHTS)
"""In the order copies are written: where there is one of the weights, there is one of the engine's, or it had none."""
MAX_PROBLEMS = 10
HOLDS = "The engine holds: it sends no order until the set is valid, and goes on by itself then"


@dataclass(frozen=True, slots=True)
class _Part:
    """One file's usable content. `slot` is its place in the set; `raw.file` its name (the engine's may be TOML)."""

    slot: str
    raw: Raw
    data: bytes


Parts = Mapping[str, _Part | None]
"""By slot. None: no content; of last good parts, only the engine's: the defaults were in force."""


class FileSettings:
    """`ports.SettingsSource` over a home's files. Every call looks at the disk; nothing here raises or waits.

    `accounts` are those credentials.json named when the process started (None: this process trades none, and
    `accounts{}` is not compared). `keeps` writes `state/last_good/`: true only in the engine, which owns the folder.
    """

    def __init__(
        self,
        home: Home,
        clock: Clock,
        *,
        accounts: Sequence[KnownAccount] | None = None,
        files: FileOps | None = None,
        keeps: bool = False,
    ) -> None:
        self._home = home
        self._accounts = accounts
        disk = files or RealFileOps()
        self._contents = Contents(disk, clock)
        self._copies = LastGood(home.last_good, disk, clock, writes=keeps)
        self._halt = HaltFile(home, disk, self._contents)
        self._seen: tuple[Content, ...] = ()
        self._good: dict[str, _Part | None] = {}
        self._copy_problems: tuple[str, ...] = ()
        self._settings: Settings | None = None
        self._engine: EngineConfig | None = None
        self._file_problems: tuple[str, ...] = ()
        self._asked: tuple[Content | None, Asked] = (None, Asked())
        self._load_copies()

    # --- ports.SettingsSource -----------------------------------------------------------------------------------------

    def settings(self) -> Settings | None:
        self._refresh()
        return self._settings

    @property
    def deadline_s(self) -> float:
        """How long a request to a venue may take, as configured; the default while nothing valid was ever read."""
        found = self.settings()
        return (found.policy if found else Policy()).request_deadline_s

    def problems(self) -> tuple[str, ...]:
        self._refresh()
        others = (self._halt.read().problem, self._read_asked().problem, self._copies.problem)
        return (*self._file_problems, *(problem for problem in others if problem))

    def halt(self) -> Halt:
        return self._halt.read().halt

    def desired(self) -> Desired:
        return self._read_asked().desired

    # --- what else the processes need ---------------------------------------------------------------------------------

    def engine_config(self) -> EngineConfig | None:
        """engine_config as in force (defaults where there is no file); None while no valid set was ever read."""
        self._refresh()
        return self._engine

    def folders(self) -> Iterable[Path]:
        """Where the live files lie, for `config.watch`."""
        return (self._home.root, self._home.state)

    def staleness_s(self, source: SourceName) -> float | None:
        """How old a source's heartbeat may be; None: no limit, or no valid settings yet."""
        settings = self.settings()
        return settings.source(source).staleness_s if settings else None

    def fingerprint(self) -> Hashable:
        """Versions of everything read here: different when, and only when, a content is."""
        contents = (*self._read_all(), self._halt.content(), self._contents.read(self._home.desired))
        return tuple(content.version + content.trouble for content in contents)

    # --- the set ------------------------------------------------------------------------------------------------------

    def _read_all(self) -> tuple[Content, ...]:
        home = self._home
        paths = (home.asset_mapping, home.signal_weights, home.engine_config, home.engine_config.with_suffix(".toml"))
        return tuple(self._contents.read(path) for path in paths)

    def _refresh(self) -> None:
        found = self._read_all()
        if found != self._seen:
            self._seen = found
            self._take(found)
        self._copies.flush()

    def _take(self, found: tuple[Content, ...]) -> None:
        mappings, weights, engine, toml = found
        findings = _Findings(self._copy_problems, self._good)
        chosen = toml if engine.missing and not toml.missing else engine
        if not engine.missing and not toml.missing:
            findings.warn(f"{ENGINE_TOML}: is not read, because {ENGINE} exists; keep one of the two")
        parts = {
            slot: self._part(slot, content, findings)
            for slot, content in ((MAPPINGS, mappings), (WEIGHTS, weights), (ENGINE, chosen))
        }
        taken, outcome = _choose(parts, self._good, findings, lambda files: assemble(files, self._accounts))
        if outcome is not None:
            self._accept(taken, outcome, findings)
        else:
            # A set that was in force passes again, so there is none yet.
            assert self._settings is None
        self._file_problems = findings.told(in_force=self._settings is not None)

    def _part(self, slot: str, content: Content, findings: _Findings) -> _Part | None:
        """The file's content if it can be parsed. None: absent or refused (then `findings` says so)."""
        file = content.path.name
        if content.data is None:
            if not content.missing:
                findings.refuse(slot, file, ConfigError(file, f"{content.trouble}; make it readable"))
            elif (last := self._good.get(slot)) is not None:
                good = last.raw.file
                way_back = " or write {} into it to go back to the defaults" if slot == ENGINE else ""
                findings.refuse(slot, good, ConfigError(good, f"has vanished; put it back{way_back}"))
            elif slot in REQUIRED:
                words = f"does not exist; create it like examples/{file} (or with its script in config/)"
                findings.refuse(slot, file, ConfigError(file, words))
            return None
        try:
            return _Part(slot, parsed(content.data, file), content.data)
        except ConfigError as error:
            findings.refuse(slot, file, ConfigError(error.where, f"{error.problem}; correct it"))
            return None

    def _accept(self, taken: Parts, outcome: Checked[Assembled], findings: _Findings) -> None:
        assert outcome.value is not None
        for warning in outcome.warnings:
            findings.warn(str(warning))
        versions = {}
        for slot, part in taken.items():
            self._good[slot] = part
            if part is not None:
                versions[part.raw.file] = content_hash(part.data)
                self._copies.keep(part.raw.file, part.data)
            if slot == ENGINE:
                others = {ENGINE, ENGINE_TOML} - ({part.raw.file} if part else set())
                for other in others:
                    self._copies.keep(other, None)
        self._engine = outcome.value.engine
        told = findings.told(in_force=True)
        self._settings = replace(outcome.value.settings, versions=MappingProxyType(versions), problems=told)

    def _load_copies(self) -> None:
        """The copies of an earlier run, as what to fall back on. They count only if they pass as a set."""
        problems = []
        prefer_toml = self._contents.read(self._home.engine_config).missing
        names = [MAPPINGS, WEIGHTS, *((ENGINE, ENGINE_TOML) if prefer_toml else (ENGINE_TOML, ENGINE))]
        for name in names:
            try:
                data = self._copies.read(name)
                if data is not None:
                    slot = ENGINE if name == ENGINE_TOML else name
                    self._good[slot] = _Part(slot, parsed(data, name), data)
            except ConfigError as error:
                problems.append(f"state/last_good: the copy of {name} cannot be used ({error}).")
        self._copy_problems = tuple(problems)
        if not problems and self._good.keys() == set(REQUIRED):
            self._good[ENGINE] = None

    def _read_asked(self) -> Asked:
        content = self._contents.read(self._home.desired)
        if self._asked[0] is not content:
            self._asked = (content, asked_of(content))
        return self._asked[1]


class _Findings:
    """What stands against the newest contents, by file, and what merely has no effect."""

    def __init__(self, notes: Sequence[str], good: Parts) -> None:
        self._notes = notes
        self._good = dict(good)
        self._refused: dict[str, tuple[str, list[ConfigError]]] = {}
        self._warnings: list[str] = []

    @property
    def refused(self) -> frozenset[str]:
        """Slots whose newest content does not count."""
        return frozenset(self._refused)

    def refuse(self, slot: str, file: str, error: ConfigError) -> None:
        self._refused.setdefault(slot, (file, []))[1].append(error)

    def warn(self, text: str) -> None:
        self._warnings.append(text)

    def told(self, *, in_force: bool) -> tuple[str, ...]:
        """Everything for the user: what is wrong, what the engine does meanwhile, what to do."""
        lines = []
        for slot, (file, errors) in self._refused.items():
            effect = self._effect(slot) if in_force else HOLDS
            lines += [f"{error}. {effect}." for error in errors[:MAX_PROBLEMS]]
            if len(errors) > MAX_PROBLEMS:
                lines.append(f"{file}: {len(errors) - MAX_PROBLEMS} more findings.")
        if self._refused:
            lines += self._notes
        return (*lines, *(text if text.endswith("?") else f"{text}." for text in self._warnings[:MAX_PROBLEMS]))

    def _effect(self, slot: str) -> str:
        good = self._good.get(slot)
        if good is None:
            return "The defaults stay in force"
        return f"The last good {good.raw.file} stays in force (its copy: state/last_good/{good.raw.file})"


def _choose(
    parts: Parts,
    good: Parts,
    findings: _Findings,
    check: Callable[[FileSet], Checked[Assembled]],
) -> tuple[Parts, Checked[Assembled] | None]:
    """The newest contents that pass together: what is found against a file puts its last good content in its place.

    Returns the parts and the outcome, or no outcome where not even the last good contents pass.
    """
    while True:
        refused = findings.refused
        taken = {slot: good.get(slot) if slot in refused else parts[slot] for slot in SLOTS}
        engine, mappings, weights = (taken[slot] for slot in SLOTS)
        if mappings is None or weights is None or (ENGINE in refused and ENGINE not in good):
            return taken, None
        outcome = check(FileSet(mappings.raw, weights.raw, engine.raw if engine else None))
        if outcome.value is not None:
            return taken, outcome
        new = [part for part in taken.values() if part and part.slot not in refused and _is_new(part, good)]
        if not new:
            return taken, None
        blamed = [(part, error) for part in new for error in outcome.problems if _names(part, error)]
        for part, error in blamed or [(part, _misfit(part, outcome)) for part in new]:
            findings.refuse(part.slot, part.raw.file, error)


def _is_new(part: _Part, good: Parts) -> bool:
    last = good.get(part.slot)
    return last is None or (last.raw.file, last.data) != (part.raw.file, part.data)


def _names(part: _Part, error: ConfigError) -> bool:
    return error.where.split(":")[0] == part.raw.file


def _misfit(part: _Part, outcome: Checked[Assembled]) -> ConfigError:
    """What a new content brought about in a file that had been good."""
    return ConfigError(part.raw.file, f"does not fit the other files: {'; '.join(map(str, outcome.problems[:3]))}")
