"""A home of its own beside a simulator process of its own: what every bench measures in."""

from __future__ import annotations

import http.client
import json
import secrets
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any

from bench.programs import LOOPBACK, BenchFailed, Program, free_ports
from config.credentials_file import Credentials, CredentialsFile
from config.home import Home
from core.domain import Document, Signal, SourceName
from core.state import RealFileOps, render_document, write_atomic, write_json
from execute_trades import Engine
from simulator.instruments import load_listings

TV = SourceName("tradingview")
MARGIN_SHARE = 0.8
"""Sum of all weights."""
LEVERAGE = 3
ANSWER_S = 10.0
SIMULATOR_PORTS = 6
WITHOUT_LIMITS = {"max_increase_orders_per_minute": 100_000, "max_notional_per_hour_x": 1_000_000}
"""What is measured is the engine, not the limits that keep it slow on purpose."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the webhook, with the wall-clock instants around it (epoch seconds)."""

    sent_at: float
    answered_at: float
    status: int
    body: Mapping[str, Any]


class Webhook:
    """The address of a home's endpoint and the token for it."""

    def __init__(self, port: int, token: str) -> None:
        self.port = port
        self.token = token

    @property
    def path(self) -> str:
        return f"/webhook/{self.token}"

    def post(self, alert: Mapping[str, object]) -> Answer:
        """Sends one alert over a connection of its own, as TradingView does."""
        data = json.dumps(alert).encode()
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=ANSWER_S)
        sent_at = time.time()
        try:
            connection.request("POST", self.path, data, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            body = answer.read()
            return Answer(sent_at, time.time(), answer.status, json.loads(body))
        finally:
            connection.close()


def webhook_home(home: Home, port: int) -> Webhook:
    """Prepares `home` for an endpoint on `port`: its address and a token, symbols as TradingView names them."""
    ops, token = RealFileOps(), secrets.token_hex(16)
    home.prepare()
    endpoint = {"tradingview_endpoint": {"host": LOOPBACK, "port": port}}
    write_json(ops, home.engine_config, WITHOUT_LIMITS | endpoint)
    write_json(ops, home.credentials, {"tradingview": {"webhook_tokens": [token]}, "accounts": []})
    return Webhook(port, token)


def endpoint_program(home: Home, folder: Path) -> Program:
    return Program(
        "tradingview-endpoint", ["signal_endpoints/tradingview_endpoint.py", "--home", str(home.root)], folder
    )


def processor_program(home: Home, folder: Path) -> Program:
    command = ["signal_processors/tradingview_processor.py", "--home", str(home.root)]
    return Program("tradingview-signals", command, folder)


def engine_program(home: Home, folder: Path) -> Program:
    return Program("trade-engine", ["execute_trades.py", "--home", str(home.root)], folder)


def tradable(venue: str) -> set[str]:
    """Symbols of a venue that settle in what its accounts hold: the currency of most of them."""
    listings = load_listings(venue)
    settle, _ = Counter(it.instrument.settle for it in listings).most_common(1)[0]
    return {str(it.symbol) for it in listings if it.instrument.settle == settle}


class BenchWorld:
    """The simulator and a home whose accounts trade on it. Use as a context manager."""

    def __init__(self, folder: Path, accounts: Mapping[str, int], symbols: int, rtt_ms: float) -> None:
        """`accounts`: how many on each venue; `symbols`: how many that all of the venues list."""
        self.folder = folder
        self.home = Home(folder / "home")
        self._venues = list(accounts)
        self._count = symbols
        self._ready = folder / "ready.jsonl"
        self._lines: list[dict[str, Any]] = []
        self._revision = 0
        self.symbols: list[str] = []
        counts = ",".join(f"{venue}={count}" for venue, count in accounts.items())
        command = ["-m", "simulator.server", "--quiet", "--port-base", str(free_ports(SIMULATOR_PORTS))]
        command += ["--accounts", counts, "--venues", ",".join(self._venues), "--rtt-ms", str(rtt_ms)]
        self.simulator = Program("venue-simulator", [*command, "--ready-file", str(self._ready)], folder)

    def __enter__(self) -> BenchWorld:
        self.simulator.start()
        self._lines = [json.loads(line) for line in self._ready.read_text().splitlines()]
        self._configure()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.simulator.stop()

    def _configure(self) -> None:
        ops, home = RealFileOps(), self.home
        home.prepare()
        everywhere = set.intersection(*(tradable(venue) for venue in self._venues))
        self.symbols = sorted(s for s in self.ledger()["prices"] if s in everywhere)[: self._count]
        if len(self.symbols) < self._count:
            raise BenchFailed(f"only {len(self.symbols)} symbols are listed at all of {', '.join(self._venues)}")
        weight = round(MARGIN_SHARE / self._count, 4)
        sources = [{"source": TV, "weight": weight}]
        entries = [{"symbol": s, "leverage": LEVERAGE, "sources": sources} for s in self.symbols]
        write_json(ops, home.signal_weights, entries)
        write_json(ops, home.asset_mapping, {TV: {s: s for s in self.symbols}})
        write_json(ops, home.engine_config, WITHOUT_LIMITS)
        write_json(ops, home.credentials, {"accounts": self._accounts()})

    def _accounts(self) -> list[dict[str, Any]]:
        """The simulated accounts as entries of credentials.json."""
        return [
            {"venue": line["venue"], "base_url": line["base_url"], "ws_url": line["ws_url"]}
            | {key: value for key, value in account.items() if key != "equity"}
            for line in self._lines
            for account in line["accounts"]
        ]

    def webhook(self) -> Webhook:
        """Gives the home an endpoint's address and a token as well."""
        webhook = webhook_home(self.home, free_ports(1))
        credentials = {"tradingview": {"webhook_tokens": [webhook.token]}, "accounts": self._accounts()}
        write_json(RealFileOps(), self.home.credentials, credentials)
        return webhook

    def credentials(self) -> Credentials:
        return CredentialsFile(self.home).load()

    def say(self, depth: str) -> None:
        """The source now says `depth` on every symbol."""
        self._revision += 1
        now = time.time()
        signals = {s: Signal(Decimal(depth), now) for s in self.symbols}
        data = render_document(Document(TV, self._revision, now, signals))
        write_atomic(RealFileOps(), self.home.document(TV), data)

    def requests(self) -> int:
        """Requests all venues have counted so far."""
        return sum(int(venue["requests"]["total"]) for venue in self.ledger()["venues"].values())

    def over_limit(self) -> int:
        return sum(int(venue["requests"]["over_limit"]) for venue in self.ledger()["venues"].values())

    def forget_shared(self, engine: Engine) -> None:
        """Makes the engine read public data of its venues again."""
        for shared in engine.shared:
            shared.forget("instruments")

    def ledger(self) -> dict[str, Any]:
        """What the venues booked, as the simulator tells it."""
        return self._ask("GET", "ledger")

    def admin(self, name: str, body: Mapping[str, object]) -> dict[str, Any]:
        """Arranges something at the simulator: `/_sim/<name>`. Raises BenchFailed where it refuses."""
        return self._ask("POST", name, json.dumps(body).encode())

    def _ask(self, method: str, name: str, data: bytes | None = None) -> dict[str, Any]:
        connection = http.client.HTTPConnection(self._lines[0]["admin_url"].removeprefix("http://"), timeout=ANSWER_S)
        try:
            connection.request(method, f"/_sim/{name}", data)
            answer = connection.getresponse()
            found: dict[str, Any] = json.load(answer)
        finally:
            connection.close()
        if answer.status != 200:
            raise BenchFailed(f"the simulator answers {answer.status} to {name}: {found}")
        return found
