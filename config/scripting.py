"""What the configuration scripts share: their options, what they say and return, and how they replace a file.

Exit codes: 0 done; 1 not done, and the message says why and what to do; 2 the command line was not understood; 130
interrupted. A file is replaced as a whole once everything was answered, or it is not touched.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from pydantic import TypeAdapter, ValidationError

from config.checks import Raw
from config.contents import MAX_BYTES, parsed
from config.home import Home
from config.problems import explained
from config.prompting import Ended
from core.errors import ConfigError, EngineError
from core.ports import FileOps
from core.state import content_hash, dumps, update_json

DONE, NOT_DONE, NOT_UNDERSTOOD, INTERRUPTED = 0, 1, 2, 130
UNCHANGED = "Nothing was changed."
LIVE = (
    "Every running program takes it in within two seconds; nothing needs a restart. With --check the venues are asked."
)


# --- files ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Opened:
    """A file as it was read: `raw` and `version` None where there is none."""

    path: Path
    raw: Raw | None
    version: str | None


def open_json(path: Path, files: FileOps, name: str | None = None) -> Opened:
    """Reads a JSON file that somebody is about to edit. Raises ConfigError with line and column where it is not one."""
    shown = name or path.name
    try:
        identity = files.identity(path)
        if identity is None:
            return Opened(path, None, None)
        if identity.size > MAX_BYTES:
            raise ConfigError(shown, f"is larger than {MAX_BYTES // 1024 // 1024} MiB; is it the right file?")
        data = files.read(path)
    except OSError as error:
        raise ConfigError(shown, f"cannot be read: {error.strerror or error}; make it readable") from error
    return Opened(path, parsed(data, shown), content_hash(data))


def given_json(name: str, files: FileOps, keyboard: int = 0) -> Raw:
    """The content of `--from NAME`; `-` is standard input. Raises ConfigError."""
    if name == "-":
        return parsed(_bounded(keyboard, "standard input"), "standard input")
    path = Path(name).expanduser()
    try:
        # A pipe (the shell's <(…)) and a device have no size to look at first, and a device may have no end.
        if path.is_fifo() or path.is_char_device():
            with path.open("rb", buffering=0) as stream:
                return parsed(_bounded(stream.fileno(), name), name)
    except OSError as error:
        raise ConfigError(name, f"cannot be read: {error.strerror or error}; make it readable") from error
    found = open_json(path, files, name)
    if found.raw is None:
        raise ConfigError(name, "does not exist; name a JSON file, or - for standard input")
    return found.raw


def _bounded(stream: int, name: str) -> bytes:
    data = b""
    while len(data) <= MAX_BYTES and (chunk := os.read(stream, 1024 * 1024)):
        data += chunk
    if len(data) > MAX_BYTES:
        raise ConfigError(name, f"is larger than {MAX_BYTES // 1024 // 1024} MiB; is it the right file?")
    return data


def replace_json(opened: Opened, value: object, files: FileOps) -> bool:
    """Makes the file hold `value`; False where it already does. Raises Conflict, Locked, OSError: nothing changed."""
    if opened.raw is not None and dumps(opened.raw.data) == dumps(value):
        return False
    update_json(opened.path, opened.version, value, ops=files)
    return True


def shaped(of: TypeAdapter[Any], raw: Raw) -> None:
    """Raises ConfigError, with field and line, where the content is not of the file's form at all."""
    try:
        of.validate_python(raw.data)
    except ValidationError as error:
        found = explained(error, raw.file, (), raw.locate)
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        raise ConfigError(found[0].where, f"{found[0].problem}{more}") from None


# --- what is said and returned ----------------------------------------------------------------------------------------


@dataclass
class Output:
    """Lines for people, or with `as_json` one JSON object at the end: what was said is in it."""

    path: Path
    as_json: bool = False
    out: TextIO = field(default_factory=lambda: sys.stdout)
    changed: bool = False
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    more: dict[str, object] = field(default_factory=dict)

    def say(self, text: str = "") -> None:
        if not self.as_json:
            self.out.write(f"{text}\n")
            self.out.flush()

    def problem(self, text: object) -> None:
        self.problems.append(str(text))
        self.say(f"Problem: {text}")

    def warn(self, text: object) -> None:
        if str(text) not in self.warnings:
            self.warnings.append(str(text))
            self.say(f"Note: {text}")

    def write(self, opened: Opened, value: object, files: FileOps, effect: str) -> None:
        """Replaces the file, and says when that takes effect. Raises Conflict, Locked, OSError: nothing was changed.

        Signals wait meanwhile: who interrupts must be told truly whether anything was written.
        """
        held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
        try:
            self.changed = replace_json(opened, value, files)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, held)
        written = f"{self.path} was written. {effect}"
        self.say(written if self.changed else f"{self.path} already says that. {UNCHANGED}")

    def end(self, code: int) -> int:
        if self.as_json:
            head = {"file": self.path.name, "path": str(self.path), "done": code == DONE, "changed": self.changed}
            found = {**head, "problems": self.problems, "warnings": self.warnings, **self.more}
            self.out.write(dumps(found, indent=2) + "\n")
            self.out.flush()
        return code


