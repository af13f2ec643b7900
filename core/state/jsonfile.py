"""JSON, strictly: what two readers could understand differently is refused, and numbers never pass through `float`.

Refused on input: NaN and Infinity, duplicate keys, numbers beyond 1e308, lone surrogates, nesting over 32, anything
that is not UTF-8. Every refusal names the file, line and column.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import NoReturn

import filelock

from core.errors import ConfigError, Conflict, Locked
from core.ports import FileOps
from core.state.files import FILE_MODE, RealFileOps, write_atomic

MAX_NESTING = 32
MAX_EXPONENT = 308
LOCK_TIMEOUT_S = 5.0

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[-+.\w]+|[\[\]{},:]', re.DOTALL)
_CONSTANTS = ("NaN", "Infinity", "-Infinity")


class _Refused(ValueError):
    """Raised inside the decoder, where the position is not known; `loads` looks it up."""


def loads(data: bytes, where: str = "JSON", *, real: Callable[[str], object] = Decimal) -> object:
    """The value in `data`; fractions become `real` of their text (Decimal). Raises ConfigError at line and column.

    `where` names the file in messages.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{where}: line {line}", "is not UTF-8 text") from None
    if not text.strip():
        raise ConfigError(where, "is empty")
    try:
        value = _decoder(real).decode(text)
        if _SURROGATE.search(text) and _lone_surrogate(text):
            raise _Refused("a lone surrogate")
        if text.count("[") + text.count("{") > MAX_NESTING and _too_deep(value):
            raise _Refused("too deep")
    except json.JSONDecodeError as error:
        raise ConfigError(_at(where, text, error.pos), f"is not valid JSON: {error.msg}") from None
    except (_Refused, RecursionError) as error:
        position, problem = next(_refusals(text), (0, str(error)))
        raise ConfigError(_at(where, text, position), problem) from None
    return value


def _at(where: str, text: str, position: int) -> str:
    line = text.count("\n", 0, position) + 1
    return f"{where}: line {line} column {position - text.rfind(chr(10), 0, position)}"


# --- what the decoder refuses -----------------------------------------------------------------------------------------


@functools.cache
def _decoder(real: Callable[[str], object]) -> json.JSONDecoder:
    def number(text: str) -> object:
        if _out_of_range(text):
            raise _Refused("out of range")
        return real(text)

    return json.JSONDecoder(
        object_pairs_hook=_object, parse_float=number, parse_int=_integer, parse_constant=_refuse_constant
    )


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Refused("a duplicate key")
    return found


def _integer(text: str) -> int:
    if len(text) > MAX_EXPONENT:
        raise _Refused("out of range")
    return int(text)


def _refuse_constant(text: str) -> NoReturn:
    raise _Refused(text)


def _out_of_range(text: str) -> bool:
    if len(text) > MAX_EXPONENT:
        return True
    exponent = text.lower().partition("e")[2]
    # The exponent's own length is looked at first: Decimal refuses absurd ones with an error of its own.
    return len(exponent) > 6 or abs(Decimal(text).adjusted()) > MAX_EXPONENT


def _lone_surrogate(text: str) -> bool:
    tokens = (token for token in _TOKEN.findall(text) if token.startswith('"') and _SURROGATE.search(token))
    return any(not _is_text(json.loads(token)) for token in tokens)


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _too_deep(value: object) -> bool:
    level = [value]
    for _ in range(MAX_NESTING):
        inner: list[object] = []
        for item in level:
            if isinstance(item, dict):
                inner.extend(item.values())
            elif isinstance(item, list):
                inner.extend(item)
        level = inner
    return any(isinstance(item, dict | list) for item in level)


# --- the slow second look, only after a refusal: where is it? ---------------------------------------------------------


def _refusals(text: str) -> Iterator[tuple[int, str]]:
    """Position and problem of everything refused, in order. `text` is otherwise valid JSON, or nested without end."""
    keys: list[set[str] | None] = []  # per open bracket: the keys seen in an object, None in an array
    expects_key = False
    for found in _TOKEN.finditer(text):
        lexeme, position = found.group(), found.start()
        if lexeme in "{[":
            keys.append(set() if lexeme == "{" else None)
            expects_key = lexeme == "{"
            if len(keys) > MAX_NESTING:
                yield position, f"is nested deeper than {MAX_NESTING} levels"
                return
        elif lexeme in "}]":
            keys.pop()
            expects_key = False
        elif lexeme == ",":
            expects_key = keys[-1] is not None
        elif lexeme.startswith('"'):
            seen = keys[-1] if keys else None
            yield from ((position, problem) for problem in _string_problems(lexeme, seen if expects_key else None))
            expects_key = False
        elif lexeme in _CONSTANTS:
            yield position, f"{lexeme} is not a number here"
        elif lexeme[0] in "-0123456789" and _out_of_range(lexeme):
            yield position, f"the number {lexeme[:24]} is out of range"


