"""The metagraph: taken in where it can be had, kept over restarts, and off in every other case without harm."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from signal_processors.bittensor_registry import MAX_AGE_S, NoMetagraph, Registry
from tests.unit.bittensor.house import HOME, PLACES, House
from tests.unit.bittensor.replies import good_miner

REPLY = {name: good_miner(net) for name, net in (("5A", 0.1), ("5B", 0.25), ("5C", -0.1))}


def answering(house: House, answer: bytes | str) -> Registry:
    async def ask() -> bytes:
        if isinstance(answer, str):
            raise NoMetagraph(answer)
        return answer

    return Registry(PLACES.metagraph, house.ops, house.clock, ask)


def taken(house: House, answer: bytes | str) -> tuple[dict[str, Decimal] | None, str]:
    registry = answering(house, answer)
    asyncio.run(registry.refresh())
    found, words = registry.registered(REPLY)
    return (None if found is None else dict(found.incentives)), words


def test_registered_hotkeys_with_their_incentive() -> None:
    house = House()
    found, words = taken(house, b'{"hotkeys": {"5A": 0.25, "5B": 0, "5X": 1e-05}}')
    assert found == {"5A": Decimal("0.25"), "5B": Decimal(0), "5X": Decimal("0.00001")}
    assert words.startswith("metagraph: 3 registered as of ")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("the chain did not answer", "the chain did not answer"),
        (b"", "is empty"),
        (b"Traceback", "not valid JSON"),
        (b'{"hotkeys": {}}', "names nobody"),
        (b'{"hotkeys": {"5A": "x"}}', "must be a number"),
        (b'{"hotkeys": {"5A": 0.1, "5Y": 0.1}}', "knows 1 of the 3 traders"),
    ],
)
def test_off_with_the_reason(answer: bytes | str, words: str) -> None:
    found, said = taken(House(), answer)
    assert found is None
    assert said.startswith("metagraph: off (")
    assert words in said


def test_kept_over_a_restart_for_a_day() -> None:
    house = House()
    taken(house, b'{"hotkeys": {"5A": 0.5, "5B": 0.5}}')
    again = answering(house, "gone")
    again.load()
    found, _ = again.registered(REPLY)
    assert found is not None
    assert found.incentives == {"5A": Decimal("0.5"), "5B": Decimal("0.5")}
    asyncio.run(again.refresh())
    assert again.registered(REPLY)[0] is not None
    house.clock.at += MAX_AGE_S + 1
    assert again.registered(REPLY)[0] is None
    house.put(PLACES.metagraph, b"{")
    broken = answering(house, "gone")
    broken.load()
    assert broken.registered(REPLY)[0] is None


def test_who_is_not_registered_does_not_count() -> None:
    house = House()
    assert house.poll(REPLY)
    everybody = house.depths()["BTCUSD"]
    house.put(PLACES.metagraph, {"schema": 1, "at": "2025-10-09T08:00:00.000Z", "hotkeys": {"5B": 1, "5C": 0}})
    house.start()
    house.registry.load()
    assert house.poll(REPLY)
    assert house.processor.judged is not None
    assert house.processor.judged.unregistered == ("5A",)
    assert [one.trader.hotkey for one in house.processor.judged.ranking.ranked] == ["5B", "5C"]
    assert house.depths()["BTCUSD"] != everybody
    house.put(HOME.bittensor_config, {"metagraph": False})
    assert house.poll()
    assert house.depths()["BTCUSD"] == everybody
