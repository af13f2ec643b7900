"""Secrets: a type that never shows its text, and where a secret may come from: file, environment, `.env`."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from typing import Any, NoReturn

from core.errors import ConfigError

HIDDEN = "(secret)"
ENV_PREFIX = "env:"
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
LINE = re.compile(r"(?:export\s+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)\s*=\s*(?P<value>.*)", re.ASCII)


class Secret:
    """A text that `repr`, `str`, formatting, JSON and copies of models never show. Only `reveal` gives it out."""

    __slots__ = ("__text",)

    def __init__(self, text: str) -> None:
        self.__text = text

    def reveal(self) -> str:
        """The text itself, for signing a request or comparing a token; never for a message."""
        return self.__text

    def matches(self, text: str) -> bool:
        """Constant-time comparison with `text`."""
        return hmac.compare_digest(self.__text.encode(), text.encode("utf-8", "surrogatepass"))

    def __repr__(self) -> str:
        return HIDDEN

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(HIDDEN, spec)

    def __eq__(self, other: object) -> bool:
        return self.matches(other.reveal()) if isinstance(other, Secret) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.__text)

    def __bool__(self) -> bool:
        return bool(self.__text)

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret cannot be serialized")


def parse_dotenv(text: str, where: str) -> Mapping[str, str]:
    """`NAME=value` lines of a `.env` file: comments, `export`, single and double quotes. Nothing is expanded.

    Raises `ConfigError` naming the line, never showing it: what stands there may be a secret.
    """
    found: dict[str, str] = {}
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        match = LINE.fullmatch(line)
        if match is None:
            raise ConfigError(f"{where}: line {number}", "is not of the form NAME=value; correct or remove the line")
        found[match["name"]] = _unquoted(match["value"], f"{where}: line {number}")
    return found


def _unquoted(value: str, where: str) -> str:
    if value[:1] in ('"', "'"):
        quote = value[0]
        end = value.find(quote, 1)
        rest = value[end + 1 :].strip()
        if end < 0 or (rest and not rest.startswith("#")):
            raise ConfigError(where, f"has a quote ({quote}) that is not closed at its end; close or remove it")
        return value[1:end]
    return re.split(r"\s#", value, maxsplit=1)[0].strip()


def resolve(text: str, environ: Mapping[str, str], dotenv: Mapping[str, str], where: str) -> Secret:
    """The secret `text` stands for: itself, or for `env:NAME` the process environment's, else `.env`'s value.

    Raises `ConfigError` when the name is malformed, or set nowhere, or set to nothing.
    """
    if not text.startswith(ENV_PREFIX):
        if not text:
            raise ConfigError(where, "is empty; write the secret, or env:NAME and NAME=… into .env")
        return Secret(text)
    name = text.removeprefix(ENV_PREFIX)
    if NAME.fullmatch(name) is None:
        raise ConfigError(where, "has no variable name after env:; write env:NAME with letters, digits and _")
    value = environ.get(name) or dotenv.get(name)
    if not value:
        raise ConfigError(where, f"asks for {name}, which neither the environment nor .env sets; add {name}=… to .env")
    return Secret(value)


def plain_or_hidden(value: Any) -> object:
    """`value` with every secret inside replaced by its mark: what may be shown or written anywhere."""
    if isinstance(value, Secret):
        return HIDDEN
    if isinstance(value, Mapping):
        return {key: plain_or_hidden(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain_or_hidden(inner) for inner in value]
    return value
