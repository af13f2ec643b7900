"""Deliberate bugs as patches: each applies exactly, names tests that exist, and is judged by how those end."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from chaos.mutants import command
from chaos.mutants.patching import BadPatch, Hunk, Mutant, mutated, parse
from chaos.mutants.trees import Tree, copy_of
from chaos.mutants.trying import Run, Tried, Verdict, judge, mutants
from config.home import CHECKOUT

EVERY = mutants()
TEST = "tests/test_it.py::test_it"
PATCH = f"""The sum is a difference.

Caught-by: {TEST}
--- a.py
@@
 def add(a, b):
-    return a + b
+    return a - b
@@
-LIMIT = 1
--- b.py
@@
+import a
 x = 1
"""
SETUP = """[tool.setuptools]
py-modules = ["m"]
[tool.setuptools.packages.find]
include = ["core*"]
"""
SOURCES = {"a.py": "LIMIT = 1\ndef add(a, b):\n    return a + b\n", "b.py": "x = 1\n"}


# --- the mutants there are --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mutant", EVERY, ids=lambda mutant: mutant.name)
def test_every_patch_applies_exactly_and_leaves_python(mutant: Mutant) -> None:
    changed = mutated(mutant, lambda path: (CHECKOUT / path).read_text("utf-8"))
    assert tuple(changed) == mutant.paths
    for path, source in changed.items():
        assert source != (CHECKOUT / path).read_text("utf-8")
        ast.parse(source, path)


@pytest.mark.parametrize("mutant", EVERY, ids=lambda mutant: mutant.name)
def test_every_patch_names_tests_there_are(mutant: Mutant) -> None:
    for node in mutant.tests:
        path, _, name = node.partition("::")
        tree = ast.parse((CHECKOUT / path).read_text("utf-8"))
        found = {one.name for one in ast.walk(tree) if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)}
        assert name.partition("[")[0] in found, f"{mutant.name}: there is no {node}"


def test_they_are_many_and_told_apart() -> None:
    assert len(EVERY) >= 30
    assert len({mutant.hunks for mutant in EVERY}) == len(EVERY)
    rooms = {path.split("/")[0] for mutant in EVERY for path in mutant.paths}
    assert rooms >= {"core", "config", "account_processors", "signal_endpoints", "signal_processors"}


def table() -> list[str]:
    """How docs/safety.md lists them."""
    rows = []
    for mutant in EVERY:
        tests = ", ".join(f"`{test.split('/')[-1]}`" for test in mutant.tests)
        rows.append(f"| `{mutant.name}` | {mutant.bug} | {tests} |")
    return rows


def test_every_mutant_is_documented_with_what_catches_it() -> None:
    text = (CHECKOUT / "docs" / "safety.md").read_text("utf-8")
    section = text.partition("<!-- rows: mutants -->")[2].partition("\n\n")[0]
    listed = [line for line in section.splitlines() if line.startswith("| `")]
    assert listed == table(), "bring the table of mutants up to date:\n" + "\n".join(table())


# --- patches ----------------------------------------------------------------------------------------------------------


def test_a_patch_is_read() -> None:
    found = parse("wrong-sum", PATCH)
    assert (found.name, found.bug, found.tests, found.hang_counts) == (
        "wrong-sum",
        "The sum is a difference.",
        (TEST,),
        False,
    )
    assert found.hunks == (
        Hunk("a.py", "def add(a, b):\n    return a + b\n", "def add(a, b):\n    return a - b\n"),
        Hunk("a.py", "LIMIT = 1\n", ""),
        Hunk("b.py", "x = 1\n", "import a\nx = 1\n"),
    )
    assert found.paths == ("a.py", "b.py")


def test_a_patch_is_applied() -> None:
    changed = mutated(parse("wrong-sum", PATCH), SOURCES.__getitem__)
    assert changed == {"a.py": "def add(a, b):\n    return a - b\n", "b.py": "import a\nx = 1\n"}


def test_a_hang_may_count() -> None:
    assert parse("slow", PATCH.replace("--- a.py", "Hang: counts\n--- a.py", 1)).hang_counts


BAD = [
    ("no test", PATCH.replace("Caught-by", "Seen-by")),
    ("a whole file", PATCH.replace("::test_it", "")),
    ("no bug", PATCH.replace("The sum is a difference.", "")),
    ("no change", PATCH.partition("---")[0]),
    (
        "nothing changes",
        PATCH.replace("a - b", "a + b").replace("-    return", "     return").replace("+    ret", " #"),
    ),
    ("a stray line", PATCH + "~~~\n"),
    ("nothing to find", f"A bug.\n\nCaught-by: {TEST}\n--- a.py\n@@\n+x = 2\n"),
]


@pytest.mark.parametrize("text", [text for _, text in BAD], ids=[name for name, _ in BAD])
def test_what_is_no_patch_names_the_mutant(text: str) -> None:
    with pytest.raises(BadPatch, match="the-mutant"):
        parse("the-mutant", text)


MOVED = [
    ("gone", {"a.py": "def add(a, b):\n    return sum((a, b))\n", "b.py": "x = 1\n"}),
    ("twice", {"a.py": SOURCES["a.py"] * 2, "b.py": "x = 1\n"}),
    ("only as a part of a line", {"a.py": SOURCES["a.py"], "b.py": "max = 1\n"}),
    ("only at the end of another line", {"a.py": SOURCES["a.py"].replace("LIMIT", "MY_LIMIT"), "b.py": "x = 1\n"}),
]


@pytest.mark.parametrize("sources", [sources for _, sources in MOVED], ids=[name for name, _ in MOVED])
def test_a_source_that_moved_on_is_an_error_that_names_the_mutant(sources: dict[str, str]) -> None:
    with pytest.raises(BadPatch, match="wrong-sum"):
        mutated(parse("wrong-sum", PATCH), sources.__getitem__)


def test_a_source_that_is_gone_is_an_error_that_names_the_mutant(tmp_path: Path) -> None:
    with pytest.raises(BadPatch, match=r"wrong-sum.*a\.py"):
        mutated(parse("wrong-sum", PATCH), lambda path: (tmp_path / path).read_text())


# --- the copy ---------------------------------------------------------------------------------------------------------


def test_the_copy_holds_what_tests_need_and_nothing_private(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    for path in ("core/a.py", "core/__pycache__/a.pyc", "tests/test_it.py", "state/secret.json", ".venv/x.py", "m.py"):
        (checkout / path).parent.mkdir(parents=True, exist_ok=True)
        (checkout / path).write_text("x = 1\n")
    for private in ("credentials.json", ".env", "notes.py"):
        (checkout / private).write_text("secret")
    (checkout / "pyproject.toml").write_text(SETUP)
    tree = copy_of(checkout, tmp_path / "copy")
    found = sorted(path.relative_to(tree.root).as_posix() for path in tree.root.rglob("*") if path.is_file())
    assert found == ["core/a.py", "m.py", "pyproject.toml", "tests/test_it.py"]


def test_a_change_is_taken_back_whatever_happens_and_no_two_have_one_time(tmp_path: Path) -> None:
    tree, times = Tree(tmp_path), []
    (tmp_path / "a.py").write_bytes(b"x = 1\r\n")
    before = (tmp_path / "a.py").stat().st_mtime_ns
    for number in range(3):
        change = tree.changed({"a.py": f"x = {number}\n"})
        change.__enter__()
        assert tree.read("a.py") == f"x = {number}\n"
        times.append(int((tmp_path / "a.py").stat().st_mtime))
        failure = ZeroDivisionError()
        assert not change.__exit__(type(failure), failure, None)
        assert (tmp_path / "a.py").read_bytes() == b"x = 1\r\n"
        assert (tmp_path / "a.py").stat().st_mtime_ns == before
    assert len({*times, before // 10**9}) == 4, "compiled modules are told apart by whole seconds"


# --- verdicts ---------------------------------------------------------------------------------------------------------

FAILED = f"..F\nFAILED {TEST}[case 1] - AssertionError: assert 1 == 2\n1 failed, 2 passed\n"
SLOW = f"F\nFAILED {TEST} - Failed: Timeout (>20.0s) from pytest-timeout.\n1 failed\n"
RUNS = [
    ("passed", Run(0, "3 passed"), False, Verdict.SURVIVED, ""),
    ("failed", Run(1, FAILED), False, Verdict.CAUGHT, f"{TEST}[case 1]"),
    ("a test hangs", Run(1, SLOW), False, Verdict.HUNG, "never ended"),
    ("a test hangs, which counts", Run(1, SLOW), True, Verdict.CAUGHT, "never ended"),
    ("all hang", Run(None, "did not end"), False, Verdict.HUNG, "never ended"),
    ("all hang, which counts", Run(None, "did not end"), True, Verdict.CAUGHT, "never ended"),
    ("cannot be imported", Run(2, f"ERROR {TEST} - SyntaxError"), False, Verdict.BROKEN, "SyntaxError"),
    ("no such test", Run(4, "ERROR: not found"), False, Verdict.BROKEN, "not found"),
    ("a fixture fails", Run(1, f"ERROR {TEST} - KeyError"), False, Verdict.BROKEN, "KeyError"),
    ("killed", Run(-11, ""), False, Verdict.BROKEN, ""),
]


@pytest.mark.parametrize(
    ("run", "hang_counts", "verdict", "by"), [case[1:] for case in RUNS], ids=[case[0] for case in RUNS]
)
def test_verdicts(run: Run, hang_counts: bool, verdict: Verdict, by: str) -> None:
    mutant = Mutant("m", "a bug", (TEST,), (Hunk("a.py", "x\n", "y\n"),), hang_counts)
    found = judge(mutant, run, 1.0)
    assert found.verdict is verdict
    assert by in found.by


# --- the command ------------------------------------------------------------------------------------------------------


def test_the_json_line_says_what_is_agreed_and_more() -> None:
    tried = [
        Tried("b", Verdict.SURVIVED, "", 1.0),
        Tried("a", Verdict.CAUGHT, TEST, 1.0),
        Tried("c", Verdict.HUNG, "it never ended", 1.0),
    ]
    assert json.loads(json.dumps(command.row(tried))) == {
        "mutants": 3,
        "caught": 1,
        "survivors": ["b"],
        "broken": {"c": "it never ended"},
        "caught_by": {"a": TEST},
    }


def test_parts_are_all_of_them_and_none_twice() -> None:
    parts = [command.chosen(EVERY, None, (number, 3)) for number in (1, 2, 3)]
    assert sorted(one.name for part in parts for one in part) == [one.name for one in EVERY]
    assert command.chosen(EVERY, [EVERY[3].name], (1, 1)) == [EVERY[3]]
    with pytest.raises(BadPatch, match="no-such-one"):
        command.chosen(EVERY, ["no-such-one"], (1, 1))


@pytest.mark.parametrize(
    "argv", [["--part", "4/3"], ["--part", "0/3"], ["--part", "a"], ["--workers", "0"], ["--what"]]
)
def test_wrong_arguments_are_refused(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.arguments(["--mutants", *argv])
    assert capsys.readouterr().err
