"""The account lock: who gets it, who is named, and what makes it not held any more. With real processes."""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from core.domain import AccountId
from core.errors import Locked
from core.ports import AccountLock as HeldLock
from core.state import AccountLock, loads

ACCOUNT = AccountId("bybit-main")
NOW = 1795165964.123
ROOT = Path(__file__).resolve().parents[3]


def acquire(folder: Path, account: AccountId = ACCOUNT) -> AccountLock:
    return AccountLock.acquire(folder, account, "trade-engine", NOW)


@contextmanager
def another_process(folder: Path, then: str = "sys.stdin.read()") -> Iterator[subprocess.Popen[str]]:
    """A process that takes the lock, says so, and then does `then`."""
    code = f"""
    import os, subprocess, sys, time
    from pathlib import Path
    from core.state import AccountLock
    lock = AccountLock.acquire(Path({str(folder)!r}), "bybit-main", "other-engine", {NOW})
    print("locked", flush=True)
    {then}
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "locked\n"
            yield process
        finally:
            process.kill()


def test_is_the_lock_the_core_asks_for(tmp_path: Path) -> None:
    lock: HeldLock = acquire(tmp_path)
    assert lock.held()
    lock.release()
    assert not lock.held()
    lock.release()


def test_says_who_holds_it(tmp_path: Path) -> None:
    lock = acquire(tmp_path / "state" / "locks")
    path = tmp_path / "state" / "locks" / "bybit-main.lock"
    assert loads(path.read_bytes()) == {
        "pid": os.getpid(),
        "process": "trade-engine",
        "since": "2026-11-20T09:12:44.123Z",
    }
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    lock.release()


def test_a_second_engine_is_refused_and_told_by_whom(tmp_path: Path) -> None:
    with another_process(tmp_path) as process:
        with pytest.raises(Locked) as caught:
            acquire(tmp_path)
        message = str(caught.value)
        assert f"bybit-main is already traded by other-engine (process {process.pid}, since 2026-11-20T09" in message
        assert "does nothing for it" in message
        assert "./run down" in message
        acquire(tmp_path, AccountId("bybit-second")).release()  # another account is another matter
    acquire(tmp_path).release()


def test_a_second_lock_in_the_same_process_is_refused_too(tmp_path: Path) -> None:
    first = acquire(tmp_path)
    with pytest.raises(Locked):
        acquire(tmp_path)
    assert first.held()
    first.release()
    acquire(tmp_path).release()


def test_a_holder_that_has_not_written_its_name_yet(tmp_path: Path) -> None:
    first = acquire(tmp_path)
    (tmp_path / "bybit-main.lock").write_bytes(b"")
    with pytest.raises(Locked, match="has not written its name yet"):
        acquire(tmp_path)
    first.release()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_the_lock_dies_with_its_holder(tmp_path: Path, how: signal.Signals) -> None:
    with another_process(tmp_path) as process:
        process.send_signal(how)
        process.wait(10)
        lock = acquire(tmp_path)
        assert lock.held()
        lock.release()


def test_a_stopped_holder_still_holds(tmp_path: Path) -> None:
    with another_process(tmp_path) as process:
        process.send_signal(signal.SIGSTOP)
        with pytest.raises(Locked):
            acquire(tmp_path)
        process.send_signal(signal.SIGCONT)


def test_a_program_started_by_the_holder_does_not_keep_it(tmp_path: Path) -> None:
    start = "child = subprocess.Popen(['sleep', '30'], close_fds=False); print(child.pid, flush=True); sys.stdin.read()"
    with another_process(tmp_path, start) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        try:
            process.kill()
            process.wait(10)
            acquire(tmp_path).release()
        finally:
            os.kill(child, signal.SIGKILL)


@pytest.mark.parametrize("childs_act", ["pass", "lock.release()"])
def test_a_forked_child_does_not_keep_it_and_does_not_hold_it(tmp_path: Path, childs_act: str) -> None:
    fork = f"""if os.fork() == 0:
        {childs_act}
        print("HELD" if lock.held() else "child", os.getpid(), flush=True)
        time.sleep(30)
    sys.stdin.read()"""
    with another_process(tmp_path, fork) as process:
        assert process.stdout is not None
        what, child = process.stdout.readline().split()
        try:
            assert what == "child"
            with pytest.raises(Locked):  # the parent still has it
                acquire(tmp_path)
            process.kill()
            process.wait(10)
            acquire(tmp_path).release()
        finally:
            os.kill(int(child), signal.SIGKILL)


def remove(path: Path) -> None:
    path.unlink()


def remove_the_folder(path: Path) -> None:
    path.unlink()
    path.parent.rmdir()


def put_another_in_its_place(path: Path) -> None:
    other = path.with_suffix(".new")
    other.write_bytes(path.read_bytes())
    other.rename(path)


def write_another_name(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"trade-engine", b"other-engine"))


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("tamper", [remove, remove_the_folder, put_another_in_its_place, write_another_name, empty])
def test_is_not_held_once_somebody_touched_it(tmp_path: Path, tamper: object) -> None:
    lock = acquire(tmp_path / "locks")
    assert lock.held()
    assert callable(tamper)
    tamper(tmp_path / "locks" / "bybit-main.lock")
    assert not lock.held()
    lock.release()


def test_is_not_held_once_it_was_unlocked_behind_its_back(tmp_path: Path) -> None:
    import fcntl

    lock = acquire(tmp_path)
    fcntl.flock(lock._descriptor, fcntl.LOCK_UN)
    assert not lock.held()
    lock.release()


def test_after_a_removal_a_second_engine_gets_it_and_the_first_knows(tmp_path: Path) -> None:
    first = acquire(tmp_path)
    (tmp_path / "bybit-main.lock").unlink()
    second = acquire(tmp_path)
    assert second.held()
    assert not first.held()
    first.release()
    assert second.held()
    second.release()


def test_what_cannot_be_asked_is_not_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = acquire(tmp_path)

    def too_many(*args: object) -> int:
        raise OSError(errno.EMFILE, "too many open files")

    with monkeypatch.context() as patch:
        patch.setattr("core.state.locks.os.open", too_many)
        assert not lock.held()
    assert lock.held()
    lock.release()


def test_a_file_replaced_between_opening_and_locking_is_opened_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import core.state.locks as module

    path = tmp_path / "bybit-main.lock"
    real = module._try_flock
    times = 0

    def replaced_meanwhile(descriptor: int) -> bool:
        nonlocal times
        times += 1
        if times <= 2:
            path.unlink()
        return real(descriptor)

    monkeypatch.setattr(module, "_try_flock", replaced_meanwhile)
    lock = acquire(tmp_path)
    monkeypatch.undo()
    assert times == 3
    assert lock.held()
    lock.release()


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_no_descriptor_is_left_by_refused_attempts(tmp_path: Path) -> None:
    lock = acquire(tmp_path)
    before = open_descriptors()
    for _ in range(10):
        with pytest.raises(Locked):
            acquire(tmp_path)
        assert lock.held()
    assert open_descriptors() == before
    lock.release()
    assert open_descriptors() == before - 1
