"""Asks how much say each source has in each mapped symbol, and its leverage: `signal_weight_config.json`.

    python3 config/signal_weights.py [--home DIR] [--show | --validate | --from FILE | --symbol X --weight SOURCE=W ...]

Nothing is written before the last question is answered. What it does not ask about (fields it does not know, weights of
sources without a mapping, the order) stays.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from config.assemble import FileSet, assemble
from config.checks import MAPPINGS, WEIGHTS, Raw, check_engine, check_mappings, check_weights
from config.contents import parsed
from config.home import Home
from config.naming import strangers
from config.preflight import check_accounts
from config.problems import listed, nearest
from config.prompting import Person, Terminal
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
from config.values import check_source, check_symbol, number
from config.weight_session import (
    MAX_LEVERAGE,
    Entry,
    Talk,
    json_number,
    leverage_of,
    pairs_of,
    replaced,
    shown,
    weight_of,
    with_weight,
)
from core.domain import plain
from core.errors import ConfigError
from core.state import RealFileOps

NO_MAPPINGS = "make the mappings first: python3 config/asset_mapping.py"
EXAMPLES = (
    "python3 config/signal_weights.py --show",
    "python3 config/signal_weights.py --symbol TAOUSDT --leverage 3 --weight tradingview=0.1 --weight bittensor=0.15",
    "python3 config/signal_weights.py --remove TAOUSDT",
)


def summary(entries: Sequence[Entry], say: Callable[[str], None]) -> None:
    say("Summary of signal weights:" if entries else "Summary of signal weights: none")
    for entry in entries:
        total = sum((number(share["weight"]) for share in entry["sources"]), Decimal(0))
        say(f"  {entry['symbol']}: leverage {plain(number(entry['leverage']))}, allocated weight {shown(total)}")
        for share in entry["sources"]:
            say(f"    {share['source']}: {shown(number(share['weight']))}")


# --- the files --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Around:
    """The files that the weights must fit: the mappings, and engine_config where there is a usable one."""

    mappings: Raw
    engine: Raw | None
    highest: Decimal


def around(home: Home, output: Output) -> Around:
    """Reads them; a broken engine_config is told and left out. Raises ConfigError without usable mappings."""
    mappings = open_json(home.asset_mapping, RealFileOps()).raw
    if mappings is None:
        raise ConfigError(home.asset_mapping.name, f"does not exist; {NO_MAPPINGS}")
    shaped(MAPPINGS, mappings)
    for problem in check_mappings(mappings).problems:
        output.warn(problem)
    try:
        engine = _engine(home)
        checked = None if engine is None else check_engine(engine)
    except (ConfigError, OSError) as error:
        output.warn(f"{error}. Its limits are not looked at here; the default ones are.")
        return Around(mappings, None, MAX_LEVERAGE)
    if checked is None or checked.value is None:
        for problem in checked.problems if checked else ():
            output.warn(problem)
        return Around(mappings, None, MAX_LEVERAGE)
    return Around(mappings, engine, checked.value.policy.max_leverage)


def _engine(home: Home) -> Raw | None:
    found = open_json(home.engine_config, RealFileOps()).raw
    toml = home.engine_config.with_suffix(".toml")
    return found if found is not None or not toml.exists() else parsed(toml.read_bytes(), toml.name)


def present_in(opened: Opened, output: Output) -> list[Entry]:
    """The entries of the file. What the answers can mend (a sum) is told; anything else raises ConfigError."""
    if opened.raw is None:
        return []
    shaped(WEIGHTS, opened.raw)
    entries: list[Entry] = opened.raw.data
    problems = check_weights(opened.raw).problems
    names = [[entry["symbol"] for entry in entries], *([s["source"] for s in entry["sources"]] for entry in entries)]
    if any(len(set(of)) != len(of) for of in names):
        raise problems[0]
    for problem in problems:
        output.warn(problem)
    return entries


def findings(home: Home, weights: Raw, fits: Around, output: Output) -> list[ConfigError]:
    """What stands against these weights; what only deserves a word is told."""
    checked = assemble(FileSet(fits.mappings, weights, fits.engine), None)
    own = [problem for problem in checked.problems if problem.where.startswith(weights.file)]
    others = [problem for problem in checked.problems if problem not in own]
    for warning in (*checked.warnings, *others):
        output.warn(warning)
    if not own and isinstance(weights.data, list):
        sources = dict.fromkeys(share["source"] for entry in weights.data for share in entry["sources"])
        for source, words in strangers(home, sources):
            output.warn(f"{weights.file}: {source}: {words}")
    return own


def save(opened: Opened, wanted: list[Entry], fits: Around, home: Home, output: Output, *, write: bool) -> int:
    """Checks the whole set with what is to be written, and writes it. Raises StateError, OSError: nothing changed."""
    problems = findings(home, Raw(opened.path.name, wanted), fits, output)
    if problems:
        return refused(output, problems)
    if write:
        output.write(opened, wanted, RealFileOps(), LIVE)
    return DONE


# --- without a terminal -----------------------------------------------------------------------------------------------


def edited(present: Sequence[Entry], args: argparse.Namespace, highest: Decimal) -> list[Entry]:
    """The entries after `--remove`, or `--symbol` with `--leverage` and `--weight`. Raises ConfigError."""
    if args.remove:
        if all(entry["symbol"] != args.remove for entry in present):
            known = [entry["symbol"] for entry in present]
            near = nearest(args.remove, known)
            hint = f"did you mean {near}?" if near else f"these have: {listed(known)}"
            raise ConfigError(f"--remove {args.remove}", f"has no weights; {hint}")
        return [entry for entry in present if entry["symbol"] != args.remove]
    flag = f"--symbol {args.symbol}"
    try:
        symbol = check_symbol(args.symbol)
        entry = next((one for one in present if one["symbol"] == symbol), None)
        if args.leverage is not None:
            flag = f"--leverage {args.leverage}"
            leverage = json_number(leverage_of(args.leverage, highest))
            entry = {**(entry or {"symbol": symbol, "leverage": leverage, "sources": []}), "leverage": leverage}
        if entry is None:
            raise ValueError("is new and needs its leverage too: --leverage 3")
        given: set[str] = set()
        for text in args.weight:
            flag = f"--weight {text}"
            source, equals, weight = text.partition("=")
            if not equals:
                raise ValueError("must be SOURCE=WEIGHT, such as tradingview=0.1")
            if source in given:
                raise ValueError(f"names {source} a second time; give each source once")
            given.add(source)
            entry = with_weight(entry, check_source(source), weight_of(weight, Decimal(1)))
    except ValueError as error:
        raise ConfigError(flag[:100], str(error)) from None
    return replaced(present, entry)


def merged(present: Sequence[Entry], given: Sequence[Entry]) -> list[Entry]:
    """`present` with each given symbol's entry over its own; other symbols, fields and the order stay."""
    found = list(present)
    for entry in given:
        before = next((one for one in found if one["symbol"] == entry["symbol"]), {})
        found = replaced(found, {**before, **entry})
    return found


