"""From the command line to a verb, and from whatever it raises to an exit code."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence

from cli.errors import UserError
from cli.parser import build_parser, show_help
from cli.places import demo_homes
from cli.verbs import BENCHES, HANDED_ON

DONE, NOT_DONE, NOT_UNDERSTOOD, INTERRUPTED = 0, 1, 2, 130
ONE_PROGRAM = {"simulator": "simulator.server", "chaos": "chaos"}
"""Verbs that are a program of their own: verb -> module."""


def main(words: Sequence[str]) -> int:
    try:
        return dispatch(list(words))
    except UserError as error:
        print(error, file=sys.stderr)
        return NOT_DONE
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has left; nothing may be written to it while Python shuts down either.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NOT_DONE


def dispatch(words: list[str]) -> int:
    home, rest = split_home(words)
    if rest and rest[0] in HANDED_ON:
        return hand_on(rest[0], rest[1:], home)
    parser = build_parser()
    args = parser.parse_args(words)
    if args.verb is None:
        show_help(parser)
        return NOT_UNDERSTOOD
    return int(args.act(args))


def split_home(words: list[str]) -> tuple[str | None, list[str]]:
    """The home named before the verb, and what follows it."""
    home = None
    rest = words
    while rest and rest[0].startswith("--"):
        if rest[0] == "--demo":
            home, rest = str(demo_homes()[0].root), rest[1:]
        elif rest[0] == "--home" and len(rest) > 1:
            home, rest = rest[1], rest[2:]
        elif rest[0].startswith("--home="):
            home, rest = rest[0].removeprefix("--home="), rest[1:]
        else:
            break
    return home, rest


def hand_on(verb: str, rest: list[str], home: str | None) -> int:
    """Becomes the other program; it has its own options, help and exit code."""
    if verb in ONE_PROGRAM:
        module = ONE_PROGRAM[verb]
    else:
        if not rest or rest[0] not in BENCHES:
            unknown = f"There is no bench {rest[0][:40]!r}. " if rest and not rest[0].startswith("-") else ""
            raise UserError(f"{unknown}Which one? {HANDED_ON[verb]}")
        module, rest = f"bench.{rest[0]}", rest[1:]
    if home is not None:
        os.environ["TRADE_ENGINE_HOME"] = home
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-P", "-m", module, *rest])  # noqa: S606 - no shell is wanted
