"""`./run test`: stages in order, an end at the first failure, the test runner's summary last."""

from __future__ import annotations

import argparse
import subprocess
from pathlib import Path
from typing import Any

import pytest

from cli import check
from cli.errors import UserError


@pytest.fixture
def stages(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replaces the programs; returns the names called. Those in `failing` fail."""
    called: list[str] = []

    def call(command: list[str], **how: Any) -> int:
        called.append(Path(command[0]).name)
        assert not any(name.startswith("TRADE_ENGINE_") for name in how["env"])
        return 1 if called[-1] == FAILING else 0

    monkeypatch.setattr(subprocess, "call", call)
    monkeypatch.setenv("TRADE_ENGINE_HOME", "/somewhere")
    return called


FAILING = ""


@pytest.mark.parametrize(
    ("failing", "called", "code"),
    [
        ("", ["ruff", "ruff", "mypy", "lint-imports", "pytest"], 0),
        ("ruff", ["ruff"], 1),
        ("mypy", ["ruff", "ruff", "mypy"], 1),
        ("pytest", ["ruff", "ruff", "mypy", "lint-imports", "pytest"], 1),
    ],
)
def test_stages(
    stages: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    failing: str,
    called: list[str],
    code: int,
) -> None:
    monkeypatch.setattr(f"{__name__}.FAILING", failing)
    assert check.run_checks(argparse.Namespace()) == code
    assert stages == called
    said = capfd.readouterr()
    if failing and failing != "pytest":
        assert "FAILED" in said.err
    assert said.out.splitlines()[-1].startswith(f"[{len(called)}/5]"), "nothing is said after the last program"


def test_a_missing_tool_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    with pytest.raises(UserError, match=r"\./run"):
        check.run_checks(argparse.Namespace())
