"""Deliberate bugs tried for real: how each kind of end is judged, and that today's third of the mutants is caught.

`./run chaos --mutants` tries them all; `MUTANTS=all` lets this file do so, too.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos.mutants.command import chosen
from chaos.mutants.patching import Mutant, parse
from chaos.mutants.trees import Tree, copy_of
from chaos.mutants.trying import Unsound, Verdict, mutants, run_tests, try_all, try_one
from config.home import CHECKOUT

THIRDS = 3
DAY_S = 86_400


def of_today() -> list[Mutant]:
    """A third of them, another one every day: a day's work sees them all in three days, and each run costs a third."""
    if os.environ.get("MUTANTS") == "all":
        return mutants()
    return chosen(mutants(), None, (int(time.time() // DAY_S) % THIRDS + 1, THIRDS))


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """One copy for all mutants of this process."""
    return copy_of(CHECKOUT, tmp_path_factory.mktemp("mutants") / "tree")


@pytest.mark.parametrize("mutant", of_today(), ids=lambda mutant: mutant.name)
def test_a_mutant_is_caught(mutant: Mutant, tree: Tree) -> None:
    found = try_one(tree, mutant)
    assert found.verdict is Verdict.CAUGHT, f"{mutant.bug} {found.verdict}: {found.by}"
    assert found.by.startswith(mutant.tests)


def test_every_test_that_a_patch_names_is_collected() -> None:
    tests = sorted({test for mutant in mutants() for test in mutant.tests})
    run = run_tests(CHECKOUT, ["--collect-only", *tests])
    assert run.code == 0, run.said[-2000:]


# --- a tree of two files ----------------------------------------------------------------------------------------------

ADDING = "import time\n\n\ndef add(a, b):\n    return a + b\n\n\ndef subtract(a, b):\n    return a - b\n"
TESTS = """from core.adding import add, subtract


def test_add():
    assert add(2, 2) == 4


def test_the_checkout_is_not_what_is_tested():
    import core
    assert {copy!r} in str(core.__path__)
"""
SETUP = """[tool.setuptools]
py-modules = []
[tool.setuptools.packages.find]
include = ["core*", "chaos*"]
[tool.pytest.ini_options]
addopts = ["--import-mode=importlib"]
"""
MADE = {
    "caught": ("    return a + b", "    return a - b"),
    "survivor": ("    return a - b", "    return a + b"),
    "hang": ("    return a + b", "    time.sleep(600)"),
    "broken": ("    return a - b", "    return a -"),
}


def made(name: str, test: str = "test_add") -> Mutant:
    before, after = MADE[name]
    text = f"A bug.\n\nCaught-by: tests/test_adding.py::{test}\n--- core/adding.py\n@@\n-{before}\n+{after}\n"
    return parse(name, text)


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Path]:
    root = tmp_path / "checkout"
    for package in ("core", "tests", "chaos/mutants"):
        (root / package).mkdir(parents=True)
    for package in ("core", "chaos", "chaos/mutants"):
        (root / package / "__init__.py").write_text("")
    (root / "chaos" / "mutants" / "quick.py").write_text((CHECKOUT / "chaos" / "mutants" / "quick.py").read_text())
    (root / "core" / "adding.py").write_text(ADDING)
    (root / "tests" / "test_adding.py").write_text(TESTS.replace("{copy!r}", repr(str(tmp_path / "scratch"))))
    (root / "pyproject.toml").write_text(SETUP)
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    yield root
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before, "it is never touched"


def test_how_each_kind_of_bug_ends(checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chaos.mutants.trying.SAME_EVERY_TIME", ("-p", "chaos.mutants.quick", "--timeout=2"))
    said: list[str] = []
    bugs = [made(name) for name in MADE]
    found = {one.mutant: one.verdict for one in try_all(bugs, checkout, tmp_path / "scratch", 2, said.append)}
    assert found == {
        "caught": Verdict.CAUGHT,
        "survivor": Verdict.SURVIVED,
        "hang": Verdict.HUNG,
        "broken": Verdict.BROKEN,
    }
    assert said


def test_a_run_that_does_not_end_is_ended(tmp_path: Path, checkout: Path) -> None:
    tree = copy_of(checkout, tmp_path / "scratch")
    with tree.changed({"core/adding.py": ADDING.replace("return a + b", "time.sleep(600)")}):
        assert run_tests(tree.root, made("hang").tests, within_s=3).code is None
    assert tree.read("core/adding.py") == ADDING


def test_it_is_the_copy_that_is_tested(checkout: Path, tmp_path: Path) -> None:
    bug = made("survivor", "test_the_checkout_is_not_what_is_tested")
    (found,) = try_all([bug], checkout, tmp_path / "scratch", 1, lambda text: None)
    assert found.verdict is Verdict.SURVIVED


def test_tests_that_fail_without_a_bug_prove_nothing(checkout: Path, tmp_path: Path) -> None:
    bug = made("caught", "test_the_checkout_is_not_what_is_tested")
    tried = try_all([bug], checkout, tmp_path / "elsewhere", 1, lambda text: None)
    with pytest.raises(Unsound, match="test_the_checkout_is_not"):
        next(tried)
