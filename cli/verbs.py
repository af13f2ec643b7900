"""The table of verbs: for each its help, examples, options and code."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cli import alert, check, demo, explain, preflight, services, signals, status, switches, venues, webhook_setup
from cli.demo.house import FIRST_PORT

Act = Callable[[argparse.Namespace], int]


@dataclass(frozen=True, slots=True)
class Option:
    """One argument of a verb, in argparse's own words."""

    names: tuple[str, ...]
    how: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Verb:
    name: str
    act: Act
    help: str
    examples: tuple[str, ...]
    options: tuple[Option, ...] = ()


def option(*names: str, **how: Any) -> Option:
    return Option(names, how)


NAME = option("name", metavar="NAME", help="for example trade-engine")
ACCOUNT = option("account", metavar="ACCOUNT", help="for example bybit-main; ./run status lists them")
SYMBOL = option("symbol", metavar="SYMBOL", help="for example BTCUSDT")
ANY_NAME = option("name", metavar="NAME", nargs="?", help="one process; left out: all")
ANY_ACCOUNT = option("account", metavar="ACCOUNT", nargs="?", help="one account; left out: all")
ANY_SYMBOL = option("symbol", metavar="SYMBOL", nargs="?", help="one symbol; left out: every symbol")

PROCESSES = (
    Verb(
        "demo",
        demo.demo,
        "start a complete demo and show how an alert becomes a position",
        ("./run demo", "./run demo --once      for machines: one JSON line, then everything stops"),
        (
            option("--once", action="store_true", help="wait until it converged, print one JSON line, stop everything"),
            option("--port-base", type=int, metavar="N", help=f"first port to try ({FIRST_PORT}, or as the last time)"),
        ),
    ),
    Verb(
        "up",
        services.up,
        "start what is missing of the home's processes, under PM2",
        ("./run up", "./run up --home ~/live"),
    ),
    Verb(
        "down",
        services.down,
        "stop the home's processes; positions stay as they are",
        ("./run down", "./run --demo down"),
    ),
    Verb("restart", services.restart, "restart one process", ("./run restart trade-engine",), (NAME,)),
    Verb(
        "status",
        status.status,
        "what runs, and every account's symbols with their because",
        ("./run status", "./run status --json"),
        (option("--json", action="store_true", help="one JSON object instead of lines"),),
    ),
    Verb(
        "explain",
        explain.explain,
        "the whole chain behind a position, with numbers: signals, weights, depth, size, limits, state",
        ("./run explain BTCUSDT", "./run explain BTCUSDT --account bybit-main --json"),
        (
            SYMBOL,
            option("--account", metavar="ACCOUNT", help="only this one; left out: all"),
            option("--json", action="store_true", help="one JSON object instead of lines"),
        ),
    ),
    Verb(
        "logs",
        status.logs,
        "newest log lines, then what comes, until Ctrl-C",
        ("./run logs", "./run logs trade-engine --lines 100 --no-follow"),
        (
            ANY_NAME,
            option("--lines", type=int, default=status.LOG_LINES, metavar="N", help="how many old lines of each"),
            option("--no-follow", action="store_true", help="end after the old lines"),
        ),
    ),
)

VENUES = (
    Verb(
        "venues",
        venues.venues,
        "where accounts can be: the engine's own adapters, exchanges through ccxt, and what each needs",
        ("./run venues", "./run venues --json"),
        (option("--json", action="store_true", help="one JSON object instead of lines"),),
    ),
    Verb(
        "preflight",
        preflight.preflight,
        "ask the venue whether an account is fit to trade; with --with-order, try the smallest position",
        ("./run preflight bybit-main", "./run preflight bybit-main --with-order --symbol BTCUSDT"),
        (
            ACCOUNT,
            option("--with-order", action="store_true", help="open the smallest position there is, and close it"),
            option(
                "--symbol", metavar="SYMBOL", help="only this one (default: all configured; the cheapest is traded)"
            ),
            option("--yes", action="store_true", help="spend the fees of --with-order without asking"),
            option("--json", action="store_true", help="one JSON line and nothing else on stdout"),
        ),
    ),
)

