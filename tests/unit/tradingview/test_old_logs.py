"""Older plain-text logs: what is taken of them, where it goes, and that they never overtake or look young."""

from __future__ import annotations

import errno
import json
import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from config.home import Home
from core.state import RealFileOps, parse_document, parse_instant
from signal_processors.tradingview_log import LogFold
from signal_processors.tradingview_old_logs import OldLogs, Taken, import_old_logs, read_old_log
from signal_processors.tradingview_processor import Places, Processor

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()
LONG = '{"symbol":"BTCUSDT","direction":"long","action":"buy","size":"50/100","leverage":"3","price":"64000"}'
FLAT = '{"symbol":"ETHUSDT","direction":"flat","action":"sell","size":"Exit @ 3263.55"}'
SHORT = '{"symbol":"ETHUSDT","direction":"short","action":"sell","size":"10/100","token":"canary-5f2c"}'
LOG = f"2026-11-17 23:59:58.000001 {SHORT}\n2026-11-18 10:00:00.123456 {LONG}\n2026-11-18 10:05:00.000000 {FLAT}\n"


@dataclass
class Noon:
    now: float = NOW

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def home(tmp_path: Path) -> Home:
    found = Home(tmp_path)
    found.prepare()
    found.raw_signals("tradingview").mkdir(mode=0o700)
    return found


def put(home: Home, text: str, name: str = "signals.log") -> Path:
    path = home.raw_signals("tradingview") / name
    path.write_text(text)
    return path


def take(home: Home, hours_ahead: float = 0, now: float = NOW) -> list[str]:
    return OldLogs(home, RealFileOps(), Noon(now), lambda shown: timedelta(hours=hours_ahead)).take()


def raw(home: Home) -> dict[str, list[dict[str, object]]]:
    files = sorted(home.raw_signals("tradingview").glob("*.jsonl"))
    return {file.name: [json.loads(line) for line in file.read_text().splitlines()] for file in files}


def in_force(home: Home) -> dict[str, tuple[Decimal, float]]:
    fold = LogFold(home.raw_signals("tradingview"), RealFileOps())
    list(fold.catch_up())
    found = {symbol: state.in_force.record for symbol, state in fold.opinions.symbols.items()}
    return {symbol: (record.alert.depth, record.effective_at) for symbol, record in found.items()}


def test_a_log_is_copied_day_by_day_and_stays_as_it_is(home: Home) -> None:
    path = put(home, LOG)
    before = (path.read_bytes(), path.stat().st_mtime_ns)
    (said,) = take(home)
    assert "signals.log: 3 alerts of this older log were copied into 2026-11-17.jsonl to 2026-11-18.jsonl" in said
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    assert {name: len(lines) for name, lines in raw(home).items()} == {"2026-11-17.jsonl": 1, "2026-11-18.jsonl": 2}
    assert raw(home)["2026-11-18.jsonl"][0]["received_at"] == "2026-11-18T10:00:00.123Z"
    assert "canary" not in str(raw(home))
    assert in_force(home) == {
        "BTCUSDT": (Decimal("0.5"), parse_instant("2026-11-18T10:00:00.123Z")),
        "ETHUSDT": (Decimal(0), parse_instant("2026-11-18T10:05:00.000Z")),
    }


def test_the_processor_makes_its_document_of_it(home: Home) -> None:
    put(home, LOG)
    take(home)
    assert Processor(Places.of(home), RealFileOps(), Noon()).poll(last=True)
    document = parse_document(home.document("tradingview").read_bytes(), "document")
    assert {symbol: signal.depth for symbol, signal in document.signals.items()} == {
        "ETHUSDT": Decimal(0),
        "BTCUSDT": Decimal("0.5"),
    }


def test_it_is_taken_once_and_what_is_added_later_too(home: Home) -> None:
    path = put(home, LOG)
    take(home)
    before = raw(home)
    assert take(home) == []
    assert raw(home) == before
    path.write_text(LOG + f"2026-11-19 08:00:00.000000 {LONG.replace('50/100', '60/100')}\n")
    (said,) = take(home)
    assert "1 alerts" in said
    assert in_force(home)["BTCUSDT"][0] == Decimal("0.6")
    assert take(home) == []


def test_a_lost_memory_repeats_and_changes_nothing(home: Home) -> None:
    put(home, LOG)
    take(home)
    before = in_force(home)
    for spoil in ("", "{torn", '{"schema":1,"files":[]}', None):
        memory = home.state / "imported.json"
        memory.unlink() if spoil is None else memory.write_text(spoil)
        take(home)
        assert in_force(home) == before


