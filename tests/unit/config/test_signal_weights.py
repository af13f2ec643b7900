"""config/signal_weights.py: leverage and weights by question, flag and file; the sum never passes 1."""

from __future__ import annotations

import contextlib
import json
import os
import threading
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.checks import Raw, check_weights
from config.prompting import Ended
from config.signal_weights import main
from config.weight_session import Pair, Talk, pairs_of, shown
from tests.unit.config.house import House
from tests.unit.config.person import Scripted, content, run

MAPPINGS = {
    "tradingview": {"BTCUSDT": "BTCUSDT", "ETHUSDT": "ETHUSDT"},
    "bittensor": {"BTCUSD": "BTCUSDT", "ETHUSD": "ETHUSDT"},
}
FILE = "signal_weight_config.json"


def entry(symbol: str, leverage: Any = 3, **weights: Any) -> dict[str, Any]:
    shares = [{"source": source, "weight": weight} for source, weight in weights.items()]
    return {"symbol": symbol, "leverage": leverage, "sources": shares}


SEED = [entry(symbol, tradingview=0.1, bittensor=0.15) for symbol in ("BTCUSDT", "ETHUSDT")]


@pytest.fixture
def weighted(house: House) -> House:
    house.put("asset_mapping_config.json", MAPPINGS)
    house.put(FILE, json.dumps(SEED, indent=4) + "\n")
    return house


def after(house: House, *answers: str) -> Any:
    person = Scripted(*answers)
    assert run(main, house, person=person) == 0
    assert person.left == 0
    return content(house.home.signal_weights)


# --- the session ------------------------------------------------------------------------------------------------------


def test_enter_keeps_everything_to_the_byte(weighted: House) -> None:
    before = weighted.home.signal_weights.stat()
    assert after(weighted, *[""] * 6) == SEED
    assert weighted.home.signal_weights.stat() == before


def test_the_prompts_are_those_people_know(weighted: House) -> None:
    person = Scripted(*[""] * 6)
    assert run(main, weighted, person=person) == 0
    assert "\nConfiguring BTCUSDT" in person.said
    assert person.asked[:3] == [
        "Enter leverage for BTCUSDT (press Enter for current value: 3): ",
        "Assign weight for BTCUSDT from tradingview (remaining weight: 1.00, press Enter for current value: 0.10): ",
        "Assign weight for BTCUSDT from bittensor (remaining weight: 0.90, press Enter for current value: 0.15): ",
    ]


def test_a_new_pair_is_found_in_the_mappings_and_comes_last(weighted: House) -> None:
    weighted.put("asset_mapping_config.json", {"tradingview": {"TAOUSDT": "TAOUSDT", **MAPPINGS["tradingview"]}})
    person = Scripted("", "", "", "", "3", "0.10")
    assert run(main, weighted, person=person) == 0
    assert person.asked[-2:] == [
        "Enter leverage for TAOUSDT: ",
        "Assign weight for TAOUSDT from tradingview (remaining weight: 1.00): ",
    ]
    assert content(weighted.home.signal_weights)[-1] == entry("TAOUSDT", tradingview=0.1)


def test_a_new_pair_may_be_left_out(house: House) -> None:
    house.put("asset_mapping_config.json", MAPPINGS)
    person = Scripted("", "2.5", "1", "")
    assert run(main, house, person=person) == 0
    assert content(house.home.signal_weights) == [entry("ETHUSDT", 2.5, tradingview=1)]
    assert "BTCUSDT is left out" in person.told


def test_neither_enter_nor_0_gives_a_new_source_a_say(house: House) -> None:
    house.put("asset_mapping_config.json", MAPPINGS)
    assert after(house, "3", "", "0", "") == [entry("BTCUSDT")]


@pytest.mark.parametrize("leverage", ["0", "500", "20.01", "-3", "x", "3x", "1e1", "٣", "NaN", "9" * 400, "3,5"])
def test_a_leverage_out_of_range_is_asked_for_again(weighted: House, leverage: str) -> None:
    person = Scripted(leverage, "20", *[""] * 5)
    assert run(main, weighted, person=person) == 0
    assert content(weighted.home.signal_weights)[0]["leverage"] == 20
    assert "everage must be" in person.told
    assert len(person.told) < 3000


