"""`./run explain` on what real engines journaled: its figures are theirs, and its reasons are the engine's."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cli import main as front
from config.home import Home
from core.domain import AccountMode, Halt, Symbol
from tests.scenario.home_on_disk import journaled, write_home
from tests.scenario.rig import BTC, TV, Rig, manual, opened
from tests.scenario.test_crash import lose_journal

Run = pytest.CaptureFixture[str]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setattr("cli.places.demo_homes", lambda: (Home(tmp_path / "demo"),))
    monkeypatch.setenv("TRADE_ENGINE_HOME", str(tmp_path / "live"))
    (tmp_path / "live").mkdir()
    return Home(tmp_path / "live")


def explain(capsys: Run, symbol: str = BTC, account: str | None = None) -> dict[str, Any]:
    """The one account's explanation as JSON; its text is printed as well and must not fail."""
    named = ["--account", account] if account else []
    assert front.main(["explain", symbol, *named]) == 0, capsys.readouterr().err
    assert symbol in capsys.readouterr().out
    assert front.main(["explain", symbol, "--json", *named]) == 0
    [found] = json.loads(capsys.readouterr().out)["homes"]
    [explained] = found["accounts"].values()
    return dict(explained)


def text(capsys: Run, symbol: str = BTC) -> str:
    assert front.main(["explain", symbol]) == 0
    return capsys.readouterr().out


# --- the figures ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("venue", ["bybit", "kucoin", "blofin", "mexc"])
def test_the_figures_are_those_that_were_journaled(
    venue: str, home: Home, monkeypatch: pytest.MonkeyPatch, capsys: Run
) -> None:
    rig = Rig(venue=venue)
    rig.run(opened(rig, "0.37"))
    write_home(rig, home, monkeypatch)
    [sized] = journaled(rig, "SIZED")
    found = explain(capsys)
    generation = found["generation"]
    for name in ("equity", "price", "leverage", "contracts", "depth", "because", "fingerprint"):
        assert generation[name] == sized[name], name
    assert generation["number"] == sized["generation"]
    assert generation["recomputed"]["equal"] is True
    assert generation["recomputed"]["contracts"] == generation["sum"]["contracts"] == sized["contracts"]
    margin = Decimal(sized["equity"]) * Decimal("0.185")
    assert Decimal(generation["sum"]["margin"]) == margin
    assert Decimal(generation["sum"]["notional"]) == margin * 3
    assert Decimal(generation["quantity"]) == rig.position(BTC) == rig.target(BTC)
    [source] = found["sources"]
    assert (source["present"], source["taken"]["contribution"], source["takes"]) == ("0.185", "0.185", source["taken"])
    assert found["position"]["stored"] == found["position"]["baseline"] == sized["contracts"]
    assert Decimal(found["position"]["actual_quantity"]) == rig.position(BTC)
    assert (found["state"], found["due"], found["holds"], found["intents"]) == ("CONVERGED", None, [], [])
    assert found["venue"]["lot"] == sized["fingerprint"].split("/")[1]


def test_a_size_within_the_band_is_explained_by_the_one_before(
    home: Home, monkeypatch: pytest.MonkeyPatch, capsys: Run
) -> None:
    rig = Rig()

    async def scene() -> None:
        await opened(rig, "0.5")
        rig.signal(BTC, "0.5025")
        await rig.settle()

    rig.run(scene())
    write_home(rig, home, monkeypatch)
    first, second = journaled(rig, "SIZED")
    found = explain(capsys)["generation"]
    assert first["contracts"] == second["contracts"] == found["contracts"] == found["recomputed"]["contracts"]
    assert found["recomputed"]["equal"] is True
    assert "within the band" in found["because"]


def test_a_compacted_journal_explains_as_well(home: Home, monkeypatch: pytest.MonkeyPatch, capsys: Run) -> None:
    rig = Rig(compact_bytes=1)
    rig.run(opened(rig))
    write_home(rig, home, monkeypatch)
    found = explain(capsys)
    assert found["generation"]["kind"] == "SNAPSHOT"
    assert found["generation"]["sum"]["contracts"] == found["generation"]["contracts"]
    assert found["generation"]["recomputed"] is None


def test_changed_limits_are_named_where_the_sum_would_differ_today(
    home: Home, monkeypatch: pytest.MonkeyPatch, capsys: Run
) -> None:
    rig = Rig()

    async def scene() -> None:
        await opened(rig, "0.5")
        rig.signal(BTC, "0.45")
        await rig.settle()

    rig.run(scene())
    write_home(rig, home, monkeypatch)
    home.engine_config.write_text(json.dumps({"rebalance_band": 0.3}))
    found = explain(capsys)["generation"]
    assert found["recomputed"]["equal"] is False
    assert found["contracts"] == journaled(rig, "SIZED")[-1]["contracts"]
    assert "what is stored stands" in text(capsys)


# --- why less stands than a source asks for ---------------------------------------------------------------------------


