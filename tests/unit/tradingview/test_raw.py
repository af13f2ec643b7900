"""The raw log: lines there and back, and a reader that gives each whole line once, in order, or says it cannot."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from core.state import RealFileOps
from signal_processors.tradingview_alerts import Direction
from signal_processors.tradingview_order import REMEMBERED, Dedup, InForce, Lately, Record, SymbolState
from signal_processors.tradingview_raw import (
    CHUNK_BYTES,
    MAX_LINE_BYTES,
    Damage,
    RawReader,
    Rewritten,
    decode_record,
    encode_record,
    read_range,
)
from tests.unit.tradingview.records import T0, record

DAY1, DAY2, DAY3 = (f"2026-11-{day}.jsonl" for day in (20, 21, 22))


class CountedReads:
    def __init__(self) -> None:
        self.bytes = 0

    def __call__(self, path: Path, offset: int, size: int) -> bytes:
        found = read_range(path, offset, size)
        self.bytes += len(found)
        return found


def reader(folder: Path) -> RawReader:
    return RawReader(folder, RealFileOps())


def given(reader: RawReader) -> list[tuple[str, bytes]]:
    return [(line.raw, line.text) for line in reader.new_lines()]


# --- lines ------------------------------------------------------------------------------------------------------------

RECORDS = {
    "plain": record(0.123, "short", price="1.50"),
    "numbers": record(0, leverage=3, price=1.25),
    "other scripts": record(0, comment="κόσμε ☃ 𝄞\n"),
    "compared on fields": record(0, dedup=Dedup(None, ("symbol", "side"))),
    "compared for a time": record(0, dedup=Dedup(90.5)),
    "compared for whole seconds": record(0, dedup=Dedup(60.0, ("symbol",))),
    "deep": record(0, note=json.loads("[" * 31 + "]" * 31)),
    "wide": record(0, note=[{}] * 40),
}


@pytest.mark.parametrize("one", RECORDS.values(), ids=RECORDS)
def test_a_line_reads_back(one: Record) -> None:
    line = encode_record(one)
    assert line.endswith(b"}\n")
    assert line.count(b"\n") == 1
    assert decode_record(line[:-1], one.raw) == one


def test_a_line_has_the_fields_others_read() -> None:
    found = json.loads(encode_record(RECORDS["plain"]))
    assert list(found) == ["received_at", "event", "body"]
    assert found["body"] == {"symbol": "SOLUSDT", "direction": "short", "size": "10/100", "price": "1.50"}
    assert found["received_at"].endswith(".123Z")


def test_a_carried_line_answers_to_its_first_place() -> None:
    one = record(0)
    lately = Lately(("a", 'quoted"'), ("0123",), (T0,))
    state = SymbolState(InForce(one, Direction.SHORT), lately.event_ids, lately.bodies, lately.body_times)
    line = encode_record(one, state)
    found = decode_record(line[:-1], f"{DAY2}:1")
    assert found == replace(one, carried=True, before=Direction.SHORT, lately=lately)


def test_a_line_carried_by_an_earlier_version_is_read() -> None:
    one = record(0)
    line = encode_record(one).strip()[:-1] + b',"carried":{"raw":"2026-09-20.jsonl:3","before":"short"}}'
    found = decode_record(line, f"{DAY2}:1")
    assert found == replace(one, raw="2026-09-20.jsonl:3", carried=True, before=Direction.SHORT)


def test_the_longest_carried_line_is_a_line_still() -> None:
    worst = {"note": "\U0001d11e" * 4000, "deep": json.loads("[" * 31 + "]" * 31)}
    one = record(0, **worst)
    assert len(one.alert.body.text) > 40_000
    ids = tuple(f"{n:03}{chr(34) * 125}" for n in range(REMEMBERED))
    state = SymbolState(InForce(one), ids, ("0" * 32,) * REMEMBERED, (T0,) * REMEMBERED)
    line = encode_record(one, state)
    assert len(line) < MAX_LINE_BYTES
    found = decode_record(line[:-1], "x")
    assert isinstance(found, Record)
    assert found.lately is not None
    assert found.lately.event_ids == ids[-len(found.lately.event_ids) :] != ()


DAMAGED = {
    "nothing": b"",
    "half": encode_record(record(0))[:40],
    "two in one": encode_record(record(0)).strip() * 2,
    "zeros": bytes(100),
    "no body": b'{"received_at":"2026-11-20T09:12:44.101Z","event":"e"}',
    "no event": b'{"received_at":"2026-11-20T09:12:44.101Z","body":{}}',
    "no time": b'{"event":"e","body":{}}',
    "a wrong time": b'{"received_at":"today","event":"e","body":{}}',
    "body a list": b'{"received_at":"2026-11-20T09:12:44.101Z","event":"e","body":[]}',
    "body no alert": b'{"received_at":"2026-11-20T09:12:44.101Z","event":"e","body":{"symbol":"A1"}}',
    "body a broken text": b'{"received_at":"2026-11-20T09:12:44.101Z","event":"e","body":"{"}',
    "dedup a list": encode_record(record(0)).strip()[:-1] + b',"dedup":[]}',
    "dedup of a word": encode_record(record(0)).strip()[:-1] + b',"dedup":{"ttl_s":"x"}}',
    "dedup keys a text": encode_record(record(0)).strip()[:-1] + b',"dedup":{"keys":"symbol"}}',
    "carried from nowhere": encode_record(record(0)).strip()[:-1] + b',"carried":{"before":"up"}}',
}


@pytest.mark.parametrize("line", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_line_is_told(line: bytes) -> None:
    found = decode_record(line, f"{DAY1}:7")
    assert isinstance(found, Damage)
    assert found.raw == f"{DAY1}:7"
    assert found.reason


# --- reading ----------------------------------------------------------------------------------------------------------


def test_files_are_read_oldest_first_and_others_are_not(tmp_path: Path) -> None:
    for name in (DAY2, DAY1, "notes.txt", f".{DAY1}.12.tmp", "2026-11-20.jsonl.gz"):
        (tmp_path / name).write_bytes(name.encode() + b"\n")
    assert [raw for raw, _ in given(reader(tmp_path))] == [f"{DAY1}:1", f"{DAY2}:1"]


def test_no_folder_is_no_line(tmp_path: Path) -> None:
    assert given(reader(tmp_path / "none")) == []


def test_every_byte_is_read_once(tmp_path: Path) -> None:
    count = CountedReads()
    one = RawReader(tmp_path, RealFileOps(), count)
    path, written = tmp_path / DAY1, 0
    for number in range(1, 200):
        line = b"x" * number + b"\n"
        with path.open("ab") as file:
            file.write(line)
        written += len(line)
        assert given(one) == [(f"{DAY1}:{number}", line[:-1])]
        assert given(one) == []
    assert count.bytes == written


def test_a_line_counts_once_it_ends(tmp_path: Path) -> None:
    one, path = reader(tmp_path), tmp_path / DAY1
    path.write_bytes(b"a\nbc")
    assert given(one) == [(f"{DAY1}:1", b"a")]
    path.write_bytes(b"a\nbcd")
    assert given(one) == []
    path.write_bytes(b"a\nbcde\nf")
    assert given(one) == [(f"{DAY1}:2", b"bcde")]


def test_a_torn_end_does_not_hide_the_next_file(tmp_path: Path) -> None:
    one = reader(tmp_path)
    (tmp_path / DAY1).write_bytes(b"a\ntorn")
    (tmp_path / DAY2).write_bytes(b"b\n")
    assert [text for _, text in given(one)] == [b"a", b"b"]


def test_long_files_are_read_in_parts(tmp_path: Path) -> None:
    lines = [b"%07d" % n + b"x" * 50 for n in range(CHUNK_BYTES // 25)]
    (tmp_path / DAY1).write_bytes(b"\n".join(lines) + b"\n")
    assert [text for _, text in given(reader(tmp_path))] == lines


def test_a_line_without_end_does_not_fill_the_memory(tmp_path: Path) -> None:
    one = reader(tmp_path)
    (tmp_path / DAY1).write_bytes(b"a\n" + b"x" * (4 * MAX_LINE_BYTES))
    assert [text for _, text in given(one)] == [b"a"]
    with (tmp_path / DAY1).open("ab") as file:
        file.write(b"yz\nb\n")
    assert [text for _, text in given(one)] == [b"yz", b"b"]


def test_a_file_taken_away_is_no_news(tmp_path: Path) -> None:
    one = reader(tmp_path)
    for name in (DAY1, DAY2):
        (tmp_path / name).write_bytes(b"a\n")
    assert len(given(one)) == 2
    (tmp_path / DAY1).unlink()
    (tmp_path / DAY2).write_bytes(b"a\nb\n")
    assert given(one) == [(f"{DAY2}:2", b"b")]


def test_a_replaced_file_with_the_same_beginning_goes_on(tmp_path: Path) -> None:
    """As an editor or a restored backup leaves it: another inode, the same content and more."""
    one = reader(tmp_path)
    (tmp_path / DAY1).write_bytes(b"a\n")
    assert len(given(one)) == 1
    (tmp_path / "other").write_bytes(b"a\nb\n")
    (tmp_path / "other").rename(tmp_path / DAY1)
    assert given(one) == [(f"{DAY1}:2", b"b")]


def rewrite_shorter(folder: Path) -> None:
    (folder / DAY2).write_bytes(b"c\n")


def rewrite_otherwise(folder: Path) -> None:
    (folder / "other").write_bytes(b"c\nX\ne\n")
    (folder / "other").rename(folder / DAY2)


def grow_an_old_file(folder: Path) -> None:
    with (folder / DAY1).open("ab") as file:
        file.write(b"late\n")


def insert_an_old_file(folder: Path) -> None:
    (folder / "2026-11-19.jsonl").write_bytes(b"older\n")


@pytest.mark.parametrize("change", [rewrite_shorter, rewrite_otherwise, grow_an_old_file, insert_an_old_file])
def test_what_is_no_longer_what_it_was_is_not_read_on(tmp_path: Path, change: object) -> None:
    one = reader(tmp_path)
    (tmp_path / DAY1).write_bytes(b"a\nb\n")
    (tmp_path / DAY2).write_bytes(b"c\nd\n")
    assert len(given(one)) == 4
    assert callable(change)
    change(tmp_path)
    with pytest.raises(Rewritten):
        given(one)


def test_only_a_touched_old_file_is_looked_at_and_left(tmp_path: Path) -> None:
    one = reader(tmp_path)
    (tmp_path / DAY1).write_bytes(b"a\n")
    (tmp_path / DAY2).write_bytes(b"b\n")
    given(one)
    (tmp_path / DAY1).write_bytes(b"a\n")
    assert given(one) == []


# --- going on from marks ----------------------------------------------------------------------------------------------


def test_marks_let_another_reader_go_on(tmp_path: Path) -> None:
    first = reader(tmp_path)
    (tmp_path / DAY1).write_bytes(b"a\n")
    (tmp_path / DAY2).write_bytes(b"b\nc\ntorn")
    given(first)
    second = reader(tmp_path)
    assert second.skip_to(first.marks())
    assert given(second) == []
    (tmp_path / DAY2).write_bytes(b"b\nc\ntorn no more\n")
    (tmp_path / DAY3).write_bytes(b"e\n")
    assert given(second) == [(f"{DAY2}:3", b"torn no more"), (f"{DAY3}:1", b"e")]
    assert given(first) == [(f"{DAY2}:3", b"torn no more"), (f"{DAY3}:1", b"e")]
    assert first.marks() == second.marks()


@pytest.mark.parametrize(
    "change", [rewrite_shorter, rewrite_otherwise, grow_an_old_file, insert_an_old_file, lambda f: (f / DAY1).unlink()]
)
def test_marks_of_another_log_are_not_used(tmp_path: Path, change: object) -> None:
    first = reader(tmp_path)
    (tmp_path / DAY1).write_bytes(b"a\nb\n")
    (tmp_path / DAY2).write_bytes(b"c\nd\n")
    given(first)
    assert callable(change)
    change(tmp_path)
    second = reader(tmp_path)
    assert not second.skip_to(first.marks())
    assert given(second)[0][0].endswith(":1")
