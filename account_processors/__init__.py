"""Adapters: one venue each, thin I/O over a pure codec. Nothing here knows targets, retries or cool-downs.

A venue is added by its processor, its codec, and one line in `REGISTRY`; venues without one go through ccxt. Importing
this package loads no SDK; `load` does, for the one venue asked for.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol, cast

from core.domain import AccountId
from core.errors import ConfigError
from core.ports import AccountProcessor, Clock, Entropy, Transport

if TYPE_CHECKING:
    from account_processors.shared import VenueShared

REGISTRY: Mapping[str, str] = MappingProxyType(
    {
        "bybit": "account_processors.bybit_processor:BybitProcessor",
        "blofin": "account_processors.blofin_processor:BloFinProcessor",
        "kucoin": "account_processors.kucoin_processor:KucoinProcessor",
        "mexc": "account_processors.mexc_processor:MexcProcessor",
        "hyperliquid": "account_processors.hyperliquid_processor:HyperliquidProcessor",
    }
)
"""Venue -> "module:Class" of its `ProcessorFactory`."""


class Secret(Protocol):
    """A value that shows itself only when asked to."""

    def reveal(self) -> str: ...


Credentials = Mapping[str, Secret | str]
"""The credential fields of one account as `credentials.json` names them (`api_key`, `api_secret`, …)."""


class ProcessorFactory(Protocol):
    """What every adapter class is called with, by whoever joins the parts.

    `transport`, `clock`, `entropy` and `shared` may serve many accounts and are not closed by an adapter. `shared` is
    one object per venue and base URL. `base_url`, `ws_url` None: the venue's own. `deadline_s` bounds every request.
    Raises `ConfigError` where a credential field is missing.
    """

    def __call__(
        self,
        account: AccountId,
        credentials: Credentials,
        transport: Transport,
        clock: Clock,
        entropy: Entropy,
        base_url: str | None,
        ws_url: str | None,
        shared: VenueShared,
        deadline_s: float = 5.0,
    ) -> AccountProcessor: ...


CCXT = "account_processors.ccxt_processor:factory"
"""Makes the `ProcessorFactory` of a venue that is not in `REGISTRY` but known to ccxt, under ccxt's name of it."""


def load(venue: str) -> ProcessorFactory:
    """The adapter of `venue`, the engine's own before ccxt's; raises `ConfigError` for a venue without one."""
    if venue in REGISTRY:
        return cast("ProcessorFactory", _named(REGISTRY[venue]))
    factory = cast("Callable[[str], ProcessorFactory]", _named(CCXT))
    return factory(venue)


def _named(place: str) -> object:
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)


def secret(credentials: Credentials, account: AccountId, field: str) -> str:
    """The credential `field` in plain text; raises `ConfigError` where it is missing or empty."""
    value = credentials.get(field)
    plain = value if isinstance(value, str | None) else value.reveal()
    if not plain:
        raise ConfigError(f"credentials.json: {account}", f"{field} is missing")
    return plain
