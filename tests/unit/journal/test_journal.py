"""The journal as its writer sees it: opening, durability, shared fsyncs, somebody else's hands, client ids."""

from __future__ import annotations

import asyncio
import stat
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain import AccountId
from core.errors import JournalLost, StateError
from core.journal import decode, inline, new_client_id
from core.ports import FileOps
from core.state import RealFileOps, write_atomic

from .rig import ACCOUNT, HOME, Gate, at, numbered, opened, settle, simulated

T = TypeVar("T")


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


def test_a_journal_begun_anew_has_another_epoch(disk: tuple[FileOps, Path]) -> None:
    ops, home = disk
    epoch = opened(ops, home).epoch
    ops.remove(at(home))
    again = opened(ops, home, seed=2)
    assert again.created
    assert again.epoch != epoch


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
