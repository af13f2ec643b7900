"""Whose signature an action has, reckoned the venue's way: from what it understood, not from what was sent.

The venue reads the JSON of an action, drops what it does not know, writes numbers without trailing zeros, and hashes
that as MessagePack with its own order of keys. An action that was signed in another spelling recovers to some address
nobody has, which is why the venue then says that a wallet does not exist. Written apart from the adapter's signing on
purpose: each is checked against official clients.

Source: https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/signing and the official SDK.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache

from coincurve import PrivateKey, PublicKey
from Crypto.Hash import keccak

from core.domain import plain
from simulator.facades.parts import Json

SOURCES = ("a", "b")
"""Main network and test network; clients that are pointed at another address take themselves for the latter."""
CHAIN = 1337
HEX = re.compile(r"0x[0-9a-fA-F]{1,64}")
NUMBER = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?")
ORDER_KEYS = ("a", "b", "p", "s", "r", "t", "c")
ACTION_KEYS: Mapping[str, tuple[str, ...]] = {
    "order": ("type", "orders", "grouping", "builder"),
    "cancel": ("type", "cancels"),
    "cancelByCloid": ("type", "cancels"),
    "updateLeverage": ("type", "asset", "isCross", "leverage"),
    "noop": ("type",),
}
ROW_KEYS: Mapping[str, tuple[str, ...]] = {"cancel": ("a", "o"), "cancelByCloid": ("asset", "cloid")}
OPTIONAL = frozenset({"c", "builder"})


class Unreadable(Exception):
    """The action is none the venue knows."""


def hashed(data: bytes) -> bytes:
    return keccak.new(digest_bits=256, data=data).digest()


# --- the action as understood -----------------------------------------------------------------------------------------


def understood(action: Json) -> Json:
    """The action in the venue's own spelling. Raises `Unreadable`."""
    kind = action.get("type")
    if not isinstance(kind, str) or kind not in ACTION_KEYS:
        raise Unreadable
    known = dict(_chosen(action, ACTION_KEYS[kind]))
    if kind == "order":
        known["orders"] = [_order(row) for row in _rows(known["orders"])]
        if "builder" in known:
            known["builder"] = _chosen(_table(known["builder"]), ("b", "f"))
    if kind in ROW_KEYS:
        known["cancels"] = [_chosen(row, ROW_KEYS[kind]) for row in _rows(known["cancels"])]
    return known


def _order(row: Json) -> Json:
    known = dict(_chosen(row, ORDER_KEYS))
    for name in ("p", "s"):
        value = known[name]
        if not isinstance(value, str) or not NUMBER.fullmatch(value):
            raise Unreadable
        known[name] = plain(Decimal(value))
    whole, sides = known["a"], (known["b"], known["r"])
    if isinstance(whole, bool) or not isinstance(whole, int) or not all(isinstance(side, bool) for side in sides):
        raise Unreadable
    return known


def _chosen(row: Json, keys: tuple[str, ...]) -> Json:
    given = {key: row[key] for key in keys if row.get(key) is not None}
    if not given.keys() | OPTIONAL >= set(keys):
        raise Unreadable
    return given


def _rows(value: object) -> list[Json]:
    if not isinstance(value, list):
        raise Unreadable
    return [_table(row) for row in value]


def _table(value: object) -> Json:
    if not isinstance(value, dict):
        raise Unreadable
    return value


# --- MessagePack ------------------------------------------------------------------------------------------------------

LENGTHS: Mapping[type, tuple[tuple[int, int], int]] = {
    str: ((32, 0xA0), 0xD9),
    list: ((16, 0x90), 0xDB),
    dict: ((16, 0x80), 0xDD),
}
"""Type -> fewer than so many parts fit into its short code, and the code of its eight-bit length (which lists and maps
do not have: theirs begin one later)."""


def pack(value: object) -> bytes:
    """Raises `Unreadable` for what no action contains."""
    match value:
        case None:
            return b"\xc0"
        case bool():
            return b"\xc3" if value else b"\xc2"
        case int():
            return _number(value)
        case str():
            return _length(str, len(value.encode())) + value.encode()
        case list():
            return _length(list, len(value)) + b"".join(pack(it) for it in value)
        case dict():
            return _length(dict, len(value)) + b"".join(pack(key) + pack(it) for key, it in value.items())
    raise Unreadable


def _number(value: int) -> bytes:
    if 0 <= value < 128:
        return struct.pack("B", value)
    for code, form, most in ((0xCC, ">BB", 8), (0xCD, ">BH", 16), (0xCE, ">BI", 32), (0xCF, ">BQ", 64)):
        if 0 <= value < 1 << most:
            return struct.pack(form, code, value)
    raise Unreadable  # the venue's numbers are not negative


def _length(kind: type, length: int) -> bytes:
    (fewer, short), code = LENGTHS[kind]
    if length < fewer:
        return struct.pack("B", short + length)
    if length < 1 << 8 and kind is str:
        return struct.pack(">BB", code, length)
    return struct.pack(">BH", code + 1, length) if length < 1 << 16 else struct.pack(">BI", code + 2, length)


# --- recovering -------------------------------------------------------------------------------------------------------


def connection(action: Json, nonce: int, vault: str | None, expires_after: int | None) -> bytes:
    tail = b"" if expires_after is None else b"\x00" + struct.pack(">Q", expires_after)
    whose = b"\x00" if vault is None else b"\x01" + bytes.fromhex(vault.removeprefix("0x"))
    return hashed(pack(action) + struct.pack(">Q", nonce) + whose + tail)


@lru_cache
def _domain() -> bytes:
    text = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
    return hashed(hashed(text) + hashed(b"Exchange") + hashed(b"1") + CHAIN.to_bytes(32, "big") + bytes(32))


def signers(connection_id: bytes, signature: object) -> tuple[str, ...]:
    """The addresses whose signature this is, if it was meant for the main or for the test network; none if for neither.

    Raises `Unreadable` for what is no signature.
    """
    row = _table(signature)
    parts = [row.get("r"), row.get("s")]
    v = row.get("v")
    if not all(isinstance(part, str) and HEX.fullmatch(part) for part in parts) or v not in (27, 28):
        raise Unreadable
    whole = b"".join(int(str(part), 16).to_bytes(32, "big") for part in parts) + bytes([int(str(v)) - 27])
    found = []
    for source in SOURCES:
        agent = hashed(hashed(b"Agent(string source,bytes32 connectionId)") + hashed(source.encode()) + connection_id)
        try:
            public = PublicKey.from_signature_and_message(whole, hashed(b"\x19\x01" + _domain() + agent), hasher=None)
        except ValueError:
            continue  # no point of the curve
        found.append(address_of(public))
    return tuple(found)


def address_of(public: PublicKey) -> str:
    return "0x" + hashed(public.format(compressed=False)[1:]).hex()[-40:]


def address_of_key(private_key: str) -> str:
    return address_of(PrivateKey(bytes.fromhex(private_key)).public_key)
