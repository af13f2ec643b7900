"""`--config`: parameters by question, flag and file; what an older version wrote is read as it is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from config.bittensor import MEANING, SECTIONS, BittensorKeys, check_bittensor
from config.checks import Raw
from config.contents import parsed
from config.home import CHECKOUT, Home
from config.prompting import Ended, Person
from signal_processors.bittensor_config import main as configure
from tests.unit.config.house import House
from tests.unit.config.person import Scripted, content, run

FILE = "bittensor_processor_config.json"
NAMES = [name for names in SECTIONS.values() for name in names]

# As installations of earlier versions have it: every parameter of theirs, none of those that came later.
OLD = """{
    "min_trades": 10,
    "max_drawdown_threshold": -0.5,
    "min_profitable_rate": 0.6,
    "min_total_return": 0.0,
    "drawdown_exponent": 6,
    "sharpe_exponent": 2,
    "profitable_rate_exponent": 5,
    "position_count_divisor": 5,
    "min_trades_per_asset": 0,
    "max_trade_age_days": 14,
    "leverage_limit_crypto": 0.5
}
"""


@pytest.fixture
def house(tmp_path: Path) -> House:
    found = House(Home(tmp_path))
    found.home.prepare()
    return found


def main(argv: Sequence[str] | None = None, person: Person | None = None) -> int:
    return configure(argv or [], person)


def session(**answers: str) -> Scripted:
    return Scripted(*(answers.get(name, "") for name in NAMES))


def test_defaults_are_those_of_the_specification_and_each_is_asked_once() -> None:
    assert sorted(NAMES) == sorted(BittensorKeys.model_fields) == sorted(MEANING)
    old = check_bittensor(Raw(FILE, json.loads(OLD, parse_float=Decimal))).value
    assert old == BittensorKeys()


def test_an_older_file_is_read_as_it_is_and_stays_as_it_is(house: House) -> None:
    house.put(FILE, OLD)
    found = check_bittensor(parsed(OLD.encode(), FILE))
    assert found.value == BittensorKeys()
    assert found.warnings == ()
    assert run(main, house, "--validate") == 0
    assert run(main, house, person=session()) == 0
    assert house.home.bittensor_config.read_text() == OLD


def test_numbers_may_be_texts_and_whole_numbers_may_have_a_point() -> None:
    found = check_bittensor(Raw(FILE, {"min_trades": Decimal("12.0"), "min_profitable_rate": "0.55"})).value
    assert found is not None
    assert (found.min_trades, found.min_profitable_rate) == (12, Decimal("0.55"))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([], "must be an object"),
        ({"min_trades": -1}, "min_trades: must be between 0"),
        ({"min_trades": Decimal("1.5")}, "whole number"),
        ({"max_drawdown_threshold": Decimal("0.5")}, "between -1 and 0"),
        ({"position_count_divisor": 0}, "above 0"),
        ({"leverage_limit_crypto": 0}, "above 0"),
        ({"miner_loss_guard": 2}, "between 0 and 1"),
        ({"sharpe_exponent": -1}, "between 0 and 100"),
        ({"metagraph": 1}, "true or false"),
        ({"min_profitable_rate": None}, "not null"),
    ],
)
def test_what_is_wrong_is_named(value: Any, words: str) -> None:
    found = check_bittensor(Raw(FILE, value))
    assert found.value is None
    assert words in str(found.problems[0])


# --- by question ------------------------------------------------------------------------------------------------------


def test_a_session_writes_what_was_changed_and_keeps_the_rest(house: House) -> None:
    house.put(FILE, {"note": "mine", "min_trades": 5})
    person = session(min_trades="20", max_trade_age_days="7.5", metagraph="False")
    assert run(main, house, person=person) == 0
    assert content(house.home.bittensor_config) == {
        "note": "mine",
        "min_trades": 20,
        "max_trade_age_days": 7.5,
        "metagraph": False,
    }
    assert person.asked[0] == "Enter min_trades (press Enter for current value: 5): "
    assert len(person.asked) == len(NAMES)
    assert house.home.bittensor_config.stat().st_mode & 0o777 == 0o600


def test_a_wrong_answer_is_told_and_asked_again(house: House) -> None:
    person = Scripted("many", "-3", "1.5", "12", *[""] * (len(NAMES) - 1))
    assert run(main, house, person=person) == 0
    assert content(house.home.bittensor_config) == {"min_trades": 12}
    assert person.asked[:4] == [person.asked[0]] * 4
    assert "Type a number" in person.told
    assert "between 0 and 100000" in person.told


def test_a_value_that_cannot_be_is_mended_by_the_session(house: House) -> None:
    house.put(FILE, {"min_trades": "many", "sharpe_exponent": 3})
    assert run(main, house, person=session(min_trades="4")) == 0
    assert content(house.home.bittensor_config) == {"min_trades": 4, "sharpe_exponent": 3}


@pytest.mark.parametrize("end", [Ended, KeyboardInterrupt])
def test_leaving_changes_nothing(house: House, end: type[BaseException]) -> None:
    house.put(FILE, OLD)
    assert run(main, house, person=Scripted("20", "", then=end)) != 0
    assert house.home.bittensor_config.read_text() == OLD


# --- without a terminal -----------------------------------------------------------------------------------------------


def test_set_and_reset(house: House) -> None:
    assert run(main, house, "--set", "min_trades=20", "--set", "min_total_return=0.05") == 0
    assert content(house.home.bittensor_config) == {"min_trades": 20, "min_total_return": 0.05}
    assert run(main, house, "--reset", "min_trades", "--set", "min_total_return=0.05") == 0
    assert content(house.home.bittensor_config) == {"min_total_return": 0.05}


@pytest.mark.parametrize(
    "words",
    [
        ("--set", "min_trade=3"),
        ("--set", "min_trades"),
        ("--set", "min_trades=-3"),
        ("--set", "min_trades=1e5"),
        ("--set", "metagraph=yes"),
        ("--reset", "nothing"),
        ("--from", "/nowhere.json"),
    ],
)
def test_a_flag_that_cannot_be_changes_nothing(
    house: House, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    house.put(FILE, OLD)
    assert run(main, house, *words) == 1
    assert house.home.bittensor_config.read_text() == OLD
    assert "Nothing was changed." in capsys.readouterr().out


def test_from_a_file(house: House, tmp_path: Path) -> None:
    house.put(FILE, {"note": 1, "min_trades": 5})
    given = tmp_path / "given.json"
    given.write_text('{"min_trades": 7, "sharpe_exponent": 1}')
    assert run(main, house, "--from", str(given), "--validate") == 0
    assert content(house.home.bittensor_config)["min_trades"] == 5
    assert run(main, house, "--from", str(given)) == 0
    assert content(house.home.bittensor_config) == {"note": 1, "min_trades": 7, "sharpe_exponent": 1}
    given.write_text('{"min_trades": "x"}')
    assert run(main, house, "--from", str(given)) == 1


def test_show_as_json(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(main, house, "--show", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["content"]["min_trades"] == 10
    assert set(found["content"]) == set(BittensorKeys.model_fields)
    assert not house.home.bittensor_config.exists()


def test_show_marks_defaults(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    house.put(FILE, {"min_trades": 5, "min_trade": 6})
    assert run(main, house, "--show") == 0
    out = capsys.readouterr().out
    assert "    min_trades: 5\n" in out
    assert "    sharpe_exponent: 2 (default)\n" in out
    assert "did you mean min_trades?" in out


@pytest.mark.parametrize("words", [("--check",), ("--show", "--set", "min_trades=1"), ("--json",)])
def test_a_command_line_that_asks_for_nothing_sensible(house: House, words: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as ended:
        run(main, house, *words)
    assert ended.value.code == 2


def test_the_document_names_every_parameter_and_its_default() -> None:
    page = (CHECKOUT / "docs" / "bittensor.md").read_text()
    for name in NAMES:
        default = getattr(BittensorKeys(), name)
        shown = (
            "true" if default is True else format(default.normalize(), "f") if isinstance(default, Decimal) else default
        )
        assert f"| `{name}` | {shown} |" in page, name
