"""`./run signals`: what arrived, judged as it was judged then; bounded; compressed files; what is in force."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli import main as front
from cli.errors import UserError
from cli.explain_raw import find_line, lines_of
from cli.signals import since_of
from cli.signals_log import merged
from config.home import Home
from core.state import RealFileOps, format_instant
from signal_endpoints.raw_log import RawLog
from signal_processors.tradingview_alerts import Alert, read_alert, read_body
from signal_processors.tradingview_order import Dedup
from signal_processors.tradingview_processor import Places, Processor
from tests.unit.cli.files import write_configuration, write_credentials, write_status

Run = pytest.CaptureFixture[str]
COMPRESS: dict[str, Callable[[bytes], bytes]] = {".gz": gzip.compress, ".xz": lzma.compress, ".bz2": bz2.compress}


class Clock:
    def __init__(self, at: float) -> None:
        self.at = at

    def time(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at


class House:
    """A home whose webhook received what the test says, through the real writer and the real processor."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.clock = Clock(round(time.time()) - 3600.0)
        self._ops = RealFileOps()
        self._count = 0
        self.log = RawLog(home.raw_signals("tradingview"), home.state / "none", self._ops, self.clock, self._event)
        self.log.tick()

    def _event(self) -> str:
        self._count += 1
        return f"event-{self._count}"

    def alert(self, symbol: str, direction: str, after_s: float = 20.0, **given: Any) -> str:
        """Receives an alert `after_s` after the one before; returns its event."""
        self.clock.at += after_s
        fields = {"symbol": symbol, "direction": direction} | ({} if direction == "flat" else {"size": "10/100"})
        body = read_body(json.dumps(fields | given).encode())
        assert isinstance(body, dict)
        found = read_alert(body)
        assert isinstance(found, Alert)
        return self.log.submit(found, Dedup()).record.event

    def process(self) -> None:
        assert Processor(Places.of(self.home), self._ops, self.clock).poll(last=True)


@pytest.fixture
def house(home: Home) -> House:
    write_credentials(home, "main")
    write_configuration(home)
    write_status(home, "bybit-main", state="OK", symbols={})
    return House(home)


def signals(capsys: Run, *words: str) -> dict[str, Any]:
    """The one home's answer; the text is printed as well and must not fail."""
    assert front.main(["signals", *words]) == 0, capsys.readouterr().err
    capsys.readouterr()
    assert front.main(["signals", "--json", *words]) == 0
    [found] = json.loads(capsys.readouterr().out)["homes"]
    return dict(found)


def outcomes(found: dict[str, Any], source: str = "tradingview") -> list[tuple[str, str]]:
    return [(line.get("event", ""), line["outcome"]) for line in found["sources"][source]["arrived"]]


def test_each_alert_with_what_became_of_it(house: House, capsys: Run) -> None:
    at = format_instant(house.clock.at)
    first = house.alert("BTCUSDT", "long", time=at)
    same = house.alert("BTCUSDT", "long", time=at)
    newer = house.alert("BTCUSDT", "short", time=format_instant(house.clock.at + 10))
    late = house.alert("BTCUSDT", "long", time=at, price="1")
    other = house.alert("TAOUSD", "long")
    house.process()
    found = signals(capsys)
    assert outcomes(found) == [
        (first, "accepted"),
        (same, "duplicate"),
        (newer, "accepted"),
        (late, "late"),
        (other, "accepted"),
    ]
    tradingview = found["sources"]["tradingview"]
    by_event = {line["event"]: line for line in tradingview["arrived"]}
    assert [event for event, line in by_event.items() if line["in_force"]] == [newer, other]
    assert "same content" in by_event[same]["because"]
    assert "later is in force" in by_event[late]["because"]
    assert tradingview["counts"] == {
        "accepted": 3,
        "duplicate": 1,
        "late": 1,
        "refused": 0,
        "no room": 0,
        "damaged": 0,
    }
    assert tradingview["in_force"]["TAOUSD"]["target"] is None
    short = tradingview["in_force"]["BTCUSDT"]
    assert (short["depth"], short["target"], short["event"]) == ("-0.1", "BTCUSDT", newer)
    assert short["raw"]["line"] == 3
    part = short["contributes"]["bybit-main"]
    assert (part["present"], part["weight"]) == ("-0.01", "0.1")


def test_what_an_account_does_not_take_says_why(house: House, capsys: Run) -> None:
    house.alert("BTCUSDT", "long")  # an hour ago
    house.process()
    part = signals(capsys)["sources"]["tradingview"]["in_force"]["BTCUSDT"]["contributes"]["bybit-main"]
    assert part["taken"]["contribution"] == "0"
    assert "entry too old" in part["because"]
    front.main(["signals"])
    assert "bybit-main takes 0, downward only of 0.01" in capsys.readouterr().out


