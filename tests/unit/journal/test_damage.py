"""What a crash leaves of a journal is read; what no crash can leave stops the account. Nothing in between."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import Corrupt
from core.journal import Journal, Record, decode, encode_line, inline
from core.state import ensure_dir
from simulator.disk import SimulatedFileOps

from .rig import ACCOUNT, Chance

PATH = Path("/home/state/journal/bybit-main.jsonl")


RECORDS: tuple[Record, ...] = (
    {"kind": "SIZED", "at": 1795165964.123, "symbol": "BTCUSDT", "contracts": "0.012", "because": "ünder \n 50 %"},
    {"kind": "PREPARED", "n": 1, "nonce": 1795165964123, "fields": {"a": [None, True, -1.5]}},
    {"kind": "ACKED", "n": 1},
    {"kind": "VERIFIED", "symbol": "BTCUSDT", "contracts": "0.012"},
)


def on_disk(data: bytes | None) -> SimulatedFileOps:
    ops = SimulatedFileOps()
    ensure_dir(ops, PATH.parent)
    if data is not None:
        ops.write(PATH, data)
        ops.fsync(PATH)
        ops.fsync_dir(PATH.parent)
    return ops


def opened(data: bytes | None, seed: int = 1) -> Journal:
    return Journal.open(PATH, ACCOUNT, on_disk(data), Chance(seed), inline)


@cache
def journal_bytes() -> bytes:
    ops = on_disk(None)
    journal = Journal.open(PATH, ACCOUNT, ops, Chance(), inline)
    for record in RECORDS:
        journal.append(record)
    return ops.read(PATH)


def line_ends() -> list[int]:
    data = journal_bytes()
    return [position + 1 for position, byte in enumerate(data) if byte == 10]


def test_lines_are_json_lines_with_length_and_checksum() -> None:
    assert encode_line({"a": "ü"}) == b'{"crc":"3a1d613e","len":10,"record":{"a":"\xc3\xbc"}}\n'
    assert len(line_ends()) == 1 + len(RECORDS)


def test_every_truncation_leaves_the_whole_records_before_it() -> None:
    data, ends = journal_bytes(), line_ends()
    for cut in range(len(data) + 1):
        whole = sum(end - 1 <= cut for end in ends)  # a line that lacks only its end is whole
        journal = opened(data[:cut])
        assert journal.created == (whole == 0)
        assert journal.records == RECORDS[: max(whole - 1, 0)]
        assert journal.torn == (0 if cut + 1 in ends else cut - max([end for end in ends if end <= cut], default=0))
        assert (journal.epoch == decode(data).records[0]["epoch"]) == (whole > 0)


@pytest.mark.parametrize("zeros", [1, 7, 5000])
def test_zero_bytes_after_a_torn_record_are_torn_too(zeros: int) -> None:
    data = journal_bytes()
    for cut in (line_ends()[-2], line_ends()[-2] + 20, len(data) - 5):
        journal = opened(data[:cut] + bytes(zeros))
        assert journal.records == RECORDS[:3]
        assert journal.torn == cut - line_ends()[-2] + zeros


def test_every_flipped_byte_stops_the_account_or_changes_nothing() -> None:
    data = journal_bytes()
    changes = {1 << bit for bit in range(8)} | {0xFF, 0x0A, 0x2A}
    harmless = 0
    for position in range(len(data)):
        for change in changes:
            damaged = bytearray(data)
            damaged[position] ^= change
            try:
                journal = opened(bytes(damaged))
            except Corrupt as error:
                message = str(error)
            else:
                assert journal.records == RECORDS
                assert not journal.created
                harmless += 1
                continue
            assert f"{PATH} line " in message
            line = int(message.partition(" line ")[2].partition(":")[0])
            assert line == sum(end <= position for end in line_ends()) + 1
    assert harmless == 1  # the very last line end as a zero byte is what a crash leaves


@settings(max_examples=400)
@given(st.data())
def test_no_damage_makes_another_record(data: st.DataObject) -> None:
    """Bytes removed, inserted, overwritten or repeated anywhere: what is read was written, word for word."""
    good = journal_bytes()
    start = data.draw(st.integers(0, len(good) - 1))
    end = data.draw(st.integers(start, min(len(good), start + 300)))
    middle = data.draw(st.sampled_from([b"", bytes(end - start), good[start:end] * 2]) | st.binary(max_size=40))
    try:
        journal = opened(good[:start] + middle + good[end:])
    except Corrupt:
        return
    assert all(record in RECORDS for record in journal.records)


@pytest.mark.parametrize(
    "tail",
    [
        b"\n",
        b"garbage\n",
        b"{}\n",
        b'{"crc":"00000000","len":2,"record":{}}\n',
        b'{"crc":"a3bd4d5c","len":2,"record":{}} \n',
        b'{"crc":"00000000","len":2,"record":{}}',
        b'{"crc":"00000000","len":2,"record":{}} more',
        encode_line({"kind": "A"}).replace(b"\n", b"\r\n"),
    ],
)
def test_what_no_crash_writes_stops_the_account(tail: bytes) -> None:
    with pytest.raises(Corrupt, match=rf"{PATH} line 6: .*Nothing was sent for this account"):
        opened(journal_bytes() + tail)


def test_a_corrupt_journal_is_left_as_it_is() -> None:
    damaged = journal_bytes().replace(b"0.012", b"0.112")
    ops = on_disk(damaged)
    before = ops.identity(PATH)
    with pytest.raises(Corrupt, match="line 2: the record is damaged"):
        Journal.open(PATH, ACCOUNT, ops, Chance(), inline)
    assert ops.read(PATH) == damaged
    assert ops.identity(PATH) == before


def header(**changes: object) -> bytes:
    fields: dict[str, object] = {
        "kind": "HEADER",
        "schema": 1,
        "account": ACCOUNT,
        "epoch": "0" * 32,
        "next": {},
    }
    return encode_line({**fields, **changes})


HEADERS: list[tuple[bytes, str]] = [
    (encode_line(RECORDS[0]) + header(), "does not begin with its header"),
    (header(kind="VERIFIED"), "does not begin with its header"),
    (header(schema=2), "written by a newer version"),
    (header(account="bybit-second"), "the journal of bybit-second, not of bybit-main"),
    (header(epoch="0" * 31), "lacks epoch or counters"),
    (header(epoch="0" * 31 + "G"), "lacks epoch or counters"),
    (header(next=None), "lacks epoch or counters"),
    (header(schema="1"), "does not begin with its header"),
    (header().replace(b"HEADER", b"HEADEX"), "the record is damaged"),
    (header().replace(b"HEADER", b"HEADEX") + encode_line(RECORDS[0]), "the record is damaged"),
    (b"{}\n" + encode_line(RECORDS[0]), "not a journal record"),
]


@pytest.mark.parametrize(("data", "problem"), HEADERS)
def test_a_bad_header_stops_the_account(data: bytes, problem: str) -> None:
    with pytest.raises(Corrupt, match=problem) as caught:
        opened(data)
    assert f"{PATH} line 1" in str(caught.value)


def test_a_good_header_is_enough() -> None:
    journal = opened(header(next={"intent": 17}))
    assert (journal.created, journal.epoch, journal.next, journal.records) == (False, "0" * 32, {"intent": 17}, ())


def test_a_file_without_even_a_header_is_a_lost_journal_with_a_new_epoch() -> None:
    epochs = {opened(data, seed).epoch for seed, data in enumerate([None, b"", header()[:30], bytes(100)])}
    assert len(epochs) == 4


def test_a_duplicate_key_or_a_deep_record_is_corrupt_even_with_a_good_checksum() -> None:
    import zlib

    for body in (b'{"a":1,"a":2}', b"[1]", b'{"a":NaN}', b'{"a":' + b"[" * 40 + b"]" * 40 + b"}"):
        line = b'{"crc":"%08x","len":%d,"record":%b}\n' % (zlib.crc32(body), len(body), body)
        with pytest.raises(Corrupt, match="line 2"):
            opened(header() + line)


UNREADABLE: list[Mapping[str, object]] = [
    {"a": float("nan")},
    {"a": float("inf")},
    {"a": [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]},
    {"a": "x" * (1 << 20)},
    {"a": 10**400},
]


@pytest.mark.parametrize("record", UNREADABLE, ids=["nan", "inf", "deep", "long", "huge"])
def test_a_record_that_could_not_be_read_back_is_never_written(record: Record) -> None:
    with pytest.raises(ValueError):
        encode_line(record)


def test_half_surrogates_from_a_venue_do_not_make_a_record_unreadable() -> None:
    assert decode(header() + encode_line({"because": "bad \udc00"})).records[1] == {"because": "bad ?"}


@pytest.mark.parametrize("tail", [b"x", b"x" * 60, b'{"crc":"zz', b"\xff\x00garbage"])
def test_a_tail_that_is_the_beginning_of_no_record_is_cut_like_a_torn_one(tail: bytes) -> None:
    journal = opened(journal_bytes() + tail)
    assert journal.records == RECORDS
    assert journal.torn == len(tail)
