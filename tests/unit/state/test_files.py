"""Atomic replacement on the real disk and on one that forgets what was never synced."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from core.ports import FileOps
from core.state import RealFileOps, ensure_dir, write_atomic
from core.state.files import sweep_leftovers, temporary_beside
from simulator.disk import Fault, SimulatedFileOps

HOME = Path("/home")
FILE = HOME / "a.json"


def simulated(seed: int = 0) -> SimulatedFileOps:
    ops = SimulatedFileOps(seed)
    ensure_dir(ops, HOME)
    return ops


@pytest.fixture(params=["real", "simulated"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[FileOps, Path]:
    return (RealFileOps(), tmp_path) if request.param == "real" else (simulated(), HOME)


# --- both disks answer alike ------------------------------------------------------------------------------------------


def test_write_append_truncate_read(disk: tuple[FileOps, Path]) -> None:
    ops, home = disk
    path = home / "f"
    assert ops.identity(path) is None
    ops.append(path, b"one")
    ops.append(path, b"two")
    assert ops.read(path) == b"onetwo"
    ops.truncate(path, 4)
    assert ops.read(path) == b"onet"
    ops.truncate(path, 6)
    assert ops.read(path) == b"onet\0\0"
    ops.write(path, b"")
    assert ops.read(path) == b""
    ops.fsync(path)
    ops.fsync_dir(home)
    assert ops.list(home) == ("f",)
    ops.remove(path)
    assert ops.list(home) == ()


def test_identity_follows_the_inode(disk: tuple[FileOps, Path]) -> None:
    ops, home = disk
    a, b = home / "a", home / "b"
    ops.write(a, b"1")
    first = ops.identity(a)
    ops.append(a, b"2")
    grown = ops.identity(a)
    ops.write(b, b"12")
    other = ops.identity(b)
    ops.replace(b, a)
    replaced = ops.identity(a)
    assert first is not None
    assert grown is not None
    assert other is not None
    assert replaced is not None
    assert (first.inode, first.size) == (grown.inode, 1)
    assert grown.size == 2
    assert other.inode != first.inode
    assert replaced.inode == other.inode
    assert ops.identity(b) is None


ERRORS: list[tuple[str, Callable[[FileOps, Path], object], int]] = [
    ("read of nothing", lambda ops, home: ops.read(home / "none"), errno.ENOENT),
    ("append below nothing", lambda ops, home: ops.append(home / "none" / "f", b"x"), errno.ENOENT),
    ("truncate of nothing", lambda ops, home: ops.truncate(home / "none", 0), errno.ENOENT),
    ("fsync of nothing", lambda ops, home: ops.fsync(home / "none"), errno.ENOENT),
    ("fsync of no folder", lambda ops, home: ops.fsync_dir(home / "none"), errno.ENOENT),
    ("replace by nothing", lambda ops, home: ops.replace(home / "none", home / "f"), errno.ENOENT),
    ("remove of nothing", lambda ops, home: ops.remove(home / "none"), errno.ENOENT),
    ("list of nothing", lambda ops, home: ops.list(home / "none"), errno.ENOENT),
    ("write to a folder", lambda ops, home: ops.write(home, b"x"), errno.EISDIR),
    ("folder below nothing", lambda ops, home: ops.make_dir(home / "none" / "sub"), errno.ENOENT),
]


@pytest.mark.parametrize(("act", "code"), [row[1:] for row in ERRORS], ids=[row[0] for row in ERRORS])
def test_errors_are_the_operating_systems(
    disk: tuple[FileOps, Path], act: Callable[[FileOps, Path], object], code: int
) -> None:
    with pytest.raises(OSError) as caught:
        act(*disk)
    assert caught.value.errno == code


def test_a_folder_is_made_once_and_never_over_a_file(disk: tuple[FileOps, Path]) -> None:
    ops, home = disk
    ops.make_dir(home / "d")
    ops.write(home / "d" / "f", b"x")
    ops.make_dir(home / "d")
    assert ops.read(home / "d" / "f") == b"x"
    with pytest.raises(FileExistsError):
        ops.make_dir(home / "d" / "f")


def test_atomic_write_leaves_only_the_file(disk: tuple[FileOps, Path]) -> None:
    ops, home = disk
    for content in (b"one", b"", b"three" * 100_000):
        write_atomic(ops, home / "a.json", content)
        assert ops.read(home / "a.json") == content
        assert ops.list(home) == ("a.json",)


def test_modes_on_the_real_disk(tmp_path: Path) -> None:
    ops = RealFileOps()
    before = os.umask(0)
    try:
        ensure_dir(ops, tmp_path / "state" / "journal")
        write_atomic(ops, tmp_path / "state" / "a", b"x")
        ops.append(tmp_path / "state" / "b", b"x")
    finally:
        os.umask(before)
    modes = {str(p.relative_to(tmp_path)): stat.S_IMODE(p.stat().st_mode) for p in tmp_path.rglob("*")}
    assert modes == {"state": 0o700, "state/journal": 0o700, "state/a": 0o600, "state/b": 0o600}


def test_short_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real_write = os.write
    monkeypatch.setattr("core.state.files.os.write", lambda fd, data: real_write(fd, bytes(data[:3])))
    RealFileOps().append(tmp_path / "f", b"0123456789")
    assert (tmp_path / "f").read_bytes() == b"0123456789"


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_real_operations_leave_no_descriptor_open(tmp_path: Path) -> None:
    ops = RealFileOps()
    before = open_descriptors()
    for number in range(20):
        write_atomic(ops, tmp_path / "a", b"x")
        ops.append(tmp_path / "a", b"y" * number)
        with pytest.raises(OSError):
            ops.append(tmp_path / "none" / "f", b"x")
    assert open_descriptors() == before


# --- the order that survives a power loss -----------------------------------------------------------------------------


def test_order_of_an_atomic_write() -> None:
    ops = simulated()
    ops.log.clear()
    write_atomic(ops, FILE, b"x")
    assert [line.split()[0] for line in ops.log] == ["write", "fsync", "replace", "fsync_dir"]
    assert ops.log[2] == f"replace {FILE}"
    assert ops.log[3] == f"fsync_dir {HOME}"


@pytest.mark.parametrize("torn", [False, True])
@pytest.mark.parametrize("seed", range(20))
def test_a_crash_at_any_operation_leaves_old_or_new(seed: int, torn: bool) -> None:
    for stop in range(5):
        ops = simulated(seed)
        write_atomic(ops, FILE, b"old")
        ops.power_off(after=stop)
        done = False
        try:
            write_atomic(ops, FILE, b"new content")
            done = True
        except OSError:
            pass
        ops.crash(torn=torn)
        assert not done or ops.list(HOME) == ("a.json",)
        assert ops.read(FILE) in ((b"new content",) if done else (b"old", b"new content"))
        if not torn and not done:
            assert ops.read(FILE) == b"old"
        assert done == (stop == 4)


@pytest.mark.parametrize("dropped", ["fsync", "fsync_dir"])
def test_the_simulated_disk_catches_a_dropped_sync(dropped: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ops = simulated()
    write_atomic(ops, FILE, b"old")
    monkeypatch.setattr(ops, dropped, lambda path: None)
    write_atomic(ops, FILE, b"new")
    monkeypatch.undo()
    ops.crash()
    assert ops.read(FILE) != b"new"


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EMFILE])
@pytest.mark.parametrize("at", range(4))
def test_a_failure_at_any_operation_leaves_no_temporary_file(code: int, at: int) -> None:
    ops = simulated()
    write_atomic(ops, FILE, b"old")
    ops.fail(Fault(code, after=at, partial=True))
    with pytest.raises(OSError) as caught:
        write_atomic(ops, FILE, b"new")
    assert caught.value.errno == code
    assert ops.list(HOME) == ("a.json",)
    assert ops.read(FILE) == (b"new" if at == 3 else b"old")
    write_atomic(ops, FILE, b"next")
    assert ops.read(FILE) == b"next"


def test_folders_are_durable_from_the_top_down() -> None:
    ops = SimulatedFileOps()
    ensure_dir(ops, HOME / "state" / "journal")
    write_atomic(ops, HOME / "state" / "journal" / "f", b"x")
    ops.crash()
    assert ops.read(HOME / "state" / "journal" / "f") == b"x"


@pytest.mark.parametrize("fails_at", range(12))
def test_folders_are_durable_after_a_second_try(fails_at: int) -> None:
    ops = simulated()
    ops.fail(Fault(errno.EIO, after=fails_at))
    try:
        ensure_dir(ops, HOME / "a" / "b")
    except OSError:
        ensure_dir(ops, HOME / "a" / "b")
    write_atomic(ops, HOME / "a" / "b" / "f", b"x")
    ops.crash()
    assert ops.read(HOME / "a" / "b" / "f") == b"x"


def test_a_durable_folder_costs_a_look_until_it_is_another_one() -> None:
    ops = simulated()
    ensure_dir(ops, HOME / "d")
    before = ops.operations
    ensure_dir(ops, HOME / "d")
    assert ops.operations == before + 1
    ops.fail(Fault(errno.EIO, operation="fsync_dir"))
    with pytest.raises(OSError):
        ensure_dir(ops, HOME / "other" / "d")
    ops.crash()
    assert ops.list(HOME) == ("d",)
    ensure_dir(ops, HOME / "other" / "d")
    ops.crash()
    assert ops.list(HOME) == ("d", "other")
    again = SimulatedFileOps()
    ensure_dir(again, HOME / "d")
    again.crash()
    assert again.list(HOME) == ("d",)


def test_a_folder_that_somebody_made_anew_is_made_durable_anew(tmp_path: Path) -> None:
    class Watched(RealFileOps):
        synced = 0

        def fsync_dir(self, path: Path) -> None:
            self.synced += path == tmp_path

    ops, folder = Watched(), tmp_path / "d"
    ensure_dir(ops, folder)
    ensure_dir(ops, folder)
    assert ops.synced == 1
    folder.rename(tmp_path / "moved")
    folder.mkdir()
    ensure_dir(ops, folder)
    assert ops.synced == 2


def test_a_file_in_a_folder_that_was_never_synced_is_lost() -> None:
    ops = simulated()
    ops.make_dir(HOME / "d")
    write_atomic(ops, HOME / "d" / "f", b"x")
    ops.crash()
    assert ops.list(HOME) == ()


# --- the simulated disk itself ----------------------------------------------------------------------------------------


def test_a_crash_keeps_what_was_synced_and_no_more() -> None:
    ops = simulated()
    ops.append(FILE, b"one ")
    ops.fsync(FILE)
    ops.fsync_dir(HOME)
    ops.append(FILE, b"two")
    ops.write(HOME / "b", b"never")
    ops.fsync(HOME / "b")
    ops.crash()
    assert ops.read(FILE) == b"one "
    assert ops.list(HOME) == ("a.json",)


def test_what_a_crash_took_does_not_come_back() -> None:
    ops = simulated()
    ops.write(FILE, b"x")
    ops.fsync(FILE)
    ops.crash()
    ops.fsync_dir(HOME)
    ops.crash()
    assert ops.list(HOME) == ()


def test_an_overwrite_that_was_not_synced_is_undone() -> None:
    ops = simulated()
    write_atomic(ops, FILE, b"0123456789")
    ops.append(FILE, b"tail")
    ops.truncate(FILE, 3)
    ops.append(FILE, b"X")
    ops.crash()
    assert ops.read(FILE) == b"0123456789"
    ops.remove(FILE)
    ops.crash()
    assert ops.read(FILE) == b"0123456789"


def test_torn_tails_are_beginnings_and_replay_from_the_seed() -> None:
    def run(seed: int) -> bytes:
        ops = simulated(seed)
        write_atomic(ops, FILE, b"synced ")
        ops.append(FILE, b"0123456789")
        ops.crash(torn=True)
        return ops.read(FILE)

    kept = [run(seed) for seed in range(60)]
    assert kept == [run(seed) for seed in range(60)]
    assert all((b"synced 0123456789").startswith(data.rstrip(b"\0")) for data in kept)
    assert all(data.startswith(b"synced ") for data in kept)
    assert any(data.endswith(b"\0") for data in kept)
    assert len({len(data.rstrip(b"\0")) for data in kept}) > 5


def test_faults_strike_where_they_are_aimed() -> None:
    ops = simulated()
    fault = ops.fail(Fault(errno.ENOSPC, operation="append", path_part="a.json", after=1, times=2))
    ops.append(FILE, b"1")
    ops.append(HOME / "b", b"x")
    for _ in range(2):
        with pytest.raises(OSError):
            ops.append(FILE, b"2")
    ops.append(FILE, b"3")
    assert fault.hits == 2
    assert ops.read(FILE) == b"13"


def test_nothing_works_without_power() -> None:
    ops = simulated()
    ops.power_off()
    for act in (lambda: ops.read(FILE), lambda: ops.identity(FILE), lambda: ops.append(FILE, b"x")):
        with pytest.raises(OSError, match="power"):
            act()
    ops.crash()
    assert ops.identity(FILE) is None


# --- leftovers of killed writers --------------------------------------------------------------------------------------


def test_leftovers_are_swept_by_age_or_by_name(tmp_path: Path) -> None:
    ops = RealFileOps()
    keep = ["a.json", ".hidden", "note.tmp", ".b.json.9.1.tmp"]
    for name in [*keep, ".a.json.7.1.tmp", ".a.json.7.2.tmp"]:
        (tmp_path / name).write_text("x")
    os.utime(tmp_path / ".a.json.7.1.tmp", (1000, 1000))
    assert sweep_leftovers(ops, tmp_path, now=1000 + 3601) == 1
    assert sweep_leftovers(ops, tmp_path, now=0, of="a.json") == 1
    assert sorted(ops.list(tmp_path)) == sorted(keep)
    assert temporary_beside(tmp_path / "a.json") != temporary_beside(tmp_path / "a.json")
