"""What was read of the raw log is synced before anything is built on it: each file's bytes, and its name once."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.state import RealFileOps
from signal_processors.tradingview_raw import RawReader

DAY, NEXT_DAY = "2026-11-20.jsonl", "2026-11-21.jsonl"


class Noting(RealFileOps):
    """Notes what is synced, by name, and fails where it is told to."""

    def __init__(self) -> None:
        self.synced: list[str] = []
        self.failing = ""

    def fsync(self, path: Path) -> None:
        self._note(path)

    def fsync_dir(self, path: Path) -> None:
        self._note(path)

    def _note(self, path: Path) -> None:
        if path.name == self.failing:
            raise OSError("no")
        self.synced.append(path.name)

    def taken(self) -> list[str]:
        found, self.synced = self.synced, []
        return found


def append(folder: Path, name: str) -> None:
    with (folder / name).open("ab") as file:
        file.write(b"{}\n")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "raw"
    found.mkdir()
    return found


def read(reader: RawReader) -> None:
    for _ in reader.new_lines():
        pass
    reader.make_durable()


def test_a_name_is_synced_once_and_the_bytes_each_time(folder: Path) -> None:
    ops = Noting()
    reader = RawReader(folder, ops)
    read(reader)
    assert ops.taken() == []
    append(folder, DAY)
    read(reader)
    assert ops.taken() == [DAY, "raw"]
    append(folder, DAY)
    read(reader)
    assert ops.taken() == [DAY]
    append(folder, NEXT_DAY)
    read(reader)
    assert ops.taken() == [NEXT_DAY, "raw"]


def test_another_file_of_the_same_name_is_another_name(folder: Path) -> None:
    ops = Noting()
    reader = RawReader(folder, ops)
    append(folder, DAY)
    read(reader)
    ops.taken()
    (folder / "other").write_bytes((folder / DAY).read_bytes() * 2)
    (folder / "other").replace(folder / DAY)
    read(reader)
    assert ops.taken() == [DAY, "raw"]


@pytest.mark.parametrize("failing", [DAY, "raw"])
def test_what_could_not_be_synced_is_synced_the_next_time(folder: Path, failing: str) -> None:
    ops = Noting()
    reader = RawReader(folder, ops)
    append(folder, DAY)
    ops.failing = failing
    with pytest.raises(OSError, match="no"):
        read(reader)
    ops.failing = ""
    ops.taken()
    read(reader)
    assert ops.taken() == [DAY, "raw"]


def test_a_file_that_was_taken_away_after_it_was_read_leaves_a_synced_folder(folder: Path) -> None:
    ops = Noting()
    reader = RawReader(folder, ops)
    append(folder, DAY)
    for _ in reader.new_lines():
        pass
    (folder / DAY).unlink()
    read(reader)
    assert ops.taken() == ["raw"]
