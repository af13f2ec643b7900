"""`./run preflight` beside a simulated venue: what it says, when it refuses, and the round trip it makes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli import main as front
from config.home import CHECKOUT, Home
from core.domain import AccountId
from core.state.locks import AccountLock
from tests.contract.simulator_process import Simulator, simulator

pytestmark = pytest.mark.timeout(120)
Said = pytest.CaptureFixture[str]
PORTS = 22_000, 22_199
EACH = pytest.mark.parametrize("venue", ["bybit", "blofin", "kucoin", "mexc", "hyperliquid"], indirect=True)


@pytest.fixture(params=["bybit", "kucoin"])
def venue(request: pytest.FixtureRequest) -> Iterator[Simulator]:
    with simulator(*PORTS, accounts=1, venue=request.param) as found:
        yield found


@pytest.fixture
def home(venue: Simulator, tmp_path: Path) -> Home:
    found = Home(tmp_path / "live")
    found.prepare()
    keys = {name: value for name, value in venue.accounts["main"].items() if name not in ("equity", "name")}
    entry = {"venue": venue.venue, "name": "main", "base_url": venue.base_url, "ws_url": venue.ws_url, **keys}
    found.credentials.write_text(json.dumps({"accounts": [entry]}))
    symbols = ["BTCUSDT", "ETHUSDT", "NOSUCHUSDT"]
    found.asset_mapping.write_text(json.dumps({"tradingview": {symbol: symbol for symbol in symbols}}))
    sources = [{"source": "tradingview", "weight": 0.1}]
    weights = [{"symbol": symbol, "leverage": 3, "sources": sources} for symbol in symbols]
    found.signal_weights.write_text(json.dumps(weights))
    return found


def preflight(home: Home, venue: Simulator, *words: str) -> int:
    return front.main(["--home", str(home.root), "preflight", f"{venue.venue}-main", *words])


def answer(said: Said) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(said.readouterr().out)
    return found


def test_a_fit_account_is_described(home: Home, venue: Simulator, capsys: Said) -> None:
    assert preflight(home, venue) == 0
    said = capsys.readouterr().out
    assert all(line.startswith("LIVE ") for line in said.splitlines())
    assert "fit to trade" in said
    assert "equity 10000 USDT, 0 open orders" in said
    assert "NOSUCHUSDT: the venue lists no such contract" in said
    assert preflight(home, venue, "--json") == 0
    found = answer(capsys)
    assert found["ready"] is True
    assert found["order"] is None
    assert found["symbols"]["BTCUSDT"]["listed"] is True
    assert venue.ledger("main")["fills"] == []


@EACH
def test_the_smallest_position_is_opened_and_closed(home: Home, venue: Simulator, capsys: Said) -> None:
    assert preflight(home, venue, "--with-order", "--yes", "--json") == 0
    order = answer(capsys)["order"]
    fills = venue.ledger("main")["fills"]
    assert order["orders"] == len(fills) == 2
    assert {fill["symbol"] for fill in fills} == {order["symbol"]}
    assert fills[-1]["position_after"] == "0"
    assert venue.requests()["over_limit"] == 0
    assert not (home.state / "preflight" / f"{venue.venue}-main").exists()


def test_nothing_is_sent_without_being_asked(home: Home, venue: Simulator, capsys: Said) -> None:
    words = ["--home", str(home.root), "preflight", f"{venue.venue}-main", "--with-order"]
    command = [sys.executable, "-P", "-m", "cli", *words]
    done = subprocess.run(
        command, cwd=CHECKOUT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert "--yes" in done.stderr
    assert venue.ledger("main")["fills"] == []


def test_an_engine_that_trades_the_account_is_named(home: Home, venue: Simulator, capsys: Said) -> None:
    lock = AccountLock.acquire(home.locks, AccountId(f"{venue.venue}-main"), "trade-engine", 0.0)
    try:
        assert preflight(home, venue, "--with-order", "--yes") == 1
    finally:
        lock.release()
    said = capsys.readouterr().err
    assert "trade-engine" in said
    assert "./run down" in said
    assert venue.ledger("main")["fills"] == []


def test_what_is_wrong_is_said_with_what_to_do(home: Home, venue: Simulator, capsys: Said) -> None:
    venue.post("account", venue=venue.venue, account="main", can_trade=False)
    assert preflight(home, venue, "--with-order", "--yes", "--json") == 1
    found = answer(capsys)
    assert found["ready"] is False
    assert found["problems"][0]["scope"] == "all"
    venue.post("account", venue=venue.venue, account="main", can_trade=True, equity="0")
    assert preflight(home, venue) == 1
    assert "nothing can be sized" in capsys.readouterr().out


@EACH
def test_an_open_position_in_another_margin_mode_is_refused(home: Home, venue: Simulator, capsys: Said) -> None:
    place = {"venue": venue.venue, "account": "main"}
    venue.post("position", **place, symbol="ETHUSDT", quantity="0.5")
    venue.post("account", **place, margin_mode="cross")
    assert preflight(home, venue, "--json") == 1
    (problem,) = answer(capsys)["problems"]
    assert (problem["scope"], problem["code"]) == ("increases", "margin_mode")
    assert "configured is isolated" in problem["because"]
    assert "set margin_mode in engine_config.json" in problem["because"]


def test_a_flat_account_in_another_margin_mode_is_fit(home: Home, venue: Simulator) -> None:
    """The engine sets it, or says it with the order that opens. So is a position in the mode that is configured."""
    place = {"venue": venue.venue, "account": "main"}
    venue.post("account", **place, margin_mode="cross")
    assert preflight(home, venue) == 0
    venue.post("account", **place, margin_mode="isolated")
    venue.post("position", **place, symbol="ETHUSDT", quantity="0.5")
    assert preflight(home, venue) == 0


@pytest.mark.parametrize("venue", ["bybit", "blofin", "kucoin", "mexc"], indirect=True)
def test_hedge_mode_is_refused_and_said_once(home: Home, venue: Simulator, capsys: Said) -> None:
    place = {"venue": venue.venue, "account": "main"}
    venue.post("account", **place, position_mode="hedge")
    venue.post("position", **place, symbol="ETHUSDT", quantity="0.5")
    assert preflight(home, venue, "--json") == 1
    (problem,) = answer(capsys)["problems"]
    assert (problem["scope"], problem["code"]) == ("all", "hedge_mode")
    assert "one-way" in problem["because"].lower()


def test_too_little_money_is_said_before_anything_is_sent(home: Home, venue: Simulator, capsys: Said) -> None:
    venue.post("account", venue=venue.venue, account="main", equity="0.01")
    assert preflight(home, venue, "--with-order", "--yes") == 1
    assert "Transfer some" in capsys.readouterr().err
    assert venue.ledger("main")["fills"] == []


def test_what_an_interrupted_round_trip_left_is_closed_first(home: Home, venue: Simulator, capsys: Said) -> None:
    """The engine of the trip is stopped for good before it may close; the next trip begins with closing."""
    script = (
        "import sys; from cli.preflight import round_trip as r; r._close = lambda *a: sys.exit('killed'); "
        f"from cli import main; main.main(['--home', {str(home.root)!r}, 'preflight', '{venue.venue}-main', "
        "'--with-order', '--yes'])"
    )
    subprocess.run([sys.executable, "-c", script], cwd=CHECKOUT, capture_output=True, timeout=90, check=False)
    assert len(venue.ledger("main")["fills"]) == 1
    assert preflight(home, venue, "--with-order", "--yes") == 0
    assert "closing what it left" in capsys.readouterr().out
    fills = venue.ledger("main")["fills"]
    assert [fill["position_after"] for fill in fills][1::2] == ["0", "0"]
