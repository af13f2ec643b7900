from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.problems import at, field, json_locator, listed, nearest

TEXT = """\
[
  {"symbol": "A",
   "sources": [
     {"source": "x\\"]", "weight": 1e3},
     {"source": "y",
      "weight": -0.5}
   ]},
  []
]
"""

PLACES: list[tuple[tuple[str | int, ...], int]] = [
    ((), 1),
    ((0,), 2),
    ((0, "symbol"), 2),
    ((0, "sources"), 3),
    ((0, "sources", 1), 5),
    ((0, "sources", 1, "weight"), 6),
    ((0, "sources", 0, "missing"), 4),
    ((0, "leverage"), 2),
    ((1,), 8),
    ((1, 0), 8),
    ((7,), 1),
    (("no", "object"), 1),
]


@pytest.mark.parametrize(("path", "line"), PLACES)
def test_line_of_a_field(path: tuple[str | int, ...], line: int) -> None:
    assert json_locator(TEXT)(path) == line


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    yield path, value
    for key, item in inner:
        yield from leaves(item, (*path, key))


@given(VALUES)
def test_every_field_is_found_on_its_own_line(value: Any) -> None:
    text = json.dumps(value, indent=1)
    lines = text.split("\n")
    for path, inner in leaves(value):
        line = lines[(json_locator(text)(path) or 0) - 1]
        start = "{" if isinstance(inner, dict) else "[" if isinstance(inner, list) else json.dumps(inner)
        label = f"{json.dumps(path[-1])}: " if path and isinstance(path[-1], str) else ""
        assert line.strip().startswith(label + start)


def test_places_read_like_the_file() -> None:
    assert field(("accounts", "bybit-main", "symbols", 2)) == "accounts.bybit-main.symbols[2]"
    assert at("f.json", (0, "sources", 1, "weight"), 6) == "f.json: [0].sources[1].weight (line 6)"
    assert at("f.json") == "f.json"


def test_names_for_messages() -> None:
    assert nearest("max_levrage", ["max_leverage", "max_depth"]) == "max_leverage"
    assert nearest("Drift", ["drift"]) == "drift"
    assert nearest("colour", ["max_leverage"]) is None
    assert listed([]) == "none"
    assert listed(["b", "a"]) == "a, b"
    assert listed([f"{n:02}" for n in range(25)]).endswith("19 and 5 more")
