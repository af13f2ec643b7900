"""The journal on a failing disk, and its compaction."""

from __future__ import annotations

import asyncio
import errno
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import EngineError, JournalBroken
from core.journal import Journal, decode
from core.ports import FileOps
from core.state import RealFileOps
from simulator.disk import Fault

from .rig import HOME, Gate, at, numbered, opened, settle, simulated


@pytest.fixture(params=["real", "simulated"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[FileOps, Path]:
    return (RealFileOps(), tmp_path) if request.param == "real" else (simulated(), HOME)


# --- a failing disk ---------------------------------------------------------------------------------------------------

CODES = [errno.ENOSPC, errno.EIO, errno.EMFILE]


@pytest.mark.parametrize("partial", [False, True])
@pytest.mark.parametrize("code", CODES)
async def test_a_failed_append_leaves_a_clean_end_and_the_next_one_works(code: int, partial: bool) -> None:
    ops = simulated()
    journal = opened(ops)
    await journal.append_durable(numbered(1))
    before = ops.read(at(HOME))
    ops.fail(Fault(code, operation="append", partial=partial))
    with pytest.raises(OSError) as caught:
        journal.append(numbered(2))
    assert caught.value.errno == code
    assert ops.read(at(HOME)) == before
    assert journal.broken is None
    await journal.append_durable(numbered(3))
    ops.crash()
    assert opened(ops).records == (numbered(1), numbered(3))


async def test_a_part_that_cannot_be_removed_is_never_followed_by_anything() -> None:
    ops = simulated()
    journal = opened(ops)
    await journal.append_durable(numbered(1))
    ops.fail(Fault(errno.ENOSPC, operation="append", partial=True))
    ops.fail(Fault(errno.EIO, operation="truncate"))
    with pytest.raises(OSError):
        journal.append(numbered(2))
    assert journal.broken is not None
    before = ops.read(at(HOME))
    for _ in range(3):
        with pytest.raises(JournalBroken, match="until it is reopened"):
            journal.append(numbered(3))
    with pytest.raises(JournalBroken):
        await journal.compact([], {})
    assert ops.read(at(HOME)) == before
    again = opened(ops)
    assert again.records == (numbered(1),)
    await again.append_durable(numbered(4))
    assert opened(ops).records == (numbered(1), numbered(4))


@pytest.mark.parametrize("code", CODES)
async def test_a_failed_fsync_reaches_every_caller_and_breaks_the_journal(code: int) -> None:
    ops = simulated()
    journal = opened(ops)
    ops.fail(Fault(code, operation="fsync"))
    outcomes = await asyncio.gather(*(journal.append_durable(numbered(n)) for n in range(3)), return_exceptions=True)
    assert all(isinstance(outcome, OSError) for outcome in outcomes)
    # A second fsync would say yes while the disk has nothing: the journal must be written anew instead.
    with pytest.raises(JournalBroken):
        journal.append(numbered(9))
    with pytest.raises(JournalBroken):
        await journal.sync()
    again = opened(ops)
    ops.crash()
    assert opened(ops).records == again.records


async def test_a_failure_nobody_waits_for_is_not_reported_as_forgotten() -> None:
    ops = simulated()
    gate = Gate()
    journal = opened(ops, offload=gate)
    ops.fail(Fault(errno.EIO, operation="fsync"))
    waiting = asyncio.ensure_future(journal.append_durable(numbered(1)))
    await settle()
    waiting.cancel()
    await settle()
    gate.open.set()
    await settle()
    assert journal.broken is not None


@pytest.mark.parametrize("code", CODES)
async def test_every_failing_operation_ends_in_an_error_and_never_in_a_lost_record(code: int) -> None:
    """At each operation of a short life: what was acknowledged is there afterwards, in order, once."""
    for fails_at in range(60):
        ops = simulated()
        ops.fail(Fault(code, after=fails_at, partial=True))
        kept: list[int] = []
        journal: Journal | None = None
        for n in range(8):
            try:
                journal = opened(ops) if journal is None or journal.broken else journal
                await journal.append_durable(numbered(n))
                kept.append(n)
                if n == 4:
                    await journal.compact([numbered(k) for k in kept], {})
            except (OSError, EngineError):
                journal = None if journal is None or journal.broken else journal
        ops.faults.clear()
        ops.crash()
        read = [record["n"] for record in opened(ops).records]
        assert read == sorted(set(read))  # type: ignore[type-var] # numbers
        assert set(kept) <= set(read)
        assert len(kept) >= 7


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 120), st.booleans(), st.integers(0, 2**32))
def test_a_power_loss_at_any_operation_loses_nothing_acknowledged(stop: int, torn: bool, seed: int) -> None:
    ops = simulated(seed)
    ops.power_off(after=stop)
    acknowledged: list[int] = []

    async def life() -> None:
        journal = opened(ops)
        for n in range(12):
            journal.append(numbered(n))
            if n % 2:
                await journal.sync()
                acknowledged.extend((n - 1, n))
            if n in (5, 9):
                await journal.compact([numbered(k) for k in range(n + 1)], {"intent": n})

    try:
        asyncio.run(life())
    except (OSError, EngineError):
        pass
    ops.crash(torn=torn)
    read = [record["n"] for record in opened(ops).records]
    assert read == list(range(len(read)))
    assert len(read) >= len(acknowledged)