def test_engine_config_decides_how_high(weighted: House) -> None:
    weighted.put("engine_config.json", {"max_leverage": 5})
    assert after(weighted, "6", "5", *[""] * 5)[0]["leverage"] == 5
    weighted.put("engine_config.json", {"max_leverage": 50})
    assert after(weighted, "50", *[""] * 5)[0]["leverage"] == 50


def test_a_broken_engine_config_is_told_and_stops_nothing(weighted: House, capsys: pytest.CaptureFixture[str]) -> None:
    weighted.put("engine_config.json", '{"max_leverage": 500}')
    assert after(weighted, "21", "20", *[""] * 5)[0]["leverage"] == 20
    assert "max_leverage (line 1)" in capsys.readouterr().out


@pytest.mark.parametrize("weight", ["1.01", "-0.1", "0,1", "ten", "1e-1", "०.१", "0.1 0.2", "0.9000000000000000001"])
def test_a_weight_that_is_none_is_asked_for_again(weighted: House, weight: str) -> None:
    person = Scripted("", "0.1", weight, "0.9", "", "", "")
    assert run(main, weighted, person=person) == 0
    assert content(weighted.home.signal_weights)[0] == entry("BTCUSDT", tradingview=0.1, bittensor=0.9)
    assert "Weight must be" in person.told


def test_a_present_weight_that_no_longer_fits_is_not_kept_by_enter(weighted: House) -> None:
    person = Scripted("", "0.9", "", "0.1", "", "", "")
    assert run(main, weighted, person=person) == 0
    assert content(weighted.home.signal_weights)[0] == entry("BTCUSDT", tradingview=0.9, bittensor=0.1)
    assert person.asked[2] == "Assign weight for BTCUSDT from bittensor (remaining weight: 0.10): "


def test_a_sum_above_1_is_mended_by_answers(weighted: House, capsys: pytest.CaptureFixture[str]) -> None:
    weighted.put(FILE, [entry("BTCUSDT", tradingview=0.5, bittensor=0.51)])
    assert run(main, weighted, "--validate") == 1
    assert "[0].sources (line 1): the weights of BTCUSDT sum to 1.01" in capsys.readouterr().out
    assert after(weighted, "", "", "0.5", "") == [entry("BTCUSDT", tradingview=0.5, bittensor=0.5)]


def test_what_is_not_asked_about_stays(weighted: House) -> None:
    kept = {**entry("BTCUSDT", desk=0.2, tradingview=0.1), "note": "mine"}
    kept["sources"][0]["since"] = 1.50
    gone = entry("DOGEUSDT", 7, tradingview=0.3)
    weighted.put(FILE, [gone, kept])
    person = Scripted("4", "", "0.8", "0.7", "")
    assert run(main, weighted, person=person) == 0
    assert "remaining weight: 0.80" in person.asked[1]
    assert "desk keeps its weight of 0.20" in person.told
    expected = {**kept, "leverage": 4, "sources": [*kept["sources"], {"source": "bittensor", "weight": 0.7}]}
    assert content(weighted.home.signal_weights) == [gone, expected]


ANSWERS = ("5", "0.2", "0.8", "", "", "")


@pytest.mark.parametrize("then", [KeyboardInterrupt, Ended])
@pytest.mark.parametrize("count", range(len(ANSWERS)))
def test_interrupted_at_any_prompt_nothing_changes(weighted: House, count: int, then: type[BaseException]) -> None:
    before = weighted.home.signal_weights.read_bytes()
    person = Scripted(*ANSWERS[:count], then=then)
    assert run(main, weighted, person=person) == (130 if then is KeyboardInterrupt else 1)
    assert weighted.home.signal_weights.read_bytes() == before


@settings(max_examples=100)
@given(st.lists(st.one_of(st.sampled_from(["", "0.5", "0.6", "1", "3", "0"]), st.text(max_size=4)), max_size=30))
def test_whatever_is_answered_what_comes_out_is_valid(answers: list[str]) -> None:
    pairs = pairs_of(MAPPINGS, [])
    try:
        found = Talk(Scripted(*answers, then=Ended), Decimal(20)).entries(pairs, [])
    except Ended:
        return
    assert check_weights(Raw(FILE, found)).problems == ()


