"""The shell script `run` on a prepared checkout, and on machines that lack something. Nothing is installed here."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from config.home import CHECKOUT

FINGERPRINTED = ("run", "pyproject.toml", "uv.lock", "package.json", "package-lock.json")
TOOLS = ("sh", "cat", "cksum", "dirname", "readlink", "sed", "tail", "rm", "mv", "chmod", "grep")
ECHO = '#!/bin/sh\nprintf "%s\\n" "$@"\npwd\n'


@pytest.fixture(params=["plain", "with a space and 'quote'"])
def checkout(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A checkout whose preparation is done, with a Python that only tells what it was called with."""
    root = tmp_path / str(request.param)
    for name in (".venv/bin/python", ".venv/bin/pm2", "node_modules/pm2/bin/pm2"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(ECHO)
        (root / name).chmod(0o755)
    for name in FINGERPRINTED:
        shutil.copy(CHECKOUT / name, root / name)
    stamp(root)
    return root


def stamp(root: Path) -> None:
    whole = f"{root}\n".encode() + b"".join((root / name).read_bytes() for name in FINGERPRINTED)
    found = subprocess.run(["cksum"], input=whole, capture_output=True, check=True).stdout.decode()
    (root / ".venv" / ".prepared").write_text(f"{found}/bin/sh\n")


def tools(folder: Path) -> str:
    """A PATH with the tools of every machine and no Python."""
    folder.mkdir()
    for name in TOOLS:
        (folder / name).symlink_to(shutil.which(name) or name)
    return str(folder)


def call(script: Path, *words: str, cwd: Path, path: str = os.environ["PATH"]) -> subprocess.CompletedProcess[str]:
    env = {"PATH": path, "HOME": str(cwd)}
    return subprocess.run(
        [str(script), *words], cwd=cwd, env=env, capture_output=True, text=True, timeout=30, check=False
    )


def test_prepared_checkout_hands_over_at_once(checkout: Path, tmp_path: Path) -> None:
    done = call(checkout / "run", "status", "two words", cwd=tmp_path)
    assert done.stdout.splitlines() == ["-P", "-m", "cli", "status", "two words", str(tmp_path)]
    assert done.stderr == ""


def test_called_through_links(checkout: Path, tmp_path: Path) -> None:
    (tmp_path / "first").symlink_to(checkout / "run")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "second").symlink_to("../first")
    done = call(tmp_path / "bin" / "second", "help", cwd=tmp_path)
    assert done.stdout.splitlines()[:4] == ["-P", "-m", "cli", "help"]


@pytest.mark.parametrize("change", ["lock", "moved", "node", "pm2"])
def test_what_changed_is_prepared_again(checkout: Path, tmp_path: Path, change: str) -> None:
    if change == "lock":
        (checkout / "uv.lock").write_text("another")
    elif change == "moved":
        checkout = checkout.rename(tmp_path / "elsewhere")
    elif change == "node":
        stamped = (checkout / ".venv" / ".prepared").read_text()
        (checkout / ".venv" / ".prepared").write_text(stamped.replace("/bin/sh", "/no/such/node"))
    else:
        (checkout / "node_modules" / "pm2" / "bin" / "pm2").unlink()
    done = call(checkout / "run", "help", cwd=tmp_path, path=tools(tmp_path / "tools"))
    assert done.returncode == 1
    assert "needs Python 3.11 or newer" in done.stderr, "it set out to prepare, and this machine has no Python"
    assert done.stdout == ""


def test_a_python_that_does_not_fit_is_not_taken(checkout: Path, tmp_path: Path) -> None:
    (checkout / "uv.lock").write_text("another")
    path = tools(tmp_path / "tools")
    (tmp_path / "tools" / "python3").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "tools" / "python3").chmod(0o755)
    done = call(checkout / "run", "help", cwd=tmp_path, path=path)
    assert done.returncode == 1
    assert "python3-venv" in done.stderr
