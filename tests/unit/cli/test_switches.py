"""Halting and asking through files: what stands there afterwards, and what is refused."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from cli import main as front
from cli.preflight.asking import Found
from config.home import Home
from core.domain import Position, Positions, Problem, Scope, Symbol
from tests.unit.cli.files import write_configuration, write_credentials, write_status

Run = pytest.CaptureFixture[str]


def positions(**contracts: str) -> Found:
    """What a venue that was asked said of the account's positions."""
    held = {Symbol(name): Position(Symbol(name), Decimal(size)) for name, size in contracts.items()}
    return Found((), positions=Positions(held, 0.0, 0.0))


def run(*words: str) -> int:
    return front.main(words)


# --- the halt ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "words", "after"),
    [
        (None, ["halt"], "HALT_INCREASES"),
        (None, ["halt", "--flatten"], "FLATTEN"),
        (None, ["halt", "--flatten", "--all"], "FLATTEN_ALL"),
        ("HALT_INCREASES", ["halt", "--flatten"], "FLATTEN"),
        ("FLATTEN", ["halt"], "FLATTEN"),
        ("FLATTEN_ALL", ["halt", "--flatten"], "FLATTEN_ALL"),
        ("", ["halt"], ""),
        ("nonsense", ["halt", "--flatten"], "FLATTEN"),
    ],
)
def test_halt_never_weakens(home: Home, before: str | None, words: list[str], after: str) -> None:
    if before is not None:
        home.halt.write_text(before)
    assert run(*words) == 0
    assert home.halt.read_text().strip() == after


def test_all_needs_flatten(home: Home, capsys: Run) -> None:
    assert run("halt", "--all") == 1
    assert not home.halt.exists()
    assert "--flatten" in capsys.readouterr().err


def test_halt_names_its_home_and_what_it_cannot_reach(home: Home, capsys: Run) -> None:
    write_credentials(home, "main", "second")
    write_configuration(home, accounts={"bybit-second": {"mode": "disabled"}})
    assert run("halt", "--flatten") == 0
    said = capsys.readouterr().out
    assert all(line.startswith("LIVE") for line in said.splitlines())
    assert "bybit-second is disabled" in said
    assert "bybit-main is disabled" not in said


def test_halt_that_cannot_be_written_says_that_nothing_is_halted(home: Home, capsys: Run) -> None:
    home.halt.mkdir()
    assert run("halt", "--flatten") == 1
    assert "NOTHING IS HALTED" in capsys.readouterr().err


def test_resume_lifts_the_halt(home: Home) -> None:
    home.halt.write_text("FLATTEN\n")
    assert run("resume") == 0
    assert not home.halt.exists()
    assert run("resume") == 0


def test_several_running_homes_are_halted_but_not_flattened(
    home: Home, monkeypatch: pytest.MonkeyPatch, capsys: Run
) -> None:
    other = Home(home.root.parent / "other")
    other.prepare()
    monkeypatch.setattr("cli.switches.running_homes", lambda: (home, other))
    monkeypatch.delenv("TRADE_ENGINE_HOME")
    assert run("halt", "--flatten") == 1
    assert [one.halt.read_text() for one in (home, other)] == ["HALT_INCREASES\n"] * 2
    assert f"--home {other.root}" in capsys.readouterr().err


def test_resume_asks_which_when_several_are_halted(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    other = Home(home.root.parent / "other")
    other.prepare()
    for one in (home, other):
        one.halt.write_text("HALT_INCREASES\n")
    monkeypatch.setattr("cli.switches.running_homes", lambda: (home, other))
    monkeypatch.delenv("TRADE_ENGINE_HOME")
    assert run("resume") == 1
    assert home.halt.exists()
    assert other.halt.exists()


# --- state/desired.json -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "verb", "asked"),
    [
        (["close", "BTCUSDT"], "close", {"bybit-main": {"BTCUSDT": 1}, "bybit-second": {"BTCUSDT": 1}}),
        (["close", "bybit-main", "BTCUSDT"], "close", {"bybit-main": {"BTCUSDT": 1}}),
        (["resync", "bybit-main"], "resync", {"bybit-main": {"*": 1}}),
        (["resync", "bybit-main", "ETHUSDT"], "resync", {"bybit-main": {"ETHUSDT": 1}}),
        (["adopt", "bybit-second", "BTCUSDT"], "adopt", {"bybit-second": {"BTCUSDT": 1}}),
        (["resolve", "bybit-main", "BTCUSDT"], "resolve", {"bybit-main": {"BTCUSDT": 1}}),
        (["accept-instrument", "bybit-main", "BTCUSDT"], "accept_instrument", {"bybit-main": {"BTCUSDT": 1}}),
        (["resume", "bybit-main"], "resume", {"bybit-main": {"*": 1}}),
    ],
)
def test_asking_raises_a_number(home: Home, words: list[str], verb: str, asked: dict[str, Any]) -> None:
    write_credentials(home, "main", "second")
    assert run(*words) == 0
    assert json.loads(home.desired.read_text()) == {verb: asked}


