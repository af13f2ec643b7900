"""How sources read: every way a document can be wrong, gone or old is Unknown with its reason, and none is zero."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.home import Home
from core.domain import Reading, SourceReading
from core.state import format_instant
from tests.unit.config.house import BITTENSOR, BOTH, NOW, TRADINGVIEW, House, read


def symbols(reading: SourceReading) -> set[str]:
    assert reading.document is not None
    return set(reading.document.signals)


# --- known ------------------------------------------------------------------------------------------------------------


def test_a_document_is_known_with_exact_numbers(house: House) -> None:
    house.say("tradingview", BOTH, revision=7)
    found = read(house.signals())
    assert found.reading is Reading.KNOWN
    assert (found.because, found.gone) == ("", frozenset())
    assert found.document is not None
    assert found.document.revision == 7
    assert found.document.signals["ETHUSDT"].depth == Decimal("-0.25")


def test_an_empty_opinion_is_known_too(house: House) -> None:
    house.say("tradingview", {})
    assert read(house.signals()).reading is Reading.KNOWN


def test_the_same_object_comes_back_while_nothing_changed(house: House) -> None:
    house.say("tradingview", BOTH)
    files = house.signals()
    assert read(files) is read(files)
    house.say("tradingview", BOTH | {"BTCUSDT": "0.6"})
    assert read(files) is read(files)


def test_every_source_asked_for_is_answered(house: House) -> None:
    house.say("tradingview", BOTH)
    found = house.signals().readings([TRADINGVIEW, BITTENSOR])
    assert {name: reading.reading for name, reading in found.items()} == {
        TRADINGVIEW: Reading.KNOWN,
        BITTENSOR: Reading.NOT_HEARD,
    }
    assert "not heard yet" in found[BITTENSOR].because


# --- unreadable -------------------------------------------------------------------------------------------------------

AT = format_instant(NOW - 1)
SIGNAL = {"depth": "0.5", "timestamp": AT}


def document(**others: object) -> bytes:
    whole = {"schema": 1, "source": "tradingview", "revision": 1, "written_at": AT, "signals": {"BTCUSDT": SIGNAL}}
    return json.dumps(whole | others).encode()


def signal(**others: object) -> bytes:
    return document(signals={"BTCUSDT": SIGNAL | others})


UNREADABLE: list[tuple[str, bytes, str]] = [
    ("empty", b"", "is empty"),
    ("torn", document()[:-9], "line 1"),
    ("trailing comma", document().replace(b'"}}}', b'"},}}'), "line 1"),
    ("duplicate key", document().replace(b'"revision"', b'"schema"'), "second time"),
    ("NaN", signal(depth=float("nan")), "NaN"),
    ("huge", document().replace(b'"0.5"', b"1e999"), "out of range"),
    ("not UTF-8", document().replace(b"BTC", b"\xff\xfe\xfd"), "UTF-8"),
    ("null", b"null", "must be an object"),
    ("a list", b"[]", "must be an object"),
    ("future schema", document(schema=2), "newer version"),
    ("no schema", b"{}", "schema"),
    ("schema as text", document(schema="1"), "schema"),
    ("no signals", document(signals=None), "signals"),
    ("signals as a list", document(signals=[]), "signals"),
    ("another source", document(source="bittensor"), "source says bittensor"),
    ("malformed source", document(source="Trading View"), "source"),
    ("no instant", document(written_at="yesterday"), "written_at"),
    ("instant as a number", document(written_at=1), "written_at"),
    ("revision as text", document(revision="1"), "revision"),
    ("depth beyond 1", signal(depth="1.01"), "signals.BTCUSDT.depth"),
    ("depth as a list", signal(depth=[]), "signals.BTCUSDT.depth"),
    ("unicode digits", signal(depth="٠.٥"), "signals.BTCUSDT.depth"),
    ("depth with exponent", signal(depth="5e-1"), "signals.BTCUSDT.depth"),
    ("leverage 0", signal(leverage="0"), "signals.BTCUSDT.leverage"),
    ("no timestamp", document(signals={"BTCUSDT": {"depth": "0"}}), "signals.BTCUSDT.timestamp"),
    ("from the future", document(written_at=format_instant(NOW + 5.1)), "lies in the future"),
]


@pytest.mark.parametrize(("what", "data", "words"), UNREADABLE, ids=[what for what, _, _ in UNREADABLE])
@pytest.mark.parametrize("before", [True, False], ids=["read before", "never read"])
def test_an_unreadable_document_is_unknown(house: House, what: str, data: bytes, words: str, before: bool) -> None:
    files = house.signals()
    if before:
        house.say("tradingview", BOTH)
        assert read(files).reading is Reading.KNOWN
    house.put("signals/tradingview.json", data)
    for found in (read(files), read(house.signals())):
        assert (found.reading, found.document) == (Reading.UNKNOWN, None)
        assert found.because.startswith("signals/tradingview.json")
        assert words in found.because
        assert "restart its signal processor" in found.because
    house.say("tradingview", BOTH)
    assert read(files).reading is Reading.KNOWN


def test_a_clock_a_little_off_is_no_future(house: House) -> None:
    house.put("signals/tradingview.json", document(written_at=format_instant(NOW + 5)))
    files = house.signals()
    assert read(files).reading is Reading.KNOWN
    house.put("signals/tradingview.json", document(written_at=format_instant(NOW + 60)))
    assert read(files).reading is Reading.UNKNOWN
    house.clock.now += 60
    assert read(files).reading is Reading.KNOWN


def test_a_failing_disk_is_unknown(house: House) -> None:
    path = house.say("tradingview", BOTH)
    files = house.signals()
    house.files.broken.add(path)
    assert "Input/output error" in read(files).because
    assert read(files).reading is Reading.UNKNOWN
    house.files.broken = {house.home.signals / "tradingview"}
    found = read(files)
    assert found.reading is Reading.UNKNOWN
    assert "cannot be listed" in found.because


# --- gone -------------------------------------------------------------------------------------------------------------


def test_a_vanished_document_is_unknown_and_stays_so_after_a_restart(house: House) -> None:
    path = house.say("tradingview", BOTH)
    files = house.signals()
    read(files)
    path.unlink()
    for found in (read(files), read(house.signals())):
        assert found.reading is Reading.UNKNOWN
        assert "signals/tradingview.json has vanished" in found.because


def test_a_symbol_gone_from_the_document_is_listed_and_stays_so_after_a_restart(house: House) -> None:
    house.say("tradingview", BOTH)
    files = house.signals()
    read(files)
    house.say("tradingview", {"BTCUSDT": "0.5"})
    for found in (read(files), read(house.signals())):
        assert found.reading is Reading.KNOWN
        assert found.gone == {"ETHUSDT"}
        assert "ETHUSDT gone from the document of tradingview" in found.because
    house.say("tradingview", BOTH)
    assert read(files).gone == frozenset()


def test_a_reader_that_only_looks_leaves_no_memory(house: House) -> None:
    house.say("tradingview", BOTH)
    read(house.signals(remembers=False))
    assert not house.home.last_good.exists()


def leave_a_heartbeat(house: House) -> None:
    house.beat("tradingview", 1)


def leave_effects(house: House) -> None:
    house.put("deduplicated_signals/tradingview/2027-01-15.jsonl", "{}\n")


def break_the_memory(house: House) -> None:
    house.put("state/last_good/heard.json", "{")


def memory_of_the_future(house: House) -> None:
    house.put("state/last_good/heard.json", {"schema": 2, "sources": {}})


def memory_unreadable(house: House) -> None:
    house.files.broken.add(house.put("state/last_good/heard.json", "{}"))


def traces_unreadable(house: House) -> None:
    house.files.broken.add(house.home.deduplicated_signals("tradingview"))


@pytest.mark.parametrize(
    "do",
    [leave_a_heartbeat, leave_effects, break_the_memory, memory_of_the_future, memory_unreadable, traces_unreadable],
    ids=lambda do: do.__name__,
)
def test_in_doubt_a_source_without_document_was_heard(house: House, do: Callable[[House], None]) -> None:
    assert read(house.signals()).reading is Reading.NOT_HEARD
    do(house)
    assert read(house.signals()).reading is Reading.UNKNOWN


def test_doubt_outlives_the_file_that_caused_it(house: House) -> None:
    break_the_memory(house)
    house.say("bittensor", {}, source="bittensor")
    first = house.signals()
    found = first.readings([TRADINGVIEW, BITTENSOR])
    assert found[BITTENSOR].reading is Reading.KNOWN
    assert found[TRADINGVIEW].reading is Reading.UNKNOWN
    assert first.problems()[0].startswith("state/last_good/heard.json: line 1")
    second = house.signals()
    assert second.problems() == ()
    assert read(second).reading is Reading.UNKNOWN


MEMORIES = [
    {"schema": 1, "sources": []},
    {"schema": 1},
    {"schema": 1, "sources": {"tradingview": []}},
    {"schema": 1, "sources": {"tradingview": {"parts": {}}}},
    {"schema": 1, "sources": {"tradingview": {"parts": {"a": "x"}, "symbols": []}}},
    {"schema": 1, "sources": {"tradingview": {"parts": {}, "symbols": [1]}}},
]


@pytest.mark.parametrize("memory", MEMORIES)
def test_a_memory_of_another_form_is_doubt(house: House, memory: object) -> None:
    house.put("state/last_good/heard.json", memory)
    files = house.signals()
    assert read(files).reading is Reading.UNKNOWN
    assert files.problems()


# --- parts ------------------------------------------------------------------------------------------------------------


def test_parts_are_one_opinion(house: House) -> None:
    house.say("tradingview", {"BTCUSDT": "0.5"}, revision=3)
    house.say("tradingview/eth", {"ETHUSDT": "0.1"}, revision=4)
    house.say("tradingview/sol", {"SOLUSDT": "0"}, revision=5, written_at=format_instant(NOW))
    house.put("signals/tradingview/.sol.json.1.tmp", "{")
    house.put("signals/tradingview/.#sol.json", "an editor's own")
    house.put("signals/tradingview/notes.txt", "x")
    found = read(house.signals())
    assert symbols(found) == {"BTCUSDT", "ETHUSDT", "SOLUSDT"}
    assert found.document is not None
    assert (found.document.revision, found.document.written_at) == (12, NOW)


def test_parts_alone_are_enough(house: House) -> None:
    house.say("tradingview/eth", {"ETHUSDT": "0.1"})
    assert symbols(read(house.signals())) == {"ETHUSDT"}


def test_a_symbol_in_two_parts_makes_the_source_unknown(house: House) -> None:
    house.say("tradingview", BOTH)
    house.say("tradingview/eth", {"ETHUSDT": "-0.25"})
    found = read(house.signals())
    assert found.reading is Reading.UNKNOWN
    assert "ETHUSDT stands in both signals/tradingview.json and signals/tradingview/eth.json" in found.because


@pytest.mark.parametrize(("what", "data", "words"), UNREADABLE, ids=[what for what, _, _ in UNREADABLE])
def test_one_unreadable_part_makes_the_source_unknown(house: House, what: str, data: bytes, words: str) -> None:
    house.say("tradingview", {"SOLUSDT": "1"})
    house.put("signals/tradingview/btc.json", data)
    found = read(house.signals())
    assert found.reading is Reading.UNKNOWN
    assert words in found.because
    assert "signals/tradingview/btc.json" in found.because


def test_a_vanished_part_makes_the_source_unknown_until_others_say_what_it_said(house: House) -> None:
    house.say("tradingview", {"BTCUSDT": "0.5"})
    part = house.say("tradingview/eth", {"ETHUSDT": "0.1"})
    files = house.signals()
    read(files)
    part.unlink()
    for found in (read(files), read(house.signals())):
        assert found.reading is Reading.UNKNOWN
        assert "signals/tradingview/eth.json has vanished and with it ETHUSDT" in found.because
    house.say("tradingview", {"BTCUSDT": "0.5", "ETHUSDT": "0"})
    assert symbols(read(files)) == {"BTCUSDT", "ETHUSDT"}
    assert symbols(read(house.signals())) == {"BTCUSDT", "ETHUSDT"}


# --- whatever happens -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def open_house(tmp_path_factory: pytest.TempPathFactory) -> House:
    home = Home(tmp_path_factory.mktemp("open"))
    home.prepare()
    return House(home)


@given(st.binary(max_size=200) | st.integers(0, len(document())).map(lambda at: document()[:at]))
@settings(max_examples=300, deadline=None)
def test_any_content_is_known_or_unknown_once_it_was_read(open_house: House, data: bytes) -> None:
    open_house.put("signals/tradingview.json", document())
    files = open_house.signals(remembers=False)
    assert read(files).reading is Reading.KNOWN
    open_house.put("signals/tradingview.json", data)
    found = read(files)
    assert found.reading is (Reading.KNOWN if data == document() else Reading.UNKNOWN)


def test_the_fingerprint_follows_documents_and_parts_but_not_heartbeats(house: House) -> None:
    files = house.signals()
    seen = [files.fingerprint()]
    house.say("tradingview", BOTH)
    seen.append(files.fingerprint())
    house.say("tradingview/eth", {})
    seen.append(files.fingerprint())
    (house.home.signals / "tradingview" / "eth.json").unlink()
    seen.append(files.fingerprint())
    house.beat("tradingview", 1)
    assert files.fingerprint() == seen[-1]
    assert len(set(seen)) == 3
    assert seen[1] == seen[3]
    house.files.broken.add(house.home.signals)
    assert files.fingerprint() != seen[-1]
