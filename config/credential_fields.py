"""The fields people are asked for, venue by venue, and what a value of each must look like. Messages never show one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from config.credential_entries import LOOPBACK, NATIVE, NEEDS
from config.secret import ENV_PREFIX, NAME
from config.wallets import check_address, check_private_key

BITTENSOR = "bittensor_sn8"
TITLES: Mapping[str, str] = {
    "bybit": "Bybit",
    "blofin": "BloFin",
    "kucoin": "KuCoin",
    "mexc": "MEXC",
    "hyperliquid": "Hyperliquid",
}
WORDS: Mapping[str, str] = {
    "api_key": "API key",
    "api_secret": "API secret",
    "api_passphrase": "API passphrase",
    "wallet_address": "wallet address",
    "private_key": "private key",
}
OPEN_FIELDS = ("endpoint", "wallet_address", "vault_address", "base_url", "ws_url", "parent")
"""Fields that are no secrets: they may stand on a command line and be seen while they are typed."""
MAX_KEY = 512


@dataclass(frozen=True, slots=True)
class Field:
    """One question: the file's name of the field and the prompt, word for word as it always was."""

    name: str
    prompt: str

    @property
    def hidden(self) -> bool:
        return self.name not in OPEN_FIELDS


def fields_of(section: str) -> tuple[Field, ...]:
    """What is asked for a venue or for `bittensor_sn8`, in order."""
    if section == BITTENSOR:
        key = Field("api_key", "Enter your API key for Bittensor SN8: ")
        return key, Field("endpoint", "Enter the Bittensor endpoint URL: ")
    return tuple(Field(name, f"Enter your {TITLES[section]} {WORDS[name]}: ") for name in NEEDS[section])


def title_of(section: str) -> str:
    return "Bittensor SN8" if section == BITTENSOR else TITLES.get(section, section)


def checked(name: str, text: str) -> str:
    """A typed value as the file keeps it. Raises ValueError, never showing a secret."""
    if text.startswith(ENV_PREFIX):
        if NAME.fullmatch(text.removeprefix(ENV_PREFIX)) is None:
            raise ValueError(
                "env: needs a variable's name after it, in letters, digits and _, such as env:BYBIT_SECRET"
            )
        return text
    if name in ("wallet_address", "vault_address"):
        return check_address(text)
    if name == "private_key":
        return check_private_key(text)
    if name == "endpoint":
        return _endpoint(text)
    if len(text) > MAX_KEY:
        raise ValueError(
            f"that has {len(text)} characters, and keys have at most {MAX_KEY}; nothing was kept, paste it again"
        )
    for place, character in enumerate(text, start=1):
        allowed = "!" <= character <= "~" or (character == " " and name == "api_passphrase")
        if not allowed:
            words = "a blank" if character.isspace() else f"a character that keys do not have (U+{ord(character):04X})"
            raise ValueError(f"that has {words} at place {place}; nothing was kept, copy it again without formatting")
    return text


def _endpoint(text: str) -> str:
    form = "must be an address like https://example.org/miner-positions"
    try:
        parts = urlsplit(text)
        usable = bool(parts.hostname) and parts.scheme in ("https", "http") and not parts.username and text.isascii()
        usable = usable and (parts.port is None or parts.port > 0) and re.search(r"\s", text) is None
    except ValueError:
        raise ValueError(form) from None
    if not usable:
        raise ValueError(form)
    return text


def endpoint_hint(text: str) -> str:
    """What to say of an endpoint to which the API key would go in the clear; '' where it would not."""
    parts = urlsplit(text)
    if parts.scheme != "http" or parts.hostname in LOOPBACK:
        return ""
    return "The endpoint is http://, so whoever is on the way reads the API key; use https:// where the feed has it."


def check_venue(text: str) -> str:
    """A venue by its name here. Raises ValueError."""
    found = text.lower()
    if found not in NATIVE:
        raise ValueError(f"type one of {', '.join(NATIVE)}; others go into accounts[] of a file for --from")
    return found
