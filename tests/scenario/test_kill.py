"""Real processes that are killed, journals that are torn or damaged, and a disk that is full under a running engine."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from config.home import CHECKOUT
from core.journal import decode, encode_line
from tests.scenario.engine_house import EngineHouse, engine_house, needs_proc, wait_for
from tests.scenario.rig import BTC, Rig, opened

pytestmark = [pytest.mark.timeout(120), needs_proc]

BENCH_KEYS = {
    "seed", "kills", "alerts", "acknowledged_lost", "at_target", "duplicate_exposure", "client_ids_reused",
    "over_limit", "seconds",
}  # fmt: skip


@pytest.fixture
def house(tmp_path: Path) -> Iterator[EngineHouse]:
    with engine_house(tmp_path) as one:
        yield one


def test_kills_lose_nothing_and_double_nothing() -> None:
    """The bench, in small: `./run bench kills --count 100` is the same with more of it."""
    command = [sys.executable, "-m", "bench.kills", "--count", "6", "--seed", "3", "--json"]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    [line] = done.stdout.splitlines()
    found = json.loads(line)
    assert set(found) == BENCH_KEYS
    assert found["kills"] == {"trade-engine": 6, "tradingview-endpoint": 6, "tradingview-signals": 6}
    assert found["alerts"] > 10
    assert (found["acknowledged_lost"], found["at_target"], found["duplicate_exposure"]) == (0, True, 0)
    assert (found["client_ids_reused"], found["over_limit"]) == (0, 0)


# --- what a crash leaves at the end of a journal ----------------------------------------------------------------------

TORN = {
    "one byte": lambda line: line[:1],
    "half a head": lambda line: line[:20],
    "half a record": lambda line: line[: len(line) // 2],
    "all but the end of it": lambda line: line[:-2],
    "half a record and a page of nothing": lambda line: line[: len(line) // 2] + bytes(4096),
}


@pytest.mark.parametrize("tear", TORN.values(), ids=TORN)
def test_a_torn_end_is_cut_off_and_the_engine_goes_on(house: EngineHouse, tear: Callable[[bytes], bytes]) -> None:
    engine = house.engine
    house.say("0.5")
    engine.program.start()
    position = house.reaches("0.5")
    engine.program.kill()
    prepared = next(r for r in decode(house.journal.read_bytes()).records if r["kind"] == "PREPARED")
    with house.journal.open("ab") as file:
        file.write(tear(encode_line({**prepared, "n": 99})))
    engine.program.start()
    engine.says("of an unfinished record off the journal")
    assert house.held() == position
    assert len(house.orders()) == 1
    house.say("0.25")
    house.reaches("0.25")
    ids = [order["client_id"] for order in house.orders()]
    assert len(set(ids)) == len(ids) == 2
    decode(house.journal.read_bytes())


# --- damage that no crash does ----------------------------------------------------------------------------------------


def damaged(house: EngineHouse) -> bytes:
    """A position, then a bit that turned in the third record while nothing ran. Returns the journal as it was."""
    house.say("0.5")
    house.engine.program.start()
    house.reaches("0.5")
    wait_for(lambda: house.shown().get("state") == "CONVERGED", "the position is verified")
    house.engine.program.stop()
    whole = house.journal.read_bytes()
    at = whole.index(b"\n", whole.index(b"\n", whole.index(b"\n") + 1) + 1) - 20
    house.journal.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    house.engine.program.start()
    house.engine.says("line 3: the record is damaged")
    house.say("1")
    wait_for(lambda: "line 3" in str(house.status()["because"]), "the status names the line")
    assert len(house.orders()) == 1, "nothing is sent on a journal that cannot be read"
    assert house.journal.read_bytes() != whole, "the damaged file was left as it is"
    return whole


def test_a_damaged_middle_blocks_until_a_backup_is_back(house: EngineHouse) -> None:
    house.journal.parent.joinpath("backup").write_bytes(damaged(house))
    house.journal.parent.joinpath("backup").replace(house.journal)
    house.reaches("1")
    assert house.highest() <= abs(house.held())


def test_a_damaged_middle_moved_away_begins_anew_from_what_the_venue_holds(house: EngineHouse) -> None:
    damaged(house)
    house.journal.rename(house.folder / "damaged.jsonl")
    house.engine.says("is gone; nothing is sent for")
    house.reaches("1", 45)
    assert house.highest() <= abs(house.held())


# --- a full disk ------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of its own, of 4 MB, at `folder`; skips the test where none may be mounted."""
    folder.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m,mode=0700", "none", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False) if shutil.which("mount") else None
    if done is None or done.returncode:
        pytest.skip(f"a small file system can be mounted only as root: {done.stderr.strip() if done else 'no mount'}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Takes every byte that is free."""
    filler = folder / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    assert os.statvfs(folder).f_bavail == 0
    return filler


FULL = "the journal cannot be written"


def trade_or_fail(house: EngineHouse, depth: str) -> bool:
    """Whether the disk is full instead of the position at its size."""
    house.say(depth)
    wait_for(lambda: FULL in house.engine.said() or house.is_at(depth), "it trades, or finds no room")
    return FULL in house.engine.said()


def use_up(house: EngineHouse) -> None:
    """Trades to and fro until the room left in the journal's last page is used up as well."""
    for depth in itertools.islice(itertools.cycle(("0.6", "0.5")), 20):
        if trade_or_fail(house, depth):
            return
    raise AssertionError("the disk never became full")


def test_a_full_disk_sends_nothing_and_recovers_by_itself(tmp_path: Path) -> None:
    with small_disk(tmp_path / "home" / "state") as state, engine_house(tmp_path) as house:
        engine = house.engine
        house.say("0.5")
        engine.program.start()
        house.reaches("0.5")
        filler = fill(state)
        use_up(house)
        before, told = (house.held(), len(house.orders())), engine.said().count(FULL)
        house.say("1")
        wait_for(lambda: engine.said().count(FULL) > told, "another cycle finds the disk full")
        assert (house.held(), len(house.orders())) == before
        filler.unlink()
        house.reaches("1")

        fill(state)
        engine.program.kill()
        started, sent = len(engine.said()), engine.sent()
        house.say("0.25")
        engine.program.start()
        wait_for(lambda: "blocked: " in engine.said()[started:], "the new process finds the disk full")
        assert f"{house.journal} or the lock beside it cannot be used (No space left" in engine.said()[started:]
        assert engine.sent() == sent
        filler.unlink()
        house.reaches("0.25")
        assert len({order["client_id"] for order in house.orders()}) == len(house.orders())


# --- what the killed process may have used up -------------------------------------------------------------------------


@pytest.mark.parametrize("kept", [True, False], ids=["as it was written", "compacted"])
def test_a_restart_leaves_the_venue_its_second(kept: bool) -> None:
    """The order limit of the last second may be used up by the process before: no order follows within it."""
    rig = Rig()

    async def scene() -> None:
        await opened(rig)
        last = float(rig.ledger()["orders"][-1]["received_at"])
        if not kept:
            account = rig.executor.accounts[0]
            account._compact_bytes = 1
            await account.compact()
        rig.disk.crash()
        rig.boot()
        rig.signal(BTC, "0.25")
        await rig.settle()
        assert rig.position(BTC) == rig.target(BTC)
        assert float(rig.ledger()["orders"][-1]["received_at"]) - last >= 1.0

    rig.run(scene())


def test_a_restart_after_a_quiet_second_waits_for_nothing() -> None:
    rig = Rig()

    async def scene() -> None:
        await opened(rig)
        await asyncio.sleep(2)
        rig.boot()
        rig.signal(BTC, "0.25")
        began = rig.clock.time()
        await rig.settle()
        assert rig.clock.time() - began < 0.5

    rig.run(scene())
