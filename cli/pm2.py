"""PM2, spoken to through its command line. One `Pm2` is one PM2_HOME: one daemon with its list of apps."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import socket
import stat
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.errors import UserError
from config.home import CHECKOUT, Home
from config.process import EXIT_INVALID

MAX_PM2_HOME_CHARS = 99  # its sockets stand inside, and a socket's path ends at 108
COMMAND_DEADLINE_S = 90.0
PASSED_NAMES = frozenset({"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ", "TMPDIR", "SSL_CERT_FILE"})


@dataclass(frozen=True, slots=True)
class App:
    """One line of PM2's list. `status` is PM2's word; `started_at` epoch seconds, 0 when it does not run."""

    pm_id: int
    name: str
    home: Path | None
    status: str
    pid: int
    restarts: int
    started_at: float
    logs: tuple[Path, ...]
    exit_code: int | None = None
    module: bool = False
    """PM2's own (pm2-logrotate), no process of a home."""

    @property
    def gave_up(self) -> bool:
        """Whether it ended itself for good; PM2 then says "waiting restart" for ever."""
        return not self.runs and self.exit_code == EXIT_INVALID

    @property
    def runs(self) -> bool:
        return self.pid > 0 and self.status in {"online", "launching"}


@dataclass(frozen=True, slots=True)
class Pm2:
    root: Path

    def alive(self) -> bool:
        """Whether its daemon listens. Asked first, because any PM2 command would start a daemon."""
        with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as probe:
            probe.settimeout(2.0)
            try:
                probe.connect(str(self.root / "rpc.sock"))
            except OSError:
                return False
        return True

    def apps(self) -> tuple[App, ...]:
        """Everything it keeps but its own modules."""
        return tuple(app for app in self._listed() if not app.module)

    def modules(self) -> tuple[App, ...]:
        return tuple(app for app in self._listed() if app.module)

    def _listed(self) -> tuple[App, ...]:
        return read_list(self._run("jlist").stdout) if self.alive() else ()

    def all_of(self, home: Home) -> tuple[App, ...]:
        """Everything it keeps for the home. A name may be there twice: `pm2 start execute_trades.py` beside `up`."""
        return tuple(app for app in self.apps() if app.home == home.root)

    def of(self, home: Home) -> dict[str, App]:
        return by_name(self.all_of(home))

    def start(self, home: Home, names: Iterable[str]) -> None:
        """Starts these apps of the ecosystem file. Returns when each wrote ready or left: judge by health."""
        make_private(self.root)
        (self.root / "touch").touch(mode=0o600)
        only = ",".join(names)
        self._run("start", str(CHECKOUT / "ecosystem.config.js"), "--only", only, home=home, check=False)

    def delete(self, apps: Iterable[App]) -> None:
        """Stops (SIGINT, then SIGKILL after kill_timeout) and forgets. By number: names may be another home's."""
        self._run("delete", *(str(app.pm_id) for app in apps), check=False)

    def restart(self, apps: Iterable[App]) -> None:
        self._run("restart", *(str(app.pm_id) for app in apps))

    def kill(self) -> None:
        if self.alive():
            self._run("kill", check=False)

    def run_script(self, node: str, script: Path, *words: str) -> None:
        """Runs a script over PM2's own library. Raises UserError where it fails."""
        self._call([node, str(script), *words], script.name)

    def _run(self, *words: str, home: Home | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self._call([find_pm2(), *words], f"pm2 {words[0]}", home, check)

    def _call(
        self, command: Sequence[str], shown: str, home: Home | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        environment = clean_environment(os.environ)
        environment |= {"PM2_HOME": str(self.root), "PM2_DISABLE_VERSION_CHECK": "1", "PM2_CONCURRENT_ACTIONS": "4"}
        if home is not None:
            environment["TRADE_ENGINE_HOME"] = str(home.root)
        try:
            done = subprocess.run(
                command, env=environment, cwd=CHECKOUT, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                timeout=COMMAND_DEADLINE_S, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise UserError(
                f"PM2 did not answer `{shown}` within {COMMAND_DEADLINE_S:.0f} s.\n"
                f"Look at {self.root / 'pm2.log'}; `PM2_HOME={self.root} pm2 kill` ends its daemon."
            ) from error
        if check and done.returncode != 0:
            said = (done.stderr + done.stdout).strip()[-1500:]
            raise UserError(f"`{shown}` failed:\n{said}\nIts own log: {self.root / 'pm2.log'}")
        return done


def by_name(apps: Iterable[App]) -> dict[str, App]:
    """Of namesakes the one that has run longest, because it holds the accounts and the port."""
    return {app.name: app for app in sorted(apps, key=lambda app: (app.runs, -app.started_at))}


def surplus(apps: Sequence[App]) -> list[App]:
    """Those that run beside an elder namesake, which leaves them nothing to do."""
    first = by_name(apps)
    return [app for app in apps if app.runs and app is not first[app.name]]


def read_list(text: str) -> tuple[App, ...]:
    """`pm2 jlist` output. Notices may stand before the JSON, which is one line."""
    for line in reversed(text.splitlines()):
        if line.startswith("["):
            with contextlib.suppress(json.JSONDecodeError):
                return tuple(_app(entry) for entry in json.loads(line))
    raise UserError(f"PM2's list of processes could not be read. It said: {text.strip()[-300:]!r}")


def _app(entry: Mapping[str, Any]) -> App:
    env = entry["pm2_env"]
    home = env.get("TRADE_ENGINE_HOME")
    if not home and Path(env.get("pm_exec_path", "/")).is_relative_to(CHECKOUT):
        home = str(CHECKOUT)  # started by hand, `pm2 start execute_trades.py`
    pid = int(entry.get("pid") or 0)
    logs = (env.get("pm_out_log_path"), env.get("pm_err_log_path"))
    return App(
        pm_id=int(entry["pm_id"]),
        name=str(entry["name"]),
        home=Path(home) if home else None,
        status=str(env.get("status", "?")),
        pid=pid,
        restarts=int(env.get("restart_time") or 0),
        started_at=float(env.get("pm_uptime") or 0) / 1000 if pid else 0.0,
        logs=tuple(Path(log) for log in logs if log),
        exit_code=env.get("exit_code"),
        module=bool(env.get("pmx_module")),
    )


def pm2_of(home: Home, environ: Mapping[str, str] = os.environ) -> Pm2:
    """A demo has a PM2 of its own; everything else runs under the user's, so that plain `pm2 logs` shows it."""
    if home.is_demo:
        return Pm2(private_pm2_home(home))
    return Pm2(Path(environ.get("PM2_HOME") or Path.home() / ".pm2"))


def private_pm2_home(home: Home) -> Path:
    """Inside the home; where that path is too long for sockets, a short folder that belongs to this home alone."""
    digest = hashlib.blake2b(os.fsencode(home.root), digest_size=6).hexdigest()
    candidates = (
        home.root / "pm2",
        Path.home() / f".trade-engine-{digest}",
        Path(f"/tmp/trade-engine-{os.getuid()}-{digest}"),  # noqa: S108 - `make_private` insists that it is ours
    )
    return next((path for path in candidates if len(os.fsencode(path)) <= MAX_PM2_HOME_CHARS), candidates[-1])


def make_private(folder: Path) -> None:
    """Makes a 0700 folder, or insists that the one that is there is ours alone."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise UserError(f"{folder} belongs to somebody else, so PM2 was not started there. Remove it and try again.")
    if found.st_mode & 0o022:
        folder.chmod(0o700)


def clean_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """What PM2 may see: it writes environments in plain text into its dump, and secrets must not be there."""
    keep = {k: v for k, v in environ.items() if k in PASSED_NAMES or k.startswith(("TRADE_ENGINE_", "LC_"))}
    keep["PATH"] = f"{CHECKOUT / '.venv' / 'bin'}{os.pathsep}{keep.get('PATH', os.defpath)}"
    return keep


def find_pm2() -> str:
    ours = CHECKOUT / ".venv" / "bin" / "pm2"
    found = str(ours) if ours.exists() else shutil.which("pm2")
    if not found:
        raise UserError("PM2 is not installed. Call this through ./run, which installs it, or `npm install -g pm2`.")
    return found