def test_nothing_old_overtakes_what_was_received_since(home: Home) -> None:
    record = {"received_at": "2026-11-18T10:00:00.000Z", "event": "e", "body": json.loads(LONG.replace("50/", "20/"))}
    (home.raw_signals("tradingview") / "2026-11-18.jsonl").write_text(json.dumps(record) + "\n")
    put(home, f"2026-11-18 09:59:55.000000 {LONG}\n2026-11-18 09:00:00.000000 {SHORT}\n2026-11-19 01:00:00.0 {FLAT}\n")
    take(home)
    assert list(raw(home)) == ["2026-11-17.jsonl", "2026-11-18.jsonl"]
    assert len(raw(home)["2026-11-17.jsonl"]) == 3
    found = in_force(home)
    assert found["BTCUSDT"][0] == Decimal("0.2")
    assert found["ETHUSDT"][0] == 0


@pytest.mark.parametrize(("ahead", "at"), [(2, "08:00"), (0, "10:00"), (-5, "10:00")])
def test_a_time_without_a_zone_never_makes_an_alert_younger(home: Home, ahead: float, at: str) -> None:
    put(home, f"2026-11-18 10:00:00.000000 {LONG}\n")
    take(home, hours_ahead=ahead)
    assert in_force(home)["BTCUSDT"][1] == parse_instant(f"2026-11-18T{at}:00.000Z")


def test_the_order_of_a_log_outlives_the_end_of_summer_time(home: Home) -> None:
    first, second = LONG, LONG.replace("50/100", "70/100")
    put(home, f"2026-10-25 02:59:00.000000 {first}\n2026-10-25 02:01:00.000000 {second}\n")
    take(home, hours_ahead=2)
    assert in_force(home)["BTCUSDT"] == (Decimal("0.7"), parse_instant("2026-10-25T00:59:00.000Z"))


def test_what_lies_in_the_future_is_left_out(home: Home) -> None:
    put(home, LOG + f"2026-11-20 12:00:01.000000 {LONG.replace('50/', '90/')}\n")
    assert any("1 alerts of older logs lie in the future" in line for line in take(home))
    assert in_force(home)["BTCUSDT"][0] == Decimal("0.5")


def test_several_logs_are_merged_by_time(home: Home) -> None:
    put(home, f"2026-11-18 10:00:00.000000 {LONG}\n", "b.txt")
    put(home, f"2026-11-18 11:00:00.000000 {LONG.replace('50/', '30/')}\n", "a")
    assert len(take(home)) == 2
    assert in_force(home)["BTCUSDT"][0] == Decimal("0.3")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("2026-11-18 10:00:00.1 {not json}", "body"),
        ("2026-11-18 10:00:00.1 [1]", "is not YYYY-MM-DD"),
        ("2026-13-18 10:00:00.1 {}", "its time is none"),
        ('2026-11-18 10:00:00.1 {"symbol":"BTCUSDT"}', "direction"),
        ("2026-11-18T10:00:00Z " + LONG, "is not YYYY-MM-DD"),
        ("garbage", "is not YYYY-MM-DD"),
        ("2026-11-18 10:00:00.1 {" + "x" * 200_000 + "}", "is not YYYY-MM-DD"),
    ],
)
def test_a_line_that_is_no_alert_is_named_and_left_out(home: Home, line: str, why: str) -> None:
    put(home, LOG + line + "\n" + f"2026-11-18 12:00:00.000000 {LONG.replace('50/', '40/')}\n")
    said = take(home)
    assert "1 lines are no alerts and were left out (line 4: " in said[1]
    assert why in said[1]
    assert in_force(home)["BTCUSDT"][0] == Decimal("0.4")


@pytest.mark.parametrize(
    ("name", "text"),
    [("README", "what lies here"), (".hidden.log", LOG), ("old.log.gz", LOG), ("empty.log", ""), ("x.json", LONG)],
)
def test_other_files_are_none_of_its_business(home: Home, name: str, text: str) -> None:
    put(home, text, name)
    (home.raw_signals("tradingview") / "folder").mkdir()
    assert take(home) == []
    assert raw(home) == {}


def test_a_line_still_being_written_waits(home: Home) -> None:
    text = LOG + f"2026-11-19 08:00:00.000000 {LONG}"
    found = read_old_log("x.log", text.encode(), Taken())
    assert found is not None
    assert (len(found.lines), found.size) == (3, len(LOG))


def test_a_disk_that_fails_is_told_and_nothing_else_waits(home: Home, caplog: pytest.LogCaptureFixture) -> None:
    class Failing(RealFileOps):
        def fsync(self, path: Path) -> None:
            raise OSError(errno.EIO, "Input/output error", str(path))

    put(home, LOG)
    with caplog.at_level(logging.INFO):
        import_old_logs(home, Failing(), Noon(), logging.getLogger("t"))
    assert "the next start tries again" in caplog.text
    assert raw(home) == {}
    with caplog.at_level(logging.INFO):
        import_old_logs(home, RealFileOps(), Noon(), logging.getLogger("t"))
    assert "3 alerts" in caplog.text