def too_old(rig: Rig) -> None:
    rig.signal(BTC, "0.5", age_s=700)


def closed(rig: Rig) -> None:
    rig.settings.asked = {"close": {rig.ids["main"]: {BTC: 1}}}


def close_only(rig: Rig) -> None:
    rig.change(
        lambda s: replace(s, accounts={a: replace(x, mode=AccountMode.CLOSE_ONLY) for a, x in s.accounts.items()})
    )
    rig.signal(BTC, "0.9")


@pytest.mark.parametrize(
    ("act", "mode", "taken", "because"),
    [
        (too_old, "downward", "0.1", "entry too old"),
        (closed, "closed", "0", "closed by the user"),
        (close_only, "downward", "0.1", "not allowed when it appeared"),
    ],
)
def test_what_was_not_taken_says_why(
    act: Callable[[Rig], None],
    mode: str,
    taken: str,
    because: str,
    home: Home,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Run,
) -> None:
    rig = Rig()

    async def scene() -> None:
        await opened(rig, "0.2")
        await asyncio.sleep(1)
        act(rig)
        await rig.settle()

    rig.run(scene())
    write_home(rig, home, monkeypatch)
    found = explain(capsys)
    [source] = found["sources"]
    assert source["taken"]["mode"] == mode
    assert source["taken"]["contribution"] == taken
    assert because in source["because"]
    assert "resync" in source["because"]
    assert because in found["wanted"]["held"]
    assert found["generation"]["contracts"] == rig.published.cache[rig.ids["main"]][1][BTC]["sized"]["contracts"]


def test_a_vanished_document_is_frozen(home: Home, monkeypatch: pytest.MonkeyPatch, capsys: Run) -> None:
    rig = Rig()
    rig.run(opened(rig, "0.2"))
    write_home(rig, home, monkeypatch)
    home.document(TV).unlink()
    home.heartbeat(TV).write_text("{}")
    found = explain(capsys)
    [source] = found["sources"]
    assert source["frozen"] is True
    assert "has vanished" in source["because"]
    assert source["signal"] is None
    assert source["taken"]["contribution"] == source["takes"]["contribution"] == "0.1"
    assert any("frozen" in hold["because"] for hold in found["holds"])
    assert found["wanted"]["generation_due"] is False


# --- what stands in the way -------------------------------------------------------------------------------------------


def test_the_halt_and_the_limits_are_named(home: Home, monkeypatch: pytest.MonkeyPatch, capsys: Run) -> None:
    rig = Rig()

    async def scene() -> None:
        rig.policy(max_order_notional=Decimal(100))
        rig.signal(BTC, "0.5")
        await rig.cycle()
        rig.settings.halted = Halt.HALT_INCREASES
        await rig.cycle()

    rig.run(scene())
    write_home(rig, home, monkeypatch)
    home.engine_config.write_text(json.dumps({"max_order_notional": 100}))
    found = explain(capsys)
    because = [hold["because"] for hold in found["holds"]]
    assert any("HALT_INCREASES stands" in words for words in because)
    assert any("over max_order_notional 100" in words for words in because)
    limits = {limit["limit"]: limit for limit in found["limits"]}
    assert limits["max_order_notional"]["value"] == "100"
    assert Decimal(limits["max_order_notional"]["asked"]) > 100
    assert limits["max_total_margin"] | {"rule": ""} == {
        "limit": "max_total_margin",
        "value": "0.9",
        "asked": "0.25",
        "rule": "",
    }
    assert found["position"]["baseline"] == "0"
    assert found["position"]["stored"] != "0"


def test_an_order_without_a_known_outcome_is_shown(home: Home, monkeypatch: pytest.MonkeyPatch, capsys: Run) -> None:
    rig = Rig(streams=False)

    async def scene() -> None:
        await rig.cycle()
        rig.sim.admin.fault({"venue": "bybit", "match": "order_create", "kind": "drop_before", "count": 1})
        rig.sim.admin.fault({"venue": "bybit", "match": "order_query", "kind": "status", "value": 500, "count": 0})
        rig.signal(BTC, "0.5")
        await rig.cycle()

    rig.run(scene())
    write_home(rig, home, monkeypatch)
    shown = explain(capsys)["intents"]
    prepared = journaled(rig, "PREPARED")
    assert len(prepared) == 1
    assert [intent["client_id"] for intent in shown] == [record["client_id"] for record in prepared]


# --- with the engine stopped ------------------------------------------------------------------------------------------


