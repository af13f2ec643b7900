from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from config.contents import Contents
from config.switches import HaltFile, asked_of
from core.domain import Halt
from tests.unit.config.house import House

WORDS = [
    (b"HALT_INCREASES", Halt.HALT_INCREASES, False),
    (b"HALT_INCREASES\n", Halt.HALT_INCREASES, False),
    (b"FLATTEN\n", Halt.FLATTEN, False),
    (b"  FLATTEN \r\n", Halt.FLATTEN, False),
    (b"FLATTEN_ALL", Halt.FLATTEN_ALL, False),
    (b"FLATTEN --all\n", Halt.FLATTEN_ALL, False),
    (b"", Halt.HALT_INCREASES, False),
    (b"\n \n", Halt.HALT_INCREASES, False),
    (b"flatten", Halt.HALT_INCREASES, True),
    (b"NONE", Halt.HALT_INCREASES, True),
    (b"FLATTEN FLATTEN", Halt.HALT_INCREASES, True),
    (b"FLATTEN\nHALT_INCREASES", Halt.HALT_INCREASES, True),
    (b"\xef\xbb\xbfFLATTEN", Halt.HALT_INCREASES, True),
    (b"\xff\xfe", Halt.HALT_INCREASES, True),
    ("ＦＬＡＴＴＥＮ".encode(), Halt.HALT_INCREASES, True),
    (b'{"halt": "FLATTEN"}', Halt.HALT_INCREASES, True),
]


@pytest.mark.parametrize(("content", "halt", "named"), WORDS)
def test_halt(house: House, content: bytes, halt: Halt, named: bool) -> None:
    house.put("HALT", content)
    found = house.settings()
    assert found.halt() is halt
    assert any("HALT" in problem for problem in found.problems()) is named


def test_no_file_is_no_halt_and_each_look_is_fresh(house: House) -> None:
    found = house.settings()
    assert found.halt() is Halt.NONE
    path = house.put("HALT", "FLATTEN")
    assert found.halt() is Halt.FLATTEN
    house.put("HALT", "HALT_INCREASES")
    assert found.halt() is Halt.HALT_INCREASES
    path.unlink()
    assert found.halt() is Halt.NONE


def fail_the_disk(house: House) -> None:
    house.put("HALT", "FLATTEN")
    house.files.broken.add(house.home.halt)


def make_folder(house: House) -> None:
    house.home.halt.mkdir()


def link_to_nowhere(house: House) -> None:
    house.home.halt.symlink_to("nowhere")


def link_to_itself(house: House) -> None:
    house.home.halt.symlink_to("HALT")


def home_unreadable(house: House) -> None:
    house.files.broken.add(house.home.root)


def too_large(house: House) -> None:
    with house.home.halt.open("wb") as file:
        file.truncate(2**30)


@pytest.mark.parametrize(
    "do",
    [fail_the_disk, make_folder, link_to_nowhere, link_to_itself, home_unreadable, too_large],
    ids=lambda do: do.__name__,
)
def test_a_halt_that_cannot_be_read_halts(house: House, do: Callable[[House], None]) -> None:
    do(house)
    switch = HaltFile(house.home, house.files, Contents(house.files, house.clock)).read()
    assert switch.halt is Halt.HALT_INCREASES
    assert switch.problem.startswith("HALT: ")
    assert "Increases are halted" in switch.problem


DESIRED: list[dict[str, Any]] = [
    {},
    {"resync": {"bybit-main": {"*": 3}}},
    {"close": {"a-b": {"BTCUSDT": 1, "ETHUSDT": 0}}, "adopt": {}},
    {"resume": {"a-b": {"*": 1}}, "resolve": {"a-b": {}}, "accept_instrument": {"a-b": {"BTCUSDT": 7}}},
]


@pytest.mark.parametrize("asked", DESIRED)
def test_desired(house: House, asked: dict[str, Any]) -> None:
    house.put("state/desired.json", asked)
    settings = house.settings()
    assert settings.desired() == asked
    assert settings.desired() is settings.desired()
    assert not [problem for problem in settings.problems() if "desired" in problem]


UNDERSTOOD_BY_NOBODY = [
    ("", "is empty"),
    ("{", "line 1"),
    ('{"close": {"a-b": {"BTCUSDT": 1,}}}', "line 1"),
    ('{"close": {}, "close": {}}', "second time"),
    ("[]", "must be an object"),
    ('{"close": []}', "close"),
    ('{"close": {"a-b": 3}}', "close.a-b"),
    ('{"close": {"A B": {"*": 1}}}', "close.A B"),
    ('{"close": {"a-b": {"btc usdt": 1}}}', "close.a-b.btc usdt"),
    ('{"close": {"a-b": {"BTCUSDT": 1.5}}}', "whole number"),
    ('{"close": {"a-b": {"BTCUSDT": true}}}', "whole number"),
    ('{"close": {"a-b": {"BTCUSDT": "1"}}}', "whole number"),
    ('{"close": {"a-b": {"BTCUSDT": -1}}}', "whole number"),
    ('{"close": {"a-b": {"BTCUSDT": NaN}}}', "NaN"),
    ('{"close": {"a-b": {"BTCUSDT": 1e999}}}', "out of range"),
    ('{"close": {"a-b": {"BTCUSDT": 99999999999999999999}}}', "whole number"),
]


@pytest.mark.parametrize(("text", "words"), UNDERSTOOD_BY_NOBODY)
def test_desired_that_is_not_understood_does_nothing_and_is_named(house: House, text: str, words: str) -> None:
    house.put("state/desired.json", text)
    settings = house.settings()
    assert settings.desired() == {}
    (problem,) = (problem for problem in settings.problems() if "desired" in problem)
    assert words in problem
    assert "Nothing it asks for is done" in problem


def test_an_unknown_verb_is_left_out(house: House) -> None:
    house.put("state/desired.json", {"colse": {"a-b": {"*": 1}}, "adopt": {"a-b": {"*": 2}}})
    settings = house.settings()
    assert settings.desired() == {"adopt": {"a-b": {"*": 2}}}
    assert any("did you mean close?" in problem for problem in settings.problems())


def test_desired_on_a_failing_disk(house: House, tmp_path: Path) -> None:
    path = house.put("state/desired.json", {"adopt": {"a-b": {"*": 2}}})
    house.files.broken.add(path)
    settings = house.settings()
    assert settings.desired() == {}
    assert any("Input/output error" in problem for problem in settings.problems())
    house.files.broken.clear()
    assert settings.desired() == {"adopt": {"a-b": {"*": 2}}}
    assert not any("desired" in problem for problem in settings.problems())


def test_absent_desired_asks_nothing(house: House) -> None:
    assert asked_of(Contents(house.files, house.clock).read(house.home.desired)).problem == ""
