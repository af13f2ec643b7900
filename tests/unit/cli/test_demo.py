"""The demo without its processes: when it has converged, what it tells, its ports, its files, its figures."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from cli.demo import milliseconds, outcome
from cli.demo.house import (
    MARKER,
    PORTS,
    DemoHouse,
    all_free,
    build,
    claimed,
    first_free,
    free_place,
    furnish,
    remembered,
)
from cli.demo.story import Seen, facts, first_fill_at, generations, unreached, unsettled, verified_at
from cli.errors import UserError
from cli.reading import credentials_of, settings_of, webhook_url_of
from config.home import Home
from core.state import parse_instant

ACCOUNT = "bybit-main"
SYMBOL = "BTCUSDT"
STATUS_AT = 1763629964.5
DOCUMENT = {
    "written_at": "1970-01-01T00:00:12.300Z",
    "signals": {SYMBOL: {"depth": "0.1408", "leverage": "3", "timestamp": "t1"}},
}


def said(**changes: Any) -> dict[str, Any]:
    symbol = {"state": "CONVERGED", "target": "0.006", "actual": "0.006", "because": "it is"} | changes
    return {ACCOUNT: {"state": "ok", "at": "2025-11-20T09:12:44.500Z", "equity": "10000", "symbols": {SYMBOL: symbol}}}


def books(held: str | None = "0.006", **more: Any) -> dict[str, Any]:
    account = {"positions": {} if held is None else {SYMBOL: held}, "orders": [], "fills": []} | more
    return {"venues": {"bybit": {"accounts": {"main": account}}}}


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        (Seen(DOCUMENT, said(), books()), ""),
        (Seen(DOCUMENT, said(target="0.0060"), books("0.00600")), ""),
        (Seen(DOCUMENT, said(), {}, "the simulator does not answer"), "does not answer"),
        (Seen({}, said(), books()), "no opinion"),
        (Seen(DOCUMENT, {}, books()), "says nothing"),
        (Seen(DOCUMENT, said(state="HELD", because="too old"), books()), "HELD: too old"),
        (Seen(DOCUMENT, said(), books("0.012")), "ledger has 0.012"),
        (Seen(DOCUMENT, said(), books(None)), "ledger has 0"),
        (Seen(DOCUMENT, said(target="0", actual="0"), books(None)), "target 0"),
        (Seen(DOCUMENT, said(actual="0.005"), books()), "sees 0.005"),
        (Seen(DOCUMENT, said(target=None), books()), "target None"),
        (Seen(DOCUMENT, said(target="NaN", actual="NaN"), books("NaN")), "target NaN"),
    ],
)
def test_converged_is_what_the_ledger_confirms(seen: Seen, reason: str) -> None:
    found = unsettled(seen, (ACCOUNT,), SYMBOL)
    assert reason in found if reason else not found


def test_every_account_must_converge() -> None:
    assert "bybit-second" in unsettled(Seen(DOCUMENT, said(), books()), (ACCOUNT, "bybit-second"), SYMBOL)


def test_a_position_from_before_the_alert_is_not_the_alerts() -> None:
    seen = Seen(DOCUMENT, said(generation=3), books())
    assert not unsettled(seen, (ACCOUNT,), SYMBOL, {ACCOUNT: 2})
    assert "not sized" in unsettled(seen, (ACCOUNT,), SYMBOL, {ACCOUNT: 3})
    assert generations(Seen({}, {}, {}), (ACCOUNT,), SYMBOL) == {ACCOUNT: 0}


ORDER = {"client_id": "0123456789", "symbol": SYMBOL, "side": "buy", "quantity": "0.006", "reduce_only": False}
FILL = {"time": 12.5, "symbol": SYMBOL, "side": "buy", "quantity": "0.006", "price": "64000", "position_after": "0.006"}


def test_facts_travel_with_the_alert() -> None:
    ledger = books(orders=[ORDER | {"received_at": 12.4}], fills=[FILL])
    traders = {"written_at": "1970-01-01T00:00:12.350Z", "signals": {"BTCUSD": {"depth": "0.04", "timestamp": "t0"}}}
    told = list(facts(Seen(DOCUMENT, said(), ledger, traders=traders)))
    assert [fact.who for fact in told] == [
        "tradingview-signals", "bittensor-signals", "bybit-main venue", "bybit-main venue",
        "trade-engine", "trade-engine",
    ]  # fmt: skip
    assert [fact.at for fact in told] == [12.3, 12.35, 12.4, 12.5, STATUS_AT, STATUS_AT]
    assert told[-1].text.endswith("CONVERGED, target 0.006, actual 0.006: it is")
    assert len({fact.key for fact in told}) == len(told)


def test_a_change_is_a_new_fact() -> None:
    before = {fact.key for fact in facts(Seen(DOCUMENT, said(), books()))}
    after = {fact.key for fact in facts(Seen(DOCUMENT, said(state="DRIFTED"), books()))}
    assert len(after - before) == 1


def test_forgotten_fills_do_not_tell_old_ones_again() -> None:
    early = Seen({}, {ACCOUNT: {}}, books(fills=[FILL, FILL], dropped={"fills": 0}))
    later = Seen({}, {ACCOUNT: {}}, books(fills=[FILL], dropped={"fills": 1}))
    assert {fact.key for fact in facts(later)} < {fact.key for fact in facts(early)}


def test_outcome() -> None:
    sent_at = 1763629964.0
    fills = [FILL | {"time": sent_at - 5}, FILL | {"time": sent_at + 0.25}, FILL | {"time": sent_at + 1}]
    found = outcome(Seen(DOCUMENT, said(), books(fills=fills)), {ACCOUNT: sent_at + 0.5}, sent_at)
    assert found == {
        "alert_to_fill_ms": 250.0,
        "accounts": {
            ACCOUNT: {
                "equity": "10000",
                "alert_to_verified_ms": 500.0,
                "symbols": {SYMBOL: {"target": "0.006", "actual": "0.006", "state": "CONVERGED", "because": "it is"}},
            }
        },
    }
    assert first_fill_at(Seen({}, {}, {}), 0) is None
    other = Seen(DOCUMENT, said(), books(fills=[FILL | {"symbol": "ETHUSDT"}]))
    assert first_fill_at(other, 0) == FILL["time"]
    assert first_fill_at(other, 0, SYMBOL) is None


def test_the_story_begins_once_the_second_source_is_held() -> None:
    held = Seen({}, said(target="0.002", actual="0.002"), books("0.002"))
    assert unreached(held, (ACCOUNT,), SYMBOL) == ""
    assert "HELD" in unreached(Seen({}, said(state="HELD"), books()), (ACCOUNT,), SYMBOL)
    assert "gone" in unreached(Seen({}, said(), books(), "gone"), (ACCOUNT,), SYMBOL)


@pytest.mark.parametrize(("end", "found"), [(None, None), (9.0, None), (10.0123, 12.3)])
def test_milliseconds(end: float | None, found: float | None) -> None:
    assert milliseconds(10.0, end) == found


# --- its home ---------------------------------------------------------------------------------------------------------


def test_ports_in_use_are_passed_over() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        assert not all_free(port)
        assert not all_free(port - PORTS + 1)
        assert first_free(port) > port


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    found = Home(tmp_path / ".demo")
    for module in ("cli.places", "cli.demo.house"):
        monkeypatch.setattr(f"{module}.demo_homes", lambda: (found,))
    return found


def test_building_twice_starts_clean_and_keeps_the_ports(place: Home) -> None:
    house = build(place, 18_050)
    assert remembered(place) == house
    assert place.is_demo
    place.halt.write_text("FLATTEN")
    (place.journals / "bybit-main.jsonl").parent.mkdir(exist_ok=True)
    (place.journals / "bybit-main.jsonl").touch()
    assert build(place) == house
    assert not place.halt.exists()
    assert not place.journals.exists()
    assert place.root.stat().st_mode & 0o777 == 0o700


def test_a_port_that_is_asked_for_counts_more_than_the_last_one(place: Home) -> None:
    build(place, 18_050)
    assert build(place, 18_070).webhook_port >= 18_070


def test_verified_is_the_first_position_after_the_alert(place: Home) -> None:
    build(place, 18_050)
    place.facts.mkdir(exist_ok=True)
    facts = [
        ("01", "0.001", SYMBOL),
        ("03", "0", SYMBOL),
        ("04", "0.006", "ETHUSDT"),
        ("05", "0.006", SYMBOL),
        ("07", "0.006", SYMBOL),
    ]
    lines = [
        {"at": f"2026-11-20T09:12:{second}.000Z", "fact": "verified", "symbol": symbol, "contracts": contracts}
        for second, contracts, symbol in facts
    ]
    (place.facts / f"{ACCOUNT}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    since = parse_instant("2026-11-20T09:12:02Z")
    assert verified_at(place, ACCOUNT, SYMBOL, since) == since + 3
    assert verified_at(place, ACCOUNT, SYMBOL, since + 10) is None


def test_a_folder_that_is_no_demo_is_not_emptied(place: Home) -> None:
    place.root.mkdir()
    (place.root / "precious").touch()
    with pytest.raises(UserError, match="Move it away"):
        build(place, 18_050)
    assert (place.root / "precious").exists()


def test_a_claimed_place_is_not_taken(place: Home) -> None:
    with claimed(place, 0) as mine:
        assert mine
        with pytest.raises(UserError, match="in use"), free_place():
            pytest.fail("the place is taken")
    with free_place() as free:
        assert free == place


def test_configuration_of_the_demo_is_valid(place: Home) -> None:
    house = build(place, 18_050)
    keys = {"name": "main", "equity": "10000", "api_key": "k", "api_secret": "s"}
    line = {"venue": "bybit", "base_url": "http://127.0.0.1:18052", "ws_url": "", "admin_url": "", "accounts": [keys]}
    house.ready_file.write_text(json.dumps(line) + "\n")
    feed = {"endpoint": f"{house.feed_url}/miner-positions", "api_key": "feed-key", "assets": ["BTCUSD"]}
    house.feed_ready_file.write_text(json.dumps(feed) + "\n")
    assert furnish(house) == (ACCOUNT,)
    assert place.credentials.stat().st_mode & 0o777 == 0o600
    bittensor = credentials_of(place).bittensor
    assert bittensor is not None
    assert (bittensor.api_key.reveal(), bittensor.endpoint) == ("feed-key", feed["endpoint"])
    assert json.loads(place.bittensor_config.read_text())["metagraph"] is False
    [account] = credentials_of(place).accounts
    assert account.account == ACCOUNT
    assert not account.trouble
    settings = settings_of(place)
    assert settings.problems() == ()
    assert SYMBOL in (settings.settings().weights if settings.settings() else {})  # type: ignore[union-attr]  # narrowed
    assert webhook_url_of(place).startswith(f"{house.webhook_url}/webhook/")


def test_an_unreadable_note_is_as_good_as_none(place: Home) -> None:
    house = DemoHouse(place, 1, 2)
    place.root.mkdir()
    for text in ("", "{", "[]", "{}", '{"simulator_port": "x", "webhook_port": 1}'):
        house.note.write_text(text)
        assert remembered(place) is None
    assert "demo" in MARKER
