"""From what validators found to what a user reads: `file: field (line): what is wrong; what to do`."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Collection, Sequence

from pydantic import ValidationError

from core.errors import ConfigError

Path = Sequence[str | int]
Locate = Callable[[Path], int | None]

PLAIN_WORDS = {
    "missing": "is missing; add it",
    "list_type": "must be a list: [...]",
    "dict_type": "must be an object: {...}",
    "model_type": "must be an object: {...}",
    "string_type": "must be a text in quotes",
    "bool_type": "must be true or false, without quotes",
}
MAX_NAMED = 20
SPACE = " \t\r\n"


def field(path: Path) -> str:
    """`("accounts", "bybit-main", "mode")` -> `accounts.bybit-main.mode`; list positions in brackets, from 0."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def at(file: str, path: Path = (), line: int | None = None) -> str:
    """`file: field (line n)`, each part where there is one."""
    where = f"{file}: {field(path)}" if path else file
    return where if line is None else f"{where} (line {line})"


def explained(error: ValidationError, file: str, prefix: Path, locate: Locate) -> list[ConfigError]:
    """Every finding of a pydantic validation, in the file's own terms. Values are named only by our own checks."""
    found = []
    for item in error.errors(include_url=False, include_input=False):
        path = [*prefix, *(part for part in item["loc"] if part != "[key]")]
        words = PLAIN_WORDS.get(item["type"], item["msg"])
        if item["type"] == "value_error":
            words = str(item["ctx"]["error"])
        found.append(ConfigError(at(file, path, locate(path)), words))
    return found


def nearest(word: str, known: Collection[str]) -> str | None:
    """The known word most like `word`, if any is close."""
    alike = {name.lower(): name for name in sorted(known)}
    close = difflib.get_close_matches(word.lower(), alike, n=1, cutoff=0.6)
    return alike[close[0]] if close else None


def listed(names: Collection[str]) -> str:
    """Names for a message: sorted, and not endless."""
    ordered = sorted(names)
    text = ", ".join(ordered[:MAX_NAMED])
    return text + f" and {len(ordered) - MAX_NAMED} more" if len(ordered) > MAX_NAMED else text or "none"


def json_locator(text: str) -> Locate:
    """Finds the line of a field in `text` (valid JSON), or of the nearest parent where the field is absent."""

    def locate(path: Path) -> int | None:
        return text.count("\n", 0, _find(text, path)) + 1

    return locate


def no_lines(path: Path) -> int | None:
    """The locator of formats whose parser tells no lines."""
    return None


def _blank(text: str, index: int) -> int:
    while index < len(text) and text[index] in SPACE:
        index += 1
    return index


def _find(text: str, path: Path) -> int:
    """Index where the value at `path` (or the last of its parents that exists) begins."""
    # Numbers stay text: they are only stepped over, and may be too long for an int.
    decoder = json.JSONDecoder(parse_float=str, parse_int=str, strict=False)
    index = _blank(text, 0)
    for part in path:
        inner = _child(text, index, part, decoder)
        if inner is None:
            return index
        index = inner
    return index


def _child(text: str, index: int, part: str | int, decoder: json.JSONDecoder) -> int | None:
    """Index of the member or element `part` of the object or list at `index`; None: it has none."""
    opening = text[index]
    if opening != ("{" if isinstance(part, str) else "["):
        return None
    index = _blank(text, index + 1)
    position = 0
    while text[index] not in "]}":
        name: str | int = position
        if opening == "{":
            name, index = decoder.raw_decode(text, index)
            index = _blank(text, _blank(text, index) + 1)
        if name == part:
            return index
        _, index = decoder.raw_decode(text, index)
        index = _blank(text, index)
        if text[index] == ",":
            index = _blank(text, index + 1)
        position += 1
    return None
