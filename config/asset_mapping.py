"""Asks which of the engine's symbols each source's own symbols mean: `asset_mapping_config.json`.

    python3 config/asset_mapping.py [--home DIR] [--show | --validate | --from FILE | --set SOURCE:OWN=TARGET ...]

Nothing is written before the last question is answered. What it does not ask about (other sources, the order) stays.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence

from config.checks import MAPPINGS, Raw, check_mappings
from config.home import Home
from config.naming import check_own, quote_hint, strangers, tidy
from config.preflight import check_accounts
from config.problems import listed
from config.prompting import Person, Terminal, ask_until, choose
from config.scripting import (
    DONE,
    LIVE,
    NOT_DONE,
    Opened,
    Output,
    common_parser,
    given_json,
    guarded,
    home_of,
    one_way,
    open_json,
    refused,
    shaped,
)
from config.values import check_source, check_symbol
from core.errors import ConfigError
from core.ports import FileOps
from core.state import RealFileOps

ASKED = ("tradingview", "bittensor")
OWN_PROMPT = "Enter source asset symbol (e.g., ETHUSD) or press Enter to finish: "
MENU = """
What would you like to do with existing mappings?
  k - keep all existing mappings
  m - modify existing mappings one by one
  n - start fresh with no mappings"""
EXAMPLES = (
    "python3 config/asset_mapping.py --show",
    "python3 config/asset_mapping.py --set tradingview:TAOUSDT=TAOUSDT --set bittensor:TAOUSD=TAOUSDT",
    "python3 config/asset_mapping.py --from mappings.json",
)

Mapping_ = dict[str, str]
"""A source's own symbol -> the engine's, in order."""
All = dict[str, Mapping_]


# --- pure: what an answer does ----------------------------------------------------------------------------------------


def put(mapping: Mapping_, own: str, target: str) -> tuple[Mapping_, str | None]:
    """`own` means `target` from now on, in its old place if it has one; and which other symbol lost that target."""
    loser = next((other for other, meant in mapping.items() if meant == target and other != own), None)
    found = {**mapping, own: target}
    if loser is not None:
        del found[loser]
    return found, loser


def merged(present: All, given: Mapping[str, Mapping_]) -> All:
    """`present`, with each given source's mapping in place of its own; the others and the order stay."""
    return {**present, **{source: dict(mapping) for source, mapping in given.items()}}


# --- the questions ----------------------------------------------------------------------------------------------------


def converse(person: Person, present: All) -> All:
    """The whole session; returns what is to be written."""
    found = dict(present)
    for source in [*ASKED, *(name for name in present if name not in ASKED)]:
        mapping = _existing(person, source, present.get(source, {}))
        person.say(f"\nConfiguring mappings for {source}")
        mapping = _new(person, source, mapping)
        if mapping or source in present:
            found[source] = mapping
        person.say()
    return found


def _existing(person: Person, source: str, mapping: Mapping_) -> Mapping_:
    if not mapping:
        person.say(f"No mappings for {source} yet.")
        return {}
    person.say(f"Current mappings for {source}:")
    for own, target in mapping.items():
        person.say(f"  {own} -> {target}")
    person.say(MENU)
    answer = choose(person, "Choose (k/m/n): ", "kmn", default="k")
    if answer == "n":
        person.say(f"  Starting fresh: what {source} maps now is dropped once all is answered.")
        return {}
    return dict(mapping) if answer == "k" else _modified(person, source, mapping)


def _modified(person: Person, source: str, mapping: Mapping_) -> Mapping_:
    found = dict(mapping)
    for own, target in mapping.items():
        if found.get(own) != target:
            continue  # it lost its target to a mapping modified before
        person.say(f"\nCurrent mapping: {own} -> {target}")
        answer = choose(person, "Keep/Modify/Remove (k/m/r)? ", "kmr", default="k")
        if answer == "r":
            del found[own]
            person.say(f"  {own} is removed. Until it is mapped again, what {source} contributed by it stays frozen.")
        elif answer == "m":
            found = _put(person, found, own, _target(person, own, target))
    return found


def _new(person: Person, source: str, mapping: Mapping_) -> Mapping_:
    found = mapping
    while own := ask_until(person, OWN_PROMPT, lambda answer: check_own(source, answer, person.say)):
        present = found.get(own)
        if present is not None:
            person.say(f"  {own} is already mapped to {present}.")
            if choose(person, "Do you want to update it? (y/n): ", "yn", default="n") == "n":
                continue
        found = _put(person, found, own, _target(person, own, present))
    return found


def _target(person: Person, own: str, present: str | None) -> str:
    if present is None:
        prompt = f"Enter translated asset symbol for {own}: "
    else:
        prompt = f"Enter translated asset symbol for {own} (press Enter for current value: {present}): "

    def read(answer: str) -> str:
        if not answer:
            if present is None:
                raise ValueError("type the symbol to trade, such as BTCUSDT; a source's own symbol may be the same")
            return present
        return check_symbol(tidy(answer, person.say))

    return ask_until(person, prompt, read)


def _put(person: Person, mapping: Mapping_, own: str, target: str) -> Mapping_:
    found, loser = put(mapping, own, target)
    if loser is not None:
        person.say(f"  {target} was the target of {loser}; that mapping is removed, so that {target} has one source.")
    return found


