"""`up`, `down`, `restart` and what the demo shares with them: processes under PM2, judged by what they answer."""

from __future__ import annotations

import argparse
import shutil
import time
from collections.abc import Collection, Iterable

from cli.errors import UserError
from cli.places import elsewhere, flag, home_named, home_of, running_homes, shown
from cli.pm2 import App, Pm2, pm2_of, surplus
from cli.reading import heartbeat_of, webhook_base
from cli.rotation import Rotation
from cli.web import Unreachable, ask
from config.home import Home

ENDPOINT = "tradingview-endpoint"
SIGNALS = "tradingview-signals"
BITTENSOR = "bittensor-signals"
ENGINE = "trade-engine"
SIMULATOR = "venue-simulator"
FEED = "sn8-feed"
"""The demo's traders of Bittensor SN8."""
SERVICES = (ENDPOINT, SIGNALS, BITTENSOR, ENGINE)
HEALTH_DEADLINE_S = 40.0
STOP_DEADLINE_S = 25.0
POLL_S = 0.1
LOG_TAIL_LINES = 12
RUNS_TWICE = "runs a second time, beside the one that does the work; `pm2 delete {}` ends the second"


# --- verbs ------------------------------------------------------------------------------------------------------------


def up(args: argparse.Namespace) -> int:
    """Starts what is missing of the home's processes and says of each whether it is well."""
    home = home_of(args)
    if home.is_demo:
        raise UserError(f"{home.root} is a demo's home; `./run demo` starts it.")
    home.prepare()
    label = shown(home)
    rotation = Rotation(pm2_of(home))
    unrotated = rotation.prepare()
    # The endpoint makes credentials.json where there is none, and the engine gives up without that file.
    first = () if home.credentials.exists() else start_missing(home, (ENDPOINT,))
    try:
        wait_healthy(home, first)
        started = {*first, *start_missing(home, SERVICES)}
        for name in SERVICES:
            print(f"{label}: {name} {'started' if name in started else 'was already running'}")
        wait_healthy(home, SERVICES)
        for app in surplus(pm2_of(home).all_of(home)):
            print(f"{label}: {app.name} {RUNS_TWICE.format(app.pm_id)}")
    except UserError as error:
        hint = f"What runs was left running. `./run logs{flag(home)}` shows more, `./run up{flag(home)}` tries again."
        raise UserError(f"{error}\n{hint}") from error
    print(f"{label}: {unrotated or rotation.keep()}")
    print(f"{label}: everything runs. `./run status{flag(home)}` looks, `./run down{flag(home)}` stops.")
    return 0


def down(args: argparse.Namespace) -> int:
    home = home_of(args)
    label = shown(home)
    stopped = stop(home)
    for name in stopped:
        print(f"{label}: {name} stopped")
    if not stopped:
        print(f"{label}: nothing runs under PM2 for {home.root}.")
    elif home.is_demo:
        print(
            f"{label}: the simulated venue went with its positions; the files stay in {home.root} until the next demo."
        )
    else:
        print(f"{label}: positions stay as they are on the venue; nothing reconciles them until the next start.")
    if home_named(args) is None:
        for other in running_homes():
            print(f"{shown(other)}: still running; ./run down{flag(other)} stops it.")
    return 0


def restart(args: argparse.Namespace) -> int:
    home = home_of(args)
    pm2 = pm2_of(home)
    apps = pm2.all_of(home)
    named = [app for app in apps if app.name == args.name]
    if not named:
        kept = dict.fromkeys(app.name for app in apps)
        raise UserError(
            f"{shown(home)}: PM2 keeps no {args.name!r} for {home.root}; it keeps: {', '.join(kept) or 'nothing'}.\n"
            f"`./run up{flag(home)}` starts what is missing.{elsewhere(home)}"
        )
    since = time.time()
    pm2.restart(named)
    wait_healthy(home, (args.name,), since)
    print(f"{shown(home)}: {args.name} restarted.")
    return 0


# --- starting ---------------------------------------------------------------------------------------------------------


