"""Who may speak to the webhook, and that no token is written anywhere."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from signal_endpoints.tradingview_endpoint import tick
from signal_endpoints.webhook_app import client_address
from tests.unit.tradingview.webhook_world import SECOND, SOL, TOKEN, World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


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
@pytest.mark.parametrize(
    "headers", [{}, {"X-Forwarded-For": "127.0.0.1"}, {"Host": "\xff<>"}, {"Authorization": TOKEN}]
)
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


@pytest.mark.parametrize(
    "host", ["", "a b", "exa mple.org:99999", "[::1", "\xe4", "x" * 5000, "a,b", "http://x/", "..", "-"]
)
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