# --- compaction -------------------------------------------------------------------------------------------------------


async def test_compaction_keeps_epoch_and_counters_and_shrinks(disk: tuple[FileOps, Path]) -> None:
    ops, home = disk
    journal = opened(ops, home)
    for n in range(200):
        journal.append(numbered(n))
    before, epoch = journal.size, journal.epoch
    await journal.compact([{"kind": "SNAPSHOT"}], {"intent": 200})
    assert journal.size < before / 10
    assert journal.next == {"intent": 200}
    await journal.append_durable(numbered(200))
    again = opened(ops, home)
    assert (again.epoch, again.next) == (epoch, {"intent": 200})
    assert again.records == ({"kind": "SNAPSHOT"}, numbered(200))
    assert ops.list(at(home).parent) == ("bybit-main.jsonl",)


async def test_what_is_appended_during_a_compaction_follows_it() -> None:
    ops = simulated()
    gate = Gate()
    journal = opened(ops, offload=gate)
    journal.append(numbered(1))
    compacting = asyncio.ensure_future(journal.compact([{"kind": "SNAPSHOT"}], {}))
    await settle()
    synced = asyncio.ensure_future(journal.append_durable(numbered(2)))
    await settle()
    journal.append(numbered(3))
    gate.open.set()
    await asyncio.gather(compacting, synced)
    ops.crash()
    assert opened(ops).records == ({"kind": "SNAPSHOT"}, numbered(2), numbered(3))


async def test_compaction_is_durable_folder_included() -> None:
    ops = simulated()
    journal = opened(ops)
    ops.log.clear()
    await journal.compact([numbered(1)], {})
    assert [line.split()[0] for line in ops.log if line.split()[0] in ("write", "fsync", "replace", "fsync_dir")] == [
        "write",
        "fsync",
        "replace",
        "fsync",
        "fsync_dir",
    ]
    ops.crash()
    assert opened(ops).records == (numbered(1),)


@pytest.mark.parametrize("operation", ["write", "fsync", "replace"])
async def test_a_failed_compaction_leaves_the_old_journal_in_force(operation: str) -> None:
    ops = simulated()
    journal = opened(ops)
    await journal.append_durable(numbered(1))
    ops.fail(Fault(errno.ENOSPC, operation=operation, partial=True))
    with pytest.raises(OSError):
        await journal.compact([{"kind": "SNAPSHOT"}], {})
    assert journal.broken is None
    await journal.append_durable(numbered(2))
    assert ops.list(at(HOME).parent) == ("bybit-main.jsonl",)
    assert decode(ops.read(at(HOME))).records[1:] == (numbered(1), numbered(2))
    await journal.compact([{"kind": "SNAPSHOT"}], {})
    assert opened(ops).records == ({"kind": "SNAPSHOT"},)


async def test_a_compaction_whose_folder_cannot_be_synced_breaks_the_journal() -> None:
    ops = simulated()
    journal = opened(ops)
    await journal.append_durable(numbered(1))
    ops.fail(Fault(errno.EIO, operation="fsync_dir"))
    with pytest.raises(OSError):
        await journal.compact([numbered(1)], {})
    with pytest.raises(JournalBroken):
        journal.append(numbered(2))
    assert opened(ops).records == (numbered(1),)


async def test_compactions_and_appends_with_threads_lose_nothing(tmp_path: Path) -> None:
    journal = opened(RealFileOps(), tmp_path, asyncio.to_thread)
    written: list[int] = []

    async def write(first: int) -> None:
        for n in range(first, first + 40):
            journal.append(numbered(n))
            written.append(n)
            await journal.sync()

    async def compact() -> None:
        for _ in range(10):
            await journal.compact([numbered(n) for n in written], {})
            await asyncio.sleep(0)

    await asyncio.gather(write(0), write(1000), compact())
    assert [record["n"] for record in opened(RealFileOps(), tmp_path).records] == written


def test_the_journal_holds_no_descriptor_between_calls(tmp_path: Path) -> None:
    def descriptors() -> set[str]:
        return {str(entry.readlink()) for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()}

    async def run() -> set[str]:
        journal = opened(RealFileOps(), tmp_path)
        await journal.append_durable(numbered(1))
        await journal.compact([numbered(1)], {})
        return descriptors()

    assert not [name for name in asyncio.run(run()) if "bybit-main" in name]
