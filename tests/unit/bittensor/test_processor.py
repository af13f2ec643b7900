"""The processor on a disk in memory: what it writes, and what it leaves alone when the feed or the disk fails."""

from __future__ import annotations

import copy
import errno
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.state import format_instant
from signal_processors.bittensor_explain import as_json, table
from simulator.disk import Fault
from simulator.feed.faults import ALTERED, BYTES, body_of
from simulator.feed.lives import generated, reply_at
from tests.unit.bittensor.house import HOME, PLACES, House
from tests.unit.bittensor.replies import NOW_MS, REPLY, good_miner, miner, moved, position

# --- start-up and the document ----------------------------------------------------------------------------------------


def test_at_its_start_it_says_nothing_rather_than_be_absent(house: House) -> None:
    assert house.processor.open()
    assert house.document().signals == {}
    assert house.beat() is None


def test_an_opinion_is_written_with_its_heartbeat(house: House) -> None:
    assert house.poll(REPLY)
    document = house.document()
    assert document.source == "bittensor"
    assert {symbol: signal.timestamp for symbol, signal in document.signals.items()} == {
        "BTCUSD": house.clock.at,
        "ETHUSD": house.clock.at,
    }
    assert all(signal.leverage is None for signal in document.signals.values())
    assert house.depths()["BTCUSD"] not in ("0", house.depths()["ETHUSD"])
    assert house.beat() == {"checked_at": format_instant(house.clock.at), "revision": document.revision}


def test_an_unchanged_opinion_writes_no_document(house: House) -> None:
    house.poll(REPLY)
    before, identity = house.ops.read(PLACES.document), house.ops.identity(PLACES.document)
    again = copy.deepcopy(REPLY)
    again["5A"]["positions"][-1]["current_return"] = 1.0011  # the market moved, nobody traded
    assert house.poll(again)
    assert (house.ops.read(PLACES.document), house.ops.identity(PLACES.document)) == (before, identity)
    beat = house.beat()
    assert beat is not None
    assert beat["checked_at"] == format_instant(house.clock.at)


def test_only_what_changed_gets_a_new_timestamp(house: House) -> None:
    house.poll(REPLY)
    first = house.document()
    house.poll(moved(REPLY))
    second = house.document()
    assert second.revision == first.revision + 1
    assert second.signals["BTCUSD"].timestamp == house.clock.at > first.signals["BTCUSD"].timestamp
    assert second.signals["ETHUSD"] == first.signals["ETHUSD"]


def test_a_restart_goes_on_where_it_was(house: House) -> None:
    house.poll(REPLY)
    before = house.ops.read(PLACES.document)
    house.start()
    assert house.poll()
    assert house.ops.read(PLACES.document) == before


def test_what_nobody_holds_any_more_is_an_explicit_0(house: House) -> None:
    house.poll(REPLY)
    closed = {name: miner(*record["positions"][:-1]) for name, record in REPLY.items()}
    assert house.poll(closed)
    assert house.depths() == {"BTCUSD": "0", "ETHUSD": "0"}


def test_a_broken_document_stays_unreadable_until_there_is_an_opinion(house: House) -> None:
    house.poll(REPLY)
    house.put(PLACES.document, b"{")
    house.start()
    assert not house.poll("answered HTTP 503")
    assert house.ops.read(PLACES.document) == b"{"
    assert house.poll(REPLY)
    assert set(house.depths()) == {"BTCUSD", "ETHUSD"}
    assert house.document().revision > 2


