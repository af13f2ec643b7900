"""FileSettings: a whole, valid set is in force, or the last one that was; and the user is told."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.home import Home
from config.reload import FileSettings
from core.domain import AccountMode, Halt, Settings, Symbol
from tests.unit.config.house import BYBIT, MAPPINGS, WEIGHTS, House

BTC = Symbol("BTCUSDT")
FILES = ("asset_mapping_config.json", "signal_weight_config.json", "engine_config.json")
ENGINE: dict[str, Any] = {"max_total_margin": 0.5, "accounts": {"bybit-main": {"mode": "close_only"}}}
GOOD: dict[str, Any] = dict(zip(FILES, (MAPPINGS, WEIGHTS, ENGINE), strict=True))


@pytest.fixture
def full(house: House) -> House:
    """A home with all three files valid."""
    for name, content in GOOD.items():
        house.put(name, content)
    return house


def same(one: Settings | None, other: Settings | None) -> bool:
    """Equal but for what is told about refused edits."""
    assert one is not None
    assert other is not None
    return (one.weights, one.mappings, one.sources, one.accounts, one.policy, one.versions) == (
        other.weights,
        other.mappings,
        other.sources,
        other.accounts,
        other.policy,
        other.versions,
    )


# --- the first start --------------------------------------------------------------------------------------------------


def test_an_empty_home_has_no_settings_and_says_what_to_create(house: House) -> None:
    found = house.settings()
    assert found.settings() is None
    assert found.engine_config() is None
    mapping, weights = found.problems()
    assert mapping.startswith("asset_mapping_config.json: does not exist; create it like examples/")
    assert weights.startswith("signal_weight_config.json: does not exist; create it like examples/")
    assert all("The engine holds" in problem for problem in (mapping, weights))
    house.furnish()
    now = found.settings()
    assert now is not None
    assert (now.problems, found.problems()) == ((), ())
    assert now.weights[BTC].weights == {"tradingview": Decimal("0.1"), "bittensor": Decimal("0.15")}


def test_a_broken_engine_config_at_the_first_start_never_means_the_defaults(house: House) -> None:
    house.furnish()
    house.put("engine_config.json", '{"max_total_margin": 0.1')
    found = house.settings()
    assert found.settings() is None
    (problem,) = found.problems()
    assert problem.startswith("engine_config.json: line 1")
    house.put("engine_config.json", {"max_total_margin": 0.1})
    now = found.settings()
    assert now is not None
    assert now.policy.max_total_margin == Decimal("0.1")


def test_nothing_changes_while_nothing_changes(full: House) -> None:
    found = full.settings()
    first = found.settings()
    full.clock.now += 100
    assert found.settings() is first
    assert found.problems() == ()


def test_versions_name_the_contents_in_force(full: House) -> None:
    found = full.settings()
    first = found.settings()
    assert first is not None
    assert set(first.versions) == set(FILES)
    full.put("engine_config.json", ENGINE | {"max_depth": 0.5})
    second = found.settings()
    assert second is not None
    assert {name for name in FILES if first.versions[name] != second.versions[name]} == {"engine_config.json"}


# --- broken edits -----------------------------------------------------------------------------------------------------

BROKEN_ANYWHERE: list[tuple[str, bytes]] = [
    ("empty", b""),
    ("blank", b" \n"),
    ("torn", b'{"a": [1, 2'),
    ("trailing comma", b'{"a": 1,}'),
    ("comment", b'{"a": 1} // note'),
    ("duplicate key", b'{"a": {"b": {}}, "a": {}}'),
    ("NaN", b"[NaN]"),
    ("Infinity", b"[-Infinity]"),
    ("huge number", b"[1e999]"),
    ("huge integer", b"[" + b"9" * 5000 + b"]"),
    ("not UTF-8", b'{"a": "\xff"}'),
    ("UTF-16", '{"a": 1}'.encode("utf-16")),
    ("lone surrogate", b'["\\ud800"]'),
    ("unicode digits", '{"a": ١}'.encode()),
    ("deep", b"[" * 40 + b"]" * 40),
    ("very deep", b"[" * 100_000),
    ("a number", b"3"),
    ("null", b"null"),
    ("a text", b'"x"'),
    ("HTML", b"<html></html>"),
    ("nul bytes", b"\0" * 64),
]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(("what", "data"), BROKEN_ANYWHERE, ids=[what for what, _ in BROKEN_ANYWHERE])
def test_a_broken_edit_leaves_the_last_good_in_force(full: House, name: str, what: str, data: bytes) -> None:
    found = full.settings()
    before = found.settings()
    full.put(name, data)
    assert same(found.settings(), before)
    (problem,) = found.problems()
    assert problem.startswith(f"{name}: ")
    assert f"The last good {name} stays in force (its copy: state/last_good/{name})" in problem
    restarted = full.settings()
    assert same(restarted.settings(), before)
    assert restarted.problems() == (problem,)
    full.put(name, GOOD[name])
    assert same(found.settings(), before)
    assert found.problems() == restarted.problems() == ()


WRONG_FIELDS: list[tuple[str, Any, str]] = [
    (FILES[0], {"tradingview": {"A": "BTCUSDT", "B": "BTCUSDT"}}, "tradingview.B (line 1)"),
    (FILES[1], [WEIGHTS[0] | {"leverage": 21}], "[0].leverage (line 1)"),
    (FILES[1], [WEIGHTS[0], WEIGHTS[0]], "[1].symbol (line 1)"),
    (FILES[2], ENGINE | {"max_total_margin": "50%"}, "max_total_margin (line 1)"),
    (FILES[2], ENGINE | {"accounts": {"bybit-main": {"mode": "off"}}}, "accounts.bybit-main.mode (line 1)"),
]


@pytest.mark.parametrize(("name", "content", "field"), WRONG_FIELDS)
def test_a_wrong_field_is_named_with_its_line(full: House, name: str, content: Any, field: str) -> None:
    found = full.settings()
    before = found.settings()
    full.put(name, content)
    assert same(found.settings(), before)
    (problem,) = found.problems()
    assert problem.startswith(f"{name}: {field}: ")


def test_a_limit_that_the_weights_break_is_refused_in_the_file_that_was_edited(full: House) -> None:
    found = full.settings()
    before = found.settings()
    full.put("engine_config.json", ENGINE | {"max_leverage": 2})
    assert same(found.settings(), before)
    (problem,) = found.problems()
    assert problem.startswith("engine_config.json: does not fit the other files: signal_weight_config.json: [0].lev")


def test_a_broken_file_does_not_keep_another_from_being_edited(full: House) -> None:
    found = full.settings()
    assert found.settings() is not None
    full.put("signal_weight_config.json", "[")
    full.put("engine_config.json", ENGINE | {"accounts": {"bybit-main": {"mode": "disabled"}}})
    now = found.settings()
    assert now is not None
    assert now.accounts[BYBIT.account].mode is AccountMode.DISABLED
    assert len(found.problems()) == 1
    restarted = full.settings().settings()
    assert same(restarted, now)


@pytest.mark.parametrize("name", FILES)
def test_a_vanished_file_stays_in_force(full: House, name: str) -> None:
    found = full.settings()
    before = found.settings()
    (full.home.root / name).unlink()
    assert same(found.settings(), before)
    (problem,) = found.problems()
    assert problem.startswith(f"{name}: has vanished; put it back")
    assert same(full.settings().settings(), before)


def test_the_way_back_to_the_defaults_is_an_empty_object(full: House) -> None:
    found = full.settings()
    found.settings()
    full.put("engine_config.json", "{}")
    now = found.settings()
    assert now is not None
    assert now.policy.max_total_margin == Decimal("0.9")
    assert found.problems() == ()


@pytest.mark.parametrize("name", FILES)
def test_an_unreadable_file_stays_in_force(full: House, name: str) -> None:
    found = full.settings()
    before = found.settings()
    full.files.broken.add(full.home.root / name)
    assert same(found.settings(), before)
    (problem,) = found.problems()
    assert problem.startswith(f"{name}: cannot be read: Input/output error; make it readable")
    full.files.broken.clear()
    assert found.problems() == ()


def test_defaults_stay_in_force_when_the_first_engine_config_is_broken(house: House) -> None:
    house.furnish()
    found = house.settings()
    before = found.settings()
    house.put("engine_config.json", '{"max_total_margin":')
    assert same(found.settings(), before)
    assert "The defaults stay in force" in found.problems()[0]
    restarted = house.settings()
    assert same(restarted.settings(), before)


def test_an_unreadable_copy_of_the_limits_is_not_taken_for_defaults(full: House) -> None:
    full.settings().settings()
    full.put("engine_config.json", "{")
    full.put("state/last_good/engine_config.json", "{")
    restarted = full.settings()
    assert restarted.settings() is None
    assert any("state/last_good: the copy of engine_config.json cannot be used" in p for p in restarted.problems())
    full.put("engine_config.json", ENGINE)
    assert restarted.settings() is not None
    assert restarted.problems() == ()


def test_unknown_accounts_and_keys_are_told_and_change_nothing_else(full: House) -> None:
    full.put("engine_config.json", ENGINE | {"max_levrage": 3, "accounts": {"bybit-man": {"mode": "disabled"}}})
    found = full.settings()
    now = found.settings()
    assert now is not None
    assert now.policy.max_total_margin == Decimal("0.5")
    assert now.problems == found.problems()
    levrage, man = found.problems()
    assert levrage.startswith("engine_config.json: max_levrage (line 1): ")
    assert man.startswith("engine_config.json: accounts.bybit-man (line 1): ")
    assert man.endswith("did you mean bybit-main?")


# --- TOML -------------------------------------------------------------------------------------------------------------


def test_toml_is_read_when_there_is_no_json(house: House) -> None:
    house.furnish()
    house.put("engine_config.toml", 'max_total_margin = 0.3\n[accounts.bybit-main]\nmode = "dry_run"\n')
    found = house.settings()
    now = found.settings()
    assert now is not None
    assert (now.policy.max_total_margin, now.accounts[BYBIT.account].mode) == (Decimal("0.3"), AccountMode.DRY_RUN)
    assert set(now.versions) == {*FILES[:2], "engine_config.toml"}
    house.put("engine_config.toml", "max_total_margin = ")
    assert same(found.settings(), now)
    assert found.problems()[0].startswith("engine_config.toml: is not valid TOML")
    restarted = house.settings()
    assert same(restarted.settings(), now)
    house.put("engine_config.json", {"max_total_margin": 0.4})
    both = found.settings()
    assert both is not None
    assert both.policy.max_total_margin == Decimal("0.4")
    (problem,) = found.problems()
    assert problem == "engine_config.toml: is not read, because engine_config.json exists; keep one of the two."


def test_a_change_of_format_leaves_one_copy(full: House) -> None:
    found = full.settings()
    found.settings()
    assert (full.home.last_good / "engine_config.json").exists()
    full.put("engine_config.toml", "max_total_margin = 0.3")
    full.home.engine_config.unlink()
    now = found.settings()
    assert now is not None
    assert now.policy.max_total_margin == Decimal("0.3")
    kept = sorted(path.name for path in full.home.last_good.iterdir())
    assert kept == ["asset_mapping_config.json", "engine_config.toml", "signal_weight_config.json"]


# --- copies -----------------------------------------------------------------------------------------------------------


def test_copies_are_kept_private_and_only_by_the_engine(full: House) -> None:
    full.settings(keeps=False).settings()
    assert not full.home.last_good.exists()
    full.settings().settings()
    copies = {path.name: path for path in full.home.last_good.iterdir()}
    assert set(copies) == set(FILES)
    for name, path in copies.items():
        assert path.read_bytes() == (full.home.root / name).read_bytes()
        assert path.stat().st_mode & 0o777 == 0o600


def test_a_disk_that_takes_no_copy_stops_nothing_and_is_tried_again(full: House) -> None:
    full.home.last_good.mkdir()
    full.files.broken.add(full.home.last_good)
    found = full.settings()
    assert found.settings() is not None
    (problem,) = found.problems()
    assert problem.startswith("state/last_good: a copy of ")
    full.files.broken.clear()
    assert found.problems() == (problem,)
    full.clock.now += 11
    assert found.problems() == ()
    assert {path.name for path in full.home.last_good.iterdir()} == set(FILES)


def test_an_unchanged_copy_is_not_written_again(full: House) -> None:
    full.settings().settings()
    before = {path: path.stat().st_ino for path in full.home.last_good.iterdir()}
    full.settings().settings()
    assert {path: path.stat().st_ino for path in full.home.last_good.iterdir()} == before


# --- a thousand edits -------------------------------------------------------------------------------------------------

TEXTS = {name: json.dumps(content, indent=2) for name, content in GOOD.items()}


@st.composite
def edits(draw: st.DrawFn) -> tuple[str, bytes]:
    """A file's name and its content cut, with bytes replaced, or with a piece doubled or left out."""
    name = draw(st.sampled_from(FILES))
    data = bytearray(TEXTS[name].encode())
    at = draw(st.integers(0, len(data) - 1))
    end = draw(st.integers(at, min(at + 20, len(data))))
    how = draw(st.sampled_from(["cut", "drop", "double", "bytes"]))
    if how == "cut":
        return name, bytes(data[:at])
    if how == "drop":
        return name, bytes(data[:at] + data[end:])
    if how == "double":
        return name, bytes(data[:end] + data[at:])
    return name, bytes(data[:at] + draw(st.binary(min_size=1, max_size=4)) + data[end:])


