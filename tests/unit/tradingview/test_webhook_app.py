"""The webhook's answers: to good alerts, to every kind of bad one, and while the disk fails."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.test import Client

from core.state import RealFileOps, format_instant
from signal_endpoints.tradingview_endpoint import keep_up, tick
from signal_endpoints.webhook_app import Webhook, create_app
from signal_endpoints.webhook_tokens import Tokens
from tests.unit.tradingview.bodies import BAD
from tests.unit.tradingview.records import T0
from tests.unit.tradingview.webhook_world import SOL, TOKEN, FailingOps, World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


# --- accepted ---------------------------------------------------------------------------------------------------------


def test_an_alert_is_accepted(world: World) -> None:
    response = world.post(SOL)
    assert response.status_code == 200
    assert response.content_type == "application/json"
    expected = {"status": "accepted", "event": "id-1", "duplicate": False, "in_force": True, "because": None}
    assert response.get_json() == expected
    assert world.raw()[0]["body"] == SOL


@pytest.mark.parametrize("kind", ["application/json", "text/plain; charset=utf-8", "", "multipart/form-data", "x"])
def test_the_content_type_does_not_matter(world: World, kind: str) -> None:
    assert world.post(SOL, content_type=kind).status_code == 200


def test_a_repeat_is_told_as_one(world: World) -> None:
    world.send()
    again = world.send()
    assert (again["duplicate"], again["in_force"], again["event"]) == (True, True, "id-2")
    assert len(world.raw()) == 2


def test_an_overtaken_alert_is_told_as_one(world: World) -> None:
    world.send(signal_seq=5)
    late = world.send(direction="short", signal_seq=4)
    assert (late["duplicate"], late["in_force"]) == (False, False)
    assert "signal_seq 5" in late["because"]


def test_an_unmapped_symbol_is_accepted_and_waits_for_its_mapping(world: World) -> None:
    answer = world.send(symbol="TAOUSD")
    assert answer["in_force"] is False
    assert answer["because"].startswith("no mapping for TAOUSD")
    world.put("asset_mapping_config.json", {"tradingview": {"TAOUSD": "TAOUSDT"}})
    tick(world.webhook)
    assert world.send(symbol="TAOUSD", direction="flat")["in_force"] is True
    assert world.send()["because"].startswith("no mapping for SOLUSDT")


@pytest.mark.parametrize("broken", ["{", "[]", '{"tradingview":{"A":""}}'])
def test_a_broken_mapping_leaves_the_last_good_one(world: World, broken: str, caplog: pytest.LogCaptureFixture) -> None:
    (world.root / "asset_mapping_config.json").write_text(broken)
    tick(world.webhook)
    tick(world.webhook)
    assert world.send()["in_force"] is True
    assert caplog.text.count("last good content stays in force") == 1


def test_no_mapping_file_is_said(tmp_path: Path) -> None:
    world = World(tmp_path)
    (tmp_path / "asset_mapping_config.json").unlink()
    world.webhook.live.__init__(world.home, world.ops, world.clock, {})  # type: ignore[misc]  # as after a restart
    answer = world.send()
    assert answer["in_force"] is False
    assert "asset_mapping_config.json: does not exist" in answer["because"]


def test_an_old_alert_is_told_that_it_is_taken_downward_only(world: World) -> None:
    old = format_instant(T0 - 3600)
    answer = world.send(time=old)
    assert answer["in_force"] is True
    assert "entry_max_age_s 600" in answer["because"]
    assert "resync" in answer["because"]
    assert world.send(symbol="ETHUSD", direction="flat", time=old)["because"] is None


STATUS = {
    "schema": 1,
    "account": "bybit-main",
    "symbols": {
        "ETHUSDT": {"state": "HELD", "because": "tradingview was closed by the user; `./run resync` takes it up again"},
        "SOLUSDT": {"state": "CONVERGED", "because": "at target"},
    },
}


def test_a_repeat_of_a_signal_closed_by_the_user_says_so(world: World) -> None:
    first = world.send(symbol="ETHUSD")
    assert first["because"] is None
    world.put("state/status/bybit-main.json", STATUS)
    again = world.send(symbol="ETHUSD")
    assert (again["duplicate"], again["in_force"]) == (True, True)
    assert "bybit-main: tradingview was closed by the user" in again["because"]
    assert "./run resync bybit-main ETHUSDT" in again["because"]
    world.send()
    assert "resync" not in world.send()["because"]


@pytest.mark.parametrize("broken", [b"{", b"[]", b'{"symbols":[]}', b'{"symbols":{"ETHUSDT":1}}', b"\xff"])
def test_a_broken_status_is_no_trouble(world: World, broken: bytes) -> None:
    world.put("state/status/bybit-main.json", STATUS)
    (world.root / "state/status/okx-main.json").write_bytes(broken)
    world.send(symbol="ETHUSD")
    assert "bybit-main" in world.send(symbol="ETHUSD")["because"]


def test_engine_config_is_live(world: World) -> None:
    world.put("engine_config.json", {"max_depth": "0.05", "dedup": {"ttl_s": 60, "keys": ["symbol", "direction"]}})
    tick(world.webhook)
    refused = world.post(SOL)
    assert (refused.status_code, refused.get_json()["field"]) == (400, "size")
    assert world.send(size="1/100")["duplicate"] is False
    assert world.send(size="2/100")["duplicate"] is True
    assert world.raw()[-1]["dedup"] == {"ttl_s": 60.0, "keys": ["symbol", "direction"]}
    world.clock.at += 100
    assert world.send(size="2/100")["duplicate"] is False


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("body", "field"), BAD.values(), ids=BAD)
def test_bad_alerts_are_refused_with_field_and_reason(world: World, body: bytes, field: str) -> None:
    response = world.post(body)
    assert response.status_code == 400
    answer = response.get_json()
    assert answer["status"] == "refused"
    assert answer["field"] == field
    assert answer["reason"]
    assert world.raw() == []
    (line,) = world.lines("rejected_signals")
    assert (line["field"], line["bytes"]) == (field, len(body))
    assert len(line["excerpt"]) <= 512


def test_sixteen_kib_and_no_more(world: World) -> None:
    def padded(size: int) -> bytes:
        empty = len(json.dumps({**SOL, "note": ""}))
        return json.dumps({**SOL, "note": "x" * (size - empty)}).encode()

    assert len(padded(16_384)) == 16_384
    assert world.post(padded(16_384)).status_code == 200
    response = world.post(padded(16_385))
    assert (response.status_code, response.get_json()["field"]) == (413, "body")
    assert world.post(padded(16_385), "/").status_code == 413
    assert len(world.raw()) == 1


class Endless:
    """A body without end, as a chunked request may have; counts what is read of it."""

    def __init__(self) -> None:
        self.read_bytes = 0

    def read(self, size: int = -1) -> bytes:
        assert 0 <= size <= 20_000, "a bounded read"
        self.read_bytes += size
        return b"x" * size


def test_an_endless_body_is_not_read_to_its_end(world: World) -> None:
    stream = Endless()
    environ = {"wsgi.input": stream, "wsgi.input_terminated": True, "REMOTE_ADDR": "127.0.0.1"}
    response = world.client.post(f"/webhook/{TOKEN}", environ_overrides=environ)
    assert response.status_code == 413
    assert stream.read_bytes <= 16_385


def test_an_incomplete_body_is_no_alert(world: World) -> None:
    response = world.post(SOL, environ_overrides={"CONTENT_LENGTH": "500"})
    assert (response.status_code, response.get_json()["reason"]) == (400, "is incomplete")


def test_symbols_are_limited(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("signal_endpoints.raw_log.MAX_SYMBOLS", 2)
    for symbol in ("AA", "BB"):
        world.send(symbol=symbol)
    response = world.post({**SOL, "symbol": "CC"})
    assert (response.status_code, response.get_json()["field"]) == (400, "symbol")
    assert world.send(symbol="AA", direction="flat")["duplicate"] is False


# --- storage ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, errno.EMFILE, errno.EDQUOT])
def test_a_failing_disk_is_503_until_it_works(world: World, error: int) -> None:
    kept = world.send()["event"]
    world.ops.error = error
    for _ in range(3):
        response = world.post({**SOL, "direction": "short"})
        assert response.status_code == 503
        assert "no luck" in response.get_json()["reason"]
    health = world.client.get("/health")
    assert (health.status_code, health.get_json()["status"]) == (503, "storage")
    world.ops.error = 0
    tick(world.webhook)
    assert world.client.get("/health").status_code == 200
    assert world.send(direction="flat")["duplicate"] is False
    assert world.raw()[0]["event"] == kept
    assert world.raw()[-1]["body"]["direction"] == "flat"


def test_a_full_disk_does_not_change_a_refusal(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: RealFileOps, path: Path, data: bytes) -> None:
        raise OSError(errno.ENOSPC, "full", str(path))

    monkeypatch.setattr(FailingOps, "append", full)
    assert world.post(b"{").status_code == 400
    assert world.post(SOL).status_code == 503


def test_tokens_that_cannot_be_read_are_503_not_404(world: World) -> None:
    (world.root / "credentials.json").write_text("{")
    fresh = World.__new__(World)
    fresh.__dict__.update(world.__dict__)
    tokens = Tokens(world.home, world.ops, world.clock, {}, lambda: "never")
    fresh.webhook = Webhook(
        world.clock, world.webhook.live, tokens, world.webhook.raw_log, world.webhook.standing, world.webhook.refusals
    )
    tokens.refresh()
    fresh.client = Client(create_app(fresh.webhook))
    assert fresh.post(SOL).status_code == 503
    assert fresh.client.get("/health").status_code == 503
    world.put("credentials.json", {"tradingview": {"webhook_tokens": [TOKEN]}})
    tokens.refresh()
    assert fresh.post(SOL).status_code == 200


def test_broken_housekeeping_ends_the_webhook(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Served on with what the files said today, it would look healthy for ever."""
    ends: list[int] = []
    monkeypatch.setattr("signal_endpoints.tradingview_endpoint.time.sleep", lambda _: None)
    monkeypatch.setattr("signal_endpoints.tradingview_endpoint.os._exit", ends.append)
    monkeypatch.setattr("signal_endpoints.tradingview_endpoint.logging.shutdown", lambda: None)
    monkeypatch.setattr(Tokens, "refresh", lambda _: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        keep_up(world.webhook)
    assert ends == [1]


def test_health(world: World) -> None:
    response = world.client.get("/health")
    assert (response.status_code, response.get_json()) == (200, {"status": "ok"})


# --- anything at all --------------------------------------------------------------------------------------------------


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=300) | st.text(max_size=100).map(str.encode), st.sampled_from([f"/webhook/{TOKEN}", "/"]))
def test_any_body_is_answered_4xx_and_not_stored(world: World, body: bytes, path: str) -> None:
    before = len(world.raw())
    assert 400 <= world.post(body, path).status_code < 500
    assert len(world.raw()) == before


def test_refusals_are_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("signal_endpoints.refusals.DAY_BYTES", 5000)
    for _ in range(3):
        for _ in range(40):
            assert world.post(b"x" * 16_000).status_code == 400
        world.clock.at += 86_400
    files = sorted((world.root / "rejected_signals" / "tradingview").glob("*.jsonl"))
    assert len(files) == 3
    assert all(0 < file.stat().st_size <= 5000 for file in files)
