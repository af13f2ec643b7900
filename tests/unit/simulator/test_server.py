"""The simulator's command line: what it understands, and what it says when it does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.server import BadUse, accounts_from, main, parser, ports_from, prices_from

BARS = "timestamp,open,high,low,close\n2022-01-01 00:00:00,1,2,1,2\n"


def test_ports_are_the_contract() -> None:
    assert dict(ports_from(9100)) == {
        "admin": 9100, "bybit": 9101, "blofin": 9102, "kucoin": 9103, "mexc": 9104, "hyperliquid": 9105,
    }  # fmt: skip


def test_accounts() -> None:
    assert accounts_from("") == {}
    assert accounts_from("bybit=3") == {"bybit": 3}


@pytest.mark.parametrize("text", ["bybit", "bybit=", "bybit=0", "bybit=x", "bybit=-1", "bybit=99999", "nyse=1"])
def test_bad_accounts(text: str) -> None:
    with pytest.raises(BadUse, match="--accounts"):
        accounts_from(text)


def test_prices(tmp_path: Path) -> None:
    file = tmp_path / "bars=1.csv"
    file.write_text(BARS)
    assert set(prices_from([str(file)], 0.0, 1.0)) == {"BTCUSDT"}
    assert set(prices_from([f"ETHUSDT={file}"], 0.0, 1.0)) == {"ETHUSDT"}


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (["--port-base", "80"], 2, "--port-base"),
        (["--accounts", "nyse=1"], 2, "nyse"),
        (["--venues", "nyse"], 2, "nyse"),
        (["--prices", "/nowhere/bars.csv"], 1, "/nowhere/bars.csv"),
        (["--prices", "NOPEUSDT=BARS"], 2, "NOPEUSDT"),
    ],
)
def test_impossible_starts(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, args: list[str], code: int, said: str
) -> None:
    (tmp_path / "bars.csv").write_text(BARS)
    assert main([arg.replace("BARS", str(tmp_path / "bars.csv")) for arg in args]) == code
    shown = capsys.readouterr()
    assert shown.out == ""
    assert said in shown.err


@pytest.mark.parametrize(
    "args",
    [["--rtt-ms", "-1"], ["--rtt-ms", "nan"], ["--speed", "0"], ["--equity", "x"], ["--equity", "-1"], ["--seed", "x"]],
)
def test_bad_values(capsys: pytest.CaptureFixture[str], args: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(args)
    assert caught.value.code == 2
    assert args[0] in capsys.readouterr().err


def test_help_teaches() -> None:
    text = parser().format_help()
    for wanted in ("/_sim/ledger", "/_sim/faults", "drop_after", "--rtt-ms", "SIGTERM", "127.0.0.1"):
        assert wanted in text
