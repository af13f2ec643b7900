"""The webhook's answers: to good alerts, to every kind of bad one, to strangers, and while the disk fails."""

from __future__ import annotations

import errno
import itertools
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.test import Client, TestResponse

from config.home import Home
from core.state import RealFileOps, format_instant
from signal_endpoints.live_files import LiveFiles
from signal_endpoints.raw_log import RawLog
from signal_endpoints.refusals import Refusals
from signal_endpoints.standing import Standing
from signal_endpoints.tradingview_endpoint import tick
from signal_endpoints.webhook_app import Webhook, client_address, create_app
from signal_endpoints.webhook_tokens import Tokens
from signal_processors.tradingview_raw import read_range
from tests.unit.tradingview.records import T0
from tests.unit.tradingview.test_alerts import BAD

TOKEN, SECOND = "0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"
SOL = {"symbol": "SOLUSDT", "direction": "long", "size": "10/100"}


@dataclass
class Clock:
    at: float = T0

    def time(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at


class FailingOps(RealFileOps):
    """The disk, whose raw log can be made to fail."""

    error: int = 0

    def append(self, path: Path, data: bytes) -> None:
        if self.error and "raw_signals" in str(path):
            RealFileOps.append(self, path, data[: len(data) // 2])
            raise OSError(self.error, "no luck", str(path))
        RealFileOps.append(self, path, data)


@dataclass
class World:
    root: Path
    ops: FailingOps = field(default_factory=FailingOps)
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.home = Home(self.root)
        self.home.prepare()
        self.put("credentials.json", {"bybit": {"x": 1}, "tradingview": {"webhook_tokens": [TOKEN, SECOND]}})
        self.put("asset_mapping_config.json", {"tradingview": {"SOLUSDT": "SOLUSDT", "ETHUSD": "ETHUSDT"}})
        numbers = itertools.count(1)
        tokens = Tokens(self.home, self.ops, self.clock, {}, lambda: "made-" + "0" * 27)
        self.webhook = Webhook(
            clock=self.clock,
            live=LiveFiles(self.home, self.ops, self.clock, {}),
            tokens=tokens,
            raw_log=RawLog(
                self.home.raw_signals("tradingview"),
                self.root / "state" / "cache.json",
                self.ops,
                self.clock,
                lambda: f"id-{next(numbers)}",
                read_range,
            ),
            standing=Standing(self.home.statuses, self.ops, self.clock),
            refusals=Refusals(self.home.rejected_signals("tradingview"), self.ops, tokens.without),
        )
        tick(self.webhook)
        self.client = Client(create_app(self.webhook))

    def put(self, name: str, value: object) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(value))
        path.chmod(0o600)

    def post(self, body: object, path: str = f"/webhook/{TOKEN}", **more: Any) -> TestResponse:
        self.clock.at += 1
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.client.post(path, data=data, **more)

    def send(self, **changes: object) -> dict[str, Any]:
        response = self.post({**SOL, **changes})
        assert response.status_code == 200, response.text
        found: dict[str, Any] = response.get_json()
        return found

    def raw(self) -> list[dict[str, Any]]:
        return self.lines("raw_signals")

    def lines(self, folder: str) -> list[dict[str, Any]]:
        files = sorted((self.root / folder / "tradingview").glob("*.jsonl"))
        return [json.loads(line) for file in files for line in file.read_bytes().splitlines()]

    def everything_written(self) -> str:
        files = [path for path in self.root.rglob("*") if path.is_file() and path.name != "credentials.json"]
        return "\n".join(path.read_text(errors="replace") for path in files)


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
def test_a_broken_mapping_leaves_the_last_good_one(
    world: World, broken: str, caplog: pytest.LogCaptureFixture
) -> None:
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


# --- who may speak ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/webhook/",
        "/webhook/wrong",
        f"/webhook/{TOKEN[:-1]}",
        f"/webhook/{TOKEN}0",
        f"/webhook/{TOKEN}/",
        f"/webhook/{TOKEN}%00",
        f"/webhook/{TOKEN.upper()}",
        f"/webhook//{TOKEN}",
        f"/{TOKEN}",
        "/webhook",
        f"/webhook?token={TOKEN}",
        "/webhook/%F0%9F%92%A9",
        "/webhook/%ff%fe",
    ],
)
@pytest.mark.parametrize("headers", [{}, {"X-Forwarded-For": "127.0.0.1"}, {"Host": "\xff<>"}, {"Authorization": TOKEN}])
def test_no_alert_without_a_token(world: World, path: str, headers: dict[str, str]) -> None:
    response = world.post(SOL, path, headers=headers)
    assert response.status_code == 404
    assert world.raw() == []
    assert world.lines("rejected_signals") == []


@pytest.mark.parametrize(
    "body",
    [SOL, {**SOL, "token": "wrong"}, {**SOL, "token": None}, {**SOL, "token": [TOKEN]}, {**SOL, "token": 5}, b"{", b""],
)
def test_no_alert_without_a_token_in_the_body(world: World, body: object) -> None:
    assert world.post(body, "/").status_code == 404
    assert world.raw() == []
    assert world.lines("rejected_signals") == []


def test_both_tokens_are_valid_and_both_ways(world: World) -> None:
    assert world.post(SOL, f"/webhook/{SECOND}").status_code == 200
    assert world.post({**SOL, "token": TOKEN}, "/").status_code == 200
    assert world.raw()[1]["body"] == SOL


