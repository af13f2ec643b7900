"""What people and other programs read of a running engine: the depth cache, statuses, heartbeats.

Nothing here is memory: every file is rebuilt from the journal or from the next cycle. So a projection that cannot be
written never stops anything; it becomes a trouble, told once until it is over.

    account_asset_depths.json       {"schema", "at", "accounts": {ACCOUNT: {"epoch", "symbols": {SYMBOL: {…}}}}}
    state/status/<account>.json     {"schema", "account", "at", "cycle", "state", "because", "equity", "symbols": {…}}
    state/heartbeat/<process>.json  {"schema", "process", "pid", "at", "started_at", "versions": {FILE: HASH}, …}

Numbers are plain text, instants ISO-8601. Inside a symbol's `sized`, the depth cache carries the journal's own record,
whose instants are epoch seconds: it is what a lost journal is recovered from, once.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from core.domain import AccountId
from core.errors import ConfigError
from core.events import Emit, Trouble
from core.ports import Clock, FileIdentity, FileOps
from core.state import fields
from core.state.files import ensure_dir, write_atomic
from core.state.instants import format_instant
from core.state.jsonfile import dumps, loads

SCHEMA = 1

Entries = Mapping[str, Mapping[str, Any]]
"""symbol -> its entry in the depth cache."""


def laid_out(value: object, levels: int, margin: str = "") -> str:
    """JSON with a line for every entry of the outermost `levels` objects, and no space below them.

    For people to read, at a tenth of what the standard encoder takes once it is to indent: half of what a cycle costs.
    """
    if levels == 0 or not isinstance(value, Mapping) or not value:
        return dumps(value)
    inner = margin + "  "
    lines = [f"{inner}{dumps(key)}: {laid_out(item, levels - 1, inner)}" for key, item in value.items()]
    return "{\n" + ",\n".join(lines) + f"\n{margin}}}"


def publish(ops: FileOps, path: Path, value: object) -> str | None:
    """Writes a projection whole; returns None, or in words why it could not be written. Never raises OSError."""
    return _put(ops, path, laid_out(value, levels=2))


def _put(ops: FileOps, path: Path, text: str) -> str | None:
    try:
        if ops.identity(path.parent) is None:
            ensure_dir(ops, path.parent)
        write_atomic(ops, path, text.encode("utf-8", "replace") + b"\n")
    except OSError as error:
        return (
            f"{path} could not be written ({error.strerror or error}); what it shows is out of date. Trading goes on "
            "and the file is written again with the next change. Look at the disk's free space and permissions."
        )
    return None


def heartbeat(
    process: str,
    pid: int,
    started_at: float,
    now: float,
    versions: Mapping[str, str],
    problems: Iterable[str] = (),
) -> dict[str, object]:
    """The content of `state/heartbeat/<process>.json`; `versions`: file name -> content hash it runs on; `problems`:
    what the process wants its user to know, '' left out."""
    return {
        "schema": SCHEMA,
        "process": process,
        "pid": pid,
        "at": format_instant(now),
        "started_at": format_instant(started_at),
        "versions": dict(versions),
        "problems": [problem for problem in problems if problem],
    }


def troubles(emit: Emit, clock: Clock) -> Callable[[AccountId, str], None]:
    """Tells a trouble of an account as an event."""
    return lambda account, because: emit(Trouble(clock.time(), account, None, because))


class DepthCache:
    """`account_asset_depths.json`: one file for all accounts, this its only writer.

    `read_problem` says why the file found at the start could not be used (None: it could, or there was none).
    """

    def __init__(self, path: Path, ops: FileOps, clock: Clock) -> None:
        self._path = path
        self._ops = ops
        self._clock = clock
        self._accounts: dict[str, Mapping[str, Any]] = {}
        self._texts: dict[str, str] = {}  # the accounts as they are written, so that one's change costs one's size
        self._ours = False  # set by the first `put`: until then the file belongs to whoever wrote it
        self._written: FileIdentity | None = None
        self.read_problem: str | None = None
        try:
            self._accounts = dict(read_depths(ops, path))
        except (ConfigError, OSError) as error:
            self.read_problem = f"{path} cannot be used ({error}); it is written anew from the journals."

    def of(self, account: AccountId) -> tuple[str, Entries] | None:
        """The journal epoch and entries last projected for an account, from this run or an earlier one.

        None: the account was never projected here. A file that could not be read may have held anything: an epoch that
        is no journal's, and no entries.
        """
        section = self._accounts.get(account)
        if section is not None:
            return section["epoch"], section["symbols"]
        return None if self.read_problem is None else ("", {})

    def put(self, account: AccountId, epoch: str, entries: Entries) -> str | None:
        """Replaces an account's section and writes the file; returns the trouble, if any."""
        self._accounts[account] = {"epoch": epoch, "symbols": dict(entries)}
        self._texts.pop(account, None)
        self._ours = True
        return self._write()

    def restore(self) -> str | None:
        """Writes the file again if it is gone or not as we left it; returns the trouble, if any.

        A program that projects no account (a second engine, a dry run) leaves the file alone.
        """
        if not self._ours or (self._written is not None and self._found() == self._written):
            return None
        return self._write()

    def _write(self) -> str | None:
        for account in self._accounts.keys() - self._texts.keys():
            self._texts[account] = laid_out(self._accounts[account], levels=2, margin="    ")
        accounts = ",\n".join(f"    {dumps(account)}: {self._texts[account]}" for account in self._accounts)
        head = f'{{\n  "schema": {SCHEMA},\n  "at": "{format_instant(self._clock.time())}",\n  "accounts": {{\n'
        trouble = _put(self._ops, self._path, f"{head}{accounts}\n  }}\n}}")
        self._written = None if trouble else self._found()
        return trouble

    def _found(self) -> FileIdentity | None:
        """The file as it lies there; None: none, or none to be seen, which is written again."""
        with contextlib.suppress(OSError):
            return self._ops.identity(self._path)
        return None