def test_numbers_count_on_and_unknown_fields_stay(home: Home) -> None:
    write_credentials(home, "main")
    before = {"note": {"by": "me"}, "close": {"bybit-main": {"BTCUSDT": 41, "ETHUSDT": 2}}, "resync": {}}
    home.desired.write_text(json.dumps(before))
    assert run("close", "bybit-main", "BTCUSDT") == 0
    after = json.loads(home.desired.read_text())
    assert after == before | {"close": {"bybit-main": {"BTCUSDT": 42, "ETHUSDT": 2}}}
    assert list(after) == list(before)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["close", "bybit-nobody", "BTCUSDT"], "known: bybit-main"),
        (["close", "btc usdt"], "no symbol"),
        (["adopt", "kraken-main", "BTCUSDT"], "known: bybit-main"),
    ],
)
def test_what_cannot_be_meant_is_refused(home: Home, capsys: Run, words: list[str], said: str) -> None:
    write_credentials(home, "main")
    assert run(*words) == 1
    assert said in capsys.readouterr().err
    assert not home.desired.exists()


@pytest.mark.parametrize("verb", ["close", "resync", "resolve", "accept-instrument"])
def test_a_symbol_nobody_knows_is_refused(home: Home, capsys: Run, verb: str) -> None:
    write_credentials(home, "main")
    write_configuration(home)
    assert run(verb, "bybit-main", "BTCUSTD") == 1
    said = capsys.readouterr().err
    assert "did you mean BTCUSDT?" in said
    assert not home.desired.exists()
    assert run(verb, "bybit-main", "BTCUSDT") == 0


def test_a_position_the_engine_lists_can_be_adopted(home: Home) -> None:
    write_credentials(home, "main")
    write_configuration(home)
    write_status(home, "bybit-main", symbols={"DOGEUSDT": {"state": "FOREIGN", "actual": "5"}})
    assert run("adopt", "bybit-main", "DOGEUSDT") == 0


def test_a_symbol_is_closed_where_it_is_known(home: Home) -> None:
    write_credentials(home, "main", "second")
    write_configuration(home, accounts={"bybit-second": {"symbols": ["ETHUSDT"]}})
    assert run("close", "BTCUSDT") == 0
    assert json.loads(home.desired.read_text()) == {"close": {"bybit-main": {"BTCUSDT": 1}}}


@pytest.mark.parametrize(
    ("found", "code", "said"),
    [
        (positions(), 1, "bybit-main holds nothing of it"),
        (positions(NOPE="2"), 0, ""),
        (Found((Problem(Scope.ALL, "x", "the venue is away"),)), 1, "could not be asked (the venue is away)"),
    ],
)
def test_what_the_engine_has_not_seen_is_asked_of_the_venue(
    home: Home, capsys: Run, monkeypatch: pytest.MonkeyPatch, found: Found, code: int, said: str
) -> None:
    async def look(*_: object) -> Found:
        return found

    write_credentials(home, "main")
    write_configuration(home)
    monkeypatch.setattr("cli.known.look", look)
    assert run("adopt", "bybit-main", "NOPE") == code
    assert said in capsys.readouterr().err
    assert home.desired.exists() is (code == 0)


def test_a_position_cannot_be_adopted_on_an_account_in_trouble(home: Home, capsys: Run) -> None:
    accounts = [{"venue": "bybit", "name": "main", "api_key": "k"}]
    home.credentials.write_text(json.dumps({"accounts": accounts}))
    write_configuration(home)
    assert run("adopt", "bybit-main", "NOPE") == 1
    assert "could not be asked" in capsys.readouterr().err


@pytest.mark.parametrize("broken", ["{", "", "[]", '{"close": 3}', '{"close": {"bybit-main": {"BTCUSDT": "many"}}}'])
def test_a_broken_file_is_left_as_it_is(home: Home, capsys: Run, broken: str) -> None:
    write_credentials(home, "main")
    home.desired.write_text(broken)
    assert run("close", "bybit-main", "BTCUSDT") == 1
    assert home.desired.read_text() == broken
    assert "desired.json" in capsys.readouterr().err