def test_tokens_are_read_live(world: World) -> None:
    world.put("credentials.json", {"tradingview": {"webhook_tokens": [SECOND, "third-token"]}})
    tick(world.webhook)
    assert world.post(SOL).status_code == 404
    assert world.post(SOL, "/webhook/third-token").status_code == 200


@pytest.mark.parametrize("name", ["Origin", "Sec-Fetch-Site"])
@pytest.mark.parametrize("path", [f"/webhook/{TOKEN}", "/"])
@pytest.mark.parametrize("value", ["https://example.org", "null", "none", ""])
def test_web_pages_are_refused(world: World, name: str, path: str, value: str) -> None:
    assert world.post({**SOL, "token": TOKEN}, path, headers={name: value}).status_code == 403
    assert world.raw() == []


@pytest.mark.parametrize("host", ["", "a b", "exa mple.org:99999", "[::1", "\xe4", "x" * 5000, "a,b", "http://x/", "..", "-"])
def test_a_malformed_host_is_harmless(world: World, host: str) -> None:
    assert world.post(SOL, headers={"Host": host}).status_code == 200
    assert world.post(SOL, "/webhook/wrong", headers={"Host": host}).status_code == 404


@pytest.mark.parametrize(
    ("remote", "forwarded", "trusted", "client"),
    [
        ("10.0.0.9", None, [], "10.0.0.9"),
        ("10.0.0.9", "52.89.214.238", [], "10.0.0.9"),
        ("10.0.0.9", "52.89.214.238", ["10.0.0.0/8"], "52.89.214.238"),
        ("10.0.0.9", "1.1.1.1, 52.89.214.238", ["10.0.0.0/8"], "52.89.214.238"),
        ("10.0.0.9", "52.89.214.238, 10.0.0.1", ["10.0.0.0/8"], "52.89.214.238"),
        ("10.0.0.9", "10.0.0.1", ["10.0.0.0/8"], "10.0.0.9"),
        ("10.0.0.9", "nonsense", ["10.0.0.0/8"], "10.0.0.9"),
        ("10.0.0.9", "", ["10.0.0.0/8"], "10.0.0.9"),
        ("::1", "52.89.214.238", ["::1/128"], "52.89.214.238"),
        ("", "52.89.214.238", ["10.0.0.0/8"], ""),
    ],
)
def test_forwarded_headers_count_from_trusted_proxies_only(
    world: World, remote: str, forwarded: str | None, trusted: list[str], client: str
) -> None:
    world.put("engine_config.json", {"tradingview_endpoint": {"trusted_proxies": trusted}})
    tick(world.webhook)
    assert client_address(remote, forwarded, world.webhook.live.rules.trusted_proxies) == client


def test_strangers_are_counted_by_their_address(world: World) -> None:
    headers = {"X-Forwarded-For": "6.6.6.6"}
    for path in ("/webhook/x", "/"):
        world.post(SOL, path, headers=headers, environ_overrides={"REMOTE_ADDR": "9.9.9.9"})
    assert world.webhook.strangers.take() == (2, "9.9.9.9")
    assert world.webhook.strangers.take()[0] == 0


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "PATCH", "HEAD"])
@pytest.mark.parametrize("path", [f"/webhook/{TOKEN}", "/"])
def test_only_posts_are_taken(world: World, method: str, path: str) -> None:
    response = world.client.open(path, method=method, data=json.dumps({**SOL, "token": TOKEN}))
    assert response.status_code in (200, 405)
    assert world.raw() == []


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


# --- secrets ----------------------------------------------------------------------------------------------------------


def leaking_bodies() -> Iterator[object]:
    yield {**SOL, "token": TOKEN}
    yield {**SOL, "token": TOKEN, "size": "bad"}
    yield {**SOL, "comment": f"sent to https://example.org/webhook/{TOKEN}"}
    yield {**SOL, TOKEN: 1}
    yield {**SOL, "nested": [{"a": TOKEN + SECOND}]}
    yield {**SOL, "symbol": TOKEN}
    yield {**SOL, "direction": f"x{SECOND}"}
    yield TOKEN.encode()
    yield b'{"token":"' + TOKEN.encode() + b'", broken'
    yield {**SOL, "token": "a-token-that-is-none"}


@pytest.mark.parametrize("body", [*leaking_bodies()], ids=str)
@pytest.mark.parametrize("path", [f"/webhook/{TOKEN}", "/", f"/webhook/{SECOND}/x", f"/nowhere/{TOKEN}"])
def test_tokens_are_stored_and_logged_nowhere(
    world: World, body: object, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    world.post(body, path)
    for text in (world.everything_written(), caplog.text):
        assert TOKEN not in text
        assert SECOND not in text
        assert "a-token-that-is-none" not in text


def test_an_unexpected_error_shows_no_token(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("signal_endpoints.webhook_app.read_alert", fail)
    assert world.post(SOL).status_code == 500
    assert "ZeroDivisionError" in caplog.text
    assert TOKEN not in caplog.text


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
    monkeypatch.setattr("signal_endpoints.refusals.DAYS_KEPT", 3)
    for _ in range(6):
        for _ in range(40):
            assert world.post(b"x" * 16_000).status_code == 400
        world.clock.at += 86_400
    files = sorted((world.root / "rejected_signals" / "tradingview").glob("*.jsonl"))
    assert len(files) == 3
    assert all(0 < file.stat().st_size <= 5000 for file in files)
