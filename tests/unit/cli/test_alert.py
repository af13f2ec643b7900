"""`./run alert`: the body TradingView would send, and the endpoint's answer in words."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from cli import main as front
from cli.alert import alert_body, in_words
from cli.errors import UserError
from cli.parser import build_parser
from config.home import Home
from signal_processors.tradingview_alerts import Alert, read_alert
from tests.unit.cli.files import TOKEN, write_configuration, write_credentials

NOW = 1_763_629_964.123
TIME = "2025-11-20T09:12:44.123Z"


@dataclass
class Webhook:
    """A loopback server that keeps what it was sent and gives the answer it was told."""

    port: int = 0
    status: int = 200
    answer: dict[str, Any] = field(default_factory=dict)
    got: list[tuple[str, dict[str, Any]]] = field(default_factory=list)


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    it = Webhook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            it.got.append((self.path, json.loads(body)))
            self.send_response(it.status)
            self.end_headers()
            self.wfile.write(json.dumps(it.answer).encode())

        def log_message(self, *args: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        it.port = server.server_port
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield it
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("words", "body"),
    [
        (["long", "14.08/100"], {"direction": "long", "action": "buy", "size": "14.08/100"}),
        (["short", "0.25"], {"direction": "short", "action": "sell", "depth": "0.25"}),
        (["flat"], {"direction": "flat", "action": "sell", "size": "Exit"}),
        (["flat", "5/100"], {"direction": "flat", "action": "sell", "size": "Exit"}),
        (
            ["long", "1/2", "--leverage", "3", "--price", "50000"],
            {"direction": "long", "action": "buy", "size": "1/2", "leverage": "3", "price": "50000"},
        ),
    ],
)
def test_body(words: list[str], body: dict[str, str]) -> None:
    args = build_parser().parse_args(["alert", "BTCUSDT", *words])
    sent = alert_body(args, NOW)
    assert sent == {"symbol": "BTCUSDT", "time": TIME} | body
    assert isinstance(read_alert(sent), Alert), "the endpoint's own reader takes it"


def test_an_entry_needs_a_size() -> None:
    with pytest.raises(UserError, match=r"14\.08/100"):
        alert_body(build_parser().parse_args(["alert", "BTCUSDT", "long"]), NOW)


@pytest.mark.parametrize(
    ("status", "answer", "words"),
    [
        (200, {"event": "e1", "duplicate": False, "in_force": True, "because": None}, "in force"),
        (200, {"event": "e1", "duplicate": True, "in_force": True, "because": None}, "nothing changes"),
        (200, {"event": "e1", "in_force": False, "because": "no mapping for TAOUSD"}, "no mapping for TAOUSD"),
        (400, {"field": "size", "reason": "is not a number"}, "size: is not a number"),
        (404, None, "does not know the token"),
        (503, {"reason": "no space left"}, "no space left"),
        (500, None, "500"),
    ],
)
def test_answer_in_words(home: Home, status: int, answer: dict[str, Any] | None, words: str) -> None:
    assert words in in_words(status, answer, home)


@pytest.mark.parametrize(("status", "code"), [(200, 0), (400, 1), (503, 1)])
def test_alert_goes_to_the_homes_webhook_with_its_token(
    home: Home, webhook: Webhook, capsys: pytest.CaptureFixture[str], status: int, code: int
) -> None:
    write_credentials(home)
    write_configuration(home, tradingview_endpoint={"port": webhook.port})
    webhook.status, webhook.answer = status, {"event": "e1", "in_force": True}
    assert front.main(["alert", "BTCUSDT", "long", "5/100"]) == code
    [(path, body)] = webhook.got
    assert path == f"/webhook/{TOKEN}"
    assert body["symbol"] == "BTCUSDT"
    said = capsys.readouterr()
    assert said.out.startswith("LIVE")
    assert TOKEN not in said.out + said.err


def test_silent_webhook_is_said(home: Home, webhook: Webhook, capsys: pytest.CaptureFixture[str]) -> None:
    write_credentials(home)
    write_configuration(home, tradingview_endpoint={"port": 1})
    assert front.main(["alert", "BTCUSDT", "flat"]) == 1
    said = capsys.readouterr().err
    assert "was not taken" in said
    assert "./run up" in said


def test_webhook_url(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    write_credentials(home)
    write_configuration(home, tradingview_endpoint={"host": "0.0.0.0", "port": 8123})
    assert front.main(["webhook-url"]) == 0
    assert capsys.readouterr().out == f"http://127.0.0.1:8123/webhook/{TOKEN}\n"


def test_webhook_url_before_there_is_a_token(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    assert front.main(["webhook-url"]) == 1
    assert "no webhook token yet" in capsys.readouterr().err
