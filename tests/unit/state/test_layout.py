"""How projections are laid out: JSON as any other, a line for every entry a person may look for."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.state.projections import laid_out

LEAVES = st.none() | st.booleans() | st.integers() | st.text()
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)

STATUS = {"cycle": 3, "because": "", "symbols": {"BTCUSDT": {"target": "1", "actual": None}, "ETHUSDT": {}}, "none": {}}


@given(VALUES, st.integers(0, 4))
def test_it_is_the_same_json(value: Any, levels: int) -> None:
    assert json.loads(laid_out(value, levels)) == value


FLAT = '{"cycle":3,"because":"","symbols":{"BTCUSDT":{"target":"1","actual":null},"ETHUSDT":{}},"none":{}}'
OPEN = """\
{
  "cycle": 3,
  "because": "",
  "symbols": {
    "BTCUSDT": {"target":"1","actual":null},
    "ETHUSDT": {}
  },
  "none": {}
}"""


@pytest.mark.parametrize(("levels", "text"), [(0, FLAT), (2, OPEN)])
def test_a_line_for_every_entry(levels: int, text: str) -> None:
    assert laid_out(STATUS, levels) == text


def test_a_margin_stands_before_every_line_but_the_first() -> None:
    assert laid_out({"a": {"b": 1}}, 1, "    ") == '{\n      "a": {"b":1}\n    }'
