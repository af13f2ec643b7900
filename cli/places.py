"""Which homes a verb means, and which of them run."""

from __future__ import annotations

import argparse
import os
import shlex
import time
from collections.abc import Iterable
from pathlib import Path

from cli.errors import UserError
from cli.pm2 import pm2_of
from cli.reading import heartbeat_of, known_accounts
from config.home import CHECKOUT, Home

MAX_DEMOS = 4


def demo_homes() -> tuple[Home, ...]:
    """The places demos run in: `.demo`, and more for those started beside it; in TRADE_ENGINE_DEMO_DIR if set."""
    folder = Path(os.environ.get("TRADE_ENGINE_DEMO_DIR") or CHECKOUT).resolve()
    names = [".demo", *(f".demo-{number}" for number in range(2, MAX_DEMOS + 1))]
    return tuple(Home(folder / name) for name in names)


def home_named(args: argparse.Namespace) -> Home | None:
    """The home the command line or the environment names, or None."""
    if args.demo and args.home:
        raise UserError("--demo and --home name two different homes; give one of them.")
    if args.demo:
        demo = demo_homes()[0]
        if not demo.is_demo:
            raise UserError("There is no demo yet. `./run demo` makes and starts it.")
        return demo
    if args.home or os.environ.get("TRADE_ENGINE_HOME"):
        home = Home.find(os.environ, args.home)
        if not home.root.is_dir():
            raise UserError(f"{home.root} is no folder. Make it (mkdir -p), or name another with --home DIR.")
        return home
    return None


def home_of(args: argparse.Namespace) -> Home:
    """For verbs that act on one home: the named one, else the checkout."""
    return home_named(args) or Home.find({})


def running_homes() -> tuple[Home, ...]:
    """Every home with a process of its own running, demos last."""
    default = Home.find(os.environ)
    under_user = [Home(app.home) for app in pm2_of(default).apps() if app.runs and app.home]
    demos = [home for home in demo_homes() if home.is_demo and runs(home)]
    foreground = [default] if runs(default) else []
    return unique([*under_user, *foreground, *demos])


def runs(home: Home) -> bool:
    """Whether any process of this home runs, under PM2 or by hand."""
    now = time.time()
    beats = (heartbeat_of(home, path.stem) for path in home.heartbeats.glob("*.json"))
    return any(app.runs for app in pm2_of(home).of(home).values()) or any(beat and beat.fresh(now) for beat in beats)


def unique(homes: Iterable[Home]) -> tuple[Home, ...]:
    return tuple(dict.fromkeys(homes))


def shown(home: Home) -> str:
    """How a line says which home it speaks of: `LIVE` or `DEMO`, and the folder where it is not the checkout's own."""
    return home.label if home.root in {CHECKOUT, demo_homes()[0].root} else f"{home.label} {short(home.root)}"


def short(path: Path) -> str:
    try:
        return f"~/{path.relative_to(Path.home())}"
    except ValueError:
        return str(path)


def elsewhere(home: Home) -> str:
    """For a message about a home in which nothing was found: where something does run."""
    others = [other for other in running_homes() if other != home]
    return "".join(f"\nRunning instead: {shown(other)}, reached with{flag(other) or ' no flag'}." for other in others)


def check_account(home: Home, name: str) -> None:
    known = known_accounts(home)
    if name not in known:
        listed = ", ".join(known) or "none yet"
        said = f"{shown(home)}: there is no account {name!r} in {home.root}; known: {listed}. Nothing was asked."
        raise UserError(said + elsewhere(home))


def flag(home: Home) -> str:
    """What to add to a command so that it means this home."""
    if home.root == demo_homes()[0].root:
        return " --demo"
    return (
        ""
        if home.root == CHECKOUT and not os.environ.get("TRADE_ENGINE_HOME")
        else f" --home {shlex.quote(str(home.root))}"
    )