def _from(name: str, present: Sequence[Entry], fits: Around, home: Home, output: Output) -> list[Entry]:
    raw = given_json(name, RealFileOps())
    shaped(WEIGHTS, raw)
    problems = findings(home, raw, fits, output)
    if problems:
        raise problems[0]
    return merged(present, raw.data)


def _validate(home: Home, opened: Opened, fits: Around, output: Output) -> int:
    if opened.raw is None:
        return refused(output, [f"{opened.path.name} does not exist; make it with python3 config/signal_weights.py"])
    problems = findings(home, opened.raw, fits, output)
    for problem in problems:
        output.problem(problem)
    if not problems:
        output.say(f"{opened.path} is valid.")
    return NOT_DONE if problems else DONE


def _act(args: argparse.Namespace, home: Home, output: Output, person: Person) -> int:
    if args.check is not None:
        return check_accounts(home, args.check, output)
    opened = open_json(home.signal_weights, RealFileOps())
    fits = around(home, output)
    if args.validate and not (args.given or args.symbol or args.remove):
        return _validate(home, opened, fits, output)
    present = present_in(opened, output)
    if args.show:
        output.more["content"] = present
        summary(present, output.say)
        return DONE
    if args.given:
        wanted = _from(args.given, present, fits, home, output)
    elif args.symbol or args.remove:
        wanted = edited(present, args, fits.highest)
    else:
        wanted = _converse(person, present, fits, output)
    output.more["content"] = wanted
    code = save(opened, wanted, fits, home, output, write=not args.validate)
    if code == DONE:
        summary(wanted, output.say)
    return code


def _converse(person: Person, present: list[Entry], fits: Around, output: Output) -> list[Entry]:
    pairs = pairs_of(fits.mappings.data, present)
    if not pairs:
        raise ConfigError(fits.mappings.file, f"maps no symbol yet; {NO_MAPPINGS}")
    asked = {pair.symbol for pair in pairs}
    for entry in present:
        if entry["symbol"] not in asked:
            words = "has weights but no mapping, and is kept as it is; its position is held, not closed"
            output.warn(f"{entry['symbol']} {words} (close it with ./run close {entry['symbol']})")
    return Talk(person, fits.highest).entries(pairs, present)


def main(argv: Sequence[str] | None = None, person: Person | None = None) -> int:
    parser = common_parser("signal_weights", "How much say each source has in each symbol, and its leverage.", EXAMPLES)
    parser.add_argument("--symbol", metavar="SYMBOL", help="the symbol that --leverage and --weight are for")
    parser.add_argument("--leverage", metavar="L", help="1 to max_leverage (20 unless engine_config says otherwise)")
    parser.add_argument("--weight", action="append", default=[], metavar="SOURCE=W", help="a source's weight, 0 to 1")
    parser.add_argument("--remove", metavar="SYMBOL", help="remove a symbol's entry; its position is held, not closed")
    args = parser.parse_args(argv)
    if (args.leverage is not None or args.weight) and not args.symbol:
        parser.error("--leverage and --weight need --symbol SYMBOL. Nothing was changed.")
    if args.symbol and args.leverage is None and not args.weight:
        parser.error("--symbol needs --leverage or --weight. Nothing was changed.")
    one_way(parser, args, {"--from": args.given, "--symbol": args.symbol, "--remove": args.remove})
    home = home_of(parser, args.home)
    output = Output(home.signal_weights, args.json)
    return guarded(output, lambda: _act(args, home, output, person or Terminal()))


if __name__ == "__main__":
    sys.exit(main())
