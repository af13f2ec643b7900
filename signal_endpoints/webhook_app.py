"""The webhook as a Flask application: who may speak, what is said, whether it is on disk, what the answer is.

    POST /webhook/<token>    an alert
    POST /                   an alert with the token in its field `token`, which is taken out before anything is stored
    GET  /health             {"status":"ok"}, or 503 while nothing can be stored

A token never reaches Flask: an alert with one in its path is answered before, so that no log line of Flask can hold it,
and every other path that begins like that is cut. It also is the path that has to be fast: Flask's context and routing
would be a quarter of what an alert costs. The Host header is replaced, because nothing here depends on it.
"""

from __future__ import annotations

import ipaddress
import json
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Request

from core.ports import Clock
from core.supervisor import guarded
from signal_endpoints.live_files import LiveFiles, Network, Rules
from signal_endpoints.raw_log import NoRoom, RawLog, StorageFailed, Stored
from signal_endpoints.refusals import Refusals
from signal_endpoints.standing import Standing
from signal_endpoints.webhook_tokens import Tokens
from signal_processors.tradingview_alerts import (
    MAX_BODY_BYTES,
    Alert,
    Direction,
    Refusal,
    read_alert,
    read_body,
)
from signal_processors.tradingview_order import Outcome

PREFIX = "/webhook/"
BROWSER_HEADERS = ("Origin", "Sec-Fetch-Site")
MAX_UNPROVEN = 16
UNPROVEN_WAIT_S = 1.0

StartResponse = Callable[..., Any]
WsgiApp = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]


@dataclass(slots=True)
class Strangers:
    """How many requests had no valid token or came from a web page, since the last time somebody asked."""

    count: int = 0
    latest: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, client: str) -> None:
        with self.lock:
            self.count += 1
            self.latest = client

    def take(self) -> tuple[int, str]:
        with self.lock:
            found, self.count = (self.count, self.latest), 0
            return found


@dataclass(frozen=True, slots=True)
class Webhook:
    """What the application works with."""

    clock: Clock
    live: LiveFiles
    tokens: Tokens
    raw_log: RawLog
    standing: Standing
    refusals: Refusals
    strangers: Strangers = field(default_factory=Strangers)


