"""`./run chaos`: a slice of seeds, every seed that ever failed, and that a seed always tells the same story."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from chaos.regressions import Regression, regressions
from chaos.scene import venues
from chaos.seed import run_seed

ROOT = Path(__file__).resolve().parents[2]
SLICE = range(100_000, 100_060)
RESULT_KEYS = {
    "seeds", "breaches", "converged", "faults", "cycles", "orders", "slowest_convergence_cycles", "seeds_per_s",
    "failing_seeds",
}  # fmt: skip


def told(seed: int, among: tuple[str, ...]) -> None:
    outcome = run_seed(seed, among)
    assert not outcome.breaches, "\n".join([*map(str, outcome.breaches), *outcome.lines])
    assert outcome.converged


@pytest.mark.parametrize("seed", SLICE)
def test_a_seed(seed: int) -> None:
    told(seed, venues())


@pytest.mark.parametrize("one", regressions(), ids=lambda one: f"{one.seed}-{'-'.join(one.venues)}")
def test_a_seed_that_failed_once(one: Regression) -> None:
    told(one.seed, one.venues or venues())


def chaos(*words: str, hash_seed: str = "0") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    command = [sys.executable, "-P", "-m", "chaos", *words]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=100, check=False)


@pytest.mark.parametrize("seed", ["3", "8"])
def test_a_seed_tells_the_same_story_byte_for_byte(seed: str) -> None:
    one, other = chaos("--replay", seed, hash_seed="1"), chaos("--replay", seed, hash_seed="2")
    assert one.stdout.splitlines()[1:] == other.stdout.splitlines()[1:]  # somebody may commit in between
    assert len(one.stdout.splitlines()) > 20
    assert f"seed {seed} at commit " in one.stdout


def test_the_end_is_one_line_for_machines() -> None:
    done = chaos("--seeds", "4", "--json")
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    row = json.loads(line)
    assert row.keys() == RESULT_KEYS
    assert row["seeds"] == row["converged"] == 4
    assert row["breaches"] == 0
    assert row["orders"] > 0
