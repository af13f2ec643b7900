"""The webhook as a server: what arrives on the wire, a disk that fails under it, and how it starts and ends."""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from config.home import CHECKOUT
from tests.scenario.tradingview_house import ENDPOINT, PROCESSOR, TOKEN, House, free_port, house, until, worker_of

SOL = json.dumps({"symbol": "SOLUSDT", "direction": "long", "size": "10/100"}).encode()


@pytest.fixture
def home(tmp_path: Path) -> Iterator[House]:
    with house(tmp_path / "home") as one:
        yield one


# --- on the wire ------------------------------------------------------------------------------------------------------


def request(body: bytes = SOL, path: str = f"/webhook/{TOKEN}", version: str = "1.1", **headers: str) -> bytes:
    given = {"Host": "localhost", "Content-Length": str(len(body)), "Connection": "close"}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in given.items())
    return f"POST {path} HTTP/{version}\r\n{lines}\r\n".encode("latin-1") + body


def chunked(chunks: int, size: int, end: bool = True) -> bytes:
    head = f"POST /webhook/{TOKEN} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    body = (f"{size:x}\r\n".encode() + b"x" * size + b"\r\n") * chunks
    return head.encode() + body + (b"0\r\n\r\n" if end else b"")


REFUSED = {
    "no token": (request(path="/webhook/x"), (404,)),
    "no path": (request(path="/"), (404,)),
    "a spoofed forwarder": (request(path="/webhook/x", X_Forwarded_For="127.0.0.1", Forwarded="for=127.0.0.1"), (404,)),
    "a web page": (request(Origin="https://example.org"), (403,)),
    "a web page of this machine": (request(Sec_Fetch_Site="same-origin", Origin="http://127.0.0.1"), (403,)),
    "no JSON": (request(b"SOLUSDT long"), (400,)),
    "a body too large": (request(b"x" * 16_385), (413,)),
    "a body said to be huge": (request(b"x", Content_Length="99999999999"), (413,)),
    "a chunked body too large": (chunked(20, 1000), (413,)),
    "a chunked body without end": (chunked(2000, 1000, end=False), (413,)),
    "a length that is none": (request(Content_Length="many"), (400,)),
    "a negative length": (request(Content_Length="-1"), (400,)),
    "a path that leads away": (request(path=f"/webhook/../../etc/{TOKEN}"), (404,)),
    "half a request line": (b"POST\r\n\r\n", (400,)),
    "no HTTP": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200) + b"\r\n\r\n", (400,)),
    "endless headers": (b"GET /health HTTP/1.1\r\n" + b"X: y\r\n" * 30_000, (400, 431)),
}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One endpoint for all that leaves no trace in it."""
    with house(tmp_path_factory.mktemp("running") / "home") as one:
        one.endpoint()
        yield one


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


@pytest.mark.parametrize(("data", "statuses"), REFUSED.values(), ids=REFUSED)
def test_refused(running: House, data: bytes, statuses: tuple[int, ...]) -> None:
    answer = running.say(data)
    # A server that stops reading may reset the connection before its answer is read: refused all the same.
    assert not answer or status_of(answer) in statuses, answer
    assert running.healthy()
    assert running.raw() == []


@pytest.mark.parametrize(
    "host", ["", "a b", "[::1", "x" * 3000, "\xe4\xf6", "evil.example:99999", "localhost\x00", "a, b", "%00"]
)
def test_a_malformed_host_is_harmless(running: House, host: str) -> None:
    for path, statuses in (("/webhook/x", (404, 400)), ("/", (404, 400))):
        answer = running.say(request(path=path, Host=host))
        assert status_of(answer) in statuses
    assert running.healthy()
    assert running.raw() == []


def test_old_and_plain_http_is_understood(home: House) -> None:
    home.endpoint()
    chunks = chunked(0, 1, end=False) + f"{len(SOL):x}\r\n".encode() + SOL + b"\r\n0\r\n\r\n"
    for data in (request(version="1.0"), request(Content_Type="text/plain; charset=utf-8"), chunks):
        assert status_of(home.say(data)) == 200
    assert [line["body"] for line in home.raw()] == [json.loads(SOL)] * 3


def test_memory_stays_bounded_under_large_bodies(running: House) -> None:
    (endpoint,) = running.started
    worker = worker_of(endpoint)
    for _ in range(3):
        running.say(chunked(200, 1000))
    before = worker.memory_info().rss
    for _ in range(20):
        running.say(chunked(4000, 1000))
        running.say(request(b"x" * 4_000_000))
    assert worker.memory_info().rss - before < 16 * 2**20
    assert running.raw() == []


def test_slow_senders_do_not_hold_up_the_others(home: House) -> None:
    home.endpoint()
    slow = [socket.create_connection(("127.0.0.1", home.port)) for _ in range(40)]
    for number, connection in enumerate(slow):
        path = f"/webhook/{'x' * 32}" if number % 2 else "/"
        connection.sendall(request(SOL, path)[: -len(SOL)])  # the body never comes
    assert home.ask("POST", f"/webhook/{TOKEN}", SOL)[0] == 200
    for connection in slow:
        connection.close()


# --- the disk ---------------------------------------------------------------------------------------------------------


def test_a_full_disk_is_503_and_recovers_by_itself(home: House) -> None:
    """As far as a process can tell, a file that may not grow is a disk that is full."""
    worker = worker_of(home.endpoint())
    kept = home.ask("POST", f"/webhook/{TOKEN}", SOL)[1]["event"]
    unlimited = worker.rlimit(psutil.RLIMIT_FSIZE)
    worker.rlimit(psutil.RLIMIT_FSIZE, (home.raw_files()[0].stat().st_size + 60, resource.RLIM_INFINITY))
    for number in range(5):
        status, answer = home.post({"symbol": "SOLUSDT", "direction": "short", "size": f"{number + 1}/100"})
        assert (status, answer["status"]) == (503, "storage")
        assert "File too large" in answer["reason"]
    assert home.ask("GET", "/health")[0] == 503
    assert home.ask("POST", f"/webhook/{TOKEN}", b"{")[0] == 400
    worker.rlimit(psutil.RLIMIT_FSIZE, unlimited)
    status, answer = home.post({"symbol": "SOLUSDT", "direction": "flat"})
    assert (status, answer["in_force"]) == (200, True)
    assert home.healthy()
    assert [line["event"] for line in home.raw()] == [kept, answer["event"]]


def test_a_small_disk_that_fills_up(tmp_path: Path) -> None:
    """A real ENOSPC, where this test may mount a disk of its own."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(disk)], check=False).returncode:
        pytest.skip("no right to mount")
    try:
        with house(disk / "home") as home:
            home.endpoint()
            accepted, answers = [], []
            note = "x" * 8000
            for number in range(60):
                alert = {"symbol": "S1USDT", "direction": "long", "size": f"{number + 1}/100", "note": note}
                status, answer = home.post(alert)
                answers.append(status)
                if status == 200:
                    accepted.append(answer["event"])
            assert set(answers) == {200, 503}
            assert accepted == [line["event"] for line in home.raw()]
            (disk / "home" / "tradingview_endpoint.log").write_text("")
            for path in (disk / "home" / "rejected_signals").rglob("*.jsonl"):
                path.unlink()
            subprocess.run(["mount", "-o", "remount,size=4m", str(disk)], check=True)
            assert home.post({"symbol": "S1USDT", "direction": "flat"})[0] == 200
            assert home.healthy()
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


