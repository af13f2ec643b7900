"""Recorded answers beside a facade's, field by field: which fields there are, of which JSON type, and what differs.

A recorded field must be there with the same JSON type; a further one must be in the venue's documentation. What differs
is named in the venue's `Shapes`, and a name that no longer differs is an error too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from account_processors.codecs.wire import Answer, Row, loads

ROOT = Path(__file__).resolve().parents[3]
RECORDED = ROOT.parent / "shared" / "recorded" / "venues"
COMMENT = re.compile(r"^\s*//.*$|//[^\n\"]*$", re.MULTILINE)
Names = Mapping[str, set[str]]
"""Recorded exchange -> names of fields."""


@dataclass(frozen=True)
class Exchange:
    """A recorded request and its answer; None where the recording is no JSON."""

    name: str
    method: str
    path: str
    answer: Any

    @property
    def endpoint(self) -> str:
        return f"{self.method} {self.path}"

    def row(self) -> Row:
        """The answer as the codecs are given it."""
        return loads(json.dumps(self.answer).encode())


@dataclass(frozen=True)
class Shapes:
    """What is compared of one venue. Keys are recorded exchanges, by file name below `folder`, without its ending."""

    venue: str
    folder: str
    served: Callable[[str, str], bool]
    """Whether the facade has an endpoint of this method and path."""
    answers: Mapping[str, Callable[[], Any]]
    """The facade's answer to the same question."""
    reads: Mapping[str, Callable[[Row], object]]
    """What our codec makes of the answer; it must take the recorded one and the facade's."""
    more: Names = field(default_factory=dict)
    """Documented fields that were not recorded."""
    less: Names = field(default_factory=dict)
    """Recorded fields the facade leaves out: gone from the documentation, or of a mode nobody reads."""
    otherwise: Names = field(default_factory=dict)
    """Fields whose JSON type differs from the recorded one: a value where null was recorded, or the reverse."""
    opaque: frozenset[str] = frozenset()
    """Objects and lists whose content depends on the account: not looked into."""
    aside: Mapping[str, str] = field(default_factory=dict)
    """Recorded exchanges of served endpoints that are not compared, and why."""

    @property
    def place(self) -> Path:
        return RECORDED / self.folder


def answered(row: Row) -> Answer:
    """The payload as the answer to a request."""
    return Answer(200, row, 1.0, 1.1, "/test")


def recorded(shapes: Shapes, name: str) -> Exchange:
    text = (shapes.place / f"{name}.txt").read_text(encoding="utf-8-sig", errors="replace")
    method, path, _, *lines = text.splitlines()
    lines = [line for line in lines if not line.startswith("BodyParams:")]
    try:
        answer = json.loads(COMMENT.sub("", "\n".join(lines)))
    except ValueError:  # a few were cut by hand
        answer = None
    return Exchange(name, method.strip(), path.strip(), answer)


def exchanges(shapes: Shapes) -> list[Exchange]:
    """Every recorded exchange."""
    found = []
    for file in sorted(shapes.place.glob("*/*.txt")):
        name = file.relative_to(shapes.place).with_suffix("").as_posix()
        found.append(recorded(shapes, name))
    return found


def fields(value: object, opaque: frozenset[str] = frozenset(), place: str = "") -> Iterator[tuple[str, str]]:
    """Every field as (place, JSON type); of a list what its entries have together."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield f"{place}.{name}", kind(inner)
            if name not in opaque:
                yield from fields(inner, opaque, f"{place}.{name}")
    elif isinstance(value, list):
        for inner in value:
            yield f"{place}[]", kind(inner)
            yield from fields(inner, opaque, f"{place}[]")


def kind(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    return {str: "string", int: "number", float: "number", list: "list", dict: "object"}[type(value)]


@dataclass(frozen=True)
class Difference:
    """One field that is not alike. `how`: `less`, `more` or `otherwise`."""

    how: str
    place: str
    ours: str
    theirs: str

    @property
    def name(self) -> str:
        return self.place.rpartition(".")[2]


def differences(ours: object, theirs: object, opaque: frozenset[str] = frozenset()) -> list[Difference]:
    have, want = kinds(ours, opaque), kinds(theirs, opaque)
    names = {place.rpartition(".")[2] for place in want}
    found = []
    for place in sorted({*have, *want}):
        mine, recorded_as = have.get(place, set()), want.get(place, set())
        told = ("/".join(sorted(mine)), "/".join(sorted(recorded_as)))
        if not mine:
            found.append(Difference("less", place, *told))
        elif not recorded_as and place.rpartition(".")[2] not in names and not within_an_empty(place, want):
            found.append(Difference("more", place, *told))
        elif recorded_as and not recorded_as <= mine:
            found.append(Difference("otherwise", place, *told))
    return found


def kinds(value: object, opaque: frozenset[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for place, what in fields(value, opaque):
        found.setdefault(place, set()).add(what)
    return found


def within_an_empty(place: str, have: Mapping[str, set[str]]) -> bool:
    """Whether the field lies in a list that was recorded empty, or an object that was recorded as null."""
    parents = [place[: match.start()] for match in re.finditer(r"\[\]|\.", place) if match.start()]
    return any(have.get(parent) in ({"list"}, {"null"}) and not below(parent, have) for parent in parents)


def below(parent: str, have: Mapping[str, set[str]]) -> bool:
    return any(place.startswith((f"{parent}[", f"{parent}.")) for place in have)
