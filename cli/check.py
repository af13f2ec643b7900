"""`./run test`: everything CI runs, in the order in which failures are cheap."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cli.errors import UserError
from config.home import CHECKOUT

MAX_TEST_PROCESSES = 8
TEST_PROCESSES = min((os.cpu_count() or 1) + 1, MAX_TEST_PROCESSES)
"""One more than there are cores: many tests wait for programs they started."""


@dataclass(frozen=True, slots=True)
class Stage:
    name: str
    command: tuple[str, ...]
    remedy: str


STAGES = (
    Stage("lint", ("ruff", "check", "."), "`.venv/bin/ruff check --fix .` mends much of it by itself"),
    Stage("format", ("ruff", "format", "--check", "."), "`.venv/bin/ruff format .` does it"),
    Stage("types", ("mypy",), "each line above names file, line and what does not fit"),
    Stage("layers", ("lint-imports",), "imports point down only; the layers stand in pyproject.toml"),
    Stage("tests", ("pytest", "-n", str(TEST_PROCESSES), "--dist", "worksteal"), ""),
)


def run_checks(args: argparse.Namespace) -> int:
    """Ends at the first stage that fails. The test runner comes last, so its summary is the last line."""
    environment = check_environment(os.environ)
    for number, stage in enumerate(STAGES, start=1):
        where = f"[{number}/{len(STAGES)}] {stage.name}"
        program = Path(sys.executable).parent / stage.command[0]
        if not program.exists():
            raise UserError(
                f"{where}: {stage.command[0]} is not installed here. Call this through ./run, which installs it."
            )
        print(f"{where}: {' '.join(stage.command)}", flush=True)
        started = time.monotonic()
        code = subprocess.call([str(program), *stage.command[1:]], cwd=CHECKOUT, env=environment)
        if code != 0:
            if stage.remedy:
                print(f"{where} FAILED; the stages after it were not run. {stage.remedy}.", file=sys.stderr, flush=True)
            return 1
        if stage is not STAGES[-1]:
            print(f"{where}: good, {time.monotonic() - started:.1f} s", flush=True)
    return 0


def check_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """A home of the user's must not reach the tests."""
    return {name: value for name, value in environ.items() if not name.startswith("TRADE_ENGINE_")}