def refused(output: Output, problems: Sequence[object]) -> int:
    """Ends an edit that may not be: every problem, and that nothing of it was taken."""
    for problem in problems:
        output.problem(problem)
    output.say(UNCHANGED)
    return NOT_DONE


def guarded(output: Output, act: Callable[[], int]) -> int:
    """Runs a script to its exit code, whatever it meets. Signals that end programs end it like Ctrl-C."""
    try:
        with _interrupted_by(signal.SIGTERM, signal.SIGHUP):
            return output.end(act())
    except KeyboardInterrupt:
        words = f"Interrupted. {f'{output.path} was written before.' if output.changed else UNCHANGED}"
        return _left(output, words, "", INTERRUPTED)
    except Ended:
        words = f"The input ended before the questions did. {UNCHANGED}"
        return _left(output, words, " Without a terminal, see --help: --from FILE and other flags.", NOT_DONE)
    except BrokenPipeError:
        # Whoever read our output has left; nothing may be written to it while Python shuts down either.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NOT_DONE
    except OSError as error:
        return output.end(refused(output, [f"{error.filename or output.path}: {error.strerror or error}; mend that"]))
    except EngineError as error:
        return output.end(refused(output, [error]))


def _left(output: Output, words: str, more: str, code: int) -> int:
    """The last words to somebody who left, and maybe took the terminal along."""
    with contextlib.suppress(OSError):
        output.say(f"\n{words}{more}")
        output.problems.append(words)
        output.end(code)
    return code


@contextlib.contextmanager
def _interrupted_by(*numbers: int) -> Iterator[None]:
    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


# --- the command line -------------------------------------------------------------------------------------------------


def common_parser(script: str, what: str, examples: Sequence[str]) -> argparse.ArgumentParser:
    """A parser with the options every script has."""
    parser = argparse.ArgumentParser(
        prog=f"python3 config/{script}.py",
        description=what,
        epilog="Without options it asks.\n\nexamples:\n" + "\n".join(f"  {example}" for example in examples),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--home", metavar="DIR", help="the home to act on (default: TRADE_ENGINE_HOME, or the checkout)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output; asks nothing")
    parser.add_argument("--show", action="store_true", help="show what is configured")
    parser.add_argument(
        "--validate", action="store_true", help="say what is wrong, in the home or with --from; write nothing"
    )
    parser.add_argument(
        "--from", dest="given", metavar="FILE", help="take the content of a JSON file; - is standard input"
    )
    parser.add_argument(
        "--check", nargs="*", metavar="ACCOUNT", help="ask the venues about these accounts, or all (./run preflight)"
    )
    return parser


def home_of(parser: argparse.ArgumentParser, given: str | None) -> Home:
    """The home to act on; ends the program (2) where it is no folder."""
    if given == "":
        parser.error(f"--home names no folder; an unset variable? {UNCHANGED}")  # not the checkout by accident
    home = Home.find(given=given)
    if not home.root.is_dir():
        parser.error(f"{home.root} is no folder; make it (mkdir -p), or name another with --home DIR. {UNCHANGED}")
    return home


def one_way(parser: argparse.ArgumentParser, args: argparse.Namespace, edits: Mapping[str, object]) -> None:
    """Ends the program (2) on options that ask for two things at once, or for none where somebody must be asked."""
    looks = {"--show": args.show, "--check": args.check is not None}
    asked = [name for name, value in (looks | dict(edits)).items() if value]
    asked += ["--validate"] if args.validate else []
    # Validating goes with one edit, which it then only tries; nothing else goes together.
    if len(asked) > 1 and not (len(asked) == 2 and asked[1] == "--validate" and asked[0] in edits):
        parser.error(f"{' and '.join(asked)} ask for different things; give one of them. {UNCHANGED}")
    if args.json and not asked:
        parser.error(f"--json asks nothing: say with --show, --validate, --check or --from what to do. {UNCHANGED}")