# --- starting and ending ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_when_told_to(home: House, number: int) -> None:
    endpoint = home.endpoint()
    worker = worker_of(endpoint)
    idle = socket.create_connection(("127.0.0.1", home.port))
    endpoint.send_signal(number)
    assert endpoint.wait(15) == 0
    until(lambda: not worker.is_running())
    idle.close()


def test_a_port_in_use_is_refused(home: House, tmp_path: Path) -> None:
    home.endpoint()
    with house(tmp_path / "other") as other:
        second = other.start(ENDPOINT, "--port", str(home.port))
        assert second.wait(20) == 1
        assert "in use" in other.log(ENDPOINT)
    assert home.healthy()


def test_a_second_endpoint_of_one_home_ends(home: House) -> None:
    home.endpoint()
    second = home.start(ENDPOINT, "--port", str(free_port()))
    assert second.wait(30) == 1
    assert "two cannot write one log" in home.log(ENDPOINT)
    assert home.ask("POST", f"/webhook/{TOKEN}", SOL)[0] == 200


def test_a_wrong_address_is_no_reason_to_restart(home: House) -> None:
    environ = {"TRADE_ENGINE_TRADINGVIEW_ENDPOINT_PORT": "many"}
    wrong = home.start(ENDPOINT, environ=environ)
    assert wrong.wait(20) == 78
    assert "tradingview_endpoint_port" in home.log(ENDPOINT).lower()