def read_depths(ops: FileOps, path: Path) -> Mapping[str, Mapping[str, Any]]:
    """account -> {"epoch", "symbols"} of the depth cache; empty where there is none. Raises ConfigError, OSError."""
    if ops.identity(path) is None:
        return {}
    whole = fields.mapping(loads(ops.read(path), path.name, real=float), path.name)
    here = f"{path.name}: "
    fields.schema(whole, here, SCHEMA)
    accounts = fields.mapping(fields.required(whole, "accounts", here), f"{here}accounts")
    return {account: _section(section, f"{here}accounts.{account}") for account, section in accounts.items()}


def _section(value: object, where: str) -> Mapping[str, Any]:
    section = fields.mapping(value, where)
    symbols = fields.mapping(fields.required(section, "symbols", f"{where}."), f"{where}.symbols")
    return {
        "epoch": fields.text(fields.required(section, "epoch", f"{where}."), f"{where}.epoch"),
        "symbols": {symbol: fields.mapping(entry, f"{where}.symbols.{symbol}") for symbol, entry in symbols.items()},
    }


class Projections:
    """The executor's publisher: statuses and the depth cache of a home. `tell(account, because)` hears of troubles;
    `traded` knows whether the account ever sent an order from this home."""

    def __init__(
        self,
        depths: Path,
        statuses: Path,
        ops: FileOps,
        clock: Clock,
        tell: Callable[[AccountId, str], None],
        traded: Callable[[AccountId], bool] = lambda account: False,
    ) -> None:
        self._cache = DepthCache(depths, ops, clock)
        self._statuses = statuses
        self._ops = ops
        self._clock = clock
        self._tell = tell
        self._traded = traded
        self._troubled: set[str] = set()

    @property
    def read_problem(self) -> str | None:
        """Why the depth cache found at the start could not be used."""
        return self._cache.read_problem

    def projected(self, account: AccountId) -> tuple[str, Entries] | None:
        """What was last projected of an account: (journal epoch, entries). For the recovery of a lost journal only.

        Tells once of a file that was there and could not be read: then the epoch is "", and there are no entries. So
        it is where an account that has traded is in no file any more: it is not new, only forgotten.
        """
        self._note("depths as found", account, self._cache.read_problem)
        found = self._cache.of(account)
        return ("", {}) if found is None and self._traded(account) else found

    def status(self, account: AccountId, content: Mapping[str, Any]) -> None:
        """Writes `state/status/<account>.json`, and the depth cache again should somebody have removed it."""
        value = {"schema": SCHEMA, "account": account, "at": format_instant(self._clock.time()), **content}
        self._note(account, account, publish(self._ops, self._statuses / f"{account}.json", value))
        self._note("depths", account, self._cache.restore())

    def refuse(self, account: AccountId, because: str) -> None:
        """An account that is not even begun: told, and shown as BLOCKED."""
        self._tell(account, f"the account is not traded: {because}")
        self.status(account, {"cycle": 0, "state": "BLOCKED", "because": because, "equity": None, "symbols": {}})

    def depths(self, account: AccountId, epoch: str, entries: Entries) -> None:
        """Writes an account's section of `account_asset_depths.json`."""
        self._note("depths", account, self._cache.put(account, epoch, entries))

    def _note(self, what: str, account: AccountId, trouble: str | None) -> None:
        """Tells a trouble when it begins; as long as it lasts it is no news."""
        if trouble is None:
            self._troubled.discard(what)
        elif what not in self._troubled:
            self._troubled.add(what)
            self._tell(account, trouble)
