"""`--config`: the parameters of the Bittensor processor by question, flag or file: `bittensor_processor_config.json`.

Nothing is written before the last question is answered. Keys it does not know stay where they are.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from config.bittensor import MEANING, SECTIONS, BittensorKeys, check_bittensor
from config.checks import Raw
from config.home import Home
from config.problems import listed, nearest
from config.prompting import Person, Terminal, ask_until
from config.scripting import (
    DONE,
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
)
from config.values import number
from core.domain import plain
from core.errors import ConfigError
from core.state import RealFileOps

LIVE = "A running bittensor-signals takes it in with its next poll, within two seconds; nothing needs a restart."
COMMAND = "python3 signal_processors/bittensor_processor.py --config"
EXAMPLES = (
    f"{COMMAND} --show",
    f"{COMMAND} --set min_trades=20 --set max_trade_age_days=7",
    f"{COMMAND} --reset min_trades",
    f"{COMMAND} --from parameters.json",
)

Content = dict[str, Any]
"""The file as it stands there, unknown keys included."""


# --- pure -------------------------------------------------------------------------------------------------------------


def value_of(name: str, text: str) -> object:
    """A parameter as typed, as the file holds it. Raises ValueError with what would be right."""
    if name == "metagraph":
        if text.lower() not in ("true", "false"):
            raise ValueError("type true or false")
        return text.lower() == "true"
    try:
        exact = number(text)
    except ValueError:
        raise ValueError("type a number such as 0.25, with a point") from None
    value = int(exact) if exact == exact.to_integral_value() else exact
    problems = check_bittensor(Raw("", {name: value})).problems
    if problems:
        raise ValueError(problems[0].problem)
    return value


def shown(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return plain(Decimal(value)) if isinstance(value, int | Decimal) else str(value)


def with_value(content: Content, name: str, value: object) -> Content:
    """The content with another value, in its place or at the end; one that is equal stays as it is written."""
    if name in content and _equal(content[name], value):
        return content
    return {**content, name: value}


def _equal(written: object, value: object) -> bool:
    if isinstance(written, bool) or isinstance(value, bool):
        return written is value
    try:
        return number(written) == number(value)
    except ValueError:
        return False


# --- the questions ----------------------------------------------------------------------------------------------------


def converse(person: Person, content: Content, keys: BittensorKeys) -> Content:
    """The whole session; returns what is to be written. Enter keeps a value, and the default where there is none."""
    found = content
    for section, names in SECTIONS.items():
        person.say(f"\n{section}")
        for name in names:
            person.say(f"  {name}: {MEANING[name]}")
            current = getattr(keys, name)
            prompt = f"Enter {name} (press Enter for current value: {shown(current)}): "
            value = ask_until(person, prompt, _reader(name, current))
            if name in content or not _equal(current, value):
                found = with_value(found, name, value)
    person.say()
    return found


def _reader(name: str, current: object) -> Callable[[str], object]:
    return lambda answer: value_of(name, answer) if answer else current


def summary(keys: BittensorKeys, given: Mapping[str, object], say: Callable[[str], None]) -> None:
    say("Parameters of the Bittensor processor:")
    for section, names in SECTIONS.items():
        say(f"  {section}")
        for name in names:
            say(f"    {name}: {shown(getattr(keys, name))}{'' if name in given else ' (default)'}")


# --- the file ---------------------------------------------------------------------------------------------------------


def present_in(opened: Opened, output: Output) -> Content:
    """The file's content. A single value that is wrong is told, and mended by the answers. Raises ConfigError."""
    if opened.raw is None:
        return {}
    checked = check_bittensor(opened.raw)
    if not isinstance(opened.raw.data, dict):
        raise checked.problems[0]
    for finding in (*checked.problems, *checked.warnings):
        output.warn(finding)
    return dict(opened.raw.data)