# --- what is no opinion -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [*ALTERED, *BYTES])
def test_a_bad_reply_changes_nothing_and_writes_no_heartbeat(
    house: House, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    reply = reply_at(generated(8, 9, NOW_MS), NOW_MS)
    assert house.poll(reply)
    document, beat = house.ops.read(PLACES.document), house.beat()
    for _ in range(2):
        assert not house.poll(body_of(reply, kind, 0.6))
    assert (house.ops.read(PLACES.document), house.beat()) == (document, beat)
    said = [record.getMessage() for record in caplog.records if "document stays as it is" in record.getMessage()]
    assert 1 <= len(said) <= 2  # once, and again only because a loss counts
    assert house.poll(reply)
    assert house.beat() != beat
    assert "The feed is read again." in caplog.text


@pytest.mark.parametrize("why", ["gave no complete answer within 3 s", "answered HTTP 502", "could not be read: reset"])
def test_a_feed_that_cannot_be_asked(house: House, why: str, caplog: pytest.LogCaptureFixture) -> None:
    house.poll(REPLY)
    document, beat = house.ops.read(PLACES.document), house.beat()
    assert not house.poll(why)
    assert not house.poll()
    assert (house.ops.read(PLACES.document), house.beat()) == (document, beat)
    assert caplog.text.count(f"The feed {why}.") == 1


def test_traders_that_vanish_at_once_are_believed_the_third_time(house: House) -> None:
    assert house.poll(REPLY)
    document = house.ops.read(PLACES.document)
    left = {"5B": REPLY["5B"]}
    assert not house.poll(left)
    assert not house.poll(left)
    assert house.ops.read(PLACES.document) == document
    assert house.poll(left)
    assert house.depths()["BTCUSD"] == "0"


def test_another_reply_in_between_begins_the_count_anew(house: House) -> None:
    house.poll(REPLY)
    left, other = {"5B": REPLY["5B"]}, {"5C": REPLY["5C"]}
    results = [house.poll(one) for one in (left, left, b"", left, left, other, left, left)]
    assert results == [False] * 8
    assert house.poll(left)


def test_the_traders_of_the_last_reply_are_known_after_a_restart(house: House) -> None:
    house.poll(REPLY)
    house.start()
    assert not house.poll({"5B": REPLY["5B"]})
    house.start()
    house.put(PLACES.memory, b"[]")
    assert house.poll({"5B": REPLY["5B"]})


def test_a_loss_within_the_guard_is_an_opinion(house: House) -> None:
    house.poll(REPLY)
    assert house.poll({name: REPLY[name] for name in ("5A", "5B")})


ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=3,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something stands inside a reply."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, one in inner for found in ((*path, key), *places(one, (*path, key)))]


PLACES_IN_REPLY = places(REPLY)


@settings(max_examples=300, deadline=None)
@given(
    changes=st.lists(st.tuples(st.sampled_from(PLACES_IN_REPLY), ODD | st.just(KeyError)), min_size=1, max_size=3),
    as_of=st.none() | st.integers(0, NOW_MS + 10**9),
)
def test_no_odd_value_anywhere_ends_the_process(changes: list[tuple[Any, Any]], as_of: int | None) -> None:
    """An opinion or a refusal: nothing else comes of a reply in which anything was replaced by anything."""
    house = House()
    house.start(as_of=None if as_of is None else as_of / 1000)
    assert house.poll(REPLY)
    found: Any = copy.deepcopy(REPLY)
    for path, value in changes:
        inner = found
        try:
            for key in path[:-1]:
                inner = inner[key]
            if value is KeyError:
                del inner[path[-1]]
            else:
                inner[path[-1]] = value
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took the place away
    assert house.poll(found) in (True, False)
    assert house.poll(REPLY)


# --- the disk ---------------------------------------------------------------------------------------------------------


def test_a_disk_that_fails_is_reported_and_tried_again(house: House, caplog: pytest.LogCaptureFixture) -> None:
    house.poll(REPLY)
    document, beat = house.ops.read(PLACES.document), house.beat()
    fault = house.ops.fail(Fault(errno.EIO, "replace", "signals/bittensor.json", times=2))
    assert not house.poll(moved(REPLY))
    assert not house.poll()
    assert (house.ops.read(PLACES.document), house.beat()) == (document, beat)
    assert fault is not None
    assert house.poll()
    assert house.ops.read(PLACES.document) != document
    assert "The disk works again." in caplog.text


def test_raw_files_that_cannot_be_written_hold_up_nothing(house: House, caplog: pytest.LogCaptureFixture) -> None:
    house.poll(REPLY)
    house.ops.fail(Fault(errno.ENOSPC, "append", ".jsonl"))
    assert house.poll(moved(REPLY))
    assert "for people only" in caplog.text


# --- configuration ----------------------------------------------------------------------------------------------------


def test_parameters_and_mapping_are_live(house: House) -> None:
    house.poll(REPLY)
    deep = house.depths()["BTCUSD"]
    house.put(HOME.bittensor_config, {"leverage_limit_crypto": 0.25})
    house.poll()
    assert house.depths()["BTCUSD"] != deep
    house.put(HOME.asset_mapping, {"bittensor": {"BTCUSD": "BTCUSDT", "SOLUSD": "SOLUSDT"}})
    house.poll()
    assert set(house.depths()) == {"BTCUSD", "ETHUSD", "SOLUSD"}
    assert house.depths()["SOLUSD"] == "0"
    assert set(house.settings.versions()) == {HOME.bittensor_config.name, HOME.asset_mapping.name}


@pytest.mark.parametrize("broken", [b"{", b'{"min_trades": -1}', b"[]", b'{"min_trades": 1, "min_trades": 2}'])
def test_a_broken_edit_leaves_the_last_good_in_force(
    house: House, broken: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    house.put(HOME.bittensor_config, {"leverage_limit_crypto": 0.25})
    house.poll(REPLY)
    document = house.ops.read(PLACES.document)
    for path in (HOME.bittensor_config, HOME.asset_mapping):
        house.put(path, broken)
    assert house.poll(REPLY)
    assert house.ops.read(PLACES.document) == document
    assert caplog.text.count("last valid content stays in force") == 2


def test_broken_from_the_start_is_no_opinion_until_it_is_mended(house: House, caplog: pytest.LogCaptureFixture) -> None:
    house.put(HOME.bittensor_config, {"min_trades": "many"})
    assert not house.poll(REPLY)
    assert "bittensor_processor_config.json: min_trades (line 1)" in caplog.text
    assert house.beat() is None
    house.put(HOME.bittensor_config, {})
    assert house.poll(REPLY)


def test_a_missing_mapping_is_taken_from_the_last_good_copy(house: House) -> None:
    mapping = house.ops.read(HOME.asset_mapping)
    house.ops.remove(HOME.asset_mapping)
    assert not house.poll(REPLY)
    house.put(HOME.last_good / HOME.asset_mapping.name, mapping)
    house.start()
    assert house.poll(REPLY)
    assert set(house.depths()) == {"BTCUSD", "ETHUSD"}


def test_an_unknown_parameter_is_told_once(house: House, caplog: pytest.LogCaptureFixture) -> None:
    house.put(HOME.bittensor_config, {"min_trade": 3})
    house.poll(REPLY)
    house.poll(REPLY)
    assert caplog.text.count("did you mean min_trades?") == 1


# --- looking ----------------------------------------------------------------------------------------------------------


def test_as_of_writes_how_it_stood_without_heartbeat_memory_or_raw(house: House) -> None:
    reply = moved(REPLY, leverage=0.3)
    last_ms = reply["5A"]["positions"][-1]["orders"][-1]["processed_ms"]
    depths = []
    for as_of_ms in (last_ms, last_ms - 1):
        house.start(once=True, as_of=as_of_ms / 1000)
        assert house.poll(reply)
        depths.append(house.depths()["BTCUSD"])
        assert house.document().signals["BTCUSD"].timestamp == as_of_ms / 1000
    assert depths[0] != depths[1]
    assert house.beat() is None
    assert house.raw_names() == []
    assert house.ops.identity(PLACES.memory) is None


def test_as_of_takes_a_heartbeat_away_before_it_writes(house: House) -> None:
    """With the heartbeat of a moment ago beside it, an engine would trade on how it stood then."""
    assert house.poll(REPLY)
    assert house.beat() is not None
    house.start(once=True, as_of=house.clock.at - 30 * 86_400)
    before = house.document()
    house.ops.fail(Fault(errno.EIO, "remove", "bittensor.heartbeat"))
    assert not house.poll()
    assert house.document() == before
    assert house.poll()
    assert set(house.depths().values()) == {"0"}
    assert house.beat() is None


def test_explaining_writes_nothing(house: House) -> None:
    house.start(once=True)
    assert house.poll(REPLY, write=False)
    assert house.ops.identity(PLACES.document) is None
    assert house.processor.judged is not None
    found = json.loads(as_json(house.processor.judged))
    assert [one["hotkey"] for one in found["ranked"]] == ["5A", "5B", "5C"]
    contributions = sum(float(share["contribution"]) for share in found["assets"]["BTCUSD"]["contributions"])
    assert abs(contributions - float(found["assets"]["BTCUSD"]["depth"])) < 1e-6
    for one in found["ranked"]:
        assert abs(sum(map(float, one["terms"].values())) - float(one["score"])) < 1e-9
    shown = table(house.processor.judged)
    assert "3 of 3 traders count" in shown
    assert f"BTCUSD: depth {found['assets']['BTCUSD']['depth']}" in shown
    assert len(max(shown.splitlines(), key=len)) <= 150


def test_explaining_those_that_do_not_count(house: House) -> None:
    assert house.poll({"5A": miner(position(1.01)), "5Longer-than-twelve": good_miner(all_time_returns=0.9)})
    assert house.processor.judged is not None
    shown = table(house.processor.judged)
    assert "No trader counts." in shown
    assert "5A  1 positions on mapped assets, min_trades is 10" in shown
    assert "5Longer-…lve  all-time return 0.9 is not above 1" in shown
    assert house.depths() == {"BTCUSD": "0", "ETHUSD": "0"}
