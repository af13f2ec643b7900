"""The systemd unit in the examples says what the programs need."""

from __future__ import annotations

import configparser
import shutil
import subprocess
from pathlib import Path

import pytest

from config.home import CHECKOUT
from config.process import EXIT_INVALID, GRACE_S

UNIT = CHECKOUT / "examples" / "trade-engine.service"


def test_it_fits_the_programs() -> None:
    unit = configparser.ConfigParser(interpolation=None, strict=True)
    unit.read(UNIT)
    service = unit["Service"]
    assert service["RestartPreventExitStatus"] == str(EXIT_INVALID)
    assert float(service["TimeoutStopSec"]) > GRACE_S
    assert service["KillSignal"] == "SIGINT"
    assert service["UMask"] == "0077"
    scripts = [word for line in UNIT.read_text().splitlines() for word in line.split() if word.endswith(".py")]
    assert len(scripts) == 3
    assert all((CHECKOUT / script).is_file() for script in scripts)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
def test_systemd_understands_it(tmp_path: Path) -> None:
    text = UNIT.read_text().replace("/home/trader/trade-engine/.venv/bin/python", "/bin/true")
    (tmp_path / UNIT.name).write_text(text)
    command = ["systemd-analyze", "verify", "--man=no", str(tmp_path / UNIT.name)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert UNIT.name not in done.stderr, done.stderr
