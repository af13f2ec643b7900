"""Mutants tried one by one: the bug goes into a private copy, its tests run there, and one of them has to fail."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from chaos.mutants.patching import BadPatch, Mutant, mutated, parse
from chaos.mutants.trees import Tree, copy_of

T = TypeVar("T")

PATCHES = Path(__file__).with_name("patches")
TEST_ENDS_WITHIN_S = 20.0
RUN_ENDS_WITHIN_S = 60.0
FAILED = "FAILED "
NEVER_ENDED = "from pytest-timeout"

PYTEST = ("-m", "pytest", "-x", "-q", "--no-header", "--tb=no", "-rf", "-p", "no:cacheprovider", "-p", "no:xdist")
SAME_EVERY_TIME = ("-p", "chaos.mutants.quick", "--hypothesis-seed=0", f"--timeout={TEST_ENDS_WITHIN_S:g}")


class Verdict(StrEnum):
    CAUGHT = "caught"
    SURVIVED = "survived"
    """Its tests passed: the safety net has a hole."""
    HUNG = "hung"
    """A test did not end, and that is not how this bug is to be noticed."""
    BROKEN = "broken"
    """The tests could not even be collected: that is no bug anybody would make, or a test that is not there."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of one mutant; `by`: the test that caught it, or what stood against that."""

    mutant: str
    verdict: Verdict
    by: str
    took_s: float


@dataclass(frozen=True, slots=True)
class Run:
    """How pytest ended: its exit code (None: it had to be ended), and what it said."""

    code: int | None
    said: str

    @property
    def failed(self) -> str:
        """The first failed test with its reason; '' where there is none."""
        return next((line.removeprefix(FAILED) for line in self.said.splitlines() if line.startswith(FAILED)), "")


def mutants(folder: Path = PATCHES) -> list[Mutant]:
    """Every mutant there is, by name. Raises `BadPatch`."""
    return [parse(path.stem, path.read_text("utf-8")) for path in sorted(folder.glob("*.patch"))]


def run_tests(root: Path, tests: Sequence[str], within_s: float = RUN_ENDS_WITHIN_S) -> Run:
    """Runs tests in a tree until one fails."""
    command = [sys.executable, *PYTEST, *SAME_EVERY_TIME, *tests]
    child = subprocess.Popen(
        command,
        cwd=root,
        env=_environment(os.environ, root),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        said, _ = child.communicate(timeout=within_s)
        return Run(child.returncode, said)
    except subprocess.TimeoutExpired:
        return Run(None, f"the tests did not end within {within_s:g} s")
    finally:
        _end(child)


def _environment(environ: Mapping[str, str], root: Path) -> dict[str, str]:
    """Of the caller's only what a program needs; the copy goes before the checkout, for every child too."""
    kept = {name: value for name, value in environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR", "TZ")}
    return kept | {"PYTHONPATH": str(root), "COLUMNS": "400"}


def _end(child: subprocess.Popen[str]) -> None:
    """Whatever a test left running goes with the run."""
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    child.communicate()


def judge(mutant: Mutant, run: Run, took_s: float) -> Tried:
    """What a run with the bug in place says of the safety net."""

    def tried(verdict: Verdict, by: str) -> Tried:
        return Tried(mutant.name, verdict, by, took_s)

    if run.code == 0:
        return tried(Verdict.SURVIVED, "")
    test, _, why = run.failed.partition(" - ")
    if run.code is None or NEVER_ENDED in why:
        by = test or run.said
        return tried(Verdict.CAUGHT if mutant.hang_counts else Verdict.HUNG, f"{by} (it never ended)")
    if run.code == 1 and test:
        return tried(Verdict.CAUGHT, test)
    return tried(Verdict.BROKEN, " ".join(run.said.split())[-400:])


def try_one(tree: Tree, mutant: Mutant) -> Tried:
    """Puts the bug into the copy, runs its tests and takes it out again."""
    began_s = time.monotonic()
    try:
        sources = mutated(mutant, tree.read)
    except BadPatch as error:
        return Tried(mutant.name, Verdict.BROKEN, str(error), time.monotonic() - began_s)
    with tree.changed(sources):
        run = run_tests(tree.root, mutant.tests)
    return judge(mutant, run, time.monotonic() - began_s)


class Unsound(Exception):
    """The tests fail without any bug, so their failing would prove nothing."""


def try_all(
    chosen: Sequence[Mutant], checkout: Path, scratch: Path, workers: int, say: Callable[[str], None]
) -> Iterator[Tried]:
    """Every mutant's fate, as they become known. Raises `Unsound`.

    First the tests run as they are, which also compiles them: only who passes without a bug can catch one.
    """
    trees: queue.Queue[Tree] = queue.Queue()
    for number in range(workers):
        trees.put(copy_of(checkout, scratch / str(number)))
    with ThreadPoolExecutor(workers) as pool:
        tests = sorted({test for mutant in chosen for test in mutant.tests})
        say(f"mutants: {len(tests)} tests without any bug, then {len(chosen)} bugs")
        parts = [tests[number::workers] for number in range(workers) if tests[number::workers]]
        for run in pool.map(lambda part: _borrowed(trees, lambda tree: run_tests(tree.root, part, 600.0)), parts):
            if run.code != 0:
                raise Unsound(run.failed or " ".join(run.said.split())[-600:])
        tasks = [pool.submit(_borrowed, trees, lambda tree, one=one: try_one(tree, one)) for one in chosen]
        try:
            for done in as_completed(tasks):
                yield done.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _borrowed(trees: queue.Queue[Tree], work: Callable[[Tree], T]) -> T:
    tree = trees.get()
    try:
        return work(tree)
    finally:
        trees.put(tree)