def _string_problems(lexeme: str, seen: set[str] | None) -> Iterator[str]:
    text: str = json.loads(lexeme)
    if not _is_text(text):
        yield "half of a surrogate pair is not text"
    if seen is not None:
        if text in seen:
            yield f"the key {lexeme[:80]} stands here a second time"
        seen.add(text)


# --- writing ----------------------------------------------------------------------------------------------------------


def dumps(value: object, indent: int | None = None) -> str:
    """JSON text of dicts with text keys, lists, texts, numbers, booleans and None; a Decimal becomes a JSON number.

    Raises ValueError for NaN and Infinity, TypeError for anything else.
    """
    try:
        separators = (",", ":") if indent is None else (",", ": ")
        return json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent, separators=separators)
    except TypeError:
        # Something the standard encoder does not know, most likely a Decimal, which it could only write as a float.
        return "".join(_pieces(value, indent, 0))


def _pieces(value: object, indent: int | None, level: int) -> Iterator[str]:
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise ValueError(f"{value} is not JSON")
        yield str(value)
    elif isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise TypeError("a JSON object has text keys")
        colon = ":" if indent is None else ": "
        items = [(json.dumps(key, ensure_ascii=False) + colon, item) for key, item in value.items()]
        yield from _bracketed("{}", items, indent, level)
    elif isinstance(value, list | tuple):
        yield from _bracketed("[]", [("", item) for item in value], indent, level)
    else:
        yield json.dumps(value, ensure_ascii=False, allow_nan=False)


def _bracketed(brackets: str, items: list[tuple[str, object]], indent: int | None, level: int) -> Iterator[str]:
    yield brackets[0]
    for number, (label, item) in enumerate(items):
        yield "," if number else ""
        yield _new_line(indent, level + 1)
        yield label
        yield from _pieces(item, indent, level + 1)
    yield _new_line(indent, level) if items else ""
    yield brackets[1]


def _new_line(indent: int | None, level: int) -> str:
    return "" if indent is None else "\n" + " " * (indent * level)


def encode(value: object, indent: int | None = None) -> bytes:
    """`dumps` as UTF-8; a lone surrogate (out of somebody else's error message) becomes `?`."""
    return dumps(value, indent).encode("utf-8", "replace")


# --- files ------------------------------------------------------------------------------------------------------------


def content_hash(data: bytes) -> str:
    """32 hex digits of BLAKE2b: the version of a file's content."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def read_json(ops: FileOps, path: Path) -> tuple[object, str]:
    """The value and the content hash. Raises ConfigError where it is not strict JSON, OSError where it cannot be read
    (FileNotFoundError: there is none, which is another thing than an empty one)."""
    data = ops.read(path)
    return loads(data, path.name), content_hash(data)


def write_json(ops: FileOps, path: Path, value: object, indent: int | None = 2) -> str:
    """Writes `value` atomically and durably; returns the content hash. For files with one writer. Raises OSError."""
    data = encode(value, indent) + b"\n"
    write_atomic(ops, path, data)
    return content_hash(data)


def update_json(
    path: Path,
    expected_hash: str | None,
    value: object,
    *,
    ops: FileOps | None = None,
    timeout_s: float = LOCK_TIMEOUT_S,
) -> str:
    """Replaces a file that several programs and people write, if it is still what the caller read.

    `expected_hash` is that of the content `value` was made from (None: there was no file). `value` is the whole
    content, unknown fields and order included. Returns the new hash. Raises Conflict when the file changed meanwhile,
    Locked when another program keeps the lock, OSError when it cannot be written; in each case nothing was changed.
    """
    disk = ops or RealFileOps()
    target = Path(os.path.realpath(path))  # a linked file is replaced where it lives; the link stays
    try:
        with filelock.FileLock(f"{target}.lock", timeout=timeout_s, mode=FILE_MODE):
            found = None if disk.identity(target) is None else content_hash(disk.read(target))
            if found != expected_hash:
                raise Conflict(
                    f"{path.name} changed since it was read; nothing was written. Look at it again, then repeat."
                )
            return write_json(disk, target, value, indent=4)
    except filelock.Timeout:
        raise Locked(
            f"{path.name} is being written by another program for more than {timeout_s:g} s; nothing was written. "
            "Try again; if it lasts, end the program that holds its lock."
        ) from None
