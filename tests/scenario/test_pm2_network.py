"""Nobody is called: whatever PM2, its log rotation and the programs connect to is on this machine.

Everything that is started runs under strace, daemon and children included, so no connection can be missed; a look-up
of a name would be a connection to a name server.
"""

from __future__ import annotations

import ipaddress
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from config.home import CHECKOUT, Home
from tests.scenario.engine_house import engine_house, needs_proc, wait_for
from tests.scenario.front_door import needs_pm2
from tests.scenario.pm2_house import SEED_LINE, Pm2House, pm2_house
from tests.scenario.tradingview_house import free_port

ADDRESS = re.compile(r'sin6?_port=htons\((\d+)\).*?(?:inet_addr\("([^"]+)"\)|inet_pton\(AF_INET6, "([^"]+)")')
CALLS = "connect,sendto,sendmsg,sendmmsg"


def traceable() -> bool:
    """Whether strace is here and may look on."""
    command = ["strace", "-f", "-qq", "-e", "trace=connect", "-o", "/dev/null", "true"]
    return shutil.which("strace") is not None and subprocess.run(command, check=False).returncode == 0


pytestmark = [
    pytest.mark.timeout(180),
    needs_pm2,
    needs_proc,
    pytest.mark.skipif(not traceable(), reason="strace is not installed, or may not trace here"),
]


def strangers(trace: str) -> set[tuple[str, int]]:
    """Addresses outside this machine in what strace wrote."""
    found = {(one[1] or one[2], int(one[0])) for line in trace.splitlines() for one in ADDRESS.findall(line)}
    return {(host, port) for host, port in found if not ipaddress.ip_address(host).is_loopback}


V4 = '7 connect(3, {{sa_family=AF_INET, sin_port=htons({port}), sin_addr=inet_addr("{host}")}}, 16) = -1 EINPROGRESS'
V6 = (
    "7 connect(3, {{sa_family=AF_INET6, sin6_port=htons({port}), sin6_flowinfo=htonl(0), "
    'inet_pton(AF_INET6, "{host}", &sin6_addr), sin6_scope_id=0}}, 28) = 0'
)
SENT = '7 sendto(3, "x", 1, 0, {{sa_family=AF_INET, sin_port=htons({port}), sin_addr=inet_addr("{host}")}}, 16) = 1'


@pytest.mark.parametrize(
    ("line", "host", "port", "strange"),
    [
        (V4, "1.2.3.4", 443, True),
        (V4, "10.0.0.2", 53, True),
        (V4, "127.0.0.1", 9100, False),
        (V6, "2001:db8::1", 443, True),
        (V6, "::1", 80, False),
        (SENT, "9.9.9.9", 53, True),
        ('7 connect(3, {{sa_family=AF_UNIX, sun_path="/x/rpc.sock"}}, 110) = 0', "", 0, False),
    ],
)
def test_strangers_are_seen(line: str, host: str, port: int, strange: bool) -> None:
    assert strangers(line.format(host=host, port=port)) == ({(host, port)} if strange else set())


@contextmanager
def traced(pm2: Pm2House, trace: Path, *command: str) -> Iterator[Path]:
    """Starts a command under strace, which goes on with everything that comes of it; yields the file it prints to."""
    said = trace.with_suffix(".said")
    strace = ["strace", "-f", "-qq", "-s", "0", "-e", f"trace={CALLS}", "-o", str(trace)]
    with said.open("wb") as out:
        running = subprocess.Popen([*strace, *command], cwd=CHECKOUT, env=pm2.environ, stdout=out, stderr=out)
    try:
        yield said
        pm2("kill")
        assert running.wait(30) is not None, "everything that was traced has ended"
    finally:
        running.kill()
        running.wait()


@pytest.fixture
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("p") / "pm2"


def test_the_seeds_line_calls_nobody(tmp_path: Path, root: Path) -> None:
    with engine_house(tmp_path) as house, pm2_house(root, house.home) as pm2:
        house.say("0.5")
        with traced(pm2, tmp_path / "trace", "pm2", *SEED_LINE):
            house.reaches("0.5", 60)
            pm2("restart", "trade-engine")
            house.say("0.25")
            house.reaches("0.25", 60)
    found = (tmp_path / "trace").read_text()
    assert "127.0.0.1" in found, "the engine's own connections are seen"
    assert strangers(found) == set()


def test_up_calls_nobody(tmp_path: Path, root: Path) -> None:
    """All three programs and the log rotation, of a home that is new."""
    home = Home(tmp_path / "home")
    home.root.mkdir()
    home.engine_config.write_text(json.dumps({"tradingview_endpoint": {"port": free_port()}}))
    with (
        pm2_house(root, home) as pm2,
        traced(pm2, tmp_path / "trace", sys.executable, "-P", "-m", "cli", "up") as said,
    ):
        wait_for(lambda: "everything runs" in said.read_text(), "up is done", 90)
        assert "logs are rotated by pm2-logrotate" in said.read_text()
    found = (tmp_path / "trace").read_text()
    assert "127.0.0.1" in found
    assert strangers(found) == set()