def test_refusals_stand_where_they_came(house: House, capsys: Run) -> None:
    before = house.alert("BTCUSDT", "long")
    refusal: dict[str, Any] = {
        "at": format_instant(house.clock.at + 5),
        "from": "52.89.214.238",
        "field": "size",
        "reason": "is missing",
        "bytes": 10,
        "excerpt": '{"symbol":"BTCUSDT"}',
    }
    folder = house.home.rejected_signals("tradingview")
    folder.mkdir(parents=True)
    name = f"{refusal['at'][:10]}.jsonl"
    (folder / name).write_text(json.dumps(refusal) + "\nnot json\n")
    after = house.alert("BTCUSDT", "flat")
    found = signals(capsys)
    assert outcomes(found) == [(before, "accepted"), ("", "refused"), (after, "accepted")]
    assert found["sources"]["tradingview"]["arrived"][1]["because"] == "size: is missing"
    assert outcomes(signals(capsys, "--symbol", "ETHUSDT")) == []
    assert len(outcomes(signals(capsys, "--symbol", "BTCUSDT"))) == 3


@pytest.mark.parametrize("ending", COMPRESS)
def test_compressed_days_are_read_and_judged_too(house: House, capsys: Run, ending: str) -> None:
    house.clock.at -= 86400
    first = house.alert("BTCUSDT", "long")
    house.clock.at += 86400
    repeat = house.alert("BTCUSDT", "long")
    day, today = sorted(house.home.raw_signals("tradingview").glob("*.jsonl"))
    house.process()
    day.with_name(day.name + ending).write_bytes(COMPRESS[ending](day.read_bytes()))
    day.unlink()
    found = signals(capsys, "--since", "3d")
    assert outcomes(found) == [(first, "accepted"), (repeat, "duplicate")]
    raw = found["sources"]["tradingview"]["in_force"]["BTCUSDT"]["raw"]
    assert raw["file"].endswith(f"{day.name}{ending}")
    assert first in raw["text"]
    assert today.exists()


def test_days_that_were_over_are_not_read_again(house: House, capsys: Run) -> None:
    """A day begins with all that was known, so a repeat is told from it alone; what stands before it is not read."""
    house.clock.at -= 3 * 86400
    first = house.alert("BTCUSDT", "long", event_id="one")
    house.alert("BTCUSDT", "flat", event_id="two")
    house.clock.at += 86400
    house.alert("ETHUSDT", "long")
    house.clock.at += 2 * 86400
    again = house.alert("BTCUSDT", "long", event_id="one")
    oldest, *_ = sorted(house.home.raw_signals("tradingview").glob("*.jsonl"))
    whole = signals(capsys, "--since", "30d")
    assert outcomes(whole)[0] == (first, "accepted")
    assert outcomes(whole)[-1] == (again, "duplicate")
    oldest.with_name(oldest.name + ".gz").write_bytes(b"damaged")
    oldest.unlink()
    recent = signals(capsys, "--since", "2h")["sources"]["tradingview"]
    assert [(line["event"], line["outcome"]) for line in recent["arrived"]] == [(again, "duplicate")]
    assert recent["troubles"] == []
    assert "cannot be read" in signals(capsys, "--since", "30d")["sources"]["tradingview"]["troubles"][0]


def test_a_damaged_file_is_named_and_the_rest_is_shown(house: House, capsys: Run) -> None:
    house.clock.at -= 86400
    house.alert("BTCUSDT", "long")
    house.clock.at += 86400
    kept = house.alert("ETHUSDT", "long")
    day = min(house.home.raw_signals("tradingview").glob("*.jsonl"))
    day.with_name(day.name + ".gz").write_bytes(gzip.compress(day.read_bytes())[:-12])
    day.unlink()
    found = signals(capsys, "--since", "3d")["sources"]["tradingview"]
    assert [line["event"] for line in found["arrived"] if line["outcome"] == "accepted"][-1] == kept
    assert "cannot be read to its end" in found["troubles"][0]


def test_damaged_lines_and_a_torn_end(house: House, capsys: Run) -> None:
    event = house.alert("BTCUSDT", "long")
    [day] = house.home.raw_signals("tradingview").glob("*.jsonl")
    with day.open("a") as file:
        file.write('{"no":"record"}\n{"received_at":"2026-')
    assert [outcome for _, outcome in outcomes(signals(capsys))] == ["accepted", "damaged"]
    assert outcomes(signals(capsys, "--symbol", "BTCUSDT")) == [(event, "accepted")]


def test_only_the_newest_lines_are_kept(house: House, capsys: Run) -> None:
    events = [house.alert("BTCUSDT", direction) for _ in range(10) for direction in ("long", "flat")]
    found = signals(capsys, "--limit", "3")["sources"]["tradingview"]
    assert [line["event"] for line in found["arrived"]] == events[-3:]
    assert found["left_out"] == 17
    assert found["counts"]["accepted"] == 20


