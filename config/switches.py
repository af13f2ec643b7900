"""The operator's switches, HALT and state/desired.json. In doubt HALT stops increases and desired does nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from config.contents import Content, Contents, parsed
from config.home import Home
from config.problems import field as field_name
from config.problems import listed, nearest
from config.values import ACCOUNT, SYMBOL
from core.domain import Halt
from core.errors import ConfigError
from core.ports import FileOps

WORDS = {
    "HALT_INCREASES": Halt.HALT_INCREASES,
    "FLATTEN": Halt.FLATTEN,
    "FLATTEN_ALL": Halt.FLATTEN_ALL,
    "FLATTEN --all": Halt.FLATTEN_ALL,
}
VERBS = ("resync", "adopt", "close", "resolve", "accept_instrument", "resume")
EVERY = "*"
MAX_NUMBER = 2**53
DESIRED_FILE = "state/desired.json"

Desired = Mapping[str, Mapping[str, Mapping[str, int]]]
NOTHING: Desired = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Switch:
    """What HALT asks, and what is wrong with the way it is written ('' where nothing is)."""

    halt: Halt
    problem: str = ""


def halt_of(content: Content) -> Switch:
    """The HALT file: absent is NONE, a known word is itself, anything else stops increases."""
    if content.missing:
        return Switch(Halt.NONE)
    if content.data is None:
        words = f"HALT: {content.trouble}. Increases are halted"
        return Switch(Halt.HALT_INCREASES, f"{words}; make it readable, or remove it with ./run resume.")
    text = content.data.decode("utf-8", "replace").strip()
    if not text:
        return Switch(Halt.HALT_INCREASES)
    if text in WORDS:
        return Switch(WORDS[text])
    words = "HALT: holds neither HALT_INCREASES nor FLATTEN (nor FLATTEN_ALL) on one line. Increases are halted"
    return Switch(Halt.HALT_INCREASES, f"{words}; write one of the words, or remove it with ./run resume.")


class HaltFile:
    """The switch as it stands at this instant."""

    def __init__(self, home: Home, files: FileOps, contents: Contents) -> None:
        self._path = home.halt
        self._files = files
        self._contents = contents

    def content(self) -> Content:
        """The file's content; a name that is there and leads nowhere (a broken link) is unreadable, not absent."""
        content = self._contents.read(self._path)
        if not content.missing:
            return content
        try:
            named = self._path.name in self._files.list(self._path.parent)
        except OSError as error:
            return Content(self._path, None, "unreadable", f"cannot be looked for: {error.strerror or error}")
        return Content(self._path, None, "unreadable", "leads to no file") if named else content

    def read(self) -> Switch:
        return halt_of(self.content())


@dataclass(frozen=True, slots=True)
class Asked:
    """What desired.json asks: verb -> account -> symbol or `*` -> n; and what of it is not understood ('': nothing)."""

    desired: Desired = field(default_factory=lambda: NOTHING)
    problem: str = ""


def asked_of(content: Content) -> Asked:
    """state/desired.json. Absent asks nothing; unreadable asks nothing and says so; an unknown verb is left out."""
    if content.missing:
        return Asked()
    try:
        if content.data is None:
            raise ConfigError(DESIRED_FILE, content.trouble)
        verbs = _object(parsed(content.data, DESIRED_FILE).data, ())
        desired = {verb: _accounts(verb, value) for verb, value in verbs.items() if verb in VERBS}
    except ConfigError as error:
        return Asked(problem=f"{error}. Nothing it asks for is done; mend or remove the file.")
    unknown = [verb for verb in verbs if verb not in VERBS]
    return Asked(MappingProxyType(desired), _unknown_verb(unknown[0]) if unknown else "")


def _unknown_verb(verb: str) -> str:
    near = nearest(verb, VERBS)
    hint = f"did you mean {near}?" if near else f"known: {listed(VERBS)}"
    return f"{_problem((verb,), f'is not something the engine does and has no effect; {hint}')}"


def _accounts(verb: str, value: object) -> Mapping[str, Mapping[str, int]]:
    found = {}
    for account, symbols in _object(value, (verb,)).items():
        if ACCOUNT.fullmatch(account) is None:
            raise _problem((verb, account), "is not an account id such as bybit-main")
        asked = _object(symbols, (verb, account))
        found[account] = {symbol: _number(verb, account, symbol, n) for symbol, n in asked.items()}
    return found


def _number(verb: str, account: str, symbol: str, n: object) -> int:
    path = (verb, account, symbol)
    if symbol != EVERY and SYMBOL.fullmatch(symbol) is None:
        raise _problem(path, "is neither a symbol nor *")
    if isinstance(n, bool) or not isinstance(n, int) or not 0 <= n <= MAX_NUMBER:
        raise _problem(path, "must be a whole number, one higher than the last one acted on")
    return n


def _object(value: object, path: tuple[str, ...]) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise _problem(path, "must be an object: {...}")
    return value


def _problem(path: tuple[str, ...], words: str) -> ConfigError:
    return ConfigError(f"{DESIRED_FILE}: {field_name(path)}" if path else DESIRED_FILE, words)
