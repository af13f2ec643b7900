"""docs/safety.md names tests and commands that exist, for every row of the matrix."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "safety.md").read_text()
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)))
BENCHES = sorted(set(re.findall(r"`\./run bench (\w+)", PAGE)))
TABLE = PAGE.split("<!-- rows: matrix -->\n")[1].split("\n\n")[0].splitlines()[2:]


def cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip("|").split("|")]


def test_the_matrix_has_every_row_with_its_proof_and_its_figure() -> None:
    assert {int(cells(row)[0]) for row in TABLE} >= set(range(3, 24))
    for row in TABLE:
        found = cells(row)
        assert len(found) == 4
        assert all(found)
        assert "`" in found[2], f"row {found[0]} names no test and no command"


@pytest.mark.parametrize(("path", "name"), NAMED, ids=[name for _, name in NAMED])
def test_a_named_test_exists(path: str, name: str) -> None:
    tree = ast.parse((ROOT / path).read_text())
    defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    assert name in defined


@pytest.mark.parametrize("bench", BENCHES)
def test_a_named_bench_exists(bench: str) -> None:
    assert (ROOT / "bench" / f"{bench}.py").is_file()


def test_something_is_named() -> None:
    assert len(NAMED) > 30
    assert set(BENCHES) >= {"kills", "webhook"}
