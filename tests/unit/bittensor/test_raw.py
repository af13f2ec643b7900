"""What is kept of the feed's replies: lines, archives, and no more of them than there is room for."""

from __future__ import annotations

import copy
import errno
import json

import pytest

from simulator.disk import Fault
from tests.unit.bittensor.house import HOME, PLACES, House
from tests.unit.bittensor.replies import NOW_MS, REPLY, encoded, moved, order, position


def test_the_first_reply_is_the_baseline_and_the_next_ones_are_lines(house: House) -> None:
    house.poll(REPLY)
    assert house.raw_names() == []
    house.poll(REPLY)
    assert house.lines() == []
    assert house.archives() == [json.loads(encoded(REPLY))]
    changed = moved(REPLY)
    new = changed["5A"]["positions"][-1]["orders"][-1]["order_uuid"]
    house.poll(changed)
    assert house.lines() == [("order", new)]
    house.poll(changed)
    assert len(house.lines()) == 1
    over = copy.deepcopy(changed)
    last = over["5A"]["positions"][-1]
    at_ms = last["orders"][-1]["processed_ms"] + 5
    last["orders"].append(order(0.0, at_ms, kind="FLAT"))
    last |= {"is_closed_position": True, "close_ms": at_ms, "return_at_close": 1.02}
    over["5B"]["positions"].append(position(1.0, 0.1, None))
    house.poll(over)
    opened = over["5B"]["positions"][-1]
    assert house.lines()[1:] == [
        ("order", last["orders"][-1]["order_uuid"]),
        ("closed", last["position_uuid"]),
        ("opened", opened["position_uuid"]),
        ("order", opened["orders"][0]["order_uuid"]),
    ]


def test_a_refused_reply_leaves_no_raw_record(house: House) -> None:
    house.poll(REPLY)
    house.poll(REPLY)
    assert len(house.archives()) == 1
    house.poll(moved(REPLY), after_s=3700)
    lines, archives = house.lines(), house.archives()
    assert len(archives) == 2
    bad = moved(moved(REPLY))
    bad["5C"]["positions"][-1].pop("open_ms")
    assert not house.poll(bad, after_s=3700)
    assert (house.lines(), house.archives()) == (lines, archives)
    assert not any(name.startswith(".reply") for name in house.raw_names())


def test_after_a_restart_only_what_is_newer_becomes_lines(house: House) -> None:
    house.poll(REPLY)
    house.poll(REPLY)
    house.processor.close()
    house.start()
    changed = moved(REPLY)
    changed["5A"]["positions"][-1]["orders"][-1]["processed_ms"] = NOW_MS - 1
    house.poll(changed)
    house.poll(changed)
    assert [kind for kind, _ in house.lines()] == ["order"]
    assert len(house.archives()) == 1


def test_disk_space_is_bounded_and_the_oldest_goes_first(house: House) -> None:
    house.poll(REPLY)
    house.poll(REPLY)
    assert len(house.archives()) == 1
    for name in ("2020-01-01.jsonl", "2020-01-02.jsonl", "2020-01-01T000000Z.json.gz"):
        house.put(PLACES.raw / name, b"x" * 10_000)
    house.put(HOME.bittensor_config, {"raw_max_gb": 0.000016})
    house.poll(REPLY, after_s=3700)
    assert len([name for name in house.raw_names() if name.startswith("2020-01-01")]) == 0
    assert "2020-01-02.jsonl" in house.raw_names()
    house.processor.archived(wait=True)
    assert len([name for name in house.raw_names() if name.endswith(".gz")]) == 2


def test_a_signal_does_not_wait_for_its_archive(house: House) -> None:
    """An archive that cannot be written is told, and the next one is due in an hour."""
    house.ops.fail(Fault(errno.ENOSPC, "append", ".reply", times=0))
    assert house.poll(REPLY)
    assert house.poll(REPLY)
    with pytest.raises(OSError, match="No space"):
        house.processor.archived(wait=True)
    assert house.poll(REPLY)
    assert house.archives() == []
    assert not any(name.startswith(".reply") for name in house.raw_names())