def start_missing(home: Home, names: Iterable[str]) -> tuple[str, ...]:
    """Starts those that do not run (PM2's `start` would restart those that do). Returns their names.

    Raises:
        UserError: PM2 already keeps one of these names for another home.
    """
    pm2 = pm2_of(home)
    kept = pm2.apps()
    wanted = set(names)
    for app in kept:
        if app.name in wanted and app.home != home.root:
            raise UserError(
                f"PM2 in {pm2.root} already runs {app.name} for {app.home}, and a name stands for one process.\n"
                f"Nothing was started. Stop that one (./run down --home {app.home}), or give this home its own PM2:\n"
                f"    PM2_HOME=~/.pm2-second ./run up{flag(home)}"
            )
    own = [app for app in kept if app.home == home.root and app.name in wanted]
    pm2.delete([app for app in own if not app.runs])
    running = {app.name for app in own if app.runs}
    missing = [name for name in names if name not in running]
    if missing:
        pm2.start(home, missing)
    return tuple(missing)


def wait_healthy(home: Home, names: Collection[str], since: float = 0.0, deadline_s: float = HEALTH_DEADLINE_S) -> None:
    """Returns once every process runs and answers for itself. `since` epoch seconds: older signs of life do not count.

    Raises:
        UserError: one did not become well in time; with the end of its log.
    """
    end = time.monotonic() + deadline_s
    waiting = dict.fromkeys(names, "not looked at yet")
    while True:
        apps = pm2_of(home).of(home)
        waiting = {name: problem for name in names if (problem := ailment(home, name, apps.get(name), since))}
        if not waiting:
            return
        if time.monotonic() > end or any(apps[name].gave_up for name in waiting if name in apps):
            raise UserError(sick(home, waiting, apps))
        time.sleep(POLL_S)


def ailment(home: Home, name: str, app: App | None, since: float) -> str:
    """Why a process is not well, '' when it is."""
    if app is None:
        return "PM2 does not keep it"
    if app.gave_up:
        return "it ended because its configuration is invalid, and `./run up` starts it again"
    if not app.runs:
        return f"it does not run (PM2 says {app.status})"
    if name in (SIMULATOR, FEED):
        return ""
    beat = heartbeat_of(home, name)
    if beat is None or beat.at < max(since, app.started_at):
        return "it has not reported since it was started" if beat else "it has not reported yet"
    return endpoint_ailment(home) if name == ENDPOINT else ""


def endpoint_ailment(home: Home) -> str:
    try:
        status, _ = ask("GET", f"{webhook_base(home)}/health", deadline_s=2.0)
    except Unreachable as error:
        return f"it does not answer: {error}"
    return "" if status == 200 else f"its /health answers {status}"


def sick(home: Home, waiting: dict[str, str], apps: dict[str, App]) -> str:
    parts = []
    for name, problem in waiting.items():
        parts.append(f"{shown(home)}: {name} is not well: {problem}.")
        if app := apps.get(name):
            parts += [f"    {line}" for line in log_tail(app)]
    parts.append(
        f"What runs was left running. `./run logs{flag(home)}` shows more, `./run up{flag(home)}` tries again."
    )
    return "\n".join(parts)


def log_tail(app: App, lines: int = LOG_TAIL_LINES) -> list[str]:
    """The newest lines of a process's logs, errors last."""
    found: list[str] = []
    for path in dict.fromkeys(app.logs):
        if path.is_file():
            found += path.read_text(errors="replace").splitlines()[-lines:]
    return found


# --- stopping ---------------------------------------------------------------------------------------------------------


def stop(home: Home) -> tuple[str, ...]:
    """Ends the home's processes (they get 15 s to finish), and a demo's PM2 with them. Returns what was running.

    Raises:
        UserError: something still runs.
    """
    pm2 = pm2_of(home)
    apps = pm2.all_of(home)
    if apps:
        pm2.delete(apps)
    if home.is_demo:
        pm2.kill()
    wait_gone(home, pm2)
    if home.is_demo and not pm2.root.is_relative_to(home.root):
        shutil.rmtree(pm2.root, ignore_errors=True)  # a short path elsewhere, which nobody would find again
    return tuple(dict.fromkeys(app.name for app in apps if app.runs))


def wait_gone(home: Home, pm2: Pm2) -> None:
    end = time.monotonic() + STOP_DEADLINE_S
    while still := [app.name for app in pm2.all_of(home) if app.runs]:
        if time.monotonic() > end:
            raise UserError(f"{shown(home)}: {', '.join(still)} did not stop. Look at {pm2.root / 'pm2.log'}.")
        time.sleep(POLL_S)