def test_the_symbol_goes_by_either_name(house: House, capsys: Run) -> None:
    house.home.asset_mapping.write_text(json.dumps({"tradingview": {"XBT": "BTCUSDT"}}))
    event = house.alert("XBT", "long")
    house.alert("ETHUSDT", "long")
    assert outcomes(signals(capsys, "--symbol", "BTCUSDT")) == [(event, "accepted")]
    assert outcomes(signals(capsys, "--symbol", "XBT")) == [(event, "accepted")]


def test_another_source_is_shown_as_it_wrote(house: House, capsys: Run) -> None:
    folder = house.home.raw_signals("oracle")
    folder.mkdir(parents=True)
    now = format_instant(time.time() - 60)
    (folder / f"{now[:10]}.jsonl").write_text(
        f'{{"at":"{now}","symbol":"BTC","word":1.5}}\n{{"at":"2020-01-01T00:00:00Z","symbol":"BTC"}}\nnope\n'
    )
    found = signals(capsys, "--source", "oracle")
    assert list(found["sources"]) == ["oracle"]
    assert [line["outcome"] for line in found["sources"]["oracle"]["arrived"]] == ["accepted", "damaged"]
    assert found["sources"]["oracle"]["arrived"][0]["line"]["word"] == "1.5"


def test_without_configuration_what_arrived_is_shown(house: House, capsys: Run) -> None:
    event = house.alert("BTCUSDT", "long")
    house.home.asset_mapping.unlink()
    found = signals(capsys)
    assert outcomes(found) == [(event, "accepted")]
    assert "asset_mapping_config.json" in found["problems"][0]


def test_an_unknown_source_names_those_there_are(house: House, capsys: Run) -> None:
    assert front.main(["signals", "--source", "tradingwiev"]) == 1
    assert "tradingview" in capsys.readouterr().err


def test_an_empty_home(home: Home, capsys: Run) -> None:
    assert signals(capsys)["sources"] == {}


NOW = 1_790_000_000.0


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("90s", NOW - 90),
        ("30m", NOW - 1800),
        ("30min", NOW - 1800),
        ("2h", NOW - 7200),
        ("7d", NOW - 604800),
        ("9999999d", 0.0),
        ("2026-09-21", 1_789_948_800.0),
        ("2026-09-21T12:00:00Z", 1_789_992_000.0),
        ("2026-09-21T14:00:00+02:00", 1_789_992_000.0),
    ],
)
def test_since(text: str, at: float) -> None:
    assert since_of(text, NOW) == at


@pytest.mark.parametrize("text", ["", "gestern", "2", "-2h", "2 h", "٢h", "2026-13-01", "1e3s", "99999999h", "h"])
def test_since_that_is_none(text: str) -> None:
    with pytest.raises(UserError, match="--since takes"):
        since_of(text, NOW)


@pytest.mark.parametrize("limit", ["0", "-1", "1000001"])
def test_limits_out_of_range(home: Home, capsys: Run, limit: str) -> None:
    assert front.main(["signals", "--limit", limit]) == 1
    assert "--limit" in capsys.readouterr().err


def test_two_series_by_receipt() -> None:
    def series(*at: str | None) -> Any:
        return iter([{"at": one} for one in at])

    assert [line["at"] for line in merged(series("1", None, "3", "5"), series("2", "3", "9"))] == [
        "1",
        None,
        "2",
        "3",
        "3",
        "5",
        "9",
    ]


def test_a_line_of_any_length_costs_no_more_than_a_record(tmp_path: Path) -> None:
    path = tmp_path / "2026-11-20.jsonl"
    path.write_bytes(b"x" * 5_000_000 + b"\nshort\ntorn")
    found = list(lines_of(path))
    assert [number for number, _ in found] == [1, 2]
    assert len(found[0][1]) < 200_000
    assert found[1][1] == b"short"


@pytest.mark.parametrize(
    ("place", "because"),
    [
        ("2026-11-20.jsonl:3", "no such line"),
        ("2026-11-19.jsonl:1", "put away"),
        ("2026-11-21.jsonl:1", "cannot be read"),
    ],
)
def test_a_line_that_is_not_there_says_so(tmp_path: Path, place: str, because: str) -> None:
    (tmp_path / "2026-11-20.jsonl").write_text("one\ntwo\n")
    (tmp_path / "2026-11-21.jsonl.gz").write_bytes(b"not gzip")
    found = find_line(tmp_path, place)
    assert found is not None
    assert found.text is None
    assert because in found.because
    assert find_line(tmp_path, "../../etc/passwd:1") is None
