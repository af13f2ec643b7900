"""From an alert over HTTP to the document, with the real programs: what is posted, killed and replayed."""

from __future__ import annotations

import json
import random
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest

from core.domain import Document
from signal_processors.tradingview_raw import Damage, decode_record
from tests.scenario.tradingview_house import House, house, kill, until, worker_of


@pytest.fixture
def home(tmp_path: Path) -> Iterator[House]:
    with house(tmp_path / "home") as one:
        yield one


def sol(direction: str, size: str = "10/100", **more: str) -> dict[str, str]:
    return {"symbol": "BYBIT:SOLUSDT.P", "direction": direction, "action": "buy", "size": size, **more}


def opinion(document: Document) -> Document:
    return replace(document, revision=0, written_at=0.0)


def replayed(home: House, root: Path) -> Document:
    """What the raw log alone amounts to, in a home that has nothing else."""
    fresh = House(root)
    shutil.copytree(home.root / "raw_signals", root / "raw_signals")
    fresh.once()
    return fresh.document()


def test_alerts_become_the_document(home: House) -> None:
    home.processor()
    assert home.document().signals == {}
    home.endpoint()
    steps = [
        (sol("long", "14.08/100", leverage="3", price="152.3"), "0.1408", False),
        (sol("long", "20/100"), "0.2", False),
        (sol("long", "20/100"), "0.2", True),
        (sol("short", "20/100"), "-0.2", False),
        ({"symbol": "SOLUSDT", "direction": "flat", "size": "Exit @ 3263.55", "price": "n/a"}, "0", False),
    ]
    for alert, depth, is_repeat in steps:
        before = home.document()
        status, answer = home.post(alert)
        assert (status, answer["duplicate"], answer["in_force"]) == (200, is_repeat, True)
        until(lambda depth=depth: home.depths() == {"SOLUSDT": depth})  # type: ignore[misc]  # bound on purpose
        if not is_repeat:
            signal = home.document().signals["SOLUSDT"]
            assert signal.meta["event"] == answer["event"]
            assert home.document().revision == before.revision + 1
    assert len(home.raw()) == 5
    until(lambda: json.loads((home.root / "signals/tradingview.heartbeat").read_text())["revision"] == 5)
    took = (home.root / "deduplicated_signals/tradingview" / home.raw_files()[0].name).read_text().splitlines()
    assert [json.loads(line)["depth"] for line in took] == ["0.1408", "0.2", "-0.2", "0"]


def test_a_first_start_makes_its_token_and_says_so(home: House) -> None:
    (home.root / "credentials.json").unlink()
    home.endpoint()
    credentials = home.root / "credentials.json"
    (token,) = json.loads(credentials.read_text())["tradingview"]["webhook_tokens"]
    assert len(bytes.fromhex(token)) == 16
    assert credentials.stat().st_mode & 0o777 == 0o600
    assert home.ask("POST", f"/webhook/{token}", json.dumps(sol("long")).encode())[0] == 200
    assert home.post(sol("flat"))[0] == 404
    log = home.log("tradingview_endpoint.py")
    assert "webhook-url" in log
    assert token not in log
    for folder in ("state", "raw_signals", "signals", "raw_signals/tradingview"):
        assert (home.root / folder).stat().st_mode & 0o777 == 0o700
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in home.raw_files())


class Flood:
    """Posts from several threads until it is told to stop; remembers every event that was answered 200."""

    def __init__(self, home: House, threads: int = 8) -> None:
        self._home = home
        self._stop = threading.Event()
        self.accepted: dict[str, dict[str, Any]] = {}
        self.others: list[int] = []
        self._threads = [threading.Thread(target=self._post, args=(number,)) for number in range(threads)]

    def _post(self, number: int) -> None:
        count = 0
        while not self._stop.is_set():
            count += 1
            alert = {"symbol": f"S{number}USDT", "direction": "long", "size": f"{count % 90 + 1}.{count}/100"}
            for _ in range(2):  # each twice, as a sender does that did not hear the answer
                try:
                    status, answer = self._home.post(alert)
                except (OSError, ValueError, HTTPException):  # killed in mid-answer: nothing was acknowledged
                    continue
                if status == 200:
                    self.accepted[answer["event"]] = alert
                else:
                    self.others.append(status)

    def __enter__(self) -> Flood:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)

    def until(self, count: int) -> None:
        until(lambda: len(self.accepted) >= count)


@pytest.mark.parametrize("victim", ["main", "worker", "both"])
def test_every_answer_200_is_on_disk_when_the_endpoint_is_killed(home: House, tmp_path: Path, victim: str) -> None:
    endpoint = home.endpoint()
    with Flood(home) as flood:
        for round_ in range(3):
            flood.until(150 * (round_ + 1))
            worker = worker_of(endpoint)
            if victim in ("main", "both"):
                endpoint.kill()
            if victim in ("worker", "both"):
                worker.kill()
            until(lambda worker=worker: not worker.is_running() or worker.status() == "zombie")  # type: ignore[misc]  # bound
            endpoint.wait(10)
            endpoint = home.endpoint()
    stored = {line["event"]: line["body"] for line in home.raw()}
    assert len(flood.accepted) >= 450
    assert flood.accepted.items() <= stored.items()
    assert set(flood.others) <= {503}
    damaged = [
        line
        for path in home.raw_files()
        for line in path.read_bytes().splitlines()
        if isinstance(decode_record(line, "x"), Damage)
    ]
    assert damaged == []
    home.once()
    assert opinion(home.document()) == opinion(replayed(home, tmp_path / "fresh"))


def test_a_processor_killed_at_any_moment_ends_at_the_same_document(home: House, tmp_path: Path) -> None:
    home.endpoint()
    moments = random.Random(4)
    with Flood(home, threads=3) as flood:
        for _ in range(6):
            processor = home.processor()
            seen = len(flood.accepted)
            flood.until(seen + moments.randint(5, 60))
            kill(processor)
    home.processor()
    expected = opinion(replayed(home, tmp_path / "fresh"))
    until(lambda: opinion(home.document()) == expected)
    assert len(expected.signals) == 3


def test_the_same_document_without_any_cache(home: House) -> None:
    home.endpoint()
    processor = home.processor()
    for number in range(40):
        home.post({"symbol": f"S{number % 7}USDT", "direction": ("long", "short", "flat")[number % 3], "size": "1/4"})
    until(lambda: len(home.depths()) == 7)
    processor.terminate()
    assert processor.wait(15) == 0
    with_caches = home.document()
    assert (home.root / "state/cache/tradingview.json").exists()
    for name in ("state/cache", "signals", "deduplicated_signals"):
        shutil.rmtree(home.root / name)
    home.once()
    assert opinion(home.document()) == opinion(with_caches)
    assert opinion(home.document()).signals.keys() == {f"S{n}USDT" for n in range(7)}


def test_a_mapping_edited_while_it_runs_counts_at_once(home: House) -> None:
    home.endpoint()
    assert home.post({**sol("long"), "symbol": "TAOUSD"})[1]["because"].startswith("no mapping for TAOUSD")
    home.put("asset_mapping_config.json", {"tradingview": {"TAOUSD": "TAOUSDT"}})
    until(lambda: home.post({**sol("long"), "symbol": "TAOUSD"})[1]["in_force"])