def test_pairs_come_in_the_files_order_then_as_mapped() -> None:
    mappings = {"a": {"x": "AUSDT", "y": "BUSDT"}, "b": {"z": "CUSDT", "w": "AUSDT"}}
    assert pairs_of(mappings, [entry("CUSDT"), entry("ZUSDT")]) == [
        Pair("CUSDT", ("b",)),
        Pair("AUSDT", ("a", "b")),
        Pair("BUSDT", ("a",)),
    ]


@pytest.mark.parametrize(("value", "text"), [("1", "1.00"), ("0.1", "0.10"), ("0.125", "0.125"), ("1E-3", "0.001")])
def test_weights_are_shown_with_two_places_or_more(value: str, text: str) -> None:
    assert shown(Decimal(value)) == text


# --- flags and files --------------------------------------------------------------------------------------------------


def test_without_mappings_it_says_where_to_begin(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(main, house) == 1
    house.put("asset_mapping_config.json", {"tradingview": {}})
    assert run(main, house) == 1
    assert capsys.readouterr().out.count("make the mappings first: python3 config/asset_mapping.py") == 2


def test_a_symbol_by_flags(weighted: House) -> None:
    words = ("--symbol", "TAOUSDT", "--leverage", "3", "--weight", "tradingview=0.1", "--weight", "bittensor=0.15")
    assert run(main, weighted, *words) == 0
    assert content(weighted.home.signal_weights) == [*SEED, entry("TAOUSDT", tradingview=0.1, bittensor=0.15)]
    assert run(main, weighted, "--symbol", "BTCUSDT", "--weight", "bittensor=0.9") == 0
    assert content(weighted.home.signal_weights)[0] == entry("BTCUSDT", tradingview=0.1, bittensor=0.9)
    assert run(main, weighted, "--remove", "ETHUSDT") == 0
    assert [one["symbol"] for one in content(weighted.home.signal_weights)] == ["BTCUSDT", "TAOUSDT"]


REFUSED = [
    (("--symbol", "BTCUSDT", "--weight", "bittensor=0.91"), "sum to 1.01"),
    (("--symbol", "BTCUSDT", "--weight", "bittensor=1.01"), "--weight bittensor=1.01"),
    (("--symbol", "BTCUSDT", "--weight", "bittensor"), "must be SOURCE=WEIGHT"),
    (("--symbol", "BTCUSDT", "--weight", "bittensor=0.1", "--weight", "bittensor=0.2"), "bittensor a second time"),
    (("--symbol", "BTCUSDT", "--leverage", "0"), "--leverage 0: leverage must be from 1 to 20"),
    (("--symbol", "BTCUSDT", "--leverage", "500"), "--leverage 500"),
    (("--symbol", "TAOUSDT", "--weight", "tradingview=0.1"), "needs its leverage too"),
    (("--symbol", "TAO USDT", "--leverage", "3"), "--symbol TAO USDT"),
    (("--remove", "BTCUSD"), "did you mean BTCUSDT?"),
]


@pytest.mark.parametrize(("words", "named"), REFUSED)
def test_flags_that_are_refused(
    weighted: House, words: tuple[str, ...], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = weighted.home.signal_weights.read_bytes()
    assert run(main, weighted, *words) == 1
    assert named in capsys.readouterr().out
    assert weighted.home.signal_weights.read_bytes() == before


def given_file(tmp_path: Path, text: str) -> str:
    (tmp_path / "new.json").write_text(text)
    return str(tmp_path / "new.json")


@pytest.mark.parametrize(
    ("more", "code", "named"), [(b"", 0, "was written"), (b" " * 20_000_000, 1, "larger than 16 MiB")]
)
def test_from_a_pipe_is_read_up_to_a_bound(
    weighted: House, tmp_path: Path, more: bytes, code: int, named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """As the shell's <(…) gives it: without a size that could be looked at first, perhaps without an end."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    def write() -> None:
        with contextlib.suppress(BrokenPipeError), pipe.open("wb") as stream:
            stream.write(json.dumps([entry("TAOUSDT", tradingview=0.1)]).encode() + more)

    writer = threading.Thread(target=write)
    writer.start()
    assert run(main, weighted, "--from", str(pipe)) == code
    writer.join()
    assert named in capsys.readouterr().out


def test_from_merges_by_symbol(weighted: House, tmp_path: Path) -> None:
    weighted.put(FILE, [{**SEED[0], "note": 1}, SEED[1]])
    name = given_file(tmp_path, json.dumps([entry("BTCUSDT", 5, bittensor=1)]))
    assert run(main, weighted, "--from", name) == 0
    assert content(weighted.home.signal_weights) == [{**entry("BTCUSDT", 5, bittensor=1), "note": 1}, SEED[1]]


BROKEN: list[tuple[str, str]] = [
    ('[{"symbol": "BTCUSDT"', "line 1 column"),
    ("{}", "must be a list"),
    ('[{"symbol": "BTCUSDT",\n "sources": []}]', "[0].leverage (line 1): is missing"),
    ('[{"symbol": "BTCUSDT", "leverage": "x", "sources": []}]', "[0].leverage (line 1)"),
    ('[{"symbol": "BTCUSDT", "leverage": 3, "sources": {}}]', "[0].sources (line 1): must be a list"),
    (json.dumps([entry("BTCUSDT", 0)]), "[0].leverage (line 1): leverage of BTCUSDT is 0, must be 1 to 20"),
    (json.dumps([entry("BTCUSDT", 500)]), "leverage of BTCUSDT is 500"),
    (
        json.dumps([entry("BTCUSDT", tradingview=0.5, bittensor=0.51)]),
        "[0].sources (line 1): the weights of BTCUSDT sum",
    ),
    (json.dumps([entry("BTCUSDT", tradingview=-0.1)]), "[0].sources[0].weight (line 1): must be between 0 and 1"),
    (json.dumps([entry("BTCUSDT"), entry("BTCUSDT")], indent=1), "[1].symbol (line 8): BTCUSDT already has entry [0]"),
    ('[{"symbol": "BTCUSDT", "leverage": Infinity, "sources": []}]', "Infinity"),
]


@pytest.mark.parametrize(("text", "named"), BROKEN)
def test_a_file_that_is_none_is_refused_with_its_place(
    weighted: House, tmp_path: Path, text: str, named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = weighted.home.signal_weights.read_bytes()
    assert run(main, weighted, "--from", given_file(tmp_path, text)) == 1
    out = capsys.readouterr().out
    assert named in out
    assert "new.json" in out
    assert weighted.home.signal_weights.read_bytes() == before


def test_a_symbol_twice_in_the_live_file_is_left_for_its_owner(
    weighted: House, capsys: pytest.CaptureFixture[str]
) -> None:
    path = weighted.put(FILE, [*SEED, SEED[0]])
    before = path.read_bytes()
    assert run(main, weighted, person=Scripted(*[""] * 9)) == 1
    assert "[2].symbol (line 1): BTCUSDT already has entry [0]" in capsys.readouterr().out
    assert path.read_bytes() == before


def test_an_unknown_source_is_told(weighted: House, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = given_file(tmp_path, json.dumps([entry("BTCUSDT", bitensor=0.1)]))
    assert run(main, weighted, "--from", name) == 0
    assert "did you mean bittensor?" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words", [("--weight", "a=1"), ("--symbol", "X"), ("--symbol", "X", "--leverage", "1", "--remove", "Y")]
)
def test_flags_that_do_not_go_together(weighted: House, words: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as ended:
        run(main, weighted, *words)
    assert ended.value.code == 2


def test_show_and_json(weighted: House, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(main, weighted, "--show") == 0
    assert "BTCUSDT: leverage 3, allocated weight 0.25" in capsys.readouterr().out
    assert run(main, weighted, "--show", "--json") == 0
    assert json.loads(capsys.readouterr().out)["content"] == SEED
