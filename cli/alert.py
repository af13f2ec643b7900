"""`./run alert` says to the webhook what TradingView would, and puts its answer into words; `./run webhook-url`."""

from __future__ import annotations

import argparse
import time
from typing import Any

from cli.errors import UserError
from cli.places import elsewhere, flag, home_of, shown
from cli.reading import webhook_url_of
from cli.web import Unreachable, ask
from config.home import Home
from core.state import format_instant


def alert(args: argparse.Namespace) -> int:
    home = home_of(args)
    body = alert_body(args, time.time())
    started = time.monotonic()
    status, answer = send_alert(home, body)
    print(f"{shown(home)}: {in_words(status, answer, home)} ({(time.monotonic() - started) * 1000:.0f} ms)")
    return 0 if status == 200 else 1


def alert_body(args: argparse.Namespace, now: float) -> dict[str, str]:
    """The alert as TradingView would send it; `now` epoch seconds."""
    body = {"symbol": args.symbol, "direction": args.direction}
    if args.direction == "flat":
        body |= {"action": "sell", "size": "Exit"}
    elif args.size is None:
        hint = f"`./run alert {args.symbol} {args.direction} 14.08/100` is 14.08 % of equity; 0.1408 means the same."
        raise UserError(f"How much? {hint}")
    else:
        body["action"] = "buy" if args.direction == "long" else "sell"
        body["size" if "/" in args.size else "depth"] = args.size
    optional = {"leverage": args.leverage, "price": args.price, "time": format_instant(now)}
    return body | {name: value for name, value in optional.items() if value is not None}


def send_alert(home: Home, body: dict[str, str]) -> tuple[int, Any]:
    try:
        return ask("POST", webhook_url_of(home), body)
    except Unreachable as error:
        raise UserError(
            f"{shown(home)}: the webhook does not answer ({error}), so the alert was not taken.\n"
            f"`./run up{flag(home)}` starts it, `./run status{flag(home)}` shows what runs.{elsewhere(home)}"
        ) from error


def in_words(status: int, answer: Any, home: Home) -> str:
    """The endpoint's answer for people. `answer` is its JSON, None where it was none."""
    said = answer if isinstance(answer, dict) else {}
    if status == 200:
        event = f"event {said.get('event')}"
        because = said.get("because")
        if said.get("duplicate"):
            return f"a repeat ({event}): nothing changes." + (f" {because}" if because else "")
        if said.get("in_force"):
            return f"accepted and in force ({event}); it is on disk, and the engine sees it at once."
        return f"accepted ({event}), but not in force: {because or 'no reason given'}"
    reason = said.get("reason") or said.get("because") or "no reason given"
    if status == 400:
        return f"refused, nothing changed: {said.get('field', 'body')}: {reason}"
    if status == 404:
        return "refused: the webhook does not know the token in credentials.json; was it started in another home?"
    if status == 503:
        return f"not taken, storage failed: {reason}. Look at the disk of {home.root}, then send it again."
    return f"the webhook answered {status}: {reason}"


def webhook_url(args: argparse.Namespace) -> int:
    """On stdout only the address, so that scripts can use it."""
    print(webhook_url_of(home_of(args)))
    return 0
