"""config/asset_mapping.py: every answer, flag and broken file; the file changes as a whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.asset_mapping import ASKED, OWN_PROMPT, converse, edited, main, put
from config.checks import Raw, check_mappings
from config.prompting import Ended
from core.errors import ConfigError
from tests.unit.config.house import House
from tests.unit.config.person import Scripted, content, run

SEED = {
    "tradingview": {"BTCUSDT": "BTCUSDT", "ETHUSDT": "ETHUSDT"},
    "bittensor": {"BTCUSD": "BTCUSDT", "ETHUSD": "ETHUSDT"},
}
FILE = "asset_mapping_config.json"


@pytest.fixture
def mapped(house: House) -> House:
    house.put(FILE, json.dumps(SEED, indent=4) + "\n")
    return house


def after(mapped: House, *answers: str) -> Any:
    person = Scripted(*answers)
    assert run(main, mapped, person=person) == 0
    assert person.left == 0, "the session ended before its answers did"
    return content(mapped.home.asset_mapping)


# --- the session ------------------------------------------------------------------------------------------------------


def test_keeping_everything_writes_nothing(mapped: House, capsys: pytest.CaptureFixture[str]) -> None:
    before = mapped.home.asset_mapping.stat()
    assert after(mapped, "k", "", "", "") == SEED
    assert mapped.home.asset_mapping.stat() == before
    assert "Nothing was changed" in capsys.readouterr().out


def test_the_first_session_makes_the_file(house: House) -> None:
    assert after(house, "BTCUSDT", "BTCUSDT", "", "BTCUSD", "BTCUSDT", "") == {
        "tradingview": {"BTCUSDT": "BTCUSDT"},
        "bittensor": {"BTCUSD": "BTCUSDT"},
    }
    assert house.home.asset_mapping.stat().st_mode & 0o777 == 0o600


def test_a_source_without_mappings_gets_no_entry(house: House) -> None:
    assert after(house, "BTCUSDT", "BTCUSDT", "", "") == {"tradingview": {"BTCUSDT": "BTCUSDT"}}


def test_starting_fresh_drops_what_was_there(mapped: House) -> None:
    assert after(mapped, "n", "SOLUSDT", "SOLUSDT", "", "k", "")["tradingview"] == {"SOLUSDT": "SOLUSDT"}


def test_modifying_one_by_one(mapped: House) -> None:
    found = after(mapped, "m", "m", "XBTUSDT", "r", "", "m", "", "m", "", "")
    assert found == {"tradingview": {"BTCUSDT": "XBTUSDT"}, "bittensor": SEED["bittensor"]}


def test_a_target_that_was_mapped_moves(mapped: House) -> None:
    person = Scripted("k", "WBTCUSDT", "BTCUSDT", "", "k", "")
    assert run(main, mapped, person=person) == 0
    assert list(content(mapped.home.asset_mapping)["tradingview"].items()) == [
        ("ETHUSDT", "ETHUSDT"),
        ("WBTCUSDT", "BTCUSDT"),
    ]
    assert "BTCUSDT was the target of BTCUSDT; that mapping is removed" in person.told


def test_a_target_that_moves_while_modifying_is_not_asked_about_again(mapped: House) -> None:
    person = Scripted("m", "m", "ETHUSDT", "", "k", "")
    assert run(main, mapped, person=person) == 0
    assert content(mapped.home.asset_mapping)["tradingview"] == {"BTCUSDT": "ETHUSDT"}
    assert person.left == 0


def test_a_symbol_already_mapped_is_updated_only_when_told(mapped: House) -> None:
    assert after(mapped, "", "BTCUSDT", "n", "ETHUSDT", "", "", "k", "") == SEED
    changed = after(mapped, "k", "BTCUSDT", "y", "XBTUSDT", "", "k", "")
    assert list(changed["tradingview"].items()) == [("BTCUSDT", "XBTUSDT"), ("ETHUSDT", "ETHUSDT")]


def test_other_sources_are_asked_about_too_and_keep_their_place(house: House) -> None:
    house.put(FILE, {"desk": {"x": "BTCUSDT"}, "tradingview": {}})
    found = after(house, "BTCUSDT", "BTCUSDT", "", "", "k", "lower/case", "ETHUSDT", "")
    assert list(found) == ["desk", "tradingview"]
    assert found["desk"] == {"x": "BTCUSDT", "lower/case": "ETHUSDT"}


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("taousdt", "TAOUSDT"),
        ("BYBIT:TAOUSDT.P", "TAOUSDT"),
        ("TAOUSDT.P", "TAOUSDT"),
        ("binance:taousdt.p", "TAOUSDT"),
        ("1000PEPEUSDT", "1000PEPEUSDT"),
    ],
)
def test_what_people_type_for_an_alerts_symbol(house: House, typed: str, kept: str) -> None:
    assert after(house, typed, "TAOUSDT", "", "") == {"tradingview": {kept: "TAOUSDT"}}


@pytest.mark.parametrize("answer", ["TAO USDT", "ＴＡＯ", "T" * 65, "тао", "😀😀"])
def test_a_symbol_that_is_none_is_asked_for_again(house: House, answer: str) -> None:
    person = Scripted(answer, "TAOUSDT", answer, "TAOUSDT", "", "")
    assert run(main, house, person=person) == 0
    assert content(house.home.asset_mapping) == {"tradingview": {"TAOUSDT": "TAOUSDT"}}
    assert len([line for line in person.said if "write it like" in line]) == 2


@pytest.mark.parametrize("answer", ["x", "keep", "kk", "1"])
def test_a_menu_takes_its_letters_only(mapped: House, answer: str) -> None:
    person = Scripted(answer, "K", "", "k", "")
    assert run(main, mapped, person=person) == 0
    assert person.asked.count("Choose (k/m/n): ") == 3


def test_a_new_symbol_needs_a_target(house: House) -> None:
    person = Scripted("TAOUSDT", "", "TAOUSDT", "", "")
    assert run(main, house, person=person) == 0
    assert "Type the symbol to trade" in person.told


ANSWERS = ("m", "m", "XBTUSDT", "r", "SOLUSDT", "SOLUSDT", "", "n", "BTCUSD", "XBTUSDT")


@pytest.mark.parametrize("then", [KeyboardInterrupt, Ended])
@pytest.mark.parametrize("count", range(len(ANSWERS) + 1))
def test_interrupted_at_any_prompt_nothing_changes(mapped: House, count: int, then: type[BaseException]) -> None:
    before = mapped.home.asset_mapping.read_bytes()
    person = Scripted(*ANSWERS[:count], then=then)
    assert run(main, mapped, person=person) == (130 if then is KeyboardInterrupt else 1)
    assert person.left == 0
    assert mapped.home.asset_mapping.read_bytes() == before


# --- properties -------------------------------------------------------------------------------------------------------

names = st.sampled_from(["AUSDT", "BUSDT", "CUSDT", "DUSDT"])


@given(st.lists(st.tuples(names, names), max_size=12))
def test_put_keeps_one_source_for_each_target(pairs: list[tuple[str, str]]) -> None:
    mapping: dict[str, str] = {}
    for own, target in pairs:
        before = list(mapping)
        mapping, loser = put(mapping, own, target)
        assert mapping[own] == target
        assert len(set(mapping.values())) == len(mapping)
        assert [name for name in mapping if name in before] == [name for name in before if name != loser]


@settings(max_examples=60)
@given(st.lists(st.one_of(st.sampled_from(["", "k", "m", "n", "r", "y", "AUSDT", "BUSDT"]), st.text(max_size=5))))
def test_whatever_is_answered_what_comes_out_is_valid(answers: list[str]) -> None:
    person = Scripted(*answers, then=Ended)
    try:
        found = converse(person, {source: dict(mapping) for source, mapping in SEED.items()})
    except Ended:
        return
    assert check_mappings(Raw(FILE, found)).problems == ()


# --- flags and files --------------------------------------------------------------------------------------------------


def test_set_and_remove(mapped: House) -> None:
    words = (
        "--set",
        "bittensor:TAOUSD=TAOUSDT",
        "--set",
        "tradingview:taousdt=TAOUSDT",
        "--remove",
        "bittensor:ETHUSD",
    )
    assert run(main, mapped, *words) == 0
    assert content(mapped.home.asset_mapping) == {
        "tradingview": {**SEED["tradingview"], "TAOUSDT": "TAOUSDT"},
        "bittensor": {"BTCUSD": "BTCUSDT", "TAOUSD": "TAOUSDT"},
    }


def test_from_replaces_the_sources_it_names_and_keeps_the_others(mapped: House, tmp_path: Path) -> None:
    (tmp_path / "new.json").write_text('{"bittensor": {"SOLUSD": "SOLUSDT"}}')
    assert run(main, mapped, "--from", str(tmp_path / "new.json")) == 0
    assert content(mapped.home.asset_mapping) == {**SEED, "bittensor": {"SOLUSD": "SOLUSDT"}}


BROKEN: list[tuple[str, str]] = [
    ("", "is empty"),
    ('{"tradingview": {"BTCUSDT":', "line 1 column"),
    ("[]", "must be an object"),
    ('{"tradingview": ["BTCUSDT"]}', "tradingview (line 1): must be an object"),
    ('{"tradingview": {"A":\n 3}}', "tradingview.A (line 2)"),
    ('{"tradingview": {"A": "BTC USDT"}}', "tradingview.A (line 1)"),
    ('{"Trading View": {"A": "BTCUSDT"}}', "Trading View"),
    ('{"tradingview": {"A": "BTCUSDT"},\n "tradingview": {}}', "line 2 column"),
    ('{"tradingview": {"A": "BTCUSDT",\n "B": "BTCUSDT"}}', "tradingview.B (line 2): tradingview maps both A and B"),
    ('{"tradingview": {"A": NaN}}', "NaN"),
    ("\xff\xfe", "line 1"),
]


@pytest.mark.parametrize(("text", "named"), BROKEN)
def test_a_file_that_is_none_is_refused_with_its_place(
    mapped: House, tmp_path: Path, text: str, named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = mapped.home.asset_mapping.read_bytes()
    path = tmp_path / "new.json"
    path.write_bytes(text.encode("latin-1"))
    assert run(main, mapped, "--from", str(path)) == 1
    out = capsys.readouterr().out
    assert named in out
    assert str(path) in out
    assert "Nothing was changed." in out
    assert mapped.home.asset_mapping.read_bytes() == before


@pytest.mark.parametrize(("text", "named"), [pair for pair in BROKEN if "maps both" not in pair[1]])
def test_a_broken_live_file_is_left_for_its_owner(
    house: House, text: str, named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = house.put(FILE, text.encode("latin-1"))
    for words in ((), ("--set", "tradingview:A=BUSDT"), ("--show",), ("--validate",)):
        assert run(main, house, *words) == 1
        assert named.replace("line 1 column", "line") in capsys.readouterr().out
        assert path.read_bytes() == text.encode("latin-1")


def test_two_symbols_on_one_target_are_mended_by_answers(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    house.put(FILE, {"tradingview": {"A": "BTCUSDT", "B": "BTCUSDT"}})
    assert run(main, house, "--validate") == 1
    assert run(main, house, person=Scripted("k", "", "")) == 1, "kept as it is, it is not valid"
    assert "maps both A and B" in capsys.readouterr().out
    assert after(house, "m", "r", "k", "", "") == {"tradingview": {"B": "BTCUSDT"}}


@pytest.mark.parametrize(
    "word",
    [
        "TAOUSDT",
        "tradingview",
        "tradingview:=X",
        ":A=B",
        "tradingview:A",
        "Trading:A=B",
        "tradingview:A=B C",
        "a:b=c=d",
        "x:=" * 200,
    ],
)
def test_a_set_that_is_not_understood(mapped: House, word: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = mapped.home.asset_mapping.read_bytes()
    assert run(main, mapped, "--set", "tradingview:SOLUSDT=SOLUSDT", "--set", word) == 1
    assert "--set" in capsys.readouterr().out
    assert mapped.home.asset_mapping.read_bytes() == before


def test_removing_what_is_not_there_names_what_is() -> None:
    with pytest.raises(ConfigError, match="bittensor has no mapping of XUSD; it has BTCUSD, ETHUSD"):
        edited(SEED, [], ["bittensor:XUSD"])


def test_a_slip_in_a_sources_name_is_told(house: House, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    house.say("desk", {"x": "0.5"}, source="desk")
    (tmp_path / "new.json").write_text('{"tradingveiw": {"A": "BTCUSDT"}, "desk": {"x": "BTCUSDT"}, "other": {}}')
    assert run(main, house, "--from", str(tmp_path / "new.json")) == 0
    out = capsys.readouterr().out
    assert "did you mean tradingview?" in out
    assert "signals/other.json" in out
    assert "signals/desk.json" not in out


def test_a_target_that_looks_like_no_perpetual_is_told(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(main, house, "--set", "bittensor:TAOUSD=TAOUSD", "--set", "bittensor:BTCUSD=BTCUSDT") == 0
    assert "perpetuals are named like TAOUSDT" in capsys.readouterr().out


def test_validate_of_a_candidate_writes_nothing(house: House, tmp_path: Path) -> None:
    (tmp_path / "new.json").write_text(json.dumps(SEED))
    assert run(main, house, "--from", str(tmp_path / "new.json"), "--validate") == 0
    assert not house.home.asset_mapping.exists()


def test_json_is_one_object(mapped: House, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(main, mapped, "--set", "bittensor:TAOUSD=TAOUSDT", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["done"]
    assert found["changed"]
    assert found["content"]["bittensor"]["TAOUSD"] == "TAOUSDT"
    assert run(main, mapped, "--set", "nonsense", "--json") == 1
    found = json.loads(capsys.readouterr().out)
    assert not found["done"]
    assert found["problems"][0].startswith("--set nonsense")


@pytest.mark.parametrize(
    "words",
    [
        ("--json",),
        ("--show", "--validate"),
        ("--from", "x", "--set", "a:b=C"),
        ("--show", "--set", "a:b=C"),
        ("--check", "--set", "a:b=C"),
        ("--nonsense",),
    ],
)
def test_a_command_line_that_asks_for_two_things(mapped: House, words: tuple[str, ...]) -> None:
    before = mapped.home.asset_mapping.read_bytes()
    with pytest.raises(SystemExit) as ended:
        run(main, mapped, *words)
    assert ended.value.code == 2
    assert mapped.home.asset_mapping.read_bytes() == before


def test_an_edit_meanwhile_is_not_overwritten(mapped: House, capsys: pytest.CaptureFixture[str]) -> None:
    class Slow(Scripted):
        def ask(self, prompt: str, *, hidden: bool = False) -> str:
            mapped.put(FILE, {"tradingview": {"SOLUSDT": "SOLUSDT"}})
            return super().ask(prompt, hidden=hidden)

    assert run(main, mapped, person=Slow("n", "", "n", "")) == 1
    assert "changed since it was read; nothing was written" in capsys.readouterr().out
    assert content(mapped.home.asset_mapping) == {"tradingview": {"SOLUSDT": "SOLUSDT"}}


def test_a_home_that_is_no_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--home", str(tmp_path / "nowhere")])
    assert "is no folder; make it" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["--home", "", "--show"])
    assert "names no folder" in capsys.readouterr().err


def test_the_prompts_are_those_people_know() -> None:
    person = Scripted("k", "", "k", "")
    converse(person, SEED)
    assert ASKED == ("tradingview", "bittensor")
    assert person.asked == ["Choose (k/m/n): ", OWN_PROMPT] * 2
