"""The journal as its writer sees it: durability, shared fsyncs, lost and failing disks, compaction, client ids."""

from __future__ import annotations

import asyncio
import errno
import stat
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.domain import AccountId
from core.errors import EngineError, JournalBroken, JournalLost, StateError
from core.journal import Journal, Record, decode, inline, new_client_id
from core.ports import FileOps
from core.state import RealFileOps, ensure_dir, write_atomic
from simulator.disk import Fault, SimulatedFileOps

T = TypeVar("T")

ACCOUNT = AccountId("bybit-main")
HOME = Path("/home")


class Chance:
    """`ports.Entropy` from a seed."""

    def __init__(self, seed: int = 0) -> None:
        self._random = Random(seed)

    def bytes(self, n: int) -> bytes:
        return self._random.randbytes(n)

    def uniform(self, low: float, high: float) -> float:
        return self._random.uniform(low, high)


class Gate:
    """An `Offload` whose work waits until it is let through."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.started = 0

    async def __call__(self, work: Callable[[], T], /) -> T:
        self.started += 1
        await self.open.wait()
        return work()


def simulated(seed: int = 0) -> SimulatedFileOps:
    ops = SimulatedFileOps(seed)
    ensure_dir(ops, HOME)
    return ops


def at(home: Path) -> Path:
    return home / "state" / "journal" / "bybit-main.jsonl"


def opened(ops: FileOps, home: Path = HOME, offload: object = inline, seed: int = 1) -> Journal:
    return Journal.open(at(home), ACCOUNT, ops, Chance(seed), offload)  # type: ignore[arg-type] # a generic callable


def numbered(n: int) -> Record:
    return {"kind": "ACKED", "n": n}


@pytest.fixture(params=["real", "simulated"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[FileOps, Path]:
    return (RealFileOps(), tmp_path) if request.param == "real" else (simulated(), HOME)


# --- opening ----------------------------------------------------------------------------------------------------------


def test_a_new_journal_has_a_random_epoch_and_keeps_it(disk: tuple[FileOps, Path]) -> None:
    ops, home = disk
    journal = opened(ops, home)
    assert (journal.created, journal.records, journal.torn, journal.next) == (True, (), 0, {})
    assert len(bytes.fromhex(journal.epoch)) == 16
    journal.append(numbered(1))
    again = opened(ops, home, seed=2)
    assert (again.created, again.records, again.epoch) == (False, (numbered(1),), journal.epoch)
    assert again.size == len(ops.read(at(home))) == journal.size


def test_modes_on_the_real_disk(tmp_path: Path) -> None:
    opened(RealFileOps(), tmp_path)
    assert stat.S_IMODE(at(tmp_path).stat().st_mode) == 0o600
    assert stat.S_IMODE(at(tmp_path).parent.stat().st_mode) == 0o700


def test_a_torn_end_is_cut_off_and_reported(disk: tuple[FileOps, Path]) -> None:
    ops, home = disk
    journal = opened(ops, home)
    journal.append(numbered(1))
    ops.append(at(home), b'{"crc":"0123')
    again = opened(ops, home)
    assert (again.torn, again.records) == (12, (numbered(1),))
    again.append(numbered(2))
    assert opened(ops, home).records == (numbered(1), numbered(2))


def test_what_was_read_is_durable_before_anybody_decides_on_it() -> None:
    ops = simulated()
    journal = opened(ops)
    journal.append(numbered(1))  # its process is killed before the fsync: the record is in memory only
    assert opened(ops).records == (numbered(1),)
    ops.crash()
    assert opened(ops).records == (numbered(1),)


def test_temporary_files_of_a_killed_process_are_removed(disk: tuple[FileOps, Path]) -> None:
    ops, home = disk
    opened(ops, home)
    for name in (".bybit-main.jsonl.77.1.tmp", ".bybit-second.jsonl.77.1.tmp"):
        ops.write(at(home).with_name(name), b"x")
    opened(ops, home)
    assert ops.list(at(home).parent) == (".bybit-second.jsonl.77.1.tmp", "bybit-main.jsonl")


def test_order_of_operations_of_a_send() -> None:
    """The record's bytes, then their fsync; at creation the file's content, its name, its folder."""
    ops = simulated()

    async def run() -> list[str]:
        journal = opened(ops)
        created = [line.split()[0] for line in ops.log]
        assert created[-5:] == ["write", "fsync", "replace", "fsync_dir", "identity"]
        ops.log.clear()
        await journal.append_durable(numbered(1))
        return [line.split()[0] for line in ops.log if not line.startswith("identity")]

    assert asyncio.run(run()) == ["append", "fsync"]


# --- durability and sharing -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("torn", [False, True])
@pytest.mark.parametrize("seed", range(10))
async def test_synced_records_survive_a_crash_and_others_do_not_harm(seed: int, torn: bool) -> None:
    ops = simulated(seed)
    journal = opened(ops)
    for n in range(5):
        journal.append(numbered(n))
    await journal.sync()
    journal.append(numbered(5))
    ops.crash(torn=torn)
    records = opened(ops).records
    assert records[:5] == tuple(map(numbered, range(5)))
    assert records[5:] in ((), (numbered(5),))


async def test_a_dropped_fsync_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    ops = simulated()
    journal = opened(ops)
    monkeypatch.setattr(ops, "fsync", lambda path: None)
    await journal.append_durable(numbered(1))
    monkeypatch.undo()
    ops.crash()
    assert opened(ops).records == ()


async def test_callers_at_one_time_share_an_fsync(disk: tuple[FileOps, Path]) -> None:
    ops, home = disk
    gate = Gate()
    journal = opened(ops, home, gate)
    first = asyncio.ensure_future(journal.append_durable(numbered(0)))
    await settle()
    assert gate.started == 1
    later = [asyncio.ensure_future(journal.append_durable(numbered(n))) for n in range(1, 50)]
    await settle()
    gate.open.set()
    await asyncio.gather(first, *later)
    assert gate.started == 2  # the first, and one for all that came while it ran
    assert len(opened(ops, home).records) == 50


async def test_an_fsync_in_flight_does_not_count_for_what_came_after_it() -> None:
    ops = simulated()
    gate = Gate()
    journal = opened(ops, offload=gate)
    first = asyncio.ensure_future(journal.append_durable(numbered(0)))
    await settle()
    journal.append(numbered(1))
    second = asyncio.ensure_future(journal.sync())
    await settle()
    gate.open.set()
    await first
    await second
    assert gate.started == 2


async def test_nothing_to_sync_asks_the_disk_nothing() -> None:
    ops = simulated()
    journal = opened(ops)
    await journal.append_durable(numbered(0))
    before = ops.operations
    await journal.sync()
    assert ops.operations == before


async def test_a_cancelled_caller_takes_the_fsync_from_nobody() -> None:
    ops = simulated()
    gate = Gate()
    journal = opened(ops, offload=gate)
    impatient = asyncio.ensure_future(journal.append_durable(numbered(0)))
    patient = asyncio.ensure_future(journal.sync())
    await settle()
    impatient.cancel()
    await settle()
    gate.open.set()
    await patient
    ops.crash()
    assert opened(ops).records == (numbered(0),)


async def test_works_with_real_threads(tmp_path: Path) -> None:
    threads: set[str] = set()

    class Watched(RealFileOps):
        def fsync(self, path: Path) -> None:
            threads.add(threading.current_thread().name)
            RealFileOps.fsync(self, path)

    journal = opened(Watched(), tmp_path, asyncio.to_thread)
    threads.clear()
    await asyncio.gather(*(journal.append_durable(numbered(n)) for n in range(100)))
    assert threads
    assert threading.current_thread().name not in threads
    assert len(opened(RealFileOps(), tmp_path).records) == 100


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


# --- somebody else's hands --------------------------------------------------------------------------------------------


def vanish(ops: FileOps, path: Path) -> None:
    ops.remove(path)


def replaced_by_a_copy(ops: FileOps, path: Path) -> None:
    write_atomic(ops, path, ops.read(path))


def truncated(ops: FileOps, path: Path) -> None:
    ops.truncate(path, 10)


def appended_to(ops: FileOps, path: Path) -> None:
    ops.append(path, b"\n")


HANDS = [vanish, replaced_by_a_copy, truncated, appended_to]


@pytest.mark.parametrize("meddle", HANDS)
async def test_a_file_that_is_not_ours_any_more_is_noticed_before_anything_is_written(
    disk: tuple[FileOps, Path], meddle: Callable[[FileOps, Path], None]
) -> None:
    ops, home = disk
    journal = opened(ops, home)
    await journal.append_durable(numbered(1))
    meddle(ops, at(home))
    found = ops.identity(at(home)) and ops.read(at(home))
    with pytest.raises(JournalLost, match=r"bybit-main\.jsonl .* while the engine runs"):
        journal.append(numbered(2))
    with pytest.raises(JournalLost):
        journal.check()
    with pytest.raises(JournalLost):
        await journal.compact([], {})
    assert (ops.identity(at(home)) and ops.read(at(home))) == found
    assert issubclass(JournalLost, StateError)


@pytest.mark.parametrize("meddle", [vanish, replaced_by_a_copy])
async def test_a_file_taken_away_before_its_fsync_is_noticed(
    disk: tuple[FileOps, Path], meddle: Callable[[FileOps, Path], None]
) -> None:
    ops, home = disk
    gate = Gate()
    journal = opened(ops, home, gate)
    waiting = asyncio.ensure_future(journal.append_durable(numbered(1)))
    await settle()
    meddle(ops, at(home))
    gate.open.set()
    with pytest.raises(JournalLost):
        await waiting


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


# --- client ids -------------------------------------------------------------------------------------------------------


def test_client_ids_are_what_the_design_says() -> None:
    import hashlib

    epoch = "00112233445566778899aabbccddeeff"
    expected = hashlib.blake2b(f"{epoch}\0bybit-main\x007".encode(), digest_size=16).hexdigest()
    assert new_client_id(epoch, ACCOUNT, 7, "", 32) == expected
    assert new_client_id(epoch, ACCOUNT, 7, "0x", 32) == "0x" + expected
    assert new_client_id(epoch, ACCOUNT, 7, "te", 20) == "te" + expected[:20]
    assert new_client_id(epoch, ACCOUNT, 7, "x", 0) == expected


@given(st.integers(1, 10**9), st.integers(1, 10**9), st.sampled_from(["bybit-main", "bybit-main1", "mexc-main"]))
def test_client_ids_never_recur(one: int, other: int, account: str) -> None:
    epochs = ("0" * 32, "1" * 32)
    names = {(e, a, n) for e in epochs for a in ("bybit-main", account) for n in (one, other)}
    ids = {new_client_id(e, AccountId(a), n, "", 32) for e, a, n in names}
    assert len(ids) == len(names)


def test_readers_need_not_open_the_journal() -> None:
    ops = simulated()
    journal = opened(ops)
    journal.append(numbered(1))
    before = ops.identity(at(HOME))
    content = decode(ops.read(at(HOME)))
    assert (content.records[1:], content.torn) == ((numbered(1),), 0)
    assert ops.identity(at(HOME)) == before


async def test_offload_may_be_anything_awaitable() -> None:
    async def slow(work: Callable[[], T], /) -> T:
        await asyncio.sleep(0)
        return work()

    def future(work: Callable[[], T], /) -> Awaitable[T]:
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        done.set_result(work())
        return done

    for offload in (slow, future, inline):
        ops = simulated()
        await opened(ops, offload=offload).append_durable(numbered(1))
        ops.crash()
        assert opened(ops).records == (numbered(1),)