def usable(content: Content) -> BittensorKeys:
    """The parameters of a content, with the default in place of each value that cannot be."""
    good = {name: value for name, value in content.items() if check_bittensor(Raw("", {name: value})).value is not None}
    found = check_bittensor(Raw("", good)).value
    assert found is not None
    return found


def save(opened: Opened, wanted: Content, output: Output, *, write: bool) -> int:
    """Checks what is to be written as a whole, and writes it. Raises StateError, OSError: nothing was changed."""
    checked = check_bittensor(Raw(opened.path.name, wanted))
    if checked.value is None:
        return refused(output, checked.problems)
    if write:
        output.write(opened, wanted, RealFileOps(), LIVE)
    summary(checked.value, wanted, output.say)
    return DONE


# --- without a terminal -----------------------------------------------------------------------------------------------


def edited(content: Content, sets: Sequence[str], resets: Sequence[str]) -> Content:
    """The content after `--reset NAME` and `--set NAME=VALUE`. Raises ConfigError."""
    for name in resets:
        _known("--reset", name)
    found = {name: value for name, value in content.items() if name not in resets}
    for text in sets:
        name, equals, value = text.partition("=")
        if not equals:
            raise ConfigError(f"--set {text[:80]}", "must be NAME=VALUE, such as min_trades=20")
        _known("--set", name)
        try:
            found = with_value(found, name, value_of(name, value.strip()))
        except ValueError as error:
            raise ConfigError(f"--set {text[:80]}", str(error)) from None
    return found


def _known(flag: str, name: str) -> None:
    if name not in BittensorKeys.model_fields:
        near = nearest(name, BittensorKeys.model_fields)
        hint = f"did you mean {near}?" if near else f"there are {listed(BittensorKeys.model_fields)}"
        raise ConfigError(f"{flag} {name[:80]}", f"is not a parameter; {hint}")


def _validate(opened: Opened, output: Output) -> int:
    if opened.raw is None:
        output.say(f"{opened.path} does not exist, so every parameter has its default.")
        return DONE
    checked = check_bittensor(opened.raw)
    for problem in checked.problems:
        output.problem(problem)
    for warning in checked.warnings:
        output.warn(warning)
    if checked.value is None:
        return NOT_DONE
    output.say(f"{opened.path} is valid.")
    return DONE


def _given(name: str) -> Content:
    raw = given_json(name, RealFileOps())
    checked = check_bittensor(raw)
    if checked.value is None:
        raise checked.problems[0]
    return dict(raw.data)


def _act(args: argparse.Namespace, home: Home, output: Output, person: Person) -> int:
    opened = open_json(home.bittensor_config, RealFileOps())
    if args.validate and not (args.given or args.set or args.reset):
        return _validate(opened, output)
    present = present_in(opened, output)
    if args.show:
        keys = usable(present)
        output.more["content"] = {name: getattr(keys, name) for name in BittensorKeys.model_fields}
        summary(keys, present, output.say)
        return DONE
    if args.given:
        wanted = {**present, **_given(args.given)}
    elif args.set or args.reset:
        wanted = edited(present, args.set, args.reset)
    else:
        wanted = converse(person, present, usable(present))
    output.more["content"] = wanted
    return save(opened, wanted, output, write=not args.validate)


def main(argv: Sequence[str], person: Person | None = None) -> int:
    parser = common_parser("bittensor", "How traders of Bittensor SN8 are chosen, scored and weighed.", EXAMPLES)
    parser.prog = COMMAND
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="set a parameter")
    parser.add_argument("--reset", action="append", default=[], metavar="NAME", help="back to its default")
    args = parser.parse_args(argv)
    if args.check is not None:
        parser.error("--check asks venues, and these parameters are none of theirs. Nothing was changed.")
    one_way(parser, args, {"--from": args.given, "--set or --reset": args.set or args.reset})
    home = home_of(parser, args.home)
    output = Output(home.bittensor_config, args.json)
    return guarded(output, lambda: _act(args, home, output, person or Terminal()))