def summary(mappings: All, say: Callable[[str], None]) -> None:
    say("Summary of asset mappings:")
    for source, mapping in mappings.items():
        say(f"  {source}:" if mapping else f"  {source}: none")
        for own, target in mapping.items():
            say(f"    {own} -> {target}")


# --- the file ---------------------------------------------------------------------------------------------------------


def present_in(opened: Opened, output: Output) -> All:
    """What the file maps. What is only at odds with itself is told and can be mended by the answers.

    Raises ConfigError where it is not a mapping file.
    """
    if opened.raw is None:
        return {}
    shaped(MAPPINGS, opened.raw)
    for problem in check_mappings(opened.raw).problems:
        output.warn(problem)
    data: All = opened.raw.data
    return data


def save(opened: Opened, wanted: All, home: Home, output: Output, *, write: bool = True) -> int:
    """Checks what is to be written as a whole, and writes it. Raises StateError, OSError: nothing was changed."""
    candidate = Raw(opened.path.name, wanted)
    problems = check_mappings(candidate).problems
    if problems:
        return refused(output, problems)
    _notes(home, wanted, output)
    if write:
        output.write(opened, wanted, RealFileOps(), LIVE)
    return DONE


def _notes(home: Home, mappings: All, output: Output) -> None:
    for source, words in strangers(home, mappings):
        output.warn(f"{home.asset_mapping.name}: {source}: {words}")
    for target in dict.fromkeys(target for mapping in mappings.values() for target in mapping.values()):
        if hint := quote_hint(target):
            output.warn(hint)


# --- without a terminal -----------------------------------------------------------------------------------------------


def edited(present: All, sets: Sequence[str], removes: Sequence[str]) -> tuple[All, list[str]]:
    """The mappings after `--set SOURCE:OWN=TARGET` and `--remove SOURCE:OWN`, and what to say. Raises ConfigError."""
    found, said = dict(present), list[str]()
    for text in removes:
        source, own = _pair(text, "--remove", "SOURCE:OWN, such as bittensor:TAOUSD")
        if own not in found.get(source, {}):
            raise ConfigError(
                f"--remove {text}", f"{source} has no mapping of {own}; it has {listed(found.get(source, {}))}"
            )
        found[source] = {other: target for other, target in found[source].items() if other != own}
    for text in sets:
        left, equals, target = text.partition("=")
        source, own = _pair(left, "--set", "SOURCE:OWN=TARGET, such as bittensor:TAOUSD=TAOUSDT")
        try:
            if not equals:
                raise ValueError("has no =; write SOURCE:OWN=TARGET, such as bittensor:TAOUSD=TAOUSDT")
            own = check_own(check_source(source), own, said.append)
            found[source], loser = put(found.get(source, {}), own, check_symbol(target))
        except ValueError as error:
            raise ConfigError(f"--set {text[:80]}", str(error)) from None
        if loser is not None:
            said.append(f"{source}: {target} was the target of {loser}; that mapping is removed.")
    return found, said


def _pair(text: str, flag: str, form: str) -> tuple[str, str]:
    source, colon, own = text.partition(":")
    if not (colon and source and own):
        raise ConfigError(f"{flag} {text[:80]}", f"must be {form}")
    return source, own


def _given(raw: Raw) -> All:
    shaped(MAPPINGS, raw)
    problems = check_mappings(raw).problems
    if problems:
        raise problems[0]
    data: All = raw.data
    return data


def _validate(home: Home, opened: Opened, output: Output) -> int:
    if opened.raw is None:
        return refused(output, [f"{opened.path.name} does not exist; make it with python3 config/asset_mapping.py"])
    problems = check_mappings(opened.raw).problems
    for problem in problems:
        output.problem(problem)
    if problems:
        return NOT_DONE
    _notes(home, opened.raw.data, output)
    output.say(f"{opened.path} is valid.")
    return DONE


def _act(args: argparse.Namespace, home: Home, output: Output, person: Person) -> int:
    files: FileOps = RealFileOps()
    if args.check is not None:
        return check_accounts(home, args.check, output)
    opened = open_json(home.asset_mapping, files)
    if args.validate and not (args.given or args.set or args.remove):
        return _validate(home, opened, output)
    present = present_in(opened, output)
    if args.show:
        output.more["content"] = present
        summary(present, output.say)
        return DONE
    if args.given:
        wanted = merged(present, _given(given_json(args.given, files)))
    elif args.set or args.remove:
        wanted, said = edited(present, args.set, args.remove)
        for line in said:
            output.warn(line)
    else:
        wanted = converse(person, present)
    output.more["content"] = wanted
    code = save(opened, wanted, home, output, write=not args.validate)
    if code == DONE:
        summary(wanted, output.say)
    return code


def main(argv: Sequence[str] | None = None, person: Person | None = None) -> int:
    parser = common_parser("asset_mapping", "Which of the engine's symbols a source's own symbols mean.", EXAMPLES)
    parser.add_argument("--set", action="append", default=[], metavar="SOURCE:OWN=TARGET", help="map a symbol")
    parser.add_argument("--remove", action="append", default=[], metavar="SOURCE:OWN", help="remove a mapping")
    args = parser.parse_args(argv)
    one_way(parser, args, {"--from": args.given, "--set or --remove": args.set or args.remove})
    home = home_of(parser, args.home)
    output = Output(home.asset_mapping, args.json)
    return guarded(output, lambda: _act(args, home, output, person or Terminal()))


if __name__ == "__main__":
    sys.exit(main())
