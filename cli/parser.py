"""What `./run` understands. Help teaches by example; the verbs themselves stand in `cli.verbs`."""

from __future__ import annotations

import argparse

from cli.verbs import HANDED_ON, VERBS, Verb

INTRO = """\
Trade Engine: signals in, positions true.

  ./run demo      a complete engine against simulated venues; nothing to configure, no keys, no money
  ./run test      everything CI runs: lint, types, layers, tests
  ./run up        the engine of your home, under PM2
"""

OUTRO = """\
Homes: a home is the folder with one engine's configuration and state: the one named with --home DIR, the demo's with
--demo (both before or after the verb), else $TRADE_ENGINE_HOME, else this checkout.
Exit codes: 0 done; 1 not done, and the message says why and what to do; 2 the command line was not understood.
`./run VERB --help` explains one verb.
"""


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="./run", description=INTRO, epilog=OUTRO, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_home(parser, home=None, demo=False)
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", title="verbs")
    for verb in VERBS:
        own = verbs.add_parser(
            verb.name,
            help=verb.help,
            description=f"{verb.help[0].upper()}{verb.help[1:]}.",
            epilog=examples(verb),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        # After the verb, a flag that is not given must not overwrite what stood before it.
        add_home(own, home=argparse.SUPPRESS, demo=argparse.SUPPRESS)
        for option in verb.options:
            own.add_argument(*option.names, **option.how)
        own.set_defaults(act=verb.act)
    for name, help_text in HANDED_ON.items():
        verbs.add_parser(name, help=help_text, add_help=False)
    verbs.add_parser("help", help="this text").set_defaults(act=lambda args: show_help(parser))
    return parser


def add_home(parser: argparse.ArgumentParser, home: str | None, demo: bool | str) -> None:
    parser.add_argument("--home", metavar="DIR", default=home, help="the home to act on")
    parser.add_argument("--demo", action="store_true", default=demo, help="act on the demo's home")


def examples(verb: Verb) -> str:
    return "examples:\n" + "\n".join(f"  {line}" for line in verb.examples)


def show_help(parser: argparse.ArgumentParser) -> int:
    parser.print_help()
    return 0
