"""The command line: homes before and after the verb, exit codes, help, programs handed on to."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import pytest

from cli import main as front
from cli.errors import UserError
from cli.parser import build_parser
from cli.places import home_named, home_of
from cli.verbs import BENCHES, HANDED_ON, VERBS
from config.home import CHECKOUT, Home


def parsed(*words: str) -> argparse.Namespace:
    return build_parser().parse_args(words)


@pytest.mark.parametrize("words", [["--home", "{}", "status"], ["status", "--home", "{}"], ["--home={}", "status"]])
def test_home_before_and_after_the_verb(tmp_path: Path, words: list[str]) -> None:
    args = parsed(*(word.format(tmp_path) for word in words))
    assert home_of(args) == Home(tmp_path)


@pytest.mark.parametrize("words", [["--demo", "status"], ["status", "--demo"]])
def test_demo_before_and_after_the_verb(home: Home, tmp_path: Path, words: list[str]) -> None:
    demo = Home(tmp_path / "demo")
    with pytest.raises(UserError, match=r"\./run demo"):
        home_named(parsed(*words))
    demo.prepare()
    (demo.root / "DEMO").touch()
    assert home_named(parsed(*words)) == demo


def test_home_without_a_flag(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    assert home_named(parsed("status")) == home
    monkeypatch.delenv("TRADE_ENGINE_HOME")
    assert home_named(parsed("status")) is None
    assert home_of(parsed("status")) == Home(CHECKOUT)


def test_two_homes_are_refused(home: Home) -> None:
    with pytest.raises(UserError, match="two different homes"):
        home_named(parsed("--demo", "status", "--home", str(home.root)))


def test_a_home_that_is_no_folder_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert front.main(["--home", str(tmp_path / "typo"), "halt"]) == 1
    assert "no folder" in capsys.readouterr().err
    assert not (tmp_path / "typo").exists()


@pytest.mark.parametrize(
    "words", [["frobnicate"], ["status", "--nope"], ["alert"], ["alert", "BTCUSDT", "up"], ["restart"]]
)
def test_what_is_not_understood_ends_with_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        front.main(words)
    assert ended.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_no_verb_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert front.main([]) == 2
    assert "./run demo" in capsys.readouterr().out


def test_help_names_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert front.main(["help"]) == 0
    said = capsys.readouterr().out
    assert all(f"    {name}" in said for name in [*(verb.name for verb in VERBS), *HANDED_ON])


@pytest.mark.parametrize("verb", [verb.name for verb in VERBS])
def test_every_verb_teaches_by_example(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        front.main([verb, "--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert "examples:" in said
    assert f"./run {verb}" in said or f" {verb}" in said.split("examples:")[1]


@pytest.mark.parametrize(
    ("words", "module", "rest", "home"),
    [
        (["simulator", "--seed", "7"], "simulator.server", ["--seed", "7"], None),
        (["--home", "/h", "simulator", "--help"], "simulator.server", ["--help"], "/h"),
        (["bench", "reconcile", "--json"], "bench.reconcile", ["--json"], None),
        (["--home=/h", "bench", "reconcile"], "bench.reconcile", [], "/h"),
    ],
)
def test_other_programs_get_their_words_untouched(
    monkeypatch: pytest.MonkeyPatch, words: list[str], module: str, rest: list[str], home: str | None
) -> None:
    became: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda path, arguments: became.append(arguments))
    monkeypatch.delenv("TRADE_ENGINE_HOME", raising=False)
    monkeypatch.setenv("TRADE_ENGINE_HOME", "before")
    front.main(words)
    assert became == [[sys.executable, "-P", "-m", module, *rest]]
    assert os.environ["TRADE_ENGINE_HOME"] == (home or "before")


@pytest.mark.parametrize(
    "words", [["bench"], ["bench", "--json"], ["bench", "os;rm"], ["bench", "nope"], ["bench", "load"]]
)
def test_a_bench_needs_its_name(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert front.main(words) == 1
    said = capsys.readouterr().err
    assert "Which one?" in said
    assert all(name in said for name in BENCHES)


def test_every_bench_is_named() -> None:
    """A module that teaches `./run bench NAME` is one, and no other."""
    found = {path.stem for path in (CHECKOUT / "bench").glob("*.py") if f"./run bench {path.stem}" in path.read_text()}
    assert found == set(BENCHES)