def test_a_stopped_engine_is_said_and_the_next_size_is_shown(
    home: Home, monkeypatch: pytest.MonkeyPatch, capsys: Run
) -> None:
    rig = Rig()
    rig.run(opened(rig, "0.5"))
    rig.signal(BTC, "0.25")
    write_home(rig, home, monkeypatch, later_s=60)
    found = explain(capsys)
    assert found["wanted"]["generation_due"] is True
    [sized] = journaled(rig, "SIZED")
    assert found["generation"]["contracts"] == sized["contracts"]
    due = found["due"]
    assert due["price"] == sized["price"]
    equity = Decimal(rig.published.statuses[rig.ids["main"]]["equity"])
    assert due["equity"] == f"{equity.normalize():f}"
    contracts = equity * Decimal("0.125") * 3 / Decimal(sized["price"])
    assert Decimal(due["contracts"]) == contracts - contracts % Decimal("0.001")
    said = text(capsys)
    assert "trade-engine has never run here" in said
    assert "the latest figures in the files" in said


def test_nothing_is_written(home: Home, monkeypatch: pytest.MonkeyPatch, capsys: Run) -> None:
    rig = Rig()
    rig.run(opened(rig))
    write_home(rig, home, monkeypatch)
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in home.root.rglob("*") if path.is_file()}
    explain(capsys)
    after = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in home.root.rglob("*") if path.is_file()}
    assert after == before


def test_a_corrupt_journal_is_said(home: Home, monkeypatch: pytest.MonkeyPatch, capsys: Run) -> None:
    rig = Rig()
    rig.run(opened(rig))
    write_home(rig, home, monkeypatch)
    path = home.journals / "bybit-main.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"kind":"SIZED"', b'"kind":"SIZEE"'))
    found = explain(capsys)
    assert "damaged" in found["journal"]["problem"]
    assert found["generation"] is None


# --- what the engine says of it ---------------------------------------------------------------------------------------


def test_while_a_lost_journal_is_waited_for_nobody_is_invited_to_adopt() -> None:
    rig = Rig()

    async def scene() -> None:
        await opened(rig)
        lose_journal(rig)
        await rig.cycle()
        await rig.cycle()
        state, because = rig.states()[BTC]
        assert state == "FOREIGN"
        assert "the journal was lost" in because
        assert "adopt" not in because
        await rig.settle()
        assert rig.states()[BTC][0] == "CONVERGED"

    rig.run(scene())


def test_adopting_what_nobody_holds_or_configured_leaves_nothing_behind() -> None:
    rig = Rig()

    async def scene() -> None:
        await rig.cycle()
        rig.settings.asked = {"adopt": {rig.ids["main"]: {"NOPE": 1}}}
        await rig.cycle()
        await rig.cycle()
        assert "NOPE" not in rig.states()
        assert journaled(rig, "ADOPTED") == []
        manual(rig, "0.02")
        await rig.settle()
        rig.settings.asked = {"adopt": {rig.ids["main"]: {"NOPE": 1, BTC: 1}}}
        await rig.settle()
        assert [record["symbol"] for record in journaled(rig, "ADOPTED")] == [BTC]

    rig.run(scene())


@pytest.mark.parametrize("venue", ["kucoin", "bybit"])
def test_after_a_restart_sizes_are_in_base_units_although_nothing_is_due(venue: str) -> None:
    rig = Rig(venue=venue)

    async def scene() -> None:
        position = await opened(rig)
        rig.boot()
        await rig.cycle()
        await rig.cycle()
        assert rig.target(BTC) == position
        assert "instrument" in rig.published.cache[rig.ids["main"]][1][BTC]

    rig.run(scene())


# --- what there is instead --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["DOGEUSDT"], ["no symbol 'DOGEUSDT'", "BTCUSDT", "ETHUSDT", "signal_weight_config.json"]),
        (["btcusdt"], ["did you mean BTCUSDT?"]),
        (["XBTUSD"], ["XBTUSD is tradingview's name of BTCUSDT"]),
        (["BTCUSDT", "--account", "bybit-mian"], ["no account 'bybit-mian'", "bybit-main"]),
        (["../../etc/passwd"], ["no symbol '../../etc/passwd'"]),
    ],
)
def test_what_does_not_exist_names_what_does(
    words: list[str], said: list[str], home: Home, monkeypatch: pytest.MonkeyPatch, capsys: Run
) -> None:
    rig = Rig()
    rig.run(rig.cycle())
    rig.change(lambda s: replace(s, mappings={TV: {"XBTUSD": BTC, "ETHUSDT": Symbol("ETHUSDT")}}))
    write_home(rig, home, monkeypatch)
    assert front.main(["explain", *words]) == 1
    error = capsys.readouterr().err
    assert all(part in error for part in said), error


def test_a_home_without_configuration_says_what_to_create(home: Home, capsys: Run) -> None:
    home.prepare()
    assert front.main(["explain", BTC]) == 1
    assert "asset_mapping_config.json" in capsys.readouterr().err


def test_a_symbol_nobody_sized_yet(home: Home, monkeypatch: pytest.MonkeyPatch, capsys: Run) -> None:
    rig = Rig()
    rig.run(rig.cycle())
    write_home(rig, home, monkeypatch)
    found = explain(capsys)
    assert found["generation"] is None
    assert found["wanted"]["depth"] is None
    assert "not been heard yet" in found["wanted"]["because"]
    assert found["state"] == "NO_SIGNAL"
