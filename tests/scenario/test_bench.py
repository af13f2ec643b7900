"""The benches at a size that measures nothing: they run, say what they should, and leave nothing behind."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.request_marks import CHILDREN

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 100.0

pytestmark = pytest.mark.timeout(120)


def begin(folder: Path, *words: str) -> subprocess.Popen[str]:
    """A bench whose temporary folders are below `folder`."""
    command = [sys.executable, "-P", "-m", *words]
    path = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), str(ROOT)]))  # what watches for marks is there
    environment = {**os.environ, "TMPDIR": str(folder), "PYTHONPATH": path}
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=pipe, stderr=pipe, text=True)


def figures(folder: Path, *words: str) -> dict[str, Any]:
    with begin(folder, *words, "--json") as bench:
        out, err = bench.communicate(timeout=PATIENCE_S)
    assert bench.returncode == 0, err
    [line] = out.splitlines()
    found: dict[str, Any] = json.loads(line)
    assert nothing_left(folder)
    return found


def nothing_left(folder: Path) -> bool:
    """Whether no file is left, and no process that was started for one of them."""
    return not list(folder.iterdir()) and not processes(folder)


def processes(folder: Path) -> list[str]:
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(path.read_bytes().decode(errors="replace"))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return [line for line in lines if str(folder) in line]


def wait_until(condition: Callable[[], bool], what: str) -> None:
    end_s = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end_s, what
        time.sleep(0.05)


def test_alert(tmp_path: Path) -> None:
    found = figures(tmp_path, "bench.alert", "--alerts", "4", "--symbols", "2")
    assert found["n"] == 4
    for name in ("order_ms", "verified_ms", "answer_ms"):
        assert 0 < found[name]["p50"] <= found[name]["p99"]
    assert found["answer_ms"]["p50"] < found["verified_ms"]["p50"]
    assert found["order_ms"]["p50"] < found["verified_ms"]["p50"]
    assert set(found["stages_ms"]) == {"generation", "order_sent", "order_acked", "verified"}


def test_sn8(tmp_path: Path) -> None:
    words = ("--traders", "4", "--positions", "30", "--orders", "4", "--refreshes", "2")
    found = figures(tmp_path, "bench.sn8", *words)
    assert found["counted"] == found["traders"] == 4
    assert 0 < found["refresh_s"]["median"] <= found["refresh_s"]["max"]
    assert 0 < found["reply_mb"] < 1
    assert 20 < found["rss_mb"] < 400


def test_webhook(tmp_path: Path) -> None:
    found = figures(tmp_path, "bench.webhook", "--seconds", "1")
    assert found["lost"] == 0
    assert found["acknowledged"] > found["killed"]["acknowledged"] > 0
    assert found["killed"]["unanswered"] > 0
    for name in ("c1", "c32"):
        assert set(found[name]) == {"rps", "p50_ms", "p99_ms"}
        assert found[name]["rps"] > 0
        assert 0 < found[name]["p50_ms"] <= found[name]["p99_ms"]


def test_ingest(tmp_path: Path) -> None:
    found = figures(tmp_path, "bench.ingest", "--alerts", "100", "--measured", "10")
    assert found["n"] == 100
    for part in ("endpoint", "processor"):
        assert found[part]["ratio"] > 0
        for end in ("first", "last"):
            assert set(found[part][end]) == {"cpu_us", "wall_us"}
            assert found[part][end]["cpu_us"] > 0
    assert set(found["restart_ms"]) == {"with_cache", "without"}


def test_idle(tmp_path: Path) -> None:
    found = figures(tmp_path, "bench.idle", "--seconds", "0.5", "--symbols", "1")
    for name in ("tradingview-endpoint", "tradingview-signals", "trade-engine"):
        assert found[name]["cpu_percent"] >= 0
        assert found[name]["rss_mb"] > 10


@pytest.mark.slow
def test_reconcile(tmp_path: Path) -> None:
    found = figures(tmp_path, "bench.reconcile", "--symbols", "2", "--rtt-ms", "5")
    assert found["orders"] == 2
    assert set(found["ratio"]) == {"last_ack", "verified"}
    assert set(found["by_venue"]) == {"bybit"}
    assert found["by_venue"]["bybit"]["bound"]["by"] == "round trips"
    assert found["over_limit"] == 0


def test_what_a_bench_sends_is_looked_at_for_marks(tmp_path: Path) -> None:
    with begin(tmp_path, "site") as bench:
        assert str(CHILDREN) in bench.communicate(timeout=PATIENCE_S)[0]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_interrupted_it_leaves_nothing_behind(tmp_path: Path, number: int) -> None:
    with begin(tmp_path, "bench.alert") as bench:
        assert bench.stderr is not None
        said = next(line for line in bench.stderr if re.search(r"\d+ of \d+", line))
        assert said.startswith("alert: ")
        assert len(processes(tmp_path)) >= 4
        bench.send_signal(number)
        bench.wait(30)
    if number == signal.SIGKILL:
        wait_until(lambda: not processes(tmp_path), "its programs noticed that it is gone")
    else:
        assert bench.returncode == 130
        assert nothing_left(tmp_path)


@pytest.mark.parametrize("name", ["alert", "webhook", "ingest", "idle", "reconcile", "load"])
def test_help_teaches(tmp_path: Path, name: str) -> None:
    with begin(tmp_path, f"bench.{name}", "--help") as bench:
        out, err = bench.communicate(timeout=PATIENCE_S)
    assert bench.returncode == 0, err
    assert len(out.splitlines()) > 5
    if name != "load":
        assert f"./run bench {name}" in out


@pytest.mark.parametrize("words", [("--alerts", "10", "--measured", "6"), ("--alerts", "many"), ("--measured", "0")])
def test_impossible_sizes_are_refused(tmp_path: Path, words: tuple[str, ...]) -> None:
    with begin(tmp_path, "bench.ingest", *words) as bench:
        _, err = bench.communicate(timeout=PATIENCE_S)
    assert bench.returncode == 2
    assert "usage" in err
