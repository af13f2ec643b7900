"""The home: one folder with everything a running engine reads and writes. Every path of it is named here, once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
PRIVATE_DIRS = ("state", "raw_signals", "deduplicated_signals", "rejected_signals", "signals")


@dataclass(frozen=True, slots=True)
class Home:
    """Paths below `root` (absolute). Nothing here touches the disk but `prepare`."""

    root: Path

    @staticmethod
    def find(environ: Mapping[str, str] = os.environ, given: str | None = None) -> Home:
        """`--home`, else `TRADE_ENGINE_HOME`, else the checkout."""
        chosen = given or environ.get("TRADE_ENGINE_HOME") or str(CHECKOUT)
        return Home(Path(chosen).expanduser().resolve())

    def prepare(self) -> None:
        """Makes the folders that hold private data, 0700; tightens looser ones."""
        self.root.mkdir(parents=True, exist_ok=True)
        for name in PRIVATE_DIRS:
            folder = self.root / name
            folder.mkdir(mode=0o700, exist_ok=True)
            folder.chmod(0o700)

    @property
    def is_demo(self) -> bool:
        return (self.root / "DEMO").exists()

    @property
    def label(self) -> str:
        """`DEMO` or `LIVE`, as every looking or stopping verb says."""
        return "DEMO" if self.is_demo else "LIVE"

    @property
    def credentials(self) -> Path:
        return self.root / "credentials.json"

    @property
    def dotenv(self) -> Path:
        return self.root / ".env"

    @property
    def asset_mapping(self) -> Path:
        return self.root / "asset_mapping_config.json"

    @property
    def signal_weights(self) -> Path:
        return self.root / "signal_weight_config.json"

    @property
    def engine_config(self) -> Path:
        """The JSON file; `engine_config.toml` beside it is read when only that exists."""
        return self.root / "engine_config.json"

    @property
    def bittensor_config(self) -> Path:
        return self.root / "bittensor_processor_config.json"

    @property
    def depths(self) -> Path:
        return self.root / "account_asset_depths.json"

    @property
    def halt(self) -> Path:
        return self.root / "HALT"

    @property
    def state(self) -> Path:
        return self.root / "state"

    @property
    def journals(self) -> Path:
        return self.state / "journal"

    @property
    def locks(self) -> Path:
        return self.state / "locks"

    @property
    def statuses(self) -> Path:
        return self.state / "status"

    @property
    def heartbeats(self) -> Path:
        return self.state / "heartbeat"

    @property
    def facts(self) -> Path:
        return self.state / "events"

    @property
    def desired(self) -> Path:
        return self.state / "desired.json"

    @property
    def last_good(self) -> Path:
        return self.state / "last_good"

    @property
    def signals(self) -> Path:
        return self.root / "signals"

    def raw_signals(self, source: str) -> Path:
        return self.root / "raw_signals" / source

    def deduplicated_signals(self, source: str) -> Path:
        return self.root / "deduplicated_signals" / source

    def rejected_signals(self, source: str) -> Path:
        return self.root / "rejected_signals" / source

    def document(self, source: str) -> Path:
        return self.signals / f"{source}.json"

    def heartbeat(self, source: str) -> Path:
        return self.signals / f"{source}.heartbeat"