ALERTS = (
    Verb(
        "alert",
        alert.alert,
        "send what TradingView would send, and say what became of it",
        ("./run alert BTCUSDT long 14.08/100 --leverage 3", "./run alert BTCUSDT flat"),
        (
            SYMBOL,
            option("direction", choices=("long", "short", "flat")),
            option("size", metavar="SIZE", nargs="?", help="14.08/100, or a depth such as 0.1408; not for flat"),
            option("--leverage", metavar="L"),
            option("--price", metavar="P"),
        ),
    ),
    Verb(
        "signals",
        signals.signals,
        "what arrived, what was a duplicate, late or refused and why, what is in force and what it contributes",
        ("./run signals", "./run signals --source tradingview --symbol BTCUSDT --since 2h", "./run signals --json"),
        (
            option("--source", metavar="S", help="only this one, such as tradingview"),
            option("--symbol", metavar="X", help="only this one, in the engine's or the source's own name"),
            option(
                "--since",
                metavar="T",
                default=signals.SINCE,
                help=f"30m, 2h, 7d, 2026-11-20 or 2026-11-20T09:00:00Z (default {signals.SINCE})",
            ),
            option("--limit", type=int, default=signals.LIMIT, metavar="N", help="how many lines of each source"),
            option("--json", action="store_true", help="one JSON object instead of lines"),
        ),
    ),
    Verb(
        "webhook-url",
        alert.webhook_url,
        "the address for TradingView's webhook field, token included",
        ("./run webhook-url",),
    ),
    Verb(
        "webhook-setup",
        webhook_setup.webhook_setup,
        "print the configuration of a proxy that brings TradingView's alerts to the webhook over HTTPS",
        (
            "./run webhook-setup alerts.example.org --proxy caddy > Caddyfile",
            "./run webhook-setup alerts.example.org --proxy nginx --client-ca /etc/ssl/tradingview-ca.pem",
        ),
        (
            option("domain", metavar="DOMAIN", help="the name under which TradingView reaches this machine"),
            option("--proxy", choices=webhook_setup.PROXIES, default="caddy", help="for which one (default caddy)"),
            option(
                "--client-ca", metavar="FILE", help="demand TradingView's client certificate, of one of these issuers"
            ),
        ),
    ),
)

SWITCHES = (
    Verb(
        "halt",
        switches.halt,
        "stop increases at once, in every running home; with --flatten close positions too",
        ("./run halt", "./run halt --flatten --home ~/live"),
        (
            option("--flatten", action="store_true", help="close every managed position"),
            option("--all", action="store_true", help="with --flatten: foreign positions too"),
        ),
    ),
    Verb(
        "resume",
        switches.resume,
        "lift the halt, or one account's trip",
        ("./run resume", "./run resume bybit-main"),
        (option("account", metavar="ACCOUNT", nargs="?", help="lift this account's trip, not the home's halt"),),
    ),
    Verb(
        "close",
        switches.close,
        "close a symbol until its source speaks again",
        ("./run close BTCUSDT", "./run close bybit-main BTCUSDT"),
        (ANY_ACCOUNT, SYMBOL),
    ),
    Verb(
        "resync",
        switches.resync,
        "take the signals in force and size them afresh",
        ("./run resync bybit-main", "./run resync bybit-main BTCUSDT"),
        (ACCOUNT, ANY_SYMBOL),
    ),
    Verb(
        "adopt",
        switches.adopt,
        "make a position found on the venue the engine's own",
        ("./run adopt bybit-main BTCUSDT",),
        (ACCOUNT, SYMBOL),
    ),
    Verb(
        "resolve",
        switches.resolve,
        "declare orders of unknown outcome over, after looking at the venue yourself",
        ("./run resolve bybit-main BTCUSDT",),
        (ACCOUNT, ANY_SYMBOL),
    ),
    Verb(
        "accept-instrument",
        switches.accept_instrument,
        "accept a changed contract size or lot",
        ("./run accept-instrument bybit-main BTCUSDT",),
        (ACCOUNT, SYMBOL),
    ),
)

TESTS = (
    Verb("test", check.run_checks, "everything CI runs: lint, format, types, layers, tests", ("./run test",)),
    Verb("check", check.run_checks, "the same as test", ("./run check",)),
)

VERBS = (*PROCESSES, *VENUES, *ALERTS, *SWITCHES, *TESTS)

BENCHES = ("alert", "webhook", "ingest", "idle", "reconcile", "kills", "sn8")
"""Measurements by name; each is the module of that name in bench/."""

HANDED_ON = {
    "simulator": "the venue simulator: ./run simulator --seed 7 --port-base 9100",
    "chaos": "whole engines against venues that misbehave: ./run chaos --seeds 100; --replay SEED tells one again",
    "bench": f"a measurement: ./run bench {' | '.join(BENCHES)} [--json]; each has its --help",
}