def test_the_environment_and_the_config_choose_the_port(home: House) -> None:
    home.put("engine_config.json", {"tradingview_endpoint": {"port": home.port}})
    first = home.start(ENDPOINT)
    until(home.healthy)
    first.terminate()
    first.wait(15)
    home.port = free_port()
    home.start(ENDPOINT, environ={"TRADE_ENGINE_TRADINGVIEW_ENDPOINT_PORT": str(home.port)})
    until(home.healthy)


def test_it_tells_pm2_when_it_is_ready_and_goes_when_pm2_is_gone(home: House) -> None:
    ours, theirs = socket.socketpair()
    endpoint = home.endpoint(environ={"NODE_CHANNEL_FD": str(theirs.fileno())}, pass_fds=[theirs.fileno()])
    theirs.close()
    ours.settimeout(20)
    assert ours.recv(100) == b'"ready"\n'
    worker = worker_of(endpoint)
    ours.close()
    assert endpoint.wait(15) == 0
    until(lambda: not worker.is_running())
    assert "PM2 has gone" in home.log(ENDPOINT)


def test_the_processor_tells_pm2_too(home: House) -> None:
    ours, theirs = socket.socketpair()
    environ = {"NODE_CHANNEL_FD": str(theirs.fileno())}
    processor = home.start(PROCESSOR, environ=environ, pass_fds=[theirs.fileno()])
    theirs.close()
    ours.settimeout(20)
    assert ours.recv(100) == b'"ready"\n'
    assert home.document().signals == {}
    ours.close()
    assert processor.wait(15) == 0


@pytest.mark.parametrize("script", [ENDPOINT, PROCESSOR])
def test_help(script: str) -> None:
    done = subprocess.run(
        [sys.executable, str(CHECKOUT / script), "--help"], capture_output=True, text=True, timeout=60, check=True
    )
    assert "--home" in done.stdout


def test_no_token_in_logs_or_process_list(home: House) -> None:
    endpoint = home.endpoint()
    for path in (f"/webhook/{TOKEN}", f"/webhook/{TOKEN}x", f"/{TOKEN}", "/"):
        home.ask("POST", path, SOL)
        home.say(request(b"{" + TOKEN.encode(), path))
    home.say(request(f'{{"token":"{TOKEN}"}}'.encode(), "/"))
    listed = [*psutil.Process(endpoint.pid).cmdline(), *worker_of(endpoint).cmdline()]
    environ = [f"{name}={value}" for name, value in worker_of(endpoint).environ().items()]
    written = [p.read_text() for p in home.root.rglob("*") if p.is_file() and p.name != "credentials.json"]
    assert TOKEN not in "\n".join([*listed, *environ, *written])
    assert os.path.exists(home.root / "rejected_signals" / "tradingview")  # noqa: PTH110
