"""`status` and `logs`: what every running home does, one home's label on each line."""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.errors import UserError
from cli.places import flag, home_named, home_of, running_homes, shown
from cli.pm2 import App, by_name, pm2_of, surplus
from cli.reading import DISK, Beat, heartbeat_of, instant, settings_of, statuses
from cli.services import FEED, RUNS_TWICE, SERVICES, SIMULATOR
from config.home import Home
from config.reload import FileSettings
from config.signal_files import SignalFiles
from core.clock import SystemClock
from core.domain import Halt, Reading
from core.signal_manager import sources_of
from core.state import content_hash

STALE_S = 60.0
FOLLOW_POLL_S = 0.2
LOG_LINES = 20
HASH_SHOWN = 8


# --- status -----------------------------------------------------------------------------------------------------------


def status(args: argparse.Namespace) -> int:
    homes = homes_to_show(args)
    if args.json:
        print(json.dumps({"schema": 1, "homes": [described(home) for home in homes]}, indent=2))
        return 0
    now = time.time()
    for home in homes:
        for line in status_lines(described(home), now):
            print(f"{shown(home)}  {line}")
    return 0


def homes_to_show(args: argparse.Namespace) -> tuple[Home, ...]:
    named = home_named(args)
    return (named,) if named else running_homes() or (home_of(args),)


def described(home: Home) -> dict[str, Any]:
    """Everything `status` knows of a home, as its JSON. Instants are epoch seconds, null where there is none."""
    apps = pm2_of(home).all_of(home)
    kept = by_name(apps)
    settings = settings_of(home)
    names = dict.fromkeys([*([SIMULATOR, FEED] if home.is_demo else []), *SERVICES, *sorted(kept)])
    return {
        "home": str(home.root),
        "label": home.label,
        "flag": flag(home).strip(),
        "halt": settings.halt().value,
        "problems": [*settings.problems(), *signal_problems(home, settings)],
        "surplus": [{"name": app.name, "pm_id": app.pm_id, "pid": app.pid} for app in surplus(apps)],
        "processes": {
            name: process_facts(home, name, kept.get(name)) for name in [*names, *sorted(set(kept) - set(names))]
        },
        "accounts": statuses(home),
    }


def signal_problems(home: Home, settings: FileSettings) -> Iterator[str]:
    """What is wrong with the sources' documents as an engine would read them, and with the memory of what was heard."""
    files = SignalFiles(home, SystemClock(), staleness_s=settings.staleness_s)
    found = settings.settings()
    for reading in files.readings(sources_of(found) if found else ()).values():
        if reading.because and reading.reading is not Reading.NOT_HEARD:
            yield f"signals: {reading.because}"
    yield from files.problems()


def process_facts(home: Home, name: str, app: App | None) -> dict[str, Any]:
    """What PM2 keeps, or what a process started by hand says of itself."""
    beat = heartbeat_of(home, name)
    kept = app is not None and app.runs
    by_hand = not kept and beat is not None and beat.fresh(time.time())
    return {
        "running": kept or by_hand,
        "under_pm2": kept,
        "pm2": app.status if app else None,
        "pid": app.pid if app and kept else beat.pid if beat and by_hand else None,
        "restarts": app.restarts if app else 0,
        "started_at": app.started_at if app and kept else None,
        "heartbeat_at": beat.at if beat else None,
        "versions": versions_of(home, beat) if beat and (kept or by_hand) else {},
        "problems": list(beat.problems) if beat and (kept or by_hand) else [],
    }


def versions_of(home: Home, beat: Beat) -> dict[str, Any]:
    """File name -> the content hash a process runs on, and that of the file as it lies there (null: there is none)."""
    return {name: {"runs_on": version, "on_disk": on_disk(home.root / name)} for name, version in beat.versions.items()}


def on_disk(path: Path) -> str | None:
    """The content hash of a file; a file that cannot be read differs from every one that could."""
    try:
        return content_hash(DISK.read(path))
    except FileNotFoundError:
        return None
    except OSError as error:
        return f"unreadable: {error.strerror or error}"


