"""No mark is ever sent: what ccxt adds for brokers, partners, referrers and builders, and how it is taken out.

ccxt writes such marks into its options, into parameters before they are signed, and into headers. Options lose them,
parameters lose them before signing, headers after it. What is then still marked is not sent at all (`found`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

_KEY = re.compile(
    r".*(broker|builder|partner|referr|referral|affiliate|invitecode|channelapi|channelcode|ordertag|integrator).*"
    r"|tag|source|xsourcekey|inputsource|ref|refset"
)
"""Names of parameters and options, in lower case, letters and digits only."""
_HEADER = re.compile(r"broker|partner|referr?er|affiliate|channel|source|agent|builder|integrator", re.IGNORECASE)
_WORD = re.compile(r"ccxt", re.IGNORECASE)
MIN_VALUE = 5
"""Shorter marks are looked for by their name only: they could be anything."""


def is_key(name: object) -> bool:
    """Whether a parameter or option of this name is a mark."""
    return _KEY.fullmatch(re.sub(r"[^a-z0-9]", "", str(name).lower())) is not None


def is_header(name: str, value: str) -> bool:
    return _HEADER.search(name) is not None or _WORD.search(value) is not None


def without(value: Any) -> Any:
    """Parameters, whatever their depth, without what is a mark by its name."""
    if isinstance(value, dict):
        return {name: without(inner) for name, inner in value.items() if not is_key(name)}
    if isinstance(value, list):
        return [without(inner) for inner in value]
    return value


def values(options: Mapping[str, Any]) -> frozenset[str]:
    """Every mark ccxt's options hold, in lower case."""
    return frozenset(found.lower() for found in _values(options, marked=False) if len(found) >= MIN_VALUE)


def _values(value: Any, marked: bool) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _values(inner, marked or is_key(name))
    elif marked and isinstance(value, str) and not value.isdigit():
        yield value


def cleaned(options: dict[str, Any]) -> dict[str, Any]:
    """Options without marks: switches are off, and what names somebody is gone."""
    found: dict[str, Any] = {}
    for name, value in options.items():
        if not is_key(name):
            found[name] = cleaned(value) if isinstance(value, dict) else value
        elif isinstance(value, bool):
            found[name] = False
    return found


def found(url: str, body: str | None, marks: frozenset[str]) -> str | None:
    """The name of the first thing in a signed request that is a mark; None: there is none."""
    for name, value in _leaves(parse_qsl(urlsplit(url).query, keep_blank_values=True), body):
        if is_key(name) or any(value.lower().startswith(mark) for mark in marks) or _WORD.match(value):
            return name
    return None


def _leaves(query: list[tuple[str, str]], body: str | None) -> Iterator[tuple[str, str]]:
    yield from query
    if not body:
        return
    try:
        parsed = json.loads(body)
    except ValueError:
        yield from parse_qsl(body, keep_blank_values=True)
        return
    yield from _inside("", parsed)


def _inside(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for inner, item in value.items():
            if isinstance(item, dict | list):
                yield inner, ""
            yield from _inside(inner, item)
    elif isinstance(value, list):
        for item in value:
            yield from _inside(name, item)
    else:
        yield name, str(value)
