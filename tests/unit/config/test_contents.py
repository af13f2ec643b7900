"""What a file holds is known by its content, whatever its times say."""

from __future__ import annotations

import contextlib
import os
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.contents import MAX_BYTES, Contents, parsed
from core.errors import ConfigError
from core.ports import FileIdentity
from tests.unit.config.house import FailingFiles, ToldClock

OLD_NS = 1_600_000_000 * 10**9


class Bench:
    """A file, a reader of it, and a clock that starts at the file's real change time."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "file"
        self.path.write_text("one")
        self.clock = ToldClock(self.path.stat().st_ctime)
        self.files = FailingFiles()
        self.contents = Contents(self.files, self.clock)

    def read(self) -> bytes | None:
        return self.contents.read(self.path).data

    def settle(self) -> None:
        """Three seconds pass, in which nothing happens to the file."""
        self.clock.now = self.path.stat().st_ctime + 3


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_an_unchanged_settled_file_is_read_once(bench: Bench) -> None:
    bench.settle()
    first = bench.contents.read(bench.path)
    assert all(bench.contents.read(bench.path) is first for _ in range(5))
    assert bench.files.reads == [bench.path]


def test_a_fresh_file_is_read_every_time_but_stays_the_same_object(bench: Bench) -> None:
    first = bench.contents.read(bench.path)
    assert bench.contents.read(bench.path) is first
    assert len(bench.files.reads) == 2


def test_a_write_in_the_same_clock_tick_is_seen(bench: Bench) -> None:
    before = bench.path.stat()
    assert bench.read() == b"one"
    with bench.path.open("r+") as file:
        file.write("two")
    os.utime(bench.path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert bench.read() == b"two"


def test_a_rename_that_keeps_time_and_size_is_seen_long_after(bench: Bench) -> None:
    os.utime(bench.path, ns=(OLD_NS, OLD_NS))
    bench.settle()
    assert bench.read() == b"one"
    other = bench.path.with_name("other")
    other.write_text("two")
    os.utime(other, ns=(OLD_NS, OLD_NS))
    other.replace(bench.path)
    bench.clock.now += 100
    assert bench.read() == b"two"


def test_an_edit_in_place_that_keeps_time_and_size_is_seen_by_its_change_time(bench: Bench) -> None:
    os.utime(bench.path, ns=(OLD_NS, OLD_NS))
    bench.settle()
    assert bench.read() == b"one"
    with bench.path.open("r+") as file:
        file.write("two")
    os.utime(bench.path, ns=(OLD_NS, OLD_NS))
    bench.clock.now += 100
    assert bench.read() == b"two"


class SameLook(FailingFiles):
    """A disk on which every file looks as it did, so that only the age of its last change can tell."""

    def __init__(self, modified_ns: int, changed_ns: int) -> None:
        super().__init__()
        self.look = FileIdentity(1, 1, 3, modified_ns, changed_ns)

    def identity(self, path: Path) -> FileIdentity | None:
        return self.look


@pytest.mark.parametrize(
    ("modified_s", "changed_s", "again"),
    [(3.0, 3.0, False), (1.0, 3.0, True), (3.0, 1.0, True), (-9.0, 3.0, True), (2.0, 2.0, True)],
    ids=["both long ago", "modified lately", "changed lately", "modified in the future", "just two seconds"],
)
def test_equal_looks_count_only_when_the_last_change_is_long_past(
    tmp_path: Path, modified_s: float, changed_s: float, again: bool
) -> None:
    path, clock = tmp_path / "file", ToldClock()
    path.write_text("one")
    contents = Contents(SameLook(int((clock.now - modified_s) * 1e9), int((clock.now - changed_s) * 1e9)), clock)
    assert contents.read(path).data == b"one"
    path.write_text("two")
    clock.now += 100
    assert contents.read(path).data == (b"two" if again else b"one")


def test_missing_unreadable_and_huge_are_answers(bench: Bench) -> None:
    found = bench.contents.read(bench.path.with_name("none"))
    assert (found.data, found.missing, found.trouble) == (None, True, "does not exist")
    bench.files.broken.add(bench.path)
    found = bench.contents.read(bench.path)
    assert (found.data, found.missing) == (None, False)
    assert "Input/output error" in found.trouble
    bench.files.broken.clear()
    assert bench.read() == b"one"
    os.truncate(bench.path, MAX_BYTES + 1)
    assert "larger than" in bench.contents.read(bench.path).trouble
    folder = bench.path.with_name("folder")
    folder.mkdir()
    assert "directory" in bench.contents.read(folder).trouble.lower()


def test_trouble_that_comes_and_goes_changes_what_is_read(bench: Bench) -> None:
    bench.settle()
    first = bench.contents.read(bench.path)
    bench.files.broken.add(bench.path)
    assert bench.contents.read(bench.path) is not first
    bench.files.broken.clear()
    again = bench.contents.read(bench.path)
    assert again == first


def test_forgotten_paths_are_read_anew(bench: Bench) -> None:
    bench.settle()
    first = bench.contents.read(bench.path)
    bench.contents.forget(bench.path)
    again = bench.contents.read(bench.path)
    assert again == first
    assert len(bench.files.reads) == 2


PARSED: list[tuple[str, bytes, object]] = [
    ("f.json", b'{"a": 0.1, "b": 1}', {"a": Decimal("0.1"), "b": 1}),
    ("f.json", b"\xef\xbb\xbf[1]", [1]),
    ("f.toml", b"a = 0.1\nb = 1\n", {"a": Decimal("0.1"), "b": 1}),
    ("f.toml", b"\xef\xbb\xbfa = 1", {"a": 1}),
]


@pytest.mark.parametrize(("name", "data", "value"), PARSED)
def test_parsed(name: str, data: bytes, value: object) -> None:
    raw = parsed(data, name)
    assert raw.data == value
    assert raw.file == name


BROKEN: list[tuple[str, bytes, str]] = [
    ("f.toml", b"a = \nb = 1", "line 1"),
    ("f.toml", b"a = 1\na = 2\nb = 3", "line 2"),
    ("f.toml", b"a = 1\n\xff", "line 2"),
    ("f.toml", b"a = 1e9999999999999999999999", "out of range"),
    ("f.toml", b"a = " + b"[" * 5000, "nested"),
    ("f.toml", b"a = " + b"1" * 5000, "TOML"),
]


@pytest.mark.parametrize(("name", "data", "words"), BROKEN)
def test_broken_toml_is_refused_with_its_place(name: str, data: bytes, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as found:
        parsed(data, name)
    assert found.value.where.startswith("f.toml")


@given(st.binary(max_size=60), st.sampled_from(["f.json", "f.toml"]))
@settings(max_examples=300)
def test_any_bytes_are_parsed_or_refused(data: bytes, name: str) -> None:
    with contextlib.suppress(ConfigError):
        assert parsed(data, name).file == name
