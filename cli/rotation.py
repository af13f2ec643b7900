"""Rotation of the logs that PM2 keeps: its module pm2-logrotate, set up once for each PM2 that a home runs under.

The module is the one locked in package-lock.json. What stands in `<PM2_HOME>/modules/` is a pointer to it, so that
nothing is downloaded and `pm2 uninstall pm2-logrotate` removes it like any other. Settings that are there are the
user's and stay (`pm2 set pm2-logrotate:max_size 10M`); a module the user removed does not come back.

2.7.0 and not 3.0.0: that one reads `compress true` as false (keymetrics/pm2-logrotate, issue 201).
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.errors import UserError
from cli.pm2 import Pm2, make_private
from config.home import CHECKOUT
from core.errors import ConfigError
from core.state import RealFileOps, ensure_dir, loads, write_atomic, write_json

NAME = "pm2-logrotate"
INSTALLED = "module-db-v2"
"""Where PM2 notes which modules it starts."""
SETTINGS = {
    "max_size": "50M",
    "retain": "10",
    "compress": "true",
    "rotateInterval": "00 */6 * * *",
    "dateFormat": "YYYY-MM-DD_HH-mm-ss",
    "workerInterval": "30",
    "rotateModule": "true",
}
SHOWN = ("max_size", "retain", "compress", "rotateInterval")
PACKAGE = CHECKOUT / "node_modules" / NAME
POINTER = """\
// Written by ./run up. Without its PM2 it would go on rotating beside the one that comes after it.
process.on('disconnect', () => process.exit(0));
require({module});
"""
BY_HAND = "`pm2 install pm2-logrotate@2.7.0` sets it up by hand"


@dataclass(frozen=True, slots=True)
class Rotation:
    """The rotation of one PM2. `prepare` before its daemon may start, `keep` once it runs."""

    pm2: Pm2
    package: Path = PACKAGE

    @property
    def _settings_file(self) -> Path:
        return self.pm2.root / "module_conf.json"

    @property
    def _pointer(self) -> Path:
        return self.pm2.root / "modules" / NAME / "node_modules" / NAME

    def prepare(self) -> str:
        """Writes what PM2 starts the module from, where nobody has decided otherwise. Returns why not, or ''."""
        try:
            return self._prepare()
        except (OSError, ConfigError) as error:
            return f"logs are not rotated: {error}. {BY_HAND}."

    def _prepare(self) -> str:
        found = self._read()
        installed = NAME in found.get(INSTALLED, {})
        if not installed and NAME in found:
            return f"logs are not rotated: pm2-logrotate was removed from this PM2; {BY_HAND}."
        ours = POINTER.replace("{module}", json.dumps(str(self.package / "app.js")))
        if installed and not self._is_old(ours):
            return ""
        if not self.package.is_dir():
            return f"logs are not rotated: {self.package} is missing. Call ./run, which installs it; {BY_HAND}."
        make_private(self.pm2.root)
        version = json.loads((self.package / "package.json").read_text())["version"]
        app = {"name": NAME, "script": "app.js", "max_memory_restart": "500M"}
        ensure_dir(ops := RealFileOps(), self._pointer)
        write_atomic(ops, self._pointer / "app.js", ours.encode())
        write_json(ops, self._pointer / "package.json", {"name": NAME, "version": version, "apps": [app]})
        found[INSTALLED] = found.get(INSTALLED, {}) | {NAME: {}}
        found.setdefault(NAME, dict(SETTINGS))
        write_json(ops, self._settings_file, found)
        return ""

    def keep(self) -> str:
        """Starts the module under the running daemon, unless it runs. Returns what to tell the user."""
        if not self.pm2.alive():
            return "logs are not rotated: PM2 has ended."
        running = next((one for one in self.pm2.modules() if one.name == NAME), None)
        if running is None or not running.runs:
            node = self._node()
            if node is None:
                return f"logs are not rotated: no Node.js was found to start {NAME} with; {BY_HAND}."
            try:
                self.pm2.run_script(node, CHECKOUT / "cli" / "start_module.js", NAME)
            except UserError as error:
                return f"logs are not rotated: {NAME} could not be started. {error}"
        own = self._read().get(NAME, {})
        shown = ", ".join(f"{name} {own[name]}" for name in SHOWN if name in own)
        return f"logs are rotated by {NAME} ({shown})."

    def _is_old(self, ours: str) -> bool:
        """Whether what is installed is missing, or a pointer that leads elsewhere."""
        script = self._pointer / "app.js"
        if not script.exists():
            return True
        text = script.read_text()
        return text != ours and text.startswith(ours.splitlines()[0])

    def _read(self) -> dict[str, Any]:
        if not self._settings_file.exists() or not self._settings_file.read_bytes().strip():
            return {}
        found = loads(self._settings_file.read_bytes(), real=float)
        if not isinstance(found, dict):
            raise ConfigError(str(self._settings_file), "is not a JSON object; PM2 cannot use it either")
        return found

    @staticmethod
    def _node() -> str | None:
        own = CHECKOUT / ".venv" / "bin" / "node"
        return str(own) if own.exists() else shutil.which("node")