def status_lines(home: Mapping[str, Any], now: float) -> Iterator[str]:
    if home["halt"] != Halt.NONE:
        yield f"HALTED: {home['halt']}; `./run resume {home['flag']}".rstrip() + "` lifts it"
    for problem in home["problems"]:
        yield f"configuration: {problem}"
    for name, facts in home["processes"].items():
        yield f"{name:<22}{process_words(facts, now)}"
        for words in (*version_words(facts), *facts["problems"]):
            yield f"{name:<22}{words}"
    for extra in home["surplus"]:
        yield f"{extra['name']:<22}{RUNS_TWICE.format(extra['pm_id'])}"
    if not home["accounts"]:
        yield "no account has a status yet"
    for account, facts in home["accounts"].items():
        yield from account_lines(account, facts, now)


def process_words(facts: Mapping[str, Any], now: float) -> str:
    if not facts["running"]:
        return "not running" + (f" (PM2 says {facts['pm2']})" if facts["pm2"] else "")
    if not facts["under_pm2"]:
        return f"running in a terminal, pid {facts['pid']}"
    words = f"running {ago(now - facts['started_at'])}, pid {facts['pid']}"
    if facts["restarts"]:
        words += f", restarted {facts['restarts']} times"
    beat = facts["heartbeat_at"]
    if beat and now - beat > STALE_S:
        words += f", SILENT for {ago(now - beat)}"
    return words


def version_words(facts: Mapping[str, Any]) -> Iterator[str]:
    """Which content of each live file the process runs on, one line for all; what differs from the disk is marked."""
    versions = facts["versions"]
    shown = [
        f"{name} {one['runs_on'][:HASH_SHOWN]}"
        + ("" if one["runs_on"] == one["on_disk"] else f" (NOT as on disk: {(one['on_disk'] or 'gone')[:HASH_SHOWN]})")
        for name, one in sorted(versions.items())
    ]
    if shown:
        yield f"runs on {', '.join(shown)}"


def account_lines(account: str, facts: Mapping[str, Any], now: float) -> Iterator[str]:
    at = instant(facts.get("at"))
    age = f", {ago(now - at)} ago" if at else ""
    words = f"{facts.get('state')}, equity {dash(facts.get('equity'))}, cycle {dash(facts.get('cycle'))}{age}"
    yield f"{account}: {words}{because(facts)}"
    for symbol, one in (facts.get("symbols") or {}).items():
        names = ("target", "actual", "depth", "leverage", "generation")
        words = ", ".join(f"{name} {dash(one.get(name))}" for name in names)
        yield f"{account} {symbol}: {one.get('state')}, {words}{because(one)}"


def dash(value: object) -> object:
    """What is not known, or not there, is a dash."""
    return "-" if value is None else value


def because(facts: Mapping[str, Any]) -> str:
    return f": {facts['because']}" if facts.get("because") else ""


def ago(seconds: float) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


# --- logs -------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Tail:
    """One log file being followed; `offset` is what was shown of it."""

    label: str
    path: Path
    offset: int = 0

    def start(self, lines: int) -> list[str]:
        data = self.path.read_bytes() if self.path.is_file() else b""
        self.offset = len(data)
        return data.decode(errors="replace").splitlines()[-lines:] if lines else []

    def more(self) -> list[str]:
        """Complete lines since the last look; a file that shrank (rotated) is read from its start."""
        if not self.path.exists():
            return []
        with self.path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            start = file.seek(self.offset if size >= self.offset else 0)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self.offset = start + len(whole)
        return whole.decode(errors="replace").splitlines()


def logs(args: argparse.Namespace) -> int:
    """The newest lines, then what comes, until Ctrl-C; `--no-follow` ends after the first."""
    homes = homes_to_show(args)
    tails = [
        Tail(f"{shown(home)} {name}", path)
        for home in homes
        for name, app in pm2_of(home).of(home).items()
        if args.name in (None, name)
        for path in dict.fromkeys(app.logs)
    ]
    if not tails:
        names = ", ".join(shown(home) for home in homes)
        what = f"process {args.name!r}" if args.name else "process"
        raise UserError(f"{names}: PM2 keeps no {what} there, so there is no log. `./run status` shows what runs.")
    for tail in tails:
        show(tail, tail.start(args.lines))
    while not args.no_follow:
        time.sleep(FOLLOW_POLL_S)
        for tail in tails:
            show(tail, tail.more())
    return 0


def show(tail: Tail, lines: list[str]) -> None:
    for line in lines:
        print(f"{tail.label} | {line}", flush=True)