@pytest.fixture(scope="module")
def edited(tmp_path_factory: pytest.TempPathFactory) -> tuple[House, FileSettings, Settings]:
    home = Home(tmp_path_factory.mktemp("edited"))
    home.prepare()
    house = House(home)
    for name, content in GOOD.items():
        house.put(name, content)
    found = house.settings()
    before = found.settings()
    assert before is not None
    return house, found, before


@given(edit=edits())
@settings(max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_edited_is_in_force_as_a_whole_or_not_at_all(
    edited: tuple[House, FileSettings, Settings], edit: tuple[str, bytes]
) -> None:
    house, found, before = edited
    name, data = edit
    house.put(name, data)
    now = found.settings()
    assert now is not None
    if same(now, before):
        assert found.problems() or data == TEXTS[name].encode()
    else:
        others = [other for other in FILES if other != name]
        assert all(now.versions[other] == before.versions[other] for other in others)
        assert not any(problem.startswith(name) and "stays in force" in problem for problem in found.problems())
    for symbol, weights in now.weights.items():
        assert sum(weights.weights.values()) <= 1, symbol
        assert 1 <= weights.leverage <= now.policy.max_leverage
    house.put(name, GOOD[name])
    assert same(found.settings(), before)
    assert found.problems() == ()


def test_a_home_that_is_not_there_is_answered_too(tmp_path: Path) -> None:
    house = House(Home(tmp_path / "nowhere"))
    found = house.settings()
    assert found.settings() is None
    assert found.halt() is Halt.HALT_INCREASES
    assert [problem.split(":")[0] for problem in found.problems()] == [*FILES[:2], "HALT"]
    assert found.desired() == {}