def create_app(webhook: Webhook) -> WsgiApp:
    """The WSGI application."""
    app = Flask("tradingview-endpoint", static_folder=None)
    unproven = threading.BoundedSemaphore(MAX_UNPROVEN)

    @app.post("/webhook")
    def without_token() -> Response:
        return _by_path(webhook, request, None)

    @app.post("/")
    def by_field() -> Response:
        refused = _stranger(webhook, request)
        return _take(webhook, request, _read(request, unproven), prove=True) if refused is None else refused

    @app.get("/health")
    def health() -> Response:
        trouble = webhook.raw_log.trouble or (None if webhook.tokens.known else "credentials.json cannot be read")
        if trouble is not None:
            return _answer(503, {"status": "storage", "reason": trouble})
        return _answer(200, {"status": "ok"})

    @app.errorhandler(HTTPException)
    def refused(error: HTTPException) -> Response:
        return _answer(error.code or 500, {"status": "refused", "reason": error.name.lower()})

    inner = app.wsgi_app

    def answer(request: Request, given: str) -> Response:
        return guarded(lambda: _by_path(webhook, request, given), _failed, app.name)

    def outer(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        environ["HTTP_HOST"] = "localhost"
        if path.startswith(PREFIX):
            environ["PATH_INFO"] = PREFIX[:-1]
            if environ["REQUEST_METHOD"] == "POST":
                return answer(Request(environ), path[len(PREFIX) :])(environ, start_response)
        return inner(environ, start_response)

    return outer


def _by_path(webhook: Webhook, request: Request, given: str | None) -> Response:
    """The answer to an alert that has its token in its path."""
    refused = _stranger(webhook, request)
    if refused is None:
        refused = _without_token(webhook, request, given)
    return _take(webhook, request, _read(request, None)) if refused is None else refused


# --- who speaks -------------------------------------------------------------------------------------------------------


def client_address(remote: str, forwarded_for: str | None, trusted: tuple[Network, ...]) -> str:
    """The sender's address: that of the connection, unless it is a trusted proxy's, which then names the sender.

    Read from the right: what stands left of the last address that no trusted proxy added may be made up.
    """
    chain = [*(forwarded_for or "").split(","), remote] if forwarded_for else [remote]
    for hop in reversed([part.strip() for part in chain]):
        try:
            address = ipaddress.ip_address(hop)
        except ValueError:
            return remote
        if not any(address in network for network in trusted):
            return str(address)
    return remote


def _client(webhook: Webhook, request: Request) -> str:
    forwarded = request.headers.get("X-Forwarded-For")
    return client_address(request.remote_addr or "", forwarded, webhook.live.rules.trusted_proxies)


def _stranger(webhook: Webhook, request: Request) -> Response | None:
    """Refuses what a browser sends for a web page: the page could be anybody's, the browser is the trader's."""
    if not any(name in request.headers for name in BROWSER_HEADERS):
        return None
    webhook.strangers.add(_client(webhook, request))
    return _answer(403, {"status": "refused", "reason": "requests from web pages are not taken"})


def _without_token(webhook: Webhook, request: Request, given: object) -> Response | None:
    """Refuses a missing or wrong token. While none could ever be read nobody knows, and the sender may try again."""
    if isinstance(given, str) and webhook.tokens.matches(given):
        return None
    if not webhook.tokens.known:
        return _answer(503, {"status": "storage", "reason": "credentials.json cannot be read; send it again"})
    webhook.strangers.add(_client(webhook, request))
    return _answer(404, {"status": "refused", "reason": "there is nothing here"})


# --- what is said -----------------------------------------------------------------------------------------------------


def _read(request: Request, unproven: threading.BoundedSemaphore | None) -> bytes | Response:
    """The body, at most 16 KiB of it. Bodies of senders without a token so far are read only a few at a time."""
    length = request.content_length
    if length is not None and length > MAX_BODY_BYTES:
        return _too_large()
    if unproven is None:
        return _read_all(request, length)
    if not unproven.acquire(timeout=UNPROVEN_WAIT_S):
        return _answer(503, {"status": "busy", "reason": "too many requests without a token in the path"})
    try:
        return _read_all(request, length)
    finally:
        unproven.release()


def _read_all(request: Request, length: int | None) -> bytes | Response:
    stream, body = request.environ["wsgi.input"], b""
    while len(body) <= MAX_BODY_BYTES:
        chunk = stream.read(MAX_BODY_BYTES + 1 - len(body))
        if not chunk:
            break
        body += chunk
    if len(body) > MAX_BODY_BYTES:
        return _too_large()
    if length is not None and len(body) != length:
        return _answer(400, {"status": "refused", "field": "body", "reason": "is incomplete"})
    return body


def _too_large() -> Response:
    reason = f"is larger than {MAX_BODY_BYTES // 1024} KiB"
    return _answer(413, {"status": "refused", "field": "body", "reason": reason})


def _take(webhook: Webhook, request: Request, body: bytes | Response, *, prove: bool = False) -> Response:
    if isinstance(body, Response):
        return body
    found = read_body(body)
    token = None if isinstance(found, Refusal) else found.pop("token", None)
    if prove and (stranger := _without_token(webhook, request, token)) is not None:
        return stranger
    alert = found if isinstance(found, Refusal) else _alert(webhook, found)
    if isinstance(alert, Alert):
        return _store(webhook, request, alert, body)
    return _refuse(webhook, request, alert, body)


def _alert(webhook: Webhook, fields: dict[str, object]) -> Alert | Refusal:
    alert = read_alert(fields, webhook.live.rules.max_depth)
    if isinstance(alert, Refusal):
        return alert
    safe = webhook.tokens.without(alert.body.text)
    if safe == alert.body.text:
        return alert
    reread = read_body(safe.encode("ascii"))
    return reread if isinstance(reread, Refusal) else read_alert(reread, webhook.live.rules.max_depth)


def _refuse(webhook: Webhook, request: Request, refusal: Refusal, body: bytes) -> Response:
    webhook.refusals.add(webhook.clock.time(), _client(webhook, request), refusal, body)
    return _answer(400, {"status": "refused", "field": refusal.field, "reason": refusal.reason})


def _store(webhook: Webhook, request: Request, alert: Alert, body: bytes) -> Response:
    rules = webhook.live.rules
    try:
        stored = webhook.raw_log.submit(alert, rules.dedup)
    except StorageFailed as failed:
        return _answer(503, {"status": "storage", "reason": f"{failed}; send it again"})
    except NoRoom as error:
        return _refuse(webhook, request, Refusal("symbol", str(error)), body)
    return _answer(200, accepted(stored, rules, webhook.standing.needing_resync))


# --- what the answer is -----------------------------------------------------------------------------------------------


def accepted(stored: Stored, rules: Rules, needing_resync: Callable[[str], str | None]) -> Mapping[str, object]:
    """The answer to an alert that is durable. `needing_resync` as `Standing.needing_resync`."""
    in_force, because = _standing(stored, rules, needing_resync)
    return {
        "status": "accepted",
        "event": stored.record.event,
        "duplicate": stored.verdict.outcome is Outcome.REPEAT,
        "in_force": in_force,
        "because": because,
    }


def _standing(stored: Stored, rules: Rules, needing_resync: Callable[[str], str | None]) -> tuple[bool, str | None]:
    record, verdict = stored.record, stored.verdict
    symbol = record.alert.symbol
    if not verdict.in_force:
        return False, verdict.because
    mapped = rules.mapping.get(symbol)
    if mapped is None:
        why = rules.unmapped or "add one to asset_mapping_config.json; the alert takes effect then"
        return False, f"no mapping for {symbol}: {why}"
    if verdict.outcome is Outcome.REPEAT:
        return True, "; ".join(filter(None, (verdict.because, needing_resync(mapped))))
    age_s = record.received_at - record.effective_at
    limit_s = rules.entry_max_age_s
    if limit_s is not None and age_s > limit_s and record.alert.direction is not Direction.FLAT:
        return True, (
            f"its time lies {age_s:.0f} s back, more than entry_max_age_s {limit_s:.0f}: taken downward only; "
            f"`./run resync ACCOUNT {mapped}` takes it in full"
        )
    return True, None


def _failed(_: Exception) -> Response:
    return _answer(500, {"status": "refused", "reason": "internal server error"})


def _answer(status: int, content: Mapping[str, object]) -> Response:
    return Response(json.dumps(content), status, content_type="application/json")
