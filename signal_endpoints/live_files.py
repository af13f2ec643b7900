"""The part of a home's configuration that the webhook needs, as it stands now: each file by itself, last good kept."""

from __future__ import annotations

import ipaddress
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import ValidationError

from config.checks import Checked, EngineConfig, Raw, check_engine, check_mappings
from config.contents import Content, Contents, parsed
from config.home import Home
from config.last_good import LastGood
from config.models import EndpointKeys
from core.errors import ConfigError
from core.ports import Clock, FileOps
from core.state import content_hash
from signal_processors.tradingview_alerts import FULL_DEPTH
from signal_processors.tradingview_document import SOURCE
from signal_processors.tradingview_order import Dedup

log = logging.getLogger("tradingview-endpoint")

ENV = "TRADE_ENGINE_TRADINGVIEW_ENDPOINT_"
EXAMPLES = {"host": "127.0.0.1", "port": "8000", "trusted_proxies": "127.0.0.1,10.0.0.0/8"}

T = TypeVar("T")
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Rules:
    """What the files say. `mapping` source symbol -> canonical symbol; `unmapped` why there is none of it at all."""

    host: str = "127.0.0.1"
    port: int = 8000
    trusted_proxies: tuple[Network, ...] = ()
    max_depth: Decimal = FULL_DEPTH
    dedup: Dedup = field(default_factory=Dedup)
    entry_max_age_s: float | None = 600.0
    mapping: Mapping[str, str] = field(default_factory=dict)
    unmapped: str | None = None


class LiveFiles:
    """`rules` as of the last `refresh`, which any thread may call; readers see whole versions only.

    An invalid edit leaves the last good content in force, that of an earlier run included, and is logged once.
    """

    def __init__(self, home: Home, ops: FileOps, clock: Clock, environ: Mapping[str, str] = os.environ) -> None:
        """Raises ConfigError for an address in `environ` that is none."""
        self._given = _given(environ)
        self._contents = Contents(ops, clock)
        copies = LastGood(home.last_good, ops, clock, writes=False)
        self._mapping = _Live(home.asset_mapping, check_mappings, copies)
        self._engine = _Live(home.engine_config, check_engine, copies)
        self._toml = _Live(home.engine_config.with_suffix(".toml"), check_engine, copies)
        self.rules = Rules()
        self.refresh()

    @property
    def versions(self) -> Mapping[str, str]:
        """File name -> content hash in force, of the files that say anything here."""
        engine = self._toml if self._engine.missing and not self._toml.missing else self._engine
        return {live.name: live.version for live in (self._mapping, engine) if live.version}

    def refresh(self) -> None:
        """Looks at the files. Never raises."""
        self._mapping.look(self._contents)
        self._engine.look(self._contents)
        if self._engine.missing:
            self._toml.look(self._contents)
        engine = self._engine.value or (self._toml.value if self._engine.missing else None) or EngineConfig()
        keys = engine.keys.tradingview_endpoint.model_copy(update=self._given)
        self.rules = _rules(engine, keys, self._mapping.value, self._mapping.problem)


def _given(environ: Mapping[str, str]) -> Mapping[str, object]:
    """What the environment says of the endpoint's address, over engine_config. Raises ConfigError."""
    found: dict[str, object] = {}
    for name in ("host", "port", "trusted_proxies"):
        text = environ.get(ENV + name.upper())
        if not text:
            continue
        value: object = text
        if name == "trusted_proxies":
            value = [part.strip() for part in text.split(",") if part.strip()]
        elif name == "port" and text.isascii() and text.isdigit():
            value = int(text)
        try:
            found[name] = getattr(EndpointKeys.model_validate({name: value}), name)
        except ValidationError:
            words = f"{text[:40]!r} cannot be used; write it like {EXAMPLES[name]}"
            raise ConfigError(f"environment: {ENV}{name.upper()}", words) from None
    return found


def _rules(
    engine: EngineConfig, endpoint: EndpointKeys, mappings: Mapping[str, Mapping[str, str]] | None, problem: str
) -> Rules:
    dedup = engine.keys.dedup
    return Rules(
        host=endpoint.host,
        port=endpoint.port,
        trusted_proxies=tuple(ipaddress.ip_network(network) for network in endpoint.trusted_proxies),
        max_depth=engine.policy.max_depth,
        dedup=Dedup(dedup.ttl_s, tuple(dedup.keys)),
        entry_max_age_s=engine.keys.source(SOURCE).entry_max_age_s,
        mapping=(mappings or {}).get(SOURCE, {}),
        unmapped=problem if mappings is None else None,
    )


class _Live(Generic[T]):
    """One file, by content: the value of its newest valid content."""

    def __init__(self, path: Path, check: Callable[[Raw], Checked[T]], copies: LastGood) -> None:
        self._path = path
        self._check = check
        self._seen: Content | None = None
        self.value: T | None = None
        self.missing = True
        self.problem = ""
        self.version = ""
        self._from_copy(copies)

    @property
    def name(self) -> str:
        return self._path.name

    def _from_copy(self, copies: LastGood) -> None:
        try:
            data = copies.read(self._path.name)
            self.value = None if data is None else self._read(data)
            self.version = "" if data is None else content_hash(data)
        except ConfigError:
            self.value = None  # the copy only spares a restart from a broken edit; the file itself is looked at next

    def _read(self, data: bytes) -> T | None:
        checked = self._check(parsed(data, self._path.name))
        if checked.problems:
            raise checked.problems[0]
        return checked.value

    def look(self, contents: Contents) -> None:
        found = contents.read(self._path)
        if found is self._seen:
            return
        self._seen = found
        self.missing = found.missing
        self.problem = ""
        try:
            if found.data is None:
                raise ConfigError(self._path.name, found.trouble)
            self.value = self._read(found.data)
            self.version = found.version
        except ConfigError as error:
            self.problem = f"{error}"
            if not found.missing:
                kept = "its last good content stays in force" if self.value is not None else "the defaults hold"
                log.warning("%s; for the webhook %s. Correct the file.", error, kept)
